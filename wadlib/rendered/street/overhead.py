"""What hangs over a wild street: wires, and the shadows of trees and houses that are not in the picture."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from wadlib.rendered.drawing.materials import KERB, LEAF
from wadlib.rendered.drawing.soup import Soup, join, linear, panel
from wadlib.rendered.street.roadside import Roadside

WIRES, DAPPLE, BARS = range(71, 74)


def wires(here: Roadside) -> Soup:
    """Put cables over the road, from side to side: each a ribbon of 5 cm, seen and throwing a shadow."""
    return join(_wires(here, 0.05))


def _wires(here: Roadside, thick: float) -> Iterator[Soup]:
    amount, reach = here.amount(WIRES), here.road.layout.edge + 1.5
    for s, draw in here.spots(WIRES, 0, 26.0, 160.0, 0.0):
        if draw[1] > 0.6 * amount:
            continue
        for number in range(1 + int(3 * draw[2])):
            height, skew = 6.5 + 2.5 * draw[3] + 0.3 * number, 8.0 * (draw[4] - 0.5)
            x0, y0, _ = here.at(s + skew, reach)
            x1, y1, _ = here.at(s - skew, -reach)
            along = np.array([x1 - x0, y1 - y0]) / math.hypot(x1 - x0, y1 - y0)
            aside = 0.5 * thick * np.array([-along[1], along[0]])
            # Flat and upright: a ribbon seen from the edge would vanish.
            flat = [(x0 - aside[0], y0 - aside[1], height), (x1 - aside[0], y1 - aside[1], height),
                    (x1 + aside[0], y1 + aside[1], height), (x0 + aside[0], y0 + aside[1], height)]  # fmt: skip
            upright = [(x0, y0, height), (x1, y1, height), (x1, y1, height + thick), (x0, y0, height + thick)]
            yield panel([flat, upright], linear((0.08, 0.08, 0.09)), KERB)


def shade_across(here: Roadside, sun: Any) -> Soup:
    """Lay the shadows of what stands outside the picture on the road: dapple of crowns, bars of houses and poles.

    They reach from the side of the sun over a part of the road. Only the map of shadows takes these triangles;
    they lie on the ground, so the sun's height does not move them.

    Parameters
    ----------
    here : Roadside
    sun : (3,)
        Unit direction towards the sun, ego frame.
    """
    parts = list(_wires(here, 0.16))
    edge = here.road.layout.edge
    side = 1.0 if sun[1] > 0 else -1.0
    slant = float(np.clip(-sun[0] / max(abs(sun[1]), 0.3), -1.5, 1.5))  # metres along for each metre across
    full = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    amount = here.amount(DAPPLE)
    for s, draw in here.spots(DAPPLE, 0, 6.0, 120.0, 0.0):
        if draw[1] > 0.7 * amount:
            continue
        reach = 2 * edge * (0.2 + 0.8 * here.more(DAPPLE + 10, draw, 99)[0])
        for number in range(7):
            own = here.more(DAPPLE + 10, draw, number)
            across = reach * own[0]
            x, y, _ = here.at(s + slant * across + 3.0 * (own[1] - 0.5), side * (edge - across))
            half, turn = 1.0 + 1.2 * own[2], 2 * math.pi * own[3]
            c, t = half * math.cos(turn), half * math.sin(turn)
            corners = [[(x - c, y - t, 0.0), (x + t, y - c, 0.0), (x + c, y + t, 0.0), (x - t, y + c, 0.0)]]
            parts.append(panel(corners, (0.0, 0.0, 0.0), LEAF, uv=full[None]))
    amount = here.amount(BARS)
    for s, draw in here.spots(BARS, 0, 15.0, 120.0, 0.0):
        if draw[1] > 0.5 * amount:
            continue
        length = 0.3 if draw[2] < 0.5 else 2.0 + 10.0 * draw[3]
        reach = 2 * edge * (0.3 + 0.7 * draw[4])
        near, far = side * (edge + 4.0), side * (edge - reach)
        lean = slant * abs(near - far)
        feet = [here.at(s, near), here.at(s + lean, far), here.at(s + lean + length, far), here.at(s + length, near)]
        parts.append(panel([[(x, y, 0.0) for x, y, _ in feet]], (0.0, 0.0, 0.0), KERB))
    return join(parts)
