"""What is written after each epoch, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wadlib.errors import TrainingError
from wadlib.training.checkpoint import Checkpoint, save_weights
from wadlib.training.devices import alone
from wadlib.training.events import EventFiles
from wadlib.training.folder import RunFolder, storage_errors
from wadlib.training.progress import Row, best_epoch

if TYPE_CHECKING:
    import keras


class RunWriter:
    """Writes the files of a run; a context that closes them again.

    Parameters
    ----------
    folder : RunFolder or None
        None writes nothing.
    model : keras.Model
    rows : list of dict
        The log, which grows from epoch to epoch.
    monitor : str
        Column whose least value makes the best epoch.
    """

    def __init__(self, folder: RunFolder | None, model: keras.Model, rows: list[Row], monitor: str) -> None:
        self.folder, self.model, self.rows, self.monitor = folder, model, rows, monitor
        self.events: EventFiles | None = None

    def __enter__(self) -> RunWriter:
        if self.folder is not None:
            with storage_errors(self.folder.path / "tensorboard"):
                self.events = EventFiles(self.folder.path / "tensorboard", self.rows)
            if self.folder.checkpoint.exists():
                self._derive()
        return self

    def __exit__(self, *_: object) -> None:
        if self.events is not None:
            self.events.close()

    def save(self) -> None:
        """Write the state after an epoch: the checkpoint first, then what is derived from it.

        Raises
        ------
        TrainingError
            A weight is not finite; nothing was written.
        StorageError
            A file could not be written; the checkpoint is this epoch's or the one before, and whole.
        """
        if self.folder is None:
            return
        checkpoint = Checkpoint.of(self.model, self.rows)
        if not checkpoint.finite():
            raise TrainingError(
                f"fit: weights are not finite after epoch {self.rows[-1]['epoch'] if self.rows else 0}",
                cause="a learning rate so high that the last step of the epoch overflowed"
                if self.rows and self.rows[-1]["epoch"]
                else "a file of weights that was damaged, or is of a run whose loss was nan",
                fix="lower the learning rate; the checkpoint of the epoch before is intact",
            )
        checkpoint.save(self.folder.checkpoint)
        self._derive()
        if self.events is not None and self.rows:
            with storage_errors(self.folder.path / "tensorboard"):
                self.events.add(self.rows[-1])
                self.events.flush()

    def _derive(self) -> None:
        assert self.folder is not None
        if self.rows:
            self.folder.write_log(self.rows)
            if best_epoch(self.rows, self.monitor) == self.rows[-1]["epoch"]:
                with alone():
                    save_weights(self.model, self.folder.best)
