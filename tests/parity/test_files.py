"""Files of weights, and the way from the network's answer to instances: ours against the original package's."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def model(sizes):
    from wadlib.maskrcnn import MaskRCNN

    return MaskRCNN(sizes["small"].replace(seed=5))


def arrays(model) -> dict[str, list[np.ndarray]]:
    from wadlib.training import as_array

    return {name: [as_array(variable) for variable in own] for name, own in model.weights_by_layer().items()}


def equal(first, second) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(a, b) for name in first for a, b in zip(first[name], second[name], strict=True)
    )


def test_we_read_what_the_original_wrote(original, weights, model, tmp_path):
    original.save(tmp_path / "theirs.h5")
    report = model.load(tmp_path / "theirs.h5")
    assert (report.missing, report.unused, report.excluded) == ((), (), ())
    assert len(report.loaded) == len(weights)
    assert equal(arrays(model), weights)


@pytest.mark.parametrize("compact", [False, True])
def test_the_original_reads_what_we_wrote(learner, weights, model, assign, tmp_path, compact):
    assign(model, {name: [array + np.float32(0.125) for array in own] for name, own in weights.items()})
    model.save(tmp_path / "ours.h5", compact=compact)
    learner.load(tmp_path / "ours.h5")
    read, written = learner.weights(), arrays(model)
    learner.set_weights(weights)
    if compact:  # kernels as float16
        for name, own in written.items():
            for got, expected in zip(read[name], own, strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-6)
    else:
        assert equal(read, written)


@pytest.mark.parametrize("shape", [(128, 192), (128, 100), (77, 192), (60, 90)])
def test_unmold(original, matterport, sizes, shape):
    """The same answer of the network as boxes and masks, of pictures that fill the input and that are padded."""
    from wadlib.maskrcnn.frames.images import unmold
    from wadlib.maskrcnn.frames.views import Placement

    config, rng = sizes["small"], np.random.default_rng(sum(shape))
    placement = Placement.of(shape, config)
    y1, x1, y2, x2 = placement.normalized_window
    low = rng.uniform([y1, x1], [y2, x2], (30, 2))
    high = rng.uniform(low, [y2, x2])
    detections = np.concatenate([low, high, rng.integers(1, 8, (30, 1)), rng.uniform(0.5, 1, (30, 1))], axis=1)
    detections = np.concatenate([detections, np.zeros((70, 6))]).astype(np.float32)
    coarse = rng.uniform(0, 1, (100, 7, 7, 8)).astype(np.float32)
    masks = np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)
    boxes, classes, scores, theirs = original.network.unmold_detections(
        detections, masks, (*shape, 3), (*config.image_shape, 3), placement.window
    )
    order = np.argsort(-scores, kind="stable")
    ours = unmold(detections, masks, placement, config)
    np.testing.assert_array_equal(ours.boxes, boxes[order])
    np.testing.assert_array_equal(ours.class_ids, np.array(config.wad_classes)[classes[order]])
    np.testing.assert_array_equal(ours.scores, scores[order])
    np.testing.assert_array_equal(ours.masks, theirs.transpose(2, 0, 1)[order])
