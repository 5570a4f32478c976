"""How training pictures are varied: mirrored, in another light, and cut at random."""

import numpy as np

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames.views import Placement
from wadlib.training.augmentation import Augmentation

STANDARD = Augmentation(flip=0.5, brightness=25.5, contrast=0.2, saturation=0.2, colour=0.05)
"""Mirrored or not, and in a somewhat different light."""

STRONG = Augmentation(flip=0.5, brightness=50, contrast=0.5, saturation=0.8, colour=0.2, blur=1.5, noise=12)
"""In a very different light and by other cameras: for weights that are to see other streets than they learn from."""


def random_crop(
    picture_shape: tuple[int, int],
    config: Config,
    rng: np.random.Generator,
    scale: float,
    around: tuple[int, int] | None = None,
    region: tuple[int, int, int, int] | None = None,
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
    region : y1, x1, y2, x2, optional
        The part of the picture that crops are taken from; by default what the view shows.

    Returns
    -------
    Placement
        Its part has the size of ``image_shape / scale``, as far as the view is that large; what is missing is
        padding at the bottom and on the right.
    """
    view = Placement.of(picture_shape, config).region if region is None else region
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
