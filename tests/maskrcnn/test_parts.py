"""NMS, RoIAlign, proposals, detections, targets and losses say the same on TensorFlow, JAX and PyTorch."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.backends import environment

SCRIPT = Path(__file__).with_name("network_parts.py")


@pytest.fixture(scope="module")
def here():
    spec = importlib.util.spec_from_file_location("network_parts", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.results()


def test_every_stage_has_something_to_do(here):
    assert (here["target_ids"] > 0).sum() >= 4
    assert (here["detections"][..., 5] > 0).sum() >= 10
    assert here["target_masks"].any()
    for name in ("gradient_deltas", "gradient_P2"):
        assert np.isfinite(here[name]).all()
        assert here[name].any()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(backend, here, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    out = tmp_path / "results.npz"
    subprocess.run([sys.executable, str(SCRIPT), str(out)], check=True, env=environment(backend), timeout=300)
    there = np.load(out)
    assert set(there) == set(here)
    for name, expected in here.items():
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(there[name], expected, atol=1e-4 * scale, err_msg=name)
