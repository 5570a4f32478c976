"""Picture files: JPEG through libjpeg-turbo (simplejpeg), strict and faster than OpenCV, which reads all others."""

import numpy as np
import numpy.typing as npt
import simplejpeg

from wadlib._shared import png16

_SIGNATURE = b"\xff\xd8"
_COMMENT = b"\xff\xfe"


class JpegError(ValueError):
    """Not a sound picture file; the message says in a few words what it is instead."""


def shape_of(data: bytes) -> tuple[int, int] | None:
    """Look up (height, width) in the header of a JPEG file; None if it is none, whatever its name says."""
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return int(height), int(width)


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode a picture file to (H, W, 3) uint8 RGB.

    Raises
    ------
    JpegError
        Empty, truncated, damaged or no picture; more than `png16.MAX_PIXELS`, before memory is asked for.
    """
    if not data:
        raise JpegError("an empty file")
    is_jpeg = data.startswith(_SIGNATURE)
    height, width = (shape_of(data) if is_jpeg else _shape_of_png(data)) or (0, 0)
    if height * width > png16.MAX_PIXELS:
        raise JpegError(f"{width}x{height} pixels, more than {png16.MAX_PIXELS:,}")
    image = _decode_jpeg(data) if is_jpeg else _decode_other(data)
    if image is None:
        raise JpegError(f"{len(data)} bytes that do not decode")
    return image


def encode(image: npt.NDArray[np.uint8], quality: int, comment: str = "") -> bytes:
    """Encode (H, W, 3) uint8 RGB as a JPEG file with 4:2:0 chroma, as cameras do.

    Parameters
    ----------
    quality : 0 to 100
    comment : up to 65,000 bytes that are kept in the file (its COM segment) and change no pixel
    """
    pixels = np.ascontiguousarray(image)
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="420")
    if not comment:
        return data
    text = comment.encode("utf-8")  # behind the two bytes with which every JPEG begins
    return _SIGNATURE + _COMMENT + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


def _shape_of_png(data: bytes) -> tuple[int, int] | None:
    try:
        header = png16.read_header(data)
    except png16.PngError:  # another kind of picture, or what is wrong shows when it is decoded
        return None
    return header.height, header.width


def _decode_jpeg(data: bytes) -> npt.NDArray[np.uint8] | None:
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"))
    except ValueError:  # what libjpeg complains about, such as a premature end of the file
        return None


def _decode_other(data: bytes) -> npt.NDArray[np.uint8] | None:
    import cv2

    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError):  # a size that OpenCV refuses, or that there is no memory for
        return None
    return None if image is None else np.ascontiguousarray(image[:, :, ::-1])
