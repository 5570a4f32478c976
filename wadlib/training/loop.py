"""The epochs of a training run; `wadlib.training.fit` is the way in."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from wadlib._shared.words import one_of
from wadlib.errors import TrainingError
from wadlib.training.batches import Batch, Source, Stream, leaves
from wadlib.training.checkpoint import Checkpoint
from wadlib.training.devices import alone, own_part, together, undivided, writes_files
from wadlib.training.folder import RunFolder
from wadlib.training.progress import EarlyStop, Row, best_epoch
from wadlib.training.run_writer import RunWriter

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Stage:
    """A part of a run: some epochs with certain layers trained by a certain optimizer.

    Attributes
    ----------
    epochs : int
    begin : callable, optional
        ``begin(model)`` sets what is trainable and compiles the model (the optimizer starts anew). It
        is called again when a run goes on inside of the stage.
    name : str
        A column of the log, if there are several stages.
    """

    epochs: int
    begin: Callable[[keras.Model], None] | None = None
    name: str = ""


@dataclass(frozen=True)
class EpochEnd:
    """Holds what a callback is told.

    Attributes
    ----------
    epoch : int
        Epochs finished; 0 before the first one.
    model : keras.Model
    row : dict
        The row of the log so far, to be read only.
    run : Path or None
        The run's folder.
    """

    epoch: int
    model: keras.Model
    row: Mapping[str, Any]
    run: Path | None


Callback = Callable[[EpochEnd], Mapping[str, float] | None]
"""Called before the first epoch and after each; the numbers that it returns become columns of the log."""


@dataclass(frozen=True)
class Training:
    """Holds what `fit` did.

    Attributes
    ----------
    rows : tuple of dict
        The log, one row per epoch; row 0 is the state before training, if it was asked for.
    best_epoch : int or None
    stopped_early : bool
    run : Path or None
    """

    rows: tuple[Row, ...] = field(repr=False)
    best_epoch: int | None
    stopped_early: bool
    run: Path | None

    def column(self, name: str) -> list[float]:
        """Return the values of one column over the epochs; nan where a row has none."""
        return [float(row.get(name, math.nan)) for row in self.rows]


@dataclass
class Loop:
    """One call of `wadlib.training.fit`, whose parameters these are."""

    model: keras.Model
    data: Source
    validation: Source | None
    stages: tuple[Stage, ...]
    callbacks: tuple[Callback, ...]
    early_stop: EarlyStop | None
    workers: int
    progress: bool
    rows: list[Row] = field(default_factory=list)
    finished: int = 0  # epochs

    @property
    def monitor(self) -> str:
        """Column of the log that says which epoch is best."""
        return "loss" if self.validation is None else "val_loss"

    def train(self, folder: RunFolder | None, before: bool) -> Training:
        """Train to the end of the last stage, from the folder's checkpoint if it has one."""
        # Go on where the last finished epoch ended, if there is one.
        checkpoint = None
        if folder is not None and folder.checkpoint.exists():
            checkpoint = Checkpoint.read(folder.checkpoint)
            self.rows = checkpoint.rows
            self.finished = max((row["epoch"] for row in self.rows), default=0)
        together("checkpoint read")  # by all processes, before the first one writes the next
        if not writes_files():
            folder = None
        number = self._stage_to_begin()
        if number is not None:
            self._begin(number)
        if checkpoint is not None:
            # A stage that has only just begun has an optimizer of its own, which starts anew.
            inside = number is not None and (not self.rows or self._stage_of(self.rows[-1]) == number)
            checkpoint.restore(self.model, optimizer=inside)
        # One stage after the other, each from where it stands; `keeper` writes after every epoch.
        run = None if folder is None else folder.path
        with RunWriter(folder, self.model, self.rows, self.monitor) as writer, self._bar() as bar:
            if checkpoint is None:
                if before:
                    row = {"epoch": 0} | self._validate(bar)
                    self.rows.append(self._with_callbacks(row, run) | _now())
                writer.save()
            while number is not None:
                self._train_stage(number, run, writer, bar)
                number = self._stage_to_begin()
                if number is not None:
                    self._begin(number)
        stopped = any(len(self._rows_of(i)) < stage.epochs for i, stage in enumerate(self.stages))
        return Training(tuple(self.rows), best_epoch(self.rows, self.monitor), stopped, run)

    # --- stages ----------------------------------------------------------------------------------

    def _stage_of(self, row: Row) -> int:
        names = [stage.name for stage in self.stages]
        return names.index(one_of(row["stage"], names, "fit: stage", TrainingError)) if "stage" in row else 0

    def _rows_of(self, number: int) -> list[Row]:
        return [row for row in self.rows if row["epoch"] > 0 and self._stage_of(row) == number]

    def _stopped(self, number: int) -> bool:
        rows = self._rows_of(number)
        return self.early_stop is not None and bool(rows) and self.early_stop.reached(rows, self.monitor)

    def _stage_to_begin(self) -> int | None:
        """The first stage that has epochs left and was not left for a later one or stopped early."""
        reached = max((self._stage_of(row) for row in self.rows if row["epoch"] > 0), default=0)
        for number in range(reached, len(self.stages)):
            if len(self._rows_of(number)) < self.stages[number].epochs and not self._stopped(number):
                return number
        return None

    def _begin(self, number: int) -> None:
        begin = self.stages[number].begin
        if begin is not None:
            begin(self.model)
        if not self.model.compiled:
            raise TrainingError(
                "fit: expected a compiled model, got one that is not",
                cause="a step was left out",
                fix="call model.compile(optimizer, loss) first, or in the stage's `begin`",
            )

    # --- epochs ----------------------------------------------------------------------------------

    def _train_stage(self, number: int, run: Path | None, writer: RunWriter, bar: Any) -> None:
        stage = self.stages[number]
        last = self.finished + stage.epochs - len(self._rows_of(number))
        places = ((epoch, index) for epoch in range(self.finished, last) for index in range(len(self.data)))
        with Stream(self.data, places, workers=self.workers) as stream:
            while self.finished < last and not self._stopped(number):
                bar.set_description(f"epoch {self.finished + 1}/{last}")
                start, waited = time.perf_counter(), stream.waited_s
                values = self._epoch(stream, bar)
                seconds, waited = time.perf_counter() - start, stream.waited_s - waited
                row: Row = {"epoch": self.finished + 1}
                if len(self.stages) > 1:
                    row["stage"] = stage.name
                row |= values | self._validate(bar)
                row["learning_rate"] = float(self.model.optimizer.learning_rate)
                row = self._with_callbacks(row, run)
                # Times come last: they are all that differs between two runs of the same command.
                self.rows.append(row | {"train_s": seconds, "waiting": waited / seconds} | _now())
                self.finished += 1
                writer.save()

    def _epoch(self, stream: Stream, bar: Any) -> Row:
        """Train on the batches of one epoch; mean of each value that the model reports."""
        means = _Means()
        earlier: tuple[str, ...] = ()
        for index in range(len(self.data)):
            batch = next(stream)
            part = own_part(batch)
            logs = self.model.train_on_batch(part.x, part.y, part.weight, return_dict=True)
            self._check("loss", logs, index, len(self.data), batch, earlier)
            earlier = batch.names
            means.add(logs, batch)
            bar.set_postfix(loss=f"{means.value('loss'):.4g}", refresh=False)
            bar.update()
        return means.row()

    def _validate(self, bar: Any) -> Row:
        """Evaluate on all validation batches; ``val_…`` of each value."""
        if self.validation is None:
            return {}
        means, size = _Means(), len(self.validation)
        with Stream(self.validation, ((0, index) for index in range(size)), workers=self.workers) as stream:
            for index, batch in enumerate(stream):
                with undivided(len(leaves(batch.x)[0])):
                    part = own_part(batch)
                    logs = self.model.test_on_batch(part.x, part.y, part.weight, return_dict=True)
                self._check("validation loss", logs, index, size, batch, ())
                means.add(logs, batch)
                bar.update()
        return {f"val_{key}": value for key, value in means.row().items()}

    def _with_callbacks(self, row: Row, run: Path | None) -> Row:
        with alone():
            for callback in self.callbacks:
                found = callback(EpochEnd(row["epoch"], self.model, row, run)) or {}
                row = row | {key: float(value) for key, value in found.items()}
        return row

    def _check(
        self, what: str, logs: Mapping[str, float], index: int, size: int, batch: Batch, earlier: tuple[str, ...]
    ) -> None:
        if "loss" not in logs:
            raise TrainingError(
                f"fit: expected the model to report its 'loss', got {', '.join(logs) or 'nothing'}",
                cause="a `metrics` property that leaves out the loss tracker of keras.Model",
                fix="add to its list: [*super().metrics, ...]",
            )
        if math.isfinite(logs["loss"]):
            return
        before = f" or in the batch before ({', '.join(earlier)})" if earlier else ""
        raise TrainingError(
            f"fit: the {what} is {logs['loss']} in epoch {self.finished + 1}, batch {index + 1} of {size}, "
            f"frames: {', '.join(batch.names) or 'without names'}",
            cause=f"a learning rate that is too high, or a damaged picture or label in this batch{before}",
            fix="lower the learning rate or look at these frames"
            + ("" if not self.finished else ", in another folder; a checkpoint of the epoch before is intact"),
        )

    def _bar(self) -> Any:
        """One bar over all batches of the run, so that the time left is the run's."""
        per_epoch = len(self.data) + (0 if self.validation is None else len(self.validation))
        epochs = sum(stage.epochs for stage in self.stages)
        hidden = not self.progress or bool(os.environ.get("TQDM_DISABLE"))  # notebooks' bar does not look there
        return tqdm(total=epochs * per_epoch, initial=self.finished * per_epoch, unit="batch", disable=hidden)


class _Means:
    """Means over batches, each weighted by its number of samples."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.samples = 0

    def add(self, logs: Mapping[str, float], batch: Batch) -> None:
        samples = len(leaves(batch.x)[0])
        self.samples += samples
        for key, value in logs.items():
            self.sums[key] = self.sums.get(key, 0.0) + samples * float(value)

    def value(self, key: str) -> float:
        return self.sums[key] / self.samples

    def row(self) -> Row:
        return {key: self.value(key) for key in self.sums}


def _now() -> Row:
    return {"ended_at": round(time.time(), 3)}
