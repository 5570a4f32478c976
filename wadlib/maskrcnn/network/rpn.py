"""Region proposal network: at each cell of each level, is there an object, and how far from the anchor (report, Fig 8).

The network is a small model of its own, `rpn_model`, applied to each level with the same weights.
"""

from typing import Any

import keras
from keras import layers, ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.fpn import conv3x3
from wadlib.maskrcnn.network.layers import Convolution, convolution_dtype


def rpn_model(config: Config) -> keras.Model:
    """Build the region proposal network for one pyramid level.

    Returns
    -------
    keras.Model, (B, h, w, fpn_channels) -> [logits (B, h * w * ratios, 2), probabilities (the same), deltas (…, 4)].
        Background first; deltas are dy, dx, log dh, log dw in units of `Config.box_std`. float32.
    """
    ratios = len(config.anchor_ratios)

    def pointwise(filters: int, name: str) -> Convolution:
        options: dict[str, Any] = {"compute": convolution_dtype(config), "initializer": "output", "seed": config.seed}
        return Convolution(filters, 1, padding="valid", name=name, **options)

    cells = keras.Input(
        (None, None, config.fpn_channels), dtype=convolution_dtype(config), name="input_rpn_feature_map"
    )
    shared = conv3x3(config.rpn_channels, "rpn_conv_shared", config, strides=config.anchor_stride)(cells)
    shared = layers.ReLU(dtype=config.dtype, name="rpn_relu")(shared)
    logits = layers.Reshape((-1, 2), dtype="float32", name="rpn_logits")(pointwise(2 * ratios, "rpn_class_raw")(shared))
    probabilities = layers.Softmax(dtype="float32", name="rpn_class_xxx")(logits)
    deltas = layers.Reshape((-1, 4), dtype="float32", name="rpn_deltas")(pointwise(4 * ratios, "rpn_bbox_pred")(shared))
    return keras.Model(cells, [logits, probabilities, deltas], name="rpn_model")


def rpn_on_pyramid(model: keras.Model, levels: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Apply the network to all levels; anchors come out in the order of `anchors.pyramid_anchors`.

    Parameters
    ----------
    levels : dict of P2 … P6, in this order

    Returns
    -------
    logits (B, A, 2), probabilities (B, A, 2), deltas (B, A, 4)
    """
    outputs = [model(level) for level in levels.values()]
    logits, probabilities, deltas = (ops.concatenate(list(parts), axis=1) for parts in zip(*outputs, strict=True))
    return logits, probabilities, deltas
