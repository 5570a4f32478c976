"""Losses of the U-Net: by hand in fractions, against numpy, and the constant predictor."""

from fractions import Fraction as F
from itertools import product
from math import log

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from wadlib.errors import SegmentationError
from wadlib.unet import constant
from wadlib.unet.constant import class_counts, constant_predictor_loss
from wadlib.unet.losses import (
    EPSILON,
    SegmentationLoss,
    attempt_loss,
    batch_class_weights,
    cross_entropy,
    cure_loss,
    one_hot,
    soft_dice,
)

# Two pixels of class 0, one of class 1, one without a target; three classes, class 2 is absent.
TARGET = np.array([[[0, 0], [1, 255]]], np.uint8)  # (1,2,2)
Q = [[F(1, 2), F(1, 4), F(1, 4)], [F(3, 4), F(1, 8), F(1, 8)], [F(1, 2), F(1, 4), F(1, 4)], [F(1, 8), F(1, 8), F(3, 4)]]
LOGITS = np.log(np.array(Q, float)).reshape(1, 2, 2, 3) + 5  # a softmax does not mind the + 5


def near(value, expected, tolerance=2e-6):
    assert float(value) == pytest.approx(float(expected), rel=tolerance)


def options(**changes):
    return SegmentationLoss(**({"cross_entropy": 1, "dice": 0} | changes))


# --- by hand -------------------------------------------------------------------------------------


def test_one_hot_leaves_unlabelled_pixels_empty():
    truth = ops.convert_to_numpy(one_hot(TARGET, 3))
    np.testing.assert_array_equal(truth.reshape(4, 3), [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_cross_entropy_is_the_mean_of_minus_log_of_the_true_class():
    near(options()(TARGET, LOGITS), (-log(1 / 2) - log(3 / 4) - log(1 / 4)) / 3)


def test_cross_entropy_weighted():
    loss = options(class_weights=[1, 5, 100])
    near(loss(TARGET, LOGITS), (-log(1 / 2) - log(3 / 4) - 5 * log(1 / 4)) / (1 + 1 + 5))
    loss = options(class_weights=[1, 5, 100], normalise=False)
    near(loss(TARGET, LOGITS), (-log(1 / 2) - log(3 / 4) - 5 * log(1 / 4)) / 3)
    loss = options(class_weights=[1, 5, 100], normalise=False, unlabelled="zero")
    near(loss(TARGET, LOGITS), (-log(1 / 2) - log(3 / 4) - 5 * log(1 / 4)) / 4)


DICE_0 = 2 * (F(1, 2) + F(3, 4)) / ((F(1, 2) + F(3, 4) + F(1, 2)) + 2)  # 2 / 3
DICE_1 = 2 * F(1, 4) / ((F(1, 4) + F(1, 8) + F(1, 4)) + 1)  # 4 / 13


def test_dice_skips_the_absent_class():
    near(DICE_0, F(2, 3))
    near(DICE_1, F(4, 13))
    near(options(cross_entropy=0, dice=1)(TARGET, LOGITS), 1 - (DICE_0 + DICE_1) / 2)
    weighted = options(cross_entropy=0, dice=1, class_weights=[1, 3, 100])
    near(weighted(TARGET, LOGITS), (1 - DICE_0 + 3 * (1 - DICE_1)) / 4)


def test_dice_counts_the_absent_class_at_its_full_weight():
    counted = options(cross_entropy=0, dice=1, absent="count")
    near(counted(TARGET, LOGITS), (3 - DICE_0 - DICE_1) / 3)
    whole = options(cross_entropy=0, dice=1, absent="count", normalise=False, class_weights=[1, 3, 60])
    near(whole(TARGET, LOGITS), 1 - DICE_0 + 3 * (1 - DICE_1) + 60)


def test_dice_with_unlabelled_pixels_as_zero_rows():
    dice_0 = 2 * F(5, 4) / (F(7, 4) + F(1, 8) + 2)  # the fourth pixel's 1/8 is now predicted in vain
    dice_1 = 2 * F(1, 4) / (F(5, 8) + F(1, 8) + 1)
    zero = options(cross_entropy=0, dice=1, unlabelled="zero")
    near(zero(TARGET, LOGITS), 1 - (dice_0 + dice_1) / 2)


def test_dice_per_image_is_the_mean_over_images():
    second = np.full((1, 2, 2), 1, np.uint8)
    dice = 2 * F(1, 4) * 4 / (4 * F(1, 4) + 4)  # class 1 everywhere, predicted at 1/4 everywhere
    logits = np.concatenate([LOGITS, np.broadcast_to(np.log([1 / 2, 1 / 4, 1 / 4]), (1, 2, 2, 3))])
    loss = options(cross_entropy=0, dice=1, per_image=True)
    near(loss(np.concatenate([TARGET, second]), logits), (1 - (DICE_0 + DICE_1) / 2 + 1 - dice) / 2)


def test_the_sum_of_both_and_its_factors():
    parts = [float(options(cross_entropy=a, dice=b)(TARGET, LOGITS)) for a, b in ((1, 0), (0, 1), (2, 3))]
    near(parts[2], 2 * parts[0] + 3 * parts[1])


def test_class_weights_of_the_authors():
    truth = one_hot(np.array([[[0, 0, 0, 1]]]), 3)
    weights = ops.convert_to_numpy(batch_class_weights(truth))
    np.testing.assert_allclose(weights, [1, 3**0.3, (0.75 / 1e-6) ** 0.3], rtol=1e-5)
    assert 57 < weights[2] < 58, "the issue's 'about 60'"


def test_a_class_that_is_absent_from_the_batch_costs_the_attempt_its_whole_weight():
    target = np.zeros((2, 8, 8), np.uint8)
    target[:, :2] = 1
    weight = (0.75 / 1e-6) ** 0.3
    perfect = np.where(one_hot(target, 9), 1.0, 0.0)
    for certainty, expected in ((8, 7 * weight), (40, 0)):  # logits of the true class above the others
        logits = (certainty * perfect).astype(np.float32)
        found = float(attempt_loss(cross_entropy=0)(target, logits))
        assert found == pytest.approx(expected, rel=2e-3, abs=1e-3)
        assert float(cure_loss(cross_entropy=0)(target, logits)) < 2e-3


def test_two_channel_attempt_gives_other_classes_a_target_of_zeros():
    target = np.array([[[0, 1, 255, 255]]], np.uint8)
    logits = np.log(np.array([[3 / 4, 1 / 4], [1 / 2, 1 / 2], [1 / 4, 3 / 4], [1 / 2, 1 / 2]])).reshape(1, 1, 4, 2)
    near(attempt_loss(dice=0)(target, logits), (-log(3 / 4) - log(1 / 2)) / 4)
    dice_0, dice_1 = 2 * F(3, 4) / (2 + 1), 2 * F(1, 2) / (2 + 1)  # both channels predict 2 px in all
    near(attempt_loss(cross_entropy=0)(target, logits), 2 - dice_0 - dice_1)


# --- against numpy -------------------------------------------------------------------------------


def numpy_loss(target, logits, o):
    """The same sums, one pixel and one class at a time."""
    classes = logits.shape[-1]
    q = np.exp(logits - logits.max(axis=-1, keepdims=True))
    q /= q.sum(axis=-1, keepdims=True)
    counts = [(target == c).sum() for c in range(classes)]
    if o["class_weights"] == "batch":
        shares = [count / max(sum(counts), 1) for count in counts]
        w = [(max(shares) / (share + 1e-6)) ** 0.3 for share in shares]
    else:
        w = o["class_weights"] or [1.0] * classes
    total, weight, pixels = 0.0, 0.0, 0
    for place in np.ndindex(target.shape):
        c = target[place]
        if c < classes:
            total -= w[c] * log(q[place][c])
            weight += w[c]
        pixels += c < classes or o["unlabelled"] == "zero"
    loss = o["cross_entropy"] * total / (max(weight, 1e-6) if o["normalise"] else max(pixels, 1))
    groups = [slice(i, i + 1) for i in range(len(target))] if o["per_image"] else [slice(None)]
    for group in groups:
        t, p = target[group], q[group]
        seen = np.ones(t.shape, bool) if o["unlabelled"] == "zero" else t < classes
        terms, weight = 0.0, 0.0
        for c in range(classes):
            mine = t == c
            if mine.any() or o["absent"] == "count":
                d = (2 * p[mine, c].sum() + 1e-6) / (p[seen, c].sum() + mine.sum() + 1e-6)
                terms += w[c] * (1 - d)
                weight += w[c]
        loss += o["dice"] * terms / (max(weight, 1e-6) if o["normalise"] else 1) / len(groups)
    return loss


EVERY = {
    "class_weights": [None, "batch", [0.5, 1, 2, 0]],
    "absent": ["skip", "count"],
    "per_image": [True, False],
    "normalise": [True, False],
    "unlabelled": ["ignore", "zero"],
}
SETTINGS = [dict(zip(EVERY, values, strict=True)) for values in product(*EVERY.values())]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: "-".join(str(v) for v in s.values()))
def test_every_setting_against_a_loop(setting):
    rng = np.random.default_rng(SETTINGS.index(setting))
    target = rng.choice([0, 0, 0, 1, 2, 255], (3, 4, 5)).astype(np.uint8)  # class 3 is absent
    target[0][target[0] == 2] = 0  # and class 2 from the first image
    logits = rng.normal(0, 3, (3, 4, 5, 4)).astype(np.float32)
    loss = SegmentationLoss(0.7, 1.3, **setting)
    near(loss(target, logits), numpy_loss(target, logits, loss.options), 2e-5)


@pytest.mark.parametrize("make", [attempt_loss, cure_loss])
def test_extreme_inputs_stay_finite(make):
    loss = make()
    logits = np.zeros((1, 2, 2, 3), np.float32)
    logits[..., 0] = 1e4  # a softmax of exactly 0 where the target is
    near(cross_entropy(one_hot(np.ones((1, 2, 2)), 3), logits, np.ones(3, "float32")), 1e4)
    for target in (np.zeros((1, 2, 2)), np.ones((1, 2, 2)), np.full((1, 2, 2), 255)):
        assert np.isfinite(float(loss(target.astype(np.uint8), logits)))
    assert float(cure_loss()(np.full((1, 2, 2), 255, np.uint8), logits)) == 0, "nothing to learn from"


def test_bfloat16_logits_are_summed_in_float32():
    rng = np.random.default_rng(0)
    logits = ops.cast(rng.normal(0, 1, (1, 64, 64, 3)), "bfloat16")
    target = rng.integers(0, 3, (1, 64, 64)).astype(np.uint8)
    near(cure_loss()(target, logits), cure_loss()(target, ops.cast(logits, "float32")))


def test_losses_survive_saving_and_work_in_compile():
    loss = attempt_loss(cross_entropy=0, absent="skip")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (again.name, again.options) == (loss.name, loss.options)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(3, 1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=cure_loss(dice=0))
    target = np.tile(np.array([0, 0, 1, 255], np.uint8), (1, 4, 1))
    first = model.evaluate(np.zeros((1, 4, 4, 3)), target, verbose=0)
    near(first, log(3))
    model.train_on_batch(np.zeros((1, 4, 4, 3)), target)
    # The bias learns what a constant can know: the gradient is softmax minus share.
    np.testing.assert_allclose(np.asarray(model.layers[0].bias), [2 / 3 - 1 / 3, 1 / 3 - 1 / 3, -1 / 3], atol=1e-6)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ({"absent": "ignore"}, "absent='ignore'"),
        ({"unlabelled": "skip"}, "unlabelled='skip'"),
        ({"class_weights": "balanced"}, "class_weights='balanced'"),
        ({"class_weights": [0, 0]}, "class_weights=[0.0, 0.0]"),
        ({"class_weights": []}, "class_weights=[]"),
        ({"class_weights": [1, -1]}, "[1.0, -1.0]"),
        ({"cross_entropy": 0, "dice": 0}, "cross_entropy=0.0, dice=0.0"),
        ({"dice": -1}, "dice=-1.0"),
        ({"dice": 10**400}, "too large"),
        ({"dice": "x"}, "could not convert"),
        ({"dice": [1]}, "not 'list'"),
        ({"cross_entropy": float("inf")}, "cross_entropy=inf"),
        ({"class_weights": 0.5}, "not iterable"),
        ({"class_weights": [1, None]}, "not 'NoneType'"),
    ],
)
def test_bad_options_are_named(bad, word):
    with pytest.raises(SegmentationError) as caught:
        SegmentationLoss(**bad)
    assert word in str(caught.value)


# --- the constant predictor ----------------------------------------------------------------------


def test_best_constant_of_cross_entropy_is_the_entropy_of_the_labels():
    best = constant_predictor_loss([[6, 2, 0]], dice=0)
    np.testing.assert_allclose(best.probabilities, [3 / 4, 1 / 4, 0], atol=1e-9)
    near(best.loss, -3 / 4 * log(3 / 4) - 1 / 4 * log(1 / 4))


def test_best_constant_of_weighted_cross_entropy_goes_by_weight_times_count():
    best = constant_predictor_loss([[6, 2]], dice=0, class_weights=[1, 3])
    np.testing.assert_allclose(best.probabilities, [1 / 2, 1 / 2], atol=1e-9)
    near(best.loss, log(2))


def test_constant_dice_of_equal_weights_is_one_minus_one_over_the_classes():
    for counts in ([[9, 1]], [[90, 9, 1]], [[5, 5, 5, 1]]):
        near(constant_predictor_loss(counts, cross_entropy=0).loss, 1 - F(1, len(counts[0])), 1e-5)


def test_the_attempts_plateau_is_the_weights_of_everything_but_background():
    counts = np.array([[9000, 900, 90, 10]])
    weights = [(0.9 / (share + 1e-6)) ** 0.3 for share in (0.9, 0.09, 0.009, 0.001)]
    background_only = constant_predictor_loss(
        counts, probabilities=[1, 0, 0, 0], **(attempt_loss(cross_entropy=0).options)
    )
    near(background_only.loss, sum(weights[1:]) + 1 - 2 * 0.9 / 1.9, 1e-4)
    best = constant_predictor_loss(counts, **(attempt_loss(cross_entropy=0).options))
    assert sum(weights[1:]) > best.loss > 0.9 * sum(weights[1:])


def test_absent_classes_cost_their_weight_until_their_probability_is_nothing():
    counts = np.array([[9000, 1000, 0, 0]])
    o = attempt_loss(cross_entropy=0).options
    reached, before = constant_predictor_loss(counts, **o), constant_predictor_loss(counts, smallest=1e-6, **o)
    near(before.loss - reached.loss, 2 * (0.9 / 1e-6) ** 0.3, 1e-3)
    np.testing.assert_array_equal(reached.probabilities[2:], 0)


counts_of = st.lists(st.tuples(*[st.integers(0, 50)] * 3).filter(lambda row: sum(row) > 0), min_size=1, max_size=3)


@settings(max_examples=30, deadline=None)
@given(counts_of, st.sampled_from([s for s in SETTINGS if s["class_weights"] in (None, "batch")]), st.integers(0, 2))
def test_no_constant_is_better_than_the_best(counts, setting, kind):
    factors = {"cross_entropy": (1, 0, 1)[kind], "dice": (0, 1, 1)[kind]}
    best = constant_predictor_loss(counts, **factors, **setting)
    assert best.probabilities.sum() == pytest.approx(1)
    steps = np.linspace(0, 1, 11)
    for a, b in product(steps, steps):
        if a + b <= 1 + 1e-9:
            other = constant_predictor_loss(counts, probabilities=[a, b, max(0, 1 - a - b)], **factors, **setting)
            assert best.loss <= other.loss + 1e-4, other.probabilities


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s["class_weights"] in (None, "batch")])
def test_constant_loss_is_the_networks_loss_of_constant_logits(setting):
    rng = np.random.default_rng(3)
    target = rng.choice([0, 0, 0, 1, 2, 255], (3, 4, 5)).astype(np.uint8)
    q = np.array([0.6, 0.25, 0.1, 0.05])
    loss = SegmentationLoss(1, 1, **setting)
    expected = loss(target, np.broadcast_to(np.log(q), (3, 4, 5, 4)).astype(np.float32))
    found = constant_predictor_loss(class_counts(target, 4), pixels=20, probabilities=q, **loss.options)
    near(found.loss, expected, 1e-5)


def test_both_modules_have_the_same_epsilon():
    assert constant.EPSILON == EPSILON


def test_counts_that_are_not_counts():
    for bad in (np.zeros((2, 3)), np.zeros((2, 4, 4))):
        with pytest.raises(SegmentationError, match="class_counts"):
            constant_predictor_loss(bad)


def test_soft_dice_of_a_perfect_prediction_is_zero():
    logits = 40.0 * ops.convert_to_numpy(one_hot(TARGET, 3))
    near(1 + float(soft_dice(one_hot(TARGET, 3), logits, np.ones(3, np.float32))), 1)
