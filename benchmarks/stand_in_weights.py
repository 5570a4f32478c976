"""Weights and ground truth for comparisons of networks: random, but such that every stage has something to do.

Shared by the benchmark of Mask R-CNN and the tests that compare it with the original.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from wadlib.maskrcnn.config import Config

__all__ = ["calibrate", "conditioned", "ground_truth", "original_inputs", "picture", "random_weights"]

# Layers whose outputs are brought to a sensible spread: layer -> (standard deviation, offset of the first channel).
OUTPUTS = {
    "rpn_class_raw": (1.5, 1.0),
    "rpn_bbox_pred": (0.7, 0.0),
    "mrcnn_class_logits": (2.0, 0.5),
    "mrcnn_bbox_fc": (0.7, 0.0),
    "mrcnn_mask": (2.0, 0.0),
}

# Where the outputs of a layer are seen; the same names in both networks.
STAGES = {
    "rpn_class_raw": "rpn_class",
    "rpn_bbox_pred": "rpn_bbox",
    "mrcnn_class_logits": "mrcnn_class_logits",
    "mrcnn_bbox_fc": "mrcnn_bbox",
    "mrcnn_mask": "mrcnn_mask",
}


def picture(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Plain patches of many sizes with some noise, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    image = np.full((*shape, 3), 120.0)
    for _ in range(60):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        height, width = (rng.integers(4, side // 3) for side in shape)
        image[y : y + height, x : x + width] = rng.uniform(0, 255, 3)
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def random_weights(
    shapes: dict[str, list[tuple[int, ...]]], seed: int = 0, contrast: float = 100
) -> dict[str, list[np.ndarray]]:
    """Weights that keep activations near 1 from the picture to the heads, and leave no bias or statistic at 0 or 1.

    `shapes` are those of each layer's arrays; `contrast` is about the spread of the network's input.
    """
    rng = np.random.default_rng(seed)
    weights = {}
    for name, parts in shapes.items():
        if len(parts) == 4:  # batch normalisation
            gamma, variance = (rng.uniform(0.6, 1.4, parts[0]) for _ in range(2))
            beta, mean = (rng.normal(0, 0.1, parts[0]) for _ in range(2))
            if name == "bn_conv1":
                variance *= contrast**2
            if name.endswith(("branch2c", "project")):
                gamma *= 0.3  # sixteen of them are added up
            arrays = [gamma, beta, mean, variance]
        else:
            kernel = parts[0]
            inputs = kernel[-1] if name == "mrcnn_mask_deconv" else np.prod(kernel[:-1])
            if name.endswith("filter"):  # depthwise
                inputs = kernel[0] * kernel[1]
            arrays = [rng.normal(0, np.sqrt(2 / inputs), kernel), *(rng.normal(0, 0.05, bias) for bias in parts[1:])]
            if name in OUTPUTS:
                arrays[0] *= 0.01  # to be scaled up by `calibrate`: saturated outputs could not be
        weights[name] = [array.astype(np.float32) for array in arrays]
    return weights


def conditioned(weights: dict[str, list[np.ndarray]], seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Weights of a ResNet's Mask R-CNN after which a small error stays small, as it does after training.

    With the kernels of `random_weights` neighbouring cells have nothing in common. Small anchors win (three of four
    anchors are on P2), and their boxes and masks of some 7x8 pixels are noise: an error of 1 % in the features turns
    over non-maximum suppression, and one pixel is a sixth of a box. Hence three changes:

    - kernels larger than 1x1 are bells (binomial), times random numbers for each pair of channels: features vary
      slowly, as the picture does;
    - P2, P3 and P4 are fainter than P5, so that the large anchors win: objects of about 70 pixels;
    - the mask head averages (no weight is negative but in its first layer): towards the border of its map, which is
      padded with zeros, its output falls, so that masks are blobs instead of noise.

    To be used before `calibrate`.
    """
    rng = np.random.default_rng(seed)
    changed = dict(weights)
    for name, (kernel, *rest) in weights.items():
        if kernel.ndim != 4 or kernel.shape[0] == 1 or name == "mrcnn_class_conv1":
            continue  # mrcnn_class_conv1: a vector for each place of the 7x7, nothing slides
        if name == "mrcnn_mask_deconv":
            kernel = np.broadcast_to(_averaging(kernel[:1, :1]), kernel.shape)
        else:
            line = np.array([1.0])
            for _ in range(kernel.shape[0] - 1):
                line = np.convolve(line, [0.5, 0.5])
            inputs = kernel.shape[2]
            channels = rng.normal(0, np.sqrt(2 / inputs), kernel.shape[2:])
            if name in ("mrcnn_mask_conv2", "mrcnn_mask_conv3", "mrcnn_mask_conv4"):
                channels = _averaging(channels)
            kernel = np.outer(line, line)[:, :, None, None] * channels
        changed[name] = [kernel.astype(np.float32), *rest]
    for name, share in (("fpn_p2", 0.3), ("fpn_p3", 0.5), ("fpn_p4", 0.7)):
        kernel, *rest = changed[name]
        changed[name] = [kernel * np.float32(share), *rest]
    kernel, *rest = weights["mrcnn_mask"]
    changed["mrcnn_mask"] = [abs(kernel), *rest]
    return changed


def _averaging(kernel: np.ndarray) -> np.ndarray:
    """Without signs; divided by the root of the number of inputs, which random signs would have taken out."""
    return abs(kernel) / np.sqrt(kernel.shape[-1])


def calibrate(
    weights: dict[str, list[np.ndarray]],
    assign: Callable[[dict[str, list[np.ndarray]]], None],
    compute: Callable[[str], np.ndarray],
) -> None:
    """Give the output layers the spread of `OUTPUTS`, in `weights` and in the network.

    One after the other, as later layers see the outputs of earlier ones.

    Parameters
    ----------
    weights : layer -> arrays, changed in place
    assign : gives such weights to the network
    compute : name of a stage -> its values for some picture
    """
    for name, stage in STAGES.items():
        spread, offset = OUTPUTS[name]
        kernel, bias = weights[name]
        given = compute(stage)
        if stage == "mrcnn_mask":
            given = given[0, :8]  # later rows may be empty
        if stage in ("rpn_class", "mrcnn_mask"):
            given = np.log(given) - np.log1p(-given)
        given = given.reshape(-1, len(bias))  # (cases, channels)
        factor = spread / given.std(axis=0).mean()
        bias = (bias - given.mean(axis=0)) * factor
        bias[:: 2 if stage == "rpn_class" else len(bias)] += offset
        weights[name] = [(kernel * factor).astype(np.float32), bias.astype(np.float32)]
        assign({name: weights[name]})


def ground_truth(network, config: Config, seed: int = 0) -> SimpleNamespace:
    """A picture with objects where the network happens to propose some, so that targets of all kinds occur.

    .image (H,W,3) uint8 · .class_ids (N,), the last one a crowd · .boxes (N,4) int32 · .masks (N,H,W) bool ·
    .inputs of the original's training network.
    """
    rng = np.random.default_rng(seed)
    image = picture(config.image_shape)
    height, width = config.image_shape
    rois = network.intermediate(["ROI"], [image])["ROI"][0]
    pixels = np.rint(rois * [height, width, height, width]).astype(int)
    # Clear of the lower and right border: where a box ends there, rounding may cost the original a row of features.
    fit = ((pixels[:, 2:] - pixels[:, :2]).min(axis=1) >= 12) & (pixels[:, 2:] < [height - 6, width - 6]).all(axis=1)
    boxes = pixels[fit][rng.choice(fit.sum(), 6, replace=False)] + rng.integers(-2, 3, (6, 4))
    boxes = np.clip(boxes, 0, [height, width, height, width]).astype(np.int32)
    class_ids = np.array([1, 3, 4, 7, 1, -1], np.int32)
    masks = np.zeros((6, height, width), bool)
    rows, columns = np.mgrid[:height, :width]
    for mask, (y1, x1, y2, x2) in zip(masks, boxes, strict=True):
        # The ellipse that fills the box, so that the box of the mask is the box.
        across = ((rows + 0.5 - (y1 + y2) / 2) / ((y2 - y1) / 2)) ** 2 + (
            (columns + 0.5 - (x1 + x2) / 2) / ((x2 - x1) / 2)
        ) ** 2
        mask[:] = across <= 1
        mask[y1:y2, (x1 + x2) // 2] = mask[(y1 + y2) // 2, x1:x2] = True
    return SimpleNamespace(
        image=image, class_ids=class_ids, boxes=boxes, masks=masks,
        inputs=original_inputs(network, image, class_ids, boxes, masks),
    )  # fmt: skip


def original_inputs(network, image, class_ids, boxes, masks) -> list[np.ndarray]:
    """Inputs of the original's training network, made by the original's own functions."""
    from wadlib.maskrcnn.original.matterport import modules

    model, utils, config = modules().model, modules().utils, network.config
    shape = image.shape
    anchors = utils.generate_pyramid_anchors(
        config.RPN_ANCHOR_SCALES,
        config.RPN_ANCHOR_RATIOS,
        model.compute_backbone_shapes(config, shape),
        config.BACKBONE_STRIDES,
        config.RPN_ANCHOR_STRIDE,
    )
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002  (the original draws from NumPy's global state)
    match, deltas = model.build_rpn_targets(shape, anchors, class_ids, boxes, config)
    np.random.set_state(state)  # noqa: NPY002
    meta = model.compose_image_meta(0, shape, shape, (0, 0, *shape[:2]), 1, np.ones(config.NUM_CLASSES, int))
    mini = utils.minimize_mask(boxes, masks.transpose(1, 2, 0), config.MINI_MASK_SHAPE)
    count, most = len(class_ids), config.MAX_GT_INSTANCES
    padded_ids, padded_boxes = np.zeros((1, most), np.int32), np.zeros((1, most, 4), np.int32)
    padded_masks = np.zeros((1, *mini.shape[:2], most), bool)
    padded_ids[0, :count], padded_boxes[0, :count], padded_masks[0, ..., :count] = class_ids, boxes, mini
    molded = model.mold_image(image.astype(np.float32), config)[None]
    return [molded, meta[None], match[None, :, None], deltas[None], padded_ids, padded_boxes, padded_masks]
