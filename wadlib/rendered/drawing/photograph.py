"""What a camera does to light on its way to a file: motion blur, glare, exposure, white balance, grain.

Everything here works on linear light (0 black, 1 the brightest that the sensor records); `develop` goes there and
back with the gamma of 2.2 that the renderer uses. The label knows nothing of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

GAMMA = 2.2
TILE_PX = 1024
"""Noise is drawn for so many rows and columns; larger pictures repeat it."""
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Photograph:
    """How a video was taken.

    Attributes
    ----------
    gain : float
        Factor on the light: above 1 bright surfaces and the sky are clipped to white.
    balance : (3,)
        Further factors on red, green and blue.
    contrast : float
        Exponent on the exposed light: above 1 the shadows get darker.
    motion : float
        Length of the blur in pixels of a full frame.
    angle : float
        Its direction, rad; 0 is along the rows.
    glare : float
        Share of the light that the lens scatters over the picture.
    read, shot : float
        Variance of the grain is read ** 2 + shot * light.
    """

    gain: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    motion: float = 0.0
    angle: float = 0.0
    glare: float = 0.0
    read: float = 0.0
    shot: float = 0.0

    def at(self, rng: np.random.Generator) -> Photograph:
        """Draw a small change, as from one frame of a video to the next: exposure by 3 %, motion by a third."""
        gain, motion, angle = rng.standard_normal(3).clip(-2, 2).tolist()
        return replace(
            self,
            gain=self.gain * (1 + 0.015 * gain),
            motion=self.motion * (1 + 0.17 * motion),
            angle=self.angle + 0.15 * angle,
        )


def draw_photograph(rng: np.random.Generator, dark: bool) -> Photograph:
    """Draw the habits of a video's camera; `dark` scenes are rarely underexposed and grainier."""
    warm, green = rng.uniform(-0.22, 0.22), rng.uniform(-0.06, 0.06)
    backlit = rng.uniform() < 0.35
    # Against the light the sky is blown out: exposed for the street, with a veil of scattered light.
    low, high = (1.3, 2.4) if backlit else (0.8, 1.9) if dark else (0.4, 1.5)
    return Photograph(
        gain=float(np.exp(rng.uniform(math.log(low), math.log(high)))),
        balance=(1 + float(warm), 1 + float(green), 1 - float(warm)),
        contrast=float(rng.uniform(0.9, 1.3)),
        motion=float(rng.uniform(0, 9)) if rng.uniform() < 0.5 else 0.0,
        angle=float(rng.uniform(-0.35, 0.35)) if rng.uniform() < 0.8 else float(rng.uniform(1.2, 1.9)),
        glare=float(rng.uniform(0.05, 0.16) if backlit else rng.uniform(0.0, 0.05)),
        read=float(rng.uniform(0.0, 0.010 if dark else 0.006)),
        shot=float(rng.uniform(0.0, 0.0016)),
    )


def develop(
    picture: npt.NDArray[np.uint8], photograph: Photograph, pixel: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Take a picture of a picture.

    Parameters
    ----------
    picture : (H, W, 3) uint8, RGB
    photograph : Photograph
    pixel : float
        Full-frame pixels per pixel of the picture, along a side: a small picture is blurred by fewer of its
        pixels, and averages the grain.
    rng : numpy.random.Generator
        Of the grain.
    """
    table = (np.arange(256, dtype=np.float32) / 255) ** np.float32(GAMMA)
    light = np.asarray(cv2.LUT(picture, table), np.float32)
    light = add_motion(light, photograph.motion / pixel, photograph.angle)
    light = glare(light, photograph.glare)
    light = expose(light, photograph.gain, photograph.balance)
    light = add_grain(light, photograph.read / pixel, photograph.shot / pixel**2, rng)
    screen = cv2.pow(light, photograph.contrast / GAMMA)
    return np.asarray(cv2.convertScaleAbs(screen, alpha=255.0), np.uint8)


def motion_kernel(length: float, angle: float) -> F32:
    """Make the weights of the pixels that a point crosses on a way of `length` pixels: odd square array, sum 1.

    Examples
    --------
    A point that moves by two pixels spends half of the time nearest to the middle one.

    >>> motion_kernel(2, 0.0)[1].tolist()
    [0.25, 0.5, 0.25]
    """
    reach = math.ceil(0.5 * length)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    steps = max(2 * math.ceil(8 * length), 1)
    along = length * ((np.arange(steps) + 0.5) / steps - 0.5)
    column, row = along * math.cos(angle), -along * math.sin(angle)
    # Each moment's light is shared between the four pixels around it.
    for i in range(-reach, reach + 1):
        for k in range(-reach, reach + 1):
            share = np.clip(1 - np.abs(row - i), 0, 1) * np.clip(1 - np.abs(column - k), 0, 1)
            kernel[i + reach, k + reach] = share.mean()
    return np.asarray(kernel / kernel.sum(), np.float32)


def add_motion(light: F32, length: float, angle: float) -> F32:
    """Average along a direction: the camera moved by `length` pixels while the shutter was open."""
    if length <= 0:
        return light
    kernel = motion_kernel(length, angle)
    return np.asarray(cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)


def glare(light: F32, share: float) -> F32:
    """Move a share of the light over a twentieth of the picture's width: bright sky lies as a veil over the street.

    An even picture stays as it is.
    """
    if share <= 0:
        return light
    height, width = light.shape[:2]
    small = cv2.resize(light, (max(width // 16, 1), max(height // 16, 1)), interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), width / 16 / 20, borderType=cv2.BORDER_REPLICATE)
    veil = cv2.resize(wide, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.addWeighted(light, 1 - share, veil, share, 0.0), np.float32)


def expose(light: F32, gain: float, balance: tuple[float, float, float]) -> F32:
    """Scale by the exposure and by the white balance; what is more than 1 is clipped, and its colour lost.

    Examples
    --------
    >>> expose(np.array([[[0.25, 0.5, 0.75]]], np.float32), 2.0, (1.0, 0.5, 1.0)).tolist()
    [[[0.5, 0.5, 1.0]]]
    """
    lit = light * np.array([gain * colour for colour in balance], np.float32)
    return np.minimum(lit, np.float32(1.0), out=lit)


def add_grain(light: F32, read: float, shot: float, rng: np.random.Generator) -> F32:
    """Add noise of variance read ** 2 + shot * light: a dark pixel counts few photons, a bright one many.

    The noise of the three colours is partly the same, as after demosaicing; values stay within 0..1.
    """
    if read <= 0 and shot <= 0:
        return light
    height, width = light.shape[:2]
    tile = min(height, TILE_PX), min(width, TILE_PX)
    both = rng.standard_normal((*tile, 1), dtype=np.float32) * np.float32(0.6)
    noise = rng.standard_normal((*tile, 3), dtype=np.float32) * np.float32(0.8) + both
    spread = light * np.float32(shot)
    spread += np.float32(read * read)
    np.sqrt(spread, out=spread)
    for row in range(0, height, tile[0]):
        for column in range(0, width, tile[1]):
            part = spread[row : row + tile[0], column : column + tile[1]]
            part *= noise[: part.shape[0], : part.shape[1]]
    spread += light
    return np.clip(spread, np.float32(0.0), np.float32(1.0), out=spread)
