"""Anchors by hand, and their order."""

import numpy as np
import pytest

from wadlib.maskrcnn import Config
from wadlib.maskrcnn.network.anchors import level_anchors, normalized_anchors, pyramid_anchors
from wadlib.maskrcnn.network.boxes import area


def test_the_first_anchors_by_hand():
    # Scale 8: ratio 1/4 is 16 high and 4 wide, ratio 4 the other way round; centred on pixel 0 and pixel 4.
    found = level_anchors(8, (0.25, 1, 4), (2, 2), stride=4)
    assert found.shape == (2 * 2 * 3, 4)
    np.testing.assert_allclose(found[:3], [[-8, -2, 8, 2], [-4, -4, 4, 4], [-2, -8, 2, 8]])
    np.testing.assert_allclose(found[3:6], found[:3] + np.array([0, 4, 0, 4]))  # the column runs before the row
    np.testing.assert_allclose(found[6:9], found[:3] + np.array([4, 0, 4, 0]))


def test_every_other_cell():
    found = level_anchors(8, (1,), (4, 4), stride=4, anchor_stride=2)
    np.testing.assert_allclose(found[:, :2] + 4, [[0, 0], [0, 8], [8, 0], [8, 8]])


@pytest.mark.parametrize("scale", [8, 10.5, 128])
def test_ratios_keep_the_area(scale):
    found = level_anchors(scale, (0.5, 1, 2), (1, 1), stride=4)
    np.testing.assert_allclose(area(found), scale**2)
    height, width = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]
    np.testing.assert_allclose(width / height, [0.5, 1, 2])


def test_number_of_anchors_of_the_report():
    cells = 160 * 208 + 80 * 104 + 40 * 52 + 20 * 26 + 10 * 13
    anchors = pyramid_anchors(Config.report())
    assert anchors.shape == (3 * cells, 4) == (132_990, 4)
    assert anchors.dtype == np.float32


def test_levels_from_fine_to_coarse():
    config = Config.report()
    sides = np.sqrt(area(pyramid_anchors(config)))
    ends = np.cumsum([3 * rows * columns for rows, columns in config.feature_shapes])
    for scale, start, end in zip(config.anchor_scales, [0, *ends], ends, strict=False):
        np.testing.assert_allclose(sides[start:end], scale, rtol=1e-4)


def test_normalized():
    config = Config.report()
    pixels, found = pyramid_anchors(config).astype(float), normalized_anchors(config)
    np.testing.assert_allclose(found[:, 0], pixels[:, 0] / 639, atol=1e-6)
    np.testing.assert_allclose(found[:, 3], (pixels[:, 3] - 1) / 831, atol=1e-6)


@pytest.mark.parametrize("function", [pyramid_anchors, normalized_anchors])
def test_shared_arrays_cannot_be_changed(function):
    anchors = function(Config.report())
    assert function(Config.report()) is anchors
    with pytest.raises(ValueError, match="read-only"):
        anchors[0, 0] = 1
