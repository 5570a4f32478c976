"""Probability maps as unaries: the logarithm by hand, its use by the moves, and what is refused."""

import numpy as np
import pytest

from wadlib.errors import SegmentationError
from wadlib.graphcut import alpha_expansion, unary_from_probabilities


def test_costs_are_minus_the_logarithm():
    p = np.array([[[1 / 2, 1 / 4, 1 / 4]]])
    np.testing.assert_allclose(unary_from_probabilities(p), [[[np.log(2), np.log(4), np.log(4)]]], rtol=1e-6)


def test_the_floor_keeps_certainty_finite():
    p = np.array([[[1.0, 0.0]]], np.float32)
    assert unary_from_probabilities(p, floor=1e-3)[0, 0, 1] == pytest.approx(np.log(1000))


def test_without_smoothness_the_expansion_takes_the_most_probable_label():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(6, 7))
    fit = alpha_expansion(unary_from_probabilities(p), 0.0)
    np.testing.assert_array_equal(fit.labels, p.argmax(axis=2))


def test_a_lone_doubt_is_outvoted():
    """One pixel leans the other way, 3/5 against 2/5: to flip it costs log(3/2), to keep it four links."""
    p = np.tile(np.array([0.99, 0.01]), (3, 3, 1))
    p[1, 1] = 2 / 5, 3 / 5
    assert (alpha_expansion(unary_from_probabilities(p), 1.0).labels == 0).all()
    assert alpha_expansion(unary_from_probabilities(p), np.log(3 / 2) / 4 * 0.99).labels[1, 1] == 1


def test_half_precision_is_enough_and_the_input_is_kept():
    p = np.full((2, 2, 3), 1 / 3, np.float16)
    kept = p.copy()
    assert unary_from_probabilities(p).dtype == np.float32
    np.testing.assert_array_equal(p, kept)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (np.zeros((2, 2)), r"\(2, 2\)"),
        (np.zeros((2, 2, 3), int), "int64"),
        (np.zeros((0, 2, 3)), r"\(0, 2, 3\)"),
        (np.full((1, 1, 2), [2.0, -1.0]), "softmax"),
        (np.full((1, 1, 2), np.nan), "NaN"),
        (np.full((1, 1, 2), 0.9), "sums from 1.8 to 1.8"),
    ],
)
def test_other_arrays_are_refused(p, message):
    with pytest.raises(SegmentationError, match=message):
        unary_from_probabilities(p)


@pytest.mark.parametrize("floor", [0, 1, -1e-6])
def test_the_floor_is_a_probability(floor):
    with pytest.raises(SegmentationError, match="floor"):
        unary_from_probabilities(np.full((1, 1, 2), 0.5), floor=floor)
