"""A real JupyterLab and a real browser, started once for each module of tests.

Not once for all: while Playwright is there its event loop runs in this thread, and a notebook cannot be executed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.browser import browser, chromium, jupyter_lab

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A browser with a profile of its own."""
    if chromium() is None:
        pytest.skip("chromium is not installed")
    with browser(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab; its folder holds `moving_street.py`."""
    if chromium() is None:
        pytest.skip("chromium is not installed")
    with jupyter_lab(tmp_path_factory.mktemp("lab")) as lab:
        shutil.copy(HERE / "moving_street.py", lab.root)
        yield lab
