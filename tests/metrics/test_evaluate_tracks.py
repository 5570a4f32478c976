"""Tracks of a folder of predictions against the truth, from Python and from the command line."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from wadlib.cli import app
from wadlib.dataset import open_wad
from wadlib.errors import DatasetError, MetricError, WadError
from wadlib.frames import read_label, write_label
from wadlib.metrics.evaluate_tracks import evaluate_tracks
from wadlib.rendered import read_tracks


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, WadError):
        raise result.exception
    return result


def test_the_truth_scores_one(drawn):
    root, pred = drawn
    result = evaluate_tracks(open_wad(root).train_videos, read_tracks(root), pred, progress=False)
    together = result.together
    assert together.hota.hota == pytest.approx(1)
    assert (together.clear.mota, together.identity.idf1, result.stq.stq) == (1, 1, 1)
    assert together.clear.idsw == 0
    true_tracks = {(v, t) for v, frames in by_video(root).items() for codes in frames.values() for t in codes.values()}
    assert result.table().loc["together", "tracks"] == len(true_tracks)
    assert result.stq.tubes == len(true_tracks)


def by_video(root):
    return json.loads((root / "tracks.json").read_text())["videos"]


def test_numbers_of_the_labels_are_the_tracks_without_a_tracks_json(drawn, tmp_path):
    root, pred = drawn
    shutil.copytree(pred / "label", tmp_path / "label")
    result = evaluate_tracks(open_wad(root).train_videos, read_tracks(root), tmp_path, progress=False)
    # WAD-like numbers change from frame to frame: the detections are perfect, the identities are not.
    assert result.together.hota.deta == pytest.approx(1)
    assert result.together.hota.assa < 1


def test_a_class_that_is_in_no_truth_is_nan(drawn, tmp_path):
    root, pred = drawn
    shutil.copytree(root, tmp_path / "wad")
    for path in (tmp_path / "wad" / "train_label").iterdir():
        label = read_label(path)
        label[label // 1000 == 36] = 255
        write_label(path, label)
    wad = open_wad(tmp_path / "wad")
    result = evaluate_tracks(wad.train_videos, read_tracks(root), pred, progress=False)
    assert math.isnan(result.per_class[36].hota.hota)
    assert result.per_class[36].clear.fp > 0
    assert result.mean("HOTA") == pytest.approx(1)  # over the classes that there are
    assert result.together.hota.hota < 1
    assert result.to_dict()["HOTA"]["person"] is None


def test_missing_frames(drawn, tmp_path):
    root, pred = drawn
    shutil.copytree(pred, tmp_path / "pred")
    next(iter(sorted((tmp_path / "pred" / "label").iterdir()))).unlink()
    arguments = (open_wad(root).train_videos, read_tracks(root), tmp_path / "pred")
    with pytest.raises(MetricError, match="1 of 4 frames of road01_cam_5_video_1 have no prediction"):
        evaluate_tracks(*arguments, progress=False)
    result = evaluate_tracks(*arguments, missing="empty", progress=False)
    assert len(result.missing) == 1
    assert result.together.clear.fn > 0
    assert "counted as empty" in result.summary()


def test_a_label_that_tracks_json_does_not_know(drawn, tmp_path):
    root, pred = drawn
    shutil.copytree(pred, tmp_path / "pred")
    path = min((tmp_path / "pred" / "label").iterdir())
    label = read_label(path)
    label[:2, :2] = 39999
    write_label(path, label)
    with pytest.raises(MetricError, match="code 39999 of a label map has no track"):
        evaluate_tracks(open_wad(root).train_videos, read_tracks(root), tmp_path / "pred", progress=False)


def test_no_labelled_frame(drawn):
    with pytest.raises(MetricError, match="expected videos with labelled frames, got none"):
        evaluate_tracks([], {}, drawn[1], progress=False)


class TestReadTracks:
    def test_codes_and_tracks_are_whole_numbers(self, drawn):
        tracks = read_tracks(drawn[0])
        label = next(iter(open_wad(drawn[0]).frames))
        codes = np.unique(label.read_label())
        assert set(tracks[label.name]) == set(codes[(codes >= 33000) & (codes < 65535)].tolist())

    def test_real_data_has_none(self, tmp_path):
        with pytest.raises(DatasetError, match=r"nobody knows the identities"):
            read_tracks(tmp_path)

    @pytest.mark.parametrize("text", ["[]", "{", '{"videos": {"v": {"f": {"33000": "one"}}}}', '{"videos": 3}'])
    def test_damaged(self, tmp_path, text):
        (tmp_path / "tracks.json").write_text(text)
        with pytest.raises(DatasetError, match=r"expected \{\"videos\""):
            read_tracks(tmp_path)


class TestCommands:
    def test_track_then_evaluate(self, drawn, tmp_path):
        root, pred = drawn
        shutil.copytree(pred / "label", tmp_path / "pred" / "label")
        assert run("track", root, tmp_path / "pred", "--out", tmp_path / "out").exit_code == 0
        scores = tmp_path / "scores.json"
        result = run("evaluate", root, tmp_path / "out", "--tracks", "--draws", 0, "--json", scores)
        assert result.exit_code == 0
        assert "HOTA" in result.output
        assert "STQ" in result.output
        numbers = json.loads(scores.read_text())["tracks"]
        assert numbers["DetA"]["together"] == pytest.approx(1)
        assert numbers["AssA"]["together"] > 0.6  # four frames a metre apart, true masks
        assert set(numbers) >= {"HOTA", "AssA", "LocA", "IDF1", "MOTA", "sMOTSA", "STQ", "switches"}

    def test_real_data_says_what_is_missing(self, tiny_wad, tmp_path):
        with pytest.raises(DatasetError, match="nobody knows the identities"):
            run("evaluate", tiny_wad(contents=False), tmp_path, "--tracks")

    def test_a_split_is_refused(self, drawn):
        result = run("evaluate", *drawn, "--tracks", "--split", "report")
        assert result.exit_code == 2
        assert "whole videos" in result.output
