"""Boxes by hand: each expected number is a fraction that can be drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wadlib.maskrcnn.network import boxes

A = np.array([[0.0, 0.0, 2.0, 2.0]])


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 2, 2], 1),
        ([0, 1, 2, 3], 2 / 6),  # half of each is shared
        ([1, 1, 3, 3], 1 / 7),
        ([0, 0, 1, 1], 1 / 4),
        ([2, 0, 4, 2], 0),  # an edge in common has no area
        ([0, 0, 2, 0], 0),  # an empty box
    ],
)
def test_iou_by_hand(other, expected):
    assert boxes.iou(A, np.array([other], float))[0, 0] == pytest.approx(expected)


def test_iou_of_two_empty_boxes_is_zero():
    empty = np.zeros((1, 4))
    assert boxes.iou(empty, empty) == np.zeros((1, 1))


def test_iou_of_batches():
    first, second = np.zeros((3, 2, 4)) + A, np.zeros((3, 5, 4)) + A
    assert boxes.iou(first, second).shape == (3, 2, 5)
    assert boxes.iou(np.zeros((0, 4)), A).shape == (0, 1)


def test_deltas_by_hand():
    # The target is twice as high, and its centre is a quarter of a height lower.
    box, target = np.array([0.0, 0, 4, 4]), np.array([-1.0, 0, 7, 4])
    np.testing.assert_allclose(boxes.box_deltas(box, target), [1 / 4, 0, np.log(2), 0])


sides = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 60), st.floats(0.5, 60))


@given(sides, sides)
def test_deltas_and_their_application_are_inverse(first, second):
    box, target = (np.array([y, x, y + h, x + w]) for y, x, h, w in (first, second))
    np.testing.assert_allclose(boxes.apply_deltas(box, boxes.box_deltas(box, target)), target, atol=1e-9)


@given(sides)
def test_pixels_and_back(side):
    y, x, h, w = side
    box = np.array([y, x, y + h, x + w], np.float32)
    np.testing.assert_allclose(boxes.denormalize(boxes.normalize(box, (640, 832)), (640, 832)), box, atol=1e-3)


def test_normalized_corners():
    # Half-open pixels: the whole picture is (0, 0, 640, 832) and becomes (0, 0, 1, 1).
    picture = np.array([[0, 0, 640, 832], [0, 0, 1, 1], [0, 0, 320, 416]])
    expected = [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 319 / 639, 415 / 831]]
    np.testing.assert_allclose(boxes.normalize(picture, (640, 832)), expected, rtol=1e-6)
    np.testing.assert_allclose(boxes.denormalize(np.array(expected), (640, 832)), picture, rtol=1e-6)


def test_clip():
    found = boxes.clip(np.array([[-1.0, 0.2, 0.5, 2.0], [2.0, 2.0, 3.0, 3.0]]), (0, 0, 1, 1))
    np.testing.assert_array_equal(found, [[0, 0.2, 0.5, 1], [1, 1, 1, 1]])
    each = boxes.clip(np.ones((2, 3, 4)), np.array([[[0, 0, 0.5, 0.5]], [[0, 0, 2, 2]]]))
    np.testing.assert_array_equal(each[:, 0], [[0.5] * 4, [1] * 4])


def test_area():
    np.testing.assert_array_equal(boxes.area(np.array([[0, 0, 2, 3], [1, 1, 1, 9]])), [6, 0])


@pytest.mark.parametrize("name", ["iou", "apply_deltas", "box_deltas", "clip"])
def test_tensors_give_what_arrays_give(name):
    from keras import ops

    rng = np.random.default_rng(0)
    corners = rng.random((2, 5, 2, 2)).astype(np.float32)
    first = np.concatenate([corners.min(axis=2), corners.max(axis=2) + 0.1], axis=-1)
    second = first[:, ::-1] + np.float32(0.01)
    found = getattr(boxes, name)(ops.convert_to_tensor(first), ops.convert_to_tensor(second))
    assert not isinstance(found, np.ndarray)
    expected = getattr(boxes, name)(first, second)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5, atol=1e-6)


def test_tensors_are_normalized_like_arrays():
    from keras import ops

    pixels = np.array([[3, 5, 60, 80]], np.float32)
    found = boxes.normalize(ops.convert_to_tensor(pixels), (64, 96))
    np.testing.assert_allclose(ops.convert_to_numpy(found), boxes.normalize(pixels, (64, 96)), rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(boxes.denormalize(found, (64, 96))), pixels, rtol=1e-5)
