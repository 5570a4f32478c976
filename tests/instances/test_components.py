"""Components of a map of class indices, on maps that one can draw."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wadlib.instances.components import instances_from_indices
from wadlib.labels import IDS


def test_components_become_instances_largest_first():
    # fmt: off
    indices = np.array([
        [1, 0, 0, 0, 4, 4],
        [0, 1, 0, 0, 4, 4],
        [0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 7, 0],
    ])
    expected = np.array([
        [33001, 255, 255, 255, 36000, 36000],
        [255, 33001, 255, 255, 36000, 36000],
        [255, 255, 255, 255, 255, 255],
        [33000, 33000, 33000, 255, 255, 255],  # the lone tricycle pixel is a speck
    ])
    # fmt: on
    np.testing.assert_array_equal(instances_from_indices(indices, min_area_px=2), expected)


def test_touching_components_of_two_classes_stay_apart():
    codes = instances_from_indices(np.array([[1, 1, 5, 5]]), min_area_px=1)
    assert codes.tolist() == [[33000, 33000, 38000, 38000]]


def test_at_most_999_instances_per_class():
    indices = np.zeros((80, 80), int)
    indices[::2, ::2] = 6  # 1600 lone pixels
    codes = np.unique(instances_from_indices(indices, min_area_px=1))
    assert codes.tolist() == [255, *range(39000, 39999)]


@given(arrays(np.int64, (7, 8), elements=st.integers(0, 7)))
@settings(max_examples=50, deadline=None)
def test_instances_keep_the_class_map(indices):
    codes = instances_from_indices(indices, min_area_px=1)
    np.testing.assert_array_equal(np.where(codes == 255, 0, codes // 1000), np.array([0, *IDS])[indices])
