"""Kept predictions: used only for the very frames that they were made from."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wadlib.course import kept_predictions
from wadlib.course.kept_predictions import candidates, scored_instances, stored_predictions, suppressed
from wadlib.dataset import Frame
from wadlib.errors import DatasetError
from wadlib.frames import read_label, write_label
from wadlib.instances import Instances, PredictionFolder, Runs, write_predictions

SCRIPT = Path(__file__).parents[2] / "results" / "predictions" / "save_predictions.py"
save_predictions = runpy.run_path(str(SCRIPT))["save_predictions"]


@pytest.fixture
def data(tmp_path):
    """Three frames and a folder of predictions of them, and the root of a companion."""
    frames, found = [], []
    for n in range(3):
        label = np.full((20, 30), 255, np.uint16)
        label[2 + n : 12, 3:20] = 33000
        path = tmp_path / f"f{n}_instanceIds.png"
        write_label(path, label)
        frames.append(Frame(f"f{n}", "v", Path(f"f{n}.jpg"), path))
        found.append((f"f{n}.jpg", Instances.from_label(label, {33000: 0.25 + n / 4})))
    write_predictions(tmp_path / "pred", found)
    return tmp_path, frames, found


def test_kept_and_found_again(data):
    root, frames, found = data
    save_predictions("mask-rcnn", root / "pred", frames[:2], {"weights": "rendered"}, root)
    about = json.loads((root / "results" / "predictions" / "mask-rcnn" / "about.json").read_text())
    assert about["weights"] == "rendered"
    assert list(about["labels"]) == ["f0", "f1"]
    name, instances = scored_instances(frames[:2], root=root)
    assert name == "mask-rcnn"
    for n in range(2):
        assert instances[f"f{n}"].scores.tolist() == [0.25 + n / 4]
        np.testing.assert_array_equal(instances[f"f{n}"].masks, found[n][1].masks)
    assert list(stored_predictions(frames[1:2], root)) == ["mask-rcnn"]


def test_predictions_of_full_frames_are_cut_to_the_window_of_prepared_ones(data):
    """Two instances at a quarter of the resolution, of the label and of the scores; a third lies outside."""
    root, _, _ = data
    window = (slice(4, 20, 4), slice(2, 26, 4))  # 4x6 pixels
    masks = np.zeros((3, 24, 30), bool)
    masks[0, 4:12, 2:14] = masks[1, 8:20, 6:26] = masks[2, :4, :] = True
    found = Instances([33, 36, 39], [0.9, 0.2, 0.8], Runs.from_array(masks))
    write_predictions(root / "full", [("f0.jpg", found)])
    write_label(root / "full" / "label" / "f0_instanceIds.png", found.above(0.5).to_label())
    truth = np.full((4, 6), 255, np.uint16)
    write_label(root / "small_instanceIds.png", truth)
    frame = Frame("f0", "v", Path("f0.jpg"), root / "small_instanceIds.png")
    folder = save_predictions("mask-rcnn", root / "full", [frame], {}, root, window=window)
    label = read_label(folder / "label" / "f0_instanceIds.png")
    assert label.tolist() == [[33000] * 3 + [255] * 3] * 2 + [[255] * 6] * 2
    name, instances = scored_instances([frame], root=root)
    assert (name, instances["f0"].class_ids.tolist(), instances["f0"].scores.tolist()) == (
        "mask-rcnn",
        [33, 36],
        np.float32([0.9, 0.2]).tolist(),
    )
    np.testing.assert_array_equal(instances["f0"].masks, masks[:2, *window])


def test_not_used_for_other_frames_or_labels(data):
    root, frames, _ = data
    save_predictions("mask-rcnn", root / "pred", frames[:2], {}, root)
    assert stored_predictions(frames, root) == {}  # the third was not kept
    write_label(root / "other.png", np.full((20, 30), 255, np.uint16))
    changed = [frames[0], replace(frames[1], label_path=root / "other.png")]
    assert stored_predictions(changed, root) == {}
    name, instances = scored_instances(changed, root=root)
    assert "simulated" in name
    assert list(instances) == ["f0", "f1"]


def test_without_anything_kept(data):
    root, frames, _ = data
    assert stored_predictions(frames, root) == {}
    assert "simulated" in scored_instances(frames, root=root)[0]


def test_frames_that_were_not_predicted(data):
    root, frames, _ = data
    (root / "pred" / "label" / "f1_instanceIds.png").unlink()
    with pytest.raises(DatasetError, match="1 frames have no prediction, the first is f1"):
        save_predictions("mask-rcnn", root / "pred", frames, {}, root)


# --- candidates: detections before non-maximum suppression -----------------------------------------------------------

ROOT = Path(__file__).parents[2]


def test_candidates_of_the_first_frame_of_which_they_are_kept_else_of_the_fullest_one(data, monkeypatch):
    root, frames, _ = data
    save_predictions("candidates", root / "pred", frames[1:], {}, root)
    frame, instances = candidates(frames, [], root)
    assert (frame.name, instances.scores.tolist()) == ("f1", [0.5])
    more = np.full((20, 30), 255, np.uint16)
    more[0], more[2] = 33000, 36000
    write_label(frames[2].label_path, more)
    save_predictions("candidates", root / "pred", frames[:1], {}, root)
    monkeypatch.setattr(kept_predictions, "detect_candidates", lambda full: full.name)
    assert candidates(frames[1:], [replace(f, video="full") for f in frames], root) == (frames[2], "f2")


def test_kept_candidates_give_the_kept_predictions_at_the_networks_own_threshold():
    """The network itself suppressed those; these were kept without, and are suppressed here."""
    about = json.loads((ROOT / "results" / "predictions" / "candidates" / "about.json").read_text(encoding="utf-8"))
    (name,) = about["labels"]
    ours, theirs = (
        PredictionFolder.open(ROOT / "results" / "predictions" / method).read(name)
        for method in ("candidates", "mask-rcnn")
    )
    ours = suppressed(ours, 0.5)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
    assert ours.class_ids.tolist() == theirs.class_ids.tolist()
    assert (ours.masks != theirs.masks).mean() < 1e-5


@pytest.mark.parametrize("most", [0.1, 0.3, 0.5, 0.7])
def test_suppression_is_that_of_the_network(most):
    from wadlib.maskrcnn.network import non_max_suppression

    rng = np.random.default_rng(0)
    corners, sides = rng.uniform(0, 30, (80, 2)), rng.uniform(1, 12, (80, 2))
    boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
    masks, classes = np.ones((80, 1, 1), bool), rng.choice([33, 36], 80)
    scores = rng.permutation(80).astype(np.float32) / 80
    stay = np.asarray(non_max_suppression(boxes, scores, 80, most, classes))
    kept = suppressed(Instances.from_masks(masks, classes, scores, boxes), most)
    assert len(kept) < 80
    np.testing.assert_array_equal(kept.boxes, boxes[stay[stay >= 0]])
