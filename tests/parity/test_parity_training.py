"""Our engine and the original learn the same: targets, losses and steps from the same weights, and files of both."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest

from wadlib.maskrcnn.config import Config

pytestmark = pytest.mark.parity

LOSSES = ("rpn_class_loss", "rpn_bbox_loss", "mrcnn_class_loss", "mrcnn_bbox_loss", "mrcnn_mask_loss")


def our_batch(inputs: list[np.ndarray], config: Config) -> dict[str, np.ndarray]:
    """The original's inputs as ours; proposals become targets last ones first, see `shuffle`."""
    image, _, match, deltas, class_ids, boxes, masks = inputs
    last_first = np.linspace(1, 0, config.proposals_training, dtype=np.float32)
    return {
        "image": image.astype(np.float32),
        "rpn_match": match[..., 0].astype(np.int8),
        "rpn_bbox": deltas.astype(np.float32),
        "gt_class_ids": class_ids,
        "gt_boxes": boxes.astype(np.float32),
        "gt_masks": masks.transpose(0, 3, 1, 2).astype(np.uint8),
        "roi_priority": np.tile(last_first, (len(image), 1)),
    }


def values(model) -> dict[str, list[np.ndarray]]:
    return {name: [np.asarray(v) for v in variables] for name, variables in model.weights_by_layer().items()}


@pytest.fixture(scope="session", params=["small", "full"])
def lesson(request, matterport, weights, sizes, shuffle, make_scene, assign) -> SimpleNamespace:
    """Two steps of the original and of ours: .theirs .ours with .losses (list of dicts) and .weights; .before."""
    from wadlib.maskrcnn import MaskRCNN

    config = sizes[request.param]
    with ExitStack() as stack:
        if request.param == "small":
            inputs = request.getfixturevalue("scene").inputs
            network = request.getfixturevalue("learner")
            stack.callback(network.forget)
            stack.callback(network.set_weights, weights)
        else:
            with matterport.original(config) as inference:
                inference.set_weights(weights)
                inputs = make_scene(inference, config).inputs
            network = stack.enter_context(matterport.original(config, "training", shuffle=shuffle))
            network.set_weights(weights)
        class_ids = network.outputs(["proposal_targets"], inputs)["proposal_targets"][1]
        theirs = SimpleNamespace(losses=[network.train_step(inputs) for _ in range(2)], weights=network.weights())
    model = MaskRCNN(config)
    assign(model, weights)
    batch = our_batch(inputs, config)
    ours = SimpleNamespace(losses=[model.train_on(batch) for _ in range(2)], weights=values(model))
    return SimpleNamespace(config=config, theirs=theirs, ours=ours, before=weights, class_ids=class_ids)


def test_all_kinds_of_targets_occur(lesson):
    assert len(set(lesson.class_ids[0])) >= 3
    assert (lesson.class_ids == 0).any()
    assert all(lesson.theirs.losses[0][name] > 0.01 for name in LOSSES)


@pytest.mark.parametrize("name", ["loss", *LOSSES])
def test_losses(lesson, name):
    for ours, theirs in zip(lesson.ours.losses, lesson.theirs.losses, strict=True):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-3)


def test_weights_after_two_steps(lesson):
    """Also the momentum of the first step counts, and the gradient is clipped in both."""
    difference = update = 0.0
    for name, before in lesson.before.items():
        for ours, theirs, start in zip(lesson.ours.weights[name], lesson.theirs.weights[name], before, strict=True):
            wrong, moved = (float(np.linalg.norm(x)) for x in (ours - theirs, theirs - start))
            # The steps are small: of a weight near 1 only some digits of the update survive.
            rounding = 2.5e-7 * float(np.linalg.norm(start))
            assert wrong <= 5e-3 * moved + rounding, name
            difference, update = difference + wrong**2, update + moved**2
    assert update > 0
    assert difference <= (1e-3) ** 2 * update


def test_the_gradient_is_clipped_as_one(lesson):
    """`clip_norm` 5 is reached in the first step, or the test above would not have tested it."""
    rate, clip = lesson.config.learning_rate, lesson.config.clip_norm
    moved = [
        (after - before).ravel()
        for name, arrays in lesson.before.items()
        for before, after in zip(arrays, lesson.ours.weights[name], strict=True)
    ]
    # Two steps with momentum 0.9: at most (1 + 1.9) rate * clip, and near it when both gradients were clipped.
    assert 0.7 < np.linalg.norm(np.concatenate(moved)) / (2.9 * rate * clip) <= 1 + 1e-4


def test_losses_of_two_pictures(matterport, original, weights, scene, sizes, shuffle, make_scene, assign):
    from wadlib.maskrcnn import MaskRCNN

    config = sizes["small"].replace(batch_size=2)
    other = make_scene(original, sizes["small"], seed=1)
    inputs = [np.concatenate(pair) for pair in zip(scene.inputs, other.inputs, strict=True)]
    with matterport.original(config, "training", shuffle=shuffle) as network:
        network.set_weights(weights)
        theirs = network.losses(inputs)
    model = MaskRCNN(config)
    assign(model, weights)
    ours = model.evaluate_on(our_batch(inputs, config))
    assert {name: ours[name] for name in LOSSES} == pytest.approx(theirs, rel=1e-3)


# --- targets and files ---------------------------------------------------------------------------


def test_targets_of_the_region_proposal_network(matterport, scene, sizes):
    """With room for all anchors, so that none is drawn."""
    from wadlib.maskrcnn.anchors import pyramid_anchors
    from wadlib.maskrcnn.targets import rpn_targets

    config = sizes["small"].replace(rpn_train_anchors=20_000)
    anchors = pyramid_anchors(config).astype(float)
    theirs = matterport.modules().model.build_rpn_targets(
        (128, 192, 3), anchors, scene.class_ids, scene.boxes, matterport.to_original_config(config)
    )
    match, deltas = rpn_targets(anchors, scene.class_ids, scene.boxes, config, np.random.default_rng(0))
    assert (match == 1).sum() >= 5
    np.testing.assert_array_equal(match, theirs[0])
    np.testing.assert_allclose(deltas, theirs[1], atol=1e-5)


@pytest.fixture(scope="module")
def engine(weights, sizes, assign):
    from wadlib.maskrcnn import MaskRCNN

    model = MaskRCNN(sizes["small"])
    assign(model, weights)
    return model


def test_the_original_reads_our_files(learner, engine, weights, tmp_path):
    engine.save(tmp_path / "ours.h5")
    learner.set_weights({name: [np.zeros_like(array) for array in arrays] for name, arrays in weights.items()})
    learner.load(tmp_path / "ours.h5")
    found = learner.weights()
    learner.set_weights(weights)
    for name, arrays in weights.items():
        for array, expected in zip(found[name], arrays, strict=True):
            np.testing.assert_array_equal(array, expected, err_msg=name)


def test_we_read_the_originals_files(original, engine, weights, tmp_path):
    original.save(tmp_path / "theirs.h5")
    for variables in engine.weights_by_layer().values():
        for variable in variables:
            variable.assign(np.zeros(variable.shape))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = engine.load(tmp_path / "theirs.h5")
    assert len(report.loaded) == len(weights)
    assert report.missing == report.unused == ()
    for name, arrays in values(engine).items():
        for array, expected in zip(arrays, weights[name], strict=True):
            np.testing.assert_array_equal(array, expected, err_msg=name)
