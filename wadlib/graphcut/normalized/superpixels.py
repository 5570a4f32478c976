"""Superpixels: a thousand patches of one colour instead of half a million pixels."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.graphcut.colour import to_lab


def lab_features(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Compute CIE L*a*b* of an RGB or grey picture, (H,W,3) float32; L in 0..100.

    A distance of 2 can just be seen; sky and tree are about 60 apart.
    """
    return to_lab(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))


def superpixels(image: npt.NDArray[Any], count: int = 1000) -> npt.NDArray[np.int32]:
    """Divide a picture into about `count` connected patches of like colour (SLIC, scikit-image).

    Parameters
    ----------
    image : (H,W,3) uint8 RGB, or (H,W) grey, uint8 or float in 0..1
    count : int
        About so many; a picture with no more pixels than that has one per pixel.


    Returns
    -------
    (H,W) int32
        Patch numbers 0..R-1, each of which occurs. The same for the same picture.
    """
    if image.shape[0] * image.shape[1] <= count:
        return np.arange(image.shape[0] * image.shape[1], dtype=np.int32).reshape(image.shape[:2])
    from skimage.segmentation import slic

    colour = image.ndim == 3
    found = slic(image, count, start_label=0, channel_axis=2 if colour else None)
    return np.unique(found, return_inverse=True)[1].reshape(found.shape).astype(np.int32)
