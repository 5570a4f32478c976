"""Files around the package that must agree: pins, environments, the Makefile, CI."""

import importlib.metadata
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]


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


# --- what `make setup` installs ------------------------------------------------------------------


def pins(name):
    """Package -> version in a file of pins, on this machine."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonical(r.name): str(r.specifier) for r in found if r.marker is None or r.marker.evaluate()}


def needed(requirements):
    """All packages that the requirements ask for, and those ask for in turn, as installed here."""
    seen, todo = set(), [(Requirement(text), ("",)) for text in requirements]
    while todo:
        requirement, extras = todo.pop()
        if requirement.marker is not None and not any(requirement.marker.evaluate({"extra": e}) for e in extras):
            continue
        key = (canonical(requirement.name), ("", *sorted(requirement.extras)))
        if key not in seen:
            seen.add(key)
            todo += [(Requirement(text), key[1]) for text in importlib.metadata.requires(requirement.name) or []]
    return {name for name, _ in seen}


def test_setup_installs_what_the_project_needs_and_no_more():
    """`requirements.txt` is installed without a resolver, so it has to name every package, on this machine's Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(r for e in ("book", "test") for r in project["optional-dependencies"][e])]
    assert needed(wanted) == set(pins("requirements.txt"))


def test_setup_installs_the_pinned_versions():
    known = pins("constraints.txt")
    assert {n: v for n, v in pins("requirements.txt").items() if known.get(n) != v} == {}


def test_installed_versions_are_the_pinned_ones():
    """Else the tests have tested something other than what people get."""
    installed = {name: f"=={importlib.metadata.version(name)}" for name in pins("requirements.txt")}
    assert {n: v for n, v in installed.items() if pins("requirements.txt")[n] != v} == {}


def dry_run(target):
    """What `make TARGET` would run for a person: a make that runs these tests leaves marks in the environment."""
    marks = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in marks}
    make = ["make", "-n", target]
    return subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True, env=environment).stdout


def test_everything_runs_through_the_environments_interpreter():
    """Scripts in .venv/bin name the folder they were installed in, so a copied project would run the other one's."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"\$\(BIN\)/(\S+)", text.replace("BIN    := $(VENV)/bin", "")) == ["python"] * text.count(
        "$(BIN)/"
    )
    for target in ("lab", "report", "test", "bench", "render-notebooks", "handout"):
        said = dry_run(target)
        assert "/bin/python -m " in said.splitlines()[-1], target


def test_the_core_is_tested_first_and_without_tensorflow():
    said = dry_run("test")
    core, rest = [line for line in said.splitlines() if "-m pytest" in line]
    assert core.startswith("WADLIB_CORE_ONLY=1 ")
    assert "tests/core" in core
    assert "--ignore=tests/core" in rest
