"""The simulated predictor: it spoils what it is told to, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from wadlib.errors import MetricError
from wadlib.metrics import InstanceOverlap, best_ious
from wadlib.metrics.simulated import SimulatedPredictor

PERFECT = {"miss": 0, "half_found_px": 0, "shift_px": 0, "grow_px": 0, "confusion": 0, "twice": 0, "invented": 0}


def street(seed=0, objects=12):
    rng = np.random.default_rng(seed)
    label = np.full((120, 160), 255, np.uint16)
    for n in range(objects):
        y, x, h, w = *rng.integers(0, (100, 130)), *rng.integers(6, 20, 2)
        label[y : y + h, x : x + w] = rng.choice([33000, 36000, 39000]) + n
    return label


def predictions(**settings):
    labels = [street(n) for n in range(20)]
    predictor = SimulatedPredictor(**{**PERFECT, **settings})
    return labels, [predictor.predict(f"f{n}", label) for n, label in enumerate(labels)]


def objects(labels):
    return sum(np.count_nonzero(np.unique(label) >= 33000) for label in labels)


def test_without_errors_it_is_the_truth():
    labels, found = predictions()
    for label, each in zip(labels, found, strict=True):
        overlap = InstanceOverlap.from_label(label, each)
        np.testing.assert_array_equal(best_ious(overlap), 1)


def test_the_same_name_and_seed_give_the_same_result():
    one, other = (SimulatedPredictor(seed=1).predict("a", street()) for _ in range(2))
    assert one.scores.tolist() == other.scores.tolist()
    np.testing.assert_array_equal(one.to_label(), other.to_label())
    for seed, name in ((2, "a"), (1, "b")):
        assert SimulatedPredictor(seed=seed).predict(name, street()).scores.tolist() != one.scores.tolist()


def test_misses_and_small_objects():
    labels, found = predictions(miss=0.3)
    share = sum(map(len, found)) / objects(labels)
    assert share == pytest.approx(0.7, abs=0.1)
    _, fewer = predictions(miss=0.3, half_found_px=100)
    assert sum(map(len, fewer)) < sum(map(len, found))
    assert sum(map(len, predictions(miss=1)[1])) == 0


def test_confusion_changes_classes_only():
    _, right = predictions()
    _, wrong = predictions(confusion=0.5)
    same = [one.class_ids == other.class_ids for one, other in zip(right, wrong, strict=True)]
    assert np.mean(np.concatenate(same)) == pytest.approx(0.5, abs=0.1)
    for one, other in zip(right, wrong, strict=True):
        np.testing.assert_array_equal(one.masks, other.masks)


def test_doubles_are_the_same_mask_of_another_class_and_less_sure():
    labels, found = predictions(twice=1)
    assert sum(map(len, found)) == 2 * objects(labels)
    for each in found:
        assert (each.class_ids[::2] != each.class_ids[1::2]).all()
        assert (each.scores[::2] >= each.scores[1::2]).all()
        masks = each.masks
        np.testing.assert_array_equal(masks[::2], masks[1::2])


def test_inventions_come_on_top():
    labels, found = predictions(invented=3)
    assert (sum(map(len, found)) - objects(labels)) / len(labels) == pytest.approx(3, abs=1)


def test_shifted_and_swollen_masks_overlap_the_truth_less():
    labels, found = predictions(shift_px=2, grow_px=2)
    ious = np.concatenate([best_ious(InstanceOverlap.from_label(t, f)) for t, f in zip(labels, found, strict=True)])
    assert 0.4 < ious.mean() < 0.9
    areas = np.concatenate([f.areas_px for f in found])
    assert areas.max() <= 120 * 160


def test_right_ones_are_surer_than_inventions():
    labels, found = predictions(invented=5, certainty=3)
    right, invented = [], []
    for label, each in zip(labels, found, strict=True):
        known = np.count_nonzero(np.unique(label) >= 33000)
        right += each.scores[:known].tolist()
        invented += each.scores[known:].tolist()
    assert np.median(right) > 0.7 > 0.5 > np.median(invented)


def test_objects_at_the_edges_of_the_frame():
    label = np.full((20, 20), 255, np.uint16)
    label[:2], label[-2:], label[:, :2], label[:, -2:] = 33000, 33001, 33002, 33003
    for seed in range(30):
        found = SimulatedPredictor(**{**PERFECT, "shift_px": 5, "grow_px": 3, "invented": 4, "seed": seed}).predict(
            "a", label
        )
        assert found.masks.shape[1:] == (20, 20)
        assert (found.areas_px > 0).all()


@pytest.mark.parametrize("bad", [{"miss": 2}, {"confusion": -0.1}, {"shift_px": -1}, {"invented": float("nan")}])
def test_nonsense_is_refused(bad):
    with pytest.raises(MetricError, match="SimulatedPredictor"):
        SimulatedPredictor(**bad)


def test_its_name_says_what_it_is():
    assert "simulated" in SimulatedPredictor().name
