"""How the pixels of another dataset relate to WAD's: an object at the same distance gets the same size in both.

Two numbers of a camera decide it. Its focal length says how many pixels an object has (``pixels = focal_px * size /
distance``), and the row of its horizon where in the picture the road lies. WAD at 832x640 has a focal length of 576
pixels, 2304 in the full frame; its horizon lies at row 82 of the strip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib.errors import DatasetError
from wadlib.labels import IGNORE
from wadlib.preprocess import View


@dataclass(frozen=True)
class Camera:
    """A camera that looks along the road, its optical axis in the middle column.

    Attributes
    ----------
    focal_px : float
        Focal length in pixels of the picture.
    horizon_px : float
        Row of the horizon, in pixels from the top.
    width_px : int, optional
        Of the pictures for which the two hold; they are scaled for pictures of another width.
    """

    focal_px: float
    horizon_px: float
    width_px: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.focal_px < np.inf or not abs(self.horizon_px) < np.inf:
            raise DatasetError(
                f"Camera: expected a focal length above 0 and a row, got {self.focal_px} and {self.horizon_px}",
                cause="a focal length in millimetres or an angle of view",
                fix="in pixels it is width / (2 tan(angle of view / 2))",
            )

    def of_width(self, width_px: int) -> Camera:
        """Scale to pictures of so many columns."""
        scale = width_px / (self.width_px or width_px)
        return Camera(self.focal_px * scale, self.horizon_px * scale, width_px)


WAD_CAMERA = Camera(focal_px=2304.0, horizon_px=1700.0, width_px=3384)
"""Of WAD's full frames, 3384x2710; their middle is column 1692."""

_WAD_MIDDLE_PX = 1692.0


class Fit(NamedTuple):
    """Which part of a picture fills which window of a view; boxes are y1, x1, y2, x2, half-open, in pixels.

    Attributes
    ----------
    region : of the picture
    window : of the view; what lies outside is padding
    shape : (height, width) of the view
    """

    region: tuple[int, int, int, int]
    window: tuple[int, int, int, int]
    shape: tuple[int, int]

    def image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Show the picture (H, W, 3) in the view, black where it does not reach."""
        import cv2

        (y1, x1, y2, x2), (top, left, bottom, right) = self.region, self.window
        part = image[y1:y2, x1:x2]
        how = cv2.INTER_AREA if part.shape[0] >= bottom - top else cv2.INTER_LINEAR
        shown = np.zeros((*self.shape, 3), np.uint8)
        shown[top:bottom, left:right] = cv2.resize(part, (right - left, bottom - top), interpolation=how)
        return shown

    def label(self, label: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        """Show the label (H, W) in the view: one pixel for each, the upper left one of its block; IGNORE outside."""
        (y1, x1, y2, x2), (top, left, bottom, right) = self.region, self.window
        rows = y1 + np.arange(bottom - top) * (y2 - y1) // (bottom - top)
        columns = x1 + np.arange(right - left) * (x2 - x1) // (right - left)
        shown = np.full(self.shape, IGNORE, np.uint16)
        shown[top:bottom, left:right] = label[rows[:, None], columns]
        return shown


def fit(shape: tuple[int, int], camera: Camera | None, view: View) -> Fit:
    """Place a picture of `shape` (height, width) in a view of WAD's frames.

    Parameters
    ----------
    shape : (height, width) in pixels
    camera : Camera or None
        None where nobody knows it: the picture is then shown whole, scaled down to fit, in the middle.
    view : View

    Raises
    ------
    DatasetError
        The picture shows nothing of what the view shows.

    Examples
    --------
    Cityscapes in the strip: scaled by 1152 / 2262.5, 1043 of 1664 columns.

    >>> from wadlib.preprocess import VIEWS
    >>> fit((1024, 2048), Camera(2262.5, 427.0), VIEWS["strip"])
    Fit(region=(266, 0, 1020, 2048), window=(0, 311, 384, 1353), shape=(384, 1664))
    """
    if camera is None:
        scale = min(1.0, *(wanted / side for wanted, side in zip(view.shape, shape, strict=True)))
        corner = tuple((wanted - side * scale) / 2 for wanted, side in zip(view.shape, shape, strict=True))
    else:
        camera = camera.of_width(shape[1])
        scale = WAD_CAMERA.focal_px / view.factor / camera.focal_px
        horizon = (WAD_CAMERA.horizon_px - view.rows[0]) / view.factor
        middle = (_WAD_MIDDLE_PX - view.columns[0]) / view.factor
        corner = (horizon - scale * camera.horizon_px, middle - scale * shape[1] / 2)
    region, window = [0, 0, 0, 0], [0, 0, 0, 0]
    for axis in (0, 1):
        start, end = round(corner[axis]), round(corner[axis] + scale * shape[axis])
        first = 0 if start >= 0 else min(round(-corner[axis] / scale), shape[axis])
        last = shape[axis] if end <= view.shape[axis] else max(round((view.shape[axis] - corner[axis]) / scale), 0)
        start, end = max(0, start), min(end, view.shape[axis])
        if start >= end or first >= last:
            raise DatasetError(
                f"fit: a picture of {shape[1]}x{shape[0]} pixels shows nothing of the view {view.name}",
                cause=f"{camera} is not the camera that took it",
                fix="give the focal length and the row of the horizon in pixels of the picture",
            )
        window[axis], window[axis + 2], region[axis], region[axis + 2] = start, end, first, last
    return Fit((region[0], region[1], region[2], region[3]), (window[0], window[1], window[2], window[3]), view.shape)
