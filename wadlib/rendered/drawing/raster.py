"""Triangles to pixels: a depth buffer that remembers which triangle is in front.

Nothing is coloured here. For every sample we keep the nearest triangle and 1/depth; `shade` turns
that into a picture afterwards, so that each pixel is coloured once. 1/depth, u/depth and v/depth are
linear over the picture, so each triangle is three planes (a, b, c): value = a * column + b * row + c.
"""

from typing import Any

import numpy as np

from wadlib._shared.compiled import jit
from wadlib.rendered.drawing.materials import FENCE, LEAF

NEAR_M = 0.4


# _nrt=False: these functions allocate nothing, and counting references to arrays for each pixel
# would take longer than the pixel itself.
@jit(_nrt=False)
def _see_through(material: Any, u: Any, v: Any, leaves: Any) -> bool:
    """Whether a sample of a pierced material (leaves, fence) misses it."""
    if material == LEAF:
        size = leaves.shape[0]
        row = min(max(int(v * size), 0), size - 1)
        column = min(max(int(u * size), 0), size - 1)
        return leaves[row, column] == 0
    if material == FENCE:  # u in metres along the fence, v in metres above the ground
        on_rail = abs(v - 0.22) < 0.03 or abs(v - 1.0) < 0.03
        on_bar = (u * 7.0) % 1.0 < 0.22
        on_post = u % 2.5 < 0.09
        return not (on_rail or on_bar or on_post)
    return False


@jit(_nrt=False)
def _span(x0: Any, y0: Any, x1: Any, y1: Any, row: Any) -> float:
    """Column where the edge crosses `row`; the same for both triangles of an edge."""
    if y0 > y1:
        x0, y0, x1, y1 = x1, y1, x0, y0
    return x0 + (x1 - x0) * ((row - y0) / (y1 - y0))


@jit(_nrt=False)
def _row_limits(px: Any, py: Any, row: Any) -> Any:
    """Leftmost and rightmost crossing of a triangle with a row."""
    low, high = 1e30, -1e30
    for k in range(3):
        m = (k + 1) % 3
        ya, yb = py[k], py[m]
        if (ya <= row) != (yb <= row):
            x = _span(px[k], ya, px[m], yb, row)
            low = min(low, x)
            high = max(high, x)
    return low, high


@jit(_nrt=False)
def _plane(px: Any, py: Any, value: Any, inverse_area: Any, out: Any, at: Any) -> None:
    a = ((value[1] - value[0]) * (py[2] - py[0]) - (value[2] - value[0]) * (py[1] - py[0])) * inverse_area
    b = ((value[2] - value[0]) * (px[1] - px[0]) - (value[1] - value[0]) * (px[2] - px[0])) * inverse_area
    out[at], out[at + 1], out[at + 2] = a, b, value[0] - a * px[0] - b * py[0]


@jit
def draw(triangles: Any, uv: Any, material: Any, order: Any, camera: Any, leaves: Any, nearness: Any, front: Any,
         planes: Any, source: Any) -> int:  # fmt: skip
    """Draw triangles into the buffers; return how many pieces were made (near clipping may cut one in two).

    Parameters
    ----------
    triangles : (N, 3, 3) float32, ego frame, m
    uv : (N, 3, 2) float32
    material : (N,) uint8
    order : (N,) int, drawing order (front to back is fastest)
    camera : (14,) float64, see `Camera.parameters`
    leaves : (S, S) uint8, leaf texture; 0 is a hole
    nearness : (H, W) float32, 1/depth so far (0: nothing); changed in place
    front : (H, W) int32, piece in front (-1: none); changed in place
    planes : (2N, 9) float64 and source : (2N,) int32, filled for each piece
    """
    height, width = nearness.shape
    fx, fy, cx, cy, eye = camera[9], camera[10], camera[11], camera[12], camera[13]
    point = np.empty((3, 5))
    cut = np.empty((4, 5))
    px, py, value = np.empty(3), np.empty(3), np.empty(3)
    pieces = 0
    for index in order:
        # Corners in the camera frame; u and v go along.
        behind = 0
        for k in range(3):
            x, y, z = triangles[index, k, 0], triangles[index, k, 1], triangles[index, k, 2] - eye
            for c in range(3):
                point[k, c] = camera[3 * c] * x + camera[3 * c + 1] * y + camera[3 * c + 2] * z
            point[k, 3], point[k, 4] = uv[index, k, 0], uv[index, k, 1]
            if point[k, 2] < NEAR_M:
                behind += 1
        if behind == 3:
            continue
        corners = 0  # clip against the near plane: 3 or 4 corners remain
        for k in range(3):
            m = (k + 1) % 3
            if point[k, 2] >= NEAR_M:
                cut[corners] = point[k]
                corners += 1
            if (point[k, 2] >= NEAR_M) != (point[m, 2] >= NEAR_M):
                t = (NEAR_M - point[k, 2]) / (point[m, 2] - point[k, 2])
                cut[corners] = point[k] + t * (point[m] - point[k])
                corners += 1
        # One or two triangles are left: on the picture, three planes each, then pixel by pixel.
        for fan in range(corners - 2):
            for k in range(3):
                corner = 0 if k == 0 else fan + k
                px[k] = fx * cut[corner, 0] / cut[corner, 2] + cx
                py[k] = fy * cut[corner, 1] / cut[corner, 2] + cy
            if min(px[0], px[1], px[2]) > width or max(px[0], px[1], px[2]) < 0:
                continue
            top = max(int(np.ceil(min(py[0], py[1], py[2]))), 0)
            bottom = min(int(np.floor(max(py[0], py[1], py[2]))), height - 1)
            area = (px[1] - px[0]) * (py[2] - py[0]) - (px[2] - px[0]) * (py[1] - py[0])
            if bottom < top or abs(area) < 1e-9:
                continue
            for c in range(3):
                for k in range(3):
                    corner = 0 if k == 0 else fan + k
                    value[k] = (1.0 if c == 0 else cut[corner, 2 + c]) / cut[corner, 2]
                _plane(px, py, value, 1.0 / area, planes[pieces], 3 * c)
            source[pieces] = index
            if _fill(px, py, top, bottom, material[index], planes[pieces], leaves, nearness, front, pieces):
                pieces += 1
    return pieces


@jit(_nrt=False)
def _fill(px: Any, py: Any, top: Any, bottom: Any, material: Any, plane: Any, leaves: Any, nearness: Any, front: Any,
          piece: Any) -> bool:  # fmt: skip
    """Write one piece where it is nearest; whether it is seen at all."""
    width = nearness.shape[1]
    pierced = material in (LEAF, FENCE)
    seen = False
    for row in range(top, bottom + 1):
        low, high = _row_limits(px, py, float(row))
        if low > high:
            continue
        first, last = max(int(np.ceil(low)), 0), min(int(np.ceil(high)), width)
        base = plane[1] * row + plane[2]
        for column in range(first, last):
            inverse = plane[0] * column + base
            if inverse <= nearness[row, column]:
                continue
            if pierced:
                depth = 1.0 / inverse
                u = (plane[3] * column + plane[4] * row + plane[5]) * depth
                v = (plane[6] * column + plane[7] * row + plane[8]) * depth
                if _see_through(material, u, v, leaves):
                    continue
            nearness[row, column] = inverse
            front[row, column] = piece
            seen = True
    return seen


@jit
def cast_shadows(
    triangles: Any, uv: Any, material: Any, slope: Any, leaves: Any, origin: Any, cell: Any, shadow: Any
) -> None:
    """Mark in `shadow` where triangles stand between the ground and the sun.

    Parameters
    ----------
    triangles, uv, material, leaves
        See `draw`.
    slope : (2,) float64
        Where a point 1 m up throws its shadow, relative to the foot, m.
    origin : (2,) float64, cell : float
        Ego x and y of shadow[0, 0], and metres per cell.
    shadow : (X, Y) uint8
        255 in shadow; changed in place.
    """
    height, width = shadow.shape
    px, py, value, plane = np.empty(3), np.empty(3), np.empty(3), np.empty(6)
    for index in range(len(triangles)):
        for k in range(3):
            z = max(triangles[index, k, 2], np.float32(0))
            py[k] = (triangles[index, k, 0] + slope[0] * z - origin[0]) / cell
            px[k] = (triangles[index, k, 1] + slope[1] * z - origin[1]) / cell
        if min(px[0], px[1], px[2]) > width or max(px[0], px[1], px[2]) < 0:
            continue
        top = max(int(np.ceil(min(py[0], py[1], py[2]))), 0)
        bottom = min(int(np.floor(max(py[0], py[1], py[2]))), height - 1)
        area = (px[1] - px[0]) * (py[2] - py[0]) - (px[2] - px[0]) * (py[1] - py[0])
        if bottom < top or abs(area) < 1e-9:
            continue
        for c in range(2):
            for k in range(3):
                value[k] = uv[index, k, c]
            _plane(px, py, value, 1.0 / area, plane, 3 * c)
        for row in range(top, bottom + 1):
            low, high = _row_limits(px, py, float(row))
            for column in range(max(int(np.ceil(low)), 0), min(int(np.ceil(high)), width)):
                u = plane[0] * column + plane[1] * row + plane[2]
                v = plane[3] * column + plane[4] * row + plane[5]
                if not _see_through(material[index], u, v, leaves):
                    shadow[row, column] = 255
