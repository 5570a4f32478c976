"""What the README promises: its code runs, its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tiny_wad):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names = {}
    exec(code.replace('"ROOT"', repr(str(tiny_wad()))), names)
    assert names["image"].shape == (2710, 3384, 3)
    assert names["label"].shape == (2710, 3384)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_every_command_of_the_readme_exists():
    from typer.testing import CliRunner

    from wadlib.cli import app

    listed = CliRunner().invoke(app, ["--help"]).output
    for command in re.findall(r"^wadlib (\w+)", README, re.M):
        assert command in listed
