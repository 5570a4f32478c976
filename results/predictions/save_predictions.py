"""Save predictions for the notebooks, with digests of the labels that they belong to.

``python results/predictions/save_predictions.py METHOD PREDICTIONS DATASET ABOUT.json [--full-size]`` copies the
predictions of every labelled frame of DATASET to ``results/predictions/METHOD``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wadlib._shared.files import make_folder, write_text
from wadlib.course.classroom import project_root
from wadlib.course.kept_predictions import label_digest
from wadlib.dataset import Frame, open_wad
from wadlib.errors import DatasetError
from wadlib.frames import read_label, write_label
from wadlib.instances.prediction_folder import INSTANCES, SUFFIX
from wadlib.instances.rle import results_of
from wadlib.metrics import Detections, PredictionFolder, RunMasks
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
    make_folder(out / "label")
    everything = (slice(None), slice(None))
    for frame in frames:
        label = read_label(source.labels[frame.name])
        write_label(out / "label" / f"{frame.name}{SUFFIX}", np.ascontiguousarray(label[window or everything]))
    if source.instances is not None:
        rows = (
            source.instances.rows([frame.name for frame in frames]) if window is None else _cut(source, frames, window)
        )
        write_text(out / INSTANCES, "[" + ",\n".join(map(json.dumps, rows)) + "]\n")
    labels = {frame.name: label_digest(frame) for frame in frames}
    write_text(out / "about.json", json.dumps({**about, "labels": labels}, indent=1) + "\n")
    return out


def _cut(source: PredictionFolder, frames: Sequence[Frame], window: tuple[slice, slice]) -> Iterator[dict[str, Any]]:
    """Rows of ``instances.json`` for what lies in a window; instances of which nothing does are left out."""
    for number, frame in enumerate(frames, start=1):
        found = source.read(frame.name)
        masks = np.ascontiguousarray(found.masks.to_array()[:, *window])
        seen = masks.any(axis=(1, 2))
        part = Detections(found.class_ids[seen], found.scores[seen], RunMasks.from_array(masks[seen]))
        for row in results_of(part):
            yield {"image_id": number, "file_name": frame.image_path.name, **row}


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
