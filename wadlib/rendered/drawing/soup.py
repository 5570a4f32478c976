"""Triangle soup: everything that stands in one frame, ready to be drawn."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.street.road import place

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Soup:
    """Triangles in the ego frame.

    Attributes
    ----------
    triangles : (N, 3, 3) float32, m
    uv : (N, 3, 2) float32
    colour : (N, 3) float32, linear
    material : (N,) uint8
    seed : (N,) int32
        Picks the variant of a procedural pattern.
    owner : (N,) int32
        Index of the actor that a triangle belongs to; -1 for the street (and for riders).
    """

    triangles: F32
    uv: F32
    colour: F32
    material: npt.NDArray[np.uint8]
    seed: npt.NDArray[np.int32]
    owner: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Count the triangles."""
        return len(self.triangles)

    def normals(self) -> F32:
        """Compute (N, 3) unit normals; a degenerate triangle gets (0, 0, 1)."""
        a, b, c = (self.triangles[:, k] for k in range(3))
        normal = np.cross(b - a, c - a)
        length = np.sqrt((normal * normal).sum(axis=1, keepdims=True))
        up = np.array([0, 0, 1], np.float32)
        return np.asarray(np.where(length > 1e-12, normal / np.maximum(length, 1e-12), up), np.float32)


def linear(colour: npt.ArrayLike) -> F32:
    """Turn an sRGB-like colour 0..1 into linear reflectance (gamma 2.2)."""
    return np.asarray(np.power(np.clip(colour, 0, 1), 2.2), np.float32)


def make(triangles: Any, colour: Any, material: int, *, uv: Any = None, seed: Any = 0) -> Soup:
    """Make a soup of street furniture: one colour, material and seed for all triangles, or one for each."""
    triangles = np.asarray(triangles, np.float32)
    n = len(triangles)
    return Soup(
        triangles,
        np.zeros((n, 3, 2), np.float32) if uv is None else np.asarray(uv, np.float32),
        np.ascontiguousarray(np.broadcast_to(np.asarray(colour, np.float32), (n, 3))),
        np.full(n, material, np.uint8),
        np.ascontiguousarray(np.broadcast_to(np.asarray(seed, np.int32), (n,))),
        np.full(n, -1, np.int32),
    )


def join(parts: Iterable[Soup]) -> Soup:
    """Put all parts into one soup."""
    parts = [make(np.zeros((0, 3, 3)), np.zeros(3), 0), *parts]
    fields = ("triangles", "uv", "colour", "material", "seed", "owner")
    return Soup(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _quads(corners: Any) -> Any:
    """(N, 4, k) corners in turn -> (2N, 3, k) triangles."""
    corners = np.asarray(corners, np.float32)
    return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])


def panel(corners: Any, colour: Any, material: int, uv: Any = None, seed: Any = 0) -> Soup:
    """Make flat quads: (N, 4, 3) corners in turn; uv runs from (0, 1) at the first corner to (1, 0) at the third."""
    corners = np.asarray(corners, np.float32)
    if uv is None:
        uv = np.broadcast_to(np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32), (len(corners), 4, 2))
    twice = (lambda a: np.concatenate([a, a]) if np.ndim(a) else a) if np.ndim(seed) else (lambda a: a)
    colour = np.asarray(colour, np.float32)
    colour = np.concatenate([colour, colour]) if colour.ndim == 2 else colour
    return make(_quads(corners), colour, material, uv=_quads(uv), seed=twice(seed))


def strip(curve: Any, s: Any, start: float, d: Any, z: Any, colour: Any, material: int, keep: Any = None) -> Soup:
    """Make a band that follows the road: from (d[0], z[0]) to (d[1], z[1]), one quad between neighbours of `s`.

    u is metres along the road (from `start`, the car's s), v metres across the band.
    """
    low = np.stack([*place(curve, s, d[0])[:2], np.full(len(s), float(z[0]))], axis=1)
    high = np.stack([*place(curve, s, d[1])[:2], np.full(len(s), float(z[1]))], axis=1)
    corners = np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1)
    u = np.stack([s[:-1], s[1:], s[1:], s[:-1]], axis=1) + start
    v = np.broadcast_to(np.array([z[0], z[0], z[1], z[1]], float) + 0 * u, u.shape)
    uv = np.stack([u, v], axis=2)
    if keep is not None:
        corners, uv = corners[keep], uv[keep]
        colour = np.asarray(colour)[keep] if np.ndim(colour) == 2 else colour
    return panel(corners, colour, material, uv)


def cuboid(foot: Any, heading: float, size: Any, colour: Any, material: int, seed: int = 0, lift: float = 0.0) -> Soup:
    """Make a box of size (along heading, across, height) on (x, y); u and v of its walls in metres."""
    length, width, height = size
    forward = np.array([np.cos(heading), np.sin(heading)])
    left = np.array([-forward[1], forward[0]])
    signs = [(1, 1), (1, -1), (-1, -1), (-1, 1)]
    plan = [np.asarray(foot) + 0.5 * length * a * forward + 0.5 * width * b * left for a, b in signs]
    ring = np.array([[*p, lift] for p in plan] + [[*p, lift + height] for p in plan])
    faces = [[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7], [4, 5, 6, 7]]
    spans = [width, length, width, length, 1.0]
    uv = [[[0, 0], [w, 0], [w, height], [0, height]] for w in spans]
    return panel(ring[faces], colour, material, uv, seed)
