"""Masks one at a time, as the piece of the picture that they cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib.instances import Instances, Runs
from wadlib.instances.reader import FramePrediction
from wadlib.labels import evaluated_index


class Piece(NamedTuple):
    """A mask whose first row and column are row `y` and column `x` of the picture; it may reach over the edges.

    Attributes
    ----------
    mask : (h, w) bool
    y, x : int
    """

    mask: npt.NDArray[np.bool_]
    y: int
    x: int

    def moved(self, dy: float, dx: float) -> Piece:
        """Move it by whole pixels, the nearest ones."""
        return Piece(self.mask, self.y + round(dy), self.x + round(dx))

    def inside(self, shape: tuple[int, int]) -> Piece:
        """Cut off what reaches over the edges of a picture of `shape`."""
        top, left = max(-self.y, 0), max(-self.x, 0)
        mask = self.mask[top : max(shape[0] - self.y, 0), left : max(shape[1] - self.x, 0)]
        return Piece(mask, self.y + top, self.x + left) if mask.any() else Piece(mask[:0, :0], 0, 0)

    def iou(self, other: Piece) -> float:
        """Compute the intersection over union of two masks."""
        top, left = max(self.y, other.y), max(self.x, other.x)
        bottom = min(self.y + self.mask.shape[0], other.y + other.mask.shape[0])
        right = min(self.x + self.mask.shape[1], other.x + other.mask.shape[1])
        if top >= bottom or left >= right:
            return 0.0
        shared = np.count_nonzero(
            self.mask[top - self.y : bottom - self.y, left - self.x : right - self.x]
            & other.mask[top - other.y : bottom - other.y, left - other.x : right - other.x]
        )
        if not shared:
            return 0.0
        return float(shared / (np.count_nonzero(self.mask) + np.count_nonzero(other.mask) - shared))


def pieces_of(found: Instances) -> list[Piece]:
    """Take the masks of instances apart."""
    return [Piece(*crop) for crop in found.runs.crops]


def instances_of(
    class_ids: npt.ArrayLike,
    scores: npt.ArrayLike,
    boxes: npt.ArrayLike,
    pieces: Sequence[Piece],
    shape: tuple[int, int],
) -> Instances:
    """Put instances together from boxes and masks inside a picture of `shape`."""
    return Instances(class_ids, scores, Runs.from_crops(pieces, shape), boxes)  # type: ignore[arg-type]


def label_codes(prediction: FramePrediction, label: npt.NDArray[np.uint16], found: Instances) -> npt.NDArray[np.uint16]:
    """Tell which code each instance of ``prediction.read`` bears on the label of its frame, (N,) uint16.

    ``wadlib predict`` numbers the instances of a class by falling score, those on the label and those whose score is
    too low for it alike. Without ``instances.json`` the instances are those of the label, in the order of their codes.
    """
    if prediction.rows is not None:
        return found.codes
    codes = np.unique(label)
    return codes[evaluated_index(codes) > 0]
