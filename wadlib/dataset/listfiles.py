r"""The list files of WAD: which frame belongs to which video, and the real names of the test frames.

A training list has one frame per line, a picture and its label, written on Windows::

    road01_ins\ColorImage\Record011\Camera 5\<frame>.jpg<TAB>road01_ins\Label\Record011\Camera 5\<frame>_instanceIds.png

A test list has the picture alone; a mapping file has ``<md5><TAB>path``, where the picture is stored as
``test/<md5>.jpg``. The folders in those lines do not exist in the Kaggle archives: only the name of the
frame is used, so a line can never lead out of the dataset.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wadlib._shared.files import name_inside, read_bytes
from wadlib.dataset.layout import LABEL_SUFFIX, frame_of
from wadlib.errors import DatasetError


@dataclass(frozen=True)
class DatasetProblem:
    """Something about a dataset that its user should know; it never stops the work.

    Attributes
    ----------
    kind : str
        "missing picture", "missing label", "not in a list", "label without picture", "unreadable line",
        "refused path", "mismatched line", "named twice", "missing mapping", "unreadable list",
        "missing folder", "unexpected file", "unreadable name" or "two files".
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


_BOM = b"\xef\xbb\xbf"
_LONGEST_LINE = 8192  # characters; two paths of a file system fit in
_BOUNDARY = re.compile(r"\.jpe?g\s+", re.IGNORECASE)
_MD5 = re.compile(r"([0-9A-Za-z_-]+)(?:\.jpe?g)?", re.IGNORECASE)


def read_list(path: Path, shown: str, problems: list[DatasetProblem]) -> list[ListLine]:
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
        paths = _picture_and_label(text)
        if paths is None:
            problems.append(
                DatasetProblem("unreadable line", f"expected picture<TAB>label, got {_cut(text)}", shown, number)
            )
            continue
        frame = _frame_name(paths[0], shown, number, problems)
        label = _frame_name(paths[1], shown, number, problems) if paths[1] else frame
        if frame is None or label is None:
            continue
        if frame != label:
            problems.append(
                DatasetProblem(
                    "mismatched line", f"pairs {frame} with the label of {label}; paired by name", shown, number
                )
            )
        found.append(ListLine(number, frame))
    return found


def read_mapping(path: Path, shown: str, problems: list[DatasetProblem]) -> list[ListLine]:
    """Read an md5 mapping file; what is wrong with it goes to `problems`. See `read_list`."""
    found = []
    for number, text in _lines(path, shown, problems):
        paths = _md5_and_picture(text)
        if paths is None:
            problems.append(
                DatasetProblem("unreadable line", f"expected md5<TAB>path, got {_cut(text)}", shown, number)
            )
            continue
        frame = _frame_name(paths[1], shown, number, problems)
        if frame is not None:
            found.append(ListLine(number, frame, paths[0]))
    return found


def sound_lines(data: bytes) -> bytes:
    r"""Keep the lines of a list or mapping file that name pictures, and nothing else.

    Examples
    --------
    >>> sound_lines(b"a/b.jpg\n-----BEGIN PRIVATE KEY-----\n0f\ta/b.jpg\n")
    b'a/b.jpg\n0f\ta/b.jpg\n'
    """
    lines = [line.decode("utf-8", "replace").strip() for line in data.removeprefix(_BOM).splitlines()]
    kept = [line for line in lines if _picture_and_label(line) or _md5_and_picture(line)]
    return "".join(f"{line}\n" for line in kept).encode()


def _picture_and_label(text: str) -> tuple[str, str] | None:
    """``picture<TAB>label`` -> both, ``picture`` -> it and ""; None for anything else. In time linear in the length."""
    # Paths hold spaces, so the end of the picture's name separates the two, not any white space.
    if len(text) > _LONGEST_LINE:
        return None
    ending = text[-5:].lower()
    if ending.endswith((".jpg", ".jpeg")):
        return None if "\t" in text or text.lower() in (".jpg", ".jpeg") else (text, "")
    if not ending.endswith(".png"):
        return None
    first, last = text.find("\t"), text.rfind("\t")
    for match in _BOUNDARY.finditer(text, 1):
        picture, label = text[: match.end()].rstrip(), text[match.end() :]
        if (first < 0 or first >= len(picture)) and last < match.end() and len(label) > len(".png"):
            return picture, label
    return None


def _md5_and_picture(text: str) -> tuple[str, str] | None:
    """``md5<TAB>picture`` -> both; None for anything else."""
    md5, *rest = text.split(None, 1) if len(text) <= _LONGEST_LINE else ("",)
    match = _MD5.fullmatch(md5)
    if match is None or not rest or "\t" in rest[0] or not re.search(r".\.jpe?g$", rest[0], re.IGNORECASE):
        return None
    return match[1], rest[0]


def natural_key(text: str) -> tuple[str | int, ...]:
    """Sort key that puts video_2 before video_10.

    Examples
    --------
    >>> sorted(["video_10", "video_2"], key=natural_key)
    ['video_2', 'video_10']
    """
    # Words and numbers alternate, so that a comparison never meets a word and a number.
    return tuple(int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", text)))


def _lines(path: Path, shown: str, problems: list[DatasetProblem]) -> Iterator[tuple[int, str]]:
    """(number, text) of each line that is not blank; any line ends, with or without a BOM."""
    try:
        data = read_bytes(path)
    except OSError as error:
        problems.append(DatasetProblem("unreadable list", error.strerror or str(error), shown))
        return
    # Line by line, so that one damaged line costs one line and not the file.
    for number, raw in enumerate(data.removeprefix(_BOM).splitlines(), 1):
        try:
            text = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            problems.append(
                DatasetProblem("unreadable line", f"not UTF-8 text: {_cut(repr(bytes(raw))[2:-1])}", shown, number)
            )
            continue
        if text:
            yield number, text


def _frame_name(path: str, shown: str, number: int, problems: list[DatasetProblem]) -> str | None:
    r"""``a\b\<frame>.jpg`` or ``…<frame>_instanceIds.png`` -> frame; None (and a problem) if refused."""
    try:
        name = name_inside(path)
    except DatasetError:
        problems.append(DatasetProblem("refused path", f"{_cut(path)} leads out of the dataset", shown, number))
        return None
    frame = frame_of(name, (LABEL_SUFFIX,))
    return name.rpartition(".")[0] if frame is None else frame


def _cut(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
