from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wadlib._shared.files import atomic_path, inside, locked, make_folder, write_bytes, write_text
from wadlib.errors import DatasetError, StorageError


def test_written_whole(tmp_path):
    write_text(tmp_path / "a.txt", "größe\n")
    assert (tmp_path / "a.txt").read_bytes() == "größe\n".encode()
    write_bytes(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, OSError])
def test_an_interrupted_block_leaves_the_old_file_and_no_part(tmp_path, stop):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted():
        with atomic_path(path) as part:
            part.write_text("ne")
            assert path.read_text() == "old"
            raise stop("stopped")

    with pytest.raises(StorageError if stop is OSError else stop):
        interrupted()
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_rights_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "ours", b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


def test_threads_leave_the_process_mask_alone(tmp_path):
    before = os.umask(0o027)
    try:
        threads = [
            threading.Thread(target=lambda i=i: [write_bytes(tmp_path / f"{i}_{k}", b"x") for k in range(20)])
            for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        now = os.umask(0o027)
    finally:
        os.umask(before)
    assert now == 0o027
    assert len(list(tmp_path.iterdir())) == 80


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (errno.EACCES, "may not be written by this user"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EDQUOT, "quota"),
    ],
)
def test_the_system_says_no(tmp_path, monkeypatch, code, cause):
    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(StorageError, match=cause) as caught:
        write_bytes(tmp_path / "a.txt", b"x")
    assert "a.txt" in caught.value.what
    assert os.strerror(code) in caught.value.what


def test_disk_full_while_writing(tmp_path, monkeypatch):
    def full(self, data):
        self.open("wb").close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"the disk is full[\s\S]*Fix: free some space"):
        write_bytes(tmp_path / "a.txt", b"x")
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other access rights")
def test_a_folder_without_write_permission(tmp_path):
    folder = make_folder(tmp_path / "locked")
    folder.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # root may write everywhere: be nobody for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(StorageError, match="may not be written by this user"):
            write_bytes(folder / "a.txt", b"x")
        with pytest.raises(StorageError, match="may not be written by this user"):
            make_folder(folder / "below")
    finally:
        if user == 0:
            os.seteuid(0)
        folder.chmod(0o700)


def test_missing_folder_and_file_in_the_way(tmp_path):
    with pytest.raises(StorageError, match="the folder does not exist"):
        write_bytes(tmp_path / "no" / "a.txt", b"x")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        make_folder(tmp_path / "file")


@pytest.mark.parametrize(
    "path",
    [
        "..", r"..\..\secret", "../x", r"a\..\..\x", "/etc/passwd", r"\\server\share\x", r"C:\x", "c:x", "a/C:x", "",
        "a\0b", r"\x",
    ],
)  # fmt: skip
def test_paths_that_leave_the_folder(path):
    with pytest.raises(DatasetError, match="leaves the folder"):
        inside("root", path)


def test_paths_that_stay():
    assert inside("root", r"road01_ins\Camera 5\a.jpg") == Path("root/road01_ins/Camera 5/a.jpg")
    assert inside("root", "./a//b..c") == Path("root/a/b..c")


@given(st.text(alphabet="ab./\\: \0", max_size=12))
def test_nothing_gets_out(path):
    root = Path(tempfile.gettempdir(), "root")
    try:
        joined = inside(root, path)
    except DatasetError:
        return
    assert joined.resolve().is_relative_to(root.resolve())


def test_one_process_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    with locked(tmp_path), pytest.raises(BlockingIOError), locked(tmp_path):
        pass
    with locked(tmp_path):  # free again
        started = subprocess.Popen([sys.executable, "-c", WAITS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert started.stdout.readline() == "waiting\n"
        (tmp_path / "file").write_text("there before the lock was free")
    assert started.communicate(timeout=30)[0] == "there before the lock was free\n"
    with pytest.raises(StorageError, match="the folder does not exist"), locked(tmp_path / "nowhere"):
        pass


WAITS = """
import sys
from pathlib import Path
from wadlib._shared.files import locked

print("waiting", flush=True)
with locked(sys.argv[1], wait=True):
    print((Path(sys.argv[1]) / "file").read_text())
"""
