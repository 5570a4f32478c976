"""What a triangle is made of, and the few textures: noise and leaves.

Codes below 32 belong to `mesh` (things with wheels or legs); the street's own start at 32.
"""

import functools

import numpy as np
import numpy.typing as npt

LEAF, FENCE, WALL, BARK, HEDGE, SIGN, KERB = 32, 33, 34, 35, 36, 37, 38


@functools.lru_cache
def leaf_texture(size: int = 512, leaves: int = 480) -> npt.NDArray[np.uint8]:
    """Make (size, size) brightness of a twig full of leaves, 128 is neutral; 0 where one looks through it."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    texture = np.zeros((size, size), np.float32)
    for depth in np.linspace(0, 1, leaves):  # painted back to front: deeper leaves are darker
        angle, turn = rng.uniform(0, 2 * np.pi, 2)
        radius = 0.45 * np.sqrt(rng.uniform())
        x, y = columns - radius * np.cos(angle), rows - radius * np.sin(angle)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        length = rng.uniform(0.016, 0.030)
        inside = (along / length) ** 2 + (across / (0.6 * length)) ** 2 < 1
        tone = 30 + 85 * depth * rng.uniform(0.4, 1.4) + (120 * rng.uniform() if rng.uniform() < 0.16 else 0)
        texture[inside] = (tone * (1 + 0.25 * across / length))[inside]
    return np.clip(texture, 0, 255).astype(np.uint8)


@functools.lru_cache
def smooth_noise(size: int = 512, wavelength: int = 8, seed: int = 3) -> npt.NDArray[np.float32]:
    """Make (size, size) noise that tiles, mean 0, standard deviation 1, blurred to about `wavelength` cells."""
    white = np.random.default_rng(seed).standard_normal((size, size))
    frequency = np.fft.fftfreq(size)
    window = np.exp(-((frequency[:, None] ** 2 + frequency[None, :] ** 2) * (wavelength / 1.5) ** 2) * 2)
    noise = np.fft.ifft2(np.fft.fft2(white) * window).real
    return (noise / noise.std()).astype(np.float32)


@functools.lru_cache
def byte_noise(wavelength: int, seed: int) -> npt.NDArray[np.int8]:
    """Make `smooth_noise` of 512 cells in steps of 1/32."""
    return np.clip(np.round(smooth_noise(512, wavelength, seed) * 32), -127, 127).astype(np.int8)


@functools.lru_cache
def grain(size: int = 1024) -> npt.NDArray[np.int8]:
    """Make (size, size, 3) sensor noise, standard deviation 16, partly the same in the three colours."""
    rng = np.random.default_rng(11)
    noise = rng.standard_normal((size, size, 3)) * 0.75 + rng.standard_normal((size, size, 1)) * 0.66
    return np.clip(noise * 16, -127, 127).astype(np.int8)
