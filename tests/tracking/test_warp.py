"""Warping: where pixels come from, what averages do to a moving object, and consistency beside IoU."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from wadlib.errors import MetricError, TrackingError
from wadlib.metrics.consistency import Consistency, temporal_consistency
from wadlib.tracking.warp import FlowBothWays, flow_both_ways, flow_links, temporal_mean, warp

SHAPE = (6, 20)


def still(step, frames):
    """Everything moves by `step` columns from each frame to the next."""
    one = np.broadcast_to(np.array([0, step], np.float32), (frames - 1, *SHAPE, 2))
    return FlowBothWays(one, -one)


def moving_car(step, frames=5):
    """Probabilities (T,H,W,2) of background and of a car of 4 columns, sure everywhere."""
    p = np.zeros((frames, *SHAPE, 2), np.float32)
    for t in range(frames):
        p[t, 1:4, 2 + step * t : 6 + step * t, 1] = 1
    p[..., 0] = 1 - p[..., 1]
    return p


class TestWarp:
    def test_floats_are_interpolated_and_labels_are_not(self):
        half = np.broadcast_to(np.array([0, 0.5], np.float32), (1, 3, 2))
        np.testing.assert_allclose(warp(np.array([[0.0, 1, 2]]), half), [[0.5, 1.5, 1.0]])
        assert set(warp(np.array([[0, 7, 9]]), half).ravel().tolist()) <= {0, 7, 9}

    @pytest.mark.parametrize("channels", [1, 3, 4, 5, 8])
    def test_any_number_of_channels(self, channels):
        values = np.random.default_rng(0).random((*SHAPE, channels)).astype(np.float32)
        moved = warp(values, np.broadcast_to(np.array([1, 2], np.float32), (*SHAPE, 2)))
        np.testing.assert_allclose(moved[:-1, :-2], values[1:, 2:], atol=1e-6)
        assert not moved[-1].any()
        assert not moved[:, -2:].any()

    def test_another_size_is_refused(self):
        with pytest.raises(TrackingError, match="a map of 20x6 pixels"):
            warp(np.zeros((3, 10)), np.zeros((*SHAPE, 2), np.float32))


class TestTemporalMean:
    def test_a_moving_car_stays_whole_along_flow_and_smears_without(self):
        p = moving_car(step=3)
        for mean, alone in zip(temporal_mean(p, still(3, 5)), p, strict=True):
            np.testing.assert_allclose(mean, alone, atol=1e-6)
        smeared = temporal_mean(p, None)[2]
        assert smeared[1:4, ..., 1].max() < 0.5  # a car of 4 columns that moves by 3 is nowhere for long
        np.testing.assert_allclose(smeared.sum(axis=2), 1, atol=1e-6)

    def test_by_hand(self):
        p = np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((1, *SHAPE, 1), np.float32)
        assert [m[0, 0, 0] for m in temporal_mean(p, None, reach=1)] == [0.5, 1.0, 1.5]

    def test_one_frame(self):
        (mean,) = temporal_mean([np.ones((*SHAPE, 2), np.float32)], None)
        assert (mean == 1).all()


class TestLinks:
    def test_uniform_motion(self):
        links = flow_links(still(3, 2))
        assert links.shape == (1, *SHAPE)
        assert links[0, 0, 0] == 3
        assert links[0, 2, 16] == 2 * 20 + 19
        assert (links[0, :, 17:] == -1).all()

    def test_what_does_not_lead_back_has_no_neighbour(self):
        flow = still(3, 2)
        assert (flow_links(FlowBothWays(flow.forward, flow.forward)) == -1).all()

    def test_flow_of_pictures_in_cells(self):
        rng = np.random.default_rng(0)
        before = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 3)
        flow = flow_both_ways([before, np.roll(before, 4, axis=1)], shape=(48, 64))
        assert flow.forward.shape == (1, 48, 64, 2)
        assert np.median(flow.forward[0], axis=(0, 1)).round(1).tolist() == [0, 2]
        assert np.median(flow.backward[0], axis=(0, 1)).round(1).tolist() == [0, -2]
        assert flow_both_ways([before]).forward.shape == (0, 96, 128, 2)


class TestConsistency:
    def test_counts_are_added(self):
        a, b = np.array([[1, 1, 0, 2]]), np.array([[1, 2, 0, 0]])
        both = temporal_consistency(a, b) + temporal_consistency(b, b)
        assert both == Consistency(1 + 2, 3 + 2)
        assert np.isnan(Consistency().value)
        assert temporal_consistency(a, b, np.array([[True, False, True, True]])) == Consistency(1, 2)

    def test_a_still_life_is_fooled(self):
        """The same wrong label in each frame: fully consistent, at IoU 0."""
        wrong = np.full(SHAPE, 3)
        assert temporal_consistency(wrong, wrong).value == 1

    def test_two_sizes_are_refused(self):
        with pytest.raises(MetricError, match="one shape"):
            temporal_consistency(np.zeros((2, 2), int), np.zeros((2, 3), int))
