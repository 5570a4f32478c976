"""The scored instances that a method found in one frame: boxes, class ids, scores, and masks that may overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import InstancesError, LabelError
from wadlib.frames import FULL_SHAPE
from wadlib.instances.masks import Runs
from wadlib.instances.rle import coco_boxes
from wadlib.labels import BACKGROUND, CLASSES, IDS, INSTANCES_PER_CLASS, decode, encode
from wadlib.preprocess import view_of

_IDS = np.array(IDS, np.int32)


@dataclass(frozen=True, eq=False, repr=False)
class Instances:
    """N instances of one frame, in the order in which they were given.

    Attributes
    ----------
    class_ids : (N,) int32
        WAD class ids, 33 to 40.
    scores : (N,) float32
        The higher, the surer; finite.
    runs : Runs
        The masks in a compact form; `masks` unpacks them.
    boxes : (N, 4) float32
        ``y1, x1, y2, x2`` in pixels of the frame, half-open. A network's boxes need not be those of its masks; by
        default they are the smallest around them (zeros around a mask without pixels).

    Raises
    ------
    InstancesError
        Lengths, shapes, types or numbers that do not fit together; the message says which.

    Examples
    --------
    >>> masks = np.zeros((2, 4, 6), bool)
    >>> masks[0, 0:2, 0:3] = masks[1, 1:4, 2:4] = True
    >>> found = Instances.from_masks(masks, class_ids=[33, 36], scores=[0.9, 0.8])
    >>> found
    Instances(2 in a 6x4 picture: 1 car, 1 person; scores 0.80 to 0.90)
    >>> found.boxes.tolist()
    [[0.0, 0.0, 2.0, 3.0], [1.0, 2.0, 4.0, 4.0]]
    >>> found.to_label()
    array([[33000, 33000, 33000,   255,   255,   255],
           [33000, 33000, 33000, 36000,   255,   255],
           [  255,   255, 36000, 36000,   255,   255],
           [  255,   255, 36000, 36000,   255,   255]], dtype=uint16)
    """

    class_ids: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    runs: Runs
    boxes: npt.NDArray[np.float32] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        count = len(self.runs)
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise _wrong(f"expected shape to be (height, width) of the picture in pixels, got {self.shape}")
        boxes = self.runs.boxes if self.boxes is None else _numbers("boxes", self.boxes, (count, 4), np.float32)
        class_ids = _numbers("class_ids", self.class_ids, (count,), np.int32)
        scores = _numbers("scores", self.scores, (count,), np.float32)
        flat = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
        if flat.any() and (flat := flat & (self.runs.areas > 0)).any():
            raise _wrong(f"expected boxes y1, x1, y2, x2 with y1 < y2 and x1 < x2, got {boxes[flat][0].tolist()}")
        foreign = ~(class_ids[:, None] == _IDS).any(axis=1)
        if foreign.any():
            raise InstancesError(
                f"Instances: expected WAD class ids among {IDS}, got {int(class_ids[foreign][0])}",
                cause="class numbers inside a network (1..7) in place of WAD class ids",
                fix="list(wadlib.labels.CLASSES)[index - 1] gives the WAD id",
            )
        for name, value in (("boxes", boxes), ("class_ids", class_ids), ("scores", scores)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @classmethod
    def from_masks(
        cls,
        masks: npt.ArrayLike,
        class_ids: npt.ArrayLike,
        scores: npt.ArrayLike,
        boxes: npt.ArrayLike | None = None,
    ) -> Instances:
        """Make instances of whole masks.

        Parameters
        ----------
        masks : (N, H, W) bool
        class_ids, scores : (N,)
        boxes : (N, 4), optional
            By default the smallest boxes around the masks; then each mask needs at least one pixel.
        """
        runs = Runs.from_array(np.asarray(masks))
        if boxes is None and not runs.areas.all():
            raise _wrong(f"expected masks with at least one pixel each, got none in mask {int(runs.areas.argmin())}")
        return cls(class_ids, scores, runs, boxes)  # type: ignore[arg-type]

    @classmethod
    def from_label(cls, label: npt.NDArray[np.uint16], scores: Mapping[int, float] | None = None) -> Instances:
        """Take the evaluated instances out of a label, in the order of their codes.

        Parameters
        ----------
        label : (H,W) uint16
        scores : mapping, optional
            Code -> score. A label holds no scores: by default all instances have the score 1.

        Examples
        --------
        >>> found = Instances.from_label(np.array([[255, 33001], [36000, 65535]], np.uint16))
        >>> found.class_ids.tolist(), found.scores.tolist(), found.areas_px.tolist()
        ([33, 36], [1.0, 1.0], [1, 1])
        """
        codes, runs = Runs.from_label(label)
        class_ids = decode(codes)[0].astype(np.int32)
        wanted = np.isin(class_ids, IDS)
        return cls(class_ids[wanted], scores_of(codes[wanted], scores), runs.take(wanted))

    @classmethod
    def from_coco(cls, rows: Sequence[Mapping[str, Any]], shape: tuple[int, int]) -> Instances:
        """Read what `to_coco` gave: rows of COCO's results of one frame of `shape` (height, width).

        A row without ``bbox`` gets the box of its mask.

        Raises
        ------
        InstancesError
            Something is missing, damaged, or of another size.
        """
        try:
            runs = Runs.from_rle([row["segmentation"] for row in rows], shape)
            boxes = np.zeros((len(rows), 4), np.float32) if all("bbox" in row for row in rows) else runs.boxes
            for n, row in enumerate(rows):
                if "bbox" in row:
                    x, y, width, height = row["bbox"]
                    boxes[n] = y, x, y + height, x + width
            return cls([row["category_id"] for row in rows], [row["score"] for row in rows], runs, boxes)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InstancesError(
                f"from_coco: expected results with category_id, score, segmentation and at best bbox, got {error!r}",
                cause="a file of another program, or polygons in place of run lengths",
                fix="write it with `wadlib predict`",
            ) from error

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Instances:
        """Return no instance in a picture of `shape`."""
        return cls([], [], Runs.empty(shape))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, which: slice | Sequence[int] | npt.NDArray[Any]) -> Instances:
        """Choose some of them: by a slice, a list of positions, or a (N,) bool array."""
        chosen = np.atleast_1d(np.arange(len(self))[which])
        return Instances(self.class_ids[chosen], self.scores[chosen], self.runs.take(chosen), self.boxes[chosen])

    def __repr__(self) -> str:
        height, width = self.shape
        counts = Counter(self.class_ids.tolist())
        named = ", ".join(f"{counts[class_id]} {CLASSES[class_id].name}" for class_id in IDS if counts[class_id])
        scores = f"; scores {self.scores.min():.2f} to {self.scores.max():.2f}" if len(self) else ""
        return f"Instances({len(self)} in a {width}x{height} picture{': ' + named if named else ''}{scores})"

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the frame in pixels."""
        return self.runs.shape

    @property
    def masks(self) -> npt.NDArray[np.bool_]:
        """All masks as one (N, H, W) bool array, made anew: 9 MB for each instance of a full-size frame."""
        return self.runs.to_array().view(_Masks)

    @property
    def areas_px(self) -> npt.NDArray[np.int64]:
        """Pixels of each mask, (N,) int64."""
        return self.runs.areas

    @property
    def codes(self) -> npt.NDArray[np.uint16]:
        """Label code of each, (N,) uint16: within a class the instances are numbered from 0, best score first."""
        numbers = np.zeros(len(self), np.int64)
        best_first = self.best_first
        for class_id in set(self.class_ids.tolist()):
            own = best_first[self.class_ids[best_first] == class_id]
            if len(own) > INSTANCES_PER_CLASS:
                raise LabelError(
                    f"Instances: expected at most {INSTANCES_PER_CLASS} of class {CLASSES[class_id].name} "
                    f"in a label, got {len(own)}",
                    cause="a score threshold so low that it lets noise through",
                    fix="keep the better ones first: instances.above(0.5)",
                )
            numbers[own] = np.arange(len(own))
        return np.asarray(encode(self.class_ids, numbers), np.uint16)

    @property
    def best_first(self) -> npt.NDArray[np.intp]:
        """Positions by falling score, (N,); of equal scores the first stays first."""
        return np.argsort(-self.scores, kind="stable")

    def above(self, min_score: float) -> Instances:
        """Keep those with a score of at least `min_score`."""
        return self[self.scores >= np.float32(min_score)]

    def to_label(self) -> npt.NDArray[np.uint16]:
        """Paint all into one label, (H, W) uint16 codes; where masks overlap, the highest score lies on top.

        Raises
        ------
        LabelError
            More than 1000 instances of one class.
        """
        label = np.full(self.shape, BACKGROUND, np.uint16)
        last_on_top = self.best_first[::-1]
        self.runs.take(last_on_top).paint(label, self.codes[last_on_top])
        return label

    def to_coco(self, **names: Any) -> list[dict[str, Any]]:
        """Return COCO results, one dict each: what ``instances.json`` holds.

        Parameters
        ----------
        names
            What each row begins with, such as ``image_id`` and ``file_name``.

        Examples
        --------
        >>> mask = np.zeros((1, 4, 5), bool)
        >>> mask[0, 1:3, 0] = True
        >>> Instances.from_masks(mask, [39], [0.9]).to_coco(image_id=1, file_name="a.jpg")
        [{'image_id': 1, 'file_name': 'a.jpg', 'category_id': 39, 'bbox': [0.0, 1.0, 1.0, 2.0], 'score': 0.9,
          'segmentation': {'size': [4, 5], 'counts': '12a0'}}]
        """
        # The fewest digits that give the same float32.
        scores = [float(str(score)) for score in self.scores]
        columns = (self.class_ids.tolist(), coco_boxes(self.boxes), scores, self.runs.to_rle())
        keys = ("category_id", "bbox", "score", "segmentation")
        return [{**names, **dict(zip(keys, row, strict=True))} for row in zip(*columns, strict=True)]

    def to_full_frame(self) -> Instances:
        """Bring the instances into the pixels of the full 3384x2710 frame.

        From the report's 832x640 crop each pixel becomes a 4x4 block, as in `wadlib.preprocess.upsample_label`.
        (`wadlib.maskrcnn.inference` does better: it brings a network's small masks straight to full size.)

        Raises
        ------
        InstancesError
            A picture that is no known part of a frame.
        """
        view = view_of(self.shape, "to_full_frame: expected instances of", InstancesError)
        factor, (top, left) = view.factor, view.region[:2]
        crops = self.runs.crops
        large = ((m.repeat(factor, 0).repeat(factor, 1), y * factor + top, x * factor + left) for m, y, x in crops)
        runs = Runs.from_crops(large, FULL_SHAPE)
        return Instances(self.class_ids, self.scores, runs, view.boxes_to_full_frame(self.boxes))


class _Masks(np.ndarray):
    """Masks as an array that has `boxes` too, for scripts of the time when ``masks`` was a type of its own.

    What is computed from it is a plain array again.
    """

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """The smallest boxes around the masks, (N, 4) float32 ``y1, x1, y2, x2``."""
        return Runs.from_array(np.asarray(self)).boxes

    def __array_wrap__(self, result: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return result[()] if return_scalar else np.asarray(result)


def scores_of(codes: npt.NDArray[np.uint16], scores: Mapping[int, float] | None) -> npt.NDArray[np.float32]:
    """Look up the score of each code, (N,) float32: 1 without scores; an InstancesError if only some have one."""
    if scores is None:
        return np.ones(codes.size, np.float32)
    without = [code for code in codes.tolist() if code not in scores]
    if without:
        raise InstancesError(
            f"there are scores for {len(scores)} instances, and none for {without[0]}",
            cause="scores of another frame, or of the instances before they were numbered",
            fix="map every code of the label map to its score",
        )
    return np.array([scores[code] for code in codes.tolist()], np.float32)


def _numbers(name: str, values: object, shape: tuple[int, ...], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Copy `values` as `dtype`, checked for their shape and for nan, infinity and fractions of class ids."""
    found = np.asarray(values)
    if found.size == 0 and shape[0] == 0:
        return np.zeros(shape, dtype)
    if found.shape != shape or found.dtype.kind not in "iuf":
        raise _wrong(f"expected {name} to be {shape} numbers, one row for each mask, got {found.shape} {found.dtype}")
    if not np.isfinite(found).all():
        raise InstancesError(
            f"Instances: expected {name} to be finite, got {found[~np.isfinite(found)][0]}",
            cause="weights that diverged in training, or a division by zero",
            fix="go back to an earlier checkpoint; nothing can be ranked by a score that is no number",
        )
    copy = found.astype(dtype)
    if np.issubdtype(dtype, np.integer) and (copy != found).any():
        raise _wrong(f"expected {name} to be whole numbers, got {found[copy != found][0]}")
    return copy


def _wrong(what: str) -> InstancesError:
    return InstancesError(
        f"Instances: {what}",
        cause="arrays of different pictures, or in another order of axes",
        fix="give class_ids (N,), scores (N,), one mask each and boxes (N, 4); Instances.from_masks takes (N, H, W)",
    )
