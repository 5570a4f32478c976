"""Optical flow between two frames: where each pixel went (OpenCV's DIS, Kroeger et al., ECCV 2016)."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.errors import TrackingError
from wadlib.tracking.pieces import Piece

_POINTS = 200  # pixels of a mask that are asked where they went

Field = npt.NDArray[np.float32]
Points = npt.NDArray[np.int64]


class Flow:
    """Flow from each picture to the next one, for pictures that come one at a time.

    Parameters
    ----------
    width : int
        In pixels; a wider picture is made smaller first by a whole number. Four times the pixels buy little and cost
        four times: half of 832 is enough for what `wadlib.tracking.lattice` does.

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

    def __init__(self, width: int = 832) -> None:
        self._width = width
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
            coarser grid if the picture is wide. None for the first picture.
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
        before, self._before, self._shape = self._before, _small_grey(image, self._width), image.shape[:2]
        return None if before is None else dis_flow(before, self._before) * (image.shape[1] / before.shape[1])


def dis_flow(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> Field:
    """Compute the flow between two grey pictures, (H, W) uint8 each: (H, W, 2) float32, (dy, dx) in pixels."""
    # A fresh one each time: it keeps the last result as a start for the next otherwise, and is not safe in threads.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    field = np.asarray(dis.calc(before, after, None))  # type: ignore[call-overload]
    return field[..., ::-1]  # OpenCV says (dx, dy)


def sample(piece: Piece) -> Points:
    """Choose the pixels of a mask by which its motion is told: about 200 of them do, where a bus has a million.

    Returns
    -------
    (K, 2) int64
        Row and column in the full picture; they may lie beyond its edges.
    """
    every = max(1, round((piece.mask.size / (20 * _POINTS)) ** 0.5))
    points = np.argwhere(piece.mask[::every, ::every]) * every
    if not points.size and every > 1:  # so thin a mask that the grid misses it
        points = np.argwhere(piece.mask)
    points = points[:: max(1, -(-len(points) // _POINTS))]
    return np.asarray(points + np.array([piece.y, piece.x]), np.int64)


def median_shifts(
    field: Field, points: Sequence[Points], shifts: npt.NDArray[np.float64], shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Compute the median motion of the pixels of several masks at once.

    Parameters
    ----------
    field : (H', W', 2) float32, of `Flow.next`
    points : sequence of N (K, 2) int64, of `sample`
    shifts : (N, 2) float64 ``dy, dx``
        How far each mask has moved since its points were chosen.
    shape : (H, W) of the full picture

    Returns
    -------
    (N, 2) float64 ``dy, dx``
        0 for a mask of which no pixel is inside the picture.
    """
    sizes = np.array([len(each) for each in points], np.int64)
    moved = np.concatenate([np.zeros((0, 2), np.int64), *points]) + np.rint(np.repeat(shifts, sizes, axis=0))
    at = moved.astype(np.int64)
    inside = ((at >= 0) & (at < shape)).all(axis=1)
    mask = np.repeat(np.arange(len(points)), sizes)[inside]
    rows, columns = (at[inside, k] * field.shape[k] // shape[k] for k in (0, 1))
    counts = np.bincount(mask, minlength=len(points))
    some = np.flatnonzero(counts)
    medians = np.zeros((2, len(points)))
    # One row for each mask, filled up with infinity: sorted, the median is in the middle of what is finite.
    values = np.full((2, len(points), int(counts.max(initial=0))), np.inf)
    place = np.arange(mask.size) - np.repeat(np.cumsum(counts) - counts, counts)
    values[:, mask, place] = field[rows, columns].T
    values.sort(axis=2)
    medians[:, some] = (values[:, some, (counts[some] - 1) // 2] + values[:, some, counts[some] // 2]) / 2
    return medians.T


def _small_grey(image: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    factor = round(image.shape[1] / width)
    if factor > 1:
        size = (image.shape[1] // factor, image.shape[0] // factor)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
