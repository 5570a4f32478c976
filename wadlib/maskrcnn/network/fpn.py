"""Feature pyramid: every level sees fine detail and wide context (Lin et al. 2017, the report's "backbone").

From coarse to fine, each level is its backbone map (through a 1x1 convolution) plus the level above, enlarged; a 3x3
convolution then smooths what the enlarging left.
"""

from collections.abc import Callable
from typing import Any

from keras import layers

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.layers import Convolution, convolution_dtype


def conv3x3(filters: int, name: str, config: Config, strides: int = 1) -> Callable[[Any], Any]:
    """Make a 3x3 convolution; with `Config.separable` a depthwise one and a 1x1, at a ninth of the arithmetic.

    Returns
    -------
    A function (N, H, W, C) -> (N, H / strides, W / strides, filters); its layers are made once.
    """
    compute = convolution_dtype(config)
    if not config.separable:
        return Convolution(filters, 3, strides=strides, compute=compute, seed=config.seed, name=name)
    options: dict[str, Any] = {"compute": compute, "seed": config.seed, "initializer": "he_normal"}
    each = Convolution(None, 3, strides=strides, use_bias=False, name=f"{name}_filter", **options)
    mix = Convolution(filters, 1, name=name, **options)
    return lambda x: mix(each(x))


def pyramid(features: dict[str, Any], config: Config) -> dict[str, Any]:
    """Build the feature pyramid on a backbone's feature maps.

    Parameters
    ----------
    features : dict
        C2 … C5 of `wadlib.maskrcnn.network.backbone.backbone`.

    Returns
    -------
    dict with P2 … P6, each (B, H / stride, W / stride, fpn_channels). P6 serves the largest anchors only.
    """
    start = "from_lite0" if config.backbone == "lite0" else "glorot_uniform"
    merged: dict[int, Any] = {}
    for level in (5, 4, 3, 2):
        lateral = Convolution(
            config.fpn_channels,
            1,
            padding="valid",
            compute=convolution_dtype(config),
            initializer=start,
            seed=config.seed,
            name=f"fpn_c{level}p{level}",
        )(features[f"C{level}"])
        if level < 5:
            above = layers.UpSampling2D(2, dtype=config.dtype, name=f"fpn_p{level + 1}upsampled")(merged[level + 1])
            lateral = layers.Add(dtype=config.dtype, name=f"fpn_p{level}add")([above, lateral])
        merged[level] = lateral
    levels = {f"P{n}": conv3x3(config.fpn_channels, f"fpn_p{n}", config)(merged[n]) for n in (2, 3, 4, 5)}
    levels["P6"] = levels["P5"][:, ::2, ::2]
    return levels
