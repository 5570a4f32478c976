"""The scores of one set of predictions: as numbers, as a table beside the report's, as JSON and CSV."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from wadlib._shared.words import one_of
from wadlib.errors import MetricError
from wadlib.iou import REPORT_TABLE_1, IoUSum, mean_iou
from wadlib.labels import CLASSES, IDS
from wadlib.metrics.ap import AveragePrecision, average_precision
from wadlib.metrics.bootstrap import Intervals, bootstrap
from wadlib.metrics.scores import Scores, fractions

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 5  # how many frames a line of text names
_SIZES = ("small", "medium", "large")
_SHOWN = {  # column of the table: score
    "report IoU": "report_iou",
    "pooled IoU": "pooled_iou",
    "instance IoU": "instance_iou",
    "AP": "ap",
    "AP50": "ap50",
    "AP75": "ap75",
    "PQ": "pq",
}


_CLASS_SCORES = ("report_iou", "pooled_iou", "instance_iou", "pq", "sq", "rq")
_AVERAGE_PRECISIONS: dict[str, tuple[float | None, str]] = {  # name: IoU threshold (None: all ten), size
    "ap": (None, "all"),
    "ap50": (0.5, "all"),
    "ap75": (0.75, "all"),
    **{f"ap_{size}": (None, size) for size in ("all", *_SIZES)},
}


@dataclass(frozen=True)
class Evaluation:
    """Scores of one set of predictions.

    Each score is a dictionary by class id, ``nan`` for a class in no ground truth.

    Attributes
    ----------
    scores : Scores
        What all numbers come from, frame by frame.
    missing : tuple of str
        Frames without a prediction file, that were scored as all background.
    extra : tuple of str
        Frames with a prediction that nobody asked for; they were not used.
    ranked : bool
        Whether average precision was taken from the scored instances of ``instances.json``. Otherwise it
        is that of the label maps, whose instances all have the score 1.
    """

    scores: Scores = field(repr=False)
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    ranked: bool = False

    @property
    def frames(self) -> int:
        """How many frames were scored."""
        return self.iou.frames

    @property
    def iou(self) -> IoUSum:
        """Sums over all frames: the report's IoU, the pooled IoU and the frames per class."""
        return self.scores.iou

    @property
    def report_iou(self) -> dict[int, float]:
        """The report's IoU, see `wadlib.metrics.report_iou`."""
        return self.iou.report_iou()

    @property
    def pooled_iou(self) -> dict[int, float]:
        """The pooled IoU, see `wadlib.metrics.pooled_iou`."""
        return self.iou.pooled_iou()

    @property
    def instance_iou(self) -> dict[int, float]:
        """Mean best IoU of the true instances, see `wadlib.metrics.instance_iou`."""
        return self.scores.instance_iou

    @functools.cached_property
    def precision(self) -> AveragePrecision:
        """Average precision at all thresholds, classes and sizes."""
        return average_precision(self.scores.matches)

    @property
    def ap(self) -> dict[int, float]:
        """AP@[.5:.95], see `wadlib.metrics.average_precision`."""
        return self.precision.ap

    @property
    def ap50(self) -> dict[int, float]:
        """AP at IoU 0.5."""
        return self.precision.ap50

    @property
    def ap75(self) -> dict[int, float]:
        """AP at IoU 0.75."""
        return self.precision.ap75

    @property
    def pq(self) -> dict[int, float]:
        """Panoptic quality, see `wadlib.metrics.panoptic_quality`."""
        return self.scores.panoptic.pq

    @property
    def sq(self) -> dict[int, float]:
        """Segmentation quality, mean IoU of the matched pairs."""
        return self.scores.panoptic.sq

    @property
    def rq(self) -> dict[int, float]:
        """Recognition quality, the F1 score of the matches."""
        return self.scores.panoptic.rq

    def mean(self, score: str) -> float:
        """Average a score over the classes that have one, such as ``mean("pq")``.

        Raises
        ------
        MetricError
            No score of that name.
        """
        if score in _AVERAGE_PRECISIONS:
            return self.precision.mean(*_AVERAGE_PRECISIONS[score])
        if score not in _CLASS_SCORES:
            raise MetricError(
                f"mean: expected the name of a score, got {score!r}",
                cause="a typing slip, or an IoU threshold that has no name",
                fix=f"use one of {', '.join((*_CLASS_SCORES, *_AVERAGE_PRECISIONS))}; "
                "evaluation.precision.mean(0.9) takes any threshold",
            )
        return mean_iou(getattr(self, score))

    def intervals(self, score: str, *, draws: int = 1000, level: float = 0.95, seed: int = 0) -> Intervals:
        """Compute bootstrap intervals over videos, see `wadlib.metrics.bootstrap`."""
        return bootstrap(self.scores, score, draws=draws, level=level, seed=seed)

    def table(self) -> pd.DataFrame:
        """Make one row per class and a row "mean" (over the classes that have a number); the report's Table 1 last."""
        table = iou_table(self.iou)
        for at, (shown, score) in list(enumerate(_SHOWN.items()))[2:]:  # both IoUs are there
            table.insert(at, shown, [*getattr(self, score).values(), self.mean(score)])
        objects = self.scores.rows["objects"].sum(axis=0, dtype=np.int64).tolist()
        table.insert(len(_SHOWN) + 1, "objects", [*objects, sum(objects)])
        return table

    def per_frame(self) -> pd.DataFrame:
        """Make one row per frame, in the order of scoring.

        Returns
        -------
        pandas.DataFrame
            Index: name of the frame. Columns: ``video``; ``report IoU`` and ``PQ`` (means over the classes
            that the truth of this frame holds); ``objects`` in the truth; ``found``, ``false positives`` and
            ``missed`` at IoU 0.5; then the IoU of each class, ``nan`` where the truth does not hold it.
        """
        import pandas as pd

        rows = self.scores.rows
        iou, pq = (_divided(*fractions(rows, score)) for score in ("report_iou", "pq"))
        in_truth = rows["objects"] > 0
        table = pd.DataFrame(
            {
                "video": [self.scores.videos[number] for number in rows["video"].tolist()],
                "report IoU": _row_means(iou, in_truth),
                "PQ": _row_means(pq, in_truth),
                "objects": rows["objects"].sum(axis=1),
                "found": rows["tp"].sum(axis=1),
                "false positives": rows["fp"].sum(axis=1),
                "missed": rows["fn"].sum(axis=1),
            },
            index=pd.Index(self.scores.names, name="frame"),
        )
        for k, class_id in enumerate(IDS):
            table[CLASSES[class_id].name] = np.where(in_truth[:, k], iou[:, k], np.nan)
        return table

    def worst(self, frames: int = 10, by: str = "report IoU") -> pd.DataFrame:
        """Find the frames with the lowest `by` of `per_frame`, the worst first; those without a number are left out."""
        table = self.per_frame()
        one_of(by, list(table)[1:], "Evaluation.worst: by", MetricError)
        return table[table[by].notna()].sort_values(by, kind="stable").head(frames)

    def summary(self, draws: int = 0) -> str:
        """Write the text for a terminal: the table beside the report's Table 1, what was missing or not used.

        `draws` > 0 adds 95 % bootstrap intervals of the means (a second or two).
        """
        lines = [self.table().to_string(na_rep="-", float_format=lambda value: f"{value:.4f}")]
        source = "the scored instances of instances.json" if self.ranked else "the label maps, all equally sure"
        lines.append(f"AP ranks {source}; PQ, IoU and objects are those of the label maps.")
        if draws and len(self.scores.videos) > 1:
            lines.append(f"Means, and 95 % of {draws} draws of {len(self.scores.videos)} videos:")
            for shown, score in _SHOWN.items():
                low, high = self.intervals(score, draws=draws).mean
                lines.append(f"  {shown:<14}{_text(self.mean(score))}   {_text(low)} to {_text(high)}")
        elif draws:
            lines.append("No intervals: they are drawn over videos, and there is one.")
        if self.missing:
            lines.append(f"Frames without a prediction, counted as empty: {_some(self.missing)}")
        if self.extra:
            lines.append(f"Predictions of other frames, not used: {_some(self.extra)}")
        return "\n".join(lines)

    def to_dict(self, draws: int = 0) -> dict[str, Any]:
        """Return numbers by class name, with a "mean" over the classes that have one; None for nan.

        `draws` > 0 adds ``"intervals"``: 95 % bootstrap intervals of each score, as [low, high].
        """
        result: dict[str, Any] = {"frames": self.frames}
        for score in ("report_iou", "pooled_iou", "ap", "ap50", "pq", "ap75", "instance_iou", "sq", "rq"):
            result[score] = _by_name(getattr(self, score), self.mean(score))
        for size in _SIZES:
            result[f"ap_{size}"] = _by_name(self.precision.per_class(size=size), self.precision.mean(size=size))
        result["ap_from"] = "instances.json" if self.ranked else "label maps"
        result["frames_with_class"] = _by_name(self.iou.frames_with_class())
        result["objects"] = _by_name(dict(zip(IDS, self.scores.rows["objects"].sum(axis=0).tolist(), strict=True)))
        result["confusion"] = self.scores.confusion.tolist()
        result["videos"] = len(self.scores.videos)
        result["missing"], result["extra"] = list(self.missing), list(self.extra)
        if draws:
            result["intervals"] = {score: _interval(self.intervals(score, draws=draws)) for score in _SHOWN.values()}
        return result

    def to_json(self, draws: int = 0) -> str:
        """Return `to_dict` as JSON text, what ``wadlib evaluate --json`` writes; nan becomes null."""
        return json.dumps(self.to_dict(draws), indent=2, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return `table` as CSV text; an empty field for nan."""
        return str(self.table().to_csv(lineterminator="\n"))


def _by_name(values: Mapping[int, float], mean: float | None = None) -> dict[str, float | None]:
    named = {CLASSES[class_id].name: value for class_id, value in values.items()}
    if mean is not None:
        named["mean"] = mean
    return {name: _null(value) for name, value in named.items()}


def _interval(intervals: Intervals) -> dict[str, list[float | None]]:
    named = {CLASSES[class_id].name: pair for class_id, pair in intervals.per_class.items()}
    return {name: [_null(edge) for edge in pair] for name, pair in (named | {"mean": intervals.mean}).items()}


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _some(names: tuple[str, ...]) -> str:
    return f"{len(names)} ({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"


def _divided(numerator: Any, denominator: Any) -> Any:
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), 0.0)


def _row_means(values: Any, counts: Any) -> Any:
    number = counts.sum(axis=1)
    return np.where(number > 0, np.where(counts, values, 0).sum(axis=1) / np.maximum(number, 1), np.nan)


def iou_table(total: IoUSum) -> pd.DataFrame:
    """Show both IoUs beside the report's Table 1.

    Parameters
    ----------
    total : IoUSum
        For example `Evaluation.iou`.

    Returns
    -------
    pandas.DataFrame
        One row per class and a row "mean" (over the classes that have a number). Columns:
        ``report IoU``, ``pooled IoU``, ``frames`` (those whose truth holds the class, which the
        report's IoU averages over; all of them in the row "mean") and ``report's Table 1``.
    """
    import pandas as pd

    columns = {
        "report IoU": total.report_iou(),
        "pooled IoU": total.pooled_iou(),
        "report's Table 1": REPORT_TABLE_1,
    }
    frames = [*total.frames_with_class().values(), total.frames]
    result = pd.DataFrame(
        {name: [*values.values(), mean_iou(values)] for name, values in columns.items()},
        index=pd.Index([*(row.name for row in CLASSES.values()), "mean"], name="class"),
    )
    result.insert(2, "frames", frames)
    return result
