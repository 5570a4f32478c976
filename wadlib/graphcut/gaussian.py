r"""A Gaussian random field over a video: one linear system, one minimum.

After Chandra, Couprie & Kokkinos, *Deep spatio-temporal random fields for efficient video segmentation* (VideoGCRF),
CVPR 2018, the report's [4]. Its scores x minimise a quadratic energy, so that the gradient is zero where

.. math:: (I + \lambda_s L_s + \lambda_t L_t) \, x = p

with the scores p of each frame by itself and the Laplacians L of the neighbours in space and in time. The matrix is
symmetric and positive definite: there is exactly one solution, from whatever start, and conjugate gradients find it.
Left out: VideoGCRF learns how much any two pixels attract each other (embeddings, trained through this very solution);
here the weights are given, by the contrast of the pictures and by optical flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.problem import kind
from wadlib.graphcut.volume import Weights, volume_edges

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True, eq=False)
class GaussianFit:
    """The solution of a Gaussian random field.

    Attributes
    ----------
    scores : (T,H,W,L) float64
        Where the given ones sum to 1 at each pixel, these do too.
    residual : float
        Largest ``|A x - p| / |p|`` of any label.
    iterations : int
        Of conjugate gradients, all labels together.
    """

    scores: npt.NDArray[np.float64]
    residual: float
    iterations: int

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """The label of the largest score at each pixel, (T,H,W) int32."""
        return np.argmax(self.scores, axis=3).astype(np.int32)


def gaussian_field(
    probabilities: npt.NDArray[np.floating[Any]],
    space_weight: float,
    edge_weights: Weights | None = None,
    *,
    time_weight: float = 1.0,
    links: npt.NDArray[np.integer] | None = None,
    start: npt.NDArray[np.floating[Any]] | None = None,
    tolerance: float = 1e-4,
    max_iterations: int = 500,
) -> GaussianFit:
    """Solve the system of the module's formula for each label.

    Parameters
    ----------
    probabilities : (T,H,W,L) floating point
        What each frame says by itself.
    space_weight, time_weight : float >= 0
        Lambda of the pairs in space (times `edge_weights`) and in time.
    edge_weights, links
        See `wadlib.graphcut.volume.volume_edges`.
    start : (T,H,W,L), optional
        Where the iterations begin; by default at `probabilities`. The result does not depend on it.
    tolerance : float
        Relative residual at which to stop.
    max_iterations : int
        Of each label.

    Returns
    -------
    GaussianFit

    Raises
    ------
    SegmentationError
        Another shape, numbers that are not finite, negative weights, or no convergence.

    Examples
    --------
    Two frames of one pixel; (1 + 1) x - 1 y = 1 and (1 + 1) y - 1 x = 0 have x = 2/3, y = 1/3:

    >>> fit = gaussian_field(np.array([1.0, 0.0]).reshape(2, 1, 1, 1), 0.0, time_weight=1.0, tolerance=1e-9)
    >>> fit.scores.ravel().round(6)
    array([0.666667, 0.333333])
    """
    where = "gaussian_field"
    given = np.asarray(probabilities)
    if given.ndim != 4 or given.dtype.kind != "f" or not given.size or not np.isfinite(given).all():
        raise SegmentationError(
            f"{where}: expected finite scores of shape (T,H,W,L), floating point, got {kind(given)}",
            cause="a single frame, or label indices",
            fix="np.stack the probabilities of the frames",
        )
    if not (space_weight >= 0 and time_weight >= 0):
        raise SegmentationError(
            f"{where}: expected weights of 0 or more, got {space_weight} and {time_weight}",
            cause="a sign that is already in the formula",
            fix="with weights below 0 there is no minimum",
        )
    from scipy.sparse.linalg import cg

    shape = (given.shape[0], given.shape[1], given.shape[2])
    matrix = _matrix(shape, space_weight, edge_weights, time_weight, links)
    begin = given if start is None else start
    solved = np.empty(given.shape, np.float64)
    residual, iterations = 0.0, 0

    def count(_: object) -> None:
        nonlocal iterations
        iterations += 1

    for label in range(given.shape[3]):
        b = given[..., label].ravel().astype(np.float64)
        x0 = np.asarray(begin[..., label], np.float64).ravel()
        x, failed = cg(matrix, b, x0=x0, rtol=tolerance, atol=0.0, maxiter=max_iterations, callback=count)
        size = float(np.linalg.norm(b))
        left = float(np.linalg.norm(matrix @ x - b)) / (size or 1.0)
        if failed:
            raise SegmentationError(
                f"{where}: expected a relative residual of {tolerance:g} after {max_iterations} iterations, got "
                f"{left:.2g} for label {label}",
                cause="very large weights, or a tolerance below the precision of the numbers",
                fix="raise max_iterations, or the tolerance",
            )
        residual = max(residual, left)
        solved[..., label] = x.reshape(shape)
    return GaussianFit(solved, residual, iterations)


def _matrix(
    shape: tuple[int, int, int],
    space_weight: float,
    edge_weights: Weights | None,
    time_weight: float,
    links: npt.NDArray[np.integer] | None,
) -> sparse.csr_array:
    """Build I + L; each pair adds its weight to the diagonal twice and takes it away beside it."""
    count = int(np.prod(shape))
    edges = volume_edges(shape, edge_weights, 1.0, links)
    in_space = edges.p // (shape[1] * shape[2]) == edges.q // (shape[1] * shape[2])
    w = edges.w * np.where(in_space, space_weight, time_weight)
    from scipy import sparse

    off = sparse.coo_array((w, (edges.p, edges.q)), (count, count)).tocsr()
    off = off + off.T
    return sparse.csr_array(sparse.diags_array(1 + off.sum(axis=1)) - off)
