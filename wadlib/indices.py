"""From label codes to the indices that a network, or a graph cut, works with, and back."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import LabelError
from wadlib.labels import BACKGROUND, IGNORE, NETWORK_INDEX, TABLE, decode, encode

__all__ = ["NO_INDEX", "label_from_indices", "network_indices"]

NO_INDEX = 255
"""Index of a pixel that a network is neither to learn from nor to be judged by."""

_UNKNOWN = 254  # in the tables below: a class id that no row of the class table has


def network_indices(label: npt.NDArray[np.uint16], indices: Mapping[int, int] = NETWORK_INDEX) -> npt.NDArray[np.uint8]:
    """Label codes -> what a network learns: 0 background, 1..7 the classes, NO_INDEX (255) where IGNORE.

    Parameters
    ----------
    label : (H,W) uint16 codes, or of any other shape
    indices : mapping
        WAD class id -> index, another one for a network with other classes; an index of NO_INDEX leaves
        a class out. Classes that it does not name are background.

    Returns
    -------
    uint8 array of the shape of `label`

    Raises
    ------
    LabelError
        Not uint16, or a class id that the class table does not know.

    Examples
    --------
    >>> network_indices(np.array([[255, 33001, 40000, 37002, 65535]], np.uint16)).tolist()
    [[0, 1, 7, 0, 255]]
    """
    codes = np.asarray(label)
    if codes.dtype != np.uint16:
        raise LabelError(
            f"network_indices: expected uint16 codes, got {codes.dtype}",
            cause="class ids or indices in place of label codes",
            fix="read labels with wadlib.frames.read_label",
        )
    found = _index_table(tuple(indices.items()))[codes]
    if (found == _UNKNOWN).any():
        class_id = int(codes[found == _UNKNOWN][0]) // 1000
        raise LabelError(
            f"network_indices: class {class_id} is not in the class table",
            cause="a label of another dataset, or one that was resized with interpolation",
            fix="check the label with `wadlib info`",
        )
    return np.asarray(found)


def label_from_indices(
    index: npt.NDArray[np.integer[Any]], indices: Mapping[int, int] = NETWORK_INDEX
) -> npt.NDArray[np.uint16]:
    """Indices of a network -> a label of classes, instance 0 each: the way back from `network_indices`.

    Raises
    ------
    LabelError
        An index that stands for no class.

    Examples
    --------
    >>> label_from_indices(np.array([[0, 1, 7, 255]])).tolist()
    [[255, 33000, 40000, 65535]]
    """
    found = np.asarray(index)
    table = np.zeros(NO_INDEX + 1, np.uint16)  # no code is 0
    table[0], table[NO_INDEX] = BACKGROUND, IGNORE
    for class_id, number in indices.items():
        if number != NO_INDEX:
            table[number] = encode(class_id, 0)
    whole = found.dtype.kind in "iu"
    if not whole or (found.size and (found.min() < 0 or found.max() > NO_INDEX or not table[found].all())):
        bad = found[(found < 0) | (found > NO_INDEX) | (table[found.clip(0, NO_INDEX).astype(int)] == 0)]
        got = f"index {bad.flat[0]}" if whole else f"dtype {found.dtype}"
        raise LabelError(
            f"label_from_indices: expected 0, {NO_INDEX} or one of {sorted(set(indices.values()))}, got {got}",
            cause="class ids, or the output of a network with other classes",
            fix="pass the argmax over the channels, and the table that the network was trained with",
        )
    return np.asarray(table[found])


@functools.cache
def _index_table(indices: tuple[tuple[int, int], ...]) -> npt.NDArray[np.uint8]:
    """Index of each of the 65536 codes."""
    class_ids = decode(np.arange(IGNORE + 1))[0]
    table = np.where(np.isin(class_ids, [row.id for row in TABLE]), 0, _UNKNOWN).astype(np.uint8)
    for class_id, index in indices:
        table[class_ids == class_id] = index
    table[IGNORE] = NO_INDEX
    return table
