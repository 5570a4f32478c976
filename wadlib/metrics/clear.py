r"""CLEAR MOT scores (Bernardin and Stiefelhagen, 2008) of masks: MOTA, MOTP, sMOTSA, identity switches.

.. math::
   MOTA = \frac{TP - FP - IDSW}{TP + FN} \qquad MOTP = \frac{\sum_{TP} IoU}{TP} \qquad
   sMOTSA = \frac{\sum_{TP} IoU - FP - IDSW}{TP + FN}

with masks matched at IoU 0.5. sMOTSA (Voigtlaender et al., CVPR 2019) is MOTA with soft matches.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from wadlib.metrics.tracks import EPS, Counts, TrackFrame, number_tracks

_IOU = 0.5
_NONE = -1


@dataclass(frozen=True)
class Clear(Counts):
    """Counts of one or several sequences, and the scores that follow (``nan`` where the truth holds nothing).

    Attributes
    ----------
    tp, fn, fp : int
        Matched, missed and false masks.
    idsw : int
        Identity switches: a true object is matched to another track than when it was matched last.
    iou : float
        Sum of the IoU of the matched masks.
    mt, pt, ml : int
        True tracks that are matched in more than 80 %, in 20 to 80 % and in less than 20 % of their frames.
    frag : int
        How often a true track is found again after a frame without a match.
    """

    tp: int = 0
    fn: int = 0
    fp: int = 0
    idsw: int = 0
    iou: float = 0.0
    mt: int = 0
    pt: int = 0
    ml: int = 0
    frag: int = 0

    @property
    def mota(self) -> float:
        """Multi-object tracking accuracy; may be negative."""
        return self._per_truth(self.tp - self.fp - self.idsw)

    @property
    def motp(self) -> float:
        """Mean IoU of matched masks, 0 if none is matched."""
        return self.iou / max(1, self.tp) if self.tp + self.fn else float("nan")

    @property
    def smotsa(self) -> float:
        """MOTA in which a match counts as much as its IoU."""
        return self._per_truth(self.iou - self.fp - self.idsw)

    def _per_truth(self, value: float) -> float:
        return value / (self.tp + self.fn) if self.tp + self.fn else float("nan")


def clear(frames: Iterable[TrackFrame]) -> Clear:
    """Compute the CLEAR scores of one sequence: one class of one video.

    Equal to TrackEval's (``metrics/clear.py``; its ``sMOTA`` is our `Clear.smotsa`).

    Examples
    --------
    >>> frame_1, frame_2 = TrackFrame([1], [5], [[0.75]]), TrackFrame([1], [6], [[0.75]])
    >>> result = clear([frame_1, frame_2])
    >>> result.idsw, result.mota, result.smotsa  # (2 - 0 - 1) / 2 and (1.5 - 0 - 1) / 2
    (1, 0.5, 0.25)
    """
    numbered, true_tracks, _ = number_tracks(frames)
    tp = fn = fp = idsw = 0
    iou_sum = 0.0
    seen, matched = np.zeros(true_tracks), np.zeros(true_tracks)
    pieces = np.zeros(true_tracks, np.int64)
    last = np.full(true_tracks, _NONE)  # the track that it was matched to last, however long ago
    before = np.full(true_tracks, _NONE)  # … in the frame before
    for frame in numbered:
        seen[frame.truth] += 1
        if not (frame.truth.size and frame.found.size):
            # As in TrackEval, a frame that is empty on one side does not end what came before it.
            fn, fp = fn + frame.truth.size, fp + frame.found.size
            continue
        # Keep the pairs of the frame before where they still overlap; then those that overlap most.
        score = 1000 * (frame.found[None, :] == before[frame.truth][:, None]) + frame.iou
        score[frame.iou < _IOU - EPS] = 0
        rows, columns = linear_sum_assignment(-score)
        good = score[rows, columns] > EPS
        rows, columns = rows[good], columns[good]
        g, p = frame.truth[rows], frame.found[columns]
        idsw += int(np.count_nonzero((last[g] != _NONE) & (last[g] != p)))
        last[g] = p
        now = np.full(true_tracks, _NONE)
        now[g] = p
        pieces += (before == _NONE) & (now != _NONE)
        before = now
        matched[g] += 1
        tp, fn, fp = tp + g.size, fn + frame.truth.size - g.size, fp + frame.found.size - g.size
        iou_sum += float(frame.iou[rows, columns].sum())
    share = matched / np.maximum(seen, 1)
    mt = int(np.count_nonzero(share > 0.8))
    pt = int(np.count_nonzero(share >= 0.2)) - mt
    frag = int((pieces[pieces > 0] - 1).sum())
    return Clear(tp, fn, fp, idsw, iou_sum, mt, pt, true_tracks - mt - pt, frag)
