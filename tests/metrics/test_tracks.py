"""Track metrics by hand: two objects, three frames, fractions that fit on a sheet of paper."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from wadlib.errors import MetricError
from wadlib.labels import IDS
from wadlib.metrics.clear import Clear, clear
from wadlib.metrics.hota import ALPHAS, Hota, hota
from wadlib.metrics.identity import Identity, identity
from wadlib.metrics.instance_overlap import InstanceOverlap
from wadlib.metrics.stq import Stq, stq
from wadlib.metrics.tracks import TrackedOverlap, TrackFrame
from wadlib.overlap import Overlap

A, B = 1, 2
THREE_FRAMES = [
    TrackFrame([A, B], [1, 2], [[1, 0], [0, 1]]),
    TrackFrame([A, B], [1, 2], [[0.75, 0], [0, 1]]),
    # A is missed, track 1 goes on with B, track 3 is invented.
    TrackFrame([A, B], [1, 3], [[0, 0], [1, 0]]),
]


class TestThreeFrames:
    def test_hota(self):
        result = hota(THREE_FRAMES)
        low = ALPHAS < 0.76  # 15 thresholds at which the mask of IoU 3/4 is matched
        assert low.sum() == 15
        np.testing.assert_array_equal(result.tp, np.where(low, 5, 4))
        deta = np.where(low, 5 / 7, 4 / 8)  # TP / (TP + FN + FP)
        # Pair (A,1) is matched twice (once), A and 1 have three masks each; (B,2) twice of 3 and 2; (B,1) once.
        assa = np.where(low, (2 * 2 / 4 + 2 * 2 / 3 + 1 / 5) / 5, (1 / 5 + 2 * 2 / 3 + 1 / 5) / 4)
        np.testing.assert_allclose(result.deta_alpha, deta, rtol=1e-15)
        np.testing.assert_allclose(result.assa_alpha, assa, rtol=1e-15)
        assert assa[0] == pytest.approx(38 / 75)
        assert result.hota == pytest.approx((15 * sqrt(38 / 105) + 4 * sqrt(13 / 60)) / 19)
        assert result.loca == pytest.approx((15 * (4.75 / 5) + 4) / 19)
        # Recall and precision of the association, by the same pairs.
        assert result.recall[0] == pytest.approx(2 * 2 / 3 + 2 * 2 / 3 + 1 / 3)
        assert result.precision[0] == pytest.approx(2 * 2 / 3 + 2 * 2 / 2 + 1 / 3)

    def test_clear(self):
        result = clear(THREE_FRAMES)
        assert (result.tp, result.fn, result.fp, result.idsw) == (5, 1, 1, 1)
        assert (result.mt, result.pt, result.ml) == (1, 1, 0)  # B in 3 of 3 frames, A in 2 of 3
        assert result.mota == Fraction(5 - 1 - 1, 6)
        assert result.smotsa == pytest.approx((4.75 - 1 - 1) / 6)
        assert result.motp == 4.75 / 5

    def test_identity(self):
        result = identity(THREE_FRAMES)
        assert result == Identity(idtp=4, idfn=2, idfp=2)
        assert result.idf1 == pytest.approx(2 / 3)

    def test_two_videos_add_up(self):
        twice = [THREE_FRAMES, THREE_FRAMES]
        assert Identity.combine(map(identity, twice)) == Identity(8, 4, 4)
        assert Clear.combine(map(clear, twice)).mota == clear(THREE_FRAMES).mota
        both = Hota.combine(map(hota, twice))
        assert both.hota == pytest.approx(hota(THREE_FRAMES).hota)
        np.testing.assert_array_equal(both.tp, 2 * hota(THREE_FRAMES).tp)


def test_a_track_found_again_is_a_fragment_and_no_switch():
    here, away = TrackFrame([A], [1], [[1.0]]), TrackFrame([A], [1], [[0.0]])
    result = clear([here, away, here])
    assert (result.frag, result.idsw) == (1, 0)


def test_a_switch_counts_however_long_ago_the_match_was():
    nothing = TrackFrame([A], [], [])
    assert clear([TrackFrame([A], [1], [[1.0]]), *[nothing] * 5, TrackFrame([A], [2], [[1.0]])]).idsw == 1


def test_ids_beyond_a_thousand_are_other_tracks():
    # Taken modulo 1000 the two found tracks would be one.
    frames = [TrackFrame([A], [33_001], [[1.0]]), TrackFrame([A], [34_001], [[1.0]])]
    assert identity(frames).idtp == 1
    assert clear(frames).idsw == 1
    big = [TrackFrame([2**40], [5], [[1.0]]), TrackFrame([2**40], [5], [[1.0]])]
    assert hota(big).hota == 1.0


def test_a_long_video_needs_no_table_of_all_pairs():
    # 6,000 objects of two frames each, one after another: a full table would hold 36 million pairs, 19 times.
    frames = [TrackFrame([n, n + 1], [n + 7, n + 8], [[1, 0], [0, 1]]) for n in range(6000)]
    tracemalloc.start()
    assert hota(frames).hota == pytest.approx(1)
    assert identity(frames).idf1 == 1
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize("metric", [hota, clear, identity])
def test_nothing_at_all_is_nan(metric):
    names = {"hota": "hota", "clear": "mota", "identity": "idf1"}
    for frames in ([], [TrackFrame([], [], [])], [TrackFrame([], [1], np.zeros((0, 1)))]):
        assert np.isnan(getattr(metric(frames), names[metric.__name__]))


def test_nothing_found_is_zero():
    frames = [TrackFrame([A, B], [], np.zeros((2, 0)))]
    assert hota(frames).hota == 0
    assert clear(frames) == Clear(fn=2, ml=2)
    assert identity(frames) == Identity(0, 2, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], [2], [[0.5], [0.5]]), "track 1 occurs 2 times among truth_ids"),
        (([1], [2, 2], [[0.5, 0.5]]), "track 2 occurs 2 times among found_ids"),
        (([1], [2], [[0.5, 0.5]]), r"expected iou of shape \(1, 1\), got \(1, 2\)"),
        (([1], [2], [[1.5]]), "0..1"),
        (([1], [2], [[float("nan")]]), "0..1"),
        (([1.5], [2], [[1.0]]), "whole numbers"),
    ],
)
def test_wrong_frames_are_refused(arguments, message):
    with pytest.raises(MetricError, match=message):
        TrackFrame(*arguments)


# --- from label maps -----------------------------------------------------------------------------


def tracked(truth, found):
    """A frame from two rows of codes; the track of each instance is its code."""
    truth, found = np.array([truth], np.uint16), np.array([found], np.uint16)
    instances = InstanceOverlap.from_overlap(Overlap.from_labels(truth, found))
    ids = [[c for c in np.unique(each).tolist() if c // 1000 in IDS] for each in (truth, found)]
    return TrackedOverlap(instances, *ids)


def test_stq_by_hand():
    # Two cars (3 px in each of two frames, 2 px in the first). Track 33005 covers 2 + 1 px of the first car, then
    # takes the second one; 33006 has 2 px of the first car in frame 2.
    frames = [
        tracked([33000, 33000, 33000, 33001, 33001, 255], [33005, 33005, 255, 33005, 255, 255]),
        tracked([33000, 33000, 33000, 255, 255, 255], [33005, 33006, 33006, 33006, 255, 255]),
    ]
    result = stq(frames)
    # |g| = 6 and 2, |p| = 4 and 3; shared: (0,5) 3, (0,6) 2, (1,5) 1.
    first = (3 * 3 / (4 + 6 - 3) + 2 * 2 / (3 + 6 - 2)) / 6
    second = (1 * 1 / (4 + 2 - 1)) / 2
    assert result.aq == pytest.approx((first + second) / 2)
    assert result.sq == pytest.approx(6 / 9)  # 6 px of car in both, 8 + 7 - 6 in either
    assert result.stq == pytest.approx(sqrt(result.aq * result.sq))
    assert Stq.combine([result, result]).aq == pytest.approx(result.aq)


def test_stq_equals_its_definition_pixel_by_pixel():
    rng = np.random.default_rng(7)
    codes = np.array([255, 33000, 33001, 36000, 38005, 65535], np.uint16)
    truths, founds = rng.choice(codes, (2, 5, 1, 60))
    founds[founds == 65535] = 255
    result = stq([tracked(t[0], f[0]) for t, f in zip(truths, founds, strict=True)])
    known = truths != 65535
    wanted = []
    for g in (33000, 33001, 36000, 38005):
        tube, total = truths == g, 0.0
        for p in (33000, 33001, 36000, 38005):
            other = (founds == p) & known
            shared = (tube & other).sum()
            total += shared * shared / (tube | other).sum()
        wanted.append(total / tube.sum())
    assert result.aq == pytest.approx(np.mean(wanted))
    ious = []
    for c in (33, 36, 38):
        a, b = (truths // 1000 == c) & known, (founds // 1000 == c) & known
        ious.append((a & b).sum() / (a | b).sum())
    assert result.sq == pytest.approx(np.mean(ious))


def test_a_wrong_class_costs_segmentation_not_association():
    result = stq([tracked([33000, 33000], [38000, 38000])])
    assert (result.aq, result.sq) == (1, 0)


def test_false_positives_on_ignore_are_left_out():
    ignore = 65535
    frame = tracked([33000, 33000, ignore, ignore, ignore, 255], [33001, 33001, 33002, 33002, 255, 33003])
    taken = frame.of_class(33)
    assert taken.found_ids.tolist() == [33001, 33003]  # 33002 lies on IGNORE, 33003 does not
    # One that is matched stays, however much of it lies on IGNORE (here 2 of 5 px, IoU 3/5).
    mostly = tracked([33000, 33000, 33000, ignore, ignore], [33001] * 5).of_class(33)
    assert mostly.found_ids.tolist() == [33001]
    # Half on IGNORE is not mostly.
    half = tracked([255, ignore], [33001, 33001]).of_class(33)
    assert half.found_ids.tolist() == [33001]


def test_classes_are_told_apart():
    frame = tracked([33000, 36000], [33000, 33001])
    assert frame.of_class(36).found_ids.size == 0
    assert frame.of_class(36).truth_ids.tolist() == [36000]
    assert frame.of_class(39).iou.shape == (0, 0)


def test_tracks_must_be_as_many_as_instances():
    frame = tracked([33000], [33000])
    with pytest.raises(MetricError, match="expected found_ids of 1 instances, got 2"):
        TrackedOverlap(frame.instances, [1], [1, 2])
