"""Frames per second on one card: the report's configuration and the classroom network beside torchvision's Mask R-CNN.

``KERAS_BACKEND=tensorflow python -m benchmarks.bench_gpu``, and again with jax and torch; ``pip install torch
torchvision`` for the peer. Random pictures and weights: neither changes the time of a fixed number of proposals, but a
trained network keeps other numbers of instances. Without a card it says so and ends; ``--cpu`` runs it all the same,
to see that it works.
"""

import json
import sys
import time

import numpy as np

STEPS, WARM = 20, 3


def per_second(step, frames, steps=STEPS):
    """Frames per second of a function that handles so many frames, after some steps that compile."""
    for _ in range(WARM):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * frames / (time.perf_counter() - start)


def card():
    """Name of the first card that this backend sees; None without one."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        return tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU") if found else None
    if backend == "jax":
        import jax

        return jax.devices()[0].device_kind if jax.default_backend() == "gpu" else None
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def ours(config, folder, steps):
    """(training, detection) frames per second."""
    from tests.maskrcnn.small_training import frames as draw
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.frames.data import TrainingBatches

    folder.mkdir(exist_ok=True)
    found = draw(folder)
    model = MaskRCNN(config)
    model.compile(0.001)
    batch = TrainingBatches(found, config, steps=1, augmentation=None).batch(0, 0)
    train = per_second(lambda: model.training_model.train_on_batch(batch.x, return_dict=True), config.batch_size, steps)
    image = np.random.default_rng(0).integers(0, 256, (640, 832, 3), np.uint8)
    detect = per_second(lambda: model.detect([image] * config.batch_size, config.batch_size), config.batch_size, steps)
    return train, detect


def torchvisions(batch_size, device, steps):
    """(training, detection) frames per second of ``maskrcnn_resnet50_fpn`` on 832x640 pictures."""
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=8, min_size=640, max_size=832)
    model.to(device)
    images = [torch.rand(3, 640, 832, device=device) for _ in range(batch_size)]
    masks = torch.zeros(3, 640, 832, dtype=torch.uint8, device=device)
    masks[:, 100:200, 100:300] = 1
    boxes = torch.tensor([[100.0, 100.0, 300.0, 200.0]] * 3, device=device)
    target = {"boxes": boxes, "labels": torch.ones(3, dtype=torch.int64, device=device), "masks": masks}
    optimizer = torch.optim.SGD(model.parameters(), 0.001)

    def train():
        model.train()
        optimizer.zero_grad()
        sum(model(images, [target] * batch_size).values()).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    def detect():
        model.eval()
        with torch.no_grad():
            model(images)
        if device == "cuda":
            torch.cuda.synchronize()

    return per_second(train, batch_size, steps), per_second(detect, batch_size, steps)


def main(arguments):
    import tempfile
    from pathlib import Path

    from wadlib.training import quiet

    quiet()
    import keras

    from wadlib.maskrcnn.config import Config

    name = card()
    if name is None and "--cpu" not in arguments:
        print(f"no card that Keras on {keras.backend.backend()} can use: nothing measured (--cpu tries it without)")
        return
    steps = STEPS if name else 1
    rows = {"card": name or "none", "backend": keras.backend.backend(), "keras": keras.__version__}
    with tempfile.TemporaryDirectory() as folder:
        for config in (Config.report(), Config.classroom()):
            rows[config.name] = ours(config, Path(folder), steps)
    try:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        rows["torchvision"] = torchvisions(Config.report().batch_size, device, steps)
    except ImportError as error:
        rows["torchvision"] = f"not measured: {error}"
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
