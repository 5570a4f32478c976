"""A frame and a video of a WAD dataset."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from wadlib._shared.storage import facts
from wadlib.dataset.camera import WAD_CAMERA, Camera
from wadlib.errors import LabelError
from wadlib.frames import read_image, read_label

Subset = Literal["train", "test"]

_NAME = re.compile(r"\d{6}_(?P<h>\d\d)(?P<m>\d\d)(?P<s>\d\d)(?P<ms>\d{3})_Camera_(?P<camera>\d+)")


@dataclass(frozen=True)
class Source:
    """What differs from WAD in the frames of another dataset.

    Attributes
    ----------
    kind : str
        A key of `wadlib.dataset.classes.TABLES`.
    read : function of a Frame, or None
        Gives its label in WAD's codes; None where its file holds them (see `wadlib.dataset.prepare`).
    camera : Camera or None
        How its pixels relate to WAD's; None where nobody knows, or where it is WAD's.
    unlabelled : tuple of int
        WAD class ids that nobody labelled there.
    tracks : bool
        An object has the same code in all frames of a video.
    """

    kind: str
    read: Callable[[Frame], npt.NDArray[np.uint16]] | None = None
    camera: Camera | None = None
    unlabelled: tuple[int, ...] = ()
    tracks: bool = False


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
    source : Source or None
        What differs from WAD in frames of another dataset; None in WAD.
    """

    name: str
    video: str
    image_path: Path
    label_path: Path | None = None
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def file_name(self) -> str:
        """Name of the picture in files about many pictures: no two frames of a dataset have the same."""
        return self.image_path.name if self.source is None else f"{self.name}{self.image_path.suffix}"

    @property
    def is_foreign(self) -> bool:
        """Whether its pixels are neither those of a WAD frame nor those of a view of one."""
        return self.source is not None and self.source.read is not None and self.source.camera != WAD_CAMERA

    @property
    def camera_px(self) -> Camera | None:
        """How its pixels relate to WAD's, see `wadlib.dataset.camera`; None where nobody knows."""
        return None if self.source is None else self.source.camera

    @property
    def unlabelled(self) -> tuple[int, ...]:
        """WAD class ids that nobody labelled in this frame's dataset."""
        return () if self.source is None else self.source.unlabelled

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
        if self.source is None or self.source.read is None:
            return read_label(self.label_path, shape=shape, window=window)
        label = self.source.read(self)
        if shape is not None and label.shape != tuple(shape):
            found = f"{label.shape[1]}x{label.shape[0]} ({self.name})"
            raise LabelError(
                f"read_label: expected {shape[1]}x{shape[0]} pixels, got {found}",
                cause="a picture or a label that was resized",
                fix="pair each picture with the label of the same name and the same size",
            )
        return label if window is None else label[window]

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


def stamp_of(*paths: Path | None) -> str:
    """Say which files these are, by their sizes and times: what was made from other ones has to be made anew."""
    found: list[object] = []
    for path in paths:
        with contextlib.suppress(OSError):  # what is wrong with a file shows when it is read
            if path is not None:
                found += facts(path)
    return hashlib.blake2s(repr(found).encode(), digest_size=8).hexdigest()
