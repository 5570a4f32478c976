"""The five losses by hand on two boxes: expected values are fractions and logarithms of fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from keras import ops

from wadlib.maskrcnn.learning import losses

F = Fraction


def value(loss):
    result = ops.convert_to_numpy(loss)
    assert result.shape == ()
    assert result.dtype == np.float32
    return float(result)


def close(number):
    return pytest.approx(float(number), rel=1e-5, abs=1e-7)


def test_smooth_l1():
    result = ops.convert_to_numpy(losses.smooth_l1(np.zeros(5), np.array([0, 0.5, -0.5, 1, -4])))
    assert result.tolist() == [0, F(1, 8), F(1, 8), F(1, 2), F(7, 2)]


# --- region proposal network ----------------------------------------------------------------------


def test_rpn_class_loss_of_two_anchors():
    # On an object: p = (1/4, 3/4). Background: p = (4/5, 1/5). The third takes no part.
    match = np.array([[1, -1, 0]])
    logits = np.log([[[1, 3], [4, 1], [1, 1e6]]])
    expected = (-math.log(F(3, 4)) - math.log(F(4, 5))) / 2
    assert value(losses.rpn_class_loss(match, logits)) == close(expected)
    assert value(losses.rpn_class_loss(match[..., None], logits)) == close(expected)  # the original's shape


def test_rpn_bbox_loss_of_two_anchors():
    # The second and the fourth anchor are on objects: they have the first two rows of the targets.
    match = np.array([[-1, 1, 0, 1]])
    target = np.array([[[0, 0, 0, 0], [1, 1, 1, 1], [9, 9, 9, 9]]], float)
    deltas = np.array([[[7] * 4, [0.5, 1, 2, 0], [7] * 4, [1, 1, 1, 4]]], float)
    first = F(1, 8) + F(1, 2) + F(3, 2) + 0
    second = F(5, 2)
    assert value(losses.rpn_bbox_loss(target, match, deltas)) == close((first + second) / 8)


def test_rpn_losses_are_means_over_the_whole_batch():
    match = np.array([[1, -1, -1], [1, 0, 0]])
    logits = np.log([[[1, 3], [1, 1], [3, 1]], [[7, 1], [1, 1], [1, 1]]])
    expected = -sum(math.log(p) for p in (F(3, 4), F(1, 2), F(3, 4), F(1, 8))) / 4
    assert value(losses.rpn_class_loss(match, logits)) == close(expected)
    deltas = np.zeros((2, 3, 4))
    target = np.array([[[1] * 4, [5] * 4], [[3] * 4, [5] * 4]], float)
    assert value(losses.rpn_bbox_loss(target, match, deltas)) == close((F(1, 2) + F(5, 2)) / 2)


def test_rpn_losses_without_any_anchor():
    nothing = np.zeros((1, 3))
    assert value(losses.rpn_class_loss(nothing, np.ones((1, 3, 2)))) == 0
    assert value(losses.rpn_bbox_loss(np.ones((1, 2, 4)), nothing, np.ones((1, 3, 4)))) == 0
    assert value(losses.rpn_bbox_loss(np.ones((1, 2, 4)), nothing - 1, np.ones((1, 3, 4)))) == 0


# --- second stage ---------------------------------------------------------------------------------

CLASS_IDS = np.array([[2, 0]])  # a RoI on an object of class 2, and one of background


def test_class_loss_of_two_rois():
    logits = np.log([[[1, 1, 2], [3, 1, 1]]])  # p(2) = 1/2, p(0) = 3/5
    expected = (-math.log(F(1, 2)) - math.log(F(3, 5))) / 2
    assert value(losses.mrcnn_class_loss(CLASS_IDS, logits)) == close(expected)


def test_predictions_of_inactive_classes_take_no_part():
    logits = np.log([[[1, 4, 2], [3, 1, 1]]])  # the first RoI is taken for class 1
    active = np.array([[1, 0, 1]])
    assert value(losses.mrcnn_class_loss(CLASS_IDS, logits, active)) == close(-math.log(F(3, 5)))
    assert value(losses.mrcnn_class_loss(CLASS_IDS, logits, 0 * active)) == 0


def test_bbox_loss_of_two_rois():
    target = np.array([[[0, 0, 0, 0], [8, 8, 8, 8]]], float)  # the second is background
    deltas = np.full((1, 2, 3, 4), 9.0)
    deltas[0, 0, 2] = [0.5, -1, 2, 0]  # of class 2; the other classes do not count
    assert value(losses.mrcnn_bbox_loss(target, CLASS_IDS, deltas)) == close((F(1, 8) + F(1, 2) + F(3, 2)) / 4)
    assert value(losses.mrcnn_bbox_loss(target, 0 * CLASS_IDS, deltas)) == 0


def test_mask_loss_of_two_rois():
    truth = np.zeros((1, 2, 2, 2))
    truth[0, 0] = [[1, 1], [0, 0]]
    truth[0, 1] = 1  # background: does not count
    masks = np.full((1, 2, 2, 2, 3), 0.01)
    masks[0, 0, :, :, 2] = [[3 / 4, 1 / 2], [1 / 4, 1 / 2]]
    expected = -(math.log(F(3, 4)) + math.log(F(1, 2)) + math.log(1 - F(1, 4)) + math.log(1 - F(1, 2))) / 4
    assert value(losses.mrcnn_mask_loss(truth, CLASS_IDS, masks)) == close(expected)
    assert value(losses.mrcnn_mask_loss(truth, 0 * CLASS_IDS, masks)) == 0


def test_mask_loss_is_finite_at_zero_and_one():
    truth = np.ones((1, 2, 1, 1))
    loss = value(losses.mrcnn_mask_loss(truth, np.array([[1, 1]]), np.zeros((1, 2, 1, 1, 2))))
    assert loss == close(-math.log(1e-7))


def test_half_precision_predictions_give_float32_losses():
    deltas = ops.cast(np.full((1, 2, 3, 4), 0.5), "bfloat16")
    assert value(losses.mrcnn_bbox_loss(np.zeros((1, 2, 4)), CLASS_IDS, deltas)) == close(F(1, 8))
    assert value(losses.mrcnn_class_loss(CLASS_IDS, ops.zeros((1, 2, 3), "bfloat16"))) == close(math.log(3))
