"""Prediction at a higher resolution: the view in overlapping tiles, merged where two tiles saw the same pixels.

Half of all objects in WAD are less than 16 pixels high at the strip's half resolution. A tile shows a part of the
strip at twice the scale, so that they have four times the pixels (sliced inference: Akyon et al., ICIP 2022). Two tiles
overlap: what lies in both is found twice, and what crosses the edge of one is found in pieces. Of what lies in the
region that both tiles saw, both must say the same; so two instances are one object if their masks agree *there*,
however much of the object only one of them saw.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from wadlib.dataset.camera import Camera
from wadlib.errors import SegmentationError
from wadlib.instances import Instances, Runs
from wadlib.instances.masks import Crop
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames.views import Placement
from wadlib.preprocess import VIEWS

Region = tuple[int, int, int, int]

_EDGE_PX = 2  # a box that ends so close to the edge of its tile may go on beyond it


@dataclass(frozen=True)
class Tiling:
    """How a view is cut into tiles.

    Attributes
    ----------
    zoom : float
        Pixels of a tile per pixel of the view: 2 shows the strip of a full-size frame at its full resolution. A
        network without a view of its own (COCO's) is shown the strip.
    overlap : float
        Share of a tile's height and width that the next one sees too, at least.
    """

    zoom: float = 2.0
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if not 0.25 <= self.zoom <= 16 or not 0 <= self.overlap <= 0.75:
            raise SegmentationError(
                f"Tiling: expected zoom in 0.25 … 16 and overlap in 0 … 0.75, got {self.zoom} and {self.overlap}",
                cause="a percentage, or a typing slip",
                fix="2 and 0.25 show the strip at its full resolution",
            )


def tiles(
    picture_shape: tuple[int, int], config: Config, tiling: Tiling, camera: Camera | None = None
) -> list[Placement]:
    """Place each tile of a picture in the network's input, row by row.

    Parameters
    ----------
    picture_shape : height, width
    config : Config
    tiling : Tiling
    camera : Camera, optional
        Of a picture of another dataset, see `Placement.of`.

    Examples
    --------
    >>> found = tiles((2710, 3384), Config.classroom(), Tiling())
    >>> [each.region for each in found][:3], len(found)
    ([(1536, 28, 1920, 1692), (1536, 860, 1920, 2524), (1536, 1692, 1920, 3356)], 9)
    """
    if config.view not in VIEWS:
        strip = config.replace(view="strip", image_shape=VIEWS["strip"].shape)
        view = Placement.of(picture_shape, strip, camera)
    else:
        view = Placement.of(picture_shape, config, camera)
    scales = [scale * tiling.zoom for scale in view.scale]
    rows, columns = (
        _spans(view.region[axis], view.region[axis + 2], config.image_shape[axis] / scales[axis], tiling.overlap)
        for axis in (0, 1)
    )
    found = []
    for y1, y2 in rows:
        for x1, x2 in columns:
            seen = (round((y2 - y1) * scales[0]), round((x2 - x1) * scales[1]))
            bottom, right = (min(max(length, 1), side) for length, side in zip(seen, config.image_shape, strict=True))
            found.append(
                replace(view, region=(y1, x1, y2, x2), window=(0, 0, bottom, right), image_shape=config.image_shape)
            )
    return found


def _spans(start: int, end: int, size: float, overlap: float) -> list[tuple[int, int]]:
    """Cut start … end into the fewest spans of `size` that overlap by at least that share, evenly spread."""
    length = end - start
    if size >= length:
        return [(start, end)]
    count = math.ceil((length - size) / (size * (1 - overlap)) - 1e-9) + 1
    firsts = [start + round(i * (length - size) / (count - 1)) for i in range(count)]
    return [(first, min(first + round(size), end)) for first in firsts]


# --- merging -----------------------------------------------------------------------------------------


def merge(found: Sequence[Instances], regions: Sequence[Region], view: Region, threshold: float) -> Instances:
    """Join what was found in the tiles of one picture: each object once.

    Parameters
    ----------
    found : Instances of each tile, in the pixels of the picture
    regions : y1, x1, y2, x2 of each tile, in pixels of the picture
    view : y1, x1, y2, x2 of all of them together
    threshold : float
        Two instances of one class from two tiles are one object if their masks' IoU, in the region that both tiles
        saw, is higher (`Config.nms_threshold`).

    Returns
    -------
    Instances
        Best score first. Of several views of an object the best that no tile's edge cuts; where each is cut, all of
        them joined, with the best score.
    """
    everything = _joined(found)
    tile_of = np.repeat(np.arange(len(found)), [len(each) for each in found])
    crops, class_ids = everything.runs.crops, everything.class_ids
    same: list[tuple[int, int]] = []
    for first, second in combinations(range(len(found)), 2):
        both = _overlap(regions[first], regions[second])
        if both is None:
            continue
        near = _touches(everything.boxes, both)
        for i in np.flatnonzero(near & (tile_of == first)).tolist():
            for j in np.flatnonzero(near & (tile_of == second) & (class_ids == class_ids[i])).tolist():
                if _iou_within(crops[i], crops[j], both) > threshold:
                    same.append((i, j))
    pairs = np.array(same, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(everything),) * 2)
    count, group = connected_components(graph, directed=False)
    cut = [_is_cut(box, regions[tile], view) for box, tile in zip(everything.boxes, tile_of.tolist(), strict=True)]
    kept = [_one(everything, np.flatnonzero(group == k).tolist(), cut) for k in range(count)]
    merged = _joined(kept) if kept else everything
    return merged[merged.best_first]


def _one(found: Instances, members: list[int], cut: Sequence[bool]) -> Instances:
    """Make one instance of several views of an object."""
    best = max([i for i in members if not cut[i]] or members, key=lambda i: float(found.scores[i]))
    if not cut[best] or len(members) == 1:
        return found[[best]]
    mask = np.asarray(found.runs.take(members).to_array().any(axis=0))
    boxes = found.boxes[members]
    box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]
    return Instances(found.class_ids[[best]], found.scores[[best]], Runs.from_array(mask[None]), box)


def _joined(found: Sequence[Instances]) -> Instances:
    return Instances(
        np.concatenate([each.class_ids for each in found]),
        np.concatenate([each.scores for each in found]),
        Runs.concatenate([each.runs for each in found], found[0].shape),
        np.concatenate([each.boxes for each in found]),
    )


def _overlap(first: Region, second: Region) -> Region | None:
    y1, x1, y2, x2 = (*map(max, first[:2], second[:2]), *map(min, first[2:], second[2:]))
    return (y1, x1, y2, x2) if y1 < y2 and x1 < x2 else None


def _touches(boxes: npt.NDArray[np.float32], region: Region) -> npt.NDArray[np.bool_]:
    y1, x1, y2, x2 = region
    return (boxes[:, 0] < y2) & (boxes[:, 2] > y1) & (boxes[:, 1] < x2) & (boxes[:, 3] > x1)


def _iou_within(first: Crop, second: Crop, region: Region) -> float:
    """IoU of the parts of two masks that lie in a region; 0 where both have none there."""
    a, b = _cut_out(first, region), _cut_out(second, region)
    either = int((a | b).sum())
    return int((a & b).sum()) / either if a.any() and b.any() else 0.0


def _cut_out(crop: Crop, region: Region) -> npt.NDArray[np.bool_]:
    y1, x1, y2, x2 = region
    out = np.zeros((y2 - y1, x2 - x1), np.bool_)
    height, width = crop.mask.shape
    top, left, bottom, right = max(crop.y, y1), max(crop.x, x1), min(crop.y + height, y2), min(crop.x + width, x2)
    if top < bottom and left < right:
        part = crop.mask[top - crop.y : bottom - crop.y, left - crop.x : right - crop.x]
        out[top - y1 : bottom - y1, left - x1 : right - x1] = part
    return out


def _is_cut(box: npt.NDArray[np.float32], region: Region, view: Region) -> bool:
    """Whether a box ends where its tile does, and the view goes on."""
    starts = [box[k] <= region[k] + _EDGE_PX and region[k] > view[k] for k in (0, 1)]
    ends = [box[k] >= region[k] - _EDGE_PX and region[k] < view[k] for k in (2, 3)]
    return any(starts + ends)


# --- mirror ------------------------------------------------------------------------------------------
