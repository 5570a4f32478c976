"""Non-maximum suppression: of boxes that overlap, the one with the best score stays.

The greedy rule, as in `tf.image.non_max_suppression`: go through the boxes from the best score to the worst, and
keep a box unless it overlaps a kept one by more than a threshold. TensorFlow has a kernel for it; the same in
`keras.ops`, for JAX and PyTorch, resolves a tile of boxes at a time, so that a graphics card is not asked for
thousands of tiny steps.
"""

from typing import Any

import keras
from keras import ops

from wadlib.maskrcnn.network.boxes import iou
from wadlib.maskrcnn.network.gather import first_true, take_rows

TILE = 512
"""Boxes that are resolved at once by the neutral twin."""


def non_max_suppression(boxes: Any, scores: Any, max_output: int, iou_threshold: float, classes: Any = None) -> Any:
    r"""Find the boxes that stay, best score first.

    .. math:: i \text{ stays} \iff \nexists\, j \text{ that stays}:\;
              s_j > s_i \wedge c_i = c_j \wedge IoU(b_i, b_j) > t

    Parameters
    ----------
    boxes : (N, 4) or (B, N, 4)
        ``y1 <= y2``, ``x1 <= x2``. A box without area overlaps nothing.
    scores : (N,) or (B, N)
        Of equal scores the one that comes first counts as better. ``-inf``: never kept.
    max_output : int
        At most so many, the best ones.
    iou_threshold : float
    classes : (N,) or (B, N) int, optional
        Boxes of different classes leave each other alone.

    Returns
    -------
    (max_output,) or (B, max_output) int32, padded with -1.

    Examples
    --------
    >>> boxes = ops.convert_to_tensor([[0.0, 0, 2, 2], [0, 0, 2, 3], [0, 4, 2, 6]])  # IoU of the first two: 2/3
    >>> scores = ops.convert_to_tensor([0.8, 0.9, 0.7])
    >>> ops.convert_to_numpy(non_max_suppression(boxes, scores, 3, 0.5)).tolist()
    [1, 2, -1]
    """
    boxes, scores = ops.cast(boxes, "float32"), ops.cast(scores, "float32")
    if len(boxes.shape) == 2:
        classes = None if classes is None else ops.expand_dims(ops.convert_to_tensor(classes), 0)
        return non_max_suppression(boxes[None], scores[None], max_output, iou_threshold, classes)[0]
    # Which boxes stay is a decision: no gradient passes through it.
    boxes, scores = ops.stop_gradient(boxes), ops.stop_gradient(scores)
    twin = _tensorflow if keras.backend.backend() == "tensorflow" else neutral_non_max_suppression
    return twin(boxes, scores, max_output, iou_threshold, classes)


def _tensorflow(boxes: Any, scores: Any, max_output: int, iou_threshold: float, classes: Any) -> Any:
    """TensorFlow's kernel, picture by picture."""
    import tensorflow as tf

    def padded(kept: Any) -> Any:
        kept = tf.pad(kept, [[0, max_output - tf.shape(kept)[0]]], constant_values=-1)
        return tf.ensure_shape(kept, (max_output,))

    def all_classes(picture: Any) -> Any:
        return padded(tf.image.non_max_suppression(*picture, max_output, iou_threshold))

    def within_classes(picture: Any) -> Any:
        overlaps, scores = picture
        return padded(tf.image.non_max_suppression_overlaps(overlaps, scores, max_output, iou_threshold))

    result = tf.TensorSpec((max_output,), tf.int32)
    if classes is None:
        return tf.map_fn(all_classes, (boxes, scores), fn_output_signature=result)
    return tf.map_fn(within_classes, (_class_iou(boxes, classes), scores), fn_output_signature=result)


def _class_iou(boxes: Any, classes: Any) -> Any:
    """IoU of boxes of the same class, 0 for others; (B, N, N)."""
    classes = ops.cast(classes, "int32")
    same = ops.expand_dims(classes, 2) == ops.expand_dims(classes, 1)
    return iou(boxes, boxes) * ops.cast(same, boxes.dtype)


def neutral_non_max_suppression(
    boxes: Any, scores: Any, max_output: int, iou_threshold: float, classes: Any = None
) -> Any:
    """Suppress as `non_max_suppression` does, for a batch, in `keras.ops` only and with static shapes.

    Boxes are sorted by score and cut into tiles of 512. A tile that has lost what earlier tiles suppress is
    resolved in itself (`_resolve`); what it keeps then suppresses all later boxes at once.

    Parameters
    ----------
    boxes : (B, N, 4) float32
    scores : (B, N) float32
    max_output, iou_threshold, classes
        As in `non_max_suppression`; `classes` (B, N).

    Returns
    -------
    (B, max_output) int32, padded with -1.
    """
    order = ops.cast(ops.argsort(-scores, axis=1), "int32")  # stable: of equal scores the first one stays first
    boxes = take_rows(boxes, order)
    alive = take_rows(scores, order) > -float("inf")  # also False for NaN
    if classes is not None:
        classes = take_rows(ops.cast(classes, "int32"), order)

    def overlapping(first: slice, second: slice) -> Any:
        found = iou(boxes[:, first], boxes[:, second]) > iou_threshold
        if classes is not None:
            found = ops.logical_and(found, classes[:, first, None] == classes[:, None, second])
        return found

    kept, count = [], boxes.shape[1]
    for start in range(0, count, TILE):
        tile, later = slice(start, min(start + TILE, count)), slice(min(start + TILE, count), count)
        kept.append(_resolve(overlapping(tile, tile), alive[:, : tile.stop - start]))
        lost = _any(kept[-1], overlapping(tile, later)) if later.start < count else False
        alive = ops.logical_and(alive[:, tile.stop - start :], ops.logical_not(lost))
    places = first_true(ops.concatenate(kept, axis=1), max_output)  # in sorted order
    found = take_rows(order, places)
    return ops.where(places >= 0, found, -1)


def _any(rows: Any, matrix: Any) -> Any:
    """``out[b, j] = any_i(rows[b, i] and matrix[b, i, j])``."""
    return ops.any(ops.logical_and(ops.expand_dims(rows, 2), matrix), axis=1)


def _resolve(overlapping: Any, alive: Any) -> Any:
    """Which boxes of a sorted tile stay.

    "A box stays if no better box that stays overlaps it" holds itself up on the right-hand side. Repeat it from
    "all stay": after k rounds the first k boxes are final, and the rounds end when nothing changes. That takes as
    many rounds as the longest chain of boxes that decide over one another, a handful.

    Parameters
    ----------
    overlapping : (B, T, T) bool
    alive : (B, T) bool

    Returns
    -------
    (B, T) bool
    """
    size = overlapping.shape[1]
    ahead = ops.expand_dims(ops.arange(size), 1) < ops.expand_dims(ops.arange(size), 0)  # [i, j]: i before j
    better = ops.logical_and(overlapping, ahead)

    def changed(before: Any, now: Any) -> Any:
        return ops.any(ops.not_equal(before, now))

    def round_(_: Any, now: Any) -> Any:
        return now, ops.logical_and(alive, ops.logical_not(_any(now, better)))

    return ops.while_loop(changed, round_, round_(None, alive), maximum_iterations=size + 1)[1]
