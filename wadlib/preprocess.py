"""From a full-size frame to what a network sees, and back.

The report (section 4.2) cuts 28 columns off either side and 75 rows off top and bottom, then keeps one
pixel in four::

    3384 - 2*28 = 3328 = 4 * 832        2710 - 2*75 = 2560 = 4 * 640

The second-place solution of the challenge kept the full resolution of one strip instead: nearly all
objects lie between rows 1560 and 2280. `VIEWS` is the one table of these and of all other parts of a frame.
"""

from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from wadlib.errors import ImageError, LabelError, WadError
from wadlib.frames import FULL_SHAPE
from wadlib.labels import BACKGROUND

__all__ = [
    "CROP_X_PX",
    "CROP_Y_PX",
    "FACTOR",
    "NETWORK_SHAPE",
    "NETWORK_VIEWS",
    "NETWORK_WINDOW",
    "STRIP_WINDOW",
    "VIEWS",
    "View",
    "crop_and_downscale",
    "full_resolution_strip",
    "upsample_label",
    "view_of",
]

Image = npt.NDArray[np.uint8]
Label = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class View:
    """Which pixels of the full frame a picture shows.

    Its pixel (i, j) is a block of ``factor x factor`` pixels of the full frame, of which the upper left one lies at
    ``(rows[0] + factor * i, columns[0] + factor * j)``. Arrays of another size or dtype than a method asks for are
    an ImageError or LabelError.
    """

    name: str
    rows: tuple[int, int]  # of the full frame: the first, and the first that is not shown
    columns: tuple[int, int]
    factor: int  # pixels of the full frame per pixel of the picture, along each axis

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the picture in pixels."""
        return (self.rows[1] - self.rows[0]) // self.factor, (self.columns[1] - self.columns[0]) // self.factor

    @property
    def region(self) -> tuple[int, int, int, int]:
        """Box of the shown part in the full frame, half-open: y1, x1, y2, x2."""
        return self.rows[0], self.columns[0], self.rows[1], self.columns[1]

    @property
    def window(self) -> tuple[slice, slice]:
        """The pixels of a full label that the picture's label keeps, ``label[view.window]``; for `read_label`."""
        return slice(*self.rows, self.factor), slice(*self.columns, self.factor)

    def shrink(self, image: Image, where: str = "View.shrink") -> Image:
        """Show a full-size picture (2710, 3384, 3) uint8 RGB in this view.

        Each pixel is the mean of its block, rounded to the nearest whole number (OpenCV's ``INTER_AREA``; a half may
        go either way).

        Examples
        --------
        >>> VIEWS["strip"].shrink(np.zeros((*FULL_SHAPE, 3), np.uint8)).shape
        (384, 1664, 3)
        """
        if image.shape != (*FULL_SHAPE, 3) or image.dtype != np.uint8:
            what = f"{where}: expected a {(*FULL_SHAPE, 3)} uint8 image, got {image.shape} {image.dtype}"
            raise ImageError(what, **_why(image.shape[:2]))
        import cv2

        part = image[slice(*self.rows), slice(*self.columns)]
        return np.asarray(cv2.resize(part, self.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)

    def stride(self, label: Label, where: str = "View.stride") -> Label:
        """Show a full-size label (2710, 3384) uint16 in this view: the upper left pixel of each block.

        Codes must not be averaged: the mean of two cars is no car.
        """
        _check_label(label, FULL_SHAPE, where)
        return label[self.window].copy()

    def boxes_to_full_frame(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Bring half-open boxes (N, 4) ``y1, x1, y2, x2`` from pixels of this view to those of the full frame.

        Edges are distances from the upper left corner: pixel row `y` covers ``[y, y + 1)``; its centre is ``y + 0.5``.

        Examples
        --------
        >>> VIEWS["report"].boxes_to_full_frame([[0, 0, 1, 2]]).tolist()
        [[75.0, 28.0, 79.0, 36.0]]
        """
        corner = np.array(self.region[:2] * 2, np.float32)
        return np.asarray(boxes, np.float32).reshape(-1, 4) * np.float32(self.factor) + corner

    def label_to_full_frame(self, label: Label, where: str = "View.label_to_full_frame") -> Label:
        """Bring a label of this view back to full size: each pixel fills its block, 255 where nothing is shown."""
        _check_label(label, self.shape, where)
        full = np.full(FULL_SHAPE, BACKGROUND, np.uint16)
        full[slice(*self.rows), slice(*self.columns)] = label.repeat(self.factor, axis=0).repeat(self.factor, axis=1)
        return full


# fmt: off
VIEWS: dict[str, View] = {view.name: view for view in (
    #    name             rows          columns    factor    height x width
    View("full",          (0, 2710),    (0, 3384),  1),    # 2710 x 3384
    View("report",        (75, 2635),   (28, 3356), 4),    #  640 x 832: section 4.1
    # Half the resolution of the rows that hold nearly all objects: 1.2 times the pixels of the report's frame, and each
    # object has four times as many. (384 and 1664 are multiples of 64, as a network with a pyramid wants it.)
    View("strip",         (1536, 2304), (28, 3356), 2),    #  384 x 1664
    View("full_strip",    (1560, 2280), (0, 3384),  1),    #  720 x 3384: the second place of the challenge
    # A row higher than "strip", and not the same: 1535 = 75 + 4 * 365, so that each cell of a U-Net is a whole pixel of
    # the report's view, and prepared frames give the very pixels that full-size ones give. Stored weights learnt on it.
    View("unet_strip",    (1535, 2303), (28, 3356), 4),    #  192 x 832
    View("unet_attempt",  (1560, 2280), (7, 3383),  8),    #   90 x 422: what the report's authors trained a U-Net on
)}
# fmt: on
"""Every part of a frame that is shown to a network or written to a file, by name."""

NETWORK_VIEWS = ("report", "strip")
"""Those that `wadlib prepare` writes and that fill the input of a Mask R-CNN."""

CROP_Y_PX, CROP_X_PX = VIEWS["report"].region[:2]  # rows cut off at top and bottom, columns at left and right
FACTOR = VIEWS["report"].factor  # full-frame pixels per network pixel, along each axis
NETWORK_SHAPE = VIEWS["report"].shape  # (height, width) of a network-size frame in pixels
NETWORK_WINDOW = VIEWS["report"].window  # for `read_label`: ``label[75:-75, 28:-28][::4, ::4]``
STRIP_WINDOW = VIEWS["full_strip"].window  # rows 1560 to 2279 in full width


def view_of(shape: tuple[int, int], expected: str, error: type[WadError] = ImageError) -> View:
    """Find the view whose pictures have `shape` (height, width).

    Raises
    ------
    error
        There is none; its message begins with `expected`, such as ``"draw: expected"``.
    """
    for view in VIEWS.values():
        if view.shape == tuple(shape):
            return view
    known = ", ".join("{1}x{0}".format(*view.shape) for view in VIEWS.values())
    what = f"{expected} a {known} picture, got {shape[1]}x{shape[0]}"
    raise error(what, cause="a picture that was cut or scaled in another way", fix="use the full frames")


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
    image : (640, 832, 3) uint8, or None; the mean of each 4x4 block, see `View.shrink`
    label : (640, 832) uint16, or None; the upper left pixel of each 4x4 block, see `View.stride`

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
    return _show(VIEWS["report"], image, label, "crop_and_downscale")


def full_resolution_strip(image: Image | None, label: Label | None = None) -> tuple[Image | None, Label | None]:
    """Cut rows 1560 to 2279 out of a full-size picture and label, as copies: the second place of the challenge.

    Like `crop_and_downscale`, but with pictures (720, 3384, 3) and labels (720, 3384).
    """
    return _show(VIEWS["full_strip"], image, label, "full_resolution_strip")


def upsample_label(label: Label) -> Label:
    """Bring a network-size label back to full size: each pixel fills its 4x4 block, 255 outside of the crop.

    What is lost on the way down stays lost: the IoU of ``upsample_label(crop_and_downscale(None, label)[1])``
    with `label` is what a network reaches that learns those labels perfectly. (Choosing the best set of
    whole 4x4 blocks would give a little more: a label by stride keeps one pixel of each block.)

    Examples
    --------
    >>> small = np.full(NETWORK_SHAPE, 33000, np.uint16)
    >>> full = upsample_label(small)
    >>> full.shape, int(full[0, 0]), int(full[75, 28]), bool((full[NETWORK_WINDOW] == small).all())
    ((2710, 3384), 255, 33000, True)
    """
    return VIEWS["report"].label_to_full_frame(label, "upsample_label")


def _show(view: View, image: Image | None, label: Label | None, where: str) -> tuple[Image | None, Label | None]:
    small = None if image is None else view.shrink(image, where)
    return small, None if label is None else view.stride(label, where)


def _check_label(label: Label, shape: tuple[int, int], where: str) -> None:
    if label.shape != shape or label.dtype != np.uint16:
        what = f"{where}: expected a {shape} uint16 label, got {label.shape} {label.dtype}"
        raise LabelError(what, **_why(label.shape))


def _why(shape: tuple[int, ...]) -> dict[str, str]:
    """Give cause and fix of a wrong picture or label."""
    if shape == NETWORK_SHAPE:
        return {"cause": "the frame is already downscaled", "fix": "use it as it is, or read the full-size frame"}
    fix = "read frames with wadlib.frames.read_image and read_label"
    return {"cause": "not a WAD frame, or the wrong dtype", "fix": fix}
