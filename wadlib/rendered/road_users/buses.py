"""Buses: city bus, double-decker, coach and minibus, with window bands, doors on the right, displays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.loft import Loft
from wadlib.rendered.drawing.mesh import GLASS, LIGHT, MATTE, METAL, PAINT, Mesh, box, merge
from wadlib.rendered.drawing.solids import tube
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


@dataclass(frozen=True)
class Plan:
    """One kind of bus, metres.

    Attributes
    ----------
    decks : lower and upper edge of each row of windows
    axles : distance of the rear axle from the back and of the front axle from the front
    doors : distance of each door's front edge from the front of the bus
    panes : windows per flank
    rake : how far the windscreen leans back
    """

    length: tuple[float, float]
    width: float
    height: float
    decks: tuple[tuple[float, float], ...]
    axles: tuple[float, float]
    wheel: float
    doors: tuple[float, ...]
    door_width: float
    panes: int
    rake: float


PLANS = {
    "city": Plan((9.5, 12.0), 2.5, 2.95, ((1.15, 2.35),), (3.2, 2.6), 0.48, (0.35, 5.0), 1.25, 7, 0.04),
    "double": Plan((11.0, 12.0), 2.5, 4.15, ((1.15, 2.0), (2.6, 3.6)), (3.2, 2.6), 0.48, (0.35, 5.0), 1.25, 7, 0.05),
    "coach": Plan((10.5, 12.0), 2.5, 3.45, ((1.75, 2.85),), (3.1, 2.5), 0.50, (0.45,), 0.95, 6, 0.30),
    "minibus": Plan((6.0, 7.1), 2.05, 2.60, ((1.25, 2.10),), (1.7, 1.25), 0.37, (2.0,), 0.85, 5, 0.32),
}
KINDS = {"city": 55, "coach": 18, "minibus": 20, "double": 7}
COLOURS = {"white": 22, "red": 10, "blue": 10, "green": 10, "silver": 7, "yellow": 5, "orange": 4, "sky": 5}
COLOURS |= {"champagne": 4, "grey": 3, "maroon": 3, "brown": 2, "black": 1, "navy": 3, "olive": 1}


@dataclass(frozen=True, eq=False)
class Bus:
    """One bus, fully drawn."""

    kind: str
    length: float
    paint: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    livery: str
    roof_unit: bool
    rim: npt.NDArray[np.float64]


def draw_bus(rng: np.random.Generator) -> Bus:
    """Draw the numbers of a bus: kind, length, and a livery of two paints."""
    kind = pick(rng, KINDS)
    return Bus(
        kind=kind,
        length=float(rng.uniform(*PLANS[kind].length)),
        paint=pick_paint(rng, COLOURS),
        second=pick_paint(rng, COLOURS),
        livery=pick(rng, {"plain": 3, "skirt": 4, "tail": 2, "stripe": 3}),
        roof_unit=bool(rng.random() < 0.8) and kind in ("city", "coach"),
        rim=np.full(3, rng.uniform(0.35, 0.6)),
    )


def build_bus(bus: Bus, lod: int = 0) -> Mesh:
    """Build the mesh of a drawn bus, x from -length/2 to length/2."""
    plan = PLANS[bus.kind]
    loft, bottom = _loft(bus, plan, lod)
    colours, materials = _paint(bus, plan, loft, lod)
    parts = [loft.mesh(colours, materials), plates(_ends(bus, plan, lod)), quads(_windscreen(bus, plan, lod))]
    half = plan.width / 2
    axles = (plan.axles[0], bus.length - plan.axles[1])
    places = [(x, side * (half + 0.04)) for x in axles for side in (1, -1)]
    parts.append(wheels(places, plan.wheel, 0.3, bus.rim, lod, spokes=0))
    if bus.roof_unit:
        parts.append(box((2.4, 1.7, 0.22), (bus.length * 0.45, 0, plan.height + 0.1), colour=bus.paint * 0.9))
    if lod == 0:
        parts += _flanks(bus, plan, loft)
        parts.append(arch([(x, (half + 0.012) * np.sign(y)) for x, y in places], plan.wheel * 1.2, plan.wheel, bottom))
        parts += _mirrors(bus, plan)
    return merge(parts).transformed(translation=(-bus.length / 2, 0, 0))


def _loft(bus: Bus, plan: Plan, lod: int) -> tuple[Loft, float]:
    """Stations near the two ends (the middle is straight); rows at the edges of the window bands."""
    length, top, half = bus.length, plan.height, plan.width / 2
    bottom = 0.62 * plan.wheel
    edges = [z for deck in plan.decks for z in deck]
    heights = np.array([bottom, bottom + 0.22, *edges, top - 0.16, top - 0.04, top])
    across = np.array([0.965, 1.0, *[1.0 if z < 2.2 else 0.985 for z in edges], 0.95, 0.84, 0.0]) * half
    fine = [0.0, 0.08, 0.3, length - 0.55, length - 0.16, length]
    xs = np.array([0, 0.15, length - 0.3, length] if lod else fine)
    shrink = np.interp(xs, [0, 0.08, 0.3], [0.93, 0.975, 1]) * np.interp(length - xs, [0, 0.16, 0.55], [0.90, 0.965, 1])
    points = np.zeros((len(xs), len(heights), 3))
    points[:, :, 0], points[:, :, 1] = xs[:, None], across * shrink[:, None]
    drop = np.interp(heights, [0, top * 0.8, top], [0, 0, 1])
    points[:, :, 2] = heights - drop * ((1 - shrink) * 1.6)[:, None]
    points[:, :, 0] -= _lean(plan, heights) * (xs > length - 0.2)[:, None]
    return Loft(points), bottom


def _lean(plan: Plan, z: npt.ArrayLike) -> Any:
    """How far the front stands back at height z: upright below the windows, then raked."""
    foot = _foot(plan)
    return plan.rake * np.clip((np.asarray(z, float) - foot) / (plan.height - foot), 0, 1)


def _foot(plan: Plan) -> float:
    """Lower edge of the windscreen: the driver sits lower than a coach's passengers."""
    waist = plan.decks[0][0]
    return min(waist, 1.3) - 0.22 if plan.width > 2.2 else waist - 0.1


def _paint(bus: Bus, plan: Plan, loft: Loft, lod: int) -> tuple[Any, Any]:
    stations, rows = loft.points.shape[0] - 1, loft.points.shape[1] - 1
    colours = np.empty((stations, rows, 3))
    colours[:] = bus.paint
    materials = np.full((stations, rows), PAINT)
    if bus.livery == "skirt":
        colours[:, :2] = bus.second
    colours[:, 0] *= 0.6
    for deck in range(len(plan.decks)):
        band = 2 + 2 * deck
        if lod:
            colours[1:-1, band], materials[1:-1, band] = BLACK_GLASS, GLASS
        else:
            colours[:, band] *= 0.55
    return colours, materials


def _flanks(bus: Bus, plan: Plan, loft: Loft) -> list[Mesh]:
    """Window panes, livery and doors."""
    length, half = bus.length, plan.width / 2
    parts = []
    stops = np.linspace(0.45, length - 0.75, plan.panes + 1)
    for deck in range(len(plan.decks)):
        band = 2 + 2 * deck
        for x0, x1 in zip(stops[:-1] + 0.04, stops[1:] - 0.04, strict=True):
            parts.append(loft.patch((x0, x1), (band + 0.05, band + 0.95), BLACK_GLASS, GLASS))
        parts.append(loft.patch((length - 0.68, length - 0.02), (band - 0.1, band + 0.93), BLACK_GLASS, GLASS))
    if bus.livery == "tail":
        parts.append(loft.patch((0.02, length * 0.28), (1.05, 1.97), bus.second, PAINT))
    if bus.livery == "stripe":
        parts.append(loft.patch((0.02, length - 0.1), (1.5, 1.8), bus.second, PAINT, lift=0.005))
    low, high = plan.wheel * 0.62 + 0.08, plan.decks[0][1] + 0.05
    rows: list[Any] = []
    for offset in plan.doors:
        front = length - offset
        rows.append(("right", -half - 0.016, (front - plan.door_width, front), (low, high), bus.paint * 0.45, METAL))
        wing, pane = plan.door_width / 2, (low + 0.12, high - 0.08)
        for x1 in (front, front - wing):
            rows.append(("right", -half - 0.020, (x1 - wing + 0.05, x1 - 0.05), pane, BLACK_GLASS, GLASS))
    if bus.kind == "coach":  # luggage hatches below the floor
        for x in np.arange(4.6, length - 3.6, 1.3):
            for facing, at in (("left", half + 0.006), ("right", -half - 0.006)):
                rows.append((facing, at, (x, x + 0.03), (0.5, 1.25), bus.paint * 0.35, MATTE))
    if bus.kind in ("city", "double"):
        place = (length - 2.6, length - 1.75), (high - 0.3, high - 0.06)
        rows.append(("right", -half - 0.022, *place, (0.85, 0.38, 0.06), LIGHT))
    parts.append(plates(rows))
    return parts


def _ends(bus: Bus, plan: Plan, lod: int) -> list[Any]:
    """Windscreen, display, lamps and plates at the front; window, grille and lamps at the back."""
    length, half = bus.length, plan.width / 2
    nose, wide = length + 0.012, 0.86 * half
    rows: list[Any] = [
        ("back", -0.012, (-0.78 * half, 0.78 * half), (plan.decks[-1][0] + 0.1, plan.decks[-1][1]), BLACK_GLASS, GLASS),
        *lamp("back", -0.012, (0.68 * half, 0.88 * half), (0.75, 1.12), LAMP_RED),
        *lamp("front", nose, (0.52 * half, 0.86 * half), (0.62, 0.84), LAMP_WHITE),
    ]
    if lod == 0:
        rows += [
            ("back", -0.012, (-0.6 * half, 0.6 * half), (0.55, 0.95), (0.06, 0.06, 0.065), METAL),
            ("back", -0.016, (-0.91 * half, 0.91 * half), (0.34, 0.5), (0.07, 0.07, 0.075), MATTE),
            ("front", nose, (-wide, wide), (0.36, 0.56), (0.08, 0.08, 0.085), MATTE),
            *number_plate("front", nose + 0.006, 0.48, (0.80, 0.62, 0.08)),
            *number_plate("back", -0.02, 1.05, (0.80, 0.62, 0.08)),
        ]
    return rows


def _windscreen(bus: Bus, plan: Plan, lod: int) -> list[Any]:
    """Sloped front windows of each deck and the display above the lower one."""
    half = 0.86 * plan.width / 2

    def pane(y0: float, y1: float, z0: float, z1: float, lift: float) -> list[tuple[float, float, float]]:
        x0, x1 = (bus.length + lift - float(_lean(plan, z)) for z in (z0, z1))
        top = min(1.0, 1 - 0.08 * (z1 > plan.height - 0.5))
        return [(x0, y0, z0), (x0, y1, z0), (x1, y1 * top, z1), (x1, y0 * top, z1)]

    rows: list[Any] = []
    for deck, (z0, z1) in enumerate(plan.decks):
        foot = _foot(plan) if deck == 0 else z0 - 0.05
        for y0, y1 in ((-half, -0.015), (0.015, half)) if lod == 0 else ((-half, half),):
            rows.append((pane(y0, y1, foot, z1 + 0.02, 0.015), BLACK_GLASS, GLASS))
    z = plan.decks[0][1] + 0.05
    if plan.width > 2.2:
        rows.append((pane(-half * 0.9, half * 0.9, z, z + 0.34, 0.016), (0.03, 0.03, 0.03), GLASS))
        if lod == 0:
            for y0, y1 in ((-0.62, -0.32), (-0.22, 0.62)):  # route number, then the destination
                rows.append((pane(y0, y1, z + 0.08, z + 0.26, 0.024), (0.90, 0.42, 0.08), LIGHT))
    return rows


def _mirrors(bus: Bus, plan: Plan) -> list[Mesh]:
    """Mirrors on arms ahead of the corners, like ears."""
    parts = []
    x, y, z = bus.length, plan.width / 2 * 0.9, plan.decks[0][1] + 0.15
    for sign in (1, -1):
        out = (x + 0.22, sign * (y + 0.24), z - 0.15)
        parts.append(tube((x - 0.15 - plan.rake * 0.7, sign * y, z), out, 0.025, colour=RUBBER, sides=3))
        parts.append(box((0.1, 0.2, 0.42), (out[0], out[1], out[2] - 0.2), colour=RUBBER))
    return parts
