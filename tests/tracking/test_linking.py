"""Linking: the contract, motion hypotheses, and bad input."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.tracking.moving import SHAPE, boxes, numbers
from wadlib.dataset import Frame
from wadlib.errors import TrackingError
from wadlib.instances import Instances
from wadlib.tracking import LinkConfig, Linker, frame_times, link
from wadlib.tracking.assign import assign
from wadlib.tracking.motion import Camera, ego_motion

STEP = 0.139


def times(number):
    return [STEP * i for i in range(number)]


class TestContract:
    def test_an_id_for_each_detection_in_order_and_none_twice(self):
        rng = np.random.default_rng(3)
        frames = [
            boxes(
                *[
                    (33 + int(rng.integers(0, 2)), *rng.integers(0, (50, 180)), 6, 12)
                    for _ in range(rng.integers(0, 9))
                ],
            )
            for _ in range(30)
        ]
        before = [(f.boxes.copy(), f.masks.copy()) for f in frames]
        ids = link(frames, times(30))
        for found, each, (box, masks) in zip(frames, ids, before, strict=True):
            assert each.dtype == np.int64
            assert each.shape == (len(found),)
            assert (each >= 0).all()
            assert len(set(each.tolist())) == len(found)
            np.testing.assert_array_equal(found.boxes, box)
            np.testing.assert_array_equal(found.masks, masks)

    def test_numbers_count_from_zero_without_gaps(self):
        frames = [boxes((33, 5, 5, 9, 9), (36, 5, 100, 9, 5)), boxes((33, 5, 6, 9, 9), (39, 30, 100, 9, 9))]
        assert numbers(link(frames, times(2))) == [[0, 1], [0, 2]]

    def test_the_order_of_detections_does_not_matter(self):
        one = boxes((33, 5, 5, 9, 9), (33, 5, 60, 9, 9), (33, 30, 5, 9, 9))
        assert numbers(link([one, one[[2, 0, 1]]], times(2)))[1] == [2, 0, 1]

    def test_online_is_the_same_as_over_the_whole_video(self):
        frames = [boxes((33, 5, 4 * i, 9, 12), (36, 30, 190 - 3 * i, 9, 4)) for i in range(10)]
        linker = Linker()
        online = [linker.update(f, t).tolist() for f, t in zip(frames, times(10), strict=True)]
        assert online == numbers(link(frames, times(10)))
        assert linker.tracks == 2

    def test_a_generator_is_read_one_frame_at_a_time(self):
        read = []

        def frames():
            for i in range(5):
                read.append(i)
                yield boxes((33, 5, i, 9, 9))

        linker = Linker()
        for i, (found, time) in enumerate(zip(frames(), times(5), strict=True)):
            linker.update(found, time)
            assert read == list(range(i + 1))


class TestMotion:
    def test_a_fast_object_is_followed_by_its_velocity(self):
        steps = [0, 6, 13, 21, 30, 40, 50, 60, 72, 84]  # 12 px wide: at the end it leaves its own box
        frames = [boxes((33, 5, x, 6, 12)) for x in steps]
        assert numbers(link(frames, times(10))) == [[0]] * 10
        still = LinkConfig(hypotheses=("stay",), grow_px=0)
        assert len({n for (n,) in numbers(link(frames, times(10), config=still))}) > 1

    def test_a_missing_frame_is_bridged_by_the_clock(self):
        at = [0, 0.139, 0.278, 0.417, 0.834, 0.973]  # three frames are missing
        frames = [boxes((33, 5, 10 + round(10 * t / 0.139), 6, 12)) for t in at]
        assert numbers(link(frames, at)) == [[0]] * 6

    def test_a_slow_metre_is_bridged_by_the_step(self):
        at = [0, 0.139, 0.278, 0.417, 5.417, 5.556]  # waiting for five seconds, then on by a metre
        frames = [boxes((33, 5, 10 + 10 * i, 6, 12)) for i in range(6)]
        assert numbers(link(frames, at)) == [[0]] * 6

    def test_an_object_comes_back_where_it_was_heading(self):
        frames = [boxes((33, 5, 10 + 10 * i, 6, 12)) for i in range(10)]
        frames[4] = frames[5] = frames[6] = Instances.empty(SHAPE)
        ids = numbers(link(frames, times(10)))
        assert ids[3] == ids[7] == ids[9] == [0]

    def test_too_old_a_track_is_not_taken_up(self):
        there, gone = boxes((33, 5, 10, 9, 12)), Instances.empty(SHAPE)
        for unseen, same in ((12, True), (13, False)):
            frames = [there, *[gone] * unseen, there]
            ids = numbers(link(frames, times(len(frames))))
            assert (ids[-1] == [0]) is same

    def test_a_gap_of_minutes_ends_every_track(self):
        there = boxes((33, 5, 10, 9, 12))
        assert numbers(link([there, there, there], [0, STEP, 200.0])) == [[0], [0], [1]]

    def test_flow_finds_what_jumps(self):
        rng = np.random.default_rng(0)
        shape, jump = (200, 320), 24
        texture = cv2.GaussianBlur(rng.integers(0, 256, (*shape, 3), np.uint8), (0, 0), 5)
        texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
        images = [texture, np.roll(texture, jump, axis=1)]
        frames = [boxes((33, 80, x, 10, 14), shape=shape) for x in (100, 100 + jump)]
        assert numbers(link(frames, times(2), images)) == [[0], [0]]
        assert numbers(link(frames, times(2))) == [[0], [1]]  # nobody knows a velocity yet

    def test_masks_decide_between_boxes(self):
        # Two L-shaped objects share one box; only their masks tell them apart.
        square = np.zeros((2, *SHAPE), bool)
        square[0, 5:25, 5:25] = np.tri(20, 20, -1, bool)
        square[1, 5:25, 5:25] = ~np.tri(20, 20, 0, bool)
        one = Instances.from_masks(square, [33, 33], [0.9, 0.9])
        assert numbers(link([one, one[[1, 0]]], times(2))) == [[0, 1], [1, 0]]

    def test_the_ground_plane_grows_about_the_focus(self):
        camera = Camera(horizon_px=20, focus_px=0, growth_per_px=0.02)
        box = np.array([[20.0, 10, 45, 20]])
        assert ego_motion(box, camera).tolist() == [[20, 20, 70, 40]]  # 1 / (1 - 0.02 * 25) = 2
        frames = [boxes((33, 20, 10, 10, 4)), boxes((33, 20, 14, 12, 5))]
        ego = LinkConfig(hypotheses=("ego",), camera=camera, grow_px=0)
        assert numbers(link(frames, times(2), config=ego)) == [[0], [0]]
        assert numbers(link(frames, times(2), config=LinkConfig(hypotheses=("stay",), grow_px=0))) == [[0], [1]]

    def test_two_steps_of_the_ground_plane_are_one_after_the_other(self):
        camera = Camera.wad(5)
        frames = [boxes((33, 500, 400, 40, 40), shape=(640, 832))]
        linker = Linker(LinkConfig(hypotheses=("ego",), camera=camera))
        linker.update(frames[0], 0.0)
        linker.update(Instances.empty((640, 832)), STEP)
        linker._age(2 * STEP, None)
        (moved,) = linker._hypotheses(2 * STEP)
        once = ego_motion(frames[0].boxes.astype(float), camera)
        np.testing.assert_allclose(moved, ego_motion(once, camera))


class TestAssociation:
    def test_classes_stay_apart(self):
        frames = [boxes((33, 5, 5, 9, 9)), boxes((38, 5, 5, 9, 9))]
        assert numbers(link(frames, times(2))) == [[0], [1]]

    def test_low_scores_go_on_but_do_not_come_back(self):
        place = (33, 5, 5, 9, 9)
        sure, unsure = boxes(place, scores=[0.9]), boxes(place, scores=[0.2])
        gone = Instances.empty(SHAPE)
        assert numbers(link([sure, unsure, unsure], times(3))) == [[0], [0], [0]]
        assert numbers(link([sure, gone, unsure], times(3))) == [[0], [], [1]]
        assert numbers(link([sure, gone, sure], times(3))) == [[0], [], [0]]

    def test_a_high_score_goes_first(self):
        frames = [boxes((33, 5, 5, 9, 9)), boxes((33, 5, 5, 9, 9), (33, 5, 7, 9, 9), scores=[0.2, 0.9])]
        assert numbers(link(frames, times(2)))[1] == [1, 0]

    def test_a_pair_below_the_gate_does_not_push_a_good_one_aside(self):
        one = np.full(2, 33, np.int32)
        tracks, found = assign(np.array([[0.50, 0.46], [0.06, 0.0]]), one, one, 0.1)
        assert list(zip(tracks.tolist(), found.tolist(), strict=True)) == [(0, 0)]


class TestBadInput:
    def test_no_frames_one_frame_and_no_detections(self):
        assert link([], []) == []
        assert numbers(link([boxes((33, 5, 5, 9, 9))], [0.0])) == [[0]]
        assert numbers(link([Instances.empty(SHAPE)] * 3, times(3))) == [[], [], []]

    def test_more_than_a_thousand_tracks(self):
        # 13 tracks in each of 100 frames, far from where any was before.
        frames = [boxes(*[(33, 2, 2 + 15 * k, 3, 3) for k in range(13)]), Instances.empty(SHAPE)]
        ids = link((frames[i % 2] for i in range(200)), [40.0 * i for i in range(200)])
        every = np.concatenate(ids)
        assert every.size == 1300
        assert np.unique(every).size == 1300

    def test_ten_thousand_frames_in_bounded_memory(self):
        rng = np.random.default_rng(0)
        linker = Linker()
        choice = [boxes((33, int(y), int(x), 5, 8)) for y, x in rng.integers(0, (50, 190), (40, 2))]
        most = 0
        for i in range(10_000):
            linker.update(choice[int(rng.integers(40))], STEP * i)
            most = max(most, len(linker._alive))
        assert linker.tracks > 3000
        assert most <= LinkConfig().max_age + 2

    @pytest.mark.parametrize("second", [0.0, -1.0, math.nan])
    def test_times_must_grow(self, second):
        there = boxes((33, 5, 5, 9, 9))
        with pytest.raises(TrackingError, match=r"expected a time after 0 s[\s\S]*frame_times"):
            link([there, there], [0.0, second])

    def test_numbers_of_frames_times_and_images_must_agree(self):
        there = boxes((33, 5, 5, 9, 9))
        with pytest.raises(TrackingError, match="one time"):
            link([there, there], [0.0])
        with pytest.raises(TrackingError, match="one picture"):
            link([there], [0.0], [])

    def test_frames_must_have_one_size(self):
        with pytest.raises(TrackingError, match="200x60 picture like before, got 30x20"):
            link([Instances.empty(SHAPE), Instances.empty((20, 30))], times(2))
        with pytest.raises(TrackingError, match="expected a picture of 200x60 like the detections, got 50x40"):
            link([Instances.empty(SHAPE)], [0.0], [np.zeros((40, 50, 3), np.uint8)])
        with pytest.raises(TrackingError, match="uint8 picture"):
            link([Instances.empty(SHAPE)], [0.0], [np.zeros(SHAPE, np.uint8)])

    def test_an_unknown_hypothesis(self):
        with pytest.raises(TrackingError, match="'stay', 'velocity', 'flow' and 'ego'"):
            LinkConfig(hypotheses=("flight",))
        with pytest.raises(TrackingError, match="needs a camera"):
            LinkConfig(hypotheses=("ego",))


class TestClock:
    @staticmethod
    def frames(*names, video="v"):
        return [Frame(name, video, Path("a.jpg")) for name in names]

    def test_seconds_from_names(self):
        names = ["170908_061502408_Camera_5", "170908_061502547_Camera_5", "170908_061702547_Camera_5"]
        np.testing.assert_allclose(frame_times(self.frames(*names)), [0, 0.139, 120.139])

    def test_no_clock_means_even_steps(self):
        frames = self.frames("a", "b")
        np.testing.assert_allclose(frame_times(frames), [0, 0.139])
        assert frame_times([]).shape == (0,)
        assert frame_times(frames[:1]).tolist() == [0]

    def test_two_cameras_are_refused(self):
        with pytest.raises(TrackingError, match="2 cameras"):
            frame_times(self.frames("170908_061502408_Camera_5", "170908_061502408_Camera_6"))

    def test_two_videos_are_refused(self):
        one = self.frames("170908_061502408_Camera_5") + self.frames("170908_061502547_Camera_5", video="w")
        with pytest.raises(TrackingError, match="2 videos"):
            frame_times(one)

    def test_a_clock_that_runs_backwards_is_refused(self):
        names = ["170908_061502547_Camera_5", "170908_061502408_Camera_5"]
        with pytest.raises(TrackingError, match="061502408_Camera_5 after 170908_061502547"):
            frame_times(self.frames(*names))
        with pytest.raises(TrackingError, match="listed twice"):
            frame_times(self.frames(names[0], names[0]))
