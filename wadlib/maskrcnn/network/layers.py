r"""The two layers that the whole network is made of: a convolution, and a batch normalisation that stands still.

With batches of one or two pictures, batch statistics are noise: Mask R-CNN freezes them (`Config.train_bn` False), and
then batch normalisation is a scale and a shift per channel:

.. math:: \gamma \frac{(Wx + b) - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta = (s W)\,x + (s\,b + t), \quad
          s = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}, \quad t = \beta - s\mu

The right side is what we compute. The kernel is small and the feature map is large, so it costs nothing, and in
training the map before the normalisation need not be kept: about half of the memory.
"""

import contextlib
import math
import zlib
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.depthwise import depthwise_convolution

Spec = tuple[tuple[int | None, ...], str]
"""Shape without the batch axis, and dtype."""

BN_EPSILON = 1e-3  # of Keras, hence of all weights that the original wrote

# Kernels of so many weights wait until they are needed. Not all: to wait for a padding that TensorFlow merges into the
# convolution itself (as before the first one) would be a circle.
_LARGE = 2**16


def convolution_dtype(config: Config) -> str:
    """Name the type in which convolutions are computed; their weights are float32 always."""
    return "bfloat16" if config.dtype == "mixed_bfloat16" else "float32"


def seeded(initializer: str, name: str, seed: int) -> Any:
    """Make an initialiser whose draws depend on the seed and the layer's name, not on the order of building.

    Parameters
    ----------
    initializer : "glorot_uniform", "he_normal", "output" or "from_lite0"
        "output" is for layers whose results are probabilities or deltas: normal with a deviation of 0.01, so that
        training starts undecided and near the anchors (Faster R-CNN, section 3.1.3). "from_lite0" brings the maps of
        EfficientNet-Lite0, whose deviation is about 8, down to about 1.
    """
    number = zlib.crc32(f"{seed} {name}".encode()) & 0x7FFFFFFF
    if initializer == "output":
        return keras.initializers.RandomNormal(stddev=0.01, seed=number)
    if initializer == "from_lite0":
        return keras.initializers.VarianceScaling(1 / 64, "fan_in", seed=number)
    if initializer == "he_normal":
        return keras.initializers.HeNormal(seed=number)
    return keras.initializers.GlorotUniform(seed=number)


class Step(keras.layers.Layer):
    """Makes a function of tensors a named layer without weights.

    Parameters
    ----------
    function : callable
    *specs : (shape without the batch axis, dtype) of each result; () as shape for a scalar
    """

    def __init__(self, function: Callable[..., Any], *specs: Spec, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.function, self.specs = function, specs
        self.supports_jit = keras.backend.backend() != "tensorflow"  # TensorFlow's NMS has no XLA kernel

    def call(self, *tensors: Any) -> Any:
        """Apply the function to the tensors."""
        return self.function(*tensors)

    def compute_output_spec(self, *tensors: Any) -> Any:
        """Declare shapes and types as given."""
        found = [keras.KerasTensor((None, *shape) if shape else (), dtype=dtype) for shape, dtype in self.specs]
        return found[0] if len(found) == 1 else tuple(found)


class FixedNormalization(keras.layers.Layer):
    """Batch normalisation with fixed statistics: gives its scale and shift for `Convolution` to apply.

    Holds ``gamma, beta, moving_mean, moving_variance`` like `keras.layers.BatchNormalization`, the first two trainable.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.channels = channels

    def build(self, *shapes: Any) -> None:
        """Make the weights."""

        def weight(name: str, start: str, trainable: bool) -> Any:
            return self.add_weight(shape=(self.channels,), initializer=start, trainable=trainable, name=name)

        self.gamma = weight("gamma", "ones", True)
        self.beta = weight("beta", "zeros", True)
        self.moving_mean = weight("moving_mean", "zeros", False)
        self.moving_variance = weight("moving_variance", "ones", False)
        self.built = True

    def call(self, anything: Any) -> tuple[Any, Any]:
        """Compute scale and shift, (channels,) float32 each; the tensor only ties the layer into the graph."""
        scale = self.gamma * ops.rsqrt(self.moving_variance + BN_EPSILON)
        return scale, self.beta - scale * self.moving_mean

    def compute_output_spec(self, anything: Any) -> tuple[Any, Any]:
        """Declare shapes and types of scale and shift."""
        return tuple(keras.KerasTensor((self.channels,), dtype="float32") for _ in range(2))  # type: ignore[return-value]


def when_needed(x: Any) -> contextlib.AbstractContextManager[None]:
    """Hold back what is computed inside until `x` is there.

    TensorFlow computes as soon as it can, and so would multiply all kernels by their scales before the first
    convolution: a second copy of the weights. The other backends keep the order of the program.
    """
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    waiting: contextlib.AbstractContextManager[None] = tf.control_dependencies([x])
    return waiting


class Convolution(keras.layers.Layer):
    """A 2-D convolution, full or depthwise, optionally with the scale and shift of a normalisation.

    Parameters
    ----------
    filters : int or None
        Output channels; None for a depthwise convolution, which has as many as its input.
    size : int
        Side of the kernel.
    strides : int
    padding : "same" or "valid"
    use_bias : bool
    fold : bool
        Multiply the kernel by the scale (True), or the result: better where the kernel is larger than the map.
    compute : "float32" or "bfloat16"
        Type of the sum of products and of the result. Weights stay float32.
    initializer, seed : see `seeded`
    """

    def __init__(
        self,
        filters: int | None,
        size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = True,
        fold: bool = True,
        compute: str = "float32",
        initializer: str = "glorot_uniform",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # autocast=False: it would round the weights before they are folded.
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.filters, self.size, self.strides, self.padding = filters, size, strides, padding
        self.use_bias, self.fold, self.compute = use_bias, fold, compute
        self.start = seeded(initializer, self.name, seed)

    def build(self, x_shape: Any, *others: Any) -> None:
        """Make the weights."""
        channels = x_shape[-1]
        depthwise = self.filters is None
        shape = (self.size, self.size, channels, 1 if depthwise else self.filters)
        name = "depthwise_kernel" if depthwise else "kernel"
        self.kernel = self.add_weight(shape=shape, initializer=self._first_kernel, name=name)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters or channels,), initializer="zeros", name="bias")
        self.built = True

    def _first_kernel(self, shape: tuple[int, ...], dtype: str) -> Any:
        if self.filters is not None:
            return self.start(shape, dtype=dtype)
        # Each result of a depthwise convolution has size² inputs, not size² times the channels.
        rows, columns, channels, one = shape
        return ops.reshape(self.start((rows, columns, one, channels), dtype=dtype), shape)

    def call(self, x: Any, scale: Any = None, shift: Any = None) -> Any:
        """Convolve: (N, H, W, C), and scale and shift (filters,) or none, to (N, H', W', filters)."""
        kernel, bias = self.kernel, self.bias
        if scale is not None:
            bias = shift if bias is None else bias * scale + shift
            if self.fold:
                large = math.prod(kernel.shape) >= _LARGE
                with when_needed(x) if large else contextlib.nullcontext():
                    kernel = kernel * (scale[:, None] if self.filters is None else scale)
        y = self._convolve(ops.cast(x, self.compute), ops.cast(kernel, self.compute))
        if scale is not None and not self.fold:
            return ops.cast(ops.cast(y, "float32") * scale + bias, self.compute)  # one rounding, not three
        return y if bias is None else y + ops.cast(bias, self.compute)

    def _convolve(self, x: Any, kernel: Any) -> Any:
        if self.filters is None:
            if self.compute == "bfloat16" and _on_processor():  # in float32 it gains less
                return depthwise_convolution(x, kernel, self.strides, self.padding)
            return ops.depthwise_conv(x, kernel, self.strides, self.padding, "channels_last")
        if self.padding == "valid" and tuple(x.shape[1:3]) == (self.size, self.size):
            # The kernel covers the map: one dot product per filter, a third faster as a matrix product.
            depth = math.prod(x.shape[1:])
            y = ops.matmul(ops.reshape(x, (-1, depth)), ops.reshape(kernel, (depth, self.filters)))
            return ops.reshape(y, (-1, 1, 1, self.filters))
        return ops.conv(x, kernel, self.strides, self.padding, "channels_last")

    def compute_output_spec(self, x: Any, scale: Any = None, shift: Any = None) -> Any:
        """Declare shape and type of the result."""
        batch, height, width, channels = x.shape
        sides = [_output_side(side, self.size, self.strides, self.padding) for side in (height, width)]
        return keras.KerasTensor((batch, *sides, self.filters or channels), dtype=self.compute)


def _on_processor() -> bool:
    """Whether TensorFlow computes, and without a graphics card."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def _output_side(side: int | None, size: int, stride: int, padding: str) -> int | None:
    if side is None:
        return None
    return -(-side // stride) if padding == "same" else (side - size) // stride + 1


class Normalized:
    """A convolution and its normalisation, made once and applied to any number of tensors.

    Parameters
    ----------
    convolution : Convolution
    name : str
        Of the normalisation layer.
    config : Config
        `train_bn` decides between `FixedNormalization` and batch statistics.
    channels : int
        Of the convolution's result.
    """

    def __init__(self, convolution: Convolution, name: str, config: Config, channels: int) -> None:
        self.convolution = convolution
        self.train_bn = config.train_bn
        if config.train_bn:
            # Running statistics in float32; the result in the type of the convolutions.
            self.normalization: Any = keras.layers.BatchNormalization(epsilon=BN_EPSILON, dtype=config.dtype, name=name)
        else:
            self.normalization = FixedNormalization(channels, name=name)

    def __call__(self, x: Any) -> Any:
        """Convolve x and normalise the result."""
        if self.train_bn:
            return self.normalization(self.convolution(x))
        return self.convolution(x, *self.normalization(x))
