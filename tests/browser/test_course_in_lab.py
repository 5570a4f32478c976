"""A notebook of the course in a real JupyterLab: solutions are folded, exercises check themselves, sliders move."""

from pathlib import Path

import nbformat
import pytest

from wadlib.course.notebooks import read_source, sources

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NAME = "00_start_here"

# Runs a cell as a hand does, with another source where one is given; returns the text below it.
RUN_CELL = """async ([index, source]) => {
    const notebook = panel.content;
    if (source !== null) notebook.model.cells.get(index).sharedModel.setSource(source);
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    await jupyterapp.commands.execute('notebook:run-cell');
    return notebook.widgets[index].outputArea.node.innerText;
}"""

# What of a cell can be seen.
SEEN = """(index) => {
    const cell = panel.content.widgets[index];
    const seen = (selector) => [...cell.node.querySelectorAll(selector)].filter((e) => e.offsetHeight > 0).length;
    return {
        input: seen('.jp-InputArea-editor'), output: seen('.jp-OutputArea-output'),
        folds: seen('.jp-InputPlaceholder, .jp-OutputPlaceholder'), text: cell.node.innerText,
    };
}"""


@pytest.fixture(scope="module")
def notebook():
    """Notebook 00 as its source makes it; its solutions have been run."""
    (path,) = (p for p in sources(ROOT) if p.stem == NAME)
    made = read_source(path)
    for cell in made.cells:
        if cell.cell_type == "code" and "solution" in cell.metadata.get("tags", []):
            cell.outputs = [nbformat.v4.new_output("stream", text="the answer is printed\n")]
    return made


@pytest.fixture(scope="module")
def cells(notebook):
    return notebook.cells


@pytest.fixture(scope="module")
def page(lab, context, notebook):
    nbformat.write(notebook, lab.root / f"{NAME}.ipynb")
    page = lab.open_file(context, NAME)
    yield page
    page.close()


def tagged(cells, tag):
    """Numbers of the code cells with a tag."""
    return [n for n, c in enumerate(cells) if c.cell_type == "code" and tag in c.metadata.get("tags", [])]


def test_solutions_are_folded_until_one_asks(page, cells):
    solutions = tagged(cells, "solution")
    assert len(solutions) >= 3
    for number in solutions:
        seen = page.evaluate(SEEN, number)
        assert (seen["input"], seen["output"]) == (0, 0), number
        assert seen["folds"] >= 1, number
    text = page.evaluate("panel.content.node.innerText").splitlines()
    hidden = {line.strip() for n in solutions for line in cells[n].source.splitlines()[1:] if "check(" not in line}
    shown = {line.strip() for n, cell in enumerate(cells) if n not in solutions for line in cell.source.splitlines()}
    assert not (hidden - shown) & {line.strip() for line in text}, "not even a first line can be read"
    assert "the answer is printed" not in text
    page.evaluate("(n) => panel.content.widgets[n].node.scrollIntoView()", solutions[0])
    page.evaluate("(n) => panel.content.widgets[n].node.querySelector('.jp-InputPlaceholder').click()", solutions[0])
    assert page.evaluate(SEEN, solutions[0])["input"] == 1
    assert page.evaluate(SEEN, tagged(cells, "exercise")[0])["input"] == 1, "the scaffold is open"


def test_a_check_says_what_is_wrong_and_what_is_right(page, cells):
    code = [n for n, c in enumerate(cells) if c.cell_type == "code"]
    for number in code[:2]:  # the imports, and the two small labels
        page.evaluate(RUN_CELL, [number, None])
    exercise, check = (tagged(cells, tag)[0] for tag in ("exercise", "check"))
    said = {}
    for answer in ("...", "1 / 2", "1 / 7"):
        page.evaluate(RUN_CELL, [exercise, f"iou_diagonal = {answer}"])
        said[answer] = page.evaluate(RUN_CELL, [check, None])
    assert said["..."].startswith("Exercise 00.1: not answered yet")
    assert said["1 / 2"].startswith("Exercise 00.1: not yet. ")
    assert len(said["1 / 2"]) > 50, "it says what is wrong"
    assert "1 / 7" not in said["1 / 2"], "and not what is right"
    assert said["1 / 7"].startswith("Exercise 00.1: right")


STREET = """
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from wadlib.course import figure_slider
from wadlib.figures import draw_frame, draw_label

label = np.full((120, 180), 255, np.uint16)
code = label[40:61, 50:81] = 33001
image = np.full((120, 180, 3), 180, np.uint8)
image[label == code] = 90
far = (slice(8, 104), slice(8, 152))
"""


def test_the_sliders_of_notebook_02_move(lab, context):
    """Its own cells, on a street that is drawn in no time."""
    (path,) = (p for p in sources(ROOT) if p.stem.startswith("02"))
    code = [c.source for c in read_source(path).cells if c.cell_type == "code"]
    (first,) = (n for n, source in enumerate(code) if source.startswith("SCALES, OFFSETS"))
    page = lab.open(context, "sliders", [STREET, *code[first : first + 2]])
    page.get_by_alt_text("The window at factor 4, its grid moved by 0 px.").wait_for()
    before = page.locator("img.figure").get_attribute("src")
    factor, offset = page.locator(".noUi-handle").all()
    factor.press("ArrowRight")
    page.get_by_alt_text("The window at factor 8, its grid moved by 0 px.").wait_for()
    offset.press("ArrowRight")
    page.get_by_alt_text("The window at factor 8, its grid moved by 1 px.").wait_for()
    assert page.locator("img.figure").count() == 1
    assert page.locator("img.figure").get_attribute("src") != before
    assert page.locator(".widget-readout").all_inner_texts() == ["1/8", "1 px"]
    assert page.locator("p.caption").inner_text().startswith("Figure 1.")
    page.close()


def test_equations_have_the_numbers_of_the_report(lab, context):
    (path,) = (p for p in sources(ROOT) if p.stem.startswith("04"))
    nbformat.write(read_source(path), lab.root / "04.ipynb")
    page = lab.open_file(context, "04")
    top = page.locator(".jp-Cell").first
    top.locator(".MathJax, mjx-container").first.wait_for()
    for number in (1, 2, 3):
        top.get_by_text(f"({number})", exact=True).first.wait_for()
    assert top.locator("merror, .merror, mjx-merror").count() == 0
    page.close()
