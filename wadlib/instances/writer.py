"""Write a folder of predictions that a killed run leaves sound.

::

    PRED/label/<frame>_instanceIds.png    one label per frame, highest score on top
    PRED/instances.jsonl                  a line per finished frame: what a run that was stopped goes on from
    PRED/instances.json                   all instances with scores, masks may overlap; written at the end

A frame is done when its label is there and its line is in the journal. Lines are only ever added, so that a kill can
cost the last one, never an earlier one.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import atomic_path, inside, make_folder, storage_error
from wadlib.errors import InstancesError
from wadlib.frames import write_label
from wadlib.instances.instances import Instances
from wadlib.instances.instances_file import frame_name
from wadlib.instances.reader import INSTANCES, JOURNAL, SUFFIX

LABELS = "label"
"""The folder of labels in a folder of predictions."""


@dataclass(frozen=True)
class Written:
    """A frame whose label is written, and whose line in the journal is not yet.

    Attributes
    ----------
    name, stamp : str
        See `PredictionWriter.write`.
    line : str
    """

    name: str
    stamp: str
    line: str


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
        make_folder(self.folder / LABELS)
        self._journal = self.folder / JOURNAL
        self._lock = threading.Lock()
        self._lines: dict[str, tuple[int, str]] = {}  # name of the frame -> where its line begins, stamp
        header = {"settings": json.loads(json.dumps(settings))}
        if self._read_journal(header) == 0:
            self._append(json.dumps(header))

    @property
    def done(self) -> dict[str, str]:
        """Names of the frames that are finished, and the stamp of the picture of each (``""`` if it is not known)."""
        labels = {path.name for path in (self.folder / LABELS).iterdir() if path.stat().st_size > 0}
        return {name: stamp for name, (_, stamp) in self._lines.items() if f"{name}{SUFFIX}" in labels}

    def write(
        self, name: str, file_name: str, found: Instances, label: npt.NDArray[np.uint16], *, stamp: str = ""
    ) -> None:
        """Write the label of a frame, then its line: then it is done. May be called from several threads.

        Parameters
        ----------
        name : str
            Of the frame.
        file_name : str
            Of its picture, such as ``<frame>.jpg``.
        found : Instances
            All of them, to be scored.
        label : (H,W) uint16
            What is shown of them, such as ``found.above(0.5).to_label()``.
        stamp : str
            Of the picture, see `wadlib.dataset.frame.stamp_of`.
        """
        self.add(write_frame(self.folder, name, file_name, found, label, stamp=stamp))

    def add(self, written: Written) -> None:
        """Add the line of a frame that `write_frame` has written, here or in another process."""
        with self._lock:
            self._lines[written.name] = self._append(written.line), written.stamp

    def forget(self, name: str) -> None:
        """Drop what an earlier run found in a frame whose picture is another one now."""
        (self.folder / LABELS / f"{name}{SUFFIX}").unlink(missing_ok=True)
        self._lines.pop(name, None)

    def finish(self, *, keep_journal: bool = True) -> Path:
        """Write ``instances.json`` from all lines, whole or not at all; frames in the order of their names.

        Without its journal the folder cannot be gone on with.
        """
        path = self.folder / INSTANCES
        with atomic_path(path) as part, part.open("w", encoding="utf-8") as out, self._journal.open("rb") as journal:
            separator = "["
            for number, name in enumerate(sorted(self._lines), start=1):
                journal.seek(self._lines[name][0])
                for result in json.loads(journal.readline())["results"]:
                    out.write(f"{separator}\n{json.dumps({'image_id': number} | result)}")
                    separator = ","
            out.write("[]\n" if separator == "[" else "\n]\n")
        if not keep_journal:
            self._journal.unlink()
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
                elif "frame" in entry:  # and no second header, of two runs that did not see each other
                    self._lines[entry["frame"]] = sound, str(entry.get("picture", ""))
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


def write_frame(
    folder: Path, name: str, file_name: str, found: Instances, label: npt.NDArray[np.uint16], *, stamp: str = ""
) -> Written:
    """Write the label of a frame and make its line; see `PredictionWriter.write`."""
    write_label(inside(folder / LABELS, f"{name}{SUFFIX}"), label)
    entry = {"frame": name, "picture": stamp, "results": found.to_coco(file_name=file_name)}
    return Written(name, stamp, json.dumps(entry, separators=(",", ":")))


def write_predictions(folder: str | Path, found: Iterable[tuple[str, Instances]]) -> int:
    """Write anew what was found in each frame, as it comes, and ``instances.json`` when all frames are there.

    Parameters
    ----------
    folder : path
    found : iterable of (file name of the picture, Instances)

    Returns
    -------
    int
        How many instances were written.
    """
    (Path(folder) / JOURNAL).unlink(missing_ok=True)  # nothing of an earlier run is gone on with
    writer, written = PredictionWriter(folder, {}), 0
    for file_name, instances in found:
        writer.write(frame_name(file_name), file_name, instances, instances.to_label())
        written += len(instances)
    writer.finish(keep_journal=False)
    return written


def _entry(line: bytes) -> dict[str, Any] | None:
    """A line of the journal; None if it was not written to its end."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    results = entry.get("results")
    whole = isinstance(results, list) and all(isinstance(result, dict) for result in results)
    finished = isinstance(entry.get("frame"), str) and whole
    return entry if finished or isinstance(entry.get("settings"), dict) else None


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
