"""COCO's run-length encoding of masks, ``{"size": [height, width], "counts": "…"}``.

The runs of all instances of a label map come from one scan of it, whatever their number; pycocotools turns
them into strings, so that these are the ones that it would have written itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from wadlib.errors import InstancesError
from wadlib.instances.detections import Detections
from wadlib.instances.masks import RunMasks

__all__ = ["Rle", "decode", "decode_crop", "encode", "encode_crop", "encode_label", "encode_runs", "results_of"]

Rle = dict[str, Any]
Mask = npt.NDArray[np.bool_]


def encode(mask: Mask) -> Rle:
    """(H,W) bool -> COCO's RLE, its string as text.

    Examples
    --------
    >>> encode(np.array([[0, 1], [1, 1]], bool))
    {'size': [2, 2], 'counts': '13'}
    """
    return encode_crop(mask, 0, 0, (mask.shape[0], mask.shape[1]))


def encode_crop(mask: Mask, y: int, x: int, shape: tuple[int, int]) -> Rle:
    """RLE of a (h,w) bool mask that lies at row y, column x of a frame of `shape` (H, W).

    The frame is not painted, so that a small object of a large frame costs little.

    Raises
    ------
    InstancesError
        The mask reaches over the frame's edge.
    """
    return encode_runs(RunMasks.from_crop(np.asarray(mask, np.bool_), y, x, shape))[0]


def encode_label(label: npt.NDArray[np.uint16]) -> dict[int, Rle]:
    """Code -> RLE, of all instances of a label map (and of IGNORE), in one scan.

    Examples
    --------
    >>> encode_label(np.array([[255, 33000], [33000, 33000]], np.uint16))
    {33000: {'size': [2, 2], 'counts': '13'}}
    """
    codes, masks = RunMasks.from_label(label)
    return dict(zip(codes.tolist(), encode_runs(masks), strict=True))


def encode_runs(masks: RunMasks) -> list[Rle]:
    """COCO's RLE of each mask of a frame."""
    if not len(masks):
        return []
    height, width = masks.shape
    plain = [{"size": [height, width], "counts": masks.counts(n)} for n in range(len(masks))]
    found = coco_mask.frPyObjects(plain, height, width)
    return [{"size": [height, width], "counts": each["counts"].decode("ascii")} for each in found]


def decode(rle: Rle) -> Mask:
    """COCO's RLE (string, bytes, or plain counts) -> (H,W) bool.

    Raises
    ------
    InstancesError
        It is damaged, or does not fit its own size.
    """
    return np.ascontiguousarray(to_runs([rle]).to_array()[0])


def decode_crop(rle: Rle) -> tuple[Mask, int, int]:
    """RLE -> the (h,w) bool mask inside its box, and the row and column at which that begins."""
    return to_runs([rle]).crop(0)


def to_runs(rles: list[Rle]) -> RunMasks:
    """Masks of one frame, of equal size, as runs."""
    sizes = {tuple(rle.get("size", ())) for rle in rles}
    if len(sizes) != 1 or len(size := sizes.pop()) != 2:
        raise InstancesError(
            f"rle.decode: expected masks of one size [height, width], got {[rle.get('size') for rle in rles][:3]}",
            cause="masks of different frames, or no RLE at all",
            fix='pass {"size": [height, width], "counts": "…"}',
        )
    return RunMasks.from_rle([rle["counts"] for rle in rles], (int(size[0]), int(size[1])))


def results_of(found: Detections) -> list[dict[str, Any]]:
    """Rows of COCO's results format for one frame, without the names of the image.

    Examples
    --------
    >>> found = Detections.from_label(np.array([[255, 33000], [33000, 33000]], np.uint16))
    >>> results_of(found)[0]["category_id"], results_of(found)[0]["bbox"]
    (33, [0.0, 0.0, 2.0, 2.0])
    """
    rows = zip(
        found.class_ids.tolist(), found.scores.tolist(), coco_boxes(found.masks), encode_runs(found.masks), strict=True
    )
    return [
        {"category_id": class_id, "bbox": box, "score": score, "segmentation": rle}
        for class_id, score, box, rle in rows
    ]


def coco_boxes(masks: RunMasks) -> list[list[float]]:
    """COCO's x, y, width, height."""
    y1, x1, y2, x2 = masks.boxes.astype(np.float64).T
    boxes: list[list[float]] = np.stack((x1, y1, x2 - x1, y2 - y1), axis=1).tolist()
    return boxes
