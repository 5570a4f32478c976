"""What other programs write and what an export must refuse: encodings, wild numbers, missing frames."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from wadlib._shared.fields import decode_text, read_json, text_lines
from wadlib.dataset import Frame, Video
from wadlib.errors import InstancesError, MetricError
from wadlib.frames import read_label, write_label
from wadlib.instances import Instances, write_predictions
from wadlib.interop.coco import write_coco, write_coco_results
from wadlib.interop.coco_import import CocoDataset, read_coco, write_labels
from wadlib.interop.kitti_mots import read_mots, write_kitti_mots
from wadlib.interop.submission import COLUMNS, read_submission, write_submission

HEADER = ",".join(COLUMNS) + "\n"
SQUARE = [[2, 2, 12, 2, 12, 8, 2, 8]]


def coco(**changes):
    """One picture of 30x20 with one car; ``images__height=5`` changes a field."""
    made = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 20, "width": 30}],
        "categories": [{"id": 3, "name": "car"}, {"id": 4, "name": "boat"}],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 3, "segmentation": SQUARE}],
    }
    for key, value in changes.items():
        where, _, field = key.partition("__")
        made[where][0][field] = value
    return made


def saved(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "file"
    path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode(encoding))
    return path


# --- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    text = "größe,1\nend\n"
    assert decode_text(text.encode(encoding)) == text
    assert list(text_lines(saved(tmp_path, text, encoding))) == ["größe,1\n", "end\n"]
    assert read_json(saved(tmp_path, '{"straße": 1}', encoding)) == {"straße": 1}
    (frame,) = read_coco(saved(tmp_path, json.dumps(coco(images__file_name="ß.jpg"), ensure_ascii=False), encoding))
    assert frame.file_name == "ß.jpg"
    ((name, _),) = read_submission(saved(tmp_path, HEADER + "ß,33,1,1,0 1|\n", encoding), (2, 3))
    assert name == "ß"
    ((time, _),) = read_mots(saved(tmp_path, "0 1000 1 2 2 121\n", encoding))
    assert time == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("read", [read_coco, read_mots, read_submission])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InstancesError, match="cannot read it"):
        list(read(tmp_path / "pipe"))


def test_lists_within_lists_without_end(tmp_path):
    with pytest.raises(InstancesError, match="cannot read it"):
        list(read_coco(saved(tmp_path, "[" * 100_000)))


# --- COCO ----------------------------------------------------------------------------------------

NAN, FAR = float("nan"), 1e9


@pytest.mark.parametrize(
    "outline",
    [[], [[]], [[2, 2, 12, 8]], [[2, 2, 12, 2, 12, 8, 2]], None, "1234", [2, 2, 12, 2, 12, 8], [[[2, 2], [9, 2]]],
     [[2, 2, NAN, 2, 12, 8]], [[2, 2, None, 2, 12, 8]], [[2, 2, FAR, 2, 12, 8]], [[2, 2, True, 2, 12, 8]],
     [[2, 2, float("inf"), 2, 12, 8]], {"size": [20, 30]}, {"size": [20, 30], "counts": None},
     {"size": [20, 30], "counts": [[600]]}, {"size": [20, 30], "counts": [0, 2**62, 2**62, 2**62, 2**62 + 600]},
     {"size": [20, 30], "counts": ["600"]}, {"size": [20, 30], "counts": "~~~"}],
)  # fmt: skip
def test_outlines_that_are_none_name_the_annotation(tmp_path, outline):
    with pytest.raises(InstancesError, match=r"annotation 7 of image 1 \(a.jpg\)"):
        list(read_coco(saved(tmp_path, coco(annotations__segmentation=outline))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images__height": None}, "picture 1: expected height to be a whole number from 1 to"),
        ({"images__height": "20"}, "expected height"),
        ({"images__width": -5}, "expected width"),
        ({"images__width": 2**40}, "expected width"),
        ({"images__width": 100_000, "images__height": 100_000}, "100000x100000 pixels are more than"),
        ({"images__file_name": None}, "expected file_name to be text of one line, got None"),
        ({"images__file_name": 5}, "expected file_name"),
        ({"images__file_name": "a\0b.jpg"}, "expected file_name"),
        ({"annotations__image_id": [1]}, "expected image_id"),
        ({"annotations__category_id": [3]}, "expected category_id"),
        ({"annotations__category_id": "3"}, "annotation 7 .*category_id '3' is none of the categories"),
        ({"annotations__iscrowd": "yes"}, "annotation 7 .*expected iscrowd to be 0 or 1"),
        ({"categories__id": None}, "category 1: expected id"),
        ({"categories__name": "Vehicles"}, "no category is one of ours; there are Vehicles, boat"),
    ],
)
def test_fields_of_another_kind(tmp_path, change, message):
    with pytest.raises(InstancesError, match=message):
        list(read_coco(saved(tmp_path, coco(**change))))


@pytest.mark.parametrize("where", ["images", "annotations", "categories"])
def test_entries_that_are_no_objects(tmp_path, where):
    with pytest.raises(InstancesError, match="expected an object with fields, got 'a'"):
        list(read_coco(saved(tmp_path, {**coco(), where: ["a"]})))


def test_a_crowd_that_is_none(tmp_path):
    (frame,) = read_coco(saved(tmp_path, coco(annotations__iscrowd="0")))
    assert (len(frame.instances), len(frame.ignore)) == (1, 0)
    (frame,) = read_coco(saved(tmp_path, coco(annotations__iscrowd="1")))
    assert (len(frame.instances), len(frame.ignore)) == (0, 1)


@pytest.mark.parametrize(
    ("name", "label"),
    [("C:\\data\\a.jpg", "a"), ("images\\a.PNG", "a"), ("170908.061502", "170908.061502"), ("x/y.z.jpeg", "y.z")],
)
def test_labels_have_the_names_of_frames(tmp_path, name, label):
    (path,) = write_labels(saved(tmp_path, coco(images__file_name=name)), tmp_path / "out")
    assert path.name == f"{label}_instanceIds.png"


@pytest.mark.parametrize("other", ["rear/a.jpg", "a.png", "A.jpg"])
def test_two_pictures_of_one_name(tmp_path, other):
    data = coco(images__file_name="front/a.jpg")
    data["images"].append({"id": 2, "file_name": other, "height": 20, "width": 30})
    with pytest.raises(InstancesError, match=r"the label of image 2 .* the name of that of image 1 \(front/a.jpg\)"):
        write_labels(saved(tmp_path, data), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_taken_and_left_out_is_told(tmp_path):
    data = coco(categories__name=" Car ")
    data["annotations"] += [{**data["annotations"][0], "id": n, "category_id": 4} for n in (8, 9)]
    read = CocoDataset.open(saved(tmp_path, data))
    assert (read.taken, read.left_out) == ({" Car ": 1}, {"boat": 2})
    assert read.summary().splitlines() == ["Categories taken:  Car  (1)", "Categories left out: boat (2)"]


# --- exports -------------------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path):
    """A video of three frames with labels of 20x30, and predictions of them."""
    label = np.full((20, 30), 255, np.uint16)
    label[2:8, 2:9] = 33000
    (tmp_path / "labels").mkdir()
    frames = []
    for n in range(3):
        path = tmp_path / "labels" / f"f{n}_instanceIds.png"
        write_label(path, label)
        frames.append(Frame(f"f{n}", "v", Path(f"f{n}.jpg"), path))
    write_predictions(tmp_path / "pred", [(f"f{n}.jpg", Instances.from_label(label)) for n in range(3)])
    return tmp_path, frames


def exports(root, frames, **options):
    ids = {frame.name: frame.name for frame in frames}
    yield lambda: write_coco_results(frames, root / "pred", root / "o.json", progress=False, **options)
    video = Video("v", "train", 5, tuple(frames))
    yield lambda: write_kitti_mots([video], root / "mots", prediction=root / "pred", progress=False, **options)
    yield lambda: write_submission(
        root / "pred", root / "s.csv", image_ids=ids, full_frame=False, progress=False, **options
    )


def test_missing_and_foreign_frames_are_refused(dataset):
    root, frames = dataset
    more = [*frames, Frame("f3", "v", Path("f3.jpg"), frames[0].label_path)]
    for export in exports(root, more):
        with pytest.raises(MetricError, match="frame f3 has no prediction or label, 1 of 4"):
            export()
    for export in exports(root, frames[:2]):
        with pytest.raises((MetricError, InstancesError), match=r"1 other frames, such as f2|no ImageId for frame f2"):
            export()
    assert not any((root / name).exists() for name in ("o.json", "mots", "s.csv"))
    for export in exports(root, more, missing="empty"):
        export()


def test_no_frames_at_all(dataset):
    root, _ = dataset
    (root / "empty").mkdir()
    with pytest.raises(MetricError, match="write_coco: there are no frames to export"):
        write_coco([], root / "o.json", progress=False)
    with pytest.raises(MetricError, match="write_kitti_mots: there are no frames"):
        write_kitti_mots([], root / "mots", progress=False)
    with pytest.raises(MetricError, match="write_submission: there are no frames"):
        write_submission(root / "empty", root / "s.csv", progress=False)


def test_predictions_of_another_size(dataset):
    root, frames = dataset
    for frame in frames:
        write_label(frame.label_path, np.full((20, 31), 255, np.uint16))
    for export in list(exports(root, frames))[:2]:
        with pytest.raises(MetricError, match="the prediction of f0 does not fit its label"):
            export()
    with pytest.raises(InstancesError, match="got 30x20"):  # no view of a frame
        write_submission(root / "pred", root / "s.csv", progress=False)


def test_a_strip_is_submitted_where_it_lies_in_the_frame(tmp_path):
    label = np.full((384, 1664), 255, np.uint16)
    label[70, 100] = 33000
    write_predictions(tmp_path / "pred", [("a.jpg", Instances.from_label(label))])
    write_submission(tmp_path / "pred", tmp_path / "s.csv", progress=False)
    ((_, found),) = read_submission(tmp_path / "s.csv")
    np.testing.assert_array_equal(found.boxes, Instances.from_label(label).to_full_frame().boxes)
    assert found.areas_px.tolist() == [4]


def test_a_comma_in_the_name_of_a_picture(dataset):
    root, frames = dataset
    ids = {frame.name: f"a,{frame.name}" for frame in frames}
    with pytest.raises(InstancesError, match="ImageId without commas, quotes and line ends, got 'a,f0'"):
        write_submission(root / "pred", root / "s.csv", image_ids=ids, progress=False)


def test_a_true_frame_without_label_is_not_a_frame_without_objects(dataset):
    root, frames = dataset
    video = Video("v", "train", 5, (Frame("x", "v", Path("x.jpg")), *frames))
    with pytest.raises(MetricError, match="frame x has no prediction or label"):
        write_kitti_mots([video], root / "gt", progress=False)
    write_kitti_mots([video], root / "gt", missing="empty", progress=False)
    labels = dict(read_mots(root / "gt" / "label_02" / "0000.txt"))
    assert (labels[0] == 65535).all()  # nothing in it counts
    np.testing.assert_array_equal(labels[1], read_label(frames[0].label_path))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_trackeval_reads_the_list_of_videos(dataset, count):
    """As its kitti_mots.py does: a first reader over the file, then the separator guessed from what follows."""
    root, frames = dataset
    write_kitti_mots([Video("v", "train", 5, tuple(frames))] * count, root / "gt", missing="empty", progress=False)
    found = {}
    with (root / "gt" / "evaluate_mots.seqmap.val").open() as file:
        first = csv.reader(file)
        for _ in first:
            dialect = csv.Sniffer().sniff(file.read(1024))
            file.seek(0)
            for row in csv.reader(file, dialect):
                if len(row) >= 4:
                    found[f"{int(row[0]):04d}"] = int(row[3]) + 1
    assert found == {f"{n:04d}": 3 for n in range(count)}


# --- MOTS and submissions ------------------------------------------------------------------------


def test_mots_with_tabs_and_blank_lines(tmp_path):
    ((_, label),) = read_mots(saved(tmp_path, "0\t1005\t1 2 2  121\r\n\n \n"))
    assert label.tolist() == [[255, 33005], [33005, 255]]


def test_mots_ids_that_are_plain_numbers(tmp_path):
    """Ids 5 and 1005 are two objects; modulo 1000 they would be one."""
    ((_, label),) = read_mots(saved(tmp_path, "0 5 1 2 2 13\n0 1005 1 2 2 013\n"))
    assert label.tolist() == [[33001, 33000], [33000, 33000]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1001 1 \u00b2 2 13", "line 1: expected `frame id class"),
        ("0 1001 1 " + "9" * 5000 + " 2 13", "line 1: expected"),
        ("0 1001 1 99999999 99999999 13", "line 1: expected a picture of 1 to"),
        ("0 1001 1 0 2 13", "line 1: expected a picture of 1 to"),
        ("0 1001 1 2 2 13\n0 1001 1 2 2 31", "line 2: object 1001 occurs twice in frame 0"),
        ("\u0080\u0090\n", "line 1: expected"),
    ],
)
def test_mots_files_of_strangers(tmp_path, text, message):
    with pytest.raises(InstancesError, match=message):
        list(read_mots(saved(tmp_path, text)))


@pytest.mark.parametrize(
    "pixels",
    ["1000000000000000000000000000000 5|", "9223372036854775807 10|", "0 9223372036854775807|0 1|", "\u00b2 1|"],
)
def test_pixels_that_overflow(tmp_path, pixels):
    with pytest.raises(InstancesError, match=r"line 2: (not a number|the pixels are out of order)"):
        list(read_submission(saved(tmp_path, HEADER + f"a,33,0.5,1,{pixels}\n"), (2, 3)))
    with pytest.raises(InstancesError, match="the confidence is 1e300"):
        list(read_submission(saved(tmp_path, HEADER + "a,33,1e300,1,0 1|\n"), (2, 3)))
