"""Optical flow between two frames: where each pixel went (OpenCV's DIS, Kroeger et al., ECCV 2016)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.errors import TrackingError
from wadlib.tracking.pieces import Piece

__all__ = ["Flow", "dis_flow", "median_shift"]

_WIDTH = 832  # pixels; a wider picture is made smaller first: four times the pixels buy little and cost four times

Field = npt.NDArray[np.float32]


class Flow:
    """Flow from each picture to the next one, for pictures that come one at a time.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 3)
    >>> flow = Flow()
    >>> flow.next(before) is None  # nothing to come from yet
    True
    >>> field = flow.next(np.roll(before, 4, axis=1))  # all moves 4 px to the right
    >>> np.median(field, axis=(0, 1)).round().astype(int).tolist()
    [0, 4]
    """

    def __init__(self) -> None:
        self._before: npt.NDArray[np.uint8] | None = None
        self._shape = (0, 0)

    def next(self, image: npt.NDArray[np.uint8]) -> Field | None:
        """Take the next picture.

        Parameters
        ----------
        image : (H, W, 3) uint8 RGB

        Returns
        -------
        (H', W', 2) float32 or None
            For each pixel of the picture *before* how far it moved, (dy, dx), in pixels of the full `image`; on a
            coarser grid if the picture is wide, see `median_shift`. None for the first picture.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise TrackingError(
                f"Flow: expected a (H, W, 3) uint8 picture, got {image.shape} {image.dtype}",
                cause="a grey picture, or a batch of them",
                fix="read it with Frame.read_image",
            )
        if self._before is not None and image.shape[:2] != self._shape:
            raise TrackingError(
                f"Flow: expected a picture of {self._shape[1]}x{self._shape[0]} like the one before, "
                f"got {image.shape[1]}x{image.shape[0]}",
                cause="frames of two videos, or of two preparations",
                fix="use one Flow for each video",
            )
        before, self._before, self._shape = self._before, _small_grey(image), image.shape[:2]
        return None if before is None else dis_flow(before, self._before) * (image.shape[1] / before.shape[1])


def dis_flow(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> Field:
    """Compute the flow between two grey pictures, (H, W) uint8 each: (H, W, 2) float32, (dy, dx) in pixels."""
    # A fresh one each time: it keeps the last result as a start for the next otherwise, and is not safe in threads.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    field = np.asarray(dis.calc(before, after, None))  # type: ignore[call-overload]
    return field[..., ::-1]  # OpenCV says (dx, dy)


def median_shift(field: Field, piece: Piece, shape: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    """Compute the median motion of the pixels of a mask.

    Parameters
    ----------
    field : (H', W', 2) float32, of `Flow.next`
    piece : Piece
        The mask, in pixels of the full picture; it may reach over the edges.
    shape : (H, W) of the full picture

    Returns
    -------
    (2,) float64 ``dy, dx``, or None if no pixel of the mask is inside the picture
    """
    # About a thousand pixels tell the median of a mask; a bus has a million.
    every = max(1, round((piece.mask.size / 1000) ** 0.5))
    rows, columns = np.nonzero(piece.mask[::every, ::every])
    rows, columns = rows * every + piece.y, columns * every + piece.x
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not inside.any():
        return None
    rows = rows[inside] * field.shape[0] // shape[0]
    columns = columns[inside] * field.shape[1] // shape[1]
    return np.asarray(np.median(field[rows, columns], axis=0), np.float64)


def _small_grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    factor = round(image.shape[1] / _WIDTH)
    if factor > 1:
        size = (image.shape[1] // factor, image.shape[0] // factor)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
