"""The second stage: what is in a box, how to move the box, and which of its pixels belong to the object (Fig 9).

Both heads look at RoIs one by one, so RoIs and pictures share the first axis inside.
"""

from typing import Any

import keras
from keras import layers, ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.fpn import conv3x3
from wadlib.maskrcnn.network.layers import Convolution, Normalized, convolution_dtype, seeded


def _merge(x: Any) -> Any:
    """(B, N, h, w, C) -> (B * N, h, w, C)."""
    return ops.reshape(x, (-1, *x.shape[2:]))


class ClassHead:
    """Class and box of each RoI: two wide layers, then one output for each class."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.hidden = [self._wide(1, config.pool_size), self._wide(2, 1)]
        self.logits = self._output(config.num_classes, "mrcnn_class_logits")
        self.probabilities = layers.Softmax(dtype="float32", name="mrcnn_class")
        self.deltas = self._output(4 * config.num_classes, "mrcnn_bbox_fc")

    def _wide(self, number: int, size: int) -> tuple[Normalized, Any]:
        convolution = Convolution(
            self.config.head_channels,
            size,
            padding="valid",
            fold=False,  # the kernel has millions of weights, the map one cell
            compute=convolution_dtype(self.config),
            seed=self.config.seed,
            name=f"mrcnn_class_conv{number}",
        )
        relu = layers.ReLU(dtype=self.config.dtype, name=f"mrcnn_class_relu{number}")
        return Normalized(convolution, f"mrcnn_class_bn{number}", self.config, self.config.head_channels), relu

    def _output(self, units: int, name: str) -> layers.Dense:
        start = seeded("output", name, self.config.seed)
        return layers.Dense(units, kernel_initializer=start, dtype="float32", name=name)

    def __call__(self, pooled: Any) -> tuple[Any, Any, Any]:
        """Turn features of RoIs into logits, probabilities and deltas of each class.

        Parameters
        ----------
        pooled : (B, N, pool_size, pool_size, C)

        Returns
        -------
        logits : (B, N, K) float32
        probabilities : (B, N, K) float32
        deltas : (B, N, K, 4) float32
            dy, dx, log dh, log dw in units of `Config.box_std`.
        """
        count, classes = pooled.shape[1], self.config.num_classes
        x = _merge(pooled)
        for convolution, relu in self.hidden:
            x = relu(convolution(x))  # (B * N, 1, 1, head_channels)
        x = ops.reshape(x, (-1, count, self.config.head_channels))
        logits = self.logits(x)
        return logits, self.probabilities(logits), ops.reshape(self.deltas(x), (-1, count, classes, 4))


class MaskHead:
    """A mask for each class of each RoI: four 3x3 convolutions, a doubling, a 1x1 convolution."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.hidden = [self._layer(number) for number in (1, 2, 3, 4)]
        self.double = Doubling(config.mask_channels, config, name="mrcnn_mask_deconv")
        self.masks = Convolution(
            config.num_classes,
            1,
            padding="valid",
            compute=convolution_dtype(config),
            initializer="output",
            seed=config.seed,
            name="mrcnn_mask",
        )
        self.relu = layers.ReLU(dtype=config.dtype, name="mrcnn_mask_relu5")

    def _layer(self, number: int) -> tuple[Any, Any]:
        config, name = self.config, f"mrcnn_mask_conv{number}"
        relu = layers.ReLU(dtype=config.dtype, name=f"mrcnn_mask_relu{number}")
        if config.separable:
            return conv3x3(config.mask_channels, name, config), relu
        full = Convolution(config.mask_channels, 3, compute=convolution_dtype(config), seed=config.seed, name=name)
        return Normalized(full, f"mrcnn_mask_bn{number}", config, config.mask_channels), relu

    def __call__(self, pooled: Any) -> Any:
        """Turn features of RoIs (B, N, 14, 14, C) into masks (B, N, 28, 28, K), float32 in 0 … 1."""
        count, side, classes = pooled.shape[1], pooled.shape[2], self.config.num_classes
        x = _merge(pooled)
        for convolution, relu in self.hidden:
            x = relu(convolution(x))  # (B * N, s, s, mask_channels)
        x = self.relu(self.double(x))  # (B * N, s, s * 4, mask_channels)
        # The last layer looks at each pixel by itself, so pixels may be put in order after it, when there is one
        # number per class instead of 256.
        x = ops.sigmoid(ops.cast(self.masks(x), "float32"))
        x = ops.reshape(x, (-1, side, side, 2, 2, classes))  # rows, columns, row and column within a cell
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, count, 2 * side, 2 * side, classes))


class Doubling(keras.layers.Layer):
    """A transposed 2x2 convolution of stride 2: each cell becomes 2x2 pixels, kept side by side.

    Pixels do not overlap, so this is a matrix product per cell.
    """

    def __init__(self, filters: int, config: Config, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.filters, self.compute = filters, convolution_dtype(config)
        self.start = seeded("glorot_uniform", self.name, config.seed)

    def build(self, x_shape: Any) -> None:
        """Make the weights."""
        shape = (2, 2, self.filters, x_shape[-1])
        self.kernel = self.add_weight(shape=shape, initializer=self.start, name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: Any) -> Any:
        """Double a map: (N, h, w, C) to (N, h, w * 4, filters).

        Cell (i, j) becomes the pixels (2i, 2j), (2i, 2j+1), (2i+1, 2j), (2i+1, 2j+1), one after the other.
        """
        height, width, channels = x.shape[1:]
        kernel = ops.reshape(ops.transpose(self.kernel, (3, 0, 1, 2)), (channels, 4 * self.filters))
        rows = ops.reshape(ops.cast(x, self.compute), (-1, channels))
        y = ops.reshape(ops.matmul(rows, ops.cast(kernel, self.compute)), (-1, height, 4 * width, self.filters))
        return y + ops.cast(self.bias, self.compute)

    def compute_output_spec(self, x: Any) -> Any:
        """Declare shape and type of the result."""
        batch, height, width, _ = x.shape
        return keras.KerasTensor((batch, height, 4 * width, self.filters), dtype=self.compute)
