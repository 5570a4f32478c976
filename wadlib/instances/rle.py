"""Small parts of COCO's formats: sizes, boxes, and run lengths that are not compressed yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import InstancesError

__all__ = ["Rle", "coco_boxes", "compressed", "size_text"]

Rle = dict[str, Any]
"""COCO's run-length encoding, ``{"size": [height, width], "counts": "…"}``."""


def compressed(n: int, counts: str | bytes | Sequence[int], shape: tuple[int, int]) -> str | bytes:
    """Compress the run lengths of mask n if they are not yet; pycocotools takes them without looking at them."""
    if isinstance(counts, str | bytes):
        return counts
    from pycocotools import mask as coco_mask

    height, width = shape
    if sum(counts) != height * width or min(counts) < 0:
        raise InstancesError(
            f"Runs.from_rle: the counts of mask {n} add up to {sum(counts)} pixels, "
            f"expected {width}x{height} = {height * width}",
            cause="a mask of another size",
            fix="write the masks again, at the size that the frames have",
        )
    (found,) = coco_mask.frPyObjects([{"size": [height, width], "counts": list(counts)}], height, width)
    return bytes(found["counts"])


def size_text(size: Any) -> str:
    """Say the size [height, width] of an RLE, or whatever stands in its place."""
    return f"{size[1]}x{size[0]}" if isinstance(size, list | tuple) and len(size) == 2 else repr(size)


def coco_boxes(boxes: npt.NDArray[np.float32]) -> list[list[float]]:
    """Turn (N,4) y1, x1, y2, x2 into COCO's lists x, y, width, height."""
    y1, x1, y2, x2 = boxes.astype(np.float64).T
    found: list[list[float]] = np.stack((x1, y1, x2 - x1, y2 - y1), axis=1).tolist()
    return found
