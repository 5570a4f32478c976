"""Scored instances, and `instances.json`: what is read, and everything that can be wrong with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wadlib.errors import InstancesError, LabelError, MetricError
from wadlib.instances import Instances, PredictionFolder, PredictionWriter, Runs, instances_file, write_predictions
from wadlib.instances.instances_file import InstancesFile, frame_name
from wadlib.instances.reader import HalfRunWarning
from wadlib.labels import IDS


def stack(*pictures):
    """Masks from pictures of # and ., rows divided by spaces."""
    return np.array([[[letter == "#" for letter in row] for row in picture.split()] for picture in pictures])


def detections(class_ids, scores, *pictures):
    return Instances(class_ids, scores, Runs.from_array(stack(*pictures)))


TWO = detections([33, 36], [0.9, 0.5], "##. ##.", ".## .##")


def row(file_name="a.jpg", image_id=1, **changes):
    return {"image_id": image_id, "file_name": file_name, **TWO.to_coco()[0], **changes}


def written(tmp_path, rows):
    path = tmp_path / "instances.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
    return path


# --- Instances -----------------------------------------------------------------------------------


def test_the_surest_is_on_top():
    assert TWO.to_label().tolist() == [[33000, 33000, 36000]] * 2
    other = detections([33, 36], [0.4, 0.5], "##. ##.", ".## .##")
    assert other.to_label().tolist() == [[33000, 36000, 36000]] * 2


def test_equal_scores_go_by_their_order_and_numbers_by_the_score():
    found = detections([33, 33, 33], [0.5, 0.5, 0.9], "##...", ".##..", "....#")
    assert found.to_label().tolist() == [[33001, 33001, 33002, 255, 33000]]


def test_a_label_map_and_back():
    label = np.array([[255, 33007, 33007, 65535], [36001, 37000, 33002, 255]], np.uint16)
    found = Instances.from_label(label, scores={33002: 0.3, 33007: 0.8, 36001: 0.6})
    assert found.class_ids.tolist() == [33, 33, 36]  # the rider (37) is not evaluated
    assert found.scores.tolist() == np.float32([0.3, 0.8, 0.6]).tolist()
    assert found.to_label().tolist() == [[255, 33000, 33000, 255], [36000, 255, 33001, 255]]


def test_a_threshold_keeps_what_reaches_it():
    assert len(TWO.above(0.5)) == 2
    assert TWO.above(0.51).class_ids.tolist() == [33]
    assert len(TWO.above(2)) == 0
    assert TWO.above(2).to_label().tolist() == [[255] * 3] * 2


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_no_numbers_are_refused(score):
    with pytest.raises(InstancesError, match="expected scores to be finite, got"):
        detections([33], [score], "#")


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(InstancesError, match=r"expected class_ids to be \(1,\) numbers.*got \(2,\)"):
        detections([33, 33], [0.5], "#")
    with pytest.raises(InstancesError, match=r"expected WAD class ids among \(33, .*, got 1") as caught:
        detections([1], [0.5], "#")
    assert "CLASSES" in caught.value.fix
    many = np.zeros((1001, 1, 1), bool)
    with pytest.raises(LabelError, match="at most 1000 of class car in a label, got 1001"):
        Instances([33] * 1001, [0.5] * 1001, Runs.from_array(many)).to_label()


# --- instances.json -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.floats(0, 1, width=32)), max_size=12))
@settings(max_examples=40, deadline=None)
def test_reads_what_was_written_in_any_order(tmp_path_factory, rows):
    tmp_path = tmp_path_factory.mktemp("json")
    masks = stack("##. ##.", ".## .##", "... ...")
    expected = {}
    lines = []
    for frame, n, score in rows:
        one = Instances([IDS[n]], [score], Runs.from_array(masks[n % 3][None]))
        expected.setdefault(frame, []).append((IDS[n], score, masks[n % 3]))
        lines.append({"image_id": ord(frame), "file_name": f"x/{frame}.jpg", **one.to_coco()[0]})
    file = InstancesFile.open(written(tmp_path, lines))
    assert len(file) == len(rows)
    assert list(file.frames) == list(expected)
    for frame, wanted in expected.items():
        found = file.read(frame, (2, 3))
        assert found.class_ids.tolist() == [w[0] for w in wanted]
        assert found.scores.tolist() == [w[1] for w in wanted]
        np.testing.assert_array_equal(found.masks, [w[2] for w in wanted])
    assert len(file.read("another", (2, 3))) == 0


@pytest.mark.parametrize("block", [1, 7, 100])
def test_rows_may_lie_across_the_blocks_that_are_read(tmp_path, monkeypatch, block):
    monkeypatch.setattr(instances_file, "_BLOCK", block)
    rows = [row("ä.jpg", 1), row("b.jpg", 2, segmentation={"size": [2, 3], "counts": [0, 4, 2]}), row("ä.jpg", 1)]
    path = written(tmp_path, json.dumps(rows, indent=2, ensure_ascii=False))
    file = InstancesFile.open(path)
    assert list(file.frames) == ["ä", "b"]
    assert [len(file.read(name, (2, 3))) for name in ("ä", "b")] == [2, 1]
    np.testing.assert_array_equal(file.read("b", (2, 3)).masks, stack("##. ##."))


def test_nothing_found_is_legal(tmp_path):
    file = InstancesFile.open(written(tmp_path, " [ ]\n"))
    assert (len(file), file.frames) == (0, {})


def test_the_index_is_small(tmp_path):
    """What stays in memory is 16 bytes a row, however long the rows are."""
    file = InstancesFile.open(written(tmp_path, [row(note="x" * 1000) for _ in range(50)]))
    assert file._places.nbytes == 50 * 16


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"annotations": []}', "expected a list of results"),
        ("", "the list has no end"),
        ("[", "the list has no end"),
        ("[{},", "row 0: no file_name"),
        ('[{"a": ', "no JSON at byte"),
        ("[nonsense]", "no JSON at byte"),
        ([1], "row 0: no file_name"),
        ([row(), {"image_id": 1}], "row 1: no file_name"),
        ([row(file_name="")], "row 0: no file_name"),
        ([row(category_id=1)], r"row 0: unknown class 1 \(a.jpg\)"),
        ([row(category_id=37)], "row 0: unknown class 37"),
        ([row(category_id=None)], "row 0: unknown class None"),
        ([row(score=float("nan"))], "row 0: the score is nan, expected a finite number"),
        ([row(score=None)], "the score is None"),
        ([row(score=True)], "the score is True"),
        ([row(score="0.5")], "the score is '0.5'"),
        ([row(segmentation=[[0, 0, 1, 1, 0, 1]])], "row 0: the segmentation is not run-length encoded"),
        ([row(), row(image_id=2)], r"row 1: frame a stands under two names: image 1 \(a.jpg\) and image 2 \(a.jpg\)"),
        ([row(), row("x/a.png")], r"frame a stands under two names: image 1 \(a.jpg\) and image 1 \(x/a.png\)"),
        ([row(), row("b.jpg")], "row 1: image 1 is both a and b"),
    ],
)
def test_a_bad_file_is_explained(tmp_path, rows, message):
    with pytest.raises(InstancesError, match=message) as caught:
        InstancesFile.open(written(tmp_path, rows))
    assert caught.value.what.startswith("instances.json")


def test_a_missing_file(tmp_path):
    with pytest.raises(InstancesError, match="cannot read it"):
        InstancesFile.open(tmp_path / "instances.json")


def test_masks_of_another_size_and_damaged_ones(tmp_path):
    file = InstancesFile.open(written(tmp_path, [row()]))
    with pytest.raises(InstancesError, match="expected masks of 832x640 pixels like the truth of a, got 3x2"):
        file.read("a", (640, 832))
    file = InstancesFile.open(written(tmp_path, [row(segmentation={"size": [2, 3], "counts": "1"})]))
    with pytest.raises(InstancesError, match=r"instances.json, a: .*is not the mask of 3x2 pixels"):
        file.read("a", (2, 3))
    for size in (None, [2], [2, "3"], [0, 3]):
        file = InstancesFile.open(written(tmp_path, [row(segmentation={"size": size, "counts": "1"})]))
        with pytest.raises(InstancesError, match="expected masks of"):
            file.read("a", (640, 832))
        with pytest.raises(InstancesError, match="the size of a mask of a is"):
            file.shape("a")


def test_names_of_frames():
    assert [frame_name(n) for n in ("a.jpg", r"x\a.PNG", "x/a.b.jpeg", "a", "a.b")] == ["a", "a", "a.b", "a", "a.b"]


# --- a folder of predictions ----------------------------------------------------------------------


def test_a_folder_written_and_read(tmp_path):
    empty = TWO.above(2)
    assert write_predictions(tmp_path, [("a.jpg", TWO), ("b.jpg", empty)]) == 2
    for place in (tmp_path, tmp_path / "label"):
        folder = PredictionFolder.open(place)
        assert folder.names == ("a", "b")
        assert folder.read("a").scores.tolist() == np.float32([0.9, 0.5]).tolist()
        assert len(folder.read("b")) == 0
    with pytest.raises(MetricError, match="frame c has no prediction"):
        folder.read("c")
    (tmp_path / "instances.json").unlink()
    assert PredictionFolder.open(tmp_path).read("a").scores.tolist() == [1, 1]


def test_two_files_of_instances_are_one_too_many(tmp_path):
    write_predictions(tmp_path, [("a.jpg", TWO)])
    (tmp_path / "label" / "instances.json").write_text("[]")
    with pytest.raises(MetricError, match=r"two files instances\.json"):
        PredictionFolder.open(tmp_path / "label")


def test_a_run_that_has_not_ended_is_told(tmp_path):
    """Without its instances.json all instances are equally sure, and an AP from that is none of the network."""
    writer, label = PredictionWriter(tmp_path, {}), np.full((4, 6), 255, np.uint16)
    label[1:3, 1:3] = 33000
    writer.write("a", "a.jpg", Instances.from_label(label, {33000: 0.25}), label)
    for folder in (tmp_path, tmp_path / "label"):
        with pytest.warns(HalfRunWarning, match=r"not ended: it has no instances\.json yet"):
            PredictionFolder.open(folder)
    writer.finish()
    assert PredictionFolder.open(tmp_path).read("a").scores.tolist() == [0.25]
