"""Predictions of trained networks that the companion keeps, so that a notebook need not run the network.

``results/predictions/<method>/`` is a folder of predictions as `wadlib predict` writes it, and an ``about.json``
that says which labels they belong to (``results/predictions/save_predictions.py`` writes both). Predictions of
other frames, or of frames that were drawn anew since, are not used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from wadlib.course.classroom import project_root
from wadlib.dataset import Frame
from wadlib.instances import Instances, PredictionFolder
from wadlib.metrics.simulated import SimulatedPredictor

__all__ = ["label_digest", "scored_instances", "stored_predictions"]


def stored_predictions(frames: Sequence[Frame], root: Path | None = None) -> dict[str, PredictionFolder]:
    """Open the kept predictions that hold every one of these frames: method -> its folder.

    Parameters
    ----------
    frames : frames with labels, at the size at which they were predicted
    root : the companion's folder, by default the one around
    """
    folder = (root or project_root()) / "results" / "predictions"
    found = {}
    for about in sorted(folder.glob("*/about.json")):
        labels = json.loads(about.read_text(encoding="utf-8"))["labels"]
        if all(labels.get(frame.name) == label_digest(frame) for frame in frames):
            found[about.parent.name] = PredictionFolder.open(about.parent)
    return found


def scored_instances(
    frames: Sequence[Frame], method: str = "mask-rcnn", root: Path | None = None
) -> tuple[str, dict[str, Instances]]:
    """Return the scored instances of each frame: of a method, if they are kept; of the simulated predictor otherwise.

    Returns
    -------
    name : str
        Of the method or of the simulated predictor: to be shown wherever the numbers are.
    found : dict[str, Instances]
        By name of the frame.
    """
    kept = stored_predictions(frames, root)
    if method in kept:
        return method, {frame.name: kept[method].read(frame.name) for frame in frames}
    predictor = SimulatedPredictor()
    return predictor.name, {frame.name: predictor.predict(frame.name, frame.read_label()) for frame in frames}


def label_digest(frame: Frame) -> str:
    """Compute a short digest of a frame's label, whatever the file's compression."""
    label = frame.read_label()
    return hashlib.sha256(f"{label.shape}".encode() + label.astype("<u2").tobytes()).hexdigest()[:16]
