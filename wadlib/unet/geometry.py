"""Which part of a frame a U-Net sees, at which resolution, and the way back.

A grid of cells: cell (i, j) covers ``step`` x ``step`` pixels of the full frame, whose upper left one is
at row ``top + step * i``, column ``left + step * j``. The picture is the mean over each cell; the label is
the code of its upper left pixel, because codes must not be averaged (as in `wadlib.preprocess`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.typed import check_fields
from wadlib.errors import ImageError, LabelError, SegmentationError
from wadlib.frames import FULL_SHAPE
from wadlib.preprocess import NETWORK_SHAPE, VIEWS, View

_FRAMES = {view.shape: view for view in (VIEWS["full"], VIEWS["report"])}  # what a picture may be: full-size, prepared


@dataclass(frozen=True)
class Geometry:
    """A grid of cells on the full frame.

    Attributes
    ----------
    top, left : int
        First row and column, in pixels of the full frame.
    step : int
        Side length of a cell in those pixels.
    height, width : int
        Cells; the size of the network's input.
    """

    top: int
    left: int
    step: int
    height: int
    width: int

    def __post_init__(self) -> None:
        check_fields(self, SegmentationError)
        if self.step < 1 or self.height < 1 or self.width < 1 or not self._inside():
            raise SegmentationError(
                f"Geometry: expected cells inside of the frame of {FULL_SHAPE[1]}x{FULL_SHAPE[0]} pixels, got {self}",
                cause="a window in network pixels, or a typing slip",
                fix="give the window in pixels of the full frame",
            )

    @classmethod
    def of(cls, view: View, step: int) -> Geometry:
        """Cover what a view shows with cells of `step` x `step` pixels of the full frame."""
        (top, bottom), (left, right) = view.rows, view.columns
        return cls(top, left, step, (bottom - top) // step, (right - left) // step)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in cells."""
        return self.height, self.width

    def to_dict(self) -> dict[str, int]:
        """Return the fields, for JSON; ``Geometry(**saved)`` is the way back."""
        return asdict(self)

    def picture(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Cut out what the network sees of a frame.

        Parameters
        ----------
        image : (2710, 3384, 3) or (640, 832, 3) uint8
            A full-size frame, or a prepared one; cells outside of a prepared one repeat its edge.

        Returns
        -------
        (height, width, 3) uint8

        Raises
        ------
        ImageError
            Another size, or a prepared frame where the cells are smaller than its pixels.
        """
        import cv2

        if image.ndim != 3 or image.dtype != np.uint8:
            raise ImageError(
                f"Geometry: expected an (H, W, 3) uint8 picture, got {image.shape} {image.dtype}",
                cause="a picture that was already scaled to floating point",
                fix="pass what read_image gives; the network scales it by itself",
            )
        rows, columns, _ = self._window(image.shape[:2])
        # Beyond the edge of a prepared frame: the nearest pixel.
        y, x = (
            np.arange(r.start, r.stop).clip(0, side - 1) for r, side in zip((rows, columns), image.shape, strict=False)
        )
        whole = np.ascontiguousarray(image[y[0] : y[-1] + 1, x[0] : x[-1] + 1])
        if whole.shape[:2] != (len(y), len(x)):
            whole = image[y[:, None], x]
        small = cv2.resize(whole, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def window(self, shape: tuple[int, int]) -> tuple[slice, slice] | None:
        """Find the slices that cut the cells' label out of a frame of `shape`; None if some lie outside of it."""
        rows, columns, step = self._window(shape)
        if rows.start < 0 or columns.start < 0 or rows.stop > shape[0] or columns.stop > shape[1]:
            return None
        return slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step)

    def label(self, label: npt.NDArray[Any], outside: int = 255) -> npt.NDArray[Any]:
        """Read a frame-sized map at each cell (its upper left pixel); `outside` where there is none.

        Parameters
        ----------
        label : (H,W), for example codes or indices

        Returns
        -------
        (height, width) of the same dtype
        """
        rows, columns, step = self._window(label.shape, LabelError)
        y, x = (np.arange(r.start, r.stop, step) for r in (rows, columns))
        inside = ((y >= 0) & (y < label.shape[0]))[:, None] & ((x >= 0) & (x < label.shape[1]))
        values = label[y.clip(0, label.shape[0] - 1)[:, None], x.clip(0, label.shape[1] - 1)]
        return np.where(inside, values, np.asarray(outside, label.dtype))

    def to_frame(
        self, cells: npt.NDArray[Any], shape: tuple[int, int] = FULL_SHAPE, outside: int = 0
    ) -> npt.NDArray[Any]:
        """Turn a map of cells into the pixels of a frame: the way back of `label`.

        Parameters
        ----------
        cells : (height, width) or (height, width, C)
            For example indices, or probabilities.
        shape : (height, width) of the frame, full-size or prepared
        outside
            Value of the pixels that no cell covers.

        Returns
        -------
        (H,W) or (H,W,C) of the same dtype
        """
        if cells.shape[:2] != self.shape:
            raise SegmentationError(
                f"Geometry.to_frame: expected a map of {self.shape} cells, got {cells.shape}",
                cause="the output of a network with another geometry",
                fix="use the geometry that the network was trained with",
            )
        rows, columns, step = self._window(shape)
        frame = np.full((*shape, *cells.shape[2:]), outside, cells.dtype)
        y, x = (np.arange(max(r.start, 0), min(r.stop, side)) for r, side in zip((rows, columns), shape, strict=True))
        frame[y[0] : y[-1] + 1, x[0] : x[-1] + 1] = cells[
            ((y - rows.start) // step)[:, None], (x - columns.start) // step
        ]
        return frame

    def _inside(self) -> bool:
        bottom, right = self.top + self.step * self.height, self.left + self.step * self.width
        return self.top >= 0 and self.left >= 0 and bottom <= FULL_SHAPE[0] and right <= FULL_SHAPE[1]

    def _window(
        self, shape: tuple[int, ...], error: type[ImageError] | type[LabelError] = ImageError
    ) -> tuple[slice, slice, int]:
        """Rows and columns of a frame that the cells cover (they may leave a prepared one), and its pixels per cell."""
        size = (int(shape[0]), int(shape[1])) if len(shape) == 2 else None
        if size not in _FRAMES:
            raise error(
                f"Geometry: expected a frame of {FULL_SHAPE[1]}x{FULL_SHAPE[0]} or "
                f"{NETWORK_SHAPE[1]}x{NETWORK_SHAPE[0]} pixels, got shape {tuple(shape)}",
                cause="a picture that is not of WAD, or was resized another way",
                fix="pass full-size frames, or those that `wadlib prepare` makes",
            )
        top, left, pixel = *_FRAMES[size].region[:2], _FRAMES[size].factor
        if self.step % pixel:
            raise error(
                f"Geometry: expected a full-size frame for cells of {self.step}x{self.step} pixels, "
                f"got a prepared one, whose pixels are {pixel}x{pixel}",
                cause="this geometry needs more detail than prepared frames have",
                fix="pass the full-size dataset",
            )
        step = self.step // pixel
        # Rounded down: where the cells do not begin at a border of two pixels, they move by less than one.
        first, second = (self.top - top) // pixel, (self.left - left) // pixel
        return slice(first, first + step * self.height), slice(second, second + step * self.width), step


def strip(step: int = 4) -> Geometry:
    """Cover rows 1535 to 2302 and columns 28 to 3355, nearly all objects, with cells of `step` x `step` pixels.

    It holds the strip of the second-place solution (rows 1560 to 2279); its borders are those of prepared
    frames' pixels, and its size divides by 32 for a step of 4 (832x192) or 8 (416x96).
    """
    return Geometry.of(VIEWS["unet_strip"], step)


ATTEMPT = Geometry.of(VIEWS["unet_attempt"], 8)
"""What the report's authors trained on: rows 1560 to 2279, columns from 7, an eighth of the resolution.

They resized columns 7 to 3376 to 422; here they are cells of exactly 8 pixels, as their label's stride
is, which is 6 columns more on the right.
"""

NETWORK = Geometry.of(VIEWS["report"], 8)
"""The whole network-size frame (832x640) at half its resolution."""
