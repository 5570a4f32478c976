"""Every metric of a pair of label maps against a slow and obvious implementation, on random small pairs.

The slow one knows nothing of histograms or runs: it works on Python sets of pixels and counts.
"""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wadlib.instances import Instances
from wadlib.labels import IDS
from wadlib.metrics import (
    InstanceOverlap,
    Overlap,
    average_precision,
    best_ious,
    confusion,
    instance_iou,
    panoptic_quality,
    pooled_iou,
    report_iou,
)

CODES = [0, 255, 999, 33000, 33001, 33002, 36000, 36001, 37000, 40999, 65000, 65535]
IGNORE = 65535
RECALLS = np.linspace(0, 1, 101).tolist()


@st.composite
def sequences(draw, least=1, most=3):
    """Frames of truth, prediction, and a score for each predicted code; scores may be equal."""
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    label = arrays(np.uint16, shape, elements=st.sampled_from(CODES), fill=st.just(255))
    scores = st.fixed_dictionaries({code: st.sampled_from([0.2, 0.5, 0.9]) for code in CODES})
    return draw(st.lists(st.tuples(label, label, scores), min_size=least, max_size=most))


# --- slow and obvious -----------------------------------------------------------------------------


class Frame(NamedTuple):
    """One frame as sets of pixels: instances of truth and prediction by code, IGNORE, and the scores."""

    true: dict
    found: dict
    void: set
    scores: dict


def frame_of(truth, prediction, scores):
    void = {place for place, code in enumerate(truth.ravel().tolist()) if code == IGNORE}
    return Frame(instances(truth), instances(prediction), void, scores)


def instances(label):
    """Code -> set of pixels, of the evaluated instances."""
    found = {}
    for place, code in enumerate(label.ravel().tolist()):
        if code // 1000 in IDS:
            found.setdefault(code, set()).add(place)
    return found


def iou(a, b):
    return Fraction(len(a & b), len(a | b))


def of_class(masks, class_id):
    """Code -> pixels of one class."""
    return {code: mask for code, mask in sorted(masks.items()) if code // 1000 == class_id}


def area(masks, class_id):
    """All pixels of a class."""
    return set().union(*of_class(masks, class_id).values())


def slow_report_iou(frames, class_id):
    pairs = [(area(f.true, class_id), area(f.found, class_id)) for f in frames]
    per_frame = [iou(a, b) for a, b in pairs if a]
    return float(sum(per_frame) / len(per_frame)) if per_frame else math.nan


def slow_pooled_iou(frames, class_id):
    both = either = truth = 0
    for f in frames:
        a, b = area(f.true, class_id), area(f.found, class_id) - f.void
        both, either, truth = both + len(a & b), either + len(a | b), truth + len(a)
    return both / either if truth else math.nan


def slow_instance_iou(frames, class_id):
    best = [
        max([iou(mask, other) for other in of_class(f.found, class_id).values()], default=Fraction(0))
        for f in frames
        for mask in of_class(f.true, class_id).values()
    ]
    return float(sum(best) / len(best)) if best else math.nan


def slow_panoptic(frames, class_id):
    """The paper's definition, with IGNORE as its VOID: matches, then what is left over on both sides."""
    total, tp, fp, fn = Fraction(0), 0, 0, 0
    for f in frames:
        true, found = of_class(f.true, class_id), of_class(f.found, class_id)
        matched_true, matched_found = set(), set()
        for g, a in true.items():
            for p, b in found.items():
                union = len(b) + len(a) - len(a & b) - len(b & f.void)
                if 2 * len(a & b) > union:
                    total += Fraction(len(a & b), union)
                    tp += 1
                    matched_true.add(g)
                    matched_found.add(p)
        fn += len(true.keys() - matched_true)
        fp += sum(2 * len(found[p] & f.void) <= len(found[p]) for p in found.keys() - matched_found)
    if tp + fn == 0:
        return math.nan, math.nan, math.nan
    sq = float(total / tp) if tp else 0.0
    return float(total / (tp + Fraction(fp + fn, 2))), sq, float(tp / (tp + Fraction(fp + fn, 2)))


def slow_ap(frames, class_id, threshold):
    """COCO's rule in plain words: rank, match, count, read the best precision at 101 recalls."""
    ranked, truths = [], 0
    for f in frames:
        free = list(of_class(f.true, class_id).values())
        truths += len(free)
        found = [(f.scores[code], mask) for code, mask in of_class(f.found, class_id).items()]
        for score, mask in sorted(found, key=lambda pair: -pair[0]):
            reached = [other for other in free if iou(mask, other) >= threshold]
            if reached:
                # Of two equally good ones COCO takes the later.
                best = max(range(len(reached)), key=lambda k: (iou(mask, reached[k]), k))
                free = [other for other in free if other is not reached[best]]
                ranked.append((score, True))
            elif Fraction(len(mask & f.void), len(mask)) < threshold:
                ranked.append((score, False))
    if truths == 0:
        return math.nan
    ranked.sort(key=lambda pair: -pair[0])
    points = []
    for n in range(1, len(ranked) + 1):
        right = sum(good for _, good in ranked[:n])
        points.append((right / truths, right / n))
    return sum(max((p for r, p in points if r >= recall), default=0.0) for recall in RECALLS) / 101


def slow_confusion(pairs):
    rows = [0, *IDS]
    counts = np.zeros((8, 8), int)
    for t, p, _ in pairs:
        for true, found in zip(t.ravel().tolist(), p.ravel().tolist(), strict=True):
            if true != IGNORE:
                counts[tuple(rows.index(c // 1000 if c // 1000 in IDS else 0) for c in (true, found))] += 1
    return counts


def compare(pairs):
    overlaps = [Overlap.from_labels(t, p) for t, p, _ in pairs]
    report, pooled, each = report_iou(overlaps), pooled_iou(overlaps), instance_iou(overlaps)
    quality = panoptic_quality(overlaps)
    scored = [InstanceOverlap.from_overlap(o, scores) for o, (_, _, scores) in zip(overlaps, pairs, strict=True)]
    found = average_precision(scored)
    frames = [frame_of(*pair) for pair in pairs]
    for class_id in (33, 36, 39, 40):  # 39 is in no label, like 34, 35 and 38
        same(report[class_id], slow_report_iou(frames, class_id), 1e-15)
        same(pooled[class_id], slow_pooled_iou(frames, class_id), 0)
        same(each[class_id], slow_instance_iou(frames, class_id), 1e-15)
        for ours, slow in zip((quality.pq, quality.sq, quality.rq), slow_panoptic(frames, class_id), strict=True):
            same(ours[class_id], slow, 1e-12)
        same(found.ap50[class_id], slow_ap(frames, class_id, Fraction(1, 2)), 1e-14)
        same(found.ap75[class_id], slow_ap(frames, class_id, Fraction(3, 4)), 1e-14)
    np.testing.assert_array_equal(confusion(overlaps), slow_confusion(pairs))


def same(one, other, tolerance):
    assert (math.isnan(one) and math.isnan(other)) or abs(one - other) <= tolerance


@given(sequences())
@settings(max_examples=150, deadline=None)
def test_equal_to_the_slow_implementation(frames):
    compare(frames)


@pytest.mark.slow
@given(sequences(5, 5))
@settings(
    max_examples=2000,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_ten_thousand_pairs_equal_the_slow_implementation(frames):
    """2000 videos of five frames."""
    compare(frames)


@given(sequences(1, 1))
@settings(max_examples=100, deadline=None)
def test_label_maps_and_their_masks_give_one_table(frames):
    """The two sources of the instances' table agree: the joint histogram, and the runs of the masks."""
    truth, prediction, scores = frames[0]
    one = InstanceOverlap.from_overlap(Overlap.from_labels(truth, prediction), scores)
    other = InstanceOverlap.from_label(truth, Instances.from_label(prediction, scores))
    for name in ("truth_classes", "truth_areas", "class_ids", "scores", "areas", "shared", "on_ignore"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(best_ious(one), best_ious(other))


PANOPTICAPI = {
    33: (0.39596833233049755, 0.7115055971563627, 0.5565217391304348),
    36: (0.43478439177131983, 0.7289032450283891, 0.5964912280701754),
    39: (0.40724869730024454, 0.7094009565875228, 0.5740740740740741),
}
"""PQ, SQ and RQ that ``pq_compute_single_core`` of cocodataset/panopticapi (commit 7bb4655) gave for the frames below.

Written to its PNG files with IGNORE as its VOID (id 0) and background as a segment of a category of its own. The
package is on no registry, so its answer is kept, with a digest of the frames that it is the answer for.
"""


def test_panoptic_quality_of_many_frames_is_panopticapis():
    """40 frames of 30x40 pixels."""
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(40):
        truth = np.full((30, 40), 255, np.uint16)
        for n in range(6):
            y, x, h, w = rng.integers(0, (25, 35, 12, 12))
            truth[y : y + h, x : x + w] = rng.choice([33000, 36000, 39000]) + n if n else IGNORE
        found = np.roll(truth, rng.integers(-1, 2, 2), (0, 1))
        found[found == IGNORE] = 33999
        found[rng.random((30, 40)) < 0.05] = 255
        frames.append((truth, found, {}))
    digest = hashlib.sha256(b"".join(t.tobytes() + p.tobytes() for t, p, _ in frames)).hexdigest()
    assert digest.startswith("87ad859c6e4153cc"), "other frames than those that panopticapi was asked about"
    quality = panoptic_quality(Overlap.from_labels(t, p) for t, p, _ in frames)
    for class_id, theirs in PANOPTICAPI.items():
        ours = (quality.pq[class_id], quality.sq[class_id], quality.rq[class_id])
        assert ours == pytest.approx(theirs, abs=1e-12)
        assert slow_panoptic([frame_of(*frame) for frame in frames], class_id) == pytest.approx(theirs, abs=1e-12)
