"""Things beside a wild street that are no road users, some as large as a car or as a person: kiosks, bins, hedges.

Nothing here belongs to a label; what it hides is hidden. It stands on the verge, behind the pavement or on the
median, never where anybody drives or walks.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wadlib.rendered.drawing.materials import HEDGE, KERB, WALL
from wadlib.rendered.drawing.soup import Soup, cuboid, join, linear, make
from wadlib.rendered.street.boards import boards
from wadlib.rendered.street.posters import column, poster, shop
from wadlib.rendered.street.roadside import SIDES, Roadside
from wadlib.rendered.street.scenery import _mast
from wadlib.rendered.street.trees import _limb

Spot = tuple[float, float, float]
Draw = tuple[float, ...]
Thing = Callable[[Roadside, Spot, float, Draw], Iterator[Soup]]
"""Builds something on a spot; side 1 stands left of the car, -1 right of it; eight numbers in [0, 1) vary it."""
SMALL, LARGE, MIDDLE = 51, 52, 53
GREY, DARK = linear((0.55, 0.56, 0.57)), linear((0.16, 0.17, 0.18))
PAINTS = ((0.75, 0.12, 0.1), (0.1, 0.3, 0.65), (0.15, 0.45, 0.25), (0.9, 0.7, 0.1), (0.85, 0.85, 0.83),
          (0.3, 0.32, 0.35), (0.9, 0.45, 0.1), (0.6, 0.6, 0.62))  # fmt: skip


def clutter(here: Roadside, lamps: float) -> Soup:
    """Build everything unlabelled that a wild street has and a plain one has not.

    Parameters
    ----------
    here : Roadside
    lamps : float
        See `light.Light`.
    """
    parts = list(boards(here, lamps))
    edge, median = here.road.layout.edge, here.road.layout.median
    for row, side in enumerate(SIDES):
        # On the verge, between kerb and walkers: less than 0.6 m deep.
        verge = side * (edge + (0.45 if here.road.layout.kind == "street" else 0.65))
        parts += _row(here, SMALL, row, 7.0, 100.0, (verge, verge), _small)
        if median > 2:
            inside = side * (median - 0.7)
            parts += _row(here, MIDDLE, row, 18.0, 90.0, (inside, inside), _small)
        near, far = (at + inwards for at, inwards in zip(here.back(side), (0.9, -0.9), strict=True))
        if far > near:
            parts += _row(here, LARGE, row, 13.0, 130.0, (side * near, side * min(far, near + 0.9)), _large)
    return join(parts)


def _row(
    here: Roadside, kind: int, row: int, spacing: float, ahead: float, across: tuple[float, float], choose: Thing
) -> Iterator[Soup]:
    """Put a thing into some of the cells along s, somewhere between the two d of `across`."""
    amount, side = here.amount(kind), 1.0 if across[0] > here.road.layout.ego else -1.0
    for s, draw in here.spots(kind, row, spacing, ahead, 13.0):  # a row of bollards is 7 m long; zebras stay free
        if draw[1] > 0.15 + 0.6 * amount:
            continue
        spot = here.at(s, across[0] + draw[2] * (across[1] - across[0]))
        if here.matters(*spot[:2], 4.0):
            yield from choose(here, spot, side, draw)


def _small(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """Choose what fits between kerb and pavement."""
    things = (_bins, _bins, _bollards, _cabinet, _cabinet, _planter, _light_box, _hydrant)
    yield from things[int(len(things) * draw[3])](here, spot, side, draw)


def _large(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """Choose what fits behind the pavement."""
    things = (_kiosk, _kiosk, _stall, _skip, _hedge, _hedge, _crates, _column, _containers)
    yield from things[int(len(things) * draw[3])](here, spot, side, draw)


def _paint(number: float, shade: float = 1.0) -> Any:
    return linear(np.array(PAINTS[int(len(PAINTS) * number)]) * shade)


def _shifted(spot: Spot, along: float, aside: float) -> tuple[float, float]:
    """Go from a spot along its heading and to the left."""
    x, y, heading = spot
    c, s = math.cos(heading), math.sin(heading)
    return x + along * c - aside * s, y + along * s + aside * c


def _bins(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """One to three litter bins in a row."""
    for number in range(1 + int(3 * draw[4])):
        foot, own = _shifted(spot, 0.6 * number, 0.0), here.more(60, draw, number)
        yield cuboid(foot, spot[2], (0.46, 0.44, 0.85), _paint(own[0]), KERB, lift=0.08)
        yield cuboid(foot, spot[2], (0.5, 0.48, 0.12), _paint(own[0], 0.6), KERB, lift=0.93)


def _bollards(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A row of red and white posts, or of cones."""
    bright, paint = linear((0.88, 0.88, 0.86)), _paint(0.0 if draw[4] < 0.6 else 0.8)
    for number in range(3 + int(4 * draw[5])):
        x, y = _shifted(spot, 1.2 * number, 0.0)
        for part in range(4):
            low, thick = 0.2 * part, 0.09 if draw[4] < 0.6 else 0.17 - 0.04 * part
            triangles, uv = _limb((x, y, low), (x, y, low + 0.2), thick, thick - (0.0 if draw[4] < 0.6 else 0.03), 7)
            yield make(triangles, bright if part % 2 else paint, KERB, uv=uv)


def _cabinet(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A grey or green box of the telephone company, perhaps with bills on it."""
    length, tall = 0.8 + 0.7 * draw[4], 1.1 + 0.5 * draw[5]
    paint = linear([(0.62, 0.63, 0.62), (0.3, 0.42, 0.33), (0.8, 0.79, 0.74)][int(3 * draw[6])])
    yield cuboid(spot[:2], spot[2], (length, 0.42, tall), paint, KERB, lift=0.1)
    yield cuboid(spot[:2], spot[2], (length + 0.1, 0.5, 0.06), paint * 0.7, KERB, lift=tall + 0.1)
    if draw[5] < 0.5:
        bill = poster(int(1000 * draw[4]), 0.6, 0.8)
        yield here.sheet(bill, 0.6, spot, -side * 0.5 * math.pi, 0.25, 0.22)


def _planter(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A trough with a bush in it."""
    length = 1.0 + 1.5 * draw[4]
    stone = _paint(0.55 + 0.44 * draw[5])
    yield cuboid(spot[:2], spot[2], (length, 0.5, 0.45), stone, KERB)
    bush = (length - 0.1, 0.4, 0.3 + 0.4 * draw[6])
    yield cuboid(spot[:2], spot[2], bush, linear((0.3, 0.42, 0.2)), HEDGE, lift=0.45)


def _light_box(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """An advertisement in a frame on a foot, across the way of the traffic so that it is read from both sides."""
    facing, width = math.pi + side * (0.5 + 0.9 * draw[4]), 0.5 if here.road.layout.kind == "street" else 0.9
    yield cuboid(spot[:2], spot[2] + facing, (0.14, width + 0.1, 1.7), GREY * 0.6, KERB, lift=0.35)
    yield cuboid(spot[:2], spot[2] + facing, (0.2, 0.5 * width, 0.36), DARK, KERB)
    for back in (0.0, math.pi):
        print_ = poster(int(2048 * draw[5 + (back > 0)]), width, 1.6)
        yield here.sheet(print_, width, spot, facing + back, 0.4, 0.08)


def _hydrant(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A hydrant, or a parking meter on its post: as slim as a person far away."""
    x, y, heading = spot
    if draw[4] < 0.5:
        triangles, uv = _limb((x, y, 0.0), (x, y, 0.7), 0.14, 0.11, 8)
        yield make(triangles, _paint(0.0), KERB, uv=uv)
        yield cuboid((x, y), heading, (0.16, 0.42, 0.14), _paint(0.0, 0.7), KERB, lift=0.42)
    else:
        yield _mast(x, y, 1.2, 0.05, GREY)
        yield cuboid((x, y), heading, (0.2, 0.26, 0.45), _paint(draw[5]), KERB, lift=1.15)


def _kiosk(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A news stand: as large as a van, with windows all around and a name over them."""
    length, tall = 2.6 + 1.6 * draw[4], 2.5
    yield cuboid(spot[:2], spot[2], (length, 1.6, tall), _paint(draw[5]), WALL, int(30000 * draw[6]))
    yield cuboid(spot[:2], spot[2], (length + 0.5, 1.9, 0.16), _paint(draw[5], 0.7), KERB, lift=tall)
    for facing, wide, out in ((-side * 0.5 * math.pi, 2.5, 0.85), (math.pi, 1.4, 0.5 * length + 0.05)):
        name = shop(int(1024 * draw[6]), wide, 0.5)
        yield here.sheet(name, wide, spot, facing, tall - 0.62, out)
        if draw[4] > 0.4:
            yield here.sheet(poster(int(900 * draw[6]), 1.0, 1.2), 1.0, spot, facing, 0.4, out)


def _stall(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A market stall: striped roof on four posts, boxes below."""
    length, width, tall = 2.4 + draw[4], 1.6, 2.1
    for along in (-0.5, 0.5):
        for aside in (-0.5, 0.5):
            foot = _shifted(spot, along * (length - 0.1), aside * (width - 0.1))
            yield _mast(foot[0], foot[1], tall, 0.03, GREY)
    stripes = 6
    for number in range(stripes):
        foot = _shifted(spot, (number + 0.5) / stripes * length - 0.5 * length, 0.0)
        paint = _paint(draw[5]) if number % 2 else linear((0.9, 0.9, 0.87))
        yield cuboid(foot, spot[2], (length / stripes, width + 0.3, 0.25), paint, KERB, lift=tall)
    yield cuboid(spot[:2], spot[2], (length - 0.3, width - 0.5, 0.75), _paint(draw[6], 0.6), KERB)
    for number in range(5):
        own = here.more(61, draw, number)
        foot = _shifted(spot, (number + 0.5) / 5 * (length - 0.4) - 0.5 * (length - 0.4), 0.3 * (own[0] - 0.5))
        yield cuboid(foot, spot[2], (0.35, 0.6, 0.15 + 0.25 * own[1]), _paint(own[2]), KERB, lift=0.75)


def _skip(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A rubble skip, as long and as high as a car, with a heap in it."""
    length, paint = 3.4 + 0.8 * draw[4], _paint(draw[5])
    yield cuboid(spot[:2], spot[2], (length - 0.7, 1.6, 0.5), paint * 0.9, KERB, lift=0.12)
    yield cuboid(spot[:2], spot[2], (length, 1.7, 0.55), paint, KERB, lift=0.6)
    heap = (length - 0.4, 1.3, 0.25 * draw[6] + 0.1)
    yield cuboid(spot[:2], spot[2], heap, linear((0.45, 0.4, 0.33)), KERB, lift=1.1)
    for along in np.linspace(-0.4, 0.4, 5):
        rib = _shifted(spot, float(along) * length, 0.0)
        yield cuboid(rib, spot[2], (0.08, 1.78, 0.55), paint * 0.6, KERB, lift=0.58)


def _hedge(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A clipped hedge or a row of bushes, no larger than a car."""
    green = linear(np.array([0.3, 0.42, 0.2]) * (0.8 + 0.5 * draw[6]))
    for number in range(1 + int(3 * draw[5])):
        own = here.more(62, draw, number)
        foot = _shifted(spot, 1.7 * number, 0.3 * (own[0] - 0.5))
        size = (1.3 + 0.6 * own[1] + 1.5 * (draw[5] < 0.33), 1.1 + 0.4 * own[2], 0.8 + 0.8 * own[3])
        yield cuboid(foot, spot[2] + 0.3 * (own[4] - 0.5), size, green, HEDGE)


def _crates(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """Boxes and sacks in a heap."""
    for number in range(4 + int(6 * draw[4])):
        own, level = here.more(63, draw, number), number % 3
        foot = _shifted(spot, 2.4 * (own[0] - 0.5) * (1 - 0.3 * level), 1.0 * (own[1] - 0.5))
        paint = linear((0.62, 0.48, 0.32)) if own[2] < 0.5 else _paint(own[3], 0.8)
        size = (0.6 + 0.3 * own[4], 0.5 + 0.3 * own[5], 0.5)
        yield cuboid(foot, spot[2] + 0.5 * own[6], size, paint, KERB, lift=0.45 * level if level < 2 else 0.0)


def _column(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """A round advertising column."""
    sides, radius, tall = 8, 0.62, 2.7
    x, y, heading = spot
    triangles, uv = _limb((x, y, 0.0), (x, y, tall), radius, radius, sides)
    yield make(triangles, _paint(draw[4]), KERB, uv=uv)
    yield cuboid((x, y), heading, (1.0, 1.0, 0.15), GREY * 0.5, KERB, lift=tall)
    width = 2 * radius * math.sin(math.pi / sides)
    for number, print_ in enumerate(column(int(64 * draw[6]), sides, width * 0.96, 2.0)):
        yield here.sheet(print_, width * 0.96, spot, 2 * math.pi * number / sides, 0.45, radius * 0.96 + 0.04)


def _containers(here: Roadside, spot: Spot, side: float, draw: Draw) -> Iterator[Soup]:
    """Large bins on wheels, two to four of them."""
    paint = _paint(draw[4])
    for number in range(2 + int(3 * draw[5])):
        foot = _shifted(spot, 1.35 * number, 0.0)
        yield cuboid(foot, spot[2], (1.2, 1.0, 0.95), paint, KERB, lift=0.18)
        yield cuboid(foot, spot[2], (1.26, 1.06, 0.14), paint * 0.5, KERB, lift=1.13)
        yield cuboid(foot, spot[2], (0.9, 0.8, 0.18), DARK, KERB)
