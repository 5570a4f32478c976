"""What can stand in a dataset's folders: pipes, links, two files of one frame, names that steer a terminal."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pytest

from wadlib.dataset import open_wad, prepare
from wadlib.errors import DatasetError
from wadlib.frames import read_image, write_image, write_label

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and links of Unix")

LIST = "train_video_list/road01_cam_6_video_1_image_list_train.txt"


@pytest.fixture
def root(tiny_wad):
    return tiny_wad(contents=False, test=False)


def kinds(wad):
    return {problem.kind for problem in wad.problems}


@pytest.mark.parametrize("target", [None, "/dev/zero"])
def test_a_list_that_is_no_file(root, target):
    (root / LIST).unlink()
    if target is None:
        os.mkfifo(root / LIST)
    else:
        (root / LIST).symlink_to(target)
    wad = open_wad(root)
    (problem,) = [problem for problem in wad.problems if problem.kind == "unreadable list"]
    assert "not a regular file" in problem.text
    assert len(wad.frames) == 12


def test_a_label_that_is_a_pipe_is_one_failed_frame(tiny_wad):
    root = tiny_wad(videos=1, frames=2, test=False)
    path = next((root / "train_label").iterdir())
    path.unlink()
    os.mkfifo(path)
    counts = open_wad(root).count_instances(progress=False, workers=1)
    assert len(counts.failed) == 1


def test_a_linked_folder_of_lists_counts(root, tmp_path):
    names = [video.name for video in open_wad(root).videos]
    (root / "train_video_list").rename(tmp_path / "lists")
    (root / "train_video_list").mkdir()
    (root / "train_video_list" / "mine").symlink_to(tmp_path / "lists")
    (root / "train_video_list" / "again").symlink_to(root / "train_video_list")  # in itself
    assert [video.name for video in open_wad(root).videos] == names


def test_a_circle_of_links_elsewhere_in_the_folder(root):
    (root / "loop").symlink_to("loop")
    assert len(open_wad(root).frames) == 12


def test_two_files_of_one_frame_are_told(root):
    first = open_wad(root).frames[0].image_path
    shutil.copy(first, first.with_suffix(".JPG"))
    wad = open_wad(root)
    assert kinds(wad) == {"two files"}
    assert wad.frames[0].image_path == first
    assert len(wad.frames) == 12


def test_upper_case_endings_are_endings(root):
    for path in list((root / "train_label").iterdir()):
        path.rename(path.with_suffix(".PNG"))
    assert all(frame.label_path is not None for frame in open_wad(root).frames)


def test_a_folder_in_the_folder_is_said(root):
    for name in ("train_color", "train_label"):
        (root / name).rename(root / "inner")
        (root / name).mkdir()
        (root / "inner").rename(root / name / name)
    said = " ".join(str(problem) for problem in open_wad(root).problems)
    assert "one folder too deep" in said


@pytest.mark.parametrize("name", [b"a\x1b[31m.jpg", b"stra\xdfe.jpg", b"a\n.jpg"])
def test_names_that_cannot_be_shown(root, name):
    try:
        open(os.path.join(os.fsencode(root / "train_color"), name), "wb").close()  # noqa: PTH118, PTH123
    except OSError:
        pytest.skip("a file system that has no such names")
    wad = open_wad(root)
    assert "unreadable name" in kinds(wad)
    assert wad.summary().isprintable() or "\x1b" not in wad.summary()


def test_a_folder_of_lists_that_may_not_be_read(root, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("train_video_list"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DatasetError, match=r"cannot look into .*train_video_list: Permission denied"):
        open_wad(root)


@pytest.mark.parametrize("line", ["a\t" * 150_000, ".jpg " * 60_000 + ".png", "a " * 150_000 + "b.jpg"])
def test_a_line_of_300_kilobytes_takes_no_time(root, line):
    (root / LIST).write_text(line)
    start = time.perf_counter()
    open_wad(root)
    assert time.perf_counter() - start < 2


# --- prepare -------------------------------------------------------------------------------------


def full_size(root, value):
    for folder in ("train_color", "train_label"):
        (root / folder).mkdir(parents=True)
    write_image(root / "train_color" / "a.jpg", np.full((2710, 3384, 3), value, np.uint8))
    write_label(root / "train_label" / "a_instanceIds.png", np.full((2710, 3384), 255, np.uint16))
    return open_wad(root)


def test_a_link_into_the_dataset_is_not_written_through(tmp_path):
    wad, out = full_size(tmp_path / "wad", 60), tmp_path / "out"
    before = (tmp_path / "wad" / "train_label" / "a_instanceIds.png").read_bytes()
    out.mkdir()
    (out / "train_label").symlink_to(tmp_path / "wad" / "train_label")
    with pytest.raises(DatasetError, match=r"got .*out/train_label[\s\S]*a link that leads into it"):
        prepare(wad, out, progress=False)
    (out / "train_label").unlink()
    (out / "train_label").mkdir()
    (out / "train_label" / "a_instanceIds.png").symlink_to(tmp_path / "wad" / "train_label" / "a_instanceIds.png")
    with pytest.raises(DatasetError, match="outside of the dataset"):
        prepare(wad, out, progress=False)
    assert (tmp_path / "wad" / "train_label" / "a_instanceIds.png").read_bytes() == before


def test_frames_of_another_dataset_are_made_anew(tmp_path):
    first, second, out = full_size(tmp_path / "a", 60), full_size(tmp_path / "b", 200), tmp_path / "out"
    prepare(first, out, progress=False)
    assert prepare(first, out, progress=False).skipped == 1
    assert prepare(second, out, progress=False).prepared == 1
    assert abs(read_image(out / "train_color" / "a.jpg").mean() - 200) < 2
    (out / "train_label" / "a_instanceIds.png").write_bytes(b"")  # a disk that was full
    assert prepare(second, out, progress=False).prepared == 1


def test_a_list_that_links_out_of_the_dataset_is_not_copied(tmp_path):
    full_size(tmp_path / "wad", 60)
    (tmp_path / "secret.txt").write_text("-----BEGIN PRIVATE KEY-----\nx\\a.jpg\n")
    (tmp_path / "wad" / "train_video_list").mkdir()
    (tmp_path / "wad" / LIST).symlink_to(tmp_path / "secret.txt")
    prepare(open_wad(tmp_path / "wad"), tmp_path / "out", progress=False)
    assert (tmp_path / "out" / LIST).read_text() == "x\\a.jpg\n"
