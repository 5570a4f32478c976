"""What every notebook opens with: the profile, the data, the look of its figures.

>>> from wadlib.classroom import open_data, show      # doctest: +SKIP
>>> wad = open_data()                                 # doctest: +SKIP
Profile quick · rendered data · videos: 8 · frames with labels: 48
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wadlib.dataset import Wad, open_wad
from wadlib.errors import DatasetError, WadError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PROFILES", "data_root", "is_rendered", "open_data", "profile", "project_root", "report_facts", "show"]

PROFILES: dict[str, dict[str, int]] = {
    # `every` renders each n-th metre of the drive, so that few frames still show much of it.
    "quick": {"videos": 8, "frames": 6, "every": 8},
    "full": {"videos": 10, "frames": 60, "every": 1},
}
"""What the embedded dataset holds in each profile (arguments of `render_dataset`)."""


def profile() -> str:
    """``quick`` (default: the whole course in minutes) or ``full``, from ``WADLIB_PROFILE``."""
    name = os.environ.get("WADLIB_PROFILE", "quick")
    if name not in PROFILES:
        raise WadError(
            f"profile: WADLIB_PROFILE is {name!r}", cause="a typing slip", fix="set it to quick or full, or unset it"
        )
    return name


def is_rendered() -> bool:
    """Whether the notebooks run on the embedded rendered videos (no ``WAD_ROOT`` is set)."""
    return not os.environ.get("WAD_ROOT")


def data_root(progress: bool = True) -> Path:
    """The dataset folder: ``WAD_ROOT`` if it is set, else the rendered videos of the profile.

    Rendered videos are kept in ``WADLIB_CACHE`` (by default the user's cache folder), so that they
    are drawn only once; a renderer whose code changed draws into a folder of its own.
    """
    if not is_rendered():
        return Path(os.environ["WAD_ROOT"])
    from platformdirs import user_cache_dir

    from wadlib import rendered

    cache = Path(os.environ.get("WADLIB_CACHE") or user_cache_dir("wadlib"))
    digest = hashlib.sha256()
    for path in sorted(Path(rendered.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    out = cache / f"rendered-{profile()}-{digest.hexdigest()[:10]}"
    size = PROFILES[profile()]
    return rendered.render_dataset(
        out, videos=size["videos"], frames=size["frames"], every=size["every"], seed=0, progress=progress
    )


def open_data() -> Wad:
    """Open the dataset and say in one line what the numbers of this notebook come from."""
    wad = open_wad(data_root())
    kind = "rendered data" if is_rendered() else "the folder in WAD_ROOT"
    print(f"Profile {profile()} · {kind} · videos: {len(wad.train_videos)} · frames with labels: {len(wad.frames)}")
    return wad


def project_root() -> Path:
    """The companion's folder (it holds ``notebooks/`` and ``report/``), from here upwards."""
    for folder in [Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[1]]:
        if (folder / "report" / "report_facts.json").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise DatasetError(
        f"project_root: there is no companion around {Path.cwd().name}",
        cause="the command was started outside the cloned project",
        fix="change to the project's folder first",
    )


def report_facts() -> dict[str, Any]:
    """The report's own numbers: ``report/report_facts.json``, digitised from its text and figures."""
    facts: dict[str, Any] = json.loads((project_root() / "report" / "report_facts.json").read_text(encoding="utf-8"))
    return facts


def show(figure: Figure, alt: str) -> None:
    """Display a figure with its description for those who cannot see it, and close it.

    Drawings become SVG (sharp on a projector), photographs JPEG (small). The same figure gives the
    same bytes.

    Parameters
    ----------
    figure : matplotlib Figure
    alt : str
        What one learns from looking at it, in one or two sentences.
    """
    import matplotlib.pyplot as plt
    from IPython.display import HTML, display

    if not alt.strip():
        raise WadError("show: the alt text is empty", cause="a figure in a hurry", fix="say what one sees in it")
    kind = "jpeg" if any(_pixels(axes) > 20_000 for axes in figure.axes) else "svg"
    data = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "wadlib", "svg.fonttype": "path"}):
        if kind == "svg":
            figure.savefig(data, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(data, format="jpeg", bbox_inches="tight", dpi=110, pil_kwargs={"quality": 85})
    plt.close(figure)
    mime = {"svg": "image/svg+xml", "jpeg": "image/jpeg"}[kind]
    source = f"data:{mime};base64,{base64.b64encode(data.getvalue()).decode()}"
    style = "max-width:100%;height:auto;background:#fff;border-radius:6px"
    display(HTML(f'<img class="figure" alt="{escape(alt)}" src="{source}" style="{style}">'))


def _pixels(axes: Any) -> int:
    return max((image.get_array().shape[0] * image.get_array().shape[1] for image in axes.images), default=0)
