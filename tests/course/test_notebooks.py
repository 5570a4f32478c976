"""Notebook tools on a tiny course: run, cache, check, hand out, and refuse what is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from wadlib.course import book, classroom, notebooks
from wadlib.course.handing_out import hand_out
from wadlib.course.kernel_memory import PeakMemory, resident_bytes
from wadlib.course.notebooks import NotebookError, check, execute, execute_all, fingerprint_of, read_source
from wadlib.dataset import open_wad
from wadlib.errors import WadError
from wadlib.frames import write_label

SOURCE = """\
# %% [markdown]
# # A title

# %%
print(6 * 7)

# %% tags=["solution"]
print("the answer")
"""


@pytest.fixture
def course(tmp_path):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "wadlib").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report_facts.json").write_text("{}")
    (tmp_path / "notebooks" / "src" / "00_tiny.py").write_text(SOURCE)
    return tmp_path


def source(course):
    return course / "notebooks" / "src" / "00_tiny.py"


def test_source_becomes_cells_with_stable_ids(course):
    notebook = read_source(source(course))
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code"]
    assert [cell.id for cell in notebook.cells] == ["00-000", "00-001", "00-002"]
    folded = {"source_hidden": True, "outputs_hidden": True}
    assert notebook.cells[2].metadata == {"tags": ["solution"], "jupyter": folded}
    assert notebook.cells[2].source == '# Solution\nprint("the answer")', "a folded cell shows its first line"


@pytest.mark.notebook
def test_executed_twice_gives_the_same_bytes(course):
    first, second = execute(source(course)), execute(source(course))
    assert first == second
    notebook = nbformat.reads(first, as_version=4)
    nbformat.validate(notebook)
    assert [c.execution_count for c in notebook.cells if c.cell_type == "code"] == [1, 2]
    assert notebook.cells[1].outputs[0].text == "42\n"


@pytest.mark.notebook
def test_unchanged_notebooks_are_not_run_again(course):
    said = []
    (target,) = execute_all([source(course)], course / "out", fingerprint="a", say=said.append)
    assert re.fullmatch(r"  00_tiny: ran in \d+ s, \d\.\d\d GB of memory", said[-1])
    execute_all([source(course)], course / "out", fingerprint="a", say=said.append)
    assert re.fullmatch(r"  00_tiny: unchanged \(it took \d+ s, \d\.\d\d GB\)", said[-1])
    target.unlink()
    execute_all([source(course)], course / "out", fingerprint="a", say=said.append)
    execute_all([source(course)], course / "out", fingerprint="b", say=said.append)
    assert ["unchanged" in line for line in said] == [False, True, False, False]


MEMORY = """\
# %%
import subprocess
import sys

HOLD = "import sys; held = b'x' * 200_000_000; print(flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
held = b"x" * 300_000_000

# %%
import time

time.sleep(1)
child.communicate()
"""


@pytest.mark.notebook
def test_memory_is_that_of_the_kernel_and_its_children(course):
    source(course).write_text(MEMORY)
    both, alone = PeakMemory(), PeakMemory()
    execute(source(course), memory=both)
    source(course).write_text("# %%\nimport time\ntime.sleep(1)\n")
    execute(source(course), memory=alone)
    assert alone.bytes > 20e6
    assert 480e6 < both.bytes - alone.bytes < 600e6


@pytest.mark.notebook
def test_a_failing_cell_names_notebook_and_error(course):
    source(course).write_text("# %%\n1 / 0\n")
    with pytest.raises(NotebookError, match=r"00_tiny\.py stopped with ZeroDivisionError"):
        execute_all([source(course)], course / "out", fingerprint="", say=lambda line: None)
    assert not list((course / "out").glob("*.ipynb"))


def test_a_process_that_is_gone_holds_nothing():
    done = subprocess.Popen([sys.executable, "-c", ""])
    assert resident_bytes(os.getpid()) > 20e6
    done.wait()
    assert resident_bytes(done.pid) == 0


def test_check_finds_what_was_edited_by_hand(course):
    with pytest.raises(NotebookError, match=r"00_tiny\.ipynb is missing"):
        check(course)
    notebook = read_source(source(course))
    for number, cell in enumerate([c for c in notebook.cells if c.cell_type == "code"], start=1):
        cell.execution_count = number
    target = course / "notebooks" / "00_tiny.ipynb"
    nbformat.write(notebook, target)
    check(course)
    notebook.cells[1].execution_count = 7
    nbformat.write(notebook, target)
    with pytest.raises(NotebookError, match="was not run from top to bottom"):
        check(course)
    notebook.cells[1].source = "print(41)"
    nbformat.write(notebook, target)
    with pytest.raises(NotebookError, match=r"differs from src/00_tiny\.py"):
        check(course)
    (course / "notebooks" / "05_stray.ipynb").write_text("{}")
    with pytest.raises(NotebookError, match=r"05_stray\.ipynb has no source"):
        check(course)


def test_hand_out_leaves_solutions_out(course):
    (path,) = hand_out(course / "handout", course)
    notebook = json.loads(path.read_text())
    text = json.dumps(notebook)
    assert "the answer" not in text
    assert "# Your turn." in text
    assert "print(6 * 7)" in text
    assert all(not cell.get("outputs") for cell in notebook["cells"])


def test_fingerprint_follows_package_data_and_profile(course, monkeypatch):
    monkeypatch.delenv("WAD_ROOT", raising=False)
    monkeypatch.setenv("WADLIB_PROFILE", "quick")
    prints = [notebooks.fingerprint_of(course)]
    (course / "wadlib" / "a.py").write_text("x = 1")
    prints.append(notebooks.fingerprint_of(course))
    monkeypatch.setenv("WADLIB_PROFILE", "full")
    prints.append(notebooks.fingerprint_of(course))
    monkeypatch.setenv("WAD_ROOT", str(course))
    prints.append(notebooks.fingerprint_of(course))
    (course / "results" / "new.json").write_text("{}")
    prints.append(notebooks.fingerprint_of(course))
    assert len(set(prints)) == 5
    assert notebooks.fingerprint_of(course) == prints[-1]


def test_notebooks_of_real_frames_are_never_written_into_the_repository(course, monkeypatch):
    monkeypatch.setenv("WAD_ROOT", str(course))
    with pytest.raises(NotebookError, match="WAD_ROOT is set"):
        notebooks.render(course)


def test_the_book_of_ones_own_data_is_built_from_notebooks_of_ones_own_data(monkeypatch, tmp_path, tiny_wad):
    """All but the running and Sphinx, which `test_book.py` does once, on rendered data."""
    root = tiny_wad(contents=False)
    ran = {}

    def run(paths, out, **options):
        ran.update(data=os.environ["WAD_ROOT"], paths=paths, out=out)
        return []

    monkeypatch.setattr(book, "project_root", lambda: Path(__file__).resolve().parents[2])
    monkeypatch.setattr(book, "execute_all", run)
    monkeypatch.setattr(book, "_run_sphinx", lambda pages, site, doctrees: None)
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("WAD_ROOT", root.name)
    said = []
    assert book.build_book(tmp_path / "out", say=said.append) == tmp_path / "out" / "book" / "index.html"
    assert said[0].startswith("Data: WAD_ROOT")
    assert ran["data"] == str(root)
    assert len(ran["paths"]) == len(notebooks.sources(Path(__file__).resolve().parents[2]))
    assert ran["out"].name == f"wad-{classroom.profile()}"


# --- what the notebooks open with -----------------------------------------------------------------


def test_profile_is_quick_unless_told(monkeypatch):
    monkeypatch.delenv("WADLIB_PROFILE", raising=False)
    assert classroom.profile() == "quick"
    monkeypatch.setenv("WADLIB_PROFILE", "slow")
    with pytest.raises(WadError, match="one of quick, full"):
        classroom.profile()


def test_data_root_prefers_wad_root(monkeypatch, tmp_path):
    monkeypatch.setenv("WAD_ROOT", str(tmp_path))
    assert classroom.data_root() == tmp_path
    assert not classroom.is_rendered()


@pytest.mark.parametrize("value", ["../wad", "~/wad", "{tmp}/wad"])
def test_wad_root_is_where_make_was_called(monkeypatch, tmp_path, value):
    """Kernels of `make lab` run in notebooks/; seen from there, ``../wad`` is another folder, which exists as well."""
    notebooks_folder = tmp_path / "project" / "notebooks"
    notebooks_folder.mkdir(parents=True)
    (tmp_path / "wad").mkdir()
    (tmp_path / "project" / "wad").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WAD_ROOT", value.format(tmp=tmp_path))
    for folder in (notebooks_folder.parent, notebooks_folder):
        monkeypatch.chdir(folder)
        assert classroom.data_root() == tmp_path / "wad"


def test_wad_root_from_a_notebook_started_by_hand(monkeypatch, tmp_path):
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "wad").mkdir()
    monkeypatch.chdir(tmp_path / "project" / "notebooks")
    monkeypatch.setenv("WAD_ROOT", "../wad")
    assert classroom.data_root() == tmp_path / "project" / "wad"


def test_project_root_is_found_from_a_folder_inside(monkeypatch):
    root = Path(__file__).resolve().parents[2]
    monkeypatch.chdir(root / "notebooks" / "src")
    assert classroom.project_root() == root


@pytest.mark.parametrize(("shape", "kind"), [((4, 6), "svg+xml"), ((200, 300), "jpeg")])
def test_show_chooses_the_format_and_keeps_the_alt_text(shape, kind):
    """In a process of its own: IPython's display needs no notebook to print what it would show."""
    code = f"""
import matplotlib; matplotlib.use("agg")
import numpy as np
from matplotlib import pyplot as plt
from unittest import mock
from wadlib.course.classroom import show
shown = []
with mock.patch("IPython.display.display", shown.append):
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.imshow(np.zeros({(*shape, 3)}, np.uint8))
        show(figure, 'a "black" picture <of nothing>')
assert shown[0].data == shown[1].data, "the same figure gives the same bytes, and keeps its number"
assert not plt.get_fignums(), "the figure is closed"
print(shown[0].data[:160])
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert 'alt="a &quot;black&quot; picture &lt;of nothing&gt;"' in said
    assert f"data:image/{kind};base64," in said


def test_show_needs_an_alt_text():
    with pytest.raises(WadError, match="alt text is empty"):
        classroom.show(None, " ")


def test_the_fingerprint_sees_kept_results(tmp_path):
    for name in ("wadlib/a.py", "report/facts.json", "results/unet/cured/log.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
        first = fingerprint_of(tmp_path)
        (tmp_path / name).write_text("two")
        assert fingerprint_of(tmp_path) != first, name


def test_hand_out_overwrites_nobodys_work(course):
    (path,) = hand_out(course / "handout", course)
    hand_out(course / "handout", course)  # the same again
    path.write_text("my solutions")
    with pytest.raises(NotebookError, match=r"holds other notebooks of these names: 00_tiny\.ipynb"):
        hand_out(course / "handout", course)
    assert path.read_text() == "my solutions"


@pytest.mark.notebook
def test_that_a_frame_had_to_be_drawn_is_not_kept(course):
    drawing = "from wadlib.course.classroom import say_drawing\nsay_drawing('a frame')\n"
    source(course).write_text(f"# %%\n{drawing}\n# %%\n{drawing}print(42)\n")
    notebook = nbformat.reads(execute(source(course)), as_version=4)
    assert [[output.text for output in cell.outputs] for cell in notebook.cells] == [[], ["42\n"]]


@pytest.mark.notebook
def test_another_kernel_called_python3_is_not_taken(course, monkeypatch):
    kernel = course / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(course / "jupyter"))
    assert "42" in execute(source(course))


@pytest.mark.notebook
def test_a_killed_kernel_and_a_slow_cell_name_notebook_and_cell(course):
    source(course).write_text("# %%\n1\n\n# %%\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(NotebookError, match=r"00_tiny\.py, cell 2 of 2: its kernel died"):
        execute(source(course))
    source(course).write_text("# %%\nimport time\ntime.sleep(60)\n")
    with pytest.raises(NotebookError, match=r"00_tiny\.py, cell 1 of 1: not done after 1 s"):
        execute(source(course), timeout_s=1)


def test_files_of_others_beside_the_book_are_kept(tmp_path):
    (tmp_path / "book" / "_static").mkdir(parents=True)
    (tmp_path / "book" / "index.md").write_text("# A book\n")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "thesis.tex").write_text("mine")
    with pytest.raises(NotebookError, match=r"holds files that are not of the book: thesis\.tex"):
        book._gather(tmp_path / "book", [], tmp_path / "source")
    assert (tmp_path / "source" / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("gone", ["train_label", "train_color"])
def test_data_that_the_notebooks_can_show_nothing_of(tiny_wad, gone):
    root = tiny_wad(contents=False)
    for path in (root / gone).iterdir():
        path.unlink()
    with pytest.raises(WadError, match="no labelled training frame"):
        book._check_data(open_wad(root))


def test_labels_without_any_object(tiny_wad):
    root = tiny_wad(videos=1, frames=1)
    write_label(open_wad(root).frames[0].label_path, np.full((2710, 3384), 255, np.uint16))
    with pytest.raises(WadError, match="no object in the labels"):
        book._check_data(open_wad(root))
