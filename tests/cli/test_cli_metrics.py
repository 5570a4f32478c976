"""`wadlib evaluate` with all its options, `wadlib export` and `wadlib import`."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from wadlib.cli import app
from wadlib.dataset import open_wad
from wadlib.frames import read_label
from wadlib.instances import Instances, write_predictions
from wadlib.interop.kitti_mots import WAD, read_mots
from wadlib.interop.submission import read_submission
from wadlib.metrics import evaluate_folder, iou_at_thresholds, published_waterfall_of
from wadlib.metrics.simulated import SimulatedPredictor

runner = CliRunner()


def run(*arguments):
    result = runner.invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def data(tiny_wad, tmp_path):
    """Two videos of three full-size frames with a test video, prepared; and simulated predictions."""
    root = tiny_wad(videos=2, frames=3)
    prepared = tmp_path / "prepared"
    run("prepare", root, prepared, "--workers", "1")
    predictor = SimulatedPredictor(half_found_px=1, grow_px=2, miss=0)
    write_predictions(
        tmp_path / "pred",
        (
            (frame.image_path.name, predictor.predict(frame.name, frame.read_label()))
            for frame in open_wad(prepared).frames
        ),
    )
    return root, prepared, tmp_path / "pred"


@pytest.mark.parametrize(
    "command", ["evaluate", "export coco", "export submission", "export kitti-mots", "import coco"]
)
def test_help_ends_with_an_example(command):
    assert f"wadlib {command}" in run(*command.split(), "--help").split("Example:")[1]


def test_evaluate_writes_table_frames_and_intervals(data, tmp_path):
    _, prepared, pred = data
    out = {name: tmp_path / name for name in ("a.json", "a.csv", "frames.csv")}
    text = run(
        "evaluate", prepared, pred, "--draws", 20, "--worst", 2,
        "--json", out["a.json"], "--csv", out["a.csv"], "--frames", out["frames.csv"],
    )  # fmt: skip
    expected = evaluate_folder(open_wad(prepared).frames, pred, progress=False)
    assert "95 % of 20 draws of 2 videos" in text
    assert "AP ranks the scored instances of instances.json" in text
    assert expected.worst(1).index[0] in text
    numbers = json.loads(out["a.json"].read_text(encoding="utf-8"))
    assert numbers["ap"]["car"] == expected.ap[33]
    assert set(numbers["intervals"]) == {"report_iou", "pooled_iou", "instance_iou", "ap", "ap50", "ap75", "pq"}
    assert out["a.csv"].read_text(encoding="utf-8") == expected.to_csv()
    rows = list(csv.DictReader(io.StringIO(out["frames.csv"].read_text(encoding="utf-8"))))
    assert [row["frame"] for row in rows] == [frame.name for frame in open_wad(prepared).frames]


def test_evaluate_sweeps_the_score_threshold(data):
    _, prepared, pred = data
    text = run("evaluate", prepared, pred, "--draws", 0, "--sweep")
    at = iou_at_thresholds(open_wad(prepared).frames, pred, progress=False)
    assert f"Largest mean at {at.best:g}." in text
    assert at.table().to_string(na_rep="-", float_format=lambda value: f"{value:.4f}") in text
    assert "Largest mean" not in run("evaluate", prepared, pred, "--draws", 0)


def test_evaluate_as_the_authors_code_saved_it(data, tmp_path):
    _, prepared, pred = data
    text = run("evaluate", prepared, pred, "--draws", 0, "--as-published", "--json", tmp_path / "a.json")
    fall = published_waterfall_of(open_wad(prepared).frames, pred, progress=False)
    assert fall.table().to_string(na_rep="-", float_format=lambda value: f"{value:.4f}") in text
    assert f"because masks overlap: {fall.erased} of {fall.frames}" in text
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["as_published"] == fall.to_dict()
    assert next(iter(written["as_published"]["report_iou"])) == "as published"
    run("evaluate", prepared, pred, "--draws", 0, "--json", tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == {k: v for k, v in written.items() if k != "as_published"}


def test_evaluate_one_side_of_a_split(data):
    _, prepared, pred = data
    text = run("evaluate", prepared, pred, "--split", "by_video", "--draws", 0)
    assert "Predictions of other frames, not used: 3" in text
    assert "draws" not in text
    assert "Predictions of other frames, not used: 3" in run(
        "evaluate", prepared, pred, "--split", "by_video", "--side", "train", "--draws", 5
    )


def test_export_and_import_coco(data, tmp_path):
    _, prepared, pred = data
    wad = open_wad(prepared)
    assert f"of {len(wad.frames)} frames" in run("export", "coco", prepared, tmp_path / "truth.json")
    text = run("export", "coco", prepared, tmp_path / "found.json", "--predictions", pred)
    number = len(json.loads((tmp_path / "found.json").read_text(encoding="utf-8")))
    assert f"{number} results of {len(wad.frames)} frames" in text
    run("import", "coco", tmp_path / "truth.json", tmp_path / "back")
    for frame in wad.frames:
        back = read_label(tmp_path / "back" / "train_label" / frame.label_path.name)
        np.testing.assert_array_equal(back // 1000, frame.read_label() // 1000)


def test_export_a_submission_of_test_frames(data, tmp_path):
    """Predictions carry the frame's own name; the file carries the md5 name of its picture."""
    root, _, _ = data
    label = np.full((640, 832), 255, np.uint16)
    label[300:310, 400:440] = 33000
    frames = open_wad(root).test_videos[0].frames
    names = [frame.name + frame.image_path.suffix for frame in frames]
    write_predictions(tmp_path / "test", [(name, Instances.from_label(label)) for name in names])
    for options in ([], ["--keep-overlaps"]):
        run("export", "submission", root, tmp_path / "test", tmp_path / "s.csv", *options)
        found = dict(read_submission(tmp_path / "s.csv"))
        assert sorted(found) == sorted(frame.image_path.stem for frame in frames)
        assert found[frames[0].image_path.stem].areas_px.tolist() == [400 * 16]


def test_export_kitti_mots(data, tmp_path):
    _, prepared, pred = data
    run("export", "kitti-mots", prepared, tmp_path / "gt", "--classes", "wad")
    video = open_wad(prepared).train_videos[0]
    labels = dict(read_mots(tmp_path / "gt" / "label_02" / "0000.txt", WAD))
    for time, frame in enumerate(video.frames):
        np.testing.assert_array_equal(labels[time], frame.read_label())
    run("export", "kitti-mots", prepared, tmp_path / "tracker", "--predictions", pred)
    assert (tmp_path / "tracker" / "data" / "0001.txt").is_file()
