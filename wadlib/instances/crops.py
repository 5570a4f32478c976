"""A mask kept as the piece of the frame that it covers.

A hundred masks of 3384x2710 pixels take 900 MB as an array; cut to what they cover they take a few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Crop"]

Mask = npt.NDArray[np.bool_]


class Crop(NamedTuple):
    """A mask inside a frame: ``frame[y : y + h, x : x + w] = mask``, False elsewhere.

    Attributes
    ----------
    y, x : int
        Row and column of the upper left pixel of `mask`.
    mask : (h, w) bool
    """

    y: int
    x: int
    mask: Mask

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns that it covers: ``frame[crop.window]``."""
        height, width = self.mask.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)

    @classmethod
    def of(cls, mask: Mask) -> Crop:
        """Cut a whole-frame mask to the pixels that are set.

        Examples
        --------
        >>> mask = np.zeros((4, 5), bool)
        >>> mask[1:3, 2] = True
        >>> Crop.of(mask)
        Crop(y=1, x=2, mask=array([[ True],
               [ True]]))
        """
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not rows.size:
            return cls(0, 0, np.zeros((0, 0), np.bool_))
        y, x = int(rows[0]), int(columns[0])
        return cls(y, x, mask[y : rows[-1] + 1, x : columns[-1] + 1])

    def enlarged(self, factor: int, y: int, x: int) -> Crop:
        """Each pixel as a block of `factor` x `factor`, in a frame that begins (y, x) further up and left."""
        mask = self.mask.repeat(factor, axis=0).repeat(factor, axis=1)
        return Crop(self.y * factor + y, self.x * factor + x, mask)
