r"""Higher order tracking accuracy (Luiten et al., IJCV 2021): detection and association, weighed equally.

At each threshold :math:`\alpha` of IoU, true and found masks are matched one to one in every frame. For a matched pair
c of a true track g and a found track p, with TPA frames in which the two are matched, FNA other frames of g and FPA
other frames of p:

.. math::
   DetA_\alpha = \frac{TP}{TP + FN + FP} \qquad
   AssA_\alpha = \frac1{TP} \sum_{c \in TP} \frac{TPA(c)}{TPA(c) + FNA(c) + FPA(c)} \qquad
   HOTA_\alpha = \sqrt{DetA_\alpha \, AssA_\alpha}

and each final score is the mean over :math:`\alpha = 0.05, 0.10, \dots, 0.95`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from wadlib.metrics.tracks import EPS, Counts, NumberedFrame, TrackFrame, number_tracks

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ALPHAS: Floats = np.arange(0.05, 0.99, 0.05)
"""The 19 thresholds of IoU."""


@dataclass(frozen=True, eq=False)
class Hota(Counts):
    """Counts of one or several sequences at each of the 19 thresholds, and the scores that follow.

    Scores are ``nan`` where the truth holds nothing.

    Attributes
    ----------
    tp, fn, fp : (19,) int64
        Matched, missed and false masks.
    association, recall, precision : (19,) float64
        Sums over the matched masks of TPA / (TPA + FNA + FPA), TPA / (TPA + FNA) and TPA / (TPA + FPA).
    iou : (19,) float64
        Sum over the matched masks of their IoU.
    """

    tp: Ints
    fn: Ints
    fp: Ints
    association: Floats
    recall: Floats
    precision: Floats
    iou: Floats

    @property
    def hota_alpha(self) -> Floats:
        """HOTA at each threshold, (19,)."""
        return np.sqrt(self.deta_alpha * self.assa_alpha)

    @property
    def deta_alpha(self) -> Floats:
        """DetA at each threshold, (19,)."""
        return self._known(self.tp / np.maximum(1, self.tp + self.fn + self.fp))

    @property
    def assa_alpha(self) -> Floats:
        """AssA at each threshold, (19,)."""
        return self._known(self.association / np.maximum(1, self.tp))

    @property
    def hota(self) -> float:
        """HOTA, the mean over the thresholds."""
        return float(self.hota_alpha.mean())

    @property
    def deta(self) -> float:
        """Detection accuracy."""
        return float(self.deta_alpha.mean())

    @property
    def assa(self) -> float:
        """Association accuracy."""
        return float(self.assa_alpha.mean())

    @property
    def assre(self) -> float:
        """Association recall: low if true tracks are broken into many."""
        return float(self._known(self.recall / np.maximum(1, self.tp)).mean())

    @property
    def asspr(self) -> float:
        """Association precision: low if found tracks run over several objects."""
        return float(self._known(self.precision / np.maximum(1, self.tp)).mean())

    @property
    def loca(self) -> float:
        """Localisation accuracy, the mean IoU of matched masks; 1 at a threshold where none is matched."""
        return float(self._known(np.maximum(1e-10, self.iou) / np.maximum(1e-10, self.tp)).mean())

    def _known(self, values: Floats) -> Floats:
        return np.where(self.tp + self.fn > 0, values, np.nan)


def hota(frames: Iterable[TrackFrame]) -> Hota:
    """Compute HOTA of one sequence: one class of one video.

    Equal to TrackEval's (``metrics/hota.py``) to rounding.

    Parameters
    ----------
    frames : iterable of TrackFrame
        All frames of the sequence, empty ones included.

    Examples
    --------
    One object over two frames, found both times but under two numbers:

    >>> frame_1, frame_2 = TrackFrame([1], [5], [[1.0]]), TrackFrame([1], [6], [[1.0]])
    >>> result = hota([frame_1, frame_2])
    >>> result.deta, result.assa  # TPA = 1, FNA = 1, FPA = 0
    (1.0, 0.5)
    """
    numbered, true_tracks, found_tracks = number_tracks(frames)
    true_masks, found_masks = np.zeros(true_tracks), np.zeros(found_tracks)
    for frame in numbered:
        true_masks[frame.truth] += 1
        found_masks[frame.found] += 1
    pairs, numbers = _pairs(numbered, found_tracks)
    every_true, every_found = true_masks[pairs // found_tracks], found_masks[pairs % found_tracks]
    together = _together(numbered, numbers, pairs.size)
    alignment = together / (every_true + every_found - together)
    tp, iou_sum = np.zeros(ALPHAS.size, np.int64), np.zeros(ALPHAS.size)
    matches = np.zeros((ALPHAS.size, pairs.size))
    for frame, number in zip(numbered, numbers, strict=True):
        # The pairs that fit best over the whole video first, then those that overlap most.
        score, of_pair = np.zeros(frame.iou.shape), np.zeros(frame.iou.shape, np.intp)
        score[frame.iou > 0] = alignment[number] * frame.iou[frame.iou > 0]
        of_pair[frame.iou > 0] = number
        rows, columns = linear_sum_assignment(-score)
        rows, columns = (each[frame.iou[rows, columns] > 0] for each in (rows, columns))
        overlap = frame.iou[rows, columns]
        matched = overlap >= ALPHAS[:, None] - EPS  # (19, matches)
        tp += matched.sum(axis=1)
        iou_sum += (matched * overlap).sum(axis=1)
        matches[:, of_pair[rows, columns]] += matched
    return Hota(
        tp=tp,
        fn=int(true_masks.sum()) - tp,
        fp=int(found_masks.sum()) - tp,
        association=(matches * (matches / np.maximum(1, every_true + every_found - matches))).sum(axis=1),
        recall=(matches * (matches / np.maximum(1, every_true))).sum(axis=1),
        precision=(matches * (matches / np.maximum(1, every_found))).sum(axis=1),
        iou=iou_sum,
    )


def _pairs(frames: list[NumberedFrame], found_tracks: int) -> tuple[Ints, list[npt.NDArray[np.intp]]]:
    """Number the pairs of a true and a found track that overlap in any frame.

    Only those: in a long video thousands of tracks on either side make millions of pairs that never meet.

    Returns
    -------
    pairs : (K,) int64, true track * `found_tracks` + found track, ascending
    numbers : list of (n,)
        Which pair each overlap of a frame is, in the order of ``iou[iou > 0]``.
    """
    codes = []
    for frame in frames:
        rows, columns = np.nonzero(frame.iou)
        codes.append(frame.truth[rows].astype(np.int64) * found_tracks + frame.found[columns])
    pairs = np.unique(np.concatenate([np.zeros(0, np.int64), *codes]))
    return pairs, [np.searchsorted(pairs, code) for code in codes]


def _together(frames: list[NumberedFrame], numbers: list[npt.NDArray[np.intp]], pairs: int) -> Floats:
    """Sum over frames, for each pair, how much of all that either overlaps is the overlap of the two, (K,)."""
    together = np.zeros(pairs)
    for frame, number in zip(frames, numbers, strict=True):
        union = frame.iou.sum(axis=0)[None, :] + frame.iou.sum(axis=1)[:, None] - frame.iou
        share = np.where(union > EPS, frame.iou / np.maximum(union, EPS), 0)
        together[number] += share[frame.iou > 0]
    return together
