"""The original `mrcnn` package, as the report used it, running on today's TensorFlow.

The installed files of `mrcnn` 0.2 are used as they are; what they miss is stood in for (see `_stand_ins`). Each network
lives in a TensorFlow graph and session of its own: eager TensorFlow and Keras 3 go on working beside it, before and
after. It is here as a reference: notebook 07 shows it, and the tests hold `wadlib.maskrcnn` against it. For work of
your own take `wadlib.maskrcnn.MaskRCNN`.

As its users know it::

    mrcnn = matterport.modules()                              # .config .utils .model
    network = mrcnn.model.MaskRCNN(mode="training", config=config, model_dir="logs")
    network.load_weights("mask_rcnn_coco.h5", by_name=True, exclude=["mrcnn_class_logits", …])
    network.train(dataset_train, dataset_val, learning_rate=config.LEARNING_RATE, epochs=1, layers="heads")

and for comparisons, with a configuration of ours::

    with matterport.original(Config.report()) as network:
        network.load("mask_rcnn_report.h5")
        network.detect([image])
        network.intermediate(["fpn_p2", "rpn_bbox", "ROI"], [image])
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wadlib.errors import SegmentationError
from wadlib.maskrcnn.original._original import LOSSES, Original, modules

if TYPE_CHECKING:
    from wadlib.maskrcnn.config import Config

__all__ = ["LOSSES", "Original", "build", "modules", "original", "to_original_config"]


def build(mode: str, config: Any, model_dir: str | Path) -> Any:
    """Build `mrcnn`'s own `MaskRCNN`.

    Parameters
    ----------
    mode : ``training`` or ``inference``
    config : a `wadlib.maskrcnn.Config`, or a configuration of `mrcnn`
    model_dir : folder for logs and weights; a folder for this run is made inside it
    """
    return modules().model.MaskRCNN(mode=mode, config=_as_original(config), model_dir=str(model_dir))


def to_original_config(config: Config, batch_size: int | None = None) -> Any:
    """Say a configuration of ours in the words of `mrcnn`.

    Parameters
    ----------
    config : Config
    batch_size : int, optional
        Pictures per step, if other than ``config.batch_size``.

    Returns
    -------
    An instance of a subclass of `mrcnn.config.Config`. Pictures are neither resized nor padded
    (``IMAGE_RESIZE_MODE = "none"``): `mrcnn` would pad 832x640 to a square.

    Raises
    ------
    SegmentationError
        The configuration asks for what the original cannot do, such as a light backbone.
    """
    # What the original has written into its code cannot be set: refuse, rather than compare two different networks.
    fixed = {
        "backbone": (config.backbone, ("resnet50", "resnet101")),
        "rpn_channels": (config.rpn_channels, (512,)),
        "mask_channels": (config.mask_channels, (256,)),
        "separable": (config.separable, (False,)),
        "pixel_scale": (config.pixel_scale, (1,)),
        "pre_nms_limit": (config.pre_nms_limit, (6000,)),
        "dtype": (config.dtype, ("float32",)),
        "optimizer": (config.optimizer, ("sgd",)),
    }
    for field, (value, possible) in fixed.items():
        if value not in possible:
            raise SegmentationError(
                f"to_original_config: expected {field} {' or '.join(map(str, possible))}, got {value}",
                cause="the original mrcnn has this number written into its code",
                fix=f"Config.report(), or .replace({field}={possible[0]!r})",
            )
    # The same numbers under the original's names.
    values = {
        "NAME": config.name,
        "IMAGES_PER_GPU": batch_size or config.batch_size,
        "BACKBONE": config.backbone,
        "BACKBONE_STRIDES": list(config.strides),
        "FPN_CLASSIF_FC_LAYERS_SIZE": config.head_channels,
        "TOP_DOWN_PYRAMID_SIZE": config.fpn_channels,
        "NUM_CLASSES": config.num_classes,
        "RPN_ANCHOR_SCALES": tuple(config.anchor_scales),
        "RPN_ANCHOR_RATIOS": list(config.anchor_ratios),
        "RPN_ANCHOR_STRIDE": config.anchor_stride,
        "RPN_NMS_THRESHOLD": config.rpn_nms_threshold,
        "RPN_TRAIN_ANCHORS_PER_IMAGE": config.rpn_train_anchors,
        "POST_NMS_ROIS_TRAINING": config.proposals_training,
        "POST_NMS_ROIS_INFERENCE": config.proposals_inference,
        "MINI_MASK_SHAPE": tuple(config.mini_mask_shape),
        "IMAGE_RESIZE_MODE": "none",
        "IMAGE_MIN_DIM": min(config.image_shape),
        "IMAGE_MAX_DIM": max(config.image_shape),
        "MEAN_PIXEL": np.array(config.mean_pixel),
        "TRAIN_ROIS_PER_IMAGE": config.rois_per_image,
        "ROI_POSITIVE_RATIO": config.roi_positive_share,
        "POOL_SIZE": config.pool_size,
        "MASK_POOL_SIZE": config.mask_pool_size,
        "MASK_SHAPE": list(config.mask_shape),
        "MAX_GT_INSTANCES": config.max_gt_instances,
        "RPN_BBOX_STD_DEV": np.array(config.box_std),
        "BBOX_STD_DEV": np.array(config.box_std),
        "DETECTION_MAX_INSTANCES": config.max_instances,
        "DETECTION_MIN_CONFIDENCE": config.min_confidence,
        "DETECTION_NMS_THRESHOLD": config.nms_threshold,
        "LEARNING_RATE": config.learning_rate,
        "LEARNING_MOMENTUM": config.momentum,
        "WEIGHT_DECAY": config.weight_decay,
        "LOSS_WEIGHTS": dict(config.loss_weights),
        "TRAIN_BN": None if config.train_bn else False,
        "GRADIENT_CLIP_NORM": config.clip_norm,
    }
    made = type(f"{config.name.title()}Config", (modules().config.Config,), values)()
    made.IMAGE_SHAPE = np.array([*config.image_shape, 3])
    return made


def original(
    config: Any,
    mode: str = "inference",
    model_dir: str | Path | None = None,
    *,
    batch_size: int | None = None,
    seed: int = 0,
    shuffle: Callable[[Any], Any] | None = None,
) -> Original:
    """Build the original for a comparison; see `Original`.

    Parameters
    ----------
    config : a `wadlib.maskrcnn.Config`, or a configuration of `mrcnn`
    mode : ``training`` or ``inference``
    model_dir : folder for logs and weights; by default one that goes with the network
    batch_size : pictures per call, if other than the configuration's (ours only)
    seed : of the initial weights and the draws
    shuffle : callable, optional
        Replaces the random order in which proposals are drawn as targets: takes a tensor (N,) of indices (of positive
        proposals, then, in a second call, of negative ones; picture by picture) and returns it in the wanted order.
    """
    return Original(_as_original(config, batch_size), mode, model_dir, seed=seed, shuffle=shuffle)


def _as_original(config: Any, batch_size: int | None = None) -> Any:
    return config if hasattr(config, "IMAGES_PER_GPU") else to_original_config(config, batch_size)
