"""Exercises: each check accepts its solution and refuses wrong answers; what a class gets holds no answer."""

import json
import re
from pathlib import Path

import pytest

from tests.course.exercise_answers import ANSWERS
from wadlib.course import check, solved
from wadlib.course.exercises.judging import exercises_of
from wadlib.course.handing_out import hand_out, key_of, write_nbgrader, write_solutions
from wadlib.course.notebooks import read_source, sources
from wadlib.errors import WadError

ROOT = Path(__file__).resolve().parents[2]
CHECKED = sorted({key[:2] for key in ANSWERS})
"""Notebooks whose exercises check themselves."""


def cells_of(notebook):
    (path,) = (p for p in sources(ROOT) if p.stem.startswith(notebook))
    return read_source(path).cells


def tags(cell):
    return cell.metadata.get("tags", [])


@pytest.mark.parametrize("key", ANSWERS)
def test_the_solution_is_accepted_and_three_wrong_answers_are_not(key, capsys):
    right, wrong, given, _ = ANSWERS[key]
    assert len(wrong) == 3
    check(key, right, **given)
    assert f"Exercise {key}: right" in capsys.readouterr().out
    assert solved(key)
    for answer in wrong:
        check(key, answer, **given)
        said = capsys.readouterr().out
        assert f"Exercise {key}: not yet. " in said, answer
        assert not solved(key)
        assert len(said) > 45, "it says what is wrong"


def unanswered():
    raise NotImplementedError


@pytest.mark.parametrize("answer", [..., None, (1, ...), {"a": ...}, unanswered])
def test_a_scaffold_is_no_wrong_answer(answer, capsys):
    key = "00.2" if callable(answer) else "00.4"
    check(key, (lambda w: answer()) if callable(answer) else answer, **ANSWERS[key][2])
    assert "not answered yet" in capsys.readouterr().out


def test_a_function_that_raises_is_told_so_and_an_unknown_exercise_is_an_error(capsys):
    check("00.2", lambda w: 1 / 0)
    assert "ZeroDivisionError" in capsys.readouterr().out
    with pytest.raises(WadError, match="exercise to be one of"):
        check("00.9", 1)
    with pytest.raises(WadError, match="notebook to be one of"):
        check("77.1", 1)


@pytest.mark.parametrize("notebook", CHECKED)
def test_every_exercise_has_text_scaffold_check_and_solution(notebook):
    known = exercises_of(notebook)
    cells = [c for c in cells_of(notebook) if set(tags(c)) & {"exercise", "check", "solution", "open"}]
    code = [c for c in cells if c.cell_type == "code"]
    kinds = [next(k for k in ("exercise", "check", "solution") if k in tags(c)) for c in code]
    # A solution may be longer than a screen: then it goes on in a second cell.
    joined = re.sub("(solution )+", "solution ", " ".join(kinds) + " ")
    assert joined == "exercise check solution " * len(known)
    assert [key_of(c.source) for c in code if "check" in tags(c)] == list(known)
    assert {key for c in code if "solution" in tags(c) for key in re.findall(r'check\("(\d\d\.\d+)"', c.source)} == set(
        known
    ), "each solution is checked"
    assert [c.cell_type for c in cells if "open" in tags(c)] == ["markdown"], "one open task"
    text = "\n".join(c.source for c in cells_of(notebook) if c.cell_type == "markdown")
    stars = re.findall(r"^\*\*\d+\.\*\* (★+)", text, re.M)
    assert [len(s) for s in stars[:-1]] == [e.level for e in known.values()]
    assert {1, 2, 3} <= {len(s) for s in stars}
    predicts = re.findall(r"^\*\*(\d+)\.\*\* ★+ \*Predict first\.\*", text, re.M)
    assert predicts == [key[3:] for key, e in known.items() if e.predict]
    assert predicts
    assert sum(e.points for e in known.values()) >= 5


def plain(code):
    return re.sub(r"\s+", "", code)


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    return hand_out(tmp_path_factory.mktemp("handout"), ROOT)


@pytest.mark.parametrize("notebook", CHECKED)
def test_a_handout_holds_no_answer(notebook, handed_out):
    (path,) = (p for p in handed_out if p.stem.startswith(notebook))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert not [c for c in cells if c.get("outputs") or "solution" in c["metadata"].get("tags", [])]
    text = "\n".join("".join(c["source"]) for c in cells)
    for key, (*_, leaks) in ANSWERS.items():
        assert not key.startswith(notebook) or not [leak for leak in leaks if leak in text], key
    # Code and sentences of solutions: no line that is not in the course for another reason may be left.
    lines = {plain(line) for line in text.splitlines()}
    own = [c for c in cells_of(notebook) if "solution" not in tags(c)]
    elsewhere = {plain(line) for c in own for line in c.source.splitlines()}
    for cell in (c for c in cells_of(notebook) if "solution" in tags(c)):
        for line in map(plain, cell.source.splitlines()):
            assert len(line) < 12 or line not in lines or line in elsewhere, line


@pytest.mark.parametrize("notebook", CHECKED)
def test_no_answer_stands_in_a_cell_above_it(notebook):
    """A scaffold, a check or a text outside of solutions never says what a solution says."""
    cells = cells_of(notebook)
    first = next(i for i, c in enumerate(cells) if "exercise" in tags(c))
    shown = [plain(line) for c in cells[first:] if "solution" not in tags(c) for line in c.source.splitlines()]
    for cell in (c for c in cells if "solution" in tags(c) and c.cell_type == "markdown"):
        for sentence in re.split(r"(?<=[.!?])\s", cell.source.replace("\n", " ")):
            assert len(sentence) < 30 or plain(sentence) not in "".join(shown)


def test_scaffolds_and_checks_carry_nbgraders_metadata(handed_out):
    names = []
    for path in handed_out:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            meta = cell["metadata"].get("nbgrader")
            if meta:
                names.append(meta["grade_id"])
                assert meta["schema_version"] == 3
                assert meta["cell_type"] == cell["cell_type"]
                assert meta["grade"] == ("points" in meta)
                assert meta["solution"] != meta["locked"]
    assert len(names) == len(set(names)) == 2 * len(ANSWERS) + len(CHECKED)


def test_solutions_are_written_unfolded_and_nbgraders_source_between_its_marks(tmp_path):
    (first, *_) = write_solutions(tmp_path / "solutions", ROOT)
    assert first.name == "00_start_here_solutions.ipynb"
    text = first.read_text(encoding="utf-8")
    assert "source_hidden" not in text
    assert "iou_diagonal = 1 / 7" in text
    (source, *_) = write_nbgrader(tmp_path / "nbgrader", ROOT)
    assert source.relative_to(tmp_path).as_posix() == "nbgrader/source/00_start_here/00_start_here.ipynb"
    assert (tmp_path / "nbgrader" / "nbgrader_config.py").is_file()
    sources_ = ["".join(c["source"]) for c in json.loads(source.read_text(encoding="utf-8"))["cells"]]
    answers = [text for text in sources_ if "### BEGIN SOLUTION" in text]
    assert len(answers) == 5
    assert "iou_diagonal = 1 / 7" in answers[0]
    assert not [text for text in answers if "check(" in text or "### END SOLUTION" not in text]
    hidden = [text for text in sources_ if "### BEGIN HIDDEN TESTS" in text]
    assert [re.findall(r'assert solved\("([^"]*)"\)', text)[0] for text in hidden] == list(exercises_of("00"))
