"""From the second stage's class scores and box deltas to the objects that are reported."""

from functools import partial
from typing import Any

from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.boxes import apply_deltas, area, clip
from wadlib.maskrcnn.network.gather import take_class, take_rows
from wadlib.maskrcnn.network.layers import Step
from wadlib.maskrcnn.network.nms import non_max_suppression

CANDIDATES = 1000
"""Pairs of proposal and class that are compared with `Config.every_class`: those of the best scores."""


def detection_layer(config: Config) -> Step:
    """Make `refine` a layer: RoIs, class probabilities, deltas and window to (B, max_instances, 6)."""
    return Step(partial(refine, config=config), ((config.max_instances, 6), "float32"), name="mrcnn_detection")


def refine(rois: Any, probs: Any, deltas: Any, window: Any, config: Config) -> Any:
    """Find each proposal's class and its box; leave out background, low scores and duplicates.

    1. The class with the highest probability, as in the original package; or, with `Config.every_class`, each class but
       background, as in Fast R-CNN (Girshick 2015, section 3). And the deltas that the box head predicts for it.
    2. The box, moved by them and cut to `window`.
    3. Out: background, scores below `Config.min_confidence`, boxes without area.
    4. Class by class, out: boxes that overlap a better one by an IoU of more than `Config.nms_threshold`.
    5. The `Config.max_instances` best remain.

    Parameters
    ----------
    rois : (B, N, 4) normalised
        From `wadlib.maskrcnn.network.proposals.propose`; rows of zeros are padding.
    probs : (B, N, K)
        Class probabilities, background first.
    deltas : (B, N, K, 4)
        Per class, in units of `Config.box_std`.
    window : (B, 4) normalised
        The part of each input that is picture and not padding.
    config : Config

    Returns
    -------
    (B, max_instances, 6) float32
        y1, x1, y2, x2 (normalised), class 1 … K-1, score; best score first; rows of zeros where there are fewer.

    Notes
    -----
    The original keeps boxes without area here, where they take the place of real ones, and drops them at the end.
    """
    probs, rois = ops.cast(probs, "float32"), ops.cast(rois, "float32")
    if config.every_class:
        scores, rows, classes = _every_class(probs)  # (B, C) each
        rois, deltas = take_rows(rois, rows), take_rows(deltas, rows)
    else:
        classes = ops.cast(ops.argmax(probs, axis=2), "int32")  # (B, N)
        scores = ops.max(probs, axis=2)  # (B, N)
    own_deltas = ops.cast(take_class(deltas, classes), "float32") * ops.convert_to_tensor(config.box_std, "float32")
    boxes = clip(apply_deltas(rois, own_deltas), ops.expand_dims(ops.cast(window, "float32"), 1))  # (B, N or C, 4)

    wanted = ops.logical_and(classes > 0, scores >= config.min_confidence)
    wanted = ops.logical_and(wanted, area(boxes) > 0)
    ranked = ops.where(wanted, scores, ops.full_like(scores, -float("inf")))
    kept = non_max_suppression(boxes, ranked, config.max_instances, config.nms_threshold, classes)
    columns = [boxes, ops.expand_dims(ops.cast(classes, "float32"), 2), ops.expand_dims(scores, 2)]
    return take_rows(ops.concatenate(columns, axis=2), kept)


def _every_class(probs: Any) -> tuple[Any, Any, Any]:
    """Make a candidate of each proposal and class, the `CANDIDATES` best: score, row of the proposal, class."""
    objects = probs.shape[2] - 1
    scores = ops.reshape(probs[:, :, 1:], (-1, probs.shape[1] * objects))
    scores, indices = ops.top_k(scores, min(CANDIDATES, scores.shape[1]))
    indices = ops.cast(indices, "int32")
    return scores, indices // objects, indices % objects + 1
