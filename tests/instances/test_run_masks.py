"""Masks as runs: against boolean arrays, and against pycocotools' strings, areas and boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from wadlib.errors import InstancesError, MetricError
from wadlib.instances import Runs, masks

CODES = [0, 255, 999, 33000, 33001, 36005, 37000, 40999, 65000, 65535]


@st.composite
def mask_stacks(draw):
    shape = (draw(st.integers(0, 4)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    return draw(arrays(np.bool_, shape))


@st.composite
def labels(draw):
    return draw(arrays(np.uint16, (draw(st.integers(1, 8)), draw(st.integers(1, 8))), elements=st.sampled_from(CODES)))


def coco(mask):
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))


def from_counts(counts, shape):
    return Runs.from_rle([{"size": list(shape), "counts": each} for each in counts], shape)


def same(one, other):
    for name in ("starts", "ends", "offsets"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.shape == other.shape


@given(mask_stacks())
@settings(max_examples=150, deadline=None)
def test_arrays_strings_and_counts_hold_the_same_masks(masks):
    runs = Runs.from_array(masks)
    shape = masks.shape[1:]
    np.testing.assert_array_equal(runs.to_array(), masks)
    np.testing.assert_array_equal(runs.areas, masks.sum(axis=(1, 2)))
    strings = [coco(mask)["counts"] for mask in masks]
    same(Runs.from_strings(strings, shape), runs)
    same(Runs.from_strings([s.decode() for s in strings], shape), runs)
    same(from_counts([runs.counts(n) for n in range(len(runs))], shape), runs)
    for n, mask in enumerate(masks):
        x, y, w, h = coco_mask.toBbox(coco(mask))
        assert runs.boxes[n].tolist() == [y, x, y + h, x + w]
        crop, top, left = runs.crop(n)
        painted = np.zeros(shape, bool)
        painted[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        np.testing.assert_array_equal(painted, mask)
        again = Runs.from_crop(crop, top, left, shape)
        same(again, runs.take([n]))


@given(labels())
@settings(max_examples=150, deadline=None)
def test_one_scan_of_a_label_gives_every_instance(label):
    codes, masks = Runs.from_label(label)
    assert codes.tolist() == [code for code in np.unique(label).tolist() if code >= 1000]
    same(masks, Runs.from_array(np.array([label == code for code in codes], bool).reshape(-1, *label.shape)))


@given(mask_stacks(), st.randoms())
@settings(max_examples=100, deadline=None)
def test_intersections_selection_and_transposition(masks, random):
    runs = Runs.from_array(masks)
    flat = masks.reshape(len(masks), masks.shape[1] * masks.shape[2]).astype(int)
    np.testing.assert_array_equal(runs.intersections(runs), flat @ flat.T)
    order = [n for n in range(len(masks)) if random.random() < 0.5][::-1]
    same(runs.take(order), Runs.from_array(masks[np.array(order, int)]))
    chosen = np.array([n in order for n in range(len(masks))], bool)
    same(runs.take(chosen), Runs.from_array(masks[chosen]))
    same(runs.transposed(), Runs.from_array(masks.transpose(0, 2, 1)))
    same(Runs.concatenate([runs, runs], runs.shape), Runs.from_array(np.concatenate([masks, masks])))


def test_the_loops_give_the_same_in_python(monkeypatch):
    rng = np.random.default_rng(0)
    drawn = rng.random((3, 9, 7)) < 0.4
    strings = [coco(mask)["counts"] for mask in drawn]
    runs = Runs.from_strings(strings, (9, 7))
    for name in ("runs_of_strings", "intersect_runs"):
        monkeypatch.setattr(masks, name, getattr(masks, name).py_func)
    same(Runs.from_strings(strings, (9, 7)), runs)
    np.testing.assert_array_equal(runs.intersections(runs), np.einsum("ahw,bhw->ab", drawn * 1, drawn * 1))


def test_counts_with_runs_of_nothing_are_legal():
    """0 ones between zeros, 0 zeros between ones: legal in COCO's format, and one run or none."""
    runs = from_counts([[1, 0, 1, 2, 0, 1, 1]], (3, 2))
    assert (runs.starts.tolist(), runs.ends.tolist()) == ([2], [5])
    string = coco_mask.frPyObjects([{"size": [3, 2], "counts": [1, 0, 1, 2, 0, 1, 1]}], 3, 2)[0]["counts"]
    same(Runs.from_strings([string], (3, 2)), runs)
    assert runs.counts(0) == [2, 3, 1]


def test_strings_and_lists_may_be_mixed():
    mask = np.array([[0, 1], [1, 1]], bool)
    runs = Runs.from_rle([coco(mask), {"size": [2, 2], "counts": [1, 3]}], (2, 2))
    np.testing.assert_array_equal(runs.to_array(), [mask, mask])


def test_a_full_size_mask_of_noise():
    """Runs lie far apart in the string's numbers: differences of five digits and both signs."""
    rng = np.random.default_rng(1)
    mask = np.zeros((2710, 338), bool)
    mask[:, ::7] = rng.random((2710, 49)) < 0.5
    mask[:, 200] = True
    runs = Runs.from_strings([coco(mask)["counts"]], mask.shape)
    np.testing.assert_array_equal(runs.to_array()[0], mask)


@pytest.mark.parametrize(
    "string",
    ["", "1", "13", "134", "o", "13\x7f", "Ä", "PPPPPPPPPPPPPPPPPP1", "01O"],
    ids=["empty", "too few", "2x2", "too many", "cut off", "no code", "no ASCII", "endless", "negative"],
)
def test_damaged_strings(string):
    with pytest.raises(InstancesError, match=r"string 1 is not the mask of 3x2 pixels") as caught:
        Runs.from_strings(["06", string], (2, 3))
    assert "size" in caught.value.fix


@pytest.mark.parametrize("counts", [[], [5], [7], [-1, 7], [2, 3]])
def test_damaged_counts(counts):
    with pytest.raises(InstancesError, match="the counts of mask 0 add up to"):
        from_counts([counts], (2, 3))


def test_what_does_not_fit_is_refused():
    with pytest.raises(InstancesError, match=r"expected masks of shape \(N,H,W\), dtype bool, got \(2, 2\)"):
        Runs.from_array(np.ones((2, 2), bool))
    with pytest.raises(InstancesError, match="uint8"):
        Runs.from_array(np.ones((1, 2, 2), np.uint8))
    with pytest.raises(InstancesError, match="2x2 pixels at x 3, y 0 leave the frame of 4x4"):
        Runs.from_crop(np.ones((2, 2), bool), 0, 3, (4, 4))
    with pytest.raises(InstancesError, match="leave the frame"):
        Runs.from_crop(np.ones((2, 2), bool), -1, 0, (4, 4))
    with pytest.raises(MetricError, match=r"one shape, got \(2, 2\) and \(2, 3\)"):
        Runs.empty((2, 2)).intersections(Runs.empty((2, 3)))


def test_no_masks():
    runs = Runs.empty((4, 5))
    assert len(runs) == 0
    assert runs.boxes.shape == (0, 4)
    assert runs.areas.tolist() == []
    assert runs.to_array().shape == (0, 4, 5)
    assert len(runs.take(np.zeros(0, bool))) == 0
