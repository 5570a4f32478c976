"""A training on two virtual devices of this processor beside the same on one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wadlib.errors import TrainingError
from wadlib.training import read_log, use_devices

ROOT = Path(__file__).resolve().parents[2]


def train(network, devices, epochs, run, folder):
    """Train in a process of its own; rows of the log, weights, config.json."""
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, str(ROOT / "tests/training/two_devices.py"), network, str(devices), str(epochs)]
    done = subprocess.run([*command, str(run), str(folder)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(f"{run}.npz") as file:
        weights = [file[name] for name in file.files]
    return read_log(run), weights, json.loads((run / "config.json").read_text(encoding="utf-8"))


def largest_difference(one, other):
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["unet", "maskrcnn"])
def test_two_devices_learn_what_one_does(network, tmp_path):
    pytest.importorskip("jax")
    one, weights, config = train(network, 1, 1, tmp_path / "one", tmp_path / "data")
    two, weights_of_two, config_of_two = train(network, 2, 1, tmp_path / "two", tmp_path / "data")
    assert (config["environment"]["devices"], config_of_two["environment"]["devices"]) == (1, 2)
    # Before training: the same network, also on the last validation batch, which is odd.
    before = abs(two["val_loss"][0] / one["val_loss"][0] - 1)
    first = abs(two["loss"][1] / one["loss"][1] - 1)
    apart = largest_difference(weights, weights_of_two)
    print(f"{network}: validation {before:.1e}, loss {first:.1e}, weights after 5 steps {apart:.1e}")
    assert before < 1e-6
    assert first < (1e-6 if network == "unet" else 1e-5)  # a mean over five steps
    assert apart < 1e-5
    # A run of two devices goes on with one.
    further, _, config = train(network, 1, 2, tmp_path / "two", tmp_path / "data")
    assert further["epoch"].tolist() == [0, 1, 2]
    assert further["loss"][1] == two["loss"][1]
    assert config["environment"]["devices"] == 2  # as it began


def test_errors_say_why(monkeypatch):
    import keras

    use_devices(1, 3)
    for backend, reason in (("tensorflow", "MirroredStrategy"), ("torch", "not divide batches")):
        monkeypatch.setattr(keras.backend, "backend", lambda backend=backend: backend)
        with pytest.raises(TrainingError, match=rf"need Keras on JAX(.|\n)*{reason}(.|\n)*KERAS_BACKEND=jax"):
            use_devices(2, 4)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(TrainingError, match=r"batch of 3 frames cannot be divided(.|\n)*--batch-size 4"):
        use_devices(2, 3)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0"])
    with pytest.raises(TrainingError, match=r"asked for 2 devices, JAX has 1: cpu:0"):
        use_devices(2, 4)
