"""The same work in this process, in processes, and on a Dask cluster of two workers; and what breaks with Dask."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.cluster.killers import die_at, die_once, kill_on
from wadlib._shared.cluster import CHUNK, connected, limit_threads, packed, unpacked
from wadlib._shared.parallel import map_frames
from wadlib.cli import app, main
from wadlib.dataset import open_wad, prepare
from wadlib.errors import MetricError, WorkerError
from wadlib.interop.coco import write_coco, write_coco_results
from wadlib.interop.kitti_mots import write_kitti_mots
from wadlib.interop.submission import write_submission
from wadlib.metrics import evaluate_folder, iou_at_thresholds, published_waterfall_of
from wadlib.metrics.evaluate_tracks import evaluate_tracks
from wadlib.rendered import render_dataset
from wadlib.tracking.folder import TrackOptions, track_folder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # warnings of distributed and of its tornado
runner = CliRunner()


@pytest.fixture(scope="session")
def dask(address):
    with connected(address) as executor:
        yield executor


@pytest.fixture(scope="session")
def processes():
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="session")
def one_thread():
    """A process that computes in one thread, as the workers of a cluster do."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn, initializer=limit_threads) as executor:
        yield executor


@pytest.fixture(params=["processes", "dask"])
def executor(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def scored(drawn, tmp_path_factory):
    """The drawn frames and predictions of them with scores."""
    root, pred = drawn
    folder = tmp_path_factory.mktemp("scored") / "pred"
    shutil.copytree(pred, folder)
    frames = open_wad(root).frames
    write_coco_results(frames, pred, folder / "instances.json", workers=1, progress=False)
    return root, folder


@contextlib.contextmanager
def killing(dask, name):
    """Let each worker die that reads the picture or the label of a frame."""

    class Killer(pytest.importorskip("distributed").WorkerPlugin):
        def setup(self, worker):
            kill_on(name)

    dask._client.register_plugin(Killer(), name="killer")
    try:
        yield
    finally:
        dask._client.unregister_worker_plugin("killer")
        before = dask._client.scheduler_info(n_workers=-1)["workers"].keys()
        dask._client.run(os._exit, 1, on_error="ignore")  # others come in their place, which do not know the killer
        deadline = time.monotonic() + 120
        while len(dask._client.scheduler_info(n_workers=-1)["workers"].keys() - before) < 2:
            assert time.monotonic() < deadline, "no new workers came"
            time.sleep(0.1)


def at_work(dask_worker):
    """How many tasks a worker runs or will run; one that was begun cannot be stopped, only waited for."""
    return sum(
        task.state in ("executing", "long-running", "ready", "cancelled") for task in dask_worker.state.tasks.values()
    )


def files_of(folder):
    """Name -> bytes of all files, but hidden ones, which are locks."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert not [path for path in folder.rglob(".*") if ".part" in path.name]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


class TestTheSameEverywhere:
    def test_prepare(self, tiny_wad, tmp_path, executor):
        wad = open_wad(tiny_wad(videos=1, frames=4))
        prepare(wad, tmp_path / "here", progress=False)
        report = prepare(wad, tmp_path / "there", executor=executor, progress=False)
        assert (report.prepared, report.failed) == (4, ())
        assert files_of(tmp_path / "there") == files_of(tmp_path / "here")

    def test_render(self, tmp_path, executor):
        for name, each in (("here", None), ("there", executor)):
            render_dataset(tmp_path / name, 1, 3, 5, "network", workers=1, executor=each, progress=False)
        assert files_of(tmp_path / "there") == files_of(tmp_path / "here")

    def test_evaluate(self, scored, executor):
        root, pred = scored
        wad = open_wad(root)
        here = evaluate_folder(wad.frames, pred, workers=1, progress=False)
        there = evaluate_folder(wad.frames, pred, executor=executor, progress=False)
        assert repr(there.to_dict(10)) == repr(here.to_dict(10))
        assert there.ranked
        here, there = (iou_at_thresholds(wad.frames, pred, executor=e, progress=False) for e in (None, executor))
        assert there.table().equals(here.table())
        here, there = (published_waterfall_of(wad.frames, pred, executor=e, progress=False) for e in (None, executor))
        assert repr(there.to_dict()) == repr(here.to_dict())
        here, there = (
            evaluate_tracks(wad.train_videos, wad.tracks(), pred, executor=e, progress=False) for e in (None, executor)
        )
        assert repr(there.to_dict()) == repr(here.to_dict())
        here, there = (wad.count_instances(executor=e, progress=False) for e in (None, executor))
        assert there.codes.tolist() == here.codes.tolist()

    def test_export(self, scored, tmp_path, executor):
        root, pred = scored
        wad = open_wad(root)
        for name, each in (("here", None), ("there", executor)):
            out = tmp_path / name
            out.mkdir()
            options = {"executor": each, "progress": False}
            write_coco(wad.frames, out / "truth.json", **options)
            write_coco_results(wad.frames, pred, out / "results.json", **options)
            write_submission(pred, out / "submission.csv", **options)
            write_kitti_mots(wad.train_videos, out / "truth", **options)
            write_kitti_mots(wad.train_videos, out / "mots", prediction=pred, **options)
        assert files_of(tmp_path / "there") == files_of(tmp_path / "here")

    def test_track(self, scored, tmp_path, executor):
        root, pred = scored
        videos = open_wad(root).train_videos
        options = TrackOptions(threshold=0.5)  # the truth's labels are numbered in another order than their rows
        here = track_folder(videos, pred, tmp_path / "here", options, progress=False)
        there = track_folder(videos, pred, tmp_path / "there", options, executor=executor, progress=False)
        assert there == here
        assert files_of(tmp_path / "there") == files_of(tmp_path / "here")

    def test_predict(self, drawn, tmp_path, executor, request):
        """By as many threads: how TensorFlow divides a sum between threads can change its last digit."""
        from wadlib.maskrcnn import MaskRCNN
        from wadlib.maskrcnn.config import Config
        from wadlib.maskrcnn.inference import predict_dataset

        frames = open_wad(drawn[0]).frames[:3]
        model = MaskRCNN(Config.classroom())
        model.load("rendered")
        on_dask = request.node.callspec.params["executor"] == "dask"
        here = request.getfixturevalue("one_thread") if on_dask else None
        for name, each in (("here", here), ("there", executor)):
            report = predict_dataset(model, frames, tmp_path / name, workers=1, executor=each, progress=False)
            assert (report.predicted, report.failed) == (3, ())
        assert report.instances > 0
        here, there = files_of(tmp_path / "here"), files_of(tmp_path / "there")
        assert there.keys() == here.keys()
        for name in here.keys() - {"instances.jsonl"}:
            assert there[name] == here[name], name
        assert [path.name for path in (tmp_path / "there").glob(".*.h5")] == []  # the weights for the workers
        again = predict_dataset(model, frames, tmp_path / "there", executor=executor, progress=False)
        assert (again.predicted, again.skipped) == (0, 3)


def test_on_the_command_line(address, scored, tmp_path):
    root, pred = scored
    options = ["evaluate", str(root), str(pred), "--draws", "0", "--as-published", "--sweep"]
    result = runner.invoke(app, [*options, "--json", str(tmp_path / "there.json"), "--dask", address])
    assert result.exit_code == 0, result.output
    assert runner.invoke(app, [*options, "--json", str(tmp_path / "here.json")]).exit_code == 0
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()
    for command in (
        ["export", "coco", str(root), str(tmp_path / "a.json")],
        ["track", str(root), str(pred), "--out", str(tmp_path / "tracked"), "--threshold", "0.5"],
        ["render", str(tmp_path / "drawn"), "--videos", "1", "--frames", "2", "--size", "network"],
    ):
        result = runner.invoke(app, [*command, "--dask", address])
        assert result.exit_code == 0, result.output


def test_nobody_at_the_address():
    with pytest.raises(WorkerError, match=r"no scheduler answers there.*\n.*\n.*dask scheduler"):
        connected("tcp://127.0.0.1:1", timeout_s=0.5).__enter__()


class TestTraps:
    def test_not_pure(self, tiny_wad, tmp_path, dask):
        """An output that was deleted is written again, though the same function was called on the same item."""
        wad = open_wad(tiny_wad(videos=1, frames=2))
        prepare(wad, tmp_path / "out", executor=dask, progress=False)
        gone = tmp_path / "out/train_color" / wad.frames[1].image_path.name
        gone.unlink()
        report = prepare(wad, tmp_path / "out", executor=dask, progress=False)
        assert (report.prepared, report.skipped) == (1, 1)
        assert gone.is_file()

    def test_a_worker_killed_in_the_middle(self, dask, tmp_path):
        (tmp_path / "once").touch()
        items = [(n, str(tmp_path / "once") if n == 20 else None) for n in range(64)]
        found = list(map_frames(die_once, items, executor=dask, chunk=8, progress=False))
        assert [result for _, result in found] == list(range(64))
        assert not (tmp_path / "once").exists()

    def test_ctrl_c_then_the_same_command(self, tiny_wad, tmp_path, address, dask):
        root, out = tiny_wad(videos=9, frames=6, test=False), tmp_path / "out"
        command = [sys.executable, "-m", "wadlib.cli", "prepare", str(root), str(out), "--dask", address]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(list(out.glob("train_label/*.png"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 130, errors
        assert "Stopped. What is finished is kept" in errors
        while any(dask._client.run(at_work).values()):
            assert time.monotonic() < deadline + 120, "what the workers had begun does not end"
            time.sleep(0.1)
        before = len(files_of(out))
        time.sleep(1)
        assert len(files_of(out)) == before < 2 * 54
        result = runner.invoke(app, ["prepare", str(root), str(out), "--dask", address])
        assert result.exit_code == 0, result.output
        assert "0 were there already" not in result.output
        assert sum(path.endswith((".jpg", ".png")) for path in files_of(out)) == 2 * 54

    def test_an_item_that_always_kills(self, dask):
        items = [(n, n == 5) for n in range(24)]
        found = [
            result
            for _, result in map_frames(
                die_at, items, executor=dask, chunk=8, killed=lambda item, error: error, progress=False
            )
        ]
        assert found[:5] + found[6:] == [*range(5), *range(6, 24)]
        assert isinstance(found[5], WorkerError)
        assert "die_at: (5, True) killed each worker that it came to" in str(found[5])
        with pytest.raises(WorkerError, match="killed each worker"):
            list(map_frames(die_at, items[5:6], executor=dask, progress=False))

    def test_prepare_goes_on_after_a_frame_that_kills(self, tiny_wad, tmp_path, address, dask):
        """One named failure, exit code 2, everything else there, nothing half-written."""
        root = tiny_wad(videos=1, frames=5, test=False)
        name = open_wad(root).frames[2].name
        with killing(dask, name):
            result = runner.invoke(app, ["prepare", str(root), str(tmp_path / "out"), "--dask", address])
        assert result.exit_code == 2, result.output
        assert "4 frames prepared, 0 were there already, 1 failed" in result.output
        assert f"{name}: prepare_frame: {name} killed each worker" in result.output
        written = files_of(tmp_path / "out")
        assert sum(path.startswith("train_color") for path in written) == 4
        assert sum(path.startswith("train_label") for path in written) == 4
        # the same command goes on
        result = runner.invoke(app, ["prepare", str(root), str(tmp_path / "out"), "--dask", address])
        assert result.exit_code == 0, result.output
        assert "1 frames prepared, 4 were there already" in result.output

    def test_predict_goes_on_after_a_frame_that_kills(self, drawn, tmp_path, address, dask):
        """Frames that only waited at a worker when it died are not given up with the one that killed it."""
        root, out = drawn[0], tmp_path / "pred"
        name = open_wad(root).frames[4].name
        command = ["predict", str(root), "--weights", "rendered", "--out", str(out), "--dask", address]
        with killing(dask, name):
            result = runner.invoke(app, command)
        assert result.exit_code == 2, result.output
        assert re.search(r"7 frames predicted \(\d+ instances\), 0 were there already, 1 failed", result.output)
        assert f"{name}: predict_batch: " in result.output
        assert "killed each worker" in result.output
        labels = {path.name for path in (out / "label").iterdir()}
        assert labels == {f"{f.name}_instanceIds.png" for f in open_wad(root).frames if f.name != name}
        result = runner.invoke(app, command)
        assert result.exit_code == 0, result.output
        assert "1 frames predicted" in result.output

    def test_evaluate_stops_at_a_frame_that_kills(self, scored, address, dask, monkeypatch, capsys):
        """A score without it would be another one."""
        root, pred = scored
        name = open_wad(root).frames[1].name
        monkeypatch.setattr("sys.argv", ["wadlib", "evaluate", str(root), str(pred), "--dask", address])
        with killing(dask, name), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert f"WorkerError: compare: {name} killed each worker that it came to" in capsys.readouterr().err

    def test_an_error_of_a_frame_comes_back_as_it_is(self, scored, tmp_path, dask):
        from wadlib.frames import write_label

        root, pred = scored
        shutil.copytree(pred, tmp_path / "pred")
        frames = open_wad(root).frames
        write_label(tmp_path / f"pred/label/{frames[3].name}_instanceIds.png", np.full((4, 4), 255, np.uint16))
        with pytest.raises(MetricError, match=f"like the truth of {frames[3].name}"):
            evaluate_folder(frames, tmp_path / "pred", executor=dask, progress=False)

    def test_closing_early_leaves_nothing_running(self, dask):
        pairs = map_frames(die_once, [(n, None) for n in range(400)], executor=dask, progress=False)
        assert next(pairs)[1] == 0
        pairs.close()
        deadline = time.monotonic() + 10
        while any(dask._client.processing().values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(dask._client.processing().values())

    def test_workers_compute_in_one_thread(self, dask):
        import os

        found = dask._client.run(lambda: (os.environ["TF_NUM_INTRAOP_THREADS"], os.environ["NUMBA_NUM_THREADS"]))
        assert set(found.values()) == {("1", "1")}
        assert set(dask._client.run(_opencv_threads).values()) == {1}

    def test_client_time_of_evaluate(self, tmp_path, dask):
        """At most 0.6 ms a frame in this process, also when a thousand frames are scored."""
        frames = many_frames(tmp_path, 1000)
        evaluate_folder(frames, tmp_path / "pred", executor=dask, progress=False)  # workers have compiled their loops
        before = time.process_time()
        evaluation = evaluate_folder(frames, tmp_path / "pred", executor=dask, progress=False)
        spent_ms = (time.process_time() - before) / len(frames) * 1e3
        assert evaluation.frames == 1000
        print(f"client time {spent_ms:.3f} ms a frame")
        assert spent_ms <= 0.6


def _opencv_threads():
    import cv2

    return cv2.getNumThreads()


def many_frames(folder, count):
    """Frames of 8x8 pixels, each with a prediction and its scores: the file is one, under many names."""
    from wadlib.dataset.frame import Frame
    from wadlib.frames import write_label
    from wadlib.instances import Instances, write_predictions

    label = np.full((8, 8), 255, np.uint16)
    label[2:5, 1:4] = 33000
    label[5:7, 5:8] = 36001
    names = [f"170908_{n // 3600000:02d}{n:08d}_Camera_5" for n in range(count)]
    (folder / "truth").mkdir()
    frames = []
    for name in names:
        path = folder / "truth" / f"{name}_instanceIds.png"
        if not frames:
            write_label(path, label)
        else:
            path.hardlink_to(frames[0].label_path)
        frames.append(Frame(name, "road01_cam_5_video_1", folder / "truth" / f"{name}.jpg", path))
    found = Instances.from_label(label)
    write_predictions(folder / "pred", ((f"{name}.jpg", found) for name in names[:1]))
    first = folder / "pred/label" / f"{names[0]}_instanceIds.png"
    for name in names[1:]:
        (folder / "pred/label" / f"{name}_instanceIds.png").hardlink_to(first)
    return frames


def test_packed():
    items = [("a", n) for n in range(CHUNK)]
    assert unpacked(packed(items)) == items
    assert len(packed(items * 20)) < len(pickle.dumps(items * 20)) / 4
