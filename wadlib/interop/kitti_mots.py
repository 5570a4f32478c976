"""KITTI-MOTS text files, which TrackEval scores: one file per video, one line per object and frame.

::

    frame id class height width rle          for example  52 1005 1 375 1242 WSV:2d;1O1...

Frames count from 0; id = class * 1000 + track; class 1 is a car, 2 a pedestrian, and 10 (id 10000) a region to
ignore. Objects of one frame may not overlap, so the source is a label map, whose instance number is taken
as the track's. (WAD's true instance numbers are *not* tracks: the same car may change its number.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import make_folder, write_text
from wadlib._shared.parallel import map_frames
from wadlib.dataset.frame import Frame, Video
from wadlib.errors import InstancesError
from wadlib.frames import read_label
from wadlib.instances import Runs
from wadlib.instances.reader import label_files
from wadlib.labels import BACKGROUND, IDS, IGNORE, decode, encode

__all__ = ["KITTI", "WAD", "MotsVideo", "frame_lines", "read_mots", "write_kitti_mots"]

KITTI: dict[int, int] = {33: 1, 36: 2}
"""WAD class id -> KITTI's class: cars and pedestrians. The other classes do not exist there."""

WAD: dict[int, int] = {class_id: class_id for class_id in IDS}
"""All seven classes under their own ids, for tools that take any."""

_IGNORE_CLASS = 10


class MotsVideo(NamedTuple):
    """One written video: its number in file names, its own name, and how many frames it has."""

    number: int
    name: str
    frames: int


def write_kitti_mots(
    videos: Iterable[Video],
    out: str | Path,
    *,
    prediction: str | Path | None = None,
    classes: Mapping[int, int] = KITTI,
    workers: int | None = None,
    progress: bool = True,
) -> list[MotsVideo]:
    """Write the labels of videos for TrackEval's ``kitti_mots``.

    The truth goes to ``OUT/label_02/0000.txt``…, with ``OUT/evaluate_mots.seqmap.val`` (TrackEval's
    GT_FOLDER is OUT); predictions go to ``OUT/data/0000.txt``… (OUT is one tracker's folder). ``OUT/videos.txt``
    says which number is which video.

    Parameters
    ----------
    videos : iterable of videos, such as ``open_wad(root).train_videos``
    out : folder
    prediction : folder, optional
        Write these label maps in place of the truth. A frame without one has nothing in it.
    classes : mapping
        WAD class id -> class number to write, `KITTI` or `WAD`; other classes are left out.
    """
    out = Path(out)
    files = None if prediction is None else label_files(Path(prediction), "predictions")
    folder = make_folder(out / ("label_02" if files is None else "data"))
    written = []
    for number, video in enumerate(videos):
        lines: list[str] = []
        for time, frame_part in map_frames(
            partial(_lines, [_label_path(frame, files) for frame in video.frames], dict(classes)),
            range(len(video.frames)),
            workers=workers,
            threads=True,
            description=video.name,
            progress=progress,
        ):
            lines += [f"{time} {line}\n" for line in frame_part]
        write_text(folder / f"{number:04d}.txt", "".join(lines))
        written.append(MotsVideo(number, video.name, len(video.frames)))
    write_text(out / "videos.txt", "".join(f"{v.number:04d} {v.name}\n" for v in written))
    if files is None:
        seqmap = "".join(f"{v.number:04d} empty 000000 {v.frames - 1:06d}\n" for v in written)
        write_text(out / "evaluate_mots.seqmap.val", seqmap)
    return written


def frame_lines(label: npt.NDArray[np.uint16], classes: Mapping[int, int] = KITTI) -> list[str]:
    """The lines of one frame, without the frame's number.

    Examples
    --------
    >>> frame_lines(np.array([[255, 33005], [33005, 65535]], np.uint16))
    ['1005 1 2 2 121', '10000 10 2 2 31']
    """
    codes, runs = Runs.from_label(label)
    class_ids, numbers = decode(codes)
    lines = []
    for code, class_id, number, rle in zip(
        codes.tolist(), class_ids.tolist(), numbers.tolist(), runs.to_rle(), strict=True
    ):
        if code == IGNORE:
            name, kind = _IGNORE_CLASS * 1000, _IGNORE_CLASS
        elif class_id in classes:
            name, kind = classes[class_id] * 1000 + number, classes[class_id]
        else:
            continue
        lines.append(f"{name} {kind} {label.shape[0]} {label.shape[1]} {rle['counts']}")
    return lines


def read_mots(path: str | Path, classes: Mapping[int, int] = KITTI) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """Read one file: the number of each frame that is named, and its label map (H,W) uint16.

    Raises
    ------
    InstancesError
        A line that is not of the format, an unknown class, or objects that overlap.
    """
    path = Path(path)
    of_frame: dict[int, list[tuple[int, tuple[int, int], str]]] = {}
    back = {kind: class_id for class_id, kind in classes.items()}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise _bad(path, 0, f"cannot read it: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        fields = line.split(" ")
        if len(fields) != 6 or not all(field.isdigit() for field in fields[:5]):
            raise _bad(path, number, f"expected `frame id class height width rle`, got {line[:60]!r}")
        time, name, kind, height, width = (int(field) for field in fields[:5])
        if kind != _IGNORE_CLASS and kind not in back:
            raise _bad(path, number, f"unknown class {kind}")
        code = IGNORE if kind == _IGNORE_CLASS else int(encode(back[kind], name % 1000))
        of_frame.setdefault(time, []).append((code, (height, width), fields[5]))
    for time in sorted(of_frame):
        yield time, _label(path, time, of_frame[time])


def _label(path: Path, time: int, objects: list[tuple[int, tuple[int, int], str]]) -> npt.NDArray[np.uint16]:
    shapes = {shape for _, shape, _ in objects}
    if len(shapes) != 1:
        raise _bad(path, 0, f"the objects of frame {time} come from pictures of different sizes")
    shape = shapes.pop()
    runs = Runs.from_strings([string for _, _, string in objects], shape)
    label = np.full(shape, BACKGROUND, np.uint16)
    runs.paint(label, (code for code, _, _ in objects))
    if np.count_nonzero(label != BACKGROUND) != runs.areas.sum():
        raise _bad(path, 0, f"objects of frame {time} overlap")
    return label


def _label_path(frame: Frame, files: dict[str, Path] | None) -> Path | None:
    return frame.label_path if files is None else files.get(frame.name)


def _lines(paths: list[Path | None], classes: dict[int, int], time: int) -> list[str]:
    path = paths[time]
    return [] if path is None else frame_lines(read_label(path), classes)


def _bad(path: Path, number: int, what: str) -> InstancesError:
    place = f"{path.name}, line {number}" if number else path.name
    return InstancesError(
        f"read_mots: {place}: {what}",
        cause="another format, or a file that was edited or cut off",
        fix="one line per object: frame id class height width rle, and no pixel in two objects",
    )
