"""Normalized cut (Shi and Malik 2000; section 2.1 of the report) on superpixels or on pixels."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.normalized.affinity import brightness, pixel_affinity, region_affinity
from wadlib.graphcut.normalized.partition import Split2, cut_graph
from wadlib.graphcut.normalized.superpixels import lab_features, superpixels

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NormalizedCut:
    r"""Segments of a picture, and how they were found.

    Attributes
    ----------
    labels : (H,W) int32
        Segment numbers 0, 1, ... in the order in which a reader meets them.
    ncut : float
        Of the best first cut into two; inf if the picture cannot be cut. It was refused, and
        `labels` is all 0, if it is above the threshold.
    cuts : tuple of Split2
        The cuts that were made, in order.
    eigenvalues : (k,) float64
        Of the whole graph, from lambda_2 on.
    eigenvectors : (k,H,W) float64
        y of :math:`(D - W) y = \lambda D y`; with superpixels, the value of its superpixel at each pixel.
    residual : float
        The largest of all eigenvectors that were computed; 0 if there were none.
    tolerance : float
        What was asked for.
    affinity : PixelGraph or scipy.sparse.csr_array
        W, for example for ``ncut_value(cut.affinity, cut.labels == 1)`` on pixels.
    regions : (H,W) int32, or None
        The superpixels.
    """

    labels: npt.NDArray[np.int32]
    ncut: float
    cuts: tuple[Split2, ...]
    eigenvalues: Floats
    eigenvectors: Floats
    residual: float
    tolerance: float
    affinity: Any
    regions: npt.NDArray[np.int32] | None

    @property
    def converged(self) -> bool:
        """Whether every eigenvector reached the tolerance; if not, a NotConvergedWarning said so."""
        return self.residual <= self.tolerance


def normalized_cut(
    image: npt.NDArray[Any],
    graph: Literal["superpixels", "pixels"] = "superpixels",
    *,
    threshold: float | None = None,
    segments: int | None = None,
    eigenvectors: int = 3,
    regions: npt.NDArray[Any] | None = None,
    superpixel_count: int = 1000,
    sigma_colour: float = 400,
    radius: float = 5,
    sigma_intensity: float = 0.001,
    sigma_distance: float | None = None,
    blur_px: float = 2,
    tolerance: float = 1e-7,
    seed: int = 0,
) -> NormalizedCut:
    r"""Cut a picture where its parts are least like each other (Shi and Malik 2000).

    The graph is cut in two by the best threshold of the second eigenvector of :math:`(D - W) y =
    \lambda D y`; then the part with the cheapest cut is cut in two, and so on.

    - ``graph="superpixels"``: nodes are about a thousand patches of one colour (SLIC), edges join
      patches that touch, by their mean Lab colours (`region_affinity`). A second, most of it SLIC.
    - ``graph="pixels"``: nodes are pixels, edges join those less than `radius` apart, by their
      brightness (`pixel_affinity`: Shi and Malik's eq. 11). About 4 CPU seconds for each cut of
      832x640 pixels.

    Parameters
    ----------
    image : (H,W,3) uint8 RGB, or (H,W) grey, uint8 or float in 0..1
    graph : {"superpixels", "pixels"}
    threshold : float, optional
        No part is cut whose Ncut would be above it. By default 0.1 with superpixels; with pixels
        there is none. It may not be above 2, the largest Ncut there is.
    segments : int, optional
        No more segments than this. By default 2 with pixels; with superpixels there is no limit.
    eigenvectors : int
        How many to return, from the second smallest on.
    regions : (H,W) int, optional
        Your own superpixels, 0..R-1; otherwise `superpixels` makes about `superpixel_count`.
    sigma_colour : float
        :math:`\sigma_I` for superpixels, in Lab units squared: patches that are 20 apart have the
        weight 1/e. Divides as it is, it is not squared; so do the following two.
    radius, sigma_intensity : float
        r in pixels, and :math:`\sigma_I` in squared units of brightness 0..1, for pixels.
    sigma_distance : float, optional
        :math:`\sigma_X` in pixels squared. By default 16 with pixels; with superpixels the distance
        does not count.
    blur_px : float
        Standard deviation of a Gaussian blur of the brightness, for pixels. Without it, one glint
        between leaves is the cheapest cut of a whole street: few edges lead to it, and each is weak.
        0 for none.
    tolerance : float
        Of the eigenvectors' residual :math:`|A z - \lambda z|, |z| = 1`.
    seed : int
        Of the start vectors; the result is the same for the same seed.

    Returns
    -------
    NormalizedCut
        A picture of one colour is cut too, where the border is short, if the threshold allows it.
        Memory with pixels: about :math:`2 \pi r^2` bytes per pixel for the weights and 500 more for
        the solver; 832x640 with radius 5 takes 0.35 GB at the peak.

    Raises
    ------
    SegmentationError
        Another kind of picture, NaN, a sigma that is not above 0, a radius not above 1.

    Warns
    -----
    NotConvergedWarning
        If an eigenvector did not reach the tolerance; see also ``.converged``.

    Examples
    --------
    >>> image = np.full((4, 6), 0.2)
    >>> image[:, 4:] = 0.9
    >>> normalized_cut(image, "pixels", blur_px=0).labels[0].tolist()
    [0, 0, 0, 0, 1, 1]
    """
    _check_image(image)
    _check_request(graph, threshold, segments, eigenvectors, blur_px, tolerance, superpixel_count)
    if graph == "pixels":
        bright = brightness(image)
        if blur_px > 0:
            import cv2

            bright = np.asarray(cv2.GaussianBlur(bright, (0, 0), blur_px, borderType=cv2.BORDER_REPLICATE))
        W: Any = pixel_affinity(
            bright,
            radius=radius,
            sigma_intensity=sigma_intensity,
            sigma_distance=16 if sigma_distance is None else sigma_distance,
        )
        nodes = np.arange(W.shape[0]).reshape(image.shape[:2])
        limits = 2.0 if threshold is None else threshold, 2 if segments is None else segments
    else:
        nodes = superpixels(image, superpixel_count) if regions is None else np.asarray(regions)
        W = region_affinity(lab_features(image), nodes, sigma_colour=sigma_colour, sigma_distance=sigma_distance)
        limits = 0.1 if threshold is None else threshold, W.shape[0] if segments is None else segments
    part, cuts, ncut, system, residual = cut_graph(
        W, threshold=limits[0], segments=limits[1], eigenvectors=eigenvectors, tolerance=tolerance, seed=seed
    )
    labels = _in_reading_order(part, nodes)[nodes]
    return NormalizedCut(
        labels=labels,
        ncut=ncut,
        cuts=cuts,
        eigenvalues=system.values,
        eigenvectors=system.vectors[:, nodes],
        residual=residual,
        tolerance=tolerance,
        affinity=W,
        regions=None if graph == "pixels" else nodes.astype(np.int32),
    )


def _in_reading_order(part: npt.NDArray[np.int64], nodes: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Part of each node, numbered in the order in which parts appear in the picture `nodes` (H,W)."""
    backwards = nodes.ravel()[::-1]
    first_pixel = np.empty(len(part), np.int64)
    first_pixel[backwards] = np.arange(len(backwards))[::-1]  # of several, the last one written stays
    first = np.full(part.max() + 1, nodes.size)
    np.minimum.at(first, part, first_pixel)
    return np.argsort(np.argsort(first)).astype(np.int32)[part]


def _check_image(image: Any) -> None:
    ok = isinstance(image, np.ndarray) and image.size and (image.dtype == np.uint8 or image.dtype.kind == "f")
    if not ok or not (image.ndim == 2 or (image.shape[2:] == (3,) and image.dtype == np.uint8)):
        got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        raise SegmentationError(
            f"normalized_cut: expected an image (H,W,3) uint8 or (H,W) grey, got {got}",
            cause="a picture with an alpha channel, of floats, or not a numpy array",
            fix="pass wadlib.frames.read_image(path)",
        )
    if image.dtype != np.uint8 and not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise SegmentationError(
            f"normalized_cut: expected brightness in 0..1, got {image.min()} to {image.max()}",
            cause="a picture of 0..255 in floats, or a NaN from an earlier step",
            fix="divide by 255, or pass the picture as uint8",
        )


def _check_request(
    graph: str,
    threshold: float | None,
    segments: int | None,
    eigenvectors: int,
    blur_px: float,
    tolerance: float,
    superpixel_count: int,
) -> None:
    for good, what, fix in (
        (graph in ("superpixels", "pixels"), f"graph 'superpixels' or 'pixels', got {graph!r}", "pass one of the two"),
        (threshold is None or 0 <= threshold <= 2, f"a threshold in 0..2, got {threshold}", "pass 0.1, for example"),
        (segments is None or segments >= 1, f"at least one segment, got {segments}", "pass segments=2"),
        (eigenvectors >= 1, f"at least one eigenvector, got {eigenvectors}", "pass eigenvectors=3"),
        (blur_px >= 0 and math.isfinite(blur_px), f"blur_px of at least 0, got {blur_px}", "pass 0 for no blur"),
        (tolerance > 0, f"a tolerance above 0, got {tolerance}", "pass 1e-7"),
        (superpixel_count >= 1, f"at least one superpixel, got {superpixel_count}", "pass 1000"),
    ):
        if not good:
            raise SegmentationError(f"normalized_cut: expected {what}", cause="a slip in the call", fix=fix)
