"""Predictions of trained networks that the companion keeps, so that a notebook need not run the network.

``results/predictions/<method>/`` is a folder of predictions as `wadlib predict` writes it, and an ``about.json``
that says which labels they belong to (``results/predictions/save_predictions.py`` writes both). Predictions of
other frames, or of frames that were drawn anew since, are not used.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from wadlib.course.classroom import project_root
from wadlib.dataset import Frame
from wadlib.instances import Instances, PredictionFolder, Runs
from wadlib.metrics.simulated import SimulatedPredictor
from wadlib.preprocess import NETWORK_SHAPE, NETWORK_WINDOW

CANDIDATES = "candidates"
"""Method under which the detections before non-maximum suppression are kept."""


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


def candidates(
    frames: Sequence[Frame], full_frames: Sequence[Frame], root: Path | None = None
) -> tuple[Frame, Instances]:
    """Choose a frame, and return the shipped network's detections of it before non-maximum suppression.

    Parameters
    ----------
    frames : sequence of Frame
        With labels, prepared: 832x640.
    full_frames : sequence of Frame
        The same ones at full size, which the network is shown; others may be among them.
    root : the companion's folder, by default the one around

    Returns
    -------
    frame : Frame
        The first one of which the detections are kept; if there is none, the one with the most objects.
    found : Instances
        Of this frame, in its pixels: kept ones, or made now (a minute).
    """
    for frame in frames:
        kept = stored_predictions([frame], root)
        if CANDIDATES in kept:
            return frame, kept[CANDIDATES].read(frame.name)
    frame = max(frames, key=lambda each: len(Instances.from_label(each.read_label())))
    return frame, detect_candidates(next(each for each in full_frames if each.name == frame.name))


def detect_candidates(full_frame: Frame, lowest_score: float = 0.05) -> Instances:
    """Run the shipped network on a full-size frame, without non-maximum suppression.

    Returns
    -------
    Instances
        In the pixels of the prepared frame (832x640), best score first. The boxes are those that the network compares:
        not rounded, and they end with their last pixel.
    """
    from wadlib.maskrcnn import Config, MaskRCNN
    from wadlib.maskrcnn.frames.images import canvas, normalise, unmold
    from wadlib.maskrcnn.frames.views import Placement

    config = Config.classroom().replace(min_confidence=lowest_score, nms_threshold=1.0, max_instances=300)
    model = MaskRCNN(config)
    model.load("rendered")
    image = full_frame.read_image()
    placement = Placement.of(image.shape[:2], config)
    pixels = normalise(canvas(image, placement)[None], config)
    detections, masks = (each[0] for each in model.forward(pixels, placement.normalized_window[None]))
    sides = placement.to_picture(detections[:, :4])
    real = (detections[:, 4] > 0) & (sides[:, 2:] > sides[:, :2]).all(axis=1)  # the last rows are padding
    detections, masks = detections[real], masks[real[: len(masks)]]
    found = unmold(detections, masks, placement, config)
    last, origin = np.array(config.image_shape * 2) - 1, np.array(placement.window[:2] * 2)
    corner, window = np.array(placement.region[:2] * 2), np.array([each.start for each in NETWORK_WINDOW] * 2)
    steps = np.array([each.step for each in NETWORK_WINDOW] * 2)
    boxes = ((detections[:, :4] * last - origin) / np.array(placement.scale * 2) + corner - window) / steps
    # One mask of the full size at a time: all of them together would be a gigabyte.
    small = np.zeros((len(found), *NETWORK_SHAPE), np.bool_)
    for n in range(len(found)):
        small[n] = found[[n]].masks[0][NETWORK_WINDOW]
    seen = small.any(axis=(1, 2))
    return Instances(found.class_ids[seen], found.scores[seen], Runs.from_array(small[seen]), boxes[seen])


def suppressed(found: Instances, most: float) -> Instances:
    """Apply non-maximum suppression to detections, by their boxes and class by class.

    What `wadlib.maskrcnn.network.non_max_suppression` does, by OpenCV: without Keras.

    Parameters
    ----------
    found : Instances
    most : float
        Of two boxes of one class with a larger IoU, the one with the higher score stays.

    Returns
    -------
    Instances
        Those that stay, best score first.
    """
    if not len(found):
        return found
    top, left, bottom, right = found.boxes.T
    corners = np.stack([left, top, right - left, bottom - top], axis=1).tolist()  # x, y, width, height
    return found[cv2.dnn.NMSBoxesBatched(corners, found.scores.tolist(), found.class_ids.tolist(), -1.0, most)]


def label_digest(frame: Frame) -> str:
    """Compute a short digest of a frame's label, whatever the file's compression."""
    label = frame.read_label()
    return hashlib.sha256(f"{label.shape}".encode() + label.astype("<u2").tobytes()).hexdigest()[:16]
