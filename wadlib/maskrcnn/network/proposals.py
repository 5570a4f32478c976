"""From the region proposal network's scores to the boxes that the second stage looks at (report, Fig 8)."""

from typing import Any

from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.anchors import normalized_anchors
from wadlib.maskrcnn.network.boxes import apply_deltas, clip
from wadlib.maskrcnn.network.gather import take_rows
from wadlib.maskrcnn.network.layers import Step
from wadlib.maskrcnn.network.nms import non_max_suppression


def best_anchors(scores: Any, deltas: Any, anchors: Any, config: Config) -> tuple[Any, Any]:
    """Take the anchors with the best scores and apply their deltas: what goes into non-maximum suppression.

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
    indices, best = _best(scores, config)
    return moved_anchors(indices, take_rows(deltas, indices), anchors, config), best


def _best(scores: Any, config: Config) -> tuple[Any, Any]:
    """Indices and scores of the anchors with the best scores, (B, K) each."""
    best, indices = ops.top_k(ops.cast(scores, "float32"), min(config.pre_nms_limit, scores.shape[1]))
    return ops.cast(indices, "int32"), best


def moved_anchors(indices: Any, deltas: Any, anchors: Any, config: Config) -> Any:
    """Apply the deltas that the network predicts to some anchors, and cut the boxes to the picture.

    Parameters
    ----------
    indices : (B, K) int
        Rows of `anchors`.
    deltas : (B, K, 4)
        In units of `Config.box_std`.
    anchors : (A, 4) normalised
    config : Config

    Returns
    -------
    (B, K, 4) normalised float32
    """
    deltas = ops.cast(deltas, "float32") * ops.convert_to_tensor(config.box_std, "float32")
    chosen = ops.take(ops.convert_to_tensor(anchors, "float32"), indices, axis=0)  # (B, K, 4)
    return clip(apply_deltas(chosen, deltas), (0.0, 0.0, 1.0, 1.0))


def proposal_layer(config: Config) -> Step:
    """Make `propose` a layer for inference: probabilities (B, A, 2) and deltas (B, A, 4) to (B, count, 4)."""
    count, anchors = config.proposals_inference, ops.convert_to_tensor(normalized_anchors(config), "float32")

    def proposed(probabilities: Any, deltas: Any) -> Any:
        return propose(probabilities[:, :, 1], deltas, anchors, config, count)  # the second one: on an object

    return Step(proposed, ((count, 4), "float32"), name="ROI")


def propose(scores: Any, deltas: Any, anchors: Any, config: Config, count: int) -> Any:
    """Choose the best boxes that do not overlap much.

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
    return proposed_anchors(scores, deltas, anchors, config, count)[0]


def proposed_anchors(scores: Any, deltas: Any, anchors: Any, config: Config, count: int) -> tuple[Any, Any]:
    """Choose boxes as `propose` does, and say which anchor each one was.

    Returns
    -------
    boxes : (B, count, 4), see `propose`
    indices : (B, count) int32
        Rows of `anchors`, -1 where fewer remain: `moved_anchors` of these are the boxes.
    """
    indices, best = _best(scores, config)
    boxes = moved_anchors(indices, take_rows(deltas, indices), anchors, config)
    kept = non_max_suppression(boxes, best, count, config.rpn_nms_threshold)  # (B, count)
    return take_rows(boxes, kept), ops.where(kept >= 0, take_rows(indices, kept), -1)
