"""The cargo space of a truck or tricycle as a value, and loose goods to lie on it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.mesh import METAL, Mesh, box, prism
from wadlib.rendered.drawing.solids import limb

DARK = (0.12, 0.12, 0.125)
SAND, CARTON, STEEL = np.array((0.50, 0.41, 0.28)), np.array((0.48, 0.35, 0.22)), np.array((0.40, 0.41, 0.43))


@dataclass(frozen=True, eq=False)
class Body:
    """A drawn body on x = 0..length.

    Attributes
    ----------
    style : one of the keys of `truck_bodies.BUILDERS`
    floor, top : metres above the ground
    paint, second : (3,) albedo
    chance : (32,) numbers in [0, 1) that shape the load
    """

    style: str
    length: float
    width: float
    floor: float
    top: float
    paint: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    chance: npt.NDArray[np.float64]


def load(body: Body, wall: float, lod: int) -> list[Mesh]:
    """Build what lies between the walls: nothing, sand, pipes or timber, cartons, painted goods."""
    kind = int(body.chance[1] * 5)
    length, half, z = body.length, body.width / 2, body.floor + 0.1
    small = 0.65 if body.width < 1.3 else 1.0
    if kind == 0:
        return []
    if kind == 1:
        return [heap(body, wall + 0.25, SAND * (0.6 + 0.6 * body.chance[2]))]
    if kind == 2:  # pipes or timber, the ends at different places
        tint = STEEL if body.chance[2] < 0.5 else CARTON
        count, sides = (3, 5) if lod else (9, 6)
        parts = []
        for n in range(count):
            y, layer = (n % 3 - 1) * half * 0.55, n // 3
            x0 = 0.1 * body.chance[3 + n]
            rise = z + (0.2 + 0.3 * layer) * small
            pipe = [(x0, y, rise), (length - 0.2, y, rise)]
            parts.append(limb(pipe, 0.17 * small, colour=tint, material=METAL, sides=sides))
        if lod:
            middle = (length / 2, 0, z + 0.42 * small)
            parts.append(box((length - 0.3, half * 1.4, 0.75 * small), middle, colour=tint * 0.8))
        return parts
    parts, x, n = [], 0.1, 3
    while x < length - 0.6:
        deep = min(0.6 + 0.7 * body.chance[n], length - 0.1 - x)
        for side in (-1, 1):
            n += 1
            tall = (0.5 + 0.9 * body.chance[n % 32]) * small
            tint = (CARTON if kind == 3 else body.second) * (0.7 + 0.5 * body.chance[(n + 7) % 32])
            place = (x + deep / 2, side * half * 0.46, z + tall / 2)
            parts.append(box((deep - 0.04, half * 0.88, tall), place, colour=np.clip(tint, 0, 1)))
        x, n = x + deep, (n + 1) % 31
    return parts


def heap(body: Body, tall: float, colour: npt.ArrayLike) -> Mesh:
    """Build sand or rubble: two humps in side view, narrower at the top."""
    length, z = body.length - 0.15, body.floor + 0.08
    side = [(0.1, z), (length, z), (length, z + 0.6 * tall), (0.72 * length, z + tall)]
    side += [(0.5 * length, z + 0.85 * tall), (0.28 * length, z + 1.05 * tall), (0.1, z + 0.55 * tall)]
    return prism(side, np.array([0.93, 0.93, 0.85, 0.4, 0.5, 0.4, 0.85]) * body.width, colour=colour)
