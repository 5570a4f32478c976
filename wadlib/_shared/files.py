"""Files that are written whole or not at all, and paths that stay inside their root."""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Iterator
from pathlib import Path

from wadlib.errors import DatasetError, StorageError

__all__ = ["atomic_path", "inside", "locked", "make_folder", "storage_error", "write_bytes", "write_text"]

_PART = ".part"


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block succeeds.

    A reader sees the old file or the whole new one, never a part: `os.replace` is atomic
    within a folder. If the block raises (disk full, interrupt), the temporary file is removed.

    Raises
    ------
    StorageError
        The folder does not exist, may not be written, or the disk is full.

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
    # The name is known before the file exists, so that an interrupt at any moment leaves nothing behind.
    part = path.with_name(f".{path.stem}.{secrets.token_hex(6)}{_PART}{path.suffix}")
    try:
        part.touch(exist_ok=False)
        yield part
        part.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


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
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
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
    try:
        file = path.open("w")
    except OSError as error:
        raise storage_error(error, path) from error
    with file:
        with contextlib.suppress(ImportError):  # Windows: nothing that a kill releases
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


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
    parts = relative.replace("\\", "/").split("/")
    if not relative or parts[0] == "" or ".." in parts or ":" in relative or "\0" in relative:
        raise DatasetError(
            f"inside: the path {relative!r} leaves the folder {Path(root).as_posix()}",
            cause="a list file that was edited or does not come from the dataset",
            fix="take the list file from the original archive",
        )
    return Path(root).joinpath(*[p for p in parts if p not in ("", ".")])


def storage_error(error: OSError, path: Path) -> StorageError:
    """What the system says when it refuses to write `path`, with its cause and what to do about it."""
    reasons = {
        errno.ENOSPC: ("the disk is full", "free some space and run the same command again: it goes on"),
        errno.EDQUOT: ("your disk quota is used up", "free some space and run the same command again"),
        errno.EACCES: ("the folder may not be written by this user", "choose another folder or change its rights"),
        errno.EPERM: ("the folder may not be written by this user", "choose another folder or change its rights"),
        errno.EROFS: ("the file system is read-only", "choose another folder"),
        errno.ENOENT: ("the folder does not exist", f"make the folder {path.parent.as_posix()} first"),
        errno.ENOTDIR: ("a file stands where a folder is needed", "choose another folder"),
        errno.EEXIST: ("a file stands where a folder is needed", "choose another folder"),
    }
    cause, fix = reasons.get(error.errno or 0, ("the system refused it", "see the system's message above"))
    return StorageError(f"could not write {path.as_posix()}: {error.strerror or error}", cause=cause, fix=fix)
