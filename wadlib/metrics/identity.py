r"""Identity scores (Ristani et al., 2016): each true track is given one found track for the whole video.

.. math:: IDF1 = \frac{IDTP}{IDTP + \frac12 IDFP + \frac12 IDFN}

IDTP counts the masks that overlap with IoU 0.5 or more under the best one-to-one assignment of tracks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from wadlib.metrics.tracks import TrackFrame, number_tracks

__all__ = ["Identity", "identity"]

_IOU = 0.5


@dataclass(frozen=True)
class Identity:
    """Counts of one or several sequences, and the scores that follow (``nan`` where the truth holds nothing).

    Attributes
    ----------
    idtp, idfn, idfp : int
        Masks of the right identity; true and found masks without.
    """

    idtp: int = 0
    idfn: int = 0
    idfp: int = 0

    @classmethod
    def combine(cls, parts: Iterable[Identity]) -> Identity:
        """Add up the counts of several sequences."""
        parts = list(parts)
        return cls(sum(p.idtp for p in parts), sum(p.idfn for p in parts), sum(p.idfp for p in parts))

    @property
    def idf1(self) -> float:
        """F1 score of the identities."""
        return self._known(self.idtp / max(1.0, self.idtp + 0.5 * self.idfp + 0.5 * self.idfn))

    @property
    def idr(self) -> float:
        """Recall: share of the true masks."""
        return self._known(self.idtp / max(1, self.idtp + self.idfn))

    @property
    def idp(self) -> float:
        """Precision: share of the found masks."""
        return self._known(self.idtp / max(1, self.idtp + self.idfp))

    def _known(self, value: float) -> float:
        return value if self.idtp + self.idfn else float("nan")


def identity(frames: Iterable[TrackFrame]) -> Identity:
    """Compute the identity scores of one sequence: one class of one video.

    Equal to TrackEval's (``metrics/identity.py``).

    Examples
    --------
    >>> frame_1, frame_2 = TrackFrame([1], [5], [[0.75]]), TrackFrame([1], [6], [[0.75]])
    >>> identity([frame_1, frame_2])
    Identity(idtp=1, idfn=1, idfp=1)
    """
    numbered, true_tracks, found_tracks = number_tracks(frames)
    together = np.zeros((true_tracks, found_tracks), np.int64)
    true_masks = found_masks = 0
    for frame in numbered:
        together[np.ix_(frame.truth, frame.found)] += frame.iou >= _IOU
        true_masks += frame.truth.size
        found_masks += frame.found.size
    # Minimal IDFN + IDFP is maximal IDTP: each right mask lowers either by one.
    rows, columns = linear_sum_assignment(-together)
    idtp = int(together[rows, columns].sum())
    return Identity(idtp, true_masks - idtp, found_masks - idtp)
