"""The network: layers beside their definition, the model at a small size, and that it learns."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from benchmarks.bench_maskrcnn import computes_in_bfloat16
from tests.maskrcnn import small_training
from wadlib.errors import TrainingError
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.maskrcnn.learning.forward import training_pass
from wadlib.maskrcnn.learning.optimizers import optimizer, weight_penalty
from wadlib.maskrcnn.learning.sampled_rpn import outputs_of_patches, patches_around, sampled_anchors
from wadlib.maskrcnn.learning.training_model import LAYER_SETS, TrainingModel, select_layers
from wadlib.maskrcnn.network.anchors import pyramid_anchors
from wadlib.maskrcnn.network.boxes import denormalize, iou
from wadlib.maskrcnn.network.heads import Doubling
from wadlib.maskrcnn.network.layers import BN_EPSILON, Convolution, Normalized
from wadlib.maskrcnn.network.rpn import rpn_model, rpn_on_pyramid
from wadlib.training.backend import as_array

SCRIPT = Path(__file__).with_name("network_forward.py")
WHOLE = np.array([[0, 0, 1, 1]], np.float32)
LOSSES = {"rpn_class_loss", "rpn_bbox_loss", "mrcnn_class_loss", "mrcnn_bbox_loss", "mrcnn_mask_loss"}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("network_forward", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(script):
    return MaskRCNN(script.config())


@pytest.fixture(scope="module")
def report():
    return MaskRCNN(Config.report().replace(image_shape=(64, 64), batch_size=1))


@pytest.fixture
def step_by_step():
    """For a test of one or two steps: to run them is quicker than to compile them."""
    small_training.step_by_step()
    yield
    small_training.step_by_step(False)


def random_weights(layers, seed=0):
    rng = np.random.default_rng(seed)
    for layer in layers:
        for variable in layer.weights:
            low = 0.5 if variable.name == "moving_variance" else -0.5
            variable.assign(rng.uniform(low, 1, variable.shape))


def close(found, expected, **options):
    found, expected = (ops.convert_to_numpy(value) for value in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max(), **options)


# --- layers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize(
    ("filters", "size", "padding", "strides"), [(6, 3, "same", 2), (6, 8, "valid", 1), (None, 3, "same", 2)]
)
def test_folded_normalisation_is_a_convolution_and_then_a_normalisation(fold, filters, size, padding, strides):
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 4)).astype(np.float32)
    convolution = Convolution(filters, size, strides=strides, padding=padding, fold=fold, name="conv")
    pair = Normalized(convolution, "bn", Config.report(), filters or 4)
    pair(x)  # makes the weights
    random_weights([convolution, pair.normalization])

    kernel, bias = (variable.numpy() for variable in convolution.weights)
    gamma, beta, mean, variance = (variable.numpy() for variable in pair.normalization.weights)
    plain = ops.depthwise_conv if filters is None else ops.conv
    y = plain(x, kernel, strides, padding) + bias
    close(pair(x), gamma * (y - mean) / np.sqrt(variance + BN_EPSILON) + beta)


def test_doubling_is_a_transposed_convolution():
    x = np.random.default_rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32)
    layer = Doubling(6, Config.report(), name="double")
    layer(x)
    random_weights([layer])
    cells = ops.reshape(layer(x), (2, 3, 5, 2, 2, 6))
    found = ops.reshape(ops.transpose(cells, (0, 1, 3, 2, 4, 5)), (2, 6, 10, 6))
    close(found, ops.conv_transpose(x, layer.kernel, 2, "valid") + layer.bias)


@pytest.mark.parametrize("separable", [True, False])
def test_patches_of_sampled_anchors_have_the_outputs_of_the_whole_level(separable):
    config = Config.report().replace(
        image_shape=(64, 128), fpn_channels=8, rpn_channels=8, rpn_train_anchors=40, separable=separable
    )
    rng = np.random.default_rng(0)
    network = rpn_model(config)
    random_weights([network])
    levels = [rng.normal(size=(2, *shape, 8)).astype(np.float32) for shape in config.feature_shapes]
    logits, _, deltas = rpn_on_pyramid(
        network, {f"P{n}": ops.convert_to_tensor(level) for n, level in enumerate(levels, 2)}
    )
    match = np.zeros((2, logits.shape[1]), np.int8)
    for row in match:
        row[rng.choice(match.shape[1], 30, replace=False)] = rng.choice([-1, 1], 30)
        row[[0, -1]] = 1  # both ends of the list: corners, where the patch reaches over the border

    few, anchors = sampled_anchors(ops.convert_to_tensor(match), config)
    ratio, patches = patches_around(anchors, *levels, config=config)
    some_logits, some_deltas = outputs_of_patches(network, ratio, patches, config)
    for picture in range(2):
        chosen, kept = match[picture] != 0, ops.convert_to_numpy(few[picture]) != 0
        np.testing.assert_array_equal(ops.convert_to_numpy(few[picture])[kept], match[picture][chosen])
        close(ops.convert_to_numpy(some_logits[picture])[kept], ops.convert_to_numpy(logits[picture])[chosen])
        close(ops.convert_to_numpy(some_deltas[picture])[kept], ops.convert_to_numpy(deltas[picture])[chosen])


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_optimizer_adds_the_gradient_of_the_penalty_before_it_limits(name):
    config = Config.report().replace(optimizer=name, weight_decay=0.5, clip_norm=1.0)
    plain = {"sgd": keras.optimizers.SGD(0.1, momentum=0.9), "adam": keras.optimizers.Adam(0.1)}[name]

    def start():
        return [
            keras.Variable(np.array([[1.0, -2.0], [3.0, 4.0]], "float32"), name="kernel"),
            keras.Variable(np.array([2.0], "float32"), name="gamma"),
        ]

    ours, theirs, made = start(), start(), optimizer(config, 0.1)
    for factor in (0.1, 3.0, 0.2):  # within the limit, beyond it, within it again
        gradients = [factor * np.array([[1.0, 0.0], [2.0, -1.0]], "float32"), factor * np.array([0.5], "float32")]
        # d/dw of 0.5 / 4 Σ w² is w / 4; gamma has no penalty.
        whole = [gradients[0] + as_array(theirs[0]) / 4, gradients[1]]
        norm = np.sqrt(sum(np.square(g).sum() for g in whole))
        made.apply([ops.convert_to_tensor(g) for g in gradients], ours)
        plain.apply([ops.convert_to_tensor(g * min(1, 1 / norm)) for g in whole], theirs)
        for own, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(as_array(own), as_array(other), rtol=1e-5)


def test_weight_penalty_by_hand():
    kernel = keras.Variable([[1.0, 2.0], [3.0, 4.0]], name="kernel")
    bias = keras.Variable([2.0], name="bias")
    gamma = keras.Variable([100.0], name="gamma")
    assert float(weight_penalty([kernel, bias, gamma], 0.1)) == pytest.approx(0.1 * (30 / 4 + 4 / 1))


# --- the whole -------------------------------------------------------------------------------------------------------


def resnet50_parameters():
    """Counted by hand: convolutions with bias, four numbers per normalised channel."""

    def convolution(size, inputs, outputs, normalized=True):
        return size * size * inputs * outputs + outputs + 4 * outputs * normalized

    total, inputs = convolution(7, 3, 64), 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            total += convolution(1, inputs, width) + convolution(3, width, width) + convolution(1, width, 4 * width)
            total += convolution(1, inputs, 4 * width) if block == 0 else 0
            inputs = 4 * width
    pyramid = sum(convolution(1, 256 * 2**n, 256, False) + convolution(3, 256, 256, False) for n in range(4))
    rpn = convolution(3, 256, 512, False) + convolution(1, 512, 3 * 2, False) + convolution(1, 512, 3 * 4, False)
    classes = convolution(7, 256, 1024) + convolution(1, 1024, 1024) + 1025 * 8 + 1025 * 8 * 4
    masks = 4 * convolution(3, 256, 256) + convolution(2, 256, 256, False) + convolution(1, 256, 8, False)
    return total + pyramid + rpn + classes + masks


def test_report_has_as_many_parameters_as_the_original(report):
    found = sum(variable.numpy().size for variables in report.weights_by_layer().values() for variable in variables)
    assert found == resnet50_parameters() == 44_695_234


@pytest.mark.parametrize(
    ("layer", "names", "shape"),
    [
        ("conv1", ["kernel", "bias"], (7, 7, 3, 64)),
        ("bn_conv1", ["gamma", "beta", "moving_mean", "moving_variance"], (64,)),
        ("res4f_branch2b", ["kernel", "bias"], (3, 3, 256, 256)),
        ("bn5a_branch1", ["gamma", "beta", "moving_mean", "moving_variance"], (2048,)),
        ("fpn_c5p5", ["kernel", "bias"], (1, 1, 2048, 256)),
        ("rpn_conv_shared", ["kernel", "bias"], (3, 3, 256, 512)),
        ("rpn_bbox_pred", ["kernel", "bias"], (1, 1, 512, 12)),
        ("mrcnn_class_conv1", ["kernel", "bias"], (7, 7, 256, 1024)),
        ("mrcnn_bbox_fc", ["kernel", "bias"], (1024, 32)),
        ("mrcnn_mask_deconv", ["kernel", "bias"], (2, 2, 256, 256)),
        ("mrcnn_mask", ["kernel", "bias"], (1, 1, 256, 8)),
    ],
)
def test_weights_are_named_and_shaped_as_in_the_original(report, layer, names, shape):
    weights = report.weights_by_layer()[layer]
    assert [weight.name for weight in weights] == names
    assert tuple(weights[0].shape) == shape


def test_resnet101_has_17_more_blocks():
    layers = MaskRCNN(Config.coco().replace(image_shape=(64, 64))).layers
    assert "res4w_branch2c" in layers
    assert "res4x_branch2c" not in layers


def test_classroom_weights_fit_into_the_repository():
    model = MaskRCNN(Config.classroom())
    parameters = sum(variable.numpy().size for variables in model.weights_by_layer().values() for variable in variables)
    assert 2 * parameters <= 20e6  # shipped as float16


@pytest.mark.parametrize(
    ("which", "first", "frozen"),
    [("heads", "fpn_c5p5", "res5a_expand"), ("4+", "res4a_expand", "bn3a_filter"), ("all", "conv1", None)],
)
def test_layer_sets(model, which, first, frozen):
    select_layers(model.layers, which)
    learning = {name for name, layer in model.layers.items() if layer.trainable_variables}
    assert {first, "rpn_conv_shared", "mrcnn_mask_deconv"} <= learning
    assert frozen not in learning
    select_layers(model.layers, "all")


def test_layer_sets_contain_each_other(report):
    names = list(report.layers)
    sizes = []
    for which in ("heads", "5+", "4+", "3+", "all"):
        select_layers(report.layers, which)
        sizes.append(sum(bool(report.layers[name].trainable_variables) for name in names))
    assert set(LAYER_SETS) == {"heads", "5+", "4+", "3+", "all"}
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == len(names)


def test_no_layer_of_that_name(model):
    with pytest.raises(TrainingError, match="got 'head'"):
        select_layers(model.layers, "head")


def test_stages(model, script):
    config = model.config
    found = model.stages(script.picture(config)[0])
    anchors = len(pyramid_anchors(config))
    for number, (rows, columns) in enumerate(config.feature_shapes, start=2):
        assert found[f"P{number}"].shape == (1, rows, columns, config.fpn_channels)
    assert found["C5"].shape == (1, 4, 6, 320)
    assert found["rpn_class"].shape == (1, anchors, 2)
    assert found["rpn_bbox"].shape == (1, anchors, 4)
    assert found["rpn_rois"].shape == (1, 40, 4)
    assert found["mrcnn_bbox"].shape == (1, 40, 8, 4)
    assert found["mrcnn_detection"].shape == (1, 20, 6)
    assert found["mrcnn_mask"].shape == (1, 20, 28, 28, 8)
    np.testing.assert_allclose(found["mrcnn_class"].sum(axis=-1), 1, rtol=1e-5)
    assert all(np.isfinite(value).all() for value in found.values())


def test_masks_are_computed_for_what_was_detected_only(model, script):
    config = model.config
    images = np.concatenate([script.picture(config), script.picture(config)[:, ::-1]])
    stages = model.stages(images)
    detections, masks = model.forward(images, np.repeat(WHOLE, 2, axis=0))
    close(detections, stages["mrcnn_detection"])
    most = (detections[..., 4] > 0).sum(axis=1).max()
    assert masks.shape == (2, most, 28, 28)
    for picture in range(2):
        for number in range(most):
            of_class = int(detections[picture, number, 4])
            close(masks[picture, number], stages["mrcnn_mask"][picture, number, ..., of_class])


def test_nothing_found(script):
    model = MaskRCNN(script.config(min_confidence=1.0))
    detections, masks = model.forward(script.picture(model.config), WHOLE)
    assert not detections.any()
    assert masks.shape == (1, 0, 28, 28)


def test_same_seed_same_weights_in_any_order(script):
    first, second = (MaskRCNN(script.config(seed=seed)).layers for seed in (1, 1))
    other = MaskRCNN(script.config(seed=2)).layers
    for name, layer in first.items():
        np.testing.assert_array_equal(layer.weights[0].numpy(), second[name].weights[0].numpy())
    assert (other["conv1"].weights[0].numpy() != first["conv1"].weights[0].numpy()).any()


def test_bfloat16_is_close(model, script):
    """No further off than rounding explains: beside float32 arithmetic on kernels that were rounded once.

    In bfloat16 a convolution rounds its kernel, its input and its result, all to 8 bits; a processor without such
    instructions adds the bias apart from it, which rounds the bias and the sum too. Errors of one size that know
    nothing of each other add up to the square root of their number: of five at most.
    """
    half, rounded = MaskRCNN(script.config(dtype="mixed_bfloat16")), MaskRCNN(script.config())
    for variables in rounded.weights_by_layer().values():
        for variable in variables:
            if variable.name.endswith("kernel"):
                variable.assign(ops.cast(ops.cast(variable, "bfloat16"), "float32"))
    image, most = script.picture(model.config)[0], 2 if computes_in_bfloat16() else 5**0.5
    exact, found, nearly = model.stages(image), half.stages(image), rounded.stages(image)
    for name in ("C5", "P2", "rpn_class_logits", "rpn_bbox"):
        off, step = (np.sqrt(np.square(other[name] - exact[name]).mean()) for other in (found, nearly))
        print(name, off / step)
        assert 0 < off < most * step, name
    assert {variable.dtype for layer in half.layers.values() for variable in layer.weights} == {"float32"}


# --- training --------------------------------------------------------------------------------------------------------


def train(script, steps):
    """A network after so many steps on one picture, and the losses of each."""
    model = MaskRCNN(script.config(min_confidence=0.7))
    model.compile(learning_rate=2e-3)
    return model, [model.train_on(script.batch(model.config, seed=step)) for step in range(steps)]


@pytest.fixture(scope="module")
def trained(script):
    return train(script, 110)


@pytest.mark.slow
def test_learns_one_picture_by_heart(script, trained):
    model, curve = trained
    assert set(curve[0]) == LOSSES | {"loss"}
    assert curve[-1]["loss"] < 0.2 * curve[0]["loss"]

    detections, masks = model.forward(script.picture(model.config), WHOLE)
    found = detections[0][detections[0, :, 4] > 0]
    overlap = iou(script.BOXES, denormalize(found[:, :4], model.config.image_shape))
    assert (overlap.max(axis=1) > 0.6).all()
    assert list(found[overlap.argmax(axis=1), 4]) == list(script.CLASS_IDS)
    disc = masks[0, overlap[1].argmax()] > 0.5
    assert disc[14, 14]
    assert not disc[[0, 0, -1, -1], [0, -1, 0, -1]].all()

    # A frame without objects is a legal example: nothing to learn for boxes and masks.
    losses = model.evaluate_on(script.batch(model.config, objects=0))
    assert losses["rpn_bbox_loss"] == losses["mrcnn_bbox_loss"] == losses["mrcnn_mask_loss"] == 0
    assert all(np.isfinite(value) for value in losses.values())


@pytest.mark.slow
def test_same_seed_same_losses(script, trained):
    assert train(script, 4)[1] == trained[1][:4]


@pytest.mark.slow
def test_losses_are_weighted_and_add_up(script, step_by_step):
    weights = {"mrcnn_class_loss": 0.5, "rpn_bbox_loss": 0.0}
    plain = MaskRCNN(script.config()).evaluate_on(script.batch(script.config()))
    model = MaskRCNN(script.config(loss_weights=weights))
    found = model.evaluate_on(script.batch(model.config))
    for name in LOSSES:
        assert found[name] == pytest.approx(weights.get(name, 1.0) * plain[name], rel=1e-5)
    penalty = float(weight_penalty(model.training_model.trainable_variables, model.config.weight_decay))
    assert found["loss"] == pytest.approx(sum(found[name] for name in LOSSES) + penalty, rel=1e-5)


@pytest.mark.slow
def test_only_chosen_layers_learn(script, step_by_step):
    model = MaskRCNN(script.config())
    before = {name: [v.numpy() for v in variables] for name, variables in model.weights_by_layer().items()}
    model.compile(layers="heads")
    model.train_on(script.batch(model.config))
    for name, variables in model.weights_by_layer().items():
        same = all((old == new.numpy()).all() for old, new in zip(before[name], variables, strict=True))
        assert same == name.startswith(("conv1", "bn", "res")), name


@pytest.fixture(scope="module")
def near_proposals(script, model):
    """Three boxes where a fresh network proposes some, nearly: there is something to learn."""
    found = model.stages(script.picture(model.config)[0])["rpn_rois"][0]
    boxes = denormalize(found[:3], (script.HEIGHT, script.WIDTH))
    return boxes + np.float32(0.1) * np.tile((boxes[:, 2:] - boxes[:, :2]), 2)


@pytest.mark.slow
@pytest.mark.parametrize("proposal_gradient", [False, True])
def test_box_targets_teach_the_region_proposals_only_if_asked(script, near_proposals, step_by_step, proposal_gradient):
    only = dict.fromkeys(LOSSES, 0.0) | {"mrcnn_bbox_loss": 1.0}
    config = script.config(proposal_gradient=proposal_gradient, loss_weights=only, weight_decay=0.0, optimizer="sgd")
    model, batch = MaskRCNN(config), script.batch(config)
    batch["gt_boxes"][0, :3] = near_proposals
    before = {name: as_array(model.layers[name].kernel) for name in ("rpn_bbox_pred", "mrcnn_bbox_fc")}
    assert model.train_on(batch)["mrcnn_bbox_loss"] > 0
    moved = {name: bool((as_array(model.layers[name].kernel) != old).any()) for name, old in before.items()}
    assert moved == {"rpn_bbox_pred": proposal_gradient, "mrcnn_bbox_fc": True}


@pytest.mark.slow
def test_the_dense_and_the_sampled_way_through_the_rpn_make_the_same_step(script, near_proposals, step_by_step):
    def step(dense, proposal_gradient):
        config = script.config(proposal_gradient=proposal_gradient, optimizer="sgd", clip_norm=1e9)
        model = MaskRCNN(config)
        learner = model.training_model = TrainingModel(*training_pass(model.network, dense_gradient=dense), config)
        before = [as_array(v) for v in learner.trainable_variables]
        batch = script.batch(config)
        batch["gt_boxes"][0, :3] = near_proposals
        losses = model.train_on(batch)
        moved = [as_array(v) - old for v, old in zip(learner.trainable_variables, before, strict=True)]
        return losses, {v.path: change for v, change in zip(learner.trainable_variables, moved, strict=True)}

    losses, moved = step(dense=True, proposal_gradient=True)
    sampled_losses, sampled = step(dense=False, proposal_gradient=True)
    _, without = step(dense=False, proposal_gradient=False)
    assert sampled_losses == pytest.approx(losses, rel=1e-4)
    assert sampled.keys() == moved.keys()
    for name, change in moved.items():
        assert np.linalg.norm(change) > 0
        assert np.linalg.norm(sampled[name] - change) < 1e-3 * np.linalg.norm(change), name
    # It is the gradient through the box targets that was compared: without it, the deltas learn something else.
    (name,) = (name for name in moved if name.endswith("rpn_bbox_pred/kernel"))
    assert np.linalg.norm(without[name] - moved[name]) > 0.1 * np.linalg.norm(moved[name])


@pytest.mark.slow
def test_batch_statistics_are_learnt_where_the_configuration_asks_for_it(script):
    config = script.config(train_bn=True)
    model, batch = MaskRCNN(config), script.batch(config)
    normalization = model.layers["bn_conv1"]
    before = model.layers["conv1"](batch["image"])  # what is normalised in the first step
    model.compile(learning_rate=1e-3)
    first = model.train_on(batch)
    assert all(np.isfinite(value) for value in first.values())
    kept, gamma = 0.99, 1e-3  # Keras' share of the old statistics; what Adam can move a weight by in a step
    mean, variance = (as_array(v) for v in (normalization.moving_mean, normalization.moving_variance))
    pixels = ops.convert_to_numpy(before).reshape(-1, before.shape[-1])
    np.testing.assert_allclose(mean, (1 - kept) * pixels.mean(axis=0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(variance, kept + (1 - kept) * pixels.var(axis=0), rtol=1e-3)
    assert 0 < np.abs(as_array(normalization.gamma) - 1).max() < 2 * gamma

    # What is frozen keeps its statistics too.
    model.compile(layers="heads")
    model.train_on(batch)
    np.testing.assert_array_equal(as_array(normalization.moving_mean), mean)
    assert all(np.isfinite(value).all() for value in model.stages(batch["image"][0]).values())
