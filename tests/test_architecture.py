"""The shape of the package: layers, sizes, imports. Each test lists all that break its rule."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wadlib"

LAYERS = [
    ["errors"],
    ["_shared"],
    ["labels"],
    ["frames", "preprocess"],
    ["overlap", "iou"],
    ["dataset", "instances", "interop"],  # a dataset of another format is read by `interop`; none of them in a circle
    ["rendered"],
    ["metrics"],
    ["graphcut"],
    ["training"],
    ["unet", "maskrcnn"],
    ["tracking"],
    ["figures"],
    ["viewer"],
    ["course", "classroom"],
    ["cli"],
]
"""THE list of layers, low to high: a module imports from its own layer or from lower ones."""

CORE = {"errors", "labels", "frames", "preprocess", "overlap", "iou"}
METHODS = {"rendered", "graphcut", "unet", "maskrcnn", "tracking"}
"""Rooms that one reads without another: none of them imports another. The course and the commands use them all."""

HEAVY = {"tensorflow", "keras", "tf_keras", "torch", "jax", "mrcnn"}
SLOW = HEAVY | {"numba", "matplotlib", "pandas", "sklearn", "skimage"}
LONGEST = 500

LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path):
    """Full names of all that a file imports: at its top, inside functions, under ``TYPE_CHECKING``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            # `from a import b`: the module a.b if there is one, else a name that a defines
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in MODULES else node.module for name in full}
    return names


IMPORTS = {name: imports_of(path) for name, path in MODULES.items()}


def room(name):
    """``labels`` of ``wadlib.labels``, ``graphcut`` of ``wadlib.graphcut.fast.solvers``; of ``wadlib`` itself none."""
    parts = name.split(".")
    return parts[1] if parts[0] == "wadlib" and len(parts) > 1 else None


def between_rooms():
    """(module, what it imports, its room, that one's room) wherever an import leads into another room."""
    for name, imported in IMPORTS.items():
        for other in sorted(imported):
            if room(name) and room(other) and room(name) != room(other):
                yield name, other, room(name), room(other)


def test_every_module_has_a_layer():
    assert {room(name) for name in MODULES} - {None} <= set(LAYER)


def test_layers_only_look_down():
    """A module of its own layer may be imported, so long as there is no cycle (see below)."""
    wrong = [f"{name} imports {other}" for name, other, own, its in between_rooms() if LAYER[its] > LAYER[own]]
    assert not wrong, "imports from a higher layer:\n" + "\n".join(wrong)


def test_the_core_imports_only_the_core():
    allowed = CORE | {"_shared"}
    wrong = [
        f"{name} imports {other}" for name, other, own, its in between_rooms() if own in allowed and its not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_no_method_imports_another():
    wrong = [f"{name} imports {other}" for name, other, own, its in between_rooms() if {own, its} <= METHODS]
    assert not wrong, "what two methods need belongs to a room below both:\n" + "\n".join(wrong)


def test_only_the_course_and_the_commands_draw_streets():
    """What works on rendered frames works on real ones: nothing else may know the renderer."""
    wrong = [
        f"{name} imports {other}"
        for name, other, own, its in between_rooms()
        if its == "rendered" and own not in {"course", "cli"}
    ]
    assert not wrong, "\n".join(wrong)


def loaded_by(name):
    """Modules that have to be there before `name` is: those it imports, and the packages around them."""
    found = set()
    for other in IMPORTS[name] & set(MODULES):
        parts = other.split(".")
        around = {".".join(parts[:k]) for k in range(1, len(parts))}
        # Python has begun the packages around `name` itself already; only naming one of them asks for what it holds.
        found |= {other} | {package for package in around if not f"{name}.".startswith(f"{package}.")}
    # `wadlib` loads what it offers when it is asked for: the modules it names are none that it needs.
    return found - {name, "wadlib"}


def test_no_import_cycles():
    """Imports for types alone count, and so does all that the ``__init__`` of an imported package loads."""
    graph = {name: loaded_by(name) for name in MODULES if name != "wadlib"}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" is imported by ".join(error.args[1])) from None


def test_modules_are_short():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    wrong = [f"{name}: {length} lines" for name, length in lengths.items() if length > LONGEST]
    assert not wrong, f"longer than {LONGEST} lines; split by what is one thing (a room), not by length:\n" + "\n".join(
        wrong
    )


def test_only_the_networks_import_tensorflow():
    wrong = [
        f"{name} imports {', '.join(sorted(heavy))}"
        for name, imported in IMPORTS.items()
        if (heavy := {other.split(".")[0] for other in imported} & HEAVY)
        and room(name) not in {"training", "unet", "maskrcnn"}
    ]
    assert not wrong, "\n".join(wrong)


def loaded_of(modules, wanted):
    """Which of the `wanted` modules a fresh interpreter has loaded after ``import modules``."""
    code = f"import sys, {modules}; print(*sorted(set({sorted(wanted)!r}) & set(sys.modules)))"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_import_is_instant():
    assert loaded_of("wadlib", SLOW | {"numpy", "cv2", "scipy"}) == []


def test_the_dataset_modules_do_not_wait_for_slow_packages():
    assert loaded_of("wadlib.dataset, wadlib.frames, wadlib.metrics, wadlib.cli", SLOW) == []
