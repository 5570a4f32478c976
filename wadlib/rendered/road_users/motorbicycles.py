"""Motorbicycles, as WAD spells them: scooters and motorcycles; the rider carries no label."""

import math
from dataclasses import dataclass

import numpy as np

from wadlib.rendered.drawing.mesh import LIGHT, MATTE, METAL, PAINT, Mesh, box, merge, prism
from wadlib.rendered.drawing.solids import ellipsoid, hoop, limb, tube
from wadlib.rendered.road_users.bicycles import BAR, STEEL, mudguard
from wadlib.rendered.road_users.figure import Figure, Vector, draw_figure, dress, head_centre
from wadlib.rendered.road_users.parts import LAMP_RED, LAMP_WHITE, RUBBER, pick, pick_paint, plates, quads
from wadlib.rendered.road_users.people import seated


@dataclass(frozen=True, eq=False)
class Motorbicycle:
    """One scooter or motorcycle with its rider (None: parked)."""

    style: str
    paint: Vector
    second: Vector
    case: bool
    helmet: bool
    screen: bool
    rider: Figure | None


def draw_motorbicycle(rng: np.random.Generator) -> Motorbicycle:
    """Draw a motorbicycle: mostly electric scooters, as in Beijing; one in twelve without a rider."""
    ridden, rider = rng.random() < 0.92, draw_figure(rng, rider=True)
    return Motorbicycle(
        style=pick(rng, {"scooter": 68, "motorcycle": 32}),
        paint=pick_paint(rng),
        second=pick_paint(rng),
        case=bool(rng.random() < 0.4),
        helmet=bool(rng.random() < 0.5),
        screen=bool(rng.random() < 0.25),
        rider=rider if ridden else None,
    )


def build_motorbicycle(cycle: Motorbicycle, phase: float = 0.0, lod: int = 0) -> Mesh:
    """Build the mesh of a drawn motorbicycle (`phase` only turns its wheels)."""
    parts = _scooter(cycle, lod) if cycle.style == "scooter" else _motorcycle(cycle, phase, lod)
    scooter = cycle.style == "scooter"
    grips = np.array([[0.34, 0.31, 1.03], [0.34, -0.31, 1.03]]) + np.array([0, 0, 0 if scooter else 0.03])
    bar = [grips[0], [0.45, 0.14, 1.03], [0.45, -0.14, 1.03], grips[1]]
    parts.append(limb(bar, 0.018, colour=BAR, sides=3 if lod else 4))
    for sign in (1, -1):
        parts.append(box((0.03, 0.13, 0.085), (0.44, sign * 0.31, 1.24), colour=BAR))
        if lod == 0:
            parts.append(tube((0.42, sign * 0.2, 1.03), (0.44, sign * 0.3, 1.22), 0.007, colour=BAR, sides=3))
    if cycle.case:
        parts.append(box((0.40, 0.42, 0.38), (-0.80, 0, 1.06), colour=cycle.second))
    if cycle.rider:
        saddle = np.array([-0.22, 0, 0.79 if scooter else 0.83])
        x, y, z = (0.20, 0.12, 0.35) if scooter else (0.02, 0.20, 0.33)
        feet = np.array([[x, y, z], [x, -y, z]])
        joints = seated(cycle.rider, saddle, grips, feet, 0.10 if scooter else 0.20)
        parts.append(dress(cycle.rider, joints, lod).unlabelled())
        if cycle.helmet:
            h = cycle.rider.height
            centre = head_centre(cycle.rider, joints) + np.array([-0.01 * h, 0, 0.018 * h])
            radii, (rows, sides) = (0.078 * h, 0.068 * h, 0.066 * h), (3, 5) if lod else (5, 8)
            shell = ellipsoid(centre, radii, colour=cycle.second, material=PAINT, rows=rows, sides=sides)
            parts.append(shell.unlabelled())
    return merge(parts)


def _road_wheel(x: float, radius: float, thickness: float, turn: float, lod: int) -> Mesh:
    """A cast wheel: a fat ring, three broad spokes, a hub."""
    centre = (x, 0, radius)
    ring = hoop(centre, radius - thickness, thickness, colour=RUBBER, sides=9 if lod else 16, section=3 if lod else 4)
    if lod:
        return ring
    rows = []
    for a in turn + 2 * np.pi * np.arange(3) / 3:
        along, across = np.array([math.cos(a), 0, math.sin(a)]), np.array([-math.sin(a), 0, math.cos(a)]) * 0.03
        outer = np.array(centre) + (radius - 1.6 * thickness) * along
        rows.append(((centre - across, outer - across, outer + across, centre + across), STEEL, METAL))
    hub = limb([(x, -0.06, radius), (x, 0.06, radius)], 0.05, colour=STEEL, material=METAL, sides=6)
    return merge([ring, quads(rows), hub])


def _scooter(cycle: Motorbicycle, lod: int) -> list[Mesh]:
    paint, sides = cycle.paint, 3 if lod else 5
    parts = [_road_wheel(x, 0.235, 0.05, 0.3, lod) for x in (-0.62, 0.66)]
    parts.append(tube((0.66, 0, 0.235), (0.46, 0, 0.95), 0.035, colour=BAR, sides=sides))
    shield = [(0.44, 0.28), (0.56, 0.34), (0.50, 0.80), (0.47, 1.02), (0.38, 0.98), (0.42, 0.60)]
    parts.append(prism(shield, np.array([0.34, 0.26, 0.26, 0.22, 0.30, 0.40]), colour=paint, material=PAINT))
    parts.append(prism([(-0.08, 0.25), (0.46, 0.25), (0.46, 0.32), (-0.08, 0.33)], 0.33, colour=paint * 0.4))
    tail = [(-0.80, 0.48), (-0.60, 0.40), (-0.12, 0.28), (0.0, 0.34), (-0.05, 0.70), (-0.70, 0.74), (-0.90, 0.70)]
    parts.append(prism(tail, np.array([0.20, 0.26, 0.32, 0.32, 0.28, 0.26, 0.16]), colour=paint, material=PAINT))
    seat = [(-0.76, 0.73), (-0.04, 0.69), (0.0, 0.76), (-0.35, 0.77), (-0.52, 0.83), (-0.78, 0.83)]
    parts.append(prism(seat, np.array([0.2, 0.24, 0.2, 0.27, 0.25, 0.2]), colour=BAR))
    if lod == 0:
        parts.append(mudguard(0.66, 0.235, 0.275, 0.12, 0.35, 2.6, paint))
        parts.append(ellipsoid((0.52, 0, 0.98), (0.06, 0.09, 0.06), colour=LAMP_WHITE, material=LIGHT, rows=4, sides=6))
        row = ("back", -0.91, (-0.07, 0.07), (0.64, 0.70), LAMP_RED, LIGHT)
        parts.append(plates([row, ("back", -0.86, (-0.11, 0.11), (0.42, 0.56), (0.75, 0.76, 0.7), MATTE)]))
    if cycle.screen:
        pane = [(0.47, 1.0), (0.50, 1.0), (0.36, 1.38), (0.34, 1.38)]
        parts.append(prism(pane, 0.40, colour=(0.6, 0.65, 0.66), material=PAINT))
    return parts


def _motorcycle(cycle: Motorbicycle, phase: float, lod: int) -> list[Mesh]:
    paint, sides = cycle.paint, 3 if lod else 5
    parts = [_road_wheel(x, 0.305, 0.05, -2 * math.pi * phase, lod) for x in (-0.64, 0.70)]
    for y in (0.09, -0.09):
        parts.append(tube((0.70, y, 0.305), (0.44, y, 1.0), 0.024, colour=STEEL, material=METAL, sides=sides))
        parts.append(tube((-0.64, y, 0.305), (-0.05, y, 0.42), 0.024, colour=BAR, sides=sides))
    engine = [(-0.12, 0.26), (0.28, 0.26), (0.34, 0.58), (0.18, 0.74), (-0.10, 0.70)]
    parts.append(prism(engine, 0.27, colour=(0.25, 0.25, 0.26), material=METAL))
    tank = [(-0.04, 0.76), (0.30, 0.74), (0.42, 0.90), (0.24, 1.02), (0.02, 0.94)]
    parts.append(prism(tank, np.array([0.20, 0.24, 0.22, 0.24, 0.26]), colour=paint, material=PAINT))
    seat = [(-0.82, 0.84), (-0.30, 0.72), (0.0, 0.76), (0.02, 0.86), (-0.35, 0.85), (-0.50, 0.92), (-0.82, 0.96)]
    parts.append(prism(seat, np.array([0.16, 0.22, 0.2, 0.2, 0.26, 0.25, 0.18]), colour=BAR))
    side = [(-0.78, 0.82), (-0.42, 0.58), (-0.08, 0.56), (-0.04, 0.74), (-0.30, 0.74)]
    parts.append(prism(side, np.array([0.14, 0.22, 0.24, 0.22, 0.24]), colour=paint, material=PAINT))
    if lod == 0:
        exhaust = [(0.24, -0.16, 0.34), (0.05, -0.17, 0.24), (-0.45, -0.18, 0.26), (-0.82, -0.18, 0.36)]
        parts.append(limb(exhaust, [0.022, 0.025, 0.045, 0.05], colour=STEEL, material=METAL, sides=5))
        parts += [mudguard(x, 0.305, 0.335, 0.13, a0, a1, paint) for x, a0, a1 in ((0.70, 0.5, 2.5), (-0.64, 1.0, 2.9))]
        parts.append(ellipsoid((0.53, 0, 0.95), (0.08, 0.095, 0.095), colour=BAR, rows=4, sides=7))
        glass = (0.585, 0, 0.95), (0.03, 0.08, 0.08)
        parts.append(ellipsoid(*glass, colour=LAMP_WHITE, material=LIGHT, rows=4, sides=7))
        row = ("back", -0.83, (-0.06, 0.06), (0.85, 0.91), LAMP_RED, LIGHT)
        parts.append(plates([row, ("back", -0.95, (-0.11, 0.11), (0.55, 0.70), (0.80, 0.65, 0.1), MATTE)]))
    return parts
