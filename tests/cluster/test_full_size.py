"""As many frames as the real dataset has, of tiny pictures: time, memory, and what is sent to workers."""

import concurrent.futures
import json
import pickle
import re
import time
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from typer.testing import CliRunner

from wadlib.cli import app
from wadlib.dataset import open_wad, prepare
from wadlib.frames import write_label
from wadlib.instances import Instances
from wadlib.interop.coco import write_coco, write_coco_results
from wadlib.interop.kitti_mots import write_kitti_mots
from wadlib.interop.submission import write_submission
from wadlib.maskrcnn.inference import read_and_detect
from wadlib.maskrcnn.inference_workers import WorkerJob, predict_elsewhere
from wadlib.maskrcnn.looks import Looks
from wadlib.metrics import evaluate_folder, iou_at_thresholds, published_waterfall_of
from wadlib.metrics.evaluate_tracks import evaluate_tracks
from wadlib.rendered import render_dataset
from wadlib.tracking.folder import track_folder

FRAMES, VIDEOS = 39_222, 122
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("full"))


def fill(root):
    """Make ROOT and PRED of 39,222 frames: a label of 8x8 pixels under many names, empty pictures, scores for each."""
    for folder in ("wad/train_color", "wad/train_label", "wad/train_video_list", "pred/label"):
        (root / folder).mkdir(parents=True)
    label = np.full((8, 8), 255, np.uint16)
    label[2:5, 1:4], label[5:7, 5:8] = 33000, 36001
    write_label(root / "label.png", label)
    (root / "empty.jpg").touch()
    rows = Instances.from_label(label).to_coco()
    lists = {video: [] for video in range(VIDEOS)}
    with (root / "pred/instances.json").open("w", encoding="utf-8") as file:
        for n in range(FRAMES):
            name = f"170908_06{n:07d}_Camera_5"
            if n % 30_000 == 0:  # a file system allows so many names for a file
                sources = [root / f"label{n}.png", root / f"empty{n}.jpg"]
                sources[0].write_bytes((root / "label.png").read_bytes())
                sources[1].touch()
                again = root / f"again{n}.png"
                again.write_bytes((root / "label.png").read_bytes())
            (root / f"wad/train_color/{name}.jpg").hardlink_to(sources[1])
            (root / f"wad/train_label/{name}_instanceIds.png").hardlink_to(sources[0])
            (root / f"pred/label/{name}_instanceIds.png").hardlink_to(again)
            lists[n * VIDEOS // FRAMES].append(f"a\\{name}.jpg\tb\\{name}_instanceIds.png\n")
            for k, row in enumerate(rows):
                named = {**row, "image_id": n + 1, "file_name": f"{name}.jpg"}
                file.write(("[" if n + k == 0 else ",") + "\n" + json.dumps(named))
        file.write("\n]\n")
    for video, lines in lists.items():
        path = root / f"wad/train_video_list/road01_cam_5_video_{video}_image_list_train.txt"
        path.write_text("".join(lines), encoding="utf-8")
    return root / "wad", root / "pred"


def as_few_seconds_as(function):
    """Seconds of the processor, the least of three: other programs disturb."""
    spent_s = []
    for _ in range(3):
        before = time.process_time()
        result = function()
        spent_s.append(time.process_time() - before)
    return min(spent_s), result


def list_files(root):
    """What cannot be left out: the names of all files as paths, sorted, and the lines of the lists."""
    paths = [sorted((root / folder).iterdir()) for folder in ("train_color", "train_label", "train_video_list")]
    return paths, [path.read_text(encoding="utf-8").split() for path in paths[2]]


def test_info_takes_little_longer_than_to_list_the_files(everything):
    """What the folders and lists say: to count the instances means to open every label, and has to be asked for."""
    CliRunner().invoke(app, ["info", "--help"])  # imports
    listing_s, _ = as_few_seconds_as(lambda: list_files(everything[0]))
    info_s, result = as_few_seconds_as(lambda: CliRunner().invoke(app, ["info", str(everything[0])]))
    assert result.exit_code == 0, result.output
    assert f"{VIDEOS} videos, {FRAMES} frames" in result.output
    assert f"that opens {FRAMES} labels" in result.output
    split = open_wad(everything[0]).split("by_video")
    assert len(split.train) + len(split.validation) == FRAMES
    print(f"info: {info_s:.2f} s of the processor, {info_s / listing_s:.1f} times the listing")
    assert info_s < 2.5 * listing_s


def peak_bytes():
    """Most memory that this process has held since the last call."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not clear.exists():
        pytest.skip("only Linux tells the most memory that a process has held")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    clear.write_text("5")
    return int(found[1]) * 1024


def test_bounded_memory(everything, tmp_path):
    """What grows with the number of frames is a few kilobytes for each: never a picture, never a mask."""
    root, pred = everything
    wad = open_wad(root)
    frames, keep = wad.frames, {"workers": 1, "progress": False}
    evaluate_folder(frames[:100], pred, **keep)  # compiled loops
    (tmp_path / "mots").mkdir()
    results = {}
    for name, work, limit in (
        ("coco", lambda: write_coco(frames, tmp_path / "truth.json", **keep), 1000),
        ("evaluate", lambda: evaluate_folder(frames, pred, **keep), 5000),
        ("results", lambda: write_coco_results(frames, pred, tmp_path / "results.json", **keep), 3000),
        ("submission", lambda: write_submission(pred, tmp_path / "submission.csv", full_frame=False, **keep), 3000),
        ("kitti", lambda: write_kitti_mots(wad.train_videos, tmp_path / "mots", prediction=pred, **keep), 1000),
    ):
        peak_bytes()
        before, start = peak_bytes(), time.process_time()
        results[name] = work()
        grown = (peak_bytes() - before) / FRAMES
        print(f"{name}: {grown:.0f} bytes a frame, {time.process_time() - start:.1f} s of the processor")
        assert grown < limit
    assert results["evaluate"].frames == FRAMES
    assert results["evaluate"].to_dict(0)["report_iou"]["car"] == 1
    assert results["coco"] == results["results"] == results["submission"] == 2 * FRAMES
    assert len(json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["images"]) == FRAMES
    assert len(json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))) == 2 * FRAMES
    assert len((tmp_path / "submission.csv").read_text(encoding="utf-8").splitlines()) == 1 + 2 * FRAMES
    lines = sum(path.read_text().count("\n") for path in (tmp_path / "mots/data").iterdir())
    assert lines == 2 * FRAMES


def test_cost_grows_linearly(everything):
    """Eight times the frames take eight times as long: nothing looks through all frames for each of them."""
    root, pred = everything
    frames, each_s = open_wad(root).frames, []
    evaluate_folder(frames[:100], pred, workers=1, progress=False)
    for count in (FRAMES // 16, FRAMES // 2):
        before = time.process_time()
        evaluate_folder(frames[:count], pred, workers=1, progress=False)
        each_s.append((time.process_time() - before) / count)
    print(f"evaluate: a frame of {FRAMES // 2} costs {each_s[1] / each_s[0]:.2f} times one of {FRAMES // 16}")
    assert each_s[1] < 2 * each_s[0]  # it would be 8 times


class EnoughError(Exception):
    """Ends a command whose tasks were weighed."""


class Recorder(concurrent.futures.Executor):
    """Takes the place of a cluster: what each task weighs when it is sent; it is then done here, or none is."""

    def __init__(self, works=True):
        self.sizes, self.works = [], works

    def submit(self, function, /, *args):
        task = cloudpickle.dumps((function, args))
        self.sizes.append(len(task))
        future = concurrent.futures.Future()
        if self.works:
            again, arguments = pickle.loads(task)
            future.set_result(again(*arguments))
        else:
            future.set_exception(EnoughError())
        return future


def test_a_task_weighs_at_most_four_kilobytes(everything):
    root, pred = everything
    frames, recorder = open_wad(root).frames, Recorder()
    evaluate_folder(frames, pred, executor=recorder, progress=False)
    print(f"evaluate: {len(recorder.sizes)} tasks, the largest of {max(recorder.sizes)} bytes")
    assert len(recorder.sizes) < FRAMES / 15
    assert max(recorder.sizes) <= 4096


class NoNetwork:
    """In place of a network, which is not sent."""


def commands(wad, pred, out):
    """What each command and option that takes ``--dask`` calls, by name."""
    keep = {"progress": False}
    tracks = {frame.name: {33000: 1, 36001: 2} for frame in wad.frames}
    job = WorkerJob(NoNetwork, out / ".weights.h5", "tensorflow", out, 0.9, 1, False, None, Looks())
    return {
        "render": lambda e: render_dataset(out / "drawn", VIDEOS, FRAMES // VIDEOS, executor=e, **keep),
        "prepare": lambda e: prepare(wad, out / "prepared", executor=e, **keep),
        "predict": lambda e: list(predict_elsewhere(wad.frames, job, read_and_detect, e, None)),
        "sweep": lambda e: iou_at_thresholds(wad.frames, pred, executor=e, **keep),
        "as published": lambda e: published_waterfall_of(wad.frames, pred, executor=e, **keep),
        "evaluate tracks": lambda e: evaluate_tracks(wad.train_videos, tracks, pred, executor=e, **keep),
        "track": lambda e: track_folder(wad.train_videos, pred, out / "tracked", executor=e, **keep),
        "coco": lambda e: write_coco(wad.frames, out / "truth.json", executor=e, **keep),
        "results": lambda e: write_coco_results(wad.frames, pred, out / "results.json", executor=e, **keep),
        "submission": lambda e: write_submission(pred, out / "submission.csv", executor=e, **keep),
        "kitti": lambda e: write_kitti_mots(wad.train_videos, out / "mots", executor=e, **keep),
        "count": lambda e: wad.count_instances(executor=e, **keep),
    }


def test_no_task_of_any_command_holds_an_index(everything, tmp_path):
    """Nor are tens of thousands of tasks sent before the first is done, which costs a scheduler minutes."""
    wad = open_wad(everything[0])
    for name, work in commands(wad, everything[1], tmp_path).items():
        recorder = Recorder(works=False)
        with pytest.raises(EnoughError):
            work(recorder)
        print(f"{name}: {len(recorder.sizes)} tasks at once, the largest of {max(recorder.sizes)} bytes")
        # A task of `track` is a whole video: a frame of it is a few bytes.
        limit = 4096 if name != "track" else 50 * FRAMES // VIDEOS
        assert max(recorder.sizes) <= limit, name
        assert len(recorder.sizes) <= 128, name
