"""Small moving objects for the tests of tracking."""

from __future__ import annotations

import numpy as np

from wadlib.instances import Instances

SHAPE = (60, 200)


def boxes(*rows, scores=None, shape=SHAPE):
    """Instances that fill boxes: (class id, y, x, height, width) each."""
    masks = np.zeros((len(rows), *shape), bool)
    for mask, (_, y, x, height, width) in zip(masks, rows, strict=True):
        mask[y : y + height, x : x + width] = True
    return Instances.from_masks(masks, [row[0] for row in rows], [0.9] * len(rows) if scores is None else scores)


def numbers(ids):
    """Lists, because they are compared."""
    return [each.tolist() for each in ids]
