"""Flat pictures in the street: triangles on a sheet, and the sheet on its place in the ego frame.

A sheet has x to the right and y up from its lower left corner, as seen by whoever looks at it, and z towards
them: what is painted later lies a little higher, so that the depth buffer keeps the order of the layers.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.materials import KERB
from wadlib.rendered.drawing.mesh import Mesh
from wadlib.rendered.drawing.soup import Soup, linear, make

LAYER_M = 0.012
"""Height of one layer of paint over the next: 1/depth in float32 tells it apart at 200 m."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Triangles of a sheet.

    Attributes
    ----------
    triangles : (N, 3, 3) float32, m
        To the right, up, towards the viewer.
    colour : (N, 3) float32, linear
    """

    triangles: npt.NDArray[np.float32]
    colour: npt.NDArray[np.float32]


def collage(parts: Iterable[Picture]) -> Picture:
    """Put pictures on one sheet; the first one lies at the bottom if all were painted on layer 0."""
    parts = list(parts)
    return Picture(np.concatenate([p.triangles for p in parts]), np.concatenate([p.colour for p in parts]))


def paint(quads: npt.ArrayLike, colour: npt.ArrayLike, layer: float = 0.0) -> Picture:
    """Paint (N, 4, 2) quads, corners in turn, in one screen colour (0..1)."""
    flat = np.asarray(quads, np.float32)
    return _flat(np.concatenate([flat[:, [0, 1, 2]], flat[:, [0, 2, 3]]]), colour, layer)


def rectangle(left: float, low: float, right: float, high: float, colour: npt.ArrayLike, layer: float = 0.0) -> Picture:
    """Paint one rectangle."""
    return paint([[(left, low), (right, low), (right, high), (left, high)]], colour, layer)


def fan(corners: npt.ArrayLike, colour: npt.ArrayLike, layer: float = 0.0) -> Picture:
    """Paint a convex polygon with (N, 2) corners in turn."""
    points = np.asarray(corners, np.float32)
    first = np.broadcast_to(points[0], (len(points) - 2, 2))
    return _flat(np.stack([first, points[1:-1], points[2:]], axis=1), colour, layer)


def regular(
    centre: tuple[float, float], radius: float, sides: int, colour: npt.ArrayLike, layer: float = 0.0
) -> Picture:
    """Paint a regular polygon that stands on a side: 3 is a warning triangle, 4 a square, 20 a disc."""
    turn = 2 * math.pi * (np.arange(sides) + 0.5) / sides - 0.5 * math.pi
    return fan(np.asarray(centre) + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1), colour, layer)


def _flat(triangles: Any, colour: npt.ArrayLike, layer: float) -> Picture:
    height = np.full((*triangles.shape[:2], 1), layer * LAYER_M, np.float32)
    tint = np.broadcast_to(linear(colour), (len(triangles), 3))
    return Picture(np.concatenate([triangles, height], axis=2).astype(np.float32), np.ascontiguousarray(tint))


def flatten(
    mesh: Mesh,
    box: tuple[float, float, float, float],
    *,
    turn: float = 0.0,
    above: float = -1.0,
    colour: npt.ArrayLike | None = None,
    layer: float = 0.0,
) -> Picture:
    """Project a solid thing onto a sheet, as a photograph does: its side view, as large as fits into `box`.

    Parameters
    ----------
    mesh : Mesh
        Which triangles belong to a labelled object is forgotten: a car on a poster is a poster.
    box : left, low, right, high, m
    turn : float
        Turn of the mesh about the vertical before it is pressed, rad: 0 drives to the right.
    above : float
        Only what is higher than this, m: 1.1 makes a portrait of a person.
    colour : (3,), optional
        One screen colour for all: a silhouette.
    layer : float
        It takes two layers from here.
    """
    solid = mesh.transformed(turn, (0.0, 0.0, 0.0))
    corners = solid.vertices[solid.triangles].astype(np.float64)
    across, up, near = corners[..., 0], corners[..., 2], -corners[..., 1]
    # Only the side that faces the viewer: counter-clockwise on the sheet.
    area = (across[:, 1] - across[:, 0]) * (up[:, 2] - up[:, 0]) - (across[:, 2] - across[:, 0]) * (up[:, 1] - up[:, 0])
    kept = (area > 1e-6) & (up.max(axis=1) > above)
    across, up, near = across[kept], np.maximum(up[kept], above), near[kept]
    left, low, right, high = box
    width, height = float(np.ptp(across)), float(np.ptp(up))
    scale = min((right - left) / width, (high - low) / height)
    x = 0.5 * (left + right) + scale * (across - across.min() - 0.5 * width)
    y = low + scale * (up - up.min())
    z = (layer + 2 * (near - near.min()) / max(float(np.ptp(near)), 1e-6)) * LAYER_M
    tint = linear(solid.colours[kept] if colour is None else np.broadcast_to(np.asarray(colour), (len(x), 3)))
    return Picture(np.stack([x, y, z], axis=2).astype(np.float32), np.ascontiguousarray(tint))


def hang(
    picture: Picture, foot: tuple[float, float, float], facing: float, material: int = KERB, glow: float = 1.0
) -> Soup:
    """Put a sheet into the street.

    Parameters
    ----------
    picture : Picture
    foot : x, y, z, m
        Ego position of the sheet's lower left corner, as seen by the viewer.
    facing : float
        Direction in which the sheet looks, rad, counted to the left from straight ahead.
    material : int
    glow : float
        Factor on the colours: lamps behind the sheet.

    Examples
    --------
    A sheet that looks back at the car (facing 180 degrees) has its right edge on the car's right, at lower y.

    >>> sheet = hang(rectangle(0, 0, 2, 1, (1, 1, 1)), (10.0, 3.0, 0.0), math.pi)
    >>> sorted(set(sheet.triangles[..., 1].ravel().round(3).tolist()))
    [1.0, 3.0]
    """
    normal = np.array([math.cos(facing), math.sin(facing), 0.0])
    right = np.array([-normal[1], normal[0], 0.0])
    axes = np.stack([right, (0.0, 0.0, 1.0), normal]).astype(np.float32)
    return make(picture.triangles @ axes + np.asarray(foot, np.float32), picture.colour * np.float32(glow), material)
