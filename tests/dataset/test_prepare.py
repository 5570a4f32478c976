from __future__ import annotations

import concurrent.futures
import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from wadlib._shared import files
from wadlib.dataset import open_wad, prepare
from wadlib.errors import DatasetError, ImageError, StorageError
from wadlib.frames import read_image, read_label
from wadlib.preprocess import NETWORK_SHAPE, crop_and_downscale

# Not by `import`: the package offers a function under the same name.
module = sys.modules["wadlib.dataset.prepare"]


def tree(root):
    """Path below `root` -> content."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def listing(root):
    return {v.name: [(f.name, f.label_path is not None) for f in v.frames] for v in open_wad(root).videos}


def halves(out):
    """What must never be there: a part of a file, a picture without its label or the other way round."""
    names = [p.name for p in out.rglob("*") if p.is_file()]
    images = {p.stem for p in (out / "train_color").glob("*.jpg")}
    labels = {p.name.removesuffix("_instanceIds.png") for p in (out / "train_label").glob("*.png")}
    return [name for name in names if ".part" in name] + sorted(images ^ labels)


@pytest.fixture(scope="module")
def _quick():
    """Compile the label decoder before anything is timed or interrupted."""
    from wadlib._shared import png16

    png16.decode(png16.encode(np.zeros((2, 2), np.uint16)))


pytestmark = pytest.mark.usefixtures("_quick")


def test_pairs_at_network_size(tiny_wad, tmp_path):
    wad = open_wad(tiny_wad(videos=2, frames=2))
    report = prepare(wad, tmp_path / "out", subset="all", progress=False)
    assert (report.prepared, report.skipped, report.failed) == (6, 0, ())
    assert report.summary() == "6 frames prepared, 0 were there already, 0 failed"
    out = open_wad(tmp_path / "out")
    assert listing(tmp_path / "out") == listing(wad.root)
    assert out.problems == ()
    for full, small in zip(wad.frames, out.frames, strict=True):
        image, label = full.read_pair()
        expected_image, expected_label = crop_and_downscale(image, label)
        got_image, got_label = small.read_pair()
        assert got_image.shape == (*NETWORK_SHAPE, 3)
        assert (got_label == expected_label).all()
        assert 33 in got_label // 1000
        assert np.abs(got_image.astype(int) - expected_image).max() <= 2  # JPEG at quality 95
    assert read_image(out.test_videos[0].frames[0].image_path).shape == (*NETWORK_SHAPE, 3)
    for name in wad.lists:
        assert (tmp_path / "out" / name).read_bytes() == (wad.root / name).read_bytes()


def test_the_strip_at_half_the_resolution(tiny_wad, tmp_path):
    wad, out = open_wad(tiny_wad(videos=1, frames=2)), tmp_path / "out"
    report = prepare(wad, out, view="strip", progress=False)
    assert (report.prepared, report.skipped, report.failed) == (2, 0, ())
    for full, small in zip(wad.frames, open_wad(out).frames, strict=True):
        image, label = full.read_pair()
        got_image, got_label = small.read_pair()
        assert got_image.shape == (384, 1664, 3)
        assert (got_label == label[1536:2304, 28:-28][::2, ::2]).all()
        blocks = image[1536:2304, 28:-28].reshape(384, 2, 1664, 2, 3).mean(axis=(1, 3))
        assert np.abs(got_image - blocks).max() <= 2.5  # JPEG at quality 95


def test_two_views_do_not_mix(tiny_wad, tmp_path):
    wad, out = open_wad(tiny_wad(videos=1, frames=2)), tmp_path / "out"
    prepare(wad, out, progress=False)
    with pytest.raises(DatasetError, match=r"expected pictures of 1664x384 in .*, got 832x640"):
        prepare(wad, out, view="strip", progress=False)
    with pytest.raises(DatasetError, match="view among report, strip, got 'half'"):
        prepare(wad, tmp_path / "other", view="half", progress=False)
    assert not (tmp_path / "other").exists()


def test_real_frames(wad_sample, tmp_path):
    wad = open_wad(wad_sample)
    report = prepare(wad, tmp_path, workers=2, progress=False)
    assert report.prepared == sum(len(v.frames) for v in wad.train_videos)
    assert [f.name for f in open_wad(tmp_path).frames] == [f.name for f in wad.frames]
    label = wad.frames[0].read_label()
    assert (open_wad(tmp_path).frames[0].read_label() == label[75:-75, 28:-28][::4, ::4]).all()


def test_subset_train_leaves_the_test_frames(tiny_wad, tmp_path):
    prepare(open_wad(tiny_wad(videos=1, frames=1)), tmp_path / "out", progress=False)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"train_color", "train_label", "train_video_list"}


def test_it_goes_on_where_it_was(tiny_wad, tmp_path):
    wad, out = open_wad(tiny_wad(videos=1, frames=4)), tmp_path / "out"
    prepare(wad, out, progress=False)
    whole = tree(out)
    images, labels = sorted((out / "train_color").iterdir()), sorted((out / "train_label").iterdir())
    images[0].unlink()  # as after a kill between label and picture
    images[1].unlink()
    labels[1].unlink()
    labels[2].unlink()
    untouched = images[3].stat().st_mtime_ns
    report = prepare(wad, out, progress=False)
    assert (report.prepared, report.skipped) == (3, 1)
    assert tree(out) == whole
    assert images[3].stat().st_mtime_ns == untouched
    assert prepare(wad, out, progress=False).summary() == "0 frames prepared, 4 were there already, 0 failed"


def test_frames_without_label_and_unlisted_frames(tiny_wad, tmp_path):
    root = tiny_wad(videos=1, frames=3, test=False)
    frames = open_wad(root).frames
    frames[1].label_path.unlink()
    shutil.copy(frames[0].image_path, root / "train_color" / "170908_080000000_Camera_5.jpg")
    report = prepare(open_wad(root), tmp_path / "out", progress=False)
    assert (report.prepared, report.failed) == (4, ())
    assert listing(tmp_path / "out") == listing(root)
    assert prepare(open_wad(root), tmp_path / "out", progress=False).skipped == 4


class TestBadFrames:
    @pytest.fixture
    def root(self, tiny_wad):
        root = tiny_wad(videos=1, frames=4)
        frames = open_wad(root).frames
        frames[1].image_path.write_bytes(frames[1].image_path.read_bytes()[:5000])
        frames[2].label_path.write_bytes(b"")
        return root

    def test_are_collected(self, root, tmp_path):
        report = prepare(open_wad(root), tmp_path / "out", progress=False)
        assert (report.prepared, report.skipped, len(report.failed)) == (2, 0, 2)
        names = [f.name for f in open_wad(root).frames]
        assert [failure.frame.name for failure in report.failed] == names[1:3]
        assert "expected a JPEG picture, got 5000 bytes that do not decode" in report.failed[0].message
        assert "got an empty file" in report.failed[1].message
        assert len(report.summary().splitlines()) == 3
        assert halves(tmp_path / "out") == []
        assert {p.kind for p in open_wad(tmp_path / "out").problems} == {"missing picture"}
        again = prepare(open_wad(root), tmp_path / "out", progress=False)
        assert (again.prepared, again.skipped, len(again.failed)) == (0, 2, 2)

    def test_strict_stops_at_the_first(self, root, tmp_path):
        with pytest.raises(ImageError, match="5000 bytes that do not decode"):
            prepare(open_wad(root), tmp_path / "out", progress=False, strict=True, workers=1)
        assert len(list((tmp_path / "out" / "train_color").iterdir())) == 1

    def test_label_of_another_size_names_both_files(self, tiny_wad, tmp_path):
        from wadlib.frames import write_label

        wad = open_wad(tiny_wad(videos=1, frames=1))
        frame = wad.frames[0]
        write_label(frame.label_path, np.full(NETWORK_SHAPE, 255, np.uint16))
        (failure,) = prepare(wad, tmp_path / "out", progress=False).failed
        assert "expected 3384x2710 pixels, got 832x640" in failure.message
        assert frame.image_path.name in failure.message
        assert frame.label_path.name in failure.message

    def test_a_dataset_at_network_size_stops_soon(self, tiny_wad, tmp_path, monkeypatch):
        prepare(open_wad(tiny_wad(videos=1, frames=4)), tmp_path / "small", progress=False)
        monkeypatch.setattr(module, "_GIVE_UP_AFTER", 3)
        with pytest.raises(
            DatasetError, match=r"none of the first 3 frames[\s\S]*\(640, 832, 3\)[\s\S]*needs no preparing"
        ):
            prepare(open_wad(tmp_path / "small"), tmp_path / "smaller", progress=False)


class TestWhere:
    @pytest.mark.parametrize("below", ["", "prepared", "train_color", "a/../b", "../wad/x"])
    def test_not_inside_the_dataset(self, tiny_wad, below):
        root = tiny_wad(contents=False)
        before = tree(root)
        with pytest.raises(DatasetError, match=r"expected a folder outside of the dataset[\s\S]*wad_832x640"):
            prepare(open_wad(root), root / below, progress=False)
        assert tree(root) == before

    def test_not_inside_by_a_link(self, tiny_wad, tmp_path):
        root = tiny_wad(contents=False)
        (tmp_path / "link").symlink_to(root, target_is_directory=True)
        with pytest.raises(DatasetError, match="outside of the dataset"):
            prepare(open_wad(root), tmp_path / "link" / "out", progress=False)

    def test_a_file_is_in_the_way(self, tiny_wad, tmp_path):
        (tmp_path / "out").touch()
        with pytest.raises(StorageError, match="a file stands where a folder is needed"):
            prepare(open_wad(tiny_wad(contents=False)), tmp_path / "out", progress=False)

    def test_nothing_to_prepare(self, tiny_wad, tmp_path):
        wad = open_wad(tiny_wad(contents=False, test=False))
        with pytest.raises(DatasetError, match="no frame of subset 'test'"):
            prepare(wad, tmp_path / "out", subset="test", progress=False)


class TestDiskFullAndPermission:
    @pytest.mark.parametrize("after", [0, 1, 4, 5])
    @pytest.mark.parametrize("workers", [1, 2])
    def test_disk_full_stops_and_leaves_no_half(self, tiny_wad, tmp_path, monkeypatch, after, workers):
        wad, out = open_wad(tiny_wad(videos=1, frames=4)), tmp_path / "out"
        room = {"files": after}
        real = Path.write_bytes

        def write(self, data):
            if ".part" in self.name and self.suffix != ".txt":
                room["files"] -= 1
                if room["files"] < 0:
                    real(self, data[: len(data) // 2])
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(self, data)

        with monkeypatch.context() as patch:
            patch.setattr(files.Path, "write_bytes", write)
            with pytest.raises(
                StorageError, match=r"No space left[\s\S]*the disk is full[\s\S]*run the same command again"
            ):
                prepare(wad, out, progress=False, workers=workers)
        assert halves(out) == []
        report = prepare(wad, out, progress=False)
        assert report.prepared + report.skipped == 4
        assert report.skipped <= after // 2
        assert open_wad(out).problems == ()

    def test_a_really_full_disk(self, tiny_wad, tmp_path):
        """On a file system of 400 kB, which an unprivileged user may mount in a namespace of his own."""
        if sys.platform != "linux" or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
            pytest.skip("this system lets nobody mount a small file system")
        root, disk = tiny_wad(videos=3, frames=10, test=False), tmp_path / "disk"
        disk.mkdir()
        code = (
            "import sys; from wadlib.dataset import *; from wadlib.errors import StorageError\n"
            "try: prepare(open_wad(sys.argv[1]), sys.argv[2], progress=False)\n"
            "except StorageError as error: print(error)"
        )
        script = 'mount -t tmpfs -o size=400k none "$2" && "$0" -c "$3" "$1" "$2" && cp -r "$2" "$2.copy"'
        command = ["unshare", "-rm", "sh", "-c", script, sys.executable, str(root), str(disk), code]
        done = subprocess.run(command, capture_output=True, text=True)
        if "mount" in done.stderr:
            pytest.skip("this system lets nobody mount a small file system")
        assert "the disk is full" in done.stdout, done.stderr
        copy = tmp_path / "disk.copy"
        assert halves(copy) == []
        pairs = len(list((copy / "train_color").iterdir()))
        assert 0 < pairs < 30

    def test_no_permission(self, tiny_wad, tmp_path, monkeypatch):
        def refuse(self, *args, **kwargs):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(files.Path, "touch", refuse)
        with pytest.raises(StorageError, match=r"Permission denied[\s\S]*may not be written by this user"):
            prepare(open_wad(tiny_wad(videos=1, frames=1)), tmp_path / "out", progress=False)
        assert tree(tmp_path / "out") == {}


INTERRUPTED = """
import sys
from wadlib.dataset import open_wad, prepare
try:
    prepare(open_wad(sys.argv[1]), sys.argv[2], workers=int(sys.argv[3]), progress=False)
except KeyboardInterrupt:
    sys.exit(77)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("workers", [1, 2])
def test_interrupt_and_resume(tiny_wad, tmp_path, workers):
    root, out = tiny_wad(videos=4, frames=8, test=False), tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(root), str(out), str(workers)])
    give_up = time.monotonic() + 60
    while not (out / "train_color").is_dir() or len(list((out / "train_color").glob("[!.]*"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 77
    assert halves(out) == []
    there = len(list((out / "train_color").iterdir()))
    assert 3 <= there < 32
    wad = open_wad(root)
    report = prepare(wad, out, progress=False)
    assert (report.prepared, report.skipped) == (32 - there, there)
    prepare(wad, tmp_path / "uninterrupted", progress=False)
    assert tree(out) == tree(tmp_path / "uninterrupted")


class Pickling(concurrent.futures.Executor):
    """Sends everything through pickle, as a cluster does, and has no other methods than it must."""

    def __init__(self):
        self.tasks = 0

    def submit(self, fn, /, *args, **kwargs):
        future = concurrent.futures.Future()
        work = pickle.dumps((fn, args, kwargs))
        self.tasks += 1
        try:
            fn, args, kwargs = pickle.loads(work)
            future.set_result(pickle.loads(pickle.dumps(fn(*args, **kwargs))))
        except Exception as error:
            future.set_exception(pickle.loads(pickle.dumps(error)))
        return future


class TestExecutorsFromElsewhere:
    def check(self, wad, out, executor):
        report = prepare(wad, out, executor=executor, progress=False)
        assert (report.prepared, len(report.failed)) == (3, 1)
        assert halves(out) == []
        assert wad.count_instances(executor=executor, progress=False).frames == 4
        assert (read_label(next((out / "train_label").iterdir())) != 255).any()

    @pytest.fixture
    def wad(self, tiny_wad):
        wad = open_wad(tiny_wad(videos=1, frames=4))
        wad.frames[2].image_path.write_bytes(b"")
        return wad

    def test_everything_pickled(self, wad, tmp_path):
        executor = Pickling()
        self.check(wad, tmp_path / "out", executor)
        assert executor.tasks == 5  # a frame each to prepare, sixteen at once to count

    def test_storage_error_through_pickle(self, wad, tmp_path, monkeypatch):
        def full(*args, **kwargs):
            raise StorageError("could not write x", cause="the disk is full", fix="free some space")

        monkeypatch.setattr(module, "write_image", full)
        with pytest.raises(StorageError, match="the disk is full"):
            prepare(wad, tmp_path / "out", executor=Pickling(), progress=False)

    def test_processes(self, wad, tmp_path):
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=_spawn()) as executor:
            self.check(wad, tmp_path / "out", executor)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")  # other people's
    def test_a_dask_cluster(self, wad, tmp_path):
        distributed = pytest.importorskip("distributed")
        cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)
        with cluster, distributed.Client(cluster) as client:
            self.check(wad, tmp_path / "out", client.get_executor())


def _spawn():
    import multiprocessing

    return multiprocessing.get_context("spawn")
