"""The same pass in training: from pictures and what is known of them to five losses (report, section 4.1).

Read `training_pass` beside `wadlib.maskrcnn.network.mask_rcnn.Network.forward`: the layers are the same. What differs
is which boxes they look at. The first stage is judged at 256 anchors, the second at 32 RoIs, at most a third of them on
objects; no detections are made.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.learning import losses
from wadlib.maskrcnn.learning.sampled_rpn import outputs_of_patches, patches_around, sampled_anchors
from wadlib.maskrcnn.learning.targets import choose_rois, targets_of_rois
from wadlib.maskrcnn.learning.unlabelled import labelled_classes, spare_anchors
from wadlib.maskrcnn.network.anchors import normalized_anchors
from wadlib.maskrcnn.network.boxes import normalize
from wadlib.maskrcnn.network.gather import take_rows
from wadlib.maskrcnn.network.layers import Spec, Step, convolution_dtype
from wadlib.maskrcnn.network.mask_rcnn import Network
from wadlib.maskrcnn.network.proposals import moved_anchors, proposed_anchors
from wadlib.maskrcnn.network.roi import align_cells, list_of_cells
from wadlib.maskrcnn.network.rpn import rpn_on_pyramid


def training_pass(network: Network, *, dense_gradient: bool | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Build the pass from picture and ground truth to the five losses.

    The sizes below are those of `Config.report`: A = 132,990 anchors, 32 RoIs, of which at most 10 are on objects.

    Parameters
    ----------
    network : Network
    dense_gradient : bool, optional
        Whether the way back through the region proposal network runs over all anchors, or over those alone that have
        a gradient (`sampled_rpn`); the step is the same. By default the second where it can be taken: an anchor in
        each cell.

    Returns
    -------
    inputs : image; rpn_match, rpn_bbox (targets of the RPN); gt_class_ids, gt_boxes (pixels), gt_masks;
        roi_priority (the draw of RoIs), see `wadlib.maskrcnn.frames.data`
    losses : by name, scalars, not weighted
    """
    config, p = network.config, {f"P{n}": network.tensors[f"P{n}"] for n in (2, 3, 4, 5, 6)}
    dense = config.anchor_stride != 1 if dense_gradient is None else dense_gradient
    inputs = _inputs(network.image, config)
    match, wanted_rpn_deltas = inputs["rpn_match"], inputs["rpn_bbox"]  # (B, A), (B, 256, 4)

    # First stage, at all anchors: to choose boxes needs no gradient, and learns nothing.
    seen = p if dense else {name: ops.stop_gradient(level) for name, level in p.items()}
    logits, scores, deltas = rpn_on_pyramid(network.rpn, seen)  # (B, A, 2), (B, A, 2), (B, A, 4)
    rois, instance, anchor = _chosen_rois(scores, deltas, inputs, config)  # (B, 32, 4), (B, 32), (B, 10)

    # First stage, at the anchors to learn from: drawn by the data, most others are easy background.
    if not dense:
        match, sampled = _sampled(match, config)  # (B, 256) each
        logits, deltas = _rpn_at(sampled, p, network, "sampled_patches")  # (B, 256, 2), (B, 256, 4)

    # What the second stage should say of the RoIs. In the original their boxes are part of what is learnt.
    if not config.proposal_gradient:
        own = ops.stop_gradient(rois)
    else:
        own = rois if dense else _with_gradient(rois, anchor, p, network)
    class_ids, wanted_deltas, wanted_masks = _targets(own, instance, inputs, config)  # (B, 32), …, (B, 10, 28, 28)

    # Second stage. RoIs on objects come first, and no other has a mask to learn.
    positive = config.positive_rois
    align = _aligner(p, config)
    class_logits, _, class_deltas = network.class_head(align(rois, config.pool_size, "classifier"))  # (B, 32, K), …
    masks = network.mask_head(align(rois[:, :positive], config.mask_pool_size, "mask"))  # (B, 10, 28, 28, K)
    labelled = Step(partial(labelled_classes, config=config), ((config.num_classes,), "float32"), name="labelled")(
        inputs["gt_class_ids"]
    )  # (B, K): a dataset may not label all classes
    match = _spared(match, None if dense else sampled, own, class_ids, class_logits, labelled, config)
    return inputs, {
        "rpn_class_loss": _scalar(losses.rpn_class_loss)(match, logits),
        "rpn_bbox_loss": _scalar(losses.rpn_bbox_loss)(wanted_rpn_deltas, match, deltas),
        "mrcnn_class_loss": _scalar(losses.labelled_class_loss, "mrcnn_class_loss")(class_ids, class_logits, labelled),
        "mrcnn_bbox_loss": _scalar(losses.mrcnn_bbox_loss)(wanted_deltas, class_ids, class_deltas),
        "mrcnn_mask_loss": _scalar(losses.mrcnn_mask_loss)(wanted_masks, class_ids[:, :positive], masks),
    }


def _inputs(image: Any, config: Config) -> dict[str, Any]:
    anchors, objects = len(normalized_anchors(config)), config.max_gt_instances
    shapes: dict[str, Spec] = {
        "rpn_match": ((anchors,), "int8"),
        "rpn_bbox": ((config.rpn_train_anchors, 4), "float32"),
        "gt_class_ids": ((objects,), "int32"),
        "gt_boxes": ((objects, 4), "float32"),
        "gt_masks": ((objects, *config.mini_mask_shape), "uint8"),
        "roi_priority": ((config.proposals_training,), "float32"),
    }
    return {"image": image} | {
        name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in shapes.items()
    }


def _scalar(loss: Callable[..., Any], name: str = "") -> Step:
    return Step(loss, ((), "float32"), name=name or loss.__name__)


# --- the region proposal network at some anchors -----------------------------------------------------


def _sampled(match: Any, config: Config) -> tuple[Any, Any]:
    """Match and places of the anchors to learn from, (B, n) each."""
    spec: Spec = (min(config.rpn_train_anchors, match.shape[1]),), "int32"
    found: tuple[Any, Any] = Step(partial(sampled_anchors, config=config), spec, spec, name="sampled_anchors")(match)
    return found


def _rpn_at(anchors: Any, levels: dict[str, Any], network: Network, name: str) -> tuple[Any, Any]:
    """Logits and deltas of some anchors, (B, n), with a gradient to the levels."""
    config, count = network.config, anchors.shape[1]
    patch: Spec = (count, 9, config.fpn_channels), convolution_dtype(config)
    cut = Step(partial(patches_around, config=config), ((count,), "int32"), patch, name=name)
    ratio, patches = cut(anchors, *levels.values())
    return outputs_of_patches(network.rpn, ratio, patches, config)


def _spared(match: Any, places: Any, rois: Any, class_ids: Any, logits: Any, labelled: Any, config: Config) -> Any:
    """Match without the background that looks like a class which the dataset does not label, see `spare_anchors`.

    places : (B, n), of the anchors; None for all of them in their order
    """
    anchors = ops.convert_to_tensor(normalized_anchors(config), "float32")

    def spare(match: Any, rois: Any, class_ids: Any, logits: Any, labelled: Any, *places: Any) -> Any:
        boxes = ops.take(anchors, places[0], axis=0) if places else anchors[None]  # (B, n, 4)
        rois, logits, labelled = (ops.stop_gradient(each) for each in (rois, logits, labelled))
        return spare_anchors(match, boxes, rois, class_ids, logits, labelled)

    given = () if places is None else (places,)
    spec: Spec = match.shape[1:], "int32"
    return Step(spare, spec, name="spared_anchors")(match, rois, class_ids, logits, labelled, *given)


# --- RoIs and their targets --------------------------------------------------------------------------


def _chosen_rois(scores: Any, deltas: Any, inputs: dict[str, Any], config: Config) -> tuple[Any, Any, Any]:
    """RoIs to learn from, (B, T, 4), the instance that each is on, (B, T), and the anchor that the first ones were."""
    anchors = ops.convert_to_tensor(normalized_anchors(config), "float32")
    positive = config.positive_rois

    def choose(scores: Any, deltas: Any, class_ids: Any, boxes: Any, priority: Any) -> Any:
        proposals, origin = proposed_anchors(scores[:, :, 1], deltas, anchors, config, config.proposals_training)
        boxes = normalize(boxes, config.image_shape)
        if config.truth_as_proposals:
            objects = ops.where((class_ids > 0)[..., None], boxes, 0.0)
            proposals = ops.concatenate([proposals, objects], axis=1)
            origin = ops.concatenate([origin, ops.full_like(class_ids, -1)], axis=1)
            priority = ops.concatenate([priority, priority[:, : objects.shape[1]]], axis=1)
        places, instance = choose_rois(proposals, class_ids, boxes, priority, config)
        first = places[:, :positive]
        return take_rows(proposals, places), instance, ops.where(first >= 0, take_rows(origin, first), -1)

    count = config.rois_per_image
    specs: tuple[Spec, ...] = ((count, 4), "float32"), ((count,), "int32"), ((positive,), "int32")
    truth = (inputs[name] for name in ("gt_class_ids", "gt_boxes", "roi_priority"))
    found: tuple[Any, Any, Any] = Step(choose, *specs, name="chosen_rois")(scores, deltas, *truth)
    return found


def _with_gradient(rois: Any, origin: Any, levels: dict[str, Any], network: Network) -> Any:
    """The same RoIs; those on objects, which come first, pass a gradient to the region proposal network.

    origin : (B, P), the anchor that each of the first P RoIs was; -1 for none
    """
    config, positive = network.config, origin.shape[1]
    anchors = ops.convert_to_tensor(normalized_anchors(config), "float32")
    _, deltas = _rpn_at(ops.maximum(origin, 0), levels, network, "patches_of_rois")

    def move(rois: Any, origin: Any, deltas: Any) -> Any:
        moved = moved_anchors(ops.maximum(origin, 0), deltas, anchors, config)
        first = ops.where((origin >= 0)[..., None], moved, rois[:, :positive])
        return ops.concatenate([first, rois[:, positive:]], axis=1)

    spec: Spec = rois.shape[1:], "float32"
    return Step(move, spec, name="rois_with_gradient")(ops.stop_gradient(rois), origin, deltas)


def _targets(rois: Any, instance: Any, inputs: dict[str, Any], config: Config) -> tuple[Any, Any, Any]:
    """Class, deltas and mask of the instance that each RoI is on, see `targets_of_rois`."""

    def learn(rois: Any, instance: Any, class_ids: Any, boxes: Any, masks: Any) -> Any:
        return targets_of_rois(rois, instance, class_ids, normalize(boxes, config.image_shape), masks, config)

    count = config.rois_per_image
    mask: Spec = (config.positive_rois, *config.mask_shape), "float32"
    specs: tuple[Spec, ...] = ((count,), "int32"), ((count, 4), "float32"), mask
    truth = (inputs[name] for name in ("gt_class_ids", "gt_boxes", "gt_masks"))
    found: tuple[Any, Any, Any] = Step(learn, *specs, name="proposal_targets")(rois, instance, *truth)
    return found


def _aligner(levels: dict[str, Any], config: Config) -> Callable[[Any, int, str], Any]:
    """RoIAlign with a gradient that is the same in every run; one list of cells for classes and masks."""
    maps = [levels[name] for name in ("P2", "P3", "P4", "P5")]
    sizes, dtype = [level.shape[1:3] for level in maps], convolution_dtype(config)
    cells = Step(list_of_cells, ((config.fpn_channels,), dtype), name="roi_cells")(*maps)

    def align(boxes: Any, size: int, name: str) -> Any:
        function = partial(align_cells, sizes=sizes, pool_size=size, image_shape=config.image_shape)
        spec: Spec = (boxes.shape[1], size, size, config.fpn_channels), dtype
        return Step(function, spec, name=f"roi_align_{name}")(boxes, cells)

    return align
