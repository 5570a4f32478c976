"""What a class gets: notebooks without solutions, notebooks with them, and a source for nbgrader.

Cells of an exercise carry a tag: ``exercise`` (the scaffold that the student fills in), ``check`` (the call of
`wadlib.course.check`), ``open`` (a text cell for an answer in words) and ``solution`` (code or text; left out for
students). The first three get nbgrader's cell metadata (schema 3), so that the same files can be graded.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wadlib._shared.files import make_folder, write_text
from wadlib.course.classroom import project_root
from wadlib.course.exercises.judging import exercises_of
from wadlib.course.notebooks import SOLUTION, NotebookError, read_source, sources

OPEN_POINTS = 3
"""Points of an open task, given by a person with the rubric of the instructor's pack."""

_KEY = re.compile(r'\bcheck\(\s*"(\d\d\.\d+)"')

_CONFIG = '''"""Settings of nbgrader for this course: run `nbgrader generate_assignment 04_normalized_cut` here."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "wad"
c.ClearSolutions.code_stub = {"python": "# Your turn."}
c.ClearSolutions.text_stub = "*Your answer.*"
c.ExecutePreprocessor.timeout = 900
'''


def key_of(source: str) -> str | None:
    """Find the key of the exercise that a cell checks, such as ``"04.2"``; None where it checks none."""
    found = _KEY.search(source)
    return found[1] if found else None


def hand_out(out: Path, root: Path | None = None) -> list[Path]:
    """Write the notebooks for a class, without outputs and without solutions, and the glossary that they link to.

    Parameters
    ----------
    out : Path
        Folder, made if it is not there.
    root : Path, optional
        The companion's folder, by default the one around.

    Raises
    ------
    NotebookError
        A notebook of that name is there and says something else: somebody's work is never overwritten.
    """
    root = root or project_root()
    _refuse_inside(out, root, "hand_out")
    return _write(out, root, _without_solutions, lambda stem: f"{stem}.ipynb")


def write_solutions(out: Path, root: Path | None = None) -> list[Path]:
    """Write the notebooks with their solutions unfolded, as ``NN_title_solutions.ipynb``; parameters as `hand_out`."""
    root = root or project_root()
    _refuse_inside(out, root, "write_solutions")
    return _write(out, root, _with_solutions, lambda stem: f"{stem}_solutions.ipynb")


def write_nbgrader(out: Path, root: Path | None = None) -> list[Path]:
    """Write a course folder for nbgrader: its settings, and an assignment ``source/NN_title`` for each notebook.

    The solutions stand between nbgrader's marks, and a hidden test asserts that the check said *right*. Parameters as
    `hand_out`.
    """
    root = root or project_root()
    make_folder(out)
    settings = out / "nbgrader_config.py"
    if not settings.exists():
        write_text(settings, _CONFIG)
    return _write(out, root, _for_nbgrader, lambda stem: f"source/{stem}/{stem}.ipynb")


def _refuse_inside(out: Path, root: Path, name: str) -> None:
    if out.resolve() == (root / "notebooks").resolve():
        raise NotebookError(
            f"{name}: {out.name} is the folder of the course's own notebooks",
            cause="a folder was meant beside it",
            fix="name another folder, such as build/handout",
        )


def _write(out: Path, root: Path, change: Callable[[Any], Any], name: Callable[[str], str]) -> list[Path]:
    import nbformat

    make_folder(out)
    texts = {out / name(path.stem): nbformat.writes(change(read_source(path))) + "\n" for path in sources(root)}
    edited = [target.name for target, text in texts.items() if target.exists() and target.read_bytes() != text.encode()]
    if edited:
        raise NotebookError(
            f"hand_out: {out.as_posix()} holds other notebooks of these names: {', '.join(edited)}",
            cause="somebody has worked in them, or they are of another version",
            fix="choose another folder, or move them away first",
        )
    for target, text in texts.items():
        make_folder(target.parent)
        write_text(target, text)
    glossary = root / "notebooks" / "glossary.md"
    for folder in {target.parent for target in texts} if glossary.is_file() else ():
        write_text(folder / glossary.name, glossary.read_text(encoding="utf-8"))
    return list(texts)


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _without_solutions(notebook: Any) -> Any:
    """Solutions are dropped where a scaffold stands for them, else they become an empty cell."""
    _mark(notebook)
    scaffolds = any("exercise" in _tags(cell) for cell in notebook.cells)
    for cell in notebook.cells:
        if SOLUTION in _tags(cell):
            cell.source = "# Your turn.\n" if cell.cell_type == "code" else "*Your answer.*"
            cell.metadata.clear()
            cell.metadata["dropped"] = scaffolds
    notebook.cells = [cell for cell in notebook.cells if not cell.metadata.pop("dropped", False)]
    return notebook


def _with_solutions(notebook: Any) -> Any:
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        if "tags" in cell.metadata:
            cell.metadata["tags"] = [tag for tag in _tags(cell) if tag != "hide-cell"]
    return notebook


def _for_nbgrader(notebook: Any) -> Any:
    """Each solution moves into its scaffold, between the marks that nbgrader takes out."""
    _mark(notebook)
    scaffold = None
    cells = []
    for cell in notebook.cells:
        tags = _tags(cell)
        if "exercise" in tags or "open" in tags:
            scaffold = cell
        if SOLUTION in tags:
            if scaffold is not None and scaffold.cell_type == cell.cell_type:
                scaffold.source += f"\n### BEGIN SOLUTION\n{_without_checks(cell.source)}\n### END SOLUTION"
                scaffold = None
            continue  # text behind a solution explains it: that is in the solutions' notebooks
        if "check" in tags and key_of(cell.source):
            hidden = f'from wadlib.course import solved\n\nassert solved("{key_of(cell.source)}")'
            cell.source += f"\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        cells.append(cell)
    notebook.cells = cells
    return notebook


def _without_checks(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if not line.startswith("check("))


def _mark(notebook: Any) -> None:
    """Give the cells of exercises nbgrader's metadata."""
    key = None
    for cell in reversed(notebook.cells):  # a scaffold belongs to the check below it
        tags = _tags(cell)
        common = {"schema_version": 3, "task": False, "cell_type": cell.cell_type}
        if SOLUTION in tags:
            continue
        if "check" in tags:
            key = key_of(cell.source)
            if key is None:
                raise NotebookError(
                    f"hand_out: a cell with the tag 'check' checks nothing: {cell.source[:60]!r}",
                    cause="a tag that was copied to another cell",
                    fix='write check("NN.N", …) in it, or take the tag away',
                )
            points = exercises_of(key[:2])[key].points
            name = key.replace(".", "-")
            flags = {"grade": True, "solution": False, "locked": True, "points": points}
            cell.metadata["nbgrader"] = common | flags | {"grade_id": f"check-{name}"}
        elif "exercise" in tags and key:
            flags = {"grade": False, "solution": True, "locked": False}
            cell.metadata["nbgrader"] = common | flags | {"grade_id": f"answer-{key.replace('.', '-')}"}
            key = None
        elif "open" in tags:
            flags = {"grade": True, "solution": True, "locked": False, "points": OPEN_POINTS}
            cell.metadata["nbgrader"] = common | flags | {"grade_id": f"open-{cell['id']}"}
