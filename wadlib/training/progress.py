"""What the rows of a run's log say: the best epoch so far, and whether it is time to stop.

All of it is worked out from the rows, so that there is no state that could be lost in a kill.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wadlib._shared.typed import check_fields
from wadlib.errors import TrainingError

Row = dict[str, Any]
"""One row of the log: ``epoch``, and the values of that epoch by column."""


@dataclass(frozen=True)
class EarlyStop:
    """Stops training when the loss has not gone down for some epochs.

    Attributes
    ----------
    patience : int
        Epochs in a row without an improvement after which training (of the stage) ends.
    min_delta : float
        What counts as an improvement: the least so far minus more than this.
    monitor : str, optional
        Column of the log; by default ``val_loss``, or ``loss`` without validation data.

    Examples
    --------
    >>> rows = [{"epoch": i + 1, "loss": loss} for i, loss in enumerate([3.0, 2.0, 2.0, 1.99])]
    >>> EarlyStop(patience=2, min_delta=0.1).waited(rows, "loss")
    2
    """

    patience: int
    min_delta: float = 0.0
    monitor: str | None = None

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)
        if self.patience < 1 or not 0 <= self.min_delta < math.inf:
            raise TrainingError(
                f"EarlyStop: expected patience >= 1 and min_delta >= 0, got {self.patience} and {self.min_delta}",
                cause="a typing slip",
                fix="leave early stopping out to train for all epochs",
            )

    def waited(self, rows: Sequence[Row], default: str) -> int:
        """Count the epochs since the last improvement in the column `monitor` (or else `default`)."""
        least, waited = math.inf, 0
        for value in _values(rows, self.monitor or default):
            if value < least - self.min_delta:
                least, waited = value, 0
            else:
                waited += 1
        return waited

    def reached(self, rows: Sequence[Row], default: str) -> bool:
        """Decide whether to stop after these rows."""
        return self.waited(rows, default) >= self.patience


def best_epoch(rows: Sequence[Row], monitor: str) -> int | None:
    """Find the epoch with the least `monitor`, the first of equals; None before there is one.

    Examples
    --------
    >>> best_epoch([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}, {"epoch": 3, "loss": 1.0}], "loss")
    2
    """
    trained = [row for row in rows if row["epoch"] > 0]
    values = _values(trained, monitor)
    return int(trained[values.index(min(values))]["epoch"]) if values else None


def _values(rows: Sequence[Row], monitor: str) -> list[float]:
    trained = [row for row in rows if row["epoch"] > 0]  # epoch 0 is before training
    missing = next((row for row in trained if monitor not in row), None)
    if missing is not None:
        columns = ", ".join(key for key in missing if key != "epoch")
        raise TrainingError(
            f"fit: expected a column {monitor!r} to watch, got {columns}",
            cause="a typing slip, or validation data that is not there",
            fix="name one of those columns",
        )
    return [float(row[monitor]) for row in trained]
