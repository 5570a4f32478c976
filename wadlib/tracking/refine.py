"""Look again inside the boxes that were carried along: the frame's own pixels say where the object is, and how it ends.

Flow carries an object step by step, and its errors add up. Here the object's picture in a key frame is compared with
the frame itself, a few pixels around the place to which it was carried (normalised cross-correlation); and the masks of
both key frames are brought there, and averaged by nearness.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.tracking.pieces import Piece

_REACH = 3  # pixels around the carried place that are searched
_RIM = 2  # pixels around the box that belong to the picture of an object: its outline tells most
_SURE = 0.5  # a smaller correlation says nothing
_FLAT = 1.0  # grey values: the deviation of a patch in which nothing can be seen
_LARGEST = 4096  # pixels of a box; a larger one is compared on a coarser grid
_SHARE = 0.3  # of the averaged masks: at one half, thin things would lose a pixel wherever two masks differ by one

Box = npt.NDArray[np.float64]
Grey = npt.NDArray[np.uint8]


class Seen(NamedTuple):
    """An object as a key frame shows it.

    Attributes
    ----------
    frame : int
        The key frame.
    box : (4,) float64
    piece : Piece
    weight : float
        What it counts; those of an object add up to 1.
    """

    frame: int
    box: Box
    piece: Piece
    weight: float


class Pictures:
    """The pictures of a video in grey, made when they are looked at; only a few are kept."""

    def __init__(self, images: Sequence[npt.NDArray[np.uint8]]) -> None:
        self._images = images
        self._grey: dict[int, Grey] = {}

    def grey(self, frame: int) -> Grey:
        """Return the picture of a frame, (H, W) uint8."""
        if frame not in self._grey:
            self._grey[frame] = np.asarray(cv2.cvtColor(self._images[frame], cv2.COLOR_RGB2GRAY), np.uint8)
        return self._grey[frame]

    def forget(self, before: int) -> None:
        """Let go of the frames before this one."""
        self._grey = {frame: grey for frame, grey in self._grey.items() if frame >= before}


def refined(pictures: Pictures, frame: int, seen: Sequence[Seen], box: Box) -> Box:
    """Move a carried box to where the frame looks most like what the key frames showed.

    Parameters
    ----------
    pictures : Pictures
    frame : int
        The frame into which it was carried.
    seen : sequence of Seen
        The object in one key frame or two.
    box : (4,) float64
        Where it was carried, in pixels ``y1, x1, y2, x2``.

    Returns
    -------
    (4,) float64
        Moved by the weighted mean of what the key frames say, to parts of a pixel; as it was where they say nothing.
    """
    shifts, weights = [], []
    for one in seen:
        shift = _shift(pictures.grey(one.frame), one.box, pictures.grey(frame), box)
        if shift is not None:
            shifts.append(shift)
            weights.append(one.weight)
    if not sum(weights):
        return box
    return box + np.tile(np.average(shifts, axis=0, weights=weights), 2)


def blended(seen: Sequence[Seen], box: Box, shape: tuple[int, int]) -> Piece:
    """Bring the masks of an object into a box, and average them.

    Parameters
    ----------
    seen : sequence of Seen
        The object in one key frame or two.
    box : (4,) float64
        Where it is now.
    shape : (H, W) of the picture

    Returns
    -------
    Piece
        Inside the picture; without pixels if nothing is left in it.

    Examples
    --------
    >>> square = Piece(np.ones((2, 2), bool), 0, 0)
    >>> before, after = (Seen(t, np.array([0.0, 0, 2, 2]), square, 0.5) for t in (0, 2))
    >>> blended([before, after], np.array([1.0, 3, 3, 5]), (4, 8))[1:]
    (1, 3)
    """
    drawn = [one for one in seen if one.piece.mask.size]
    if not drawn:
        return Piece(np.zeros((0, 0), np.bool_), 0, 0)
    # A pixel of a key frame at p lies at box + (p - old box) * scale now.
    ends = []
    for one in drawn:
        corners = np.array([one.piece.y, one.piece.x]) + np.array([(0, 0), one.piece.mask.shape])
        ends.append(box[:2] + (corners - one.box[:2]) * _scale(one.box, box))
    top, left = np.maximum(np.floor(np.min(ends, axis=(0, 1))) - 1, 0).astype(int).tolist()
    bottom, right = np.minimum(np.ceil(np.max(ends, axis=(0, 1))) + 1, shape).astype(int).tolist()
    if top >= bottom or left >= right:
        return Piece(np.zeros((0, 0), np.bool_), 0, 0)
    total = np.zeros((bottom - top, right - left), np.float32)
    for one in drawn:
        old = one.box - np.tile([one.piece.y, one.piece.x], 2)  # in pixels of the piece
        solid = one.piece.mask.astype(np.float32)
        total += one.weight * _resampled(solid, old, box, (top, left), total.shape, cv2.BORDER_CONSTANT)
    mask = total >= _SHARE * sum(one.weight for one in drawn)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return Piece(np.zeros((0, 0), np.bool_), 0, 0)
    tight = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Piece(tight, top + int(rows[0]), left + int(columns[0]))


def _scale(old: Box, new: Box) -> npt.NDArray[np.float64]:
    return np.maximum((new[2:] - new[:2]) / np.maximum(old[2:] - old[:2], 1), 1e-3)


def _resampled(
    values: npt.NDArray[np.float32] | Grey,
    old: Box,
    new: Box,
    corner: tuple[int, int],
    shape: tuple[int, ...],
    edge: int,
) -> npt.NDArray[np.float32]:
    """Read `values` so that its box `old` lies at `new`, in the window of `shape` whose first pixel is `corner`."""
    step = 1 / _scale(old, new)
    # The middle of a pixel is half a pixel from its corner, on both sides.
    first = old[:2] + (np.array(corner) + 0.5 - new[:2]) * step - 0.5
    matrix = np.array([[step[1], 0, first[1]], [0, step[0], first[0]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(values, matrix, shape[::-1], flags=flags, borderMode=edge), np.float32)


def _shift(source: Grey, old: Box, target: Grey, new: Box) -> npt.NDArray[np.float64] | None:
    """Find by how much (dy, dx) the target around `new` is off the source around `old`; None if it does not say."""
    area = float((new[2:] - new[:2]).prod())
    coarse = max(1, int(np.ceil((area / _LARGEST) ** 0.5)))
    reach, rim = _REACH * coarse, _RIM * coarse
    top, left = (int(v) - rim for v in np.rint(new[:2]))
    height, width = (max(1, -(-int(v) // coarse)) * coarse + 2 * rim for v in np.rint(new[2:] - new[:2]))
    inside = top >= reach and left >= reach
    if not inside or top + height + reach > target.shape[0] or left + width + reach > target.shape[1]:
        return None
    wanted = _resampled(source, old, new, (top, left), (height, width), cv2.BORDER_REPLICATE)
    there = target[top - reach : top + height + reach, left - reach : left + width + reach].astype(np.float32)
    if coarse > 1:
        wanted, there = (_smaller(each, coarse) for each in (wanted, there))
    if float(wanted.std()) < _FLAT:  # OpenCV finds that one flat patch is fully like another
        return None
    likeness = np.asarray(cv2.matchTemplate(there, wanted, cv2.TM_CCOEFF_NORMED), np.float32)
    y, x = np.unravel_index(int(likeness.argmax()), likeness.shape)
    if not likeness[y, x] >= _SURE:
        return None
    peak = np.array([_peak(likeness[:, x], int(y)), _peak(likeness[y], int(x))])
    return (peak - _REACH) * coarse


def _smaller(values: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    """Average blocks of `factor` x `factor` values."""
    size = (values.shape[1] // factor, values.shape[0] // factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _peak(row: npt.NDArray[np.float32], at: int) -> float:
    """Place the top of the parabola through the largest value of a row and its neighbours."""
    if not 0 < at < len(row) - 1:
        return float(at)
    before, here, after = row[at - 1 : at + 2].astype(np.float64)
    bend = before - 2 * here + after
    return at + (0.5 * (before - after) / bend if bend < 0 else 0.0)
