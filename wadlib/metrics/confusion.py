"""Which class is taken for which: pixels, by true and predicted class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wadlib.labels import CLASSES, IDS, IGNORE, evaluated_index
from wadlib.overlap import Overlap

if TYPE_CHECKING:
    import pandas as pd


def frame_confusion(overlap: Overlap) -> npt.NDArray[np.int64]:
    """Count (8,8) pixels of one frame by true class (rows) and predicted class (columns), see `confusion`."""
    known = overlap.truth != IGNORE
    size = len(IDS) + 1  # no class comes first
    rows = evaluated_index(overlap.truth[known]).astype(np.int64)
    counts = np.bincount(rows * size + evaluated_index(overlap.prediction[known]), overlap.pixels[known], size * size)
    return counts.astype(np.int64).reshape(size, size)


def confusion(overlaps: Iterable[Overlap]) -> npt.NDArray[np.int64]:
    """Count pixels by true and predicted class.

    Parameters
    ----------
    overlaps : iterable of Overlap, one per frame

    Returns
    -------
    (8,8) int64
        Row: true class, column: predicted class; 0 is everything that is not evaluated (background,
        riders…), then the seven classes in the order of `wadlib.labels.IDS`. Pixels whose truth is
        IGNORE are left out.

    Examples
    --------
    >>> truth = np.array([[33000, 33000, 255, 65535]], np.uint16)
    >>> found = np.array([[33000, 38000, 255, 38000]], np.uint16)  # the car's rear is taken for a truck
    >>> counts = confusion([Overlap.from_labels(truth, found)])
    >>> counts[1].tolist(), int(counts.sum())
    ([0, 1, 0, 0, 0, 1, 0, 0], 3)
    """
    total = np.zeros((len(IDS) + 1, len(IDS) + 1), np.int64)
    for overlap in overlaps:
        total += frame_confusion(overlap)
    return total


def confusion_table(counts: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Show the (8,8) counts with names on rows (truth) and columns (prediction)."""
    import pandas as pd

    names = ["background", *(row.name for row in CLASSES.values())]
    return pd.DataFrame(counts, index=pd.Index(names, name="truth ↓ prediction →"), columns=names)
