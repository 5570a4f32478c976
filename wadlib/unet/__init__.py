"""U-Net: section 2.2 of the report. ``import wadlib.unet`` is instant, Keras comes with the first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from wadlib.unet.architecture import PRESETS, Architecture, attempt, cure, ronneberger
from wadlib.unet.data import SmallFrames, batches, class_pixels
from wadlib.unet.diagnosis import channel_names, watch_gradients, watch_softmax
from wadlib.unet.geometry import Geometry, strip
from wadlib.unet.prediction import predict, predict_label, probabilities
from wadlib.unet.recipes import RECIPES, Recipe, recipe
from wadlib.unet.shapes import layer_shapes, output_window, receptive_field
from wadlib.unet.training import TrainedUnet, constant_baseline, evaluate_unet, iou_by_name, load_unet, train_unet

if TYPE_CHECKING:
    from wadlib.unet.losses import SegmentationLoss
    from wadlib.unet.model import build_unet, stages

__all__ = [
    "PRESETS",
    "RECIPES",
    "Architecture",
    "Geometry",
    "Recipe",
    "SegmentationLoss",
    "SmallFrames",
    "TrainedUnet",
    "attempt",
    "batches",
    "build_unet",
    "channel_names",
    "class_pixels",
    "cure",
    "evaluate_unet",
    "iou_by_name",
    "layer_shapes",
    "load_unet",
    "constant_baseline",
    "output_window",
    "predict",
    "predict_label",
    "probabilities",
    "receptive_field",
    "recipe",
    "ronneberger",
    "stages",
    "strip",
    "train_unet",
    "watch_gradients",
    "watch_softmax",
]

_NEEDS_KERAS = {"SegmentationLoss": "losses", "build_unet": "model", "stages": "model"}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_KERAS:
        return getattr(importlib.import_module(f"wadlib.unet.{_NEEDS_KERAS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
