"""Scalars for TensorBoard, without TensorFlow."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wadlib._shared.files import make_folder
from wadlib.training.progress import Row

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

_SIDES = ("train", "validation")
_NOT_DRAWN = ("epoch", "stage", "ended_at")


class EventFiles:
    """Event files ``train/`` and ``validation/`` in a folder: both losses in one chart.

    Parameters
    ----------
    folder : path
        Made if needed. Event files of an earlier start of the same run are replaced: `rows` holds what
        they held, without what came after the last checkpoint.
    rows : iterable of dict
        The log so far.
    """

    def __init__(self, folder: str | Path, rows: Iterable[Row]) -> None:
        self._files: dict[str, BinaryIO] = {}
        # Named after the time, so that a TensorBoard that is open goes on with the new file.
        stamp = f"{time.time():.3f}"
        for side in _SIDES:
            place = make_folder(Path(folder) / side)
            for old in place.glob("events.out.tfevents.*"):
                old.unlink()
            self._files[side] = (place / f"events.out.tfevents.{stamp}.{os.getpid()}").open("wb")
            self._write(side, _event(time.time(), version="brain.Event:2"))
        for row in rows:
            self.add(row)
        self.flush()

    def add(self, row: Row) -> None:
        """Write the numbers of a row; a column ``val_x`` becomes ``x`` of the validation side."""
        sides: dict[str, dict[str, float]] = {side: {} for side in _SIDES}
        for key, value in row.items():
            if key not in _NOT_DRAWN and isinstance(value, int | float):
                side = "validation" if key.startswith("val_") else "train"
                sides[side][key.removeprefix("val_")] = float(value)
        for side, values in sides.items():
            if values:
                self._write(side, _event(row.get("ended_at") or time.time(), row["epoch"], values))

    def flush(self) -> None:
        """Hand everything to the system, so that TensorBoard can see it."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def _write(self, side: str, event: Event) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        RecordWriter(self._files[side]).write(event.SerializeToString())


def _event(when: float, step: int = 0, values: dict[str, float] | None = None, version: str | None = None) -> Event:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    if version is not None:
        return Event(wall_time=when, file_version=version)
    scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in (values or {}).items()]
    return Event(wall_time=when, step=step, summary=Summary(value=scalars))
