"""A frame and a video of a WAD dataset, and what is labelled in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from wadlib._shared.parallel import map_frames
from wadlib.errors import LabelError
from wadlib.frames import read_image, read_label
from wadlib.labels import CLASSES, IDS, decode

__all__ = ["Frame", "InstanceCounts", "Subset", "Video", "code_areas", "count_instances", "counted"]

Subset = Literal["train", "test"]

_NAME = re.compile(r"\d{6}_(?P<h>\d\d)(?P<m>\d\d)(?P<s>\d\d)(?P<ms>\d{3})_Camera_(?P<camera>\d+)")


@dataclass(frozen=True)
class Frame:
    """One frame: where its picture and its label are.

    Attributes
    ----------
    name : str
        Such as ``YYMMDD_HHMMSSmmm_Camera_5``. For a test frame this is the name from the mapping
        file; its md5 name, the ImageId of a submission, is ``image_path.stem``.
    video : str
        Name of its video.
    image_path : Path
    label_path : Path or None
        None for test frames and for training frames whose label is missing.
    """

    name: str
    video: str
    image_path: Path
    label_path: Path | None = None

    @property
    def camera(self) -> int | None:
        """Camera number, 5 (left) or 6 (right) in WAD; None if the name does not tell."""
        match = _NAME.fullmatch(self.name)
        return int(match["camera"]) if match else None

    @property
    def time_s(self) -> float:
        """Time of day in seconds; ``nan`` if the name does not tell.

        Examples
        --------
        >>> Frame("170908_061502250_Camera_5", "v", Path("a.jpg")).time_s  # 6:15:02.250
        22502.25
        """
        match = _NAME.fullmatch(self.name)
        if match is None:
            return math.nan
        return int(match["h"]) * 3600 + int(match["m"]) * 60 + int(match["s"]) + int(match["ms"]) / 1000

    def read_image(self) -> npt.NDArray[np.uint8]:
        """Read the picture, (H, W, 3) uint8 RGB."""
        return read_image(self.image_path)

    def read_label(
        self, shape: tuple[int, int] | None = None, window: tuple[slice, slice] | None = None
    ) -> npt.NDArray[np.uint16]:
        """Read the label, (H, W) uint16 codes; `shape` and `window` as in `wadlib.frames.read_label`.

        Raises
        ------
        LabelError
            The frame has no label, or its file is not a sound label.
        """
        if self.label_path is None:
            raise LabelError(
                f"read_label: frame {self.name} has no label",
                cause="a test frame, or a label file that is missing",
                fix="use wad.frames: the training frames that have one",
            )
        return read_label(self.label_path, shape=shape, window=window)

    def read_pair(
        self, window: tuple[slice, slice] | None = None
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
        """Read picture and label and make sure that they have the same size.

        Parameters
        ----------
        window : (rows, columns), optional
            Two slices for the label (the picture is whole), such as `wadlib.preprocess.NETWORK_WINDOW`.

        Raises
        ------
        LabelError
            Another size than the picture; the message names both files.
        """
        image = self.read_image()
        try:
            label = self.read_label(shape=(image.shape[0], image.shape[1]), window=window)
        except LabelError as error:
            if "pixels, got" not in error.what or self.label_path is None:
                raise
            raise LabelError(
                f"{error.what}: not the size of its picture {self.image_path.name}", cause=error.cause, fix=error.fix
            ) from error
        return image, label


@dataclass(frozen=True)
class Video:
    """Consecutive frames of one camera.

    Attributes
    ----------
    name : str
        From the list file, such as ``road01_cam_5_video_2``; ``unlisted_cam_5`` for frames that no
        list names.
    subset : "train" or "test"
    camera : int or None
    frames : tuple of Frame
        In the order of the list.
    """

    name: str
    subset: Subset
    camera: int | None
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class InstanceCounts:
    """What is labelled in some frames.

    Attributes
    ----------
    frames : int
        Frames that were read.
    codes : (N,) uint16
        Label code of each instance of an evaluated class, frame by frame.
    areas_px : (N,) int64
        Visible area of each instance, in pixels of the label file.
    per_frame : (frames,) int64
        Instances in each frame.
    failed : tuple of str
        What is wrong with each label that could not be read; those frames are not counted.
    """

    frames: int
    codes: npt.NDArray[np.uint16]
    areas_px: npt.NDArray[np.int64]
    per_frame: npt.NDArray[np.int64]
    failed: tuple[str, ...] = ()

    @property
    def instances(self) -> dict[int, int]:
        """Class id -> number of instances, in the order of the class table."""
        ids = decode(self.codes)[0]
        return {class_id: int((ids == class_id).sum()) for class_id in IDS}

    @property
    def frames_with(self) -> dict[int, int]:
        """Class id -> number of frames in which it occurs."""
        ids = decode(self.codes)[0].astype(np.int64)
        frame = np.repeat(np.arange(self.frames), self.per_frame)
        seen = np.unique(frame * 1000 + ids) % 1000
        return {class_id: int((seen == class_id).sum()) for class_id in IDS}

    def table(self) -> str:
        """A small text table: class, instances, frames, median area."""
        ids, instances, frames = decode(self.codes)[0], self.instances, self.frames_with
        lines = [f"{'class':<14}{'instances':>10}{'frames':>8}{'median px':>11}"]
        for class_id, row in CLASSES.items():
            areas = self.areas_px[ids == class_id]
            median = f"{np.median(areas):.0f}" if len(areas) else "-"
            lines.append(f"{row.name:<14}{instances[class_id]:>10}{frames[class_id]:>8}{median:>11}")
        lines.append(f"{'all':<14}{len(self.codes):>10}{int((self.per_frame > 0).sum()):>8}")
        if self.failed:
            lines.append(f"{len(self.failed)} labels could not be read and are not counted:")
            lines += [f"  {message.splitlines()[0]}" for message in self.failed[:10]]
        return "\n".join(lines)


def code_areas(label: npt.NDArray[np.uint16]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Codes of the evaluated instances in a label, ascending, and their areas in pixels.

    Examples
    --------
    >>> codes, areas_px = code_areas(np.array([[255, 36000, 36000], [33001, 65535, 36000]], np.uint16))
    >>> codes.tolist(), areas_px.tolist()
    ([33001, 36000], [1, 3])
    """
    flat = np.ascontiguousarray(label).ravel()
    if not flat.size:
        return np.empty(0, np.uint16), np.empty(0, np.int64)
    # Row by row a label is a few long runs of one code: add up run lengths, not pixels.
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    areas = np.bincount(flat[starts], weights=lengths).astype(np.int64)
    codes = np.flatnonzero(areas).astype(np.uint16)
    codes = codes[np.isin(decode(codes)[0], IDS)]
    return codes, areas[codes]


def count_instances(
    frames: Iterable[Frame], *, workers: int | None = None, executor: Executor | None = None, progress: bool = True
) -> InstanceCounts:
    """Read the labels of `frames` and count what is in them.

    One damaged label does not cost the run: it goes to ``failed`` of the result.

    Parameters
    ----------
    frames : frames with a label
    workers, executor, progress : see `wadlib._shared.parallel.map_frames`; threads by default
    """
    counted = map_frames(
        _count_one,
        frames,
        workers=workers,
        threads=True,
        executor=executor,
        description="counting",
        progress=progress,
    )
    results = [result for _, result in counted]
    found = [result for result in results if not isinstance(result, str)]
    return InstanceCounts(
        frames=len(found),
        codes=np.concatenate([np.empty(0, np.uint16), *(codes for codes, _ in found)]),
        areas_px=np.concatenate([np.empty(0, np.int64), *(areas for _, areas in found)]),
        per_frame=np.array([len(codes) for codes, _ in found], np.int64),
        failed=tuple(result for result in results if isinstance(result, str)),
    )


def _count_one(frame: Frame) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]] | str:
    try:
        return code_areas(frame.read_label())
    except LabelError as error:
        return str(error)


def counted(number: int, noun: str) -> str:
    """``1 frame``, ``2 frames``.

    Examples
    --------
    >>> counted(1, "video")
    '1 video'
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")
