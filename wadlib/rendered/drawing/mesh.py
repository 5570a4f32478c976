r"""Triangle meshes of the embedded dataset: the value that shapes build and the renderer draws.

The local frame of every mesh is x forward, y left, z up, in metres, with the origin on the ground
under the centre. Triangles wind counter-clockwise seen from outside, so that
:math:`(b - a) \times (c - a)` is the outward normal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import RenderError
from wadlib.rendered.drawing.polygon import signed_area, triangulate

MATTE, PAINT, GLASS, LIGHT, METAL = range(5)
"""Materials: cloth and rubber, glossy lacquer, window glass, lamps (emissive), bare or chromed metal."""

Colour = npt.ArrayLike
"""RGB albedo, 0..1."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Coloured triangles, checked at construction.

    Attributes
    ----------
    vertices : (V,3) float32, metres
    triangles : (T,3) int32, rows of `vertices`
    colours : (T,3) float32, albedo 0..1 of each triangle, as a screen shows it (gamma 2.2)
    material : (T,) uint8, one of MATTE, PAINT, GLASS, LIGHT, METAL
    labelled : (T,) bool
        False for triangles that hide what is behind them without belonging to the instance:
        the rider of a bicycle or motorbicycle (WAD does not label riders).

    Raises
    ------
    RenderError
        Arrays of the wrong shape, an index out of range, a number that is not finite.
    """

    vertices: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.int32]
    colours: npt.NDArray[np.float32]
    material: npt.NDArray[np.uint8]
    labelled: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.triangles)
        wanted = {
            "vertices": ((len(self.vertices), 3), np.float32),
            "triangles": ((count, 3), np.int32),
            "colours": ((count, 3), np.float32),
            "material": ((count,), np.uint8),
            "labelled": ((count,), np.bool_),
        }
        for name, (shape, dtype) in wanted.items():
            got = getattr(self, name)
            if got.shape != shape or got.dtype != dtype:
                raise _bad(f"{name} must be {shape} {np.dtype(dtype)}, got {got.shape} {got.dtype}")
        if not np.isfinite(self.vertices).all():
            raise _bad("vertices must be finite, got nan or inf")
        if count and (self.triangles.min() < 0 or self.triangles.max() >= len(self.vertices)):
            raise _bad(f"triangles must name vertices 0..{len(self.vertices) - 1}, got {self.triangles.max()}")
        if count and not (self.colours.min() >= 0 and self.colours.max() <= 1):
            raise _bad(f"colours must lie in 0..1, got {self.colours.min():g}..{self.colours.max():g}")
        if count and self.material.max() > METAL:
            raise _bad(f"material must lie in 0..{METAL}, got {self.material.max()}")

    @property
    def bounds(self) -> npt.NDArray[np.float32]:
        """(2,3) lowest and highest corner, metres."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width and height of the bounding box, metres."""
        low, high = self.bounds.tolist()
        return high[0] - low[0], high[1] - low[1], high[2] - low[2]

    @property
    def volume(self) -> float:
        """Signed volume in cubic metres of a closed mesh: sum of det(a, b, c) / 6 over its triangles.

        Positive where the normals point outward (Gauss). For an open mesh it depends on the origin.
        """
        a, b, c = (self.vertices[self.triangles[:, k]].astype(np.float64) for k in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)

    @property
    def normals(self) -> npt.NDArray[np.float32]:
        """(T,3) outward unit normals; zero for a triangle without area."""
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        return np.asarray(normal / np.where(length > 0, length, 1), np.float32)

    def transformed(self, heading_rad: float = 0.0, translation: Sequence[float] = (0, 0, 0), scale: float = 1) -> Mesh:
        """Scale, turn about z by `heading_rad` (positive to the left), then move.

        Examples
        --------
        >>> bus = box((10, 2, 3), colour=(1, 1, 1)).transformed(math.pi / 2, (0, 0, 5))
        >>> [round(v, 3) for v in bus.size], bus.bounds[0, 2].item()
        ([2.0, 10.0, 3.0], 5.0)
        """
        c, s = math.cos(heading_rad), math.sin(heading_rad)
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) * scale  # rows times this: R transposed
        return replace(self, vertices=(self.vertices @ turn + np.asarray(translation)).astype(np.float32))

    def mirrored(self) -> Mesh:
        """Mirror the left part into a right part: y becomes -y, and the winding turns with it."""
        vertices = self.vertices * np.array([1, -1, 1], np.float32)
        return replace(self, vertices=vertices, triangles=np.ascontiguousarray(self.triangles[:, ::-1]))

    def unlabelled(self) -> Mesh:
        """Return the same triangles, none of them part of the instance."""
        return replace(self, labelled=np.zeros(len(self.triangles), bool))


def _bad(what: str) -> RenderError:
    return RenderError(
        f"Mesh: {what}",
        cause="arrays put together by hand",
        fix="build meshes from the primitives in wadlib.rendered.drawing.mesh and merge them",
    )


def of_triangles(vertices: npt.ArrayLike, triangles: npt.ArrayLike, colour: Colour, material: Any = MATTE) -> Mesh:
    """Make a mesh from points and faces; `colour` and `material` are one for all or one per triangle."""
    faces = np.asarray(triangles, np.int32).reshape(-1, 3)
    colours, materials = np.empty((len(faces), 3), np.float32), np.empty(len(faces), np.uint8)
    colours[:], materials[:] = np.asarray(colour), np.asarray(material)
    return Mesh(np.asarray(vertices, np.float32), faces, colours, materials, np.ones(len(faces), bool))


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """Put all triangles into one mesh, in order.

    Raises
    ------
    RenderError
        For no mesh at all.
    """
    parts = list(meshes)
    if not parts:
        raise _bad("merge needs at least one mesh, got none")
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.triangles + np.int32(at) for part, at in zip(parts, starts, strict=True)]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.material for part in parts]),
        np.concatenate([part.labelled for part in parts]),
    )


def skin(
    rings: npt.ArrayLike, colour: Colour, material: Any = MATTE, *, caps: tuple[bool, bool] = (True, True)
) -> Mesh:
    """Build the surface through a stack of closed rings: what a boat builder calls a loft.

    Parameters
    ----------
    rings : (S,R,3) points, metres
        S rings of R points each; neighbours in a ring and rings in the stack are joined by quads.
    colour : (3,) or (S-1,R,3)
        One colour, or one per quad; quad (s,r) lies between points r and r+1 of rings s and s+1.
    material : int or (S-1,R)
    caps : two bool
        Close the first and the last ring by a fan around its middle, in the colour of its first quad.
    """
    points = np.asarray(rings, np.float64)
    stack, around = points.shape[:2]
    index = np.arange(stack * around).reshape(stack, around)
    a, b = index[:-1], np.roll(index, -1, axis=1)[:-1]
    d, c = index[1:], np.roll(index, -1, axis=1)[1:]
    faces = [np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)]  # (S-1)*R quads -> twice as many rows
    colours = np.broadcast_to(np.asarray(colour, float), (stack - 1, around, 3))
    materials = np.broadcast_to(np.asarray(material), (stack - 1, around))
    paints = [np.repeat(colours.reshape(-1, 3), 2, axis=0)]
    stuffs = [np.repeat(materials.reshape(-1), 2)]
    vertices = [points.reshape(-1, 3)]
    for end, wanted in zip((0, -1), caps, strict=True):
        if wanted:
            ring, centre = index[end], stack * around + len(vertices) - 1
            fan = np.stack([np.full(around, centre), ring, np.roll(ring, -1)], axis=-1)
            faces.append(fan[:, ::-1] if end == 0 else fan)
            vertices.append(points[end].mean(axis=0, keepdims=True))
            paints.append(np.repeat(colours[end, :1], around, axis=0))
            stuffs.append(np.repeat(materials[end, :1], around))
    mesh = of_triangles(np.concatenate(vertices), np.concatenate(faces), np.concatenate(paints), np.concatenate(stuffs))
    return _outward(mesh)


def _outward(mesh: Mesh) -> Mesh:
    """Turn the winding if the mesh encloses a negative volume: callers may list rings either way."""
    centred = replace(mesh, vertices=mesh.vertices - mesh.vertices.mean(axis=0))
    if centred.volume >= 0:
        return mesh
    return replace(mesh, triangles=np.ascontiguousarray(mesh.triangles[:, ::-1]))


def box(
    size: Sequence[float],
    centre: Sequence[float] | npt.NDArray[np.float64] | None = None,
    *,
    colour: Colour,
    material: int = MATTE,
) -> Mesh:
    """Build a box of `size` (length, width, height) around `centre`; without one it stands on the origin. 12 triangles.

    Examples
    --------
    >>> round(box((4, 2, 1), colour=(0, 0, 0)).volume, 6)
    8.0
    """
    length, width, height = size
    x, y, z = (0, 0, height / 2) if centre is None else centre
    x0, x1, y0, y1 = x - length / 2, x + length / 2, y - width / 2, y + width / 2
    z0, z1 = z - height / 2, z + height / 2
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    vertices = [(cx, cy, cz) for cz in (z0, z1) for cx, cy in corners]
    return of_triangles(vertices, _BOX, colour, material)


# fmt: off
_BOX = np.array([
    [0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4],
    [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7],
], np.int32)
# fmt: on


def prism(profile: npt.ArrayLike, width: float | npt.ArrayLike, *, colour: Colour, material: Any = MATTE) -> Mesh:
    """Extrude a side view (x, z) across the width, from y = -width/2 to width/2.

    Parameters
    ----------
    profile : (N,2) corners of a simple polygon, metres; need not be convex
    width : float or (N,), metres
        One per corner gives tumblehome: the greenhouse of a car is narrower at the roof.
    colour, material : one for all, or (N,3) and (N,) for the faces between corners n and n+1;
        the two sides take the first.
    """
    corners = np.asarray(profile, float)
    count = len(corners)
    half = np.broadcast_to(np.asarray(width, float) / 2, count)
    right = np.stack([corners[:, 0], -half, corners[:, 1]], axis=1)
    left = right * [1, -1, 1]
    side = triangulate(corners)
    here, there = np.arange(count), np.roll(np.arange(count), -1)
    around = np.stack([here, here + count, there + count, here, there + count, there], axis=1).reshape(-1, 3)
    if signed_area(corners) < 0:
        around = around[:, ::-1]
    colours = np.broadcast_to(np.asarray(colour, float), (count, 3))
    materials = np.broadcast_to(np.asarray(material), count)
    sides = 2 * len(side)
    return of_triangles(
        np.concatenate([right, left]),
        np.concatenate([side, side[:, ::-1] + count, around]),
        np.concatenate([np.repeat(colours[:1], sides, axis=0), np.repeat(colours, 2, axis=0)]),
        np.concatenate([np.repeat(materials[:1], sides), np.repeat(materials, 2)]),
    )
