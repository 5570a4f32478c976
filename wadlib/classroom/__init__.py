"""Former place of `wadlib.course.classroom`, for notebooks and scripts that were written before it moved."""

from wadlib.course.classroom import *  # noqa: F403
from wadlib.course.classroom import __all__ as _names
from wadlib.course.sliders import figure_slider

__all__ = [*_names, "figure_slider"]
