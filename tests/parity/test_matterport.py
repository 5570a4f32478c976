"""The adapted original does what its users know it for, and leaves the process as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from wadlib.errors import ImageError, SegmentationError, WadError, WeightsError
from wadlib.maskrcnn.config import Config

pytestmark = pytest.mark.parity

LOSSES = ("rpn_class_loss", "rpn_bbox_loss", "mrcnn_class_loss", "mrcnn_bbox_loss", "mrcnn_mask_loss")


def test_has_the_original_number_of_weights(weights):
    assert sum(array.size for arrays in weights.values() for array in arrays) == 44_695_234


def test_layers_have_the_original_names(weights):
    names = "conv1 bn_conv1 res2a_branch2a res4f_branch2c bn5c_branch2c fpn_c5p5 fpn_p2 rpn_conv_shared rpn_bbox_pred"
    assert set(names.split()) < set(weights)
    assert weights["mrcnn_class_conv1"][0].shape == (7, 7, 256, 1024)


def test_detects(original, scene):
    (found,) = original.detect([scene.image])
    count = len(found["scores"])
    assert count >= 10
    assert len(set(found["class_ids"])) >= 4
    assert found["rois"].shape == (count, 4)
    assert found["rois"].dtype == np.int32
    assert found["masks"].shape == (128, 192, count)
    assert found["masks"].dtype == bool
    assert (found["scores"] >= 0.4).all()
    assert (np.diff(found["scores"]) <= 0).all()
    filled = found["masks"].sum(axis=(0, 1)) / np.prod(found["rois"][:, 2:] - found["rois"][:, :2], axis=1)
    assert 0.2 < np.median(filled) < 0.8


def test_detects_several_pictures_one_by_one(original, scene):
    first, second = original.detect([scene.image, scene.image[:, ::-1]])
    assert len(first["scores"]) != len(second["scores"]) or not np.array_equal(first["rois"], second["rois"])


def test_mrcnns_own_methods_work_from_outside(original, scene):
    (found,) = original.network.detect([scene.image])
    np.testing.assert_array_equal(found["rois"], original.detect([scene.image])[0]["rois"])
    model = original.network.keras_model
    kept = model.get_weights()
    model.set_weights(kept)
    with original.network.scope():
        assert model.get_layer("conv1").get_weights()[0].shape == (7, 7, 3, 64)


def test_learns(fresh_learner, scene):
    before = fresh_learner.weights()
    steps = [fresh_learner.train_step(scene.inputs) for _ in range(3)]
    for losses in steps:
        assert set(losses) == {"loss", *LOSSES}
        assert all(np.isfinite(value) and value > 0 for value in losses.values())
        penalty = losses["loss"] - sum(losses[name] for name in LOSSES)
        assert 0 < penalty < 0.1
    assert steps[2]["loss"] < steps[0]["loss"]
    after = fresh_learner.weights()
    moved = {name for name in before if not np.array_equal(before[name][0], after[name][0])}
    assert {"conv1", "bn_conv1", "res5c_branch2c", "rpn_class_raw", "mrcnn_mask"} <= moved
    np.testing.assert_array_equal(before["bn_conv1"][2], after["bn_conv1"][2])  # the statistics stand still


def test_only_named_layers_learn(fresh_learner, scene):
    before = fresh_learner.weights()
    fresh_learner.train_step(scene.inputs, layers="mrcnn_.*|rpn_.*")
    after = fresh_learner.weights()
    moved = {name for name in before if not np.array_equal(before[name][0], after[name][0])}
    assert moved
    assert all(name.startswith(("mrcnn_", "rpn_")) for name in moved)


def test_losses_do_not_learn(learner, scene, weights):
    losses = learner.losses(scene.inputs)
    assert learner.losses(scene.inputs) == losses
    np.testing.assert_array_equal(learner.weights()["mrcnn_mask"][0], weights["mrcnn_mask"][0])


def test_a_surely_wrong_pixel_costs_what_it_did(matterport):
    """Keras 2.0.8: -log(1e-7); tf-keras' own function says -log(2e-7)."""
    loss = matterport.modules().model.K.binary_crossentropy(
        target=np.ones(1, np.float32), output=np.zeros(1, np.float32)
    )
    assert float(loss[0]) == pytest.approx(-np.log(1e-7), rel=1e-5)


def test_weights_survive_a_file(original, learner, weights, tmp_path):
    path = tmp_path / "mask_rcnn_small_0001.h5"
    original.save(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    learner.set_weights({"conv1": [np.zeros_like(array) for array in weights["conv1"]]})
    learner.load(path)
    for name, arrays in learner.weights().items():
        for array, expected in zip(arrays, weights[name], strict=True):
            np.testing.assert_array_equal(array, expected, err_msg=name)


def test_load_leaves_excluded_layers_alone(original, learner, weights, tmp_path):
    original.save(tmp_path / "w.h5")
    zeros = [np.zeros_like(array) for array in weights["mrcnn_mask"]]
    learner.set_weights({"mrcnn_mask": zeros, "conv1": [np.zeros_like(array) for array in weights["conv1"]]})
    learner.load(tmp_path / "w.h5", exclude=["mrcnn_mask"])
    now = learner.weights()
    learner.set_weights(weights)
    assert not now["mrcnn_mask"][0].any()
    np.testing.assert_array_equal(now["conv1"][0], weights["conv1"][0])


@pytest.fixture
def dataset(matterport, scene):
    class Scenes(matterport.modules().utils.Dataset):
        def load_image(self, image_id):
            return scene.image if image_id == 0 else scene.image[:, ::-1]

        def load_mask(self, image_id):
            masks = scene.masks[:-1].transpose(1, 2, 0)
            return (masks if image_id == 0 else masks[:, ::-1]), scene.class_ids[:-1]

    made = Scenes()
    for number in range(1, 8):
        made.add_class("wad", number, f"class {number}")
    for number in range(2):
        made.add_image("wad", number, path=None)
    made.prepare()
    return made


def test_train_as_its_users_know_it(matterport, original, dataset, weights, tmp_path, capsys):
    config = matterport.to_original_config(Config.report().replace(image_shape=(128, 192), max_gt_instances=8), 1)
    config.STEPS_PER_EPOCH, config.VALIDATION_STEPS = 2, 1
    original.save(tmp_path / "start.h5")
    network = matterport.build("training", config, tmp_path / "logs")
    network.load_weights(str(tmp_path / "start.h5"), by_name=True)
    network.train(dataset, dataset, learning_rate=config.LEARNING_RATE, epochs=2, layers="heads")
    said = capsys.readouterr().out
    assert "rpn_conv_shared" in said
    assert "mrcnn_mask_loss" in said
    assert "val_loss" in said

    last = network.find_last()
    assert last.endswith("mask_rcnn_report_0002.h5")
    assert any(name.startswith("events.out") for _, _, names in os.walk(tmp_path / "logs") for name in names)
    network.load_weights(last, by_name=True)
    assert network.epoch == 2
    network.close()


# --- the rest of the process ---------------------------------------------------------------------


def test_nothing_is_left_in_the_process(matterport, original):
    import keras
    import tensorflow as tf

    assert keras.__version__.startswith("3.")
    assert "mrcnn.model" not in sys.modules
    assert not any(name == "keras.engine" for name in sys.modules)
    assert tf.executing_eagerly()
    assert float(tf.reduce_sum(tf.ones(3) * 2)) == 6
    assert matterport.modules().model.keras is not keras


def test_keras_3_still_learns(original, scene):
    import keras

    original.detect([scene.image])
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.eye(3, dtype=np.float32)
    first = model.evaluate(x, np.ones(3), verbose=0)
    model.fit(x, np.ones(3), epochs=5, verbose=0)
    assert model.evaluate(x, np.ones(3), verbose=0) < first


def test_building_leaves_random_states_and_warning_filters_alone(matterport):
    import random

    states = random.getstate(), np.random.get_state()[1].copy(), list(warnings.filters)  # noqa: NPY002
    with matterport.original(Config.report().replace(image_shape=(64, 64), batch_size=1)) as network:
        first = network.weights()["conv1"][0]
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert list(warnings.filters) == states[2]
    with matterport.original(Config.report().replace(image_shape=(64, 64), batch_size=1)) as network:
        np.testing.assert_array_equal(network.weights()["conv1"][0], first)


ORDERS = {
    "Keras 3 first": "eager(); original(); eager()",
    "the original first": "original(); eager(); original()",
}


@pytest.mark.parametrize("order", ORDERS)
def test_order_of_imports_does_not_matter(order):
    code = f"""
import numpy as np

def eager():
    import keras
    import tensorflow as tf
    assert keras.__version__.startswith("3.")
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    assert float(tf.constant(2.0) * 3) == 6

def original():
    from wadlib.maskrcnn.original import matterport
    from wadlib.maskrcnn.config import Config
    with matterport.original(Config.report().replace(image_shape=(64, 64), batch_size=1)) as network:
        network.detect([np.zeros((64, 64, 3), np.uint8)])

{ORDERS[order]}
"""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"backbone": "lite0"}, "backbone"), ({"pre_nms_limit": 1000}, "pre_nms_limit"), ({"mask_channels": 64}, "mask")],
)
def test_a_config_that_the_original_cannot_do(matterport, changes, field):
    with pytest.raises(SegmentationError, match=field):
        matterport.to_original_config(Config.report().replace(**changes))


def test_says_which_layer_is_unknown(original, scene):
    with pytest.raises(SegmentationError, match="fpn_p7"):
        original.intermediate(["fpn_p2", "fpn_p7"], [scene.image])


def test_wants_inputs_of_its_mode(original, learner, scene):
    with pytest.raises(SegmentationError, match="expected 7 inputs in training mode, got 3"):
        learner.losses(original.molded([scene.image]))
    with pytest.raises(SegmentationError, match="training mode, got inference"):
        original.train_step(scene.inputs)
    with pytest.raises(SegmentationError, match="got 'test'"):
        type(original)(original.config, "test")


@pytest.mark.parametrize("shape", [(128, 190, 3), (128, 192), (128, 192, 4)])
def test_wants_pictures_of_whole_cells(original, shape):
    with pytest.raises(ImageError, match="multiples of 64"):
        original.detect([np.zeros(shape, np.uint8)])


def test_wants_weights_that_fit(original, weights, tmp_path):
    with pytest.raises(WeightsError, match="conv1"):
        original.set_weights({"conv1": weights["fpn_p2"]})
    with pytest.raises(WeightsError, match="conv0"):
        original.set_weights({"conv0": weights["fpn_p2"]})
    with pytest.raises(WeightsError, match=r"nothing\.h5"):
        original.load(tmp_path / "nothing.h5")


def test_says_which_versions_it_was_tested_with(monkeypatch):
    import tf_keras

    from wadlib.maskrcnn.original import _stand_ins

    monkeypatch.setattr(tf_keras, "__version__", "2.15.0")
    with pytest.raises(WadError, match=r"expected tf-keras 2\.21, got 2\.15\.0"):
        _stand_ins.load()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WadError, match=r"pip install mrcnn==0\.2"):
        _stand_ins.load()
