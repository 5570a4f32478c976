"""Bicycles: thin wheels and tubes one can look through; the rider carries no label."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.mesh import METAL, PAINT, Mesh, box, merge, prism
from wadlib.rendered.drawing.solids import disc, hoop, limb, tube
from wadlib.rendered.road_users.figure import Figure, Vector, draw_figure, dress
from wadlib.rendered.road_users.parts import RUBBER, pick_paint, quads
from wadlib.rendered.road_users.people import seated

STEEL = (0.62, 0.63, 0.65)
BAR = (0.13, 0.13, 0.135)
HUB_Z = 0.335
"""Radius of a 28-inch bicycle wheel with its tyre, metres."""


@dataclass(frozen=True, eq=False)
class Bicycle:
    """One bicycle with its rider (None: parked)."""

    paint: Vector
    rims: Vector
    low_frame: bool
    basket: bool
    rack: bool
    guards: bool
    rider: Figure | None


def draw_bicycle(rng: np.random.Generator) -> Bicycle:
    """Draw the numbers of a bicycle: city or hired, one in ten without a rider."""
    ridden, rider = rng.random() < 0.9, draw_figure(rng, rider=True)
    return Bicycle(
        paint=pick_paint(rng),
        rims=pick_paint(rng, {"silver": 6, "grey": 3, "black": 2, "orange": 1, "yellow": 1}),
        low_frame=bool(rng.random() < 0.5),
        basket=bool(rng.random() < 0.55),
        rack=bool(rng.random() < 0.5),
        guards=bool(rng.random() < 0.6),
        rider=rider if ridden else None,
    )


def spoked(x: float, y: float, radius: float, rim: npt.ArrayLike, turn: float, lod: int = 0) -> Mesh:
    """Build a bicycle wheel standing on the ground: a thin ring, and spokes as slivers of two triangles."""
    centre = (x, y, radius)
    if lod:
        return hoop(centre, radius - 0.022, 0.024, colour=RUBBER, sides=9, section=3)
    tint = np.array([RUBBER, rim, RUBBER])  # the face towards the hub is the rim
    ring = hoop(centre, radius - 0.017, 0.020, colour=tint, sides=18, section=3)
    angle = turn + 2 * np.pi * np.arange(10) / 10
    rows = []
    for a in angle:
        along, across = np.array([math.cos(a), 0, math.sin(a)]), np.array([-math.sin(a), 0, math.cos(a)]) * 0.0035
        inner, outer = np.array(centre) + 0.02 * along, np.array(centre) + (radius - 0.03) * along
        rows.append(((inner - across, outer - across, outer + across, inner + across), rim, METAL))
    return merge([ring, quads(rows)])


def build_bicycle(bicycle: Bicycle, phase: float = 0.0, lod: int = 0) -> Mesh:
    """Build the mesh of a drawn bicycle; the cranks turn once while `phase` goes from 0 to 1."""
    rider, sides = bicycle.rider, 3 if lod else 4
    height = rider.height if rider else 1.67
    saddle = np.array([-0.27, 0.0, np.clip(0.10 + 0.464 * height, 0.78, 0.95)])
    rear, front = np.array([-0.51, 0, HUB_Z]), np.array([0.54, 0, HUB_Z])
    bottom, head, crown = np.array([-0.08, 0, 0.28]), np.array([0.31, 0, 0.93]), np.array([0.38, 0, 0.70])
    seat = bottom + (saddle - bottom) * 0.86
    spin = -2 * math.pi * phase
    upper = bottom + 0.35 * (saddle - bottom) if bicycle.low_frame else seat
    tubes = [(bottom, saddle, 0.016), (head, crown, 0.02), (bottom, crown, 0.019), (bottom, rear, 0.012)]
    tubes += [(seat, rear, 0.011), (crown, front, 0.014), (upper, head, 0.017)]
    paint, thick = bicycle.paint, 1.2 if lod else 1.0  # seen from afar, thin tubes would break into dots
    parts = [tube(a.tolist(), b.tolist(), r * thick, colour=paint, material=PAINT, sides=sides) for a, b, r in tubes]
    parts += [spoked(x, 0, HUB_Z, bicycle.rims, 3 * spin, lod) for x in (rear[0], front[0])]
    grips = np.array([[0.25, 0.29, 1.03], [0.25, -0.29, 1.03]])
    bar = [grips[0], [0.31, 0.1, 1.04], [0.31, -0.1, 1.04], grips[1]] if lod == 0 else grips
    parts.append(limb(bar, 0.014 * thick, colour=BAR, sides=sides))
    profile = np.array([(-0.42, 0.0), (-0.14, -0.01), (-0.12, 0.03), (-0.30, 0.05), (-0.42, 0.06)])
    profile[:, 1] = profile[:, 1] + saddle[2] - 0.02
    parts.append(prism(profile, np.array([0.18, 0.05, 0.05, 0.14, 0.18]), colour=BAR))
    feet = pedals(bottom, spin)
    case = [(-0.52, 0.30), (-0.04, 0.20), (0.0, 0.28), (-0.04, 0.36), (-0.52, 0.37)]
    parts.append(prism(case, 0.05, colour=bicycle.paint * 0.7))
    if bicycle.basket:
        edge = np.array([[0.14, 0.10], [0.19, 0.14]])  # wider at the rim
        parts.append(limb([(0.53, 0, 0.92 - 0.13), (0.53, 0, 0.92 + 0.13)], edge, colour=bicycle.paint * 0.5, sides=6))
    if lod == 0:
        parts += _bicycle_details(bicycle, bottom, head, feet)
    if rider:
        joints = seated(rider, saddle + np.array([0.02, 0, 0.0]), grips, feet + np.array([0.03, 0, 0.02]), 0.22)
        parts.append(dress(rider, joints, lod).unlabelled())
    return merge(parts)


def _bicycle_details(bicycle: Bicycle, bottom: Vector, head: Vector, feet: Vector) -> list[Mesh]:
    parts = [tube(head.tolist(), (0.30, 0, 1.04), 0.013, colour=STEEL, material=METAL, sides=4)]
    for foot in feet:
        y = 0.07 * np.sign(foot[1])
        ends = (bottom[0], y, bottom[2]), (foot[0], y, foot[2])
        parts.append(tube(*ends, 0.011, colour=STEEL, material=METAL, sides=3))
        parts.append(box((0.09, 0.10, 0.025), foot.tolist(), colour=BAR))
    parts.append(disc((bottom[0], -0.045, bottom[2]), 0.09, facing=-1, colour=STEEL, material=METAL))
    if bicycle.guards:
        for x, a0, a1 in ((-0.51, 0.9, 3.3), (0.54, 0.6, 2.4)):
            parts.append(mudguard(x, HUB_Z, HUB_Z + 0.025, 0.05, a0, a1, bicycle.paint))
    if bicycle.rack:
        parts.append(box((0.40, 0.14, 0.02), (-0.58, 0, 0.74), colour=STEEL, material=METAL))
        parts.append(tube((-0.70, 0, 0.73), (-0.51, 0, HUB_Z), 0.008, colour=STEEL, material=METAL, sides=3))
    return parts


def pedals(crank: Vector, spin: float) -> Vector:
    """Place both pedals of cranks of 17 cm that turned by `spin`: (2,3) left, right."""
    turns = ((spin, 0.13), (spin + math.pi, -0.13))
    return np.array([crank + np.array([0.17 * math.cos(a), y, 0.17 * math.sin(a)]) for a, y in turns])


def mudguard(x: float, hub: float, radius: float, width: float, a0: float, a1: float, colour: Vector) -> Mesh:
    """Build a mudguard: a curved strip over a wheel between two angles."""
    angle = np.linspace(a0, a1, 7)
    outer = [(x + radius * math.cos(a), hub + radius * math.sin(a)) for a in angle]
    inner = [(x + (radius - 0.012) * math.cos(a), hub + (radius - 0.012) * math.sin(a)) for a in angle[::-1]]
    return prism([*outer, *inner], width, colour=colour, material=PAINT)
