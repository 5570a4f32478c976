"""What the notebook on video opens with: one video with every metre of the drive, and a player for results."""

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from wadlib.course.classroom import figure_caption, profile, project_root, rendered_in_cache
from wadlib.dataset import Video, open_wad
from wadlib.dataset.tracks import read_tracks
from wadlib.errors import DatasetError, WadError
from wadlib.viewer import page

SEED = 9292
FRAMES = {"quick": 16, "full": 30}
"""How many frames of the video the notebook uses."""

Tracks = dict[str, dict[int, int]]


def open_video(progress: bool = True) -> tuple[Video, Tracks]:
    """Open the rendered video of the notebook on video, at the report's 832x640.

    The other notebooks take every eighth metre of a drive; time needs them all. The video is drawn once, into the cache
    (`wadlib.course.data_root` says where).

    Returns
    -------
    video : Video
    tracks : dict
        Frame -> label code -> identity: what nobody has for WAD.
    """
    frames = FRAMES[profile()]
    root = rendered_in_cache(f"video-{frames}", videos=1, frames=frames, seed=SEED, size="network", progress=progress)
    (video,) = open_wad(root).train_videos
    return video, read_tracks(root)


def tracking_results(name: str, root: Path | None = None) -> dict[str, Any]:
    """Read what was measured on more videos than a notebook has time for: ``results/tracking/<name>.json``."""
    path = (root or project_root()) / "results" / "tracking" / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.json")))
        raise DatasetError(
            f"tracking_results: there is no {path.name} in results/tracking",
            cause="a typing slip",
            fix=f"use one of {known or 'none: the folder is missing'}",
        )
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def show_video(
    paths: Sequence[str | Path], alt: str, poster: str | Path | None = None, caption: str | None = None
) -> None:
    """Display a short video with its number and caption; it plays in JupyterLab and in the book, from disk too.

    Parameters
    ----------
    paths : sequence of .mp4 files
        The same video, the smallest first: a browser plays the first one that it knows (AV1, then H.264).
    alt : str
        What one learns from watching it.
    poster : path of a .jpg, optional
        The picture before it plays.
    caption : str, optional
        What stands below it, behind the number of the figure; by default the first sentence of `alt`.
    """
    from IPython.display import HTML, display

    if not alt.strip() or not paths:
        raise WadError(
            f"show_video: expected videos and a description, got {len(paths)} and {alt!r}",
            cause="a video in a hurry",
            fix="say what one sees in it",
        )
    sources = "".join(f'<source src="{_data("video/mp4", path)}" type="video/mp4">' for path in paths)
    still = "" if poster is None else f' poster="{_data("image/jpeg", poster)}"'
    display(
        HTML(
            f'<video class="figure" controls loop muted playsinline preload="metadata" aria-label="{escape(alt)}"'
            f'{still} style="{page.IMAGE_STYLE}">{sources}{escape(alt)}</video>' + figure_caption(alt, caption)
        )
    )


def _data(mime: str, path: str | Path) -> str:
    return f"data:{mime};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
