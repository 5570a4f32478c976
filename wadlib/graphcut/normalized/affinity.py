r"""How alike two pixels, or two superpixels, are: the weights of the graph that is cut.

.. math:: w(u, v) = e^{-|F(u) - F(v)|^2 / \sigma_I} \; e^{-|X(u) - X(v)|^2 / \sigma_X}

with F the brightness or colour and X the place (Shi and Malik 2000, eq. 11).

**The sigmas divide as they are, they are not squared**: so it is printed in eq. 11, and so
scikit-image's ``rag_mean_color`` does it. With sigma s two nodes whose features differ by
:math:`\sqrt s` have the weight 1/e. No node is joined to itself: with w(u, u) = 1, cutting off a
single odd pixel would look cheap, because the pixel would be associated with itself.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.normalized.stencil import fill_weights, matvec

LEAST_WEIGHT = 1e-30
"""No edge weighs less: the graph stays connected, and nothing underflows in float32."""


@dataclass(frozen=True, eq=False)
class PixelGraph:
    """The weights of a pixel graph W, without indices: 4 bytes for each pair of pixels.

    ``graph @ x`` is the product of the matrix W with a vector (n,) or with columns (n,k); pixels
    are numbered in reading order.

    Attributes
    ----------
    offsets : (m,2) int64
        (dy, dx) to one neighbour of each opposite pair.
    weights : (m,H,W) float32
        ``weights[o, y, x]`` joins (y, x) to (y + dy, x + dx); 0 where that lies outside.
    near : (m,) float64
        The weight of two pixels of the same colour at each offset.
    """

    offsets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    near: npt.NDArray[np.float64]

    @property
    def picture_shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.weights.shape[1], self.weights.shape[2]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix: (n, n) for n pixels."""
        n = math.prod(self.picture_shape)
        return n, n

    @functools.cached_property
    def degrees(self) -> npt.NDArray[np.float64]:
        """The sum of each row of W, (n,) float64."""
        return np.asarray(self @ np.ones(self.shape[0]))

    def __matmul__(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        columns = np.asarray(x, np.float64)
        if columns.ndim == 2:
            return np.stack([self @ column for column in columns.T], axis=1)
        out = np.empty(self.picture_shape)
        matvec(self.weights, self.offsets, np.ascontiguousarray(columns).reshape(self.picture_shape), out)
        return out.ravel()

    def part(self, nodes: npt.NDArray[np.intp]) -> tuple[PixelGraph, npt.NDArray[np.intp]]:
        """Return the graph of the box around these pixels, without edges to others, and their numbers there."""
        y, x = np.divmod(nodes, self.picture_shape[1])
        box = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
        inside = np.zeros(self.picture_shape, bool)
        inside[y, x] = True
        inside = inside[box]
        weights = self.weights[(slice(None), *box)] * inside  # (m,h,w)
        for plane, (dy, dx) in zip(weights, self.offsets, strict=True):
            here, there = _slices(inside.shape, int(dy), int(dx))
            beyond = np.zeros_like(inside)
            beyond[here] = inside[there]
            plane *= beyond
        return PixelGraph(self.offsets, weights, self.near), np.flatnonzero(inside)

    def to_sparse(self) -> Any:
        """Return W as a scipy CSR array of float64: 12 bytes per entry, for graphs that are not large."""
        from scipy.sparse import coo_array

        index = np.arange(self.shape[0], dtype=np.int32).reshape(self.picture_shape)
        pairs = [_slices(self.picture_shape, int(dy), int(dx)) for dy, dx in self.offsets]
        rows, columns, data = (
            np.concatenate([np.empty(0, kind.dtype), *parts])
            for kind, parts in (
                (index, [index[here].ravel() for here, _ in pairs]),
                (index, [index[there].ravel() for _, there in pairs]),
                (self.weights, [w[here].ravel() for w, (here, _) in zip(self.weights, pairs, strict=True)]),
            )
        )
        upper = coo_array((data.astype(np.float64), (rows, columns)), shape=self.shape).tocsr()
        upper.eliminate_zeros()
        return (upper + upper.T).tocsr()


def brightness(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Compute the brightness in 0..1 of an RGB or grey picture, (H,W) float32.

    Examples
    --------
    >>> brightness(np.array([[[255, 255, 255], [0, 0, 0]]], np.uint8)).tolist()
    [[1.0, 0.0]]
    """
    if image.ndim == 2:
        scale = 255 if image.dtype == np.uint8 else 1
        return np.asarray(image / scale, np.float32)
    # ITU-R BT.601; in thousandths, so that equal channels give exactly their value.
    return np.asarray((image @ np.array([299, 587, 114])) / 255_000, np.float32)


def pixel_affinity(
    features: npt.NDArray[Any], *, radius: float = 5, sigma_intensity: float = 0.001, sigma_distance: float = 16
) -> PixelGraph:
    r"""Join every pixel to those less than `radius` away (Shi and Malik 2000, eq. 11).

    .. math::
        w(u, v) = e^{-|F(u) - F(v)|^2 / \sigma_I} \; e^{-|X(u) - X(v)|^2 / \sigma_X}
        \quad\text{if } 0 < |X(u) - X(v)| < r, \quad 0 \text{ otherwise}

    Parameters
    ----------
    features : (H,W) or (H,W,C) float
        F: brightness in 0..1 (see `brightness`), or any features of each pixel.
    radius : float, more than 1
        r in pixels; the border itself does not count, so 5 gives 68 neighbours.
    sigma_intensity : float
        :math:`\sigma_I`, in squared units of the features. Divides as it is, it is not squared.
    sigma_distance : float
        :math:`\sigma_X`, in pixels squared. Divides as it is, it is not squared.

    Returns
    -------
    PixelGraph
        About :math:`2 \pi r^2` bytes per pixel: 72 MB for 832x640 pixels and a radius of 5.

    Raises
    ------
    SegmentationError
        Features of another shape or not finite, a sigma that is not above 0, a radius not above 1.

    Examples
    --------
    >>> W = pixel_affinity(np.array([[0.0, 1.0]]), radius=2, sigma_intensity=1, sigma_distance=1)
    >>> bool(np.isclose((W @ [1, 0])[1], np.exp(-2)))  # a step of 1 in brightness, a distance of 1
    True
    """
    features = np.asarray(features)
    _check_sigma("pixel_affinity", sigma_intensity=sigma_intensity, sigma_distance=sigma_distance)
    if not (math.isfinite(radius) and radius > 1):
        raise SegmentationError(
            f"pixel_affinity: expected a radius above 1, got {radius}",
            cause="the nearest pixels are 1 apart, and only distances below the radius count",
            fix="pass radius=1.5 for the eight neighbours, or 5 as Shi and Malik did",
        )
    if features.ndim not in (2, 3) or not features.size or not np.isfinite(features).all():
        raise SegmentationError(
            "pixel_affinity: expected finite features (H,W) or (H,W,C), got "
            + ("values that are not finite" if features.ndim in (2, 3) and features.size else f"{features.shape}"),
            cause="a flattened picture, or a NaN from an earlier step",
            fix="pass brightness(image)",
        )
    height, width = features.shape[:2]
    reach = math.ceil(radius)
    down, aside = min(reach, height - 1), min(reach, width - 1)
    around = itertools.product(range(down + 1), range(-aside, aside + 1))
    near_by = [(dy, dx) for dy, dx in around if (dy, dx) > (0, 0) and dy**2 + dx**2 < radius**2]
    offsets = np.array(near_by, np.int64).reshape(-1, 2)
    near = np.maximum(np.exp(-(offsets**2).sum(axis=1) / sigma_distance), LEAST_WEIGHT)  # (m,)
    weights = np.zeros((len(offsets), height, width), np.float32)
    features = np.ascontiguousarray(features.reshape(height, width, -1), np.float32)
    fill_weights(features, offsets, near, float(sigma_intensity), LEAST_WEIGHT, weights)
    return PixelGraph(offsets, weights, near)


def region_affinity(
    features: npt.NDArray[Any], regions: npt.NDArray[Any], *, sigma_colour: float, sigma_distance: float | None = None
) -> Any:
    r"""Join every two regions that touch, also at a corner, by the likeness of their mean colours.

    .. math:: w(a, b) = e^{-|F(a) - F(b)|^2 / \sigma_I} \; e^{-|X(a) - X(b)|^2 / \sigma_X}

    The first factor is scikit-image's ``rag_mean_color(..., mode="similarity")``.

    Parameters
    ----------
    features : (H,W) or (H,W,C)
        For example Lab colours; F is their mean over the region.
    regions : (H,W) int
        Region numbers 0..R-1, each of which occurs.
    sigma_colour : float
        :math:`\sigma_I` in squared units of the features. Divides as it is, it is not squared.
    sigma_distance : float, optional
        :math:`\sigma_X` in pixels squared, for X the regions' centres of mass.

    Returns
    -------
    scipy.sparse.csr_array
        (R,R) float64, symmetric, zero diagonal.

    Raises
    ------
    SegmentationError
        Shapes that do not fit, features that are not finite, a sigma that is not above 0.

    Examples
    --------
    >>> W = region_affinity(np.array([[0, 0, 2, 9]]), np.array([[0, 0, 1, 2]]), sigma_colour=4)
    >>> np.log(W.toarray()[[0, 1], [1, 2]]).tolist()  # -2^2/4 and -7^2/4
    [-1.0, -12.25]
    """
    from scipy.sparse import coo_array

    features, regions = np.asarray(features), np.asarray(regions)
    _check_sigma("region_affinity", sigma_colour=sigma_colour)
    if sigma_distance is not None:
        _check_sigma("region_affinity", sigma_distance=sigma_distance)
    if regions.ndim != 2 or not regions.size or features.shape[:2] != regions.shape or not np.isfinite(features).all():
        raise SegmentationError(
            f"region_affinity: expected finite features (H,W,C) and regions (H,W), got {features.shape} "
            f"and {regions.shape}",
            cause="arrays of different pictures, or a NaN from an earlier step",
            fix="pass to_lab(image) and the superpixels of that image",
        )
    numbered = np.issubdtype(regions.dtype, np.integer) and regions.min() >= 0
    flat = regions.ravel().astype(np.intp)  # what bincount works on; converted once
    pixels = np.bincount(flat) if numbered else np.zeros(1, int)
    if not pixels.all():
        raise SegmentationError(
            "region_affinity: expected region numbers 0, 1, ... R-1 without a gap, got others",
            cause="numbers that start at 1, or regions that were removed",
            fix="pass np.unique(regions, return_inverse=True)[1].reshape(regions.shape)",
        )

    def means(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """(H,W) -> (R,)."""
        return np.bincount(flat, values.ravel()) / pixels

    colour = np.stack([means(f) for f in np.moveaxis(features.reshape(*regions.shape, -1), 2, 0)], axis=1)  # (R,C)
    a, b = _touching(regions)
    exponent = np.square(colour[a] - colour[b]).sum(axis=1) / sigma_colour
    if sigma_distance is not None:
        place = np.stack([means(np.asarray(i)) for i in np.indices(regions.shape)], axis=1)  # (R,2)
        exponent += np.square(place[a] - place[b]).sum(axis=1) / sigma_distance
    weights = np.maximum(np.exp(-exponent), LEAST_WEIGHT)
    both = np.concatenate([weights, weights]), (np.concatenate([a, b]), np.concatenate([b, a]))
    return coo_array(both, shape=(len(pixels), len(pixels))).tocsr()


def _touching(regions: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs a < b of regions with pixels next to each other, straight or across a corner; each once."""
    count = int(regions.max()) + 1
    keys = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here, there = _slices(regions.shape, dy, dx)
        border = np.flatnonzero(regions[here] != regions[there])
        u, v = (regions[place].ravel()[border].astype(np.int64) for place in (here, there))
        keys.append(np.minimum(u, v) * count + np.maximum(u, v))
    pairs = np.unique(np.concatenate(keys))
    return pairs // count, pairs % count


def _slices(shape: tuple[int, ...], dy: int, dx: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where (y, x) and (y + dy, x + dx) are both inside, and the shifted place; dy >= 0."""
    height, width = shape[0], shape[1]
    low, high = max(0, -dx), max(0, min(width, width - dx))
    rows = slice(0, max(0, height - dy)), slice(dy, max(dy, height))
    return (rows[0], slice(low, high)), (rows[1], slice(low + dx, high + dx))


def _check_sigma(where: str, **sigmas: float) -> None:
    for name, value in sigmas.items():
        if not (math.isfinite(value) and value > 0):
            raise SegmentationError(
                f"{where}: expected {name} above 0, got {value}",
                cause="a sigma of 0 would make any two nodes that differ at all strangers",
                fix=f"pass a small positive {name} instead",
            )
