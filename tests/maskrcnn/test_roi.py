"""RoIAlign: a 4x4 feature map by hand, planes that interpolation reproduces exactly, and TensorFlow's kernel."""

from fractions import Fraction

import keras
import numpy as np
import pytest
from keras import ops

from wadlib.maskrcnn.network.roi import crop_and_resize, neutral_roi_align, pyramid_level, roi_align, roi_pool

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own kernel")

F = Fraction
FORMS = (roi_align, neutral_roi_align)  # the second is what training reads
SHAPE = (64, 96)  # of the input; its P2 … P5 are 16x24, 8x12, 4x6, 2x3


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def pyramid(function, channels=1):
    """P2 … P5 of which each cell holds ``function(y, x)`` of its normalised place."""
    maps = []
    for stride in (4, 8, 16, 32):
        y, x = np.meshgrid(*(np.linspace(0, 1, side // stride) for side in SHAPE), indexing="ij")
        values = np.stack([function(y, x) * (c + 1) for c in range(channels)], axis=-1)
        maps.append(ops.convert_to_tensor(values[None].astype(np.float32)))
    return maps


def random_boxes(rng, count):
    centre, size = rng.random((1, count, 2)), np.exp(rng.normal(-2, 1, (1, count, 2)))
    return np.clip(np.concatenate([centre - size / 2, centre + size / 2], -1), 0, 1).astype(np.float32)


# --- by hand --------------------------------------------------------------------------------------

FOUR = np.arange(16.0, dtype=np.float32).reshape(4, 4)  # value = 4 row + column
BOX = (F(1, 2), F(1, 2), F(5, 2), F(2))  # rows 1/2 to 5/2, columns 1/2 to 2


def align_by_hand(box, pool):
    """First and last sample on the borders of the box; on a plane, interpolation gives the plane itself."""
    y1, x1, y2, x2 = box
    share = [F(i, pool - 1) for i in range(pool)]
    return [[4 * (y1 + (y2 - y1) * a) + x1 + (x2 - x1) * b for b in share] for a in share]


def test_roi_align_of_four_by_four():
    expected = [[F(5, 2), F(4)], [F(21, 2), F(12)]]
    assert align_by_hand(BOX, 2) == expected
    normalised = np.array([[float(side / 3) for side in BOX]], np.float32)  # cells 0 … 3 are 0 … 1
    result = numpy(crop_and_resize(FOUR[None, :, :, None], normalised, (2, 2)))[0, :, :, 0]
    np.testing.assert_allclose(result, np.array(expected, float), rtol=1e-6)


def test_roi_pool_of_four_by_four():
    # Rounds to rows 1, 2 and column 1: both bins of a row are the same cell.
    result = roi_pool([[float(side) for side in BOX]], FOUR[:, :, None], 2)[0, :, :, 0]
    np.testing.assert_array_equal(result, [[5, 5], [9, 9]])


def test_a_shift_by_less_than_half_a_cell():
    shift = F(1, 4)
    moved = [side + shift for side in BOX]
    boxes = np.array([BOX, moved], float)
    pooled = roi_pool(boxes, FOUR[:, :, None], 2)
    np.testing.assert_array_equal(pooled[0], pooled[1])  # RoIPool does not see it …
    aligned = numpy(crop_and_resize(np.stack([FOUR[:, :, None]] * 2), (boxes / 3).astype(np.float32), (2, 2)))
    np.testing.assert_allclose(aligned[1] - aligned[0], float(4 * shift + shift), rtol=1e-5)  # … RoIAlign does: 5/4


def test_one_cell_reads_the_middle():
    box = np.array([[float(side / 3) for side in BOX]], np.float32)
    result = numpy(crop_and_resize(FOUR[None, :, :, None], box, (1, 1)))
    assert result.ravel() == pytest.approx(float(4 * F(3, 2) + F(5, 4)))


def test_outside_reads_zero():
    image = np.ones((1, 3, 3, 1), np.float32)
    result = numpy(crop_and_resize(image, np.array([[-0.5, 0.0, 1.5, 1.0]], np.float32), (5, 2)))
    np.testing.assert_array_equal(result[0, :, :, 0], [[0, 0], [1, 1], [1, 1], [1, 1], [0, 0]])


def test_roi_pool_against_maxima_of_every_cell():
    rng = np.random.default_rng(0)
    feature = rng.normal(size=(6, 7, 2))
    for _ in range(20):
        y1, x1 = rng.uniform(0, 4, 2)
        y2, x2 = y1 + rng.uniform(0.5, 3), x1 + rng.uniform(0.5, 3)
        # One bin: the maximum over all cells of the rounded box, at least one.
        rows = slice(int(y1 + 0.5), min(6, max(int(y1 + 0.5) + 1, int(y2 + 0.5))))
        columns = slice(int(x1 + 0.5), min(7, max(int(x1 + 0.5) + 1, int(x2 + 0.5))))
        expected = feature[rows, columns].max(axis=(0, 1))
        np.testing.assert_array_equal(roi_pool([[y1, x1, y2, x2]], feature, 1)[0, 0, 0], expected)


# --- levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side_px", "level"),
    # 4 + round(log2(side / 224)): the limits lie at 224 · 2^(k - 1/2)
    [(1, 2), (79, 2), (80, 3), (158, 3), (159, 4), (224, 4), (316, 4), (317, 5), (640, 5)],
)
def test_level_of_a_square(side_px, level):
    box = np.array([[0, 0, side_px / 640, side_px / 832]], np.float32)
    assert numpy(pyramid_level(box, (640, 832))).tolist() == [level]


def test_level_of_padding():
    assert numpy(pyramid_level(np.zeros((2, 3, 4), np.float32), (640, 832))).tolist() == [[2] * 3] * 2


def test_each_box_reads_its_level():
    maps = [ops.full_like(p, level) for level, p in enumerate(pyramid(lambda y, x: y), start=2)]
    sides = np.array([40, 120, 224, 500]) / np.sqrt(640 * 832)
    boxes = np.array([[[0, 0, side, side] for side in sides]], np.float32)
    for form in FORMS:
        pooled = numpy(form(boxes, maps, 3, (640, 832)))
        assert pooled[0, :, 1, 1, 0].tolist() == [2, 3, 4, 5]


# --- twins ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pool", [2, 7])
def test_a_plane_is_reproduced(form, pool):
    boxes = random_boxes(np.random.default_rng(1), 50)
    result = numpy(form(boxes, pyramid(lambda y, x: 2 * y - x, channels=2), pool, SHAPE))
    share = np.linspace(0, 1, pool)
    y = boxes[0, :, 0, None] + (boxes[0, :, 2] - boxes[0, :, 0])[:, None] * share
    x = boxes[0, :, 1, None] + (boxes[0, :, 3] - boxes[0, :, 1])[:, None] * share
    expected = 2 * y[:, :, None] - x[:, None, :]
    assert result.shape == (1, 50, pool, pool, 2)
    np.testing.assert_allclose(result[0, ..., 0], expected, atol=2e-5)
    np.testing.assert_allclose(result[0, ..., 1], 2 * expected, atol=4e-5)


def test_a_batch_reads_each_picture_its_own_features():
    rng = np.random.default_rng(2)
    maps = [rng.normal(size=(3, *p.shape[1:3], 4)).astype(np.float32) for p in pyramid(lambda y, x: y)]
    boxes = np.concatenate([random_boxes(rng, 10) for _ in range(3)])
    for form in FORMS:
        whole = numpy(form(boxes, maps, 3, SHAPE))
        for picture in range(3):
            one = slice(picture, picture + 1)
            alone = form(boxes[one], [p[one] for p in maps], 3, SHAPE)
            np.testing.assert_array_equal(whole[one], numpy(alone))


@on_tensorflow
def test_both_twins_agree_and_lose_no_row_at_the_border():
    rng = np.random.default_rng(3)
    maps = [rng.uniform(1, 2, p.shape).astype(np.float32) for p in pyramid(lambda y, x: y)]
    boxes = random_boxes(rng, 20_000)
    boxes[0, :10_000, 2:] = 1  # half of them end in the lower right corner
    fast = numpy(roi_align(boxes, maps, 7, SHAPE))
    neutral = numpy(neutral_roi_align(ops.convert_to_tensor(boxes), maps, 7, SHAPE))
    np.testing.assert_allclose(fast, neutral, atol=1e-4)
    assert fast.min() > 0.99  # a sample that misses the map would be 0


@on_tensorflow
def test_what_the_bare_kernel_loses_at_the_border():
    # The trap that the original falls into: y1 + 6 (1 - y1)/6 can be a hair more than 1.
    import tensorflow as tf

    rng = np.random.default_rng(4)
    boxes = random_boxes(rng, 20_000)[0]
    boxes[:, 2:] = 1
    image = np.ones((1, 160, 208, 1), np.float32)
    bare = tf.image.crop_and_resize(image, boxes, np.zeros(len(boxes), np.int32), (7, 7)).numpy()
    ours = numpy(crop_and_resize(np.broadcast_to(image[:, :4, :4], (len(boxes), 4, 4, 1)), boxes, (7, 7)))
    assert (bare.min(axis=(1, 2, 3)) == 0).mean() < 0.1  # how many, depends on how the processor rounds
    assert ours.min() == 1


@on_tensorflow
def test_crop_and_resize_is_tensorflows():
    import tensorflow as tf

    rng = np.random.default_rng(5)
    images = rng.normal(size=(40, 9, 11, 2)).astype(np.float32)
    boxes = rng.uniform(-0.3, 1.3, (40, 4)).astype(np.float32)  # some upside down: read backwards
    expected = tf.image.crop_and_resize(images, boxes, np.arange(40), (5, 6)).numpy()
    np.testing.assert_allclose(numpy(crop_and_resize(images, boxes, (5, 6))), expected, atol=1e-5)


def tent(low, high, cells, pool):
    """Shares of an axis of cells in samples from `low` to `high`, (N, pool, cells): 1 on a cell, 0 from the next on."""
    places = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, pool)
    return np.maximum(0, 1 - np.abs(places[..., None] * (cells - 1) - np.arange(cells)))


def gradient_written_out(maps, boxes, pool, shape):
    """Of the sum of squares of all samples, in float64: samples are Y F X', so the gradient is 2 Σ Y' (Y F X') X."""
    boxes, level = boxes[0].astype(float), numpy(pyramid_level(boxes[0], shape))
    gradients = []
    for number, (feature,) in enumerate((numpy(p).astype(float) for p in maps), start=2):
        y1, x1, y2, x2 = boxes[level == number].T
        down, across = tent(y1, y2, feature.shape[0], pool), tent(x1, x2, feature.shape[1], pool)
        samples = np.einsum("npy,yxc,nqx->npqc", down, feature, across, optimize=True)
        gradients.append(2 * np.einsum("npy,npqc,nqx->yxc", down, samples, across, optimize=True)[None])
    return gradients


@on_tensorflow
def test_gradient_is_the_same_each_time_and_as_written_out():
    """Not beside the gradient of TensorFlow's kernel: its threads race, so that it can differ from itself."""
    import tensorflow as tf

    rng = np.random.default_rng(6)
    maps = [tf.constant(rng.normal(size=(*p.shape[:3], 8)).astype(np.float32)) for p in pyramid(lambda y, x: y)]
    boxes = tf.constant(random_boxes(rng, 200))
    shape = (640, 832)  # not that of the maps: boxes of all levels

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch([boxes, *maps])
            loss = tf.reduce_sum(neutral_roi_align(boxes, maps, 7, shape) ** 2)
        return tape.gradient(loss, [boxes, *maps])

    first, *more = [gradient() for _ in range(4)]
    assert first[0] is None  # boxes get none
    for again in more:
        for a, b in zip(first[1:], again[1:], strict=True):
            np.testing.assert_array_equal(a, b)
    for found, expected in zip(first[1:], gradient_written_out(maps, numpy(boxes), 7, shape), strict=True):
        assert expected.any()
        np.testing.assert_allclose(found, expected, atol=5e-6 * np.abs(expected).max())


def test_bfloat16_features():
    maps = pyramid(lambda y, x: 1 + y - x / 2)
    boxes = random_boxes(np.random.default_rng(7), 30)
    exact = numpy(neutral_roi_align(ops.convert_to_tensor(boxes), maps, 7, SHAPE))
    for form in FORMS:
        half = form(boxes, [ops.cast(p, "bfloat16") for p in maps], 7, SHAPE)
        assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
        np.testing.assert_allclose(numpy(ops.cast(half, "float32")), exact, rtol=2e-2)
