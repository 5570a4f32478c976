"""Round primitives: bars, balls, rings and discs, all of them skins over rings of points."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.mesh import MATTE, Colour, Mesh, of_triangles, skin


def limb(points: npt.ArrayLike, radii: npt.ArrayLike, *, colour: Colour, material: int = MATTE, sides: int = 6) -> Mesh:
    """Round bar through two or more points: an arm, a leg, a bent handlebar, a trunk.

    Parameters
    ----------
    points : (N,3), metres
    radii : float, (N,) or (N,2), metres
        A pair gives an oval: first the half-width across (to the left where that makes sense).
    colour : (3,), or (N-1,3) for one per section
    sides : int
        Corners of the cross-section. `4 * sides * N` triangles at most.
    """
    joints = np.asarray(points, float)
    radius = np.asarray(radii, float)
    radius = np.broadcast_to(radius[:, None] if radius.ndim == 1 else radius, (len(joints), 2))
    along = np.gradient(joints, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    # "Across" is as near to y as the bar allows; a bar along y takes x instead.
    mean = np.abs(joints[-1] - joints[0])
    guide = np.array([1.0, 0, 0]) if mean[1] > 0.9 * np.linalg.norm(mean) else np.array([0, 1.0, 0])
    across = guide - along * (along @ guide)[:, None]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(along, across)
    # A polygon is as wide, averaged over all views, as the circle of the same perimeter (Cauchy's formula):
    # enlarged by this much, a coarse bar casts the silhouette of a round one.
    radius = radius * np.pi / (sides * np.sin(np.pi / sides))
    angle = 2 * np.pi * np.arange(sides) / sides
    cosine, sine = np.cos(angle)[None, :, None], np.sin(angle)[None, :, None]
    rings = (
        joints[:, None] + radius[:, None, :1] * cosine * across[:, None] + radius[:, None, 1:] * sine * other[:, None]
    )
    tint = np.asarray(colour, float)
    if tint.ndim == 2:
        tint = np.repeat(tint[:, None], sides, axis=1)
    return skin(rings, tint, material)


def tube(
    start: Sequence[float],
    end: Sequence[float],
    radius: float,
    *,
    colour: Colour,
    material: int = MATTE,
    sides: int = 6,
) -> Mesh:
    """Make a cylinder between two points: a pole, an axle, a frame tube."""
    return limb([start, end], radius, colour=colour, material=material, sides=sides)


def ellipsoid(
    centre: npt.ArrayLike,
    radii: npt.ArrayLike,
    *,
    colour: Colour,
    material: int = MATTE,
    rows: int = 5,
    sides: int = 8,
) -> Mesh:
    """Make an ellipsoid with half-axes `radii` along x, y, z, of `rows` rings."""
    return skin(sphere(rows, sides) * np.asarray(radii) + np.asarray(centre), colour, material)


def sphere(rows: int, sides: int, turned: float = 0.0) -> npt.NDArray[np.float64]:
    """Make the rings of a ball of radius 1, (rows,sides,3), `turned` by a part of a side."""
    tilt = np.pi * (np.arange(rows) + 0.5) / rows - np.pi / 2
    turn = 2 * np.pi * (np.arange(sides) + turned) / sides
    level = np.repeat(np.sin(tilt)[:, None], sides, 1)
    return np.stack([np.outer(np.cos(tilt), np.cos(turn)), np.outer(np.cos(tilt), np.sin(turn)), level], axis=-1)


def _circle(sides: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    angle = 2 * np.pi * np.arange(sides) / sides
    return np.cos(angle), np.sin(angle)


def hoop(
    centre: Sequence[float],
    radius: float,
    thickness: float,
    *,
    colour: Colour,
    material: int = MATTE,
    sides: int = 16,
    section: int = 4,
) -> Mesh:
    """Make a tyre standing in the xz plane: a torus one can look through. `2 * sides * section` triangles.

    `colour` is one for all, or (section,3) for the bands of the cross-section from the tread over the left.
    """
    c, s = _circle(sides)
    u, v = _circle(section)
    out = radius + thickness * u  # (section,)
    rings = np.stack([np.outer(c, out), np.broadcast_to(thickness * v, (sides, section)), np.outer(s, out)], axis=-1)
    closed = np.concatenate([rings, rings[:1]]) + np.asarray(centre)
    tint = np.asarray(colour, float)
    tint = np.broadcast_to(tint, (sides, section, 3)) if tint.ndim == 2 else tint
    return skin(closed, tint, material, caps=(False, False))


def disc(
    centre: Sequence[float], radius: float, *, facing: int, colour: Colour, material: int = MATTE, sides: int = 10
) -> Mesh:
    """Make a flat disc in the xz plane that faces left (`facing` 1) or right (-1): a wheel rim. `sides` triangles."""
    c, s = _circle(sides)
    rim = np.stack([radius * c, np.zeros(sides), radius * s], axis=1)
    here, there = np.arange(sides), np.roll(np.arange(sides), -1)
    order = (here, there) if facing < 0 else (there, here)
    fan = np.stack([np.full(sides, sides), *order], axis=1)
    return of_triangles(np.concatenate([rim, np.zeros((1, 3))]) + np.asarray(centre), fan, colour, material)
