"""Name the hidden files that are being written, and remove those that a killed process left."""

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
from pathlib import Path

_LEFT = re.compile(r"^\..*\.(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{6}\.part(\.|$)", re.DOTALL)
_swept: set[Path] = set()  # folders that this process has looked into


def part_name(name: str) -> str:
    """Name a part of the file `name`: hidden, with the same suffix, and with its owner, machine and process.

    Examples
    --------
    >>> part = part_name("a.json")
    >>> part.startswith(".a."), part.endswith(".part.json"), part == part_name("a.json")
    (True, True, False)
    """
    stem, suffix = Path(name).stem, Path(name).suffix
    return f".{stem}.{_machine()}-{os.getpid()}-{secrets.token_hex(3)}.part{suffix}"


def is_part(name: str) -> bool:
    """Say whether a file of this name is one that is being written, or was when its process was killed.

    Examples
    --------
    >>> is_part(part_name("a.json")), is_part(".part.json")
    (True, False)
    """
    return _LEFT.search(name) is not None


def sweep(folder: Path, *, again: bool = False) -> None:
    """Remove the parts in `folder` whose process is gone; a process looks into each folder once, or `again`."""
    if (folder in _swept and not again) or os.name != "posix":
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _LEFT.search(entry.name)
            if match and match["machine"] == _machine() and not _alive(int(match["process"])):
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()


@functools.cache
def _machine() -> str:
    """Where process numbers mean the same: this machine, and in a container this container."""
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return hashlib.blake2s(f"{platform.node()} {space}".encode(), digest_size=4).hexdigest()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True
