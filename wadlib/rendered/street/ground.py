"""The ground, pixel by pixel: asphalt and its markings, verge, pavement, crossings.

A sample of the ground is known by its road coordinates: s metres along the road and d metres to the
left of the road's axis. What lies there follows from the cross-section (`road.Layout`).
"""

import math
from typing import Any

import numpy as np

from wadlib._shared.compiled import jit

ASPHALT, GRASS, PAVING, CONCRETE, DIRT = 0, 1, 2, 3, 4
CURVE_START_M, CURVE_STEP_M = -60.0, 0.5
CELLS_PER_M, HALF_WIDTH_M = 20, 80.0  # resolution and reach of the cross-section tables
SOLID, DASHED, DOUBLE = 1, 2, 3
UNIT = 1 / 32  # noise is kept in bytes: it has to stay in the processor's cache


# _nrt=False: these functions allocate nothing, and counting references to arrays for each pixel
# would take longer than the pixel itself.
@jit(_nrt=False)
def hashed(a: Any, b: Any, c: Any) -> float:
    """Compute an evenly distributed number in [0, 1) for three integers."""
    h = np.uint32(a) * np.uint32(374761393) + np.uint32(b) * np.uint32(668265263) + np.uint32(c) * np.uint32(2246822519)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(1274126177)
    h = h ^ (h >> np.uint32(16))
    return np.float64(h & np.uint32(0xFFFFFF)) / 16777216.0


@jit(_nrt=False)
def _wrap(x: Any, period: Any) -> float:
    """X modulo period, for every sign of x; `%` would call a slow library function."""
    return x - math.floor(x / period) * period


@jit(_nrt=False)
def road_coordinates(x: Any, y: Any, curve: Any, inverse: Any) -> Any:
    """Compute the road coordinates (s relative to the car, d) of a point of the ego frame.

    `curve` : (N, 4) x, y, sin and cos of the heading at s = CURVE_START_M + i * CURVE_STEP_M;
    `inverse` : (M,) s where the axis has ego x = CURVE_START_M + i * CURVE_STEP_M.
    From the point of the axis with the same x one goes along the tangent to the foot of the
    perpendicular; the axis, of curvature k, has by then bent away by k / 2 times the way squared.
    """
    i = min(max((x - CURVE_START_M) / CURVE_STEP_M, 0.0), len(inverse) - 1.001)
    j = int(i)
    s = inverse[j] + (i - j) * (inverse[j + 1] - inverse[j])
    i = min(max((s - CURVE_START_M) / CURVE_STEP_M, 0.0), len(curve) - 1.001)
    j = int(i)
    f = i - j
    sin = curve[j, 2] + f * (curve[j + 1, 2] - curve[j, 2])
    cos = curve[j, 3] + f * (curve[j + 1, 3] - curve[j, 3])
    bend = (curve[j + 1, 2] - curve[j, 2]) / (CURVE_STEP_M * cos)
    dx = x - (curve[j, 0] + f * (curve[j + 1, 0] - curve[j, 0]))
    dy = y - (curve[j, 1] + f * (curve[j + 1, 1] - curve[j, 1]))
    way, d = dx * cos + dy * sin, dy * cos - dx * sin
    way /= 1.0 - bend * d
    return s + way, d - 0.5 * bend * way * way * (1.0 - bend * d)


@jit(_nrt=False)
def _cover(distance: Any, half_width: Any, pixel: Any) -> float:
    """How much of a pixel of width `pixel` a stripe covers whose middle is `distance` away."""
    return min(max((half_width - distance) / pixel + 0.5, 0.0), 1.0) * min(2 * half_width / pixel, 1.0)


@jit(_nrt=False)
def _marking(
    s: Any, d: Any, wide: Any, long: Any, zone_of: Any, line_of: Any, lines: Any, crossings: Any, edge: Any
) -> float:
    """White paint at (s, d), 0..1; yellow paint is returned as its negative."""
    at = int((d + HALF_WIDTH_M) * CELLS_PER_M)
    for k in range(len(crossings)):
        off = abs(s - crossings[k, 0]) - crossings[k, 1]
        if off < 8.0:
            if off < 0.5:
                return 0.0
            if abs(d) < edge and zone_of[at] == ASPHALT:
                if 1.5 < off < 5.0:  # zebra: bars of 0.45 m along the road
                    return _cover(abs(_wrap(d, 0.95) - 0.475), 0.23, wide)
                ahead = (s < crossings[k, 0]) == (d < 0)
                if off > 6.3 and ahead:
                    return _cover(abs(off - 6.6), 0.2, long)
            if off < 6.5:
                return 0.0
    line = line_of[at]
    if line >= 0:
        kind, half = lines[line, 1], lines[line, 2]
        distance = abs(d - lines[line, 0])
        if kind == DOUBLE:
            return -_cover(abs(distance - 0.16), half, wide)
        paint = _cover(distance, half, wide)
        if kind == DASHED:
            period, length = lines[line, 3], lines[line, 4]
            paint *= _cover(abs(_wrap(s, period) - 0.5 * period), 0.5 * length, max(long, 0.01))
        return paint if lines[line, 5] == 0 else -paint
    # An arrow in the middle of some lanes, every 70 m.
    lane = lines[0, 7]
    if lane > 0 and abs(d) < edge and zone_of[at] == ASPHALT:
        along = _wrap(s if d < 0 else -s, 70.0)
        if along < 6.0:
            beside = abs(_wrap(abs(d) - lines[0, 6], lane) - 0.5 * lane)
            if along < 4.0:
                return _cover(beside, 0.09, wide)
            return 1.0 if beside < (6.0 - along) * 0.2 else 0.0
    return 0.0


@jit(_nrt=False)
def ground_albedo(s: Any, d: Any, wide: Any, long: Any, zone_of: Any, line_of: Any, lines: Any, crossings: Any,
                  edge: Any, fine: Any, coarse: Any, age: Any) -> Any:  # fmt: skip
    """Compute the linear RGB reflectance of the ground at road coordinates (s, d).

    Parameters
    ----------
    s, d : float
        Absolute metres along the road, and to the left of its axis.
    wide, long : float
        Size of the pixel on the ground across and along, m: finer detail is not drawn.
    zone_of, line_of : (N,) int8
        Zone and marking line (-1: none) at d = -HALF_WIDTH_M + i / CELLS_PER_M.
    lines : (L, 8)
        d, kind, half width, period, length, yellow; and for arrows: first lane's d, lane width.
    crossings : (C, 2)
        Middle and half width of the crossing roads, m along s.
    edge : float
        Half width of the carriageways, m.
    fine, coarse : (512, 512) int8
        Noise, of standard deviation 1 after multiplication by UNIT.
    age : float
        0 new asphalt ... 1 patched and cracked.
    """
    d = min(max(d, -HALF_WIDTH_M + 0.1), HALF_WIDTH_M - 0.1)
    # Which surface it is; a crossing road is asphalt throughout.
    zone = zone_of[int((d + HALF_WIDTH_M) * CELLS_PER_M)]
    for k in range(len(crossings)):
        if abs(s - crossings[k, 0]) < crossings[k, 1]:
            zone = ASPHALT
    # Noise: large patches, and specks that vanish with the distance.
    detail = 1.0 / (1.0 + long * long * 25.0)
    large = coarse[int(s * 6.0) & 511, int(d * 6.0) & 511] * UNIT
    speck = fine[int(s * 40.0) & 511, int(d * 40.0) & 511] * UNIT * detail if detail > 0.05 else 0.0
    if zone == ASPHALT:
        broad = coarse[int(s * 0.9) & 511, int(d * 2.1 + 77) & 511] * UNIT
        grey = 0.215 * (1 + 0.045 * large + 0.11 * speck + 0.06 * broad)
        if age > 0.2:
            if coarse[int(s * 0.35 + 300) & 511, int(d * 0.8 + 31) & 511] * UNIT > 2.4 - 0.5 * age:
                grey *= 0.78  # a patch of newer asphalt
            if detail > 0.05 and broad < 0.2:
                crack = coarse[int(s * 3.0) & 511, int(d * 3.0 + 200) & 511] * UNIT
                if abs(crack) < 0.04 * age * detail:
                    grey *= 0.6
            if age > 0.5 and abs(_wrap(s, 23.0) + 0.12 * large - 3.0) < 0.03 + 0.3 * wide:
                grey *= 0.65
        paint = _marking(s, d, wide, long, zone_of, line_of, lines, crossings, edge)
        r, g, b = grey * 0.97, grey, grey * 1.03
        if paint != 0.0:
            worn = abs(paint) * (0.86 - 0.14 * age * max(large, 0.0) * detail)
            yellow = paint < 0
            r += worn * ((0.66 if yellow else 0.74) - r)
            g += worn * ((0.46 if yellow else 0.74) - g)
            b += worn * ((0.08 if yellow else 0.72) - b)
        return r, g, b
    if zone == GRASS:
        dry = min(max(0.35 * UNIT * coarse[int(s * 2.0) & 511, int(d * 2.0) & 511] + 0.1 * large, 0.0), 1.0)
        blade = 1 + 0.38 * speck + 0.14 * large
        if speck > 2.1 and detail > 0.5:
            return 0.42, 0.34, 0.16  # a fallen leaf
        return (0.115 + 0.13 * dry) * blade, (0.165 + 0.05 * dry) * blade, (0.045 + 0.03 * dry) * blade
    if zone == PAVING:
        tile = 0.55 + 0.45 * hashed(math.floor(s * 2.0), math.floor(d * 3.3), 1)
        joint = _wrap(s * 2.0, 1.0) < 0.03 or _wrap(d * 3.3, 1.0) < 0.05
        grey = 0.29 * (1 + (0.16 * (tile - 0.77) - (0.2 if joint else 0.0)) * detail + 0.05 * large + 0.06 * speck)
        return grey * 1.06, grey, grey * 0.92
    if zone == CONCRETE:
        grey = 0.42 * (1 + 0.05 * large + 0.08 * speck)
        return grey, grey * 0.98, grey * 0.92
    grey = 1 + 0.12 * large + 0.2 * speck
    return 0.25 * grey, 0.205 * grey, 0.145 * grey
