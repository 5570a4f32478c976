"""The mean of the weights of several epochs (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018).

Steps on one picture at a time throw the weights about: each epoch ends somewhere else around the place to which all of
them are drawn. The mean of these ends lies nearer to it than any one of them, and costs no training.
"""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import atomic_path
from wadlib.errors import WeightsError
from wadlib.maskrcnn.weight_files.h5 import layers_in, open_h5, read_arrays

MEAN = "mean.h5"
"""In the folder of a run: the mean of the weights after each of its last epochs."""


def save_epoch(run: Path, epoch: int, weights: Path, count: int) -> None:
    """Keep the weights of an epoch beside those before it, `count` in all, and their mean as `MEAN`.

    All of it is in files, so a run that was killed goes on with the epochs that it had.

    Parameters
    ----------
    run : path of the run's folder
    epoch : int
        Its number, from 1.
    weights : path of the .h5 file with the weights after it
    count : int
        Older epochs are deleted.
    """
    with atomic_path(run / _name(epoch)) as part:
        shutil.copyfile(weights, part)
    wanted = {_name(number) for number in range(epoch - count + 1, epoch + 1)}
    there = sorted(run.glob("epoch-*.h5"))
    average([path for path in there if path.name in wanted], run / MEAN)
    for path in there:
        if path.name not in wanted:
            path.unlink()


def average(paths: Sequence[str | Path], out: str | Path, shares: Sequence[float] | None = None) -> None:
    """Write the mean of the weights in some files, number by number; whole or not at all.

    With `Config.train_bn` the statistics of batch normalisation are averaged like everything else: nearly, not exactly,
    what the averaged network would have gathered.

    Parameters
    ----------
    paths : at least one .h5 file
        Of the same network, such as the epochs of one run. `out` keeps all else that the first one holds.
    out : path of the .h5 file to write
    shares : sequence of float, optional
        How much each file counts, relative to the others (a "model soup", Wortsman et al., ICML 2022); by default all
        alike.

    Raises
    ------
    WeightsError
        No file, or not a share above 0 for each; one that cannot be read; layers or shapes that are not those of the
        first.
    StorageError
        The file cannot be written.
    """
    if not paths:
        raise WeightsError("average: expected at least one file, got none", cause="an empty list", fix="give one")
    shares = [1.0] * len(paths) if shares is None else shares
    if len(shares) != len(paths) or not all(0 < share < math.inf for share in shares):
        raise WeightsError(
            f"average: expected a share above 0 for each of {len(paths)} files, got {list(shares)}",
            cause="a share that is missing, or a file that is not to count",
            fix="give each file a share, such as 0.5, or leave it out",
        )
    first, *others = [Path(path) for path in paths]
    sums = {name: [shares[0] * a for a in own] for name, own in _read(first).items()}
    for path, share in zip(others, shares[1:], strict=True):
        more = _read(path)
        _check_same(first, sums, path, more)
        sums = {name: [a + share * b for a, b in zip(own, more[name], strict=True)] for name, own in sums.items()}
    with atomic_path(Path(out)) as part:
        shutil.copyfile(first, part)
        _replace(part, {name: [total / sum(shares) for total in own] for name, own in sums.items()})


Arrays = dict[str, list[npt.NDArray[np.float64]]]


def _name(epoch: int) -> str:
    return f"epoch-{epoch:04d}.h5"


def _read(path: Path) -> Arrays:
    with open_h5(path) as file:
        layers = layers_in(file, path)
        return {
            name: [array.astype(np.float64) for array in read_arrays(layer, path)] for name, layer in layers.items()
        }


def _replace(path: Path, values: Arrays) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        for name, layer in layers_in(file, path).items():
            for stored, value in zip(layer.arrays, values[name], strict=True):
                # Rounded by NumPy: after a tiny float16 HDF5 1.14.6 writes 0.125 for 0.24997.
                stored[...] = value.astype(stored.dtype)


def _check_same(first: Path, expected: Arrays, path: Path, got: Arrays) -> None:
    for name in [*expected, *got]:
        shapes = [None if name not in of else [array.shape for array in of[name]] for of in (expected, got)]
        if shapes[0] != shapes[1]:
            raise WeightsError(
                f"average: expected layer {name} as in {first.name}, {shapes[0]}, got {shapes[1]} in {path.name}",
                cause="files of two different networks",
                fix="average the epochs of one run",
            )
