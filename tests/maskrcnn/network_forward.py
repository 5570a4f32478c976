"""One network, one picture, one step of training: what the backends must agree on.

As a program (``python network_forward.py out.npz weights.npz``, backend from KERAS_BACKEND) it loads the weights,
writes all stages of the forward pass and the losses of two steps of training.
"""

import sys

import numpy as np

from wadlib.maskrcnn import Config

HEIGHT, WIDTH = 128, 192
BOXES = np.array([[30, 20, 60, 70], [50, 100, 100, 170], [10, 120, 22, 132]], np.float32)
CLASS_IDS = np.array([1, 2, 4], np.int32)


def config(**changes):
    small = {
        "image_shape": (HEIGHT, WIDTH),
        "batch_size": 1,
        "pre_nms_limit": 500,
        "proposals_training": 100,
        "proposals_inference": 40,
        "max_gt_instances": 5,
        "max_instances": 20,
        "min_confidence": 0.0,
    }
    return Config.classroom().replace(**small | changes)


def picture(settings):
    """A red rectangle, a blue disc and a small yellow square; (1, H, W, 3), mean subtracted.

    Grainy all over: two places that look the same would score the same.
    """
    image = np.full((HEIGHT, WIDTH, 3), 90.0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image[30:60, 20:70] = 200, 50, 50
    image[((y - 75) / 25) ** 2 + ((x - 135) / 35) ** 2 < 1] = 50, 60, 220
    image[10:22, 120:132] = 240, 240, 60
    image += 10 * np.random.default_rng(0).normal(size=image.shape)
    return ((image - settings.mean_pixel) / settings.pixel_scale).astype(np.float32)[None]


def batch(settings, seed=0, objects=3):
    """Picture and ground truth; `seed` draws anchors and RoIs."""
    from wadlib.maskrcnn.learning.targets import rpn_targets
    from wadlib.maskrcnn.network.anchors import pyramid_anchors

    rng = np.random.default_rng(seed)
    number = settings.max_gt_instances
    class_ids = np.zeros(number, np.int32)
    boxes = np.zeros((number, 4), np.float32)
    masks = np.zeros((number, *settings.mini_mask_shape), np.uint8)
    class_ids[:objects], boxes[:objects], masks[:objects] = CLASS_IDS[:objects], BOXES[:objects], 1
    y, x = np.mgrid[:56, :56]
    masks[1] = objects > 1 and (y - 27.5) ** 2 + (x - 27.5) ** 2 < 28**2
    match, deltas = rpn_targets(pyramid_anchors(settings), class_ids, boxes, settings, rng)
    return {
        "image": picture(settings),
        "rpn_match": match[None],
        "rpn_bbox": deltas[None],
        "gt_class_ids": class_ids[None],
        "gt_boxes": boxes[None],
        "gt_masks": masks[None],
        "roi_priority": rng.random((1, settings.proposals_training)).astype(np.float32),
    }


def results(weights):
    """All stages of the forward pass, and the losses of two steps, by name."""
    from wadlib.maskrcnn import MaskRCNN

    settings = config()
    model = MaskRCNN(settings)
    for name, variables in model.weights_by_layer().items():
        for number, variable in enumerate(variables):
            variable.assign(weights[f"{name}/{number}"])
    found = model.stages(picture(settings)[0])
    detections, masks = model.forward(picture(settings), np.array([[0, 0, 1, 1]], np.float32))
    found |= {"detections": detections, "masks": masks}
    model.compile(learning_rate=1e-4)
    for step in range(2):
        losses = model.train_on(batch(settings, seed=step))
        found |= {f"step {step} {name}": np.array(value) for name, value in losses.items()}
    return found


if __name__ == "__main__":
    np.savez(sys.argv[1], **results(np.load(sys.argv[2])))
