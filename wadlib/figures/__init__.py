"""Figures of frames, scores, graphs and networks: each function draws on the Axes that it is given.

``rcnn_family/`` holds four drawings, Figs 6 to 9 of the report (`wadlib.course.classroom.show_drawing`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "frames": [
            "INK",
            "PALETTE",
            "colourise",
            "draw_bars",
            "draw_class_legend",
            "draw_cumulative",
            "draw_frame",
            "draw_grid",
            "draw_label",
            "draw_overlay",
            "draw_rectangle",
            "draw_spread",
            "draw_threshold",
            "plot_style",
        ],
        "scores": ["draw_matrix", "draw_waterfall"],
        "graphs": ["draw_energies", "draw_swap_graph"],
        "unet": ["draw_unet"],
    },
)
