"""From a frame to class probabilities, and to a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wadlib.dataset.frame import Frame
from wadlib.labels import NETWORK_INDEX, label_from_indices
from wadlib.unet.geometry import Geometry

if TYPE_CHECKING:
    import keras


def probabilities(model: keras.Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Compute the softmax of the network's output.

    Parameters
    ----------
    images : (B,h,w,3) uint8, at the network's size

    Returns
    -------
    (B,h,w,C) float32, sums to 1 over the last axis
    """
    from keras import ops

    logits = model.predict_on_batch(images)
    return np.asarray(ops.convert_to_numpy(ops.softmax(logits, axis=-1)), np.float32)


def predict(
    model: keras.Model, frame: Frame | npt.NDArray[np.uint8], geometry: Geometry, *, full: bool = False
) -> npt.NDArray[np.float32]:
    """Predict class probabilities of a frame, what `wadlib.graphcut.unary_from_probabilities` takes.

    Parameters
    ----------
    model : keras.Model
        With the geometry's input size; see `wadlib.unet.load_unet`.
    frame : Frame, or its picture (H,W,3) uint8, full-size or prepared
    geometry : Geometry
        That the model was trained with: ``recipe.geometry``.
    full : bool
        In the pixels of the frame, with background where the network does not look (a full-size frame
        takes 37 MB per channel); else in cells.

    Returns
    -------
    (h,w,C) float32, or (H,W,C); channel 0 is background
    """
    image = frame.read_image() if isinstance(frame, Frame) else frame
    (found,) = probabilities(model, geometry.picture(image)[None])
    if not full:
        return found
    placed = geometry.to_frame(found, (image.shape[0], image.shape[1]))
    placed[:, :, 0] += 1 - placed.sum(axis=2)  # outside: background with probability 1
    return placed


def predict_label(
    model: keras.Model,
    frame: Frame | npt.NDArray[np.uint8],
    geometry: Geometry,
    classes: Mapping[int, int] = NETWORK_INDEX,
    *,
    instances: bool = False,
    min_area_px: int = 12,
) -> npt.NDArray[np.uint16]:
    """Predict the label of a frame: at each cell the class of greatest probability, in the frame's own pixels.

    Parameters
    ----------
    model, frame, geometry
        See `predict`.
    classes : mapping
        WAD class id -> channel, ``recipe.table``.
    instances : bool
        Each connected component is an instance; else all pixels of a class are its instance 0. Only for
        the seven classes of the challenge.
    min_area_px : int
        Components with fewer pixels of the frame become background.

    Returns
    -------
    (H,W) uint16 codes
    """
    image = frame.read_image() if isinstance(frame, Frame) else frame
    index = np.argmax(predict(model, image, geometry), axis=2).astype(np.uint8)
    index = geometry.to_frame(index, (image.shape[0], image.shape[1]))
    if not instances:
        return label_from_indices(index, classes)
    from wadlib.instances.components import instances_from_indices

    return instances_from_indices(_as_network_index(index, classes), min_area_px=min_area_px)


def _as_network_index(index: npt.NDArray[np.uint8], classes: Mapping[int, int]) -> npt.NDArray[np.uint8]:
    """Channels of any class table -> 1..7; classes outside of the challenge become background."""
    table = np.zeros(256, np.uint8)
    for class_id, channel in classes.items():
        table[channel] = NETWORK_INDEX.get(class_id, 0)
    table[255] = 0
    return np.asarray(table[index])
