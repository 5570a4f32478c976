"""Small parts of COCO's formats: sizes, boxes, and run lengths that are not compressed yet."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.fields import MAX_PIXELS
from wadlib.errors import InstancesError

Rle = dict[str, Any]
"""COCO's run-length encoding, ``{"size": [height, width], "counts": "…"}``."""


def compressed(n: int, counts: Any, shape: tuple[int, int]) -> str | bytes:
    """Compress the run lengths of mask n if they are not yet; pycocotools takes them without looking at them."""
    if isinstance(counts, str | bytes):
        return counts
    from pycocotools import mask as coco_mask

    height, width = shape
    # Each by itself before their sum: pycocotools keeps 32 bits of a number, and numpy 64.
    whole = isinstance(counts, list | tuple) and all(type(n) is int for n in counts)
    if not whole or sum(counts) != height * width or not 0 <= min(counts) <= max(counts) <= height * width:
        added = f"add up to {sum(counts)} pixels" if whole else f"are {repr(counts)[:60]}"
        raise InstancesError(
            f"Runs.from_rle: the counts of mask {n} {added}, expected {width}x{height} = {height * width}",
            cause="a mask of another size, or a damaged one",
            fix="write the masks again, at the size that the frames have",
        )
    (found,) = coco_mask.frPyObjects([{"size": [height, width], "counts": list(counts)}], height, width)
    return bytes(found["counts"])


def size_of(rle: Any) -> Any:
    """Return the (height, width) that an RLE says of itself; if it is no size of a picture, what stands there."""
    size = rle.get("size") if isinstance(rle, dict) else None
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(type(n) is int and n > 0 for n in size):
        return size
    return tuple(size) if size[0] * size[1] <= MAX_PIXELS else size


def size_text(size: Any) -> str:
    """Say the size [height, width] of an RLE, or whatever stands in its place."""
    return f"{size[1]}x{size[0]}" if isinstance(size, list | tuple) and len(size) == 2 else repr(size)


def coco_boxes(boxes: npt.NDArray[np.float32]) -> list[list[float]]:
    """Turn (N,4) y1, x1, y2, x2 into COCO's lists x, y, width, height."""
    y1, x1, y2, x2 = boxes.astype(np.float64).T
    found: list[list[float]] = np.stack((x1, y1, x2 - x1, y2 - y1), axis=1).tolist()
    return found
