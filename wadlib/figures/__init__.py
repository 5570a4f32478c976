"""Figures of networks: Fig 2 (U-Net) from its tensors, Figs 6–9 (the R-CNN family) as block diagrams.

Every function draws on the Axes that it is given, computes nothing, and needs no Keras: names and
shapes are enough.
"""

from __future__ import annotations

from wadlib.figures.network_blocks import Block, draw_arrow, draw_block, draw_lane, open_diagram
from wadlib.figures.network_pictures import draw_feature_map, draw_object, draw_scene
from wadlib.figures.network_rcnn import FAMILY, draw_rcnn_family
from wadlib.figures.unet import draw_unet

__all__ = [
    "FAMILY",
    "Block",
    "draw_arrow",
    "draw_block",
    "draw_feature_map",
    "draw_lane",
    "draw_object",
    "draw_rcnn_family",
    "draw_scene",
    "draw_unet",
    "open_diagram",
]
