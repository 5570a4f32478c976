"""A vehicle body as a loft: rings of points along x, and patches of paint laid onto it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.mesh import Colour, Mesh, merge, of_triangles, skin


@dataclass(frozen=True, eq=False)
class Loft:
    """The left half of a body, mirrored at y = 0.

    Attributes
    ----------
    points : (S,R,3) metres
        S stations, rising in x, of R rows each: from the bottom edge up the flank to the middle of
        the roof (y = 0). All points of one station share their x.
    """

    points: npt.NDArray[np.float64]

    def mesh(self, colour: npt.ArrayLike, material: npt.ArrayLike) -> Mesh:
        """Build the closed body; `colour` (S-1,R-1,3) and `material` (S-1,R-1) per panel of the left half.

        The floor takes the paint of the first row; the two ends that of the panels beside them.
        """
        rows = self.points.shape[1]
        right = self.points[:, -2::-1] * [1, -1, 1]
        panels, stuff = np.asarray(colour, float), np.asarray(material)
        around = np.concatenate([panels, panels[:, ::-1], panels[:, :1]], axis=1)
        stuff_around = np.concatenate([stuff, stuff[:, ::-1], stuff[:, :1]], axis=1)
        hull = skin(np.concatenate([self.points, right], axis=1), around, stuff_around, caps=(False, False))
        # Ends: rungs between left and right at equal height, so that a raked front stays smooth.
        left = np.arange(rows - 1)
        a, b, c, d = left[:-1], left[1:], left[1:] + rows, left[:-1] + rows
        rungs = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
        rungs = np.concatenate([rungs, [[rows - 2, rows - 1, 2 * rows - 2]]])
        ends = [hull]
        for end, faces in ((0, rungs[:, ::-1]), (-1, rungs)):
            half = self.points[end]
            tints, kinds = np.repeat(panels[end], 2, axis=0)[:-1], np.repeat(stuff[end], 2)[:-1]
            ends.append(of_triangles(np.concatenate([half, half * [1, -1, 1]]), faces, tints, kinds))
        return merge(ends)

    def at(self, x: npt.ArrayLike, row: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Find the points of the surface at places `x` (N,) and fractional `row` (M,): (N,M,3)."""
        xs, rows = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(row, float))
        s = np.interp(xs, self.points[:, 0, 0], np.arange(len(self.points)))
        s0 = np.minimum(s.astype(int), len(self.points) - 2)
        r0 = np.minimum(rows.astype(int), self.points.shape[1] - 2)
        u, v = (s - s0)[:, None, None], (rows - r0)[None, :, None]
        p = self.points
        near = p[s0][:, r0] * (1 - v) + p[s0][:, r0 + 1] * v
        far = p[s0 + 1][:, r0] * (1 - v) + p[s0 + 1][:, r0 + 1] * v
        return np.asarray(near * (1 - u) + far * u)

    def patch(
        self, x: tuple[float, float], row: tuple[float, float], colour: Colour, material: Any = 0, lift: float = 0.008
    ) -> Mesh:
        """Paint on both flanks over x0..x1 and row0..row1, `lift` metres above the surface."""
        stations = self.points[:, 0, 0]
        xs = np.concatenate([[x[0]], stations[(stations > x[0] + 0.01) & (stations < x[1] - 0.01)], [x[1]]])
        rows = np.arange(np.floor(row[0]) + 1, np.ceil(row[1]))
        rows = np.concatenate([[row[0]], rows, [row[1]]])
        grid = self.at(xs, rows)
        normal = np.cross(np.gradient(grid, axis=1), np.gradient(grid, axis=0))
        length = np.linalg.norm(normal, axis=2, keepdims=True)
        grid = grid + lift * normal / np.where(length > 0, length, 1)
        n, m = len(xs), len(rows)
        index = np.arange(n * m).reshape(n, m)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
        left = of_triangles(grid.reshape(-1, 3), faces, colour, material)
        return merge([left, left.mirrored()])
