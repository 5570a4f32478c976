"""The result video: a street, what was found in it by track, and where that is wrong, side by side."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from wadlib._shared.files import write_text
from wadlib._shared.words import one_of
from wadlib.dataset import Frame
from wadlib.dataset.tracks import TRACKS, read_tracks
from wadlib.errors import MetricError
from wadlib.figures.frames import PALETTE
from wadlib.figures.video_file import USUAL_RATE, write_video
from wadlib.frames import read_label, write_image
from wadlib.instances.reader import label_files
from wadlib.labels import CLASSES, IGNORE, evaluated_index

PANELS = ("frame", "tracks", "truth", "errors")
"""The picture; predicted and true masks by track; which pixels are right, missed and false positive."""

_COLOURS = np.array([[int(name[i : i + 2], 16) for i in (1, 3, 5)] for name in PALETTE], np.float32)
_RIGHT, _MISSED, _WRONG, _FALSE_POSITIVE = (0, 158, 115), (230, 159, 0), (204, 121, 167), (86, 180, 233)  # Okabe-Ito
_NAMED_PX = 150  # smaller objects are not named: the word would hide them

Picture = npt.NDArray[np.uint8]
Label = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class ResultVideo:
    """What `result_video` wrote.

    Attributes
    ----------
    path, poster, description : Path
        The video; its first picture (.jpg) and a text of what it shows (.txt), named after it.
    frames : int
    size_bytes : int
    """

    path: Path
    poster: Path
    description: Path
    frames: int
    size_bytes: int


def draw_tracks(image: Picture, label: Label, tracks: Mapping[int, int] | None = None, names: bool = True) -> Picture:
    """Draw masks over a picture, each in the colour of its track, with a white outline and its name.

    Parameters
    ----------
    image : (H, W, 3) uint8
    label : (H, W) uint16 codes
    tracks : mapping, optional
        Code -> track; by default the number on the label.
    names : bool
        Write class and track beside objects that are not too small.
    """
    codes, inverse = np.unique(label, return_inverse=True)
    numbers = [code % 1000 if tracks is None else tracks.get(code, code % 1000) for code in codes.tolist()]
    wanted = (evaluated_index(codes) > 0)[inverse].reshape(label.shape)
    colours = _COLOURS[np.array(numbers) % len(_COLOURS)][inverse].reshape(image.shape)
    drawn = np.where(wanted[..., None], 0.45 * image + 0.55 * colours, image).astype(np.uint8)
    edge = np.zeros(label.shape, np.bool_)
    edge[:, 1:] |= label[:, 1:] != label[:, :-1]
    edge[1:] |= label[1:] != label[:-1]
    drawn[edge & wanted] = 255
    if names:
        for code, number in zip(codes[evaluated_index(codes) > 0].tolist(), _of(codes, numbers), strict=True):
            rows, columns = np.nonzero(label == code)
            if rows.size >= _NAMED_PX:
                _write(drawn, f"{CLASSES[code // 1000].name} {number}", int(columns.min()), int(rows.min()) - 3)
    return np.asarray(drawn, np.uint8)


def draw_errors(image: Picture, truth: Label, found: Label) -> Picture:
    """Draw which pixels of the evaluated classes are right (green), missed (orange), of a wrong class (pink), false
    positive (blue); the picture is grey behind them. Identities do not matter here.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    drawn = np.repeat(np.asarray(grey // 2 + 40, np.uint8)[..., None], 3, axis=2)
    a, b = evaluated_index(truth), evaluated_index(found)
    known = truth != IGNORE
    kinds = (
        ((a > 0) & (a == b), _RIGHT),
        ((a > 0) & (b == 0), _MISSED),
        ((a > 0) & (b > 0) & (a != b), _WRONG),
        ((a == 0) & (b > 0) & known, _FALSE_POSITIVE),
    )
    for where, colour in kinds:
        drawn[where] = colour
    x = 8
    for word, (_, colour) in zip(("right", "missed", "wrong class", "false positive"), kinds, strict=True):
        x = _write(drawn, word, x, 20, colour) + 12
    return np.asarray(drawn, np.uint8)


def result_video(
    frames: Sequence[Frame],
    prediction: str | Path,
    path: str | Path,
    *,
    panels: Sequence[str] = ("tracks", "errors"),
    width: int = 832,
    rate: float | Fraction = USUAL_RATE,
    codec: str = "h264",
    truth_tracks: Mapping[str, Mapping[int, int]] | None = None,
    progress: bool = True,
) -> ResultVideo:
    """Write the result video of one video, its poster and a description in words.

    Parameters
    ----------
    frames : sequence of Frame
        Of one video, in order; those without a prediction are left out.
    prediction : folder
        What ``wadlib track`` wrote, or any folder of predictions: then colours are those of the numbers on the labels.
    path : path, ``….mp4``
    panels : of `PANELS`, from left to right
    width : int
        Pixels of one panel.
    rate, codec : see `wadlib.figures.video_file.write_video`
    truth_tracks : mapping, optional
        Frame -> code -> identity, for the panel "truth".

    Raises
    ------
    MetricError
        No frame with a prediction, or no truth for a panel that needs it.
    ImageError, StorageError
        See `write_video`.
    """
    for panel in panels:
        one_of(panel, PANELS, "result_video: panel", MetricError)
    path, folder = Path(path), Path(prediction)
    # Refuse before the first picture is drawn.
    labels = label_files(folder, "predictions")
    tracks = read_tracks(folder) if (folder / TRACKS).is_file() else {}
    shown = [frame for frame in frames if frame.name in labels]
    if not shown or not panels or not 16 <= width <= 8192:
        raise MetricError(
            f"result_video: expected frames with a prediction, panels and a width of 16 to 8192, got {len(shown)} of "
            f"{len(frames)} frames, {len(panels)} panels and width {width}",
            cause="predictions of another video",
            fix="name a video that was predicted: wadlib video ROOT PRED out.mp4 --video NAME",
        )
    blind = [frame.name for frame in shown if frame.label_path is None]
    if blind and {"truth", "errors"} & set(panels):
        raise MetricError(
            f"result_video: expected labelled frames for the panels {'truth'!r} and {'errors'!r}, {blind[0]} has none",
            cause="a test video",
            fix="--panels frame,tracks",
        )
    objects: Counter[str] = Counter()
    seen: set[tuple[int, int]] = set()

    def pictures() -> Iterator[Picture]:
        for number, frame in enumerate(tqdm(shown, desc=path.name, unit="frame", disable=not progress)):
            found = read_label(labels[frame.name])
            of_frame = tracks.get(frame.name)
            codes = np.unique(found)
            for code in codes[evaluated_index(codes) > 0].tolist():
                objects[CLASSES[code // 1000].name] += 1
                seen.add((code // 1000, code % 1000 if of_frame is None else of_frame.get(code, code % 1000)))
            row = _row(frame, found, of_frame, (truth_tracks or {}).get(frame.name), panels, width)
            if number == 0:
                write_image(poster, row)
            yield row

    poster, description = path.with_suffix(".jpg"), path.with_suffix(".txt")
    # `write_video` asks for the pictures; poster and counts are made on the way.
    written = write_video(pictures(), path, rate=rate, codec=codec)
    counts = ", ".join(f"{number} {name}" for name, number in objects.most_common()) or "nothing"
    missing = len(frames) - len(shown)
    write_text(
        description,
        f"{written} frames of {shown[0].video}, {written / float(rate):.1f} s at {float(rate):.1f} frames per second. "
        f"From left to right: {', '.join(panels)}. Found in all frames together: {counts}; {len(seen)} tracks."
        + (f" {missing} frames without a prediction are left out." if missing else "")
        + "\n",
    )
    return ResultVideo(path, poster, description, written, path.stat().st_size)


def _row(
    frame: Frame,
    found: Label,
    tracks: Mapping[int, int] | None,
    truth_tracks: Mapping[int, int] | None,
    panels: Sequence[str],
    width: int,
) -> Picture:
    """Draw the panels of one frame beside each other."""
    image = frame.read_image()
    size = (width, round(image.shape[0] * width / image.shape[1]))
    image, found = _resized(image, size), _resized(found, size)
    drawn = []
    for panel in panels:
        if panel == "frame":
            drawn.append(image)
        elif panel == "tracks":
            drawn.append(draw_tracks(image, found, tracks))
        elif panel == "truth":
            drawn.append(draw_tracks(image, _resized(frame.read_label(), size), truth_tracks))
        else:
            drawn.append(draw_errors(image, _resized(frame.read_label(), size), found))
    return np.concatenate(drawn, axis=1)


def _resized(picture: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Bring a picture or a label to (width, height); codes are never blended."""
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    how = cv2.INTER_AREA if picture.dtype == np.uint8 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=how))


def _of(codes: Label, numbers: list[int]) -> list[int]:
    return [number for number, wanted in zip(numbers, (evaluated_index(codes) > 0).tolist(), strict=True) if wanted]


def _write(picture: Picture, text: str, x: int, y: int, colour: tuple[int, int, int] = (255, 255, 255)) -> int:
    """Write a word on a dark ground, inside the picture; the column where it ends."""
    (w, h), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    x, y = min(max(x, 0), max(picture.shape[1] - w, 0)), min(max(y, h + 1), picture.shape[0] - below)
    picture[y - h - 1 : y + below, x : x + w] //= 3
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
    return x + w
