"""A folder with scored instances, scored whole: numbers, intervals, worst frames, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wadlib.errors import InstancesError, MetricError
from wadlib.frames import write_label
from wadlib.instances import Instances, Runs, write_predictions
from wadlib.labels import CLASSES
from wadlib.metrics import (
    Evaluation,
    InstanceOverlap,
    IoUSum,
    Overlap,
    Scores,
    average_precision,
    evaluate_folder,
    iou_table,
    panoptic_quality,
)
from wadlib.metrics.simulated import SimulatedPredictor


@dataclass(frozen=True)
class Frame:
    name: str
    label_path: Path
    video: str


def street(rng):
    label = np.full((40, 60), 255, np.uint16)
    for n in range(5):
        y, x = rng.integers(0, 30), rng.integers(0, 45)
        label[y : y + 8, x : x + 12] = rng.choice([33000, 36000, 39000]) + n
    label[:3, :5] = 65535
    return label


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three videos of four frames, and what the simulated predictor makes of them."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("data")
    (root / "label").mkdir()
    frames, labels, found = [], {}, {}
    for n in range(12):
        name = f"f{n:02d}"
        labels[name] = street(rng)
        path = root / "label" / f"{name}_instanceIds.png"
        write_label(path, labels[name])
        frames.append(Frame(name, path, f"video {n // 4}"))
        found[name] = SimulatedPredictor(grow_px=2).predict(name, labels[name])
    write_predictions(root / "pred", [(f"{name}.jpg", each) for name, each in found.items()])
    return root, frames, labels, found


@pytest.fixture
def result(data):
    root, frames, _, _ = data
    return evaluate_folder(frames, root / "pred", progress=False)


def test_every_number_is_that_of_its_own_function(data, result):
    _, _, labels, found = data
    overlaps = [Overlap.from_labels(labels[name], found[name].to_label()) for name in labels]
    scored = [InstanceOverlap.from_label(labels[name], found[name]) for name in labels]
    assert result.ranked
    expected = average_precision(scored)
    np.testing.assert_array_equal(result.precision.precision, expected.precision)
    assert result.mean("ap") == expected.mean()
    assert result.mean("ap50") == expected.mean(0.5)
    assert result.mean("ap_small") == expected.mean(size="small")
    quality = panoptic_quality(overlaps)
    for class_id in (33, 36, 39):
        assert result.pq[class_id] == pytest.approx(quality.pq[class_id], abs=1e-15)
        assert result.sq[class_id] == pytest.approx(quality.sq[class_id], abs=1e-15)
        assert result.rq[class_id] == quality.rq[class_id]
        assert result.pq[class_id] == pytest.approx(result.sq[class_id] * result.rq[class_id], abs=1e-15)
    assert average_precision(overlaps).ap[33] != result.ap[33]  # the label maps alone would say something else


def test_numbers_of_workers_and_of_one_are_the_same(data, result):
    root, frames, _, _ = data
    assert evaluate_folder(frames, root / "pred", workers=1, progress=False).to_json() == result.to_json()
    assert evaluate_folder(frames, root / "pred" / "label", progress=False).to_json() == result.to_json()


def test_json_with_intervals(result):
    numbers = json.loads(result.to_json(draws=50))
    assert numbers["frames"] == 12
    assert numbers["videos"] == 3
    assert numbers["ap_from"] == "instances.json"
    assert numbers["ap"]["car"] == result.ap[33]
    assert numbers["ap"]["tricycle"] is None
    assert numbers["ap_large"]["mean"] is None
    low, high = numbers["intervals"]["ap50"]["car"]
    assert (low, high) == result.intervals("ap50", draws=50).per_class[33]
    assert numbers["intervals"]["pq"]["tricycle"] == [None, None]
    assert np.array(numbers["confusion"]).shape == (8, 8)
    assert sum(map(sum, numbers["confusion"])) == 12 * (40 * 60 - 15)
    assert "intervals" not in json.loads(result.to_json())


def test_csv_is_the_table(result):
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [row["class"] for row in rows] == [*(c.name for c in CLASSES.values()), "mean"]
    car = rows[0]
    assert float(car["report IoU"]) == result.report_iou[33]
    assert float(car["AP"]) == result.ap[33]
    assert float(car["PQ"]) == result.pq[33]
    assert float(car["report's Table 1"]) == 0.2899
    assert rows[-2]["AP"] == ""  # tricycle
    assert float(rows[-1]["AP50"]) == result.mean("ap50")
    assert int(rows[-1]["frames"]) == 12


def test_the_summary_says_where_ap_comes_from_and_how_sure_it_is(result):
    lines = result.summary(draws=50).splitlines()
    assert "AP ranks the scored instances of instances.json; PQ, IoU and objects are those of the label maps." in lines
    assert "Means, and 95 % of 50 draws of 3 videos:" in lines
    low, high = result.intervals("pq", draws=50).mean
    assert lines[-1].split() == ["PQ", f"{result.mean('pq'):.4f}", f"{low:.4f}", "to", f"{high:.4f}"]
    assert "draws" not in result.summary()


def test_one_video_gives_no_intervals(data):
    root, frames, _, _ = data
    text = evaluate_folder(frames[:4], root / "pred", progress=False).summary(draws=10)
    assert "No intervals: they are drawn over videos, and there is one." in text


def test_the_worst_frames(data, result):
    _, _, labels, found = data
    table = result.per_frame()
    assert table.index.tolist() == [f"f{n:02d}" for n in range(12)]
    assert table["video"].tolist() == [f"video {n // 4}" for n in range(12)]
    worst = result.worst(3)
    assert worst["report IoU"].tolist() == sorted(table["report IoU"])[:3]
    name = worst.index[0]
    overlap = Overlap.from_labels(labels[name], found[name].to_label())
    quality = panoptic_quality([overlap])
    assert worst.loc[name, "found"] == quality.tp.sum()
    assert worst.loc[name, "false positives"] == quality.fp.sum()
    assert worst.loc[name, "missed"] == quality.fn.sum()
    assert worst.loc[name, "objects"] == quality.tp.sum() + quality.fn.sum()
    assert worst.loc[name, "PQ"] == pytest.approx(np.nanmean(list(quality.pq.values())), abs=1e-15)
    assert result.worst(2, by="PQ")["PQ"].tolist() == sorted(table["PQ"])[:2]
    with pytest.raises(MetricError, match=r"expected by to be one of .*, got 'pq'"):
        result.worst(by="pq")


def test_frames_without_objects_are_nobodys_worst(tmp_path):
    nothing = np.full((4, 5), 255, np.uint16)
    (tmp_path / "truth").mkdir()
    write_label(tmp_path / "truth" / "a_instanceIds.png", nothing)
    write_predictions(tmp_path / "pred", [("a.jpg", Instances.from_label(nothing))])
    result = evaluate_folder(tmp_path / "truth", tmp_path / "pred", progress=False)
    assert math.isnan(result.per_frame().loc["a", "report IoU"])
    assert len(result.worst()) == 0
    assert math.isnan(result.mean("ap"))
    assert math.isnan(result.mean("pq"))


def test_a_perfect_prediction(data, tmp_path):
    _, frames, labels, _ = data
    write_predictions(tmp_path, [(f"{name}.jpg", Instances.from_label(label)) for name, label in labels.items()])
    result = evaluate_folder(frames, tmp_path, progress=False)
    for score in ("report_iou", "pooled_iou", "instance_iou", "ap", "pq"):
        assert getattr(result, score)[33] == pytest.approx(1, abs=1e-15)


def test_empty_predictions_are_legal(data, tmp_path):
    _, frames, labels, _ = data
    empty = Instances([], [], Runs.empty((40, 60)))
    write_predictions(tmp_path, [(f"{name}.jpg", empty) for name in labels])
    result = evaluate_folder(frames, tmp_path, progress=False)
    assert (tmp_path / "instances.json").read_text() == "[]\n"
    for score in ("report_iou", "pooled_iou", "instance_iou", "ap", "pq", "sq", "rq"):
        assert getattr(result, score)[33] == 0


# --- instances.json that does not fit ----------------------------------------------------------------


def rewritten(data, tmp_path, change):
    _, _, labels, found = data
    write_predictions(tmp_path, [(f"{name}.jpg", found[name]) for name in labels])
    path = tmp_path / "instances.json"
    rows = json.loads(path.read_text())
    change(rows)
    path.write_text(json.dumps(rows))
    return tmp_path


def test_frames_that_nobody_knows(data, tmp_path):
    folder = rewritten(data, tmp_path, lambda rows: rows.append(rows[0] | {"file_name": "other.jpg", "image_id": 99}))
    with pytest.raises(MetricError, match=r"instances.json holds 1 frames .*: other") as caught:
        evaluate_folder(data[1], folder, progress=False)
    assert "file_name" in caught.value.fix


def test_frames_beyond_a_split_are_only_named(data):
    root, frames, _, _ = data
    result = evaluate_folder(frames[:4], root / "pred", progress=False)
    assert result.extra == tuple(f"f{n:02d}" for n in range(4, 12))
    assert result.frames == 4


def test_masks_of_another_size(data, tmp_path):
    def change(rows):
        rows[0]["segmentation"] = {"size": [4, 5], "counts": [20]}

    with pytest.raises(InstancesError, match="60x40 pixels like the truth of f00, got 5x4"):
        evaluate_folder(data[1], rewritten(data, tmp_path, change), progress=False)


def test_scores_of_nan(data, tmp_path):
    with pytest.raises(InstancesError, match="row 1: the score is nan"):
        evaluate_folder(data[1], rewritten(data, tmp_path, lambda rows: rows[1].update(score=math.nan)), progress=False)


def test_a_missing_label_counts_as_empty_with_its_instances(data, tmp_path):
    folder = rewritten(data, tmp_path, lambda rows: None)
    (folder / "label" / "f03_instanceIds.png").unlink()
    with pytest.raises(MetricError, match="1 of 12 frames have no prediction"):
        evaluate_folder(data[1], folder, progress=False)
    result = evaluate_folder(data[1], folder, missing="empty", progress=False)
    assert result.missing == ("f03",)
    assert result.per_frame().loc["f03", "found"] == 0


def test_iou_table_shows_all_side_by_side():
    codes = {".": 255, "C": 33001, "P": 36000, "B": 39000, "I": 65535}
    truth, prediction = (
        np.array([[codes[letter] for letter in row] for row in rows], np.uint16)
        for rows in (
            ("......", ".CC.PP", ".CC.PP", ".CC...", "....II", "....II"),
            ("B.....", "..CCPP", "..CCPP", "..CC..", "....PP", "....PP"),
        )
    )
    total = IoUSum()
    total.add(Overlap.from_labels(truth, prediction))
    shown = iou_table(total)
    assert list(shown.index) == [row.name for row in CLASSES.values()] + ["mean"]
    assert list(shown.columns) == ["report IoU", "pooled IoU", "frames", "report's Table 1"]
    assert shown.loc["person"].tolist() == [1 / 2, 1.0, 1, 0.0096]
    assert shown.loc["mean", "report IoU"] == (1 / 3 + 1 / 2) / 2
    assert shown.loc["mean", "report's Table 1"] == pytest.approx((0.2899 + 0.0096 + 0.0035 + 0.0132) / 7)
    assert shown["frames"].tolist() == [1, 0, 0, 1, 0, 0, 0, 1]
    assert shown["report IoU"].isna().tolist() == [False, True, True, False, True, True, True, False]


@pytest.mark.parametrize("score", ["ap90", "apple", "", "AP", None])
def test_a_mean_of_no_score(score):
    """`mean("ap90")` was the overall AP."""
    empty = Evaluation(Scores(), (), (), False)
    with pytest.raises(MetricError, match="mean: expected the name of a score, got"):
        empty.mean(score)
