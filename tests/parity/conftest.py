"""The original network and ours, with the same weights: random, but such that every stage has something to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.stand_in_weights import calibrate, ground_truth, picture, random_weights
from wadlib.maskrcnn.config import Config

SMALL = Config.report().replace(
    image_shape=(128, 192),  # 6,138 anchors: more than the 6,000 that go into non-maximum suppression
    batch_size=1,
    proposals_training=300,
    proposals_inference=100,
    max_gt_instances=8,
    min_confidence=0.4,
    proposal_gradient=True,
)
FULL = Config.report().replace(batch_size=1, min_confidence=0.4, proposal_gradient=True)


@pytest.fixture(scope="session")
def matterport():
    from wadlib.training import quiet

    quiet()
    from wadlib.maskrcnn.original import matterport

    return matterport


@pytest.fixture(scope="session")
def original(matterport) -> Iterator:
    """The original at 128x192 in inference mode."""
    with matterport.original(SMALL) as network:
        shapes = {name: [array.shape for array in arrays] for name, arrays in network.weights().items()}
        weights = random_weights(shapes)
        network.set_weights(weights)
        image = picture(SMALL.image_shape)
        calibrate(weights, network.set_weights, lambda stage: network.intermediate([stage], [image])[stage])
        yield network


@pytest.fixture(scope="session")
def weights(original) -> dict[str, list[np.ndarray]]:
    return original.weights()


def reverse(indices):
    """The order in which the original takes proposals as targets, in place of a random one: last ones first."""
    return indices[::-1]


@contextmanager
def repeatable() -> Iterator[None]:
    """What TensorFlow computes inside is the same each time.

    Otherwise the gradient of `crop_and_resize` is not: its threads race, and of two that add to the same cell at once
    one is lost. A step of the original that comes out differently each time is no measure for ours.
    """
    from tensorflow.python.framework import config

    before = config.is_op_determinism_enabled()
    config.enable_op_determinism()
    try:
        yield
    finally:
        if not before:
            config.disable_op_determinism()


@pytest.fixture(scope="session")
def learner(matterport, weights) -> Iterator:
    """The original at 128x192 in training mode, not to be trained: see `fresh_learner`."""
    with matterport.original(SMALL, "training", shuffle=reverse) as network:
        network.set_weights(weights)
        yield network


@pytest.fixture
def fresh_learner(learner, weights) -> Iterator:
    """`learner` to be trained: with its weights of before, and an optimizer at rest."""
    yield learner
    learner.set_weights(weights)
    learner.forget()


@pytest.fixture(scope="session")
def scene(original) -> SimpleNamespace:
    return ground_truth(original, SMALL)


@pytest.fixture(scope="session")
def make_scene():
    return ground_truth


@pytest.fixture(scope="session")
def shuffle():
    return reverse


@pytest.fixture(scope="session")
def without_races():
    return repeatable


@pytest.fixture(scope="session")
def sizes() -> dict[str, Config]:
    return {"small": SMALL, "full": FULL}


@pytest.fixture(scope="session")
def scene_picture():
    return picture


@pytest.fixture(scope="session")
def assign():
    """Function that gives a network of ours the weights of the original."""

    def give(model, weights: dict[str, list[np.ndarray]]) -> None:
        own = model.weights_by_layer()
        assert own.keys() == weights.keys()
        for name, variables in own.items():
            for variable, value in zip(variables, weights[name], strict=True):
                assert tuple(variable.shape) == value.shape, name
                variable.assign(value)

    return give
