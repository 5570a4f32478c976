"""Save a finished U-Net run, small enough for a repository.

``python results/unet/save_run.py RUN OUT [--no-weights]``
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wadlib._shared.files import atomic_path, make_folder, write_text
from wadlib.training import as_array
from wadlib.unet.training import load_unet

if TYPE_CHECKING:
    import keras


def weights_summary(model: keras.Model) -> list[dict[str, Any]]:
    """Say layer by layer what a model has learnt: name, shape, mean, standard deviation, largest magnitude."""
    return [
        {
            "name": variable.path,
            "shape": list(variable.shape),
            "mean": float(f"{array.mean():.6g}"),
            "std": float(f"{array.std():.6g}"),
            "largest": float(f"{np.abs(array).max():.6g}"),
        }
        for variable in model.weights
        if (array := as_array(variable)).dtype.kind == "f"
    ]


def save_run(run: str | Path, out: str | Path, *, weights: bool = True) -> Path:
    """Copy log, settings, scores, a summary of the weights and the best weights in half precision.

    Parameters
    ----------
    run : path
        Folder of a run of `wadlib.unet.train_unet`.
    out : path
        Such as ``results/unet/cured``; `wadlib.unet.load_unet` reads it like the run itself.
    weights : bool
        False leaves the weights out and keeps only their summary.

    Raises
    ------
    TrainingError
        Not such a run, or one without a finished epoch.
    """
    import h5py

    run, out = Path(run), make_folder(out)
    model, _ = load_unet(run)
    write_text(out / "weights.json", json.dumps(weights_summary(model), indent=1) + "\n")
    for name in ("log.csv", "config.json", "evaluation.json"):
        if (run / name).exists():
            shutil.copyfile(run / name, out / name)
    if weights:
        with (
            atomic_path(out / "best.weights.h5") as part,
            h5py.File(run / "best.weights.h5") as whole,
            h5py.File(part, "w") as half,
        ):
            whole.visititems(lambda name, item: _copy(name, item, half))
    return out


def _copy(name: str, item: Any, half: Any) -> None:
    import h5py

    if isinstance(item, h5py.Dataset):
        values = np.asarray(item)
        # Kernels are nearly all of it. A variance below 6e-8 would become 0: vectors stay as they are.
        kernel = values.ndim > 1 and values.dtype.kind == "f"
        half.create_dataset(name, data=values.astype(np.float16) if kernel else values)
    else:
        half.require_group(name).attrs.update(item.attrs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("out", help="such as results/unet/cured")
    parser.add_argument("--no-weights", action="store_true", help="save only a summary of the weights")
    arguments = parser.parse_args()
    print(save_run(arguments.run, arguments.out, weights=not arguments.no_weights))
