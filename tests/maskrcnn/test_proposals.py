"""Proposals: by hand, and against the steps written out in NumPy."""

import numpy as np
import pytest
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network import boxes as box_functions
from wadlib.maskrcnn.network.anchors import normalized_anchors
from wadlib.maskrcnn.network.proposals import best_anchors, moved_anchors, propose, proposed_anchors

SMALL = Config.report().replace(image_shape=(64, 128), pre_nms_limit=200)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def written_out(scores, deltas, anchors, config, count):
    """One picture: sort, move, cut, suppress."""
    best = np.argsort(-scores, kind="stable")[: config.pre_nms_limit]
    moved = box_functions.apply_deltas(anchors[best], deltas[best] * np.array(config.box_std, np.float32))
    moved = np.clip(moved, 0, 1).astype(np.float32)
    kept = []
    for box in moved:
        if len(kept) < count and all(
            box_functions.iou(box[None], other[None])[0, 0] <= config.rpn_nms_threshold for other in kept
        ):
            kept.append(box)
    return np.array(kept + [np.zeros(4)] * (count - len(kept)), np.float32)


def test_three_anchors_by_hand():
    config = SMALL.replace(rpn_nms_threshold=0.5)
    anchors = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0.5, 0.4]], np.float32)
    scores = np.array([[0.9, 0.8, 0.7]], np.float32)
    deltas = np.zeros((1, 3, 4), np.float32)
    # dy = 2 · 0.1 of a height of 1/2, so 0.1 down, over the border: cut to 1.
    deltas[0, 1, 0] = 2
    result = numpy(propose(scores, deltas, anchors, config, 4))
    # The third anchor overlaps the first by 4/5.
    np.testing.assert_allclose(result[0], [[0, 0, 0.5, 0.5], [0.6, 0.5, 1, 1], [0] * 4, [0] * 4], atol=1e-6)


def test_size_goes_with_the_exponential():
    anchors = np.array([[0.4, 0.4, 0.6, 0.6]], np.float32)
    deltas = np.array([[[0, 0, np.log(2) / 0.2, np.log(0.5) / 0.2]]], np.float32)
    result = numpy(propose(np.ones((1, 1), np.float32), deltas, anchors, SMALL, 1))
    np.testing.assert_allclose(result[0, 0], [0.3, 0.45, 0.7, 0.55], atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_same_as_written_out(seed):
    rng = np.random.default_rng(seed)
    anchors = normalized_anchors(SMALL)
    scores = rng.random((2, len(anchors))).astype(np.float32)
    deltas = rng.normal(0, 2, (2, len(anchors), 4)).astype(np.float32)
    result = numpy(propose(scores, deltas, anchors, SMALL, 100))
    assert result.shape == (2, 100, 4)
    assert result.min() >= 0
    assert result.max() <= 1
    for picture in range(2):
        expected = written_out(scores[picture], deltas[picture], anchors, SMALL, 100)
        np.testing.assert_allclose(result[picture], expected, atol=1e-5)


def test_which_anchor_each_proposal_was():
    rng = np.random.default_rng(0)
    config = SMALL.replace(rpn_nms_threshold=0.3)  # of the 200 best anchors, some are suppressed
    anchors = normalized_anchors(config)
    scores = rng.random((2, len(anchors))).astype(np.float32)
    deltas = rng.normal(0, 2, (2, len(anchors), 4)).astype(np.float32)
    boxes, indices = (numpy(found) for found in proposed_anchors(scores, deltas, anchors, config, 200))
    np.testing.assert_array_equal(boxes, numpy(propose(scores, deltas, anchors, config, 200)))
    for picture in range(2):
        kept = indices[picture] >= 0
        assert 0 < kept.sum() < 200
        assert not boxes[picture, ~kept].any()
        own = indices[picture, kept]
        assert (np.diff(scores[picture, own]) < 0).all()
        moved = numpy(moved_anchors(own[None], deltas[picture, own][None], anchors, config))
        np.testing.assert_allclose(moved[0], boxes[picture, kept], atol=1e-6)


def test_only_the_best_anchors_are_looked_at():
    anchors = normalized_anchors(SMALL)
    scores = np.linspace(0, 1, len(anchors), dtype=np.float32)[None]
    boxes, best = best_anchors(scores, np.zeros((1, len(anchors), 4), np.float32), anchors, SMALL)
    assert boxes.shape == (1, 200, 4)
    np.testing.assert_array_equal(numpy(best)[0], scores[0, ::-1][:200])
    np.testing.assert_allclose(numpy(boxes)[0], np.clip(anchors[::-1][:200], 0, 1), atol=1e-6)


def test_fewer_anchors_than_proposals():
    anchors = np.array([[0, 0, 0.5, 0.5]], np.float32)
    result = numpy(propose(np.ones((1, 1), np.float32), np.zeros((1, 1, 4), np.float32), anchors, SMALL, 3))
    np.testing.assert_allclose(result, [[[0, 0, 0.5, 0.5], [0] * 4, [0] * 4]], atol=1e-6)


def test_half_precision_scores():
    anchors = normalized_anchors(SMALL)
    rng = np.random.default_rng(0)
    scores = ops.cast(rng.random((1, len(anchors))), "bfloat16")  # many of them equal
    deltas = ops.zeros((1, len(anchors), 4), "bfloat16")
    result = numpy(propose(scores, deltas, anchors, SMALL, 50))
    expected = written_out(numpy(ops.cast(scores, "float32"))[0], np.zeros((len(anchors), 4)), anchors, SMALL, 50)
    np.testing.assert_allclose(result[0], expected, atol=1e-6)
