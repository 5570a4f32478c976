"""COCO, the Kaggle submission and KITTI-MOTS: written by us, read by others, and back."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from wadlib.errors import InstancesError, MetricError
from wadlib.frames import read_label, write_label
from wadlib.instances import Instances, Runs, write_predictions
from wadlib.interop.coco import write_coco, write_coco_results
from wadlib.interop.coco_import import read_coco, write_labels
from wadlib.interop.kitti_mots import WAD, frame_lines, read_mots, write_kitti_mots
from wadlib.interop.submission import COLUMNS, read_submission, without_overlaps, write_submission
from wadlib.labels import CLASSES, IDS
from wadlib.metrics import InstanceOverlap, average_precision
from wadlib.metrics.simulated import SimulatedPredictor
from wadlib.preprocess import upsample_label

# pycocotools' own decode, used as a reader here, is older than numpy 2's rule for __array__.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SHAPE = (30, 40)


@dataclass(frozen=True)
class Frame:
    name: str
    image_path: Path
    label_path: Path | None

    @property
    def file_name(self):
        return self.image_path.name

    def read_label(self, **how):
        return read_label(self.label_path, **how)


@dataclass(frozen=True)
class Video:
    name: str
    frames: tuple[Frame, ...]


def street(rng):
    label = np.full(SHAPE, 255, np.uint16)
    for n in range(6):
        y, x = rng.integers(0, 24), rng.integers(0, 30)
        label[y : y + 7, x : x + 9] = rng.choice([33000, 36000, 37000, 39000]) + n
    label[rng.random(SHAPE) < 0.05] = 255  # leaves: objects in many parts
    label[:3, :4] = 65535
    return label


@pytest.fixture
def data(tmp_path):
    """Six frames with labels, and predictions of them."""
    rng = np.random.default_rng(0)
    frames, labels, found = [], [], []
    for n in range(6):
        labels.append(street(rng))
        path = tmp_path / "train_label" / f"f{n}_instanceIds.png"
        path.parent.mkdir(exist_ok=True)
        write_label(path, labels[-1])
        frames.append(Frame(f"f{n}", tmp_path / "train_color" / f"f{n}.jpg", path))
        found.append(SimulatedPredictor(grow_px=2, half_found_px=1).predict(f"f{n}", labels[-1]))
    write_predictions(tmp_path / "pred", [(f"f{n}.jpg", each) for n, each in enumerate(found)])
    return tmp_path, frames, labels, found


# --- RLE ------------------------------------------------------------------------------------------


@given(arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
@settings(max_examples=100, deadline=None)
def test_rle_is_byte_identical_to_pycocotools(mask):
    expected = coco_mask.encode(np.asfortranarray(mask).view(np.uint8))
    runs = Runs.from_array(mask[None])
    (found,) = runs.to_rle()
    assert found == {"size": list(mask.shape), "counts": expected["counts"].decode()}
    np.testing.assert_array_equal(Runs.from_rle([found], mask.shape).to_array()[0], mask)
    np.testing.assert_array_equal(Runs.from_rle([expected], mask.shape).to_array()[0], mask)  # bytes are welcome too
    assert Runs.from_crop(*runs.crop(0), mask.shape).to_rle() == [found]


@given(
    arrays(np.bool_, st.tuples(st.integers(0, 5), st.integers(0, 5))),
    st.integers(0, 4),
    st.integers(0, 4),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_a_crop_is_encoded_as_if_it_were_painted(crop, y, x, full_height):
    if full_height:  # runs go on from column to column
        y = 0
    shape = (max(1, y + crop.shape[0] + (0 if full_height else 2)), max(1, x + crop.shape[1] + 3))
    painted = np.zeros(shape, np.uint8, order="F")
    painted[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    assert Runs.from_crop(crop, y, x, shape).to_rle()[0]["counts"].encode() == coco_mask.encode(painted)["counts"]


def test_a_label_map_is_encoded_whole():
    label = street(np.random.default_rng(1))
    codes, runs = Runs.from_label(label)
    assert codes.tolist() == [code for code in np.unique(label).tolist() if code >= 1000]
    for code, each in zip(codes.tolist(), runs.to_rle(), strict=True):
        expected = coco_mask.encode(np.asfortranarray(label == code).view(np.uint8))
        assert each["counts"].encode() == expected["counts"]


def test_rle_that_is_none():
    with pytest.raises(InstancesError, match="expected masks of 2x2 pixels, got None"):
        Runs.from_rle([{"counts": "13"}], (2, 2))
    with pytest.raises(InstancesError, match="is not the mask of 2x2 pixels"):
        Runs.from_rle([{"size": [2, 2], "counts": "1"}], (2, 2))


# --- COCO -----------------------------------------------------------------------------------------


def silent(function, *args):
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args)


def test_pycocotools_reads_our_ground_truth(data):
    root, frames, labels, _ = data
    written = write_coco(frames, root / "truth.json", progress=False)
    coco = silent(COCO, str(root / "truth.json"))
    annotations = coco.loadAnns(coco.getAnnIds())
    assert written == len(annotations)
    assert sorted(a["id"] for a in annotations) == list(range(1, written + 1))  # from 1, without gaps
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == [row.name for row in CLASSES.values()]
    for image_id, label in enumerate(labels, start=1):
        (image,) = coco.loadImgs([image_id])
        assert (image["file_name"], image["height"], image["width"]) == (f"f{image_id - 1}.jpg", *SHAPE)
        ours = coco.loadAnns(coco.getAnnIds(imgIds=[image_id], iscrowd=False))
        codes = [code for code in np.unique(label).tolist() if code // 1000 in IDS]
        assert [a["category_id"] for a in ours] == [code // 1000 for code in codes]  # riders (37) are left out
        for annotation, code in zip(ours, codes, strict=True):
            np.testing.assert_array_equal(coco.annToMask(annotation), label == code)
            assert annotation["area"] == np.count_nonzero(label == code)
            assert annotation["bbox"] == coco_mask.toBbox(annotation["segmentation"]).tolist()
        crowds = coco.loadAnns(coco.getAnnIds(imgIds=[image_id], iscrowd=True))
        assert [a["category_id"] for a in crowds] == list(IDS)
        for annotation in crowds:
            np.testing.assert_array_equal(coco.annToMask(annotation), label == 65535)


def test_pycocotools_scores_our_two_files_as_we_do(data):
    root, frames, labels, found = data
    write_coco(frames, root / "truth.json", progress=False)
    assert write_coco_results(frames, root / "pred", root / "found.json", progress=False) == sum(map(len, found))
    truth = silent(COCO, str(root / "truth.json"))
    evaluation = COCOeval(truth, silent(truth.loadRes, str(root / "found.json")), "segm")
    silent(evaluation.evaluate)
    silent(evaluation.accumulate)
    silent(evaluation.summarize)
    ours = average_precision(InstanceOverlap.from_label(t, f) for t, f in zip(labels, found, strict=True))
    assert [ours.mean(), ours.mean(0.5), ours.mean(0.75)] == evaluation.stats[:3].tolist()
    assert 0 < ours.mean() < 1


def test_a_perfect_prediction_is_scored_as_one(data):
    """With ids from 0 pycocotools would take the first match for none."""
    root, frames, labels, _ = data
    write_predictions(root / "same", [(f"f{n}.jpg", Instances.from_label(label)) for n, label in enumerate(labels)])
    write_coco(frames, root / "truth.json", progress=False)
    write_coco_results(frames, root / "same", root / "found.json", progress=False)
    truth = silent(COCO, str(root / "truth.json"))
    evaluation = COCOeval(truth, silent(truth.loadRes, str(root / "found.json")), "segm")
    for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
        silent(step)
    assert evaluation.stats[0] == pytest.approx(1, abs=1e-12)


def test_a_dataset_and_back_to_labels(data):
    root, frames, labels, _ = data
    write_coco(frames, root / "truth.json", progress=False)
    paths = write_labels(root / "truth.json", root / "back")
    assert [path.name for path in paths] == [frame.label_path.name for frame in frames]
    for path, label in zip(paths, labels, strict=True):
        back = read_label(path)
        riders = label // 1000 == 37
        np.testing.assert_array_equal(back[riders], 255)
        kept = np.where(riders, 255, label)
        np.testing.assert_array_equal(back // 1000, kept // 1000)
        # Instances are numbered anew; which pixels belong together stays.
        pairs = {(a, b) for a, b in zip(kept.ravel().tolist(), back.ravel().tolist(), strict=True)}
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_without_ignore_there_are_no_crowds(data):
    root, frames, _, _ = data
    write_coco(frames, root / "truth.json", ignore=False, progress=False)
    assert not any(a["iscrowd"] for a in json.loads((root / "truth.json").read_text())["annotations"])


def dataset(**changes):
    square = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]], "iscrowd": 0}
    return {
        "images": [{"id": 7, "file_name": "x/a.jpg", "height": 5, "width": 6}],
        "categories": [{"id": 3, "name": "car"}, {"id": 4, "name": "Motorcycle"}, {"id": 9, "name": "boat"}],
        "annotations": [
            square,
            square | {"id": 2, "category_id": 4, "segmentation": {"size": [5, 6], "counts": [12, 1, 17]}},
            square | {"id": 3, "category_id": 9},
            square | {"id": 4, "segmentation": {"size": [5, 6], "counts": [0, 10, 20]}, "iscrowd": 1},
        ],
    } | changes


def test_other_peoples_datasets(tmp_path):
    """Polygons, categories known by name, crowds, overlaps: the smaller mask is on top."""
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(dataset()))
    (frame,) = read_coco(path)
    assert (frame.id, frame.file_name) == (7, "x/a.jpg")
    assert frame.instances.class_ids.tolist() == [33, 34]  # the boat is not evaluated
    assert frame.ignore.areas.tolist() == [10]
    (written,) = write_labels(path, tmp_path / "out")
    assert written.name == "a_instanceIds.png"
    expected = np.full((5, 6), 255)
    expected[:, :2] = 65535
    expected[1:3, 1:4] = 33000
    expected[2, 2] = 34000
    np.testing.assert_array_equal(read_label(written), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": None}, "expected lists images, annotations, categories"),
        ({"images": []}, "annotation 1 belongs to image 7, not listed"),
        ({"images": dataset()["images"] * 2}, "two images have one id"),
        ({"annotations": [{"id": 1, "image_id": 7, "category_id": 3}]}, "an entry has no 'segmentation'"),
        ({"images": [{"id": 7, "file_name": "a.jpg", "width": 6}]}, "an entry has no 'height'"),
    ],
)
def test_datasets_that_are_none(tmp_path, change, message):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(dataset(**change)))
    with pytest.raises(InstancesError, match=message):
        list(read_coco(path))
    path.write_text("[")
    with pytest.raises(InstancesError, match="cannot read it"):
        list(read_coco(path))


def test_masks_of_another_size_than_their_image(tmp_path):
    path = tmp_path / "coco.json"
    bad = dataset()
    bad["annotations"][1]["segmentation"] = {"size": [5, 5], "counts": [25]}
    path.write_text(json.dumps(bad))
    with pytest.raises(InstancesError, match="annotation 2 has a mask of 5x5 pixels, its image has 6x5"):
        list(read_coco(path))


def test_frames_that_cannot_be_exported(data):
    root = data[0]
    with pytest.raises(InstancesError, match="frame test has no label"):
        write_coco([Frame("test", root / "a.jpg", None)], root / "truth.json", progress=False)
    with pytest.raises(MetricError, match="frame other has no prediction"):
        write_coco_results([Frame("other", root / "b.jpg", None)], root / "pred", root / "x.json", progress=False)
    assert not (root / "truth.json").exists()  # whole or not at all
    assert not (root / "x.json").exists()


# --- the Kaggle submission ------------------------------------------------------------------------


def read_plainly(path):
    """An independent reader: csv, a loop over pixels' numbers, row-major from 0."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        mask = np.zeros(SHAPE[0] * SHAPE[1], bool)
        for pair in row["EncodedPixels"].rstrip("|").split("|"):
            start, length = map(int, pair.split(" "))
            for pixel in range(start, start + length):
                assert not mask[pixel]
                mask[pixel] = True
        assert mask.sum() == int(row["PixelCount"])
        found.append((row["ImageId"], int(row["LabelId"]), float(row["Confidence"]), mask.reshape(SHAPE)))
    return found


@pytest.mark.parametrize("overlaps", ["keep", "cut"])
def test_a_plain_reader_finds_what_was_written(data, overlaps):
    root, _, _, found = data
    path = root / "submission.csv"
    written = write_submission(root / "pred", path, overlaps=overlaps, full_frame=False, progress=False)
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    rows = read_plainly(path)
    assert len(rows) == written
    expected = [
        (f"f{n}", class_id, score, mask)
        for n, each in enumerate(found)
        for kept in [each if overlaps == "keep" else without_overlaps(each)]
        for class_id, score, mask in zip(kept.class_ids.tolist(), kept.scores.tolist(), kept.masks, strict=True)
        if mask.any()
    ]
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(row[3], wanted[3])


def test_a_submission_and_back(data):
    root, _, _, found = data
    write_submission(root / "pred", root / "submission.csv", overlaps="keep", full_frame=False, progress=False)
    back = dict(read_submission(root / "submission.csv", SHAPE))
    assert list(back) == [f"f{n}" for n in range(6) if len(found[n])]
    for name, each in back.items():
        wanted = found[int(name[1:])]
        wanted = wanted[wanted.areas_px > 0]
        assert each.class_ids.tolist() == wanted.class_ids.tolist()
        assert each.scores.tolist() == wanted.scores.tolist()  # to the last bit
        np.testing.assert_array_equal(each.masks, wanted.masks)


def test_cut_masks_do_not_overlap_and_the_surest_keeps_all(data):
    for each in data[3]:
        cut = without_overlaps(each)
        assert cut.masks.sum(axis=0).max(initial=0) <= 1
        np.testing.assert_array_equal(cut.masks.any(axis=0), each.masks.any(axis=0))
        if len(each):
            surest = int(np.argmax(each.scores))
            assert each.areas_px[surest] in cut.areas_px.tolist()
        codes = cut.to_label() // 1000
        np.testing.assert_array_equal(codes, each.to_label() // 1000)


def test_network_size_becomes_full_size():
    label = np.full((640, 832), 255, np.uint16)
    label[0, 0] = label[639, 831] = 33000
    label[300:310, 400:420] = 36000
    full = Instances.from_label(label).to_full_frame()
    np.testing.assert_array_equal(full.to_label(), upsample_label(label))
    np.testing.assert_array_equal(full.to_full_frame().to_label(), full.to_label())  # it is there already


def test_a_network_size_prediction_is_submitted_at_full_size(tmp_path):
    label = np.full((640, 832), 255, np.uint16)
    label[1, 2] = 33000
    write_predictions(tmp_path / "pred", [("name.jpg", Instances.from_label(label, {33000: 0.25}))])
    write_submission(tmp_path / "pred", tmp_path / "s.csv", image_ids={"name": "md5"}, progress=False)
    first = (75 + 4) * 3384 + 28 + 2 * 4
    pixels = "".join(f"{first + row * 3384} 4|" for row in range(4))
    assert (tmp_path / "s.csv").read_text().splitlines()[1] == f"md5,33,0.25,16,{pixels}"
    with pytest.raises(InstancesError, match="no ImageId for frame name"):
        write_submission(tmp_path / "pred", tmp_path / "t.csv", image_ids={}, progress=False)
    assert not (tmp_path / "t.csv").exists()


def test_both_orders_of_columns_spaces_and_pictures_without_objects(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "ImageId,LabelId,PixelCount,Confidence,EncodedPixels\na,33,3,0.5,0 1|1 2\n\nb,,,,\nb,\nc, 36, 1, 1, 4 1|\n"
    )
    found = dict(read_submission(path, (2, 3)))
    assert list(found) == ["a", "c"]
    assert found["a"].masks.astype(int).tolist() == [[[1, 1, 1], [0, 0, 0]]]
    assert found["c"].masks.astype(int).tolist() == [[[0, 0, 0], [0, 1, 0]]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,33,0.5,1", "line 2: expected 5 fields, got 4"),
        ("a,37,0.5,1,0 1|", "line 2: unknown class 37"),
        ("a,33,nan,1,0 1|", "line 2: the confidence is nan"),
        ("a,33,sure,1,0 1|", "line 2: not a number"),
        ("a,33,0.5,1,0|", "line 2: not a number"),
        ("a,33,0.5,2,0 1|", "line 2: PixelCount is 2, the encoded pixels are 1"),
        ("a,33,0.5,2,5 2|", "line 2: the pixels are out of order or outside of 3x2"),
        ("a,33,0.5,2,3 1|0 1|", "out of order"),
        ("a,33,0.5,3,0 2|1 1|", "out of order"),
        ("a,33,0.5,0,0 0|", "out of order"),
        ("a,33,0.5,1,-1 1|", "out of order"),
        ("a,33,0.5,1,0 1|\nb,33,0.5,1,0 1|\na,33,0.5,1,1 1|", "line 4: the rows of image a are not together"),
    ],
)
def test_bad_submissions(tmp_path, line, message):
    path = tmp_path / "s.csv"
    path.write_text(",".join(COLUMNS) + "\n" + line + "\n")
    with pytest.raises(InstancesError, match=message):
        list(read_submission(path, (2, 3)))


def test_no_submission_at_all(data):
    root = data[0]
    (root / "s.csv").write_text("ImageId,EncodedPixels\n")
    with pytest.raises(InstancesError, match="line 1: expected the columns ImageId"):
        list(read_submission(root / "s.csv"))
    with pytest.raises(InstancesError, match="cannot read it"):
        list(read_submission(root / "nothing.csv"))
    with pytest.raises(InstancesError, match="expected overlaps to be one of cut, keep, got 'drop'"):
        write_submission(root / "pred", root / "s.csv", overlaps="drop", progress=False)


# --- KITTI-MOTS -----------------------------------------------------------------------------------


def videos(frames):
    return [Video("first", tuple(frames[:4])), Video("second", tuple(frames[4:]))]


def test_mots_files_of_the_truth(data):
    """Read as TrackEval reads them: split at blanks, masks decoded by pycocotools, no pixel twice."""
    root, frames, labels, _ = data
    written = write_kitti_mots(videos(frames), root / "mots", classes=WAD, progress=False)
    assert [tuple(each) for each in written] == [(0, "first", 4), (1, "second", 2)]
    assert (root / "mots" / "evaluate_mots.seqmap.val").read_text().splitlines() == [
        "0000 empty 000000 000003",
        "0001 empty 000000 000001",
    ]
    assert (root / "mots" / "videos.txt").read_text().splitlines() == ["0000 first", "0001 second"]
    for number, (start, stop) in enumerate([(0, 4), (4, 6)]):
        painted = np.full((stop - start, *SHAPE), 255)
        for line in (root / "mots" / "label_02" / f"{number:04d}.txt").read_text().splitlines():
            time, name, kind, height, width, counts = line.split(" ")
            mask = coco_mask.decode({"size": [int(height), int(width)], "counts": counts.encode()}).astype(bool)
            here = painted[int(time)]
            assert (here[mask] == 255).all()
            assert int(name) // 1000 == int(kind)
            here[mask] = 65535 if kind == "10" else int(name)
        for one, label in zip(painted, labels[start:stop], strict=True):
            np.testing.assert_array_equal(one, np.where(label // 1000 == 37, 255, label))


def test_mots_files_of_a_tracker_and_back(data):
    root, frames, _, found = data
    write_kitti_mots(videos(frames), root / "tracker", prediction=root / "pred", progress=False)
    assert not (root / "tracker" / "label_02").exists()
    for number, start in enumerate((0, 4)):
        for time, label in read_mots(root / "tracker" / "data" / f"{number:04d}.txt"):
            expected = found[start + time].to_label()
            kitti = np.isin(expected // 1000, (33, 36))
            np.testing.assert_array_equal(label, np.where(kitti, expected, 255))


def test_a_frame_without_prediction_has_no_lines(data):
    root, frames, _, _ = data
    (root / "pred" / "label" / "f1_instanceIds.png").unlink()
    with pytest.raises(MetricError, match="frame f1 has no prediction or label, 1 of 6"):
        write_kitti_mots(videos(frames), root / "tracker", prediction=root / "pred", progress=False)
    write_kitti_mots(videos(frames), root / "tracker", prediction=root / "pred", missing="empty", progress=False)
    text = (root / "tracker" / "data" / "0000.txt").read_text()
    assert not any(line.startswith("1 ") for line in text.splitlines())


def test_kittis_own_classes():
    label = np.array([[33005, 36001, 39000, 65535]], np.uint16)
    assert [line.split()[:2] for line in frame_lines(label)] == [["1005", "1"], ["2001", "2"], ["10000", "10"]]
    assert [line.split()[1] for line in frame_lines(label, WAD)] == ["33", "36", "39", "10"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1000 1 2 2", "line 1: expected `frame id class height width rle`"),
        ("x 1000 1 2 2 121", "line 1: expected"),
        ("0 3000 3 2 2 121", "line 1: unknown class 3"),
        ("0 1000 1 2 2 121\n0 1001 1 3 2 15", "pictures of different sizes"),
        ("0 1000 1 2 2 121\n0 1001 1 2 2 13", "objects of frame 0 overlap"),
        ("0 1000 1 2 2 9", "is not the mask of 2x2 pixels"),
    ],
)
def test_bad_mots_files(tmp_path, text, message):
    path = tmp_path / "0000.txt"
    path.write_text(text)
    with pytest.raises(InstancesError, match=message):
        list(read_mots(path))
    with pytest.raises(InstancesError, match="cannot read it"):
        list(read_mots(tmp_path / "nothing.txt"))
