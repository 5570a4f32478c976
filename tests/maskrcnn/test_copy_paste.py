"""Copies of rare instances: same rows, random columns, and what stands nearer hides what is behind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wadlib.labels import BACKGROUND
from wadlib.maskrcnn.frames.copy_paste import SMALLEST_PX, CopyPaste, paste


class First:
    """A generator that always draws the lowest number: copies land at the left border."""

    @staticmethod
    def integers(low, high):
        return low


def picture(*instances, width=12):
    """Grey 10 x `width`; instances as (code, rows, columns), each in a colour of its code."""
    label = np.full((10, width), BACKGROUND, np.uint16)
    for code, rows, columns in instances:
        label[rows, columns] = code
    image = np.repeat((label % 251).astype(np.uint8)[:, :, None], 3, axis=2)
    return image, label


DONOR = picture((40000, slice(2, 6), slice(8, 11)))
"""A tricycle in rows 2 to 5 and columns 8 to 10."""


def test_a_copy_keeps_its_rows_and_gets_the_next_number():
    image, label = picture((40004, slice(0, 1), slice(5, 7)))
    assert paste(image, label, *DONOR, 40000, First)
    expected = picture((40004, slice(0, 1), slice(5, 7)), (40005, slice(2, 6), slice(0, 3)))[1]
    np.testing.assert_array_equal(label, expected)
    assert (image[2:6, :3] == 40000 % 251).all()
    assert (image[6:] == 255 % 251).all()


def test_what_reaches_further_down_stands_nearer():
    behind, nearer = (33000, slice(0, 5), slice(0, 2)), (33001, slice(4, 9), slice(2, 4))
    image, label = picture(behind, nearer)
    assert paste(image, label, *DONOR, 40000, First)
    assert (label[2:6, :2] == 40000).all(), "the car behind is hidden, but for its upper rows"
    assert (label[:2, :2] == 33000).all()
    assert (label[4:9, 2:4] == 33001).all(), "the nearer car hides a part of the copy"
    assert (label[2:4, 2] == 40000).all()
    assert (image[4:6, 2] == 33001 % 251).all()


def test_no_room():
    image, label = picture(width=2)
    before = label.copy()
    assert not paste(image, label, *DONOR, 40000, First)
    image, label = picture((40999, slice(9, 10), slice(0, 1)))
    assert not paste(image, label, *DONOR, 40000, First)
    np.testing.assert_array_equal(before, picture(width=2)[1])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_only_instances_of_the_donors_classes_are_added(seed):
    rng = np.random.default_rng(seed)
    image, label = picture((33000, slice(5, 9), slice(3, 9)), width=40)
    donor = picture((40000, slice(2, 6), slice(8, 18)), (34000, slice(7, 9), slice(0, 2)), width=40)
    pictures = {"tricycle": donor, "motorbicycle": donor}
    cure = CopyPaste({40: ["tricycle"], 34: ["motorbicycle"]}, mean=3.0)
    kept = image.copy(), label.copy()
    new_image, new_label = cure(image, label, pictures.get, rng)
    np.testing.assert_array_equal(kept[0], image)
    np.testing.assert_array_equal(kept[1], label)
    added = set(np.unique(new_label).tolist()) - {255, 33000}
    assert {code // 1000 for code in added} <= {40}, f"motorbicycles have {4} pixels, fewer than {SMALLEST_PX}"
    assert (new_image[new_label == label] == image[new_label == label]).all()
    again = cure(image, label, pictures.get, np.random.default_rng(seed))
    np.testing.assert_array_equal(new_label, again[1])


def test_an_instance_is_drawn_in_proportion_to_its_side():
    """Tricycles of 6x6 and 18x18 pixels: the large one is three times as likely, 3/4 of all copies."""
    donor = np.full((20, 30), BACKGROUND, np.uint16)
    donor[2:8, :6] = 40000
    donor[1:19, 10:28] = 40001
    blank = np.zeros((20, 30, 3), np.uint8), np.full((20, 30), BACKGROUND, np.uint16)
    cure = CopyPaste({40: ["donor"]}, mean=1.0)
    rng, pasted, large = np.random.default_rng(0), 0, 0
    while pasted < 400:
        _, label = cure(*blank, lambda _: (blank[0], donor), rng)
        areas = [int((label == code).sum()) for code in np.unique(label) if code != BACKGROUND]
        if len(areas) == 1:  # of several, one may hide another
            pasted, large = pasted + 1, large + (areas == [18 * 18])
    assert abs(large / pasted - 3 / 4) < 0.08, "3.7 standard deviations of 400 draws"


@pytest.mark.parametrize("cure", [CopyPaste({}, 5.0), CopyPaste({40: ["x"]}, 0.0)])
def test_nothing_to_paste(cure):
    image, label = picture()
    found = cure(image, label, lambda _: DONOR, np.random.default_rng(0))
    assert found[0] is image
    assert found[1] is label
