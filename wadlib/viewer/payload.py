"""One frame as it travels to the browser: a JPEG, deflated labels, and a table of its instances.

A label goes as its 16-bit codes, deflated (a street of 832x640 pixels takes some 6 kB): a PNG of 16 bits
would lose its lower half in the browser's canvas.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.jpeg import encode
from wadlib.labels import BACKGROUND
from wadlib.viewer.contents import Layer, overlaps_of

VIEW_SHAPE = (1024, 1280)
"""A larger picture is divided by a whole number until it fits into this (height, width)."""

QUALITIES = (88, 82, 75, 65, 50)
"""JPEG qualities, tried in this order until a picture is small enough."""

BYTES_PER_PIXEL = 0.32
"""What a picture may take: 170 kB for 832x640."""


@dataclass(frozen=True)
class Payload:
    """A message: what JSON can say, and the bytes beside it."""

    meta: dict[str, Any]
    buffers: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Bytes, roughly: the table of instances counts with 100 each."""
        rows = len(self.meta.get("truth") or ()) + len(self.meta.get("prediction") or ())
        return sum(len(buffer) for buffer in self.buffers) + 100 * (rows + 10)


def view_factor(shape: tuple[int, ...]) -> int:
    """Compute by how much a picture (height, width) is divided for the view; 1 leaves it as it is.

    Examples
    --------
    >>> view_factor((640, 832)), view_factor((2710, 3384))
    (1, 3)
    """
    return max(1, *(-(-size // most) for size, most in zip(shape[:2], VIEW_SHAPE, strict=True)))


def encode_frame(
    number: int,
    name: str,
    image: npt.NDArray[np.uint8],
    truth: Layer | None,
    prediction: Layer | None,
    tracks: Any,
    truth_tracks: Any = None,
) -> Payload:
    """Encode a frame for the view: picture and labels at most `VIEW_SHAPE`, the table of the whole frame."""
    factor = view_factor(image.shape)
    small, height, width = _downscale(image, factor)
    meta: dict[str, Any] = {
        "index": number,
        "name": name,
        "size": list(image.shape[:2]),
        "view": [height, width],
        "factor": factor,
        "truth": None if truth is None else truth.rows(),
        "prediction": None if prediction is None else prediction.rows(),
        "pairs": [],
        "tracks": _numbers(tracks),
        "truth_tracks": _numbers(truth_tracks),
    }
    if prediction is not None:
        pairs, ignored = ([], [0] * len(prediction.codes)) if truth is None else overlaps_of(truth, prediction)
        meta["pairs"] = pairs
        for row, pixels in zip(meta["prediction"], ignored, strict=True):
            row["ignored"] = pixels
    buffers = [_jpeg(small)]
    for source, found in (("truth", truth), ("prediction", prediction)):
        if found is not None:
            label = _stride(found.label, factor)
            buffers.append(_deflate(label))
            _add_boxes(meta[source], found.label, label, factor)
    return Payload(meta, tuple(buffers))


def encode_full(
    number: int,
    name: str,
    jpeg: bytes | npt.NDArray[np.uint8],
    shape: tuple[int, ...],
    truth: Layer | None,
    prediction: Layer | None,
) -> Payload:
    """Encode a frame at full resolution, for zooming in; `jpeg` is the file as it is, or a picture."""
    meta = {
        "index": number,
        "name": name,
        "view": list(shape[:2]),
        "factor": 1,
        "truth": None if truth is None else [],
        "prediction": None if prediction is None else [],
    }
    labels = [_deflate(found.label) for found in (truth, prediction) if found is not None]
    return Payload(meta, (jpeg if isinstance(jpeg, bytes) else _jpeg(jpeg), *labels))


def _numbers(tracks: Any) -> dict[str, int] | None:
    """Code -> track, as JSON can say it."""
    return None if tracks is None else {str(int(code)): int(track) for code, track in tracks.items()}


def _downscale(image: npt.NDArray[np.uint8], factor: int) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Mean of each block of factor x factor pixels; a last block that sticks out repeats the edge."""
    height, width = (-(-size // factor) for size in image.shape[:2])
    if factor == 1:
        return image, height, width
    import cv2

    below, right = height * factor - image.shape[0], width * factor - image.shape[1]
    if below or right:
        image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), height, width  # type: ignore[return-value]


def _stride(label: npt.NDArray[np.uint16], factor: int) -> npt.NDArray[np.uint16]:
    """The code in the middle of each block: codes are names, they are never averaged."""
    if factor == 1:
        return label
    height, width = (-(-size // factor) for size in label.shape)
    middle = label[factor // 2 :: factor, factor // 2 :: factor]
    small = np.full((height, width), BACKGROUND, np.uint16)
    small[: middle.shape[0], : middle.shape[1]] = middle
    return small


def _add_boxes(
    rows: list[dict[str, Any]], full: npt.NDArray[np.uint16], small: npt.NDArray[np.uint16], factor: int
) -> None:
    """Say where instances are that are too small for the view (the browser finds the others itself)."""
    if factor == 1:
        return
    there = np.zeros(1 << 16, bool)
    there[small] = True
    lost = {row["code"]: row for row in rows if not there[row["code"]] and row["area"]}
    if not lost:
        return
    wanted = np.zeros(1 << 16, bool)
    wanted[list(lost)] = True
    y, x = np.nonzero(wanted[full])
    codes = full[y, x]
    for code, row in lost.items():
        at = codes == code
        if at.any():
            box = (y[at].min(), x[at].min(), y[at].max() + 1, x[at].max() + 1)
            row["box"] = [float(v) / factor for v in box]  # in pixels of the view, as all boxes


def _jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    most = max(4096, BYTES_PER_PIXEL * image.shape[0] * image.shape[1])
    data = b""
    for quality in QUALITIES:
        data = encode(image, quality)
        if len(data) <= most:
            break
    return data


def _deflate(label: npt.NDArray[np.uint16]) -> bytes:
    return zlib.compress(np.ascontiguousarray(label, "<u2").tobytes(), 6)
