r"""Panoptic quality: one number for finding objects and for outlining them.

.. math:: PQ = \underbrace{\frac{\sum_{(g,p) \in TP} IoU(g,p)}{|TP|}}_{SQ}
          \cdot \underbrace{\frac{|TP|}{|TP| + \frac12|FP| + \frac12|FN|}}_{RQ}

(Kirillov et al., *Panoptic Segmentation*, CVPR 2019, eq. 1 and 2; for things only: WAD labels no stuff.)
Segments must not overlap, so a pair of IoU above 1/2 is unique and no scores are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.labels import IDS
from wadlib.metrics.instance_overlap import InstanceOverlap, class_index
from wadlib.overlap import Overlap


@dataclass(frozen=True, eq=False)
class PanopticQuality:
    """Counts per class, in the order of `wadlib.labels.IDS`; they add up over frames.

    Attributes
    ----------
    tp, fp, fn : (7,) int64
        Matched pairs, found instances without a match, true instances without one.
    iou : (7,) float64
        Sum of the IoU of the matched pairs.
    """

    tp: npt.NDArray[np.int64]
    fp: npt.NDArray[np.int64]
    fn: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]

    def __add__(self, other: PanopticQuality) -> PanopticQuality:
        return PanopticQuality(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.iou + other.iou)

    @property
    def pq(self) -> dict[int, float]:
        """Class id -> panoptic quality; ``nan`` for a class in no ground truth."""
        return self._divide(self.iou, self.tp + 0.5 * self.fp + 0.5 * self.fn)

    @property
    def sq(self) -> dict[int, float]:
        """Class id -> segmentation quality, mean IoU of the matches; 0 if there are none, ``nan`` without a truth."""
        return self._divide(self.iou, np.maximum(self.tp, 1))

    @property
    def rq(self) -> dict[int, float]:
        """Class id -> recognition quality, the F1 score; ``nan`` for a class in no ground truth."""
        return self._divide(self.tp, self.tp + 0.5 * self.fp + 0.5 * self.fn)

    def _divide(self, numerator: npt.NDArray[np.number], denominator: npt.NDArray[np.number]) -> dict[int, float]:
        in_truth = self.tp + self.fn > 0
        rows = zip(IDS, numerator.tolist(), denominator.tolist(), in_truth.tolist(), strict=True)
        return {c: n / d if there else float("nan") for c, n, d, there in rows}


def panoptic_counts(instances: InstanceOverlap) -> PanopticQuality:
    """Count matched and unmatched instances of one frame; its instances must come from two label maps.

    Pixels whose truth is IGNORE are no part of a found instance: they are left out of the union, and an
    unmatched instance that lies on them by more than half is no false positive.
    """
    same = instances.truth_classes[:, None] == instances.class_ids[None, :]
    union = instances.truth_areas[:, None] + instances.areas[None, :] - instances.shared - instances.on_ignore[None, :]
    iou = np.where(same, instances.shared / np.maximum(union, 1), 0.0)
    g, p = np.nonzero(iou > 0.5)
    wrong = instances.on_ignore <= 0.5 * instances.areas
    wrong[p] = False
    missed = np.ones(instances.truth_areas.size, np.bool_)
    missed[g] = False
    truth, found = class_index(instances.truth_classes), class_index(instances.class_ids)
    return PanopticQuality(
        tp=np.bincount(truth[g], minlength=len(IDS)),
        fp=np.bincount(found[wrong], minlength=len(IDS)),
        fn=np.bincount(truth[missed], minlength=len(IDS)),
        iou=np.bincount(truth[g], iou[g, p], minlength=len(IDS)).astype(np.float64),
    )


def panoptic_quality(overlaps: Iterable[Overlap]) -> PanopticQuality:
    """Compute the panoptic quality of all classes.

    Parameters
    ----------
    overlaps : iterable of Overlap, one per frame
        A generator will do: only sums are kept.

    Returns
    -------
    PanopticQuality
        ``.pq``, ``.sq`` and ``.rq`` are dictionaries by class id.

    Examples
    --------
    One car found (3 of 4 pixels), one false negative, one false positive:

    >>> truth = np.array([[33000] * 4 + [255, 33001, 33001, 255, 255]], np.uint16)
    >>> found = np.array([[33005] * 3 + [255, 255, 255, 255, 33006, 33006]], np.uint16)
    >>> quality = panoptic_quality([Overlap.from_labels(truth, found)])
    >>> quality.pq[33], quality.sq[33], quality.rq[33]
    (0.375, 0.75, 0.5)
    """
    total = PanopticQuality(
        np.zeros(len(IDS), np.int64), np.zeros(len(IDS), np.int64), np.zeros(len(IDS), np.int64), np.zeros(len(IDS))
    )
    for overlap in overlaps:
        total += panoptic_counts(InstanceOverlap.from_overlap(overlap))
    return total
