"""A training on two virtual devices of this processor beside the same on one."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.backends import environment, keeping_compiled
from wadlib.errors import TrainingError
from wadlib.training import read_log, use_devices

ROOT = Path(__file__).resolve().parents[2]


def start(network, devices, epochs, run, folder, own_devices=2, **more):
    """Begin a training in a process of its own, which has so many devices and may find what one before it compiled."""
    variables = environment(
        "jax",
        XLA_FLAGS=f"--xla_force_host_platform_device_count={own_devices}",
        PYTHONPATH=str(ROOT),
        PYTHONWARNINGS="ignore",
        **keeping_compiled(run.parent / "compiled"),
        **more,
    )
    command = [sys.executable, str(ROOT / "tests/training/two_devices.py"), network, str(devices), str(epochs)]
    return subprocess.Popen(
        [*command, str(run), str(folder)], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def result(process, file):
    """Wait for a training; its weights and the loss of its first step."""
    output = process.communicate(timeout=900)[0]
    assert process.returncode == 0, output
    with np.load(file) as found:
        return [found[name] for name in found.files if name != "loss"], float(found["loss"])


def train(network, devices, epochs, run, folder):
    """Train in a process of its own; rows of the log, weights, config.json, loss of the first step."""
    weights, loss = result(start(network, devices, epochs, run, folder), f"{run}.npz")
    return read_log(run), weights, json.loads((run / "config.json").read_text(encoding="utf-8")), loss


def largest_difference(one, other):
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["unet", "maskrcnn"])
def test_two_devices_learn_what_one_does(network, tmp_path):
    pytest.importorskip("jax")
    one, weights, config, loss = train(network, 1, 1, tmp_path / "one", tmp_path / "data")
    two, weights_of_two, config_of_two, loss_of_two = train(network, 2, 1, tmp_path / "two", tmp_path / "data")
    assert (config["environment"]["devices"], config_of_two["environment"]["devices"]) == (1, 2)
    # Before training: the same network, also on the last validation batch, which is odd.
    before = abs(two["val_loss"][0] / one["val_loss"][0] - 1)
    first, mean = abs(loss_of_two / loss - 1), abs(two["loss"][1] / one["loss"][1] - 1)
    apart = largest_difference(weights, weights_of_two)
    print(f"{network}: validation {before:.1e}, first loss {first:.1e}, mean of 5 {mean:.1e}, weights {apart:.1e}")
    assert before < 1e-6
    assert first < 1e-6
    assert mean < 1e-5
    assert apart < 1e-5
    # A run of two devices goes on with one.
    further, _, config, _ = train(network, 1, 2, tmp_path / "two", tmp_path / "data")
    assert further["epoch"].tolist() == [0, 1, 2]
    assert further["loss"][1] == two["loss"][1]
    assert config["environment"]["devices"] == 2  # as it began


@pytest.mark.slow
def test_two_processes_train_together_and_one_writes(tmp_path):
    """As on two machines, with one device each: the first begins a run, two go on with it, and all of it is one run."""
    pytest.importorskip("jax")
    weights, loss = result(start("unet", 1, 2, tmp_path / "one", tmp_path), tmp_path / "one.npz")
    one = read_log(tmp_path / "one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = tmp_path / "two"
    for epochs in (1, 2):  # the second time both read the checkpoint of the first
        both = [start("unet", 2, epochs, run, tmp_path, 1, PROCESS=f"{n}:{port}") for n in range(2)]
        found = [result(process, f"{run}{n}.npz") for n, process in enumerate(both)]
        if epochs == 1:
            assert [abs(each / loss - 1) < 1e-6 for _, each in found] == [True, True]
            assert read_log(run)["epoch"].tolist() == [0, 1]
    two = read_log(run)
    assert largest_difference(found[0][0], found[1][0]) == 0
    assert largest_difference(weights, found[0][0]) < 1e-4
    assert two["epoch"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(two["val_loss"][:2], one["val_loss"][:2], rtol=1e-5)
    assert abs(two["val_loss"][0] / one["val_loss"][0] - 1) < 1e-6
    assert json.loads((run / "config.json").read_text(encoding="utf-8"))["environment"]["devices"] == 2


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
