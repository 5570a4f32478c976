r"""Segmentation and tracking quality (Weber et al., STEP, NeurIPS 2021), from pixels instead of matches.

A *tube* is all pixels of one track in a video. With TPA(p, g) the pixels that tubes p and g share:

.. math::
   AQ = \frac1{|G|} \sum_{g \in G} \frac1{|g|} \sum_{p} TPA(p, g) \,
        \frac{TPA(p, g)}{|p| + |g| - TPA(p, g)} \qquad
   SQ = \frac1{|C|} \sum_{c \in C} IoU_c \qquad STQ = \sqrt{AQ \cdot SQ}

No threshold is asked for, and a wrong class costs SQ, not AQ.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.labels import IDS
from wadlib.metrics.instance_overlap import class_index
from wadlib.metrics.tracks import Counts, TrackedOverlap

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stq(Counts):
    """Sums of one or several videos, and the scores that follow.

    Attributes
    ----------
    association : float
        Sum over the true tubes of their association score.
    tubes : int
        How many true tubes there are.
    intersection, union : (7,) int64
        Pixels per class, in the order of `wadlib.labels.IDS`. Background is no class here, and predicted pixels
        whose truth is IGNORE are left out.
    """

    association: float
    tubes: int
    intersection: Ints
    union: Ints

    @property
    def aq(self) -> float:
        """Association quality; ``nan`` where the truth holds no object."""
        return self.association / self.tubes if self.tubes else float("nan")

    @property
    def sq(self) -> float:
        """Segmentation quality: mean IoU over the classes that occur in truth or prediction."""
        occurs = self.union > 0
        return float((self.intersection[occurs] / self.union[occurs]).mean()) if occurs.any() else float("nan")

    @property
    def stq(self) -> float:
        """The geometric mean of both."""
        return float(np.sqrt(self.aq * self.sq))


def stq(frames: Iterable[TrackedOverlap]) -> Stq:
    """Compute segmentation and tracking quality of one video, all classes together.

    Written from the definition and the numpy reference of deeplab2
    (``evaluation/numpy/segmentation_and_tracking_quality.py``).

    Parameters
    ----------
    frames : iterable of TrackedOverlap
        From label maps: the masks of one frame do not overlap.
    """
    true: defaultdict[int, int] = defaultdict(int)  # pixels of each tube
    found: defaultdict[int, int] = defaultdict(int)
    both: defaultdict[tuple[int, int], int] = defaultdict(int)
    intersection, union = np.zeros(len(IDS), np.int64), np.zeros(len(IDS), np.int64)
    for frame in frames:
        of = frame.instances
        judged = of.areas - of.on_ignore  # nobody knows what is on IGNORE
        for track, area in zip(frame.truth_ids.tolist(), of.truth_areas.tolist(), strict=True):
            true[track] += area
        for track, area in zip(frame.found_ids.tolist(), judged.tolist(), strict=True):
            found[track] += area
        for g, p in zip(*(side.tolist() for side in np.nonzero(of.shared)), strict=True):
            both[int(frame.truth_ids[g]), int(frame.found_ids[p])] += int(of.shared[g, p])
        g_class, p_class = class_index(of.truth_classes), class_index(of.class_ids)
        shared = np.zeros(len(IDS), np.int64)
        for position in range(len(IDS)):
            shared[position] = of.shared[np.ix_(g_class == position, p_class == position)].sum()
        np.add.at(union, g_class, of.truth_areas)
        np.add.at(union, p_class, judged)
        union -= shared
        intersection += shared
    association = sum(tpa * (tpa / (true[g] + found[p] - tpa)) / true[g] for (g, p), tpa in both.items())
    return Stq(float(association), len(true), intersection, union)
