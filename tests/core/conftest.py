"""With WADLIB_CORE_ONLY=1 nothing but the core can be imported: `WADLIB_CORE_ONLY=1 python -m pytest tests/core`.

The core has to work, and to be tested, where TensorFlow is not installed and no room of `wadlib` exists.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder

import pytest

CORE = {"errors", "labels", "frames", "preprocess", "overlap", "iou", "_shared"}
HEAVY = {"tensorflow", "keras", "tf_keras", "torch", "jax", "mrcnn", "pandas", "matplotlib"}


def is_beyond_the_core(name: str) -> bool:
    """Whether a module is heavy, or of a room of `wadlib`."""
    package, _, rest = name.partition(".")
    return package in HEAVY or (package == "wadlib" and bool(rest) and rest.split(".")[0] not in CORE)


class Refusal(MetaPathFinder):
    """Asked before every other finder; says no by an error, and nothing otherwise."""

    def find_spec(self, fullname, path=None, target=None):
        if is_beyond_the_core(fullname):
            raise ModuleNotFoundError(f"{fullname} is beyond the core (WADLIB_CORE_ONLY is set)", name=fullname)


if os.environ.get("WADLIB_CORE_ONLY", "0") not in ("", "0"):
    if loaded := sorted(name for name in sys.modules if is_beyond_the_core(name)):
        raise pytest.UsageError(f"WADLIB_CORE_ONLY: already loaded before the first test: {', '.join(loaded[:5])}")
    sys.meta_path.insert(0, Refusal())
