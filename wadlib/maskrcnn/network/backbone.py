"""Backbones: from the picture to C2 … C5, feature maps at 1/4, 1/8, 1/16 and 1/32 of its size.

`resnet` is the one of the report (ResNet-50) and of the released COCO weights (ResNet-101), layer by layer with the
names of the original. `lite0` is EfficientNet-Lite0: a fourteenth of the arithmetic, and ImageNet weights for it come
with a Python package (`wadlib.maskrcnn.weight_files.lite0_weights`). Its layers are named by the same
scheme, so that "train stage 4 and up" means the same for both.
"""

from string import ascii_lowercase
from typing import Any

from keras import layers, ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.layers import Convolution, Normalized, convolution_dtype

Lite0Block = tuple[int, int, int, int]  # kernel size, stride, expansion, output channels

# EfficientNet-Lite0 by stage (stage n ends at 1/2^n of the picture's size), as published; no block has
# squeeze-and-excitation.
LITE0_BLOCKS: dict[int, tuple[Lite0Block, ...]] = {
    1: ((3, 1, 1, 16),),
    2: ((3, 2, 6, 24), (3, 1, 6, 24)),
    3: ((5, 2, 6, 40), (5, 1, 6, 40)),
    4: ((3, 2, 6, 80), (3, 1, 6, 80), (3, 1, 6, 80), (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112)),
    5: ((5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192), (3, 1, 6, 320)),
}


def backbone(image: Any, config: Config) -> dict[str, Any]:
    """Build the backbone that the configuration names: from a picture to its feature maps.

    Parameters
    ----------
    image : (B, H, W, 3), mean subtracted

    Returns
    -------
    dict with C2 … C5: (B, H/4, W/4, …) … (B, H/32, W/32, …).
    """
    if config.backbone == "lite0":
        return lite0(image, config)
    return resnet(image, config)


def _normalized(x: Any, filters: int | None, size: int, names: tuple[str, str], config: Config, **options: Any) -> Any:
    convolution = Convolution(
        filters, size, name=names[0], compute=convolution_dtype(config), seed=config.seed, **options
    )
    return Normalized(convolution, names[1], config, filters or x.shape[-1])(x)


# --- ResNet ----------------------------------------------------------------------------------------------------------


def resnet(image: Any, config: Config) -> dict[str, Any]:
    """Build the ResNet-50 or ResNet-101 of 2015, which halves in the first 1x1 convolution of a stage."""
    blocks = {2: 3, 3: 4, 4: {"resnet50": 6, "resnet101": 23}[config.backbone], 5: 3}
    x = layers.ZeroPadding2D(3, name="conv1_padding")(image)
    x = _normalized(x, 64, 7, ("conv1", "bn_conv1"), config, strides=2, padding="valid")  # 1/2
    x = layers.ReLU(dtype=config.dtype, name="conv1_relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", dtype=config.dtype, name="pool1")(x)  # 1/4
    features = {}
    for stage, count in blocks.items():
        width = 32 * 2**stage  # 128 … 1024: the two inner convolutions have half of this, the outer one twice
        for index in range(count):
            stride = 2 if index == 0 and stage > 2 else 1
            x = _bottleneck(x, width // 2, f"{stage}{ascii_lowercase[index]}", stride, index == 0, config)
        features[f"C{stage}"] = x
    return features


def _bottleneck(x: Any, width: int, block: str, stride: int, project: bool, config: Config) -> Any:
    """1x1, 3x3, 1x1 and the way around them: the input itself, or where the size changes a 1x1 of it."""

    def names(branch: str) -> tuple[str, str]:
        return f"res{block}_branch{branch}", f"bn{block}_branch{branch}"

    # In the last stage (from 1024 channels on) kernels are larger than maps.
    options: dict[str, Any] = {"padding": "valid", "fold": width < 512}

    def relu(y: Any, name: str) -> Any:
        return layers.ReLU(dtype=config.dtype, name=name)(y)

    shortcut = _normalized(x, 4 * width, 1, names("1"), config, strides=stride, **options) if project else x
    y = relu(_normalized(x, width, 1, names("2a"), config, strides=stride, **options), f"res{block}_relu_a")
    y = relu(_normalized(y, width, 3, names("2b"), config, fold=options["fold"]), f"res{block}_relu_b")
    y = _normalized(y, 4 * width, 1, names("2c"), config, **options)
    return relu(layers.Add(dtype=config.dtype, name=f"res{block}_add")([y, shortcut]), f"res{block}_out")


# --- EfficientNet-Lite0 ----------------------------------------------------------------------------------------------


def lite0(image: Any, config: Config) -> dict[str, Any]:
    """Build EfficientNet-Lite0 without its classifier: inverted bottlenecks and ReLU6."""
    options: dict[str, Any] = {"use_bias": False, "initializer": "he_normal"}
    x = _normalized(image, 32, 3, ("conv1", "bn_conv1"), config, strides=2, **options)  # 1/2
    x = ops.relu6(x)
    features = {}
    for stage, blocks in LITE0_BLOCKS.items():
        for index, block in enumerate(blocks):
            x = _inverted_bottleneck(x, block, f"{stage}{ascii_lowercase[index]}", config)
        features[f"C{stage}"] = x
    del features["C1"]
    return features


def _inverted_bottleneck(x: Any, block: Lite0Block, name: str, config: Config) -> Any:
    """Widen (1x1), filter each channel by itself, narrow (1x1); add the input where the size stays."""
    size, stride, expansion, filters = block

    def names(part: str) -> tuple[str, str]:
        return f"res{name}_{part}", f"bn{name}_{part}"

    y, channels = x, x.shape[-1]
    options: dict[str, Any] = {"use_bias": False, "initializer": "he_normal"}
    if expansion > 1:
        y = ops.relu6(_normalized(y, expansion * channels, 1, names("expand"), config, **options))
    y = ops.relu6(_normalized(y, None, size, names("filter"), config, strides=stride, **options))
    y = _normalized(y, filters, 1, names("project"), config, **options)
    if stride == 1 and filters == channels:
        y = layers.Add(dtype=config.dtype, name=f"res{name}_add")([y, x])
    return y
