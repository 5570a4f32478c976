"""Targets for anchors and proposals: by hand, and against the rules written out box by box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.learning.targets import choose_rois, rpn_targets, targets_of_rois
from wadlib.maskrcnn.network import boxes as box_functions
from wadlib.maskrcnn.network.anchors import pyramid_anchors
from wadlib.maskrcnn.network.boxes import iou
from wadlib.maskrcnn.network.gather import take_rows

CONFIG = Config.report().replace(
    image_shape=(64, 128), rpn_train_anchors=16, rois_per_image=12, max_gt_instances=4, mini_mask_shape=(8, 8),
    proposals_training=20, mask_pool_size=2
)  # fmt: skip


class TakeFirst:
    """In place of a generator: the first of what is there."""

    def choice(self, values, size, replace):
        assert not replace
        return values[:size]


# --- anchors --------------------------------------------------------------------------------------


def match_written_out(anchors, class_ids, boxes):
    """Before anything is drawn."""
    instances, crowds = boxes[class_ids > 0], boxes[class_ids < 0]
    match = np.zeros(len(anchors), int)
    overlap = iou(anchors, instances) if len(instances) else np.zeros((len(anchors), 0))
    with_crowds = iou(anchors, crowds) if len(crowds) else np.zeros((len(anchors), 1))
    for i in range(len(anchors)):
        if overlap[i].max(initial=0) < 0.3 and with_crowds[i].max() < 0.001:
            match[i] = -1
    for j in range(len(instances)):
        if overlap[:, j].max() > 0:
            match[overlap[:, j].argmax()] = 1
    match[overlap.max(axis=1, initial=0) >= 0.7] = 1
    return match, overlap


def test_anchors_by_hand():
    anchors = np.array(
        [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [0, 0, 10, 2], [50, 50, 60, 60], [30, 0, 40, 10]], float
    )
    boxes = np.array([[0, 0, 10, 10], [50, 58, 60, 68], [29, 0, 31, 100]], float)
    match, deltas = rpn_targets(anchors, np.array([1, 2, -1]), boxes, CONFIG, np.random.default_rng(0))
    # IoU with the first box: 1, 8/10, 1/2 (neither), 2/10 (background). The best for the second box has only 2/18.
    # The last one lies on a crowd.
    assert match.tolist() == [1, 1, 0, -1, 1, 0]
    np.testing.assert_allclose(deltas[0], 0, atol=1e-6)
    np.testing.assert_allclose(deltas[1], [0, (5 - 4) / 8 / 0.1, 0, np.log(10 / 8) / 0.2], rtol=1e-6)
    np.testing.assert_allclose(deltas[2], [0, 0.8 / 0.1, 0, 0], atol=1e-6)
    assert not deltas[3:].any()
    assert (match.dtype, deltas.dtype, deltas.shape) == (np.int8, np.float32, (16, 4))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 6))
def test_anchors_as_written_out(seed, count):
    rng = np.random.default_rng(seed)
    config = CONFIG.replace(rpn_train_anchors=100_000)  # nothing is drawn
    anchors = pyramid_anchors(config).astype(float)
    corner = np.stack([rng.integers(0, 60, count), rng.integers(0, 120, count)], 1)
    boxes = np.concatenate([corner, corner + rng.integers(1, 40, (count, 2))], 1).astype(float)
    class_ids = rng.choice([-1, 1, 5], count)
    match, deltas = rpn_targets(anchors, class_ids, boxes, config, rng)
    expected, overlap = match_written_out(anchors, class_ids, boxes)
    np.testing.assert_array_equal(match, expected)
    for row, i in enumerate(np.flatnonzero(match == 1)):
        target = boxes[class_ids > 0][overlap[i].argmax()]
        wanted = box_functions.box_deltas(anchors[i], target) / np.array(config.box_std)
        np.testing.assert_allclose(deltas[row], wanted, rtol=1e-5, atol=1e-6)


def test_half_of_the_drawn_anchors_at_most_are_on_objects():
    anchors = pyramid_anchors(CONFIG)
    boxes = anchors[::97]  # many anchors fit exactly
    class_ids = np.ones(len(boxes), int)
    match, deltas = rpn_targets(anchors, class_ids, boxes, CONFIG, np.random.default_rng(0))
    assert (match == 1).sum() == 8
    assert (match == -1).sum() == 8
    assert deltas[8:].tolist() == [[0] * 4] * 8
    again, _ = rpn_targets(anchors, class_ids, boxes, CONFIG, np.random.default_rng(0))
    np.testing.assert_array_equal(match, again)
    other, _ = rpn_targets(anchors, class_ids, boxes, CONFIG, np.random.default_rng(1))
    assert (match != other).any()


def test_which_anchors_are_left_out_can_be_injected():
    anchors = np.array([[0, 0, 8, 8]] * 12, float)
    match, _ = rpn_targets(anchors, np.array([1]), anchors[:1], CONFIG, TakeFirst())
    assert match.tolist() == [0] * 4 + [1] * 8


def test_a_picture_without_instances_is_background():
    anchors = pyramid_anchors(CONFIG)
    for class_ids, boxes in ((np.zeros(0, int), np.zeros((0, 4))), (np.array([-1]), np.array([[0, 0, 8, 8]]))):
        match, deltas = rpn_targets(anchors, class_ids, boxes, CONFIG, np.random.default_rng(0))
        assert ((match == -1).sum(), (match == 1).sum()) == (16, 0)
        assert not deltas.any()


# --- proposals ------------------------------------------------------------------------------------


def numpy(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def detection_targets(proposals, class_ids, boxes, masks, priority, config):
    """RoIs to learn from, and what should be said of them: the two steps that training takes, one after the other."""
    places, instance = choose_rois(proposals, class_ids, boxes, priority, config)
    rois = take_rows(ops.cast(proposals, "float32"), places)
    return rois, *targets_of_rois(rois, instance, class_ids, boxes, masks, config)


def targets(proposals, class_ids, boxes, masks, priority=None, config=CONFIG):
    """`detection_targets` of one picture."""
    proposals = np.asarray(proposals, np.float32)[None]
    priority = np.arange(proposals.shape[1]) if priority is None else np.asarray(priority)
    arrays = (np.asarray(class_ids)[None], np.asarray(boxes, np.float32)[None], np.asarray(masks)[None])
    return [t[0] for t in numpy(detection_targets(proposals, *arrays, priority.astype(np.float32)[None], config))]


def padded(rows, count):
    rows = np.asarray(rows, np.float32)
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), np.float32)])


def written_out(proposals, class_ids, boxes, masks, config):
    """The rules, proposal by proposal, taking the first of too many."""
    positives, negatives = [], []
    for number, roi in enumerate(proposals):
        if not roi.any():
            continue
        overlap = [box_functions.iou(roi[None], box[None])[0, 0] for box in boxes]
        instances = [o if c > 0 else -1 for o, c in zip(overlap, class_ids, strict=True)]
        crowd = max([o for o, c in zip(overlap, class_ids, strict=True) if c < 0], default=0)
        if max(instances) >= 0.5:
            positives.append((number, int(np.argmax(instances))))
        elif crowd < 0.001:
            negatives.append(number)
    positives = positives[: config.positive_rois]
    total = int(np.float32(1 / config.roi_positive_share) * np.float32(len(positives)))
    if not (np.asarray(class_ids) > 0).any():
        total = config.rois_per_image
    negatives = negatives[: total - len(positives)]
    size = config.rois_per_image
    rois = padded([proposals[i] for i, _ in positives] + [proposals[i] for i in negatives] or np.zeros((0, 4)), size)
    ids = padded([class_ids[j] for _, j in positives], size)
    deltas = [box_functions.box_deltas(proposals[i], boxes[j]) / np.array(config.box_std) for i, j in positives]
    cut = [cut_mask(proposals[i], boxes[j], masks[j], config.mask_shape) for i, j in positives]
    deltas = padded(deltas or np.zeros((0, 4)), size)
    return rois, ids, deltas, padded(cut or np.zeros((0, *config.mask_shape)), config.positive_rois)


def cut_mask(roi, box, mask, shape):
    """Bilinear samples from border to border of the RoI, in the frame of the instance's box; outside is 0."""
    result = np.zeros(shape)
    for i in range(shape[0]):
        for j in range(shape[1]):
            y = (roi[0] + (roi[2] - roi[0]) * i / (shape[0] - 1) - box[0]) / (box[2] - box[0]) * (mask.shape[0] - 1)
            x = (roi[1] + (roi[3] - roi[1]) * j / (shape[1] - 1) - box[1]) / (box[3] - box[1]) * (mask.shape[1] - 1)
            if -1e-4 < y < mask.shape[0] - 1 + 1e-4 and -1e-4 < x < mask.shape[1] - 1 + 1e-4:
                y, x = np.clip([y, x], 0, [mask.shape[0] - 1, mask.shape[1] - 1])
                top, left = int(y), int(x)
                bottom, right = min(top + 1, mask.shape[0] - 1), min(left + 1, mask.shape[1] - 1)
                above = mask[top, left] + (x - left) * (float(mask[top, right]) - mask[top, left])
                below = mask[bottom, left] + (x - left) * (float(mask[bottom, right]) - mask[bottom, left])
                result[i, j] = np.round(above + (y - top) * (below - above))
    return result


BOXES = np.array([[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9], [0.0, 0.8, 0.2, 1.0], [0, 0, 0, 0]], np.float32)
IDS = np.array([3, 7, -1, 0])
MASKS = np.stack([np.tri(8), np.ones((8, 8)), np.ones((8, 8)), np.zeros((8, 8))]).astype(np.uint8)


def test_proposals_by_hand():
    proposals = padded(
        [
            [0.1, 0.1, 0.5, 0.5],  # the first instance itself
            [0.6, 0.0, 0.9, 0.3],  # background
            [0.5, 0.5, 0.9, 0.72],  # the left 0.22 of 0.4 of the second
            [0.1, 0.7, 0.3, 0.9],  # on the crowd
            [0.1, 0.1, 0.5, 0.29],  # IoU below 1/2
        ],
        20,
    )
    rois, class_ids, deltas, masks = targets(proposals, IDS, BOXES, MASKS)
    assert rois.shape == (12, 4)
    np.testing.assert_array_equal(rois[:4], proposals[[0, 2, 1, 4]])
    assert not rois[4:].any()
    assert class_ids.tolist() == [3, 7] + [0] * 10
    np.testing.assert_allclose(deltas[0], 0, atol=1e-5)
    np.testing.assert_allclose(deltas[1], [0, 0.09 / 0.22 / 0.1, 0, np.log(40 / 22) / 0.2], rtol=1e-4, atol=1e-5)
    assert not deltas[2:].any()
    # Four samples from border to border of an 8x8 mask: 0, 7/3, 14/3, 7. Above the diagonal it is 0, on it 1.
    np.testing.assert_array_equal(masks[0], np.tri(4))
    np.testing.assert_array_equal(masks[1], np.ones((4, 4)))
    assert masks.shape == (3, 4, 4)  # 33 % of 12
    assert not masks[2].any()


def test_at_most_a_third_on_objects():
    proposals = np.tile(BOXES[0], (20, 1))
    proposals[10:] = [0.6, 0.0, 0.9, 0.3]
    proposals[:, 0] += np.arange(20) * 1e-4
    rois, class_ids, _, _ = targets(proposals, IDS, BOXES, MASKS)
    assert class_ids.tolist() == [3] * 3 + [0] * 9
    # int(3 / 0.33) is 9: six of background.
    np.testing.assert_array_equal(rois, padded(proposals[[0, 1, 2, 10, 11, 12, 13, 14, 15]], 12))


def test_the_smallest_priority_comes_first():
    proposals = np.tile(BOXES[0], (20, 1))
    proposals[10:] = [0.6, 0.0, 0.9, 0.3]
    proposals[:, 0] += np.arange(20) * 1e-4
    priority = np.random.default_rng(0).random(20)
    rois, _, _, _ = targets(proposals, IDS, BOXES, MASKS, priority)
    order = np.argsort(priority)
    chosen = [*order[order < 10][:3], *order[order >= 10][:6]]
    np.testing.assert_array_equal(rois, padded(proposals[chosen], 12))


@pytest.mark.parametrize("seed", range(4))
def test_proposals_as_written_out(seed):
    rng = np.random.default_rng(seed)
    near = BOXES[rng.integers(0, 3, 15)] + rng.normal(0, 0.04, (15, 4))
    far = rng.uniform(0, 0.6, (3, 2))
    proposals = padded(np.concatenate([near, np.concatenate([far, far + 0.3], 1)]), 20).astype(np.float32)
    masks = rng.random((4, 8, 8)) < 0.5
    # Smooth masks: halves, which could be rounded either way, do not come up.
    masks[:] = masks[:, :1, :1]
    masks[0] = np.arange(8)[:, None] > 3
    result = targets(proposals, IDS, BOXES, masks)
    for actual, expected in zip(result[:3], written_out(proposals, IDS, BOXES, masks, CONFIG)[:3], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(result[3], written_out(proposals, IDS, BOXES, masks, CONFIG)[3])


def test_a_picture_without_instances_gives_background():
    corner = np.random.default_rng(0).uniform(0, 0.5, (20, 2))
    proposals = np.concatenate([corner, corner + 0.3], 1)
    for class_ids in ([0, 0, 0, 0], [-1, 0, 0, 0]):
        boxes = BOXES * (np.array(class_ids) != 0)[:, None]
        rois, ids, deltas, masks = targets(proposals, class_ids, boxes, MASKS)
        clear = proposals[[i for i in range(20) if box_functions.iou(proposals[i : i + 1], boxes).max() < 0.001]]
        np.testing.assert_allclose(rois, padded(clear[:12], 12), rtol=1e-6)
        assert not ids.any()
        assert not deltas.any()
        assert not masks.any()


def test_no_proposal_at_all():
    for array in targets(np.zeros((20, 4)), IDS, BOXES, MASKS):
        assert not array.any()


def test_fewer_proposals_than_rois():
    rois, class_ids, _, _ = targets([[0.1, 0.1, 0.5, 0.5], [0.6, 0, 0.9, 0.3]], IDS, BOXES, MASKS)
    np.testing.assert_allclose(rois[:2], [[0.1, 0.1, 0.5, 0.5], [0.6, 0, 0.9, 0.3]])
    assert class_ids.tolist() == [3] + [0] * 11


def test_each_picture_of_a_batch_for_itself():
    rng = np.random.default_rng(0)
    proposals = np.stack(
        [np.clip(BOXES[rng.integers(0, 2, 20)] + rng.normal(0, 0.05, (20, 4)), 0, 1) for _ in range(3)]
    )
    proposals = proposals.astype(np.float32)
    priority = rng.random((3, 20)).astype(np.float32)
    ids, boxes, masks = (np.stack([a, a, 0 * a]) for a in (IDS, BOXES, MASKS))
    whole = numpy(detection_targets(proposals, ids, boxes, masks, priority, CONFIG))
    for picture in range(3):
        one = slice(picture, picture + 1)
        alone = numpy(detection_targets(proposals[one], ids[one], boxes[one], masks[one], priority[one], CONFIG))
        for a, b in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(a[one], b)


@pytest.mark.skipif(not hasattr(ops.zeros(1), "numpy"), reason="a tape is TensorFlow's")
def test_a_gradient_runs_through_the_targets():
    import tensorflow as tf

    proposals = tf.constant(np.tile(BOXES[0], (1, 20, 1)))
    arrays = (IDS[None], BOXES[None], MASKS[None], np.arange(20, dtype=np.float32)[None])
    with tf.GradientTape() as tape:
        tape.watch(proposals)
        _, _, deltas, masks = detection_targets(proposals, *arrays, CONFIG)
        total = tf.reduce_sum(deltas) + tf.reduce_sum(masks)
    gradient = tape.gradient(total, proposals)
    assert np.isfinite(gradient).all()
    assert np.any(gradient, axis=(0, 2)).sum() == CONFIG.positive_rois
