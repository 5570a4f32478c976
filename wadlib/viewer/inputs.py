"""What people hand to the viewer, in one form: item number i of frames, truth, prediction, scores, tracks.

Nothing is read here before it is asked for. What lies in memory already (arrays) is checked at once, so that
a wrong shape is an error where it was made and not a grey frame later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import DatasetError, ImageError, LabelError
from wadlib.frames import read_image, read_label
from wadlib.labels import IGNORE

PerFrame = Callable[[int, Any], Any]
"""From the number of a frame and its item to what belongs to it: a label, scores, tracks."""


@dataclass(frozen=True)
class Frames:
    """The frames of a viewer.

    Attributes
    ----------
    item : callable, number -> a Frame, an array or a path
    count : int
    single : bool
        Whether a single frame was given, so that its label is given as a single one too.
    listed : bool
        Whether the items lie in a plain list, so that looking at them all costs nothing.
    """

    item: Callable[[int], Any]
    count: int
    single: bool
    listed: bool


def frames_of(frames: Any, count: int | None) -> Frames:
    """Bring what people hand over as `frames` into one form."""
    if callable(frames) and not hasattr(frames, "read_image"):
        if count is None or count < 1:
            raise DatasetError(
                f"MaskViewer: frames is a function, and count is {count}",
                cause="a function does not say how many frames there are",
                fix="MaskViewer(function, count=100)",
            )
        return Frames(frames, count, single=False, listed=False)
    if hasattr(frames, "frames"):  # a Video, a Wad
        frames = frames.frames
    if isinstance(frames, np.ndarray) and frames.ndim == 4:
        frames = list(frames)
    if isinstance(frames, np.ndarray | str | Path) or hasattr(frames, "read_image"):
        frames, single = [frames], True
    else:
        single = False
    if not hasattr(frames, "__len__") or not hasattr(frames, "__getitem__") or isinstance(frames, Mapping):
        raise DatasetError(
            f"MaskViewer: expected a frame, a video, a sequence of them or a function, got a {type(frames).__name__}",
            cause="a generator, a set or a dictionary",
            fix="make it a list, or MaskViewer(function, count=…) to read frames as they are needed",
        )
    if not len(frames):
        raise DatasetError(
            "MaskViewer: there is no frame to show",
            cause="an empty video, or a selection that matched nothing",
            fix="look at len(frames) first",
        )
    listed = type(frames) in (list, tuple)
    for number, item in enumerate(frames if listed else ()):
        if isinstance(item, np.ndarray):
            check_image(item, f"frame {number}")
    return Frames(frames.__getitem__, len(frames), single, listed)


def per_frame(value: Any, name: str, frames: Frames) -> PerFrame | None:
    """Bring `truth`, `prediction`, `scores`, `tracks` or `truth_tracks` into one form; None if there is nothing.

    A single item goes with a single frame; a sequence has one for each frame; a mapping is looked up by
    the frame or by its name, and may lack some; a function takes the frame.
    """
    if value is None or value is False:
        return None
    if isinstance(value, str | Path) and Path(value).is_dir():
        return _folder(Path(value), name)
    if callable(value):
        return lambda number, frame: value(frame)
    if isinstance(value, Mapping) and not (
        frames.single and name in ("scores", "tracks", "truth_tracks") and _is_codes(value)
    ):
        return lambda number, frame: _look_up(value, frame, number)
    if frames.single and not (isinstance(value, list | tuple) and len(value) == 1):
        return lambda number, frame: value
    if not hasattr(value, "__len__") or not hasattr(value, "__getitem__"):
        raise DatasetError(
            f"MaskViewer: {name} for {frames.count} frames is a {type(value).__name__}",
            cause="one label for a whole video, or a generator",
            fix=f"give a sequence with one item per frame, a dictionary by name, or {name}=lambda frame: …",
        )
    if len(value) != frames.count:
        raise DatasetError(
            f"MaskViewer: {frames.count} frames, but {len(value)} items of {name}",
            cause="a frame without its label, or labels of another video: pairing by position would shift them all",
            fix=f"pair by name: {name}={{frame.name: label, …}}; frames that are not in it have none",
        )
    if frames.listed and type(value) in (list, tuple):
        for number, item in enumerate(value):
            image = frames.item(number)
            if isinstance(image, np.ndarray) and isinstance(item, np.ndarray):
                check_label(item, image.shape[:2], f"{name} of frame {number}")
    return lambda number, frame: value[number]


def check_image(image: Any, where: str) -> npt.NDArray[np.uint8]:
    """Return a picture (H, W, 3) uint8; a grey one (H, W) becomes three equal channels."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size:
        got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise ImageError(
            f"MaskViewer: expected {where} as (H, W, 3) uint8, got {got}",
            cause="a picture in floating point, or a batch",
            fix="(255 * image).clip(0, 255).astype('uint8')",
        )
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    if image.shape[2] != 3:
        raise ImageError(
            f"MaskViewer: expected {where} as (H, W, 3) uint8, got {image.shape}",
            cause="a picture with an alpha channel, or channels first",
            fix="image[..., :3]",
        )
    return image


def check_label(label: Any, shape: tuple[int, ...], where: str) -> npt.NDArray[np.uint16]:
    """Return label codes (H, W) uint16 of the size of their picture."""
    if not isinstance(label, np.ndarray) or label.ndim != 2 or label.dtype.kind not in "iu":
        got = f"{label.shape} {label.dtype}" if isinstance(label, np.ndarray) else f"a {type(label).__name__}"
        raise LabelError(
            f"MaskViewer: expected {where} as (H, W) uint16 codes, got {got}",
            cause="masks, class probabilities or colours in place of label codes",
            fix="read it with wadlib.frames.read_label, or build codes with wadlib.labels.encode",
        )
    if label.shape != tuple(shape):
        raise LabelError(
            f"MaskViewer: {where} is {label.shape[1]}x{label.shape[0]}, its picture {shape[1]}x{shape[0]}",
            cause="one of them was cropped or resized, the other was not",
            fix="bring both to one size: wadlib.preprocess.crop_and_downscale(image, label)",
        )
    if label.dtype != np.uint16:
        if label.min() < 0 or label.max() > IGNORE:
            raise LabelError(
                f"MaskViewer: {where} holds codes from {label.min()} to {label.max()}",
                cause="codes are whole numbers of 16 bits",
                fix="build codes with wadlib.labels.encode",
            )
        label = label.astype(np.uint16)
    return label


def read_picture(item: Any, where: str) -> npt.NDArray[np.uint8]:
    """Read the picture of an item: a Frame, a path or an array."""
    if hasattr(item, "read_image"):
        item = item.read_image()
    elif isinstance(item, str | Path):
        item = read_image(item)
    return check_image(item, where)


def read_codes(item: Any, shape: tuple[int, ...], where: str) -> npt.NDArray[np.uint16] | None:
    """Read the label of an item: a Frame, a path, an array, or None for a frame that has none."""
    if item is None:
        return None
    if hasattr(item, "read_label"):
        item = item.read_label()
    elif isinstance(item, str | Path):
        item = read_label(item)
    return check_label(item, shape, where)


def name_of(item: Any) -> str:
    """Name of a frame: its own or that of its file; "" for an array."""
    name = getattr(item, "name", None)
    if isinstance(item, str | Path):
        return Path(item).stem
    return name if isinstance(name, str) else ""


def _is_codes(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(key, int | np.integer) for key in value)


def _look_up(value: Mapping[Any, Any], frame: Any, number: int) -> Any:
    for key in (frame, getattr(frame, "name", None), number):
        try:
            if key is not None and key in value:
                return value[key]
        except TypeError:  # an array cannot be a key
            continue
    return None


def _folder(folder: Path, name: str) -> PerFrame:
    """Predictions as `wadlib predict` writes them, paired by name; a frame without a file has none.

    ``instances.json`` (scores, masks that may overlap) goes before ``label/<frame>_instanceIds.png``.
    """
    if name not in ("truth", "prediction"):
        raise DatasetError(
            f"MaskViewer: {name} is a folder", cause="two arguments in the wrong order", fix=f"give {name} per frame"
        )
    from wadlib.instances.reader import PredictionFolder, label_files

    labels = label_files(folder)
    scored = PredictionFolder.open(folder).instances if name == "prediction" else None
    if scored is None:
        return lambda number, frame: labels.get(name_of(frame))
    return lambda number, frame: lambda shape: scored.read(name_of(frame), shape)
