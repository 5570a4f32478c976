"""What the network should have said: targets for the anchors (NumPy) and for the proposals (in the graph).

A ground-truth instance has a class id above 0. A class id below 0 marks a *crowd*: a region whose objects are not
told apart (in WAD: what the annotators marked "ignore", and riders, a class that is not evaluated). Nothing is
learnt from a crowd: boxes on it are neither objects nor background. 0 is padding.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.boxes import area, box_deltas, iou
from wadlib.maskrcnn.network.gather import first_true, take_rows
from wadlib.maskrcnn.network.roi import crop_and_resize

RPN_NEGATIVE, RPN_POSITIVE = 0.3, 0.7
"""IoU with instances: an anchor is background below the first, on an object from the second on (Faster R-CNN 3.1.2)."""

ROI_POSITIVE = 0.5
"""A proposal is on an object from this IoU on."""

CROWD = 0.001
"""From this IoU with a crowd on, an anchor or a proposal is no background."""

COVERED = 0.5
"""Nor is it from this share of its own pixels on a crowd: the IoU of a small box in a large region is below `CROWD`."""


def rpn_targets(
    anchors: npt.NDArray[Any],
    class_ids: npt.NDArray[Any],
    boxes: npt.NDArray[Any],
    config: Config,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Say which anchors are on objects, which are not, and how those on objects should move.

    1. Background: anchors whose IoU with every instance is below 0.3, and that touch no crowd and lie in none.
    2. On an object: each instance's best anchor, however bad (but not without any overlap), and anchors with an IoU
       of 0.7 or more.
    3. Of those on objects at most half of `Config.rpn_train_anchors` stay, and background fills up the rest; which
       ones, is drawn. The others take no part.

    Parameters
    ----------
    anchors : (A, 4) pixels
        From `wadlib.maskrcnn.network.anchors.pyramid_anchors`. IoUs are computed in their dtype.
    class_ids : (N,) int
        Above 0 an instance, below 0 a crowd. There may be none.
    boxes : (N, 4) pixels, half-open
    config : Config
    rng : numpy.random.Generator

    Returns
    -------
    match : (A,) int8
        1 on an object, -1 background, 0 takes no part.
    deltas : (rpn_train_anchors, 4) float32
        For the anchors on objects, in their order, in units of `Config.box_std`; zeros after the last.
    """
    anchors, boxes = np.asarray(anchors), np.asarray(boxes, anchors.dtype).reshape(-1, 4)
    class_ids = np.asarray(class_ids).reshape(-1)
    instances, crowds = boxes[class_ids > 0], boxes[class_ids < 0]

    best, nearest, anchor_of_instance = _best_overlaps(anchors, instances)
    in_crowd = (_best_overlaps(anchors, crowds)[0] >= CROWD) | (_covered(anchors, crowds) >= COVERED)
    match = np.zeros(len(anchors), np.int8)
    match[(best < RPN_NEGATIVE) & ~in_crowd] = -1
    match[anchor_of_instance] = 1
    match[best >= RPN_POSITIVE] = 1

    _thin_out(match, 1, config.rpn_train_anchors // 2, rng)
    _thin_out(match, -1, config.rpn_train_anchors - int(np.sum(match == 1)), rng)

    positive = np.flatnonzero(match == 1)
    deltas = np.zeros((config.rpn_train_anchors, 4), np.float32)
    if len(positive):
        wanted = box_deltas(anchors[positive], instances[nearest[positive]])
        deltas[: len(positive)] = wanted / np.asarray(config.box_std)
    return match, deltas


def _best_overlaps(
    anchors: npt.NDArray[Any], boxes: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Of each anchor the best IoU and the box that gives it (first of equals); of each box its best anchor, if any.

    One box at a time: with 132,990 anchors the whole matrix would not fit a processor's cache.
    """
    best = np.zeros(len(anchors), anchors.dtype)
    nearest = np.zeros(len(anchors), np.intp)
    anchor_of_box = []
    y1, x1, y2, x2 = np.ascontiguousarray(anchors.T)
    areas = (y2 - y1) * (x2 - x1)
    for number, (top, left, bottom, right) in enumerate(boxes):
        # Only anchors that touch the box have an IoU.
        touching = np.flatnonzero((y1 < bottom) & (y2 > top) & (x1 < right) & (x2 > left))
        if not len(touching):
            continue
        height = np.minimum(y2[touching], bottom) - np.maximum(y1[touching], top)
        width = np.minimum(x2[touching], right) - np.maximum(x1[touching], left)
        shared = height * width
        overlap = shared / ((bottom - top) * (right - left) + areas[touching] - shared)
        anchor_of_box.append(touching[np.argmax(overlap)])
        better = overlap > best[touching]
        best[touching[better]] = overlap[better]
        nearest[touching[better]] = number
    return best, nearest, np.array(anchor_of_box, np.intp)


def _covered(anchors: npt.NDArray[Any], boxes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Share of each anchor that the boxes cover, which do not overlap each other."""
    share = np.zeros(len(anchors), anchors.dtype)
    y1, x1, y2, x2 = np.ascontiguousarray(anchors.T)
    for top, left, bottom, right in boxes:
        touching = np.flatnonzero((y1 < bottom) & (y2 > top) & (x1 < right) & (x2 > left))
        height = np.minimum(y2[touching], bottom) - np.maximum(y1[touching], top)
        width = np.minimum(x2[touching], right) - np.maximum(x1[touching], left)
        share[touching] += height * width / ((y2 - y1) * (x2 - x1))[touching]
    return share


def _thin_out(match: npt.NDArray[np.int8], value: int, most: int, rng: np.random.Generator) -> None:
    """Leave at most `most` anchors with this match, drawn; the others take no part."""
    places = np.flatnonzero(match == value)
    if len(places) > most:
        match[rng.choice(places, len(places) - most, replace=False)] = 0


def choose_rois(proposals: Any, gt_class_ids: Any, gt_boxes: Any, priority: Any, config: Config) -> tuple[Any, Any]:
    """Choose the proposals that the second stage learns from; a choice has no gradient.

    1. On an object: an IoU of 0.5 or more with an instance. Background: less with every instance, and no crowd.
    2. At most `Config.positive_rois` (33 %) on objects, and for each of them twice as many from the background. A
       picture without any instance (which the original leaves out) gives background only.

    Parameters
    ----------
    proposals : (B, N, 4) normalised; rows of zeros are padding
    gt_class_ids : (B, G) int
        Above 0 an instance, below 0 a crowd, 0 padding.
    gt_boxes : (B, G, 4) normalised
    priority : (B, N) float32
        Random numbers, drawn outside: where there are too many proposals, those with the smallest are taken, in
        this order. ``arange(N)`` takes the first ones.
    config : Config

    Returns
    -------
    places : (B, T) int32, T = `Config.rois_per_image`
        Rows of `proposals`: those on objects, then background, then -1 for none.
    instance : (B, T) int32
        Row of the ground truth that a proposal is on, the one that it overlaps most; -1 for background and padding.
    """
    proposals = ops.stop_gradient(ops.cast(proposals, "float32"))
    gt_boxes, gt_class_ids = ops.cast(gt_boxes, "float32"), ops.cast(gt_class_ids, "int32")
    known = ops.any(proposals != 0, axis=2)  # (B, N): no padding
    overlap = iou(proposals, gt_boxes)  # (B, N, G)
    with_instances = ops.where((gt_class_ids > 0)[:, None], overlap, -1.0)
    with_crowds = ops.where((gt_class_ids < 0)[:, None], overlap, 0.0)
    best = ops.max(with_instances, axis=2)  # (B, N)
    on_object = ops.logical_and(known, best >= ROI_POSITIVE)
    # From IoU = s / (a + b - s) follows what two boxes share: s = IoU (a + b) / (1 + IoU).
    sizes = area(proposals)[..., None]  # (B, N, 1)
    shared = with_crowds * (sizes + area(gt_boxes)[:, None]) / (1 + with_crowds)
    covered = ops.sum(shared, axis=2) >= COVERED * ops.maximum(sizes[..., 0], 1e-9)  # (B, N)
    free = ops.logical_and(ops.max(with_crowds, axis=2) < CROWD, ops.logical_not(covered))
    background = ops.logical_and(known, ops.logical_and(best < ROI_POSITIVE, free))

    places, positive = _choose(on_object, background, ops.any(gt_class_ids > 0, axis=1), priority, config)
    nearest = take_rows(ops.cast(ops.argmax(with_instances, axis=2), "int32"), places)
    return places, ops.where(positive, nearest, -1)


def targets_of_rois(
    rois: Any, instance: Any, gt_class_ids: Any, gt_boxes: Any, gt_masks: Any, config: Config
) -> tuple[Any, Any, Any]:
    """Say what the second stage should have said: of a RoI on an object this object's class, deltas and mask.

    Parameters
    ----------
    rois : (B, T, 4) normalised
        A gradient of the deltas reaches them: in the original the box loss so teaches the region proposal network
        (`Config.proposal_gradient`). Faster R-CNN (section 3.2) leaves that out.
    instance : (B, T) int
        From `choose_rois`.
    gt_class_ids, gt_boxes, config : as for `choose_rois`
    gt_masks : (B, G, h, w), 0 or 1
        Mini-masks: each instance's box, resized to `Config.mini_mask_shape`.

    Returns
    -------
    class_ids : (B, T) int32; 0 for background and padding
    deltas : (B, T, 4) float32, in units of `Config.box_std`; zeros for background and padding
    masks : (B, P, h, w) float32, 0 or 1, P = `Config.positive_rois`, (h, w) = `Config.mask_shape`
        Of the first P RoIs, the only ones that can be on objects.
    """
    positive = instance >= 0
    whole = ops.convert_to_tensor([0.0, 0.0, 1.0, 1.0])  # stands in where there is no target: finite, and masked
    own = ops.where(positive[..., None], rois, whole)
    truth = ops.where(positive[..., None], take_rows(ops.cast(gt_boxes, "float32"), instance), whole)
    deltas = box_deltas(own, truth) / ops.convert_to_tensor(config.box_std, "float32")  # 0 for whole -> whole
    first = slice(0, config.positive_rois)
    masks = _mask_targets(own[:, first], truth[:, first], instance[:, first], gt_masks, config)
    return take_rows(ops.cast(gt_class_ids, "int32"), instance), deltas, masks


def _choose(on_object: Any, background: Any, has_instances: Any, priority: Any, config: Config) -> tuple[Any, Any]:
    """Places of the chosen proposals, (B, T) with -1 for none, and which of these are on objects."""
    most, total = config.positive_rois, config.rois_per_image
    positives = first_true(on_object, most, priority)  # (B, P)
    negatives = first_true(background, total, priority)  # (B, T)
    count = ops.sum(ops.cast(positives >= 0, "int32"), axis=1)[:, None]  # (B, 1)
    # In float32, as the original counts: 66 · (1 / 0.33) is 200, not 199.99….
    share = 1.0 / config.roi_positive_share
    wanted = ops.cast(share * ops.cast(count, "float32"), "int32") - count
    wanted = ops.where(has_instances[:, None], wanted, total)

    slot = ops.arange(total, dtype="int32")[None]  # (1, T)
    positive = slot < count  # (B, T)
    after = slot - count  # slot among the negatives
    from_positives = ops.take_along_axis(positives, ops.minimum(slot, most - 1) + ops.zeros_like(after), axis=1)
    from_negatives = ops.take_along_axis(negatives, ops.maximum(after, 0), axis=1)
    return ops.where(positive, from_positives, ops.where(after < wanted, from_negatives, -1)), positive


def _mask_targets(rois: Any, boxes: Any, instance: Any, gt_masks: Any, config: Config) -> Any:
    """Cut each RoI out of its instance's mini-mask, resize to the size of a predicted mask and round to 0 or 1."""
    height, width = gt_masks.shape[2:]
    y, x, y_end, x_end = (boxes[..., side] for side in range(4))
    origin = ops.stack([y, x, y, x], axis=-1)
    size = ops.stack([y_end - y, x_end - x] * 2, axis=-1)
    within = ops.stop_gradient((rois - origin) / size)  # the RoI in the frame of the instance's box
    masks = ops.reshape(take_rows(ops.cast(gt_masks, "float32"), instance), (-1, height, width, 1))
    cropped = crop_and_resize(masks, ops.reshape(within, (-1, 4)), config.mask_shape)
    return ops.reshape(ops.round(cropped), (-1, config.positive_rois, *config.mask_shape))
