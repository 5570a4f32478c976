"""Masks of one frame as runs down its columns: what COCO's run-length encoding holds, as arrays.

A street's objects have a few thousand runs where the frame has half a million pixels, they may
overlap, and their areas, boxes and intersections follow from the runs alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib.errors import InstancesError, MetricError
from wadlib.instances.kernels import intersect_runs, runs_of_strings
from wadlib.instances.rle import Rle, compressed, size_of, size_text

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint16]


class Crop(NamedTuple):
    """The (h,w) bool part of a mask that holds all its pixels, its first row and its first column in the frame."""

    mask: npt.NDArray[np.bool_]
    y: int
    x: int


@dataclass(frozen=True, eq=False)
class Runs:
    """N masks of one (H,W) frame.

    Attributes
    ----------
    shape : (H, W)
    starts, ends : (R,) int64
        Half-open runs; pixel (y, x) has the number ``x * H + y``: down the first column, then the
        second. Within a mask they are sorted and do not touch, but may go on over the foot of a
        column.
    offsets : (N+1,) int64
        Runs ``offsets[n]:offsets[n + 1]`` belong to mask n.

    Examples
    --------
    >>> masks = Runs.from_array(np.array([[[0, 1, 1], [0, 1, 0]]], bool))
    >>> masks.starts.tolist(), masks.ends.tolist(), masks.areas.tolist()
    ([2], [5], [3])
    """

    shape: tuple[int, int]
    starts: Ints
    ends: Ints
    offsets: Ints

    def __len__(self) -> int:
        return self.offsets.size - 1

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Runs:
        """Make a set without any mask."""
        return cls(shape, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(1, np.int64))

    @classmethod
    def from_label(cls, label: Codes) -> tuple[Codes, Runs]:
        """Collect all masks of a label map in one scan.

        Parameters
        ----------
        label : (H,W) uint16

        Returns
        -------
        codes : (N,) uint16
            The codes from 1000 up that occur, sorted: instances of any class, and IGNORE.
        masks : Runs
            One for each code, however many parts it has.
        """
        height, width = label.shape
        # Where does a column's code change? Compared row with row, because rows lie together in memory.
        inside = np.flatnonzero(label[1:] != label[:-1])
        tops = np.flatnonzero(label[0, 1:] != label[-1, :-1]) + 1  # a run may go on into the next column
        starts = np.concatenate(([0], (inside % width) * height + inside // width + 1, tops * height))
        starts.sort()
        codes = label[starts % height, starts // height]
        ends = np.append(starts[1:], label.size)
        wanted = np.flatnonzero(codes >= 1000)
        order = wanted[np.argsort(codes[wanted], kind="stable")]
        names, first = np.unique(codes[order], return_index=True)
        return names, cls((height, width), starts[order], ends[order], np.append(first, order.size).astype(np.int64))

    @classmethod
    def from_array(cls, masks: npt.NDArray[np.bool_]) -> Runs:
        """Pack (N,H,W) bool."""
        if masks.ndim != 3 or masks.dtype != np.bool_:
            raise InstancesError(
                f"Runs.from_array: expected masks of shape (N,H,W), dtype bool, got {masks.shape} {masks.dtype}",
                cause="one mask in place of a stack, or masks with the instance axis last",
                fix="np.stack(masks), with the instance axis first and dtype bool",
            )
        shape = (masks.shape[1], masks.shape[2])
        return cls.from_crops(((mask, 0, 0) for mask in masks), shape)

    @classmethod
    def from_crops(cls, crops: Iterable[Crop | tuple[npt.NDArray[np.bool_], int, int]], shape: tuple[int, int]) -> Runs:
        """Join the masks of a frame of `shape`, each given by the part that it covers."""
        return cls.concatenate([cls.from_crop(mask, y, x, shape) for mask, y, x in crops], shape)

    @classmethod
    def from_crop(cls, mask: npt.NDArray[np.bool_], y: int, x: int, shape: tuple[int, int]) -> Runs:
        """Make one mask of the (h,w) bool part of a frame of `shape` that begins at row y and column x."""
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise InstancesError(
                f"Runs.from_crop: expected each mask to be a 2-D bool array, got {mask.shape} {mask.dtype}",
                cause="probabilities, or a stack of masks",
                fix="cut at a threshold first: mask >= 0.5",
            )
        height, width = mask.shape
        if y < 0 or x < 0 or y + height > shape[0] or x + width > shape[1]:
            raise InstancesError(
                f"Runs.from_crop: {width}x{height} pixels at x {x}, y {y} leave the frame of {shape[1]}x{shape[0]}",
                cause="a box that was not clipped",
                fix="cut the mask off at the edge of the frame",
            )
        columns = np.zeros((width, height + 2), np.int8)
        columns[:, 1:-1] = mask.T
        change = np.diff(columns, axis=1)
        column, row = np.nonzero(change == 1)
        starts = (column + x) * shape[0] + row + y
        column, row = np.nonzero(change == -1)
        ends = (column + x) * shape[0] + row + y
        if height == shape[0] and starts.size:  # only then can a run go on into the next column
            apart = starts[1:] != ends[:-1]
            starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
        return cls(shape, starts, ends, np.array([0, starts.size], np.int64))

    @classmethod
    def concatenate(cls, parts: Sequence[Runs], shape: tuple[int, int]) -> Runs:
        """Put all masks of some sets for one frame of `shape` together, in order."""
        if not parts:
            return cls.empty(shape)
        sizes = np.concatenate([np.diff(part.offsets) for part in parts])
        return cls(
            shape,
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.ends for part in parts]),
            np.append(0, np.cumsum(sizes)).astype(np.int64),
        )

    @classmethod
    def from_rle(cls, rles: Sequence[Rle], shape: tuple[int, int]) -> Runs:
        """Decode COCO's RLE (string, bytes, or plain counts; also counts alone) of masks of one frame of `shape`.

        Raises
        ------
        InstancesError
            One is damaged, or of another size.
        """
        rles = [{"size": shape, "counts": rle} if isinstance(rle, list | str | bytes) else rle for rle in rles]
        for rle in rles:
            if size_of(rle) != tuple(shape):
                raise InstancesError(
                    f"expected masks of {shape[1]}x{shape[0]} pixels, got {size_text(size_of(rle))}",
                    cause="masks of another frame or size, or no RLE at all",
                    fix='pass {"size": [height, width], "counts": "…"} of one frame',
                )
        return cls.from_strings([compressed(n, rle["counts"], shape) for n, rle in enumerate(rles)], shape)

    @classmethod
    def from_strings(cls, strings: Sequence[str | bytes], shape: tuple[int, int]) -> Runs:
        """Decode COCO's compressed run-length strings, all of masks of one shape.

        Raises
        ------
        InstancesError
            A string that is damaged or belongs to a mask of another size; the message gives its position.
        """
        data = [string.encode("latin-1", "replace") if isinstance(string, str) else string for string in strings]
        chars = np.frombuffer(b"".join(data), np.uint8)
        string_ends = np.array([len(each) for each in data], np.int64).cumsum()
        starts, ends = np.empty((2, chars.size), np.int64)
        offsets = np.zeros(len(data) + 1, np.int64)
        bad = runs_of_strings(chars, string_ends, shape[0] * shape[1], starts, ends, offsets)
        if bad >= 0:
            raise InstancesError(
                f"Runs.from_strings: string {bad} is not the mask of {shape[1]}x{shape[0]} pixels: {data[bad][:40]!r}",
                cause="a damaged file, or a mask of another size",
                fix="write the masks again, at the size that the frames have",
            )
        return cls(shape, starts[: offsets[-1]].copy(), ends[: offsets[-1]].copy(), offsets)

    @property
    def areas(self) -> Ints:
        """(N,) pixels of each mask."""
        total = np.zeros(self.starts.size + 1, np.int64)
        np.cumsum(self.ends - self.starts, out=total[1:])
        before = total[self.offsets]
        return before[1:] - before[:-1]

    @property
    def boxes(self) -> npt.NDArray[np.float32]:
        """(N,4) float32 half-open ``y1, x1, y2, x2`` in pixels; zeros for an empty mask."""
        height = self.shape[0]
        boxes = np.zeros((len(self), 4), np.float32)
        some = np.flatnonzero(np.diff(self.offsets))
        if not some.size:
            return boxes
        at = self.offsets[some]
        last = self.ends - 1
        tall = self.starts // height != last // height  # a run over the foot of a column reaches both edges
        boxes[some, 0] = np.minimum.reduceat(np.where(tall, 0, self.starts % height), at)
        boxes[some, 1] = self.starts[at] // height
        boxes[some, 2] = np.maximum.reduceat(np.where(tall, height - 1, last % height), at) + 1
        boxes[some, 3] = last[self.offsets[some + 1] - 1] // height + 1
        return boxes

    def counts(self, n: int) -> list[int]:
        """Return COCO's uncompressed run lengths of mask n: how many zeros, then ones, then zeros…"""
        runs = slice(self.offsets[n], self.offsets[n + 1])
        edges = np.stack((self.starts[runs], self.ends[runs]), axis=1).ravel()
        lengths: list[int] = np.diff(np.concatenate(([0], edges, [self.shape[0] * self.shape[1]]))).tolist()
        return lengths if lengths[-1] or len(lengths) == 1 else lengths[:-1]

    def to_rle(self) -> list[Rle]:
        """Encode each mask as COCO does; pycocotools writes the strings.

        Examples
        --------
        >>> Runs.from_array(np.array([[[0, 1], [1, 1]]], bool)).to_rle()
        [{'size': [2, 2], 'counts': '13'}]
        """
        from pycocotools import mask as coco_mask

        size = list(self.shape)
        plain = [{"size": size, "counts": self.counts(n)} for n in range(len(self))]
        found = coco_mask.frPyObjects(plain, *size) if plain else []
        return [{"size": size, "counts": each["counts"].decode("ascii")} for each in found]

    def take(self, which: npt.ArrayLike) -> Runs:
        """Take the masks of these numbers (or of a bool array), in that order."""
        chosen = np.asarray(which)
        index = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        sizes = np.diff(self.offsets)[index]
        offsets = np.append(0, np.cumsum(sizes)).astype(np.int64)
        runs = np.arange(offsets[-1]) + np.repeat(self.offsets[index] - offsets[:-1], sizes)
        return Runs(self.shape, self.starts[runs], self.ends[runs], offsets)

    def intersections(self, other: Runs) -> Ints:
        """Count the pixels that each of these masks shares with each of `other`, (N,M) int64."""
        if self.shape != other.shape:
            raise MetricError(
                f"Runs.intersections: expected masks of one shape, got {self.shape} and {other.shape}",
                cause="masks at network size against a frame at full size, or the other way round",
                fix="bring both to one size first",
            )
        shared = np.zeros((len(self), len(other)), np.int64)
        intersect_runs(self.starts, self.ends, self.offsets, other.starts, other.ends, other.offsets, shared)
        return shared

    def crop(self, n: int) -> Crop:
        """Cut mask n out of its box: (h,w) bool, the box's first row and column (0x0 at 0, 0 if it is empty)."""
        y1, x1, y2, x2 = self.take([n]).boxes[0].astype(int).tolist()
        height, begin = self.shape[0], x1 * self.shape[0]
        columns = np.zeros((x2 - x1) * height, np.bool_)
        runs = slice(self.offsets[n], self.offsets[n + 1])
        for start, end in zip(self.starts[runs].tolist(), self.ends[runs].tolist(), strict=True):
            columns[start - begin : end - begin] = True
        return Crop(columns.reshape(x2 - x1, height)[:, y1:y2].T, y1, x1)

    @property
    def crops(self) -> list[Crop]:
        """Each mask cut out of its box."""
        return [self.crop(n) for n in range(len(self))]

    def paint(self, picture: npt.NDArray[Any], values: Iterable[Any]) -> None:
        """Give the pixels of each mask its value in an (H,W) array, one after the other: the last lies on top."""
        for (mask, y, x), value in zip(self.crops, values, strict=True):
            np.copyto(picture[y : y + mask.shape[0], x : x + mask.shape[1]], value, where=mask)

    def to_array(self) -> npt.NDArray[np.bool_]:
        """Unpack to (N,H,W) bool."""
        masks = np.zeros((len(self), *self.shape), np.bool_)
        for n, mask in enumerate(masks):
            self.take([n]).paint(mask, [True])
        return masks

    def transposed(self) -> Runs:
        """Return the masks of the transposed frame: its columns are this frame's rows, so its runs go along rows."""
        return Runs.from_crops(((mask.T, x, y) for mask, y, x in self.crops), (self.shape[1], self.shape[0]))
