"""What a network finds in one picture: boxes, class ids, scores and masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import InstancesError, LabelError
from wadlib.frames import FULL_SHAPE
from wadlib.instances.crops import Crop
from wadlib.labels import BACKGROUND, CLASSES, IDS, INSTANCES_PER_CLASS, encode
from wadlib.preprocess import view_of

__all__ = ["Instances"]


@dataclass(frozen=True, eq=False, repr=False)
class Instances:
    """Instances of one picture. Each mask is kept as the piece of the picture that it covers.

    Attributes
    ----------
    boxes : (N, 4) float32
        ``y1, x1, y2, x2`` in pixels of the picture, half-open.
    class_ids : (N,) int32
        WAD class ids, 33 to 40.
    scores : (N,) float32
    crops : tuple of N `wadlib.instances.crops.Crop`
        The masks; a plain (N, H, W) array of them is `masks`.
    shape : (height, width)
        Of the picture in pixels.

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
    >>> found.to_label_map()
    array([[33000, 33000, 33000,   255,   255,   255],
           [33000, 33000, 33000, 36000,   255,   255],
           [  255,   255, 36000, 36000,   255,   255],
           [  255,   255, 36000, 36000,   255,   255]], dtype=uint16)
    """

    boxes: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    crops: tuple[Crop, ...] = field(repr=False)
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        crops = tuple(self.crops)
        boxes = _numbers("boxes", self.boxes, (len(crops), 4), np.float32)
        class_ids = _numbers("class_ids", self.class_ids, (len(crops),), np.int32)
        scores = _numbers("scores", self.scores, (len(crops),), np.float32)
        shape = tuple(int(side) for side in self.shape)
        if len(shape) != 2 or min(shape) < 1:
            raise _wrong(f"expected shape to be (height, width) of the picture in pixels, got {self.shape}")
        flat = np.flatnonzero((boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1]))
        if flat.size:
            raise _wrong(f"expected boxes y1, x1, y2, x2 with y1 < y2 and x1 < x2, got {boxes[flat[0]].tolist()}")
        foreign = class_ids[~np.isin(class_ids, IDS)]
        if foreign.size:
            raise _wrong(f"expected WAD class ids among {IDS}, got {int(foreign[0])}")
        for crop in crops:
            _check_crop(crop, shape)
        for name, value in zip(("boxes", "class_ids", "scores"), (boxes, class_ids, scores), strict=True):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        object.__setattr__(self, "crops", crops)
        object.__setattr__(self, "shape", shape)

    # --- makers ----------------------------------------------------------------------------------

    @classmethod
    def from_masks(
        cls,
        masks: npt.ArrayLike,
        class_ids: npt.ArrayLike,
        scores: npt.ArrayLike,
        boxes: npt.ArrayLike | None = None,
    ) -> Instances:
        """Instances from whole masks.

        Parameters
        ----------
        masks : (N, H, W) bool
        class_ids : (N,) WAD class ids
        scores : (N,)
        boxes : (N, 4), optional
            By default the smallest boxes around the masks; then each mask needs at least one pixel.
        """
        masks = np.asarray(masks)
        if masks.ndim != 3 or masks.dtype != np.bool_:
            raise _wrong(f"expected masks to be a (N, H, W) bool array, got {masks.shape} {masks.dtype}")
        crops = tuple(Crop.of(mask) for mask in masks)
        if boxes is None:
            boxes = [(c.y, c.x, c.y + c.mask.shape[0], c.x + c.mask.shape[1]) for c in crops]
            if any(c.mask.size == 0 for c in crops):
                empty = next(i for i, c in enumerate(crops) if c.mask.size == 0)
                raise _wrong(f"expected masks with at least one pixel each, got none in mask {empty}")
            boxes = np.array(boxes, np.float32).reshape(-1, 4)
        return cls(boxes, class_ids, scores, crops, masks.shape[1:])  # type: ignore[arg-type]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Instances:
        """No instance in a picture of `shape`."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, np.float32), (), shape)

    # --- looking at them -------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, which: slice | Sequence[int] | npt.NDArray[Any]) -> Instances:
        """Some of them: a slice, a list of positions, or a (N,) bool array."""
        positions = np.atleast_1d(np.arange(len(self))[which])
        crops = tuple(self.crops[i] for i in positions)
        return Instances(self.boxes[positions], self.class_ids[positions], self.scores[positions], crops, self.shape)

    def __repr__(self) -> str:
        height, width = self.shape
        counts = Counter(self.class_ids.tolist())
        named = ", ".join(f"{counts[class_id]} {CLASSES[class_id].name}" for class_id in IDS if counts[class_id])
        scores = f"; scores {self.scores.min():.2f} to {self.scores.max():.2f}" if len(self) else ""
        return f"Instances({len(self)} in a {width}x{height} picture{': ' + named if named else ''}{scores})"

    @property
    def masks(self) -> npt.NDArray[np.bool_]:
        """All masks as one (N, H, W) bool array, made anew: 9 MB for each instance of a full-size frame."""
        masks = np.zeros((len(self), *self.shape), np.bool_)
        for mask, crop in zip(masks, self.crops, strict=True):
            mask[crop.window] = crop.mask
        return masks

    @property
    def areas_px(self) -> npt.NDArray[np.int64]:
        """Pixels of each mask, (N,) int64."""
        return np.array([np.count_nonzero(crop.mask) for crop in self.crops], np.int64)

    @property
    def codes(self) -> npt.NDArray[np.uint16]:
        """Label code of each, (N,) uint16: within a class the instances are numbered from 0, best score first.

        Raises
        ------
        LabelError
            More than 1000 instances of one class.
        """
        numbers = np.zeros(len(self), np.int64)
        best_first = self._best_first
        for class_id in set(self.class_ids.tolist()):
            own = best_first[self.class_ids[best_first] == class_id]
            if len(own) > INSTANCES_PER_CLASS:
                raise LabelError(
                    f"Instances: expected at most {INSTANCES_PER_CLASS} of class {CLASSES[class_id].name} "
                    f"in a label, got {len(own)}",
                    cause="a score threshold so low that it lets noise through",
                    fix="keep the better ones first: instances.filter(0.5)",
                )
            numbers[own] = np.arange(len(own))
        return np.asarray(encode(self.class_ids, numbers), np.uint16)

    @property
    def _best_first(self) -> npt.NDArray[np.intp]:
        return np.argsort(-self.scores, kind="stable")  # of equal scores the first stays first

    def filter(self, min_score: float) -> Instances:
        """Those with a score of at least `min_score`."""
        return self[self.scores >= np.float32(min_score)]

    # --- as others want them ---------------------------------------------------------------------

    def to_label_map(self) -> npt.NDArray[np.uint16]:
        """All in one label, (H, W) uint16 codes; where masks overlap, the highest score lies on top.

        Raises
        ------
        LabelError
            More than 1000 instances of one class.
        """
        label = np.full(self.shape, BACKGROUND, np.uint16)
        codes = self.codes
        for i in self._best_first[::-1]:
            np.copyto(label[self.crops[i].window], codes[i], where=self.crops[i].mask)
        return label

    def to_coco(self, file_name: str, image_id: int | None = None) -> list[dict[str, Any]]:
        """COCO results, one dict each, with the name of the picture: what ``instances.json`` holds.

        Parameters
        ----------
        file_name : str
            Name of the picture file.
        image_id : int, optional
            Its number, where the reader goes by numbers; left out if None.

        Examples
        --------
        >>> mask = np.zeros((1, 4, 5), bool)
        >>> mask[0, 1:3, 0] = True
        >>> Instances.from_masks(mask, [39], [0.5]).to_coco("a.jpg", 1)
        [{'image_id': 1, 'file_name': 'a.jpg', 'category_id': 39, 'bbox': [0.0, 1.0, 1.0, 2.0], 'score': 0.5,
          'segmentation': {'size': [4, 5], 'counts': '12a0'}}]
        """
        from wadlib.instances.rle import encode_crop  # needs pycocotools, which looking at instances does not

        number = {} if image_id is None else {"image_id": int(image_id)}
        return [
            {
                **number,
                "file_name": file_name,
                "category_id": class_id,
                "bbox": [_shortest(side) for side in (x1, y1, x2 - x1, y2 - y1)],
                "score": _shortest(score),
                "segmentation": encode_crop(crop.mask, crop.y, crop.x, self.shape),
            }
            for (y1, x1, y2, x2), class_id, score, crop in zip(
                self.boxes, self.class_ids.tolist(), self.scores, self.crops, strict=True
            )
        ]

    def to_full_frame(self) -> Instances:
        """The same instances in the pixels of the full 3384x2710 frame.

        From the report's 832x640 crop each pixel becomes a 4x4 block, as in `wadlib.preprocess.upsample_label`.
        (`wadlib.maskrcnn.inference` does better: it brings a network's small masks straight to full size.)

        Raises
        ------
        InstancesError
            A picture that is no known part of a frame.
        """
        view = view_of(self.shape, "to_full_frame: expected instances of", InstancesError)
        boxes = view.boxes_to_full_frame(self.boxes)
        crops = tuple(crop.enlarged(view.factor, *view.region[:2]) for crop in self.crops)
        return Instances(boxes, self.class_ids, self.scores, crops, FULL_SHAPE)


def _numbers(name: str, values: object, shape: tuple[int, ...], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """A copy of `values` as `dtype`, checked for its shape and for nan, infinity and fractions of class ids."""
    found = np.asarray(values)
    if found.size == 0 and shape[0] == 0:
        return np.zeros(shape, dtype)
    if found.shape != shape or found.dtype.kind not in "iuf":
        raise _wrong(f"expected {name} to be {shape} numbers, one row for each mask, got {found.shape} {found.dtype}")
    if not np.isfinite(found).all():
        raise InstancesError(
            f"Instances: expected {name} to be finite, got {found[~np.isfinite(found)][0]}",
            cause="weights that diverged in training, or a division by zero",
            fix="go back to an earlier checkpoint",
        )
    copy = found.astype(dtype)
    if np.issubdtype(dtype, np.integer) and (copy != found).any():
        raise _wrong(f"expected {name} to be whole numbers, got {found[copy != found][0]}")
    return copy


def _check_crop(crop: Crop, shape: tuple[int, ...]) -> None:
    mask = np.asarray(crop.mask)
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise _wrong(f"expected each mask to be a 2-D bool array, got {mask.shape} {mask.dtype}")
    bottom, right = crop.y + mask.shape[0], crop.x + mask.shape[1]
    if crop.y < 0 or crop.x < 0 or bottom > shape[0] or right > shape[1]:
        raise _wrong(
            f"expected masks inside the {shape[1]}x{shape[0]} picture, got one over rows {crop.y} to {bottom} "
            f"and columns {crop.x} to {right}"
        )


def _shortest(value: np.float32) -> float:
    """The float with the fewest digits that is this float32, for JSON."""
    return float(str(np.float32(value)))


def _wrong(what: str) -> InstancesError:
    return InstancesError(
        f"Instances: {what}",
        cause="arrays of different pictures, or in another order of axes",
        fix="give boxes (N, 4), class_ids (N,), scores (N,) and one mask each; Instances.from_masks takes (N, H, W)",
    )
