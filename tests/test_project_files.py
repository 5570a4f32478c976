"""Files around the package that must agree: pins, environments, the Makefile, CI."""

import json
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
