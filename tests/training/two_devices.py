"""Trainings of small networks on virtual devices: ``python two_devices.py NETWORK DEVICES EPOCHS RUN DATA``.

To be started with KERAS_BACKEND=jax and XLA_FLAGS=--xla_force_host_platform_device_count=2. Writes the weights and the
loss of the first step to RUN.npz. With PROCESS=number:port it is one of two processes, each with one device.
"""

import os
import sys
from pathlib import Path

import numpy as np

from tests.tiny_training import without_tensorflow
from wadlib.training import Batches, deterministic, fit, quiet, use_devices


def unet():
    """A narrow U-Net with cross entropy and dice, which is no mean over the samples; batch, model."""
    import keras

    from wadlib.unet import build_unet
    from wadlib.unet.architecture import Architecture
    from wadlib.unet.losses import SegmentationLoss

    model = build_unet(Architecture((32, 32, 3), classes=3, widths=(4, 8)))
    model.compile(keras.optimizers.SGD(0.01), SegmentationLoss())
    return model


def sample(item, rng):
    own = np.random.default_rng(item)
    return own.integers(0, 256, (32, 32, 3), np.uint8), own.integers(0, 3, (32, 32), np.uint8)


def train_unet(run, epochs):
    keep = {"workers": 0, "progress": False}
    data = Batches(range(20), sample, batch_size=4, steps=5)
    validation = Batches(range(100, 107), sample, batch_size=4, shuffle=False)  # the last batch has three
    model = unet()
    return model, fit(model, data, validation, run=run, epochs=epochs, before=True, **keep)


def train_maskrcnn(run, epochs, folder):
    from tests.maskrcnn.small_training import CONFIG, frames
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.learning.plan import Plan, TrainStage
    from wadlib.maskrcnn.learning.training import train_maskrcnn as train

    folder.mkdir(exist_ok=True)
    found = frames(folder)
    # Not Adam, which makes a whole step of a gradient that is nothing but rounding.
    model = MaskRCNN(CONFIG.replace(batch_size=2, optimizer="sgd"))
    plan = Plan((TrainStage("all", epochs, 0.001),), steps=5, validation_frames=3)
    training = train(model, found[:6], found[5:], plan=plan, run=run, before=True, workers=0, progress=False)
    return model.inference_model, training


def writing_in(folder):
    """Record which files of a folder this process opens for writing or puts there."""
    found, writes = [], os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], str | Path) and arguments[2] & writes:
            found.extend(path for path in (str(arguments[0]),) if path.startswith(f"{folder}/"))
        elif event in ("os.rename", "os.remove", "os.link"):
            found.extend(str(path) for path in arguments[:2] if str(path).startswith(f"{folder}/"))

    sys.addaudithook(hook)
    return found


def first_losses():
    """Record what each step of the training gives."""
    import keras

    losses, step = [], keras.Model.train_on_batch

    def train_on_batch(*args, **options):
        logs = step(*args, **options)
        losses.append(float(logs["loss"]))
        return logs

    keras.Model.train_on_batch = train_on_batch
    return losses


if __name__ == "__main__":
    network, devices, epochs, run, folder = sys.argv[1:]
    without_tensorflow()  # which Keras would import, for nothing but its random seed
    process, _, port = os.environ.get("PROCESS", "").partition(":")
    if process:
        import keras

        keras.distribution.initialize(f"127.0.0.1:{port}", 2, int(process))
    quiet()
    deterministic(0)
    use_devices(int(devices), 4 if network == "unet" else 2)
    losses, written = first_losses(), writing_in(run)
    options = (Path(run), int(epochs), *([Path(folder)] if network == "maskrcnn" else []))
    model, training = {"unet": train_unet, "maskrcnn": train_maskrcnn}[network](*options)
    weights = [np.asarray(weight) for weight in model.get_weights()]
    np.savez(f"{run}{process}.npz", *weights, loss=losses[0])
    assert bool(written) == (process != "1"), written
