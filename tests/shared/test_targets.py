"""What may stand where a file is to be written or read: links, devices, pipes, parts that a killed process left."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wadlib._shared import parts
from wadlib._shared.files import check_writable, locked, make_folder, open_regular, read_bytes, real_path, write_bytes
from wadlib._shared.parts import is_part, part_name, sweep
from wadlib._shared.text import is_plain, printable
from wadlib.errors import StorageError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and links of Unix")


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "ahead").symlink_to("not_yet")
    for name in ("link", "ahead"):
        write_bytes(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "target").read_bytes() == (tmp_path / "not_yet").read_bytes() == b"new"


def test_a_device_stays_one(tmp_path):
    (tmp_path / "null").symlink_to("/dev/null")
    before = Path("/dev/null").stat()
    for path in (Path("/dev/null"), tmp_path / "null"):
        check_writable(path)
        write_bytes(path, b"gone")
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert after.st_ino == before.st_ino


def test_a_pipe_is_written_into_or_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="a pipe that nobody reads"):
        write_bytes(tmp_path / "pipe", b"data")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(tmp_path / "pipe", b"data")
    assert os.read(reader, 10) == b"data"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_the_own_output_is_gone_on_with(tmp_path):
    """As in ``wadlib … --csv /dev/stdout > file``: what is printed before and after stays."""
    code = "from wadlib._shared.files import write_bytes as w; print('before'); w('/dev/stdout', b'in\\n'); print('a')"
    with (tmp_path / "file").open("wb") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert (tmp_path / "file").read_text() == "before\nin\na\n"


@pytest.mark.parametrize("name", ["", ".", "/", "..", "folder"])
def test_no_name_of_a_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    path = tmp_path / name if name == "folder" else name
    for write in (check_writable, lambda path: write_bytes(path, b"")):
        with pytest.raises(StorageError, match=r"could not write"):
            write(path)


def test_the_lock_goes_through_no_link_and_empties_nothing(tmp_path):
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / ".lock").symlink_to("theirs")
    with (
        pytest.raises(StorageError, match="links that lead in a circle, or a link where none may be"),
        locked(tmp_path),
    ):
        pass
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").write_text("kept")
    with locked(tmp_path):
        pass
    assert (tmp_path / "theirs").read_text() == (tmp_path / ".lock").read_text() == "kept"


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", tmp_path):
        for read in (read_bytes, open_regular):
            with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
                read(path)


def test_a_file_larger_than_any_is_not_read(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate((1 << 30) + 1)  # no byte of it is on the disk
    with pytest.raises(OSError, match="a file of 1073741825 bytes"):
        read_bytes(tmp_path / "large")


def test_a_circle_of_links(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for act in (real_path, check_writable):
        with pytest.raises(StorageError, match="links that lead in a circle"):
            act(tmp_path / "loop")
    with pytest.raises(StorageError):
        make_folder(tmp_path / "loop")


# --- parts ---------------------------------------------------------------------------------------


def test_parts_of_processes_that_are_gone_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_swept", set())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = part_name("a.json")
    left = own.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    elsewhere = left.replace(own.split(".")[2][:8], "0" * 8)  # of another machine, on a network disk
    for name in (own, left, elsewhere, ".part.json", "a.part.json"):
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([own, elsewhere, ".part.json", "a.part.json"])
    assert is_part(left)
    assert not is_part(".part.json")


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\u202egpj", r"a\u202egpj"),
        ("\udcdf", r"\udcdf"),
        ("a\rb", r"a\rb"),
        ("größe", "größe"),
    ],
)
def test_names_steer_no_terminal(name, shown):
    assert printable(name) == shown
    assert is_plain(name) == (name == shown)
