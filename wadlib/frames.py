"""Read and write one frame: its JPEG picture and its 16-bit PNG label.

Reading is strict: what is not exactly a label is a clear error, never a plausible wrong array
(an 8-bit or palette PNG opens without complaint in most libraries, with wrong numbers in it).
Writing is whole or not at all.
"""

import errno
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wadlib._shared import jpeg, png16
from wadlib._shared.files import read_bytes, write_bytes
from wadlib.errors import ImageError, LabelError

__all__ = ["FULL_SHAPE", "read_grey16", "read_image", "read_label", "write_image", "write_label"]

FULL_SHAPE = (2710, 3384)
"""(height, width) of WAD's frames in pixels."""

_CITYSCAPES = "_gtfine_instanceids.png"
_EXTRACT = "extract it again from train_label.zip"
_CAUSES = {  # the first that occurs in what was found; "8-bit palette" is about the palette
    "RGB": ("a coloured picture of the labels, not the labels", "read the *_instanceIds.png file"),
    "palette": ("the file was saved with a colour palette", _EXTRACT),
    "-bit": ("the file was opened and saved by an image editor", _EXTRACT),
    "interlaced": ("the file was opened and saved by an image editor", _EXTRACT),
    "JPEG": ("the picture was read in place of the label", "read the *_instanceIds.png file"),
    "more than": ("a damaged header, or a file that is made to fill the memory", _EXTRACT),
    "empty": ("a download or copy that was cut off, or a disk that was full", _EXTRACT),
    "": ("a download or copy that was cut off or damaged", _EXTRACT),
}
_REFUSED = {
    errno.ENOENT: "the file is missing",
    errno.EINVAL: "a name in the dataset that stands for no file",
    errno.EISDIR: "a folder with the name of a file",
    errno.ELOOP: "links that lead in a circle",
    errno.EFBIG: "another kind of file under this name",
}


def read_label(
    path: str | Path, shape: tuple[int, int] | None = None, window: tuple[slice, slice] | None = None
) -> npt.NDArray[np.uint16]:
    """Read a label file of WAD: 16-bit grey PNG, nothing else.

    Parameters
    ----------
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
        device; more than 100 million pixels; a label of Cityscapes, by its name.
    """
    if Path(path).name.lower().endswith(_CITYSCAPES):
        raise LabelError(
            f"read_label: {_short(Path(path))} is Cityscapes' label, 2048x1024, where 33 is a bicycle, not a car",
            cause="the two datasets write the same format with other numbers",
            fix="open its folder: wadlib.dataset.open_cityscapes(ROOT).frames[0].read_label() gives WAD's codes",
        )
    return read_grey16(path, shape, window)


def read_grey16(
    path: str | Path, shape: tuple[int, int] | None = None, window: tuple[slice, slice] | None = None
) -> npt.NDArray[np.uint16]:
    """Read the numbers of a 16-bit grey PNG (H, W) uint16, whatever they mean; otherwise as `read_label`."""
    path = Path(path)
    data = _read_bytes(path, LabelError, "read_label")
    try:
        if shape is not None:
            header = png16.read_header(data)
            if (header.height, header.width) != tuple(shape):
                raise LabelError(
                    f"read_label: expected {shape[1]}x{shape[0]} pixels, "
                    f"got {header.width}x{header.height} ({_short(path)})",
                    cause="a label of another dataset, or one that is already downscaled",
                    fix="pair each picture with the label of the same name and the same size",
                )
        return png16.decode(data, window)
    except png16.PngError as error:
        cause, fix = next(why for word, why in _CAUSES.items() if word in error.found)
        what = f"read_label: expected a 16-bit grey PNG, got {error.found} ({_short(path)})"
        raise LabelError(what, cause=cause, fix=fix) from error


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
    data = _read_bytes(path, ImageError, "read_image")
    try:
        return jpeg.decode(data)
    except jpeg.JpegError as error:
        raise ImageError(
            f"read_image: expected a JPEG picture, got {error} ({_short(path)})",
            cause="a download or copy that was cut off or damaged",
            fix="extract it again from the archive",
        ) from error


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
    write_bytes(path, jpeg.encode(image, quality, comment))


def _read_bytes(path: Path, error_type: type[LabelError] | type[ImageError], where: str) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise error_type(
            f"{where}: cannot read {_short(path)}: {error.strerror}",
            cause=_REFUSED.get(error.errno or 0, "its access rights"),
            fix="the dataset is not complete: `wadlib info` lists what is missing",
        ) from error


def _short(path: Path) -> str:
    """Shorten a path to its last two parts: enough to find the file, short enough to read."""
    return "/".join(path.parts[-2:])
