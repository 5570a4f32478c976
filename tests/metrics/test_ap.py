"""Average precision: pycocotools to the last bit, pictures drawn by hand, and the curves that follow from it."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from wadlib.errors import InstancesError, MetricError
from wadlib.instances import Instances, Runs
from wadlib.labels import IDS
from wadlib.metrics import InstanceOverlap, MatchTable, Overlap, average_precision, match, precision_recall, score_sweep

H, W = 300, 320


# --- pycocotools ----------------------------------------------------------------------------------


def random_frame(rng):
    """Truth with objects of all three sizes and IGNORE; detections that are shifted, swollen, wrong, doubled."""
    truth = np.full((H, W), 255, np.uint16)
    for i in range(rng.integers(0, 12)):
        truth[blob(rng)] = rng.choice(IDS[:4]) * 1000 + i
    if rng.random() < 0.5:
        truth[blob(rng)] = 65535
    codes = np.unique(truth)[np.unique(truth) >= 33000]
    masks, class_ids, scores = [], [], []
    for _ in range(rng.integers(0, 25)):
        if len(codes) and rng.random() < 0.7:
            code = int(rng.choice(codes))
            mask = np.roll(truth == code, rng.integers(-3, 4, 2), (0, 1))
            if rng.random() < 0.2:
                mask = mask | blob(rng)
            own = code // 1000 in IDS and rng.random() < 0.9
            class_ids.append(code // 1000 if own else int(rng.choice(IDS[:5])))
        else:
            mask = blob(rng)
            class_ids.append(int(rng.choice(IDS[:5])))
        masks.append(mask)
        scores.append(round(float(rng.random()), 1))  # so that many are equal
    return truth, class_ids, scores, masks


def blob(rng):
    mask = np.zeros((H, W), bool)
    h, w = rng.integers(1, H // 2, 2) if rng.random() < 0.3 else rng.integers(1, 25, 2)
    y, x = rng.integers(0, H - h + 1), rng.integers(0, W - w + 1)
    mask[y : y + h, x : x + w] = rng.random((h, w)) < 0.9
    return mask


def coco_of(frames):
    """The dataset and the results as pycocotools wants them, built without any code of ours."""
    dataset = {"info": {}, "images": [], "annotations": [], "categories": [{"id": c} for c in IDS]}
    results = []
    for image_id, (truth, class_ids, scores, masks) in enumerate(frames, start=1):
        dataset["images"].append({"id": image_id, "height": H, "width": W})
        for code in np.unique(truth).tolist():
            crowd = code == 65535
            for category in IDS if crowd else [code // 1000] if code // 1000 in IDS else []:
                rle = coco_mask.encode(np.asfortranarray(truth == code).view(np.uint8))
                dataset["annotations"].append(
                    {
                        "id": len(dataset["annotations"]) + 1,
                        "image_id": image_id,
                        "category_id": category,
                        "segmentation": rle,
                        "area": int(coco_mask.area(rle)),
                        "bbox": [0, 0, 1, 1],
                        "iscrowd": int(crowd),
                    }
                )
        for class_id, score, mask in zip(class_ids, scores, masks, strict=True):
            rle = coco_mask.encode(np.asfortranarray(mask).view(np.uint8))
            results.append({"image_id": image_id, "category_id": class_id, "score": score, "segmentation": rle})
    return dataset, results


def pycocotools(dataset, results):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def our_overlap(truth, class_ids, scores, masks):
    stack = np.array(masks, bool).reshape(-1, H, W)
    return InstanceOverlap.from_label(truth, Instances(class_ids, scores, Runs.from_array(stack)))


@pytest.mark.parametrize("seed", [0, 1])
def test_identical_to_pycocotools(seed):
    rng = np.random.default_rng(seed)
    frames = [random_frame(rng) for _ in range(25)]
    found = average_precision(our_overlap(*frame) for frame in frames)
    expected = pycocotools(*coco_of(frames))
    for ours, theirs in ((found.precision, "precision"), (found.recall, "recall")):
        theirs = expected.eval[theirs][..., -1]  # of at most 100 detections
        np.testing.assert_array_equal(ours, np.where(theirs < 0, np.nan, theirs))
    sizes = ("all", "small", "medium", "large")
    assert [found.mean(), found.mean(0.5), found.mean(0.75)] == expected.stats[:3].tolist()
    assert [found.mean(size=size) for size in sizes[1:]] == expected.stats[3:6].tolist()
    for k, class_id in enumerate(IDS[:4]):
        theirs = expected.eval["precision"][:, :, k, 0, -1]
        assert found.ap[class_id] == np.mean(theirs)
        assert found.ap50[class_id] == np.mean(theirs[0])
        assert found.ap75[class_id] == np.mean(theirs[5])
    assert math.isnan(found.ap[39])  # detected, but in no ground truth


def test_only_the_surest_hundred_of_a_class_count():
    truth = np.full((H, W), 255, np.uint16)
    truth[0, 0] = 33000
    hit = truth == 33000
    miss = np.roll(hit, 5, axis=1)
    frame = (truth, [33] * 100 + [33, 36], [0.9] * 100 + [0.5, 0.4], [miss] * 100 + [hit, miss])
    found = average_precision([our_overlap(*frame)])
    assert found.ap[33] == 0
    assert pycocotools(*coco_of([frame])).stats[0] == 0
    assert len(match(our_overlap(*frame)).scores) == 101


def test_label_maps_without_scores_equal_pycocotools_with_equal_scores():
    rng = np.random.default_rng(5)
    overlaps, frames = [], []
    for _ in range(12):
        truth = random_frame(rng)[0]
        found = np.roll(random_frame(rng)[0], 1) if rng.random() < 0.3 else np.roll(truth, 2, axis=1)
        found[found == 65535] = 255
        overlaps.append(Overlap.from_labels(truth, found))
        codes = [code for code in np.unique(found).tolist() if code // 1000 in IDS]
        frames.append((truth, [c // 1000 for c in codes], [1.0] * len(codes), [found == c for c in codes]))
    expected = pycocotools(*coco_of(frames)).eval["precision"][..., -1]
    np.testing.assert_array_equal(average_precision(overlaps).precision, np.where(expected < 0, np.nan, expected))


# --- by hand --------------------------------------------------------------------------------------


def line(text):
    """A one-row label map: letters are cars, '.' is background, '!' is IGNORE."""
    return np.array([[{".": 255, "!": 65535}.get(c, 33000 + ord(c) - ord("a")) for c in text]], np.uint16)


def overlap_of(truth, found, **scores):
    scores = {33000 + ord(letter) - ord("a"): score for letter, score in scores.items()}
    return InstanceOverlap.from_overlap(Overlap.from_labels(line(truth), line(found)), scores)


def test_three_cars_two_found_the_surest_is_wrong():
    found = average_precision([overlap_of("a.b.c", "abc..", a=0.8, b=0.9, c=0.7)])
    # Ranked b (wrong), a (right), c (right: it stands where the truth has b): recall 1/3 at 1/2, 2/3 at 2/3.
    # The best precision at recall 0…0.66 is 2/3 (reached at 2/3), beyond it there is none: 67 of 101 points.
    assert found.ap50[33] == pytest.approx(67 / 101 * 2 / 3, abs=1e-15)
    assert found.recall[0, 0, 0] == 2 / 3


def test_thresholds_are_reached_by_equal_iou():
    """IoU 3/4 counts at 0.75 and not at 0.80: six of the ten thresholds."""
    found = average_precision([overlap_of("aaaa", "aaa.", a=1.0)])
    assert found.ap75[33] == pytest.approx(1, abs=1e-15)
    assert found.ap[33] == pytest.approx(6 / 10, abs=1e-15)


def test_a_second_detection_of_the_same_car_is_wrong():
    masks = np.array([[[1, 1, 0, 0]], [[1, 1, 0, 0]]], bool)
    frame = InstanceOverlap.from_label(line("aa.b"), Instances([33, 33], [0.9, 0.8], Runs.from_array(masks)))
    sweep = score_sweep(match_table([frame]), 33, [0.0])
    assert (sweep.found.tolist(), sweep.wrong.tolist(), sweep.missed.tolist()) == ([1], [1], [1])


def test_what_lies_on_ignore_counts_neither_way():
    without = overlap_of("a....", "a....", a=0.5)
    on_ignore = overlap_of("a.!!!", "a..bb", a=0.5, b=0.9)
    off_ignore = overlap_of("a..!!", "abbb.", a=0.5, b=0.9)  # a third of it on IGNORE
    assert average_precision([without]).ap50[33] == average_precision([on_ignore]).ap50[33]
    assert average_precision([without]).ap50[33] == pytest.approx(1, abs=1e-15)
    assert average_precision([off_ignore]).ap50[33] == 0.5


def test_absent_classes_are_nan_and_empty_predictions_are_zero():
    found = average_precision([overlap_of("a.", "..")])
    assert found.ap[33] == 0
    assert found.mean() == 0
    assert all(math.isnan(found.ap[class_id]) for class_id in IDS[1:])
    nothing = average_precision([])
    assert math.isnan(nothing.mean())
    assert all(math.isnan(value) for value in nothing.ap50.values())
    assert math.isnan(average_precision([overlap_of("..", "a.", a=1)]).ap[33])  # invented, and in no ground truth


def test_every_instance_needs_a_score():
    with pytest.raises(InstancesError, match="scores for 1 instances, and none for 33001"):
        overlap_of("ab", "ab", a=0.5)


# --- curves ---------------------------------------------------------------------------------------


def match_table(frames):
    table = MatchTable()
    for frame in frames:
        table.add(match(frame))
    return table


def test_the_curve_and_the_sweep_of_the_three_cars():
    table = match_table([overlap_of("a.b.c", "abc..", a=0.8, b=0.9, c=0.7)])
    curve = precision_recall(table, 33)
    assert curve.scores.tolist() == [0.9, 0.8, 0.7]
    assert curve.precision.tolist() == [0, 1 / 2, 2 / 3]
    assert curve.recall.tolist() == [0, 1 / 3, 2 / 3]
    assert np.mean(curve.interpolated) == average_precision(table).ap50[33]
    sweep = score_sweep(table, 33, [0, 0.7, 0.75, 0.85, 0.95])
    assert sweep.found.tolist() == [2, 2, 1, 0, 0]
    assert sweep.wrong.tolist() == [1, 1, 1, 1, 0]
    assert sweep.missed.tolist() == [1, 1, 2, 3, 3]
    assert sweep.recall.tolist() == [2 / 3, 2 / 3, 1 / 3, 0, 0]
    assert sweep.precision[:4].tolist() == [2 / 3, 2 / 3, 1 / 2, 0]
    assert math.isnan(sweep.precision[4])
    assert sweep.f1.tolist() == [4 / 6, 4 / 6, 2 / 5, 0, 0]


def test_a_sweep_equals_matching_again_without_the_unsure():
    rng = np.random.default_rng(3)
    frames = [random_frame(rng) for _ in range(8)]
    table = match_table([our_overlap(*frame) for frame in frames])
    for threshold in (0.0, 0.3, 0.5, 0.9):
        kept = []
        for truth, class_ids, scores, masks in frames:
            keep = [i for i, score in enumerate(scores) if score >= threshold]
            kept.append(our_overlap(truth, *([each[i] for i in keep] for each in (class_ids, scores, masks))))
        again = match_table(kept)
        for class_id in IDS[:4]:
            one, other = (score_sweep(t, class_id, [threshold], iou=0.75) for t in (table, again))
            assert (one.found, one.wrong, one.missed) == (other.found, other.wrong, other.missed)


def test_thresholds_that_coco_does_not_have():
    with pytest.raises(MetricError, match=r"0\.50, 0\.55, … 0\.95, got 0\.3"):
        precision_recall(MatchTable(), 33, iou=0.3)


def test_tables_grow_by_a_few_bytes_per_detection():
    frame = match(overlap_of("a.b.c", "abc..", a=0.8, b=0.9, c=0.7))
    table = MatchTable()
    for _ in range(1000):
        table.add(frame)
    assert len(table) == 3000
    assert table._rows.nbytes <= 2 * 3000 * 32
