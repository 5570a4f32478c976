"""Intersection over union per class: the report's, and the pooled one beside it.

Each number is given its own line: A_c is the area of class c in the prediction, B_c in the truth,
I_c of both, U_c = A_c + B_c - I_c of either (the letters of the report, section 5).
"""

from collections.abc import Iterable, Mapping

import numpy as np

from wadlib.errors import MetricError
from wadlib.labels import IDS
from wadlib.overlap import ClassAreas, Overlap

__all__ = ["REPORT_TABLE_1", "IoUSum", "mean_iou", "pooled_iou", "report_iou"]

REPORT_TABLE_1: dict[int, float] = {33: 0.2899, 34: 0.0, 35: 0.0, 36: 0.0096, 38: 0.0035, 39: 0.0132, 40: 0.0}
"""Table 1 of the report, "mean IoU" of its Mask R-CNN, by WAD class id."""


class IoUSum:
    """Add up frames one at a time; both IoUs come from a single pass, in constant memory.

    Examples
    --------
    >>> truth = np.array([[33000, 33000, 33000, 255]], np.uint16)
    >>> prediction = np.array([[255, 33005, 33005, 33005]], np.uint16)
    >>> total = IoUSum()
    >>> total.add(Overlap.from_labels(truth, prediction))
    >>> total.report_iou()[33]  # 2 of 4 pixels
    0.5
    """

    def __init__(self) -> None:
        self.frames = 0  # that were added
        self._with_class = np.zeros(len(IDS), np.int64)
        self._ratios = np.zeros(len(IDS))  # sum over frames of I / U
        self._intersection = np.zeros(len(IDS), np.int64)
        self._union = np.zeros(len(IDS), np.int64)

    def add(self, overlap: Overlap) -> None:
        """Add one frame. For the report's last bit, add frames in file order."""
        self.add_areas(overlap.class_areas())

    def add_areas(self, areas: ClassAreas) -> None:
        """Add one frame of which only the areas are known, see `add`."""
        present = areas.truth > 0  # the frames F_c; where B_c > 0, U_c > 0 too
        union = areas.truth + areas.prediction - areas.intersection
        self._ratios[present] += areas.intersection[present] / union[present]
        self._with_class += present
        self._intersection += areas.intersection
        self._union += union - areas.predicted_on_ignore
        self.frames += 1

    def report_iou(self) -> dict[int, float]:
        """Return the report's IoU of the frames so far, see the function `report_iou`."""
        return _divide(self._ratios, self._with_class)

    def pooled_iou(self) -> dict[int, float]:
        """Return the pooled IoU of the frames so far, see the function `pooled_iou`."""
        # A class in no ground truth is nan, whatever was predicted.
        return _divide(self._intersection, np.where(self._with_class > 0, self._union, 0))

    def frames_with_class(self) -> dict[int, int]:
        """Count, per class id, the frames whose truth holds the class: those the report's IoU averages over."""
        return dict(zip(IDS, self._with_class.tolist(), strict=True))


def report_iou(overlaps: Iterable[Overlap]) -> dict[int, float]:
    r"""Average the intersection over union per class, the report's way (section 5).

    .. math:: IoU_c = \frac1{|F_c|} \sum_{f \in F_c} \frac{|A_{fc} \cap B_{fc}|}{|A_{fc} \cup B_{fc}|}

    with F_c the frames whose ground truth holds class c; other frames are skipped, so a false
    positive there costs nothing (see `pooled_iou` for the remedy). A frame with one distant car
    weighs as much as one full of cars. Pixels whose truth is IGNORE count as "not class c", because
    the authors' code does not know them. Added up in file order, the numbers are equal to those of
    the authors' code to the last bit.

    Parameters
    ----------
    overlaps : iterable of Overlap, one per frame
        A generator will do: only sums are kept.

    Returns
    -------
    dict[int, float]
        Class id -> IoU in [0, 1]; ``nan`` for a class in no ground truth.
    """
    return _sum(overlaps).report_iou()


def pooled_iou(overlaps: Iterable[Overlap]) -> dict[int, float]:
    r"""Compute the intersection over union per class of all frames together.

    .. math:: IoU_c = \frac{\sum_f |A_{fc} \cap B_{fc}|}{\sum_f |A_{fc} \cup B_{fc}|}

    over *all* frames, so that a false positive costs the same wherever it stands. Predicted pixels
    whose truth is IGNORE are left out of A_c: they count neither for nor against. Parameters and result are those of
    `report_iou`.
    """
    return _sum(overlaps).pooled_iou()


def mean_iou(iou: Mapping[int, float]) -> float:
    """Average over the classes that have a number; ``nan`` if none has.

    Examples
    --------
    >>> mean_iou({33: 0.5, 34: float("nan"), 36: 0.25})
    0.375
    """
    known = [value for value in iou.values() if value == value]  # nan is not equal to itself
    return sum(known) / len(known) if known else float("nan")


def _sum(overlaps: Iterable[Overlap]) -> IoUSum:
    total = IoUSum()
    for overlap in overlaps:
        if not isinstance(overlap, Overlap):
            raise MetricError(
                f"expected an iterable of Overlap, one per frame, got one holding a {type(overlap).__name__}",
                cause="label maps were passed in place of their overlaps",
                fix="report_iou(Overlap.from_labels(t, p) for t, p in pairs)",
            )
        total.add(overlap)
    return total


def _divide(numerator: np.typing.NDArray[np.number], denominator: np.typing.NDArray[np.int64]) -> dict[int, float]:
    pairs = zip(numerator.tolist(), denominator.tolist(), strict=True)
    return dict(zip(IDS, (n / d if d else float("nan") for n, d in pairs), strict=True))
