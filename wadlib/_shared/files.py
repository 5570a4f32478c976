"""Files that are written whole or not at all, and paths that stay inside their root."""

import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wadlib._shared import storage
from wadlib._shared.parts import part_name, sweep
from wadlib.errors import DatasetError, StorageError

LARGEST_FILE = 1 << 30
"""Bytes of the largest file that is read whole: no picture, label or list of a dataset comes near."""


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    A reader sees the old file or the whole new one, never a part: `os.replace` is atomic
    within a folder. If the block raises (disk full, interrupt), the temporary file is removed; what a
    killed process left of its own is removed when a process first writes into that folder.

    A link is followed: the file it leads to is replaced, the link stays. A device, a pipe or this process's
    own output (``/dev/null``, ``/dev/stdout``) is never replaced: the finished data are written into it.

    Raises
    ------
    StorageError
        The folder does not exist, may not be written, the disk is full; `path` is a folder or no name of a file.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as part:
    ...     _ = part.write_text("whole")
    >>> [p.name for p in folder.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    with _refusals(path):
        target = _target(path)
    if target is None:
        with _written_into(path) as part:
            yield part
        return
    sweep(target.parent)
    # The name is known before the file exists, so that an interrupt at any moment leaves nothing behind.
    part = target.with_name(part_name(target.name))
    try:
        with _refusals(path):
            part.touch(exist_ok=False)
            yield part
            part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Make sure, before a long piece of work, that `atomic_path` can write there.

    Raises
    ------
    StorageError
        No name of a file, a folder, or a folder that does not exist or may not be written.
    """
    path = Path(path)
    with _refusals(path):
        target = _target(path)
        if target is not None and not os.access(target.parent, os.W_OK):
            code = errno.EACCES if target.parent.is_dir() else errno.ENOENT
            raise OSError(code, os.strerror(code))


def _target(path: Path) -> Path | None:
    """Return the file to replace, links followed; None where the data go into what stands there."""
    if path.name in ("", ".."):
        raise StorageError(
            f"could not write {str(path)!r}: expected the name of a file",
            cause="an empty option, or a folder in place of a file",
            fix="give a name, such as " + (path / "result.json").as_posix(),
        )
    try:
        there = path.stat()
    except FileNotFoundError:  # also a link to a file that is not there yet
        return Path(os.path.realpath(path)) if path.is_symlink() else path
    if stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(there.st_mode) or _own_output(there) is not None:
        return None
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _own_output(there: os.stat_result) -> int | None:
    """Return the descriptor, 1 or 2, that leads to this file: ``wadlib … --csv /dev/stdout > table.csv``."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), there):
                return descriptor
    return None


@contextlib.contextmanager
def _written_into(path: Path) -> Iterator[Path]:
    """Yield a temporary file; copy it into the device, pipe or output at `path` when the block succeeds."""
    with tempfile.TemporaryDirectory(prefix="wadlib-") as folder, _refusals(path):
        part = Path(folder) / path.name
        yield part
        own = _own_output(path.stat())
        if own is not None:
            sys.stdout.flush()
            descriptor = os.dup(own)  # and not opened anew: it would begin at the start of the file again
        else:  # not waiting: a pipe that nobody reads would hang for ever
            descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
            if hasattr(os, "set_blocking"):
                os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as into, part.open("rb") as data:
            shutil.copyfileobj(data, into)


@contextlib.contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Turn what the system says into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all (see `atomic_path`)."""
    with atomic_path(path) as part:
        part.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 with Unix line ends, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def make_folder(path: str | Path) -> Path:
    """Make a folder (and its parents) if it is not there; say clearly why it cannot be made."""
    path = Path(path)
    with _refusals(path):
        path.mkdir(parents=True, exist_ok=True)
    sweep(path)
    return path


@contextlib.contextmanager
def locked(folder: str | Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes that ask for the same lock out of a folder, until the block ends or the process dies.

    The lock is on a hidden file, ``.lock``, that stays. On Windows nothing is locked.

    Parameters
    ----------
    folder : path
    wait : bool
        Wait for the other process instead of raising an error.

    Raises
    ------
    BlockingIOError
        Another process has the lock.
    StorageError
        The folder does not exist or may not be written.
    """
    path = Path(folder) / ".lock"
    with _refusals(path):
        # Never through a link, and nothing is emptied: the name may stand for somebody's file.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    with os.fdopen(descriptor, "rb+", buffering=0) as file:
        with contextlib.suppress(ImportError):  # Windows: nothing that a kill releases
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def read_bytes(path: str | Path) -> bytes:
    """Read a regular file whole; never wait for a pipe, never read a device. Also what `wadlib._shared.storage` knows.

    Raises
    ------
    OSError
        As when any file is opened; and a folder, pipe, socket or device, or more than `LARGEST_FILE` bytes.
    """
    if storage.is_stored(path):
        return storage.read(path, LARGEST_FILE)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_FILE:
            raise OSError(errno.EFBIG, f"a file of {size} bytes", str(path))
        return file.read()


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading; an OSError for anything else."""
    # Looked at once it is open, so that nothing can be put in its place; opening a pipe must not wait.
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file, but a pipe or a device", str(path))
    return file


def real_path(path: str | Path) -> Path:
    """Follow all links of a path, whether or not it exists.

    Raises
    ------
    StorageError
        A circle of links, or a working folder that was deleted.
    """
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError) as error:  # a circle is a RuntimeError before Python 3.13
        found = error if isinstance(error, OSError) else OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        raise storage_error(found, Path(path)) from error


def inside(root: str | Path, relative: str) -> Path:
    r"""Join `relative` to `root` and refuse a result outside `root`.

    Names in list files come from outside: ``..\..\etc\passwd`` must not be followed. Windows
    separators and drive letters count as separators on every system.

    Examples
    --------
    >>> inside("data", r"train_color\a.jpg").as_posix()
    'data/train_color/a.jpg'
    >>> inside("data", r"..\secret.jpg")
    Traceback (most recent call last):
    ...
    wadlib.errors.DatasetError: inside: the path '..\\secret.jpg' leaves the folder data.
    Likely cause: a list file that was edited or does not come from the dataset.
    Fix: take the list file from the original archive.
    """
    return Path(root).joinpath(*_parts_inside(root, relative))


def name_inside(relative: str) -> str:
    r"""Take the last part of a path that `inside` accepts, for the many lines of a list: no path is made of it.

    Raises
    ------
    DatasetError
        As `inside` does.

    Examples
    --------
    >>> name_inside(r"train_color\a.jpg"), name_inside("a/b/."), name_inside(".")
    ('a.jpg', 'b', '')
    """
    return ["", *_parts_inside("", relative)][-1]


def _parts_inside(root: str | Path, relative: str) -> list[str]:
    parts = relative.replace("\\", "/").split("/")
    if not relative or parts[0] == "" or ".." in parts or ":" in relative or "\0" in relative:
        raise DatasetError(
            f"inside: the path {relative!r} leaves the folder {Path(root).as_posix()}",
            cause="a list file that was edited or does not come from the dataset",
            fix="take the list file from the original archive",
        )
    return [part for part in parts if part not in ("", ".")]


def storage_error(error: OSError, path: Path) -> StorageError:
    """Make the error of a system that refuses to write `path`, with its cause and what to do about it."""
    reasons = {
        errno.ENOSPC: ("the disk is full", "free some space and run the same command again: it goes on"),
        errno.EDQUOT: ("your disk quota is used up", "free some space and run the same command again"),
        errno.EACCES: ("the folder may not be written by this user", "choose another folder or change its rights"),
        errno.EPERM: ("the folder may not be written by this user", "choose another folder or change its rights"),
        errno.EROFS: ("the file system is read-only", "choose another folder"),
        errno.ENOENT: ("the folder does not exist", f"make the folder {path.parent.as_posix()} first"),
        errno.ENOTDIR: ("a file stands where a folder is needed", "choose another folder"),
        errno.EEXIST: ("a file stands where a folder is needed", "choose another folder"),
        errno.EISDIR: ("a folder stands where a file is to be written", "give the name of a file"),
        errno.ELOOP: ("links that lead in a circle, or a link where none may be", "remove the link"),
        errno.ENXIO: ("a pipe that nobody reads", "start its reader first"),
        errno.EPIPE: ("the reader of the pipe has ended", "look at what the reader says"),
    }
    if error.errno == errno.ENOENT and not working_folder():
        reasons[errno.ENOENT] = ("the working folder was deleted", "change to a folder that is there")
    cause, fix = reasons.get(error.errno or 0, ("the system refused it", "see the system's message above"))
    return StorageError(f"could not write {path.as_posix()}: {error.strerror or error}", cause=cause, fix=fix)


def working_folder() -> bool:
    """Tell whether the working folder is still there."""
    try:
        Path.cwd()
    except OSError:
        return False
    return True
