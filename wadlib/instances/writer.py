"""A folder of predictions that a killed run leaves sound, and reading one back.

::

    PRED/label/<frame>_instanceIds.png    one label per frame, highest score on top
    PRED/instances.jsonl                  a line per finished frame: what a run that was stopped goes on from
    PRED/instances.json                   all instances with scores, masks may overlap; written at the end

A frame is done when its label is there and its line is in the journal. Lines are only ever added, so that a kill can
cost the last one, never an earlier one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wadlib._shared.files import atomic_path, inside, make_folder, storage_error
from wadlib.dataset.frame import Frame
from wadlib.dataset.prepare import Failure
from wadlib.errors import InstancesError
from wadlib.frames import write_label
from wadlib.instances.crops import Crop
from wadlib.instances.instances import Instances
from wadlib.instances.prediction_folder import INSTANCES, SUFFIX
from wadlib.instances.reader import DetectionFile, frame_name
from wadlib.instances.rle import decode_crop

__all__ = ["PredictReport", "PredictionWriter", "from_coco", "read_instances"]

_LABEL, _JOURNAL = "label", "instances.jsonl"


@dataclass(frozen=True)
class PredictReport:
    """What `predict_dataset` did.

    Attributes
    ----------
    predicted : int
        Frames predicted now.
    skipped : int
        Frames that an earlier run had finished.
    failed : tuple of `wadlib.dataset.Failure`
        Frames whose picture cannot be read, and why.
    instances : int
        Instances found now that score at least the threshold.
    path : Path
        ``instances.json``.
    """

    predicted: int
    skipped: int
    failed: tuple[Failure, ...]
    instances: int
    path: Path

    def summary(self) -> str:
        """The numbers in a line, and a line for each of the first ten failures."""
        lines = [
            f"{self.predicted} frames predicted ({self.instances} instances), "
            f"{self.skipped} were there already, {len(self.failed)} failed"
        ]
        lines += [f"  {failure.frame.name}: {failure.message.splitlines()[0]}" for failure in self.failed[:10]]
        if len(self.failed) > 10:
            lines.append(f"  … and {len(self.failed) - 10} more")
        return "\n".join(lines)


class PredictionWriter:
    """Predictions of one network with one set of settings, as far as they are there.

    Parameters
    ----------
    folder : path
        Made if needed.
    settings : dict, JSON-able
        What the predictions depend on: weights, configuration, threshold. A folder takes one set only.

    Raises
    ------
    InstancesError
        The folder holds predictions made with other settings.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.folder = make_folder(folder)
        make_folder(self.folder / _LABEL)
        self._journal = self.folder / _JOURNAL
        self._lock = threading.Lock()
        self._lines: dict[str, int] = {}  # name of the frame -> where its line begins
        header = {"settings": json.loads(json.dumps(settings))}
        if self._read_journal(header) == 0:
            self._append(json.dumps(header))

    @property
    def done(self) -> set[str]:
        """Names of the frames that are finished."""
        labels = {path.name for path in (self.folder / _LABEL).iterdir()}
        return {name for name in self._lines if f"{name}{SUFFIX}" in labels}

    def write(self, frame: Frame, found: Instances, threshold: float) -> int:
        """Write the label of a frame, then its line: then it is done. May be called from several threads.

        Parameters
        ----------
        frame : Frame
        found : Instances
            All of them go to the line.
        threshold : float
            Those that score at least this go on the label.

        Returns
        -------
        int
            Instances on the label.
        """
        sure = found.filter(threshold)
        write_label(inside(self.folder / _LABEL, f"{frame.name}{SUFFIX}"), sure.to_label_map())
        results = found.to_coco(f"{frame.name}{frame.image_path.suffix}")
        line = json.dumps({"frame": frame.name, "results": results}, separators=(",", ":"))
        with self._lock:
            self._lines[frame.name] = self._append(line)
        return len(sure)

    def finish(self) -> Path:
        """Write ``instances.json`` from all lines, whole or not at all; frames in the order of their names."""
        path = self.folder / INSTANCES
        with atomic_path(path) as part, part.open("w", encoding="utf-8") as out, self._journal.open("rb") as journal:
            separator = "["
            for number, name in enumerate(sorted(self._lines), start=1):
                journal.seek(self._lines[name])
                for result in json.loads(journal.readline())["results"]:
                    out.write(f"{separator}\n{json.dumps({'image_id': number} | result)}")
                    separator = ","
            out.write("[]\n" if separator == "[" else "\n]\n")
        return path

    def _read_journal(self, header: dict[str, Any]) -> int:
        """Find the lines that are whole, cut off what a kill left of the last one; how many bytes are sound."""
        if not self._journal.exists():
            return 0
        sound = 0
        with self._journal.open("rb") as file:
            for line in file:
                entry = _entry(line)
                if entry is None:
                    break
                if sound == 0:
                    _check_settings(self.folder, entry, header)
                else:
                    self._lines[entry["frame"]] = sound
                sound += len(line)
        try:
            with self._journal.open("rb+") as file:
                file.truncate(sound)
        except OSError as error:
            raise storage_error(error, self._journal) from error
        return sound

    def _append(self, line: str) -> int:
        """Add a line; where it begins."""
        try:
            with self._journal.open("ab") as file:
                start = file.tell()
                file.write(f"{line}\n".encode())
        except OSError as error:
            raise storage_error(error, self._journal) from error
        return start


def _entry(line: bytes) -> dict[str, Any] | None:
    """A line of the journal; None if it was not written to its end."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and ("settings" in entry or "frame" in entry) else None


def _check_settings(folder: Path, entry: dict[str, Any], header: dict[str, Any]) -> None:
    was, now = entry.get("settings", {}), header["settings"]
    if was == now:
        return
    changed = "; ".join(f"{key} was {was.get(key)!r}, is {now[key]!r}" for key in now if was.get(key) != now[key])
    raise InstancesError(
        f"predict: expected a folder without predictions or with those of the same settings, got {folder.as_posix()}: "
        + (changed if len(changed) <= 500 else changed[:500] + "…"),
        cause="the folder of an earlier run with other weights, configuration or threshold",
        fix="choose another folder, or delete this one",
    )


def from_coco(results: list[dict[str, Any]]) -> Instances:
    """Instances of one picture from COCO results, what `Instances.to_coco` gave; at least one.

    Raises
    ------
    InstancesError
        Something is missing, damaged, or does not fit together.
    """
    try:
        shape = tuple(int(side) for side in results[0]["segmentation"]["size"])
        if len(shape) != 2 or any(tuple(result["segmentation"]["size"]) != shape for result in results):
            raise ValueError("masks of several sizes")
        left, top, width, height = np.array([result["bbox"] for result in results], np.float32).reshape(-1, 4).T
        class_ids = np.array([result["category_id"] for result in results])
        scores = np.array([result["score"] for result in results])
        pieces = [decode_crop(result["segmentation"]) for result in results]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InstancesError(
            f"from_coco: expected results with bbox, category_id, score and segmentation, got {error!r}",
            cause="a file of another program, or polygons in place of run lengths",
            fix="write it with `wadlib predict`",
        ) from error
    boxes = np.stack([top, left, top + height, left + width], axis=1)
    crops = tuple(Crop(y, x, mask) for mask, y, x in pieces)
    return Instances(boxes, class_ids, scores, crops, shape)


def read_instances(path: str | Path) -> dict[str, Instances]:
    """Read ``instances.json`` (or the one in a folder): name of the frame -> its instances.

    A frame without any instance is not in the file, hence not in the result. All of the file is held in memory; for a
    whole dataset `wadlib.metrics.DetectionFile` reads frame by frame.

    Raises
    ------
    InstancesError
        No such file, not COCO results with a ``file_name`` each, or a damaged one.
    """
    path = Path(path)
    if path.is_dir():
        path = path / INSTANCES
    DetectionFile.open(path)  # checks each row, with a message that names it
    named: dict[str, list[dict[str, Any]]] = {}
    for result in json.loads(path.read_bytes()):
        named.setdefault(frame_name(result["file_name"]), []).append(result)
    return {name: from_coco(results) for name, results in named.items()}
