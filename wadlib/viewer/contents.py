"""Bring what people hand over for one frame into one form: a label, and the instances in it with their whole masks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import InstancesError, LabelError
from wadlib.instances import Instances, Runs
from wadlib.labels import IGNORE

Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Layer:
    """What the viewer shows of the truth or of the prediction: every code, also those of no evaluated class.

    Attributes
    ----------
    label : (H,W) uint16
        At each pixel the code on top. With scores that is the highest one, so that taking low scores away
        never uncovers anything: the browser can filter by score without asking.
    codes : (N,) uint16
    runs : Runs
        N whole masks, also where another one lies on top.
    scores : tuple of float or None
        One for each code, or None for an instance that has none.
    ignore : Runs
        The mask of IGNORE in the label, or none.
    """

    label: Codes
    codes: Codes
    runs: Runs
    scores: tuple[float | None, ...]
    ignore: Runs

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per instance, as the browser reads it."""
        rows = []
        for code, area, score in zip(self.codes.tolist(), self.runs.areas.tolist(), self.scores, strict=True):
            row: dict[str, Any] = {"code": code, "area": area}
            if score is not None:
                row["score"] = round(score, 4)
            rows.append(row)
        return rows


def from_label(label: Codes, scores: Mapping[Any, float] | None = None, where: str = "prediction") -> Layer:
    """Show a label: every code that `wadlib.labels.decode` takes for an instance.

    Parameters
    ----------
    label : (H,W) uint16
    scores : dict code -> score in 0..1, optional
        Scores of codes that the label does not hold are of masks that are hidden entirely: no pixel shows them.
    """
    codes, runs = Runs.from_label(label)
    real = codes != IGNORE
    by_code = {int(code): _score(score, where) for code, score in (scores or {}).items()}
    found = tuple(by_code.get(code) for code in codes[real].tolist())
    return Layer(label, codes[real], runs.take(real), found, runs.take(~real))


def from_instances(instances: Any, shape: tuple[int, ...], where: str = "prediction") -> Layer:
    """Show scored instances, whose masks may overlap, painted with the highest score on top.

    Parameters
    ----------
    instances : Instances
        Or any object with ``class_ids`` (N,), ``scores`` (N,) and ``masks``, N times (H,W) bool.
    """
    found = instances if isinstance(instances, Instances) else _instances(instances, shape, where)
    if found.shape != tuple(shape):
        raise _wrong_masks(where, f"{found.shape} bool", shape)
    scores = tuple(_score(score, where) for score in found.scores.tolist())
    return Layer(found.to_label(), found.codes, found.runs, scores, Runs.empty(found.shape))


def _instances(instances: Any, shape: tuple[int, ...], where: str) -> Instances:
    masks = [np.asarray(mask) for mask in instances.masks]
    class_ids, scores = np.asarray(instances.class_ids), np.asarray(instances.scores, float)
    if not class_ids.size == scores.size == len(masks):
        raise LabelError(
            f"MaskViewer: {where} has {class_ids.size} class ids, {scores.size} scores and {len(masks)} masks",
            cause="arrays that were filtered one by one",
            fix="filter all three with the same index",
        )
    for mask in masks:
        if mask.shape != tuple(shape) or mask.dtype != np.bool_:
            raise _wrong_masks(where, f"{mask.shape} {mask.dtype}", shape)
    runs = Runs.from_crops(((mask, 0, 0) for mask in masks), (shape[0], shape[1]))
    try:
        return Instances(class_ids, [_score(score, where) for score in scores], runs)  # type: ignore[arg-type]
    except InstancesError as error:
        what = f"MaskViewer: the class ids of {where} are {sorted(set(class_ids.tolist()))}: {error.what}"
        raise LabelError(what, cause=error.cause, fix=error.fix) from error


def overlaps_of(truth: Layer, prediction: Layer) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Count the pixels that true and predicted instances share.

    Returns
    -------
    pairs : list of (row of the truth, row of the prediction, pixels)
    ignored : list of int
        For each prediction its pixels where the truth is IGNORE.
    """
    shared = truth.runs.intersections(prediction.runs)
    rows, columns = np.nonzero(shared)
    pairs = list(zip(rows.tolist(), columns.tolist(), shared[rows, columns].tolist(), strict=True))
    return pairs, truth.ignore.intersections(prediction.runs).sum(axis=0).tolist()


def _wrong_masks(where: str, found: str, shape: tuple[int, ...]) -> LabelError:
    return LabelError(
        f"MaskViewer: a mask of {where} is {found}, its picture {tuple(shape)}",
        cause="masks at the size of the network, with the instance axis last, or mask probabilities",
        fix="give (N, H, W) bool masks of the size of the picture",
    )


def _score(score: Any, where: str) -> float:
    value = float(score)
    if not 0 <= value <= 1 + 1e-6:  # a softmax in float32 may end up a little above 1
        raise LabelError(
            f"MaskViewer: a score of {where} is {value}, expected 0 to 1",
            cause="logits, percent, or a network that diverged (nan)",
            fix="give probabilities",
        )
    return min(value, 1.0)
