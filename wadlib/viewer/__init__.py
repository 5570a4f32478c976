"""The interactive mask viewer: ``from wadlib.viewer import MaskViewer``.

It draws in the browser (an anywidget): frames travel once, as JPEG pictures and deflated labels, and
every change of the view after that costs Python nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wadlib.viewer.widget import MaskViewer

__all__ = ["MaskViewer"]


def __getattr__(name: str) -> Any:
    """Import the widget when it is asked for: anywidget and ipywidgets take half a second."""
    if name == "MaskViewer":
        from wadlib.viewer.widget import MaskViewer

        return MaskViewer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
