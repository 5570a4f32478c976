"""Edge weights that let a labelling break where the picture does."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.problem import DIRECTIONS, count_directions, kind, pairs


def contrast_weights(
    image: npt.NDArray[Any], beta: float | None = None, *, connectivity: int = 4
) -> tuple[npt.NDArray[np.float64], ...]:
    r"""Compute the factor of each pair of neighbours that is small across an edge of the picture.

    .. math:: w_{pq} = \frac{\exp(-\beta \, \|I_p - I_q\|^2)}{|p - q|}, \qquad
              \beta = \frac{1}{2 \, \langle \|I_p - I_q\|^2 \rangle}

    Boykov & Jolly 2001; beta and the division by the distance as in GrabCut (Rother, Kolmogorov &
    Blake 2004, equations 4-5), the mean taken over all pairs of the picture.

    Parameters
    ----------
    image : (H,W) or (H,W,C), int or float
    beta : float >= 0, optional
        0 ignores the picture: 1, and 1/sqrt(2) along the diagonals.
    connectivity : 4 or 8

    Returns
    -------
    (right, down) or (right, down, down-right, down-left), float64 in (0, 1]
        To be passed as `edge_weights`. All 1 (diagonals 1/sqrt(2)) for a picture of one colour.

    Examples
    --------
    >>> right, down = contrast_weights(np.array([[0, 0, 9]]))
    >>> right.round(3)
    array([[1.   , 0.368]])
    """
    ok = isinstance(image, np.ndarray) and image.dtype.kind in "biuf" and image.ndim in (2, 3) and image.size
    if not ok:
        raise SegmentationError(
            f"contrast_weights: expected an image (H,W) or (H,W,C) of numbers, got {kind(image)}",
            cause="a list, a file name, or a stack of images",
            fix="pass one image, for example read_image(path)",
        )
    if beta is not None and not 0 <= beta < np.inf:
        raise SegmentationError(
            f"contrast_weights: expected beta >= 0, got {beta}",
            cause="a sign that is already in the formula",
            fix="leave beta out to have it measured from the image",
        )
    values = image.reshape(*image.shape[:2], -1).astype(np.float64)  # (H,W,C)
    if not np.isfinite(values).all():
        raise SegmentationError(
            f"contrast_weights: expected finite values, got {values[~np.isfinite(values)][0]}",
            cause="a division by zero before",
            fix="replace what is not finite, for example with np.nan_to_num(image)",
        )
    directions = DIRECTIONS[: count_directions("contrast_weights", connectivity)]
    squared = []
    for direction in directions:
        p, q = pairs(values, direction)
        squared.append(np.square(p - q).sum(axis=2))
    if beta is None:
        n = sum(s.size for s in squared)
        mean = sum(s.sum() for s in squared) / n if n else 0.0
        beta = 1 / (2 * mean) if mean > 0 else 0.0
    return tuple(np.exp(-beta * s) / np.hypot(*d) for s, d in zip(squared, directions, strict=True))
