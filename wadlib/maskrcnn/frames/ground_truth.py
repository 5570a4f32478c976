"""The instances of a label as arrays: class, box and a small mask each, and the regions that teach nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.labels import IDS, IGNORE, by_name
from wadlib.maskrcnn.config import Config

MIN_SIDE_PX = 2
"""Instances whose box is smaller than this along one axis are left out: normalised, one pixel has no extent."""

FILLED = 0.6
"""An ignored region that fills at least this share of its box is that box."""

SMALLEST_PIECE_PX = 24

Box = tuple[int, int, int, int]

_CROWD_CLASSES = (*IDS, by_name("rider").id)  # objects: if the network has no class for them, nothing is learnt there


@dataclass(frozen=True)
class GroundTruth:
    """The instances of one picture, as the network numbers and sees them.

    Attributes
    ----------
    class_ids : (N,) int32
        1 … num_classes - 1; -1 for a crowd. Instances first.
    boxes : (N, 4) float32
        Pixels of the input, half-open.
    masks : (N, h, w) uint8
        Mini-masks, 0 or 1; all 1 for a crowd.
    too_small : int
        Instances left out because their box is less than 2 pixels high or wide.
    """

    class_ids: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.float32]
    masks: npt.NDArray[np.uint8]
    too_small: int = 0

    @property
    def instances(self) -> int:
        """Count the instances that are no crowds."""
        return int(np.sum(self.class_ids > 0))


def ground_truth(label: npt.NDArray[np.uint16], config: Config) -> GroundTruth:
    """Collect the instances and crowds of a label at the network's size.

    A *crowd* is where nothing is to be learnt: each connected region that the annotators marked IGNORE, and each
    instance of a class that the network does not have (riders; for the COCO classes, tricycles).

    Parameters
    ----------
    label : (H, W) uint16
        Padding must be BACKGROUND.
    config : Config
        `wad_classes` and `mini_mask_shape`.

    Returns
    -------
    GroundTruth
        Instances in the order of their codes, then crowds.
    """
    from scipy.ndimage import find_objects

    # Every code is one object; classes that the network does not know become crowds (-1).
    codes = np.flatnonzero(np.bincount(label.ravel(), minlength=IGNORE + 1))
    codes = codes[(codes != IGNORE) & np.isin(codes // 1000, _CROWD_CLASSES)]
    number = {wad_id: index for index, wad_id in enumerate(config.wad_classes) if wad_id}
    class_ids = np.array([number.get(int(code) // 1000, -1) for code in codes], np.int32)
    order = np.argsort(class_ids < 0, kind="stable")  # instances first
    codes, class_ids = codes[order], class_ids[order]

    # Renumber the objects 1 … N: one pass over the picture then finds the boxes of all of them.
    table = np.zeros(IGNORE + 1, np.int32)
    table[codes] = np.arange(1, len(codes) + 1)
    numbered = table[label]  # 1 … N
    windows: list[Any] = find_objects(numbered, max_label=len(codes))
    boxes = [(y.start, x.start, y.stop, x.stop) for y, x in windows]
    masks = [
        mini_mask(numbered[window] == i, config.mini_mask_shape) if class_ids[i - 1] > 0 else _full(config)
        for i, window in enumerate(windows, start=1)
    ]
    # What was marked "ignore" is one code for many places: each connected one is a crowd of its own, or several.
    crowds = ignored_boxes(label == IGNORE)
    boxes += crowds
    masks += [_full(config)] * len(crowds)
    class_ids = np.concatenate([class_ids, np.full(len(crowds), -1, np.int32)])
    return _without_small(
        class_ids, np.array(boxes, np.float32).reshape(-1, 4), np.array(masks).reshape(-1, *config.mini_mask_shape)
    )


def ignored_boxes(ignored: npt.NDArray[np.bool_]) -> list[Box]:
    """Cover a region with boxes that do not overlap, the largest first: one for each connected part.

    A part that fills little of its box is halved until its pieces fill theirs. (A picture's border is one part, whose
    box is the whole picture: then nothing in it would be background.)

    Parameters
    ----------
    ignored : (H, W) bool

    Examples
    --------
    >>> corner = np.zeros((64, 64), np.bool_)
    >>> corner[:8], corner[:, :8] = True, True
    >>> ignored_boxes(corner)
    [(0, 0, 32, 16), (32, 0, 64, 8), (0, 32, 8, 64), (0, 16, 8, 32)]
    """
    import cv2

    found: list[Box] = []
    _, parts, stats, _ = cv2.connectedComponentsWithStats(np.asarray(ignored, np.uint8), connectivity=8)
    for number, (x, y, width, height, _) in enumerate(stats[1:].tolist(), start=1):
        _cover(parts[y : y + height, x : x + width] == number, y, x, found)
    return sorted(found, key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))


def _cover(part: npt.NDArray[np.bool_], y: int, x: int, found: list[Box]) -> None:
    """Add boxes that cover a part of a region; its upper left corner lies at (y, x) of the picture."""
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not rows.size:
        return
    part = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    y, x, (height, width) = y + int(rows[0]), x + int(columns[0]), part.shape
    if part.mean() >= FILLED or max(height, width) <= SMALLEST_PIECE_PX:
        found.append((y, x, y + height, x + width))
    elif height > width:
        _cover(part[: height // 2], y, x, found)
        _cover(part[height // 2 :], y + height // 2, x, found)
    else:
        _cover(part[:, : width // 2], y, x, found)
        _cover(part[:, width // 2 :], y, x + width // 2, found)


def _full(config: Config) -> npt.NDArray[np.uint8]:
    return np.ones(config.mini_mask_shape, np.uint8)


def _without_small(
    class_ids: npt.NDArray[np.int32], boxes: npt.NDArray[np.float32], masks: npt.NDArray[np.uint8]
) -> GroundTruth:
    small = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) < MIN_SIDE_PX
    keep = ~small | (class_ids < 0)
    return GroundTruth(class_ids[keep], boxes[keep], masks[keep], too_small=int(np.sum(~keep)))


def mini_mask(mask: npt.NDArray[np.bool_], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Resize an instance's mask inside its box: small enough to keep hundreds of them in memory.

    Parameters
    ----------
    mask : (h, w) bool
        Cut to the instance's box.
    shape : (H, W)
        `Config.mini_mask_shape`, 56x56.

    Returns
    -------
    (H, W) uint8, 0 or 1
        Bilinear, beyond the mask 0, then rounded: what ``skimage.transform.resize(mask, shape, order=1,
        mode="constant", anti_aliasing=False)`` gives, as in the original package. (So the corners of an enlarged
        mask are cut by a cell or two, but not those of a full one: skimage keeps to the range of its input.)

    Examples
    --------
    >>> mini_mask(np.array([[True, False]]), (1, 4)).tolist()
    [[1, 1, 0, 0]]
    """
    if mask.all():
        return np.ones(shape, np.uint8)
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.float32)
    padded[1:-1, 1:-1] = mask
    (top, down), (left, across) = (_places(size, count) for size, count in zip(mask.shape, shape, strict=True))
    rows = padded[top] * (1 - down)[:, None] + padded[top + 1] * down[:, None]  # (H, w + 2)
    resized = rows[:, left] * (1 - across) + rows[:, left + 1] * across
    return np.around(resized).astype(np.uint8)


def _places(size: int, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Where the middles of `count` cells lie on `size` cells and one of padding: the cell before, share of the way."""
    places = (np.arange(count) + 0.5) * size / count + 0.5
    before = np.floor(places).astype(np.intp)
    return before, (places - before).astype(np.float32)
