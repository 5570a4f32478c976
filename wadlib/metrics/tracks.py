"""True and found tracks of one video, frame by frame: what every track metric starts from.

A track metric is given one sequence (one class of one video) and returns its counts; `combine` of the same type adds
the counts of several sequences. Nothing is averaged before the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from wadlib.errors import MetricError
from wadlib.labels import evaluated_index
from wadlib.metrics.instance_overlap import InstanceOverlap
from wadlib.overlap import Overlap

Codes = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EPS = float(np.finfo("float").eps)
"""An IoU that is a threshold but for rounding reaches it; the same slack as in TrackEval."""

_MOSTLY_IGNORED = 0.5


class Counts:
    """What a metric counts in a sequence: base of dataclasses whose fields, numbers or arrays, all add up."""

    @classmethod
    def combine(cls, parts: Iterable[Self]) -> Self:
        """Add up the counts of several sequences, one at least."""
        parts, names = list(parts), [field.name for field in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: sum(getattr(part, name) for part in parts) for name in names})


@dataclass(frozen=True, eq=False)
class TrackFrame:
    """One frame of one class: G true and D found masks, each with the number of its track.

    Attributes
    ----------
    truth_ids : (G,) int64
    found_ids : (D,) int64
    iou : (G,D) float64
        Intersection over union of their masks.

    Raises
    ------
    MetricError
        Shapes that do not fit, an IoU outside [0, 1], or a track that occurs twice in the frame.

    Examples
    --------
    >>> TrackFrame([1, 2], [7], [[0.5], [0.0]]).iou.shape
    (2, 1)
    """

    truth_ids: Ints
    found_ids: Ints
    iou: Floats

    def __post_init__(self) -> None:
        for name in ("truth_ids", "found_ids"):
            object.__setattr__(self, name, _ids(name, getattr(self, name)))
        iou = np.asarray(self.iou, np.float64)
        shape = (self.truth_ids.size, self.found_ids.size)
        if iou.size == 0 and 0 in shape:
            iou = iou.reshape(shape)
        if iou.shape != shape:
            raise _wrong(f"expected iou of shape {shape}, got {iou.shape}")
        if iou.size and not (iou.min() >= 0 and iou.max() <= 1):
            raise _wrong(f"expected every IoU in 0..1, got {iou.min()} to {iou.max()}")
        object.__setattr__(self, "iou", iou)


@dataclass(frozen=True, eq=False)
class TrackedOverlap:
    """All true and found instances of one frame, with their tracks.

    Attributes
    ----------
    instances : InstanceOverlap
        Of two label maps: masks of one side do not overlap.
    truth_ids : (G,) int64
    found_ids : (D,) int64

    Raises
    ------
    MetricError
        Another number of tracks than of instances, or a track that occurs twice on one side.
    """

    instances: InstanceOverlap
    truth_ids: Ints
    found_ids: Ints

    def __post_init__(self) -> None:
        for name, number in (
            ("truth_ids", self.instances.truth_areas.size),
            ("found_ids", self.instances.areas.size),
        ):
            ids = _ids(name, getattr(self, name))
            if ids.size != number:
                raise _wrong(f"expected {name} of {number} instances, got {ids.size}")
            object.__setattr__(self, name, ids)

    @classmethod
    def from_labels(
        cls, truth: Codes, found: Codes, truth_tracks: Mapping[int, int], found_tracks: Mapping[int, int] | None = None
    ) -> TrackedOverlap:
        """Compare two label maps.

        Parameters
        ----------
        truth, found : (H,W) uint16
        truth_tracks, found_tracks : mapping
            Label code -> track, such as those of `wadlib.dataset.tracks.read_tracks`; without it each code is a track.

        Raises
        ------
        MetricError
            A code without a track.
        """
        overlap = Overlap.from_labels(truth, found)
        sides = ((overlap.truth, truth_tracks), (overlap.prediction, found_tracks))
        ids = [_tracks_of(np.unique(codes[evaluated_index(codes) > 0]), tracks) for codes, tracks in sides]
        return cls(InstanceOverlap.from_overlap(overlap), *ids)

    def of_class(self, class_id: int) -> TrackFrame:
        """Take one class; a false positive that lies mostly on IGNORE is left out (the rule of KITTI MOTS).

        A found mask is a false positive if the best assignment at IoU 0.5 gives it no true mask.
        """
        true = np.flatnonzero(self.instances.truth_classes == class_id)
        found = np.flatnonzero(self.instances.class_ids == class_id)
        iou = self.instances.iou[np.ix_(true, found)]
        score = np.where(iou < 0.5 - EPS, -10_000.0, iou)
        rows, columns = linear_sum_assignment(-score)
        matched = columns[score[rows, columns] > EPS]
        inside = self.instances.on_ignore[found] / np.maximum(self.instances.areas[found], 1)
        keep = inside <= _MOSTLY_IGNORED + EPS
        keep[matched] = True
        return TrackFrame(self.truth_ids[true], self.found_ids[found[keep]], iou[:, keep])


@dataclass(frozen=True, eq=False)
class NumberedFrame:
    """A `TrackFrame` whose tracks are numbered from 0 without gaps, so that they can index arrays."""

    truth: npt.NDArray[np.intp]
    found: npt.NDArray[np.intp]
    iou: Floats


def number_tracks(frames: Iterable[TrackFrame]) -> tuple[list[NumberedFrame], int, int]:
    """Number the tracks of a sequence from 0; also how many true and found tracks there are.

    Any whole numbers will do as track ids (class * 1000 + n, or beyond): nothing is taken modulo.
    """
    frames = list(frames)
    true, g = _unique([frame.truth_ids for frame in frames])
    found, p = _unique([frame.found_ids for frame in frames])
    numbered = [NumberedFrame(a, b, frame.iou) for a, b, frame in zip(g, p, frames, strict=True)]
    return numbered, true, found


def _tracks_of(codes: Codes, tracks: Mapping[int, int] | None) -> Ints:
    if tracks is None:
        return codes.astype(np.int64)
    without = [code for code in codes.tolist() if code not in tracks]
    if without:
        raise MetricError(
            f"TrackedOverlap: code {without[0]} of a label map has no track among {len(tracks)}",
            cause="a tracks.json that belongs to other labels",
            fix="run `wadlib track` again: it writes labels and tracks together",
        )
    return np.array([tracks[code] for code in codes.tolist()], np.int64)


def _unique(ids: Sequence[Ints]) -> tuple[int, list[npt.NDArray[np.intp]]]:
    names, numbers = np.unique(np.concatenate([np.zeros(0, np.int64), *ids]), return_inverse=True)
    ends = np.cumsum([each.size for each in ids])
    return names.size, [numbers[end - each.size : end] for each, end in zip(ids, ends.tolist(), strict=True)]


def _ids(name: str, values: npt.ArrayLike) -> Ints:
    ids = np.asarray(values)
    if ids.size == 0:
        return np.zeros(0, np.int64)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise _wrong(f"expected {name} to be whole numbers in one row, got {ids.dtype} of shape {ids.shape}")
    names, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        raise MetricError(
            f"TrackFrame: track {names[counts.argmax()]} occurs {counts.max()} times among {name} of one frame",
            cause="track numbers that were reused, or taken modulo 1000",
            fix="give each object of a frame a track of its own",
        )
    return ids.astype(np.int64)


def _wrong(what: str) -> MetricError:
    return MetricError(
        f"TrackFrame: {what}",
        cause="arrays of different frames, or rows and columns exchanged",
        fix="one row for each true mask, one column for each found mask",
    )
