"""Which score threshold? The report's IoU of a folder of predictions at several, from its `instances.json`.

Choose it on frames that are not the ones to be judged by: a threshold chosen on the test flatters it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wadlib._shared.parallel import map_labels
from wadlib.dataset.frame import Frame
from wadlib.errors import MetricError
from wadlib.instances.reader import FramePrediction, scored_frames
from wadlib.iou import IoUSum, mean_iou
from wadlib.labels import CLASSES, IDS
from wadlib.overlap import ClassAreas, Overlap

if TYPE_CHECKING:
    import pandas as pd

CANDIDATES: tuple[float, ...] = tuple(n / 20 for n in range(1, 20))
"""0.05, 0.1, … 0.95."""


@dataclass(frozen=True, eq=False)
class IoUAtThresholds:
    """The IoU sums of the same frames, once for each threshold.

    Attributes
    ----------
    thresholds : tuple of float
    sums : tuple of IoUSum
    """

    thresholds: tuple[float, ...]
    sums: tuple[IoUSum, ...]

    @property
    def best(self) -> float:
        """The threshold with the largest mean of the report's IoU; the highest of several."""
        means = [mean_iou(total.report_iou()) for total in self.sums]
        return max(zip(means, self.thresholds, strict=True))[1]

    def table(self) -> pd.DataFrame:
        """Show the report's IoU: a row for each threshold, a column for each class, and their mean."""
        import pandas as pd

        ious = [total.report_iou() for total in self.sums]
        rows = [[*(iou[class_id] for class_id in IDS), mean_iou(iou)] for iou in ious]
        names = [*(CLASSES[class_id].name for class_id in IDS), "mean"]
        return pd.DataFrame(rows, index=pd.Index(self.thresholds, name="threshold"), columns=names)


def iou_at_thresholds(
    frames: Iterable[Frame],
    prediction: str | Path,
    thresholds: Sequence[float] = CANDIDATES,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> IoUAtThresholds:
    """Score the label maps that each threshold would have given.

    Parameters
    ----------
    frames : iterable of labelled frames
        For example the validation side of a split. Frames of which `prediction` holds no label file are an error.
    prediction : folder
        ``PRED`` with ``instances.json``.
    thresholds : sequence of float
    workers, executor, progress
        See `wadlib._shared.parallel.map_frames`; threads by default.

    Raises
    ------
    MetricError
        No frames or thresholds, no ``instances.json``, a frame without truth or prediction, or of another size.
    InstancesError
        See `wadlib.instances.PredictionFolder`.
    """
    chosen = list(frames)
    if not chosen or not len(thresholds):
        raise MetricError(
            f"iou_at_thresholds: got {len(chosen)} frames and {len(thresholds)} thresholds",
            cause="an empty split, or an empty list",
            fix="give at least one of each",
        )
    sums = tuple(IoUSum() for _ in thresholds)
    pairs = scored_frames(chosen, prediction, "iou_at_thresholds")
    for _, areas in map_labels(partial(_areas, tuple(thresholds)), pairs, "thresholds", workers, executor, progress):
        for total, area in zip(sums, areas, strict=True):
            total.add_areas(area)
    return IoUAtThresholds(tuple(float(t) for t in thresholds), sums)


def _areas(thresholds: Sequence[float], pair: tuple[Frame, FramePrediction]) -> list[ClassAreas]:
    truth, instances = pair[0].read_label(), pair[1].read()
    return [Overlap.from_labels(truth, instances.above(t).to_label()).class_areas() for t in thresholds]
