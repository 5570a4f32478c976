"""Augmentation that keeps a picture and its target together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.labels import NO_INDEX

__all__ = ["Augmentation"]


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a training picture; everything 0 leaves it alone.

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
    contrast : float
        Differences from the middle grey are multiplied by a factor between ``1 - contrast`` and
        ``1 + contrast``.
    """

    flip: float = 0.5
    zoom: float = 0.25
    shift: float = 0.1
    brightness: float = 30.0
    contrast: float = 0.25

    def __post_init__(self) -> None:
        shares = (self.flip, self.shift, self.contrast)
        if not (all(0 <= share <= 1 for share in shares) and 0 <= self.zoom < 10 and 0 <= self.brightness <= 255):
            raise SegmentationError(
                f"Augmentation: expected shares between 0 and 1 and brightness up to 255, got {self}",
                cause="percentages in place of shares",
                fix="flip=0.5 mirrors every other picture, for example",
            )

    def to_dict(self) -> dict[str, float]:
        """The fields, for JSON."""
        return asdict(self)

    def __call__(
        self, image: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Change a picture (H,W,3) and its target (H,W) alike.

        The target is sampled at the nearest pixel and is NO_INDEX where nothing is known of the picture;
        there the picture repeats its edge.
        """
        import cv2

        # All numbers are drawn whatever is switched on: so that one switch does not change the others' draws.
        mirrored, zoom, *shift = rng.random(), rng.uniform(-1, 1), *rng.uniform(-1, 1, 2)
        added, factor = rng.uniform(-1, 1) * self.brightness, 1 + rng.uniform(-1, 1) * self.contrast
        if self.zoom or self.shift:
            move = _affine(image.shape[:2], (1 + self.zoom) ** zoom, [self.shift * s for s in shift])
            size = (image.shape[1], image.shape[0])
            smooth = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
            nearest = {"flags": cv2.INTER_NEAREST, "borderMode": cv2.BORDER_CONSTANT, "borderValue": NO_INDEX}
            image = np.asarray(cv2.warpAffine(image, move, size, **smooth), np.uint8)  # type: ignore[call-overload]
            target = np.asarray(cv2.warpAffine(target, move, size, **nearest), np.uint8)  # type: ignore[call-overload]
        if mirrored < self.flip:
            image, target = image[:, ::-1], target[:, ::-1]
        if self.brightness or self.contrast:
            values = (np.arange(256) - 127.5) * factor + 127.5 + added
            table = values.round().clip(0, 255).astype(np.uint8)
            image = np.asarray(cv2.LUT(np.ascontiguousarray(image), table), np.uint8)
        return np.ascontiguousarray(image), np.ascontiguousarray(target)


def _affine(shape: tuple[int, ...], zoom: float, shift: list[float]) -> npt.NDArray[Any]:
    """2x3 matrix (x, y) -> (x, y) that scales around the middle and moves by shares of the size."""
    height, width = shape[:2]
    y, x = (height - 1) / 2, (width - 1) / 2
    return np.array([[zoom, 0, (1 - zoom) * x + shift[1] * width], [0, zoom, (1 - zoom) * y + shift[0] * height]])
