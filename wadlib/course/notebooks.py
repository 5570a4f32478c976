"""From ``notebooks/src/NN_title.py`` to executed notebooks: run, check, hand out.

The ``.py`` files (jupytext's percent format) are what people edit; the ``.ipynb`` are made from
them and never edited. The same source, data and packages give the same bytes: cell ids are
numbers, and no time, path or version of the machine goes into the file.
"""

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from wadlib._shared.files import make_folder, write_text
from wadlib._shared.parallel import map_frames
from wadlib.course.classroom import DRAWN_ONCE, NOTEBOOK, data_root, is_rendered, own_data, profile, project_root
from wadlib.course.kernel_memory import PeakMemory
from wadlib.errors import WadError
from wadlib.viewer import page

SOLUTION = "solution"
"""Tag of the cells that a hand-out for a class leaves out."""


class NotebookError(WadError):
    """A notebook that does not run, or that is not what its source makes."""


def sources(root: Path | None = None) -> list[Path]:
    """List the notebooks' sources, in the order of the course."""
    return sorted(((root or project_root()) / "notebooks" / "src").glob("[0-9][0-9]_*.py"))


def read_source(path: Path) -> Any:
    """Parse a percent script into an unexecuted notebook with plain metadata."""
    import jupytext

    notebook = jupytext.read(path)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata.clear()
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{path.stem[:2]}-{number:03d}"
        tags = cell.metadata.get("tags")
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = tags
        if tags and SOLUTION in tags:  # JupyterLab opens the notebook with these folded
            cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
            # JupyterLab shows the first line of a folded cell, which is half of many an answer.
            cell.source = ("# Solution\n" if cell.cell_type == "code" else "**Solution.**\n\n") + cell.source
    return notebook


def execute(path: Path, timeout_s: int = 900, memory: PeakMemory | None = None) -> str:
    """Run a notebook from top to bottom in a fresh kernel; return it as the text of an .ipynb.

    `memory` is told how much the kernel and its children hold while it runs.

    Raises
    ------
    NotebookError
        A cell raised, was too slow, or its kernel died; the message names notebook and cell.
    """
    import nbformat
    from jupyter_client import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = read_source(path)
    begun = [0]
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_this_interpreter())
    client = NotebookClient(
        notebook,
        km=kernel,
        on_cell_start=lambda cell, cell_index: begun.append(cell_index),
        timeout=timeout_s,
        startup_timeout=300,  # of a kernel; by default one minute, which a busy machine may need
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,  # else the pieces in which printed text arrives depend on timing
        resources={"metadata": {"path": str(path.parent.parent)}},
    )
    # The kernel finds the same settings on every machine.
    environment = os.environ | {
        "TQDM_DISABLE": "1",
        "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # glibc gives each thread memory of its own to hand out, and TensorFlow has many threads: 0.2 GB less.
        "MALLOC_ARENA_MAX": "2",
        # Large arrays go back to the system as soon as they are freed.
        "MALLOC_MMAP_THRESHOLD_": "1048576",
        "MALLOC_TRIM_THRESHOLD_": "1048576",
        page.STATIC: "1",
        NOTEBOOK: path.stem,
    }
    environment.pop("JPY_SESSION_NAME", None)

    async def run() -> None:
        async with (memory or PeakMemory()).of(lambda: getattr(kernel.provisioner, "pid", None)):
            await client.async_execute(env=environment, cleanup_kc=True)

    try:
        asyncio.run(run())
    # Which cell, and why: too slow, no kernel any more, or an error of its own.
    except (CellTimeoutError, DeadKernelError, RuntimeError) as error:
        slow = isinstance(error, CellTimeoutError)
        if not slow and not isinstance(error, DeadKernelError) and "ernel" not in str(error):
            raise
        raise NotebookError(
            f"execute: {path.name}, cell {begun[-1] + 1} of {len(notebook.cells)}: "
            + (f"not done after {timeout_s} s" if slow else "its kernel died"),
            cause="a machine that is busy or slow" if slow else "no memory left, or the process was killed",
            fix="close other programs, and run the same command again: notebooks that are done are kept",
        ) from error
    except CellExecutionError as error:
        raise NotebookError(
            f"execute: {path.name} stopped with {error.ename}: {error.evalue}\n{error.traceback}",
            cause="the code of the cell above, or data that it does not expect",
            fix=f"open {path.stem}.ipynb in JupyterLab and step to that cell",
        ) from error
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
            # Whether a frame had to be drawn depends on the machine, and what people read should not.
            if "text" in output:
                lines = output["text"].splitlines(keepends=True)
                output["text"] = "".join(line for line in lines if DRAWN_ONCE not in line)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    text: str = nbformat.writes(notebook)
    return text + "\n"


def _this_interpreter() -> Any:
    """The kernel of this environment, whatever kernels called python3 JUPYTER_PATH and the user's folders hold."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    class ThisInterpreter(KernelSpecManager):  # type: ignore[misc]
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(**(get_kernel_dict() | {"argv": [sys.executable, *get_kernel_dict()["argv"][1:]]}))

    return ThisInterpreter()


def execute_all(
    paths: Iterable[Path], out: Path, *, fingerprint: str, workers: int = 2, say: Callable[[str], None] = print
) -> list[Path]:
    """Execute notebooks into `out`; one whose source and `fingerprint` did not change is kept.

    `fingerprint` stands for all that a notebook's result depends on besides its own source
    (see `fingerprint_of`). Each notebook is written as soon as it is done, so that an interrupted
    build goes on where it was. `say` hears for each its time, and the most memory that its kernel and the processes
    of the kernel held at once.
    """
    make_folder(out)

    def run(path: Path) -> Path:
        key = hashlib.sha256((path.read_text(encoding="utf-8") + fingerprint).encode()).hexdigest()
        target, stamp = out / f"{path.stem}.ipynb", out / f"{path.stem}.key"
        if target.is_file() and stamp.is_file():
            known, _, needed = stamp.read_text(encoding="utf-8").partition("\n")
            if known == key:
                say(f"  {path.stem}: unchanged" + (f" (it took {needed})" if needed else ""))
                return target
        start, memory = time.perf_counter(), PeakMemory()
        write_text(target, execute(path, memory=memory))
        needed = f"{time.perf_counter() - start:.0f} s, {memory.bytes / 1e9:.2f} GB"
        write_text(stamp, f"{key}\n{needed}")
        say(f"  {path.stem}: ran in {needed} of memory")
        return target

    return [target for _, target in map_frames(run, paths, workers=workers, threads=True, progress=False)]


def fingerprint_of(root: Path) -> str:
    """Hash everything that notebooks read besides their source: package, results, data, profile."""
    digest = hashlib.sha256()
    scripts = (root / "wadlib" / "viewer").glob("*.[jc]s*")  # what the book's pages are made of
    weights = (root / "wadlib").rglob("*.h5")
    kept = (path for folder in ("report", "results") for path in (root / folder).rglob("*") if path.is_file())
    files = [*(root / "wadlib").rglob("*.py"), *scripts, *weights, *kept]
    course = root / "wadlib" / "course"
    tools = {
        *(root / "wadlib" / "cli").glob("*.py"),
        *(course / f"{name}.py" for name in ("api", "book", "kernel_memory", "notebooks")),
    }
    for path in sorted(set(files) - tools):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    digest.update(profile().encode())
    data = own_data()
    if data is not None:
        digest.update(str(data).encode())
        for folder in sorted(p for p in data.glob("*") if p.is_dir()):
            digest.update(f"{folder.name} {folder.stat().st_mtime_ns}".encode())
    return digest.hexdigest()


def render(root: Path | None = None, *, say: Callable[[str], None] = print) -> list[Path]:
    """Execute every notebook on the rendered data and write ``notebooks/NN_title.ipynb``.

    These are the notebooks that people see before they run anything, so they never hold pictures
    of the real dataset (its terms do not allow that).
    """
    root = root or project_root()
    if not is_rendered():
        raise NotebookError(
            "render: WAD_ROOT is set",
            cause="notebooks in the repository show rendered data only",
            fix="unset WAD_ROOT, or run `make report` to see your own data",
        )
    data_root()
    folder = root / "build" / "notebooks" / f"rendered-{profile()}"
    executed = execute_all(sources(root), folder, fingerprint=fingerprint_of(root), say=say)
    written = [root / "notebooks" / path.name for path in executed]
    for path, target in zip(executed, written, strict=True):
        write_text(target, without_pages(path.read_text(encoding="utf-8")))
    return written


def without_pages(text: str) -> str:
    """Turn an executed notebook into what people keep: a still picture in place of each interactive page."""
    return _each_output(text, lambda data: data.pop(page.MIME, None))


def with_pages(text: str) -> str:
    """Turn an executed notebook into what the book takes: each interactive page in place of its still picture."""

    def take(data: dict[str, Any]) -> None:
        if page.MIME in data:
            data["text/html"] = data.pop(page.MIME)

    return _each_output(text, take)


def _each_output(text: str, change: Callable[[dict[str, Any]], Any]) -> str:
    if page.MIME not in text:
        return text
    import nbformat

    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            change(output.get("data", {}))
    changed: str = nbformat.writes(notebook)
    return changed + "\n"


def check(root: Path | None = None) -> None:
    """Refuse notebooks that are not what their sources make, or were not run top to bottom.

    Raises
    ------
    NotebookError
        Lists every notebook and what is wrong with it.
    """
    import nbformat

    root = root or project_root()
    wrong = []
    for path in sources(root):
        target = root / "notebooks" / f"{path.stem}.ipynb"
        if not target.is_file():
            wrong.append(f"{target.name} is missing")
            continue
        made, found = read_source(path), nbformat.read(target, as_version=4)
        if [(c.cell_type, c.source) for c in made.cells] != [(c.cell_type, c.source) for c in found.cells]:
            wrong.append(f"{target.name} differs from src/{path.name}")
        code = [c for c in found.cells if c.cell_type == "code"]
        if [c.execution_count for c in code] != list(range(1, len(code) + 1)):
            wrong.append(f"{target.name} was not run from top to bottom")
    known = {path.stem for path in sources(root)}
    wrong += [f"{p.name} has no source" for p in (root / "notebooks").glob("*.ipynb") if p.stem not in known]
    if wrong:
        raise NotebookError(
            "notebooks: " + "; ".join(wrong),
            cause="an .ipynb was edited by hand, or a source was changed and not run",
            fix="edit notebooks/src/*.py, then run `make render-notebooks`",
        )
