"""What is in one frame: its labels, and the instances in them with areas, scores and overlaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import LabelError
from wadlib.labels import BACKGROUND, IDS, IGNORE, INSTANCES_PER_CLASS, encode
from wadlib.metrics import Overlap

__all__ = ["Found", "from_instances", "from_label", "overlaps_of"]

Codes = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]
Piece = tuple[tuple[slice, slice], Mask]
"""A mask as the window that holds it, and what is in the window."""


@dataclass(frozen=True, eq=False)
class Found:
    """The instances of one label map.

    Attributes
    ----------
    label : (H,W) uint16
        At each pixel the code on top. With scores that is the highest one, so that taking low scores away
        never uncovers anything: the browser can filter by score without asking.
    codes : (N,) uint16
    areas_px : (N,) int64
        Of whole masks, also where another one lies on top.
    scores : tuple of float or None
        One for each code, or None for an instance that has none.
    pieces : tuple of (window, mask), or None
        Whole masks, only where they may overlap; otherwise the label says it all.
    """

    label: Codes
    codes: Codes
    areas_px: npt.NDArray[np.int64]
    scores: tuple[float | None, ...]
    pieces: tuple[Piece, ...] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary per instance, as the browser reads it."""
        rows = []
        for code, area, score in zip(self.codes.tolist(), self.areas_px.tolist(), self.scores, strict=True):
            row: dict[str, Any] = {"code": code, "area": area}
            if score is not None:
                row["score"] = round(score, 4)
            rows.append(row)
        return rows


def from_label(label: Codes, scores: Mapping[Any, float] | None = None, where: str = "prediction") -> Found:
    """Instances of a label map: every code that `wadlib.labels.decode` takes for one.

    Parameters
    ----------
    label : (H,W) uint16
    scores : dict code -> score in 0..1, optional
        Scores of codes that the label does not hold are of masks that are hidden entirely: no pixel shows them.
    """
    overlap = Overlap.from_labels(label, label)
    real = _is_instance(overlap.truth)
    codes = overlap.truth[real]
    by_code = {int(code): _score(score, where) for code, score in (scores or {}).items()}
    return Found(label, codes, overlap.pixels[real], tuple(by_code.get(code) for code in codes.tolist()))


def from_instances(instances: Any, shape: tuple[int, ...], where: str = "prediction") -> Found:
    """Instances with scores and whole masks, which may overlap, painted with the highest score on top.

    Parameters
    ----------
    instances : object with ``class_ids`` (N,), ``scores`` (N,) and ``masks``
        A `wadlib.maskrcnn.Instances`, a `wadlib.metrics.Detections`, or anything whose masks are N times
        (H,W) bool. Within a class the instances are numbered from 0, best score first.
    """
    class_ids = np.asarray(instances.class_ids).astype(int)
    scores = np.array([_score(score, where) for score in np.asarray(instances.scores, float).ravel()])
    pieces = tuple(_pieces(instances, shape, where))
    if not len(class_ids) == len(scores) == len(pieces):
        raise LabelError(
            f"MaskViewer: {where} has {len(class_ids)} class ids, {len(scores)} scores and {len(pieces)} masks",
            cause="arrays that were filtered one by one",
            fix="filter all three with the same index",
        )
    if class_ids.size and class_ids.max() <= len(IDS):
        raise LabelError(
            f"MaskViewer: the class ids of {where} are {sorted(set(class_ids.tolist()))}",
            cause="class numbers inside a network (1..7) in place of WAD class ids",
            fix="list(wadlib.labels.CLASSES)[index - 1] gives the WAD id",
        )
    order = np.argsort(-scores, kind="stable")
    numbers = np.zeros(len(pieces), int)
    for class_id in set(class_ids.tolist()):
        own = order[class_ids[order] == class_id]
        numbers[own] = np.arange(len(own))
    codes = np.asarray(encode(class_ids, numbers), np.uint16)
    label = np.full(shape, BACKGROUND, np.uint16)
    for k in order[::-1]:
        window, mask = pieces[k]
        label[window][mask] = codes[k]
    areas = np.array([np.count_nonzero(mask) for _, mask in pieces], np.int64)
    return Found(label, codes, areas, tuple(scores.tolist()), pieces)


def _pieces(instances: Any, shape: tuple[int, ...], where: str) -> Iterator[Piece]:
    """Each mask as the window that holds it and what is in there."""
    if hasattr(instances, "crops"):  # wadlib.maskrcnn.Instances keeps them so
        _check_shape(tuple(instances.shape), shape, bool, where)
        yield from ((crop.window, crop.mask) for crop in instances.crops)
        return
    masks = instances.masks
    if hasattr(masks, "crop"):  # wadlib.metrics.RunMasks: runs down the columns
        _check_shape(tuple(masks.shape), shape, bool, where)
        for n in range(len(masks)):
            mask, y, x = masks.crop(n)
            yield (slice(y, y + mask.shape[0]), slice(x, x + mask.shape[1])), mask
        return
    for mask in masks:
        mask = np.asarray(mask)
        _check_shape(mask.shape, shape, mask.dtype, where)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if rows.size:
            window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        else:
            window = (slice(0, 0), slice(0, 0))
        yield window, mask[window]


def _check_shape(found: tuple[int, ...], shape: tuple[int, ...], dtype: Any, where: str) -> None:
    if found != tuple(shape) or np.dtype(dtype) != np.dtype(bool):
        raise LabelError(
            f"MaskViewer: a mask of {where} is {found} {np.dtype(dtype)}, its picture {tuple(shape)}",
            cause="masks at the size of the network, with the instance axis last, or mask probabilities",
            fix="give (N, H, W) bool masks of the size of the picture",
        )


def overlaps_of(truth: Found, prediction: Found) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Pixels that true and predicted instances share.

    Returns
    -------
    pairs : list of (row of the truth, row of the prediction, pixels)
    ignored : list of int
        For each prediction its pixels where the truth is IGNORE.
    """
    rows = np.full(IGNORE + 1, -1)
    rows[truth.codes] = np.arange(len(truth.codes))
    if prediction.pieces is None:
        columns = np.full(IGNORE + 1, -1)
        columns[prediction.codes] = np.arange(len(prediction.codes))
        overlap = Overlap.from_labels(truth.label, prediction.label)
        triples = zip(
            rows[overlap.truth].tolist(), columns[overlap.prediction].tolist(), overlap.pixels.tolist(), strict=True
        )
        pairs = [(row, column, pixels) for row, column, pixels in triples if row >= 0 and column >= 0]
        ignored = [0] * len(prediction.codes)
        excused = overlap.truth == IGNORE
        for column, pixels in zip(columns[overlap.prediction[excused]], overlap.pixels[excused], strict=True):
            if column >= 0:
                ignored[column] += int(pixels)
        return pairs, ignored
    pairs, ignored = [], []
    for column, (window, mask) in enumerate(prediction.pieces):
        codes, counts = np.unique(truth.label[window][mask], return_counts=True)
        found = zip(codes.tolist(), rows[codes].tolist(), counts.tolist(), strict=True)
        pixels_of = [(code, row, pixels) for code, row, pixels in found]
        pairs += [(row, column, pixels) for _, row, pixels in pixels_of if row >= 0]
        ignored.append(sum(pixels for code, _, pixels in pixels_of if code == IGNORE))
    return pairs, ignored


def _is_instance(codes: Codes) -> npt.NDArray[np.bool_]:
    return (codes >= INSTANCES_PER_CLASS) & (codes != IGNORE)


def _score(score: Any, where: str) -> float:
    value = float(score)
    if not 0 <= value <= 1 + 1e-6:  # a softmax in float32 may end up a little above 1
        raise LabelError(
            f"MaskViewer: a score of {where} is {value}, expected 0 to 1",
            cause="logits, percent, or a network that diverged (nan)",
            fix="give probabilities",
        )
    return min(value, 1.0)
