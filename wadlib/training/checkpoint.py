"""Everything that training needs to go on as if nothing had happened, in one file.

The state is the model's variables (weights, batch statistics, seeds of random layers), the optimizer's
(moments, step, learning rate), and the rows of the log so far. Early stopping and the best epoch follow
from the rows. There is one file, so that no two files can disagree after a kill between them.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wadlib._shared.files import atomic_path, open_regular
from wadlib.errors import TrainingError
from wadlib.training.backend import as_array
from wadlib.training.progress import Row

if TYPE_CHECKING:
    import keras

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State of a training run after an epoch.

    Attributes
    ----------
    model, optimizer : list of arrays
        Values of ``model.variables`` (with the seeds of random layers) and ``optimizer.variables``.
    rows : list of dict
        The log so far.
    """

    model: list[np.ndarray]
    optimizer: list[np.ndarray]
    rows: list[Row]

    @classmethod
    def of(cls, model: keras.Model, rows: Sequence[Row]) -> Checkpoint:
        """Take the state of a built, compiled model."""
        _build_optimizer(model)
        return cls(_values(model.variables), _values(model.optimizer.variables), list(rows))

    def finite(self) -> bool:
        """Say whether every number in it is finite."""
        arrays = (a for a in (*self.model, *self.optimizer) if a.dtype.kind == "f")
        return all(bool(np.isfinite(a).all()) for a in arrays)

    def save(self, path: str | Path) -> None:
        """Write it, whole or not at all, and wait until the disk has it.

        Raises
        ------
        StorageError
            The disk is full, for example; the file that was there before is untouched.
        """
        arrays: dict[str, Any] = {f"model_{i:05d}": a for i, a in enumerate(self.model)}
        arrays |= {f"optimizer_{i:05d}": a for i, a in enumerate(self.optimizer)}
        about = np.frombuffer(json.dumps({"format": _FORMAT, "rows": self.rows}).encode(), np.uint8)
        with atomic_path(path) as part, part.open("wb") as file:
            np.savez(file, about=about, **arrays)
            file.flush()
            os.fsync(file.fileno())  # else a power cut can leave the new name with nothing in it

    @classmethod
    def read(cls, path: str | Path) -> Checkpoint:
        """Read what `save` wrote.

        Raises
        ------
        TrainingError
            The file is missing, damaged or something else.
        """
        try:
            with open_regular(path) as stream, np.load(stream, allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes())
                if about["format"] != _FORMAT:
                    raise ValueError(f"format {about['format']}")
                names = sorted(file.files)
                model = [_numbers(file, name) for name in names if name.startswith("model_")]
                optimizer = [_numbers(file, name) for name in names if name.startswith("optimizer_")]
                return cls(model, optimizer, _rows(about["rows"]))
        except Exception as error:  # numpy, zipfile and json answer damage with errors of many types
            raise TrainingError(
                f"Checkpoint.read: cannot read {Path(path).name}: {error}",
                cause="the file is missing, was damaged on its way, or was not written by this version of wadlib",
                fix="copy the whole run folder again, or start a run in a new folder",
            ) from error

    def restore(self, model: keras.Model, *, optimizer: bool = True) -> None:
        """Put the state into a model of the same architecture (and its optimizer).

        Raises
        ------
        TrainingError
            The variables of model or optimizer have other shapes.
        """
        _assign(model.variables, self.model, "the model")
        if optimizer:
            _build_optimizer(model)
            _assign(model.optimizer.variables, self.optimizer, "the optimizer")


def _numbers(file: Any, name: str) -> np.ndarray:
    array: np.ndarray = file[name]
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} holds no numbers but {array.dtype}")
    return array


def _rows(rows: Any) -> list[Row]:
    """Return the rows of the log if they are rows: a whole number as epoch, a text as stage, other numbers."""
    if not isinstance(rows, list):
        raise TypeError(f"the rows of the log are {rows!r:.60}")
    for row in rows:
        if not isinstance(row, dict) or type(row.get("epoch")) is not int or row["epoch"] < 0:
            raise TypeError(f"a row of the log is {row!r:.60}")
        wrong = [key for key, value in row.items() if type(value) not in ((str,) if key == "stage" else (int, float))]
        if wrong:
            raise TypeError(f"{wrong[0]} of epoch {row['epoch']} is {row[wrong[0]]!r:.60}")
    return rows


def load_checkpoint(model: keras.Model, run: str | Path) -> list[Row]:
    """Load the weights of the last finished epoch of a run into `model`; return the rows of its log.

    The best epoch's weights are in ``best.weights.h5``, for ``model.load_weights``.
    """
    checkpoint = Checkpoint.read(Path(run) / "checkpoint.npz")
    checkpoint.restore(model, optimizer=False)
    return checkpoint.rows


def save_weights(model: keras.Model, path: str | Path) -> None:
    """Write the weights alone, for ``model.load_weights``, whole or not at all.

    Keras would add the optimizer's state, which makes the file two or three times as large.

    Parameters
    ----------
    path : path
        Must end in ``.weights.h5``, as Keras wants it.
    """
    import h5py

    with atomic_path(path) as part:
        full = part.with_name(part.name + ".weights.h5")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Keras on TensorFlow: see `as_array`
                model.save_weights(full)
            with h5py.File(full) as source, h5py.File(part, "w") as target:
                for name in source:
                    if name != "optimizer":
                        source.copy(name, target)
        except RuntimeError as error:  # what h5py makes of a disk that is full when it closes a file
            raise OSError(f"HDF5 could not write it: {error}") from error
        finally:
            with contextlib.suppress(OSError):
                full.unlink(missing_ok=True)


def _build_optimizer(model: keras.Model) -> None:
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    arrays = [as_array(variable) for variable in variables]
    # numpy cannot store bfloat16; float32 holds each of its values.
    return [a.astype(np.float32) if a.dtype.name == "bfloat16" else a for a in arrays]


def _assign(variables: Sequence[Any], arrays: Sequence[np.ndarray], whose: str) -> None:
    ours, theirs = [tuple(v.shape) for v in variables], [a.shape for a in arrays]
    if ours != theirs:
        pairs = zip(ours, theirs, strict=False)
        first = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
        name = variables[first].path if first < len(variables) else "none"
        saved = theirs[first] if first < len(theirs) else "none"
        raise TrainingError(
            f"Checkpoint.restore: expected {len(ours)} variables of {whose}, got {len(theirs)}; "
            f"the first that differs is {name}: {ours[first] if first < len(ours) else 'none'}, in the file {saved}",
            cause="the checkpoint is of another architecture or of another optimizer",
            fix="use the settings in config.json beside it, or another run folder",
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
