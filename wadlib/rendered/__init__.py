"""The embedded dataset: driving videos drawn by our own code in exactly the WAD format."""

from __future__ import annotations

from wadlib.rendered.write import VERSION, render_dataset, render_frame

__all__ = ["VERSION", "render_dataset", "render_frame"]
