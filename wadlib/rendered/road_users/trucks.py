"""Trucks: a forward-control cab and what it carries, from the blue light truck to the articulated lorry."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.mesh import GLASS, MATTE, METAL, PAINT, Mesh, box, merge, prism
from wadlib.rendered.road_users.loads import DARK, Body
from wadlib.rendered.road_users.parts import (
    BLACK_GLASS,
    LAMP_RED,
    LAMP_WHITE,
    RUBBER,
    arch,
    lamp,
    number_plate,
    pick,
    pick_paint,
    plates,
    quads,
    wheels,
)
from wadlib.rendered.road_users.truck_bodies import build_body


@dataclass(frozen=True)
class Plan:
    """One kind of truck, metres; x from the back of the load.

    Attributes
    ----------
    axles : distance of the rear axles from the back, as shares of the length (without the cab)
    floor : height of the loading floor
    cab : length, height of the cab's roof
    gap : between load and cab
    """

    length: tuple[float, float]
    width: float
    floor: float
    height: tuple[float, float]
    cab: tuple[float, float]
    axles: tuple[float, ...]
    wheel: float
    bodies: tuple[str, ...]
    gap: float = 0.15


PLANS = {
    "light": Plan((3.1, 4.2), 1.85, 0.80, (1.9, 2.5), (1.55, 2.05), (0.28,), 0.36,
                  ("dropside", "dropside", "box", "stake")),
    "medium": Plan((5.2, 7.2), 2.35, 1.05, (2.9, 3.6), (1.9, 2.65), (0.27,), 0.47,
                   ("box", "tarp", "dropside", "box", "tanker")),
    "tipper": Plan((5.0, 6.2), 2.45, 1.15, (2.7, 3.1), (2.2, 2.95), (0.15, 0.38), 0.52, ("tipper", "tipper", "mixer")),
    "lorry": Plan((10.5, 12.5), 2.5, 1.25, (3.7, 4.0), (2.2, 3.35), (0.10, 0.21, 0.80), 0.52,
                  ("box", "container", "tarp", "flat"), 0.9),
}  # fmt: skip
KINDS = {"light": 42, "medium": 28, "tipper": 13, "lorry": 17}
CAB = {"blue": 26, "white": 24, "red": 10, "orange": 4, "yellow": 5, "green": 4, "silver": 5, "navy": 5, "sky": 6}
CAB |= {"grey": 3, "champagne": 2, "maroon": 3, "black": 2, "olive": 2}
LOAD = {"white": 26, "silver": 14, "blue": 14, "grey": 8, "red": 7, "green": 6, "champagne": 6, "orange": 5, "brown": 4}
LOAD |= {"olive": 4, "yellow": 3, "navy": 3, "maroon": 3, "sky": 3}


@dataclass(frozen=True, eq=False)
class Truck:
    """One truck, fully drawn; `body` holds the drawn load."""

    kind: str
    cab: npt.NDArray[np.float64]
    rim: npt.NDArray[np.float64]
    body: Body
    visor: bool


def draw_truck(rng: np.random.Generator) -> Truck:
    """Draw a truck: kind, cab paint and body. A light truck's dropsides have the colour of its cab."""
    kind = pick(rng, KINDS)
    plan = PLANS[kind]
    cab, paint = pick_paint(rng, CAB), pick_paint(rng, LOAD)
    style = plan.bodies[int(rng.integers(len(plan.bodies)))]
    length, top = float(rng.uniform(*plan.length)), float(rng.uniform(*plan.height))
    if style in ("dropside", "tipper", "stake") and rng.random() < 0.8:
        paint = cab
    body = Body(style, length, plan.width, plan.floor, top, paint, pick_paint(rng), rng.random(32))
    return Truck(kind, cab, np.full(3, rng.uniform(0.3, 0.6)), body, bool(rng.random() < 0.5) and kind != "light")


def build_truck(truck: Truck, lod: int = 0) -> Mesh:
    """Build the mesh of a drawn truck, centred on x = 0."""
    plan, body = PLANS[truck.kind], truck.body
    start = body.length + plan.gap
    length, half = start + plan.cab[0], plan.width / 2
    parts = [build_body(body, lod), *_cab(truck, plan, start, lod)]
    parts.append(box((length - 0.4, 0.8, 0.26), (length / 2, 0, plan.floor - 0.2), colour=DARK))
    rear = [share * body.length for share in plan.axles]
    front = start + plan.cab[0] * (0.62 if truck.kind == "light" else 0.58)
    places = [(x, side * (half - 0.02)) for x in rear for side in (1, -1)]
    ahead = [(front, side * (half + 0.02)) for side in (1, -1)]
    parts.append(wheels(places, plan.wheel, 0.5, truck.rim, lod, spokes=0))
    parts.append(wheels(ahead, plan.wheel, 0.28, truck.rim, lod, spokes=0))
    parts.append(plates(_ends(plan, length, lod)))
    if lod == 0:
        flanks = [(front, side * (half + 0.004)) for side in (1, -1)]
        parts.append(arch(flanks, plan.wheel * 1.18, plan.wheel, plan.wheel * 0.8))
        parts += _chassis(truck, plan, rear, front, start)
    return merge(parts).transformed(translation=(-length / 2, 0, 0))


def _cab(truck: Truck, plan: Plan, start: float, lod: int) -> list[Mesh]:
    """Cab from its side view: upright nose, raked windscreen, side windows, bumper, mirrors."""
    # The shell, from its side view.
    deep, top = plan.cab
    bottom, half, end = plan.wheel * 0.85, plan.width / 2, start + deep
    waist = bottom + 0.44 * (top - bottom)
    rake = 0.28 if truck.kind == "light" else 0.16
    side = [(start, bottom), (end - 0.02, bottom), (end, waist - 0.1)]
    side += [(end - rake, top - 0.14), (end - rake - 0.25, top), (start, top - 0.03)]
    width = np.array([1, 0.97, 0.97, 0.92, 0.88, 0.92]) * plan.width
    parts = [prism(side, width, colour=truck.cab, material=PAINT)]
    low, high = waist + 0.02, top - 0.28

    def nose(z: float) -> float:
        return end - rake * float(np.clip((z - waist + 0.1) / (top - waist - 0.04), 0, 1)) + 0.012

    # Windscreen, side windows and the gaps of the doors.
    screen = [(nose(low), -0.43 * plan.width, low), (nose(low), 0.43 * plan.width, low)]
    screen += [(nose(high), 0.41 * plan.width, high), (nose(high), -0.41 * plan.width, high)]
    rows: list[Any] = [(screen, BLACK_GLASS, GLASS)]
    for sign in (1, -1):
        x0, x1, x2 = start + 0.42 * deep, nose(low) - 0.16, nose(high) - 0.14
        y0, y1 = (sign * (half * f + 0.014) for f in (0.985, 0.945))
        pane = [(x0, y0, low), (x0, y1, high), (x2, y1, high), (x1, y0, low)]
        rows.append((pane if sign > 0 else pane[::-1], BLACK_GLASS, GLASS))
        if lod == 0:  # the gaps of the door
            for x in (x0 - 0.06, x1 + 0.02):
                seam = [(x, sign * (half + 0.006), bottom + 0.2), (x, sign * (half * 0.97 + 0.012), low + 0.1)]
                seam += [(x + 0.025, y, z) for x, y, z in seam[::-1]]
                rows.append((seam if sign > 0 else seam[::-1], truck.cab * 0.3, MATTE))
    parts.append(quads(rows))
    if lod == 0:
        parts.append(box((0.12, plan.width * 0.98, 0.3), (end - 0.02, 0, bottom + 0.02), colour=(0.12, 0.12, 0.125)))
        for sign in (1, -1):
            place = (nose(high) + 0.06, sign * (half + 0.14), (low + high) / 2 + 0.1)
            parts.append(box((0.08, 0.17, 0.42), place, colour=RUBBER))
            parts.append(box((0.03, 0.24, 0.03), (place[0], sign * half, place[2] + 0.2), colour=RUBBER))
        if truck.visor:
            place = (nose(high) + 0.06, 0, high + 0.05)
            parts.append(box((0.22, plan.width * 0.86, 0.06), place, colour=truck.cab * 0.5))
    if truck.kind == "lorry":  # wind deflector
        peak = truck.body.top - 0.05
        wedge = [(start + 0.2, top - 0.05), (end - 0.75, top - 0.03), (start + 0.45, peak), (start + 0.2, peak)]
        parts.append(prism(wedge, plan.width * 0.8, colour=truck.cab, material=PAINT))
    return parts


def _ends(plan: Plan, length: float, lod: int) -> list[Any]:
    half, z = plan.width / 2, plan.wheel * 0.85
    rows: list[Any] = [
        *lamp("front", length + 0.05, (0.58 * half, 0.88 * half), (z + 0.02, z + 0.17), LAMP_WHITE),
        *lamp("back", -0.03, (0.62 * half, 0.92 * half), (plan.floor - 0.32, plan.floor - 0.18), LAMP_RED),
    ]
    if lod == 0:
        rows += [
            ("front", length + 0.012, (-0.55 * half, 0.55 * half), (z + 0.24, z + 0.44), (0.06, 0.06, 0.065), METAL),
            *number_plate("front", length + 0.05, z + 0.03, (0.80, 0.62, 0.08)),
            *number_plate("back", -0.04, plan.floor - 0.25, (0.80, 0.62, 0.08)),
        ]
    return rows


def _chassis(truck: Truck, plan: Plan, rear: list[float], front: float, start: float) -> list[Mesh]:
    """Underrun bars, tank, mudguards behind the rear wheels."""
    half, z = plan.width / 2, plan.floor
    parts = [
        box((0.08, plan.width * 0.95, 0.14), (0.06, 0, z - 0.25), colour=(0.16, 0.16, 0.165)),
        box((0.08, plan.width * 0.8, 0.1), (0.15, 0, 0.5 * z), colour=DARK),
    ]
    for sign in (1, -1):
        place = (rear[0] - plan.wheel * 1.15, sign * (half - 0.28), 0.45 * z)
        parts.append(box((0.03, 0.5, 0.55 * z), place, colour=RUBBER))
    middle = (max(x for x in rear if x < 0.6 * start) + min([front, *[x for x in rear if x > 0.6 * start]])) / 2
    parts.append(box((0.9, 0.45, 0.4 * z), (middle, half - 0.3, 0.55 * z), colour=(0.45, 0.46, 0.47), material=METAL))
    for y in (half - 0.06, 0.06 - half):
        parts.append(box((middle * 0.5, 0.05, 0.1), (middle, y, 0.62 * z), colour=(0.3, 0.3, 0.31)))
    return parts
