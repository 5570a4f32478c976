"""U-Net (Ronneberger, Fischer and Brox, MICCAI 2015; section 2.2 and Fig 2 of the report) in Keras 3.

The network is the letter U: the left arm sees more and more of the picture at less and less
resolution, the right arm brings the resolution back, and at each level a copy crosses over so that
edges are not lost on the way.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from wadlib.unet.architecture import Architecture
from wadlib.unet.shapes import Stage


def build_unet(
    input_shape: Sequence[int] | Architecture,
    classes: int = 8,
    *,
    width: int = 64,
    depth: int = 4,
    widths: Sequence[int] | None = None,
    seed: int = 0,
    name: str = "unet",
    **options: Any,
) -> keras.Model:
    """Build a U-Net that gives logits (the softmax belongs to the loss, where it is stable).

    Parameters
    ----------
    input_shape : (height, width, channels), or a whole Architecture such as ``cure()``
    classes : int
        Output channels.
    width, depth : int
        Channels at full resolution, doubled at each of `depth` poolings; or give them all as `widths`.
    seed : int
        Of the initial weights and of dropout.
    **options
        The other fields of `Architecture`: padding, odd_sizes, activation, up_kernel,
        up_activation, normalisation, dropout, initialisation, bias, scale, offset.

    Returns
    -------
    keras.Model
        Images (B,H,W,channels) with values 0..255, uint8 or float -> logits (B,h,w,classes) float32.
        h, w are H, W with same convolutions; see `wadlib.unet.shapes.output_window` for valid ones.

    Raises
    ------
    SegmentationError
        An option that does not exist, or a size that does not fit the poolings.

    Examples
    --------
    >>> model = build_unet((32, 48, 3), classes=8, width=4, depth=2)
    >>> model.output_shape
    (None, 32, 48, 8)
    """
    if isinstance(input_shape, Architecture):
        a = input_shape
    else:
        widths = [width * 2**level for level in range(depth + 1)] if widths is None else widths
        a = Architecture(tuple(input_shape), classes, tuple(widths), **options)  # type: ignore[arg-type]
    part = _Parts(a, seed)

    image = keras.Input(a.input_shape, name="input")
    x = layers.Rescaling(a.scale, a.offset, name="rescale")(image)
    skips = []
    for level in range(a.depth):  # the contracting path: 2 convolutions, then half the resolution
        x = part.double_convolution(x, f"down{level}", a.widths[level])  # (H / 2^level, W / 2^level, widths[level])
        if level == a.depth - 1:
            x = part.dropout(x, f"down{level}_dropout")
        skips.append(x)
        x = layers.MaxPooling2D(2, padding=a.padding, name=f"down{level}_pool")(x)
    x = part.double_convolution(x, "bottom", a.widths[a.depth])
    x = part.dropout(x, "bottom_dropout")
    for level in reversed(range(a.depth)):  # the expansive path: twice the resolution, then 2 convolutions
        up = part.up_convolution(x, f"up{level}", a.widths[level])
        copy, up = part.crop(skips[level], up, f"up{level}")
        x = layers.Concatenate(name=f"up{level}_concat")([copy, up])  # 2 widths[level] channels
        x = part.double_convolution(x, f"up{level}", a.widths[level])
    # float32 also where the network computes in bfloat16: the losses need the digits.
    logits = layers.Conv2D(a.classes, 1, **part.start(), dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


@keras.saving.register_keras_serializable("wadlib")
class FirstKernel(keras.initializers.Initializer):
    """First values of a kernel, drawn by numpy: a seed gives the same ones on every backend.

    Parameters
    ----------
    kind : "he" or "glorot"
        He et al. 2015, eq 10: normal with variance 2 / inputs, the paper's rule. Glorot and Bengio
        2010, eq 16: uniform with variance 2 / (inputs + outputs).
    seed : list of int
        Of the network and of the layer in it.
    transposed : bool
        Of an up-convolution of stride 2, where only a quarter of the kernel meets one output pixel.
    """

    def __init__(self, kind: str, seed: Sequence[int], transposed: bool = False) -> None:
        self.kind, self.seed, self.transposed = kind, list(seed), transposed

    def __call__(self, shape: Sequence[int], dtype: Any = None, **_: Any) -> Any:
        """Draw a kernel of this shape: (rows, columns, inputs, outputs), the last two swapped if transposed."""
        rng = np.random.default_rng(self.seed)
        area = shape[0] * shape[1] / (4 if self.transposed else 1)
        inputs, outputs = (shape[3], shape[2]) if self.transposed else (shape[2], shape[3])
        if self.kind == "he":
            values = rng.normal(0, math.sqrt(2 / (area * inputs)), shape)
        else:
            limit = math.sqrt(6 / (shape[0] * shape[1] * (inputs + outputs)))
            values = rng.uniform(-limit, limit, shape)
        return keras.ops.convert_to_tensor(values.astype("float32"), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the parameters, as `model.save` writes them."""
        return {"kind": self.kind, "seed": self.seed, "transposed": self.transposed}


class _Parts:
    """The layers that a U-Net repeats, each with its own seed."""

    def __init__(self, architecture: Architecture, seed: int) -> None:
        self.a, self.seed = architecture, seed
        self.count = itertools.count()

    def start(self, transposed: bool = False) -> dict[str, Any]:
        """First values of a layer's kernel and bias."""
        return {
            "kernel_initializer": FirstKernel(self.a.initialisation, (self.seed, next(self.count)), transposed),
            "bias_initializer": keras.initializers.Constant(self.a.bias),
        }

    def double_convolution(self, x: Any, name: str, channels: int) -> Any:
        for i in (1, 2):
            x = layers.Conv2D(channels, 3, padding=self.a.padding, **self.start(), name=f"{name}_conv{i}")(x)
            x = self.normalise(x, f"{name}_norm{i}")
            x = layers.Activation(self.a.activation, name=f"{name}_{self.a.activation}{i}")(x)
        return x

    def up_convolution(self, x: Any, name: str, channels: int) -> Any:
        up = layers.Conv2DTranspose(
            channels, self.a.up_kernel, strides=2, padding="same", **self.start(transposed=True), name=f"{name}_upconv"
        )(x)
        return (
            layers.Activation(self.a.activation, name=f"{name}_up{self.a.activation}")(up)
            if self.a.up_activation
            else up
        )

    def normalise(self, x: Any, name: str) -> Any:
        if self.a.normalisation == "batch":
            return layers.BatchNormalization(momentum=0.9, name=name)(x)
        if self.a.normalisation == "group":
            return layers.GroupNormalization(x.shape[-1] // math.gcd(8, x.shape[-1]), name=name)(x)
        return x

    def dropout(self, x: Any, name: str) -> Any:
        seed = 1_000 * self.seed + next(self.count)
        return layers.Dropout(self.a.dropout, seed=seed, name=name)(x) if self.a.dropout else x

    def crop(self, skip: Any, up: Any, name: str) -> tuple[Any, Any]:
        """Copy and crop: both to the smaller of the two, the copy around its middle, `up` at its end."""
        sizes = [(skip.shape[axis], up.shape[axis]) for axis in (1, 2)]
        around = [((s - min(s, u)) // 2, (s - min(s, u) + 1) // 2) for s, u in sizes]
        behind = [(0, u - min(s, u)) for s, u in sizes]
        copy = layers.Cropping2D(around, name=f"{name}_copy")(skip)
        return copy, layers.Cropping2D(behind, name=f"{name}_crop")(up) if any(map(any, behind)) else up


def stages(model: keras.Model) -> tuple[Stage, ...]:
    """List every tensor of a built U-Net with its true shape, as its layers are listed: what Fig 2 draws.

    Examples
    --------
    >>> [stage.shape for stage in stages(build_unet((32, 48, 3), width=4, depth=1)) if stage.kind == "concat"]
    [(32, 48, 8)]
    """
    kinds = {"conv1": "conv", "conv2": "conv", "pool": "pool", "upconv": "up", "copy": "copy", "concat": "concat"}
    depth = sum(layer.name.endswith("_pool") for layer in model.layers)
    found = []
    for layer in model.layers:
        part, _, tensor = layer.name.partition("_")  # such as down0_conv1, bottom_conv2, up0_copy
        if part in ("input", "logits"):
            found.append(Stage(layer.name, part, 0, tuple(layer.output.shape[1:])))
        elif tensor in kinds:
            level = depth if part == "bottom" else int(part.strip("downup")) + (tensor == "pool")
            found.append(Stage(layer.name, kinds[tensor], level, tuple(layer.output.shape[1:])))
    return tuple(found)
