"""The folder of a training run: what was asked for, what came of it, and the lock on it.

::

    RUN/config.json          what was asked for, and with what it was made
    RUN/checkpoint.npz       everything needed to go on (see `wadlib.training.checkpoint`)
    RUN/best.weights.h5      weights of the best epoch, for ``model.load_weights``
    RUN/log.csv              one row per epoch
    RUN/tensorboard/         the same for TensorBoard: ``tensorboard --logdir RUN``

The log and the event files are derived from the checkpoint: whatever a kill leaves of them is put right
when the run goes on.
"""

import contextlib
import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.fields import read_json, text_lines
from wadlib._shared.files import locked, make_folder, storage_error, write_text
from wadlib.errors import TrainingError
from wadlib.training.checkpoint import Checkpoint
from wadlib.training.progress import Row


class RunFolder:
    """A folder of a run, made if needed.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: str | Path) -> None:
        self.path = make_folder(path)

    @property
    def checkpoint(self) -> Path:
        """State after the last finished epoch."""
        return self.path / "checkpoint.npz"

    @property
    def best(self) -> Path:
        """Weights of the best epoch."""
        return self.path / "best.weights.h5"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out, and clear away what killed ones have left half-written.

        Raises
        ------
        TrainingError
            Another process is training in this folder.
        """
        try:
            with locked(self.path):
                for left in self.path.glob(".*.part*"):
                    left.unlink(missing_ok=True)
                yield
        except BlockingIOError as error:
            raise TrainingError(
                f"fit: {self.path.as_posix()} is in use by another training process",
                cause="the same command is still running",
                fix="wait for it or stop it; give runs side by side a folder each",
            ) from error

    def claim(self, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Write ``config.json``, or make sure that the one that is there says the same.

        More epochs, and with them more stages or a slower decay of the learning rate, are the same run; and a run
        that has finished no epoch makes way for another one.

        Raises
        ------
        TrainingError
            The folder holds a run with another configuration; the message names the differing keys.
        """
        config = json.loads(json.dumps(config))  # tuples become lists, as they will be when read again
        path = self.path / "config.json"
        # A new folder: write down what was asked for, before the first step.
        if not path.exists():
            if self.checkpoint.exists():
                raise TrainingError(
                    f"fit: {self.path.as_posix()} holds a checkpoint but no config.json",
                    cause="a file of the run was deleted or not copied",
                    fix="put it back, or choose another folder",
                )
            write_text(path, json.dumps({"config": config, "environment": environment}, indent=2) + "\n")
            return
        try:
            there = read_json(path)["config"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"fit: cannot read {path.as_posix()}: {error}",
                cause="the file was edited, or is another program's",
                fix="put it back, or choose another folder",
            ) from error
        # An old one goes on only as it began: another setting would make one log of two different runs.
        differing = _differences(there, config)
        if differing and not self._begun():
            # A command that stopped before its first epoch, by a typing slip or a rate that was too high, has no say.
            self.checkpoint.unlink(missing_ok=True)
            write_text(path, json.dumps({"config": config, "environment": environment}, indent=2) + "\n")
            return
        if differing:
            raise TrainingError(
                f"fit: {self.path.as_posix()} holds a run with another configuration: " + "; ".join(differing),
                cause="the command differs from the one that began the run",
                fix="give the same options to go on with it, or choose another folder",
            )

    def _begun(self) -> bool:
        """Whether an epoch is finished."""
        return self.checkpoint.exists() and any(row["epoch"] > 0 for row in Checkpoint.read(self.checkpoint).rows)

    def write_log(self, rows: Sequence[Row]) -> None:
        """Write ``log.csv``, whole or not at all."""
        columns = list(dict.fromkeys(key for row in (*rows[-1:], *rows) for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)  # floats as repr, which reads back to the same bits
        write_text(self.path / "log.csv", text.getvalue())


def read_log(run: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Read the log of a run: column -> values, one for each row.

    Parameters
    ----------
    run : path
        The run's folder, or a ``log.csv`` itself. Of a run that is still going on, the epochs so far.

    Returns
    -------
    dict[str, array]
        ``epoch`` whole numbers, ``stage`` text if there is one, the others float64; nan where a row has
        no value.
    """
    path = Path(run)
    path = path / "log.csv" if path.is_dir() else path
    try:
        rows = list(csv.DictReader(text_lines(path), strict=True))
        # An empty cell: that epoch has no such value, as epoch 0 (before training) has no training loss.
        columns: dict[str, npt.NDArray[Any]] = {}
        for key in rows[0] if rows else ():
            values = [row[key] for row in rows]
            if key == "stage":
                columns[key] = np.array(values)
            else:
                columns[key] = np.array([float(value) if value else math.nan for value in values])
        if rows:
            columns["epoch"] = columns["epoch"].astype(np.int64)
        return columns
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:  # TypeError: more cells than columns
        raise TrainingError(
            f"read_log: cannot read {path.name} of {path.parent.name}: {error}",
            cause="the run has not finished an epoch yet, or the file is another program's",
            fix="wait for the first epoch, or run the training command again: it writes the log anew",
        ) from error


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a StorageError that names `path`."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


_OVER_THE_RUN = ("CosineDecay", "PolynomialDecay")  # schedules of Keras


def _at(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _differences(there: Any, now: Any, key: str = "") -> list[str]:
    """``key: value there, value now`` for each key that differs, with dots for keys inside of keys."""
    if isinstance(there, dict) and isinstance(now, dict):
        keys = [k for k in dict.fromkeys([*there, *now]) if not (k == "stages" and k not in {*there} & {*now})]
        if there.get("class_name") in _OVER_THE_RUN and isinstance(there.get("config"), dict):
            # They last as long as the run, and how long that is makes no other run of it.
            there = there | {"config": there["config"] | {"decay_steps": _at(now, "config", "decay_steps")}}
        nested = [_differences(there.get(k), now.get(k), f"{key}.{k}" if key else k) for k in keys]
        return [line for lines in nested for line in lines]
    if key.rpartition(".")[2] == "stages" and isinstance(there, list) and isinstance(now, list):
        both = min(len(there), len(now))  # stages that one of them has not come to yet
        there, now = there[:both], now[:both]
    return [] if there == now else [f"{key} is {json.dumps(there)} there and {json.dumps(now)} now"]
