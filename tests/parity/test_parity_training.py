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


def values(variables: dict[str, list]) -> dict[str, list[np.ndarray]]:
    from wadlib.training.backend import as_array

    return {name: [as_array(v) for v in some] for name, some in variables.items()}


def momenta(model) -> dict[str, list]:
    """Of the weights that learn, by layer."""
    learner = model.training_model
    of_weight = {id(v): m for v, m in zip(learner.trainable_variables, learner.optimizer.momentums, strict=True)}
    return {name: [of_weight[id(v)] for v in layer.trainable_variables] for name, layer in model.layers.items()}


def grain(shape: tuple[int, ...]) -> np.ndarray:
    """A change of a picture by one part in 100,000, as much as the stages of the two networks differ."""
    return 1e-5 * np.random.default_rng(1).normal(size=shape)


def distance(first, second) -> float:
    """Norm of the difference of all weights together."""
    pairs = ((a, b) for name in first for a, b in zip(first[name], second[name], strict=True))
    return float(np.sqrt(sum(np.linalg.norm(a - b) ** 2 for a, b in pairs)))


@pytest.fixture(scope="session", params=["small", "full"])
def lesson(request, matterport, weights, sizes, shuffle, make_scene, assign, without_races) -> SimpleNamespace:
    """Two steps of the original and of ours: .theirs .ours with .losses .before .weights .momenta of each step.

    Each step of ours begins where the original's began: with its weights and its momenta. What is left of a difference
    after the first step would grow in the second one by as much as the network happens to make of it.

    .theirs.moved_by_grain: the weights after each step, with a picture that differs by a `grain` in this step;
    .theirs.again: the weights after the first step, taken a second time.
    """
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
        grainy = [inputs[0] * (1 + grain(inputs[0].shape)), *inputs[1:]]
        stack.enter_context(without_races())
        theirs = steps_of_the_original(network, weights, inputs, inputs)
        first, second = (steps_of_the_original(network, weights, *x, grainy) for x in ([], [inputs]))
        theirs.again = second.weights[0]
        theirs.moved_by_grain = [first.weights[0], second.weights[1]]
    model = MaskRCNN(config)
    model.compile()
    batch = our_batch(inputs, config)
    ours = SimpleNamespace(losses=[], weights=[], momenta=[])
    for number, before in enumerate(theirs.before):
        assign(model, before)
        if number:
            for name, variables in momenta(model).items():
                for variable, value in zip(variables, theirs.momenta[number - 1][name], strict=True):
                    variable.assign(value)
        ours.losses.append(model.train_on(batch))
        ours.weights.append(values(model.weights_by_layer()))
        ours.momenta.append(values(momenta(model)))
    return SimpleNamespace(config=config, theirs=theirs, ours=ours, class_ids=class_ids)


def steps_of_the_original(network, weights, *inputs) -> SimpleNamespace:
    """A step with each of the inputs, from these weights and from rest."""
    network.set_weights(weights)
    network.forget()
    steps = SimpleNamespace(before=[], losses=[], weights=[], momenta=[])
    for one in inputs:
        steps.before.append(network.weights())
        steps.losses.append(network.train_step(one))
        steps.weights.append(network.weights())
        steps.momenta.append(network.momenta())
    return steps


def test_all_kinds_of_targets_occur(lesson):
    assert len(set(lesson.class_ids[0])) >= 3
    assert (lesson.class_ids == 0).any()
    assert all(lesson.theirs.losses[0][name] > 0.01 for name in LOSSES)


@pytest.mark.parametrize("name", ["loss", *LOSSES])
def test_losses(lesson, name):
    for ours, theirs in zip(lesson.ours.losses, lesson.theirs.losses, strict=True):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-3)


def test_the_originals_step_is_the_same_each_time(lesson):
    assert distance(lesson.theirs.again, lesson.theirs.weights[0]) == 0


def assert_near(own, other, size, start, name) -> None:
    """Of a change of `size`, 1 % may be wrong; and as steps are small, only some digits of it survive in a weight."""
    rounding = 2.5e-7 * float(np.linalg.norm(start))
    assert float(np.linalg.norm(own - other)) <= 1e-2 * float(np.linalg.norm(size)) + rounding, name


@pytest.mark.parametrize("step", [1, 2])
def test_weights(lesson, step):
    """After the first step, from rest; and after the second one, where the momentum of the first one counts.

    Where rounding switches a ReLU, or which of four pixels is the largest, a gradient jumps. So no two float32
    programs take the same step: how far the original's own step moves with a grain of its picture is the measure.
    """
    theirs, ours = lesson.theirs, lesson.ours
    before, after, own = theirs.before[step - 1], theirs.weights[step - 1], ours.weights[step - 1]
    for name in before:
        for mine, other, start in zip(own[name], after[name], before[name], strict=True):
            assert_near(mine, other, other - start, start, name)
    grain_moves, path = distance(theirs.moved_by_grain[step - 1], after), distance(after, before)
    assert 0 < grain_moves < 1e-2 * path
    assert distance(own, after) <= max(1e-3 * path, grain_moves)


@pytest.mark.parametrize("step", [1, 2])
def test_momenta(lesson, step):
    """What the next step begins with besides the weights; after a step from rest it is their change."""
    ours, theirs = lesson.ours.momenta[step - 1], lesson.theirs.momenta[step - 1]
    assert ours.keys() == theirs.keys()
    for name, arrays in theirs.items():
        learning = lesson.theirs.before[step - 1][name][: len(arrays)]  # statistics, which do not, come last
        for own, other, start in zip(ours[name], arrays, learning, strict=True):
            assert_near(own, other, other, start, name)


def test_the_gradient_is_clipped_as_one(lesson):
    """`clip_norm` 5 is reached in both steps, or the tests above would not have tested it."""
    rate, clip = lesson.config.learning_rate, lesson.config.clip_norm
    before, (first, second) = lesson.theirs.before, lesson.ours.weights
    assert distance(first, before[0]) / (rate * clip) == pytest.approx(1, rel=1e-3)
    # With momentum 0.9: at most (1 + 1.9) rate * clip, and near it when both gradients were clipped.
    assert 0.7 < distance(second, before[0]) / (2.9 * rate * clip) <= 1 + 1e-4


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
    from wadlib.maskrcnn.learning.targets import rpn_targets
    from wadlib.maskrcnn.network.anchors import pyramid_anchors

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
    for name, arrays in values(engine.weights_by_layer()).items():
        for array, expected in zip(arrays, weights[name], strict=True):
            np.testing.assert_array_equal(array, expected, err_msg=name)
