"""From samples to masks as people draw them: one outline over thin leaves, one blob for a far cluster."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

KEEP = -2
WINDOW = 5
"""Samples along each side of the window in which we look; every second pixel is sampled, so 10x10 pixels."""


def tidy(owner: Any, pierced: Any, clutter: Any = None) -> Any:
    """Say where a mask that is seen through leaves or a fence changes.

    A leaf sample belongs to the object if at least half of the window around it does (one outline
    over sparse leaves); a sample of an object with less than 30 % of its window, most of the rest
    leaves, is a speck that nobody outlines.

    Parameters
    ----------
    owner : (H, W) int32
        Index of the object, -1 for none.
    pierced : (H, W) bool
        Whether a leaf or a fence is in front.
    clutter : (H, W) bool, optional
        What stands in a wild street alone. It counts as leaves around a speck, since there may be leaves behind
        it: so a label never gains a sample by what is put before the street.

    Returns
    -------
    (H, W) int32, the new owner, or KEEP where nothing changes

    Examples
    --------
    >>> owner = np.zeros((9, 9), np.int32)
    >>> owner[4, 4] = -1
    >>> np.argwhere(tidy(owner, owner < 0) != KEEP).tolist()
    [[4, 4]]
    """
    change = np.full(owner.shape, KEEP, np.int32)
    around = pierced if clutter is None else pierced | clutter
    for index, box in _boxes(owner):
        veil, veils = pierced[box], around[box]
        if not veils.any():
            continue
        mask = (owner[box] == index).astype(np.float32)
        density = cv2.boxFilter(mask, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_CONSTANT)
        leaves = cv2.boxFilter(veils.astype(np.float32), -1, (WINDOW, WINDOW), borderType=cv2.BORDER_CONSTANT)
        part = change[box]
        part[veil & (density >= 0.5)] = index
        part[(mask > 0) & (density < 0.3) & (leaves > 0.4)] = -1
    return change


def cluster(tiny: Any) -> Any:
    """Find where a few samples lie between objects too small to tell apart: (H, W) bool -> (H, W) bool."""
    closed = cv2.morphologyEx(tiny.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((WINDOW, WINDOW), np.uint8))
    return (closed > 0) & ~tiny


def _boxes(owner: Any) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Each object with its bounding box and a margin of half a window."""
    rows, columns = np.nonzero(owner >= 0)
    if not len(rows):
        return
    indices = owner[rows, columns].astype(np.int16)
    order = np.argsort(indices, kind="stable")
    indices, rows, columns = indices[order], rows[order], columns[order]
    starts = np.flatnonzero(np.diff(indices, prepend=-1))
    margin = WINDOW // 2
    limits = [f.reduceat(v, starts) for v in (rows, columns) for f in (np.minimum, np.maximum)]
    for index, top, bottom, left, right in zip(indices[starts].tolist(), *(v.tolist() for v in limits), strict=True):
        yield (
            index,
            (slice(max(top - margin, 0), bottom + margin + 1), slice(max(left - margin, 0), right + margin + 1)),
        )
