"""Intervals over videos: against resampling by hand, and what they may and may not claim."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wadlib.errors import MetricError
from wadlib.metrics import FrameScores, MatchTable, Overlap, Scores, average_precision, bootstrap
from wadlib.metrics.bootstrap import draw_videos
from wadlib.metrics.scores import RATIOS

SCORES = (*RATIOS, "ap", "ap50", "ap75")


def frame(rng, quality):
    """A car and a person; the worse the quality, the more of the prediction is noise."""
    truth = np.full((12, 12), 255, np.uint16)
    truth[1:5, 1:6] = 33000
    truth[6:10, 2:5] = 33001
    if rng.random() < 0.5:
        truth[6:9, 7:9] = 36000
    found = truth.copy()
    noise = rng.random(truth.shape) > quality
    found[noise] = rng.choice(np.array([255, 33000, 36000, 39001], np.uint16), noise.sum())
    return FrameScores.of(Overlap.from_labels(truth, found))


def scores_of(videos):
    """`videos`: list of (name, frames)."""
    scores = Scores()
    for name, frames in videos:
        for n, each in enumerate(frames):
            scores.add(each, f"{name}_{n}", name)
    return scores


@pytest.fixture(scope="module")
def videos():
    rng = np.random.default_rng(0)
    return [(f"v{v}", [frame(rng, 0.5 + v / 10) for _ in range(3)]) for v in range(5)]


def value(scores, score):
    if score.startswith("ap"):
        found = average_precision(scores.matches)
        return getattr(found, score)
    return {
        "report_iou": scores.iou.report_iou,
        "pooled_iou": scores.iou.pooled_iou,
        "instance_iou": lambda: scores.instance_iou,
        "pq": lambda: scores.panoptic.pq,
        "sq": lambda: scores.panoptic.sq,
        "rq": lambda: scores.panoptic.rq,
    }[score]()


@pytest.mark.parametrize("score", SCORES)
def test_equal_to_building_each_sample_of_videos(videos, score):
    draws = 20
    weights = draw_videos(5, draws, seed=3)
    samples = []
    for row in weights:
        repeated = [(f"{name}.{k}", frames) for (name, frames), n in zip(videos, row, strict=True) for k in range(n)]
        samples.append(list(value(scores_of(repeated), score).values()))
    samples = np.array(samples)
    found = bootstrap(scores_of(videos), score, draws=draws, seed=3, level=0.8)
    for k, class_id in enumerate(found.per_class):
        column = samples[:, k][~np.isnan(samples[:, k])]
        if column.size:
            # Equal scores of different frames may rank in another order in the sample built by hand.
            tolerance = 0.02 if score.startswith("ap") else 1e-12
            assert found.per_class[class_id] == pytest.approx(np.percentile(column, [10, 90]), abs=tolerance)
        else:
            assert all(math.isnan(edge) for edge in found.per_class[class_id])
    assert (found.videos, found.draws, found.level) == (5, 20, 0.8)
    assert found.mean[0] <= found.mean[1]


def test_the_same_seed_gives_the_same_interval(videos):
    scores = scores_of(videos)
    assert repr(bootstrap(scores, "pq", seed=1)) == repr(bootstrap(scores, "pq", seed=1))
    assert bootstrap(scores, "pq", seed=1).per_class[33] != bootstrap(scores, "pq", seed=2).per_class[33]


def test_a_class_that_is_nowhere_has_no_interval(videos):
    found = bootstrap(scores_of(videos), "report_iou", draws=50)
    assert all(math.isnan(edge) for edge in found.per_class[39])  # invented now and then, in no truth
    assert 0 < found.per_class[33][0] < found.per_class[33][1] < 1


def test_frames_of_one_video_make_no_interval(videos):
    found = bootstrap(scores_of(videos[:1]), "ap50")
    assert all(math.isnan(edge) for edge in (*found.mean, *found.per_class[33]))
    assert found.videos == 1


def test_drawing_videos_is_wider_than_drawing_frames(videos):
    """Copies of a frame tell nothing new: over videos the interval stays, over frames it would shrink."""
    longer = [(name, frames * 20) for name, frames in videos]
    one, other = (bootstrap(scores_of(v), "report_iou", draws=300).per_class[33] for v in (videos, longer))
    assert one == pytest.approx(other, abs=1e-12)
    alone = [(f"{name}.{n}", [each]) for name, frames in longer for n, each in enumerate(frames)]
    low, high = bootstrap(scores_of(alone), "report_iou", draws=300).per_class[33]
    assert high - low < (one[1] - one[0]) / 3


@pytest.mark.parametrize("bad", [{"score": "mIoU"}, {"score": "pq", "draws": 0}, {"score": "pq", "level": 95}])
def test_nonsense_is_refused(videos, bad):
    with pytest.raises(MetricError, match="bootstrap: score="):
        bootstrap(scores_of(videos), **bad)


def test_each_draw_is_a_sample_of_videos():
    weights = draw_videos(4, 1000, seed=0)
    assert (weights.sum(axis=1) == 4).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(4), abs=0.1)


def test_scores_keep_under_half_a_kilobyte_of_a_frame(videos):
    scores = Scores()
    each = videos[0][1][0]
    for n in range(1024):
        scores.add(each, str(n), "v")
    assert scores.rows.nbytes / 1024 < 420
    assert scores.iou.frames == 1024
    assert isinstance(scores.matches, MatchTable)
