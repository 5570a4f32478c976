"""The recording car's own bonnet and mirror, at the bottom of every frame."""

import functools

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.camera import Grid

# Full-frame pixels for Camera 5; Camera 6 sees the mirror image at the left.
BODY = [(2120, 2730), (2190, 2610), (2290, 2450), (2335, 2385), (2400, 2368),
        (2700, 2372), (3050, 2392), (3400, 2420), (3400, 2730)]  # fmt: skip
PILLAR = [(2120, 2730), (2195, 2605), (2300, 2440), (2345, 2385), (2400, 2380), (2335, 2480), (2250, 2730)]
GLAZING = [(2535, 2420), (2580, 2402), (3400, 2442), (3400, 2730), (2560, 2660), (2515, 2640)]
MIRROR = [(1838, 2600), (1850, 2565), (1890, 2555), (2060, 2552), (2105, 2565),
          (2118, 2610), (2105, 2730), (1862, 2730), (1840, 2660)]  # fmt: skip


@functools.lru_cache(maxsize=8)
def outline(camera: int, grid: Grid) -> npt.NDArray[np.uint8]:
    """Draw (H, W) uint8 of samples: 0 road, 1 body, 2 pillar, 3 bonnet glazing that mirrors the sky, 4 mirror."""
    mask = np.zeros((grid.rows, grid.columns), np.uint8)
    for value, polygon in enumerate((BODY, PILLAR, GLAZING, MIRROR), start=1):
        points = np.array(polygon, np.float64)
        if camera == 6:
            points[:, 0] = 3383 - points[:, 0]
        points = (points - (grid.first_column, grid.first_row)) / grid.step
        cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], int(value), lineType=cv2.LINE_8, shift=4)
    mask.setflags(write=False)
    return mask


def add_bonnet(picture: npt.NDArray[np.uint8], camera: int, grid: Grid) -> npt.NDArray[np.bool_]:
    """Draw the bonnet over `picture` (in place), mirroring what is above it; return where it is."""
    mask = outline(camera, grid)
    if not mask.any():  # the strip ends above it
        return mask > 0
    first = int(np.argmax(mask.any(axis=1)))
    columns = np.flatnonzero(mask.any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    part = mask[first:, left:right]
    rows = part.shape[0]
    # The bonnet is a curved mirror: it shows the scene above the horizon upside down and squeezed.
    above = picture[: int(first * 0.72), left:right]
    squeezed = cv2.resize(above, (96, 48), interpolation=cv2.INTER_AREA)[::-1]
    scene = cv2.resize(squeezed, (right - left, rows), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    base = np.zeros((rows, right - left, 3), np.float32)
    down = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    base[:] = 10 + 0.10 * scene + 10 * (1 - down)
    for value, share, tone in ((2, 0.16, 8.0), (3, 0.62, 14.0), (4, 0.05, 10.0)):
        there = part == value
        base[there] = (tone + share * scene)[there]
    edge = cv2.morphologyEx(part, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    glint = edge & (part > 0)
    base[glint] += 26
    shape = (part > 0).astype(np.float32)
    softness = cv2.GaussianBlur(shape, (0, 0), max(2.0 / grid.step, 0.6))[..., None]
    target = picture[first:, left:right]
    target[:] = np.clip(target * (1 - softness) + base * softness, 0, 255).astype(np.uint8)
    return mask > 0
