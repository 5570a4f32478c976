"""Where there is room beside a road, and what a thing that stands there has to know about it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wadlib.rendered.drawing.board import Picture, hang
from wadlib.rendered.drawing.camera import Camera
from wadlib.rendered.drawing.materials import KERB
from wadlib.rendered.drawing.soup import Soup
from wadlib.rendered.street.road import Road, place
from wadlib.rendered.street.scenery import _cells, _draws

SIDES = (1.0, -1.0)
"""Left and right of the road."""
SHADE_M = 40.0
"""As near as this, a thing is built although the camera does not see it: its shadow may be in the picture."""


@dataclass(frozen=True, eq=False)
class Roadside:
    """The two sides of a road in one frame.

    Attributes
    ----------
    road : Road
    seed : int
    curve : (N, 4)
        See `ground.road_coordinates`.
    travelled : float
        s of the car, m.
    lens : Camera
    """

    road: Road
    seed: int
    curve: Any
    travelled: float
    lens: Camera

    def amount(self, kind: int) -> float:
        """Return how much of a kind of thing there is in this video, 0..1."""
        return _draws(self.seed, 20, kind, 0)[0]

    def spots(
        self, kind: int, row: int, spacing: float, ahead: float, margin: float
    ) -> Iterator[tuple[float, tuple[float, ...]]]:
        """List (s relative to the car, eight numbers in [0, 1)) of places clear of crossing roads by `margin` metres.

        The second half of each cell stays free: what is put there, at s + 0.55 * spacing, meets nothing.
        """
        for s, _, draw in _cells(self.seed, kind, row, self.travelled, spacing, -SHADE_M, ahead):
            if not self.road.in_crossing(s + self.travelled, margin):
                yield s, draw

    def more(self, kind: int, draw: tuple[float, ...], number: int) -> tuple[float, ...]:
        """Draw eight numbers more for part `number` of a thing that was drawn as `draw`."""
        return _draws(self.seed, kind, int(draw[7] * 2**20), number)

    def at(self, s: float, d: float) -> tuple[float, float, float]:
        """Place road coordinates in the ego frame: x, y, heading."""
        x, y, heading = place(self.curve, s, d)
        return float(x), float(y), float(heading)

    def matters(self, x: float, y: float, reach: float) -> bool:
        """Say whether a thing or its shadow can be in the picture."""
        return math.hypot(x, y) < SHADE_M or self.lens.sees(x, y, reach)

    def pavement_end(self, side: float) -> float:
        """Return ``|d|`` where the pavement ends."""
        return max(abs(d) for pair in self.road.layout.walking for d in pair if d * side > 0) + 0.5

    def back(self, side: float) -> tuple[float, float]:
        """Return ``|d|`` from and to which there is room between the pavement, or the car park, and the houses."""
        parked = any(abs(turn) > 1 and d * side > 0 for d, turn in self.road.layout.parking)
        front = min(abs(d) for d, towards in self.road.layout.buildings if towards * side > 0)
        return self.pavement_end(side) + (7.3 if parked else 0.3), front - 0.4

    def sheet(
        self, picture: Picture, width: float, spot: tuple[float, float, float], facing: float, lift: float, out: float,
        material: int = KERB, glow: float = 1.0,
    ) -> Soup:  # fmt: skip
        """Put a sheet so that the middle of its lower edge is `out` metres before ego (x, y), `lift` above the ground.

        Parameters
        ----------
        picture, width, material, glow
            See `board.hang`; the width in m.
        spot : x, y, heading
        facing : float
            Relative to the heading, rad; 0 looks along the road, pi back at who comes.
        lift, out : float, m
        """
        x, y, heading = spot
        angle = heading + facing
        normal = np.array([math.cos(angle), math.sin(angle)])
        foot = np.array([x, y]) + out * normal - 0.5 * width * np.array([-normal[1], normal[0]])
        return hang(picture, (float(foot[0]), float(foot[1]), lift), angle, material, glow)
