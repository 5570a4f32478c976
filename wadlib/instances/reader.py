"""Read a folder of predictions: labels, and beside them, if the method gives scores, `instances.json`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wadlib.dataset.folders import frame_files
from wadlib.dataset.frame import Frame
from wadlib.dataset.layout import LABEL_SUFFIX
from wadlib.errors import MetricError
from wadlib.frames import read_label
from wadlib.instances.instances import Instances
from wadlib.instances.instances_file import FrameRows, InstancesFile

SUFFIX = LABEL_SUFFIX
"""What follows a frame's name in the name of its label file, true or predicted."""

INSTANCES = "instances.json"
"""The scored instances of a prediction folder."""

JOURNAL = "instances.jsonl"
"""What is finished of a run that writes a prediction folder."""

_LABEL_FOLDERS = ("", "label", "train_label")


class HalfRunWarning(UserWarning):
    """The folder of predictions is of a run that was stopped, or that is still going on."""


@dataclass(frozen=True)
class FramePrediction:
    """Says where the prediction of one frame lies: a few bytes, to be sent to another machine.

    Attributes
    ----------
    name : str
    label : Path or None
    rows : FrameRows or None
        In ``instances.json``, also if it names the frame nowhere; None if there is no such file.
    """

    name: str
    label: Path | None
    rows: FrameRows | None

    def read(self) -> Instances:
        """Return the scored instances; those of the label map, all of score 1, without ``instances.json``."""
        if self.rows is not None and self.rows.spans:
            return self.rows.read()
        assert self.label is not None  # `PredictionFolder.frame` has looked
        found = Instances.from_label(read_label(self.label))
        return found if self.rows is None else found[:0]  # a frame in which nothing was found


@dataclass(frozen=True, eq=False)
class PredictionFolder:
    """What lies in ``PRED``.

    Attributes
    ----------
    folder : Path
    labels : dict of str to Path
        Frame name -> ``PRED/label/<frame>_instanceIds.png``, sorted by name.
    instances : InstancesFile or None
        ``PRED/instances.json``, if it is there.
    """

    folder: Path
    labels: dict[str, Path]
    instances: InstancesFile | None

    @classmethod
    def open(cls, folder: str | Path) -> PredictionFolder:
        """Look into ``PRED``, or into the folder of its label files.

        Raises
        ------
        MetricError
            It is no folder, or holds two files ``instances.json``.
        InstancesError
            ``instances.json`` cannot be used, see `InstancesFile.open`.

        Warns
        -----
        HalfRunWarning
            There are no scores yet, because the run that writes them has not ended.
        """
        folder = Path(folder)
        labels = label_files(folder, "predictions")
        places = (folder, folder.parent) if folder.name == "label" else (folder,)
        found = [place / INSTANCES for place in places if (place / INSTANCES).is_file()]
        if not found and any((place / JOURNAL).is_file() for place in places):
            warnings.warn(
                f"{folder.as_posix()} is of a run that has not ended: it has no {INSTANCES} yet, and the instances of "
                "its label files all have the score 1. The same `wadlib predict` again goes on and writes the scores.",
                HalfRunWarning,
                stacklevel=2,
            )
        if len(found) > 1:
            raise MetricError(
                f"PredictionFolder: there are two files {INSTANCES}, in {folder.name} and in the folder above it",
                cause="the results of two runs in one folder",
                fix="keep the one that belongs to these label files",
            )
        return cls(folder, labels, InstancesFile.open(found[0]) if found else None)

    @property
    def names(self) -> tuple[str, ...]:
        """The frames of which there is anything, sorted."""
        return tuple(sorted(self.labels.keys() | (self.instances.frames.keys() if self.instances else set())))

    def __contains__(self, name: str) -> bool:
        """Whether there is anything of a frame."""
        return name in self.labels or (self.instances is not None and name in self.instances.frames)

    def frame(self, name: str) -> FramePrediction:
        """Say where the prediction of a frame is.

        Raises
        ------
        MetricError
            There is none.
        """
        if name not in self:
            raise MetricError(
                f"PredictionFolder: frame {name} has no prediction in {self.folder.name}",
                cause="the prediction run was stopped early, or the predictions belong to other frames",
                fix="predict that frame too",
            )
        rows = None if self.instances is None else self.instances.rows(name)
        return FramePrediction(name, self.labels.get(name), rows)

    def read(self, name: str) -> Instances:
        """Read the scored instances of a frame; those of the label map, all of score 1, without ``instances.json``.

        Raises
        ------
        MetricError
            There is no prediction of that frame.
        """
        return self.frame(name).read()


def scored_frames(
    frames: Iterable[Frame], prediction: str | Path, where: str
) -> Iterator[tuple[Frame, FramePrediction]]:
    """Yield where the truth and the scored instances of each frame lie.

    Raises
    ------
    MetricError
        No ``instances.json``; a frame without truth or prediction. The message begins with `where`.
    """
    folder = PredictionFolder.open(prediction)
    if folder.instances is None:
        raise MetricError(
            f"{where}: there is no {INSTANCES} in {folder.folder.name}",
            cause="label maps hold neither scores nor masks that overlap",
            fix="`wadlib predict` writes it",
        )
    for frame in frames:
        if frame.label_path is None:
            raise MetricError(
                f"{where}: frame {frame.name} has no true label",
                cause="it belongs to the test set, or its label file is missing",
                fix="use training frames",
            )
        yield frame, folder.frame(frame.name)


def label_files(folder: Path, what: str = "label files") -> dict[str, Path]:
    """List frame name -> label file, sorted by name; from the first of the usual places that holds any.

    Raises
    ------
    MetricError
        `folder` is not a folder.
    """
    if not folder.is_dir():
        raise MetricError(
            f"label_files: expected a folder of {what}, got {'a file' if folder.exists() else 'nothing'} "
            f"at {folder.as_posix()}",
            cause="a slip in the path",
            fix="check the path",
        )
    for place in _LABEL_FOLDERS:
        files = frame_files(folder / place, (SUFFIX,))[0] if (folder / place).is_dir() else {}
        if files:
            return files
    return {}
