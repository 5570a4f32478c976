"""The core: six files that are read in half an hour, import little, and work alone; and the 17 names of `wadlib`."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wadlib

ROOT = Path(__file__).resolve().parents[1]
CORE = ("errors", "labels", "frames", "preprocess", "overlap", "iou")
FILES = [ROOT / "wadlib" / f"{name}.py" for name in CORE]
NAMES = {
    "open_wad", "Frame", "Video", "read_image", "read_label", "write_label", "CLASSES", "BACKGROUND", "IGNORE",
    "encode", "decode", "crop_and_downscale", "Overlap", "report_iou", "pooled_iou", "Instances", "MaskViewer",
}  # fmt: skip


def imported(path):
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            if node.module == "wadlib":
                yield from (f"wadlib.{alias.name}" for alias in node.names)


def is_of_the_core(name):
    package, _, rest = name.partition(".")
    if package == "wadlib":
        return not rest or rest.split(".")[0] in (*CORE, "_shared")
    return package in {"numpy", "cv2"} or package in sys.stdlib_module_names


def test_the_core_fits_on_1100_lines():
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert sum(lines.values()) <= 1100, lines


def test_the_core_imports_itself_what_is_shared_numpy_and_opencv():
    found = {path.name: [name for name in imported(path) if not is_of_the_core(name)] for path in FILES}
    assert found == {path.name: [] for path in FILES}


def test_nothing_else_stands_beside_the_core():
    """A new room is a folder."""
    assert {path.stem for path in (ROOT / "wadlib").glob("*.py")} == {"__init__", *CORE}


def test_the_tests_of_the_core_import_no_room():
    for path in sorted((ROOT / "tests" / "core").glob("*.py")):
        rooms = [name for name in imported(path) if name.split(".")[0] == "wadlib" and not is_of_the_core(name)]
        assert not rooms, f"{path.name} imports {rooms}"


@pytest.mark.parametrize("name", ["tensorflow", "keras", "pandas", "wadlib.dataset", "wadlib.metrics.ap"])
def test_core_only_refuses_all_else(name, tmp_path):
    """What `WADLIB_CORE_ONLY=1 python -m pytest tests/core` promises, seen from a test beside those of the core."""
    code = (
        "import importlib, runpy; "
        f"runpy.run_path({str(ROOT / 'tests' / 'core' / 'conftest.py')!r}); "
        "importlib.import_module('wadlib.iou'); "
        f"importlib.import_module({name!r})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"WADLIB_CORE_ONLY": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert ran.stderr.strip().endswith("is beyond the core (WADLIB_CORE_ONLY is set)"), ran.stderr


# --- import wadlib as wad ------------------------------------------------------------------------


def test_wadlib_offers_17_names_and_its_version():
    assert len(NAMES) == 17
    assert set(dir(wadlib)) == set(wadlib.__all__) == NAMES | {"__version__"}


def test_the_names_are_those_of_their_modules():
    from wadlib import dataset, frames, instances, iou, labels, overlap, preprocess, viewer

    homes = (dataset, frames, instances, iou, labels, overlap, preprocess, viewer)
    for name in NAMES:
        assert any(getattr(home, name, None) is getattr(wadlib, name) for home in homes), name
    with pytest.raises(AttributeError, match="rendr"):
        _ = wadlib.rendr


def test_type_checkers_see_the_names(tmp_path):
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text("import wadlib as wad\nreveal_type(wad.pooled_iou)\nwad.nothing\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(script)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert "overlaps: typing.Iterable[wadlib.overlap.Overlap]" in said.replace("collections.abc", "typing"), said
    assert 'script.py:3: error: Module has no attribute "nothing"' in said
