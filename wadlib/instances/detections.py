"""The scored instances that a method found in one frame. Their masks may overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.errors import InstancesError
from wadlib.instances.masks import RunMasks
from wadlib.labels import BACKGROUND, IDS, IGNORE, decode

__all__ = ["Detections"]

_INSTANCES_PER_CLASS = 1000
_IDS = np.array(IDS, np.int32)


@dataclass(frozen=True, eq=False)
class Detections:
    """D instances of one frame.

    Attributes
    ----------
    class_ids : (D,) int32
        WAD class ids, 33…40.
    scores : (D,) float64
        How sure the method is; any finite numbers, the higher the surer.
    masks : RunMasks of D masks

    Raises
    ------
    InstancesError
        Sizes that differ; a class that is not evaluated; a score that is not a finite number.
    """

    class_ids: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]
    masks: RunMasks

    def __post_init__(self) -> None:
        # Frozen, but whole numbers of any kind are welcome.
        object.__setattr__(self, "class_ids", np.asarray(self.class_ids, np.int32).reshape(-1))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float64).reshape(-1))
        if not self.class_ids.size == self.scores.size == len(self.masks):
            raise InstancesError(
                f"Detections: got {self.class_ids.size} class ids, {self.scores.size} scores and "
                f"{len(self.masks)} masks",
                cause="lists that were filtered separately",
                fix="one class id, one score and one mask for each instance",
            )
        unknown = ~(self.class_ids[:, None] == _IDS).any(axis=1)
        if unknown.any():
            raise InstancesError(
                f"Detections: {self.class_ids[unknown][0]} is not one of the evaluated classes {IDS}",
                cause="class numbers inside a network (1..7) in place of WAD class ids",
                fix="list(wadlib.labels.CLASSES)[index - 1] gives the WAD id",
            )
        if not np.isfinite(self.scores).all():
            raise InstancesError(
                f"Detections: a score is {self.scores[~np.isfinite(self.scores)][0]}, expected a finite number",
                cause="a training run that diverged, or a division by zero",
                fix="look at the network's outputs; nothing can be ranked by a score that is no number",
            )

    def __len__(self) -> int:
        return self.class_ids.size

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the frame."""
        return self.masks.shape

    @classmethod
    def from_label(cls, label: npt.NDArray[np.uint16], scores: Mapping[int, float] | None = None) -> Detections:
        """The evaluated instances of a label map.

        Parameters
        ----------
        label : (H,W) uint16
        scores : mapping, optional
            Code -> score. A label map holds no scores: by default all instances are equally sure, 1.

        Examples
        --------
        >>> found = Detections.from_label(np.array([[255, 33001], [36000, 65535]], np.uint16))
        >>> found.class_ids.tolist(), found.scores.tolist(), found.masks.areas.tolist()
        ([33, 36], [1.0, 1.0], [1, 1])
        """
        codes, masks = RunMasks.from_label(label)
        class_ids = decode(codes)[0].astype(np.int32)
        wanted = np.isin(class_ids, IDS)
        return cls(class_ids[wanted], scores_of(codes[wanted], scores), masks.take(wanted))

    def above(self, threshold: float) -> Detections:
        """The instances of this score or more."""
        keep = self.scores >= threshold
        return Detections(self.class_ids[keep], self.scores[keep], self.masks.take(keep))

    def to_label_map(self) -> npt.NDArray[np.uint16]:
        """(H,W) uint16 codes, the highest score on top; instances are numbered by falling score.

        Raises
        ------
        InstancesError
            More than 1000 instances of one class.

        Examples
        --------
        >>> masks = RunMasks.from_array(np.array([[[1, 1, 0]], [[0, 1, 1]]], bool))
        >>> Detections([33, 36], [0.6, 0.9], masks).to_label_map().tolist()
        [[33000, 36000, 36000]]
        """
        height, width = self.shape
        columns = np.full(width * height, BACKGROUND, np.uint16)
        order = np.argsort(-self.scores, kind="stable")
        numbers = np.zeros(len(self), np.int64)
        for class_id in IDS:
            members = order[self.class_ids[order] == class_id]
            numbers[members] = np.arange(members.size)
            if members.size > _INSTANCES_PER_CLASS:
                raise InstancesError(
                    f"Detections.to_label_map: {members.size} instances of class {class_id} in one frame",
                    cause="a score threshold that is too low",
                    fix=f"keep the {_INSTANCES_PER_CLASS} surest: detections.above(threshold)",
                )
        codes = self.class_ids * _INSTANCES_PER_CLASS + numbers
        for n in order[::-1].tolist():
            self.masks.paint(columns, n, codes[n])
        return np.ascontiguousarray(columns.reshape(width, height).T)


def scores_of(codes: npt.NDArray[np.uint16], scores: Mapping[int, float] | None) -> npt.NDArray[np.float64]:
    """Score of each code, 1 if there are no scores.

    Raises
    ------
    InstancesError
        A code has none.
    """
    if scores is None:
        return np.ones(codes.size)
    without = [code for code in codes.tolist() if code not in scores]
    if without:
        raise InstancesError(
            f"there are scores for {len(scores)} instances, and none for {without[0]}",
            cause="scores of another frame, or of the instances before they were numbered",
            fix="map every code of the label map to its score",
        )
    return np.array([scores[code] for code in codes.tolist()], np.float64)


def ignore_mask(codes: npt.NDArray[np.uint16], masks: RunMasks) -> RunMasks:
    """The one mask of IGNORE among those of a label map (see `RunMasks.from_label`), or none."""
    return masks.take(codes == IGNORE)
