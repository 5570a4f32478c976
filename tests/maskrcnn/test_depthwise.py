"""Depthwise convolutions have the results and gradients of their definition, and of TensorFlow's own."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from benchmarks.bench_maskrcnn import computes_in_bfloat16  # noqa: E402
from wadlib.maskrcnn.network.depthwise import depthwise_convolution  # noqa: E402

CASES = [(5, 1, "same"), (5, 1, "valid"), (5, 2, "same"), (3, 1, "same"), (3, 2, "same"), (3, 2, "valid")]


def with_gradients(convolve, x, kernel, weight):
    """The result, and the gradients of the sum of result times weight."""
    x, kernel = tf.constant(x), tf.constant(kernel)
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = convolve(x, kernel)
        total = tf.reduce_sum(tf.cast(y, "float32") * tf.cast(weight(y.shape), "float32"))
    return [np.asarray(tf.cast(each, "float32")) for each in (y, *tape.gradient(total, [x, kernel]))]


def errors(found, expected):
    """How far each is off at most, as a share of the largest."""
    return [np.abs(ours - theirs).max() / np.abs(theirs).max() for ours, theirs in zip(found, expected, strict=True)]


def weight_of(shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("size", "stride", "padding"), CASES)
def test_as_tensorflow_in_float32(size, stride, padding, dtype):
    rng = np.random.default_rng(0)
    x, kernel = (
        tf.cast(rng.normal(size=shape).astype("float32"), dtype) for shape in ((2, 13, 18, 24), (size, size, 24, 1))
    )

    def peer(x, kernel):
        return tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), padding.upper())

    found = with_gradients(lambda a, b: depthwise_convolution(a, b, stride, padding), x, kernel, weight_of)
    expected = with_gradients(peer, tf.cast(x, "float32"), tf.cast(kernel, "float32"), weight_of)
    # bfloat16 has eight bits. A processor without instructions for it sums in it too: TensorFlow's own is as far off.
    allowed = [1e-5] * 3
    if dtype == "bfloat16":
        allowed = [0.02] * 3
        if not computes_in_bfloat16():
            theirs = errors(with_gradients(peer, x, kernel, weight_of), expected)
            allowed = [max(0.02, off) for off in theirs]
    for error, most in zip(errors(found, expected), allowed, strict=True):
        assert error <= most


def test_a_kernel_of_ones_counts_its_neighbours():
    """The gradient of the sum: for x how many kernels cover a pixel, for the kernel how much of x an element sees."""
    x, kernel = np.ones((1, 6, 7, 1), "float32"), np.ones((5, 5, 1, 1), "float32")
    y, dx, dk = with_gradients(
        lambda a, b: depthwise_convolution(a, b, 1, "same"), x, kernel, lambda shape: np.ones(shape, "float32")
    )
    rows, columns = [3, 4, 5, 5, 4, 3], [3, 4, 5, 5, 5, 4, 3]
    assert y[0, :, :, 0].tolist() == np.outer(rows, columns).tolist()
    assert dx[0, :, :, 0].tolist() == np.outer(rows, columns).tolist()
    assert dk[:, :, 0, 0].tolist() == np.outer([4, 5, 6, 5, 4], [5, 6, 7, 6, 5]).tolist()
