"""The embedded dataset: geometry by hand, labels against pictures, statistics against WAD's, files."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from wadlib.errors import RenderError, StorageError
from wadlib.frames import read_image, read_label
from wadlib.labels import BACKGROUND, IDS, IGNORE, decode
from wadlib.preprocess import VIEWS
from wadlib.rendered import render_dataset, render_frame, write
from wadlib.rendered.drawing.camera import CX, FULL, FX, FY, NETWORK, Camera, camera
from wadlib.rendered.drawing.masks import KEEP, cluster, tidy
from wadlib.rendered.drawing.materials import leaf_texture
from wadlib.rendered.drawing.raster import cast_shadows, draw
from wadlib.rendered.render import make_video, render
from wadlib.rendered.street import crowd
from wadlib.rendered.street.bonnet import outline
from wadlib.rendered.street.ground import road_coordinates
from wadlib.rendered.street.light import KINDS
from wadlib.rendered.street.road import Bend, Road, curve_tables, make_layout, place
from wadlib.rendered.street.traffic import EGO_SPEED, actors_at


# --- camera -----------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [5, 6])
def test_the_road_ends_in_the_vanishing_point(number: int) -> None:
    lens = camera(number)
    column, row, _ = lens.project([[1e9, 0, 0]])[0]
    assert (column, row) == pytest.approx(lens.vanishing_point, abs=1e-3)
    assert np.allclose(lens.rotation() @ lens.rotation().T, np.eye(3))
    # Every horizontal direction ends on the same row: the cameras do not roll.
    assert lens.project([[1e9, 3e8, 0]])[0, 1] == pytest.approx(row, abs=1e-3)


def test_a_camera_without_turn_is_the_pinhole_equation() -> None:
    lens = Camera(5, (CX, 1354.98), height_m=2.0)
    column, row, depth = lens.project([[10.0, -1.0, 0.0]])[0]
    assert (column, row, depth) == pytest.approx((CX + FX / 10, 1354.98 + FY * 2 / 10, 10))


def test_there_are_two_cameras() -> None:
    with pytest.raises(RenderError, match="no Camera 7"):
        camera(7)


# --- raster -----------------------------------------------------------------------------------
def _draw(triangles: list[object], size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Look along x from the origin with focal length `size` at triangles of the ego frame."""
    triangles_ = np.array(triangles, np.float32)
    n = len(triangles_)
    view = np.array([0, -1, 0, 0, 0, -1, 1, 0, 0, size, size, (size - 1) / 2, (size - 1) / 2, 0.0])
    nearness, front = np.zeros((size, size), np.float32), np.full((size, size), -1, np.int32)
    source = np.zeros(2 * n, np.int32)
    draw(triangles_, np.zeros((n, 3, 2), np.float32), np.zeros(n, np.uint8), np.arange(n), view, leaf_texture(),
         nearness, front, np.zeros((2 * n, 9)), source)  # fmt: skip
    return nearness, np.where(front < 0, -1, source[front])


def test_the_nearer_triangle_wins_whatever_the_order() -> None:
    near = [(2, 5, -5), (2, -5, -5), (2, 0, 9)]
    far = [(4, 9, -9), (4, -9, -9), (4, 0, 20)]
    for order, winner in (([near, far], 0), ([far, near], 1)):
        nearness, front = _draw(order)
        assert (front[4] == winner).all()
        assert nearness[4] == pytest.approx(1 / 2)


def test_two_triangles_of_a_square_leave_no_gap() -> None:
    a, b, c, d = (1, 0.31, -0.27), (1, -0.29, -0.27), (1, -0.29, 0.33), (1, 0.31, 0.33)
    _, front = _draw([[a, b, c], [a, c, d]], size=64)
    rows, columns = np.nonzero(front >= 0)
    inside = front[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (inside >= 0).all()
    # |y| 0.31 + 0.29 at distance 1 and focal length 64 spans 38.4 columns.
    assert columns.max() - columns.min() + 1 in (38, 39)


def test_a_triangle_through_the_camera_is_cut_not_mirrored() -> None:
    _, front = _draw([[(-5, 0, -1), (20, 6, -1), (20, -6, -1)]], size=32)
    assert (front[:16] == -1).all()  # a floor below the eye stays below the horizon
    assert (front[-1] >= 0).any()


def test_a_shadow_falls_away_from_the_sun() -> None:
    shadow = np.zeros((20, 20), np.uint8)
    wall = np.array([[(0, -2, 0), (0, 2, 0), (0, 2, 3)], [(0, -2, 0), (0, 2, 3), (0, -2, 3)]], np.float32)
    cast_shadows(wall, np.zeros((2, 3, 2), np.float32), np.zeros(2, np.uint8), np.array([2.0, 0.0]), leaf_texture(),
                 np.array([-10.0, -10.0]), 1.0, shadow)  # fmt: skip
    rows, columns = np.nonzero(shadow)
    assert (rows.min(), rows.max()) == (10, 15)  # 3 m high, 2 m of shadow per metre: 0 <= x < 6
    assert (columns.min(), columns.max()) == (8, 11)


# --- road -------------------------------------------------------------------------------------
def test_road_coordinates_undo_place() -> None:
    road = Road(make_layout("street", np.random.default_rng(0)), Bend(((0.3, 420.0, 1.0),)), 0.0, 0.0, 0.5)
    curve, inverse = curve_tables(road, 37.0, -1.7)
    for s, d in ((0.0, 0.0), (8.0, -5.0), (60.0, 12.0), (150.0, -8.0)):
        x, y, _ = place(curve, s, d)
        assert road_coordinates(float(x), float(y), curve, inverse) == pytest.approx((s, d), abs=0.05)
    assert place(curve, 0.0, -1.7)[:2] == pytest.approx((0, 0))  # the car itself


def test_a_straight_road_is_straight() -> None:
    road = Road(make_layout("avenue", np.random.default_rng(1)), Bend(), 0.0, 0.0, 0.5)
    curve, _ = curve_tables(road, 5.0, -3.0)
    assert place(curve, 100.0, 2.0) == pytest.approx((100.0, 5.0, 0.0))


@pytest.mark.parametrize("kind", ["avenue", "street", "boulevard"])
def test_one_drives_on_the_right(kind: str) -> None:
    for seed in range(5):
        layout = make_layout(kind, np.random.default_rng(seed))
        assert all(d < 0 for d in layout.own)
        assert all(d > 0 for d in layout.oncoming)
        assert layout.ego in layout.own
        assert all((d < 0) == (direction > 0) for d, direction in layout.cycling)


# --- traffic ----------------------------------------------------------------------------------
def test_traffic_moves_smoothly_and_keeps_its_identity() -> None:
    video = make_video(0, 5)
    before = {a.track: a for a in actors_at(video.road, video.streams, 5, 3.0)}
    after = {a.track: a for a in actors_at(video.road, video.streams, 5, 3.139)}
    both = before.keys() & after.keys()
    assert len(both) > 0.8 * len(before)
    for track in both:
        a, b = before[track], after[track]
        assert (a.class_id, a.shape_seed) == (b.class_id, b.shape_seed)
        assert math.hypot(a.s - b.s, a.d - b.d) < 0.139 * (20 + EGO_SPEED)


def test_nobody_stands_inside_the_recording_car_or_inside_a_neighbour() -> None:
    for number in range(6):
        video = make_video(0, number)
        actors = actors_at(video.road, video.streams, number, 2.0)
        assert not [a for a in actors if abs(a.s) < 2 and abs(a.d - video.road.layout.ego) < 0.8]
        cars = [a for a in actors if a.class_id == 33 and abs(math.sin(a.heading)) < 0.1]
        for i, a in enumerate(cars):
            for b in cars[i + 1 :]:
                assert abs(a.s - b.s) > 4 or abs(a.d - b.d) > 1.5


def test_every_eight_videos_have_wads_spread_of_traffic() -> None:
    for seed in (0, 5):
        totals = [sum(crowd._wanted(seed, video).values()) for video in range(16)]
        for block in (totals[:8], totals[8:]):
            steps = np.array(sorted(block))
            assert (np.diff(steps) > 0).all()
            assert steps[-1] > 3 * np.median(steps) > 3 * 2 * steps[0]  # p5, median and p95 are 3, 13 and 51


def test_what_the_camera_sees_decides_who_is_on_the_road() -> None:
    present = dict.fromkeys(IDS, 0)
    for number in range(8):
        video = make_video(0, number, write.camera_number(number))
        seen = {m[0] for stream in video.streams for m in stream.members}
        for class_id in seen:
            present[class_id] += 1
    assert min(present.values()) >= 5  # every class in most videos
    assert present[33] == 8


def test_two_objects_in_a_line_of_sight_are_one_seen_object() -> None:
    box = np.array([[10, 20, 30, 60], [12, 25, 28, 55]])
    moment = crowd._Moment(None, None, np.array([9.0, 20.0]), box, np.array([5000.0, 3000.0]))
    assert crowd._seen(moment, np.array([True, True])).tolist() == [1, 0]
    assert crowd._seen(moment, np.array([False, True])).tolist() == [0, 1]


# --- masks ------------------------------------------------------------------------------------
def test_thin_leaves_do_not_cut_a_mask_and_specks_in_a_crown_are_no_mask() -> None:
    owner = np.full((20, 40), -1, np.int32)
    owner[4:16, 2:16] = 7
    owner[8, 5:12] = -1  # a twig across the object
    owner[10, 30] = 3  # a glimpse of another through a crown
    pierced = owner < 0
    pierced[:, 18:22] = False
    change = tidy(owner, pierced)
    assert (change[8, 5:12] == 7).all()
    assert change[10, 30] == -1
    assert (change[4:16, 2:16][owner[4:16, 2:16] == 7] == KEEP).all()  # corners stay
    assert (tidy(owner, np.zeros_like(pierced)) == KEEP).all()


def test_tiny_neighbours_become_one_blob() -> None:
    tiny = np.zeros((9, 20), bool)
    tiny[4, [3, 6, 15]] = True
    assert np.argwhere(cluster(tiny)).tolist() == [[4, 4], [4, 5]]


# --- frames -----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def network_frame():  # type: ignore[no-untyped-def]
    return render_frame(video=5, frame=10, seed=0)


@pytest.fixture(scope="module")
def full_frame():  # type: ignore[no-untyped-def]
    return render(make_video(0, 5, write.camera_number(5)), 10, FULL)


def assert_in_place(one: np.ndarray, other: np.ndarray) -> None:
    """Two renderings of one view are less than half a pixel apart: no shift by one makes them more alike."""
    moved = {
        (dy, dx): np.abs(one[1:-1, 1:-1].astype(float) - np.roll(other, (dy, dx), (0, 1))[1:-1, 1:-1]).mean()
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    }
    assert moved.pop((0, 0)) < min(moved.values())


def test_strip_is_the_part_of_the_full_frame_that_holds_the_objects(full_frame) -> None:  # type: ignore[no-untyped-def]
    strip = render_frame(video=5, frame=10, seed=0, size="strip")
    view = VIEWS["strip"]
    assert strip.image.shape == (384, 1664, 3)
    np.testing.assert_array_equal(strip.label, full_frame.label[view.window])
    whole = view.shrink(full_frame.image)
    assert_in_place(whole, strip.image)
    # The strip's vignette counts from its own corners: its ends are darker than those of the whole frame.
    assert np.abs(whole.astype(int) - strip.image).mean() < 6
    assert strip.tracks.items() <= full_frame.tracks.items()  # who stands above or below it is not in the strip


def test_network_frame_is_the_crop_of_the_full_frame(network_frame, full_frame) -> None:  # type: ignore[no-untyped-def]
    full = full_frame
    assert full.image.shape == (2710, 3384, 3)
    assert full.label.shape == (2710, 3384)
    cut = full.label[75:2635:4, 28:3356:4]
    np.testing.assert_array_equal(network_frame.label, cut)
    small = cv2.resize(full.image[75:2635, 28:3356], (832, 640), interpolation=cv2.INTER_AREA)
    assert_in_place(small, network_frame.image)
    # Noise and rounding differ, brightness does not.
    assert np.abs((small.astype(float) - network_frame.image).mean(axis=(0, 1))).max() < 0.5


def test_label_holds_what_wads_labels_hold(network_frame) -> None:  # type: ignore[no-untyped-def]
    image, label = network_frame.image, network_frame.label
    assert (image.shape, image.dtype) == ((640, 832, 3), np.uint8)
    assert (label.shape, label.dtype) == ((640, 832), np.uint16)
    codes = set(np.unique(label).tolist()) - {BACKGROUND, IGNORE}
    assert codes
    assert codes <= set(network_frame.tracks)
    assert {int(decode(c)[0]) for c in codes} <= set(IDS)
    assert len(set(network_frame.tracks.values())) == len(network_frame.tracks)


def test_own_bonnet_is_background(network_frame) -> None:  # type: ignore[no-untyped-def]
    for number in (5, 6):
        mask = outline(number, FULL) > 0
        rows, columns = np.nonzero(mask)
        assert rows.min() > 2340
        assert (columns.mean() > 1692) == (number == 5)
    hidden = outline(write.camera_number(5), NETWORK)[::2, ::2] > 0
    assert (network_frame.label[hidden] == BACKGROUND).all()


def test_instance_numbers_change_but_tracks_do_not() -> None:
    first, second = (render_frame(video=0, frame=f) for f in (0, 1))
    shared = set(first.tracks.values()) & set(second.tracks.values())
    assert len(shared) > 5
    code = [{track: code for code, track in r.tracks.items()} for r in (first, second)]
    assert any(code[0][t] != code[1][t] for t in shared)
    assert all(code[0][t] // 1000 == code[1][t] // 1000 for t in shared)


def test_an_object_looks_different_from_the_road_around_it(network_frame) -> None:  # type: ignore[no-untyped-def]
    """Label and picture fit: colours change at the labels' borders more than elsewhere on the same rows."""
    grey = network_frame.image.astype(float).mean(axis=2)
    step = np.abs(np.diff(grey, axis=1))
    border = np.diff(network_frame.label.astype(int), axis=1) != 0
    rows = border.any(axis=1)
    assert step[border].mean() > 2 * step[rows][~border[rows]].mean()


def test_four_kinds_of_light_in_any_four_videos() -> None:
    assert len({light.name for light in KINDS}) == 4
    for first in (0, 4, 8):
        videos = [make_video(0, number) for number in range(first, first + 4)]
        assert {v.light.name for v in videos} == {light.name for light in KINDS}
        assert {v.camera.number for v in videos} == {5, 6}
    bright = {make_video(0, number).light.name: render_frame(video=number).image.mean() for number in range(4)}
    assert bright["noon"] > 1.5 * bright["dusk"]


# --- files ------------------------------------------------------------------------------------
SMALL = {"videos": 2, "frames": 2, "size": "network", "workers": 1, "progress": False}


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_dataset(tmp_path_factory.mktemp("set") / "wad", test_videos=1, every=5, **SMALL)


def test_kaggle_layout(small_set: Path) -> None:
    assert sorted(p.name for p in small_set.iterdir()) == [
        ".lock", "render.json", "test", "test_video_list_and_name_mapping", "tracks.json", "train_color", "train_label",
        "train_video_list",
    ]  # fmt: skip
    text = (small_set / "train_video_list" / "road01_cam_5_video_1_image_list_train.txt").read_text()
    folder = r"Record001\Camera 5"
    assert text == (
        rf"road01_ins\ColorImage\{folder}\180101_080000000_Camera_5.jpg" + "\t"
        rf"road01_ins\Label\{folder}\180101_080000000_Camera_5_instanceIds.png" + "\n"
        rf"road01_ins\ColorImage\{folder}\180101_080000695_Camera_5.jpg" + "\t"
        rf"road01_ins\Label\{folder}\180101_080000695_Camera_5_instanceIds.png" + "\n\n\n"
    )
    names = {p.stem for p in (small_set / "train_color").iterdir()}
    assert {p.name for p in (small_set / "train_label").iterdir()} == {f"{n}_instanceIds.png" for n in names}
    mapping = (
        next((small_set / "test_video_list_and_name_mapping" / "list_test_mapping").iterdir()).read_text().split("\n")
    )
    assert {line.split("\t")[0] for line in mapping if line} == {p.stem for p in (small_set / "test").iterdir()}


def test_tracks_name_every_code(small_set: Path) -> None:
    videos = json.loads((small_set / "tracks.json").read_text())["videos"]
    assert sorted(videos) == ["road01_cam_5_video_1", "road01_cam_6_video_2"]
    for frames in videos.values():
        for name, tracks in frames.items():
            assert read_image(small_set / "train_color" / f"{name}.jpg").shape == (640, 832, 3)
            label = read_label(small_set / "train_label" / f"{name}_instanceIds.png", (640, 832))
            codes = set(np.unique(label).tolist()) - {BACKGROUND, IGNORE}
            assert {str(c) for c in codes} <= set(tracks)


@pytest.mark.slow
def test_two_processes_at_once(small_set: Path, tmp_path: Path) -> None:
    """As when two notebooks start in a fresh clone: neither takes the other's files away."""
    options = {"test_videos": 1, "every": 5} | SMALL
    call = f"from wadlib.rendered import render_dataset; render_dataset({str(tmp_path / 'wad')!r}, **{options})"
    both = [subprocess.Popen([sys.executable, "-c", call], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert (tmp_path / "wad" / "tracks.json").read_bytes() == (small_set / "tracks.json").read_bytes()


def test_same_request_same_bytes_and_resume(small_set: Path, tmp_path: Path) -> None:
    again = render_dataset(tmp_path / "wad", test_videos=1, every=5, **SMALL)
    files = sorted(p.relative_to(small_set) for p in small_set.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    for name in files:
        assert (small_set / name).read_bytes() == (again / name).read_bytes(), name
    gone = next((again / "train_label").iterdir())
    kept = next((again / "train_color").iterdir())
    before, expected = kept.stat().st_mtime_ns, gone.read_bytes()
    gone.unlink()
    render_dataset(again, test_videos=1, every=5, **SMALL)
    assert gone.read_bytes() == expected
    assert (kept.stat().st_mtime_ns == before) == (kept.stem not in gone.name)


def test_interrupted_set_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(write, "write_label", stop)
        with pytest.raises(Stop):
            render_dataset(tmp_path / "wad", **{**SMALL, "videos": 1})
    assert not (tmp_path / "wad" / "tracks.json").exists()
    root = render_dataset(tmp_path / "wad", **{**SMALL, "videos": 1})
    assert len(list((root / "train_label").iterdir())) == 2
    assert not (root / ".tracks").exists()


def test_another_request_in_the_same_folder_is_refused(small_set: Path, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="choose another folder"):
        render_dataset(small_set, test_videos=1, every=5, **{**SMALL, "frames": 3})
    (tmp_path / "real" / "train_color").mkdir(parents=True)
    with pytest.raises(RenderError, match=r"without render\.json"):
        render_dataset(tmp_path / "real", **SMALL)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        render_dataset(tmp_path / "file", **SMALL)


@pytest.mark.parametrize(
    "wrong", [{"videos": 0}, {"frames": 2.5}, {"size": "tiny"}, {"every": 0}, {"seed": -1}, {"frames": True}]
)
def test_wrong_request(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="render_dataset: " + next(iter(wrong))):
        render_dataset(tmp_path / "wad", **{**SMALL, **wrong})
    assert not (tmp_path / "wad").exists()


def test_names_are_unique_and_never_those_of_real_frames() -> None:
    names = [write.frame_name(0, v, f) for v in range(20) for f in range(400)]
    assert len(set(names)) == len(names)
    assert all(n.startswith("18") for n in names)


@pytest.mark.parametrize("folder", ["train_label", "train_video_list", "test", "test_video_list_and_name_mapping"])
def test_a_dataset_that_is_not_whole_yet_is_not_rendered_into(tmp_path: Path, folder: str) -> None:
    """The Kaggle archives come one by one."""
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "road01_cam_5_video_1_image_list_train.txt").write_text("theirs")
    with pytest.raises(RenderError, match=rf"holds a {folder} folder without render\.json"):
        render_dataset(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == [folder]
    assert next((tmp_path / folder).iterdir()).read_text() == "theirs"


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", "{}", '{"videos": 3}', '{"videos": {"v": {"a": 5}}}', "[" * 9999]
)
def test_damaged_identities_are_drawn_again(small_set: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(small_set, tmp_path / "wad")
    (tmp_path / "wad" / "tracks.json").write_text(damage)
    render_dataset(tmp_path / "wad", test_videos=1, every=5, **SMALL)
    assert (tmp_path / "wad" / "tracks.json").read_bytes() == (small_set / "tracks.json").read_bytes()


def test_what_a_kill_leaves_stops_nothing(small_set: Path, tmp_path: Path) -> None:
    """An empty, hidden part of an identity, and a picture with nothing in it."""
    shutil.copytree(small_set, tmp_path / "wad")
    (tmp_path / "wad" / ".tracks").mkdir()
    (tmp_path / "wad" / ".tracks" / ".180101_080000000_Camera_5.000000000000.part.json").touch()
    picture = next((tmp_path / "wad" / "train_color").iterdir())
    picture.write_bytes(b"")
    render_dataset(tmp_path / "wad", test_videos=1, every=5, **SMALL)
    assert picture.read_bytes() == (small_set / "train_color" / picture.name).read_bytes()
