"""Wild streets: more background, the same labels; what a camera does to light, in fractions."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wadlib.errors import RenderError
from wadlib.labels import BACKGROUND, IGNORE
from wadlib.rendered import render as renderer
from wadlib.rendered import render_dataset, render_frame, write
from wadlib.rendered.drawing.board import LAYER_M, flatten, hang, rectangle
from wadlib.rendered.drawing.camera import FULL, NETWORK
from wadlib.rendered.drawing.materials import KERB
from wadlib.rendered.drawing.mesh import box
from wadlib.rendered.drawing.photograph import (
    Photograph,
    add_grain,
    add_motion,
    develop,
    draw_photograph,
    expose,
    glare,
    motion_kernel,
)
from wadlib.rendered.drawing.soup import Soup, cuboid
from wadlib.rendered.drawing.strokes import glyph, small_print, stroke, writing
from wadlib.rendered.render import make_video, render
from wadlib.rendered.road_users.shapes import make_shape
from wadlib.rendered.street.boards import boards
from wadlib.rendered.street.clutter import clutter
from wadlib.rendered.street.ground import road_coordinates
from wadlib.rendered.street.posters import poster, shop, sign
from wadlib.rendered.street.road import curve_tables, place
from wadlib.rendered.street.roadside import Roadside
from wadlib.rendered.street.traffic import EGO_SPEED, actors_at

FRAMES = ((0, 20), (4, 30), (5, 10))


@pytest.fixture(scope="module")
def pairs():  # type: ignore[no-untyped-def]
    """Plain and wild renderings of the same moments."""
    return [[render_frame(video, frame, wild=wild) for wild in (False, True)] for video, frame in FRAMES]


def scene(number: int, frame: int) -> tuple[Roadside, np.ndarray]:
    """What `clutter` is given in a frame, and the inverse of its curve."""
    video = make_video(0, number, write.camera_number(number), wild=True)
    travelled = EGO_SPEED * frame * renderer.FRAME_S
    curve, inverse = curve_tables(video.road, travelled, video.road.layout.ego)
    return Roadside(video.road, number, curve, travelled, video.camera), inverse


# --- labels -----------------------------------------------------------------------------------
def test_a_wild_label_is_the_plain_one_less_what_is_hidden(pairs) -> None:  # type: ignore[no-untyped-def]
    for plain, wild in pairs:
        told = (wild.label != BACKGROUND) & (wild.label != IGNORE)
        # Numbers are dealt alike in both, so that equal codes are equal tracks.
        np.testing.assert_array_equal(wild.label[told], plain.label[told])
        assert wild.tracks.items() <= plain.tracks.items()
        assert set(np.unique(wild.label).tolist()) - {IGNORE} <= set(np.unique(plain.label).tolist())
    assert sum((p.label != BACKGROUND).sum() - (w.label != BACKGROUND).sum() for p, w in pairs) > 100


def test_ignored_in_the_wild_is_what_was_an_object_or_ignored(pairs) -> None:  # type: ignore[no-untyped-def]
    """Hidden but for less than 90 pixels an object is ignored, as in a plain street; so is what lies between two."""
    for plain, wild in pairs:
        ignored = wild.label == IGNORE
        added = ignored & (plain.label == BACKGROUND)
        assert added.sum() <= 0.02 * max(ignored.sum(), 100)


def test_a_kiosk_hides_the_car_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    video = make_video(0, 5, write.camera_number(5), wild=True)
    monkeypatch.setattr(renderer, "clutter", lambda *_: Soup(*(np.zeros((0, *s), t) for s, t in FIELDS)))
    free = render(video, 10, NETWORK)
    code, seen = max(((c, int((free.label == c).sum())) for c in free.tracks), key=lambda row: row[1])
    time_s = 10 * renderer.FRAME_S
    actor = next(a for a in actors_at(video.road, video.streams, 5, time_s) if a.track == free.tracks[code])
    curve, _ = curve_tables(video.road, EGO_SPEED * time_s, video.road.layout.ego)
    x, y, _ = place(curve, actor.s, actor.d)
    kiosk = cuboid((0.5 * x, 0.5 * y), math.atan2(y, x), (0.5, 0.6, 2.5), (0.5, 0.5, 0.5), KERB)
    monkeypatch.setattr(renderer, "clutter", lambda *_: kiosk)
    covered = render(video, 10, NETWORK)
    left = int((covered.label == code).sum())
    assert left < seen
    told = (covered.label != BACKGROUND) & (covered.label != IGNORE)
    np.testing.assert_array_equal(covered.label[told], free.label[told])


FIELDS = [
    ((3, 3), np.float32),
    ((3, 2), np.float32),
    ((3,), np.float32),
    ((), np.uint8),
    ((), np.int32),
    ((), np.int32),
]


def test_no_photograph_changes_a_label(pairs) -> None:  # type: ignore[no-untyped-def]
    video = make_video(0, 5, write.camera_number(5), wild=True)
    rough = Photograph(gain=3.0, balance=(0.5, 1.0, 2.0), motion=20.0, glare=0.3, read=0.1, shot=0.01)
    other = render(replace(video, photograph=rough), 10, NETWORK)
    np.testing.assert_array_equal(other.label, pairs[2][1].label)
    assert np.abs(other.image.astype(int) - pairs[2][1].image).mean() > 10


def test_the_same_seed_gives_the_same_wild_street(pairs) -> None:  # type: ignore[no-untyped-def]
    again = render_frame(*FRAMES[1], wild=True)
    np.testing.assert_array_equal(again.image, pairs[1][1].image)
    np.testing.assert_array_equal(again.label, pairs[1][1].label)


def test_a_plain_street_is_drawn_without_all_this(pairs, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def stop(*_: object) -> None:
        raise AssertionError("only wild streets have clutter")

    for name in ("clutter", "wires", "shade_across", "develop", "draw_photograph", "Roadside"):
        monkeypatch.setattr(renderer, name, stop)
    write._video.cache_clear()
    video, frame = FRAMES[0]
    np.testing.assert_array_equal(render_frame(video, frame).image, pairs[0][0].image)
    assert replace(make_video(0, 0), photograph=Photograph()).streams == make_video(0, 0).streams


@pytest.mark.slow
def test_all_sizes_show_the_same_wild_scene() -> None:
    full = render(make_video(0, 5, write.camera_number(5), wild=True), 10, FULL)
    small = render_frame(5, 10, wild=True)
    np.testing.assert_array_equal(small.label, full.label[75:2635:4, 28:3356:4])
    assert small.tracks.items() <= full.tracks.items()


# --- where things stand -----------------------------------------------------------------------
@pytest.mark.parametrize("number", range(9))
def test_nothing_stands_where_anybody_drives(number: int) -> None:
    here, inverse = scene(number, 40 + number)
    layout = here.road.layout
    low = clutter(here, 0.2).triangles
    low = low[low[..., 2].max(axis=1) < 2.2].reshape(-1, 3)
    places = np.array([road_coordinates(float(x), float(y), here.curve, inverse) for x, y, _ in low])
    s, d = places[np.abs(places[:, 0]) < 170].T
    assert len(d) > 200
    driven = (np.abs(d) < layout.edge) & (np.abs(d) > max(layout.median, 0.3))
    assert not driven.any(), (number, s[driven][:5], d[driven][:5])
    crossings = here.road.crossings(here.travelled)
    for middle, half in crossings:
        inside = np.abs(s + here.travelled - middle) < half
        assert not inside.any(), (number, s[inside][:5], d[inside][:5])


def test_every_sheet_hangs_on_something_and_reads_from_left_to_right() -> None:
    """The right end of a sheet, seen from where it looks, is to the right of its left end."""
    sheet = rectangle(0.0, 0.0, 2.0, 1.0, (1, 1, 1))
    for facing in np.linspace(-3, 3, 7):
        soup = hang(sheet, (10.0, 3.0, 0.5), float(facing))
        normal = np.array([math.cos(facing), math.sin(facing), 0.0])
        points = soup.triangles.reshape(-1, 3).astype(float) - (10.0, 3.0, 0.5)
        right = np.cross(-normal, (0, 0, 1))  # of somebody who looks at it
        assert (points @ right).max() == pytest.approx(2.0, abs=1e-5)
        assert (points @ right).min() == pytest.approx(0.0, abs=1e-5)
        assert np.abs(points @ normal).max() < 1e-5
        assert points[:, 2].max() == pytest.approx(1.0, abs=1e-5)


def test_boards_belong_to_nobody() -> None:
    here, _ = scene(5, 10)
    parts = list(boards(here, 3.2))
    assert len(parts) > 20
    assert all((part.owner == -1).all() for part in parts)
    assert (clutter(here, 0.2).owner == -1).all()


def test_a_wild_video_keeps_its_things_from_frame_to_frame() -> None:
    """A metre on, the same things stand a metre nearer: colours in the order of s agree."""
    near, far = scene(0, 20)[0], scene(0, 21)[0]
    seen = [{(round(s + h.travelled, 6), draw) for s, draw in h.spots(51, 0, 7.0, 60.0, 8.0)} for h in (near, far)]
    assert len(seen[0] & seen[1]) >= len(seen[0]) - 1


# --- sheets -----------------------------------------------------------------------------------
def test_characters_stay_in_their_boxes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        strokes = glyph(rng)
        assert 4 <= len(strokes) <= 11
        assert strokes.min() >= 0
        assert strokes.max() <= 1
    wide = writing(rng, 4, (1.0, 2.0, 9.0, 3.0))
    assert wide[..., 0].min() >= 1
    assert wide[..., 0].max() <= 9
    assert np.ptp(wide[..., 1]) <= 1
    tall = writing(rng, 3, (0.0, 0.0, 1.0, 4.0))
    assert tall[..., 1].max() <= 4
    assert np.ptp(tall[..., 0]) <= 1
    assert small_print(rng, 3, (0.0, 0.0, 2.0, 1.0))[..., 0].max() <= 2
    # A diagonal stroke of length 5 and thickness 1 covers 5.
    a, b, c, d = stroke((0, 0), (3, 4), 1)
    assert abs(np.linalg.det([b - a, d - a])) == pytest.approx(5)
    assert (c - b).tolist() == pytest.approx((d - a).tolist())


def test_a_box_pressed_flat_is_a_rectangle() -> None:
    pressed = flatten(box((4.0, 2.0, 1.0), colour=(0.5, 0.5, 0.5)), (0.0, 0.0, 2.0, 2.0), layer=3)
    assert len(pressed.triangles) == 2  # the side that is seen
    x, y, z = pressed.triangles.reshape(-1, 3).T
    assert (x.min(), x.max()) == (0, 2)  # as wide as fits,
    assert (y.min(), y.max()) == (0, 0.5)  # and a quarter as high
    assert (z >= 3 * LAYER_M - 1e-6).all()
    assert (z <= 5 * LAYER_M + 1e-6).all()


def test_a_car_on_a_poster_drives_to_the_right_unless_turned() -> None:
    """Not mirrored: a car's bonnet, where it is lower, is on the right of a sheet that shows its right side."""
    car = make_shape(33, np.random.default_rng(3), lod=1)
    ahead = np.argmax(car.vertices[:, 0])
    for turn, right in ((0.0, True), (math.pi, False)):
        moved = car.transformed(turn, (0, 0, 0)).vertices[ahead]
        assert (moved[0] > 0) == right


@pytest.mark.parametrize("print_", [poster, shop])
def test_prints_stay_on_their_sheets(print_) -> None:  # type: ignore[no-untyped-def]
    for seed in range(40):
        for width, height in ((2.7, 1.5), (1.2, 1.5), (0.8, 3.2)):
            x, y, z = print_(seed, width, height).triangles.reshape(-1, 3).T
            assert x.min() >= -1e-5
            assert x.max() <= width + 1e-5
            assert y.min() >= -1e-5
            assert y.max() <= height + 1e-5
            assert z.max() < 0.15


def test_signs_show_figures_and_have_a_back() -> None:
    prints = [sign(seed) for seed in range(24)]
    assert all(p.triangles[..., 2].min() == pytest.approx(-LAYER_M, abs=1e-6) for p in prints)
    assert len({len(p.triangles) for p in prints}) > 10


# --- photographs ------------------------------------------------------------------------------
def test_motion_turns_a_step_into_a_ramp() -> None:
    """Two pixels of motion: a pixel beside the edge sees the other side for a quarter of the time."""
    edge = np.zeros((5, 8, 3), np.float32)
    edge[:, 4:] = 1.0
    ramp = add_motion(edge, 2.0, 0.0)[2, :, 0]
    assert ramp.tolist() == pytest.approx([0, 0, 0, 1 / 4, 3 / 4, 1, 1, 1])
    # Along the edge nothing changes.
    np.testing.assert_allclose(add_motion(edge, 2.0, 0.5 * math.pi), edge, atol=1e-6)
    np.testing.assert_array_equal(add_motion(edge, 0.0, 0.3), edge)


def test_a_motion_kernel_is_a_line_through_its_middle() -> None:
    for length in (0.7, 3.0, 6.5):
        kernel = motion_kernel(length, math.atan2(3, 4))
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
        rows, columns = np.mgrid[: len(kernel), : len(kernel)] - len(kernel) // 2
        # Up is a lower row: the weights' covariance has the direction (4, -3).
        assert (kernel * rows * columns).sum() < 0
    # An even line of length L has variance L^2 / 12, and a bilinear share adds a quarter's worth at most.
    long = motion_kernel(12.0, 0.0)[6]
    at = np.arange(13) - 6
    assert (long * at**2).sum() == pytest.approx(12**2 / 12 + 1 / 6, rel=1e-3)


def test_exposure_clips_and_white_balance_is_a_ratio() -> None:
    light = np.array([[[0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]], np.float32)
    lit = expose(light, 2.0, (1.2, 1.0, 0.8))
    assert lit[0, 0].tolist() == pytest.approx([0.6, 0.5, 0.4])
    assert lit[0, 1].tolist() == [1, 1, 1]  # 3/2 is more than white, in all colours: the sky is blown out


def test_glare_moves_light_and_makes_none() -> None:
    even = np.full((32, 64, 3), 0.4, np.float32)
    np.testing.assert_allclose(glare(even, 0.2), even, atol=1e-6)
    half = np.zeros((320, 640, 3), np.float32)
    half[:, :320] = 1.0
    veiled = glare(half, 0.2)
    assert veiled.mean() == pytest.approx(0.5, abs=0.002)
    assert veiled[160, 0, 0] == pytest.approx(1.0, abs=0.01)
    # On either side of the edge half of the scattered fifth comes from the other side.
    assert veiled[160, 319, 0] == pytest.approx(0.9, abs=0.01)
    assert veiled[160, 320, 0] == pytest.approx(0.1, abs=0.01)


def test_grain_has_the_variance_of_its_formula() -> None:
    rng = np.random.default_rng(1)
    for level in (0.2, 0.6):
        light = np.full((300, 300, 3), level, np.float32)
        noisy = add_grain(light, 0.02, 0.001, rng)
        assert noisy.mean() == pytest.approx(level, abs=0.001)
        assert noisy.var() == pytest.approx(0.02**2 + 0.001 * level, rel=0.05)
        # 0.6 of the deviation is common to the colours: their correlation is 0.36.
        assert np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1] == pytest.approx(0.36, abs=0.03)
    np.testing.assert_array_equal(add_grain(light, 0.0, 0.0, rng), light)


def test_a_photograph_without_faults_is_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3)).astype(np.uint8)
    taken = develop(picture, Photograph(), 2.0, np.random.default_rng(0))
    assert np.abs(taken.astype(int) - picture).max() <= 1
    # One stop more is a factor of 2 ** (1 / 2.2) on the screen.
    brighter = develop(np.full((4, 4, 3), 100, np.uint8), Photograph(gain=2.0), 2.0, np.random.default_rng(0))
    assert brighter[0, 0, 0] == pytest.approx(100 * 2 ** (1 / 2.2), abs=1)


def test_a_video_keeps_its_exposure() -> None:
    own = draw_photograph(np.random.default_rng(4), dark=False)
    frames = [own.at(np.random.default_rng(k)) for k in range(50)]
    gains = np.array([f.gain for f in frames])
    assert np.abs(gains / own.gain - 1).max() <= 0.031
    assert {f.balance for f in frames} == {own.balance}
    others = {round(draw_photograph(np.random.default_rng(k), dark=False).gain, 3) for k in range(20)}
    assert max(others) > 2 * min(others)


# --- files ------------------------------------------------------------------------------------
def test_render_json_says_what_is_wild(tmp_path: Path) -> None:
    request = {"videos": 1, "frames": 1, "size": "network", "workers": 1, "progress": False}
    wild = render_dataset(tmp_path / "wild", wild=True, **request)  # type: ignore[arg-type]
    note = json.loads((wild / "render.json").read_text())
    assert note.pop("wild") is True
    # A plain folder's note is what it was before there were wild ones: old folders are continued.
    assert note == write.Request(1, 1, 0, "network", 1, 0).note()
    assert list(note) == ["videos", "frames", "seed", "size", "every", "test_videos", "version"]
    with pytest.raises(RenderError, match="choose another folder"):
        render_dataset(wild, **request)  # type: ignore[arg-type]
    with pytest.raises(RenderError, match="wild must be True or False, got 1"):
        render_dataset(tmp_path / "other", wild=1, **request)  # type: ignore[arg-type]
