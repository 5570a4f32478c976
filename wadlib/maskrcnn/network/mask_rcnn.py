"""The graph of a Mask R-CNN: layers made once, wired for inference, for training and for looking inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.learning import losses
from wadlib.maskrcnn.learning.sampled_rpn import outputs_of_patches, patches_around, sampled_anchors
from wadlib.maskrcnn.learning.targets import choose_rois, targets_of_rois
from wadlib.maskrcnn.network.anchors import normalized_anchors
from wadlib.maskrcnn.network.backbone import backbone
from wadlib.maskrcnn.network.boxes import normalize
from wadlib.maskrcnn.network.detections import refine
from wadlib.maskrcnn.network.fpn import pyramid
from wadlib.maskrcnn.network.gather import take_class, take_rows
from wadlib.maskrcnn.network.heads import ClassHead, MaskHead
from wadlib.maskrcnn.network.layers import convolution_dtype
from wadlib.maskrcnn.network.proposals import moved_anchors, propose, proposed_anchors
from wadlib.maskrcnn.network.roi import align_cells, list_of_cells, roi_align
from wadlib.maskrcnn.network.rpn import rpn_model, rpn_on_pyramid

__all__ = ["Graph", "Step"]

Spec = tuple[tuple[int | None, ...], str]


class Step(keras.layers.Layer):
    """A function of tensors as a named layer without weights.

    Parameters
    ----------
    function : callable
    *specs : (shape without the batch axis, dtype) of each result; () as shape for a scalar
    """

    def __init__(self, function: Callable[..., Any], *specs: Spec, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.function, self.specs = function, specs
        self.supports_jit = keras.backend.backend() != "tensorflow"  # TensorFlow's NMS and crops have no XLA kernel

    def call(self, *tensors: Any) -> Any:
        """The function of the tensors."""
        return self.function(*tensors)

    def compute_output_spec(self, *tensors: Any) -> Any:
        """Shapes and types as declared."""
        found = [keras.KerasTensor((None, *shape) if shape else (), dtype=dtype) for shape, dtype in self.specs]
        return found[0] if len(found) == 1 else tuple(found)


class Graph:
    """All layers of a network and the symbolic tensors of its first stage.

    Parameters
    ----------
    config : Config
    dense_gradient : bool, optional
        Whether the way back through the region proposal network runs over all anchors, or over those alone that have
        a gradient; the step is the same. By default the second where it can be taken: an anchor in each cell.
    """

    def __init__(self, config: Config, *, dense_gradient: bool | None = None) -> None:
        self.config = config
        self.image = keras.Input((*config.image_shape, 3), name="image")
        self.tensors: dict[str, Any] = backbone(self.image, config)
        self.tensors |= pyramid(self.tensors, config)
        self.rpn = rpn_model(config)
        self.dense_gradient = config.anchor_stride != 1 if dense_gradient is None else dense_gradient
        names = ("rpn_class_logits", "rpn_class", "rpn_bbox")
        answers = rpn_on_pyramid(self.rpn, self.levels(6), gradient=self.dense_gradient)
        self.tensors |= dict(zip(names, answers, strict=True))
        self.class_head = ClassHead(config)
        self.mask_head = MaskHead(config)

    def levels(self, last: int) -> list[Any]:
        """P2 up to the last one: 6 for the RPN, 5 for the heads."""
        return [self.tensors[f"P{number}"] for number in range(2, last + 1)]

    @cached_property
    def _anchors(self) -> Any:
        return ops.convert_to_tensor(normalized_anchors(self.config), "float32")

    def _align(self, boxes: Any, levels: list[Any], size: int, name: str) -> Any:
        shape = self.config.image_shape

        def step(boxes: Any, *levels: Any) -> Any:
            return roi_align(boxes, levels, size, shape)

        return Step(step, self._pooled(boxes, size), name=name)(boxes, *levels)

    def _align_in_training(self, boxes: Any, cells: Any, size: int, name: str) -> Any:
        sizes, shape = [level.shape[1:3] for level in self.levels(5)], self.config.image_shape

        def step(boxes: Any, cells: Any) -> Any:
            return align_cells(boxes, cells, sizes, size, shape)

        return Step(step, self._pooled(boxes, size), name=name)(boxes, cells)

    def _pooled(self, boxes: Any, size: int) -> Spec:
        return (boxes.shape[1], size, size, self.config.fpn_channels), convolution_dtype(self.config)

    # --- inference -------------------------------------------------------------------------------

    def detect(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """From picture and window to detections.

        Returns
        -------
        inputs : image (B, H, W, 3), mean subtracted; window (B, 4) normalised
        tensors : by name, the last is ``mrcnn_detection`` (B, max_instances, 6)
        """
        config, found = self.config, dict(self.tensors)
        window = keras.Input((4,), name="window")
        count, anchors = config.proposals_inference, self._anchors

        def proposed(probabilities: Any, deltas: Any) -> Any:
            return propose(probabilities[:, :, 1], deltas, anchors, config, count)

        rois = Step(proposed, ((count, 4), "float32"), name="ROI")(found["rpn_class"], found["rpn_bbox"])
        found["rpn_rois"] = rois
        pooled = self._align(rois, self.levels(5), config.pool_size, "roi_align_classifier")
        found["roi_align_classifier"] = pooled
        logits, probabilities, deltas = self.class_head(pooled)
        found |= {"mrcnn_class_logits": logits, "mrcnn_class": probabilities, "mrcnn_bbox": deltas}

        def step(rois: Any, probabilities: Any, deltas: Any, window: Any) -> Any:
            return refine(rois, probabilities, deltas, window, config)

        refined = Step(step, ((config.max_instances, 6), "float32"), name="mrcnn_detection")
        found["mrcnn_detection"] = refined(rois, probabilities, deltas, window)
        return {"image": self.image, "window": window}, found

    def masks(self, boxes: Any, levels: list[Any]) -> tuple[Any, Any]:
        """Masks of detections: boxes (B, N, 4 or more) -> aligned features, masks (B, N, 28, 28, K)."""
        pooled = self._align(boxes[..., :4], levels, self.config.mask_pool_size, "roi_align_mask")
        return pooled, self.mask_head(pooled)

    def mask_model(self, count: int) -> keras.Model:
        """From pyramid and `count` detections per picture to the mask of each one's class, (B, count, 28, 28)."""
        detections = keras.Input((count, 6), name="detections")
        levels = [
            keras.Input(level.shape[1:], dtype=level.dtype, name=f"P{2 + i}") for i, level in enumerate(self.levels(5))
        ]
        _, masks = self.masks(detections, levels)

        def own(masks: Any, detections: Any) -> Any:
            return take_class(ops.moveaxis(masks, 4, 2), ops.cast(detections[..., 4], "int32"))

        picked = Step(own, ((count, *self.config.mask_shape), "float32"), name="mask_of_class")(masks, detections)
        return keras.Model({"detections": detections, **{x.name: x for x in levels}}, picked, name="masks")

    # --- training --------------------------------------------------------------------------------

    def losses(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """From picture and ground truth to the five losses.

        Returns
        -------
        inputs : image; rpn_match, rpn_bbox (targets of the RPN); gt_class_ids, gt_boxes (pixels), gt_masks;
            roi_priority (the draw of RoIs), see `wadlib.maskrcnn.frames.data`
        losses : by name, scalars, not weighted
        """
        config = self.config
        inputs = self._training_inputs()
        rpn_losses = self._rpn_losses(inputs["rpn_match"], inputs["rpn_bbox"])

        rois, class_ids, deltas, masks = self._targets(inputs)
        spec = (config.fpn_channels,), convolution_dtype(config)
        cells = Step(list_of_cells, spec, name="roi_cells")(*self.levels(5))  # once, for classes and masks
        pooled = self._align_in_training(rois, cells, config.pool_size, "roi_align_classifier")
        logits, _, predicted_deltas = self.class_head(pooled)
        # RoIs on objects come first, and no other has a mask to learn.
        positive = config.positive_rois
        pooled = self._align_in_training(rois[:, :positive], cells, config.mask_pool_size, "roi_align_mask")
        predicted_masks = self.mask_head(pooled)

        def scalar(function: Callable[..., Any]) -> Step:
            return Step(function, ((), "float32"), name=function.__name__)

        return inputs, rpn_losses | {
            "mrcnn_class_loss": scalar(losses.mrcnn_class_loss)(class_ids, logits),
            "mrcnn_bbox_loss": scalar(losses.mrcnn_bbox_loss)(deltas, class_ids, predicted_deltas),
            "mrcnn_mask_loss": scalar(losses.mrcnn_mask_loss)(masks, class_ids[:, :positive], predicted_masks),
        }

    def _training_inputs(self) -> dict[str, Any]:
        config = self.config
        anchors, objects = len(normalized_anchors(config)), config.max_gt_instances
        shapes: dict[str, Spec] = {
            "rpn_match": ((anchors,), "int8"),
            "rpn_bbox": ((config.rpn_train_anchors, 4), "float32"),
            "gt_class_ids": ((objects,), "int32"),
            "gt_boxes": ((objects, 4), "float32"),
            "gt_masks": ((objects, *config.mini_mask_shape), "uint8"),
            "roi_priority": ((config.proposals_training,), "float32"),
        }
        return {"image": self.image} | {
            name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in shapes.items()
        }

    def _rpn_losses(self, match: Any, targets: Any) -> dict[str, Any]:
        if self.dense_gradient:
            logits, deltas = self.tensors["rpn_class_logits"], self.tensors["rpn_bbox"]
        else:
            config, spec = self.config, ((min(self.config.rpn_train_anchors, match.shape[1]),), "int32")

            def sample(match: Any) -> Any:
                return sampled_anchors(match, config)

            match, anchors = Step(sample, spec, spec, name="sampled_anchors")(match)
            logits, deltas = self._answers(anchors, "sampled_patches")
        scalar: Spec = (), "float32"
        return {
            "rpn_class_loss": Step(losses.rpn_class_loss, scalar, name="rpn_class_loss")(match, logits),
            "rpn_bbox_loss": Step(losses.rpn_bbox_loss, scalar, name="rpn_bbox_loss")(targets, match, deltas),
        }

    def _answers(self, anchors: Any, name: str) -> tuple[Any, Any]:
        """Logits and deltas of some anchors, (B, n), with a gradient to the levels."""
        config, count = self.config, anchors.shape[1]
        patch = (count, 9, config.fpn_channels), convolution_dtype(config)

        def cut(anchors: Any, *levels: Any) -> Any:
            return patches_around(anchors, *levels, config=config)

        ratio, patches = Step(cut, ((count,), "int32"), patch, name=name)(anchors, *self.levels(6))
        return outputs_of_patches(self.rpn, ratio, patches, config)

    def _targets(self, inputs: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
        config, count, positive = self.config, self.config.rois_per_image, self.config.positive_rois
        anchors, most = self._anchors, config.proposals_training

        def choose(scores: Any, moves: Any, class_ids: Any, boxes: Any, priority: Any) -> Any:
            proposals, origin = proposed_anchors(scores[:, :, 1], moves, anchors, config, most)
            boxes = normalize(boxes, config.image_shape)
            if config.truth_as_proposals:
                objects = ops.where((class_ids > 0)[..., None], boxes, 0.0)
                proposals = ops.concatenate([proposals, objects], axis=1)
                origin = ops.concatenate([origin, ops.full_like(class_ids, -1)], axis=1)
                priority = ops.concatenate([priority, priority[:, : objects.shape[1]]], axis=1)
            places, instance = choose_rois(proposals, class_ids, boxes, priority, config)
            first = places[:, :positive]
            return take_rows(proposals, places), instance, ops.where(first >= 0, take_rows(origin, first), -1)

        chosen: tuple[Spec, ...] = ((count, 4), "float32"), ((count,), "int32"), ((positive,), "int32")
        names = ("gt_class_ids", "gt_boxes", "roi_priority")
        rois, instance, origin = Step(choose, *chosen, name="chosen_rois")(
            self.tensors["rpn_class"], self.tensors["rpn_bbox"], *(inputs[name] for name in names)
        )
        own = self._with_gradient(rois, origin) if config.proposal_gradient else ops.stop_gradient(rois)

        def learn(own: Any, instance: Any, class_ids: Any, boxes: Any, masks: Any) -> Any:
            return targets_of_rois(own, instance, class_ids, normalize(boxes, config.image_shape), masks, config)

        learnt: tuple[Spec, ...] = (
            ((count,), "int32"),
            ((count, 4), "float32"),
            ((positive, *config.mask_shape), "float32"),
        )
        names = ("gt_class_ids", "gt_boxes", "gt_masks")
        found = Step(learn, *learnt, name="proposal_targets")(own, instance, *(inputs[name] for name in names))
        return rois, *found

    def _with_gradient(self, rois: Any, origin: Any) -> Any:
        """The same RoIs; those on objects, which come first, pass a gradient to the region proposal network.

        origin : (B, P), the anchor that each of the first P RoIs was; -1 for none
        """
        if self.dense_gradient:
            return rois
        config, anchors, positive = self.config, self._anchors, origin.shape[1]
        _, deltas = self._answers(ops.maximum(origin, 0), "patches_of_rois")

        def move(rois: Any, origin: Any, deltas: Any) -> Any:
            moved = moved_anchors(ops.maximum(origin, 0), deltas, anchors, config)
            first = ops.where((origin >= 0)[..., None], moved, rois[:, :positive])
            return ops.concatenate([first, rois[:, positive:]], axis=1)

        return Step(move, (rois.shape[1:], "float32"), name="rois_with_gradient")(
            ops.stop_gradient(rois), origin, deltas
        )
