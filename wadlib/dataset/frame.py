"""A frame and a video of a WAD dataset."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from wadlib.errors import LabelError
from wadlib.frames import read_image, read_label

__all__ = ["Frame", "Subset", "Video", "stamp_of"]

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


def stamp_of(*paths: Path | None) -> str:
    """Say which files these are, by their sizes and times: what was made from other ones has to be made anew."""
    facts = []
    for path in paths:
        with contextlib.suppress(OSError):  # what is wrong with a file shows when it is read
            if path is not None:
                about = path.stat()
                facts += [about.st_size, about.st_mtime_ns]
    return hashlib.blake2s(repr(facts).encode(), digest_size=8).hexdigest()
