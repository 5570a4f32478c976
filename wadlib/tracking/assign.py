"""One-to-one assignment of tracks and detections, class by class."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Numbers = npt.NDArray[np.intp]


def assign(
    similarity: npt.NDArray[np.float64],
    track_classes: npt.NDArray[np.int32],
    class_ids: npt.NDArray[np.int32],
    gate: float,
) -> tuple[Numbers, Numbers]:
    """Pair tracks with detections so that the summed similarity is largest (Hungarian algorithm).

    Parameters
    ----------
    similarity : (T, D), 0 to 1
    track_classes, class_ids : (T,) and (D,)
        Only pairs of one class are made: a track that may change its class costs average precision.
    gate : float
        Pairs of a smaller similarity are not made.

    Returns
    -------
    tracks, detections : (M,) positions of the pairs

    Examples
    --------
    The best pair first would take 0.9 and leave 0.0; together 0.8 + 0.7 is more:

    >>> one = np.ones(2, np.int32)
    >>> tracks, found = assign(np.array([[0.9, 0.8], [0.7, 0.0]]), one, one, 0.05)
    >>> list(zip(tracks.tolist(), found.tolist()))
    [(0, 1), (1, 0)]
    """
    pairs = [(np.zeros(0, np.intp), np.zeros(0, np.intp))]
    for class_id in np.intersect1d(track_classes, class_ids):
        tracks, found = np.flatnonzero(track_classes == class_id), np.flatnonzero(class_ids == class_id)
        block = similarity[np.ix_(tracks, found)]
        # Pairs below the gate are worth nothing, so that none of them can push a good one aside.
        block = np.where(block >= gate, block, 0.0)
        rows, columns = linear_sum_assignment(-block)
        good = block[rows, columns] > 0
        pairs.append((tracks[rows[good]], found[columns[good]]))
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
