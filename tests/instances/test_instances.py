"""Instances: what is refused, the label map, COCO results, and the way to the full frame."""

import json

import numpy as np
import pytest

from wadlib.errors import InstancesError, LabelError
from wadlib.frames import FULL_SHAPE, read_label
from wadlib.instances import Instances, PredictionFolder, Runs, write_predictions
from wadlib.preprocess import NETWORK_SHAPE, upsample_label


def one(**changes):
    parts = {
        "boxes": [[1, 2, 3, 5]],
        "class_ids": [33],
        "scores": [0.5],
        "runs": Runs.from_crop(np.ones((2, 3), bool), 1, 2, (4, 6)),
    }
    return Instances(**parts | changes)


def drawn(*pictures, class_ids, scores):
    """Masks from pictures of text, one row after the other, divided by blanks."""
    masks = [np.array([[c == "#" for c in row] for row in picture.split()]) for picture in pictures]
    return Instances.from_masks(np.array(masks), class_ids, scores)


def random_instances(rng, count, shape):
    boxes, crops = [], []
    for _ in range(count):
        height, width = rng.integers(1, 40, 2)
        y, x = rng.integers(0, shape[0] - height + 1), rng.integers(0, shape[1] - width + 1)
        boxes.append([y, x, y + height, x + width])
        crops.append((rng.random((height, width)) < rng.choice([0.1, 0.5, 1.0]), int(y), int(x)))
    ids = rng.choice([33, 34, 35, 36, 38, 39, 40], count)
    return Instances(
        ids, rng.random(count).astype(np.float32), Runs.from_crops(crops, shape), np.reshape(boxes, (-1, 4))
    )


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"boxes": [[1, 2, 3]]}, r"expected boxes to be \(1, 4\) numbers, one row for each mask, got \(1, 3\)"),
            ({"boxes": [[3, 2, 1, 5]]}, r"y1 < y2 and x1 < x2, got \[3.0, 2.0, 1.0, 5.0\]"),
            ({"boxes": [[1, 2, 1, 5]]}, "y1 < y2"),
            ({"boxes": [[1, 2, np.inf, 5]]}, "expected boxes to be finite, got inf"),
            ({"class_ids": [1]}, r"WAD class ids among \(33, 34, 35, 36, 38, 39, 40\), got 1"),
            ({"class_ids": [37]}, "got 37"),
            ({"class_ids": [33.5]}, "whole numbers, got 33.5"),
            ({"class_ids": [33, 34]}, r"expected class_ids to be \(1,\) numbers.*got \(2,\)"),
            ({"class_ids": ["car"]}, "got .* <U3"),
            ({"scores": [np.nan]}, "expected scores to be finite, got nan"),
            ({"scores": []}, r"expected scores to be \(1,\)"),
            ({"runs": Runs.empty((0, 6)), "boxes": [], "scores": [], "class_ids": []}, "height, width"),
            ({"runs": Runs.empty((4, 6, 3)), "boxes": [], "scores": [], "class_ids": []}, r"got \(4, 6, 3\)"),
        ],
    )
    def test_says_expected_and_actual(self, changes, message):
        with pytest.raises(InstancesError, match=message):
            one(**changes)

    @pytest.mark.parametrize(
        ("crop", "message"),
        [
            ((np.ones((2, 3), int), 1, 2), r"2-D bool array, got \(2, 3\) int64"),
            ((np.ones((4, 3), bool), 1, 2), "3x4 pixels at x 2, y 1 leave the frame of 6x4"),
            ((np.ones((2, 3), bool), -1, 2), "at x 2, y -1 leave"),
            ((np.ones((2, 3), bool), 0, 4), "at x 4, y 0 leave"),
        ],
    )
    def test_masks_outside_of_the_picture_or_of_another_type(self, crop, message):
        with pytest.raises(InstancesError, match=message):
            Runs.from_crops([crop], (4, 6))

    @pytest.mark.parametrize("masks", [np.ones((4, 6), bool), np.ones((1, 4, 6)), np.ones((1, 2, 4, 6), bool)])
    def test_masks_of_another_shape_or_type(self, masks):
        with pytest.raises(InstancesError, match=r"masks of shape \(N,H,W\), dtype bool, got"):
            Instances.from_masks(masks, [33], [0.5])

    def test_a_mask_without_pixels_has_no_box(self):
        with pytest.raises(InstancesError, match="at least one pixel each, got none in mask 1"):
            drawn("#. ..", ".. ..", class_ids=[33, 33], scores=[1, 1])

    def test_its_arrays_do_not_change_and_are_its_own(self):
        boxes = np.array([[1, 2, 3, 5]], np.float32)
        found = one(boxes=boxes)
        boxes[0] = 0
        assert found.boxes.tolist() == [[1, 2, 3, 5]]
        with pytest.raises(ValueError, match="read-only"):
            found.scores[0] = 1
        with pytest.raises(AttributeError):
            found.scores = 1


class TestNone:
    def test_is_legal_everywhere(self):
        found = Instances.empty((4, 6))
        assert (len(found), found.masks.shape, found.boxes.shape) == (0, (0, 4, 6), (0, 4))
        assert found.to_label().tolist() == [[255] * 6] * 4
        assert found.to_coco(file_name="a.jpg", image_id=1) == []
        assert len(found.above(0.5)) == 0
        assert len(found[[]]) == 0
        assert repr(found) == "Instances(0 in a 6x4 picture)"
        assert Instances.empty(NETWORK_SHAPE).to_full_frame().shape == FULL_SHAPE
        assert len(Instances.from_masks(np.zeros((0, 4, 6), bool), [], [])) == 0


class TestLabelMap:
    def test_highest_score_on_top_whatever_the_order(self):
        pictures = ("###. ###. ....", ".... .### .###")
        low_first = drawn(*pictures, class_ids=[33, 36], scores=[0.6, 0.7])
        assert low_first.to_label().tolist() == [
            [33000, 33000, 33000, 255],
            [33000, 36000, 36000, 36000],
            [255, 36000, 36000, 36000],
        ]
        high_first = drawn(*pictures, class_ids=[33, 36], scores=[0.7, 0.6])
        assert high_first.to_label()[1].tolist() == [33000, 33000, 33000, 36000]

    def test_of_equal_scores_the_first_is_on_top(self):
        found = drawn("##.", ".##", class_ids=[33, 33], scores=[0.5, 0.5])
        assert found.to_label().tolist() == [[33000, 33000, 33001]]

    def test_numbers_count_within_a_class_best_first(self):
        found = drawn("#...", ".#..", "..#.", "...#", class_ids=[33, 36, 33, 36], scores=[0.1, 0.2, 0.3, 0.4])
        assert found.codes.tolist() == [33001, 36001, 33000, 36000]

    def test_the_thousandth_fits_and_the_next_does_not(self):
        def cars(count):
            crops = ((np.ones((1, 1), bool), 0, i) for i in range(count))
            return Instances([33] * count, np.linspace(1, 0, count), Runs.from_crops(crops, (1, 2000)))

        assert cars(1000).to_label()[0, 998:1001].tolist() == [33998, 33999, 255]
        with pytest.raises(LabelError, match=r"at most 1000 of class car in a label, got 1001[\s\S]*above"):
            cars(1001).to_label()
        assert cars(1001).above(0.0005).to_label()[0, 999] == 33999

    def test_equals_painting_whole_masks(self):
        rng = np.random.default_rng(0)
        for _ in range(20):
            found = random_instances(rng, 12, (50, 60))
            label = np.full((50, 60), 255, np.uint16)
            for i in np.argsort(found.scores):
                label[found.masks[i]] = found.codes[i]
            assert (found.to_label() == label).all()


def test_filter_and_choice_keep_what_belongs_together():
    rng = np.random.default_rng(1)
    found = random_instances(rng, 30, (50, 60))
    best = found.above(0.5)
    keep = found.scores >= 0.5
    assert 0 < len(best) < 30
    assert (best.boxes == found.boxes[keep]).all()
    assert (best.masks == found.masks[keep]).all()
    assert (found[keep].class_ids == best.class_ids).all()
    assert (found[2:5].scores == found.scores[2:5]).all()
    assert (found[[7]].masks == found.masks[7:8]).all()
    assert (found.areas_px == found.masks.sum((1, 2))).all()


def test_a_threshold_includes_the_score_itself():
    assert len(one(scores=[0.7]).above(0.7)) == 1  # 0.7 is smaller as float32


def test_repr_names_the_classes():
    found = drawn("#..", ".#.", "..#", class_ids=[39, 33, 33], scores=[0.5, 0.25, 1])
    assert repr(found) == "Instances(3 in a 3x1 picture: 2 car, 1 bus; scores 0.25 to 1.00)"


class TestCoco:
    @pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools: its own
    def test_rows_are_what_pycocotools_reads(self):
        coco = pytest.importorskip("pycocotools.mask")
        found = random_instances(np.random.default_rng(2), 40, (50, 60))
        rows = json.loads(json.dumps(found.to_coco(file_name="f.jpg", image_id=3)))
        for i, row in enumerate(rows):
            assert (row["image_id"], row["file_name"]) == (3, "f.jpg")
            assert (coco.decode(row["segmentation"]).astype(bool) == found.masks[i]).all()
            y1, x1, y2, x2 = found.boxes[i].tolist()
            assert row["bbox"] == [x1, y1, x2 - x1, y2 - y1]

    def test_there_and_back(self):
        found = random_instances(np.random.default_rng(3), 40, (50, 60))
        back = Instances.from_coco(json.loads(json.dumps(found.to_coco())), found.shape)
        assert back.shape == found.shape
        for name in ("boxes", "class_ids", "scores", "masks"):
            assert (getattr(back, name) == getattr(found, name)).all(), name

    def test_without_names(self):
        assert list(one().to_coco()[0]) == ["category_id", "bbox", "score", "segmentation"]

    def test_a_row_without_a_box_gets_that_of_its_mask(self):
        (row,) = one(boxes=[[0, 2, 3, 5]]).to_coco()
        assert Instances.from_coco([row], (4, 6)).boxes.tolist() == [[0, 2, 3, 5]]
        del row["bbox"]
        assert Instances.from_coco([row], (4, 6)).boxes.tolist() == [[1, 2, 3, 5]]

    @pytest.mark.parametrize(
        "spoil", [lambda r: r.pop("score"), lambda r: r["bbox"].pop(), lambda r: r["segmentation"].pop("counts")]
    )
    def test_what_is_missing(self, spoil):
        (row,) = one().to_coco()
        spoil(row)
        with pytest.raises(InstancesError, match="expected results with category_id, score, segmentation"):
            Instances.from_coco([row], (4, 6))

    def test_another_size(self):
        (row,) = one().to_coco()
        with pytest.raises(InstancesError, match="expected masks of 7x4 pixels, got 6x4"):
            Instances.from_coco([row], (4, 7))
        del row["segmentation"]["size"]
        with pytest.raises(InstancesError, match="expected masks of 6x4 pixels, got None"):
            Instances.from_coco([row], (4, 6))

    def test_file_there_and_back(self, tmp_path):
        rng = np.random.default_rng(4)
        first, second = random_instances(rng, 5, (50, 60)), random_instances(rng, 3, (50, 60))
        rows = first.to_coco(file_name="a.jpg", image_id=1) + second.to_coco(file_name="b.jpg", image_id=2)
        (tmp_path / "instances.json").write_text(json.dumps(rows))
        folder = PredictionFolder.open(tmp_path)
        assert {name: len(folder.read(name)) for name in folder.names} == {"a": 5, "b": 3}
        assert (folder.read("b").masks == second.masks).all()
        assert (folder.read("b").boxes == second.boxes).all()

    def test_a_folder_keeps_overlapping_masks_their_order_and_their_number(self, tmp_path):
        rng = np.random.default_rng(6)
        counts = {"c": 40, "a": 0, "b": 7}
        frames = {f"{name}.jpg": random_instances(rng, count, (50, 60)) for name, count in counts.items()}
        assert write_predictions(tmp_path, frames.items()) == 47
        assert sorted(path.name for path in tmp_path.iterdir()) == ["instances.json", "label"]
        folder = PredictionFolder.open(tmp_path)
        for file_name, found in frames.items():
            back = folder.read(file_name[0])
            for part in ("boxes", "class_ids", "scores", "masks"):
                np.testing.assert_array_equal(getattr(back, part), getattr(found, part))
            np.testing.assert_array_equal(read_label(folder.labels[file_name[0]]), found.to_label())

    @pytest.mark.parametrize(
        "text", ["", "{}", '[{"a": 1}]', "[1]", '[{"file_name": "a.jpg", "category_id": 33, "score": NaN}]', "[{"]
    )
    def test_other_files_are_refused(self, tmp_path, text):
        (tmp_path / "instances.json").write_text(text)
        with pytest.raises(InstancesError, match=r"instances\.json"):
            PredictionFolder.open(tmp_path)


class TestToFullFrame:
    def test_network_pixels_become_blocks(self):
        rng = np.random.default_rng(5)
        found = random_instances(rng, 10, NETWORK_SHAPE)
        full = found.to_full_frame()
        assert full.shape == FULL_SHAPE
        assert (full.to_label() == upsample_label(found.to_label())).all()
        assert (full.boxes == found.boxes * 4 + np.array([75, 28, 75, 28])).all()

    @pytest.mark.parametrize(
        ("shape", "pixel", "rows", "columns"),
        [
            ((720, 3384), (0, 0), slice(1560, 1561), slice(0, 1)),
            ((384, 1664), (1, 2), slice(1538, 1540), slice(32, 34)),
            (FULL_SHAPE, (7, 9), slice(7, 8), slice(9, 10)),
        ],
    )
    def test_other_parts_of_a_frame(self, shape, pixel, rows, columns):
        y, x = pixel
        found = Instances([33], [1], Runs.from_crop(np.ones((1, 1), bool), y, x, shape))
        full = found.to_full_frame()
        expected = np.zeros(FULL_SHAPE, bool)
        expected[rows, columns] = True
        assert (full.masks[0] == expected).all()
        assert full.boxes.tolist() == [[rows.start, columns.start, rows.stop, columns.stop]]

    def test_another_size(self):
        with pytest.raises(InstancesError, match=r"expected instances of a 3384x2710, 832x640, .* picture, got 6x4"):
            one().to_full_frame()


def test_memory_stays_small():
    crop = np.ones((200, 300), bool)
    runs = Runs.from_crops(((crop, 1800, 100 + i) for i in range(100)), FULL_SHAPE)
    found = Instances([33] * 100, np.ones(100), runs)
    assert runs.starts.nbytes + runs.ends.nbytes + runs.offsets.nbytes <= 100 * crop.nbytes  # as whole masks: 900 MB
    assert found.to_label()[1900, 99:101].tolist() == [255, 33000]


def test_masks_are_an_array_that_still_has_the_boxes_of_its_former_type():
    """Scripts of before wrote ``found.masks.boxes``; whatever is computed from the masks is a plain array."""
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 2:5] = masks[1, 0, 0] = True
    found = Instances.from_masks(masks, [33, 36], [0.9, 0.8]).masks
    assert found.boxes.tolist() == [[1, 2, 3, 5], [0, 0, 1, 1]]
    assert found[1:].boxes.tolist() == [[0, 0, 1, 1]]
    assert found.dtype == bool
    assert (found == masks).all()
    assert type(found & masks) is type(~found) is type(found.astype(int) + 1) is np.ndarray
    assert type(found.sum()) is np.int64
    assert found.sum() == 7
