"""Anchors: the boxes that the region proposal network scores and moves (report, Fig 8).

P2 … P6 have one scale each and all ratios. Anchors are centred on ``cell index * stride``, without half a cell's
offset, and run ratio fastest, then column, row and level: the order of the released weights.
"""

from functools import lru_cache

import numpy as np

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.boxes import normalize


def level_anchors(
    scale: float, ratios: tuple[float, ...], shape: tuple[int, int], stride: int, anchor_stride: int = 1
) -> np.ndarray:
    r"""Place the anchors of one pyramid level.

    .. math:: h = s / \sqrt r, \quad w = s \sqrt r \quad \text{so that} \quad hw = s^2, \; w / h = r

    Parameters
    ----------
    scale : float
        Side of the square anchor in pixels, :math:`s`.
    ratios : width / height, :math:`r`
    shape : height, width of the level in cells
    stride : pixels per cell
    anchor_stride : an anchor in each cell (1), in every other (2) …

    Returns
    -------
    (rows * columns * ratios, 4) float64 pixels; they may reach outside the picture.

    Examples
    --------
    >>> level_anchors(8, (1, 4), (1, 2), 4)
    array([[-4., -4.,  4.,  4.],
           [-2., -8.,  2.,  8.],
           [-4.,  0.,  4.,  8.],
           [-2., -4.,  2., 12.]])
    """
    root = np.sqrt(np.asarray(ratios, float))
    half = np.stack([scale / root, scale * root], axis=-1) / 2  # (R, 2) half of height, width
    rows, columns = (np.arange(0, cells, anchor_stride) * stride for cells in shape)
    centres = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)[:, :, None]  # (rows, columns, 1, 2)
    return np.concatenate([centres - half, centres + half], axis=-1).reshape(-1, 4)


@lru_cache(maxsize=8)
def _float64_anchors(config: Config) -> np.ndarray:
    levels = zip(config.anchor_scales, config.feature_shapes, config.strides, strict=True)
    return np.concatenate(
        [
            level_anchors(scale, config.anchor_ratios, shape, stride, config.anchor_stride)
            for scale, shape, stride in levels
        ]
    )


@lru_cache(maxsize=8)
def pyramid_anchors(config: Config) -> np.ndarray:
    """Place all anchors of a configuration in pixels.

    Returns
    -------
    (A, 4) float32, read-only; P2 first. 132,990 of them for `Config.report`.
    """
    return _read_only(_float64_anchors(config).astype(np.float32))


@lru_cache(maxsize=8)
def normalized_anchors(config: Config) -> np.ndarray:
    """Place all anchors of a configuration, in normalised coordinates (`boxes.normalize`).

    Returns
    -------
    (A, 4) float32, read-only.
    """
    return _read_only(normalize(_float64_anchors(config), config.image_shape))


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)  # shared by the cache
    return array
