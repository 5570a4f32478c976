"""Save predictions for the notebooks, with digests of the labels that they belong to.

``python results/predictions/save_predictions.py METHOD PREDICTIONS DATASET ABOUT.json [--full-size]`` copies the
predictions of every labelled frame of DATASET to ``results/predictions/METHOD``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wadlib._shared.files import make_folder, write_text
from wadlib.course.classroom import project_root
from wadlib.course.kept_predictions import label_digest
from wadlib.dataset import Frame, open_wad
from wadlib.errors import DatasetError
from wadlib.frames import read_label
from wadlib.instances import Instances, PredictionFolder, PredictionWriter, Runs
from wadlib.preprocess import NETWORK_WINDOW


def save_predictions(
    method: str,
    prediction: str | Path,
    frames: Sequence[Frame],
    about: Mapping[str, Any],
    root: Path | None = None,
    *,
    window: tuple[slice, slice] | None = None,
) -> Path:
    """Copy predictions of these frames to ``results/predictions/<method>``, with what they belong to.

    Parameters
    ----------
    method : such as ``"mask-rcnn"``
    prediction : folder that holds them, and maybe others
    frames : the frames that were predicted
    about : weights, seed, commit, machine: whatever makes the numbers traceable
    window : rows and columns of the predictions that belong to `frames`, where those are prepared and the predictions
        were made on full-size ones: `wadlib.preprocess.NETWORK_WINDOW`. By default everything.

    Raises
    ------
    DatasetError
        A frame was not predicted.
    """
    source = PredictionFolder.open(prediction)
    missing = [frame.name for frame in frames if frame.name not in source.labels]
    if missing:
        raise DatasetError(
            f"save_predictions: {len(missing)} frames have no prediction, the first is {missing[0]}",
            cause="a prediction run that was stopped early, or of another split",
            fix="predict those frames first",
        )
    out = make_folder((root or project_root()) / "results" / "predictions" / method)
    writer = PredictionWriter(out, {})
    for frame in frames:
        label, found = read_label(source.labels[frame.name]), source.read(frame.name)
        if window is not None:
            label, found = np.ascontiguousarray(label[window]), _cut(found, window)
        writer.write(frame.name, f"{frame.name}{frame.image_path.suffix}", found, label)
    instances = writer.finish(keep_journal=False)
    if source.instances is None:  # labels hold no scores, and the copy does not either
        instances.unlink()
    labels = {frame.name: label_digest(frame) for frame in frames}
    write_text(out / "about.json", json.dumps({**about, "labels": labels}, indent=1) + "\n")
    return out


def _cut(found: Instances, window: tuple[slice, slice]) -> Instances:
    """Keep what lies in a window; instances of which nothing does are left out."""
    masks = np.ascontiguousarray(found.masks[:, *window])
    seen = masks.any(axis=(1, 2))
    return Instances(found.class_ids[seen], found.scores[seen], Runs.from_array(masks[seen]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", help="such as mask-rcnn")
    parser.add_argument("predictions", help="folder as `wadlib predict` writes it")
    parser.add_argument("dataset", help="folder with the frames that were predicted")
    parser.add_argument("about", help="JSON file: weights, seed, commit, machine")
    parser.add_argument("--full-size", action="store_true", help="PREDICTIONS are of full frames, DATASET is prepared")
    given = parser.parse_args()
    about = json.loads(Path(given.about).read_text(encoding="utf-8"))
    frames = open_wad(given.dataset).frames
    cut = NETWORK_WINDOW if given.full_size else None
    print(save_predictions(given.method, given.predictions, frames, about, window=cut))
