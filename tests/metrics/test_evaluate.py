"""Scoring a folder: names are paired, and everything that can be wrong with a folder is said."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wadlib.errors import LabelError, MetricError
from wadlib.frames import read_label, write_label
from wadlib.labels import CLASSES, IDS
from wadlib.metrics import Overlap, evaluate_folder, report_iou

NAMES = [f"frame_{i}" for i in range(6)]


@dataclass(frozen=True)
class Frame:
    name: str
    label_path: Path | None


def stripes(cars, persons, shape=(4, 12)):
    """The first `cars` columns are a car, the next `persons` a person, the rest background."""
    label = np.full(shape, 255, np.uint16)
    label[:, :cars] = 33000
    label[:, cars : cars + persons] = 36000
    return label


@pytest.fixture
def folders(tmp_path):
    """Six frames: the car grows by a column per frame and is predicted one column too wide."""
    truth, prediction = tmp_path / "ROOT" / "train_label", tmp_path / "PRED" / "label"
    truth.mkdir(parents=True)
    prediction.mkdir(parents=True)
    for i, name in enumerate(NAMES, start=1):
        write_label(truth / f"{name}_instanceIds.png", stripes(i, 2))
        write_label(prediction / f"{name}_instanceIds.png", stripes(i + 1, 1))
    return truth, prediction


def evaluate(truth, prediction, **options):
    return evaluate_folder(truth, prediction, progress=False, **options)


def test_scores(folders):
    result = evaluate(*folders)
    assert result.frames == 6
    assert result.report_iou[33] == sum([1 / 2, 2 / 3, 3 / 4, 4 / 5, 5 / 6, 6 / 7]) / 6
    assert result.pooled_iou[33] == (1 + 2 + 3 + 4 + 5 + 6) / (2 + 3 + 4 + 5 + 6 + 7)
    assert result.report_iou[36] == result.pooled_iou[36] == 1 / 2
    assert math.isnan(result.report_iou[39])
    assert (result.missing, result.extra) == ((), ())


def test_the_folder_above_is_found_too(folders):
    truth, prediction = folders
    assert evaluate(truth.parent, prediction.parent).report_iou[33] == evaluate(truth, prediction).report_iou[33]


def test_frames_of_a_split(folders):
    truth, prediction = folders
    frames = [Frame(name, truth / f"{name}_instanceIds.png") for name in NAMES[:2]]
    result = evaluate(iter(frames), prediction)
    assert result.report_iou[33] == (1 / 2 + 2 / 3) / 2
    assert result.extra == tuple(NAMES[2:])


def test_the_number_of_workers_changes_nothing(folders):
    one, four = (evaluate(*folders, workers=workers).to_json() for workers in (1, 4))
    assert one == four


def test_json_has_numbers_by_name_and_null_for_nan(folders):
    text = evaluate(*folders).to_json()
    numbers = json.loads(text)
    assert list(numbers)[:6] == ["frames", "report_iou", "pooled_iou", "ap", "ap50", "pq"]
    assert numbers["frames"] == 6
    names = [row.name for row in CLASSES.values()]
    for score in ("report_iou", "pooled_iou", "ap", "ap50", "ap75", "ap_small", "pq", "sq", "rq", "instance_iou"):
        assert list(numbers[score]) == [*names, "mean"]
    assert numbers["report_iou"]["person"] == 0.5
    assert numbers["report_iou"]["bus"] is None
    assert numbers["report_iou"]["mean"] == (numbers["report_iou"]["car"] + 0.5) / 2
    assert "NaN" not in text


def test_a_missing_prediction_is_an_error_and_shifts_nobody(folders):
    truth, prediction = folders
    (prediction / f"{NAMES[1]}_instanceIds.png").unlink()
    with pytest.raises(MetricError, match=rf"1 of 6 frames have no prediction in label: {NAMES[1]}") as caught:
        evaluate(truth, prediction)
    assert "missing='empty'" in caught.value.fix
    result = evaluate(truth, prediction, missing="empty")
    assert result.missing == (NAMES[1],)
    assert result.report_iou[33] == sum([1 / 2, 0, 3 / 4, 4 / 5, 5 / 6, 6 / 7]) / 6


def test_the_order_of_frames_pairs_nobody_wrongly(folders):
    """Given in any order, each frame is compared with its own prediction."""
    truth, prediction = folders
    shuffled = [Frame(name, truth / f"{name}_instanceIds.png") for name in NAMES[::-2] + NAMES[::2]]
    result = evaluate(shuffled, prediction)
    assert result.scores.names == NAMES[::-2] + NAMES[::2]
    assert result.report_iou[33] == pytest.approx(evaluate(truth, prediction).report_iou[33], abs=1e-15)
    assert result.pooled_iou[33] == evaluate(truth, prediction).pooled_iou[33]


def test_only_the_first_missing_names_are_listed(folders):
    truth, prediction = folders
    for path in prediction.iterdir():
        path.unlink()
    with pytest.raises(MetricError, match="6 of 6 frames") as caught:
        evaluate(truth, prediction)
    assert NAMES[4] in str(caught.value)
    assert NAMES[5] not in str(caught.value)


def test_an_extra_prediction_is_reported_and_not_used(folders):
    truth, prediction = folders
    before = evaluate(truth, prediction)
    write_label(prediction / "another_frame_instanceIds.png", stripes(12, 0))
    after = evaluate(truth, prediction)
    assert after.extra == ("another_frame",)
    assert after.to_dict() | {"extra": []} == before.to_dict()


def test_the_summary_is_for_people(folders):
    truth, prediction = folders
    write_label(prediction / "another_frame_instanceIds.png", stripes(12, 0))
    (prediction / f"{NAMES[0]}_instanceIds.png").unlink()
    lines = evaluate(truth, prediction, missing="empty").summary().splitlines()
    assert "report IoU" in lines[0]
    car = next(line for line in lines if line.startswith("car"))
    report, pooled = (0 + 2 / 3 + 3 / 4 + 4 / 5 + 5 / 6 + 6 / 7) / 6, 20 / (1 + 3 + 4 + 5 + 6 + 7)
    assert car.split()[:3] == ["car", f"{report:.4f}", f"{pooled:.4f}"]
    assert car.split()[-3:] == ["6", "6", "0.2899"]  # frames, objects, Table 1
    assert any(line.split()[:3] == ["bus", "-", "-"] for line in lines)
    assert "AP ranks the label maps, all equally sure" in "\n".join(lines)
    assert lines[-2] == f"Frames without a prediction, counted as empty: 1 ({NAMES[0]})"
    assert lines[-1] == "Predictions of other frames, not used: 1 (another_frame)"


def test_network_size_prediction_against_full_size_truth(folders):
    truth, prediction = folders
    write_label(truth / f"{NAMES[0]}_instanceIds.png", np.full((2710, 3384), 255, np.uint16))
    write_label(prediction / f"{NAMES[0]}_instanceIds.png", np.full((640, 832), 255, np.uint16))
    with pytest.raises(MetricError, match=f"3384x2710 pixels like the truth of {NAMES[0]}, got 832x640") as caught:
        evaluate(truth, prediction)
    assert "wadlib prepare" in caught.value.fix


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: cv2.imwrite(str(path), np.zeros((4, 12), np.uint8)),  # 8-bit
        lambda path: cv2.imwrite(str(path), np.zeros((4, 12, 3), np.uint16)),  # RGB
        lambda path: Image.new("P", (12, 4)).save(path),  # palette
        lambda path: path.write_bytes(path.read_bytes()[:-20]),  # truncated
        lambda path: path.write_bytes(b""),  # zero bytes
    ],
    ids=["8-bit", "RGB", "palette", "truncated", "empty"],
)
@pytest.mark.parametrize("side", [0, 1], ids=["truth", "prediction"])
def test_a_bad_file_is_named(folders, spoil, side):
    spoil(folders[side] / f"{NAMES[3]}_instanceIds.png")
    with pytest.raises(LabelError, match=NAMES[3]):
        evaluate(*folders)


def test_folders_that_cannot_be_used(folders, tmp_path):
    truth, prediction = folders
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MetricError, match="there are no frames to score"):
        evaluate(empty, prediction)
    with pytest.raises(MetricError, match="there are no frames to score"):
        evaluate([], prediction)
    with pytest.raises(MetricError, match=r"a folder of predictions, got nothing at .*nowhere"):
        evaluate(truth, tmp_path / "nowhere")
    with pytest.raises(MetricError, match="a folder of true labels, got a file"):
        evaluate(next(truth.iterdir()), prediction)
    with pytest.raises(MetricError, match="expected missing to be one of error, empty, got 'ignore'"):
        evaluate(truth, prediction, missing="ignore")


def test_frames_without_truth_or_twice(folders):
    truth, prediction = folders
    frame = Frame(NAMES[0], truth / f"{NAMES[0]}_instanceIds.png")
    with pytest.raises(MetricError, match="frame md5 has no true label"):
        evaluate([frame, Frame("md5", None)], prediction)
    with pytest.raises(MetricError, match="occurs twice"):
        evaluate([frame, frame], prediction)


def test_real_frames(wad_sample, tmp_path):
    """Truth against itself is 1; against itself moved by a pixel, what the formula gives."""
    labels = sorted((wad_sample / "train_label").glob("*.png"))[:4]
    frames = [Frame(path.name.removesuffix("_instanceIds.png"), path) for path in labels]
    for path in labels:
        write_label(tmp_path / path.name, np.roll(read_label(path), 1, axis=1))
    same = evaluate(frames, wad_sample / "train_label").report_iou
    there = {code // 1000 for path in labels for code in np.unique(read_label(path)).tolist()} & set(IDS)
    assert {class_id for class_id, value in same.items() if value == 1} == there
    assert {class_id for class_id, value in same.items() if math.isnan(value)} == set(IDS) - there
    moved = evaluate(frames, tmp_path).report_iou
    pairs = ((read_label(path), read_label(tmp_path / path.name)) for path in labels)
    expected = report_iou(Overlap.from_labels(*pair) for pair in pairs)
    for class_id in there:
        assert moved[class_id] == expected[class_id] < 1
