"""The notebooks as they lie in the repository. Each test lists all cells and files that break its rule."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARTS = [
    "The question",
    "The idea in five lines",
    "By hand",
    "The library on a real frame",
    "The report's figure beside ours",
    "Exercises",
]


def cells(path, kind):
    return [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == kind]


def code_cells():
    """(where, cell) of every code cell of every notebook."""
    return [
        (f"{path.stem}, code cell {number}", cell)
        for path in NOTEBOOKS
        for number, cell in enumerate(cells(path, "code"), 1)
    ]


def outputs():
    """(where, output) of every output of every notebook."""
    return [(where, output) for where, cell in code_cells() for output in cell["outputs"]]


def source(cell):
    return "".join(cell["source"])


def test_notebooks_match_their_sources():
    from wadlib.course.notebooks import check

    check(ROOT)


def test_ran_without_errors_or_warnings():
    wrong = [f"{where}: {o}" for where, o in outputs() if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert not wrong, "\n".join(wrong)


def test_are_small():
    wrong = [f"{path.stem}: {path.stat().st_size} bytes" for path in NOTEBOOKS if path.stat().st_size > 1_000_000]
    assert not wrong, "\n".join(wrong)


def test_cells_fit_on_a_screen():
    wrong = [f"{where}: {source(cell)[:80]}" for where, cell in code_cells() if len(source(cell).splitlines()) > 30]
    assert not wrong, "more than 30 lines:\n" + "\n".join(wrong)


def test_have_the_six_parts_in_order():
    wrong = []
    for path in NOTEBOOKS:
        text = "\n".join(source(cell) for cell in cells(path, "markdown"))
        found = [heading for heading in re.findall(r"^## (.+)$", text, re.M) if heading in PARTS]
        if found != PARTS or len(re.findall(r"^# ", text, re.M)) != 1:
            wrong.append(f"{path.stem}: {found}")
    assert NOTEBOOKS
    assert not wrong, "\n".join(wrong)


def test_figures_have_alt_text():
    wrong = []
    for where, output in outputs():
        data = output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            wrong.append(f"{where}: use wadlib.course.classroom.show")
        tags = re.findall(r"<img [^>]*>", "".join(data.get("text/html", [])))
        wrong += [f"{where}: {tag[:80]}" for tag in tags if not re.search(r'alt="[^"]{20,}"', tag)]
    assert not wrong, "\n".join(wrong)


def test_have_solutions_to_their_exercises():
    solved = {p.stem: sum("solution" in c["metadata"].get("tags", []) for c in cells(p, "code")) for p in NOTEBOOKS}
    assert not {stem: count for stem, count in solved.items() if count < 3}


# Built from pieces, so that this file does not hold them.
@pytest.mark.parametrize("folder", ["home", "root", "work", "Users", "tmp"])
def test_name_no_path_of_the_machine(folder):
    pattern = re.compile(rf'["\s\'(]/{folder}/\w')
    assert not [path.stem for path in NOTEBOOKS if pattern.search(path.read_text(encoding="utf-8"))]


def test_import_from_few_rooms_and_nothing_private():
    """A student reads a dozen import lines at the most, and only what the rooms offer."""
    wrong = []
    for path in NOTEBOOKS:
        lines = [
            line
            for cell in cells(path, "code")
            for line in re.findall(r"^\s*(?:from|import) wadlib.*", source(cell), re.M)
        ]
        if len(lines) > 12:
            wrong.append(f"{path.stem}: {len(lines)} import lines")
        wrong += [f"{path.stem}: {line}" for line in lines if re.search(r"\._|import _", line)]
    assert not wrong, "\n".join(wrong)
