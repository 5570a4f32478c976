"""Three-wheelers of Chinese streets: cargo bed, pedal cart, courier's box, closed passenger cabin."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.loft import Loft
from wadlib.rendered.drawing.mesh import GLASS, LIGHT, METAL, PAINT, Mesh, box, merge, prism
from wadlib.rendered.drawing.solids import ellipsoid, hoop, limb, tube
from wadlib.rendered.road_users.bicycles import BAR, HUB_Z, STEEL, pedals, spoked
from wadlib.rendered.road_users.figure import Figure, draw_figure, dress
from wadlib.rendered.road_users.loads import Body
from wadlib.rendered.road_users.parts import BLACK_GLASS, LAMP_RED, LAMP_WHITE, lamp, pick, pick_paint, plates, wheels
from wadlib.rendered.road_users.people import seated
from wadlib.rendered.road_users.truck_bodies import build_body

STYLES = {"cargo": 38, "courier": 24, "cabin": 24, "pedal": 14}


@dataclass(frozen=True, eq=False)
class Tricycle:
    """One tricycle; the driver belongs to it."""

    style: str
    paint: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    body: Body
    driver: Figure
    stretch: float


def draw_tricycle(rng: np.random.Generator) -> Tricycle:
    """Draw a tricycle: style, two paints, load and driver."""
    style = pick(rng, STYLES)
    paint, second = pick_paint(rng), pick_paint(rng)
    length = float(rng.uniform(1.35, 1.75))
    width = 0.95 if style == "pedal" else float(rng.uniform(0.95, 1.15))
    floor = 0.62 if style != "pedal" else 0.74
    top = floor + float(rng.uniform(1.0, 1.3))
    kind = "box" if style == "courier" else "dropside"
    body = Body(kind, length, width, floor, top, paint, second, rng.random(32))
    return Tricycle(style, paint, second, body, draw_figure(rng, rider=True), float(rng.uniform(0.95, 1.06)))


def build_tricycle(tricycle: Tricycle, phase: float = 0.0, lod: int = 0) -> Mesh:
    """Build the mesh of a drawn tricycle; the driver of a pedal cart pedals with `phase`."""
    parts = _cabin(tricycle, lod) if tricycle.style == "cabin" else _open(tricycle, phase, lod)
    mesh = merge(parts)
    middle = float(mesh.bounds[:, 0].mean())
    return mesh.transformed(translation=(-middle * tricycle.stretch, 0, 0), scale=tricycle.stretch)


def _open(tricycle: Tricycle, phase: float, lod: int) -> list[Mesh]:
    """Bed behind, saddle and handlebar before it, one wheel at the front."""
    body, paint = tricycle.body, tricycle.paint
    pedal = tricycle.style == "pedal"
    start, half = body.length, body.width / 2
    front = start + 1.02
    sides = 3 if lod else 5
    parts = [build_body(body, lod)]
    spin = -2 * math.pi * phase
    # Wheels: two at the back, one at the front.
    if pedal:
        wheel_y = half + 0.06
        parts += [spoked(0.55 * start, y, HUB_Z, STEEL, 3 * spin, lod) for y in (wheel_y, -wheel_y)]
        parts += [spoked(front, 0, HUB_Z, STEEL, 3 * spin, lod)]
        axle = [(0.55 * start, y, HUB_Z) for y in (-wheel_y, wheel_y)]
        parts.append(limb(axle, 0.02, colour=BAR, sides=sides))
        hub = HUB_Z
    else:
        hub = 0.27
        parts.append(wheels([(0.42 * start, y) for y in (half + 0.04, -half - 0.04)], hub, 0.14, STEEL, lod, spokes=0))
        parts += _front_wheel(front, hub, 0.055, hub - 0.09, lod)
    # Frame, bed, handlebar and saddle.
    low = 0.42 if not pedal else 0.45
    head = (front - 0.2, 0, 0.92)
    for y in (0.08, -0.08):
        parts.append(tube((front, y, hub), (head[0], y, head[2]), 0.022, colour=paint, material=PAINT, sides=sides))
    beam = [(start - 0.6, 0, low), (start + 0.25, 0, low), (head[0], 0, head[2] - 0.1)]
    parts.append(limb(beam, 0.035, colour=paint, material=PAINT, sides=sides))
    parts.append(box((0.9 * start, 0.5 * body.width, 0.12), (0.5 * start, 0, body.floor - 0.12), colour=BAR))
    grips = np.array([[head[0] - 0.16, 0.31, 1.05], [head[0] - 0.16, -0.31, 1.05]])
    bar = [grips[0], [head[0], 0.12, 1.02], [head[0], -0.12, 1.02], grips[1]]
    parts.append(limb(bar, 0.018, colour=BAR, sides=sides))
    saddle = np.array([start + 0.20, 0, 0.84 if pedal else 0.76])
    parts.append(box((0.32, 0.26 if pedal else 0.5, 0.09), (saddle[0], 0, saddle[2] - 0.03), colour=BAR))
    # Cranks to pedal, or a motor under the saddle and a plate for the feet.
    if pedal:
        crank = np.array([start + 0.42, 0, 0.30])
        feet = pedals(crank, spin)
        parts.append(limb([saddle, crank], 0.02, colour=paint, material=PAINT, sides=sides))
    else:
        feet = np.array([[start + 0.62, 0.16, 0.36], [start + 0.62, -0.16, 0.36]])
        parts.append(box((0.62, 0.56, 0.05), (start + 0.5, 0, 0.32), colour=paint * 0.5))
        parts.append(box((0.4, 0.54, 0.42), (start + 0.18, 0, 0.52), colour=paint, material=PAINT))
        apron = [(front - 0.22, 0.36), (front - 0.17, 0.36), (front - 0.16, 0.95), (front - 0.22, 0.95)]
        parts.append(prism(apron, np.array([0.55, 0.5, 0.4, 0.46]), colour=paint, material=PAINT))
    # The driver, and what is seen from near only.
    parts.append(dress(tricycle.driver, seated(tricycle.driver, saddle, grips, feet, 0.12), lod))
    if lod == 0 and not pedal:
        place = (head[0] + 0.09, 0, 0.96)
        parts.append(ellipsoid(place, (0.06, 0.09, 0.08), colour=LAMP_WHITE, material=LIGHT, rows=4, sides=7))
        guard = _guard(front, hub, (hub + 0.05, hub + 0.035), np.linspace(0.4, 2.7, 7))
        parts.append(prism(guard, 0.16, colour=paint, material=PAINT))
        parts.append(plates(lamp("back", -0.02, (0.30, 0.42), (body.floor - 0.16, body.floor - 0.06), LAMP_RED)))
    if tricycle.style == "courier":  # a roof on a windscreen frame shelters the driver
        roof = body.top
        parts.append(box((1.0, body.width * 0.8, 0.05), (start + 0.42, 0, roof - 0.03), colour=paint, material=PAINT))
        for y in (0.3, -0.3):
            parts.append(tube((front - 0.19, y * 0.75, 0.95), (start + 0.88, y, roof), 0.018, colour=BAR, sides=3))
    return parts


def _front_wheel(x: float, hub: float, tyre: float, disc: float, lod: int) -> list[Mesh]:
    """The single small wheel at the front: its tyre and its disc, by their radii."""
    sides, section, around = (9, 3, 6) if lod else (14, 4, 10)
    ring = hoop((x, 0, hub), hub - tyre, tyre, colour=(0.085, 0.085, 0.087), sides=sides, section=section)
    return [ring, limb([(x, -0.03, hub), (x, 0.03, hub)], disc, colour=STEEL, material=METAL, sides=around)]


def _guard(x: float, z: float, radii: tuple[float, float], angles: npt.NDArray[np.float64]) -> list[tuple[Any, Any]]:
    """Mudguard in side view: out along the larger radius, back along the smaller one."""
    arcs = zip(radii, (angles, angles[::-1]), strict=True)
    return [(x + r * math.cos(a), z + r * math.sin(a)) for r, arc in arcs for a in arc]


# Cabin in side view: x from the back, then bottom edge, waist, roof, half-width as a share; metres.
CABIN = np.array(
    [
        (0.00, 0.36, 0.85, 1.56, 0.93),
        (0.07, 0.30, 0.93, 1.64, 0.98),
        (0.60, 0.30, 0.95, 1.68, 1.00),
        (1.30, 0.30, 0.95, 1.67, 0.99),
        (1.45, 0.30, 0.95, 1.63, 0.96),
        (1.72, 0.33, 0.95, 1.42, 0.86),
        (1.90, 0.40, 0.95, 1.19, 0.74),
        (2.06, 0.52, 0.94, 0.98, 0.60),
    ]
)


def _cabin_loft(width: float, lod: int) -> Loft:
    """Rings of seven rows: edge, belly, waist, window top, gutter, edge of the roof, its middle."""
    x, bottom, waist, roof, share = (CABIN[::2] if lod else CABIN).T
    if lod:
        x, bottom, waist, roof, share = CABIN[[0, 1, 4, 7]].T
    points = np.zeros((len(x), 7, 3))
    tall = np.clip((roof - waist) / 0.6, 0, 1)
    points[:, :, 0] = x[:, None]
    points[:, :, 1] = np.array([0.93, 1, 0.98, 0.98, 0.98, 0.95, 0]) - np.outer(tall, [0, 0, 0, 0.09, 0.13, 0.22, 0])
    points[:, :, 1] *= share[:, None] * width / 2
    belly, house = 0.6 * bottom + 0.4 * waist, roof - waist
    rows = [bottom, belly, waist, waist + 0.8 * house, waist + 0.9 * house, roof - 0.02 * tall, roof]
    points[:, :, 2] = np.stack(rows, axis=1)
    return Loft(points)


def _cabin(tricycle: Tricycle, lod: int) -> list[Mesh]:
    """A narrow tin cabin whose nose rests on one small wheel."""
    paint, width = tricycle.paint, min(tricycle.body.width, 1.08)
    loft = _cabin_loft(width, lod)
    stations = len(loft.points) - 1
    colours, materials = np.empty((stations, 6, 3)), np.full((stations, 6), PAINT)
    colours[:] = paint
    colours[:, 0] *= 0.6
    front = stations - (1 if lod else 3)
    colours[front:, 4:], materials[front:, 4:] = BLACK_GLASS, GLASS
    if lod:
        colours[1:, 2], materials[1:, 2] = BLACK_GLASS, GLASS
    parts = [loft.mesh(colours, materials)]
    if lod == 0:
        for x0, x1 in ((0.14, 0.84), (0.92, 1.44), (1.48, 1.84)):
            parts.append(loft.patch((x0, x1), (2.05, 2.95), BLACK_GLASS, GLASS))
        for x in (0.87, 1.66):
            parts.append(loft.patch((x, x + 0.02), (0.2, 2.0), paint * 0.4, PAINT, lift=0.005))
    half = width / 2
    flat: list[Any] = [
        ("back", -0.012, (-0.36 * width, 0.36 * width), (0.98, 1.48), BLACK_GLASS, GLASS),
        *lamp("back", -0.012, (0.34 * width, 0.46 * width), (0.55, 0.80), LAMP_RED),
    ]
    parts.append(wheels([(0.42, y) for y in (half + 0.02, -half - 0.02)], 0.24, 0.12, STEEL, lod, spokes=0))
    parts += _front_wheel(2.08, 0.23, 0.05, 0.14, lod)
    guard = _guard(2.08, 0.23, (0.30, 0.27), np.linspace(0.2, 2.6, 6))
    parts.append(prism(guard, 0.17, colour=tricycle.second, material=PAINT))
    if lod == 0:
        for sign in (1, -1):
            place = (2.0, sign * 0.26 * width, 0.80)
            parts.append(ellipsoid(place, (0.06, 0.07, 0.07), colour=LAMP_WHITE, material=LIGHT, rows=4, sides=7))
            parts.append(box((0.04, 0.12, 0.14), (1.72, sign * (half + 0.08), 1.10), colour=BAR))
    parts.append(plates(flat))
    return parts
