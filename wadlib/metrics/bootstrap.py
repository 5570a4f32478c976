"""How far a score would move with other videos: the bootstrap, drawn over videos and not over frames.

Successive frames of a video show the same cars. Drawing frames would count them as independent and give
intervals that are far too narrow. (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13:
the percentile interval.)
"""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.errors import MetricError
from wadlib.labels import IDS
from wadlib.metrics.ap import precisions
from wadlib.metrics.matching import THRESHOLDS, MatchTable
from wadlib.metrics.scores import RATIOS, Scores, fractions

Floats = npt.NDArray[np.float64]

_AP = {"ap": slice(None), "ap50": slice(0, 1), "ap75": slice(5, 6)}


@dataclass(frozen=True)
class Intervals:
    """Bootstrap intervals of one score.

    Attributes
    ----------
    per_class : dict[int, tuple[float, float]]
        Class id -> (low, high); ``nan`` for a class in no ground truth, and for all if there is only one video.
    mean : tuple[float, float]
        Of the mean over classes.
    videos, draws : int
    level : float
        The share of the draws that lies between low and high.
    """

    per_class: dict[int, tuple[float, float]]
    mean: tuple[float, float]
    videos: int
    draws: int
    level: float


def draw_videos(videos: int, draws: int, seed: int | np.random.Generator = 0) -> npt.NDArray[np.int64]:
    """Draw how often each video counts: `videos` times with replacement, `draws` times over.

    Returns
    -------
    (draws, videos) int64, each row adds up to `videos`

    Examples
    --------
    >>> draw_videos(3, 2, seed=0).sum(axis=1).tolist()
    [3, 3]
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(videos, np.full(videos, 1 / videos), size=draws)


def bootstrap(scores: Scores, score: str, *, draws: int = 1000, level: float = 0.95, seed: int = 0) -> Intervals:
    """Compute the percentile interval of a score over resampled videos.

    Parameters
    ----------
    scores : Scores
    score : str
        One of ``report_iou, pooled_iou, instance_iou, ap, ap50, ap75, pq, sq, rq``.
    draws : int
        Samples of videos; the same seed draws the same ones for every score and every method, so that
        two methods can be compared draw by draw.
    level : float
        0.95 leaves 2.5 % of the draws below and above.
    seed : int

    Raises
    ------
    MetricError
        An unknown score, or numbers that make no sense.
    """
    if score not in (*RATIOS, *_AP) or draws < 1 or not 0 < level < 1:
        raise MetricError(
            f"bootstrap: score={score!r}, draws={draws}, level={level}",
            cause="a typing slip",
            fix=f"use one of {', '.join((*RATIOS, *_AP))}, at least one draw, and a level such as 0.95",
        )
    videos = len(scores.videos)
    if videos < 2:
        nothing = (float("nan"), float("nan"))
        return Intervals(dict.fromkeys(IDS, nothing), nothing, videos, draws, level)
    weights = draw_videos(videos, draws, seed)
    sampled = (
        _ratios(scores, score, weights) if score in RATIOS else _average_precisions(scores.matches, score, weights)
    )
    edges = [50 * (1 - level), 50 * (1 + level)]
    with warnings.catch_warnings():  # a class in no ground truth: nothing but nan, and nan is the answer
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(sampled, edges, axis=0).tolist()
        mean = np.nanpercentile(np.nanmean(sampled, axis=1), edges).tolist()
    return Intervals(dict(zip(IDS, zip(low, high, strict=True), strict=True)), (mean[0], mean[1]), videos, draws, level)


def _ratios(scores: Scores, score: str, weights: npt.NDArray[np.int64]) -> Floats:
    """(draws,7) one of the `RATIOS` for each draw."""
    rows = scores.rows
    sums = []
    for part in (*fractions(rows, score), (rows["objects"] > 0).astype(np.float64)):
        of_video = np.zeros((len(scores.videos), len(IDS)))
        np.add.at(of_video, rows["video"], part)
        sums.append(weights @ of_video)
    numerator, denominator, truth = sums
    return np.where(truth > 0, numerator / np.where(denominator > 0, denominator, 1), np.nan)


def _average_precisions(table: MatchTable, score: str, weights: npt.NDArray[np.int64]) -> Floats:
    """(draws,7) average precision for each draw."""
    result = np.full((len(weights), len(IDS)), np.nan)
    at = np.arange(len(THRESHOLDS))[_AP[score]]
    for k, class_id in enumerate(IDS):
        found = table.detections(class_id)
        if found.truths.any():
            result[:, k] = [precisions(found, row, at)[0].mean() for row in weights.astype(np.float64)]
    return result
