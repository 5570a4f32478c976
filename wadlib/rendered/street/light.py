"""Four kinds of light: where the sun is, how bright everything is, and what the sky looks like."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.rendered.drawing.materials import smooth_noise

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """One kind of light. Colours are linear RGB; 1 is a white surface facing the noon sun.

    Attributes
    ----------
    name : str
    elevation : float
        Of the sun above the horizon, rad.
    sun, ambient : Colour
        Light from the sun (0 when it is hidden) and from the whole sky.
    zenith, horizon, glow : Colour
        The sky straight up, at the horizon, and what is added around the sun.
    glow_width : float
        Angle over which the glow falls off, rad.
    clouds : float
        Strength of the clouds, 0..1.
    haze : Colour
        What the distance fades to.
    visibility_m : float
        Distance at which 63 % of the colour is haze.
    exposure, noise : float
        Exposure of the picture, and standard deviation of the sensor noise in grey levels.
    lamps : float
        Brightness of head, tail and street lamps.
    """

    name: str
    elevation: float
    sun: Colour
    ambient: Colour
    zenith: Colour
    horizon: Colour
    glow: Colour
    glow_width: float
    clouds: float
    haze: Colour
    visibility_m: float
    exposure: float
    noise: float
    lamps: float


# fmt: off
KINDS: tuple[Light, ...] = (
    Light("noon", math.radians(52), sun=(1.55, 1.45, 1.28), ambient=(0.24, 0.31, 0.40), zenith=(0.34, 0.62, 1.15),
          horizon=(1.5, 1.75, 2.0), glow=(3.2, 3.1, 2.9), glow_width=0.66, clouds=0.5, haze=(0.80, 0.95, 1.12),
          visibility_m=900, exposure=1.15, noise=2.6, lamps=0.2),
    Light("low sun", math.radians(19), sun=(2.2, 1.55, 0.92), ambient=(0.25, 0.30, 0.38), zenith=(0.30, 0.50, 0.85),
          horizon=(1.25, 1.05, 0.80), glow=(3.4, 2.6, 1.6), glow_width=0.55, clouds=0.35, haze=(0.98, 0.84, 0.66),
          visibility_m=700, exposure=1.2, noise=3.2, lamps=0.3),
    Light("overcast", math.radians(60), sun=(0.0, 0.0, 0.0), ambient=(0.62, 0.66, 0.70), zenith=(0.95, 1.0, 1.06),
          horizon=(1.15, 1.18, 1.2), glow=(0.35, 0.35, 0.35), glow_width=0.9, clouds=0.25, haze=(0.92, 0.96, 1.0),
          visibility_m=650, exposure=1.15, noise=3.0, lamps=0.3),
    Light("dusk", math.radians(3), sun=(0.0, 0.0, 0.0), ambient=(0.125, 0.135, 0.185), zenith=(0.10, 0.16, 0.34),
          horizon=(0.62, 0.44, 0.40), glow=(0.75, 0.40, 0.18), glow_width=0.8, clouds=0.4, haze=(0.30, 0.28, 0.33),
          visibility_m=600, exposure=2.15, noise=5.0, lamps=3.2),
)
# fmt: on


def sun_direction(light: Light, azimuth: float) -> npt.NDArray[np.float64]:
    """Compute the unit vector (3,) towards the sun, ego frame; `azimuth` counts to the left from straight ahead."""
    across = math.cos(light.elevation)
    return np.array([across * math.cos(azimuth), across * math.sin(azimuth), math.sin(light.elevation)])


def tone_curve(light: Light, entries: int = 4096, brightest: float = 4.0) -> npt.NDArray[np.float32]:
    """Make (entries,) grey levels 0..255 of linear brightness 0..`brightest`: soft shoulder, slight toe, gamma 2.2."""
    value = np.linspace(0, brightest, entries) * light.exposure
    film = 1 - np.exp(-1.5 * value)
    film = 0.5 * film + 0.5 * film * film * (3 - 2 * film)
    return (255 * film ** (1 / 2.2)).astype(np.float32)


def sky(light: Light, directions: npt.NDArray[np.float32], sun: npt.NDArray[np.float64], turn: float, skyline: float,
        drift: float) -> npt.NDArray[np.float32]:  # fmt: skip
    """Compute the brightness of the sky, and of the far tree line that closes the view.

    Parameters
    ----------
    light : Light
    directions : (H, W, 3) float32
        Unit view directions in the ego frame.
    sun : (3,) float64
    turn : float
        Heading of the car, rad: clouds and skyline stay where they are when the road bends.
    skyline : float
        Typical height of the far tree line above the horizon, rad.
    drift : float
        Offset into the cloud pattern.

    Returns
    -------
    (H, W, 3) float32, linear
    """
    up = np.clip(directions[..., 2], 0, 1)
    azimuth = np.arctan2(directions[..., 1], directions[..., 0]) + turn
    blend = (1 - np.exp(-4.0 * up))[..., None].astype(np.float32)
    colour = (1 - blend) * np.array(light.horizon, np.float32) + blend * np.array(light.zenith, np.float32)
    angle = np.arccos(np.clip(directions @ sun.astype(np.float32), -1, 1))
    glow = np.exp(-((angle / light.glow_width) ** 2)) + 0.35 * np.exp(-angle / light.glow_width)
    if light.clouds:
        noise = smooth_noise(512, 60, 5) * 0.7 + smooth_noise(512, 14, 6) * 0.3
        # Clouds lie on a plane overhead: they get flatter and closer towards the horizon.
        far = 60 / (up + 0.12)
        row = (np.cos(azimuth) * far + drift * 91).astype(int) % 512
        column = (np.sin(azimuth) * far + drift * 57).astype(int) % 512
        cover = np.clip(noise[row, column] * 1.1 - 0.1, 0, 1) * light.clouds * np.clip(up * 8, 0, 1)
        white = np.array(light.horizon, np.float32) * 1.05
        colour += cover[..., None] * (white - colour)
    colour += glow[..., None].astype(np.float32) * np.array(light.glow, np.float32)
    return np.asarray(_far_trees(light, colour, azimuth, directions[..., 2], skyline), np.float32)


def _far_trees(light: Light, sky_colour: Any, azimuth: Any, rise: Any, skyline: float) -> Any:
    """Cover the sky near the horizon with a hazy line of trees."""
    line = smooth_noise(512, 20, 8)[:, 0] * 0.45 + smooth_noise(512, 4, 9)[:, 0] * 0.3
    height = skyline * (1 + np.clip(np.interp(azimuth * 220, np.arange(512), line, period=512), -0.8, 1.6))
    hazy = 0.55 * np.array(light.haze, np.float32) + 0.1 * np.array(light.ambient, np.float32) * (0.5, 0.8, 0.4)
    covered = np.clip((height - rise) / 0.0012, 0, 1)[..., None]
    return sky_colour * (1 - covered) + covered * hazy
