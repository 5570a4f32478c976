"""The embedded dataset: driving videos drawn by our own code in exactly the WAD format."""

from wadlib.dataset.tracks import read_tracks
from wadlib.rendered.write import VERSION, render_dataset, render_frame

__all__ = ["VERSION", "read_tracks", "render_dataset", "render_frame"]
