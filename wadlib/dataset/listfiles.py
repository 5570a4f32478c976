r"""The list files of WAD: which frame belongs to which video, and the real names of the test frames.

A training list has one frame per line, a picture and its label, written on Windows::

    road01_ins\ColorImage\Record011\Camera 5\<frame>.jpg<TAB>road01_ins\Label\Record011\Camera 5\<frame>_instanceIds.png

A test list has the picture alone; a mapping file has ``<md5><TAB>path``, where the picture is stored as
``test/<md5>.jpg``. The folders in those lines do not exist in the Kaggle archives: only the name of the
frame is used, so a line can never lead out of the dataset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wadlib._shared.files import inside
from wadlib.errors import DatasetError

__all__ = ["LABEL_SUFFIX", "ListLine", "Problem", "natural_key", "read_list", "read_mapping", "video_name"]

LABEL_SUFFIX = "_instanceIds.png"
"""What follows the name of the frame in the name of its label file."""


@dataclass(frozen=True)
class Problem:
    """Something about a dataset that its user should know; it never stops the work.

    Attributes
    ----------
    kind : str
        "missing picture", "missing label", "not in a list", "label without picture", "unreadable line",
        "refused path", "mismatched line", "named twice", "missing mapping", "unreadable list",
        "missing folder" or "unexpected file".
    text : str
        What exactly, in one line.
    file : str
        The list file below ROOT, or "" when the problem is not about a list.
    line : int
        Line number in `file`, from 1; 0 when it is not about a line.
    """

    kind: str
    text: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f" ({self.file}, line {self.line})" if self.line else f" ({self.file})" if self.file else ""
        return f"{self.kind}: {self.text}{place}"


class ListLine(NamedTuple):
    """One good line: its number, the name of its frame and, in a mapping file, the md5 name."""

    number: int
    frame: str
    md5: str = ""


# Paths hold spaces, so the end of the picture's name separates the two, not any white space.
_TRAIN_OR_TEST = re.compile(r"(?P<image>[^\t]+?\.jpe?g)(?:\s+(?P<label>[^\t]+\.png))?", re.IGNORECASE)
_MAPPING = re.compile(r"(?P<md5>[0-9A-Za-z_-]+)(?:\.jpe?g)?\s+(?P<image>[^\t]+?\.jpe?g)", re.IGNORECASE)


def read_list(path: Path, shown: str, problems: list[Problem]) -> list[ListLine]:
    """Read a training or test list; what is wrong with it goes to `problems`.

    Parameters
    ----------
    path : the list file
    shown : how to call it in a problem (its path below ROOT)
    problems : appended to

    Returns
    -------
    The good lines, in the order of the file.
    """
    found = []
    for number, text in _lines(path, shown, problems):
        match = _TRAIN_OR_TEST.fullmatch(text)
        if match is None:
            problems.append(Problem("unreadable line", f"expected picture<TAB>label, got {_cut(text)}", shown, number))
            continue
        frame = _frame_name(match["image"], shown, number, problems)
        label = _frame_name(match["label"], shown, number, problems) if match["label"] else frame
        if frame is None or label is None:
            continue
        if frame != label:
            problems.append(
                Problem("mismatched line", f"pairs {frame} with the label of {label}; paired by name", shown, number)
            )
        found.append(ListLine(number, frame))
    return found


def read_mapping(path: Path, shown: str, problems: list[Problem]) -> list[ListLine]:
    """Read an md5 mapping file; what is wrong with it goes to `problems`. See `read_list`."""
    found = []
    for number, text in _lines(path, shown, problems):
        match = _MAPPING.fullmatch(text)
        if match is None:
            problems.append(Problem("unreadable line", f"expected md5<TAB>path, got {_cut(text)}", shown, number))
            continue
        frame = _frame_name(match["image"], shown, number, problems)
        if frame is not None:
            found.append(ListLine(number, frame, match["md5"]))
    return found


def video_name(file_name: str) -> str:
    """Name of the video that a list or mapping file is about.

    Examples
    --------
    >>> video_name("road01_cam_5_video_2_image_list_train.txt")
    'road01_cam_5_video_2'
    >>> video_name("md5_mapping_road01_cam_5_video_1_image_list_test.txt")
    'road01_cam_5_video_1'
    """
    name = file_name.removesuffix(".txt").removeprefix("md5_mapping_")
    return re.sub(r"_image_list_(train|test)$", "", name)


def natural_key(text: str) -> tuple[str | int, ...]:
    """Sort key that puts video_2 before video_10.

    Examples
    --------
    >>> sorted(["video_10", "video_2"], key=natural_key)
    ['video_2', 'video_10']
    """
    # Words and numbers alternate, so that a comparison never meets a word and a number.
    return tuple(int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", text)))


def _lines(path: Path, shown: str, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """(number, text) of each line that is not blank; any line ends, with or without a BOM."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.append(Problem("unreadable list", error.strerror or str(error), shown))
        return
    # Line by line, so that one damaged line costs one line and not the file.
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            text = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            problems.append(Problem("unreadable line", f"not UTF-8 text: {_cut(str(raw)[2:-1])}", shown, number))
            continue
        if text:
            yield number, text


def _frame_name(path: str, shown: str, number: int, problems: list[Problem]) -> str | None:
    r"""``a\b\<frame>.jpg`` or ``…<frame>_instanceIds.png`` -> frame; None (and a problem) if refused."""
    try:
        name = inside("", path).name
    except DatasetError:
        problems.append(Problem("refused path", f"{_cut(path)} leads out of the dataset", shown, number))
        return None
    if name.lower().endswith(LABEL_SUFFIX.lower()):
        return name[: -len(LABEL_SUFFIX)]
    return name.rpartition(".")[0]


def _cut(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
