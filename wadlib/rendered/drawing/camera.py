"""The two cameras of the recording car, and which pixels of a frame are drawn.

Everything is drawn in the **ego frame**: x along the road at the car, y to the left, z up, in metres,
origin on the ground under the camera. A pixel index is the coordinate of its centre.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.errors import RenderError
from wadlib.frames import FULL_SHAPE
from wadlib.preprocess import VIEWS, View

FX, FY, CX, CY = 2304.55, 2305.88, 1686.24, 1354.98
"""Published intrinsics of ApolloScape's Camera 5, in pixels at 3384x2710."""

HEIGHT_M = 1.72
"""Height of the camera: a car 38 m ahead in a real frame ends 101 px below the horizon (101 / fy * 38)."""


@dataclass(frozen=True)
class Grid:
    """The pixels of a full frame that a picture samples.

    Attributes
    ----------
    name : str
    rows, columns : int
        Number of samples.
    first_row, first_column, step : int
        Sample (i, j) lies at full-frame pixel (first_row + i * step, first_column + j * step).
    average : int
        Samples averaged per picture pixel, along each side.
    """

    name: str
    rows: int
    columns: int
    first_row: int
    first_column: int
    step: int
    average: int


def _grid(name: str, view: View, average: int) -> Grid:
    """Sample a view: `average` samples per pixel along each side."""
    step = view.factor // average
    return Grid(name, view.shape[0] * average, view.shape[1] * average, view.rows[0], view.columns[0], step, average)


FULL = _grid("full", VIEWS["full"], 1)
# Two samples of four along each side make a fair mean, and the first of them is the pixel where the label is taken.
NETWORK = _grid("network", VIEWS["report"], 2)
# All four pixels of each block are sampled.
STRIP = _grid("strip", VIEWS["strip"], 2)
SIZES = {grid.name: grid for grid in (FULL, NETWORK, STRIP)}


@dataclass(frozen=True)
class Camera:
    """A camera of the recording car.

    Attributes
    ----------
    number : int
        5 looks to the left of the road, 6 to the right.
    vanishing_point : tuple of float
        Column and row where the straight road ends, in full-frame pixels.
    height_m : float
    """

    number: int
    vanishing_point: tuple[float, float]
    height_m: float = HEIGHT_M

    def rotation(self) -> npt.NDArray[np.float64]:
        """Compute the (3, 3) rotation: rows are the camera's right, down and forward directions in the ego frame.

        For yaw a (to the left) and pitch b (up) the road's direction (1, 0, 0) is seen at
        ``column = cx + fx tan(a) / cos(b)`` and ``row = cy + fy tan(b)``; we solve for a and b.
        """
        column, row = self.vanishing_point
        pitch = math.atan((row - CY) / FY)
        yaw = math.atan((column - CX) / FX * math.cos(pitch))
        sin_a, cos_a, sin_b, cos_b = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
        return np.array(
            [
                [sin_a, -cos_a, 0.0],
                [sin_b * cos_a, sin_b * sin_a, -cos_b],
                [cos_b * cos_a, cos_b * sin_a, sin_b],
            ]
        )

    def project(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Project (N, 3) points in the ego frame to (N, 3) full-frame column, row and depth in metres.

        Examples
        --------
        >>> camera(5).project([[1e9, 0, 0]])[0, :2].round(3).tolist()
        [2560.0, 1700.0]
        """
        relative = np.asarray(points, np.float64) - np.array([0.0, 0.0, self.height_m])
        right, down, depth = (relative @ self.rotation().T).T
        return np.stack([CX + FX * right / depth, CY + FY * down / depth, depth], axis=1)

    def sees(self, x: float, y: float, reach: float) -> bool:
        """Say whether something on ego (x, y) that reaches `reach` metres around can be in the picture.

        Examples
        --------
        >>> camera(5).sees(20.0, 0.0, 1.0), camera(5).sees(-20.0, 0.0, 1.0)
        (True, False)
        """
        right, _, forward = self._axes
        aside, depth = right[0] * x + right[1] * y, forward[0] * x + forward[1] * y
        left_limit, right_limit = -CX / FX, (FULL_SHAPE[1] - CX) / FX
        return bool(
            depth > -reach
            and aside - left_limit * depth > -reach * math.hypot(1, left_limit)
            and right_limit * depth - aside > -reach * math.hypot(1, right_limit)
        )

    @functools.cached_property
    def _axes(self) -> list[list[float]]:
        return self.rotation().tolist()

    def parameters(self, grid: Grid) -> npt.NDArray[np.float64]:
        """Return (14,): rotation row by row, then fx, fy, cx, cy in samples of `grid`, then the height."""
        s = grid.step
        intrinsics = [FX / s, FY / s, (CX - grid.first_column) / s, (CY - grid.first_row) / s]
        return np.concatenate([self.rotation().ravel(), intrinsics, [self.height_m]])


CAMERAS = {5: Camera(5, (2560.0, 1700.0)), 6: Camera(6, (520.0, 1700.0))}


def camera(number: int, vanishing_point: tuple[float, float] | None = None) -> Camera:
    """Make camera 5 or 6, aimed as in the real frames or at another vanishing point."""
    if number not in CAMERAS:
        raise RenderError(
            f"camera: there is no Camera {number!r}",
            cause="the recording car's side cameras are called 5 and 6",
            fix="use 5 or 6",
        )
    return CAMERAS[number] if vanishing_point is None else Camera(number, vanishing_point)
