"""A training run small enough for tests, the same in this process, in another one, and on every backend.

As a program, ``python tiny_training.py RUN [EPOCHS [DELAY_S]]`` trains in a folder, so that a test can kill it.
"""

import importlib.util
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from wadlib.training import Batches, deterministic, fit

ITEMS = tuple(range(10))


def without_tensorflow():
    """Make this process one of a machine that has no TensorFlow, as many with a GPU."""

    class Absent:
        @staticmethod
        def create_module(spec):
            raise ModuleNotFoundError(spec.name)

        @staticmethod
        def exec_module(module):
            pass

        @classmethod
        def find_spec(cls, name, path=None, target=None):
            return importlib.util.spec_from_loader(name, cls) if name.partition(".")[0] == "tensorflow" else None

    sys.meta_path.insert(0, Absent)


def picture(item, rng):
    """Is there more in the upper half than in the lower? With noise that differs from epoch to epoch."""
    x = np.random.default_rng(item).random((8, 8, 3), np.float32)
    y = np.float32(x[:4].mean() > x[4:].mean())
    return x + rng.normal(0, 0.1, x.shape).astype(np.float32), y[None]


def data(batch_size=4, seed=0, **options):
    return Batches(ITEMS, picture, batch_size=batch_size, seed=seed, name=lambda item: f"frame_{item}", **options)


def validation():
    return Batches(ITEMS[:5], picture, batch_size=5, shuffle=False, seed=1)


def model(seed=0, dropout=0.25, learning_rate=0.01, eager=False):
    """Convolution, batch statistics, dropout: every kind of state that a checkpoint must hold.

    Eager runs of a few steps are faster than compiling them.
    """
    import keras
    from keras import layers

    net = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(seed=seed)),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(dropout, seed=seed + 1),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 2)),
        ]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=["mae"], run_eagerly=eager)
    return net


def slowly(delay_s):
    """The same data, `delay_s` seconds per picture."""

    def sample(item, rng):
        time.sleep(delay_s)
        return picture(item, rng)

    return Batches(ITEMS, sample, batch_size=4, name=lambda item: f"frame_{item}")


if __name__ == "__main__":
    deterministic(0)
    run, epochs, delay_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    fit(model(), slowly(delay_s), validation(), run=run, epochs=epochs, progress=False)
