r"""Identity scores (Ristani et al., 2016): each true track is given one found track for the whole video.

.. math:: IDF1 = \frac{IDTP}{IDTP + \frac12 IDFP + \frac12 IDFN}

IDTP counts the masks that overlap with IoU 0.5 or more under the best one-to-one assignment of tracks.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from wadlib.metrics.tracks import Counts, TrackFrame, number_tracks

_IOU = 0.5


@dataclass(frozen=True)
class Identity(Counts):
    """Counts of one or several sequences, and the scores that follow (``nan`` where the truth holds nothing).

    Attributes
    ----------
    idtp, idfn, idfp : int
        Masks of the right identity; true and found masks without.
    """

    idtp: int = 0
    idfn: int = 0
    idfp: int = 0

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
    rows, columns, true_masks, found_masks = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)], 0, 0
    for frame in numbered:
        g, p = np.nonzero(frame.iou >= _IOU)
        rows.append(frame.truth[g])
        columns.append(frame.found[p])
        true_masks += frame.truth.size
        found_masks += frame.found.size
    # Minimal IDFN + IDFP is maximal IDTP: each right mask lowers either by one.
    idtp = _most_together(np.concatenate(rows), np.concatenate(columns), (true_tracks, found_tracks))
    return Identity(idtp, true_masks - idtp, found_masks - idtp)


def _most_together(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], shape: tuple[int, int]) -> int:
    """Count the frames that the best one-to-one assignment of tracks wins; one entry per frame and pair.

    Tracks that are linked by no chain of overlaps cannot compete, so each group of them is assigned by itself: a long
    video has thousands of tracks, and their full table would not fit.
    """
    if not rows.size:
        return 0
    ones = np.ones(rows.size, np.int64)
    graph = coo_array((ones, (rows, columns + shape[0])), shape=(sum(shape), sum(shape))).tocsr()
    _, group = connected_components(graph, directed=False)
    order = np.argsort(group[rows], kind="stable")
    total = 0
    for part in np.split(order, np.flatnonzero(np.diff(group[rows][order])) + 1):
        g, p = np.unique(rows[part], return_inverse=True)[1], np.unique(columns[part], return_inverse=True)[1]
        table = np.zeros((g.max() + 1, p.max() + 1), np.int64)
        np.add.at(table, (g, p), 1)
        best = linear_sum_assignment(-table)
        total += int(table[best].sum())
    return total
