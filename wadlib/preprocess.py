"""From a full-size frame to what a network sees, and back.

The report (section 4.2) cuts 28 columns off either side and 75 rows off top and bottom, then keeps one
pixel in four::

    3384 - 2*28 = 3328 = 4 * 832        2710 - 2*75 = 2560 = 4 * 640

The second-place solution of the challenge kept the full resolution of one strip instead: nearly all
objects lie between rows 1560 and 2280.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from wadlib.errors import ImageError, LabelError
from wadlib.frames import FULL_SHAPE
from wadlib.labels import BACKGROUND

__all__ = [
    "CROP_X_PX",
    "CROP_Y_PX",
    "FACTOR",
    "HALF_STRIP_WINDOW",
    "NETWORK_SHAPE",
    "NETWORK_WINDOW",
    "STRIP_WINDOW",
    "VIEWS",
    "boxes_to_full_frame",
    "crop_and_downscale",
    "full_resolution_strip",
    "shrink",
    "to_full_frame",
    "upsample_label",
]

Image = npt.NDArray[np.uint8]
Label = npt.NDArray[np.uint16]

CROP_Y_PX, CROP_X_PX = 75, 28
"""Rows cut off at top and at bottom, columns cut off at left and at right."""

FACTOR = 4
"""Full-frame pixels per network pixel, along each axis."""

NETWORK_SHAPE = (640, 832)
"""(height, width) of a network-size frame in pixels."""

NETWORK_WINDOW = (
    slice(CROP_Y_PX, FULL_SHAPE[0] - CROP_Y_PX, FACTOR),
    slice(CROP_X_PX, FULL_SHAPE[1] - CROP_X_PX, FACTOR),
)
"""The label pixels that are kept: ``label[75:-75, 28:-28][::4, ::4]``, for ``read_label(window=…)``."""

STRIP_WINDOW = (slice(1560, 2280), slice(0, FULL_SHAPE[1]))
"""Rows 1560 to 2279 in full width: the strip of the second-place solution."""

HALF_STRIP_WINDOW = (slice(1536, 2304, 2), slice(CROP_X_PX, FULL_SHAPE[1] - CROP_X_PX, 2))
"""Rows 1536 to 2303 at half the resolution, 1664x384: 1.2 times the pixels of the report's frame, and each object has
four times as many. (384 and 1664 are multiples of 64, as a network with a pyramid wants it.)"""

VIEWS = {"report": NETWORK_WINDOW, "strip": HALF_STRIP_WINDOW}
"""Ways to make a frame small enough for a network: the pixels of the full frame that its label keeps."""

_CROP = (NETWORK_WINDOW[0].start, NETWORK_WINDOW[0].stop, NETWORK_WINDOW[1].start, NETWORK_WINDOW[1].stop)


@overload
def crop_and_downscale(image: Image, label: Label) -> tuple[Image, Label]: ...
@overload
def crop_and_downscale(image: Image, label: None = None) -> tuple[Image, None]: ...
@overload
def crop_and_downscale(image: None, label: Label) -> tuple[None, Label]: ...
def crop_and_downscale(image: Image | None, label: Label | None = None) -> tuple[Image | None, Label | None]:
    """Crop 28 columns and 75 rows off each side, then divide the size by 4 (report, section 4.2).

    Parameters
    ----------
    image : (2710, 3384, 3) uint8 RGB, or None
    label : (2710, 3384) uint16 codes, or None

    Returns
    -------
    image : (640, 832, 3) uint8, or None
        Each pixel is the mean of its 4x4 block, rounded to the nearest whole number (OpenCV's
        ``INTER_AREA``; a half may go either way).
    label : (640, 832) uint16, or None
        The upper left pixel of each 4x4 block. Codes must not be averaged: the mean of two cars is
        no car.

    Raises
    ------
    ImageError, LabelError
        Another size or dtype.

    Examples
    --------
    >>> label = np.full(FULL_SHAPE, 255, np.uint16)
    >>> label[75:79, 28:32] = 33000  # the first block inside the crop
    >>> _, small = crop_and_downscale(None, label)
    >>> small.shape, small[0, :2].tolist()
    ((640, 832), [33000, 255])
    """
    small_image: Image | None = None
    if image is not None:
        _check_image(image, "crop_and_downscale")
        small_image = shrink(image, NETWORK_WINDOW)
    small_label: Label | None = None
    if label is not None:
        _check_label(label, FULL_SHAPE, "crop_and_downscale")
        small_label = np.ascontiguousarray(label[NETWORK_WINDOW])
    return small_image, small_label


def shrink(image: Image, window: tuple[slice, slice]) -> Image:
    """The picture that belongs to ``label[window]``: each pixel the mean of the block of which the label keeps one.

    Parameters
    ----------
    image : (2710, 3384, 3) uint8 RGB
    window : rows, columns
        One of `VIEWS`.

    Returns
    -------
    (h, w, 3) uint8
        Means rounded to the nearest whole number (OpenCV's ``INTER_AREA``; a half may go either way).

    Raises
    ------
    ImageError
        Another size or dtype.

    Examples
    --------
    >>> shrink(np.zeros((*FULL_SHAPE, 3), np.uint8), VIEWS["strip"]).shape
    (384, 1664, 3)
    """
    import cv2

    _check_image(image, "shrink")
    rows, columns = window
    part = image[rows.start : rows.stop, columns.start : columns.stop]
    size = (part.shape[1] // columns.step, part.shape[0] // rows.step)
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def full_resolution_strip(image: Image | None, label: Label | None = None) -> tuple[Image | None, Label | None]:
    """Rows 1560 to 2279 in full width and full resolution (second place of the challenge).

    Parameters
    ----------
    image : (2710, 3384, 3) uint8 RGB, or None
    label : (2710, 3384) uint16 codes, or None

    Returns
    -------
    image : (720, 3384, 3) uint8, or None
    label : (720, 3384) uint16, or None
        Copies: writing to them leaves the frame alone.

    Raises
    ------
    ImageError, LabelError
        Another size or dtype.
    """
    if image is not None:
        _check_image(image, "full_resolution_strip")
        image = image[STRIP_WINDOW].copy()
    if label is not None:
        _check_label(label, FULL_SHAPE, "full_resolution_strip")
        label = label[STRIP_WINDOW].copy()
    return image, label


def to_full_frame(y: npt.ArrayLike, x: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where a point of the network-size frame lies in the full frame, in pixels.

    A point is a distance from the upper left corner of the frame, so that pixel row `y` covers ``[y, y + 1)``
    and its centre is ``y + 0.5``: ``y_full = 4 y + 75``, ``x_full = 4 x + 28``.

    Examples
    --------
    >>> [float(v) for v in to_full_frame(640, 832)]  # the lower right corner
    [2635.0, 3356.0]
    """
    return (
        np.asarray(y, np.float64) * FACTOR + CROP_Y_PX,
        np.asarray(x, np.float64) * FACTOR + CROP_X_PX,
    )


def boxes_to_full_frame(boxes: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Half-open boxes (N, 4) ``y1, x1, y2, x2`` from network pixels to full-frame pixels.

    Examples
    --------
    >>> boxes_to_full_frame([[0, 0, 1, 2]]).tolist()
    [[75.0, 28.0, 79.0, 36.0]]
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    return np.asarray(boxes * FACTOR + np.array([CROP_Y_PX, CROP_X_PX] * 2, np.float32), np.float32)


def upsample_label(label: Label) -> Label:
    """A network-size label back at full size: each pixel fills its 4x4 block, 255 outside of the crop.

    What is lost on the way down stays lost: the IoU of ``upsample_label(crop_and_downscale(None, label)[1])``
    with `label` is what a network reaches that learns those labels perfectly. (Choosing the best set of
    whole 4x4 blocks would give a little more: a label by stride keeps one pixel of each block.)

    Parameters
    ----------
    label : (640, 832) uint16

    Returns
    -------
    (2710, 3384) uint16

    Raises
    ------
    LabelError
        Another size or dtype.

    Examples
    --------
    >>> small = np.full(NETWORK_SHAPE, 33000, np.uint16)
    >>> full = upsample_label(small)
    >>> full.shape, int(full[0, 0]), int(full[75, 28]), bool((full[NETWORK_WINDOW] == small).all())
    ((2710, 3384), 255, 33000, True)
    """
    _check_label(label, NETWORK_SHAPE, "upsample_label")
    full = np.full(FULL_SHAPE, BACKGROUND, np.uint16)
    y0, y1, x0, x1 = _CROP
    full[y0:y1, x0:x1] = label.repeat(FACTOR, axis=0).repeat(FACTOR, axis=1)
    return full


def _check_image(image: Image, where: str) -> None:
    if image.shape != (*FULL_SHAPE, 3) or image.dtype != np.uint8:
        cause, fix = _why(image.shape[:2])
        raise ImageError(
            f"{where}: expected a (2710, 3384, 3) uint8 image, got {image.shape} {image.dtype}", cause=cause, fix=fix
        )


def _check_label(label: Label, shape: tuple[int, int], where: str) -> None:
    if label.shape != shape or label.dtype != np.uint16:
        cause, fix = _why(label.shape)
        raise LabelError(
            f"{where}: expected a {shape} uint16 label, got {label.shape} {label.dtype}", cause=cause, fix=fix
        )


def _why(shape: tuple[int, ...]) -> tuple[str, str]:
    if shape == NETWORK_SHAPE:
        return "the frame is already downscaled", "use it as it is, or read the full-size frame"
    return "not a WAD frame, or the wrong dtype", "read frames with wadlib.frames.read_image and read_label"
