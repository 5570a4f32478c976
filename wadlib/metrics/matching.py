"""COCO's matching of one frame, and the short table of all matches that precision and recall come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.instances.kernels import match_greedily
from wadlib.labels import IDS
from wadlib.metrics.instance_overlap import InstanceOverlap, class_index

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU thresholds of COCO and of the WAD challenge: 0.50, 0.55, … 0.95."""

SIZES: dict[str, tuple[float, float]] = {
    "all": (0, 1e10),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e10),
}
"""COCO's bins of an instance's area, in pixels of the evaluated size (both ends included)."""

MAX_DETECTIONS = 100
"""COCO looks at the 100 detections of each class in a frame that have the highest scores."""

_LOW, _HIGH = (np.array(edge)[:, None] for edge in zip(*SIZES.values(), strict=True))  # (4,1) each
_MATCH_AT = np.minimum(THRESHOLDS, 1 - 1e-10)  # COCO's own guard, kept so that the last bit agrees
_IDS = np.array(IDS, np.int32)


@dataclass(frozen=True, eq=False)
class FrameMatches:
    """What the detections of one frame are worth, at 10 IoU thresholds and in 4 size bins.

    Attributes
    ----------
    class_index : (D,) uint8, position of the class in `wadlib.labels.IDS`
    scores : (D,) float64, falling
    matched : (D,4) uint16
        Bit t of entry [d, a] says: at `THRESHOLDS` [t], in size bin a, detection d found something.
    ignored : (D,4) uint16
        Bit t says: it counts neither as right nor as wrong (it found an object of another size or lies
        on IGNORE; or it found nothing and is of another size itself).
    truths : (4,7) int64
        How many true objects count, by size bin and class.
    """

    class_index: npt.NDArray[np.uint8]
    scores: npt.NDArray[np.float64]
    matched: npt.NDArray[np.uint16]
    ignored: npt.NDArray[np.uint16]
    truths: npt.NDArray[np.int64]


def match(instances: InstanceOverlap) -> FrameMatches:
    """Match greedily as COCO does: the highest score chooses first (``COCOeval.evaluateImg``).

    A detection on the ignore region is taken out of the count when the share of its own pixels that lie
    there reaches the threshold: COCO's rule for a crowd, which has every class here.
    """
    order = np.argsort(-instances.scores, kind="stable")
    if order.size > MAX_DETECTIONS:
        order = order[_rank_in_class(instances.class_ids[order]) < MAX_DETECTIONS]
    areas = instances.areas[order]
    found_class = instances.class_ids[order]
    out = (instances.truth_areas < _LOW) | (instances.truth_areas > _HIGH)  # (4,G)
    matched = np.zeros((order.size, len(SIZES)), np.uint16)
    ignored = np.zeros((order.size, len(SIZES)), np.uint16)
    match_greedily(
        np.ascontiguousarray(instances.iou[:, order]),
        instances.truth_classes,
        found_class,
        instances.on_ignore[order] / np.maximum(areas, 1),
        out,
        _MATCH_AT,
        np.zeros(instances.truth_areas.size, np.bool_),
        matched,
        ignored,
    )
    other_size = ((areas < _LOW) | (areas > _HIGH)).T  # (D,4): if it found nothing, it is not wrong in this bin
    ignored |= np.where(other_size, ~matched & _ALL_BITS, np.uint16(0))
    # 0.7 as float32 lies below 0.7: as the shortest decimal it reaches a threshold of 0.7.
    scores = instances.scores[order].astype(np.str_).astype(np.float64)
    truths = (~out).astype(np.int64) @ (instances.truth_classes[:, None] == _IDS)
    return FrameMatches(class_index(found_class).astype(np.uint8), scores, matched, ignored, truths)


_ALL_BITS = np.uint16((1 << len(THRESHOLDS)) - 1)


def _rank_in_class(class_ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """How many of the same class stand before each."""
    same = class_ids[:, None] == _IDS  # (D,7)
    return np.asarray((np.cumsum(same, axis=0) - 1)[same])


class MatchTable:
    """The matches of many frames, about 30 bytes for each detection; frames are added one at a time.

    Attributes
    ----------
    videos : int
        How many videos the frames came from (numbered from 0).
    """

    def __init__(self) -> None:
        self.videos = 0
        self._rows = np.zeros(0, _ROW)
        self._size = 0
        self._truths = np.zeros((0, len(SIZES), len(IDS)), np.int64)

    def add(self, frame: FrameMatches, video: int = 0) -> None:
        """Add one frame; `video` numbers its video from 0. Equal scores rank in the order of adding."""
        if video >= self.videos:
            self.videos = video + 1
            more = self.videos - len(self._truths)
            self._truths = np.concatenate((self._truths, np.zeros((more, len(SIZES), len(IDS)), np.int64)))
        self._truths[video] += frame.truths
        size = self._size + frame.scores.size
        if size > self._rows.size:  # twice the room each time: a few copies however many frames
            grown = np.zeros(max(256, 2 * size), _ROW)
            grown[: self._size] = self._rows[: self._size]
            self._rows = grown
        rows = self._rows[self._size : size]
        rows["class_index"], rows["score"], rows["video"] = frame.class_index, frame.scores, video
        rows["matched"], rows["ignored"] = frame.matched, frame.ignored
        self._size = size

    def __len__(self) -> int:
        """How many detections there are."""
        return self._size

    def detections(self, class_id: int, size: str = "all") -> ClassMatches:
        """Collect the detections of one class, the highest score first."""
        rows = self._rows[: self._size]
        rows = rows[rows["class_index"] == IDS.index(class_id)]
        rows = rows[np.argsort(-rows["score"], kind="stable")]
        a = list(SIZES).index(size)
        return ClassMatches(
            scores=rows["score"].copy(),
            matched=_bits(rows["matched"][:, a]),
            ignored=_bits(rows["ignored"][:, a]),
            videos=rows["video"].astype(np.int64),
            truths=self._truths[:, a, IDS.index(class_id)].copy(),
        )


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """The matches of one class in one size bin, the highest score first.

    Attributes
    ----------
    scores : (N,) float64, falling
    matched, ignored : (T,N) bool, at each of the `THRESHOLDS` (see `FrameMatches`)
    videos : (N,) int64, number of the video
    truths : (V,) int64, true objects that count, of each video
    """

    scores: npt.NDArray[np.float64]
    matched: npt.NDArray[np.bool_]
    ignored: npt.NDArray[np.bool_]
    videos: npt.NDArray[np.int64]
    truths: npt.NDArray[np.int64]


_ROW = np.dtype(
    [
        ("score", np.float64),
        ("matched", np.uint16, len(SIZES)),
        ("ignored", np.uint16, len(SIZES)),
        ("video", np.uint32),
        ("class_index", np.uint8),
    ]
)


def _bits(words: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """(N,) uint16 -> (T,N) bool."""
    shifts = np.arange(len(THRESHOLDS), dtype=np.uint16)[:, None]
    return np.asarray((words >> shifts) & np.uint16(1), np.bool_)
