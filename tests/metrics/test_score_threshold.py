"""The choice of a score threshold: by fractions, and against label maps that were written at that threshold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wadlib.errors import MetricError
from wadlib.frames import read_label, write_label
from wadlib.instances import Instances, Runs, write_predictions
from wadlib.metrics import evaluate_folder, iou_at_thresholds
from wadlib.metrics.simulated import SimulatedPredictor


@dataclass(frozen=True)
class Frame:
    name: str
    label_path: Path | None

    def read_label(self):
        return read_label(self.label_path)


def detections(*columns_and_scores, shape=(2, 8)):
    """Cars of whole columns: (first, last + 1, score) each."""
    masks = np.zeros((len(columns_and_scores), *shape), bool)
    for mask, (first, end, _) in zip(masks, columns_and_scores, strict=True):
        mask[:, first:end] = True
    scores = [score for *_, score in columns_and_scores]
    return Instances(np.full(len(scores), 33), scores, Runs.from_array(masks))


@pytest.fixture
def frames(tmp_path):
    """Two frames, each with a car in columns 0 to 3."""
    truth = np.full((2, 8), 255, np.uint16)
    truth[:, :4] = 33000
    result = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}_instanceIds.png"
        write_label(path, truth)
        result.append(Frame(name, path))
    return result


def sweep(frames, folder, *thresholds):
    return iou_at_thresholds(frames, folder, thresholds, progress=False, workers=1)


def test_fractions(frames, tmp_path):
    """A sure half of the car, an unsure whole one, and in one frame a wrong one of the least score."""
    half, whole, wrong = (0, 2, 0.9), (0, 4, 0.5), (4, 8, 0.1)
    found = [("a.jpg", detections(half, whole)), ("b.jpg", detections(half, whole, wrong))]
    write_predictions(tmp_path / "PRED", found)
    at = sweep(frames, tmp_path / "PRED", 0.05, 0.5, 0.6, 0.95)
    # All: 4 of 4 pixels' columns in a, 4 of 8 in b. From 0.5: the whole car. From 0.6: its half. Above 0.9: nothing.
    assert at.table()["car"].tolist() == [(1 + 1 / 2) / 2, 1, 1 / 2, 0]
    assert at.best == 0.5
    assert np.isnan(at.table()["bus"]).all()
    assert at.table()["mean"].tolist() == at.table()["car"].tolist()


def test_of_equal_ones_the_highest(frames, tmp_path):
    write_predictions(tmp_path / "PRED", [(f"{frame.name}.jpg", detections((0, 4, 0.5))) for frame in frames])
    assert sweep(frames, tmp_path / "PRED", 0.1, 0.5, 0.3).best == 0.5


def test_a_frame_in_which_nothing_was_found(frames, tmp_path):
    write_predictions(tmp_path / "PRED", [("a.jpg", detections((0, 4, 0.5))), ("b.jpg", detections())])
    assert sweep(frames, tmp_path / "PRED", 0.5).table().loc[0.5, "car"] == 1 / 2


def test_is_what_evaluate_says_of_label_maps_at_that_threshold(tmp_path):
    rng = np.random.default_rng(0)
    predictor = SimulatedPredictor(half_found_px=20, grow_px=1, miss=0)
    frames, scored = [], []
    for name in ("a", "b", "c"):
        label = np.full((40, 60), 255, np.uint16)
        for number, class_id in enumerate((33, 36, 39, 33)):
            y, x = rng.integers(0, 25), rng.integers(0, 45)
            label[y : y + 12, x : x + 12] = class_id * 1000 + number
        write_label(tmp_path / f"{name}_instanceIds.png", label)
        frames.append(Frame(name, tmp_path / f"{name}_instanceIds.png"))
        scored.append((f"{name}.jpg", predictor.predict(name, label)))
    write_predictions(tmp_path / "all", scored)
    at = sweep(frames, tmp_path / "all", 0.0, 0.4, 0.7)
    for threshold, total in zip(at.thresholds, at.sums, strict=True):
        folder = tmp_path / f"above {threshold}"
        write_predictions(folder, ((name, found.above(threshold)) for name, found in scored))
        assert evaluate_folder(frames, folder, progress=False).report_iou == pytest.approx(
            total.report_iou(), nan_ok=True, abs=0
        )


def test_bad_input(frames, tmp_path):
    (tmp_path / "labels" / "label").mkdir(parents=True)
    write_label(tmp_path / "labels" / "label" / "a_instanceIds.png", np.full((2, 8), 255, np.uint16))
    with pytest.raises(MetricError, match=r"no instances\.json in labels"):
        sweep(frames, tmp_path / "labels", 0.5)
    write_predictions(tmp_path / "PRED", [("a.jpg", detections((0, 4, 0.5)))])
    with pytest.raises(MetricError, match="frame b has no prediction in PRED"):
        sweep(frames, tmp_path / "PRED", 0.5)
    with pytest.raises(MetricError, match="got 0 frames and 1 thresholds"):
        sweep([], tmp_path / "PRED", 0.5)
    with pytest.raises(MetricError, match="got 2 frames and 0 thresholds"):
        sweep(frames, tmp_path / "PRED")
    with pytest.raises(MetricError, match="frame a has no true label"):
        sweep([Frame("a", None)], tmp_path / "PRED", 0.5)
