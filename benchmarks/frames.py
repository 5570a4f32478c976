"""Full-size frames to measure on: real ones where there are some, rendered ones otherwise."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wadlib.dataset import Frame, open_wad
from wadlib.frames import FULL_SHAPE

__all__ = ["full_size_frames"]


@contextmanager
def full_size_frames(count: int = 4) -> Iterator[tuple[str, list[Frame]]]:
    """Yield what they are and `count` labelled full-size frames of one video."""
    for root in _places():
        frames = [frame for frame in open_wad(root).frames if frame.video][:count]
        if len(frames) == count and frames[0].read_image().shape[:2] == FULL_SHAPE:
            yield "real WAD frames", frames
            return
    from wadlib.rendered import render_dataset

    with tempfile.TemporaryDirectory() as folder:
        root = render_dataset(Path(folder) / "rendered", videos=1, frames=count, seed=0, size="full")
        yield "rendered frames (set WAD_ROOT for real ones)", list(open_wad(root).frames[:count])


def _places() -> list[Path]:
    sample = Path(__file__).parents[2] / "shared" / "wad_sample"
    places = [Path(os.environ["WAD_ROOT"])] if os.environ.get("WAD_ROOT") else [sample]
    return [place for place in places if place.is_dir()]
