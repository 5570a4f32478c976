"""The same weights give the same forward pass and the same losses on TensorFlow, JAX and PyTorch."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.backends import environment

SCRIPT = Path(__file__).with_name("network_forward.py")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("network_forward", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def weights(script, tmp_path_factory):
    """Random weights of a network with opinions, but none so strong that two float32 scores round to the same 1."""
    from wadlib.maskrcnn import MaskRCNN

    rng = np.random.default_rng(1)
    arrays = {}
    for name, variables in MaskRCNN(script.config()).weights_by_layer().items():
        for number, variable in enumerate(variables):
            value = variable.numpy()
            if value.ndim == 1:  # biases and statistics, which start as 0 and 1
                value = value + rng.uniform(-0.1, 0.1, value.shape)
            arrays[f"{name}/{number}"] = value
    for name, factor in (("rpn_class_raw", 5), ("mrcnn_class_logits", 20)):
        arrays[f"{name}/0"] = arrays[f"{name}/0"] * factor
    path = tmp_path_factory.mktemp("weights") / "weights.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def here(script, weights):
    return script.results(np.load(weights))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(backend, here, weights, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    out = tmp_path / "results.npz"
    command = [sys.executable, str(SCRIPT), str(out), str(weights)]
    subprocess.run(command, check=True, env=environment(backend), timeout=300)
    there = np.load(out)
    assert set(there) == set(here)
    assert (here["detections"][..., 4] > 0).sum() >= 5
    for name, expected in here.items():
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(there[name], expected, atol=1e-3 * scale, err_msg=name)
