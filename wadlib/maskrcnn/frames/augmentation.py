"""How training pictures are varied: mirrored, in another light, and cut at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames.views import Placement

__all__ = ["STANDARD", "Augmentation", "random_crop"]


@dataclass(frozen=True)
class Augmentation:
    """How pictures are varied. Each number is the largest deviation; it is drawn evenly up to it.

    Attributes
    ----------
    flip : float
        Share of pictures that are mirrored left to right.
    brightness : float
        Added, as a share of 255.
    contrast, saturation : float
        Factor, 1 ± this.
    colour : float
        Factor of each channel for itself, 1 ± this: the colour of the light.
    """

    flip: float = 0.5
    brightness: float = 0.1
    contrast: float = 0.2
    saturation: float = 0.2
    colour: float = 0.05

    def __call__(
        self, image: npt.NDArray[np.uint8], label: npt.NDArray[np.uint16], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
        """A variation of a picture (H, W, 3) and its label (H, W); what is passed in stays as it is."""
        import cv2

        mirrored = rng.random() < self.flip
        contrast, saturation = 1 + rng.uniform(-1, 1, 2) * (self.contrast, self.saturation)
        colour = 1 + rng.uniform(-1, 1, 3) * self.colour
        brightness = rng.uniform(-1, 1) * self.brightness
        if mirrored:
            image, label = image[:, ::-1], np.ascontiguousarray(label[:, ::-1])
        # All of it is affine in (R, G, B): one matrix. Saturation mixes each channel with the grey of ITU-R BT.601.
        grey = np.tile([0.299, 0.587, 0.114], (3, 1))
        matrix = contrast * colour[:, None] * (saturation * np.eye(3) + (1 - saturation) * grey)
        offset = np.full((3, 1), 127.5 * (1 - contrast) + 255 * brightness)
        varied = cv2.transform(np.ascontiguousarray(image), np.hstack([matrix, offset]))  # rounds, stays in 0 … 255
        return np.asarray(varied, np.uint8), label


STANDARD = Augmentation()
"""Mirrored or not, and in a somewhat different light."""


def random_crop(
    picture_shape: tuple[int, int],
    config: Config,
    rng: np.random.Generator,
    scale: float,
    around: tuple[int, int] | None = None,
) -> Placement:
    """Place a random part of a picture's view in the network's input.

    Parameters
    ----------
    picture_shape : height, width
    config : Config
        `view` says of which part of a full-size frame the crops are taken.
    rng : numpy.random.Generator
    scale : float
        Pixels of the input per pixel of the picture: 1 is full resolution.
    around : row, column of the picture, optional
        A point that is to be in the crop, anywhere in it.

    Returns
    -------
    Placement
        Its part has the size of ``image_shape / scale``, as far as the view is that large; what is missing is
        padding at the bottom and on the right.
    """
    view = Placement.of(picture_shape, config).region
    rows, columns = (
        _random_span(
            view[axis],
            view[axis + 2],
            round(config.image_shape[axis] / scale),
            rng,
            None if around is None else around[axis],
        )
        for axis in (0, 1)
    )
    seen = [
        min(round((end - start) * scale), size)
        for (start, end), size in zip((rows, columns), config.image_shape, strict=True)
    ]
    return Placement(
        picture_shape, (rows[0], columns[0], rows[1], columns[1]), (0, 0, seen[0], seen[1]), config.image_shape
    )


def _random_span(
    start: int, end: int, length: int, rng: np.random.Generator, inside: int | None = None
) -> tuple[int, int]:
    """A span of `length` (or of all there is) in start … end; with the pixel `inside`, if that is given."""
    length = min(length, end - start)
    low, high = start, end - length
    if inside is not None:
        low, high = max(low, min(inside - length + 1, high)), min(high, max(inside, low))
    first = int(rng.integers(low, high + 1))
    return first, first + length
