"""What every notebook opens with: the profile, the data, the look of its figures.

>>> from wadlib.course import open_data, show         # doctest: +SKIP
>>> data = open_data()                                # doctest: +SKIP
Profile quick · rendered data · videos: 8 · frames with labels: 48
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import tempfile
from dataclasses import replace
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wadlib._shared.words import one_of
from wadlib.dataset import Wad, open_wad, prepare
from wadlib.errors import DatasetError, WadError
from wadlib.viewer import page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DRAWN_ONCE",
    "NOTEBOOK",
    "PROFILES",
    "address",
    "cache_folder",
    "data_root",
    "figure_caption",
    "image",
    "is_rendered",
    "open_data",
    "own_data",
    "prepared",
    "profile",
    "project_root",
    "rendered_in_cache",
    "say",
    "say_drawing",
    "show",
]

PROFILES: dict[str, dict[str, int]] = {
    # `every` renders each n-th metre of the drive, so that few frames still show much of it.
    "quick": {"videos": 8, "frames": 6, "every": 8},
    "full": {"videos": 10, "frames": 60, "every": 1},
}
"""What the embedded dataset holds in each profile (arguments of `render_dataset`)."""

DRAWN_ONCE = "This is done once: the cache keeps it."
"""In the line that a cell prints while it draws frames."""

RCNN_FAMILY = ("R-CNN", "Fast R-CNN", "Faster R-CNN", "Mask R-CNN")
"""What `show_drawing` shows, in the order of their invention."""


def profile() -> str:
    """Read the profile, ``quick`` (default: the whole course in minutes) or ``full``, from ``WADLIB_PROFILE``."""
    return one_of(os.environ.get("WADLIB_PROFILE", "quick"), PROFILES, "profile: WADLIB_PROFILE", WadError)


def is_rendered() -> bool:
    """Say whether the notebooks run on the embedded rendered videos (no ``WAD_ROOT`` is set)."""
    return not os.environ.get("WAD_ROOT")


def own_data() -> Path | None:
    """Find the folder that ``WAD_ROOT`` names, as an absolute path; None where it is not set.

    ``~`` is the home folder. A relative path counts from where ``make lab`` or ``make report`` was called: notebooks
    run in the folder ``notebooks/`` inside it.
    """
    value = os.environ.get("WAD_ROOT")
    if not value:
        return None
    path, here = Path(value).expanduser(), Path.cwd()
    called_in = here.parent if here.name == "notebooks" and (here.parent / path).exists() else here
    return (called_in / path).resolve()


def data_root(progress: bool = True) -> Path:
    """Find the dataset folder: ``WAD_ROOT`` if it is set, else the rendered videos of the profile.

    Rendered videos are kept in ``WADLIB_CACHE`` (by default the user's cache folder), so that they
    are drawn only once; a renderer whose code changed draws into a folder of its own.
    """
    given = own_data()
    if given is not None:
        return given
    size = PROFILES[profile()]
    options = {"videos": size["videos"], "frames": size["frames"], "every": size["every"], "seed": 0}
    return rendered_in_cache(profile(), progress=progress, **options)


def rendered_in_cache(name: str, **options: Any) -> Path:
    """Draw videos once, into the cache: a folder for each name and version of the renderer's code.

    Parameters
    ----------
    name : str
        Part of the folder's name, such as the profile.
    **options
        See `wadlib.rendered.render_dataset`.
    """
    from wadlib import rendered

    folder = cache_folder(name)
    if not (folder / "tracks.json").is_file():  # written last
        count = options["videos"] * options["frames"]
        say_drawing(f"{count} frames", " It takes about a minute.")
    return rendered.render_dataset(folder, **options)


def say_drawing(what: str, more: str = "") -> None:
    """Print what a cell does before it goes on; executed notebooks leave it out (`wadlib.course.notebooks.execute`)."""
    print(f"Drawing {what}. {DRAWN_ONCE}{more}")


def cache_folder(name: str) -> Path:
    """Name the folder of the cache that is for this name and this version of the renderer's code."""
    from platformdirs import user_cache_dir

    from wadlib import rendered

    cache = Path(os.environ.get("WADLIB_CACHE") or user_cache_dir("wadlib"))
    digest = hashlib.sha256()
    for path in sorted(Path(rendered.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return cache / f"rendered-{name}-{digest.hexdigest()[:10]}"


def open_data() -> Wad:
    """Open the dataset and say in one line what the numbers of this notebook come from."""
    wad = open_wad(data_root())
    kind = "rendered data" if is_rendered() else "the folder in WAD_ROOT"
    print(f"Profile {profile()} · {kind} · videos: {len(wad.train_videos)} · frames with labels: {len(wad.frames)}")
    return wad


def prepared(wad: Wad, frames: int) -> Wad:
    """Prepare a dataset for the report's network: 832x640, at most about so many frames.

    Of a larger dataset every n-th frame of each video is taken; one line says how many. The files go away with the
    process.

    Parameters
    ----------
    wad : Wad
        With full-size frames.
    frames : int
        How many labelled frames, in all.

    Returns
    -------
    Wad
        Its training videos, at network size.
    """
    step = -(-len(wad.frames) // frames)
    thin = replace(wad, videos=tuple(replace(v, frames=v.frames[::step]) for v in wad.train_videos))
    workspace = tempfile.TemporaryDirectory(prefix="wadlib-")
    _WORKSPACES.append(workspace)
    report = prepare(thin, Path(workspace.name) / "wad", progress=False)
    print(("every frame" if step == 1 else f"one frame in {step}") + f" is used: {report.summary()}")
    return open_wad(Path(workspace.name) / "wad")


_WORKSPACES: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def project_root() -> Path:
    """Find the companion's folder (it holds ``notebooks/`` and ``report/``), from here upwards."""
    for folder in [Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[2]]:
        if (folder / "report" / "report_facts.json").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise DatasetError(
        f"project_root: there is no companion around {Path.cwd().name}",
        cause="the command was started outside the cloned project",
        fix="change to the project's folder first",
    )


def say(text: str) -> None:
    """Display a sentence, or a table, with computed numbers: Markdown in a notebook and in the book.

    Examples
    --------
    >>> say(f"**{2 / 3:.0%}** of the frames")  # doctest: +SKIP
    """
    from IPython.display import Markdown, display

    display(Markdown(text))


_NUMBERS: dict[str, int] = {}  # alt text -> number of the figure in this notebook


def show(figure: Figure, alt: str, caption: str | None = None) -> None:
    """Display a figure with its number, caption and description for those who cannot see it, and close it.

    Drawings become SVG (sharp on a projector), photographs JPEG (small). The same figure gives the
    same bytes.

    Parameters
    ----------
    figure : matplotlib Figure
    alt : str
        What one learns from looking at it, in one or two sentences.
    caption : str, optional
        What stands below it, behind the number; by default the first sentence of `alt`.
    """
    from IPython.display import HTML, display

    display(HTML(image(address(figure, alt), alt) + figure_caption(alt, caption)))


def figure_caption(alt: str, caption: str | None) -> str:
    """Write number and caption of a figure as HTML; a figure that is shown again keeps its number."""
    number = _NUMBERS.setdefault(alt, len(_NUMBERS) + 1)
    # JupyterLab names the notebook in the first variable, `execute` of this package in the second.
    name = Path(os.environ.get("JPY_SESSION_NAME") or os.environ.get(NOTEBOOK) or "").name
    chapter = f"{int(name[:2])}." if re.match(r"\d\d_", name) else ""
    text = caption or re.split(r"(?<=[.!?]) ", alt)[0]
    return f'<p class="caption" style="{_CAPTION_STYLE}"><b>Figure {chapter}{number}.</b> {escape(text)}</p>'


NOTEBOOK = "WADLIB_NOTEBOOK"
"""Variable of the environment in which `execute` names the notebook that runs."""

_CAPTION_STYLE = "font-size: 0.9em; margin: 0.2em 0 1em"


def show_drawing(name: str) -> None:
    """Display a drawing of ``wadlib/figures/rcnn_family``, with its ``<desc>`` for those who cannot see it.

    Parameters
    ----------
    name : {"R-CNN", "Fast R-CNN", "Faster R-CNN", "Mask R-CNN"}
        Figs 6 to 9 of the report.

    Raises
    ------
    WadError
        Another name.
    """
    from IPython.display import HTML, display

    folder = Path(__file__).resolve().parents[1] / "figures" / "rcnn_family"
    drawings = {name: folder / f"{name.lower().replace(' ', '-')}.svg" for name in RCNN_FAMILY}
    svg = drawings[one_of(name, drawings, "show_drawing: name", WadError)].read_text(encoding="utf-8")
    found = re.search("<desc>(.*?)</desc>", svg, re.DOTALL)
    alt = unescape(found[1]) if found else ""
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    display(HTML(image(source, alt) + figure_caption(alt, name)))


def address(figure: Figure, alt: str) -> str:
    """Make a ``data:`` address of a figure, and close it."""
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise WadError("show: the alt text is empty", cause="a figure in a hurry", fix="say what one sees in it")
    kind = "jpeg" if any(_pixels(axes) > 20_000 for axes in figure.axes) else "svg"
    data = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "wadlib", "svg.fonttype": "path"}):
        if kind == "svg":
            figure.savefig(data, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
            data = io.BytesIO(_shorter(data.getvalue().decode()).encode())
        else:
            small = {"quality": 85, "optimize": True, "progressive": True}
            figure.savefig(data, format="jpeg", bbox_inches="tight", dpi=110, pil_kwargs=small)
    plt.close(figure)
    mime = {"svg": "image/svg+xml", "jpeg": "image/jpeg"}[kind]
    return f"data:{mime};base64,{base64.b64encode(data.getvalue()).decode()}"


_PLACES = re.compile(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*|(?<=translate\()[^)]*')
_DIGITS_BEYOND = re.compile(r"(?<=\.\d\d)\d+")


def _shorter(svg: str) -> str:
    """The same drawing in a fifth fewer bytes: places to a hundredth of a point, no indentation, short names."""
    rounded = _PLACES.sub(lambda places: _DIGITS_BEYOND.sub("", places[0]), svg)
    return re.sub(r"\s*\n\s*", " ", rounded).replace("DejaVuSans-", "f")  # each letter is drawn by a name


def image(source: str, alt: str) -> str:
    """Write the ``<img>`` of a figure."""
    return f'<img class="figure" alt="{escape(alt)}" src="{source}" style="{page.IMAGE_STYLE}">'


def _pixels(axes: Any) -> int:
    return max((image.get_array().shape[0] * image.get_array().shape[1] for image in axes.images), default=0)
