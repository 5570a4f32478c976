"""The road: how it bends, and what lies across it.

Positions along the road are s (m, growing in driving direction), across it d (m to the left of the
axis). One drives on the right, so the own lanes have d < 0.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.street.ground import (
    ASPHALT,
    CELLS_PER_M,
    CONCRETE,
    CURVE_START_M,
    CURVE_STEP_M,
    DASHED,
    DIRT,
    DOUBLE,
    GRASS,
    HALF_WIDTH_M,
    PAVING,
    SOLID,
)

VIEW_M = 620.0


@dataclass(frozen=True)
class Bend:
    """Heading of the road along s: the sum of two sines (amplitude rad, wavelength m, phase rad)."""

    waves: tuple[tuple[float, float, float], ...] = ()

    def heading(self, s: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Compute the heading at s, rad."""
        s = np.asarray(s, np.float64)
        return sum((a * np.sin(2 * math.pi * s / w + p) for a, w, p in self.waves), np.zeros_like(s))


@dataclass(frozen=True)
class Layout:
    """Cross-section of a road, in metres of d. Rows are (d, ...) of things repeated along s.

    Attributes
    ----------
    kind : str
    edge : float
        Half width of the carriageways together.
    median : float
        Half width of what divides them; 0 for a painted line.
    ego : float
        d of the recording car.
    own, oncoming : tuple of float
        d of lane middles.
    cycling : tuple of (d, direction)
    parking : tuple of (d, heading offset rad)
    walking : tuple of (from d, to d)
    trees, hedges, fences, poles, kerbs : tuple of float
    buildings : tuple of (d of the front, side)
    backdrop : tuple of float
        Where a wall closes the gaps between the buildings, with trees behind it.
    zones : tuple of (from d, to d, zone)
    lines : tuple of (d, kind, half width, period, length, yellow)
    """

    kind: str
    edge: float
    median: float
    ego: float
    own: tuple[float, ...]
    oncoming: tuple[float, ...]
    cycling: tuple[tuple[float, int], ...]
    parking: tuple[tuple[float, float], ...]
    walking: tuple[tuple[float, float], ...]
    trees: tuple[float, ...]
    hedges: tuple[float, ...]
    fences: tuple[float, ...]
    poles: tuple[float, ...]
    kerbs: tuple[float, ...]
    buildings: tuple[tuple[float, int], ...]
    backdrop: tuple[float, ...]
    zones: tuple[tuple[float, float, int], ...]
    lines: tuple[tuple[float, int, float, float, float, int], ...]
    lane_width: float

    @functools.cached_property
    def section(self) -> tuple[Any, Any, Any]:
        """zone_of, line_of, lines: the tables of `ground.ground_albedo`."""
        d = np.arange(int(2 * HALF_WIDTH_M * CELLS_PER_M)) / CELLS_PER_M - HALF_WIDTH_M + 0.5 / CELLS_PER_M
        zone_of, line_of = np.full(len(d), DIRT, np.int8), np.full(len(d), -1, np.int8)
        for low, high, zone in self.zones:
            zone_of[(d >= low) & (d < high)] = zone
        for index, line in enumerate(self.lines):
            line_of[np.abs(d - line[0]) < line[2] + 0.5] = index
        first = self.median + (0.4 if self.median else 0.0)
        lines = np.array([[*line, first, self.lane_width] for line in self.lines], np.float64)
        return zone_of, line_of, lines


@dataclass(frozen=True)
class Road:
    """A layout, its bends, its crossings and the state of its asphalt."""

    layout: Layout
    bend: Bend
    crossing_every_m: float
    first_crossing_m: float
    age: float

    def crossings(self, s: float) -> npt.NDArray[np.float64]:
        """List (C, 2) middle and half width of the crossing roads between s - 60 and s + 400."""
        if not self.crossing_every_m:
            return np.zeros((0, 2))
        first = math.ceil((s - 60 - self.first_crossing_m) / self.crossing_every_m)
        last = math.floor((s + 400 - self.first_crossing_m) / self.crossing_every_m)
        middles = self.first_crossing_m + self.crossing_every_m * np.arange(first, last + 1)
        return np.stack([middles, np.full(len(middles), 8.0)], axis=1)

    def in_crossing(self, s: float, margin: float = 0.0) -> bool:
        """Say whether s lies within a crossing road or `margin` metres of it."""
        if not self.crossing_every_m:
            return False
        half = 0.5 * self.crossing_every_m
        return abs((s - self.first_crossing_m + half) % self.crossing_every_m - half) < 8.0 + margin


def make_layout(kind: str, rng: np.random.Generator) -> Layout:
    """Draw a cross-section: "avenue" (planted median), "street" (painted line) or "boulevard" (fence)."""
    # The carriageway: lanes, what lies between the two directions, and the lane of the car.
    lane = float(rng.uniform(3.3, 3.7))
    if kind == "avenue":
        lanes, median, shoulder = int(rng.integers(2, 4)), float(rng.uniform(3.0, 6.0)), 0.4
    elif kind == "street":
        lanes, median, shoulder = int(rng.integers(1, 3)), 0.0, 3.0
    else:
        lanes, median, shoulder = int(rng.integers(2, 4)), 0.5, 0.5
    inner = median + (0.4 if median else 0.0)
    edge = inner + lanes * lane + shoulder
    middles = tuple(inner + lane * (k + 0.5) for k in range(lanes))
    ego = -middles[int(rng.integers(0, lanes))]
    zones: list[tuple[float, float, int]] = [(-edge, edge, ASPHALT)]
    # Painted lines, on either side.
    lines: list[tuple[float, int, float, float, float, int]] = []
    for side in (-1.0, 1.0):
        for k in range(1, lanes):
            lines.append((side * (inner + k * lane), DASHED, 0.075, 15.0, 6.0, 0))
        if median:
            lines.append((side * (inner - 0.15), SOLID, 0.075, 1.0, 1.0, 1 if kind == "boulevard" else 0))
        lines.append((side * (inner + lanes * lane + 0.05), SOLID, 0.075, 1.0, 1.0, 0))
    if kind == "street":
        lines.append((0.0, DOUBLE, 0.075, 1.0, 1.0, 1))
    kerbs, trees, hedges, fences, poles = [-edge, edge], [], [], [], []
    cycling: list[tuple[float, int]] = []
    parking: list[tuple[float, float]] = []
    walking: list[tuple[float, float]] = []
    buildings: list[tuple[float, int]] = []
    backdrop: list[float] = []
    # The middle: planted, or with a fence.
    if kind == "avenue":
        zones.append((-median, median, GRASS))
        kerbs += [-median, median]
        trees.append(0.0) if median < 4.2 else trees.extend([-median + 1.6, median - 1.6])
    elif kind == "boulevard":
        zones.append((-median, median, CONCRETE))
        fences.append(0.0)
    for side in (-1.0, 1.0):
        # Outwards from the carriageway, on either side: kerb, verge, cycle lane, pavement …
        d = edge
        zones.append(_between(side, d, d + 0.3, CONCRETE))
        verge = float(rng.uniform(1.6, 3.0)) if kind != "street" else 0.0
        if verge:
            zones.append(_between(side, d + 0.3, d + verge, GRASS))
            trees.append(side * (d + 0.5 * verge + 0.2))
            if rng.uniform() < 0.5:
                hedges.append(side * (d + verge - 0.4))
        poles.append(side * (d + 0.8))
        d += verge
        if kind == "street":
            cycling.append((side * (edge - 0.6), -int(side)))
            parking.append((side * (edge - 1.15), 0.0))
        else:
            zones.append(_between(side, d, d + 3.4, ASPHALT))
            kerbs.append(side * d)
            cycling.append((side * (d + 1.6), -int(side)))
            d += 3.4
        pavement = float(rng.uniform(3.0, 5.0))
        zones.append(_between(side, d, d + pavement, PAVING))
        walking.append((side * (d + 0.6), side * (d + pavement - 0.5)))
        kerbs.append(side * d)
        if kind == "street":
            trees.append(side * (d + 0.9))
        d += pavement
        # … then a fence, a car park or grass, and the line of buildings.
        if rng.uniform() < (0.25 if kind == "street" else 0.6):
            fences.append(side * d)
        if rng.uniform() < 0.5:
            parking.append((side * (d + 3.2), 0.5 * math.pi))
            zones.append(_between(side, d + 0.2, d + 7.0, ASPHALT))
            d += 7.2
        else:
            zones.append(_between(side, d, d + 6.0, GRASS))
            if kind != "street":
                trees += [side * (d + 2.5), side * (d + 7.0)]
                zones.append(_between(side, d + 6.0, d + 12.0, GRASS))
                d += 6.0
            d += float(rng.uniform(1.0, 3.0))
        far = side * (d + 24.0)
        zones.append(_between(side, abs(far) - 9.0, abs(far) + 60.0, GRASS))
        backdrop.append(far)
        buildings.append((side * (d + float(rng.uniform(1, 3) if kind == "street" else rng.uniform(4, 16))), int(side)))
    own = tuple(-m for m in middles)
    return Layout(kind, edge, median, ego, own, middles, tuple(cycling), tuple(parking), tuple(walking), tuple(trees),
                  tuple(hedges), tuple(fences), tuple(poles), tuple(kerbs), tuple(buildings), tuple(backdrop),
                  tuple(zones), tuple(lines), lane)  # fmt: skip


def _between(side: float, near: float, far: float, zone: int) -> tuple[float, float, int]:
    return (near, far, zone) if side > 0 else (-far, -near, zone)


def curve_tables(road: Road, s: float, d: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Make `curve` and `inverse` (see `ground.road_coordinates`) as seen from a car at (s, d) that follows the road."""
    along = CURVE_START_M + CURVE_STEP_M * np.arange(int((VIEW_M - CURVE_START_M) / CURVE_STEP_M) + 1)
    heading = np.clip(road.bend.heading(s + along) - road.bend.heading(s), -1.2, 1.2)
    sin, cos = np.sin(heading), np.cos(heading)
    zero = round(-CURVE_START_M / CURVE_STEP_M)

    def integral(slope: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(0.5 * CURVE_STEP_M * (slope[1:] + slope[:-1]))])
        return total - total[zero]

    curve = np.stack([integral(cos), integral(sin) - d, sin, cos], axis=1)
    return curve, np.interp(along, curve[:, 0], along)


def place(curve: npt.NDArray[np.float64], s: npt.ArrayLike, d: npt.ArrayLike) -> tuple[Any, Any, Any]:
    """Place points of road coordinates (s relative to the car, d): ego x, y and heading."""
    grid = CURVE_START_M + CURVE_STEP_M * np.arange(len(curve))
    s = np.asarray(s, np.float64)
    x, y, sin, cos = (np.interp(s, grid, curve[:, k]) for k in range(4))
    d = np.asarray(d, np.float64)
    return x - d * sin, y + d * cos, np.arctan2(sin, cos)
