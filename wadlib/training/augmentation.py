"""Augmentation that keeps a picture and its target together, for U-Net and Mask R-CNN alike."""

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from wadlib._shared.typed import check_fields
from wadlib.errors import SegmentationError
from wadlib.labels import NO_INDEX

Target = TypeVar("Target", npt.NDArray[np.uint8], npt.NDArray[np.uint16])

GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the grey of a pixel (ITU-R BT.601)."""


@dataclass(frozen=True)
class Augmentation:
    """Says what may happen to a training picture; everything 0 leaves it alone.

    Each number is the largest deviation; it is drawn evenly up to it.

    Attributes
    ----------
    flip : float
        Share of pictures that are mirrored, left for right.
    zoom : float
        Scaled by a factor between ``1 / (1 + zoom)`` and ``1 + zoom``, evenly in its logarithm.
    shift : float
        Moved by up to this share of the height (along y) and of the width (along x).
    brightness : float
        Up to this is added to all values (0..255) or taken from them.
    contrast, saturation : float
        Differences from the middle grey, and of the channels from their grey, are multiplied by 1 ± this.
    colour : float
        Each channel for itself is multiplied by 1 ± this: the colour of the light.
    blur : float
        Smoothed by a Gaussian with a standard deviation of up to so many pixels.
    noise : float
        Normal noise with a standard deviation of up to this (of 255) is added to each value.

    Raises
    ------
    SegmentationError
        A number outside of what it can mean.
    """

    flip: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    colour: float = 0.0
    blur: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, SegmentationError)
        shares = (self.flip, self.shift, self.contrast, self.saturation, self.colour)
        values = (self.brightness, self.noise)
        if not (
            all(0 <= share <= 1 for share in shares)
            and all(0 <= value <= 255 for value in values)
            and 0 <= self.zoom < 10
            and 0 <= self.blur <= 100
        ):
            raise SegmentationError(
                f"Augmentation: expected shares between 0 and 1, brightness and noise up to 255, got {self}",
                cause="percentages in place of shares",
                fix="flip=0.5 mirrors every other picture, for example",
            )

    def to_dict(self) -> dict[str, float]:
        """Return the fields, for JSON."""
        return asdict(self)

    def __call__(
        self, image: npt.NDArray[np.uint8], target: Target, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Target]:
        """Change a picture (H, W, 3) and its target (H, W) alike; what is passed in stays as it is.

        The target is sampled at the nearest pixel and is NO_INDEX where nothing is known of the picture;
        there the picture repeats its edge.
        """
        # These numbers are drawn whatever is switched on: so that one switch does not change the others' draws.
        mirrored, zoom, shift = rng.random(), rng.uniform(-1, 1), self.shift * rng.uniform(-1, 1, 2)
        added, contrast, saturation = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-1, 1)
        colour = rng.uniform(-1, 1, 3)
        if self.zoom or self.shift:
            move = _affine(image.shape[:2], (1 + self.zoom) ** zoom, shift)
            image, target = _moved(image, target, move)
        if mirrored < self.flip:
            image, target = image[:, ::-1], target[:, ::-1]
        image = self._in_another_light(np.ascontiguousarray(image), added, contrast, saturation, colour)
        if self.blur or self.noise:
            image = self._by_another_camera(image, rng)
        return image, np.ascontiguousarray(target)

    def _in_another_light(
        self,
        image: npt.NDArray[np.uint8],
        added: float,
        contrast: float,
        saturation: float,
        colour: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.uint8]:
        """Apply brightness, contrast, saturation and colour, given as drawn: -1 … 1."""
        import cv2

        added, factor = added * self.brightness, 1 + contrast * self.contrast
        if self.saturation or self.colour:
            # All of it is affine in (R, G, B): one matrix. Saturation mixes each channel with the grey.
            mix = 1 + saturation * self.saturation
            light = factor * (1 + colour * self.colour)[:, None]
            matrix = light * (mix * np.eye(3) + (1 - mix) * np.tile(GREY, (3, 1)))
            offset = np.full((3, 1), 127.5 * (1 - factor) + added)
            return np.asarray(cv2.transform(image, np.hstack([matrix, offset])), np.uint8)  # rounds, stays in 0 … 255
        if self.brightness or self.contrast:
            # Each channel by itself: a table of 256 values is faster than a matrix.
            values = (np.arange(256) - 127.5) * factor + 127.5 + added
            table = values.round().clip(0, 255).astype(np.uint8)
            return np.asarray(cv2.LUT(image, table), np.uint8)
        return image

    def _by_another_camera(self, image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Smooth first, as a lens does; then add the noise of the sensor."""
        import cv2

        blur, noise = self.blur * rng.random(), self.noise * rng.random()
        if blur > 0.1:  # below, the neighbours of a pixel have no weight
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur), np.uint8)
        if noise:
            added = noise * rng.standard_normal(image.shape, np.float32)
            image = (image + added).round().clip(0, 255).astype(np.uint8)
        return image


def _moved(
    image: npt.NDArray[np.uint8], target: Target, move: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.uint8], Target]:
    import cv2

    size = (image.shape[1], image.shape[0])
    smooth = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    nearest = {"flags": cv2.INTER_NEAREST, "borderMode": cv2.BORDER_CONSTANT, "borderValue": NO_INDEX}
    moved = np.asarray(cv2.warpAffine(image, move, size, **smooth), np.uint8)  # type: ignore[call-overload]
    return moved, np.asarray(cv2.warpAffine(target, move, size, **nearest), target.dtype)  # type: ignore[call-overload]


def _affine(shape: tuple[int, ...], zoom: float, shift: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """2x3 matrix (x, y) -> (x, y) that scales around the middle and moves by shares of the size."""
    height, width = shape[:2]
    y, x = (height - 1) / 2, (width - 1) / 2
    return np.array([[zoom, 0, (1 - zoom) * x + shift[1] * width], [0, zoom, (1 - zoom) * y + shift[0] * height]])
