r"""Where an object may be in the next frame: motion hypotheses.

Each takes the boxes of the tracks and returns where they would be. None is right for all objects (parked cars stand
still in the world, not in the picture; flow loses what jumps far), so the linker believes, for each pair of a track
and a detection, the hypothesis that fits best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float64]


def shifted(boxes: Boxes, shifts: npt.NDArray[np.float64]) -> Boxes:
    """Move boxes (T, 4) ``y1, x1, y2, x2`` by (T, 2) ``dy, dx``."""
    return np.asarray(boxes + np.concatenate([shifts, shifts], axis=1))


@dataclass(frozen=True)
class Camera:
    """What the ground-plane hypothesis needs to know, in pixels of the picture.

    Attributes
    ----------
    horizon_px, focus_px : float
        Row and column of the focus of expansion: the point that the car drives towards.
    growth_per_px : float
        k = step / (f h): metres per frame over focal length in pixels times height of the camera in metres.
    """

    horizon_px: float
    focus_px: float
    growth_per_px: float

    @classmethod
    def wad(cls, camera: int, width: int = 832) -> Camera:
        """Return WAD's camera 5 or 6, for pictures of that width of the report's crop (832 or 3384).

        Examples
        --------
        >>> Camera.wad(5).focus_px
        633.0
        """
        # Measured on rendered frames of 832 px: f = 576 px, 1.72 m above the road, one metre per frame.
        scale = max(1, round(width / 832))
        return cls(406.0 * scale, {5: 633.0, 6: 123.0}[camera] * scale, 1 / (576 * 1.72) / scale)


def ego_motion(boxes: Boxes, camera: Camera, frames: float = 1.0) -> Boxes:
    r"""Predict the boxes of what stands on the road, after the car drove on by one metre per frame.

    A point of the road at row y below the horizon :math:`y_h` grows about the focus of expansion by

    .. math:: s = \frac1{1 - k (y - y_h)}

    and what stands there grows with it: its foot is the lower edge of its box.

    Examples
    --------
    >>> camera = Camera(horizon_px=100, focus_px=0, growth_per_px=0.005)
    >>> ego_motion(np.array([[180.0, 40, 200, 60]]), camera).tolist()  # 1 / (1 - 0.005 * 100) = 2
    [[260.0, 80.0, 300.0, 120.0]]
    """
    nearer = camera.growth_per_px * frames * (boxes[:, 2] - camera.horizon_px)
    growth = 1 / (1 - np.clip(nearer, 0, 0.75))[:, None]  # what is behind the camera by then grows no further
    focus = np.array([camera.horizon_px, camera.focus_px] * 2)
    return np.asarray(focus + growth * (boxes - focus))


def grown_iou(boxes: Boxes, others: Boxes, grow_px: float) -> npt.NDArray[np.float64]:
    """Compute the intersection over union of boxes that were grown by `grow_px` on each side, (T, D).

    A person of 9 pixels that moves by 5 shares little with itself: the same number of *pixels* added to every box
    helps the small ones, and leaves the large ones alone.

    Examples
    --------
    >>> a, b = np.array([[0.0, 0, 4, 4]]), np.array([[0.0, 4, 4, 8]])
    >>> grown_iou(a, b, 0).tolist(), grown_iou(a, b, 2).tolist()  # 0 and 32 / (64 + 64 - 32)
    ([[0.0]], [[0.3333333333333333]])
    """
    a = boxes + np.array([-grow_px, -grow_px, grow_px, grow_px])
    b = others + np.array([-grow_px, -grow_px, grow_px, grow_px])
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(bottom_right - top_left, 0).prod(axis=2)
    areas_a, areas_b = ((each[:, 2:] - each[:, :2]).prod(axis=1) for each in (a, b))
    return np.asarray(shared / np.maximum(areas_a[:, None] + areas_b[None, :] - shared, 1e-9))
