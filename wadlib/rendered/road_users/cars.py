"""Cars: six bodies lofted from their side view, with windows, lamps, wheels in arches and mirrors."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.loft import Loft
from wadlib.rendered.drawing.mesh import GLASS, LIGHT, MATTE, METAL, PAINT, Mesh, box, merge
from wadlib.rendered.road_users.parts import (
    BLACK_GLASS,
    LAMP_RED,
    LAMP_WHITE,
    RUBBER,
    lamp,
    number_plate,
    pick,
    pick_paint,
    plates,
    wheels,
)

Line = list[tuple[float, float]]


@dataclass(frozen=True)
class Plan:
    """Side view of a body; x from the rear bumper, z from the ground, metres.

    Attributes
    ----------
    belt : upper edge of the lower body: boot, waist below the windows, bonnet
    roof : from the foot of the rear window over the roof to the foot of the windscreen
    windows : x0, x1 of each side window; the pillars are what is left between them
    axles : x of the rear and the front axle
    """

    length: float
    width: float
    belt: Line
    roof: Line
    windows: Line
    axles: tuple[float, float]
    wheel: float
    clearance: float
    roof_width: float


# fmt: off
PLANS: dict[str, Plan] = {
    "sedan": Plan(
        4.75, 1.82, [(0, 1.0), (0.9, 1.04), (2.2, 0.97), (3.4, 0.94), (3.5, 0.95), (4.1, 0.90), (4.75, 0.76)],
        [(0.72, 1.03), (1.35, 1.385), (1.65, 1.44), (2.1, 1.46), (2.65, 1.42), (3.45, 0.95)],
        [(1.12, 2.08), (2.18, 3.16)], (1.02, 3.84), 0.325, 0.19, 0.70),
    "hatch": Plan(
        4.05, 1.72, [(0, 0.98), (1.2, 0.99), (2.9, 0.94), (3.1, 0.95), (3.5, 0.91), (4.05, 0.76)],
        [(0.08, 0.98), (0.40, 1.38), (0.8, 1.47), (1.5, 1.50), (2.15, 1.46), (3.0, 0.95)],
        [(0.50, 1.42), (1.52, 2.72)], (0.66, 3.24), 0.30, 0.18, 0.72),
    "suv": Plan(
        4.6, 1.86, [(0, 1.08), (1.5, 1.10), (3.2, 1.05), (3.4, 1.07), (3.95, 1.03), (4.6, 0.90)],
        [(0.10, 1.09), (0.42, 1.56), (0.8, 1.67), (1.6, 1.70), (2.45, 1.65), (3.35, 1.06)],
        [(0.38, 0.95), (1.05, 1.92), (2.02, 3.08)], (0.90, 3.66), 0.36, 0.23, 0.72),
    "wagon": Plan(
        4.75, 1.80, [(0, 0.98), (0.9, 0.99), (2.2, 0.96), (3.4, 0.94), (3.5, 0.95), (4.1, 0.90), (4.75, 0.76)],
        [(0.08, 0.98), (0.52, 1.36), (0.95, 1.45), (2.0, 1.48), (2.65, 1.43), (3.45, 0.95)],
        [(0.55, 1.15), (1.25, 2.10), (2.20, 3.16)], (1.02, 3.84), 0.325, 0.19, 0.72),
    "mpv": Plan(
        4.85, 1.86, [(0, 1.08), (2.0, 1.07), (3.6, 1.02), (4.05, 1.02), (4.35, 0.97), (4.85, 0.78)],
        [(0.06, 1.08), (0.24, 1.58), (0.6, 1.74), (1.8, 1.78), (2.9, 1.73), (4.02, 1.02)],
        [(0.24, 1.15), (1.26, 2.35), (2.46, 3.62)], (0.88, 3.87), 0.33, 0.18, 0.76),
    "minivan": Plan(
        3.95, 1.60, [(0, 1.06), (3.0, 1.04), (3.55, 1.02), (3.95, 0.84)],
        [(0.03, 1.06), (0.12, 1.70), (0.4, 1.85), (2.0, 1.89), (2.75, 1.84), (3.62, 1.02)],
        [(0.18, 1.12), (1.22, 2.10), (2.22, 3.28)], (0.62, 3.10), 0.285, 0.19, 0.82),
}
# fmt: on

BODIES = {"sedan": 42, "suv": 22, "hatch": 14, "mpv": 8, "minivan": 8, "wagon": 6}
COLOURS = {"white": 30, "black": 20, "silver": 16, "grey": 12, "champagne": 6, "red": 5, "navy": 4, "blue": 3}
COLOURS |= {"brown": 2, "maroon": 2, "yellow": 1, "green": 1, "orange": 1, "sky": 1}
TAXI = ("yellow", "champagne", "orange")

# Share of a row's way from the bottom edge to the waist, and of the half-width there.
FLANK_Z = np.array([0.0, 0.22, 0.55, 0.86, 1.0])
ARCH = 0.365
"""Radius of a wheel arch around the hub, metres."""
FLANK_Y = np.array([0.90, 0.985, 1.0, 0.975, 0.915])


@dataclass(frozen=True, eq=False)
class Car:
    """One car, fully drawn: nothing below depends on chance."""

    body: str
    stretch: tuple[float, float, float]
    paint: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    taxi: bool
    rim: npt.NDArray[np.float64]
    spokes: int
    plate: tuple[float, float, float]
    lit: bool
    cladding: bool


def draw_car(rng: np.random.Generator) -> Car:
    """Draw a car of the street: mostly sedans and white, black or silver, one in twelve a two-tone taxi."""
    body = pick(rng, BODIES)
    stretch = tuple(rng.uniform((0.95, 0.97, 0.97), (1.05, 1.03, 1.03)).tolist())
    paint, second = pick_paint(rng, COLOURS), pick_paint(rng, dict.fromkeys(TAXI, 1.0))
    lower = pick_paint(rng, {"blue": 1, "green": 1, "maroon": 1, "silver": 1, "navy": 1})
    taxi = bool(rng.random() < 0.15) and body in ("sedan", "hatch")
    rim = np.full(3, rng.uniform(0.45, 0.75))
    return Car(
        body=body,
        stretch=(stretch[0], stretch[1], stretch[2]),
        paint=lower if taxi else paint,
        second=second if taxi else paint,
        taxi=taxi,
        rim=rim,
        spokes=int(rng.choice([5, 6, 7])),
        plate=((0.06, 0.16, 0.50), (0.45, 0.72, 0.55))[int(rng.random() < 0.15)],
        lit=bool(rng.random() < 0.15),
        cladding=bool(rng.random() < 0.7) and body == "suv",
    )


def build_car(car: Car, lod: int = 0) -> Mesh:
    """Build the mesh of a drawn car, x from -length/2 to length/2."""
    plan = PLANS[car.body]
    loft = _loft(plan, lod)
    colours, materials = _paint(car, plan, loft)
    parts = [loft.mesh(colours, materials)]
    half = plan.width / 2 - 0.005
    places = [(x, side * half) for x in plan.axles for side in (1, -1)]
    parts.append(wheels(places, plan.wheel, 0.2, car.rim, lod, car.spokes))
    parts += _details(car, plan, loft) if lod == 0 else [_coarse_details(plan)]
    mesh = merge(parts).transformed(translation=(-plan.length / 2, 0, 0))
    return replace(mesh, vertices=mesh.vertices * np.array(car.stretch, np.float32))


def _line(line: Line, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.interp(x, *np.array(line).T))


def _loft(plan: Plan, lod: int) -> Loft:
    """Stations where something begins or ends, and the ring of each."""
    length, feet = plan.length, (plan.roof[0][0], plan.roof[-1][0])
    if lod:
        xs = np.array([0, 0.1, feet[0] + 0.05, plan.roof[2][0], plan.roof[-2][0], feet[1], length - 0.3, length])
        rows = np.array([0, 2, 4, 6, 7])
    else:
        arches = [axle + d for axle in plan.axles for d in (-0.345, -0.26, 0, 0.26, 0.345)]
        tops = [x for x, _ in plan.roof]
        panes = [x for window in plan.windows for x in window]
        xs = np.array([0, 0.06, 0.25, length - 0.35, length - 0.1, length, *arches, *tops, *panes])
        rows = np.arange(8)
    xs = np.unique(xs)
    xs = xs[np.concatenate([[True], np.diff(xs) > 0.045])]
    xs[-1] = length
    back, front = xs, length - xs
    belt = _line(plan.belt, xs) - np.interp(back, [0, 0.06, 0.25], [0.10, 0.03, 0])
    belt -= np.interp(front, [0, 0.10, 0.35], [0.13, 0.05, 0])
    bottom = plan.clearance + np.interp(back, [0, 0.06, 0.25], [0.14, 0.06, 0])
    bottom += np.interp(front, [0, 0.10, 0.35], [0.10, 0.03, 0])
    half = plan.width / 2 * np.interp(back, [0, 0.06, 0.25, 1.0], [0.82, 0.92, 0.965, 1])
    half *= np.interp(front, [0, 0.10, 0.35, 1.2], [0.72, 0.88, 0.955, 1])
    edge = bottom
    if lod == 0:
        for axle in plan.axles:
            inside = ARCH**2 - (xs - axle) ** 2
            edge = np.where(inside > 0.015, plan.wheel + np.sqrt(np.clip(inside, 0, None)), edge)
    roof = np.where((xs >= feet[0]) & (xs <= feet[1]), _line(plan.roof, xs), belt)
    roof = np.maximum(roof, belt)
    rings = _rings(xs, bottom, belt, roof, half, plan.roof_width)
    # A wheel arch cuts into the lower rows; the rows above it run on straight.
    rings[:, :4, 2] = np.maximum(rings[:, :4, 2], edge[:, None] + [0, 0.02, 0.04, 0.06])
    return Loft(rings[:, rows])


def _rings(xs: Any, bottom: Any, belt: Any, roof: Any, half: Any, roof_width: float) -> npt.NDArray[np.float64]:
    """(S,8,3): five rows up the flank, the top of the window, the edge of the roof, its middle."""
    rings = np.zeros((len(xs), 8, 3))
    rings[:, :, 0] = xs[:, None]
    rings[:, :5, 1] = half[:, None] * FLANK_Y
    rings[:, :5, 2] = bottom[:, None] + (belt - bottom)[:, None] * FLANK_Z
    house = np.clip((roof - belt) / 0.4, 0, 1)  # 0 on bonnet and boot, 1 under the roof
    waist, edge = half * FLANK_Y[4], half * roof_width
    rings[:, 5, 1] = (1 - house) * 0.89 * half + house * (0.14 * waist + 0.86 * edge)
    rings[:, 6, 1] = (1 - house) * 0.83 * half + house * 0.93 * edge
    rings[:, 5, 2] = belt + 0.87 * (roof - belt) + 0.012 * (1 - house)
    rings[:, 6, 2] = roof - 0.022 * house + 0.02 * (1 - house)
    rings[:, 7, 2] = roof + 0.015 * house + 0.035 * (1 - house)
    return rings


def _paint(car: Car, plan: Plan, loft: Loft) -> tuple[Any, Any]:
    """Colour and material of every panel of the loft."""
    xs = loft.points[:, 0, 0]
    middle = (xs[:-1] + xs[1:]) / 2
    rows = loft.points.shape[1] - 1
    colours = np.empty((len(middle), rows, 3))
    materials = np.full((len(middle), rows), PAINT)
    full = rows == 7
    side, flank = (4, 3) if full else (2, 1)
    colours[:, :flank], colours[:, flank:] = car.paint, car.second
    if full:
        colours[:, 0] = RUBBER if car.cladding else car.paint * 0.35
        materials[:, 0] = MATTE
    panes = plan.windows if full else [(plan.windows[0][0], plan.windows[-1][1])]
    for x0, x1 in panes:
        glass = (middle > x0) & (middle < x1)
        colours[glass, side], materials[glass, side] = BLACK_GLASS, GLASS
    roof = np.array(plan.roof)
    for x0, x1 in ((roof[0, 0], roof[1, 0]), (roof[-2, 0], roof[-1, 0])):
        glass = (middle > x0) & (middle < x1)
        colours[glass, rows - 1], materials[glass, rows - 1] = (0.07, 0.09, 0.10), GLASS
    return colours, materials


def _details(car: Car, plan: Plan, loft: Loft) -> list[Mesh]:
    length, half = plan.length, plan.width / 2
    nose, tail = loft.points[-1], loft.points[0]
    front = (0.98, 0.97, 0.88) if car.lit else (0.66, 0.69, 0.70)
    dark, seam = (0.035, 0.035, 0.04), car.paint * 0.30
    glow = LIGHT if car.lit else PAINT
    parts = [
        loft.patch((length - 0.42, length), (2.35, 3.75), front, LIGHT if car.lit else GLASS),
        loft.patch((0, 0.34), (2.1, 3.8), LAMP_RED, glow),
    ]
    for x in {x for window in plan.windows for x in window}:
        if x > 0.45 and not any(abs(x - axle) < 0.36 for axle in plan.axles):
            parts.append(loft.patch((x - 0.012, x + 0.012), (0.6, 3.9), seam, PAINT, lift=0.004))
    for window in plan.windows[-2:]:
        parts.append(loft.patch((window[0] + 0.08, window[0] + 0.26), (3.05, 3.3), car.second * 0.5, METAL, lift=0.02))
    wide, z0, z1 = 0.62 * half, float(nose[0, 2]), float(nose[4, 2])
    mid, lamps = (z0 + z1) / 2, (float(tail[2, 2]) + 0.06, float(tail[4, 2]) - 0.06)
    rows: list[Any] = [
        ("front", length + 0.004, (-wide * 0.8, wide * 0.8), (mid + 0.02, z1 - 0.05), dark, METAL),
        ("front", length + 0.008, (-wide * 0.8, wide * 0.8), (mid + 0.06, mid + 0.075), (0.6, 0.6, 0.62), METAL),
        ("front", length + 0.004, (-wide, wide), (z0 + 0.03, mid - 0.06), dark, MATTE),
        *number_plate("front", length + 0.012, mid - 0.03, car.plate),
        *number_plate("back", -0.012, float(tail[2, 2]) + (0.08 if car.body == "sedan" else -0.02), car.plate),
        *lamp("back", -0.006, (half * 0.56, half * 0.80), lamps, LAMP_RED, glow),
        ("back", -0.004, (-half * 0.78, half * 0.78), (float(tail[0, 2]), float(tail[0, 2]) + 0.1), dark, MATTE),
    ]
    parts.append(plates(rows))
    foot = plan.windows[-1][1] - 0.12
    z = float(_line(plan.belt, np.array([foot]))[0]) + 0.06
    for sign in (1, -1):
        parts.append(box((0.12, 0.17, 0.13), (foot, sign * (half + 0.045), z), colour=car.second * 0.8, material=PAINT))
    if car.taxi:
        top = max(z for _, z in plan.roof)
        parts.append(box((0.16, 0.62, 0.13), (plan.roof[-2][0] - 0.35, 0, top + 0.07), colour=(0.9, 0.85, 0.6)))
    return parts


def _coarse_details(plan: Plan) -> Mesh:
    """Lamps, front and back, as flat plates: 8 triangles."""
    half, length = plan.width / 2, plan.length
    rows: list[Any] = []
    for sign in (-1, 1):
        across = tuple(sorted((sign * 0.40 * half, sign * 0.70 * half)))
        rows.append(("front", length + 0.01, across, (0.58, 0.70), LAMP_WHITE, GLASS))
        rows.append(("back", -0.01, across, (0.68, 0.85), LAMP_RED, PAINT))
    return plates(rows)
