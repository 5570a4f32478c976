"""Trees: a crown is a cloud of leafy cards, thinner the farther away it is."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.materials import BARK, LEAF
from wadlib.rendered.drawing.soup import Soup, join, linear, make
from wadlib.rendered.street.light import Light

CARDS = (320, 110, 30)
"""Cards of a crown near by, farther and far away."""
KINDS = 7


@dataclass(frozen=True, eq=False)
class Crown:
    """Cards of a crown of height 1 standing on z = 0 with its trunk.

    Attributes
    ----------
    corners : (N, 4, 3)
    outward : (N, 3), unit
    depth : (N,)
        0 deep inside ... 1 at the surface.
    trunk : (T, 3, 3), trunk_uv : (T, 3, 2)
    """

    corners: npt.NDArray[np.float32]
    outward: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    trunk: npt.NDArray[np.float32]
    trunk_uv: npt.NDArray[np.float32]


@functools.lru_cache(maxsize=KINDS * 3)
def crown(kind: int, detail: int) -> Crown:
    """Build template number `kind` (0..KINDS-1) with CARDS[detail] cards, height 1."""
    rng = np.random.default_rng([kind, 99])
    tall = kind % 3 == 1  # poplars
    start = rng.uniform(0.22, 0.32)
    radius = rng.uniform(0.13, 0.17) if tall else rng.uniform(0.26, 0.36)
    # Balls of leaves around the trunk, spread over the height.
    blobs = 16 if not tall else 12
    step = (np.arange(blobs) + rng.uniform(-0.6, 0.6, blobs)).clip(0, blobs - 1) / (blobs - 1)
    height = start + 0.07 + (0.90 - start - 0.07) * step  # evenly enough that no ball of leaves hangs alone
    relative = (height - start) / (1 - start)
    spread = radius * np.sqrt(np.clip(1 - (2 * relative - 0.75) ** 2 / 1.7, 0.05, 1))
    angle = rng.uniform(0, 2 * math.pi) + 2.4 * np.arange(blobs)
    away = spread * rng.uniform(0.45, 0.85, blobs)
    centres = np.stack([away * np.cos(angle), away * np.sin(angle), height], axis=1)
    size = np.maximum(radius * rng.uniform(0.4, 0.62, blobs) * (1.25 if tall else 1), 0.105)
    # Leaf cards in the balls, facing mostly outwards; `depth` is how far from the trunk.
    count = CARDS[detail]
    home = rng.integers(0, blobs, count)
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    reach = rng.uniform(0.25, 1, count) ** 0.5
    middle = centres[home] + direction * (size[home] * reach)[:, None] * (1, 1, 0.85)
    axis_distance = np.hypot(middle[:, 0], middle[:, 1]) / radius
    depth = np.clip(0.55 * reach + 0.55 * axis_distance - 0.15, 0, 1)
    facing = direction + 0.8 * rng.standard_normal((count, 3))
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    side = np.cross(facing, rng.standard_normal((count, 3)))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(facing, side)
    half = (radius * (0.31, 0.46, 0.74)[detail] * rng.uniform(0.75, 1.25, count))[:, None]
    corners = np.stack([middle - half * side - half * up, middle + half * side - half * up,
                        middle + half * side + half * up, middle - half * side + half * up], axis=1)  # fmt: skip
    outward = direction + 0.8 * np.stack([middle[:, 0], middle[:, 1], 0.4 * (middle[:, 2] - 0.55)], axis=1) / radius
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    # The trunk, and a branch to every other ball.
    branches = [
        ((0, 0, 0), (0.008, -0.006, start + 0.1), 0.018, 0.014),
        ((0.008, -0.006, start + 0.1), (0, 0, 0.8), 0.014, 0.004),
    ]
    for k in range(0, blobs - 2, 2 if detail == 0 else 5):
        low = min(start * 0.9 + 0.35 * (height[k] - start), 0.6)
        branches.append(((0, 0, low), tuple(centres[k]), 0.009, 0.003))
    limbs = [_limb(*branch, 7 if detail == 0 else 4) for branch in branches[: None if detail < 2 else 1]]
    trunk = np.concatenate([t for t, _ in limbs])
    trunk_uv = np.concatenate([uv for _, uv in limbs])
    return Crown(*(np.asarray(a, np.float32) for a in (corners, outward, depth, trunk, trunk_uv)))


def _limb(low: Any, high: Any, thick: float, thin: float, sides: int) -> tuple[Any, Any]:
    """Tapered prism between two points; u around, v along."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    axis = (high - low) / np.linalg.norm(high - low)
    across = np.cross(axis, (1.0, 0.3, 0.0))
    across /= np.linalg.norm(across)
    other = np.cross(axis, across)
    turn = 2 * math.pi * np.arange(sides + 1) / sides
    ring = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * other
    a, b = low + thick * ring, high + thin * ring
    quads = np.stack([a[:-1], a[1:], b[1:], b[:-1]], axis=1)
    u = np.arange(sides) / sides
    uv = np.stack([np.stack([u, u + 1 / sides, u + 1 / sides, u], 1),
                   np.broadcast_to([low[2], low[2], high[2], high[2]], (sides, 4))], axis=2)  # fmt: skip
    return np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]), np.concatenate([uv[:, :3], uv[:, [0, 2, 3]]])


def tree(foot: Any, height: float, kind: int, detail: int, turn: float, green: Any, light: Light, sun: Any) -> Soup:
    """Plant a tree of `height` metres on ego (x, y), its leaves already lit.

    A leaf gets the sky's light by how far out it hangs, the sun's by which way it faces, and shines
    through a little when the sun stands behind it.
    """
    template = crown(kind % KINDS, detail)
    cos, sin = math.cos(turn), math.sin(turn)
    turned = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], np.float32)
    origin = np.array([foot[0], foot[1], 0], np.float32)
    corners = template.corners @ (turned * np.float32(height)) + origin
    outward = template.outward @ turned
    towards = outward @ np.asarray(sun, np.float32)
    open_sky = template.depth**1.5 * (0.66 + 0.4 * outward[:, 2])
    direct = np.clip(towards, 0, 1) * template.depth**2 + 0.30 * np.clip(-towards, 0, 1) * template.depth
    glow = np.outer(open_sky, light.ambient) + np.outer(direct, light.sun)
    colour = (linear(green) * glow * 1.15).astype(np.float32)
    uv = np.broadcast_to(np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32), (len(corners), 4, 2))
    halves = ([0, 1, 2], [0, 2, 3])
    leaves = make(
        np.concatenate([corners[:, h] for h in halves]), np.concatenate([colour, colour]), LEAF,
        uv=np.concatenate([uv[:, h] for h in halves]),
    )  # fmt: skip
    wood = template.trunk @ (turned * np.float32(height)) + origin
    stem = make(wood, linear((0.42, 0.36, 0.30)), BARK, uv=template.trunk_uv * (2.0, height))
    return join([stem, leaves])
