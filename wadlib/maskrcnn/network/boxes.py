"""Boxes as the network sees them: ``y1, x1, y2, x2`` on the last axis.

Each function takes NumPy arrays (and gives NumPy arrays) or tensors of the Keras backend (and gives tensors): the data
pipeline and the network share one definition. In pixels a box is half-open (`y2`, `x2` are outside); normalised to
0 … 1 they are inside: hence the shift by one in `normalize`.
"""

from types import ModuleType
from typing import Any

import numpy as np


def _namespace(*values: Any) -> ModuleType:
    """NumPy for NumPy arrays, lists and numbers; keras.ops as soon as one value is a tensor."""
    if all(isinstance(value, np.ndarray | np.generic | list | tuple | int | float) for value in values):
        return np
    from keras import ops

    return ops  # type: ignore[no-any-return]


def _sides(boxes: Any) -> tuple[Any, Any, Any, Any]:
    return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]


def _centres(boxes: Any) -> tuple[Any, Any, Any, Any]:
    """Centre y, centre x, height, width."""
    y1, x1, y2, x2 = _sides(boxes)
    height, width = y2 - y1, x2 - x1
    return y1 + 0.5 * height, x1 + 0.5 * width, height, width


def area(boxes: Any) -> Any:
    """Compute the area of each box, (…, 4) -> (…)."""
    _, _, height, width = _centres(boxes)
    return height * width


def iou(first: Any, second: Any) -> Any:
    r"""Compute the intersection over union of each box with each other.

    .. math:: IoU_{ij} = \frac{|a_i \cap b_j|}{|a_i| + |b_j| - |a_i \cap b_j|}

    Parameters
    ----------
    first : (…, N, 4)
    second : (…, M, 4)

    Returns
    -------
    (…, N, M), in 0 … 1; 0 where both boxes are empty.

    Examples
    --------
    >>> iou(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 1, 2, 3], [5, 5, 6, 6]]))
    array([[0.33333333, 0.        ]])
    """
    xp = _namespace(first, second)
    y1, x1, y2, x2 = _sides(first[..., :, None, :])  # (…, N, 1)
    v1, u1, v2, u2 = _sides(second[..., None, :, :])  # (…, 1, M)
    shared = xp.maximum(xp.minimum(y2, v2) - xp.maximum(y1, v1), 0) * xp.maximum(
        xp.minimum(x2, u2) - xp.maximum(x1, u1), 0
    )
    union = area(first)[..., :, None] + area(second)[..., None, :] - shared
    # 1 instead of 0 below the line: an empty box shares nothing, and 0 / 1 is 0.
    return shared / xp.where(union > 0, union, xp.ones_like(union))


def apply_deltas(boxes: Any, deltas: Any) -> Any:
    r"""Move and stretch boxes: what the network predicts, applied.

    .. math:: y \leftarrow y + h\,dy, \quad x \leftarrow x + w\,dx, \quad
              h \leftarrow h\,e^{dh}, \quad w \leftarrow w\,e^{dw}

    Parameters
    ----------
    boxes : (…, 4)
    deltas : (…, 4)
        dy, dx, dh, dw, already multiplied by `Config.box_std`.

    Returns
    -------
    (…, 4)

    Examples
    --------
    >>> apply_deltas(np.array([0.0, 0, 10, 10]), np.array([0.1, 0, np.log(2), 0]))
    array([-4.,  0., 16., 10.])
    """
    xp = _namespace(boxes, deltas)
    y, x, height, width = _centres(boxes)
    y = y + deltas[..., 0] * height
    x = x + deltas[..., 1] * width
    height = height * xp.exp(deltas[..., 2])
    width = width * xp.exp(deltas[..., 3])
    y1, x1 = y - 0.5 * height, x - 0.5 * width
    return xp.stack([y1, x1, y1 + height, x1 + width], axis=-1)


def box_deltas(boxes: Any, targets: Any) -> Any:
    r"""Compute the deltas with which `apply_deltas` turns `boxes` into `targets`: what the network has to learn.

    .. math:: dy = \frac{y^* - y}{h}, \quad dx = \frac{x^* - x}{w}, \quad
              dh = \log\frac{h^*}{h}, \quad dw = \log\frac{w^*}{w}

    Parameters
    ----------
    boxes, targets : (…, 4), neither empty
        Divide the result by `Config.box_std` to get what the network is trained on.

    Returns
    -------
    (…, 4)
    """
    xp = _namespace(boxes, targets)
    y, x, height, width = _centres(boxes)
    y_target, x_target, height_target, width_target = _centres(targets)
    return xp.stack(
        [
            (y_target - y) / height,
            (x_target - x) / width,
            xp.log(height_target / height),
            xp.log(width_target / width),
        ],
        axis=-1,
    )


def clip(boxes: Any, window: Any) -> Any:
    """Cut boxes to a window.

    Parameters
    ----------
    boxes : (…, 4)
    window : (4,) or (…, 4) that broadcasts against `boxes`
        y1, x1, y2, x2.

    Returns
    -------
    (…, 4); a box outside the window becomes an empty one on its border.
    """
    xp = _namespace(boxes, window)
    window = np.asarray(window) if xp is np else xp.convert_to_tensor(window, dtype=boxes.dtype)
    low = xp.concatenate([window[..., :2], window[..., :2]], axis=-1)
    high = xp.concatenate([window[..., 2:], window[..., 2:]], axis=-1)
    return xp.maximum(xp.minimum(boxes, high), low)


def _scale_and_shift(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    height, width = shape
    return np.array([height - 1, width - 1] * 2, np.float32), np.array([0, 0, 1, 1], np.float32)


def normalize(boxes: Any, shape: tuple[int, int]) -> Any:
    """Bring pixels to 0 … 1: ``y / (height - 1)``; `y2` and `x2` lose the one pixel by which they are outside.

    Parameters
    ----------
    boxes : (…, 4)
        Pixels, half-open.
    shape : height, width in pixels

    Returns
    -------
    (…, 4) float32

    Examples
    --------
    >>> normalize(np.array([0, 0, 5, 9]), (5, 9))
    array([0., 0., 1., 1.], dtype=float32)
    """
    scale, shift = _scale_and_shift(shape)
    if _namespace(boxes) is np:
        return ((np.asarray(boxes) - shift.astype(float)) / scale).astype(np.float32)
    return (boxes - shift) / scale


def denormalize(boxes: Any, shape: tuple[int, int]) -> Any:
    """Bring 0 … 1 back to pixels, not rounded: the inverse of `normalize`.

    Parameters
    ----------
    boxes : (…, 4)
    shape : height, width in pixels

    Returns
    -------
    (…, 4) float32 pixels, half-open.
    """
    scale, shift = _scale_and_shift(shape)
    if _namespace(boxes) is np:
        boxes = np.asarray(boxes, np.float32)
    return boxes * scale + shift
