"""What stands along the road and does not move: trees, kerbs, hedges, fences, poles, signs, buildings.

Everything repeats along s in cells, and what stands in cell k depends only on the video's seed and k,
so any frame can be drawn without the ones before it.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wadlib.rendered.drawing.camera import Camera
from wadlib.rendered.drawing.materials import FENCE, HEDGE, KERB, SIGN, WALL
from wadlib.rendered.drawing.mesh import LIGHT, METAL
from wadlib.rendered.drawing.soup import Soup, cuboid, join, linear, make, panel, strip
from wadlib.rendered.street.light import Light
from wadlib.rendered.street.road import Road, place
from wadlib.rendered.street.trees import _limb, tree

BEHIND_M, AHEAD_M = -35.0, 420.0


@functools.lru_cache(maxsize=8192)
def _draws(seed: int, kind: int, row: int, cell: int) -> tuple[float, ...]:
    """Eight numbers in [0, 1) for one cell."""
    rng = np.random.default_rng([seed, kind, row, cell & 0xFFFF])
    return tuple(rng.uniform(size=8).tolist())


def _cells(
    seed: int, kind: int, row: int, travelled: float, spacing: float, low: float, high: float
) -> Iterator[tuple[float, int, tuple[float, ...]]]:
    """(s relative to the car, cell, draws) of the cells between `low` and `high`."""
    for cell in range(math.floor((travelled + low) / spacing), math.ceil((travelled + high) / spacing)):
        draws = _draws(seed, kind, row, cell)
        yield (cell + 0.5 * draws[0]) * spacing - travelled, cell, draws


def woods(
    road: Road, seed: int, curve: Any, travelled: float, light: Light, sun: Any, lens: Camera
) -> tuple[Soup, Soup]:
    """Plant all trees: as seen by the camera, and a lighter copy (fewer cards) for the shadows."""
    seen, shadow = [], []
    style = _draws(seed, 1, 99, 0)
    for row, d in enumerate(road.layout.trees):
        mood = _draws(seed, 2, row, 0)
        spacing = 5.0 + 5.0 * mood[0]
        tallest = (8.0 if road.layout.kind == "street" else 10.0) + 7.0 * mood[1]
        for s, _, draw in _cells(seed, 3, row, travelled, spacing, BEHIND_M, AHEAD_M):
            if draw[1] < 0.08 or road.in_crossing(s + travelled, 4.0):
                continue
            x, y, _ = place(curve, s, d + 0.8 * (draw[2] - 0.5))
            distance = math.hypot(x, y)
            detail = 0 if distance < 38 else 1 if distance < 110 else 2
            kind = int(style[1] * 7) + (1 if draw[3] < 0.25 else 0) + (3 if mood[2] < 0.4 else 0)
            green = np.array([0.34, 0.44, 0.22]) * (0.85 + 0.3 * draw[4])
            green += np.array([0.10, 0.03, -0.02]) * mood[3] * draw[5]
            height = tallest * (0.8 + 0.3 * draw[6])
            if lens.sees(float(x), float(y), 0.5 * height):
                seen.append(tree((x, y), height, kind, detail, 6.28 * draw[7], green, light, sun))
            if light.sun[0] and -30 < x < 150:
                shadow.append(tree((x, y), height, kind, max(detail, 1), 6.28 * draw[7], green, light, sun))
    for row, d in enumerate(road.layout.backdrop):
        for s, _, draw in _cells(seed, 11, row, travelled, 8.0, BEHIND_M, 330.0):
            if road.in_crossing(s + travelled, 2.0):
                continue
            x, y, _ = place(curve, s, d + math.copysign(5 + 6 * draw[1], d))
            if not lens.sees(float(x), float(y), 7.0):
                continue
            green = np.array([0.30, 0.38, 0.20]) * (0.8 + 0.3 * draw[4])
            kind, detail = int(7 * draw[3]), 2 if s > 70 else 1
            seen.append(tree((x, y), 8 + 6 * draw[2], kind, detail, 6.28 * draw[7], green, light, sun))
    return join(seen), join(shadow)


def _grid(travelled: float, step: float, ahead: float) -> Any:
    """S relative to the car on a grid that stands still on the road."""
    first = math.floor((travelled + BEHIND_M) / step)
    return step * np.arange(first, math.ceil((travelled + ahead) / step)) - travelled


def _open(road: Road, s: Any, travelled: float, margin: float) -> Any:
    """Whether each interval between neighbours of `s` is free of crossing roads."""
    free = np.array([not road.in_crossing(v + travelled, margin) for v in s])
    return free[:-1] & free[1:]


def furniture(road: Road, seed: int, curve: Any, travelled: float, light: Light) -> Soup:
    """Build kerbs, fences with banners, hedges, poles, signs and buildings."""
    layout = road.layout
    parts: list[Soup] = []
    s = _grid(travelled, 1.0, 140.0)
    free = _open(road, s, travelled, 2.0)
    stone = 0.70 + 0.05 * np.sin(np.floor(s[:-1] + travelled + 0.5) * 12.9898)
    grey = linear(stone[:, None] * np.array([1.03, 1.0, 0.95]))
    for d in layout.kerbs:
        toward = -1.0 if d > 0 else 1.0  # the side of the carriageway
        inner = abs(d) < layout.edge - 1
        parts.append(strip(curve, s, travelled, (d, d), (0.0, 0.14), grey, KERB, free))
        far = d + (toward if inner else -toward) * 0.25
        parts.append(strip(curve, s, travelled, (d, far), (0.14, 0.15), grey * 1.15, KERB, free))
    s = _grid(travelled, 2.5, 260.0)
    free = _open(road, s, travelled, 5.0)
    for row, d in enumerate(layout.fences):
        draw = _draws(seed, 4, row, 0)
        paint = linear([(0.85, 0.86, 0.86), (0.30, 0.42, 0.36), (0.55, 0.57, 0.6)][int(draw[0] * 3)])
        parts.append(strip(curve, s, travelled, (d, d), (0.0, 1.15), paint, FENCE, free))
        parts.extend(_banners(road, seed, row, curve, travelled, d))
    for row, d in enumerate(layout.backdrop):
        tint = 0.55 + 0.25 * _draws(seed, 12, row, 0)[0]
        wall = linear((tint, tint * 0.95, tint * 0.88))
        parts.append(strip(curve, s, travelled, (d, d), (0.0, 2.4), wall, KERB, free))
        parts.append(strip(curve, s, travelled, (d, d), (2.4, 2.6), linear((0.35, 0.3, 0.28)), KERB, free))
    for row, d in enumerate(layout.hedges):
        tall = 0.7 + 0.7 * _draws(seed, 5, row, 0)[0]
        leaf = linear((0.30, 0.42, 0.20))
        one, other = d - 0.4, d + 0.4
        for near, far, low, high in ((one, one, 0.0, tall), (other, other, 0.0, tall), (one, other, tall, tall + 0.01)):
            band = strip(curve, s, travelled, (near, far), (low, high), leaf, HEDGE, free)
            if near != far:
                band.uv[..., 1] = 40 * (band.uv[..., 1] - tall)
            parts.append(band)
    parts.extend(_poles(road, seed, curve, travelled, light))
    parts.extend(_signals(road, curve, travelled))
    return join(parts)


def _banners(road: Road, seed: int, row: int, curve: Any, travelled: float, d: float) -> Iterator[Soup]:
    for s, _, draw in _cells(seed, 6, row, travelled, 11.0, -20.0, 150.0):
        if draw[1] > 0.3 or road.in_crossing(s + travelled, 8.0):
            continue
        x0, y0, _ = place(curve, s, d + (0.06 if d < 0 else -0.06))
        x1, y1, _ = place(curve, s + 2.0 + 3 * draw[2], d + (0.06 if d < 0 else -0.06))
        colour = linear([(0.72, 0.12, 0.10), (0.12, 0.3, 0.62), (0.1, 0.45, 0.3)][int(draw[3] * 3)])
        corners = [[(x0, y0, 0.3), (x1, y1, 0.3), (x1, y1, 0.95), (x0, y0, 0.95)]]
        yield panel(corners, colour, SIGN, seed=int(draw[4] * 1000))


def _mast(x: float, y: float, height: float, radius: float, colour: Any) -> Soup:
    triangles, uv = _limb((x, y, 0), (x, y, height), radius, 0.6 * radius, 6)
    return make(triangles, colour, METAL if colour[0] > 0.2 else KERB, uv=uv)


def _poles(road: Road, seed: int, curve: Any, travelled: float, light: Light) -> Iterator[Soup]:
    steel, dark = linear((0.58, 0.6, 0.62)), linear((0.25, 0.27, 0.28))
    for row, d in enumerate(road.layout.poles):
        for s, cell, draw in _cells(seed, 7, row, travelled, 16.0, BEHIND_M, 300.0):
            if road.in_crossing(s + travelled, 3.0):
                continue
            x, y, heading = place(curve, s, d)
            inward = heading + (-0.5 if d > 0 else 0.5) * math.pi
            if cell % 2 == 0:  # a lamp post every 32 m
                height = 8.5 + 1.5 * _draws(seed, 8, 0, 0)[0]
                tip = np.array([x + 2.2 * math.cos(inward), y + 2.2 * math.sin(inward), height + 0.5])
                yield _mast(x, y, height, 0.11, steel)
                triangles, _ = _limb((x, y, height - 0.1), tip, 0.05, 0.04, 4)
                yield make(triangles, steel, METAL)
                yield cuboid(tip[:2], inward, (0.9, 0.34, 0.14), dark, KERB, lift=tip[2] - 0.06)
                if light.lamps > 2:
                    glow = np.array([1.6, 1.15, 0.6])
                    yield cuboid(tip[:2], inward, (0.8, 0.3, 0.04), glow, LIGHT, lift=tip[2] - 0.1)
            elif draw[1] < 0.45:
                yield from _sign(float(x), float(y), float(heading), draw, steel)


def _sign(x: float, y: float, heading: float, draw: tuple[float, ...], steel: Any) -> Iterator[Soup]:
    kinds = (((1.3, 0.9), (0.08, 0.25, 0.58)), ((0.7, 0.7), (0.80, 0.80, 0.80)), ((0.8, 0.8), (0.75, 0.1, 0.1)),
             ((2.4, 1.5), (0.08, 0.40, 0.26)))  # fmt: skip
    (width, height), colour = kinds[int(draw[2] * 4)]
    low = 2.3 + draw[3]
    yield _mast(x, y, low + height, 0.05, steel)
    across = np.array([-math.sin(heading), math.cos(heading)]) * 0.5 * width
    back = np.array([math.cos(heading), math.sin(heading)]) * -0.08
    left, right = np.array([x, y]) + across + back, np.array([x, y]) - across + back
    corners = [[(*left, low), (*right, low), (*right, low + height), (*left, low + height)]]
    yield panel(corners, linear(colour), SIGN, seed=int(draw[4] * 999))


def _signals(road: Road, curve: Any, travelled: float) -> Iterator[Soup]:
    """Traffic lights on masts beyond each crossing."""
    steel = linear((0.5, 0.52, 0.54))
    for middle, half in road.crossings(travelled):
        for side in (-1.0, 1.0):
            s = middle - travelled - side * (half + 1.0)
            if not BEHIND_M < s < 250:
                continue
            x, y, heading = place(curve, s, side * (road.layout.edge + 0.8))
            yield _mast(x, y, 6.2, 0.13, steel)
            inward = heading - side * 0.5 * math.pi
            tip = np.array([x + 4.5 * math.cos(inward), y + 4.5 * math.sin(inward)])
            triangles, _ = _limb((x, y, 6.0), (*tip, 6.3), 0.07, 0.05, 4)
            yield make(triangles, steel, METAL)
            yield cuboid(tip, heading, (0.25, 1.0, 0.36), linear((0.06, 0.06, 0.07)), KERB, lift=6.05)
            away = 0.14 if side > 0 else -0.14  # the lamp faces the traffic that comes towards it
            lamp = tip + away * np.array([math.cos(heading), math.sin(heading)])
            yield cuboid(lamp, heading, (0.04, 0.22, 0.22), np.array([0.05, 0.75, 0.35]), LIGHT, lift=6.12)


@dataclass(frozen=True)
class Block:
    """One building.

    Attributes
    ----------
    x, y, heading : float
        Ego position of the middle, m, and direction of the front, rad.
    width, depth, height : float
        Along and across the road, and up to the roof, m.
    side : int
        1 left of the road, -1 right of it.
    colour : (3,) float32, linear
    seed : int
        Of its windows.
    """

    x: float
    y: float
    heading: float
    width: float
    depth: float
    height: float
    side: int
    colour: Any
    seed: int


def blocks(road: Road, seed: int, curve: Any, travelled: float) -> Iterator[Block]:
    """List the buildings along the road."""
    palette = ((0.72, 0.68, 0.60), (0.60, 0.42, 0.34), (0.66, 0.67, 0.68), (0.78, 0.74, 0.66), (0.50, 0.53, 0.56),
               (0.70, 0.58, 0.46))  # fmt: skip
    for row, (d, side) in enumerate(road.layout.buildings):
        spacing = 26.0 + 20.0 * _draws(seed, 9, row, 0)[0]
        for s, _, draw in _cells(seed, 10, row, travelled, spacing, -60.0, AHEAD_M):
            if draw[1] < 0.15 or road.in_crossing(s + travelled, 0.5 * spacing):
                continue
            width, depth = spacing * (0.62 + 0.3 * draw[2]), 12.0 + 8 * draw[3]
            floors = 2 + int(5 * draw[4]) + (int(14 * draw[5]) if draw[5] > 0.6 else 0)
            x, y, heading = place(curve, s, d + side * (0.5 * depth + 5 * draw[6]))
            colour = linear(np.array(palette[int(draw[7] * 6)]) * (0.85 + 0.25 * draw[2]))
            yield Block(x, y, heading, width, depth, 3.2 * floors, side, colour, int(draw[3] * 30000))


def casters(road: Road, seed: int, curve: Any, travelled: float) -> Soup:
    """Place the buildings, which are seen and throw shadows alike."""
    parts: list[Soup] = []
    for block in blocks(road, seed, curve, travelled):
        width, depth, top, colour = block.width, block.depth, block.height, block.colour
        foot = ((block.x, block.y), block.heading)
        parts.append(cuboid(*foot, (width, depth, top), colour, WALL, block.seed))
        parts.append(cuboid(*foot, (width + 0.5, depth + 0.5, 0.6), colour * 0.8, KERB, lift=top))
        parts.append(cuboid(*foot, (0.25 * width, 0.4 * depth, 2.6), colour * 0.7, KERB, lift=top + 0.6))
    return join(parts)
