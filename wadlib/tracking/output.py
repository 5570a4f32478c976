"""Write what was tracked: labels, ``instances.json`` and ``tracks.json``."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import inside, make_folder, write_text
from wadlib._shared.parts import is_part
from wadlib.dataset import Frame
from wadlib.dataset.tracks import TRACKS
from wadlib.errors import TrackingError
from wadlib.frames import write_label
from wadlib.instances import PredictionFolder
from wadlib.instances.reader import INSTANCES, SUFFIX
from wadlib.labels import BACKGROUND, INSTANCES_PER_CLASS, evaluated_index
from wadlib.tracking.fill import Tracked

Numbers = dict[int, int]  # track -> its number on labels

_MARK = ".tracking"  # in a folder whose tracks.json is not written yet


def write_tracked_label(
    target: Path,
    frame: Frame,
    tracked: Tracked,
    label: npt.NDArray[np.uint16] | None,
    numbers: Numbers,
    shown: Collection[int],
) -> dict[str, int]:
    """Write the label of a frame, painted from the tracks that are `shown` if there is none yet.

    Returns
    -------
    dict[str, int]
        Which track each code of the label is.
    """
    codes = _codes(tracked, numbers)
    if label is None:
        label = _painted(tracked, codes, shown)
    write_label(inside(target / "label", f"{frame.name}{SUFFIX}"), label)
    on_label = set(np.unique(label).tolist())
    return {
        str(code): track
        for code, track in sorted(zip(codes.tolist(), tracked.ids.tolist(), strict=True))
        if code in on_label
    }


def _codes(tracked: Tracked, numbers: Numbers) -> npt.NDArray[np.uint16]:
    on_labels = np.array([numbers[track] for track in tracked.ids.tolist()], np.int64)
    return (tracked.found.class_ids.astype(np.int64) * INSTANCES_PER_CLASS + on_labels).astype(np.uint16)


def _painted(tracked: Tracked, codes: npt.NDArray[np.uint16], shown: Collection[int]) -> npt.NDArray[np.uint16]:
    found = tracked.found
    label = np.full(found.shape, BACKGROUND, np.uint16)
    chosen = np.array([track in shown for track in tracked.ids.tolist()], np.bool_)
    last_on_top = found.best_first[::-1]
    last_on_top = last_on_top[chosen[last_on_top]]
    found.runs.take(last_on_top).paint(label, codes[last_on_top])
    return label


def renumbered(
    label: npt.NDArray[np.uint16],
    old: npt.NDArray[np.uint16],
    tracked: Tracked,
    numbers: Numbers,
    frame: Frame,
) -> npt.NDArray[np.uint16]:
    """Exchange the codes of a label, and nothing else of it."""
    codes = np.unique(label)
    foreign = np.setdiff1d(codes[evaluated_index(codes) > 0], old)  # IGNORE and riders are nobody's instances
    if foreign.size:
        raise TrackingError(
            f"track: the label of {frame.name} holds {int(foreign[0])}, which {INSTANCES} does not",
            cause="labels and scored instances of two runs in one folder",
            fix="paint the labels anew from the instances: --threshold 0.5",
        )
    table = np.arange(1 << 16, dtype=np.uint16)
    table[old] = _codes(tracked, numbers)
    return np.asarray(table[label])


def rows_of(number: int, frame: Frame, tracked: Tracked) -> list[str]:
    """Make the rows of ``instances.json`` for a frame, which has this number in it."""
    file_name = f"{frame.name}{frame.image_path.suffix}"
    rows = tracked.found.to_coco(image_id=number, file_name=file_name)
    return [json.dumps(row | {"track_id": track}) for row, track in zip(rows, tracked.ids.tolist(), strict=True)]


class RowWriter:
    """Writes ``instances.json`` row by row."""

    def __init__(self, file: Any) -> None:
        self._file, self._separator = file, "["

    def add(self, rows: Iterable[str]) -> None:
        """Add rows of `rows_of`."""
        for row in rows:
            self._file.write(f"{self._separator}\n{row}")
            self._separator = ","

    def end(self) -> None:
        """Close the list."""
        self._file.write("[]\n" if self._separator == "[" else "\n]\n")


def prepare_folder(out: Path, folder: PredictionFolder) -> Path:
    """Make OUT, empty of labels of an earlier call."""
    same = out.exists() and out.resolve() == folder.folder.resolve()
    names = {path.name for path in out.iterdir() if not is_part(path.name)} if out.is_dir() else set()
    ours = names & {TRACKS, _MARK} and names <= {"label", INSTANCES, TRACKS, _MARK}
    if same or (names and not ours):
        raise TrackingError(
            f"track: expected a new folder, got {out.as_posix()}, which holds "
            + ("the predictions themselves" if same else "something else"),
            cause="a slip in --out",
            fix="choose another folder",
        )
    make_folder(out)
    labels = make_folder(out / "label")
    (out / TRACKS).unlink(missing_ok=True)
    (out / _MARK).touch()
    for path in labels.glob(f"*{SUFFIX}"):
        path.unlink()
    return out


def write_tracks(out: Path, videos: dict[str, dict[str, dict[str, int]]]) -> None:
    """Write ``tracks.json``: the folder is complete."""
    write_text(out / TRACKS, json.dumps({"videos": videos}, indent=1))
    (out / _MARK).unlink(missing_ok=True)
