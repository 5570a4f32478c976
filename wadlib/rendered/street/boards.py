"""Sheets along a wild street: banners on fences, hoardings, billboards, shop signs, traffic signs."""

import math
from collections.abc import Iterator

import numpy as np

from wadlib.rendered.drawing.board import collage, rectangle
from wadlib.rendered.drawing.materials import KERB
from wadlib.rendered.drawing.mesh import LIGHT
from wadlib.rendered.drawing.soup import Soup, cuboid, linear
from wadlib.rendered.street.posters import SIGN_M, banner, poster, shop, sign
from wadlib.rendered.street.roadside import SIDES, Roadside
from wadlib.rendered.street.scenery import _mast, blocks

BANNERS, HOARDINGS, BILLBOARDS, SHOPS, SIGNS = range(31, 36)
PANEL_M = 3.0
STEEL = linear((0.5, 0.52, 0.54))


def boards(here: Roadside, lamps: float) -> Iterator[Soup]:
    """Build all sheets of a frame; `lamps` is the brightness of lamps, for shop signs at dusk."""
    yield from _banners(here)
    for row, side in enumerate(SIDES):
        yield from _hoardings(here, row, side)
        yield from _billboards(here, row, side)
    yield from _shop_signs(here, lamps)
    yield from _traffic_signs(here)


def _banners(here: Roadside) -> Iterator[Soup]:
    """Tie cloth to the fences, on the side from which the car sees them."""
    layout, amount = here.road.layout, here.amount(BANNERS)
    for row, d in enumerate(layout.fences):
        side = 1.0 if d > layout.ego else -1.0
        for s, draw in here.spots(BANNERS, row, 12.0, 150.0, 8.0):
            width = (3.0, 4.5, 6.0)[int(3 * draw[2])]
            if draw[1] > 0.15 + 0.6 * amount:
                continue
            spot = here.at(s, d)
            if here.matters(*spot[:2], width):
                cloth = banner(int(4096 * draw[3]), width, 0.85)
                yield here.sheet(cloth, width, spot, -side * 0.5 * math.pi, 0.22, 0.12)


def _hoardings(here: Roadside, row: int, side: float) -> Iterator[Soup]:
    """Close off a building site, or what is behind the pavement, with steel sheets full of posters."""
    amount, d = here.amount(HOARDINGS), side * (here.pavement_end(side) + 0.15)
    tints = ((0.85, 0.86, 0.85), (0.25, 0.4, 0.62), (0.3, 0.48, 0.36), (0.72, 0.7, 0.64))
    for start, draw in here.spots(HOARDINGS, row, 44.0, 150.0, 6.0):
        if draw[1] > 0.1 + 0.4 * amount:
            continue
        tint, height = np.array(tints[int(4 * draw[2])]), 1.9 + 0.3 * int(3 * draw[3])
        plain = collage([rectangle(0, 0, PANEL_M, height, tint), rectangle(0, 0, PANEL_M, 0.25, 0.6 * tint, 1),
                         rectangle(0, 0, 0.08, height, 0.7 * tint, 1)])  # fmt: skip
        for number in range(3 + int(5 * draw[4])):
            s = start + PANEL_M * number
            spot = here.at(s, d)
            if here.road.in_crossing(s + here.travelled, 6.0) or not here.matters(*spot[:2], PANEL_M):
                continue
            yield here.sheet(plain, PANEL_M + 0.02, spot, -side * 0.5 * math.pi, 0.0, 0.0)
            own = here.more(HOARDINGS + 10, draw, number)
            if own[0] < 0.65 and s < 110.0:
                width, tall = ((2.7, 1.5), (1.2, 1.5), (2.0, 1.5))[int(3 * own[1])]
                print_ = poster(int(2048 * own[2]), width, tall)
                yield here.sheet(print_, width, spot, -side * 0.5 * math.pi, 0.35 + 0.1 * own[3], 0.04)


def _billboards(here: Roadside, row: int, side: float) -> Iterator[Soup]:
    """Put large boards on posts behind the pavement; they look back at the traffic."""
    amount, d = here.amount(BILLBOARDS), side * (here.pavement_end(side) + 3.4)
    for s, draw in here.spots(BILLBOARDS, row, 38.0, 190.0, 10.0):
        if draw[1] > 0.1 + 0.5 * amount:
            continue
        width, tall = ((6.0, 3.0), (4.0, 2.5), (5.0, 2.5))[int(3 * draw[2])]
        lift, facing = 2.9 + 1.6 * draw[3], math.pi + side * (0.35 + 0.5 * draw[4])
        spot = here.at(s, d)
        if not here.matters(*spot[:2], width):
            continue
        x, y, heading = spot
        across = np.array([-math.sin(heading + facing), math.cos(heading + facing)])
        for offset in (-0.3, 0.3):
            px, py = np.array([x, y]) + offset * width * across
            yield _mast(float(px), float(py), lift + 0.9 * tall, 0.14, STEEL)
        yield cuboid((x, y), heading + facing, (0.2, width + 0.3, tall + 0.3), STEEL * 0.7, KERB, lift=lift - 0.15)
        yield here.sheet(poster(int(2048 * draw[5]), width, tall), width, spot, facing, lift, 0.16)


def _shop_signs(here: Roadside, lamps: float) -> Iterator[Soup]:
    """Write names over the shops of the houses, and hang blades that stand out from the wall."""
    amount = here.amount(SHOPS)
    lit = 0.35 if lamps > 2 else 0.0
    for block in blocks(here.road, here.seed, here.curve, here.travelled):
        if not here.matters(block.x, block.y, block.width) or math.hypot(block.x, block.y) > 200:
            continue
        aside = -block.side * np.array([-math.sin(block.heading), math.cos(block.heading)])
        along = np.array([math.cos(block.heading), math.sin(block.heading)])
        count = max(int(block.width / 5.0), 1)
        pitch, draw = block.width / count, (0.0,) * 7 + (block.seed / 30000,)
        for number in range(count):
            own = here.more(SHOPS, draw, number)
            if own[0] > 0.3 + 0.65 * amount:
                continue
            front = np.array([block.x, block.y]) + 0.5 * block.depth * aside
            x, y = front + ((number + 0.5) * pitch - 0.5 * block.width) * along
            spot = (float(x), float(y), block.heading)
            width, tall = ((4.5, 1.0), (3.0, 0.8), (4.0, 1.4))[int(3 * own[1])]
            glow, material = (lit, LIGHT) if lit and own[2] < 0.6 else (1.0, KERB)
            name, facing = shop(int(1024 * own[3]), width, tall), -block.side * 0.5 * math.pi
            yield here.sheet(name, width, spot, facing, 2.4, 0.18, material, glow)
            if own[4] < 0.35:  # a blade, read by who comes along the road
                x, y = np.array([x, y]) + 0.7 * aside + 0.5 * pitch * along
                blade = shop(int(1024 * own[5]), 0.8, 3.2)
                yield cuboid((x, y), block.heading, (0.16, 0.86, 3.26), STEEL * 0.8, KERB, lift=3.37)
                yield here.sheet(blade, 0.8, (float(x), float(y), block.heading), math.pi, 3.4, 0.09, material, glow)


def _traffic_signs(here: Roadside) -> Iterator[Soup]:
    """Put signs with figures of people and vehicles between the lamp posts, one or two on a post."""
    amount = here.amount(SIGNS)
    for row, d in enumerate(here.road.layout.poles):
        for spot_s, draw in here.spots(SIGNS, row, 16.0, 140.0, 5.0):
            s = spot_s + 0.55 * 16.0
            if draw[1] > 0.2 + 0.6 * amount or here.road.in_crossing(s + here.travelled, 5.0):
                continue
            spot = here.at(s, d)
            if not here.matters(*spot[:2], 2.0):
                continue
            # Who comes towards us reads the signs on their side; we see the backs of those.
            facing = (0.0 if d > 0 and draw[2] < 0.5 else math.pi) + 0.3 * (draw[3] - 0.5)
            count = 1 + (draw[4] < 0.4)
            low = 1.9 + 0.6 * draw[5]
            yield _mast(spot[0], spot[1], low + count * (SIGN_M + 0.05), 0.045, STEEL)
            for number in range(count):
                own = here.more(SIGNS + 10, draw, number)
                lift = low + number * (SIGN_M + 0.05)
                yield here.sheet(sign(int(64 * own[0])), SIGN_M, spot, facing, lift, 0.08)
