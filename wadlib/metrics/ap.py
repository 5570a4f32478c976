r"""Average precision by COCO's rule: ten IoU thresholds, 101 recall points, bins of size.

Detections of a class are ranked by score over all frames. Of the first n, tp_n are matched to a true
object and fp_n are not (see `wadlib.metrics.matching`); with G true objects

.. math:: R_n = \frac{tp_n}{G}, \qquad P_n = \frac{tp_n}{tp_n + fp_n}, \qquad
          AP = \frac1{101} \sum_{r \in \{0, 0.01, \dots, 1\}} \max_{n: R_n \ge r} P_n

The official scorer of the WAD challenge is not public, and two descriptions of it disagree on details
(11 or 101 recall points); COCO's rule is what everybody can check.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.labels import IDS
from wadlib.metrics.instance_overlap import InstanceOverlap
from wadlib.metrics.matching import SIZES, THRESHOLDS, ClassMatches, MatchTable, match
from wadlib.overlap import Overlap

Floats = npt.NDArray[np.float64]

RECALLS = np.linspace(0.0, 1.0, 101)
"""The recalls at which COCO reads the precision."""


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Precision at each threshold and recall, and the means of it that people quote.

    Attributes
    ----------
    precision : (10,101,7,4) float64
        At each of `THRESHOLDS`, `RECALLS`, class (in the order of `IDS`) and size bin (of `SIZES`);
        ``nan`` where there is no true object.
    recall : (10,7,4) float64
        The highest recall reached; ``nan`` where there is no true object.
    """

    precision: Floats
    recall: Floats

    @property
    def ap(self) -> dict[int, float]:
        """AP@[.5:.95] per class id, the mean over all ten thresholds."""
        return self.per_class()

    @property
    def ap50(self) -> dict[int, float]:
        """AP at IoU 0.5 per class id."""
        return self.per_class(0.5)

    @property
    def ap75(self) -> dict[int, float]:
        """AP at IoU 0.75 per class id."""
        return self.per_class(0.75)

    def per_class(self, iou: float | None = None, size: str = "all") -> dict[int, float]:
        """Return class id -> AP at one IoU threshold, or the mean over all; of one size bin."""
        values = self._select(iou, size)
        return {class_id: _mean(values[:, :, k]) for k, class_id in enumerate(IDS)}

    def mean(self, iou: float | None = None, size: str = "all") -> float:
        """Average over the classes that have a true object, as COCO's summary prints it ("mAP")."""
        return _mean(self._select(iou, size))

    def _select(self, iou: float | None, size: str) -> Floats:
        values = self.precision[..., list(SIZES).index(size)]
        return values if iou is None else values[np.isclose(THRESHOLDS, iou)]


def average_precision(frames: Iterable[Overlap | InstanceOverlap] | MatchTable) -> AveragePrecision:
    """Average precision of all classes, thresholds and sizes in one pass.

    Parameters
    ----------
    frames : iterable, or MatchTable
        One `InstanceOverlap` for each frame; an `Overlap` of two label maps will do, whose instances are
        all of score 1 then. Or matches that are already collected.

    Examples
    --------
    Three cars; two are found, the detection with the highest score is wrong:

    >>> truth = np.array([[33000, 255, 33001, 255, 33002]], np.uint16)
    >>> found = np.array([[33000, 33001, 33002, 255, 255]], np.uint16)
    >>> overlap = Overlap.from_labels(truth, found)
    >>> frame = InstanceOverlap.from_overlap(overlap, scores={33000: 0.8, 33001: 0.9, 33002: 0.7})
    >>> float(average_precision([frame]).precision[0, 33, 0, 0])  # recall 0.33: 1 of 2, or 2 of 3
    0.666...
    """
    if isinstance(frames, MatchTable):
        table = frames
    else:
        table = MatchTable()
        for frame in frames:
            table.add(match(frame if isinstance(frame, InstanceOverlap) else InstanceOverlap.from_overlap(frame)))
    precision = np.full((len(THRESHOLDS), len(RECALLS), len(IDS), len(SIZES)), np.nan)
    recall = np.full((len(THRESHOLDS), len(IDS), len(SIZES)), np.nan)
    for k, class_id in enumerate(IDS):
        for a, size in enumerate(SIZES):
            found = table.detections(class_id, size)
            precision[:, :, k, a], recall[:, k, a] = precisions(found)
    return AveragePrecision(precision, recall)


def precisions(
    found: ClassMatches, weights: Floats | None = None, at: npt.NDArray[np.int64] | None = None
) -> tuple[Floats, Floats]:
    """Compute the precision at the 101 recalls, and the recall reached, at each threshold.

    Parameters
    ----------
    found : ClassMatches
    weights : (V,) float64, optional
        How often each video counts (bootstrap); once by default.
    at : (T,) int, optional
        Which of `THRESHOLDS`; all ten by default.

    Returns
    -------
    precision : (T,101) float64
    recall : (T,) float64
        Both ``nan`` if there is no true object.
    """
    repeats = np.ones(len(found.truths)) if weights is None else weights
    truths = float(repeats @ found.truths)
    matched, ignored = (bits if at is None else bits[at] for bits in (found.matched, found.ignored))
    if truths == 0:
        return np.full((len(matched), len(RECALLS)), np.nan), np.full(len(matched), np.nan)
    counts = repeats[found.videos] * ~ignored  # (T,N)
    tp = np.cumsum(counts * matched, axis=1)
    fp = np.cumsum(counts * ~matched, axis=1)
    reached = tp / truths
    # The spacing guards 0/0, as in COCO's code; it changes no other quotient.
    raw = tp / (fp + tp + np.spacing(1))
    best = np.zeros((len(matched), found.scores.size + 1))  # the best precision at this recall or beyond; 0 at the end
    best[:, :-1] = np.maximum.accumulate(raw[:, ::-1], axis=1)[:, ::-1]
    precision = np.array([row[np.searchsorted(r, RECALLS, side="left")] for row, r in zip(best, reached, strict=True)])
    return precision, reached[:, -1] if found.scores.size else np.zeros(len(matched))


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if known.size else float("nan")
