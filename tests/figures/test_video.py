"""Result videos: what is in the file, what is drawn, and what happens when it cannot be written."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from wadlib.cli import app
from wadlib.dataset import open_wad
from wadlib.errors import DatasetError, ImageError, MetricError, StorageError
from wadlib.figures import video_file
from wadlib.figures.result_video import draw_errors, draw_tracks, result_video
from wadlib.figures.video_file import write_video
from wadlib.rendered import read_tracks


def street(frames=8, shape=(120, 160)):
    """A smooth picture with a square that drives."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ground = np.stack([y, x, 255 - y], axis=2).astype(np.uint8)
    pictures = [ground.copy() for _ in range(frames)]
    for n, picture in enumerate(pictures):
        picture[40:70, 10 + 8 * n : 40 + 8 * n] = (230, 40, 40)
    return pictures


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return (
            stream.codec_context.name,
            stream.average_rate,
            [f.to_ndarray(format="rgb24") for f in container.decode(stream)],
        )


@pytest.mark.parametrize(("codec", "decoder"), [("h264", "h264"), ("av1", "libdav1d")])
def test_frames_rate_and_pictures_come_back(tmp_path, codec, decoder):
    pictures = street()
    assert write_video(iter(pictures), tmp_path / "a.mp4", codec=codec) == 8
    name, rate, back = decoded(tmp_path / "a.mp4")
    assert name == decoder
    assert rate == Fraction(1000, 139)
    assert len(back) == 8
    for before, after in zip(pictures, back, strict=True):
        assert cv2.PSNR(before, after) >= 33
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # a browser can begin before all of it is there
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_odd_sides_are_made_even(tmp_path):
    write_video(street(3, (121, 161)), tmp_path / "a.mp4", rate=10)
    _, rate, back = decoded(tmp_path / "a.mp4")
    assert back[0].shape == (122, 162, 3)
    assert rate == 10


@pytest.mark.parametrize(
    ("pictures", "options", "kind", "message"),
    [
        ([], {}, ImageError, "at least one picture, got none"),
        ([*street(2), np.zeros((50, 60, 3), np.uint8)], {}, ImageError, "160x120, got 60x50 at 2"),
        ([np.zeros((20, 20), np.uint8)], {}, ImageError, r"\(20, 20\) uint8 at 0"),
        ([np.zeros((20, 20, 3))], {}, ImageError, "float64"),
        (street(1), {"codec": "mpeg"}, ImageError, "mpeg"),
        (street(1), {"rate": 0}, ImageError, "frames per second, got 0"),
    ],
)
def test_bad_input_leaves_no_file(tmp_path, pictures, options, kind, message):
    with pytest.raises(kind, match=message):
        write_video(pictures, tmp_path / "a.mp4", **options)
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(StorageError, match=r"ends in \.mp4, got 'a\.avi'"):
        write_video(street(1), tmp_path / "a.avi")


def test_a_missing_encoder_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setitem(video_file.CODECS, "h264", ("libnothing", {}))
    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(StorageError, match=r"encoder libnothing failed[\s\S]*another codec"):
        write_video(street(1), tmp_path / "a.mp4")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]  # the old file stays whole


def test_a_broken_encoder_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setitem(video_file.CODECS, "h264", ("libx264", {"preset": "no such preset"}))
    with pytest.raises(StorageError, match="encoder libx264 failed"):
        write_video(street(1), tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_no_file(tmp_path):
    def pictures():
        yield from street(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(pictures(), tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


class TestDrawing:
    label = np.full((40, 80), 255, np.uint16)
    label[5:35, 5:35], label[5:35, 45:75] = 33000, 33001
    grey = np.full((40, 80, 3), 100, np.uint8)

    def test_the_colour_is_that_of_the_track(self):
        one, other = self.label, np.where(self.label == 33000, 33007, self.label).astype(np.uint16)
        a = draw_tracks(self.grey, one, {33000: 4, 33001: 5}, names=False)
        b = draw_tracks(self.grey, other, {33007: 4, 33001: 9}, names=False)
        np.testing.assert_array_equal(a[20, 20], b[20, 20])  # another number on the label, the same track
        assert (a[20, 60] != b[20, 60]).any()
        assert (a[20, 20] != a[20, 60]).any()
        np.testing.assert_array_equal(a[0, 40], self.grey[0, 40])
        assert (a[20, 5] == 255).all()  # outlined

    def test_names_are_written_only_beside_large_objects(self):
        small = np.full((40, 80), 255, np.uint16)
        small[20:24, 20:24] = 36000
        for label, written in ((self.label, True), (small, False)):
            with_names, without = draw_tracks(self.grey, label), draw_tracks(self.grey, label, names=False)
            assert (with_names != without).any() is np.bool_(written)

    def test_errors_are_told_apart(self):
        truth, found = np.full((2, 60, 200), 255, np.uint16)
        truth[30:, 0:40], found[30:, 0:40] = 33000, 33005
        truth[30:, 40:80] = 33001
        truth[30:, 80:120], found[30:, 80:120] = 36000, 35000
        found[30:, 120:160] = 39000
        truth[30:, 160:], found[30:, 160:] = 65535, 39001
        drawn = draw_errors(np.full((60, 200, 3), 100, np.uint8), truth, found)
        kinds = {tuple(drawn[50, x].tolist()) for x in (20, 60, 100, 140)}
        assert len(kinds) == 4
        assert tuple(drawn[50, 180].tolist()) == (90, 90, 90)  # nobody knows what is on IGNORE

    def test_nothing_is_changed_in_place(self):
        before, image = self.label.copy(), self.grey.copy()
        draw_tracks(image, self.label)
        draw_errors(image, self.label, self.label)
        np.testing.assert_array_equal(self.label, before)
        np.testing.assert_array_equal(image, self.grey)


class TestResultVideo:
    def test_video_poster_and_description(self, drawn, tmp_path):
        root, pred = drawn
        frames = open_wad(root).train_videos[0].frames
        panels = ("frame", "tracks", "truth", "errors")
        result = result_video(
            frames, pred, tmp_path / "a.mp4", panels=panels, width=208, truth_tracks=read_tracks(root), progress=False
        )
        _, _, back = decoded(result.path)
        assert len(back) == result.frames == 4
        assert back[0].shape == (160, 4 * 208, 3)
        tracks, truth = back[0][:, 208:416].astype(int), back[0][:, 416:624].astype(int)
        assert np.abs(tracks - truth).mean() < 3  # the prediction is the truth: both panels show the same
        text = result.description.read_text()
        codes = read_tracks(root)
        number = len({track for frame in frames for track in codes[frame.name].values()})
        assert f"{number} tracks" in text
        assert text.startswith("4 frames of road01_cam_5_video_1, 0.6 s")
        assert cv2.imread(str(result.poster)).shape == (160, 832, 3)

    def test_the_command(self, drawn, tmp_path):
        root, pred = drawn
        out = tmp_path / "a.mp4"
        result = CliRunner().invoke(app, ["video", str(root), str(pred), str(out), "--width", "104", "--codec", "av1"])
        assert result.exit_code == 0, result.output
        assert len(decoded(out)[2]) == 4

    def test_an_unknown_video_names_those_that_there_are(self, drawn, tmp_path):
        arguments = ["video", *map(str, drawn), str(tmp_path / "a.mp4"), "--video", "nobody"]
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, DatasetError)
        assert "got nobody" in str(result.exception)
        assert "road01_cam_5_video_1" in str(result.exception)

    def test_panels_that_need_a_truth(self, drawn, tmp_path):
        root, pred = drawn
        frames = open_wad(root).train_videos[0].frames
        blind = [type(f)(f.name, f.video, f.image_path) for f in frames]
        with pytest.raises(MetricError, match="expected labelled frames"):
            result_video(blind, pred, tmp_path / "a.mp4", progress=False)
        result_video(blind, pred, tmp_path / "a.mp4", panels=("tracks",), width=104, progress=False)
        with pytest.raises(MetricError, match="nonsense"):
            result_video(frames, pred, tmp_path / "b.mp4", panels=("nonsense",), progress=False)
        with pytest.raises(MetricError, match="0 of 0 frames"):
            result_video([], pred, tmp_path / "b.mp4", progress=False)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux alone has these")
def test_the_encoder_leaves_the_scheduling_as_it_was(tmp_path):
    before = os.sched_getscheduler(0)
    write_video([np.zeros((64, 64, 3), np.uint8)] * 3, tmp_path / "out.mp4", codec="av1")
    assert os.sched_getscheduler(0) == before, "as root, SVT-AV1 makes the process real-time"
