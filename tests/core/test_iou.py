"""The report's IoU and the pooled one: a picture drawn by hand, and the authors' formula as oracle."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wadlib.errors import MetricError
from wadlib.iou import REPORT_TABLE_1, IoUSum, mean_iou, pooled_iou, report_iou
from wadlib.labels import CLASSES, IDS
from wadlib.overlap import Overlap

REPORT_FACTS = Path(__file__).parents[2] / "report" / "report_facts.json"
CODES = {".": 255, "C": 33001, "c": 33002, "P": 36000, "B": 39000, "I": 65535}


def draw(*rows):
    """A label map from a picture made of letters."""
    return np.array([[CODES[letter] for letter in row] for row in rows], np.uint16)


TRUTH = draw(
    "......",
    ".CC.PP",
    ".CC.PP",
    ".CC...",
    "....II",
    "....II",
)
PREDICTION = draw(
    "B.....",
    "..ccPP",
    "..ccPP",
    "..cc..",
    "....PP",
    "....PP",
)


def authors_iou(pairs, class_id):
    """The authors' formula as plainly as can be: masks, logical and / or, a mean over frames."""
    total, frames = 0.0, 0
    for truth, prediction in pairs:
        truth_mask = truth // 1000 == class_id
        prediction_mask = prediction // 1000 == class_id
        if truth_mask.sum() == 0:
            continue
        intersection = np.logical_and(truth_mask, prediction_mask).sum()
        union = np.logical_or(truth_mask, prediction_mask).sum()
        total += intersection / union
        frames += 1
    return total / frames if frames else math.nan


def slow_pooled_iou(pairs, class_id):
    intersection = union = truth_pixels = 0
    for truth, prediction in pairs:
        for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
            if t == 65535:
                continue
            intersection += t // 1000 == class_id and p // 1000 == class_id
            union += t // 1000 == class_id or p // 1000 == class_id
            truth_pixels += t // 1000 == class_id
    return intersection / union if truth_pixels else math.nan


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def test_a_picture_drawn_by_hand():
    overlap = Overlap.from_labels(TRUTH, PREDICTION)
    report, pooled = report_iou([overlap]), pooled_iou([overlap])
    # Cars: 6 true pixels, 6 predicted ones, moved one to the right: 3 in both, 9 in either.
    assert report[33] == pooled[33] == 3 / 9
    # Person: found exactly, and 4 more pixels claimed where the truth is IGNORE.
    assert report[36] == 4 / 8
    assert pooled[36] == 4 / 4
    # The bus that is not there costs nothing: the class is in no ground truth.
    assert math.isnan(report[39])
    assert math.isnan(pooled[39])
    assert mean_iou(report) == (3 / 9 + 4 / 8) / 2


def test_a_false_positive_in_a_frame_without_the_class():
    """The flaw of the report's metric, and the remedy."""
    bus, nothing = draw("BB.."), draw("....")
    right, wrong = Overlap.from_labels(bus, bus), Overlap.from_labels(nothing, bus)
    assert report_iou([right, wrong])[39] == 1
    assert pooled_iou([right, wrong])[39] == 2 / (2 + 2)


def test_frames_weigh_the_same_in_the_report_and_pixels_do_in_the_pool():
    small = Overlap.from_labels(draw("C..."), draw("...."))  # 0 of 1 pixel
    large = Overlap.from_labels(draw("CCCC"), draw("CCC."))  # 3 of 4 pixels
    assert report_iou([small, large])[33] == (0 + 3 / 4) / 2
    assert pooled_iou([small, large])[33] == 3 / 5


@st.composite
def sequences(draw):
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    codes = st.sampled_from([0, 255, 33000, 33001, 36000, 37000, 39004, 65535])
    label = arrays(np.uint16, shape, elements=codes)
    return draw(st.lists(st.tuples(label, label), max_size=6))


@given(sequences())
@settings(max_examples=150, deadline=None)
def test_equal_to_the_slow_formulas_to_the_last_bit(pairs):
    overlaps = [Overlap.from_labels(*pair) for pair in pairs]
    report, pooled = report_iou(overlaps), pooled_iou(overlaps)
    for class_id in IDS:
        assert same(report[class_id], authors_iou(pairs, class_id))
        assert same(pooled[class_id], slow_pooled_iou(pairs, class_id))


def test_two_hundred_frames_equal_the_authors_to_the_last_bit():
    rng = np.random.default_rng(0)
    codes = np.array([255, 33000, 33001, 36000, 38000, 40002, 65535], np.uint16)
    pairs = [tuple(codes[rng.integers(0, 7, (2, 20, 20))]) for _ in range(200)]
    report = report_iou(Overlap.from_labels(*pair) for pair in pairs)
    for class_id in IDS:
        assert same(report[class_id], authors_iou(pairs, class_id))


def test_one_pass_over_a_generator_gives_both():
    pairs = [(TRUTH, PREDICTION), (PREDICTION, TRUTH), (TRUTH, TRUTH)]
    overlaps = [Overlap.from_labels(*pair) for pair in pairs]
    total = IoUSum()
    for overlap in overlaps:
        total.add(overlap)
    for one, other in ((total.report_iou(), report_iou(iter(overlaps))), (total.pooled_iou(), pooled_iou(overlaps))):
        assert all(same(one[class_id], other[class_id]) for class_id in IDS)
    assert total.frames == 3
    assert total.frames_with_class() == {33: 3, 34: 0, 35: 0, 36: 3, 38: 0, 39: 1, 40: 0}


def test_no_frames_at_all():
    assert all(math.isnan(value) for value in report_iou([]).values())
    assert all(math.isnan(value) for value in pooled_iou([]).values())
    assert math.isnan(mean_iou(report_iou([])))


def test_an_empty_prediction_scores_zero_and_not_nan():
    overlap = Overlap.from_labels(TRUTH, np.full_like(TRUTH, 255))
    assert report_iou([overlap])[33] == 0
    assert pooled_iou([overlap])[33] == 0


def test_label_maps_in_place_of_overlaps_are_refused():
    with pytest.raises(MetricError, match=r"iterable of Overlap.*holding a ndarray"):
        report_iou([TRUTH])


def test_table_1_is_the_reports():
    facts = json.loads(REPORT_FACTS.read_text())["facts"]["table_1"]["value"]
    assert {CLASSES[class_id].report_name: value for class_id, value in REPORT_TABLE_1.items()} == facts
