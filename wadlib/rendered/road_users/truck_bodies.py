"""What a truck carries: closed boxes, dropsides with a load, tarpaulins, tippers, tanks, mixers."""

import functools
from dataclasses import replace

import numpy as np

from wadlib.rendered.drawing.mesh import MATTE, METAL, PAINT, Mesh, box, merge, prism, skin
from wadlib.rendered.drawing.solids import limb
from wadlib.rendered.road_users.loads import DARK, SAND, STEEL, Body, heap, load
from wadlib.rendered.road_users.parts import plates


def build_body(body: Body, lod: int = 0) -> Mesh:
    """Build the mesh of a drawn body."""
    return merge(BUILDERS[body.style](body, lod))


def _closed(body: Body, lod: int) -> list[Mesh]:
    """A smooth box with a stripe or a panel of lettering and two doors at the back."""
    length, half = body.length, body.width / 2
    tall = body.top - body.floor
    parts = [box((length, body.width, tall), (length / 2, 0, body.floor + tall / 2), colour=body.paint, material=PAINT)]
    if lod:
        return parts
    rows = []
    z = body.floor + tall * (0.3 + 0.3 * body.chance[0])
    for facing, at in (("left", half + 0.008), ("right", -half - 0.008)):
        if body.chance[1] < 0.6:
            rows.append((facing, at, (0.15 * length, 0.8 * length), (z, z + 0.22 * tall), body.second, PAINT))
        rows.append((facing, at, (0.02, length - 0.02), (body.floor, body.floor + 0.1), body.paint * 0.4, METAL))
        rows += [
            (facing, at, (x, x + 0.06), (body.floor, body.top), body.paint * 0.75, PAINT) for x in (0.0, length - 0.06)
        ]
    rows += _doors(body, half)
    return [*parts, plates(rows)]


def _doors(body: Body, half: float) -> list[tuple]:  # type: ignore[type-arg]
    """Gap, hinges and bars of the rear doors."""
    dark = body.paint * 0.45
    rows = [("back", -0.006, (-0.015, 0.015), (body.floor + 0.05, body.top - 0.05), dark, MATTE)]
    rows += [
        ("back", -0.008, (y - 0.02, y + 0.02), (body.floor + 0.1, body.top - 0.1), STEEL, METAL) for y in (-0.3, 0.3)
    ]
    rows += [("back", -0.006, (-half, half), (z, z + 0.05), dark, MATTE) for z in (body.floor, body.top - 0.05)]
    return rows


def _container(body: Body, lod: int) -> list[Mesh]:
    """A corrugated shipping container: every second strip of its flank lies in shade."""
    parts = _closed(body, 1)
    if lod == 0:
        half, rows = body.width / 2, []
        for x in np.arange(0.2, body.length - 0.3, 0.42):
            for facing, at in (("left", half + 0.008), ("right", -half - 0.008)):
                rows.append((facing, at, (x, x + 0.18), (body.floor + 0.12, body.top - 0.12), body.paint * 0.72, PAINT))
        parts.append(plates([*rows, *_doors(body, half)]))
    return parts


def _bed(body: Body, wall: float, lod: int) -> list[Mesh]:
    """Floor with walls of height `wall` and their posts."""
    length, width, z = body.length, body.width, body.floor
    parts = [box((length, width, 0.1), (length / 2, 0, z + 0.05), colour=body.paint * 0.7)]
    board = functools.partial(box, colour=body.paint, material=PAINT)
    for sign, at in ((1, length - 0.025), (-1, 0.025)):
        parts.append(board((length, 0.05, wall), (length / 2, sign * (width / 2 - 0.025), z + wall / 2)))
        parts.append(board((0.05, width - 0.1, wall), (at, 0, z + wall / 2)))
    if lod == 0:
        posts = np.linspace(0.02, length - 0.08, max(3, round(length / 1.2)))
        rows = []
        for facing, at in (("left", width / 2 + 0.012), ("right", -width / 2 - 0.012)):
            rows += [(facing, at, (x, x + 0.06), (z, z + wall), body.paint * 0.55, PAINT) for x in posts]
        parts.append(plates(rows))
    return parts


def _dropside(body: Body, lod: int) -> list[Mesh]:
    """Low walls, a headboard, and cartons, sand, pipes or nothing."""
    wall = 0.38 + 0.12 * body.chance[0]
    if body.width < 1.3:  # a tricycle
        wall *= 0.75
        return [*_bed(body, wall, lod), *load(body, wall, lod)]
    rack = box((0.06, body.width * 0.96, 0.95), (body.length - 0.03, 0, body.floor + 0.75), colour=body.paint * 0.8)
    return [*_bed(body, wall, lod), rack, *load(body, wall, lod)]


def _stake(body: Body, lod: int) -> list[Mesh]:
    """High open sides of rails, as market traders use them."""
    parts = _bed(body, 0.35, lod)
    high = body.top - body.floor
    rails, posts = (3, 2) if lod else (4, 5)
    rail, post = (functools.partial(box, colour=body.paint * tone, material=PAINT) for tone in (0.9, 0.8))
    for y in (body.width / 2 - 0.03, 0.03 - body.width / 2):
        for z in np.linspace(0.5, high, rails):
            parts.append(rail((body.length, 0.04, 0.09), (body.length / 2, y, body.floor + z)))
        for x in np.linspace(0.03, body.length - 0.03, posts):
            parts.append(post((0.06, 0.05, high), (x, y, body.floor + high / 2)))
    return [*parts, *load(body, 0.35, 1)]


def _tarp(body: Body, lod: int) -> list[Mesh]:
    """Dropsides under a tarpaulin that sags between its hoops."""
    wall, half = 0.45, body.width / 2
    tall, sag = body.top - body.floor - wall, 0.05 if lod == 0 else 0.0
    xs = np.linspace(0, body.length, 2 if lod else 7)
    rings = []
    for k, x in enumerate(xs):
        droop = sag * (k % 2)
        y = np.array([1, 1.0, 0.93, 0.55, 0, -0.55, -0.93, -1.0, -1]) * (half - 0.6 * droop)
        z = np.array([0, 0.75, 0.9, 0.98, 1, 0.98, 0.9, 0.75, 0]) * (tall - droop)
        rings.append(np.stack([np.full(9, x), y, body.floor + wall + z], axis=1))
    return [*_bed(body, wall, lod), skin(rings, body.second * 0.75, MATTE)]


def _tipper(body: Body, lod: int) -> list[Mesh]:
    """A deep steel trough with a raked tailgate, ribs, and a heap of earth."""
    length, z, wall = body.length, body.floor, body.top - body.floor
    side = [(0.0, z + 0.25), (0.35, z), (length, z), (length, z + wall + 0.15)]
    side += [(length - 0.3, z + wall), (0.1, z + wall * 0.94)]
    parts = [prism(side, np.array([0.92, 0.9, 0.9, 1, 1, 1]) * body.width, colour=body.paint, material=PAINT)]
    shield = box((0.9, body.width * 0.95, 0.07), (length + 0.35, 0, z + wall + 0.16), colour=body.paint, material=PAINT)
    above = replace(body, floor=z + wall * 0.8)
    parts += [shield, heap(above, wall * (0.25 + 0.25 * body.chance[0]), SAND * (0.5 + 0.5 * body.chance[1]))]
    if lod == 0:
        for x in np.linspace(0.5, length - 0.15, 6):
            for sign in (1, -1):
                place = (x, sign * (body.width / 2 - 0.01), z + wall * 0.5)
                parts.append(box((0.1, 0.08, wall * 0.9), place, colour=body.paint * 0.8, material=PAINT))
    return parts


def _tanker(body: Body, lod: int) -> list[Mesh]:
    """An oval tank with dished ends, bands and a walkway."""
    middle = (body.floor + body.top) / 2 - 0.1
    radius = np.array([body.width / 2 * 0.96, (body.top - body.floor) / 2 * 0.82])
    length, sides = body.length, 8 if lod else 14
    line = np.array([(x, 0, middle) for x in (0.0, 0.18, 0.18 + 0.01, length - 0.19, length - 0.18, length)])
    share = np.array([0.72, 0.98, 1, 1, 0.98, 0.72])[:, None]
    if lod:
        line, share = line[[0, 2, 3, 5]], share[[0, 2, 3, 5]]
    parts = [limb(line, share * radius, colour=body.paint, material=METAL, sides=sides)]
    parts.append(box((length, body.width * 0.8, 0.3), (length / 2, 0, body.floor + 0.05), colour=DARK))
    if lod == 0:
        for x in (0.33 * length, 0.67 * length):
            band = [(x - 0.04, 0, middle), (x + 0.04, 0, middle)]
            parts.append(limb(band, np.tile(radius * 1.02, (2, 1)), colour=body.second, sides=sides))
            parts.append(box((0.5, 0.5, 0.14), (x, 0, body.top - 0.1), colour=STEEL, material=METAL))
    return parts


def _mixer(body: Body, lod: int) -> list[Mesh]:
    """A concrete mixer: the drum rises to the back, with a chute under its mouth."""
    length, z = body.length, body.floor
    x, rise = np.array([0.15, *np.array([0.32, 0.62, 0.9, 0.95]) * length]), np.array([1.62, 1.38, 1.15, 0.98, 0.95])
    line, radii = np.stack([x, 0 * x, z + rise], axis=1), np.array([0.48, 1.0, 1.14, 0.78, 0.45])
    stripe = np.array([body.second, body.paint, body.second, body.paint])
    parts = [limb(line, radii, colour=stripe, material=PAINT, sides=7 if lod else 14)]
    parts.append(box((length, body.width * 0.6, 0.2), (length / 2, 0, z), colour=DARK))
    parts.append(box((0.15, 0.9, 1.2), (0.35, 0, z + 0.6), colour=DARK))
    if lod == 0:
        chute = [(-0.35, z - 0.1), (-0.25, z - 0.1), (0.35, z + 1.0), (0.2, z + 1.05)]
        parts.append(prism(chute, 0.5, colour=body.paint * 0.8))
        parts.append(box((0.15, 1.5, 0.9), (length - 0.1, 0, z + 0.45), colour=body.paint * 0.8, material=PAINT))
    return parts


def _flat(body: Body, lod: int) -> list[Mesh]:
    """A flat trailer with steel or timber lashed to it."""
    loaded = replace(body, chance=np.maximum(body.chance, 0.41))
    floor = box((body.length, body.width, 0.18), (body.length / 2, 0, body.floor + 0.0), colour=body.paint * 0.6)
    head = box((0.08, body.width, 1.3), (body.length - 0.04, 0, body.floor + 0.65), colour=body.paint * 0.8)
    return [floor, head, *load(loaded, 0.2, lod)]


BUILDERS = {
    "box": _closed,
    "container": _container,
    "dropside": _dropside,
    "stake": _stake,
    "tarp": _tarp,
    "tipper": _tipper,
    "tanker": _tanker,
    "mixer": _mixer,
    "flat": _flat,
}
