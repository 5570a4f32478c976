"""Cutting a simple polygon into triangles."""

import functools

import numpy as np
import numpy.typing as npt

from wadlib.errors import RenderError


def signed_area(polygon: npt.NDArray[np.float64]) -> float:
    """Compute the signed area, positive for counter-clockwise corners (the shoelace formula)."""
    x, y = polygon.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def triangulate(polygon: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Cut a simple polygon (N,2) into counter-clockwise triangles, by cutting off ears (Meisters, 1975).

    Examples
    --------
    >>> len(triangulate([(0, 0), (2, 0), (2, 2), (1, 0.5), (0, 2)]))
    3
    """
    return np.array(_cut(tuple(map(tuple, np.asarray(polygon, float).tolist()))), np.int32)


@functools.lru_cache(maxsize=512)  # the same side views come again and again
def _cut(polygon: tuple[tuple[float, float], ...]) -> list[tuple[int, ...]]:
    points = np.array(polygon)
    left = list(range(len(points)))
    if signed_area(points) < 0:
        left.reverse()
    faces: list[tuple[int, ...]] = []
    while len(left) > 3:
        turns = zip(left[-1:] + left[:-1], left, left[1:] + left[:1], strict=True)
        ears = [ear for ear in turns if _is_ear(points, ear, left)]
        if not ears:
            raise RenderError(
                f"triangulate: found no ear among {len(left)} corners",
                cause="a side profile that crosses itself",
                fix="list the corners in order around the outline",
            )
        # The fattest ear first keeps slivers out.
        best = max(ears, key=lambda ear: signed_area(points[list(ear)]))
        faces.append(best)
        left.remove(best[1])
    return [*faces, tuple(left)]


def _is_ear(points: npt.NDArray[np.float64], ear: tuple[int, int, int], left: list[int]) -> bool:
    a, b, c = points[list(ear)]
    if _cross(b - a, c - a) <= 1e-12:
        return False
    others = [points[k] for k in left if k not in ear]
    return not any(
        _cross(b - a, p - a) >= 0 and _cross(c - b, p - b) >= 0 and _cross(a - c, p - c) >= 0 for p in others
    )


def _cross(u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> float:
    return float(u[0] * v[1] - u[1] * v[0])
