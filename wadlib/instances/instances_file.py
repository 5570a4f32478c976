"""Read `instances.json`, the scored and possibly overlapping instances of many frames, frame by frame.

The file is a list in COCO's results format, one row per instance, with the frame's file name added::

    {"image_id": 1, "file_name": "<frame>.jpg", "category_id": 33, "score": 0.98,
     "segmentation": {"size": [640, 832], "counts": "…"}}

Opening it checks every row and keeps only where each one stands, a few bytes: the predictions of a whole
dataset fill a gigabyte as text, and several as Python objects.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.fields import decode_text, is_number
from wadlib._shared.files import open_regular
from wadlib.errors import InstancesError
from wadlib.instances.instances import Instances
from wadlib.instances.rle import size_of, size_text
from wadlib.labels import IDS

_BLOCK = 1 << 20  # bytes read at a time
_SHORTEST_ROW = 20  # bytes; the names of the fields alone are more
_LONGEST_ROW = 1 << 24  # bytes; a mask with a run in every other pixel of a full-size frame is half of it


def frame_name(file_name: str) -> str:
    r"""Name of the frame that a picture's file name stands for, without folder and ending.

    Examples
    --------
    >>> frame_name("train_color/170908_061502408_Camera_5.jpg")
    '170908_061502408_Camera_5'
    """
    name = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending.lower() in ("jpg", "jpeg", "png") else name


@dataclass(frozen=True)
class FrameRows:
    """Says where the rows of one frame are: all that a worker on another machine has to be sent.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Of the frame.
    spans : tuple of (offset, length)
        In bytes; rows that follow one another are one span.
    """

    path: Path
    name: str
    spans: tuple[tuple[int, int], ...]

    def load(self) -> list[Any]:
        """Read the rows as they are."""
        rows: list[Any] = []
        if self.spans:
            with self.path.open("rb") as file:
                for offset, length in self.spans:
                    file.seek(offset)
                    rows += json.loads(f"[{decode_text(file.read(length))}]")
        return rows

    def read(self, shape: tuple[int, int] | None = None) -> Instances:
        """Read the instances, of the size that the first mask says if none is given; see `InstancesFile.read`."""
        rows = self.load()
        if shape is None:
            shape = _size_of_first(self, rows)
        for size in (size_of(row["segmentation"]) for row in rows):
            if size != tuple(shape):
                raise InstancesError(
                    f"{self.path.name}: expected masks of {shape[1]}x{shape[0]} pixels like the truth of {self.name}, "
                    f"got {size_text(size)}",
                    cause="the prediction was made at network size and the truth is at full size, or the other way "
                    "round",
                    fix="compare at one size: `wadlib prepare ROOT OUT` makes network-size truth; then "
                    "`wadlib evaluate OUT PRED`",
                )
        try:
            return Instances.from_coco(rows, shape)
        except InstancesError as error:
            raise InstancesError(
                f"{self.path.name}, {self.name}: {error.what}", cause=error.cause, fix=error.fix
            ) from error


def _size_of_first(frame: FrameRows, rows: list[Any]) -> tuple[int, int]:
    size = size_of(rows[0]["segmentation"]) if rows else None
    if not isinstance(size, tuple):
        raise InstancesError(
            f"{frame.path.name}: the size of a mask of {frame.name} is {size!r}",
            cause="a mask that was not written by COCO's tools",
            fix='write {"size": [height, width], "counts": "…"}: Instances.to_coco makes it',
        )
    return size


@dataclass(frozen=True, eq=False)
class InstancesFile:
    """An `instances.json` that was looked through once; `read` gives the instances of one frame.

    Attributes
    ----------
    path : Path
    frames : dict of str to int
        Frame name -> its number, in the order of the file.
    """

    path: Path
    frames: dict[str, int]
    _first: npt.NDArray[np.int64] = field(repr=False)  # rows _first[f]:_first[f + 1] belong to frame f
    _places: npt.NDArray[np.int64] = field(repr=False)  # (rows,2) offset and length in bytes

    @classmethod
    def open(cls, path: str | Path) -> InstancesFile:
        """Look through the file.

        Raises
        ------
        InstancesError
            The file cannot be read, is no such list, or has a row with: no file name, a class that is not
            evaluated, a score that is no finite number, a mask that is not run-length encoded, or a frame
            that occurs under two image ids or two file names.
        """
        path = Path(path)
        frames: dict[str, int] = {}
        names: dict[str, tuple[Any, str]] = {}  # frame -> its image id and file name
        owners: dict[Any, str] = {}  # image id -> frame
        of_frame, offsets, lengths = array("q"), array("q"), array("q")
        for number, (offset, length, row) in enumerate(_rows(path)):
            name = _check(path, number, row)
            identity = (row.get("image_id"), row["file_name"])
            if names.setdefault(name, identity) != identity:
                raise _row_error(
                    path,
                    number,
                    f"frame {name} stands under two names: image {names[name][0]} ({names[name][1]}) "
                    f"and image {identity[0]} ({identity[1]})",
                    cause="the results of two runs, or of two folders, were put into one file",
                    fix="write each frame once, under one image id and one file name",
                )
            if identity[0] is not None and owners.setdefault(identity[0], name) != name:
                raise _row_error(
                    path,
                    number,
                    f"image {identity[0]} is both {owners[identity[0]]} and {name}",
                    cause="the results of two runs were put into one file",
                    fix="give each frame an image id of its own",
                )
            of_frame.append(frames.setdefault(name, len(frames)))
            offsets.append(offset)
            lengths.append(length)
        owner = np.array(of_frame, np.int64)
        order = np.argsort(owner, kind="stable")
        return cls(
            path,
            frames,
            np.searchsorted(owner[order], np.arange(len(frames) + 1)),
            np.stack((np.array(offsets, np.int64)[order], np.array(lengths, np.int64)[order]), axis=1),
        )

    def __len__(self) -> int:
        """How many instances there are."""
        return len(self._places)

    def shape(self, name: str) -> tuple[int, int]:
        """Return the (H, W) that the first mask of a frame says of itself."""
        where = self.rows(name)
        return _size_of_first(where, where.load())

    def rows(self, name: str) -> FrameRows:
        """Say where the rows of a frame are; nowhere, if the file does not name it."""
        spans: list[tuple[int, int]] = []
        for offset, length in self._places_of(name):
            end = sum(spans[-1]) if spans else -_SHORTEST_ROW
            if offset - end < _SHORTEST_ROW:  # nothing but a comma between them
                spans[-1] = spans[-1][0], offset + length - spans[-1][0]
            else:
                spans.append((offset, length))
        return FrameRows(self.path, name, tuple(spans))

    def read(self, name: str, shape: tuple[int, int]) -> Instances:
        """Read the instances of one frame of that (H,W), in the order of the file; none if it does not name the frame.

        Raises
        ------
        InstancesError
            A mask of another size than `shape`, or a damaged one.
        """
        return self.rows(name).read(shape)

    def _places_of(self, name: str) -> list[list[int]]:
        if name not in self.frames:
            return []
        number = self.frames[name]
        found: list[list[int]] = self._places[self._first[number] : self._first[number + 1]].tolist()
        return found


def _check(path: Path, number: int, row: Any) -> str:
    """Frame name of a sound row."""
    if not isinstance(row, dict) or not isinstance(row.get("file_name"), str) or not row["file_name"]:
        raise _row_error(
            path,
            number,
            "no file_name",
            cause="a plain COCO results file, which tells frames apart by number only",
            fix='add "file_name": "<frame>.jpg" to each row',
        )
    if row.get("category_id") not in IDS:
        raise _row_error(
            path,
            number,
            f"unknown class {row.get('category_id')!r} ({row['file_name']})",
            cause="class numbers inside a network (1..7), or a class that is not evaluated",
            fix=f"use the WAD class ids {IDS} as category_id",
        )
    if not is_number(row.get("score"), -1e30, 1e30):
        raise _row_error(
            path,
            number,
            f"the score is {repr(row.get('score'))[:40]}, expected a finite number ({row['file_name']})",
            cause="a training run that diverged, or a division by zero",
            fix="look at the network's outputs; nothing can be ranked by a score that is no number",
        )
    if not isinstance(row.get("image_id"), int | str | None):
        raise _row_error(
            path,
            number,
            f"the image_id is {repr(row['image_id'])[:40]} ({row['file_name']})",
            cause="a file of another program",
            fix="give each frame a whole number",
        )
    mask = row.get("segmentation")
    if not isinstance(mask, dict) or not isinstance(mask.get("counts"), str | list):
        raise _row_error(
            path,
            number,
            f"the segmentation is not run-length encoded ({row['file_name']})",
            cause="polygons, or boxes without masks",
            fix='write {"size": [height, width], "counts": "…"}: Instances.to_coco makes it',
        )
    return frame_name(row["file_name"])


def _rows(path: Path) -> Iterator[tuple[int, int, Any]]:
    """Offset, length in bytes and content of each element of a JSON list, of which a block at a time is read."""
    decoder = json.JSONDecoder()
    try:
        with open_regular(path) as file:
            # One character per byte, so that places are bytes; what is not ASCII is decoded again below.
            text, start, at = file.read(_BLOCK).decode("latin-1"), 0, 0
            if text.startswith("\xef\xbb\xbf"):  # the byte order mark of UTF-8
                at = 3
            elif text.startswith(("\xff\xfe", "\xfe\xff")):  # rows are found by their bytes, so not here
                raise InstancesError(
                    f"{path.name}: expected UTF-8, got UTF-16",
                    cause="a file that went through `>` in PowerShell, or through an editor",
                    fix=f"save it as UTF-8: Get-Content {path.name} | Set-Content -Encoding utf8 new.json",
                )
            expected = "["  # then a row or "]", then "," or "]", then a row; nothing after "]"
            while True:
                at = _skip(text, at)
                if at >= len(text):
                    block = file.read(_BLOCK).decode("latin-1")
                    if not block:
                        if expected == "nothing":
                            return
                        raise _format_error(path, "the list has no end", "a file that was cut off")
                    text, start, at = block, start + len(text), 0
                elif text[at] == "[" and expected == "[":
                    expected, at = "row or ]", at + 1
                elif expected == "[":
                    raise _format_error(path, "expected a list of results", "a COCO dataset in place of results")
                elif text[at] == "]" and expected in ("row or ]", ", or ]"):
                    expected, at = "nothing", at + 1
                elif text[at] == "," and expected == ", or ]":
                    expected, at = "row", at + 1
                elif expected in ("nothing", ", or ]") or text[at] in ",]":
                    what = f"expected {expected} at byte {start + at}, got {text[at : at + 20]!r}"
                    raise _format_error(path, what, "two files that were put together, or one that was edited")
                else:
                    try:
                        row, end = decoder.raw_decode(text, at)
                    except json.JSONDecodeError as error:
                        block = file.read(_BLOCK).decode("latin-1") if len(text) - at < _LONGEST_ROW else ""
                        if not block:
                            raise _format_error(
                                path, f"no JSON at byte {start + error.pos}", "a file cut off"
                            ) from error
                        text, start, at = text[at:] + block, start + at, 0
                        continue
                    if not text.isascii():
                        row = json.loads(decode_text(text[at:end].encode("latin-1")))
                    yield start + at, end - at, row
                    expected, at = ", or ]", end
    except OSError as error:
        raise _format_error(path, f"cannot read it: {error.strerror}", "the file is missing") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists within lists
        raise _format_error(path, f"no JSON near byte {start + at}: {error}", "not a file of results") from error


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _row_error(path: Path, number: int, what: str, *, cause: str, fix: str) -> InstancesError:
    return InstancesError(f"{path.name}, row {number}: {what}", cause=cause, fix=fix)


def _format_error(path: Path, what: str, cause: str) -> InstancesError:
    return InstancesError(f"{path.name}: {what}", cause=cause, fix="write it again: `wadlib predict` does")
