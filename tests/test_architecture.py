"""The shape of the project: layers, sizes, imports, notebooks, and files that must agree."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wadlib"

# Low to high. A module imports from its own layer or from lower ones.
LAYERS = [
    {"errors"},
    {"_shared"},
    {"labels"},
    {"frames", "preprocess"},
    {"overlap", "iou"},
    {"dataset"},
    {"instances"},
    {"rendered"},
    {"metrics"},
    {"interop"},
    {"graphcut"},
    {"training"},
    {"unet", "maskrcnn"},
    {"tracking"},
    {"figures"},
    {"viewer"},
    {"course"},
    {"cli"},
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path, everywhere=True):
    """Full names of the modules that a file imports (anywhere, or when it is loaded)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    stack = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        if not everywhere and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        ):
            continue
        stack.extend(ast.iter_child_nodes(node))
    return names


def top(name):
    return name.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_layers_only_look_down(path):
    if path == PACKAGE / "__init__.py":
        return
    own = LAYER[top(module_name(path))]
    for name in imports_of(path):
        if name.startswith("wadlib.") and top(name) in LAYER:
            assert LAYER[top(name)] <= own, f"{module_name(path)} imports {name} from a higher layer"


def test_every_module_has_a_layer():
    assert {top(module_name(p)) for p in MODULES if p != PACKAGE / "__init__.py"} <= set(LAYER)


def test_no_import_cycles():
    known = {module_name(path) for path in MODULES}
    graph = {module_name(path): imports_of(path, everywhere=False) & known for path in MODULES}
    done, active = set(), []

    def visit(name):
        assert name not in active, " -> ".join([*active, name])
        if name not in done:
            active.append(name)
            for other in sorted(graph[name] - {name}):
                visit(other)
            active.pop()
            done.add(name)

    for name in graph:
        visit(name)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_modules_are_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 310


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_only_the_networks_import_tensorflow(path):
    if top(module_name(path) + ".") in {"training", "unet", "maskrcnn"}:
        return
    heavy = {"tensorflow", "keras", "tf_keras", "torch", "jax", "mrcnn"}
    assert not {name.split(".")[0] for name in imports_of(path)} & heavy


def test_import_is_instant():
    code = (
        "import sys, wadlib; "
        "slow = {'numpy', 'tensorflow', 'keras', 'cv2', 'numba', 'matplotlib', 'pandas', 'scipy'} & set(sys.modules); "
        "sys.exit(str(slow) if slow else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_dataset_modules_do_not_wait_for_slow_packages():
    code = (
        "import sys, wadlib.dataset, wadlib.frames, wadlib.metrics, wadlib.cli; "
        "slow = {'tensorflow', 'keras', 'numba', 'matplotlib', 'pandas', 'sklearn', 'skimage'} & set(sys.modules); "
        "sys.exit(str(slow) if slow else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_exist_and_have_docstrings():
    code = """
import importlib, inspect, pkgutil, sys, wadlib
bad = []
for info in pkgutil.walk_packages(wadlib.__path__, 'wadlib.'):
    module = importlib.import_module(info.name)
    if not (module.__doc__ or '').strip():
        bad.append(info.name)
    for name in getattr(module, '__all__', []):
        thing = getattr(module, name)
        if (inspect.isfunction(thing) or inspect.isclass(thing)) and not (thing.__doc__ or '').strip():
            bad.append(f'{info.name}.{name}')
sys.exit('\\n'.join(bad) if bad else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# --- files that must agree -----------------------------------------------------------------------


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]


def test_constraints_are_exact_and_name_no_host():
    for line in constraints():
        assert re.match(r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+-]+( ; .+)?$", line), line
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_every_requirement_is_pinned():
    pinned = {canonical(re.split(r"==", line)[0]) for line in constraints()}
    wanted = {canonical(re.match(r"[A-Za-z0-9._-]+", r).group()) for r in requirements()}
    assert wanted <= pinned, wanted - pinned


def test_pins_satisfy_pyproject():
    from packaging.requirements import Requirement

    pins = {canonical(line.split("==")[0]): line.split("==")[1].split(" ")[0] for line in constraints()}
    for text in requirements():
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[canonical(requirement.name)]), text


def test_environment_yml_installs_this_project_with_the_constraints():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    python, pip, packages = environment["dependencies"]
    assert pip == "pip"
    assert "--constraint constraints.txt" in packages["pip"]
    (editable,) = [line for line in packages["pip"] if line.startswith("--editable")]
    extras = set(re.search(r"\.\[(.*)\]", editable).group(1).split(","))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras <= set(project["optional-dependencies"])
    from packaging.specifiers import SpecifierSet

    assert SpecifierSet(project["requires-python"]).contains(python.removeprefix("python="))


def test_named_packages_of_the_course_are_required():
    named = {"jupyterlab", "tensorflow", "mrcnn", "numpy", "scikit-image", "matplotlib", "ipywidgets", "pymaxflow"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {canonical(re.match(r"[A-Za-z0-9._-]+", r).group()) for r in project["dependencies"]}
    assert named <= required


def test_report_numbers_are_data():
    facts = json.loads((ROOT / "report" / "report_facts.json").read_text(encoding="utf-8"))
    assert facts["facts"]["table_1"]["value"]["car"] == 0.2899
    assert (ROOT / "report" / "loss_curves.csv").is_file()


def test_makefile_lists_its_targets():
    said = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    listed = re.findall(r"^\W+(?:1m)?([a-z-]+)", said, re.M)
    assert {"setup", "lab", "report", "test", "lint", "bench", "render-notebooks", "handout", "clean"} <= set(listed)


def test_ci_runs_the_readmes_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


# --- notebooks -----------------------------------------------------------------------------------


def cells(path, kind):
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == kind]


def test_notebooks_match_their_sources():
    from wadlib.course.notebooks import check

    check(ROOT)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
class TestNotebook:
    def test_ran_without_errors_or_warnings(self, path):
        for cell in cells(path, "code"):
            for output in cell["outputs"]:
                assert output["output_type"] != "error"
                assert output.get("name") != "stderr", output

    def test_is_small(self, path):
        assert path.stat().st_size <= 1_000_000

    def test_cells_fit_on_a_screen(self, path):
        for cell in cells(path, "code"):
            assert len("".join(cell["source"]).splitlines()) <= 30, "".join(cell["source"])[:80]

    def test_has_the_six_parts_in_order(self, path):
        text = "\n".join("".join(c["source"]) for c in cells(path, "markdown"))
        parts = [
            "The question",
            "The idea in five lines",
            "By hand",
            "The library on a real frame",
            "The report's figure beside ours",
            "Exercises",
        ]
        found = [h for h in re.findall(r"^## (.+)$", text, re.M) if h in parts]
        assert found == parts
        assert len(re.findall(r"^# ", text, re.M)) == 1

    def test_figures_have_alt_text(self, path):
        for cell in cells(path, "code"):
            for output in cell["outputs"]:
                data = output.get("data", {})
                assert not any(kind.startswith("image/") for kind in data), "use wadlib.course.classroom.show"
                for tag in re.findall(r"<img [^>]*>", "".join(data.get("text/html", []))):
                    assert re.search(r'alt="[^"]{20,}"', tag)

    def test_has_solutions_to_its_exercises(self, path):
        solved = [c for c in cells(path, "code") if "solution" in c["metadata"].get("tags", [])]
        assert len(solved) >= 3

    def test_names_no_path_of_the_machine(self, path):
        text = path.read_text(encoding="utf-8")
        # Built from pieces, so that this file does not hold them.
        for folder in ("home", "root", "work", "Users", "tmp"):
            assert not re.search(rf'["\s\'(]/{folder}/\w', text), folder
