"""KITTI-MOTS text files, which TrackEval scores: one file per video, one line per object and frame.

::

    frame id class height width rle          for example  52 1005 1 375 1242 WSV:2d;1O1...

Frames count from 0; id = class * 1000 + track; class 1 is a car, 2 a pedestrian, and 10 (id 10000) a region to
ignore. Objects of one frame may not overlap, so the source is a label map, whose instance number is taken
as the track's. (WAD's true instance numbers are *not* tracks: the same car may change its number.)
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib._shared.fields import MAX_PIXELS, text_lines
from wadlib._shared.files import make_folder, write_text
from wadlib._shared.parallel import map_labels
from wadlib.dataset.frame import Frame, Video
from wadlib.errors import InstancesError
from wadlib.frames import read_label
from wadlib.instances import Runs
from wadlib.instances.reader import label_files
from wadlib.interop.complete import check_frames, check_size
from wadlib.labels import BACKGROUND, IDS, IGNORE, INSTANCES_PER_CLASS, decode, encode

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
    missing: str = "error",
    workers: int | None = None,
    executor: Executor | None = None,
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
        Write these label maps in place of the truth.
    missing : "error" or "empty"
        What to do about frames without a label: raise, or write a prediction without objects, and a truth that is a
        region to ignore as a whole.
    classes : mapping
        WAD class id -> class number to write, `KITTI` or `WAD`; other classes are left out.
    workers, executor, progress
        See `wadlib._shared.parallel.map_frames`; threads by default.

    Raises
    ------
    InstancesError
        No frames; frames without a label, predictions of other frames, or of another size than the truth.
    """
    out, videos = Path(out), list(videos)
    frames = [frame for video in videos for frame in video.frames]
    files = None if prediction is None else label_files(Path(prediction), "predictions")
    labelled = {frame.name: frame for frame in frames if frame.label_path is not None}
    there = labelled if files is None else files
    check_frames("write_kitti_mots", [frame.name for frame in frames], there, missing)
    some = next(iter(labelled.values()), None)
    blank: list[str] = []  # the lines of a frame of which nothing is there
    if files is None and some is not None:
        blank = frame_lines(np.full(some.read_label().shape, IGNORE, np.uint16), classes)
    folder = make_folder(out / ("label_02" if files is None else "data"))
    written = []
    read = partial(_lines_of, predicted=files is not None, classes=dict(classes))
    for number, video in enumerate(videos):
        lines: list[str] = []
        pairs = [(frame, files.get(frame.name) if files is not None else frame.label_path) for frame in video.frames]
        parts = map_labels(read, pairs, video.name, workers, executor, progress)
        for time, (_, frame_part) in enumerate(parts):
            lines += [f"{time} {line}\n" for line in (blank if frame_part is None else frame_part)]
        write_text(folder / f"{number:04d}.txt", "".join(lines))
        written.append(MotsVideo(number, video.name, len(video.frames)))
    write_text(out / "videos.txt", "".join(f"{v.number:04d} {v.name}\n" for v in written))
    if files is None:
        seqmap = "".join(f"{v.number:04d} empty 000000 {v.frames - 1:06d}\n" for v in written)
        # TrackEval guesses the separator from all lines but the first; it passes over lines of three fields.
        write_text(out / "evaluate_mots.seqmap.val", seqmap + ("no further video\n" if len(written) == 1 else ""))
    return written


def _lines_of(pair: tuple[Frame, Path | None], predicted: bool, classes: Mapping[int, int]) -> list[str] | None:
    frame, path = pair
    if path is None:
        return None
    label = read_label(path) if predicted else frame.read_label()
    if predicted and frame.label_path is not None:
        check_size("write_kitti_mots", frame, (label.shape[0], label.shape[1]))
    return frame_lines(label, classes)


def frame_lines(label: npt.NDArray[np.uint16], classes: Mapping[int, int] = KITTI) -> list[str]:
    """Write the lines of one frame, without the frame's number.

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


class MotsFile:
    """One file, read and checked; labels are painted when they are asked for.

    Raises
    ------
    InstancesError
        A line that is not of the format, or an unknown class.
    """

    def __init__(self, path: str | Path, classes: Mapping[int, int] = KITTI) -> None:
        self.path = Path(path)
        self.of_frame, self.codes = _read_objects(self.path, classes)

    def label(self, time: int) -> npt.NDArray[np.uint16] | None:
        """Paint the label map (H,W) uint16 of a frame; None if the file does not name it: nothing is there."""
        if time not in self.of_frame:
            return None
        return _label(self.path, time, [(self.codes[key], *each) for key, each in self.of_frame[time].items()])


def read_mots(path: str | Path, classes: Mapping[int, int] = KITTI) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """Read one file: the number of each frame that is named, and its label map (H,W) uint16.

    Raises
    ------
    InstancesError
        A line that is not of the format, an unknown class, or objects that overlap.
    """
    file = MotsFile(path, classes)
    for time in sorted(file.of_frame):
        label = file.label(time)
        assert label is not None
        yield time, label


_Objects = dict[tuple[int, int], tuple[tuple[int, int], str]]  # (class, id) -> (height, width), rle


def _read_objects(path: Path, classes: Mapping[int, int]) -> tuple[dict[int, _Objects], dict[tuple[int, int], int]]:
    """Objects of each frame, and the label code of each."""
    of_frame = dict[int, _Objects]()
    back = {kind: class_id for class_id, kind in classes.items()}
    try:
        for number, line in enumerate(text_lines(path), start=1):
            fields = line.split()
            if not fields:
                continue
            if len(fields) != 6 or not all(each.isascii() and each.isdigit() and len(each) < 10 for each in fields[:5]):
                raise _bad(path, number, f"expected `frame id class height width rle`, got {line[:60].strip()!r}")
            time, name, kind, height, width = map(int, fields[:5])
            if kind != _IGNORE_CLASS and kind not in back:
                raise _bad(path, number, f"unknown class {kind}")
            if not 0 < height * width <= MAX_PIXELS:
                raise _bad(path, number, f"expected a picture of 1 to {MAX_PIXELS} pixels, got {width}x{height}")
            objects = of_frame.setdefault(time, {})
            if (kind, name) in objects:
                raise _bad(path, number, f"object {name} occurs twice in frame {time}")
            objects[kind, name] = (height, width), fields[5]
    except (OSError, ValueError) as error:
        raise _bad(path, 0, f"cannot read it: {getattr(error, 'strerror', None) or error}") from error
    return of_frame, _codes(path, sorted({key for objects in of_frame.values() for key in objects}), back)


def _codes(path: Path, keys: list[tuple[int, int]], back: dict[int, int]) -> dict[tuple[int, int], int]:
    """(class, id) -> label code: numbered as in the ids where they are class * 1000 + track; else counted by class."""
    codes = dict[tuple[int, int], int]()
    for kind in {kind for kind, _ in keys}:
        names = [name for each, name in keys if each == kind]
        if kind == _IGNORE_CLASS:
            codes |= {(kind, name): IGNORE for name in names}
            continue
        if len(names) > INSTANCES_PER_CLASS:
            raise _bad(path, 0, f"{len(names)} objects of class {kind}, a label holds {INSTANCES_PER_CLASS}")
        usual = all(name // 1000 == kind for name in names)
        for n, name in enumerate(names):
            codes[kind, name] = int(encode(back[kind], name % 1000 if usual else n))
    return codes


def _label(path: Path, time: int, objects: list[tuple[int, tuple[int, int], str]]) -> npt.NDArray[np.uint16]:
    shapes = {shape for _, shape, _ in objects}
    if len(shapes) != 1:
        raise _bad(path, 0, f"the objects of frame {time} come from pictures of different sizes")
    shape = shapes.pop()
    try:
        runs = Runs.from_strings([string for _, _, string in objects], shape)
    except InstancesError as error:
        raise _bad(path, 0, f"frame {time}: {error.what}") from error
    label = np.full(shape, BACKGROUND, np.uint16)
    runs.paint(label, (code for code, _, _ in objects))
    if np.count_nonzero(label != BACKGROUND) != runs.areas.sum():
        raise _bad(path, 0, f"objects of frame {time} overlap")
    return label


def _bad(path: Path, number: int, what: str) -> InstancesError:
    place = f"{path.name}, line {number}" if number else path.name
    return InstancesError(
        f"read_mots: {place}: {what}",
        cause="another format, or a file that was edited or cut off",
        fix="one line per object: frame id class height width rle, and no pixel in two objects",
    )
