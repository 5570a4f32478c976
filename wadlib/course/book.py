"""The HTML book: executed notebooks and a front page, readable from disk with no network."""

import contextlib
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from wadlib._shared.files import make_folder, write_bytes, write_text
from wadlib.course.api import write_reference
from wadlib.course.classroom import data_root, is_rendered, own_data, profile, project_root
from wadlib.course.notebooks import NotebookError, execute_all, fingerprint_of, sources, with_pages
from wadlib.dataset import Frame, Wad, code_areas, open_wad
from wadlib.errors import DatasetError, LabelError

_WRITTEN = ".written"  # in the folder of the pages: the names of those that are the book's


def build_book(out: Path | None = None, *, say: Callable[[str], None] = print) -> Path:
    """Run the notebooks and build the book; return the path of its first page.

    A second call runs only the notebooks whose source, data or package changed.

    Parameters
    ----------
    out : Path, optional
        Folder for everything that is built; by default ``build/`` in the project.
    say : callable
        Takes one line of progress.
    """
    root = project_root()
    out = out or root / "build"
    given = own_data()
    if given is not None:
        os.environ["WAD_ROOT"] = str(given)  # for the notebooks, which run in another folder
    say(f"Data: {'rendered videos' if is_rendered() else 'WAD_ROOT'}, profile {profile()}")
    _check_data(open_wad(data_root()))  # draws the rendered videos once, or says what is wrong with WAD_ROOT
    paths = sources(root)
    say(f"Notebooks: {len(paths)}")
    name = "rendered" if is_rendered() else "wad"
    executed = execute_all(paths, out / "notebooks" / f"{name}-{profile()}", fingerprint=fingerprint_of(root), say=say)
    pages = _gather(root / "book", executed, out / "book-source")
    site = out / "book"
    _run_sphinx(pages, site, out / "book-doctrees")
    return site / "index.html"


def _check_data(wad: Wad) -> None:
    """Refuse data that the notebooks cannot show anything of, before the first of them runs."""
    named = f"build_book: {wad.root.as_posix()} holds "
    if not wad.frames:
        raise DatasetError(
            named + "no labelled training frame",
            cause="train_label.zip or train_color.zip was not extracted, or test frames only",
            fix="extract both archives; `wadlib info` lists what is missing",
        )
    if not any(_may_hold_objects(frame) for frame in wad.frames):  # as a rule the first one does
        raise DatasetError(
            named + f"no object in the labels of its {len(wad.frames)} frames",
            cause="labels of another dataset, or predictions of a network that found nothing",
            fix="extract train_label.zip again",
        )


def _may_hold_objects(frame: Frame) -> bool:
    try:
        return len(code_areas(frame.read_label())[0]) > 0
    except LabelError:  # the notebook that reads it says what is wrong
        return True


def _gather(book: Path, executed: list[Path], target: Path) -> Path:
    """Copy what Sphinx reads into one folder; unchanged files keep their time, so it can skip them."""
    make_folder(target)
    wanted = {path.name: path for path in executed}
    wanted |= {path.name: path for path in book.iterdir() if path.is_file()}
    glossary = book.parent / "notebooks" / "glossary.md"  # beside the notebooks, which link to it in JupyterLab too
    wanted |= {glossary.name: glossary} if glossary.is_file() else {}
    note = target / _WRITTEN
    ours = note.read_text(encoding="utf-8").splitlines() if note.is_file() else []
    foreign = []
    for path in target.iterdir():
        if path.is_file() and path.name not in wanted and not path.name.startswith("."):
            if path.name in ours:
                path.unlink()
            else:
                foreign.append(path.name)
    if foreign:
        raise NotebookError(
            f"build_book: {target.as_posix()} holds files that are not of the book: {', '.join(sorted(foreign)[:5])}",
            cause="--out names a folder that is used for something else, or one of an earlier version",
            fix="choose another --out, or move them away first",
        )
    write_text(note, "\n".join(sorted(wanted)) + "\n")
    for name, path in wanted.items():
        copy, data = target / name, path.read_bytes()
        if path.suffix == ".ipynb":
            data = with_pages(data.decode("utf-8")).encode("utf-8")
        if not copy.is_file() or copy.read_bytes() != data:
            write_bytes(copy, data)
    shutil.copytree(book / "_static", target / "_static", dirs_exist_ok=True)
    write_reference(target / "api")
    return target


def _run_sphinx(pages: Path, site: Path, doctrees: Path) -> None:
    from sphinx.cmd.build import build_main

    said = io.StringIO()
    # -E, -a: pages that did not change still link to and list the others; -j: on all cores
    options = ["-E", "-a", "-j", "auto", "-q", "-W", "--keep-going", "-b", "html", "-d", str(doctrees)]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = build_main([*options, str(pages), str(site)])
    if code:
        raise NotebookError(
            f"build_book: Sphinx stopped with code {code}\n{said.getvalue()[-4000:]}",
            cause="a page with a broken link, heading or equation",
            fix="mend the line that the message above names",
        )
