from __future__ import annotations

import numpy as np
import pytest

from wadlib.errors import ImageError, LabelError
from wadlib.frames import FULL_SHAPE
from wadlib.preprocess import (
    NETWORK_SHAPE,
    NETWORK_WINDOW,
    STRIP_WINDOW,
    VIEWS,
    crop_and_downscale,
    full_resolution_strip,
    upsample_label,
    view_of,
)

REPORT = VIEWS["report"]


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (*FULL_SHAPE, 3), np.uint8), rng.integers(0, 65536, FULL_SHAPE, np.uint16)


def test_the_picture_is_the_exact_area_mean(pair):
    image, label = pair
    before = image.copy()
    small, nothing = crop_and_downscale(image)
    assert nothing is None
    assert small.shape == (640, 832, 3)
    assert small.dtype == np.uint8
    blocks = image[75:-75, 28:-28].reshape(640, 4, 832, 4, 3)
    mean = blocks.sum(axis=(1, 3), dtype=np.int32) / 16
    assert np.abs(small - mean).max() <= 0.5  # rounded to the nearest
    assert (image == before).all()
    both = crop_and_downscale(image, label)
    assert (both[0] == small).all()


def test_the_label_is_taken_by_stride(pair):
    _, label = pair
    nothing, small = crop_and_downscale(None, label)
    assert nothing is None
    assert small.shape == NETWORK_SHAPE
    assert small.dtype == np.uint16
    assert small.flags.c_contiguous
    assert (small == label[75:-75, 28:-28][::4, ::4]).all()
    assert (small == label[NETWORK_WINDOW]).all()


def test_neither():
    assert crop_and_downscale(None, None) == (None, None)


def test_strip(pair):
    image, label = pair
    strip, strip_label = full_resolution_strip(image, label)
    assert strip.shape == (720, 3384, 3)
    assert (strip == image[1560:2280]).all()
    assert (strip_label == label[1560:2280]).all()
    assert (strip_label == label[STRIP_WINDOW]).all()
    assert not np.shares_memory(strip, image)
    assert full_resolution_strip(None, label)[0] is None


def test_a_point_there_and_back():
    # The upper left corner of network pixel (y, x) is the upper left corner of the pixel that its label came from.
    label = np.arange(FULL_SHAPE[0] * FULL_SHAPE[1], dtype=np.uint32).reshape(FULL_SHAPE)
    y, x = np.array([0, 3, 639]), np.array([0, 700, 831])
    for view in (REPORT, VIEWS["strip"], VIEWS["unet_strip"]):
        y, x = y.clip(0, view.shape[0] - 1), x.clip(0, view.shape[1] - 1)
        y_full, x_full = view.boxes_to_full_frame(np.stack([y, x, y, x], axis=1))[:, :2].T
        assert (label[y_full.astype(int), x_full.astype(int)] == label[view.window][y, x]).all()
    # The centre of a network pixel is the centre of its 4x4 block.
    assert REPORT.boxes_to_full_frame([[0.5, 0.5, 0.5, 0.5]])[0, :2].tolist() == [75 + 4 / 2, 28 + 4 / 2]


def test_boxes():
    boxes = REPORT.boxes_to_full_frame(np.array([[0, 0, 640, 832], [10, 20, 11, 22]], np.float32))
    assert boxes.dtype == np.float32
    assert boxes.tolist() == [[75, 28, 2710 - 75, 3384 - 28], [115, 108, 119, 116]]
    assert REPORT.boxes_to_full_frame(np.empty((0, 4))).shape == (0, 4)
    for view in VIEWS.values():
        assert view.boxes_to_full_frame([[0, 0, *view.shape]]).tolist() == [list(view.region)]


def test_the_table_of_views():
    shapes = {name: view.shape for name, view in VIEWS.items()}
    assert shapes == {
        "full": FULL_SHAPE, "report": (640, 832), "strip": (384, 1664), "full_strip": (720, 3384),
        "unet_strip": (192, 832), "unet_attempt": (90, 422),
    }  # fmt: skip
    for view in VIEWS.values():
        y1, x1, y2, x2 = view.region
        assert 0 <= y1 < y2 <= FULL_SHAPE[0]
        assert 0 <= x1 < x2 <= FULL_SHAPE[1]
        assert (view.shape[0] * view.factor, view.shape[1] * view.factor) == (y2 - y1, x2 - x1), "no pixel is cut"
        assert view_of(view.shape, "test: expected") is view
    with pytest.raises(ImageError, match=r"test: expected a 3384x2710, 832x640, .* picture, got 800x600"):
        view_of((600, 800), "test: expected")
    # Cells of the U-Net's strip are whole pixels of the report's view; those of the other strip could not be.
    assert (VIEWS["unet_strip"].rows[0] - REPORT.rows[0]) % REPORT.factor == 0
    assert (VIEWS["strip"].rows[0] - REPORT.rows[0]) % REPORT.factor == 1


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_every_view_there_and_back(view, pair):
    image, label = pair
    small = view.stride(label)
    y1, x1, y2, x2 = view.region
    assert (small == label[y1:y2, x1:x2][:: view.factor, :: view.factor]).all()
    assert not np.shares_memory(small, label)
    back = view.label_to_full_frame(small)
    assert (view.stride(back) == small).all()
    assert (np.delete(back, slice(*view.rows), axis=0) == 255).all()
    assert (np.delete(back, slice(*view.columns), axis=1) == 255).all()
    assert view.shrink(image).shape == (*view.shape, 3)


def test_round_trip_of_a_label():
    small = np.random.default_rng(1).integers(0, 65536, NETWORK_SHAPE, np.uint16)
    full = upsample_label(small)
    assert (crop_and_downscale(None, full)[1] == small).all()
    assert (full[:75] == 255).all()
    assert (full[-75:] == 255).all()
    assert (full[:, :28] == 255).all()
    assert (full[:, -28:] == 255).all()
    assert (full[75:79, 28:32] == small[0, 0]).all()
    assert (full[-79:-75, -32:-28] == small[-1, -1]).all()


def test_the_ceiling_of_an_8_by_8_square_off_the_grid():
    label = np.full(FULL_SHAPE, 255, np.uint16)
    label[1800 + 1 : 1800 + 9, 1000 + 2 : 1000 + 10] = 33000
    back = upsample_label(crop_and_downscale(None, label)[1]) == 33000
    truth = label == 33000
    # Rows 1803 and 1807 and columns 1004 and 1008 are sampled, so 8x8 px come back two rows and columns off.
    assert (back & truth).sum() / (back | truth).sum() == (6 * 6) / (64 + 64 - 36)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((640, 832, 3), np.uint8), r"got \(640, 832, 3\) uint8[\s\S]*already downscaled"),
        (np.zeros((*FULL_SHAPE, 4), np.uint8), r"got \(2710, 3384, 4\) uint8"),
        (np.zeros(FULL_SHAPE, np.uint8), r"got \(2710, 3384\) uint8"),
        (np.zeros((*FULL_SHAPE, 3), np.float32), r"got \(2710, 3384, 3\) float32[\s\S]*wrong dtype"),
        (np.zeros((3384, 2710, 3), np.uint8), r"got \(3384, 2710, 3\) uint8"),
    ],
)
def test_other_pictures_are_refused(array, why):
    with pytest.raises(ImageError, match=r"expected a \(2710, 3384, 3\) uint8 image, " + why):
        crop_and_downscale(array)
    with pytest.raises(ImageError, match="full_resolution_strip: expected"):
        full_resolution_strip(array)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((640, 832), np.uint16), r"got \(640, 832\) uint16[\s\S]*already downscaled[\s\S]*use it as it is"),
        (np.zeros(FULL_SHAPE, np.int32), r"got \(2710, 3384\) int32"),
        (np.zeros((*FULL_SHAPE, 1), np.uint16), r"got \(2710, 3384, 1\) uint16"),
    ],
)
def test_other_labels_are_refused(array, why):
    with pytest.raises(LabelError, match=r"expected a \(2710, 3384\) uint16 label, " + why):
        crop_and_downscale(None, array)
    with pytest.raises(LabelError, match="full_resolution_strip: expected"):
        full_resolution_strip(None, array)


def test_upsample_refuses_a_full_size_label():
    with pytest.raises(LabelError, match=r"upsample_label: expected a \(640, 832\) uint16 label"):
        upsample_label(np.zeros(FULL_SHAPE, np.uint16))
