"""Figures of frames, scores, graphs and networks: each function draws on the Axes that it is given.

``rcnn_family/`` holds four drawings, Figs 6 to 9 of the report (`wadlib.course.classroom.show_drawing`).
"""

import lazy_loader

# The names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
