r"""Bring a map of one frame to where its pixels are in another one, along optical flow.

Averages over time, links of a spatio-temporal random field and the consistency of a video all need it: a moving object
is not at the same place in the next frame.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.errors import TrackingError
from wadlib.tracking.flow import dis_flow

Field = npt.NDArray[np.float32]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FlowBothWays:
    """Flow of a video of T frames, in pixels of its maps.

    Attributes
    ----------
    forward : (T-1,H,W,2) float32
        ``dy, dx`` from each frame to the next one.
    backward : (T-1,H,W,2) float32
        From each frame but the first to the one before.
    """

    forward: Field
    backward: Field


def flow_both_ways(images: Sequence[npt.NDArray[np.uint8]], shape: tuple[int, int] | None = None) -> FlowBothWays:
    """Compute the flow between all frames of a (short) video.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8, of one size
    shape : (h, w), optional
        Of the maps that will be warped, such as a network's cells; by default that of the images.
    """
    greys = [np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) for image in images]
    size = greys[0].shape if shape is None else shape
    there, back = [], []
    for before, after in itertools.pairwise(greys):
        there.append(_resized(dis_flow(before, after), size))
        back.append(_resized(dis_flow(after, before), size))
    empty = np.zeros((0, *size, 2), np.float32)
    return FlowBothWays(np.stack(there), np.stack(back)) if there else FlowBothWays(empty, empty)


def warp(values: npt.NDArray[Any], field: Field, *, outside: float = 0) -> npt.NDArray[Any]:
    """Read a map at the places to which a field leads.

    Parameters
    ----------
    values : (H,W) or (H,W,C)
        A map of the *other* frame. Integers (labels) are taken from the nearest pixel, floats are interpolated.
    field : (H,W,2) float32
        From this frame to the other one, ``dy, dx``.
    outside : float
        What is read beyond the edges.

    Returns
    -------
    Of the shape and type of `values`: the map as this frame would show it.

    Examples
    --------
    >>> one_to_the_right = np.broadcast_to(np.array([0, 1], np.float32), (1, 3, 2))
    >>> warp(np.array([[5, 6, 7]]), one_to_the_right)
    array([[6, 7, 0]])
    """
    height, width = field.shape[:2]
    if values.shape[:2] != (height, width) or values.ndim not in (2, 3):
        raise TrackingError(
            f"warp: expected a map of {width}x{height} pixels like the field, got {values.shape}",
            cause="flow of the pictures, and a map in a network's cells",
            fix="flow_both_ways(images, shape=values.shape[:2])",
        )
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x + field[..., 1], y + field[..., 0]
    if values.dtype.kind == "f":
        how: Any = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_CONSTANT, "borderValue": [outside] * 4}
        flat = values.reshape(height, width, -1).astype(np.float32)
        # OpenCV takes four channels at most with a border of their own.
        parts = [
            cv2.remap(flat[..., c : c + 4], x, y, **how).reshape(height, width, -1) for c in range(0, flat.shape[2], 4)
        ]
        return np.concatenate(parts, axis=2).reshape(values.shape).astype(values.dtype)
    at_y, at_x = np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)
    there = (at_y >= 0) & (at_y < height) & (at_x >= 0) & (at_x < width)
    read = values[at_y.clip(0, height - 1), at_x.clip(0, width - 1)]
    read[~there] = outside
    return np.asarray(read)


def flow_links(flow: FlowBothWays) -> npt.NDArray[np.int64]:
    """Find the neighbour in time of each pixel, what `wadlib.graphcut.volume` calls links.

    Returns
    -------
    (T-1,H,W) int64
        Flat position in the next frame; -1 where flow leads out of it, or does not lead back (to 1.5 pixels): there
        something is hidden or comes into view.
    """
    _, height, width, _ = flow.forward.shape
    y, x = np.mgrid[:height, :width]
    links = []
    for forward, backward in zip(flow.forward, flow.backward, strict=True):
        at_y, at_x = (np.rint(c + forward[..., k]).astype(np.int64) for k, c in enumerate((y, x)))
        there = (at_y >= 0) & (at_y < height) & (at_x >= 0) & (at_x < width)
        at_y, at_x = at_y.clip(0, height - 1), at_x.clip(0, width - 1)
        round_trip = np.linalg.norm(forward + backward[at_y, at_x], axis=2)
        links.append(np.where(there & (round_trip <= 1.5), at_y * width + at_x, -1))
    return np.array(links, np.int64).reshape(-1, height, width)


def temporal_mean(values: Sequence[Values], flow: FlowBothWays | None, reach: int = 2) -> list[Values]:
    """Average each frame with those around it.

    Parameters
    ----------
    values : sequence of (H,W,C) float32, one per frame
        Such as class probabilities.
    flow : FlowBothWays, or None
        None averages what is at the same place: still things get calmer and moving ones smear.
    reach : int
        Frames on either side. At the ends of the video there are fewer.

    Returns
    -------
    list of (H,W,C) float32
        Where a field leads out of the picture, the frames that it does not leave are averaged.
    """
    frames = len(values)
    means = []
    for t in range(frames):
        total = values[t].astype(np.float32)
        weight = np.ones(total.shape[:2], np.float32)
        for direction in (1, -1):
            for u in range(t + direction, t + direction * (reach + 1), direction):
                if not 0 <= u < frames:
                    break
                here, inside = values[u].astype(np.float32), np.ones_like(weight)
                if flow is not None:  # step by step back to frame t
                    for s in range(u - direction, t - direction, -direction):
                        field = flow.forward[s] if direction > 0 else flow.backward[s - 1]
                        here, inside = warp(here, field), warp(inside, field)
                total, weight = total + here, weight + inside
        means.append(total / weight[..., None])
    return means


def _resized(field: Field, shape: tuple[int, int]) -> Field:
    if field.shape[:2] == shape:
        return np.ascontiguousarray(field, np.float32)
    small = cv2.resize(np.ascontiguousarray(field), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small * np.array([shape[0] / field.shape[0], shape[1] / field.shape[1]]), np.float32)
