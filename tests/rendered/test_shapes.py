"""The mesh catalogue: primitives against their formulas, and seven classes told by shape, not by colour."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from wadlib.errors import RenderError
from wadlib.labels import IDS
from wadlib.rendered.drawing.camera import FX
from wadlib.rendered.drawing.loft import Loft
from wadlib.rendered.drawing.mesh import GLASS, LIGHT, METAL, Mesh, box, merge, of_triangles, prism, skin
from wadlib.rendered.drawing.polygon import triangulate
from wadlib.rendered.drawing.solids import disc, ellipsoid, hoop, limb, tube
from wadlib.rendered.render import WIDE
from wadlib.rendered.road_users import buses, cars, tricycles, truck_bodies
from wadlib.rendered.road_users.buses import draw_bus
from wadlib.rendered.road_users.cars import draw_car
from wadlib.rendered.road_users.parts import plates, wheels
from wadlib.rendered.road_users.people import reach
from wadlib.rendered.road_users.shapes import ANIMATED, make_shape
from wadlib.rendered.road_users.tricycles import draw_tricycle
from wadlib.rendered.road_users.trucks import draw_truck

GREY = (0.5, 0.5, 0.5)
SEEDS = range(12)

# Length, width and height in metres, lowest and highest.
RANGES = {
    # From a mini car (Chery QQ: 3.55 x 1.50 x 1.49) to a van (Buick GL8: 5.2 x 1.88, Toyota HiAce: 1.98 high); the
    # lowest saloons are 1.4 high. Mirrors stand out by at most 0.25 on either side (GB 1589, the Chinese limits).
    33: ((3.55, 5.2), (1.5, 1.88 + 0.5), (1.4, 1.98)),
    # A scooter to a 125 cc motorcycle with its bars; to the head of a rider of 1.9 (0.53 of it above a seat at 0.75),
    # with a helmet.
    34: ((1.7, 2.2), (0.6, 0.9), (1.1, 0.75 + 0.53 * 1.9 + 0.1)),
    # Wheels of 24 to 28 inches, bars 0.5 to 0.8 wide at 1.0; a rider sits 0.95 high.
    35: ((1.6, 1.9), (0.5, 0.8), (1.0, 0.95 + 0.53 * 1.9)),
    # From a child of six (1.1) to a man of 1.95 with an umbrella, 1.2 wide, 0.45 above him.
    36: ((0.2, 1.2), (0.3, 1.2), (1.05, 1.95 + 0.45)),
    # GB 1589: 2.55 wide and 4.0 high, mirrors at most 0.25 on either side, tractor and semi-trailer 17.1 long. The
    # smallest are light trucks (4.5 x 1.6 x 1.9).
    38: ((4.5, 17.1), (1.6, 2.55 + 0.5), (1.9, 4.0)),
    # GB 1589: 13.7 long on three axles, 2.55 wide, double-deckers 4.2 high. The smallest are minibuses (6 x 2 x 2.5).
    39: ((6.0, 13.7), (2.0, 2.55 + 0.5), (2.5, 4.2)),
    # From a pedal cart to GB 1589's three-wheeled goods vehicle (4.6 x 1.6); a canopy is 0.3 above the head of a driver
    # of 1.9 on a seat at 0.75.
    40: ((2.2, 4.6), (0.9, 1.6), (1.4, 0.75 + 0.53 * 1.9 + 0.3)),
}


def shape(class_id: int, seed: int, phase: float = 0.0, lod: int = 0) -> Mesh:
    return make_shape(class_id, np.random.default_rng(seed), phase, lod)


def silhouette(mesh: Mesh, heading: float, unit: float) -> np.ndarray:
    """Shadow of a mesh on a wall, as a lamp far away casts it; `unit` metres per pixel."""
    turned = mesh.transformed(heading).vertices
    points = np.stack([128 + turned[:, 1] / unit, 200 - turned[:, 2] / unit], axis=1)
    picture = np.zeros((256, 256), np.uint8)
    for corners in np.round(points[mesh.triangles] * 16).astype(np.int32):
        cv2.fillConvexPoly(picture, corners, 1, shift=4)
    return picture


# --- primitives -----------------------------------------------------------------------------------


def test_box_volume_and_normals():
    mesh = box((4, 2, 1), (10, 20, 30), colour=GREY)
    assert mesh.volume == pytest.approx(4 * 2 * 1)
    middles = mesh.vertices[mesh.triangles].mean(axis=1) - np.array([10, 20, 30])
    assert np.all(np.sum(mesh.normals * middles, axis=1) > 0)


def test_prism_volume_of_a_concave_side_view_listed_either_way():
    profile = [(0, 0), (2, 0), (2, 2), (1, 0.5), (0, 2)]  # a 2 x 2 square less a notch of 1/2 * 2 * 3/2
    for corners in (profile, profile[::-1]):
        assert prism(corners, 3, colour=GREY).volume == pytest.approx((4 - 3 / 2) * 3)


def test_prism_with_tumblehome_is_a_frustum():
    # Width 2 at the bottom and 1 at the top: the mean section of a wedge one metre high and long.
    mesh = prism([(0, 0), (1, 0), (1, 1), (0, 1)], np.array([2, 2, 1, 1]), colour=GREY)
    assert mesh.volume == pytest.approx(3 / 2)


@pytest.mark.parametrize("sides", [3, 4, 6, 12])
def test_tube_has_the_mean_width_of_a_round_bar(sides):
    mesh = tube((0, 0, 0), (0, 0, 2), 0.5, colour=GREY, sides=sides)
    # Cauchy: mean width = perimeter / pi, so the polygon's perimeter is that of the circle.
    edge = 2 * math.pi * 0.5 / sides
    assert mesh.volume == pytest.approx(2 * sides * edge**2 / (4 * math.tan(math.pi / sides)), rel=1e-5)


def test_round_primitives_approach_their_formulas():
    ball = ellipsoid((1, 2, 3), (1, 2, 3), colour=GREY, rows=60, sides=60)
    assert ball.volume == pytest.approx(4 / 3 * math.pi * 1 * 2 * 3, rel=0.01)
    ring = hoop((5, 0, 2), 2, 0.25, colour=GREY, sides=80, section=40)
    assert ring.volume == pytest.approx(2 * math.pi**2 * 2 * 0.25**2, rel=0.01)
    assert disc((0, 0, 1), 1, facing=1, colour=GREY).normals[:, 1] == pytest.approx(1)
    assert disc((0, 0, 1), 1, facing=-1, colour=GREY).normals[:, 1] == pytest.approx(-1)


def test_skin_turns_outward_whichever_way_the_rings_run():
    ring = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    stack = np.stack([ring, ring + np.array([0, 0, 2])])
    for rings in (stack, stack[::-1], stack[:, ::-1]):
        assert skin(rings, GREY).volume == pytest.approx(2)


def test_loft_is_closed_and_points_outward():
    points = np.zeros((2, 3, 3))  # a house two metres long: walls of 1 m, 2 m wide, ridge at 2 m
    points[1, :, 0] = 2
    points[:, :, 1], points[:, :, 2] = [1, 1, 0], [0, 1, 2]
    loft = Loft(points)
    assert loft.mesh(np.zeros((1, 2, 3)), np.zeros((1, 2))).volume == pytest.approx(2 * (2 * 1 + 1))
    patch = loft.patch((0.5, 1.5), (0.25, 0.75), GREY, lift=0.01)
    assert np.unique(np.abs(patch.vertices[:, 1])) == pytest.approx([1.01])
    assert np.all(patch.normals[:, 1] * patch.vertices[patch.triangles[:, 0], 1] > 0.99)


def test_plates_face_where_they_say():
    rows = [(side, 1.0, (0, 1), (0, 1), GREY, GLASS) for side in ("front", "back", "left", "right")]
    normals = plates(rows).normals[::2]
    assert normals == pytest.approx(np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]))


def test_wheels_stand_on_the_ground_and_face_outward():
    mesh = wheels([(1, 0.8), (1, -0.8)], 0.3, 0.2, GREY)
    assert mesh.bounds[0, 2] == pytest.approx(0, abs=0.02)  # a twelve-sided wheel stands on a flat
    rims = mesh.material == METAL
    side = np.sign(mesh.vertices[mesh.triangles[rims, 0], 1])
    assert np.all(mesh.normals[rims, 1] * side > 0.9)


def test_triangulate_covers_the_polygon():
    star = [(math.cos(a) * r, math.sin(a) * r) for k, a in enumerate(np.arange(10) * math.pi / 5) for r in [1 + k % 2]]
    faces = np.array(star)[triangulate(star)]
    u, v = faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]
    areas = (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / 2
    assert np.all(areas > 0)
    assert areas.sum() == pytest.approx(10 * 1 * 2 * math.sin(math.pi / 5) / 2)


def test_triangulate_refuses_a_line():
    with pytest.raises(RenderError, match="no ear among 4 corners"):
        triangulate([(0, 0), (1, 0), (2, 0), (3, 0)])


def test_limb_paints_its_sections():
    mesh = limb([(0, 0, 0), (0, 0, 1), (0, 0, 2)], 0.1, colour=np.array([(1, 0, 0), (0, 0, 1)]), sides=4)
    middle = mesh.vertices[mesh.triangles].mean(axis=1)[:, 2]
    assert np.all(mesh.colours[middle < 0.9, 0] == 1)
    assert np.all(mesh.colours[middle > 1.1, 2] == 1)


def test_reach_keeps_the_lengths_of_both_bones():
    start, end = np.array([0.0, 0, 1]), np.array([0.4, 0.1, 0.3])
    knee = reach(start, end, 0.45, 0.42, np.array([1.0, 0, 0]))
    assert np.linalg.norm(knee - start) == pytest.approx(0.45)
    assert np.linalg.norm(knee - end) == pytest.approx(0.42)


# --- the value ------------------------------------------------------------------------------------


def test_transformed_turns_left_then_moves():
    mesh = of_triangles([(1, 0, 0), (0, 1, 0), (0, 0, 1)], [(0, 1, 2)], GREY)
    moved = mesh.transformed(math.pi / 2, (10, 0, 0), scale=2)
    assert moved.vertices == pytest.approx(np.array([[10, 2, 0], [8, 0, 0], [10, 0, 2]]), abs=1e-6)
    assert mesh.vertices[0, 0] == 1  # the original is untouched


def test_mirrored_keeps_normals_outward():
    mesh = box((1, 2, 3), (0, 5, 0), colour=GREY).mirrored()
    assert mesh.volume == pytest.approx(6)
    assert mesh.bounds[1, 1] == -4


def test_merge_keeps_every_triangle():
    one, two = box((1, 1, 1), colour=GREY), box((1, 1, 1), (5, 0, 0), colour=GREY, material=LIGHT).unlabelled()
    both = merge([one, two])
    assert both.volume == pytest.approx(2)
    assert both.labelled.sum() == 12
    assert (both.material == LIGHT).sum() == 12
    with pytest.raises(RenderError, match="at least one"):
        merge([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices": np.zeros((8, 2), np.float32)}, r"vertices must be \(8, 3\) float32, got \(8, 2\)"),
        ({"vertices": np.full((8, 3), np.nan, np.float32)}, "vertices must be finite"),
        ({"triangles": np.full((12, 3), 8, np.int32)}, r"triangles must name vertices 0\.\.7, got 8"),
        ({"triangles": np.full((12, 3), -1, np.int32)}, "triangles must name vertices"),
        ({"triangles": np.zeros((12, 3), np.int64)}, "int32"),
        ({"colours": np.full((12, 3), 1.5, np.float32)}, r"colours must lie in 0\.\.1"),
        ({"colours": np.full((12, 3), np.nan, np.float32)}, r"colours must lie in 0\.\.1"),
        ({"material": np.full(12, 9, np.uint8)}, r"material must lie in 0\.\.4, got 9"),
        ({"labelled": np.ones(11, bool)}, r"labelled must be \(12,\) bool, got \(11,\)"),
    ],
)
def test_mesh_is_checked_at_construction(change, message):
    with pytest.raises(RenderError, match=message):
        replace(box((1, 1, 1), colour=GREY), **change)


# --- the catalogue --------------------------------------------------------------------------------


@pytest.mark.parametrize("class_id", IDS)
def test_same_seed_same_mesh_and_other_seeds_differ(class_id):
    one, again = shape(class_id, 3, 0.25), shape(class_id, 3, 0.25)
    for name in ("vertices", "triangles", "colours", "material", "labelled"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
    assert len({shape(class_id, seed).colours.tobytes() for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("class_id", IDS)
def test_sizes_are_those_of_the_street(class_id):
    for seed in SEEDS:
        mesh = shape(class_id, seed)
        for got, (low, high) in zip(mesh.size, RANGES[class_id], strict=True):
            assert low <= got <= high, f"seed {seed}: {mesh.size}"
        # It stands on the ground, but for a shoe's sole and the flats of the largest wheels (twelve sides, 0.55 m).
        assert -0.01 <= mesh.bounds[0, 2] <= 0.55 * (1 - math.cos(math.pi / 12)) + 0.001
        assert abs(mesh.bounds[:, 0].mean()) < mesh.size[0] / 6  # the origin lies in the middle third


@pytest.mark.parametrize("class_id", IDS)
def test_phase_moves_but_never_repaints(class_id):
    still, later = shape(class_id, 5, 0.0), shape(class_id, 5, 0.35)
    assert np.array_equal(still.colours, later.colours)
    assert np.array_equal(still.triangles, later.triangles)
    if class_id not in ANIMATED:
        assert np.array_equal(still.vertices, later.vertices)
    assert shape(class_id, 5, 1.0).vertices == pytest.approx(still.vertices, abs=1e-5)  # a full turn


@pytest.mark.parametrize("class_id", [35, 36])
def test_legs_and_pedals_move(class_id):
    seed = next(s for s in SEEDS if np.ptp(shape(class_id, s, 0.3).vertices - shape(class_id, s).vertices) > 0)
    assert np.abs(shape(class_id, seed, 0.3).vertices - shape(class_id, seed).vertices).max() > 0.1


@pytest.mark.parametrize("class_id", IDS)
def test_nobody_sees_where_the_coarse_meshes_begin(class_id):
    """There, the outline in a prepared frame (full size / 4) moves by less than a pixel in the mean, from three sides.

    The mean shift of an outline: the pixels that differ, divided by its length, which is half the number of pixels
    that lie next to it, on either of its sides.
    """
    metres_per_pixel = 4 * (60 if class_id in WIDE else 40) / FX
    square = np.ones((3, 3), np.uint8)
    for seed in SEEDS:
        full, coarse = shape(class_id, seed, 0.2), shape(class_id, seed, 0.2, lod=1)
        for heading in (0.2, 0.2 + 2 * math.pi / 3, 0.2 + 4 * math.pi / 3):
            a, b = silhouette(full, heading, metres_per_pixel), silhouette(coarse, heading, metres_per_pixel)
            length = np.count_nonzero(cv2.dilate(a, square) != cv2.erode(a, square)) / 2
            assert np.count_nonzero(a != b) < length, f"seed {seed}, heading {heading:.1f}"


@pytest.mark.parametrize("class_id", IDS)
def test_triangle_budget(class_id):
    for seed in SEEDS:
        assert len(shape(class_id, seed).triangles) <= 1500
        assert len(shape(class_id, seed, lod=1).triangles) <= 650


def test_riders_are_unlabelled_and_nobody_else():
    ridden = {34: 0, 35: 0}
    for class_id in IDS:
        for seed in SEEDS:
            mesh = shape(class_id, seed)
            assert mesh.labelled.any()
            if class_id in ridden:
                ridden[class_id] += not mesh.labelled.all()
            else:
                assert mesh.labelled.all()
    assert all(count > len(SEEDS) / 2 for count in ridden.values())


def test_every_body_of_every_class_is_drawn():
    """Rare bodies too (mixer, double-decker, pedal cart): the seeds are shown to reach all of them."""
    seeds = range(100, 160)
    seen = {
        33: ({draw_car(np.random.default_rng(seed)).body for seed in seeds}, set(cars.PLANS)),
        38: ({draw_truck(np.random.default_rng(seed)).body.style for seed in seeds}, set(truck_bodies.BUILDERS)),
        39: ({draw_bus(np.random.default_rng(seed)).kind for seed in seeds}, set(buses.PLANS)),
        40: ({draw_tricycle(np.random.default_rng(seed)).style for seed in seeds}, set(tricycles.STYLES)),
    }
    for class_id, (reached, all_bodies) in seen.items():
        assert reached == all_bodies
        low, high = RANGES[class_id][2]
        for seed in seeds:
            assert low <= shape(class_id, seed, 0.6, seed % 2).size[2] <= high


def mean_colour(mesh: Mesh) -> np.ndarray:
    """Mean colour of the labelled triangles, weighted with their area."""
    a, b, c = (mesh.vertices[mesh.triangles[mesh.labelled, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return np.average(mesh.colours[mesh.labelled], axis=0, weights=area)


def test_colour_does_not_give_the_class_away():
    """Nearest class mean, learnt on 40 objects per class and tried on 40 others.

    Were colour a code, nearly all would be right; guessing gets 1/7. What the classes are made of
    (rubber, glass, skin) lifts it a little above guessing; it must stay below twice that and a tenth.
    """
    colours = np.array([[mean_colour(shape(class_id, seed, lod=1)) for seed in range(80)] for class_id in IDS])
    means = colours[:, :40].mean(axis=1)
    distance = np.linalg.norm(colours[:, 40:, None] - means, axis=-1)  # (7, 40, 7)
    right = distance.argmin(axis=-1) == np.arange(len(IDS))[:, None]
    assert right.mean() < 2 / 7 + 1 / 10


@pytest.mark.parametrize("class_id", [0, 1, 37, 255, "car"])
def test_unknown_class(class_id):
    with pytest.raises(RenderError, match="use one of 33 car, 34 motorbicycle"):
        make_shape(class_id, np.random.default_rng(0))


def test_unknown_level_of_detail():
    with pytest.raises(RenderError, match="expected lod to be one of 0, 1, got 2"):
        make_shape(33, np.random.default_rng(0), lod=2)
