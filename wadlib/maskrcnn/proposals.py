"""From the region proposal network's scores to the boxes that the second stage looks at (report, Fig 8)."""

from __future__ import annotations

from typing import Any

from keras import ops

from wadlib.maskrcnn.boxes import apply_deltas, clip
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.nms import non_max_suppression
from wadlib.maskrcnn.rows import take_rows

__all__ = ["best_anchors", "propose"]


def best_anchors(scores: Any, deltas: Any, anchors: Any, config: Config) -> tuple[Any, Any]:
    """The anchors with the best scores, moved by their deltas: what goes into non-maximum suppression.

    Parameters
    ----------
    scores : (B, A)
        Probability that an anchor is on an object.
    deltas : (B, A, 4)
        What the network predicts, in units of `Config.box_std`.
    anchors : (A, 4) normalised
    config : Config
        `pre_nms_limit` and `box_std`.

    Returns
    -------
    boxes : (B, K, 4) normalised float32, cut to the picture; K = min(pre_nms_limit, A)
    scores : (B, K) float32, falling
    """
    scores = ops.cast(scores, "float32")
    best, indices = ops.top_k(scores, min(config.pre_nms_limit, scores.shape[1]))
    indices = ops.cast(indices, "int32")
    moves = ops.cast(take_rows(deltas, indices), "float32") * ops.convert_to_tensor(config.box_std, "float32")
    chosen = ops.take(ops.convert_to_tensor(anchors, "float32"), indices, axis=0)  # (B, K, 4)
    return clip(apply_deltas(chosen, moves), (0.0, 0.0, 1.0, 1.0)), best


def propose(scores: Any, deltas: Any, anchors: Any, config: Config, count: int) -> Any:
    """The best boxes that do not overlap much.

    Take the 6,000 best anchors, move them by their deltas, cut them to the picture, and suppress those that
    overlap a better one by an IoU of more than `Config.rpn_nms_threshold`. As in the original, boxes are not
    dropped for being small.

    Parameters
    ----------
    scores : (B, A)
    deltas : (B, A, 4)
        Their gradient reaches the proposals; the choice of boxes has none.
    anchors : (A, 4) normalised
    config : Config
    count : int
        `Config.proposals_training` or `Config.proposals_inference`.

    Returns
    -------
    (B, count, 4) normalised float32, best first, rows of zeros where fewer remain.

    Notes
    -----
    Of equal scores the anchor that comes first is better on TensorFlow and JAX; PyTorch's `topk` does not say.
    """
    boxes, best = best_anchors(scores, deltas, anchors, config)
    return take_rows(boxes, non_max_suppression(boxes, best, count, config.rpn_nms_threshold))
