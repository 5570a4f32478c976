"""Depthwise convolutions on TensorFlow whose gradients are quick on a processor.

oneDNN, which computes for TensorFlow there, has quick code for most gradients of a depthwise convolution, but not for
two: that of a 5x5 kernel, which takes five times as long as the convolution itself (in bfloat16 twenty times), and in
bfloat16 any with a stride. Both can be had from quick ones: a 5x5 kernel is four overlapping 3x3 kernels, and with a
stride float32 is quick. The sums are the same, in another order. With EfficientNet-Lite0 that was a third of a step.
"""

from typing import Any


def depthwise_convolution(x: Any, kernel: Any, stride: int, padding: str) -> Any:
    """Convolve each channel by itself, as `keras.ops.depthwise_conv` does.

    Parameters
    ----------
    x : (N, H, W, C) tensor of TensorFlow, float32 or bfloat16
    kernel : (k, k, C, 1), of the same type
    stride : int
    padding : "same" or "valid"

    Returns
    -------
    (N, H', W', C), of the same type
    """
    import tensorflow as tf

    strides = (1, stride, stride, 1)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve(x: Any, kernel: Any) -> Any:
        def gradients(dy: Any) -> tuple[Any, Any]:
            # With a stride, only float32 has quick code.
            compute = tf.float32 if stride > 1 else x.dtype
            wide = [tf.cast(each, compute) for each in (x, kernel, dy)]
            dx = tf.nn.depthwise_conv2d_backprop_input(tf.shape(x), wide[1], wide[2], strides, padding.upper())
            if kernel.shape[0] == 5 and stride == 1:
                dk = _kernel_gradient_5x5(wide[0], wide[2], padding)
            else:
                dk = tf.nn.depthwise_conv2d_backprop_filter(wide[0], kernel.shape, wide[2], strides, padding.upper())
            return tf.cast(dx, x.dtype), tf.cast(dk, kernel.dtype)

        return tf.nn.depthwise_conv2d(x, kernel, strides, padding.upper()), gradients

    return convolve(x, kernel)


def _kernel_gradient_5x5(x: Any, dy: Any, padding: str) -> Any:
    """Compute the gradient of a 5x5 kernel, stride 1, from those of the four 3x3 kernels in its corners."""
    import tensorflow as tf

    if padding == "same":
        x = tf.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    height, width, channels = tf.shape(dy)[1] + 2, tf.shape(dy)[2] + 2, x.shape[-1]

    def corner(row: int, column: int) -> Any:
        part = x[:, row : row + height, column : column + width]
        return tf.nn.depthwise_conv2d_backprop_filter(part, (3, 3, channels, 1), dy, (1, 1, 1, 1), "VALID")

    # The row and the column in the middle belong to two corners each: once is enough.
    top, bottom = (tf.concat([corner(row, 0), corner(row, 2)[:, 1:]], 1) for row in (0, 2))
    return tf.concat([top, bottom[1:]], 0)
