"""Non-maximum suppression: by hand, against the greedy rule written out, and both twins against each other."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from wadlib.maskrcnn.network import nms
from wadlib.maskrcnn.network.gather import first_true, take_class, take_rows
from wadlib.maskrcnn.network.nms import neutral_non_max_suppression, non_max_suppression

NONE = -float("inf")


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def greedy(boxes, scores, most, threshold, classes=None):
    """The rule of the docstring, box by box."""
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if scores[i] == NONE or len(kept) == most:
            continue
        if all(
            iou(boxes[i], boxes[j]) <= threshold or (classes is not None and classes[i] != classes[j]) for j in kept
        ):
            kept.append(i)
    return kept + [-1] * (most - len(kept))


def iou(a, b):
    height = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    width = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - height * width
    return height * width / union if union > 0 else 0.0


def both(boxes, scores, *arguments, classes=None):
    """Result of `non_max_suppression`, which must be the neutral twin's too."""
    boxes, scores = np.asarray(boxes, np.float32), np.asarray(scores, np.float32)
    classes = None if classes is None else np.asarray(classes, np.int32)
    result = numpy(non_max_suppression(boxes, scores, *arguments, classes=classes))
    more = None if classes is None else classes[None]
    twin = neutral_non_max_suppression(boxes[None], scores[None], *arguments, more)
    np.testing.assert_array_equal(numpy(twin)[0], result)
    assert result.dtype == np.int32
    return result.tolist()


def test_three_boxes_by_hand():
    boxes = [
        [0, 0, 2, 2],
        [0, 0, 2, 3],
        [0, 1, 2, 4],
    ]
    # IoU of the first and the second: 2/3; first and third: 1/4; second and third: 2/4.
    scores = [0.9, 0.8, 0.7]
    assert both(boxes, scores, 3, 0.6) == [0, 2, -1]
    assert both(boxes, scores, 3, 0.2) == [0, -1, -1]
    assert both(boxes, scores, 3, 0.7) == [0, 1, 2]
    # The middle box is the best: it takes the first along (2/3), and the third only below 1/2.
    assert both(boxes, [0.8, 0.9, 0.7], 3, 0.5) == [1, 2, -1]
    assert both(boxes, [0.8, 0.9, 0.7], 3, 0.49) == [1, -1, -1]


def test_suppressed_boxes_suppress_nobody():
    boxes = [[0, i, 10, i + 10] for i in range(0, 20, 4)]  # neighbours share 6/14, the next but one 2/18
    assert both(boxes, [5, 4, 3, 2, 1], 5, 0.4) == [0, 2, 4, -1, -1]


def test_no_more_than_asked_for():
    boxes = [[i, 0, i + 1, 1] for i in range(5)]
    assert both(boxes, [1, 3, 5, 2, 4], 3, 0.5) == [2, 4, 1]


def test_of_equal_scores_the_first():
    boxes = [[0, 0, 1, 1], [0, 0, 1, 1], [5, 5, 6, 6]]
    assert both(boxes, [0.5, 0.5, 0.5], 3, 0.5) == [0, 2, -1]


def test_minus_infinity_and_nan_are_never_kept():
    boxes = [[i, 0, i + 1, 1] for i in range(4)]
    assert both(boxes, [0.5, NONE, np.nan, -3.0], 4, 0.5) == [0, 3, -1, -1]
    assert both(boxes, [NONE] * 4, 2, 0.5) == [-1, -1]


def test_boxes_without_area_overlap_nothing():
    assert both([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 2, 2]], [0.9, 0.8, 0.7], 3, 0.0) == [0, 1, 2]


def test_classes_leave_each_other_alone():
    boxes = [[0, 0, 2, 2]] * 4
    assert both(boxes, [0.6, 0.9, 0.8, 0.7], 4, 0.3, classes=[1, 2, 1, 2]) == [1, 2, -1, -1]


def test_each_picture_of_a_batch_for_itself():
    rng = np.random.default_rng(0)
    boxes = random_boxes(rng, 3 * 20).reshape(3, 20, 4)
    scores = rng.random((3, 20)).astype(np.float32)
    result = numpy(non_max_suppression(boxes, scores, 6, 0.3))
    for picture in range(3):
        assert result[picture].tolist() == greedy(boxes[picture], scores[picture], 6, 0.3)
    np.testing.assert_array_equal(numpy(neutral_non_max_suppression(boxes, scores, 6, 0.3)), result)


def random_boxes(rng, count):
    corner = rng.integers(0, 8, (count, 2))
    return np.concatenate([corner, corner + rng.integers(0, 5, (count, 2))], axis=1).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 24),
    most=st.integers(1, 30),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]),
    with_classes=st.booleans(),
)
def test_same_as_the_greedy_rule(seed, count, most, threshold, with_classes):
    # Whole numbers and few scores: ties, equal boxes and boxes without area come up often.
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, count)
    scores = rng.integers(0, 6, count).astype(np.float32)
    scores[rng.random(count) < 0.1] = NONE
    classes = rng.integers(0, 3, count) if with_classes else None
    before, nms.TILE = nms.TILE, 5  # several tiles
    try:
        result = both(boxes, scores, most, threshold, classes=classes)
    finally:
        nms.TILE = before
    # 3/10 and the like are rounded: compare in float32 as the code does.
    assert result == greedy(boxes, scores, most, np.float32(threshold), classes)


def test_thousands_of_boxes():
    rng = np.random.default_rng(1)
    centre, size = rng.random((1500, 2)), rng.uniform(0.02, 0.2, (1500, 2))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    scores = rng.random(1500)
    assert both(boxes, scores, 700, 0.5) == greedy(boxes.astype(np.float32), scores.astype(np.float32), 700, 0.5)


def test_rows():
    values = np.arange(12.0).reshape(2, 3, 2)
    np.testing.assert_array_equal(
        numpy(take_rows(values, np.array([[2, -1], [0, 0]]))), [[[4, 5], [0, 0]], [[6, 7], [6, 7]]]
    )
    np.testing.assert_array_equal(numpy(take_class(values, np.array([[1, 0, 1], [0, 1, 0]]))), [[1, 2, 5], [6, 9, 10]])
    mask = np.array([[True, False, True], [False, False, False]])
    np.testing.assert_array_equal(numpy(first_true(mask, 5)), [[0, 2, -1, -1, -1], [-1] * 5])
    rank = np.array([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(numpy(first_true(mask, 1, rank)), [[2], [-1]])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a tape is TensorFlow's")
def test_no_gradient_through_the_choice():
    # Which boxes stay is a decision; what the caller gathers with the indices has a gradient of its own.
    import tensorflow as tf

    boxes, scores = tf.random.uniform((1, 4, 4)), tf.random.uniform((1, 4))
    with tf.GradientTape() as tape:
        tape.watch([boxes, scores])
        result = tf.cast(non_max_suppression(boxes, scores, 2, 0.5), tf.float32)
    assert tape.gradient(result, [boxes, scores]) == [None, None]
