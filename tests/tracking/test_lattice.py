"""The Scale-Time Lattice, small: key frames keep what they have, and what lies between them follows the flow."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from tests.tracking.moving import SHAPE, boxes
from wadlib.errors import TrackingError
from wadlib.instances import Instances, Runs
from wadlib.tracking.lattice import HOW, adaptive_keys, disagreement, fill_between

EMPTY = Instances.empty(SHAPE)
CURVE = [0, 9, 16, 21, 24, 25, 26, 29, 34]  # where a car is that first drives fast, then hardly


def times(count):
    return [0.139 * t for t in range(count)]


def uniform(*steps, dy=0.0):
    """A field for each step: everything moves by (dy, step)."""
    return [np.broadcast_to(np.array([dy, step], np.float32), (*SHAPE, 2)) for step in steps]


def car(x, y=10, score=0.9):
    return boxes((33, y, x, 8, 10), scores=[score])


class TestFillBetween:
    def test_a_car_on_a_curve_is_found_where_the_flow_says(self):
        truth = [car(x + 20) for x in CURVE]
        fields = uniform(*np.diff(CURVE))
        filled = list(fill_between({0: truth[0], 8: truth[8]}, times(9), fields))
        assert [each.filled for each in filled] == [0, *[1] * 7, 0]
        assert {tuple(each.ids.tolist()) for each in filled} == {(0,)}
        for each, expected in zip(filled, truth, strict=True):
            np.testing.assert_array_equal(each.found.masks, expected.masks)
            np.testing.assert_allclose(each.found.boxes, expected.boxes, atol=1e-4)
            assert each.found.scores[0] == pytest.approx(0.9)

    def test_what_flow_misses_is_spread_over_the_way(self):
        """Flow sees nothing at all: what is left is the straight line."""
        keys = {0: car(20), 4: car(32, y=14, score=0.5)}
        still = uniform(0, 0, 0, 0)
        both = [list(fill_between(keys, times(5), still, how)) for how in ("flow", "interpolate")]
        for by_flow, straight in zip(*both, strict=True):
            np.testing.assert_array_equal(by_flow.found.boxes, straight.found.boxes)
        assert both[0][1].found.boxes[0].tolist() == [11, 23, 19, 33]
        assert both[0][1].found.scores[0] == pytest.approx(0.8)

    def test_what_one_side_knows_fades(self):
        keys = {0: boxes((33, 10, 20, 8, 10), (36, 30, 150, 9, 4), scores=[0.8, 0.6]), 3: car(20, score=0.8)}
        filled = list(fill_between(keys, times(4), uniform(0, 0, 0), fade=0.5))
        assert [each.ids.tolist() for each in filled] == [[0, 1], [0, 1], [0, 1], [0]]
        assert [each.found.scores[1].round(3) for each in filled[:3]] == [0.6, 0.3, 0.15]

    def test_frames_after_the_last_key_frame(self):
        filled = list(fill_between({0: car(20)}, times(4), uniform(5, 5, 5), fade=1.0))
        assert [each.found.boxes[0, 1] for each in filled] == [20, 25, 30, 35]

    def test_copies_are_the_nearer_key_frame(self):
        filled = list(fill_between({0: car(20), 4: car(60)}, times(5), uniform(9, 9, 9, 9), "copy"))
        assert [each.found.boxes[0, 1] for each in filled] == [20, 20, 20, 60, 60]

    def test_every_frame_a_key_frame_changes_nothing(self):
        truth = [car(x + 20) for x in CURVE]
        filled = list(fill_between(dict(enumerate(truth)), times(9), uniform(*np.diff(CURVE))))
        assert all(each.found is one and not each.filled for each, one in zip(filled, truth, strict=True))

    @pytest.mark.parametrize("how", HOW)
    def test_nothing_detected_and_one_frame(self, how):
        assert [len(each.found) for each in fill_between({0: EMPTY, 2: EMPTY}, times(3), uniform(0, 0), how)] == [0] * 3
        (only,) = fill_between({0: car(20)}, [0.0], [], how)
        assert only.ids.tolist() == [0]

    def test_what_leaves_the_picture_is_not_filled_in(self):
        filled = list(fill_between({0: car(185)}, times(3), uniform(12, 12)))
        assert [len(each.found) for each in filled] == [1, 1, 0]
        assert filled[1].found.boxes[0].tolist() == [10, 197, 18, 200]

    def test_a_mask_without_pixels_is_not_filled_in(self):
        hollow = Instances([33], [0.5], Runs.from_array(np.zeros((1, *SHAPE), bool)), [[10, 20, 18, 30]])
        filled = list(fill_between({0: hollow, 2: hollow}, times(3), uniform(0, 0)))
        assert [len(each.found) for each in filled] == [1, 0, 1]

    @pytest.mark.parametrize(("keys", "fields"), [({1: EMPTY}, 2), ({0: EMPTY, 3: EMPTY}, 2), ({0: EMPTY}, 3), ({}, 2)])
    def test_what_does_not_fit_is_refused(self, keys, fields):
        with pytest.raises(TrackingError, match="expected key frames from 0 to 2"):
            list(fill_between(keys, times(3), uniform(*[0] * fields)))

    def test_another_way_is_refused(self):
        with pytest.raises(TrackingError, match="write 'flow'"):
            list(fill_between({0: EMPTY}, [0.0], [], "flwo"))


class TestAdaptiveKeys:
    def test_the_budget_goes_where_much_happens(self):
        """Nothing moves until frame 8; then a person appears."""
        truth = [car(20)] * 9 + [boxes((33, 10, 20, 8, 10), (36, 30, 150, 9, 4))] * 8
        asked = []

        def detect(t):
            asked.append(t)
            return truth[t]

        keys = adaptive_keys(detect, times(17), uniform(*[0] * 16), budget=6)
        assert list(keys) == [0, 8, 9, 10, 12, 16]
        assert sorted(asked) == list(keys)  # each once

    def test_disagreement_by_hand(self):
        still = uniform(0)
        before = boxes((33, 10, 20, 8, 10), (36, 30, 150, 9, 4), scores=[0.8, 0.5])
        after = car(25, score=0.6)  # 5 of 10 columns shared: IoU 5 / 15
        assert disagreement(before, after, still) == pytest.approx(0.5 + 0.7 * (1 - 5 / 15))
        assert disagreement(before, after, uniform(5)) == pytest.approx(0.5)  # flow explains it

    def test_a_small_budget_and_a_large_one(self):
        truth, fields = [car(20)] * 5, uniform(0, 0, 0, 0)
        assert list(adaptive_keys(truth.__getitem__, times(5), fields, budget=1)) == [0, 4]
        assert list(adaptive_keys(truth.__getitem__, times(5), fields, budget=99)) == [0, 1, 2, 3, 4]
        assert list(adaptive_keys(truth.__getitem__, times(1), [], budget=3)) == [0]


def test_a_long_video_is_filled_in_bounded_memory():
    """Neither fields nor pictures nor frames are kept: each is a view that is made when it is asked for."""
    count, made = 10_000, []

    class Video:
        def __init__(self, length, make):
            self.length, self.make = length, make

        def __len__(self):
            return self.length

        def __getitem__(self, at):
            if isinstance(at, slice):
                return [self[n] for n in range(*at.indices(self.length))]
            one = self.make()
            made.append(weakref.ref(one))
            return one

    fields = Video(count - 1, lambda: np.zeros((6, 20, 2), np.float32))
    images = Video(count, lambda: np.zeros((*SHAPE, 3), np.uint8))
    keys = {t: car(20 + t // 100 % 2) for t in range(0, count, 100)}
    most = frames = 0
    for each in fill_between(keys, times(count), fields, images=images):
        frames += 1
        assert each.ids.tolist() == [0]
        if frames % 1000 == 50:
            most = max(most, sum(ref() is not None for ref in made))
    assert frames == count
    assert most <= 2 * 100  # the fields of one interval
