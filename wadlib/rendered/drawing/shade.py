"""Colours every pixel once: sky, ground, or the triangle in front of it."""

import math
from typing import Any

from wadlib._shared.compiled import jit
from wadlib.rendered.drawing.materials import BARK, HEDGE, LEAF, SIGN, WALL
from wadlib.rendered.drawing.mesh import GLASS, LIGHT, METAL, PAINT
from wadlib.rendered.street.ground import ground_albedo, hashed, road_coordinates

SKY_STEP = 8  # the sky is smooth: one sample of its table for 8x8 samples of the picture


# _nrt=False: these functions allocate nothing, and counting references to arrays for each pixel
# would take longer than the pixel itself.
@jit(_nrt=False)
def _lookup(shadow: Any, x: Any, y: Any, origin: Any, cell: Any, outside: Any) -> float:
    """Shadow map at ego (x, y), 0..1, between cells; `outside` beyond the map."""
    i, k = (x - origin[0]) / cell, (y - origin[1]) / cell
    if not (0 <= i < shadow.shape[0] - 1.001 and 0 <= k < shadow.shape[1] - 1.001):
        return outside
    a, b = int(i), int(k)
    f, g = i - a, k - b
    upper = shadow[a, b] * (1 - g) + shadow[a, b + 1] * g
    lower = shadow[a + 1, b] * (1 - g) + shadow[a + 1, b + 1] * g
    return (upper * (1 - f) + lower * f) / 255.0


@jit(_nrt=False)
def _lookup_pair(shadow: Any, x: Any, y: Any, origin: Any, cell: Any, first: Any, second: Any) -> Any:
    """Look up both layers of a (X, Y, 2) map, as `_lookup` does one; `first` and `second` hold beyond it."""
    i, k = (x - origin[0]) / cell, (y - origin[1]) / cell
    if not (0 <= i < shadow.shape[0] - 1.001 and 0 <= k < shadow.shape[1] - 1.001):
        return first, second
    a, b = int(i), int(k)
    f, g = i - a, k - b
    w00, w01, w10, w11 = (1 - f) * (1 - g) / 255, (1 - f) * g / 255, f * (1 - g) / 255, f * g / 255
    return (
        shadow[a, b, 0] * w00 + shadow[a, b + 1, 0] * w01 + shadow[a + 1, b, 0] * w10 + shadow[a + 1, b + 1, 0] * w11,
        shadow[a, b, 1] * w00 + shadow[a, b + 1, 1] * w01 + shadow[a + 1, b, 1] * w10 + shadow[a + 1, b + 1, 1] * w11,
    )


@jit(_nrt=False)
def _mirrored(rx: Any, ry: Any, rz: Any, tone: Any) -> Any:
    """Return what a polished surface sees in direction r: sky, far trees or road."""
    if rz < 0.0:
        return tone[4, 0], tone[4, 1], tone[4, 2]
    if rz < 0.16:
        edge = 0.16 if int((rx * 3 + ry * 5) * 4) & 1 else 0.10
        k = 5 if rz < edge else 3
        return tone[k, 0], tone[k, 1], tone[k, 2]
    f = min((rz - 0.16) * 1.4, 1.0)
    return (
        tone[3, 0] + f * (tone[2, 0] - tone[3, 0]),
        tone[3, 1] + f * (tone[2, 1] - tone[3, 1]),
        tone[3, 2] + f * (tone[2, 2] - tone[3, 2]),
    )


@jit(_nrt=False)
def _wall(u: Any, v: Any, seed: Any, tone: Any, lamps: Any) -> Any:
    """Facade at u metres along and v up: whether it is a window (or a shop sign), and its light."""
    style = int(hashed(seed, 1, 5) * 3)
    pitch = 2.4 + 1.4 * hashed(seed, 2, 5)
    floor, bay = math.floor(v / 3.2), math.floor(u / pitch)
    fu, fv = u / pitch - bay, v / 3.2 - floor
    if floor == 0:
        window = 0.06 < fu < 0.94 and 0.05 < fv < 0.68
        if 0.72 < fv < 0.95:
            tint, bright = hashed(bay // 2, seed, 9), 0.35 + 0.7 * (lamps > 2)
            green = 0.10 + 0.12 * hashed(bay // 2, seed, 8)
            return (
                True,
                0.35 * tint * (tone[1, 0] * 2 + bright),
                green * (tone[1, 1] * 2 + bright),
                0.25 * (1 - tint) * (tone[1, 2] * 2 + bright),
            )
    elif style == 0:
        window = 0.2 < fu < 0.8 and 0.3 < fv < 0.8
    elif style == 1:
        window = 0.08 < fu < 0.92 and 0.35 < fv < 0.85
    else:
        window = 0.25 < fu < 0.75 and 0.18 < fv < 0.85
    if not window:
        return False, 0.0, 0.0, 0.0
    dim = hashed(bay, floor, seed)
    if lamps > 2 and hashed(bay, floor, seed + 1) < 0.3:
        return True, 0.9 * (0.5 + dim), 0.62 * (0.5 + dim), 0.3 * (0.5 + dim)
    if abs(fu - 0.5) < 0.02:
        return True, tone[1, 0] * 0.5, tone[1, 1] * 0.5, tone[1, 2] * 0.5
    glass = 0.06 + 0.16 * dim * dim
    return True, tone[3, 0] * glass, tone[3, 1] * glass, tone[3, 2] * glass


@jit(_nrt=False)
def _triangle(material: Any, red: Any, green: Any, blue: Any, normal: Any, seed: Any, u: Any, v: Any, x: Any, y: Any,
              z: Any, rx: Any, ry: Any, rz: Any, sun: Any, tone: Any, lamps: Any, trees: Any, origin: Any, cell: Any,
              leaves: Any, outside: Any) -> Any:  # fmt: skip
    """Light leaving a triangle at ego point (x, y, z) against the unit view direction r."""
    if material == LIGHT:
        return red * (lamps + tone[1, 0]), green * (lamps + tone[1, 1]), blue * (lamps + tone[1, 2])
    nx, ny, nz = normal[0], normal[1], normal[2]
    facing = nx * rx + ny * ry + nz * rz
    if facing > 0:
        nx, ny, nz, facing = -nx, -ny, -nz, -facing
    if material == WALL and abs(nz) < 0.5:
        window, r, g, b = _wall(u, v, seed, tone, lamps)
        if window:
            return r, g, b
    # Sunlight, unless something stands between here and the sun.
    lit = 0.0
    if tone[0, 0] > 0:
        lit = max(nx * sun[0] + ny * sun[1] + nz * sun[2], 0.0)
        if lit > 0:
            lit *= 1 - _lookup(trees, x - sun[0] / sun[2] * z, y - sun[1] / sun[2] * z, origin, cell, outside)
    # Pattern of the material.
    texture = 1.0
    if material == HEDGE:
        size = leaves.shape[0] - 1
        texture = 0.3 + leaves[int(v * 240.0) & size, int(u * 240.0) & size] / 140.0
    elif material == BARK:
        size = leaves.shape[0] - 1
        texture = 0.6 + leaves[int(v * 20.0) & size, int(u * 130.0) & size] / 250.0
    elif material == SIGN and abs(v - 0.5) < 0.36 and abs(u - 0.5) < 0.42 and (v * 3.2) % 1.0 < 0.45:
        texture = 3.2 if hashed(int(u * 14), int(v * 3.2), seed) < 0.75 else 1.0  # lines of writing
    # Diffuse light: of the sky, of the sun, and thrown back by the ground.
    open_sky = (0.56 + 0.44 * nz) * (1.0 if material >= 32 else 0.5 + 0.5 * min(z / 0.7, 1.0))
    bounce = 0.25 * (1 - nz)
    r = red * texture * (tone[1, 0] * open_sky + tone[0, 0] * lit + tone[4, 0] * bounce)
    g = green * texture * (tone[1, 1] * open_sky + tone[0, 1] * lit + tone[4, 1] * bounce)
    b = blue * texture * (tone[1, 2] * open_sky + tone[0, 2] * lit + tone[4, 2] * bounce)
    if material in (PAINT, GLASS, METAL):
        # Glossy materials mirror the sky, more so at a grazing angle, and the sun as a spark.
        mx, my, mz = rx - 2 * facing * nx, ry - 2 * facing * ny, rz - 2 * facing * nz
        mr, mg, mb = _mirrored(mx, my, mz, tone)
        grazing = (1 + facing) ** 5
        share = 0.045 + 0.55 * grazing
        if material == GLASS:
            share = 0.16 + 0.6 * grazing
        elif material == METAL:
            share = 0.45
            mr, mg, mb = mr * red, mg * green, mb * blue
        spot = mx * sun[0] + my * sun[1] + mz * sun[2]
        spark = 2.5 * lit * ((spot - 0.9) * 10) ** 3 if spot > 0.9 else 0.0
        r = r * (1 - share) + mr * share + tone[0, 0] * spark
        g = g * (1 - share) + mg * share + tone[0, 1] * spark
        b = b * (1 - share) + mb * share + tone[0, 2] * spark
    return r, g, b


@jit(_nrt=False)
def shade(nearness: Any, front: Any, planes: Any, source: Any, colour: Any, mist: Any, normal: Any, material: Any,
          seed: Any, camera: Any, sky: Any, sun: Any, tone: Any, lamps: Any, visibility: Any, curve_tables: Any,
          section: Any, travelled: Any, age: Any, noise: Any, shadows: Any, origin: Any, cell: Any, outside: Any,
          leaves: Any, film: Any, grain: Any, grain_at: Any, grain_scale: Any, picture: Any) -> None:  # fmt: skip
    """Fill `picture` (H, W, 3) uint8.

    Parameters
    ----------
    nearness, front, planes, source
        From `raster.draw`.
    colour, mist, normal, material, seed : per triangle: (N, 3) linear RGB, (N,), (N, 3), (N,), (N,)
        Leaves carry the light that they send out, everything else its reflectance; `mist` is the share
        of it that the haze lets through.
    camera : (14,)
    sky : (H / SKY_STEP + 2, W / SKY_STEP + 2, 3)
    sun : (3,)
        Unit direction.
    tone : (7, 3)
        Light of the sun, of the sky on surfaces; zenith, horizon, road and trees as mirrors see them; haze.
    lamps, visibility : float
    curve_tables : (curve, inverse, offset), see `ground.road_coordinates`
        On a straight road `curve` is empty and d = y - offset.
    section : (zone_of, line_of, lines, crossings, edge), see `ground.ground_albedo`
    travelled : float
        s of the car, m.
    age : float
    noise : (fine, coarse)
    shadows : (ground, trees)
        uint8 maps: (X, Y, 2) sun and sky kept off the ground, (X, Y) sun kept off by scenery alone.
    origin, cell, outside
        Placement of those maps, and the shade beyond them.
    leaves : (S, S) uint8
    film : (4096,) float32, grey level of linear brightness 0..4
    grain, grain_at, grain_scale
        Noise tile, its offset in this frame, and its strength.
    """
    height, width = front.shape
    fx, fy, cx, cy, eye = camera[9], camera[10], camera[11], camera[12], camera[13]
    curve, inverse, offset = curve_tables
    zone_of, line_of, lines, crossings, edge = section
    fine, coarse = noise
    ground, trees = shadows
    mask = grain.shape[0] - 1
    vignette = 286.65 / (cx * cx + cy * cy)
    per_column = 1.0 / fx
    texture_size = leaves.shape[0]
    haze_r, haze_g, haze_b = tone[6, 0], tone[6, 1], tone[6, 2]
    sky_r, sky_g, sky_b = tone[1, 0], tone[1, 1], tone[1, 2]
    sunny = tone[0, 0] > 0
    sun_r, sun_g, sun_b = tone[0, 0] * sun[2], tone[0, 1] * sun[2], tone[0, 2] * sun[2]
    straight = len(curve) == 0
    for row in range(height):
        ys = (row - cy) / fy
        vertical = camera[8] + ys * camera[5]
        # What is the same for a whole row: where its rays meet the ground, haze, the row of the sky, vignetting.
        ground_at = eye / -vertical if vertical < -1e-5 else 1e9
        clear = math.exp(-ground_at / visibility)
        dx0, dy0 = camera[6] + ys * camera[3], camera[7] + ys * camera[4]
        sky_row = row // SKY_STEP
        f = row / SKY_STEP - sky_row
        wide = ground_at / fx
        bright = 1023.75 - vignette * (row - cy) ** 2
        long = ground_at * wide / eye
        for column in range(width):
            xs = (column - cx) * per_column
            piece = front[row, column]
            # A triangle is in front: its light, fading into the haze with its distance.
            if piece >= 0:
                t = 1.0 / nearness[row, column]
                index = source[piece]
                kind = material[index]
                u = (planes[piece, 3] * column + planes[piece, 4] * row + planes[piece, 5]) * t
                v = (planes[piece, 6] * column + planes[piece, 7] * row + planes[piece, 8]) * t
                clear_here = mist[index]
                r, g, b = colour[index, 0], colour[index, 1], colour[index, 2]
                if kind == LEAF:
                    a = min(max(int(v * texture_size), 0), texture_size - 1)
                    c = min(max(int(u * texture_size), 0), texture_size - 1)
                    leaf = leaves[a, c] * (1.0 / 128.0)
                    r, g, b = r * leaf, g * leaf, b * leaf
                else:
                    dx, dy = dx0 + xs * camera[0], dy0 + xs * camera[1]
                    size = 1.0 / math.sqrt(dx * dx + dy * dy + vertical * vertical)
                    r, g, b = _triangle(kind, r, g, b, normal[index], seed[index], u, v, dx * t, dy * t,
                                        eye + vertical * t, dx * size, dy * size, vertical * size, sun, tone, lamps,
                                        trees, origin, cell, leaves, outside)  # fmt: skip
                r, g, b = (
                    r * clear_here + haze_r * (1 - clear_here),
                    g * clear_here + haze_g * (1 - clear_here),
                    b * clear_here + haze_b * (1 - clear_here),
                )
            elif ground_at < 1500.0:
                x, y = ground_at * (dx0 + xs * camera[0]), ground_at * (dy0 + xs * camera[1])
                # The road: its reflectance at (s, d), lit by sky and sun as far as no shadow lies there.
                if straight:
                    s, d = x, y - offset
                else:
                    s, d = road_coordinates(x, y, curve, inverse)
                r, g, b = ground_albedo(
                    s + travelled, d, wide, long, zone_of, line_of, lines, crossings, edge, fine, coarse, age
                )
                shaded, covered = _lookup_pair(ground, x, y, origin, cell, outside, 0.1)
                open_sky, lit = 1 - 0.75 * covered, 1 - shaded if sunny else 0.0
                r = r * (sky_r * open_sky + sun_r * lit) * clear + haze_r * (1 - clear)
                g = g * (sky_g * open_sky + sun_g * lit) * clear + haze_g * (1 - clear)
                b = b * (sky_b * open_sky + sun_b * lit) * clear + haze_b * (1 - clear)
            else:
                # The sky, which is computed on a coarse grid: bilinear between its nodes.
                k = column // SKY_STEP
                e = column / SKY_STEP - k
                w00, w01, w10, w11 = (1 - f) * (1 - e), (1 - f) * e, f * (1 - e), f * e
                above, below = sky[sky_row], sky[sky_row + 1]
                r = above[k, 0] * w00 + above[k + 1, 0] * w01 + below[k, 0] * w10 + below[k + 1, 0] * w11
                g = above[k, 1] * w00 + above[k + 1, 1] * w01 + below[k, 1] * w10 + below[k + 1, 1] * w11
                b = above[k, 2] * w00 + above[k + 1, 2] * w01 + below[k, 2] * w10 + below[k + 1, 2] * w11
            # The camera: darker corners, the film curve, the noise of the sensor.
            falloff = bright - vignette * (column - cx) ** 2
            tile = grain[(row + grain_at[0]) & mask, (column + grain_at[1]) & mask]
            red = film[min(int(r * falloff), 4095)] + tile[0] * grain_scale
            green = film[min(int(g * falloff), 4095)] + tile[1] * grain_scale
            blue = film[min(int(b * falloff), 4095)] + tile[2] * grain_scale
            picture[row, column, 0] = min(max(int(red + 0.5), 0), 255)
            picture[row, column, 1] = min(max(int(green + 0.5), 0), 255)
            picture[row, column, 2] = min(max(int(blue + 0.5), 0), 255)
