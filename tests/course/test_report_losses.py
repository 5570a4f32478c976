"""The losses as section 4.1 prints them, by hand on two boxes, beside the package's; RoIAlign of the paper and ours."""

import numpy as np
import pytest
from keras import ops

from wadlib.course.facts import cite
from wadlib.maskrcnn.learning import losses
from wadlib.maskrcnn.network.roi import crop_and_resize

N_CLS, N_BBOX, LAMBDA = (cite(key).value for key in ("n_cls", "n_bbox", "lambda_bbox"))

# Two anchors, the first on an object; how sure the network is, and how far off its four numbers are.
ON_OBJECT = np.array([1, 0])
P = np.array([3 / 4, 1 / 2])
OFF = np.array([[0.5, -1, 2, 0], [9, 9, 9, 9]])
# One region of class 2 of 3, with a mask of 2x2.
Y = np.array([[1, 1], [0, 0]])
MASKS = np.full((3, 2, 2), 0.01)
MASKS[2] = [[3 / 4, 1 / 2], [1 / 4, 1 / 2]]


def printed_class_loss():
    return (-ON_OBJECT * np.log(P) - (1 - ON_OBJECT) * np.log(1 - P)).sum() / N_CLS


def printed_box_loss():
    smooth = np.where(abs(OFF) < 1, OFF**2 / 2, abs(OFF) - 1 / 2)
    return LAMBDA / N_BBOX * (ON_OBJECT[:, None] * smooth).sum()


def printed_mask_loss(k):
    return -(Y * np.log(MASKS[k]) + (1 - Y) * np.log(1 - MASKS[k])).sum() / Y.size


def test_the_constants_are_the_papers():
    assert (N_CLS, N_BBOX, LAMBDA) == (256, 2400, 10)
    assert 0.9 < (LAMBDA / N_BBOX) * N_CLS < 1.1, "lambda balances the two counts"


def test_by_hand():
    assert printed_class_loss() == pytest.approx((np.log(4 / 3) + np.log(2)) / 256)
    assert printed_box_loss() == pytest.approx(10 / 2400 * (1 / 8 + 1 / 2 + 3 / 2))
    assert printed_mask_loss(2) == pytest.approx((2 * np.log(4 / 3) + 2 * np.log(2)) / 4)


def test_the_package_divides_by_what_takes_part():
    match = np.array([[1, -1]])
    ours = float(losses.rpn_class_loss(match, np.log([[[1 - p, p] for p in P]])))
    assert ours == pytest.approx(printed_class_loss() * N_CLS / 2)  # two anchors, not 256
    ours = float(losses.rpn_bbox_loss(np.zeros((1, 1, 4)), match, OFF[None]))
    assert ours == pytest.approx(printed_box_loss() * N_BBOX / LAMBDA / 4)  # one anchor, the mean of four numbers
    ours = float(losses.mrcnn_mask_loss(Y[None, None], np.array([[2]]), MASKS.transpose(1, 2, 0)[None, None]))
    assert ours == pytest.approx(printed_mask_loss(2))


def test_only_the_mask_of_the_true_class_counts():
    other = MASKS.copy()
    other[:2] = 0.99
    ours = [
        float(losses.mrcnn_mask_loss(Y[None, None], np.array([[2]]), masks.transpose(1, 2, 0)[None, None]))
        for masks in (MASKS, other)
    ]
    assert ours[0] == ours[1]
    assert MASKS.size == 3 * 2**2, "K m^2 numbers"


def bilinear(feature, y, x):
    top, left = min(int(y), feature.shape[0] - 2), min(int(x), feature.shape[1] - 2)
    down, right = y - top, x - left
    weights = np.outer([1 - down, down], [1 - right, right])
    return (weights * feature[top : top + 2, left : left + 2]).sum()


def paper_roi_align(feature, box, bins, points=2):
    """He et al. 2017: several samples in each bin, averaged; the box in cells, not rounded."""
    y1, x1, y2, x2 = box
    place = (np.arange(bins * points) + 1 / 2) / (bins * points)
    samples = [[bilinear(feature, y1 + a * (y2 - y1), x1 + b * (x2 - x1)) for b in place] for a in place]
    return np.reshape(samples, (bins, points, bins, points)).mean(axis=(1, 3))


def shortcut(feature, box, bins):
    normalised = (np.array(box) / (np.tile(feature.shape, 2) - 1)).astype(np.float32)[None]
    image = feature[None, ..., None].astype(np.float32)
    return ops.convert_to_numpy(crop_and_resize(image, normalised, (bins, bins)))[0, ..., 0]


def test_on_a_slope_both_have_the_same_mean_at_other_places():
    slope = np.arange(16.0).reshape(4, 4)  # 4 * row + column
    box = np.array([8, 8, 40, 32]) / 16
    paper, ours = paper_roi_align(slope, box, 2), shortcut(slope, box, 2)
    np.testing.assert_allclose(paper, [[4 * y + x for x in (0.875, 1.625)] for y in (1, 2)])
    np.testing.assert_allclose(ours, [[4 * y + x for x in (0.5, 2)] for y in (0.5, 2.5)])
    assert paper.mean() == pytest.approx(ours.mean())


def test_the_paper_finds_a_single_cell_wherever_it_lies_and_the_shortcut_does_not():
    found = {paper_roi_align: [], shortcut: []}
    for column in range(4, 16):
        spot = np.zeros((20, 20))
        spot[9, column] = 1
        for method, sums in found.items():
            sums.append(method(spot, (2, 2, 16, 16), 7).sum())
    np.testing.assert_allclose(found[paper_roi_align], 1 / 4)  # a bin holds 2x2 cells
    assert min(found[shortcut]) == pytest.approx(0, abs=1e-5)
    assert max(found[shortcut]) == pytest.approx(1, abs=1e-5)
