"""A training run of a small Mask R-CNN, the same in this process and in another one.

As a program, ``python small_training.py RUN DATA`` trains in a folder, so that a test can kill it.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

from wadlib.dataset.frame import Frame
from wadlib.frames import write_image, write_label
from wadlib.maskrcnn import Config
from wadlib.maskrcnn.learning.plan import Plan, TrainStage
from wadlib.training import deterministic, quiet

SHAPE = (64, 192)
CONFIG = Config.classroom().replace(
    image_shape=SHAPE,
    fpn_channels=8,
    rpn_channels=8,
    head_channels=8,
    mask_channels=8,
    pre_nms_limit=60,
    proposals_training=20,
    proposals_inference=10,
    rois_per_image=8,
    max_gt_instances=6,
    max_instances=5,
    min_confidence=0.0,
)
PLAN = Plan(
    (TrainStage("heads", 1, 0.001), TrainStage("all", 3, 0.0005)),
    steps=3,
    validation_frames=2,
    window=128,
    rare_share=0.9,
    copy_paste=1.0,
)


def step_by_step(on: bool = True) -> None:
    """TensorFlow without compiling: for a few steps that is quicker, and the numbers of two runs are as equal."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(on)


def frames(folder: Path) -> list[Frame]:
    """Eight pictures of boxes, which are cars; every third one has a tricycle, a disc; the last holds nothing."""
    found = []
    for i in range(8):
        rng = np.random.default_rng(i)
        image, label = np.full((*SHAPE, 3), 90, np.uint8), np.full(SHAPE, 255, np.uint16)
        for number in range(3 if i < 7 else 0):
            y, x = int(rng.integers(4, 40)), int(rng.integers(2, 160))
            image[y : y + 14, x : x + 24] = 200, 60, 40 * number
            label[y : y + 14, x : x + 24] = 33000 + number
        if i % 3 == 0:
            disc = np.zeros(SHAPE, np.uint8)
            cv2.circle(disc, (int(rng.integers(20, 170)), 30), 10, 1, -1)
            image[disc > 0], label[disc > 0] = (30, 90, 220), 40000
        frame = Frame(f"frame_{i}", "video", folder / f"{i}.jpg", folder / f"{i}.png")
        if not frame.image_path.exists():
            write_label(frame.label_path, label)
            write_image(frame.image_path, image)
        found.append(frame)
    return found


def train(run, folder, plan=PLAN, config=CONFIG, seed=0, **options):
    """One run; returns model and training."""
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.learning.training import train_maskrcnn

    model = MaskRCNN(config)
    data = frames(folder)
    training = train_maskrcnn(model, data[:6], data[6:], plan=plan, run=run, seed=seed, progress=False, **options)
    return model, training


if __name__ == "__main__":
    quiet()
    deterministic(0)
    step_by_step()
    train(Path(sys.argv[1]), Path(sys.argv[2]))
