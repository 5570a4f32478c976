"""Read and write one frame: its JPEG picture and its 16-bit PNG label.

Reading is strict: what is not exactly a label is a clear error, never a plausible wrong array
(an 8-bit or palette PNG opens without complaint in most libraries, with wrong numbers in it).
Writing is whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg

from wadlib._shared import png16
from wadlib._shared.files import read_bytes, write_bytes
from wadlib.errors import ImageError, LabelError

__all__ = ["FULL_SHAPE", "read_image", "read_label", "write_image", "write_label"]

FULL_SHAPE = (2710, 3384)
"""(height, width) of WAD's frames in pixels."""

_CAUSES = {  # the first that occurs in what was found; "8-bit palette" is about the palette
    "RGB": ("a coloured picture of the labels, not the labels", "read the *_instanceIds.png file"),
    "palette": ("the file was saved with a colour palette", "extract it again from train_label.zip"),
    "-bit": ("the file was opened and saved by an image editor", "extract it again from train_label.zip"),
    "interlaced": ("the file was opened and saved by an image editor", "extract it again from train_label.zip"),
    "JPEG": ("the picture was read in place of the label", "read the *_instanceIds.png file"),
    "more than": (
        "a damaged header, or a file that is made to fill the memory",
        "extract it again from train_label.zip",
    ),
    "empty": ("a download or copy that was cut off, or a disk that was full", "extract it again from train_label.zip"),
}
_REFUSED = {
    errno.ENOENT: "the file is missing",
    errno.EINVAL: "a name in the dataset that stands for no file",
    errno.EISDIR: "a folder with the name of a file",
    errno.ELOOP: "links that lead in a circle",
    errno.EFBIG: "another kind of file under this name",
}
_INCOMPLETE = "the dataset is not complete: `wadlib info` lists what is missing"
_DAMAGED = ("a download or copy that was cut off or damaged", "extract it again from train_label.zip")


def read_label(
    path: str | Path, shape: tuple[int, int] | None = None, window: tuple[slice, slice] | None = None
) -> npt.NDArray[np.uint16]:
    """Read a label file: 16-bit grey PNG, nothing else.

    Parameters
    ----------
    path : path of the PNG
    shape : (height, width), optional
        The size that the file must have, in pixels (before `window`).
    window : (rows, columns), optional
        Two slices: return ``label[rows, columns]`` only, which is faster than cutting it out.

    Returns
    -------
    (H, W) uint16 codes, see `wadlib.labels`.

    Raises
    ------
    LabelError
        Missing, empty, truncated or damaged file; 8-bit, RGB, palette, interlaced; wrong size; a pipe or a
        device; more than 100 million pixels.
    """
    path = Path(path)
    data = _read_bytes(path, LabelError, "read_label", _INCOMPLETE)
    try:
        header = png16.read_header(data)
        if shape is not None and (header.height, header.width) != tuple(shape):
            raise LabelError(
                f"read_label: expected {shape[1]}x{shape[0]} pixels, "
                f"got {header.width}x{header.height} ({_short(path)})",
                cause="a label of another dataset, or one that is already downscaled",
                fix="pair each picture with the label of the same name and the same size",
            )
        return png16.decode(data, window)
    except png16.PngError as error:
        cause, fix = next((why for word, why in _CAUSES.items() if word in error.found), _DAMAGED)
        raise LabelError(
            f"read_label: expected a 16-bit grey PNG, got {error.found} ({_short(path)})", cause=cause, fix=fix
        ) from error


def write_label(path: str | Path, label: npt.NDArray[np.uint16]) -> None:
    """Write label codes (H, W) uint16 as a 16-bit grey PNG, whole or not at all.

    Raises
    ------
    LabelError
        Another dtype or number of dimensions: a cast could silently change codes.
    StorageError
        The file cannot be written.
    """
    label = np.asarray(label)
    if label.dtype != np.uint16 or label.ndim != 2 or not label.size:
        raise LabelError(
            f"write_label: expected a (H, W) uint16 array, got {label.shape} {label.dtype}",
            cause="an array of masks or class ids in place of label codes",
            fix="build codes with wadlib.labels.encode",
        )
    write_bytes(path, png16.encode(label))


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 RGB.

    Raises
    ------
    ImageError
        Missing, empty, truncated or not a picture; a pipe or a device; more than 100 million pixels.
    """
    path = Path(path)
    data = _read_bytes(path, ImageError, "read_image", _INCOMPLETE)
    image = None
    height, width = _picture_size(data)
    if height * width > png16.MAX_PIXELS:
        what = f"{width}x{height} pixels, more than {png16.MAX_PIXELS:,}"
    else:
        image = _decode_jpeg(data) if data.startswith(b"\xff\xd8") else _decode_other(data)
        what = "an empty file" if not data else f"{len(data)} bytes that do not decode"
    if image is None:
        raise ImageError(
            f"read_image: expected a JPEG picture, got {what} ({_short(path)})",
            cause="a download or copy that was cut off or damaged",
            fix="extract it again from the archive",
        )
    return image


def write_image(path: str | Path, image: npt.NDArray[np.uint8], quality: int = 92, comment: str = "") -> None:
    """Write (H, W, 3) uint8 RGB as a JPEG (4:2:0 chroma, as cameras do), whole or not at all.

    `comment`, up to 65,000 bytes, is kept in the file (its COM segment) and changes no pixel.

    Raises
    ------
    ImageError
        Another dtype or shape.
    StorageError
        The file cannot be written.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ImageError(
            f"write_image: expected a (H, W, 3) uint8 array, got {image.shape} {image.dtype}",
            cause="a grey, floating-point or RGBA picture",
            fix="convert it to 8-bit RGB first",
        )
    pixels = np.ascontiguousarray(image)
    data = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="420")
    if comment:  # behind the two bytes with which every JPEG begins
        text = comment.encode("utf-8")
        data = data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]
    write_bytes(path, data)


def _picture_size(data: bytes) -> tuple[int, int]:
    """Look up (height, width) in the header of a JPEG or PNG, before memory is asked for; else (0, 0)."""
    with contextlib.suppress(ValueError):  # also PngError; what is wrong shows when it is decoded
        if data.startswith(b"\xff\xd8"):
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            return int(height), int(width)
        header = png16.read_header(data)
        return header.height, header.width
    return 0, 0


def _decode_jpeg(data: bytes) -> npt.NDArray[np.uint8] | None:
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"))
    except ValueError:  # what libjpeg complains about, such as a premature end of the file
        return None


def _decode_other(data: bytes) -> npt.NDArray[np.uint8] | None:
    import cv2

    if not data:
        return None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError):  # a size that OpenCV refuses, or that there is no memory for
        return None
    return None if image is None else np.ascontiguousarray(image[:, :, ::-1])


def _read_bytes(path: Path, error_type: type[LabelError] | type[ImageError], where: str, fix: str) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise error_type(
            f"{where}: cannot read {_short(path)}: {error.strerror}",
            cause=_REFUSED.get(error.errno or 0, "its access rights"),
            fix=fix,
        ) from error


def _short(path: Path) -> str:
    """The last two parts of a path: enough to find the file, short enough to read."""
    return "/".join(path.parts[-2:])
