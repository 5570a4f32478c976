"""Write the pages of the book's reference: one for the core, one for each room, from the docstrings."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from wadlib._shared.files import make_folder, write_text

CORE: tuple[str, ...] = ("errors", "labels", "frames", "preprocess", "overlap", "iou")
"""The six modules to read first, in this order."""

ROOMS: tuple[str, ...] = (
    "dataset",
    "instances",
    "metrics",
    "interop",
    "graphcut",
    "training",
    "unet",
    "maskrcnn",
    "tracking",
    "rendered",
    "figures",
    "viewer",
    "course",
)
"""The packages around the core, each a method or a service."""


def write_reference(folder: Path) -> list[Path]:
    """Write ``api.rst`` and a page for each room into `folder`, for Sphinx to fill from the docstrings.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of Path
        The pages, the front page first.
    """
    make_folder(folder)
    core = [importlib.import_module(f"wadlib.{name}") for name in CORE]
    pages = {"core": _page("The core", "The six files to read first.", core)}
    for name in ROOMS:
        package = importlib.import_module(f"wadlib.{name}")
        pages[name] = _page(f"wadlib.{name}", inspect.getdoc(package) or "", list(_modules(package)))
    toctree = [".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in pages)]
    front = "\n".join(
        [*_heading("Reference", "="), "", "One page for the core and one for each room.", "", *toctree, ""]
    )
    written = []
    for name, text in {"index": front, **pages}.items():
        written.append(folder / f"{name}.rst")
        write_text(written[-1], text)
    return written


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    """The public modules of a package, in the order of their names."""
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        public = not any(part.startswith("_") for part in info.name.split("."))
        if public and not info.ispkg:
            yield importlib.import_module(info.name)


def _offers(module: ModuleType) -> list[str]:
    """Names without underscore that a module defines: functions, classes, and the constants that have a docstring."""
    from sphinx.pycode import ModuleAnalyzer

    documented = {name for owner, name in ModuleAnalyzer.for_module(module.__name__).find_attr_docs() if not owner}
    constants = {name for name in documented if not callable(getattr(module, name))}
    homes = {name for name in vars(module) if _is_home(module, name)}
    return sorted(name for name in constants | homes if not name.startswith("_"))


def _is_home(module: ModuleType, name: str) -> bool:
    value: Any = getattr(module, name)
    return callable(value) and (value.__module__, getattr(value, "__name__", "")) == (module.__name__, name)


def _page(title: str, text: str, modules: list[ModuleType]) -> str:
    """A page: what the room is for, a table of its names, and their docstrings."""
    lines = [*_heading(title, "="), "", text, "", ".. autosummary::", "   :nosignatures:", ""]
    # A constant has the docstring of its type: it stands below only, with the comment behind it.
    callables = [(module, name) for module in modules for name in _offers(module) if callable(getattr(module, name))]
    lines += [f"   {module.__name__}.{name}" for module, name in callables]
    for module in modules:
        lines += ["", *_heading(module.__name__, "-"), "", f".. automodule:: {module.__name__}"]
        lines += [f"   :members: {', '.join(names)}", ""] if (names := _offers(module)) else [""]
    return "\n".join(lines) + "\n"


def _heading(text: str, line: str) -> list[str]:
    return [text, line * len(text)]
