"""Detections: by hand, and against the steps written out in NumPy."""

import json

import numpy as np
import pytest
from keras import ops

from wadlib.cli import app
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network import boxes as box_functions
from wadlib.maskrcnn.network import detections
from wadlib.maskrcnn.network.detections import refine

CONFIG = Config.report().replace(num_classes=4, max_instances=5, min_confidence=0.5, nms_threshold=0.3)
WHOLE = np.array([[0, 0, 1, 1]], np.float32)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def probabilities(*rows):
    """One picture; (class, probability) -> a row with the rest spread over the other classes."""
    result = np.zeros((1, len(rows), 4), np.float32)
    for i, (number, p) in enumerate(rows):
        result[0, i] = (1 - p) / 3
        result[0, i, number] = p
    return result


def test_by_hand():
    rois = np.array(
        [[[0, 0, 0.4, 0.4], [0, 0, 0.4, 0.5], [0, 0, 0.4, 0.4], [0.5, 0.5, 1, 1], [0.5, 0, 1, 0.4]]], np.float32
    )
    probs = probabilities((1, 0.8), (1, 0.9), (2, 0.7), (0, 0.99), (3, 0.49))
    deltas = np.zeros((1, 5, 4, 4), np.float32)
    result = numpy(refine(rois, probs, deltas, WHOLE, CONFIG))
    # The first is suppressed by the second (IoU 4/5, same class), the fourth is background, the fifth is doubtful.
    expected = [[0, 0, 0.4, 0.5, 1, 0.9], [0, 0, 0.4, 0.4, 2, 0.7], *[[0] * 6] * 3]
    np.testing.assert_allclose(result[0], expected, atol=1e-6)


def test_the_deltas_of_the_class_count():
    rois = np.array([[[0.2, 0.2, 0.4, 0.4]]], np.float32)
    deltas = np.zeros((1, 1, 4, 4), np.float32)
    deltas[0, 0, 1] = 100  # of another class
    deltas[0, 0, 2] = [5, -5, 0, 0]  # · 0.1 · 0.2: 0.1 down, 0.1 to the left
    result = numpy(refine(rois, probabilities((2, 0.9)), deltas, WHOLE, CONFIG))
    np.testing.assert_allclose(result[0, 0], [0.3, 0.1, 0.5, 0.3, 2, 0.9], atol=1e-6)


def test_cut_to_the_window():
    rois = np.array([[[0.1, 0.1, 0.9, 0.9], [0.0, 0.0, 0.2, 1.0]]], np.float32)
    window = np.array([[0.25, 0, 0.75, 1]], np.float32)
    result = numpy(refine(rois, probabilities((1, 0.9), (2, 0.9)), np.zeros((1, 2, 4, 4), np.float32), window, CONFIG))
    # What lies in the padding has no area left, and goes.
    np.testing.assert_allclose(result[0, :2], [[0.25, 0.1, 0.75, 0.9, 1, 0.9], [0] * 6], atol=1e-6)


def test_padding_is_no_detection():
    result = numpy(
        refine(
            np.zeros((1, 3, 4), np.float32),
            probabilities(*[(1, 0.9)] * 3),
            np.zeros((1, 3, 4, 4), np.float32),
            WHOLE,
            CONFIG,
        )
    )
    assert not result.any()


def test_no_more_than_asked_for():
    rois = np.array([[[0, i / 10, 0.1, (i + 1) / 10] for i in range(10)]], np.float32)
    probs = probabilities(*[(1 + i % 3, 0.6 + 0.03 * i) for i in range(10)])
    result = numpy(refine(rois, probs, np.zeros((1, 10, 4, 4), np.float32), WHOLE, CONFIG))
    np.testing.assert_allclose(result[0, :, 5], [0.87, 0.84, 0.81, 0.78, 0.75], atol=1e-6)


def test_every_class_by_hand():
    rois = np.array([[[0, 0, 0.4, 0.4], [0, 0, 0.4, 0.5], [0.5, 0.5, 1, 1]]], np.float32)
    probs = np.array([[[0.4, 0.35, 0.25, 0], [0.1, 0.6, 0.3, 0], [0.85, 0.05, 0, 0.1]]], np.float32)
    deltas = np.zeros((1, 3, 4, 4), np.float32)
    deltas[0, 1, 2] = [0, -5, 0, 0]  # class 2 of the second one: 5 · 0.1 · 0.5 to the left, so cut to half its width
    config = CONFIG.replace(min_confidence=0.1)
    # The best class of the first is background, which beats an object of either class by little: nothing is said of it.
    best = numpy(refine(rois, probs, deltas, WHOLE, config))
    np.testing.assert_allclose(best[0], [[0, 0, 0.4, 0.5, 1, 0.6], *[[0] * 6] * 4], atol=1e-6)
    # With every class, what the second one says of class 2 is an object as well, in a box of its own. The first
    # overlaps it by (0.4 · 0.25) / (0.4 · 0.4) = 5/8: suppressed in class 2, and by 4/5 in class 1. 0.05 is too little.
    every = numpy(refine(rois, probs, deltas, WHOLE, config.replace(every_class=True)))
    expected = [[0, 0, 0.4, 0.5, 1, 0.6], [0, 0, 0.4, 0.25, 2, 0.3], [0.5, 0.5, 1, 1, 3, 0.1], *[[0] * 6] * 2]
    np.testing.assert_allclose(every[0], expected, atol=1e-6)


def test_with_every_class_only_the_best_candidates_are_compared(monkeypatch):
    monkeypatch.setattr(detections, "CANDIDATES", 2)
    rois = np.array([[[0, 0, 0.2, 0.2], [0.5, 0.5, 1, 1]]], np.float32)
    probs = np.array([[[0, 0.5, 0.3, 0.2], [0, 0.1, 0.3, 0.6]]], np.float32)
    config = CONFIG.replace(min_confidence=0.1, every_class=True)
    found = numpy(refine(rois, probs, np.zeros((1, 2, 4, 4), np.float32), WHOLE, config))
    np.testing.assert_allclose(found[0, :3, 4:], [[3, 0.6], [1, 0.5], [0, 0]], atol=1e-6)


def written_out(rois, probs, deltas, window, config):
    """One picture, class by class."""
    if config.every_class:  # a proposal of its own for each class
        count = config.num_classes - 1
        rois, deltas, probs = np.repeat(rois, count, 0), np.repeat(deltas, count, 0), np.repeat(probs, count, 0)
        classes = np.tile(np.arange(1, count + 1), len(rois) // count)
        scores = probs[np.arange(len(rois)), classes]
    else:
        classes, scores = probs.argmax(1), probs.max(1)
    own_deltas = deltas[np.arange(len(rois)), classes] * np.array(config.box_std, np.float32)
    boxes = box_functions.clip(box_functions.apply_deltas(rois, own_deltas), window).astype(np.float32)
    kept = []
    for number in range(1, config.num_classes):
        of_class = []
        for i in sorted(np.flatnonzero(classes == number), key=lambda i: -scores[i]):
            overlaps = [box_functions.iou(boxes[i][None], boxes[j][None])[0, 0] for j in of_class]
            wanted = scores[i] >= config.min_confidence and box_functions.area(boxes[i]) > 0
            if wanted and all(overlap <= config.nms_threshold for overlap in overlaps):
                of_class.append(i)
        kept += of_class
    kept = sorted(kept, key=lambda i: -scores[i])[: config.max_instances]
    result = np.zeros((config.max_instances, 6), np.float32)
    for row, i in enumerate(kept):
        result[row] = [*boxes[i], classes[i], scores[i]]
    return result


@pytest.mark.parametrize("every_class", [False, True])
@pytest.mark.parametrize("min_confidence", [0.0, 0.4])
def test_same_as_written_out(min_confidence, every_class):
    rng = np.random.default_rng(0)
    config = CONFIG.replace(num_classes=8, max_instances=30, min_confidence=min_confidence, every_class=every_class)
    corner = rng.uniform(0, 0.8, (2, 80, 2))
    rois = np.concatenate([corner, corner + rng.uniform(0.05, 0.2, (2, 80, 2))], -1).astype(np.float32)
    probs = rng.dirichlet(np.full(8, 0.4), (2, 80)).astype(np.float32)
    deltas = rng.normal(0, 1, (2, 80, 8, 4)).astype(np.float32)
    window = np.array([[0, 0, 1, 1], [0.1, 0.0, 0.9, 1.0]], np.float32)
    result = numpy(refine(rois, probs, deltas, window, config))
    for picture in range(2):
        expected = written_out(rois[picture], probs[picture], deltas[picture], window[picture], config)
        np.testing.assert_allclose(result[picture], expected, atol=1e-5)


@pytest.mark.slow
def test_the_commands_option(tmp_path):
    """The best of eight classes has a score of at least 1/8; only with every class is there less."""
    app(["render", str(tmp_path / "wad"), "--videos", "1", "--frames", "1", "--size", "strip"], standalone_mode=False)
    scores = {}
    for option in ([], ["--every-class"]):
        out = tmp_path / f"predicted{len(option)}"
        command = ["predict", str(tmp_path / "wad"), "--weights", "rendered", "--min-score", "0.01", "--out", str(out)]
        app([*command, *option], standalone_mode=False)
        scores[len(option)] = sorted(row["score"] for row in json.loads((out / "instances.json").read_text()))
    best, every = scores[0], scores[1]
    assert best[0] >= 1 / 8
    assert every[0] < 1 / 8
    assert every[-1] == pytest.approx(best[-1])
    assert len(every) > len(best)
