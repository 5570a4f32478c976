"""Our engine and the original package with the same weights, stage by stage; at 128x192 and the report's 832x640."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from wadlib.maskrcnn.original.stages import STAGES

pytestmark = pytest.mark.parity


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference, as a share of the largest value."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,4), (M,4) -> (N,M)."""
    a, b = a[:, None].astype(float), b[None].astype(float)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.maximum(sides, 0).prod(axis=-1)
    return shared / ((a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - shared)


@pytest.fixture(scope="session", params=["small", "full"])
def run(request, matterport, weights, sizes, scene_picture, assign) -> SimpleNamespace:
    """Everything that both networks compute for one picture: .config .theirs .ours (dicts) .found .original_found."""
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.frames.images import normalise

    config = sizes[request.param]
    image = scene_picture(config.image_shape)
    with matterport.original(config) as network:
        network.set_weights(weights)
        theirs = network.intermediate(STAGES.values(), [image])
        (original_found,) = network.detect([image])
    model = MaskRCNN(config)
    assign(model, weights)
    ours = model.stages(normalise(image, config))
    (found,) = model.detect([image])
    return SimpleNamespace(
        config=config, theirs={own: theirs[name] for own, name in STAGES.items()}, ours=ours, found=found,
        original_found=original_found,
    )  # fmt: skip


def test_anchors_are_equal(matterport, run):
    from wadlib.maskrcnn.network.anchors import normalized_anchors, pyramid_anchors

    mrcnn, config = matterport.modules(), matterport.to_original_config(run.config)
    shapes = mrcnn.model.compute_backbone_shapes(config, config.IMAGE_SHAPE)
    theirs = mrcnn.utils.generate_pyramid_anchors(
        config.RPN_ANCHOR_SCALES, config.RPN_ANCHOR_RATIOS, shapes, config.BACKBONE_STRIDES, config.RPN_ANCHOR_STRIDE
    )
    np.testing.assert_array_equal(pyramid_anchors(run.config), theirs.astype(np.float32))
    np.testing.assert_array_equal(
        normalized_anchors(run.config), mrcnn.utils.norm_boxes(theirs, run.config.image_shape)
    )


@pytest.mark.parametrize("stage", list(STAGES)[: list(STAGES).index("rpn_rois")])
def test_backbone_pyramid_and_rpn(run, stage):
    assert np.abs(run.theirs[stage]).max() > 0.1
    assert relative(run.ours[stage], run.theirs[stage]) < 1e-3


def same_rows(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of rows that are the same box, pairwise."""
    far = np.abs(ours[:, None] - theirs[None]).max(axis=2)
    pairs = [(i, int(far[i].argmin())) for i in range(len(ours)) if far[i].min() < tolerance]
    return tuple(np.array(side) for side in zip(*pairs, strict=True))


def test_proposals_are_the_same_set_but_for_ties(run):
    ours, theirs = run.ours["rpn_rois"][0], run.theirs["rpn_rois"][0]
    assert ours.any(axis=1).sum() == theirs.any(axis=1).sum() > 0.9 * len(ours)
    own, other = same_rows(ours, theirs, 1e-4)
    assert len(own) >= 0.98 * len(ours)
    assert np.abs(own - other).mean() < 1  # and in the same order


@pytest.mark.parametrize("stage", ["roi_align_classifier", "mrcnn_class_logits", "mrcnn_class", "mrcnn_bbox"])
def test_heads_on_the_same_proposals(run, stage):
    own, other = same_rows(run.ours["rpn_rois"][0], run.theirs["rpn_rois"][0], 1e-5)
    ours, theirs = run.ours[stage][0][own], run.theirs[stage][0][other]
    differs = np.abs(ours - theirs).reshape(len(own), -1).max(axis=1) / np.abs(theirs).max()
    # A box that ends at the border may miss the map by rounding: the original reads zeros there, we do not.
    touches = (run.theirs["rpn_rois"][0][other][:, 2:] > 1 - 1e-6).any(axis=1)
    assert differs[~touches].max() < 1e-3
    assert (differs[touches] > 1e-3).sum() <= 0.02 * len(own)


def test_detections_of_the_network(run):
    ours, theirs = (x["mrcnn_detection"][0] for x in (run.ours, run.theirs))
    ours, theirs = (x[x[:, 4] > 0] for x in (ours, theirs))
    assert len(theirs) >= 10
    assert len(set(theirs[:, 4])) >= 4
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours[:, 5], theirs[:, 5], atol=1e-3)


def test_detections_as_reported(run):
    ours, theirs = run.found, run.original_found
    iou = box_iou(ours.boxes, theirs["rois"])
    classes = np.array([run.config.wad_classes[number] for number in theirs["class_ids"]])
    iou[ours.class_ids[:, None] != classes[None]] = 0
    best = iou.argmax(axis=0)
    assert len(set(best)) == len(classes) == len(ours.boxes)
    assert iou.max(axis=0).min() > 0.99
    assert np.abs(ours.scores[best] - theirs["scores"]).max() < 1e-3
    masks = np.asarray(ours.masks)[best]
    for mask, other in zip(masks, theirs["masks"].transpose(2, 0, 1), strict=True):
        assert (mask & other).sum() >= 0.98 * (mask | other).sum()  # both may be empty
