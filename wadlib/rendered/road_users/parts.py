"""Paint and small parts that several classes of vehicle share: palette, wheels, plates, lamps."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.mesh import LIGHT, MATTE, METAL, Mesh, merge, of_triangles, skin

RGB = tuple[float, float, float]

# One palette for all classes, in colours as a screen shows them (gamma 2.2): only the weights differ, so that
# colour tells little about the class.
PAINTS: dict[str, RGB] = {
    "white": (0.89, 0.89, 0.90),
    "black": (0.08, 0.08, 0.09),
    "silver": (0.68, 0.70, 0.72),
    "grey": (0.41, 0.42, 0.44),
    "champagne": (0.68, 0.62, 0.51),
    "red": (0.65, 0.11, 0.11),
    "maroon": (0.36, 0.09, 0.12),
    "blue": (0.15, 0.30, 0.62),
    "navy": (0.11, 0.15, 0.28),
    "sky": (0.38, 0.59, 0.77),
    "green": (0.16, 0.42, 0.25),
    "olive": (0.38, 0.41, 0.23),
    "yellow": (0.88, 0.72, 0.16),
    "orange": (0.84, 0.41, 0.11),
    "brown": (0.35, 0.24, 0.17),
    "pink": (0.79, 0.50, 0.56),
}

RUBBER: RGB = (0.08, 0.08, 0.09)
BLACK_GLASS: RGB = (0.10, 0.12, 0.13)
LAMP_WHITE: RGB = (0.93, 0.94, 0.90)
LAMP_RED: RGB = (0.62, 0.04, 0.03)


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw a key with the given weights (they need not add up to 1)."""
    share = np.array(list(weights.values()), float)
    return list(weights)[int(rng.choice(len(share), p=share / share.sum()))]


def pick_paint(rng: np.random.Generator, weights: Mapping[str, float] | None = None) -> npt.NDArray[np.float64]:
    """Draw a paint of the palette, a little lighter or darker each time: (3,) albedo."""
    name = pick(rng, weights or dict.fromkeys(PAINTS, 1.0))
    shade = rng.uniform(0.85, 1.12)
    return np.clip(np.array(PAINTS[name]) * shade + rng.uniform(-0.012, 0.012, 3), 0.02, 0.95)


Plate = tuple[str, float, tuple[float, float], tuple[float, float], Any, int]


def plates(rows: Iterable[Plate]) -> Mesh:
    """Build upright rectangles: windows, lamps, doors, number plates. Two triangles each.

    Parameters
    ----------
    rows : iterable of (facing, at, across, height, colour, material)
        `facing` "front" or "back": at x = `at`, across y0..y1; "left" or "right": at y = `at`,
        across x0..x1; `height` is z0..z1. Metres.
    """
    rectangles = []
    for facing, at, (a0, a1), (z0, z1), colour, material in rows:
        if facing in ("back", "left"):  # listed so that counter-clockwise is seen from outside
            a0, a1 = a1, a0
        line = [(at, a) if facing in ("front", "back") else (a, at) for a in (a0, a1, a1, a0)]
        corners = [(x, y, z) for (x, y), z in zip(line, (z0, z0, z1, z1), strict=True)]
        rectangles.append((corners, colour, material))
    return quads(rectangles)


def quads(rows: Iterable[tuple[Any, Any, int]]) -> Mesh:
    """Build flat four-cornered faces: (four corners counter-clockwise seen from outside, colour, material)."""
    listed = list(rows)
    first = 4 * np.arange(len(listed))[:, None]
    faces = (first + np.array([[0, 1, 2, 0, 2, 3]])).reshape(-1, 3)
    colours = np.repeat(np.array([colour for _, colour, _ in listed], float), 2, axis=0)
    materials = np.repeat(np.array([material for _, _, material in listed]), 2)
    corners = np.array([corner for corners, _, _ in listed for corner in corners], float)
    return of_triangles(corners, faces, colours, materials)


def number_plate(facing: str, at: float, z: float, colour: Sequence[float]) -> list[Plate]:
    """Place a Chinese number plate, 440 x 140 mm, with its characters as one light band."""
    step = 0.004 if facing == "front" else -0.004
    ink = (0.85, 0.86, 0.88) if sum(colour) < 1.2 else (0.06, 0.06, 0.06)
    return [
        (facing, at, (-0.22, 0.22), (z - 0.07, z + 0.07), colour, MATTE),
        (facing, at + step, (-0.18, 0.18), (z - 0.03, z + 0.03), ink, MATTE),
    ]


def wheels(
    places: Iterable[tuple[float, float]],
    radius: float,
    width: float,
    rim: npt.ArrayLike,
    lod: int = 0,
    spokes: int = 5,
) -> Mesh:
    """Build wheels on the ground at (x, y of the outer face); the face looks away from y = 0.

    Parameters
    ----------
    rim : RGB of the rim; dark gaps between `spokes` are drawn on it (0: a plain steel disc).
    """
    sides = 2 * (spokes or 6) if lod == 0 else 6
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    circle = np.stack([np.cos(angle), np.zeros(sides), np.sin(angle)], axis=1)
    hub = np.array([0, 0, radius])
    face, back = circle * radius + hub, circle * radius + hub - [0, width, 0]
    if lod:
        left = _coarse_wheel(face, back, hub, rim)
    else:
        well = circle * (0.68 * radius) + hub + [0, 0.012, 0]
        tyre = skin([back, face, well], RUBBER, caps=(False, False))
        centre = (hub + np.array([0, -0.01, 0]))[None]
        here, there = np.arange(sides), np.roll(np.arange(sides), -1)
        fan = np.stack([there, here, np.full(sides, sides)], axis=1)
        colours = np.tile(np.asarray(rim, float), (sides, 1))
        if spokes:
            colours[1::2] *= 0.35
        left = merge([tyre, of_triangles(np.concatenate([well, centre]), fan, colours, METAL)])
    return _on_both_sides(left, places)


def _coarse_wheel(
    face: npt.NDArray[np.float64], back: npt.NDArray[np.float64], hub: npt.NDArray[np.float64], rim: npt.ArrayLike
) -> Mesh:
    """Six-sided face and the lower half of the tread, 12 triangles."""
    faces = [[(k + 1) % 6, k, 12] for k in range(6)]
    for k in (3, 4, 2):
        n = (k + 1) % 6
        faces += [[k, n, k + 6], [n, n + 6, k + 6]]
    dark = 0.35 * np.asarray(rim) + 0.65 * np.asarray(RUBBER)
    colours = np.array([dark] * 6 + [RUBBER] * 6)
    return of_triangles(np.concatenate([face, back, hub[None]]), faces, colours)


def arch(places: Iterable[tuple[float, float]], radius: float, hub: float, bottom: float) -> Mesh:
    """Build dark wheel arches on flat flanks at (x, y): round above the hub, straight down to `bottom`."""
    angle = np.linspace(0, np.pi, 9)
    outline = np.stack([radius * np.cos(angle), np.zeros(9), hub + radius * np.sin(angle)], axis=1)
    outline = np.concatenate([[[radius, 0, bottom]], outline, [[-radius, 0, bottom]], [[0, 0, bottom]]])
    fan = [[k + 1, k, len(outline) - 1] for k in range(len(outline) - 2)]
    return _on_both_sides(of_triangles(outline, fan, (0.06, 0.06, 0.062)), places)


def _on_both_sides(left: Mesh, places: Iterable[tuple[float, float]]) -> Mesh:
    """Copies of a part of the left side at (x, y), mirrored where y < 0."""
    right = left.mirrored()
    return merge([(left if y > 0 else right).transformed(translation=(x, y, 0)) for x, y in places])


def lamp(facing: str, at: float, across: tuple[float, float], height: tuple[float, float], colour: Sequence[float],
         material: int = LIGHT) -> list[Plate]:  # fmt: skip
    """Place a pair of lamps, mirrored about y = 0."""
    return [(facing, at, span, height, colour, material) for span in (across, (-across[1], -across[0]))]
