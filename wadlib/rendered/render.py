"""One frame: from who is where to a picture, its label and the true identities."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.labels import BACKGROUND, IGNORE, encode
from wadlib.rendered.drawing.camera import NETWORK, Camera, Grid, camera
from wadlib.rendered.drawing.masks import KEEP, cluster, tidy
from wadlib.rendered.drawing.materials import FENCE, LEAF, byte_noise, grain, leaf_texture
from wadlib.rendered.drawing.mesh import Mesh
from wadlib.rendered.drawing.photograph import Photograph, develop, draw_photograph
from wadlib.rendered.drawing.raster import cast_shadows, draw
from wadlib.rendered.drawing.shade import SKY_STEP, shade
from wadlib.rendered.drawing.soup import Soup, join, linear
from wadlib.rendered.road_users.shapes import make_shape
from wadlib.rendered.street import light as lights
from wadlib.rendered.street.bonnet import add_bonnet
from wadlib.rendered.street.clutter import clutter
from wadlib.rendered.street.crowd import make_streams
from wadlib.rendered.street.overhead import shade_across, wires
from wadlib.rendered.street.road import Bend, Road, curve_tables, make_layout, place
from wadlib.rendered.street.roadside import Roadside
from wadlib.rendered.street.scenery import casters, furniture, woods
from wadlib.rendered.street.traffic import EGO_SPEED, Actor, Stream, actors_at

FRAME_S = 0.139
SMALLEST_PX = 90
"""Objects with fewer visible full-size pixels are not told apart: they become IGNORE (p5 of WAD is 119 px)."""
WIDE = frozenset({33, 38, 39, 40})
"""Classes whose details are still seen at 60 m; walkers and cyclists are a few pixels wide there."""
SHADOW_ORIGIN, SHADOW_CELL, SHADOW_SHAPE = (-30.0, -50.0), 0.125, (1360, 800)


@dataclass(frozen=True)
class RenderedVideo:
    """Everything that stays the same in a video.

    `photograph` is how a wild video was taken; None: a plain street, and the picture as it was drawn.
    """

    seed: int
    number: int
    camera: Camera
    road: Road
    light: lights.Light
    azimuth: float
    skyline: float
    streams: tuple[Stream, ...]
    photograph: Photograph | None = None


@dataclass(frozen=True)
class Rendered:
    """One frame.

    Attributes
    ----------
    image : (H, W, 3) uint8
    label : (H, W) uint16
    tracks : dict[int, int]
        Label code -> identity that holds for the whole video.
    """

    image: npt.NDArray[np.uint8]
    label: npt.NDArray[np.uint16]
    tracks: dict[int, int]


def make_video(seed: int, number: int, camera_number: int | None = None, wild: bool = False) -> RenderedVideo:
    """Draw video `number` of the set with this seed: cameras, lights and kinds of road take turns.

    A wild video has the same road and the same traffic, and more of everything that is not labelled.
    """
    rng = np.random.default_rng([seed, number, 1])
    order = np.random.default_rng([seed, 2]).permutation(4)
    chosen = camera_number if camera_number is not None else (5, 6)[(number + number // 4) % 2]
    kind = ("avenue", "street", "boulevard")[number % 3]
    light = lights.KINDS[int(order[number % 4])]
    bends = rng.uniform() < 0.55
    waves = (
        ((float(rng.uniform(0.12, 0.38)), float(rng.uniform(330, 620)), float(rng.uniform(0, 6.28))),) if bends else ()
    )
    crossing = float(rng.uniform(150, 230)) if rng.uniform() < 0.65 else 0.0
    road = Road(make_layout(kind, rng), Bend(waves), crossing, float(rng.uniform(30, 160)), float(rng.uniform(0, 1)))
    side = 1.0 if chosen == 5 else -1.0
    # Half of the sunny videos are taken against the light, as in the real set.
    against = rng.uniform() < 0.5
    azimuth = side * float(rng.uniform(-0.1, 0.7)) if against else float(rng.uniform(1.2, 5.1))
    point = (2560.0 + float(rng.uniform(-110, 130)), 1700.0 + float(rng.uniform(-14, 14)))
    if chosen == 6:
        point = (520.0 + float(rng.uniform(-70, 70)), point[1])
    lens = camera(chosen, point)
    streams = make_streams(road, seed, number, lens)
    skyline = float(rng.uniform(0.012, 0.03))
    photograph = draw_photograph(np.random.default_rng([seed, number, 21]), light.lamps > 2) if wild else None
    return RenderedVideo(seed, number, lens, road, light, azimuth, skyline, streams, photograph)


@functools.lru_cache(maxsize=1024)
def _shape(class_id: int, seed: int, phase: int, lod: int) -> Mesh:
    return make_shape(class_id, np.random.default_rng(seed), phase / 8, lod)


def _stand(actors: list[Actor], curve: Any, lens: Camera) -> Soup:
    """Put the actors' meshes into the ego frame."""
    parts = []
    for index, actor in enumerate(actors):
        x, y, heading = place(curve, actor.s, actor.d)
        if not lens.sees(float(x), float(y), 18.0):  # neither it nor its shadow
            continue
        lod = 0 if math.hypot(x, y) < (60 if actor.class_id in WIDE else 40) else 1
        mesh = _shape(actor.class_id, actor.shape_seed, int(actor.phase * 8) % 8, lod)
        moved = mesh.transformed(float(heading) + actor.heading, (float(x), float(y), 0.0))
        n = len(moved.triangles)
        owner = np.where(moved.labelled, index, -1).astype(np.int32)
        parts.append(Soup(moved.vertices[moved.triangles], np.zeros((n, 3, 2), np.float32), linear(moved.colours),
                          moved.material, np.full(n, actor.shape_seed & 0x7FFF, np.int32), owner))  # fmt: skip
    return join(parts)


def render(video: RenderedVideo, frame: int, grid: Grid) -> Rendered:
    """Draw frame `frame` (counting from 0, FRAME_S apart) of a video."""
    time_s = frame * FRAME_S
    travelled, road, light = EGO_SPEED * time_s, video.road, video.light
    curve, inverse = curve_tables(road, travelled, road.layout.ego)
    turn = float(road.bend.heading(travelled)) if road.bend.waves else 0.0
    sun = lights.sun_direction(light, video.azimuth - turn)
    base = video.seed * 1000 + video.number
    trees, tree_shadows = woods(road, base, curve, travelled, light, sun, video.camera)
    street, houses = furniture(road, base, curve, travelled, light), casters(road, base, curve, travelled)
    actors = actors_at(road, video.streams, base, time_s)
    traffic = _stand(actors, curve, video.camera)
    extra = join([])
    if video.photograph:
        here = Roadside(road, base, curve, travelled, video.camera)
        things = clutter(here, light.lamps)
        extra = join([things, wires(here)])
        tree_shadows = join([tree_shadows, things, shade_across(here, sun)])
    soup = join([traffic, street, houses, trees, extra])
    shadows, outside = _shadows(traffic, street, houses, tree_shadows, light, sun)

    view = video.camera.parameters(grid)
    nearness = np.zeros((grid.rows, grid.columns), np.float32)
    front = np.full((grid.rows, grid.columns), -1, np.int32)
    planes, source = np.empty((2 * len(soup) + 2, 9)), np.zeros(2 * len(soup) + 2, np.int32)
    middle = soup.triangles.mean(axis=1)
    order = np.argsort((middle[:, :2] ** 2).sum(axis=1), kind="stable")
    # A twig right before the lens would fill the picture with a few huge leaves.
    order = order[(soup.material[order] != LEAF) | (np.linalg.norm(middle[order] - (0, 0, 2), axis=1) > 5.5)]
    leaves = leaf_texture()
    mist = np.exp(-np.hypot(middle[:, 0], middle[:, 1]) / light.visibility_m).astype(np.float32)
    bend = (curve if road.bend.waves else curve[:0], inverse, -road.layout.ego)
    draw(soup.triangles, soup.uv, soup.material, order, view, leaves, nearness, front, planes, source)

    image = np.empty((grid.rows, grid.columns, 3), np.uint8)
    rng = np.random.default_rng([video.seed, video.number, frame, 3])
    shade(
        nearness, front, planes, source, soup.colour, mist, soup.normals(), soup.material, soup.seed, view,
        _sky_table(video, view, grid, sun, turn), sun, _tones(light), light.lamps, light.visibility_m, bend,
        (*road.layout.section, road.crossings(travelled), road.layout.edge), travelled, road.age,
        (byte_noise(2, 1), byte_noise(9, 2)), shadows, np.array(SHADOW_ORIGIN), SHADOW_CELL, outside, leaves,
        lights.tone_curve(light), grain(), rng.integers(0, 1024, 2), light.noise / 16 / grid.average, image,
    )  # fmt: skip
    hidden = add_bonnet(image, video.camera.number, grid)
    if grid.average > 1:
        picture = cv2.resize(image, (grid.columns // 2, grid.rows // 2), interpolation=cv2.INTER_AREA)
    else:
        picture = cv2.GaussianBlur(image, (3, 3), 0.55)
    if video.photograph:
        chance = np.random.default_rng([video.seed, video.number, frame, 22])
        picture = develop(np.asarray(picture, np.uint8), video.photograph.at(chance), grid.step * grid.average, chance)
    front[hidden] = -1
    # The last entries answer for front == -1.
    owner = np.concatenate([soup.owner[source], [-1]])
    pierced = np.concatenate([np.isin(soup.material[source], (LEAF, FENCE)), [False]])
    strange = np.concatenate([source >= len(soup) - len(extra), [False]])
    label = np.full(picture.shape[:2], BACKGROUND, np.uint16)
    # Most rows hold sky, crowns or our own bonnet alone. 8 is a whole number of samples at both sizes.
    first, last = _rows_between(owner[front[::2, ::2]] >= 0, 8, grid.rows)
    rows = slice(first, last)
    seen = front[rows]
    part, tracks = _label(owner[seen], pierced[seen], strange[seen], hidden[rows], actors, grid, rng)
    label[first // grid.average : first // grid.average + len(part)] = part
    return Rendered(np.asarray(picture, np.uint8), label, tracks)


def _sky_table(video: RenderedVideo, view: Any, grid: Grid, sun: Any, turn: float) -> Any:
    rows = np.arange(0, grid.rows + 2 * SKY_STEP, SKY_STEP, dtype=np.float32)
    columns = np.arange(0, grid.columns + 2 * SKY_STEP, SKY_STEP, dtype=np.float32)
    x, y = np.meshgrid((columns - view[11]) / view[9], (rows - view[12]) / view[10])
    camera_frame = np.stack([x, y, np.ones_like(x)], axis=2)
    camera_frame /= np.linalg.norm(camera_frame, axis=2, keepdims=True)
    directions = (camera_frame @ view[:9].reshape(3, 3)).astype(np.float32)
    return lights.sky(video.light, directions, sun, turn, video.skyline, video.number)


def _tones(light: lights.Light) -> Any:
    ambient, sun = np.array(light.ambient), np.array(light.sun)
    road = 0.21 * (ambient + 0.5 * math.sin(light.elevation) * sun)
    wood = 0.08 * (ambient + 0.3 * sun) + 0.08 * np.array(light.haze)
    return np.array([sun, ambient, light.zenith, light.horizon, road, wood, light.haze])


def _shadows(actors: Soup, street: Soup, houses: Soup, trees: Soup, light: lights.Light, sun: Any) -> tuple[Any, float]:
    """Map what the sun and the sky do not reach; say also how much shade there is beyond the maps."""

    def cast(slope: Any, *parts: Soup) -> Any:
        shadow = np.zeros(SHADOW_SHAPE, np.uint8)
        for part in parts:
            cast_shadows(
                part.triangles,
                part.uv,
                part.material,
                slope,
                leaf_texture(),
                np.array(SHADOW_ORIGIN),
                SHADOW_CELL,
                shadow,
            )
        return shadow

    contact = cv2.GaussianBlur(cast(np.zeros(2), actors), (0, 0), 2.6)
    if not light.sun[0]:
        none = np.zeros(SHADOW_SHAPE, np.uint8)
        return (np.dstack([none, contact]), none), 0.0
    slope = -sun[:2] / sun[2]
    still = cv2.GaussianBlur(cast(slope, street, houses, trees), (0, 0), 1.1)
    moving = cv2.GaussianBlur(cast(slope, actors), (0, 0), 0.8)
    return (np.dstack([np.maximum(still, moving), contact]), still), float(still[400:, 200:600].mean()) / 255


def _rows_between(somebody: Any, margin: int, rows: int) -> tuple[int, int]:
    """Even first and last row, in samples, around everybody; `somebody` holds every second sample."""
    found = np.flatnonzero(somebody.any(axis=1))
    if not len(found):
        return 0, 2
    return max(2 * int(found[0]) - margin, 0), min(2 * int(found[-1]) + 2 + margin, rows)


def _label(
    owner: Any, pierced: Any, strange: Any, hidden: Any, actors: list[Actor], grid: Grid, rng: np.random.Generator
) -> tuple[Any, dict[int, int]]:
    """Codes of what is visible; numbers are dealt anew in every frame, as in the real files.

    Everything is decided on the samples that both sizes share (every second row and column), so that
    both give the same instances. `strange` says where clutter is in front, which a plain street has not.
    """
    first = (NETWORK.first_row - grid.first_row) % 2
    shared = (slice(first, None, 2), slice(None, None, 2)) if grid.step == 1 else (slice(None), slice(None))
    change = tidy(owner[shared], pierced[shared], strange[shared])
    decided = np.where(change == KEEP, owner[shared], change)
    visible = np.bincount(decided.ravel() + 1, minlength=len(actors) + 1)[1:] * 4
    code = np.full(len(actors) + 1, BACKGROUND, np.uint16)
    tracks: dict[int, int] = {}
    numbers: dict[int, int] = {}
    for index in rng.permutation(len(actors)).tolist():
        actor = actors[index]
        # Who is not seen has a number too: one pixel more or less must not renumber all others.
        number = numbers.get(actor.class_id, 0)
        numbers[actor.class_id] = number + 1
        if visible[index] >= SMALLEST_PX:
            code[index] = encode(actor.class_id, number)
            tracks[int(code[index])] = actor.track
        elif visible[index]:
            code[index] = IGNORE
    between = cluster(code[decided] == IGNORE) & (code[decided] == BACKGROUND) & ~hidden[shared]
    if grid.step == 1:  # a sample speaks for its block of 2x2 pixels
        height, width = owner.shape
        change = np.pad(change.repeat(2, 0).repeat(2, 1), ((first, 0), (0, 0)), constant_values=KEEP)[:height, :width]
        between = np.pad(between.repeat(2, 0).repeat(2, 1), ((first, 0), (0, 0)))[:height, :width]
        fits = np.where(change >= 0, pierced, owner >= 0) & (change != KEEP)
        owner = np.where(fits, change, owner)
        covered = np.pad(strange[shared].repeat(2, 0).repeat(2, 1), ((first, 0), (0, 0)))[:height, :width]
        owner = np.where(covered, -1, owner)  # a plain street's sample, which is hidden, may have spoken against them
    else:
        owner = decided
    label = code[owner]
    label[between & (label == BACKGROUND)] = IGNORE
    return label[:: grid.average, :: grid.average], tracks
