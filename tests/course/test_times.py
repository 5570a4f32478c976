"""Minutes at the top of the notebooks: within a quarter of a model from counts, and the same in the instructor's pack.

The rates of the model are chosen, not measured with a class: text 120 words a minute, which suits a technical text in a
second language; code 20 lines a minute; 1 minute for a figure or a displayed equation, 2 for a viewer or a slider, 5
for the example by hand; an exercise of level 1, 2, 3 takes 3, 6, 12 minutes with its text. The open task comes on top.
"""

import re
from pathlib import Path

import pytest

from wadlib.course.exercises.judging import exercises_of
from wadlib.course.notebooks import read_source, sources

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sources(ROOT)
TIME = re.compile(r"\*\*Time:\*\* about (\d+) minutes \(reading (\d+), exercises (\d+)\)")
WORDS, LINES, FIGURE, EQUATION, PLAY, BY_HAND = 120, 20, 1, 1, 2, 5
LEVELS = {1: 3, 2: 6, 3: 12}


def lines_to_read(code):
    """Lines of code without imports, lists of imported names, closing brackets, comments and blank lines."""
    return len(re.findall(r"^(?!\s*(?:from |import |#|[)\]}]|\w+,$|$)).*$", code, re.M))


def minutes(path):
    """Reading and exercises of a notebook, in minutes."""
    cells = [c for c in read_source(path).cells if "solution" not in c.metadata.get("tags", [])]
    first = next(i for i, c in enumerate(cells) if "## Exercises" in c.source)
    parts = [c.source for c in cells[:first] if c.cell_type == "markdown"]
    parts += [cells[first].source.partition("## Exercises")[0], cells[-1].source]
    text = "\n".join(parts)
    code = "\n".join(c.source for c in cells[:first] if c.cell_type == "code")
    equations = re.findall(r"\$\$.*?\$\$", text, re.S)
    words = re.sub(r"\$\$.*?\$\$|\]\([^)]*\)", " ", text, flags=re.S).split()
    reading = len(words) / WORDS + lines_to_read(code) / LINES + len(equations) * EQUATION + BY_HAND
    reading += len(re.findall(r"^show\(", code, re.M)) * FIGURE
    reading += len(re.findall(r"\bMaskViewer\(|\bfigure_slider\(", code)) * PLAY
    return reading, sum(LEVELS[each.level] for each in exercises_of(path.stem[:2]).values())


def stated(path):
    """The minutes that the notebook states: in all, reading, exercises."""
    return tuple(int(number) for number in TIME.search(read_source(path).cells[0].source).groups())


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem[:2])
def test_the_time_at_the_top_is_within_a_quarter_of_the_model(path):
    total, reading, exercises = stated(path)
    assert total == reading + exercises
    assert (reading, exercises) == pytest.approx(minutes(path), rel=0.25)  # each, so that one does not hide the other


def test_the_instructors_pack_states_the_same_minutes():
    page = (ROOT / "book" / "instructor.md").read_text(encoding="utf-8")
    table = page.partition("| notebook | minutes |")[2].partition("\n\n")[0]
    rows = {
        number: tuple(map(int, rest)) for number, *rest in re.findall(r"\| (\d\d) \| (\d+) \| (\d+) \| (\d+) ", table)
    }
    assert rows == {path.stem[:2]: stated(path) for path in SOURCES}
