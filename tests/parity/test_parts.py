"""What lies between the convolutions, function by function: the original's on the same numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from wadlib.maskrcnn.config import Config

pytestmark = pytest.mark.parity

CONFIG = Config.report().replace(image_shape=(128, 192), batch_size=2, max_gt_instances=8, rois_per_image=40)


@pytest.fixture(scope="module")
def theirs(matterport):
    """The original's modules, its configuration, and `run`: a function of it on arrays, in a graph of its own."""
    modules = matterport.modules()
    tf = modules.model.tf

    def run(function, *arrays):
        with tf.Graph().as_default(), tf.Session() as session:
            tensors = [tf.constant(array) for array in arrays]
            return session.run(function(*tensors))

    config = matterport.to_original_config(CONFIG)
    return SimpleNamespace(model=modules.model, utils=modules.utils, tf=tf, config=config, run=run)


def ours(function, *arguments):
    from keras import ops, tree

    return tree.map_structure(ops.convert_to_numpy, function(*arguments))


def detection_targets(proposals, class_ids, boxes, masks, priority):
    """The two steps that training takes, one after the other."""
    from wadlib.maskrcnn.learning.targets import choose_rois, targets_of_rois
    from wadlib.maskrcnn.network.gather import take_rows

    places, instance = choose_rois(proposals, class_ids, boxes, priority, CONFIG)
    rois = take_rows(proposals, places)
    return rois, *targets_of_rois(rois, instance, class_ids, boxes, masks, CONFIG)


def random_boxes(rng, shape, smallest=0.02, largest=0.4):
    corner = rng.uniform(0, 0.8, (*shape, 2))
    return np.clip(np.concatenate([corner, corner + rng.uniform(smallest, largest, (*shape, 2))], -1), 0, 1)


def random_instances(rng, count=8):
    """Boxes in whole pixels, class ids with a crowd and padding, masks."""
    height, width = CONFIG.image_shape
    boxes = np.rint(random_boxes(rng, (count,)) * [height, width, height, width]).astype(np.int32)
    class_ids = rng.integers(1, 8, count).astype(np.int32)
    class_ids[-2:] = -1, 0
    boxes[-1] = 0
    masks = np.zeros((count, height, width), bool)
    for mask, (y1, x1, y2, x2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = rng.random((y2 - y1, x2 - x1)) < 0.7
    return class_ids, boxes, masks


class LikeTheOriginal:
    """`numpy.random.Generator.choice`, drawn as the original does: from NumPy's global state."""

    choice = staticmethod(np.random.choice)


@pytest.mark.parametrize("seed", range(4))
def test_rpn_targets(theirs, seed):
    from wadlib.maskrcnn.learning.targets import rpn_targets

    class_ids, boxes, _ = random_instances(np.random.default_rng(seed))
    class_ids, boxes = class_ids[: 7 - seed % 2], boxes[: 7 - seed % 2]  # with and without a crowd
    config = theirs.config
    anchors = theirs.utils.generate_pyramid_anchors(
        config.RPN_ANCHOR_SCALES,
        config.RPN_ANCHOR_RATIOS,
        theirs.model.compute_backbone_shapes(config, config.IMAGE_SHAPE),
        config.BACKBONE_STRIDES,
        config.RPN_ANCHOR_STRIDE,
    )
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(seed)  # noqa: NPY002
        expected = theirs.model.build_rpn_targets(config.IMAGE_SHAPE, anchors, class_ids, boxes, config)
        np.random.seed(seed)  # noqa: NPY002
        match, deltas = rpn_targets(anchors, class_ids, boxes, CONFIG, LikeTheOriginal())
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert (match == 1).sum() >= 5
    np.testing.assert_array_equal(match, expected[0])
    np.testing.assert_allclose(deltas, expected[1], rtol=1e-5, atol=1e-6)


def test_mini_masks(theirs):
    from wadlib.maskrcnn.frames.ground_truth import mini_mask

    _, boxes, masks = random_instances(np.random.default_rng(0))
    boxes, masks = boxes[:-1], masks[:-1]
    expected = theirs.utils.minimize_mask(boxes, masks.transpose(1, 2, 0), (56, 56)).transpose(2, 0, 1)
    found = [mini_mask(mask[y1:y2, x1:x2], (56, 56)) for mask, (y1, x1, y2, x2) in zip(masks, boxes, strict=True)]
    assert (np.array(found) != expected).mean() < 1e-3  # exact halves are rounded either way


@pytest.mark.parametrize("count", [500, 1000])
def test_proposals(theirs, count):
    from wadlib.maskrcnn.network.anchors import normalized_anchors
    from wadlib.maskrcnn.network.proposals import propose

    rng = np.random.default_rng(0)
    anchors = normalized_anchors(CONFIG)
    scores = rng.random((2, len(anchors))).astype(np.float32)
    deltas = rng.normal(0, 1, (2, len(anchors), 4)).astype(np.float32)
    layer = theirs.model.ProposalLayer(count, CONFIG.rpn_nms_threshold, config=theirs.config)
    probabilities = np.stack([1 - scores, scores], -1)
    expected = theirs.run(lambda *x: layer.call(list(x)), probabilities, deltas, np.stack([anchors] * 2))
    np.testing.assert_allclose(ours(propose, scores, deltas, anchors, CONFIG, count), expected, atol=1e-6)


@pytest.mark.parametrize("min_confidence", [0.0, 0.5])
def test_detections(theirs, matterport, min_confidence):
    from wadlib.maskrcnn.network.detections import refine

    rng = np.random.default_rng(1)
    config = CONFIG.replace(min_confidence=min_confidence)
    rois = random_boxes(rng, (2, 200)).astype(np.float32)
    probs = rng.dirichlet(np.full(8, 0.2), (2, 200)).astype(np.float32)
    deltas = rng.normal(0, 1, (2, 200, 8, 4)).astype(np.float32)
    window = np.array([[0, 0, 1, 1], [0.1, 0.05, 0.8, 1]], np.float32)
    found = ours(refine, rois, probs, deltas, window, config)
    as_theirs = matterport.to_original_config(config)
    for picture in range(2):
        arrays = rois[picture], probs[picture], deltas[picture], window[picture]
        expected = theirs.run(lambda *x: theirs.model.refine_detections_graph(*x, as_theirs), *arrays)
        with_area = (expected[:, 2] > expected[:, 0]) & (expected[:, 3] > expected[:, 1])
        if picture == 1:
            assert not with_area[expected[:, 4] > 0].all()  # the original keeps what the window cuts away
        else:
            assert with_area.sum() > 30
        expected = expected[with_area]
        np.testing.assert_allclose(found[picture][: len(expected)], expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_detection_targets(theirs, monkeypatch, seed):
    from wadlib.maskrcnn.frames.ground_truth import mini_mask
    from wadlib.maskrcnn.network.boxes import normalize

    rng = np.random.default_rng(seed)
    class_ids, boxes, masks = random_instances(rng)
    mini = np.array(
        [
            mini_mask(mask[y1:y2, x1:x2], (56, 56)) if y2 > y1 else np.zeros((56, 56), np.uint8)
            for mask, (y1, x1, y2, x2) in zip(masks, boxes, strict=True)
        ]
    )
    normalised = normalize(boxes, CONFIG.image_shape) * (class_ids != 0)[:, None]
    near = normalised[rng.integers(0, 7, 100)] + rng.normal(0, 0.02, (100, 4))
    proposals = np.concatenate([near, random_boxes(rng, (180,)), np.zeros((20, 4))]).clip(0, 1).astype(np.float32)

    monkeypatch.setattr(theirs.tf, "random_shuffle", lambda indices: indices, raising=False)
    expected = theirs.run(
        lambda *x: theirs.model.detection_targets_graph(*x, theirs.config),
        proposals,
        class_ids,
        normalised,
        mini.transpose(1, 2, 0).astype(bool),
    )
    priority = np.arange(len(proposals), dtype=np.float32)
    batch = (array[None] for array in (proposals, class_ids, normalised, mini, priority))
    rois, ids, deltas, target_masks = (array[0] for array in ours(detection_targets, *batch))
    count = (expected[1] > 0).sum()
    assert count == CONFIG.positive_rois
    assert expected[0].any(axis=1).sum() > count
    np.testing.assert_array_equal(rois, expected[0])
    np.testing.assert_array_equal(ids, expected[1])
    np.testing.assert_allclose(deltas, expected[2], atol=1e-4)
    # Where a RoI ends on the border of its instance's box, the original may lose a row by rounding.
    assert (target_masks != expected[3][: CONFIG.positive_rois]).mean() < 5e-3
    assert not expected[3][CONFIG.positive_rois :].any()


def test_no_positive_proposal(theirs, monkeypatch):
    """Then the original takes no background either; so do we, if there are instances."""
    proposals = np.array([[0.0, 0.0, 0.1, 0.1]] * 50, np.float32)
    class_ids, boxes = np.array([3], np.int32), np.array([[0.5, 0.5, 0.9, 0.9]], np.float32)
    masks = np.ones((1, 56, 56), np.uint8)
    monkeypatch.setattr(theirs.tf, "random_shuffle", lambda indices: indices, raising=False)
    arrays = proposals, class_ids, boxes, masks.transpose(1, 2, 0).astype(bool)
    expected = theirs.run(lambda *x: theirs.model.detection_targets_graph(*x, theirs.config), *arrays)
    batch = (array[None] for array in (proposals, class_ids, boxes, masks, np.arange(50, dtype=np.float32)))
    for found, wanted in zip(ours(detection_targets, *batch), expected, strict=True):
        assert not found.any()
        assert not wanted.any()


@pytest.mark.parametrize("seed", range(3))
def test_losses(theirs, seed):
    from wadlib.maskrcnn.learning import losses

    rng = np.random.default_rng(seed)
    model = theirs.model
    anchors, rois = 300, 40
    match = rng.choice([-1, 0, 0, 1], (2, anchors)).astype(np.int32)
    logits = rng.normal(0, 3, (2, anchors, 2)).astype(np.float32)
    rpn_targets = rng.normal(0, 1, (2, 256, 4)).astype(np.float32)
    rpn_deltas = rng.normal(0, 1, (2, anchors, 4)).astype(np.float32)
    ids = rng.integers(0, 8, (2, rois)).astype(np.int32) * (rng.random((2, rois)) < 0.4).astype(np.int32)
    class_logits = rng.normal(0, 3, (2, rois, 8)).astype(np.float32)
    active = np.ones((2, 8), np.float32)
    active[:, 5 : 5 + seed] = 0
    targets = rng.normal(0, 1, (2, rois, 4)).astype(np.float32)
    deltas = rng.normal(0, 1, (2, rois, 8, 4)).astype(np.float32)
    target_masks = (rng.random((2, rois, 28, 28)) < 0.5).astype(np.float32)
    masks = rng.uniform(0, 1, (2, rois, 28, 28, 8)).astype(np.float32)

    def pair(ours_, their_function, *arrays):
        assert float(ours(lambda: ours_)) == pytest.approx(float(theirs.run(their_function, *arrays)), rel=1e-5)

    pair(losses.rpn_class_loss(match, logits), model.rpn_class_loss_graph, match[..., None], logits)
    pair(
        losses.rpn_bbox_loss(rpn_targets, match, rpn_deltas),
        lambda *x: model.rpn_bbox_loss_graph(theirs.config, *x),
        rpn_targets,
        match[..., None],
        rpn_deltas,
    )
    pair(losses.mrcnn_class_loss(ids, class_logits, active), model.mrcnn_class_loss_graph, ids, class_logits, active)
    pair(losses.mrcnn_bbox_loss(targets, ids, deltas), model.mrcnn_bbox_loss_graph, targets, ids, deltas)
    pair(losses.mrcnn_mask_loss(target_masks, ids, masks), model.mrcnn_mask_loss_graph, target_masks, ids, masks)


def test_roi_align(theirs):
    from wadlib.maskrcnn.network.roi import neutral_roi_align, roi_align

    rng = np.random.default_rng(0)
    boxes = random_boxes(rng, (1, 400), 0.01, 1).astype(np.float32)
    levels = [rng.normal(size=(1, 128 // s, 192 // s, 4)).astype(np.float32) for s in (4, 8, 16, 32)]
    shape = (128, 192, 3)
    meta = theirs.model.compose_image_meta(0, shape, shape, (0, 0, 128, 192), 1, np.ones(8, int))[None]
    layer = theirs.model.PyramidROIAlign([7, 7])
    expected = theirs.run(lambda *x: layer.call(list(x)), boxes, meta.astype(np.float32), *levels)
    for form in (roi_align, neutral_roi_align):
        found = ours(form, boxes, levels, 7, (128, 192))
        differs = np.abs(found - expected).max(axis=(0, 2, 3, 4)) > 1e-3
        assert differs.sum() <= 8  # boxes that end at the border and lose a row there in the original
        assert np.all(boxes[0, differs, 2:].max(axis=1) == 1)
