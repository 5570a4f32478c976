"""Predictions of trained networks that the companion keeps, so that a notebook need not run the network.

``results/predictions/<method>/`` is a folder of predictions as `wadlib predict` writes it, and an ``about.json``
that says which labels they belong to. Predictions of other frames, or of frames that were drawn anew since,
are not used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wadlib._shared.files import make_folder, write_text
from wadlib.course.classroom import project_root
from wadlib.dataset import Frame
from wadlib.errors import DatasetError
from wadlib.frames import read_label, write_label
from wadlib.instances.prediction_folder import INSTANCES, SUFFIX
from wadlib.instances.rle import results_of
from wadlib.metrics import Detections, PredictionFolder, RunMasks
from wadlib.metrics.simulated import SimulatedPredictor

__all__ = ["keep_predictions", "scored_instances", "stored_predictions"]


def stored_predictions(frames: Sequence[Frame], root: Path | None = None) -> dict[str, PredictionFolder]:
    """Method -> its folder, of the kept predictions that hold every one of these frames.

    Parameters
    ----------
    frames : frames with labels, at the size at which they were predicted
    root : the companion's folder, by default the one around
    """
    folder = (root or project_root()) / "results" / "predictions"
    found = {}
    for about in sorted(folder.glob("*/about.json")):
        labels = json.loads(about.read_text(encoding="utf-8"))["labels"]
        if all(labels.get(frame.name) == _digest(frame) for frame in frames):
            found[about.parent.name] = PredictionFolder.open(about.parent)
    return found


def scored_instances(
    frames: Sequence[Frame], method: str = "mask-rcnn", root: Path | None = None
) -> tuple[str, dict[str, Detections]]:
    """Scored instances of each frame: of a method, if they are kept; of the simulated predictor otherwise.

    Returns
    -------
    name : str
        Of the method or of the simulated predictor: to be shown wherever the numbers are.
    found : dict[str, Detections]
        By name of the frame.
    """
    kept = stored_predictions(frames, root)
    if method in kept:
        return method, {frame.name: kept[method].read(frame.name) for frame in frames}
    predictor = SimulatedPredictor()
    return predictor.name, {frame.name: predictor.predict(frame.name, frame.read_label()) for frame in frames}


def keep_predictions(
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
            f"keep_predictions: {len(missing)} frames have no prediction, the first is {missing[0]}",
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
    labels = {frame.name: _digest(frame) for frame in frames}
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


def _digest(frame: Frame) -> str:
    """Short digest of a frame's label, whatever the file's compression."""
    label = frame.read_label()
    return hashlib.sha256(f"{label.shape}".encode() + label.astype("<u2").tobytes()).hexdigest()[:16]
