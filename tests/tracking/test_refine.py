"""Looking again inside carried boxes: where the frame itself shows the object, and how masks are averaged."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.tracking.moving import boxes
from wadlib.errors import TrackingError
from wadlib.tracking import Flow
from wadlib.tracking.flow import median_shifts, sample
from wadlib.tracking.lattice import fill_between
from wadlib.tracking.pieces import Piece
from wadlib.tracking.refine import Pictures, Seen, blended, refined

SHAPE = (90, 160)


def texture(shape, seed=0, blur=2.0):
    """Smooth random colours, so that a shift by parts of a pixel can be seen."""
    noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), blur), None, 0, 255, cv2.NORM_MINMAX)


def street(*places, size=(12, 18)):
    """A grey street, and a patterned car whose first corner is at each place (y, x) in turn, also between pixels."""
    car, images = texture(size, blur=1.5).astype(np.float32), []
    for y, x in places:
        ground = np.full((*SHAPE, 3), 110, np.float32)
        shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
        inside = cv2.warpAffine(np.ones(size, np.float32), shift, SHAPE[::-1])[..., None]
        moved = cv2.warpAffine(car, shift, SHAPE[::-1])
        images.append((moved + (1 - inside) * ground).round().astype(np.uint8))
    return images


def box(y, x, height=12, width=18):
    return np.array([y, x, y + height, x + width], np.float64)


def whole(frame, where, weight=1.0):
    y, x, bottom, right = where.astype(int).tolist()
    return Seen(frame, where, Piece(np.ones((bottom - y, right - x), bool), y, x), weight)


class TestRefined:
    @pytest.mark.parametrize("off", [(0, 0), (2, -1), (-3, 3), (0.4, 0.7)])
    def test_the_box_goes_to_where_the_object_is(self, off):
        pictures = Pictures(street((30, 40), (36.5, 52.25)))
        found = refined(pictures, 1, [whole(0, box(30, 40))], box(36.5 + off[0], 52.25 + off[1]))
        np.testing.assert_allclose(found, box(36.5, 52.25), atol=0.3)

    def test_a_large_object_is_searched_further(self):
        pictures = Pictures(street((10, 16), (13, 21), size=(64, 100)))  # 6,400 pixels: every other one
        found = refined(pictures, 1, [whole(0, box(10, 16, 64, 100))], box(11, 18, 64, 100))
        np.testing.assert_allclose(found, box(13, 21, 64, 100), atol=0.5)

    def test_an_object_that_grows_is_compared_at_its_new_size(self):
        small = street((30, 40))[0]
        grown = cv2.warpAffine(small, np.array([[1.25, 0, -10], [0, 1.25, -8]], np.float32), SHAPE[::-1])
        there = np.array([30, 40, 42, 58]) * 1.25 - [8, 10, 8, 10]
        found = refined(Pictures([small, grown]), 1, [whole(0, box(30, 40))], there + 1.5)
        np.testing.assert_allclose(found, there, atol=0.5)

    def test_the_nearer_key_frame_counts_more(self):
        # Seen from frame 0 the car is 2 px further right than seen from frame 2: the means of 1/4 and 3/4.
        pictures = Pictures(street((30, 40), (30, 42), (30, 40)))
        seen = [whole(0, box(30, 42), 0.25), whole(2, box(30, 40), 0.75)]
        found = refined(pictures, 1, seen, box(30, 42))
        np.testing.assert_allclose(found - box(30, 42), np.tile([0, 0.25 * 2], 2), atol=0.2)

    def test_nothing_to_be_seen_changes_nothing(self):
        flat = np.full((*SHAPE, 3), 90, np.uint8)
        other = texture(SHAPE, seed=3)
        seen, there = [whole(0, box(30, 40))], box(31, 41)
        for target in (flat, other):
            np.testing.assert_array_equal(refined(Pictures([street((30, 40))[0], target]), 1, seen, there), there)
        np.testing.assert_array_equal(refined(Pictures([flat, flat]), 1, seen, there), there)

    def test_at_the_edge_there_is_no_room_to_search(self):
        pictures = Pictures(street((30, 1), (30, 0)))
        np.testing.assert_array_equal(refined(pictures, 1, [whole(0, box(30, 1))], box(30, 1)), box(30, 1))

    def test_pictures_are_read_once_and_let_go(self):
        read = []

        class Video(list):
            def __getitem__(self, frame):
                read.append(frame)
                return super().__getitem__(frame)

        pictures = Pictures(Video(street(*[(30, 40)] * 4)))
        for frame in (0, 1, 0, 1, 3):
            pictures.grey(frame)
        assert read == [0, 1, 3]
        pictures.forget(3)
        assert list(pictures._grey) == [3]


class TestBlended:
    def test_two_masks_by_hand(self):
        # 4 columns and 6 columns in one box of 4x6: shared by both, and by the second alone.
        narrow = Piece(np.ones((4, 4), bool), 0, 0)
        wide = Piece(np.ones((4, 6), bool), 0, 0)
        here, moved = np.array([0.0, 0, 4, 6]), np.array([5.0, 7, 9, 13])
        for share, columns in ((0.25, 4), (0.75, 6)):  # a share of 0.3 is enough
            seen = [Seen(0, here, narrow, 1 - share), Seen(2, here, wide, share)]
            assert blended(seen, moved, (20, 20)).mask.shape == (4, columns)

    def test_a_mask_is_moved_and_stretched(self):
        mask = np.tri(8, 8, 0, bool)
        seen = [Seen(0, np.array([2.0, 3, 10, 11]), Piece(mask, 2, 3), 1.0)]
        same = blended(seen, np.array([12.0, 23, 20, 31]), (60, 60))
        np.testing.assert_array_equal(same.mask, mask)
        assert same[1:] == (12, 23)
        twice = blended(seen, np.array([10.0, 20, 26, 36]), (60, 60))
        assert twice.mask.shape == (16, 16)
        assert twice.mask.mean() == pytest.approx(mask.mean(), abs=0.06)

    def test_what_is_outside_is_cut_off(self):
        seen = [Seen(0, box(30, 40), Piece(np.ones((12, 18), bool), 30, 40), 1.0)]
        piece = blended(seen, box(-4, 150), SHAPE)
        assert (piece.mask.shape, piece.y, piece.x) == ((8, 10), 0, 150)
        assert not blended(seen, box(-40, 150), SHAPE).mask.size
        hollow = [Seen(0, box(30, 40), Piece(np.zeros((0, 0), bool), 0, 0), 1.0)]
        assert not blended(hollow, box(30, 40), SHAPE).mask.size


class TestFillBetween:
    def test_the_pictures_find_what_the_flow_missed(self):
        """A car that leaps and waits: a straight line between the key frames is 3 px off."""
        places = [(30, 40), (30, 45), (30, 46), (30, 47), (30, 48)]
        images = street(*places)
        keys = {t: boxes((33, 30, places[t][1], 12, 18), shape=SHAPE) for t in (0, 4)}
        still = [np.zeros((*SHAPE, 2), np.float32)] * 4
        times = [0.139 * t for t in range(5)]
        blind = list(fill_between(keys, times, still))[1].found.boxes[0]
        seeing = list(fill_between(keys, times, still, images=images))[1].found.boxes[0]
        np.testing.assert_allclose(blind, box(30, 42))
        np.testing.assert_allclose(seeing, box(30, 45), atol=0.3)

    def test_pictures_that_do_not_fit_are_refused(self):
        keys, still = {0: boxes((33, 30, 40, 12, 18), shape=SHAPE)}, [np.zeros((*SHAPE, 2), np.float32)] * 2
        for images in ([], street((30, 40)), [np.zeros((9, 9, 3), np.uint8)] * 3):
            with pytest.raises(TrackingError, match="expected 3 pictures of 160x90 like the detections"):
                list(fill_between(keys, [0.0, 0.1, 0.2], still, images=images))

    def test_flow_at_half_the_resolution_is_in_pixels_of_the_picture(self):
        before = texture((192, 256), blur=5)
        flow = Flow(128)
        flow.next(before)
        field = flow.next(np.roll(before, 6, axis=1))
        assert field.shape == (96, 128, 2)
        assert np.median(field, axis=(0, 1)).round().tolist() == [0, 6]


class TestMedianShifts:
    def test_equals_the_median_of_each_mask(self):
        rng = np.random.default_rng(7)
        field = rng.normal(0, 5, (45, 80, 2)).astype(np.float32)  # half the resolution of SHAPE
        pieces = [Piece(rng.random((h, w)) < 0.6, y, x) for h, w, y, x in rng.integers(2, 14, (30, 4)) * [1, 1, 6, 11]]
        pieces.append(Piece(np.zeros((0, 0), bool), 0, 0))
        shifts = rng.uniform(-20, 20, (31, 2))
        for piece, shift, found in zip(
            pieces, shifts, median_shifts(field, [sample(p) for p in pieces], shifts, SHAPE), strict=True
        ):
            y, x = np.nonzero(piece.mask)
            y, x = y + piece.y + np.rint(shift[0]).astype(int), x + piece.x + np.rint(shift[1]).astype(int)
            there = (y >= 0) & (y < SHAPE[0]) & (x >= 0) & (x < SHAPE[1])
            wanted = np.median(field[y[there] // 2, x[there] // 2], axis=0) if there.any() else [0, 0]
            np.testing.assert_allclose(found, wanted, atol=1e-6)

    def test_no_masks(self):
        assert median_shifts(np.zeros((4, 4, 2), np.float32), [], np.zeros((0, 2)), (4, 4)).shape == (0, 2)

    def test_large_masks_are_sampled_and_thin_ones_are_not_missed(self):
        large = sample(Piece(np.ones((700, 900), bool), 5, 6))
        assert 100 <= len(large) <= 200
        assert large.min(axis=0).tolist() == [5, 6]
        thin = np.zeros((301, 301), bool)
        thin[1] = True  # between the rows of the grid
        assert 100 <= len(sample(Piece(thin, 0, 0))) <= 200
