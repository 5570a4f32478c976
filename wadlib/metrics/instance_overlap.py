"""Which true instance overlaps which found one, in one frame: a small table, from either of two sources.

The joint histogram of two label maps holds it already. The instances of `instances.json` may overlap each
other; for them it is counted from the runs of their masks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.instances import Instances, Runs
from wadlib.instances.instances import scores_of
from wadlib.labels import IDS, IGNORE, decode, evaluated_index
from wadlib.overlap import Overlap

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_IDS = np.array(IDS, np.int32)


@dataclass(frozen=True, eq=False)
class InstanceOverlap:
    """G true instances of one frame against D found ones.

    Attributes
    ----------
    truth_classes : (G,) int32 WAD class ids
    truth_areas : (G,) int64 pixels
    class_ids : (D,) int32 WAD class ids
    scores : (D,) float32
    areas : (D,) int64 pixels
    shared : (G,D) int64
        Pixels that a true and a found instance have in common, of whatever classes.
    on_ignore : (D,) int64
        Pixels of each found instance whose truth is IGNORE.
    """

    truth_classes: npt.NDArray[np.int32]
    truth_areas: Ints
    class_ids: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    areas: Ints
    shared: Ints
    on_ignore: Ints

    @classmethod
    def from_overlap(cls, overlap: Overlap, scores: Mapping[int, float] | None = None) -> InstanceOverlap:
        """Take the table out of the joint histogram of two label maps.

        `scores` maps predicted codes to scores; without it all found instances have the score 1.
        """
        in_truth, g = _instances(overlap.truth)
        in_prediction, p = _instances(overlap.prediction)
        # The last row and column take what is no evaluated instance: background, IGNORE, other classes.
        counts = np.zeros((in_truth.size + 1, in_prediction.size + 1), np.int64)
        np.add.at(counts, (g, p), overlap.pixels)
        ignored = overlap.truth == IGNORE
        on_ignore = np.bincount(p[ignored], overlap.pixels[ignored], in_prediction.size + 1).astype(np.int64)
        return cls(
            truth_classes=_class_ids(in_truth),
            truth_areas=counts.sum(axis=1)[:-1],
            class_ids=_class_ids(in_prediction),
            scores=scores_of(in_prediction, scores),
            areas=counts.sum(axis=0)[:-1],
            shared=counts[:-1, :-1],
            on_ignore=on_ignore[:-1],
        )

    @classmethod
    def from_label(cls, truth: npt.NDArray[np.uint16], found: Instances) -> InstanceOverlap:
        """Compare instances, which may overlap each other, with the true label (H,W) uint16."""
        codes, runs = Runs.from_label(truth)
        wanted = evaluated_index(codes) > 0
        return cls._from_runs(_class_ids(codes[wanted]), runs.take(wanted), found, runs.take(codes == IGNORE))

    @classmethod
    def from_instances(cls, truth: Instances, found: Instances) -> InstanceOverlap:
        """Compare instances on both sides, such as those of a COCO ground truth, where nothing is IGNORE."""
        return cls._from_runs(truth.class_ids, truth.runs, found, Runs.empty(truth.shape))

    @classmethod
    def _from_runs(
        cls, truth_classes: npt.NDArray[np.int32], truth: Runs, found: Instances, ignore: Runs
    ) -> InstanceOverlap:
        return cls(
            truth_classes=truth_classes,
            truth_areas=truth.areas,
            class_ids=found.class_ids,
            scores=found.scores,
            areas=found.areas_px,
            shared=truth.intersections(found.runs),
            on_ignore=ignore.intersections(found.runs).sum(axis=0),
        )

    @property
    def iou(self) -> Floats:
        """(G,D) intersection over union of each true with each found instance, whatever their classes."""
        union = self.truth_areas[:, None] + self.areas[None, :] - self.shared
        return np.asarray(self.shared / np.maximum(union, 1))


def best_ious(instances: InstanceOverlap) -> Floats:
    """Find the best IoU, (G,), of each true instance with a found one of its class; 0 where there is none.

    Examples
    --------
    >>> truth = np.array([[33000, 33000, 255, 33001]], np.uint16)
    >>> found = np.array([[33005, 255, 255, 36000]], np.uint16)
    >>> best_ious(InstanceOverlap.from_overlap(Overlap.from_labels(truth, found))).tolist()
    [0.5, 0.0]
    """
    same = instances.truth_classes[:, None] == instances.class_ids[None, :]
    return np.asarray(np.max(instances.iou * same, axis=1, initial=0.0))


def instance_iou(frames: Iterable[Overlap | InstanceOverlap]) -> dict[int, float]:
    r"""Average over all true instances the IoU with the instance that found it best.

    .. math:: IoU_c = \frac1{|G_c|} \sum_{g \in G_c} \max_{p} \frac{|g \cap p|}{|g \cup p|}

    with G_c the true instances of class c in all frames and p the found instances of that class in the
    frame of g. A car of 30 pixels counts as much as one of 30,000. What is found where nothing is costs
    nothing here: see `panoptic_quality` and `average_precision` for that.

    Returns
    -------
    dict[int, float]
        Class id -> IoU in [0, 1]; ``nan`` for a class without a true instance.
    """
    best, number = np.zeros(len(IDS)), np.zeros(len(IDS), np.int64)
    for frame in frames:
        instances = frame if isinstance(frame, InstanceOverlap) else InstanceOverlap.from_overlap(frame)
        index = class_index(instances.truth_classes)
        np.add.at(best, index, best_ious(instances))
        np.add.at(number, index, 1)
    return {c: b / n if n else float("nan") for c, b, n in zip(IDS, best.tolist(), number.tolist(), strict=True)}


def class_index(class_ids: npt.NDArray[np.int32]) -> Ints:
    """Find the positions 0..6 of evaluated class ids in `wadlib.labels.IDS`."""
    return np.searchsorted(_IDS, class_ids)


def _class_ids(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.int32]:
    return np.asarray(decode(codes)[0], np.int32)


def _instances(codes: npt.NDArray[np.uint16]) -> tuple[npt.NDArray[np.uint16], Ints]:
    """The evaluated instances among codes, sorted; and for each code which it is (the number of them: none)."""
    names, inverse = np.unique(codes, return_inverse=True)
    wanted = evaluated_index(names) > 0
    number = np.where(wanted, np.cumsum(wanted) - 1, np.count_nonzero(wanted))
    return names[wanted], number[inverse]
