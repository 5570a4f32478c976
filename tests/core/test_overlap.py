"""One joint histogram per frame: against counting by hand and by loops."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wadlib._shared.runs import joint_runs
from wadlib.errors import MetricError
from wadlib.labels import IDS
from wadlib.overlap import Overlap

CODES = (0, 255, 999, 33000, 33001, 36005, 37000, 38000, 40999, 65000, 65535)


@st.composite
def label_pairs(draw):
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=9))
    labels = arrays(np.uint16, shape, elements=st.sampled_from(CODES))
    return draw(labels), draw(labels)


@given(label_pairs())
@settings(max_examples=150, deadline=None)
def test_counts_equal_a_loop_over_pixels(pair):
    truth, prediction = pair
    expected = Counter(zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True))
    overlap = Overlap.from_labels(truth, prediction)
    found = zip(overlap.truth.tolist(), overlap.prediction.tolist(), overlap.pixels.tolist(), strict=True)
    assert {(t, p): n for t, p, n in found} == expected


def joint_runs_numpy(truth, prediction):
    """`joint_runs` in two lines of numpy."""
    keys = (truth.ravel().astype(np.uint32) << np.uint32(16)) | prediction.ravel()
    ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, keys.size).astype(np.int64)
    return keys[ends - 1], np.diff(ends, prepend=0)


@given(label_pairs())
@settings(max_examples=150, deadline=None)
def test_compiled_and_plain_scan_give_the_same_runs(pair):
    keys, lengths = joint_runs(*pair)
    plain_keys, plain_lengths = joint_runs_numpy(*pair)
    np.testing.assert_array_equal(keys, plain_keys)
    np.testing.assert_array_equal(lengths, plain_lengths)
    assert (keys.dtype, lengths.dtype) == (plain_keys.dtype, plain_lengths.dtype) == (np.uint32, np.int64)
    assert lengths.sum() == pair[0].size


@given(label_pairs())
@settings(max_examples=100, deadline=None)
def test_class_areas_equal_boolean_masks(pair):
    truth, prediction = pair
    areas = Overlap.from_labels(truth, prediction).class_areas()
    for i, class_id in enumerate(IDS):
        a, b = truth // 1000 == class_id, prediction // 1000 == class_id
        assert areas.truth[i] == a.sum()
        assert areas.prediction[i] == b.sum()
        assert areas.intersection[i] == (a & b).sum()
        assert areas.predicted_on_ignore[i] == (b & (truth == 65535)).sum()


def test_table_is_dense_and_sorted():
    truth = np.array([[33001, 33001, 255], [33000, 255, 255]], np.uint16)
    prediction = np.array([[33000, 255, 255], [33000, 33000, 255]], np.uint16)
    truth_codes, prediction_codes, counts = Overlap.from_labels(truth, prediction).table()
    assert truth_codes.tolist() == [255, 33000, 33001]
    assert prediction_codes.tolist() == [255, 33000]
    assert counts.tolist() == [[2, 1], [0, 1], [1, 1]]


def test_noise_with_every_code_stays_small():
    codes = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert Overlap.from_labels(codes, codes[::-1]).pixels.tolist() == [1] * 65536


def test_ignore_and_small_codes_belong_to_no_class():
    label = np.array([[65535, 255, 0, 999, 33]], np.uint16)
    areas = Overlap.from_labels(label, label).class_areas()
    assert not areas.truth.any()
    assert not areas.prediction.any()


def test_views_and_other_strides_are_read_correctly():
    rng = np.random.default_rng(1)
    truth, prediction = rng.choice(CODES, (2, 20, 24)).astype(np.uint16)
    cut = (slice(None, None, 2), slice(1, None, 3))
    one = Overlap.from_labels(truth[cut], prediction[cut])
    other = Overlap.from_labels(truth[cut].copy(), prediction[cut].copy())
    np.testing.assert_array_equal(one.pixels, other.pixels)
    turned = Overlap.from_labels(truth.T, prediction.T)
    np.testing.assert_array_equal(turned.pixels, Overlap.from_labels(truth, prediction).pixels)


def test_travels_between_processes():
    label = np.array([[255, 33000]], np.uint16)
    copy = pickle.loads(pickle.dumps(Overlap.from_labels(label, label)))
    assert copy.pixels.tolist() == [1, 1]


GOOD = np.full((4, 5), 255, np.uint16)


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (np.zeros((4, 5, 3), np.uint16), r"shape \(4, 5, 3\), dtype uint16"),
        (np.zeros((4, 5), np.int32), "dtype int32"),
        (np.zeros((4, 5), np.float64), "dtype float64"),
        (np.zeros((0, 5), np.uint16), r"shape \(0, 5\)"),
        ([[255]], "a list"),
        (None, "a NoneType"),
    ],
)
def test_what_is_not_a_label_map_is_refused(bad, found):
    with pytest.raises(MetricError, match=f"expected truth of shape .*{found}"):
        Overlap.from_labels(bad, GOOD)
    with pytest.raises(MetricError, match=f"expected prediction of shape .*{found}"):
        Overlap.from_labels(GOOD, bad)


def test_different_shapes_are_refused_even_where_numpy_would_broadcast():
    with pytest.raises(MetricError, match=r"one shape, got \(4, 5\) and \(1, 5\)") as caught:
        Overlap.from_labels(GOOD, GOOD[:1])
    assert "crop_and_downscale" in caught.value.fix


U16, I64 = np.uint16, np.int64


@pytest.mark.parametrize(
    ("truth", "prediction", "pixels", "message"),
    [
        (np.zeros(2, I64), np.zeros(2, U16), np.ones(2, I64), "truth must be one-dimensional uint16"),
        (np.zeros(1, U16), np.zeros(1, U16), np.ones(1, float), "pixels must be one-dimensional int64"),
        (np.zeros((1, 1), U16), np.zeros(1, U16), np.ones(1, I64), "truth must be one-dimensional"),
        (np.zeros(1, U16), np.zeros(2, U16), np.ones(1, I64), "got 1, 2 and 1"),
        (np.zeros(0, U16), np.zeros(0, U16), np.ones(0, I64), "got 0, 0 and 0"),
        (np.zeros(1, U16), np.zeros(1, U16), np.zeros(1, I64), "pixels must be 1 or more, got 0"),
        (np.zeros(2, U16), np.zeros(2, U16), np.ones(2, I64), "sorted and unique"),
        (np.array([2, 1], U16), np.zeros(2, U16), np.ones(2, I64), "sorted and unique"),
    ],
)
def test_a_bad_table_is_refused(truth, prediction, pixels, message):
    with pytest.raises(MetricError, match=message):
        Overlap(truth, prediction, pixels)
