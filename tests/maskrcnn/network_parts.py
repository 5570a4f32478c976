"""The parts of Mask R-CNN between its convolutions, and their gradients, on given numbers and on any backend.

As a program, ``python network_parts.py OUT.npz`` writes the results of the backend that KERAS_BACKEND names.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.learning import losses
from wadlib.maskrcnn.learning.targets import choose_rois, targets_of_rois
from wadlib.maskrcnn.network.anchors import normalized_anchors
from wadlib.maskrcnn.network.boxes import iou
from wadlib.maskrcnn.network.detections import refine
from wadlib.maskrcnn.network.gather import take_rows
from wadlib.maskrcnn.network.proposals import propose
from wadlib.maskrcnn.network.roi import neutral_roi_align, roi_align

CONFIG = Config.report().replace(
    image_shape=(64, 128), pre_nms_limit=600, proposals_training=60, rois_per_image=20, max_gt_instances=5,
    max_instances=20, min_confidence=0.3
)  # fmt: skip


def numbers():
    """What the convolutions would have said of two pictures, and their ground truth."""
    rng = np.random.default_rng(0)
    anchors = normalized_anchors(CONFIG)
    corner = rng.uniform(0, 0.6, (2, 5, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.15, 0.4, (2, 5, 2))], -1)
    near = np.stack([iou(anchors, picture).max(axis=1) for picture in boxes])  # (2, A)
    shapes = [(2, 64 // stride, 128 // stride, 6) for stride in (4, 8, 16, 32)]
    return {
        "scores": 0.5 * rng.random((2, len(anchors))) + 0.5 * near,
        "deltas": rng.normal(0, 0.5, (2, len(anchors), 4)),
        "P2": rng.normal(size=shapes[0]),
        "P3": rng.normal(size=shapes[1]),
        "P4": rng.normal(size=shapes[2]),
        "P5": rng.normal(size=shapes[3]),
        "probs": rng.dirichlet(np.full(8, 0.3), (2, 60)),
        "class_deltas": rng.normal(0, 1, (2, 60, 8, 4)),
        "gt_boxes": boxes,
        "gt_masks": np.repeat(np.repeat(rng.random((2, 5, 8, 8)) < 0.5, 7, 2), 7, 3),
        "priority": rng.random((2, 60)),
    }


CLASS_IDS = np.array([[1, 2, 7, -1, 0], [3, 3, 4, 5, 6]])


def detection_targets(proposals, class_ids, boxes, masks, priority, config):
    """RoIs to learn from, and what should be said of them: the two steps that training takes, one after the other."""
    places, instance = choose_rois(proposals, class_ids, boxes, priority, config)
    rois = take_rows(ops.cast(proposals, "float32"), places)
    return rois, *targets_of_rois(rois, instance, class_ids, boxes, masks, config)


def stages(x):
    """Every stage by name."""
    config = CONFIG
    rois = propose(x["scores"], x["deltas"], normalized_anchors(config), config, 60)
    levels = [x[name] for name in ("P2", "P3", "P4", "P5")]
    window = ops.convert_to_tensor([[0.0, 0.0, 1.0, 1.0], [0.1, 0.0, 0.9, 1.0]])
    truth = (x["gt_boxes"], x["gt_masks"], x["priority"])
    targets = detection_targets(rois, CLASS_IDS, *truth, config)
    return {
        "rois": rois,
        "aligned": roi_align(rois, levels, 7, config.image_shape),
        "aligned_in_training": neutral_roi_align(rois, levels, 7, config.image_shape),
        "detections": refine(rois, x["probs"], x["class_deltas"], window, config),
        "detections_every_class": refine(rois, x["probs"], x["class_deltas"], window, config.replace(every_class=True)),
        **dict(zip(("target_rois", "target_ids", "target_deltas", "target_masks"), targets, strict=True)),
    }


def objective(deltas, features, x):
    """One number that depends on the RPN's deltas and on the features by every path that has a gradient."""
    found = stages(x | {"deltas": deltas, "P2": features})
    # Stands in for the class head: its "logits" are sums of the aligned features.
    pooled = ops.sum(found["aligned_in_training"][:, :20], axis=(2, 3))  # (2, 20, 6)
    logits = ops.concatenate([pooled, pooled[..., :2]], axis=2)
    boxes = ops.tile(pooled[:, :, None, :4], (1, 1, 8, 1)) / 10
    ids = found["target_ids"]
    return losses.mrcnn_class_loss(ids, logits) + losses.mrcnn_bbox_loss(found["target_deltas"], ids, boxes)


def gradients(x):
    """Of `objective` for the deltas and for P2."""
    values = x["deltas"], x["P2"]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(values)
            total = objective(*values, x)
        found = tape.gradient(total, values)
    elif backend == "jax":
        import jax

        found = jax.jit(jax.grad(objective, argnums=(0, 1)))(*values, x)
    else:
        import torch

        values = [value.detach().clone().requires_grad_() for value in values]
        found = torch.autograd.grad(objective(*values, x), values)
    return dict(zip(("gradient_deltas", "gradient_P2"), found, strict=True))


def results():
    """All stages and gradients as arrays."""
    x = {name: ops.convert_to_tensor(value.astype(np.float32)) for name, value in numbers().items()}
    forward = stages
    if keras.backend.backend() == "jax":
        import jax

        forward = jax.jit(stages)  # operation by operation, each one would be compiled for itself
    return {name: ops.convert_to_numpy(value) for name, value in (forward(x) | gradients(x)).items()}


if __name__ == "__main__":
    np.savez(sys.argv[1], **results())
