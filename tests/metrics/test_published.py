"""The published saving code, against scikit-image itself."""

import warnings

import numpy as np
import pytest
from skimage.util import img_as_uint

from wadlib.errors import MetricError
from wadlib.frames import read_label, write_label
from wadlib.instances import Instances
from wadlib.labels import IDS, class_map
from wadlib.metrics import as_published, erased, mean_iou, published_waterfall, report_iou
from wadlib.overlap import Overlap

CAR, PERSON = 33, 36


def found(masks, class_ids, scores=None):
    return Instances.from_masks(masks, class_ids, np.full(len(masks), 0.95) if scores is None else scores)


def random_instances(rng):
    """Up to six rectangles of random classes on 8x10 pixels; many overlap, some do not."""
    masks = np.zeros((rng.integers(1, 7), 8, 10), bool)
    for mask in masks:
        y, x = rng.integers(0, 7), rng.integers(0, 9)
        mask[y : y + rng.integers(1, 5), x : x + rng.integers(1, 5)] = True
    return found(masks, rng.choice(IDS, len(masks)), rng.random(len(masks)))


def published_code(instances):
    """The authors' lines, and what their scikit-image did to the array before it wrote the file."""
    mask = np.zeros(instances.shape)
    for each, class_id in zip(instances.masks, instances.class_ids, strict=True):
        mask += each * int(class_id) * 1000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as the first cell of their notebook does
        return img_as_uint(mask.astype(np.int32))


def test_equals_scikit_image_on_a_thousand_random_sets():
    rng = np.random.default_rng(0)
    wiped = 0
    for _ in range(1000):
        instances = random_instances(rng)
        expected = published_code(instances)
        assert np.array_equal(as_published(instances), expected)
        assert erased(instances) == (expected.max() < 1000)
        wiped += erased(instances)
    assert 200 < wiped < 900, "both branches are tried"


@pytest.mark.parametrize(
    ("codes", "saved"),
    [
        ([0, 33000, 36000], [0, 33000, 36000]),
        ([0, 33000, 36000, 66000], [0, 1, 1, 2]),  # run with the source of 0.14.2 too
        ([33000, 65535], [33000, 65535]),
        ([5, 65536], [0, 2]),
    ],
)
def test_the_rule_still_stands_in_scikit_image(codes, saved):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert img_as_uint(np.array([codes], np.int32)).tolist() == [saved]


def test_todays_scikit_image_warns_only_where_it_keeps_the_codes():
    with pytest.warns(UserWarning, match="without scaling because max value 36000 fits"):
        img_as_uint(np.array([[33000, 36000]], np.int32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        img_as_uint(np.array([[33000, 66000]], np.int32))


def test_without_overlap_it_is_the_label_without_instance_numbers():
    masks = np.zeros((3, 4, 6), bool)
    masks[0, :2, :2] = masks[1, :2, 2:4] = masks[2, 3] = True
    instances = found(masks, [CAR, CAR, PERSON])
    classes = class_map(instances.to_label()).astype(int)
    assert np.array_equal(as_published(instances), classes * 1000)
    assert not erased(instances)


def test_one_shared_pixel_erases_the_frame():
    """4x6 pixels: a car of 8, a person of 4 who stands beside it, and one pixel that both claim."""
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 0:4] = True
    masks[1, 0:4, 4] = True
    truth = found(masks, [CAR, PERSON]).to_label()
    masks[1, 1, 3] = True
    instances = found(masks, [CAR, PERSON])
    label = as_published(instances)
    assert erased(instances)
    assert sorted(np.unique(label).tolist()) == [0, 1, 2]
    assert label[1, 3] == (33000 + 36000) // 2**15 == 2
    assert [report_iou([Overlap.from_labels(truth, label)])[c] for c in (CAR, PERSON)] == [0, 0]
    read_rightly = report_iou([Overlap.from_labels(truth, instances.to_label())])
    assert (read_rightly[CAR], read_rightly[PERSON]) == (1, 1)  # equal scores: the car, which is first, keeps the pixel


def test_nothing_found_is_an_empty_label_and_not_erased():
    nothing = Instances.empty((4, 6))
    assert as_published(nothing).tolist() == np.zeros((4, 6)).tolist()
    assert as_published(nothing).dtype == np.uint16
    assert not erased(nothing)


def test_a_label_is_worth_what_comes_back_from_its_file(tmp_path):
    """The two lines that find such a loss in any pipeline."""
    label = np.array([[255, 33000, 36000, 65535]], np.uint16)
    write_label(tmp_path / "a.png", label)
    assert np.array_equal(read_label(tmp_path / "a.png"), label)


class TestWaterfall:
    def frames(self):
        """Frame 1: a car and a person that overlap. Frame 2: a car alone, and a bus of low score."""
        truth = np.array([[33000, 33000, 36000, 36000, 255, 255]], np.uint16)
        masks = np.array([[[1, 1, 0, 0, 0, 0]], [[0, 1, 1, 1, 0, 0]]], bool)
        yield truth, found(masks, [CAR, PERSON], [0.95, 0.92])
        truth = np.array([[33000, 33000, 39000, 39000, 255, 255]], np.uint16)
        masks = np.array([[[1, 1, 0, 0, 0, 0]], [[0, 0, 1, 1, 0, 0]]], bool)
        yield truth, found(masks, [CAR, 39], [0.95, 0.6])

    def test_by_hand(self):
        fall = published_waterfall(self.frames())
        assert (fall.frames, fall.erased) == (2, 1)
        expected = {  # car over two frames, person over the first, bus over the second
            "as published": ((0 + 1) / 2, 0, 0),
            "no division": ((1 / 2 + 1) / 2, 2 / 2, 0),  # 69000 - 65536 = 3464 is no class
            "highest score on top": (1, 1, 0),
            "score from 0.5": (1, 1, 1),
        }
        assert {name: tuple(iou[c] for c in (CAR, PERSON, 39)) for name, iou in fall.steps.items()} == expected
        assert fall.means == {name: pytest.approx(sum(values) / 3) for name, values in expected.items()}
        assert fall.table().loc["as published", "car"] == 0.5
        assert list(fall.table().columns)[-1] == "mean"

    def test_steps_are_those_of_the_labels(self):
        """The same numbers, from labels made one by one, on random predictions."""
        rng = np.random.default_rng(3)
        frames = []
        for _ in range(20):
            instances = random_instances(rng)
            frames.append((instances[rng.random(len(instances)) < 0.8].to_label(), instances))
        fall = published_waterfall(frames, min_score=0.6, lower_score=0.2)
        kept = [(truth, each[each.scores >= 0.6]) for truth, each in frames]
        direct = mean_iou(report_iou(Overlap.from_labels(t, as_published(each)) for t, each in kept))
        assert fall.means["as published"] == direct
        low = mean_iou(report_iou(Overlap.from_labels(t, e[e.scores >= 0.2].to_label()) for t, e in frames))
        assert fall.means["score from 0.2"] == low
        assert fall.erased == sum(erased(each) for _, each in kept)

    def test_refuses_nothing_and_thresholds_the_wrong_way_round(self):
        with pytest.raises(MetricError, match="got no frame"):
            published_waterfall([])
        with pytest.raises(MetricError, match=r"expected a lower score below 0\.5, got 0\.9"):
            published_waterfall(self.frames(), min_score=0.5, lower_score=0.9)
