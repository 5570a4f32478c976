"""Pictures to instances, and whole datasets to a folder that survives every kind of interruption.

Most tests use a detector written by hand: what it finds follows from the mean colour that it is shown, so that each
frame's instances are known. A real network takes its place at the end.
"""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from wadlib._shared import files
from wadlib.dataset import Frame, open_wad, prepare
from wadlib.errors import DatasetError, ImageError, InstancesError, StorageError
from wadlib.frames import FULL_SHAPE, read_label, write_image, write_label
from wadlib.instances import PredictionFolder
from wadlib.maskrcnn import Config
from wadlib.maskrcnn.inference import detect, predict_dataset
from wadlib.maskrcnn.network.boxes import normalize
from wadlib.metrics import evaluate_folder
from wadlib.preprocess import NETWORK_SHAPE

COLOURS = (60, 100, 140, 180)  # of the pictures in `tiny_wad`


def read_instances(out):
    folder = PredictionFolder.open(out)
    return {name: folder.read(name) for name in folder.instances.frames}


class ByColour:
    """A car whose row is the mean colour in pixels of the input, score 0.9, and a person over it, score 0.4."""

    layers = ()

    def __init__(self, config=None, stop_after=None):
        self.config = config or Config.report()
        self.shown = 0
        self.batches = []
        self.stop_after = stop_after

    def forward(self, images, windows):
        self.batches.append(len(images))
        detections = np.zeros((len(images), 5, 6), np.float32)
        for i, (image, (y1, x1, y2, x2)) in enumerate(zip(images, windows, strict=True)):
            height, width = self.config.image_shape
            rows, columns = (
                (round(y1 * (height - 1)), round(y2 * (height - 1)) + 1),
                (
                    round(x1 * (width - 1)),
                    round(x2 * (width - 1)) + 1,
                ),
            )
            seen = image[slice(*rows), slice(*columns)] * self.config.pixel_scale + self.config.mean_pixel
            top = round(float(seen.mean()))
            for row, (left, number, score) in enumerate([(0, 1, 0.9), (2, 4, 0.4)]):
                box = np.array([rows[0] + top, columns[0] + left, rows[0] + top + 2, columns[0] + left + 4], float)
                detections[i, row] = [*normalize(box, self.config.image_shape), number, score]
            self.shown += 1
        if self.stop_after is not None and self.shown > self.stop_after:
            raise RuntimeError("stopped")
        return detections, np.ones((len(images), 2, 28, 28), np.float32)


LOW = Config.report().replace(min_confidence=0.1)


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def results(folder):
    """What a run is for: the labels and instances.json. The journal is in the order in which frames were finished."""
    files = {path: data for path, data in tree(folder).items() if not path.name.startswith(".")}
    del files[Path("instances.jsonl")]
    return files


class TestDetect:
    def test_boxes_come_back_in_the_callers_pixels(self):
        images = [
            np.full((640, 832, 3), 100, np.uint8),
            np.full((600, 800), 90, np.uint8),  # padded
            np.full((1280, 1664, 4), 50, np.uint8),  # half
            np.full((*FULL_SHAPE, 3), 40, np.uint8),  # cropped, a quarter
            np.full((200, 300, 3), 20 / 255),
        ]
        found = detect(ByColour(), images)
        assert [instances.shape for instances in found] == [
            (640, 832),
            (600, 800),
            (1280, 1664),
            FULL_SHAPE,
            (200, 300),
        ]
        cars = [instances.boxes[0].tolist() for instances in found]
        assert cars == [[100, 0, 102, 4], [90, 0, 92, 4], [100, 0, 104, 8], [235, 28, 243, 44], [20, 0, 22, 4]]
        assert all(instances.class_ids.tolist() == [33, 36] for instances in found)
        assert found[3].masks[0].sum() == found[3].masks[0, 235:243, 28:44].sum() == 8 * 16

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 8])
    def test_any_batch_size_finds_the_same(self, batch_size):
        model = ByColour()
        found = detect(model, (np.full((64, 64), 10 * i, np.uint8) for i in range(5)), batch_size=batch_size)
        assert [instances.boxes[0, 0] for instances in found] == [0, 10, 20, 30, 40]
        assert set(model.batches) == {batch_size}  # the last one filled up: one compiled size

    def test_no_pictures(self):
        assert detect(ByColour(), []) == []

    def test_a_single_picture_is_no_list(self):
        with pytest.raises(ImageError, match=r"one array of shape \(64, 64, 3\)[\s\S]*detect\(\[image\]\)"):
            detect(ByColour(), np.zeros((64, 64, 3), np.uint8))

    def test_a_stack_of_pictures_is_one(self):
        assert len(detect(ByColour(), np.zeros((2, 64, 64, 3), np.uint8))) == 2

    def test_which_picture_is_wrong(self):
        with pytest.raises(ImageError, match="picture 1: as_rgb: expected a picture"):
            detect(ByColour(), [np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.int32)])

    def test_the_strip(self):
        (found,) = detect(ByColour(Config.classroom()), [np.full((*FULL_SHAPE, 3), 40, np.uint8)])
        assert found.boxes[0].tolist() == [1536 + 80, 28, 1536 + 84, 36]


@pytest.fixture
def full_wad(tiny_wad):
    """Six frames of full size."""
    return open_wad(tiny_wad(videos=2, frames=3))


@pytest.fixture
def wad(tiny_wad):
    """The same at network size, which is quicker to read and write."""
    root = tiny_wad(videos=2, frames=3, contents=False)
    for i, path in enumerate(sorted([*(root / "train_color").iterdir(), *(root / "test").iterdir()])):
        write_image(path, np.full((*NETWORK_SHAPE, 3), COLOURS[i % 4], np.uint8))
    for path in (root / "train_label").iterdir():
        write_label(path, np.full(NETWORK_SHAPE, 255, np.uint16))
    return open_wad(root)


def predict(model, frames, out, **options):
    return predict_dataset(model, frames, out, **{"progress": False, "workers": 2} | options)


class TestPredictDataset:
    def test_labels_and_instances(self, wad, tmp_path):
        report = predict(ByColour(LOW), wad.frames, tmp_path / "pred", threshold=0.5)
        assert (report.predicted, report.skipped, report.failed, report.instances) == (6, 0, (), 6)
        assert report.summary() == "6 frames predicted (6 instances), 0 were there already, 0 failed"
        names = sorted(frame.name for frame in wad.frames)
        assert sorted(p.name for p in (tmp_path / "pred" / "label").iterdir()) == [
            f"{n}_instanceIds.png" for n in names
        ]
        back = read_instances(tmp_path / "pred")
        assert sorted(back) == names
        for frame in wad.frames:
            assert back[frame.name].scores.tolist() == pytest.approx([0.9, 0.4])  # all that was found
            label = read_label(tmp_path / "pred" / "label" / f"{frame.name}_instanceIds.png", NETWORK_SHAPE)
            assert np.unique(label).tolist() == [255, 33000]  # from the threshold on
            assert (label == back[frame.name].above(0.5).to_label()).all()
            (top,) = set(back[frame.name].boxes[:1, 0].tolist())
            assert top in COLOURS

    def test_the_file_is_coco_results(self, wad, tmp_path):
        path = predict(ByColour(LOW), wad.frames, tmp_path / "pred").path
        rows = json.loads(path.read_text())
        assert path == tmp_path / "pred" / "instances.json"
        assert len(rows) == 12
        assert rows[0].keys() == {"image_id", "file_name", "category_id", "bbox", "score", "segmentation"}
        numbers = {row["file_name"]: row["image_id"] for row in rows}
        assert list(numbers) == sorted(numbers)
        assert list(numbers.values()) == [1, 2, 3, 4, 5, 6]
        assert next(iter(numbers)) == min(frame.image_path.name for frame in wad.frames)

    def test_evaluate_reads_it(self, wad, tmp_path):
        predict(ByColour(LOW), wad.frames, tmp_path / "pred", threshold=0.5)
        evaluation = evaluate_folder(wad.frames, tmp_path / "pred", progress=False)
        assert evaluation.frames == 6
        assert evaluation.missing == ()

    @pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (4, 1), (3, 4), (16, 2)])
    def test_any_batch_size_and_workers_write_the_same(self, wad, tmp_path, batch_size, workers):
        predict(ByColour(LOW), wad.frames, tmp_path / "one", batch_size=1, workers=1)
        predict(ByColour(LOW), wad.frames, tmp_path / "other", batch_size=batch_size, workers=workers)
        assert results(tmp_path / "one") == results(tmp_path / "other")

    def test_test_frames_go_by_their_name(self, wad, tmp_path):
        frames = [frame for video in wad.test_videos for frame in video.frames]
        predict(ByColour(LOW), frames, tmp_path / "pred")
        names = {frame.name for frame in frames}
        assert {p.name.removesuffix("_instanceIds.png") for p in (tmp_path / "pred" / "label").iterdir()} == names
        assert set(read_instances(tmp_path / "pred")) == names

    def test_nothing_found(self, wad, tmp_path):
        class Blind(ByColour):
            def forward(self, images, windows):
                return np.zeros((len(images), 5, 6), np.float32), np.zeros((len(images), 0, 28, 28), np.float32)

        report = predict(Blind(), wad.frames, tmp_path / "pred")
        assert (report.predicted, report.instances) == (6, 0)
        assert json.loads(report.path.read_text()) == []
        assert (read_label(next((tmp_path / "pred" / "label").iterdir())) == 255).all()
        assert evaluate_folder(wad.frames, tmp_path / "pred", progress=False).frames == 6

    def test_full_size_frames(self, full_wad, tmp_path):
        """The network sees a quarter of the resolution; boxes and masks are in the frame's pixels."""
        predict(ByColour(LOW), full_wad.frames, tmp_path / "pred", threshold=0.5)
        assert evaluate_folder(full_wad.frames, tmp_path / "pred", progress=False).frames == 6
        for name, found in read_instances(tmp_path / "pred").items():
            y1, x1, y2, x2 = found.boxes[0].tolist()
            assert (y2 - y1, x1, x2) == (8, 28, 44)
            assert (y1 - 75) / 4 in COLOURS
            label = read_label(tmp_path / "pred" / "label" / f"{name}_instanceIds.png", FULL_SHAPE)
            assert (label == 33000).sum() == (label[int(y1) : int(y2), 28:44] == 33000).sum() == 8 * 16

    def test_network_size_frames_in_full_frame_coordinates(self, full_wad, tmp_path):
        prepare(full_wad, tmp_path / "small", progress=False)
        frames = open_wad(tmp_path / "small").frames
        predict(ByColour(LOW), frames, tmp_path / "full", full_frame=True)
        predict(ByColour(LOW), full_wad.frames, tmp_path / "direct")
        assert results(tmp_path / "full") == results(tmp_path / "direct")

    def test_only_a_few_frames_are_read_ahead(self, tiny_wad, tmp_path):
        read = []

        class Counted(Frame):
            def read_image(self):
                read.append(self.name)
                return np.full((64, 64, 3), 50, np.uint8)

        class Slow(ByColour):
            ahead = 0

            def forward(self, images, windows):
                time.sleep(0.002)
                self.ahead = max(self.ahead, len(read) - self.shown)
                return super().forward(images, windows)

        model = Slow()
        frames = [Counted(f"f{i:03d}", "v", Path(f"f{i:03d}.jpg")) for i in range(100)]
        assert predict(model, frames, tmp_path / "pred").predicted == 100
        assert model.ahead <= 4 * 2 + 3


class TestGoingOn:
    def test_stopped_and_started_again_is_as_if_never_stopped(self, wad, tmp_path):
        predict(ByColour(LOW), wad.frames, tmp_path / "whole")
        with pytest.raises(RuntimeError, match="stopped"):
            predict(ByColour(LOW, stop_after=2), wad.frames, tmp_path / "pred", workers=1)
        assert not (tmp_path / "pred" / "instances.json").exists()
        there = len((tmp_path / "pred" / "instances.jsonl").read_bytes().splitlines()) - 1
        assert there <= 2
        model = ByColour(LOW)
        report = predict(model, wad.frames, tmp_path / "pred")
        assert (report.predicted, report.skipped) == (6 - there, there)
        assert model.shown == 6 - there
        assert results(tmp_path / "pred") == results(tmp_path / "whole")

    def test_nothing_left_to_do(self, wad, tmp_path):
        predict(ByColour(LOW), wad.frames, tmp_path / "pred")
        before = tree(tmp_path / "pred")
        model = ByColour(LOW)
        assert predict(model, wad.frames, tmp_path / "pred").skipped == 6
        assert model.shown == 0
        assert tree(tmp_path / "pred") == before

    def test_more_frames_later(self, wad, tmp_path):
        predict(ByColour(LOW), wad.frames[:2], tmp_path / "pred")
        report = predict(ByColour(LOW), wad.frames, tmp_path / "pred")
        assert (report.predicted, report.skipped) == (4, 2)
        assert len(read_instances(tmp_path / "pred")) == 6

    @pytest.mark.parametrize("cut", [1, 20, 500])
    def test_a_journal_whose_last_line_was_cut(self, wad, tmp_path, cut):
        predict(ByColour(LOW), wad.frames, tmp_path / "pred", workers=1)
        whole = tree(tmp_path / "pred")
        journal = tmp_path / "pred" / "instances.jsonl"
        journal.write_bytes(journal.read_bytes()[:-cut])
        report = predict(ByColour(LOW), wad.frames, tmp_path / "pred", workers=1)
        assert report.predicted == (1 if cut < 400 else 2)
        assert tree(tmp_path / "pred") == whole

    def test_a_label_that_is_gone_is_made_again_and_counted_once(self, wad, tmp_path):
        predict(ByColour(LOW), wad.frames, tmp_path / "pred")
        whole = (tmp_path / "pred" / "instances.json").read_bytes()
        label = tmp_path / "pred" / "label" / f"{wad.frames[3].name}_instanceIds.png"
        label.unlink()
        assert predict(ByColour(LOW), wad.frames, tmp_path / "pred").predicted == 1
        assert label.is_file()
        assert (tmp_path / "pred" / "instances.json").read_bytes() == whole

    def test_other_settings_are_refused(self, wad, tmp_path):
        predict(ByColour(LOW), wad.frames[:1], tmp_path / "pred", threshold=0.5)
        with pytest.raises(InstancesError, match=r"threshold was 0\.5, is 0\.7[\s\S]*choose another folder"):
            predict(ByColour(LOW), wad.frames, tmp_path / "pred", threshold=0.7)
        with pytest.raises(InstancesError, match="config was"):
            predict(ByColour(LOW.replace(nms_threshold=0.5)), wad.frames, tmp_path / "pred", threshold=0.5)
        with pytest.raises(InstancesError, match="full_frame was False, is True"):
            predict(ByColour(LOW), wad.frames, tmp_path / "pred", threshold=0.5, full_frame=True)
        assert len((tmp_path / "pred" / "instances.jsonl").read_bytes().splitlines()) == 2
        renamed = LOW.replace(name="another", batch_size=7)  # nothing that predictions depend on
        assert predict(ByColour(renamed), wad.frames, tmp_path / "pred", threshold=0.5).skipped == 1

    def test_a_foreign_journal(self, wad, tmp_path):
        (tmp_path / "pred").mkdir()
        (tmp_path / "pred" / "instances.jsonl").write_text('{"frame": "a", "results": []}\n')
        with pytest.raises(InstancesError, match="folder without predictions"):
            predict(ByColour(LOW), wad.frames, tmp_path / "pred")

    def test_two_at_once_lose_nothing(self, wad, tmp_path):
        """Two sides of a split into one folder: the second waits for the first, and adds to it."""
        half = len(wad.frames) // 2
        sides = [wad.frames[:half], wad.frames[half:]]
        with ThreadPoolExecutor(2) as pool:
            for side in sides:
                pool.submit(predict, ByColour(LOW), side, tmp_path / "pred", threshold=0.5)
        assert sorted(read_instances(tmp_path / "pred")) == sorted(frame.name for frame in wad.frames)

    def test_frames_of_another_dataset_are_predicted_anew(self, tiny_wad, wad, tmp_path):
        predict(ByColour(LOW), wad.frames, tmp_path / "pred", threshold=0.5)
        frame, other = wad.frames[0], wad.frames[1]
        frame.image_path.write_bytes(other.image_path.read_bytes())
        (tmp_path / "pred" / "label" / f"{other.name}_instanceIds.png").write_bytes(b"")  # a disk that was full
        report = predict(ByColour(LOW), wad.frames, tmp_path / "pred", threshold=0.5)
        assert (report.predicted, report.skipped) == (2, len(wad.frames) - 2)
        found = read_instances(tmp_path / "pred")
        assert found[frame.name].boxes.tolist() == found[other.name].boxes.tolist()

    def test_lines_of_the_journal_that_are_none(self, wad, tmp_path):
        predict(ByColour(LOW), wad.frames[:1], tmp_path / "pred", threshold=0.5)
        whole = (tmp_path / "pred" / "instances.json").read_bytes()
        journal = tmp_path / "pred" / "instances.jsonl"
        header, line = journal.read_text().splitlines()
        for results in ([1], ["x"], [None], "x", {}, None):
            journal.write_text(f"{header}\n{json.dumps({**json.loads(line), 'results': results})}\n")
            predict(ByColour(LOW), wad.frames[:1], tmp_path / "pred", threshold=0.5)
            assert (tmp_path / "pred" / "instances.json").read_bytes() == whole

    def test_a_full_disk_keeps_what_is_finished(self, wad, tmp_path, monkeypatch):
        room = {"files": 3}
        real = Path.write_bytes

        def write(self, data):
            room["files"] -= 1
            if room["files"] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(self, data)

        with monkeypatch.context() as patch:
            patch.setattr(files.Path, "write_bytes", write)
            with pytest.raises(StorageError, match=r"the disk is full[\s\S]*run the same command again"):
                predict(ByColour(LOW), wad.frames, tmp_path / "pred", workers=1)
        report = predict(ByColour(LOW), wad.frames, tmp_path / "pred")
        assert report.predicted + report.skipped == 6
        predict(ByColour(LOW), wad.frames, tmp_path / "whole")
        assert results(tmp_path / "pred") == results(tmp_path / "whole")

    def test_a_full_disk_at_the_journal(self, wad, tmp_path, monkeypatch):
        real = Path.open

        def open_(self, mode="r", *args, **kwargs):
            if self.name == "instances.jsonl" and mode == "ab" and self.exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(self, mode, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", open_)
            with pytest.raises(StorageError, match=r"could not write .*instances\.jsonl[\s\S]*the disk is full"):
                predict(ByColour(LOW), wad.frames, tmp_path / "pred")
        assert predict(ByColour(LOW), wad.frames, tmp_path / "pred").predicted == 6


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[3])
from test_inference import LOW, ByColour
from wadlib.dataset import open_wad
from wadlib.maskrcnn.inference import predict_dataset
class Slow(ByColour):
    def forward(self, images, windows):
        time.sleep(0.1)
        return super().forward(images, windows)
predict_dataset(Slow(LOW), open_wad(sys.argv[1]).frames, sys.argv[2], progress=False, workers=2, batch_size=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("lines", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)])
def test_killed_at_any_moment_goes_on(wad, tmp_path, lines):
    out = tmp_path / "pred"
    command = [sys.executable, "-c", KILLED, str(wad.root), str(out), str(Path(__file__).parent)]
    process = subprocess.Popen(command)
    journal, give_up = out / "instances.jsonl", time.monotonic() + 120
    while not journal.exists() or len(journal.read_bytes().splitlines()) <= lines:
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert not (out / "instances.json").exists()
    report = predict(ByColour(LOW), wad.frames, out, batch_size=2)
    assert report.predicted + report.skipped == 6
    assert report.skipped >= lines - 1  # the last line may have been cut
    predict(ByColour(LOW), wad.frames, tmp_path / "whole")
    assert results(out) == results(tmp_path / "whole")


class TestBadFrames:
    def test_are_collected(self, wad, tmp_path):
        wad.frames[1].image_path.write_bytes(b"")
        report = predict(ByColour(LOW), wad.frames, tmp_path / "pred")
        assert (report.predicted, len(report.failed)) == (5, 1)
        assert report.failed[0].frame == wad.frames[1]
        assert "got an empty file" in report.summary()
        assert len(read_instances(tmp_path / "pred")) == 5

    def test_if_all_are_bad_it_stops(self, wad, tmp_path):
        for frame in wad.frames:
            frame.image_path.write_bytes(b"")
        with pytest.raises(DatasetError, match="none of the first 6 frames could be read"):
            predict(ByColour(LOW), wad.frames, tmp_path / "pred")

    def test_no_frames_and_frames_twice(self, wad, tmp_path):
        with pytest.raises(DatasetError, match="there are no frames"):
            predict(ByColour(LOW), [], tmp_path / "pred")
        with pytest.raises(DatasetError, match=f"the frame {wad.frames[0].name} occurs twice"):
            predict(ByColour(LOW), [*wad.frames, wad.frames[0]], tmp_path / "pred")

    def test_a_name_that_leaves_the_folder(self, wad, tmp_path):
        frame = Frame("../evil", "v", wad.frames[0].image_path)
        with pytest.raises(DatasetError, match="leaves the folder"):
            predict(ByColour(LOW), [frame], tmp_path / "pred")
        assert not list(tmp_path.rglob("*evil*"))

    def test_weights_that_diverged(self, wad, tmp_path):
        class Diverged(ByColour):
            def forward(self, images, windows):
                detections, masks = super().forward(images, windows)
                return detections * np.float32(np.nan), masks

        with pytest.raises(InstancesError, match="diverged"):
            predict(Diverged(LOW), wad.frames, tmp_path / "pred")
