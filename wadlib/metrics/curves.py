"""What the choice of a score threshold costs: precision against recall, and a sweep over thresholds.

COCO's matching lets the highest score choose first, so leaving out all below a threshold changes
no match above it: one matching serves all thresholds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.errors import MetricError
from wadlib.metrics.ap import precisions
from wadlib.metrics.matching import THRESHOLDS, ClassMatches, MatchTable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SCORES: tuple[float, ...] = tuple(n / 20 for n in range(21))
"""The score thresholds of a sweep: 0, 0.05, … 1."""


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """One class at one IoU threshold, as the score threshold falls.

    Attributes
    ----------
    scores, recall, precision : (N,) float64
        With all detections of ``scores[n]`` or more (the first n + 1 of them; none that count neither way).
    interpolated : (101,) float64
        The best precision at recall 0, 0.01, … 1 or beyond; its mean is the average precision.
    """

    scores: Floats
    recall: Floats
    precision: Floats
    interpolated: Floats


@dataclass(frozen=True, eq=False)
class ScoreSweep:
    """One class at one IoU threshold, for each of S score thresholds.

    Attributes
    ----------
    thresholds : (S,) float64
    found, wrong, missed : (S,) int64
        True positives, false positives, false negatives.
    """

    thresholds: Floats
    found: Ints
    wrong: Ints
    missed: Ints

    @property
    def precision(self) -> Floats:
        """(S,) share of the detections that are right; ``nan`` where there are none."""
        return _ratio(self.found, self.found + self.wrong)

    @property
    def recall(self) -> Floats:
        """(S,) share of the true objects that are found; ``nan`` where there are none."""
        return _ratio(self.found, self.found + self.missed)

    @property
    def f1(self) -> Floats:
        """(S,) 2 tp / (2 tp + fp + fn), the harmonic mean of precision and recall."""
        return _ratio(2 * self.found, 2 * self.found + self.wrong + self.missed)


def precision_recall(table: MatchTable, class_id: int, iou: float = 0.5, size: str = "all") -> PrecisionRecall:
    """Compute the precision against the recall of one class.

    Examples
    --------
    >>> curve = precision_recall(MatchTable(), 33)
    >>> curve.recall.size, bool(np.isnan(curve.interpolated).all())
    (0, True)
    """
    found = table.detections(class_id, size)
    right, wrong, scores = _counts(found, iou)
    truths = int(found.truths.sum())
    return PrecisionRecall(
        scores=scores,
        recall=_ratio(right, np.full_like(right, truths)),
        precision=_ratio(right, right + wrong),
        interpolated=precisions(found)[0][_threshold(iou)],
    )


def score_sweep(
    table: MatchTable,
    class_id: int,
    thresholds: npt.ArrayLike = SCORES,
    iou: float = 0.5,
    size: str = "all",
) -> ScoreSweep:
    """Count true positives, false positives and false negatives, if only detections of a score or more are kept.

    Examples
    --------
    >>> sweep = score_sweep(MatchTable(), 33, [0.5])
    >>> sweep.found.tolist(), sweep.wrong.tolist(), sweep.missed.tolist()
    ([0], [0], [0])
    """
    found = table.detections(class_id, size)
    right, wrong, scores = _counts(found, iou)
    at = np.asarray(thresholds, np.float64)
    kept = np.searchsorted(-scores, -at, side="right")  # how many have this score or more
    right, wrong = (np.append(0, counts)[kept] for counts in (right, wrong))
    return ScoreSweep(at, right, wrong, int(found.truths.sum()) - right)


def _counts(found: ClassMatches, iou: float) -> tuple[Ints, Ints, Floats]:
    """Right and wrong ones among the first 1, 2, … that count, and their scores."""
    t = _threshold(iou)
    counting = ~found.ignored[t]
    matched = found.matched[t][counting]
    return np.cumsum(matched), np.cumsum(~matched), found.scores[counting]


def _threshold(iou: float) -> int:
    where = np.flatnonzero(np.isclose(THRESHOLDS, iou))
    if not where.size:
        raise MetricError(
            f"expected one of the IoU thresholds 0.50, 0.55, … 0.95, got {iou}",
            cause="a threshold that COCO does not use",
            fix="take the nearest of THRESHOLDS",
        )
    return int(where[0])


def _ratio(numerator: Ints, denominator: Ints) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan)
