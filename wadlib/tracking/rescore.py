r"""Scores that know about time: a detection that its track confirms is surer than a lonely one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def track_support(
    scores: Sequence[npt.ArrayLike], ids: Sequence[Ids], window: int = 5, own: float = 0.5
) -> list[Scores]:
    r"""Mix each score with the support of its track in the frames around it.

    .. math:: s'_t = \tfrac12 s_t + \tfrac12 \frac1{2w + 1} \sum_{|u - t| \le w} s_u

    where s_u is the score of the same track in frame u, and 0 in a frame in which it was not found. Scores mean
    something else afterwards: the report's IoU needs a threshold of its own.

    Parameters
    ----------
    scores : sequence of (D,), one per frame of a video
    ids : sequence of (D,) int64
        Of `wadlib.tracking.link`.
    window : int
        w, frames on either side. At the ends of the video the frames that there are count.
    own : float
        Weight of the detection's own score, 0 to 1.

    Returns
    -------
    list of (D,) float64

    Examples
    --------
    >>> one = np.array([0])
    >>> [s.round(3).tolist() for s in track_support([[0.9], [0.3], [0.9]], [one, one, one], window=1)]
    [[0.75], [0.5], [0.75]]
    """
    frame = np.repeat(np.arange(len(ids)), [each.size for each in ids])
    track = np.concatenate([np.zeros(0, np.int64), *ids])
    score = np.concatenate([np.zeros(0), *(np.asarray(each, np.float64) for each in scores)])
    # Sorted by track, then frame, the window of a detection is a stretch of its track: two sums from the start.
    order = np.lexsort((frame, track))
    key = track[order] * (len(ids) + 2 * window + 1) + frame[order]
    total = np.append(0.0, np.cumsum(score[order]))
    first, last = np.searchsorted(key, key - window), np.searchsorted(key, key + window, side="right")
    at = frame[order]
    frames = np.minimum(at + window, len(ids) - 1) - np.maximum(at - window, 0) + 1
    mixed = np.empty_like(score)
    mixed[order] = own * score[order] + (1 - own) * (total[last] - total[first]) / frames
    ends = np.cumsum([each.size for each in ids])
    return [mixed[end - each.size : end] for each, end in zip(ids, ends.tolist(), strict=True)]


def best_of_tracks(scores: Sequence[npt.ArrayLike], ids: Sequence[Ids]) -> dict[int, float]:
    """Find the best score of each track of a video: an object that had a high score once was there all along.

    Examples
    --------
    >>> best_of_tracks([[0.3, 0.9], [0.8]], [np.array([0, 1]), np.array([0])])
    {0: 0.8, 1: 0.9}
    """
    best: dict[int, float] = {}
    for each, tracks in zip(scores, ids, strict=True):
        for score, track in zip(np.asarray(each, np.float64).tolist(), tracks.tolist(), strict=True):
            best[track] = max(score, best.get(track, score))
    return best
