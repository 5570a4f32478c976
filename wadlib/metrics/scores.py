"""What is kept of each frame: under half a kilobyte of numbers, from which every score follows.

Each score is a sum over frames divided by another (but average precision, which ranks detections: see
`wadlib.metrics.matching`). So frames can be scored in any process, in parallel, and combined; per video
for the bootstrap; and one by one to list the worst.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.iou import IoUSum
from wadlib.labels import IDS
from wadlib.metrics.confusion import frame_confusion
from wadlib.metrics.instance_overlap import InstanceOverlap, best_ious, class_index
from wadlib.metrics.matching import FrameMatches, MatchTable, match
from wadlib.metrics.panoptic import PanopticQuality, panoptic_counts
from wadlib.overlap import ClassAreas, Overlap

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RATIOS = ("report_iou", "pooled_iou", "instance_iou", "pq", "sq", "rq")
"""The scores that are a sum over frames divided by another, see `fractions`."""

_CLASSES = len(IDS)
_ROW = np.dtype(
    [
        ("truth_px", np.int32, _CLASSES),
        ("prediction_px", np.int32, _CLASSES),
        ("intersection_px", np.int32, _CLASSES),
        ("on_ignore_px", np.int32, _CLASSES),
        ("objects", np.int32, _CLASSES),  # true instances
        ("best_iou", np.float64, _CLASSES),  # sum over them of the best IoU
        ("tp", np.int32, _CLASSES),  # PQ's matches…
        ("fp", np.int32, _CLASSES),
        ("fn", np.int32, _CLASSES),
        ("iou", np.float64, _CLASSES),  # …and the sum of their IoU
        ("video", np.int32),
    ]
)


@dataclass(frozen=True, eq=False)
class FrameScores:
    """What one frame contributes.

    Attributes
    ----------
    areas : ClassAreas
    confusion : (8,8) int64, see `wadlib.metrics.confusion`
    objects, best_iou : (7,)
        True instances, and the sum of their best IoU, by class.
    panoptic : PanopticQuality
    matches : FrameMatches
    """

    areas: ClassAreas
    confusion: Ints
    objects: Ints
    best_iou: Floats
    panoptic: PanopticQuality
    matches: FrameMatches

    @classmethod
    def of(cls, overlap: Overlap, detected: InstanceOverlap | None = None) -> FrameScores:
        """Count what the joint histogram of two label maps holds.

        `detected` replaces the label map's instances where scores count, in the average precision:
        detections may overlap each other, a label map cannot.
        """
        instances = InstanceOverlap.from_overlap(overlap)
        index = class_index(instances.truth_classes)
        return cls(
            areas=overlap.class_areas(),
            confusion=frame_confusion(overlap),
            objects=np.bincount(index, minlength=_CLASSES),
            best_iou=np.bincount(index, best_ious(instances), minlength=_CLASSES).astype(np.float64),
            panoptic=panoptic_counts(instances),
            matches=match(instances if detected is None else detected),
        )


class Scores:
    """Adds up frames one at a time.

    Attributes
    ----------
    names : list of str
        The frames, in the order in which they were added.
    videos : list of str
        Their videos, in order of appearance.
    iou : IoUSum
    confusion : (8,8) int64
    matches : MatchTable
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.videos: list[str] = []
        self.iou = IoUSum()
        self.confusion = np.zeros((_CLASSES + 1, _CLASSES + 1), np.int64)
        self.matches = MatchTable()
        self._rows = np.zeros(64, _ROW)
        self._video_number: dict[str, int] = {}

    def add(self, frame: FrameScores, name: str = "", video: str = "") -> None:
        """Add one frame. For the report's last bit, add frames in file order."""
        if video not in self._video_number:
            self._video_number[video] = len(self.videos)
            self.videos.append(video)
        number = self._video_number[video]
        if len(self.names) == self._rows.size:
            self._rows = np.concatenate((self._rows, np.zeros(self._rows.size, _ROW)))
        row = self._rows[len(self.names)]
        row["truth_px"], row["prediction_px"] = frame.areas.truth, frame.areas.prediction
        row["intersection_px"], row["on_ignore_px"] = frame.areas.intersection, frame.areas.predicted_on_ignore
        row["objects"], row["best_iou"] = frame.objects, frame.best_iou
        for count in ("tp", "fp", "fn", "iou"):
            row[count] = getattr(frame.panoptic, count)
        row["video"] = number
        self.names.append(name)
        self.iou.add_areas(frame.areas)
        self.confusion += frame.confusion
        self.matches.add(frame.matches, number)

    @property
    def rows(self) -> np.ndarray[tuple[int], np.dtype[np.void]]:
        """(N,) one row of numbers for each frame, by field name."""
        return self._rows[: len(self.names)]

    @property
    def panoptic(self) -> PanopticQuality:
        """The counts of all frames."""
        rows = self.rows
        tp, fp, fn = (rows[name].sum(axis=0, dtype=np.int64) for name in ("tp", "fp", "fn"))
        return PanopticQuality(tp, fp, fn, rows["iou"].sum(axis=0))

    @property
    def instance_iou(self) -> dict[int, float]:
        """See `wadlib.metrics.instance_iou`."""
        numerator, denominator = (part.sum(axis=0).tolist() for part in fractions(self.rows, "instance_iou"))
        return {c: n / d if d else float("nan") for c, n, d in zip(IDS, numerator, denominator, strict=True)}


def fractions(rows: np.ndarray[tuple[int], np.dtype[np.void]], score: str) -> tuple[Floats, Floats]:
    """Compute numerator and denominator of one of the `RATIOS`, for each frame and class.

    Returns
    -------
    numerator, denominator : (N,7) float64
        The score of a set of frames is the sum of the one over the sum of the other.
    """
    union = rows["truth_px"] + rows["prediction_px"] - rows["intersection_px"]
    if score == "report_iou":
        present = rows["truth_px"] > 0
        parts = np.where(present, rows["intersection_px"] / np.maximum(union, 1), 0), present
    elif score == "pooled_iou":
        parts = rows["intersection_px"], union - rows["on_ignore_px"]
    elif score == "instance_iou":
        parts = rows["best_iou"], rows["objects"]
    elif score == "sq":
        parts = rows["iou"], rows["tp"]
    else:
        parts = rows["iou" if score == "pq" else "tp"], rows["tp"] + (rows["fp"] + rows["fn"]) / 2
    return parts[0].astype(np.float64), parts[1].astype(np.float64)
