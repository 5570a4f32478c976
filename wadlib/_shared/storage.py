"""Files that lie in a zip archive or in an object store, under ordinary paths, so that nothing has to be unpacked.

``…/train_color.zip/train_color/a.jpg`` is an entry of the archive; ``s3://bucket/wad/train_color/a.jpg`` an object of
any store that fsspec knows, also as a `pathlib.Path`, which makes one slash of the two; ``s3://bucket/train_color.zip/…``
is an entry that is fetched by itself, with one request. Only reading; the errors are OSError, as for other files.
"""

import calendar
import errno
import functools
import os
import re
import struct
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import deflate

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+:/")  # two letters or more: C:/ is a drive
_HEADER = 30  # bytes of a local header before the name
_MARGIN = 256  # extra fields that a local header may have beside those of the index


class Entry(NamedTuple):
    """What a folder holds: a name, and whether that is a folder."""

    name: str
    is_folder: bool


def is_stored(path: str | Path) -> bool:
    """Tell whether a path leads into an archive or to a store, so that the system's own functions do not know it.

    Examples
    --------
    >>> is_stored(Path("s3://bucket/wad")), is_stored("C:/wad"), is_stored("wad/train_color")
    (True, False, False)
    """
    return _is_url(path) or _archive_of(path) is not None


def list_folder(folder: str | Path) -> list[Entry]:
    """List a folder, an archive or a folder in it, or a prefix of a store; OSError if it cannot be read."""
    if _is_url(folder) and _archive_of(folder) is None:
        fs, path = _store(folder)
        return [
            Entry(each["name"].rstrip("/").rpartition("/")[2], each["type"] == "directory")
            for each in _asked(fs.ls, path, detail=True)
        ]
    found = _archive_of(folder)
    if found is None:
        with os.scandir(folder) as entries:
            return [Entry(entry.name, _is_folder(entry)) for entry in entries]
    archive, inner = found
    index = _index(archive, _state(archive))
    if inner not in index.folders:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    return [Entry(name, f"{inner}{name}/" in index.folders) for name in sorted(index.folders[inner])]


def read(path: str | Path, largest: int) -> bytes:
    """Read an entry of an archive or an object of a store; OSError if there is none or it has more bytes than that.

    What was deflated comes as a bytearray, as it was unpacked: another copy would cost more than a tenth of `prepare`.
    """
    found = _archive_of(path)
    if found is None:
        fs, inner = _store(path)
        _check_size(_asked(fs.info, inner)["size"], largest, path)
        return bytes(_asked(fs.cat_file, inner))
    archive, inner = found
    info = _entry(archive, inner, path)
    _check_size(info.file_size, largest, path)
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise OSError(errno.EINVAL, "encrypted, or compressed in a rare way: unpack the archive", str(path))
    # One request for header and data: how long the header is, is only known when it is there.
    length = _HEADER + len(info.filename.encode()) + len(info.extra) + _MARGIN + info.compress_size
    data = _range(archive, info.header_offset, length)
    start = _HEADER + sum(struct.unpack("<HH", data[26:_HEADER])) if data[:4] == b"PK\3\4" else 0
    if start + info.compress_size > length:
        data = _range(archive, info.header_offset, start + info.compress_size)
    packed = memoryview(data)[start : start + info.compress_size]  # no copy: pictures have megabytes
    unpacked: Any = b""
    try:
        deflated = info.compress_type == zipfile.ZIP_DEFLATED
        unpacked = deflate.deflate_decompress(packed, info.file_size) if deflated else bytes(packed)
    except deflate.DeflateError:
        pass
    if not start or len(unpacked) != info.file_size or deflate.crc32(unpacked) != info.CRC:
        raise OSError(errno.EIO, f"a damaged entry of {Path(archive).name}", str(path))
    content: bytes = unpacked
    return content


def facts(path: str | Path) -> tuple[Any, Any]:
    """Return size and time of a file, in bytes and nanoseconds: of an entry the time that ``unzip`` would give it."""
    found = _archive_of(path)
    if found is not None:
        info = _entry(*found, path)
        return info.file_size, _time_ns(info)
    if _is_url(path):
        fs, inner = _store(path)
        about = _asked(fs.info, inner)
        changed = next((about[key] for key in ("ETag", "etag", "mtime", "LastModified", "created") if key in about), "")
        return about["size"], str(changed)
    about = Path(path).stat()
    return about.st_size, about.st_mtime_ns


# --- archives ----------------------------------------------------------------------------------------


class _Index(NamedTuple):
    entries: dict[str, zipfile.ZipInfo]
    folders: dict[str, set[str]]  # "" or "a/b/" -> names in it


@functools.lru_cache(maxsize=16)
def _index(archive: str, state: tuple[int, int] | None) -> _Index:
    """Read the list of an archive, once in a process; `state` changes with the file."""
    try:
        if _is_url(archive):
            fs, path = _store(archive)
            with _asked(fs.open, path, "rb") as file, zipfile.ZipFile(file) as opened:
                infos = opened.infolist()
        else:
            with zipfile.ZipFile(archive) as opened:
                infos = opened.infolist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise OSError(errno.EINVAL, f"no sound zip archive: {error}", archive) from error
    entries: dict[str, zipfile.ZipInfo] = {}
    folders: dict[str, set[str]] = {"": set()}
    for info in infos:
        if not info.is_dir():
            entries[info.filename] = info
        above, _, name = info.filename.rstrip("/").rpartition("/")
        above = f"{above}/" if above else ""
        if info.is_dir():
            folders.setdefault(f"{above}{name}/", set())
        while name and name not in folders.setdefault(above, set()):
            folders[above].add(name)
            above, _, name = above.rstrip("/").rpartition("/")
            above = f"{above}/" if above else ""
    return _Index(entries, folders)


def _archive_of(path: str | Path) -> tuple[str, str] | None:
    """The archive that a path leads into, and the way inside: "" or "a/b/" as of a folder, without the slash a file."""
    text = _text(path)
    if ".zip" not in text.lower():
        return None
    parts = text.split("/")
    for n, part in enumerate(parts, start=1):
        if part.lower().endswith(".zip"):
            archive = "/".join(parts[:n])
            if _is_url(archive) or Path(archive).is_file():
                inner = "/".join(parts[n:])
                is_folder = not inner or f"{inner}/" in _index(archive, _state(archive)).folders
                return archive, f"{inner}/" if inner and is_folder else inner
    return None


def _entry(archive: str, inner: str, path: str | Path) -> zipfile.ZipInfo:
    index = _index(archive, _state(archive))
    if inner not in index.entries:
        code = errno.EISDIR if inner in index.folders else errno.ENOENT
        raise OSError(code, os.strerror(code), str(path))
    return index.entries[inner]


def _state(archive: str) -> tuple[int, int] | None:
    if _is_url(archive):
        return None  # stores are asked once
    about = Path(archive).stat()
    return about.st_size, about.st_mtime_ns


def _range(archive: str, start: int, length: int) -> bytes:
    if _is_url(archive):
        fs, path = _store(archive)
        return bytes(_asked(fs.cat_file, path, start=start, end=start + length))
    with Path(archive).open("rb") as file:
        file.seek(start)
        return file.read(length)


def _time_ns(info: zipfile.ZipInfo) -> int:
    """When an entry was written: by its extended timestamp (UTC), or else by the local time that all archives have."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 0x5455 and size >= 5 and extra[4] & 1:
            return int.from_bytes(extra[5:9], "little", signed=True) * 10**9
        extra = extra[4 + size :]
    try:
        return int(time.mktime((*info.date_time, 0, 0, -1))) * 10**9
    except (OverflowError, ValueError):
        return calendar.timegm((*info.date_time, 0, 0, 0)) * 10**9


# --- stores ------------------------------------------------------------------------------------------


def _is_url(path: str | Path) -> bool:
    return _URL.match(_text(path)) is not None


def _text(path: str | Path) -> str:
    return (path if isinstance(path, Path) else Path(path)).as_posix()  # a new Path costs as much as all that follows


def _store(path: str | Path) -> tuple[Any, str]:
    """The file system of fsspec that a URL names, and the path in it."""
    text = re.sub(r"(^|::)([a-z][a-z0-9+.-]+):/+", r"\1\2://", Path(path).as_posix())
    text = re.sub(r"(^|::)(file|local)://", r"\1\2:///", text)
    try:
        import fsspec

        fs, inner = fsspec.core.url_to_fs(text)
    except ImportError as error:
        raise OSError(errno.EINVAL, f"a package is missing: {error} (pip install 'wadlib[cluster]')", text) from error
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), text) from error
    return fs, str(inner)


def _asked(function: Any, *args: Any, **options: Any) -> Any:
    """Call a function of a store; whatever it raises is an OSError."""
    try:
        return function(*args, **options)
    except OSError as error:
        if error.errno is None:  # fsspec's FileNotFoundError knows its path only
            code = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EIO
            raise type(error)(code, os.strerror(code), str(args[0])) from error
        raise
    except Exception as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", str(args[0])) from error


def _check_size(size: int | None, largest: int, path: str | Path) -> None:
    if size is not None and size > largest:
        raise OSError(errno.EFBIG, f"a file of {size} bytes", str(path))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False
