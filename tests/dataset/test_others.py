"""Other people's datasets: written here in their own formats, and read back as WAD's codes."""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from wadlib.cli import app
from wadlib.dataset import (
    Camera,
    Wad,
    open_apolloscape,
    open_bdd100k,
    open_carla,
    open_cityscapes,
    open_coco,
    open_dataset,
    open_kitti_mots,
    open_wad,
    prepare,
)
from wadlib.dataset.camera import WAD_CAMERA, fit
from wadlib.dataset.classes import DEFINED, TABLES
from wadlib.errors import DatasetError, LabelError, WadError
from wadlib.frames import read_label
from wadlib.labels import CLASSES, IGNORE
from wadlib.preprocess import VIEWS

sys.path.insert(0, str(Path(__file__).parent))
import foreign

ALL = set(foreign.CITYSCAPES)
KINDS = {
    "cityscapes": (foreign.cityscapes, open_cityscapes, ALL),
    "bdd100k": (foreign.bdd, open_bdd100k, ALL),
    "carla": (foreign.carla, open_carla, ALL),
    "kitti_mots": (foreign.kitti, open_kitti_mots, {33, 36}),
    "coco": (foreign.coco, open_coco, ALL - {37}),
    "apolloscape": (foreign.apolloscape, open_apolloscape, ALL),
}


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_read_back_pixel_for_pixel(kind, tmp_path):
    write, open_kind, classes = KINDS[kind]
    root = write(tmp_path / "data")
    for opened in (open_kind(root), open_dataset(root), open_dataset(root, kind=kind)):
        assert isinstance(opened, Wad)
        assert opened.kind == kind
        assert not opened.problems
        assert len(opened.frames) == 3
        assert len({frame.name for frame in opened.frames}) == 3
        for frame, wanted in zip(opened.frames, foreign.labels(), strict=True):
            image, label = frame.read_pair()
            assert image.shape[:2] == label.shape == foreign.SHAPE
            np.testing.assert_array_equal(label, foreign.only(wanted, classes))
            np.testing.assert_array_equal(frame.read_label(window=(slice(5, 9), slice(0, 50, 3))), label[5:9, :50:3])
            assert frame.unlabelled == tuple(each for each in CLASSES if each not in classes and kind != "apolloscape")


@pytest.mark.parametrize("kind", KINDS)
def test_info_names_the_dataset_and_counts_it(kind, tmp_path, capsys):
    write, _, classes = KINDS[kind]
    app(["info", str(write(tmp_path / "data"))], standalone_mode=False)
    said = capsys.readouterr().out
    assert f"  {kind}; " in said
    assert [line.split()[1] for line in said.splitlines() if line.startswith("car ")] == ["6"]  # 2 in each of 3 frames
    assert [line.split()[1] for line in said.splitlines() if line.startswith("bus ")] == [str(6 * (39 in classes))]


def test_tables_are_complete():
    for kind, rows in TABLES.items():
        assert len({row.id for row in rows}) == len(rows)
        assert {row.id for row in rows} <= set(DEFINED[kind])
        assert all(row.why and (row.target == IGNORE or row.target in {*CLASSES, 37}) for row in rows), kind


# --- tracks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write", [lambda root: foreign.kitti(root, text=True), lambda root: foreign.bdd(root, tracked=True), foreign.carla]
)
def test_an_object_has_one_code_in_all_frames_of_its_video(write, tmp_path):
    opened = open_dataset(write(tmp_path / "data"))
    (video,) = opened.videos
    tracks = opened.tracks()
    assert list(tracks) == [frame.name for frame in video.frames]
    first, *others = tracks.values()
    assert 33000 in first
    assert all(other == first for other in others)


def test_tracks_that_leave_do_not_renumber_the_others(tmp_path):
    root = foreign.bdd(tmp_path / "data", tracked=True)
    path = root / "labels/seg_track_20/bitmasks/train/0000f77c/0000f77c-0000002.png"
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    pixels[foreign.labels()[1] == 33000] = 0  # the first car leaves in the second picture
    cv2.imwrite(str(path), pixels)
    present = [set(np.unique(frame.read_label())) & {33000, 33001} for frame in open_dataset(root).frames]
    assert present == [{33000, 33001}, {33001}, {33000, 33001}]


def test_pictures_that_are_not_consecutive_have_no_tracks(tmp_path):
    for opened in (
        open_dataset(foreign.cityscapes(tmp_path / "a")),
        open_dataset(foreign.carla(tmp_path / "b", "0.9.15")),
    ):
        with pytest.raises(DatasetError, match="nobody labelled the identities"):
            opened.tracks()


# --- what each format gets wrong ---------------------------------------------------------------------


def refused(root, match, **of):
    with pytest.raises(LabelError, match=match) as caught:
        open_dataset(root).frames[0].read_label()
    assert "Fix: " in str(caught.value)


def first(root, pattern):
    return next(iter(sorted(root.rglob(pattern))))


def test_a_cityscapes_label_is_no_wad_label(tmp_path):
    root = foreign.cityscapes(tmp_path / "data")
    with pytest.raises(LabelError, match="33 is a bicycle, not a car"):
        read_label(first(root, "aachen*_instanceIds.png"))


def test_wads_own_label_is_no_cityscapes_label(tmp_path):
    root = foreign.cityscapes(tmp_path / "data")
    foreign.png(first(root, "aachen*_instanceIds.png"), foreign.labels()[0])
    refused(root, "none that cityscapes defines")


def test_cityscapes_in_8_bits_or_as_train_ids(tmp_path):
    root = foreign.cityscapes(tmp_path / "data")
    foreign.png(first(root, "aachen*_instanceIds.png"), np.zeros(foreign.SHAPE, np.uint8))
    refused(root, "expected a 16-bit grey PNG, got 8-bit")
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"only such as .*labelIds"):
        open_dataset(root)


def test_cityscapes_test_labels_are_blank_and_not_learnt_from(tmp_path):
    (berlin,) = open_dataset(foreign.cityscapes(tmp_path / "data")).test_videos
    assert [frame.label_path for frame in berlin.frames] == [None]


@pytest.mark.parametrize(
    ("value", "code"),
    [(26, 65535), (26000, 33000), (33004, 35004), (31000, 65535), (3, 65535), (23, 255), (30, 65535), (5, 65535)],
)
def test_cityscapes_values(value, code, tmp_path):
    root = foreign.cityscapes(tmp_path / "data")
    foreign.png(first(root, "aachen*_instanceIds.png"), np.full(foreign.SHAPE, value, np.uint16))
    assert (open_dataset(root).frames[0].read_label() == code).all()


def test_bdd_without_alpha_or_resized_with_it(tmp_path):
    root = foreign.bdd(tmp_path / "data")
    path = first(root, "bitmasks/train/*.png")
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    foreign.png(path, pixels[:, :, :3])
    refused(root, "expected an 8-bit PNG of 4 channels, got 3")
    from PIL import Image

    rgba = Image.fromarray(np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3]]))
    rgba.resize(foreign.SHAPE[::-1], Image.Resampling.BILINEAR, box=(0, 0, 99.5, 60)).save(path)
    refused(root, "instances without a class|none that bdd100k defines")
    pixels[..., 2] = 11
    foreign.png(path, pixels)
    refused(root, "class 11 is none that bdd100k defines")


def test_bdd_ids_need_both_bytes(tmp_path):
    """Ids 300 and 44 differ in the blue channel alone."""
    root = foreign.bdd(tmp_path / "data")
    path = first(root, "bitmasks/train/*.png")
    pixels = np.zeros((*foreign.SHAPE, 4), np.uint8)
    pixels[:30], pixels[30:] = (1, 0, 3, 44), (0, 0, 3, 44)
    foreign.png(path, pixels)
    assert np.unique(open_dataset(root).frames[0].read_label()).tolist() == [33000, 33001]


@pytest.mark.parametrize(
    ("version", "match"), [("0.9.13", "smeared by one"), ("0.9.11", "tag 10 is every vehicle"), ("new", "carla.json")]
)
def test_carla_of_an_old_version_is_refused_with_the_reason(version, match, tmp_path):
    with pytest.raises(DatasetError, match=match):
        open_dataset(foreign.carla(tmp_path / "data", version))


def test_carla_asks_for_the_version(tmp_path):
    root = foreign.carla(tmp_path / "data")
    (root / "carla.json").unlink()
    with pytest.raises(DatasetError, match=r'write \{"version": "0.9.16"'):
        open_dataset(root)


def test_carla_as_jpeg_is_refused(tmp_path):
    root = foreign.carla(tmp_path / "data")
    shutil.copy(first(root, "rgb/*.png"), root / "x.png")
    cv2.imwrite(str(root / "x.jpg"), cv2.imread(str(root / "x.png")))
    (root / "x.jpg").replace(first(root, "instance/*.png"))
    refused(root, "got a JPEG")


@pytest.mark.parametrize("kind", ["cityscapes", "bdd100k", "carla", "kitti_mots", "apolloscape"])
def test_files_that_are_cut_off_or_missing_are_named(kind, tmp_path):
    root = KINDS[kind][0](tmp_path / "data")
    frame = open_dataset(root).frames[0]
    data = frame.label_path.read_bytes()
    for content in (data[: len(data) // 2], b"", b"no picture"):
        frame.label_path.write_bytes(content)
        with pytest.raises(LabelError, match=frame.label_path.name):
            frame.read_label()
    frame.label_path.unlink()
    with pytest.raises(LabelError, match=frame.label_path.name):
        frame.read_label()
    assert {problem.kind for problem in open_dataset(root).problems} == {"missing label"}
    assert "missing label: 1" in open_dataset(root).summary()


def test_apolloscape_without_groups_file_keeps_its_instances(tmp_path):
    root = foreign.apolloscape(tmp_path / "data")
    for path in root.rglob("*_bin.png"):
        path.unlink()
    label = open_dataset(root).frames[0].read_label()
    assert IGNORE not in label
    assert 33000 in label


# --- which dataset is it? ----------------------------------------------------------------------------


def test_two_candidates_are_both_named_and_a_kind_decides(tmp_path, tiny_wad):
    root = tiny_wad("data", videos=1, frames=1)
    foreign.cityscapes(root)
    with pytest.raises(DatasetError, match="looks like wad and cityscapes"):
        open_dataset(root)
    assert open_dataset(root, kind="wad").kind == "wad"
    with pytest.raises(DatasetError, match="expected a kind among wad, cityscapes"):
        open_dataset(root, kind="citiscapes")


def test_wad_is_opened_as_before_and_nothing_as_something(tmp_path, tiny_wad):
    root = tiny_wad("data", videos=1, frames=2)
    assert open_dataset(root) == open_wad(root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="expected train_color"):
        open_dataset(tmp_path / "empty")
    (tmp_path / "bare/gtFine").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no picture and no label"):
        open_dataset(tmp_path / "bare")


# --- the same size in both ---------------------------------------------------------------------------


def test_an_object_has_the_same_size_as_in_wad():
    """A car of 1.5 m, 20 m away, is 2304 * 1.5 / 20 = 172.8 px high in WAD, and its foot 1.6 m below the camera."""
    for camera, shape in (
        (Camera(2262.5, 427), (1024, 2048)),
        (Camera(721.5, 172.9), (375, 1242)),
        (Camera(400, 300), (600, 800)),
    ):
        for name in ("strip", "report"):
            view = VIEWS[name]
            place = fit(shape, camera, view)
            (y1, x1, y2, x2), (top, left, bottom, right) = place.region, place.window
            across, down = (right - left) / (x2 - x1), (bottom - top) / (y2 - y1)
            wanted = WAD_CAMERA.focal_px / camera.focal_px / view.factor
            assert across == pytest.approx(wanted, rel=0.02)
            assert down == pytest.approx(wanted, rel=0.02)
            foot = camera.horizon_px + camera.focal_px * 1.6 / 20
            in_view = top + (foot - y1) * down
            in_wad = (WAD_CAMERA.horizon_px + WAD_CAMERA.focal_px * 1.6 / 20 - view.rows[0]) / view.factor
            assert in_view == pytest.approx(in_wad, abs=1.5)
    assert fit((2710, 3384), WAD_CAMERA, VIEWS["strip"]) == ((1536, 28, 2304, 3356), (0, 0, 384, 1664), (384, 1664))


def test_a_camera_in_millimetres_or_of_another_picture_is_refused():
    with pytest.raises(DatasetError, match="focal length above 0"):
        Camera(0, 0)
    with pytest.raises(DatasetError, match="shows nothing of the view strip"):
        fit((100, 100), Camera(2000, 5000), VIEWS["strip"])


@pytest.mark.parametrize("kind", KINDS)
def test_prepared_frames_are_wads_and_remember_where_they_come_from(kind, tmp_path):
    write, _, classes = KINDS[kind]
    if kind == "apolloscape":
        pytest.skip("its frames are WAD's own, of full size: tests/dataset/test_prepare.py")
    opened = open_dataset(write(tmp_path / "data"))
    report = prepare(opened, tmp_path / "out", view="strip", workers=1, progress=False)
    assert (report.prepared, report.failed) == (3, ())
    again = open_wad(tmp_path / "out")
    assert [video.name for video in again.videos] == [video.name for video in opened.train_videos]
    assert [frame.name for frame in again.frames] == [frame.name for frame in opened.frames]
    assert again.kind == kind
    assert again.frames[0].unlabelled == opened.frames[0].unlabelled
    image, label = again.frames[0].read_pair()
    assert image.shape == (384, 1664, 3)
    place = fit(foreign.SHAPE, opened.source.camera, VIEWS["strip"])
    np.testing.assert_array_equal(label, place.label(foreign.only(foreign.labels()[0], classes)))
    assert label[0, 0] == IGNORE or kind != "cityscapes"  # whose pictures are not as wide as WAD's
    assert prepare(opened, tmp_path / "out", view="strip", workers=1, progress=False).skipped == 3
    if opened.source.tracks:
        assert again.tracks() == {
            frame.name: {int(c): int(c) for c in np.unique(frame.read_label()) if c // 1000 in CLASSES}
            for frame in again.frames
        }


def test_an_origin_that_names_nothing_is_refused(tmp_path, tiny_wad):
    root = tiny_wad("data", videos=1, frames=1)
    (root / "origin.json").write_text('{"dataset": "kitty", "tracks": false}')
    with pytest.raises(DatasetError, match=r"origin.json: .*kitty"):
        open_wad(root)


def test_an_origin_says_what_nobody_labelled(tmp_path, tiny_wad):
    """A set of boxes of cars, trucks and buses alone, made into frames: the table of its format does not know that."""
    root = tiny_wad("data", videos=1, frames=1, test=False)
    (root / "origin.json").write_text('{"dataset": "coco", "tracks": false, "unlabelled": [34, 35, 36, 40]}')
    assert open_wad(root).frames[0].unlabelled == (34, 35, 36, 40)
    assert prepare(open_wad(root), tmp_path / "out", workers=1, progress=False).failed == ()
    assert open_wad(tmp_path / "out").frames[0].unlabelled == (34, 35, 36, 40)
    (root / "origin.json").write_text('{"dataset": "coco", "tracks": false}')  # as written by older versions
    assert open_wad(root).frames[0].unlabelled == (40,)
    for wrong in ("[255]", '["truck"]', "7", "[true]"):
        (root / "origin.json").write_text(f'{{"dataset": "coco", "tracks": false, "unlabelled": {wrong}}}')
        with pytest.raises(DatasetError, match=r"origin.json"):
            open_wad(root)


# --- the rest of wadlib works unchanged --------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_exports_of_the_truth_itself(kind, tmp_path):
    import json

    from wadlib.frames import write_label
    from wadlib.interop.coco import write_coco
    from wadlib.interop.kitti_mots import write_kitti_mots
    from wadlib.metrics import evaluate_folder

    opened = open_dataset(KINDS[kind][0](tmp_path / "data"))
    (tmp_path / "pred/label").mkdir(parents=True)
    for frame in opened.frames:
        write_label(tmp_path / f"pred/label/{frame.name}_instanceIds.png", frame.read_label())
    scores = evaluate_folder(opened.frames, tmp_path / "pred", workers=1, progress=False).to_dict(0)
    assert scores["report_iou"]["car"] == scores["ap"]["car"] == 1
    assert scores["report_iou"]["tricycle"] is None
    write_coco(opened.frames, tmp_path / "coco.json", workers=1, progress=False)
    names = [image["file_name"] for image in json.loads((tmp_path / "coco.json").read_text())["images"]]
    assert len(set(names)) == 3
    assert (
        sum(v.frames for v in write_kitti_mots(opened.train_videos, tmp_path / "mots", workers=1, progress=False)) == 3
    )


def test_the_viewer_shows_them(tmp_path):
    from wadlib.viewer import MaskViewer

    frame = open_dataset(foreign.cityscapes(tmp_path / "data")).frames[0]
    MaskViewer(frame)


# --- real files, where somebody has brought them -----------------------------------------------------


def test_a_real_bitmask_of_bdd100k(tmp_path):
    """The toolkit's own test file; counts by a loop over its definition."""
    import os
    import subprocess

    toolkit = os.environ.get("BDD100K_TOOLKIT")
    if not toolkit:
        pytest.skip("BDD100K_TOOLKIT does not name a clone of github.com/bdd100k/bdd100k")
    name = "HEAD:tests/eval/testcases/ins_seg/gt/a.png"
    data = subprocess.run(["git", "-C", toolkit, "show", name], capture_output=True, check=True).stdout
    foreign.picture(tmp_path / "images/10k/val/a.jpg", shape=(720, 1280))
    mask = tmp_path / "labels/ins_seg/bitmasks/val/a.png"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(data)
    try:
        label = open_dataset(tmp_path).frames[0].read_label()
    except WadError as error:
        pytest.fail(str(error))
    bgra = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).astype(int)
    ids, classes, bits = bgra[..., 0] * 256 + bgra[..., 3], bgra[..., 2], bgra[..., 1]
    back = {theirs: wad for wad, theirs in foreign.BDD.items()}
    for key in np.unique(np.stack([classes, ids, bits & 3], -1).reshape(-1, 3), axis=0):
        class_id, number, group = (int(v) for v in key)
        there = (classes == class_id) & (ids == number) & (bits & 3 == group)
        codes = np.unique(label[there])
        assert len(codes) == 1, key
        wanted = 65535 if group or class_id == 6 else 255 if class_id == 0 else back[class_id]
        assert int(codes[0]) in (wanted, *range(wanted * 1000, wanted * 1000 + 1000))
        if wanted < 100:
            assert (label == codes[0]).sum() == there.sum()
