"""Former place of `wadlib.course.classroom`, for notebooks and scripts that were written before it moved."""

from wadlib.course.classroom import *  # noqa: F403
from wadlib.course.classroom import __all__ as __all__
