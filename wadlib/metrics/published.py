"""The label that the report's authors scored, as their code saved it, and what reading it rightly is worth.

`Test_VIC_Project.ipynb` of the authors' repository adds up ``mask * class_id * 1000`` over the detections of a frame
and saves the sum as int32 with ``skimage.io.imsave``. Where two masks overlap the codes add up: 33000 + 33000 = 66000.
The scikit-image of that time (0.13 and 0.14) turns int32 into 16 bits by `skimage.util.img_as_uint`: it keeps the
values if the picture's maximum is below 65,536, and otherwise divides *every* pixel by 2**15. One shared pixel then
leaves codes 1, 2, 3 …, which are no class: the frame is erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib._shared.parallel import map_labels
from wadlib.dataset.frame import Frame
from wadlib.errors import MetricError
from wadlib.instances import Instances
from wadlib.instances.reader import FramePrediction, scored_frames
from wadlib.iou import IoUSum, mean_iou
from wadlib.labels import CLASSES, IDS
from wadlib.overlap import ClassAreas, Overlap

if TYPE_CHECKING:
    import pandas as pd

Label = npt.NDArray[np.uint16]

_SIXTEEN_BITS = 2**16
_DIVISION = 15  # bits: int32 has 31 for a number without its sign, the file 16


def as_published(instances: Instances) -> Label:
    """Return the label that the authors' code would have saved for these instances.

    Background is 0, and no instance number is kept. `wadlib.instances.Instances.to_label` is the label that puts
    the highest score on top instead.

    Parameters
    ----------
    instances : Instances of one (H, W) frame; masks may overlap

    Returns
    -------
    (H, W) uint16

    Examples
    --------
    A car of 4 pixels and a person of 3. Apart, the label is right; one shared pixel, and no class is left:

    >>> masks = np.zeros((2, 4, 6), bool)
    >>> masks[0, 1:3, 0:2] = masks[1, 0:3, 4] = True
    >>> as_published(Instances.from_masks(masks, [33, 36], [0.9, 0.8]))
    array([[    0,     0,     0,     0, 36000,     0],
           [33000, 33000,     0,     0, 36000,     0],
           [33000, 33000,     0,     0, 36000,     0],
           [    0,     0,     0,     0,     0,     0]], dtype=uint16)
    >>> masks[1, 2, 1] = True
    >>> as_published(Instances.from_masks(masks, [33, 36], [0.9, 0.8]))
    array([[0, 0, 0, 0, 1, 0],
           [1, 1, 0, 0, 1, 0],
           [1, 2, 0, 0, 1, 0],
           [0, 0, 0, 0, 0, 0]], dtype=uint16)
    """
    return _saved(_summed(instances))


def erased(instances: Instances) -> bool:
    """Say whether the authors' code would have saved a label without any class, because masks overlap.

    Examples
    --------
    >>> apart = np.eye(2, dtype=bool)[:, None]
    >>> erased(Instances.from_masks(apart, [33, 36], [0.9, 0.8]))
    False
    >>> erased(Instances.from_masks(apart | True, [33, 36], [0.9, 0.8]))
    True
    """
    return bool(_summed(instances).max() >= _SIXTEEN_BITS)


@dataclass(frozen=True)
class PublishedWaterfall:
    """The report's IoU of the same predictions, from the label as published to the one that is read rightly.

    Attributes
    ----------
    steps : dict[str, dict[int, float]]
        Name of a step -> class id -> report IoU, in order. Each step changes one thing:
        "as published"; "no division" (the sum, cut to 16 bits: overlaps are lost, the rest of a frame stays);
        "highest score on top" (read rightly); and the same with a lower score threshold.
    frames : int
    erased : int
        Frames whose label holds no class as published, although something was found.
    """

    steps: dict[str, dict[int, float]]
    frames: int
    erased: int

    @property
    def means(self) -> dict[str, float]:
        """Mean over the classes after each step, as `wadlib.figures.scores.draw_waterfall` takes them."""
        return {name: mean_iou(iou) for name, iou in self.steps.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return what a JSON file holds: numbers of frames, and for each step the IoU by name of class, nan as None."""
        rows = {name: iou | {0: mean_iou(iou)} for name, iou in self.steps.items()}
        steps = {
            name: {CLASSES[c].name if c else "mean": None if np.isnan(value) else value for c, value in row.items()}
            for name, row in rows.items()
        }
        return {"frames": self.frames, "erased": self.erased, "report_iou": steps}

    def table(self) -> pd.DataFrame:
        """Make one row for each step, a column for each class, and their mean."""
        import pandas as pd

        rows = [[*(iou[c] for c in IDS), mean_iou(iou)] for iou in self.steps.values()]
        return pd.DataFrame(rows, index=list(self.steps), columns=[*(CLASSES[c].name for c in IDS), "mean"])


def published_waterfall(
    frames: Iterable[tuple[Label, Instances]], *, min_score: float = 0.9, lower_score: float | None = 0.5
) -> PublishedWaterfall:
    """Measure on the same predictions what each step from the published saving code to a sound label is worth.

    Parameters
    ----------
    frames : iterable of (truth, instances), one for each frame
        Truth (H, W) uint16 codes, and everything that was found, of any score. A generator will do.
    min_score : float
        The published threshold: instances below it are left out in the first three steps.
    lower_score : float or None
        The threshold of the last step; None leaves that step out.

    Raises
    ------
    MetricError
        No frame; or a lower score that is not lower.

    Examples
    --------
    >>> truth = np.array([[33000, 33000, 36000, 255]], np.uint16)
    >>> found = np.array([[[1, 1, 1, 0]], [[0, 0, 1, 0]]], bool)  # the car's mask goes on over the person
    >>> fall = published_waterfall([(truth, Instances.from_masks(found, [33, 36], [0.91, 0.95]))])
    >>> fall.erased, fall.means
    (1, {'as published': 0.0, 'no division': 0.5, 'highest score on top': 1.0, 'score from 0.5': 1.0})
    """
    _check_scores(min_score, lower_score)
    return _added(_steps(truth, found, min_score, lower_score) for truth, found in frames)


def published_waterfall_of(
    frames: Iterable[Frame],
    prediction: str | Path,
    *,
    min_score: float = 0.9,
    lower_score: float | None = 0.5,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> PublishedWaterfall:
    """Measure the same for a folder of predictions, as `wadlib predict` writes it.

    Parameters
    ----------
    frames : iterable of labelled frames
        For example the validation side of a split.
    prediction : folder
        ``PRED`` with ``instances.json``: masks that overlap are what this is about.
    min_score, lower_score : float
        See `published_waterfall`.
    workers, executor, progress
        See `wadlib._shared.parallel.map_frames`; threads by default.

    Raises
    ------
    MetricError
        No ``instances.json``; no frame; a frame without truth or prediction.
    """
    _check_scores(min_score, lower_score)
    read = partial(_steps_of_frame, min_score=min_score, lower_score=lower_score)
    pairs = scored_frames(frames, prediction, "published_waterfall_of")
    done = map_labels(read, pairs, "as published", workers, executor, progress)
    return _added(steps for _, steps in done)


def read_pairs(frames: Iterable[Frame], prediction: str | Path) -> Iterator[tuple[Label, Instances]]:
    """Yield (truth, everything found) of each frame, from a folder of predictions; see `published_waterfall_of`."""
    for frame, found in scored_frames(frames, prediction, "read_pairs"):
        yield frame.read_label(), found.read()


class _Steps(NamedTuple):
    """What one frame adds to a waterfall: whether it was erased, and its areas after each step."""

    erased: bool
    areas: dict[str, ClassAreas]


def _steps_of_frame(pair: tuple[Frame, FramePrediction], min_score: float, lower_score: float | None) -> _Steps:
    return _steps(pair[0].read_label(), pair[1].read(), min_score, lower_score)


def _steps(truth: Label, found: Instances, min_score: float, lower_score: float | None) -> _Steps:
    kept = found[found.scores >= min_score]
    total = _summed(kept)
    labels = {
        "as published": _saved(total),
        "no division": total.astype(np.uint16),  # modulo 2**16
        "highest score on top": kept.to_label(),
    }
    if lower_score is not None:
        labels[f"score from {lower_score:g}"] = found[found.scores >= lower_score].to_label()
    areas = {name: Overlap.from_labels(truth, label).class_areas() for name, label in labels.items()}
    return _Steps(bool(total.max() >= _SIXTEEN_BITS), areas)


def _added(frames: Iterable[_Steps]) -> PublishedWaterfall:
    sums: dict[str, IoUSum] = {}
    lost = count = 0
    for steps in frames:
        count += 1
        lost += steps.erased
        for name, areas in steps.areas.items():
            sums.setdefault(name, IoUSum()).add_areas(areas)
    if not count:
        raise MetricError(
            "published_waterfall: got no frame",
            cause="an empty selection, or a generator that was used before",
            fix="give at least one (truth, instances)",
        )
    return PublishedWaterfall({name: each.report_iou() for name, each in sums.items()}, count, lost)


def _check_scores(min_score: float, lower_score: float | None) -> None:
    if lower_score is not None and not lower_score < min_score:
        raise MetricError(
            f"published_waterfall: expected a lower score below {min_score}, got {lower_score}",
            cause="the two thresholds in the wrong order",
            fix="published_waterfall(frames, min_score=0.9, lower_score=0.5)",
        )


def _saved(total: npt.NDArray[np.int32]) -> Label:
    """Turn the sum into 16 bits, as the authors' scikit-image did."""
    return (total >> _DIVISION if total.max() >= _SIXTEEN_BITS else total).astype(np.uint16)


def _summed(instances: Instances) -> npt.NDArray[np.int32]:
    """(H, W) int32: the sum over instances of mask * class_id * 1000."""
    total = np.zeros(instances.shape, np.int32)
    for mask, class_id in zip(_masks(instances), instances.class_ids.tolist(), strict=True):
        total += mask * np.int32(class_id * 1000)
    return total


def _masks(instances: Instances) -> Iterator[npt.NDArray[np.bool_]]:
    """One (H, W) mask after the other: all at once would take 9 MB for each instance of a full-size frame."""
    for n in range(len(instances)):
        yield instances[[n]].masks[0]
