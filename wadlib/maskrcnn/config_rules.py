"""Say what each field of a `wadlib.maskrcnn.config.Config` must be."""

from collections.abc import Iterator
from typing import Any

from wadlib._shared.fields import MAX_PIXELS
from wadlib.labels import IDS
from wadlib.preprocess import NETWORK_VIEWS

BACKBONES = ("resnet50", "resnet101", "lite0")

# Part of a full-size frame that is scaled to `image_shape`: a row of `wadlib.preprocess.VIEWS`, or everything.
SHOWN = (*NETWORK_VIEWS, "whole")

LARGEST = 1_000_000  # of any number of channels, boxes or pixels: a damaged file must not ask for all memory
MOST_CLASSES = 10_000


def rules(c: Any) -> Iterator[tuple[str, str, bool]]:
    """Yield each field that can be wrong: its name, what is expected, and whether that holds."""
    whole = ("fpn_channels", "rpn_channels", "head_channels", "mask_channels", "pre_nms_limit", "proposals_training",
             "proposals_inference", "rpn_train_anchors", "rois_per_image", "max_gt_instances", "pool_size",
             "mask_pool_size", "max_instances", "batch_size")  # fmt: skip
    fits = _are_whole(c.image_shape, 2, multiple_of=64) and c.image_shape[0] * c.image_shape[1] <= MAX_PIXELS
    yield "image_shape", f"two positive multiples of 64, of at most {MAX_PIXELS} pixels", fits
    yield "backbone", f"one of {', '.join(BACKBONES)}", c.backbone in BACKBONES
    yield "view", f"one of {', '.join(SHOWN)}", c.view in SHOWN
    yield "dtype", "float32 or mixed_bfloat16", c.dtype in ("float32", "mixed_bfloat16")
    yield "optimizer", "sgd or adam", c.optimizer in ("sgd", "adam")
    yield (
        "num_classes",
        "at least 2: background and one class",
        2 <= c.num_classes <= MOST_CLASSES,
    )
    yield (
        "wad_classes",
        f"{c.num_classes} WAD ids, or 0 for none",
        (len(c.wad_classes) == c.num_classes and c.wad_classes[0] == 0 and set(c.wad_classes) <= {0, *IDS}),
    )
    # Anchors: one scale for each level of the pyramid.
    yield "strides", "(4, 8, 16, 32, 64): what the backbones halve", c.strides == (4, 8, 16, 32, 64)
    yield "anchor_stride", "1 or 2", c.anchor_stride in (1, 2)
    yield "anchor_scales", "one positive side per pyramid level", _are_positive(c.anchor_scales, len(c.strides))
    yield "anchor_ratios", "positive ratios", len(c.anchor_ratios) > 0 and _are_positive(c.anchor_ratios)
    yield "box_std", "four positive numbers", _are_positive(c.box_std, 4)
    yield "mean_pixel", "three numbers", len(c.mean_pixel) == 3
    yield "mini_mask_shape", "two positive whole numbers", _are_whole(c.mini_mask_shape, 2)
    for name in whole:
        yield name, "a positive whole number", _are_whole((getattr(c, name),), 1)
    for name in ("rpn_nms_threshold", "nms_threshold", "min_confidence"):
        yield name, "a number from 0 to 1", 0 <= getattr(c, name) <= 1
    # Training: what RoIs and steps need to be possible at all.
    at_least_one = 0 < c.roi_positive_share <= 1 <= c.positive_rois
    yield "roi_positive_share", "a share of the RoIs that gives at least one", at_least_one
    yield (
        "max_gt_instances",
        "at most proposals_training with truth_as_proposals",
        (not c.truth_as_proposals or c.max_gt_instances <= c.proposals_training),
    )
    for name in ("learning_rate", "clip_norm", "pixel_scale"):
        yield name, "a positive number", getattr(c, name) > 0
    yield "momentum", "0 or more, below 1", 0 <= c.momentum < 1
    yield "weight_decay", "0 or more", c.weight_decay >= 0
    yield "loss_weights", "weights of 0 or more", all(weight >= 0 for weight in c.loss_weights.values())


def _are_whole(values: tuple[Any, ...], count: int, multiple_of: int = 1) -> bool:
    return len(values) == count and all(0 < v <= LARGEST and v % multiple_of == 0 for v in values)


def _are_positive(values: tuple[float, ...], count: int | None = None) -> bool:
    return (count is None or len(values) == count) and all(value > 0 for value in values)
