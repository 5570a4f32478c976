"""RoIAlign: the features under a box, as a square of fixed size (report, Fig 9).

RoIPool rounds the box to whole cells; RoIAlign reads the features between cells, by bilinear interpolation. As in
the original (and in TensorFlow's `crop_and_resize`) one sample is taken per output cell, and the first and the last
sample lie on the borders of the box.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from wadlib.maskrcnn.config import Config

FIRST_LEVEL = 2
"""The pyramid level of the first feature map, P2."""

_EDGE = 1e-3
"""Share of a cell by which a sample may miss the map: what rounding can do to a box that ends at its border."""


def pyramid_level(boxes: Any, image_shape: tuple[int, int]) -> Any:
    r"""Find the level of the feature pyramid that a box is read from.

    .. math:: k = \left\lfloor 4 + \log_2 \frac{\sqrt{wh}}{224} \right\rceil \text{ limited to } 2 \dots 5

    Equation 1 of "Feature Pyramid Networks" (Lin et al. 2017), which rounds down; the original rounds to nearest.

    Parameters
    ----------
    boxes : (…, 4) normalised
    image_shape : height, width in pixels

    Returns
    -------
    (…) int32, 2 to 5; a box without area has 2.

    Examples
    --------
    >>> square = ops.convert_to_tensor([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.1, 0.1]])
    >>> ops.convert_to_numpy(pyramid_level(square, (448, 448))).tolist()  # 224 pixels, 45 pixels
    [4, 2]
    """
    boxes = ops.cast(boxes, "float32")
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    side = ops.sqrt(ops.maximum(area, 1e-12))  # 1e-12: far below P2's share, and its logarithm is finite
    share = 224.0 / float(np.sqrt(image_shape[0] * image_shape[1]))
    level = 4 + ops.cast(ops.round(ops.log(side / share) / float(np.log(2.0))), "int32")
    return ops.clip(level, FIRST_LEVEL, 5)


class RoIAlign(keras.layers.Layer):
    """Makes `roi_align` a layer: boxes (B, N, 4) and P2 … P5 to (B, N, pool_size, pool_size, C).

    Parameters
    ----------
    pool_size : int
    config : Config
    """

    def __init__(self, pool_size: int, config: Config, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.pool_size, self.image_shape = pool_size, config.image_shape
        self.supports_jit = keras.backend.backend() != "tensorflow"  # TensorFlow's crops have no XLA kernel

    def call(self, boxes: Any, *features: Any) -> Any:
        """Read the features under each box."""
        return roi_align(boxes, features, self.pool_size, self.image_shape)

    def compute_output_spec(self, boxes: Any, *features: Any) -> Any:
        """Declare shape and type of the result."""
        shape = (*boxes.shape[:2], self.pool_size, self.pool_size, features[0].shape[-1])
        return keras.KerasTensor(shape, dtype=features[0].dtype)


def roi_align(boxes: Any, features: Sequence[Any], pool_size: int, image_shape: tuple[int, int]) -> Any:
    """Read the features under each box, ``pool_size`` x ``pool_size`` cells.

    Parameters
    ----------
    boxes : (B, N, 4) normalised, within 0 … 1
        Rows of zeros (padding) are read like any other box. No gradient passes to them.
    features : [P2, P3, P4, P5]
        (B, height, width, C) each.
    pool_size : int
        7 for classes and boxes, 14 for masks.
    image_shape : height, width of the input in pixels

    Returns
    -------
    (B, N, pool_size, pool_size, C), dtype of the features.

    Notes
    -----
    TensorFlow uses its kernel `crop_and_resize`, level by level. That kernel's gradient adds up in the order in which
    threads arrive, and so differs from run to run: training reads the features with gathers, see `align_cells`.
    Of the boxes that end at the border of the picture, about one in a hundred misses the map by a hair, by rounding.
    The original then reads zeros for a row or a column of the box; here both forms stay on the map.
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    if keras.backend.backend() == "tensorflow":
        return _tensorflow(boxes, features, pool_size, image_shape)
    return neutral_roi_align(boxes, features, pool_size, image_shape)


def neutral_roi_align(boxes: Any, features: Sequence[Any], pool_size: int, image_shape: tuple[int, int]) -> Any:
    """Do what `roi_align` does in `keras.ops` only: gathers from one list of the cells of all levels, static shapes.

    Parameters and result as in `roi_align`.
    """
    return align_cells(boxes, list_of_cells(*features), [p.shape[1:3] for p in features], pool_size, image_shape)


def list_of_cells(*features: Any) -> Any:
    """Lay out all cells of P2 … P5, (B, height, width, C) each, as one list, picture by picture: (B * R, C)."""
    channels = features[0].shape[-1]
    pictures = [ops.reshape(p, (-1, math.prod(p.shape[1:3]), channels)) for p in features]
    return ops.reshape(ops.concatenate(pictures, axis=1), (-1, channels))


def align_cells(
    boxes: Any, cells: Any, sizes: Sequence[tuple[int, int]], pool_size: int, image_shape: tuple[int, int]
) -> Any:
    """Do what `roi_align` does on a `list_of_cells`; the gradient is the same in every run.

    Where RoIs are read twice, for the class and for the mask, one list for both saves half of the gradient's memory.

    Parameters
    ----------
    boxes, pool_size, image_shape : as for `roi_align`
    cells : (B * R, C)
    sizes : height, width of P2 … P5
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    batch, count = ops.shape(boxes)[0], boxes.shape[1]
    heights, widths = np.array(sizes, "int32").T
    starts = np.concatenate([[0], np.cumsum(heights * widths)]).astype("int32")

    index = pyramid_level(boxes, image_shape) - FIRST_LEVEL  # (B, N), of the list of maps
    start, height, width = (
        ops.take(ops.convert_to_tensor(table), index, axis=0) for table in (starts[:-1], heights, widths)
    )
    start = start + ops.expand_dims(ops.arange(batch, dtype="int32"), 1) * int(starts[-1])
    start, height, width = (ops.reshape(value, (-1,)) for value in (start, height, width))  # (B * N) each
    pooled = _read(cells, start, height, width, ops.reshape(boxes, (-1, 4)), (pool_size, pool_size))
    return ops.reshape(pooled, (batch, count, pool_size, pool_size, cells.shape[-1]))


def crop_and_resize(images: Any, boxes: Any, shape: tuple[int, int]) -> Any:
    """Cut one crop out of each image, resized by bilinear interpolation as `tf.image.crop_and_resize` does.

    Parameters
    ----------
    images : (M, height, width, C) float
    boxes : (M, 4)
        Normalised to the image: 0 is its first cell, 1 its last. What lies outside reads as 0.
    shape : height, width of the result in cells

    Returns
    -------
    (M, *shape, C)

    Examples
    --------
    >>> image = ops.convert_to_tensor([[[[0.0], [1.0]], [[2.0], [3.0]]]])
    >>> ops.convert_to_numpy(crop_and_resize(image, ops.convert_to_tensor([[0.0, 0.0, 1.0, 1.0]]), (3, 3)))[0, ..., 0]
    array([[0. , 0.5, 1. ],
           [1. , 1.5, 2. ],
           [2. , 2.5, 3. ]], dtype=float32)
    """
    number, (height, width, channels) = ops.shape(images)[0], images.shape[1:]
    start = ops.arange(number, dtype="int32") * (height * width)
    heights, widths = (ops.full_like(start, size) for size in (height, width))
    return _read(ops.reshape(images, (-1, channels)), start, heights, widths, ops.cast(boxes, "float32"), shape)


def _read(cells: Any, start: Any, height: Any, width: Any, boxes: Any, shape: tuple[int, int]) -> Any:
    """Bilinear samples of maps that lie one after the other in a list of cells.

    cells (R, C); for each of M boxes the place of its map in the list and the map's size, (M,) each;
    boxes (M, 4) -> (M, *shape, C).
    """
    top, bottom, down, on_y = _samples(boxes[:, 0], boxes[:, 2], height, shape[0])  # (M, h) each
    left, right, across, on_x = _samples(boxes[:, 1], boxes[:, 3], width, shape[1])  # (M, w) each

    def read(rows: Any, columns: Any) -> Any:
        places = start[:, None, None] + (rows * width[:, None])[:, :, None] + columns[:, None, :]  # (M, h, w)
        return ops.take(cells, places, axis=0)  # (M, h, w, C)

    across = ops.cast(across, cells.dtype)[:, None, :, None]
    down = ops.cast(down, cells.dtype)[:, :, None, None]
    upper, lower = (
        ops.add(first, (second - first) * across)
        for first, second in ((read(rows, left), read(rows, right)) for rows in (top, bottom))
    )
    on_map = ops.cast(ops.logical_and(on_y[:, :, None], on_x[:, None, :]), cells.dtype)[..., None]
    return (upper + (lower - upper) * down) * on_map


def _samples(low: Any, high: Any, size: Any, count: int) -> tuple[Any, Any, Any, Any]:
    """Where `count` samples from `low` to `high` lie on an axis of `size` cells; all (M, count).

    Returns the cell before, the cell after, the share of the way between them, and whether the sample is on the map.
    """
    last = ops.cast(size, "float32") - 1
    if count > 1:
        step = (high - low) * last / (count - 1)
        places = (low * last)[:, None] + ops.arange(count, dtype="float32")[None] * step[:, None]
    else:
        places = (0.5 * (low + high) * last)[:, None]
    last = last[:, None]
    on_map = ops.logical_and(places >= -_EDGE, places <= last + _EDGE)
    places = ops.minimum(ops.maximum(places, 0.0), last)
    before = ops.floor(places)
    return ops.cast(before, "int32"), ops.cast(ops.ceil(places), "int32"), places - before, on_map


def _tensorflow(boxes: Any, features: Sequence[Any], pool_size: int, image_shape: tuple[int, int]) -> Any:
    """`roi_align` by TensorFlow's kernel, level by level; the gradient of that kernel is not deterministic."""
    import tensorflow as tf

    batch, count, channels = tf.shape(boxes)[0], boxes.shape[1], features[0].shape[-1]
    level = tf.reshape(pyramid_level(boxes, image_shape), [-1])  # (B * N)
    # Rounding in the kernel can move the last sample by 3 parts in 10^7: this keeps it on the map.
    flat = tf.minimum(tf.reshape(boxes, [-1, 4]), 1 - 4e-7)
    places, crops = [], []
    for number, feature in enumerate(features, start=FIRST_LEVEL):
        place = tf.reshape(tf.where(level == number), [-1])  # (boxes of this level)
        picture = tf.cast(place // count, tf.int32)
        feature = tf.cast(feature, tf.float32)  # there is no kernel for bfloat16
        crops.append(tf.image.crop_and_resize(feature, tf.gather(flat, place), picture, [pool_size, pool_size]))
        places.append(tf.cast(place, tf.int32))
    pooled = tf.dynamic_stitch(places, crops)  # back in the order of the boxes
    pooled = ops.cast(pooled, keras.backend.standardize_dtype(features[0].dtype))
    return tf.reshape(pooled, [batch, count, pool_size, pool_size, channels])


def roi_pool(boxes: Any, feature: Any, pool_size: int) -> np.ndarray:
    """Pool as "Fast R-CNN" does (Girshick 2015, section 2.1), for comparison: round to cells, then take maxima.

    Parameters
    ----------
    boxes : (N, 4)
        In cells of the map, half-open: y1, x1, y2, x2.
    feature : (height, width, C) array
    pool_size : int

    Returns
    -------
    (N, pool_size, pool_size, C)

    Examples
    --------
    >>> feature = np.arange(16.0).reshape(4, 4, 1)
    >>> roi_pool([[0.4, 0.4, 3.4, 3.4]], feature, 1)[0, 0, 0]  # rounds to rows and columns 0, 1, 2
    array([10.])
    """
    feature = np.asarray(feature)
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    pooled = np.zeros((len(boxes), pool_size, pool_size, feature.shape[-1]), feature.dtype)
    for number, box in enumerate(boxes):
        rows, columns = (_bins(box[i], box[i + 2], feature.shape[i], pool_size) for i in (0, 1))
        for i, (y0, y1) in enumerate(rows):
            for j, (x0, x1) in enumerate(columns):
                pooled[number, i, j] = feature[y0:y1, x0:x1].max(axis=(0, 1))
    return pooled


def _bins(low: float, high: float, size: int, count: int) -> list[tuple[int, int]]:
    """First and past-the-last cell of each bin: the first rounding to cells, then the second."""
    first = int(np.clip(np.floor(low + 0.5), 0, size - 1))
    past = int(np.clip(np.floor(high + 0.5), first + 1, size))
    edges = first + np.arange(count + 1) * (past - first) / count
    return [(int(np.floor(a)), int(np.ceil(b))) for a, b in pairwise(edges)]
