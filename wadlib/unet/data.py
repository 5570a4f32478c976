"""Frames -> (picture, target) batches for a U-Net."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import atomic_path, make_folder
from wadlib._shared.parallel import map_frames
from wadlib.dataset.frame import Frame
from wadlib.errors import TrainingError
from wadlib.labels import IDS, NETWORK_INDEX, NO_INDEX, network_indices
from wadlib.training import Batches
from wadlib.training.augmentation import Augmentation
from wadlib.unet.geometry import Geometry

Image = npt.NDArray[np.uint8]
Target = npt.NDArray[np.uint8]

CLASS_TABLES: dict[str, dict[int, int]] = {
    "wad": NETWORK_INDEX,
    "attempt9": {class_id: class_id - 32 for class_id in range(33, 41)},
    "attempt2": {33: 1} | dict.fromkeys(range(34, 41), NO_INDEX),
}
"""WAD class id -> channel of the network. ``wad``: the seven classes. ``attempt9``: 33 to 40, the rider
among them. ``attempt2``: car alone, and pixels of any other class have no target."""


class SmallFrames:
    """Frames at the size of a network, each decoded once.

    Parameters
    ----------
    geometry : Geometry
    classes : mapping
        WAD class id -> channel, see `CLASS_TABLES`.
    cache : path, optional
        Folder where small frames are kept, one file each, whole or not at all; without it they are kept
        in memory (about 0.6 MB each for the strip at a quarter of the resolution). A file belongs to one
        geometry and class table and to the picture and label as they were (path, size and time), so that
        runs may share a folder.
    """

    def __init__(
        self, geometry: Geometry, classes: Mapping[int, int] = NETWORK_INDEX, *, cache: str | Path | None = None
    ) -> None:
        self.geometry, self.classes = geometry, dict(classes)
        self.cache = None if cache is None else make_folder(cache)
        self._kept: dict[Frame, Image] = {}

    def read(self, frame: Frame) -> tuple[Image, Target]:
        """Read a labelled frame: picture (h,w,3) uint8 RGB and target (h,w) uint8.

        The target is the channel of each cell, NO_INDEX where there is none.

        Raises
        ------
        ImageError, LabelError
            A damaged file, a frame of another size, a class that no row of the class table has.
        """
        both = self._kept.get(frame)
        path = None if both is not None or self.cache is None else self.cache / self._file_name(frame)
        if path is not None:
            both = _read_cached(path, (*self.geometry.shape, 4))
        if both is None:
            both = np.dstack([*self._decode(frame)])  # (h,w,4)
            if path is not None:
                with atomic_path(path) as part, part.open("wb") as file:
                    np.save(file, both)
        if path is None:
            self._kept[frame] = both
        return both[:, :, :3], both[:, :, 3]

    def fill(self, frames: Iterable[Frame], *, workers: int | None = None, progress: bool = True) -> None:
        """Decode all frames now, several at once, with a progress bar; those that are there are skipped."""
        todo = list(dict.fromkeys(frames))
        for _ in map_frames(
            self._keep,
            todo,
            done=self._has,
            workers=workers,
            threads=True,
            description="reading frames",
            progress=progress,
        ):
            pass

    def _keep(self, frame: Frame) -> None:
        self.read(frame)  # and do not hold on to it: that is what the cache is for

    def _has(self, frame: Frame) -> bool:
        return frame in self._kept or (self.cache is not None and (self.cache / self._file_name(frame)).exists())

    def _decode(self, frame: Frame) -> tuple[Image, Target]:
        image = frame.read_image()
        shape = (image.shape[0], image.shape[1])
        window = self.geometry.window(shape)
        label = frame.read_label(shape=shape, window=window)
        target = network_indices(label, self.classes)
        return self.geometry.picture(image), target if window is not None else self.geometry.label(target, NO_INDEX)

    def _file_name(self, frame: Frame) -> str:
        facts: list[Any] = [self.geometry.to_dict(), sorted(self.classes.items())]
        for path in (frame.image_path, frame.label_path):
            if path is not None and path.exists():
                about = path.stat()
                facts += [path.resolve().as_posix(), about.st_size, about.st_mtime_ns]
        return f"{frame.name}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]}.npy"


def batches(
    frames: Sequence[Frame],
    small: SmallFrames,
    *,
    batch_size: int,
    seed: int = 0,
    augment: Augmentation | None = None,
    training: bool = True,
    steps: int | None = None,
    weights: npt.ArrayLike | None = None,
    columns: int | None = None,
) -> Batches[Any]:
    """Make batches of x (B,h,w,3) uint8 and y (B,h,w) uint8 for `wadlib.training.fit`.

    Parameters
    ----------
    frames : labelled frames, such as one side of a split
    small : SmallFrames
    batch_size, seed, steps
        See `wadlib.training.Batches`.
    augment : Augmentation, optional
        For training only.
    training : bool
        False: each frame once, in order, as it is.
    weights : (N,), optional
        How often each frame is to be drawn, relative to the others; see `wadlib.training.repeat_factors`.
    columns : int, optional
        Of a window, if not the whole picture is taken. In training one around an object, see `object_window`;
        else the picture is cut into windows side by side, which are all taken.
    """
    width = columns or small.geometry.width

    # Training looks at a window around an object, drawn anew each time …
    def sample(frame: Frame, rng: np.random.Generator) -> tuple[Image, Target]:
        image, target = small.read(frame)
        if width < small.geometry.width:
            window = object_window(target, width, rng)
            image, target = image[:, window], target[:, window]
        return augment(image, target, rng) if augment is not None else (image, target)

    # … validation at all windows of a frame, one after the other, and never augmented.
    def piece(item: tuple[Frame, int], _: np.random.Generator) -> tuple[Image, Target]:
        (image, target), window = small.read(item[0]), slice(item[1], item[1] + width)
        return image[:, window], target[:, window]

    if not training:
        pieces = [(frame, start) for frame in frames for start in range(0, small.geometry.width, width)]
        return Batches(
            pieces, piece, batch_size=batch_size, seed=seed, shuffle=False, steps=steps, name=lambda item: item[0].name
        )
    return Batches(
        frames,
        sample,
        batch_size=batch_size,
        seed=seed,
        shuffle=True,
        steps=steps,
        weights=weights,
    )


def object_window(target: Target, width: int, rng: np.random.Generator) -> slice:
    """Place a window around a random pixel of a random class: rare classes are in it as often as others.

    Parameters
    ----------
    target : (h,w) channels; 0 is background
    width : int
        Columns of the window, no more than there are.

    Returns
    -------
    slice
        Of any window, where the picture holds no object.
    """
    last = target.shape[1] - width
    there = np.flatnonzero(np.bincount(target.ravel(), minlength=256)[1:NO_INDEX]) + 1
    if not len(there):
        start = int(rng.integers(0, last + 1))
    else:
        columns = np.nonzero(target == rng.choice(there))[1]
        start = int(np.clip(rng.choice(columns) - rng.integers(0, width), 0, last))
    return slice(start, start + width)


def class_pixels(frames: Sequence[Frame], small: SmallFrames, channels: int = 1 + len(IDS)) -> npt.NDArray[np.int64]:
    """Count the pixels of each channel in each frame, (N, channels); those without a target are not counted."""
    if not len(frames):
        raise TrainingError(
            "class_pixels: expected at least one frame, got none", cause="an empty split", fix="pass labelled frames"
        )
    targets = (small.read(frame)[1] for frame in frames)
    return np.stack([np.bincount(target.ravel(), minlength=256)[:channels] for target in targets])


def _read_cached(path: Path, shape: tuple[int, ...]) -> Image | None:
    try:
        both = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # not there, or damaged: it is decoded again
    return both if both.shape == shape and both.dtype == np.uint8 else None
