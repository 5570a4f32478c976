r"""Cut, association and normalized cut: the report's equations 1 to 6, and the sweep over all thresholds.

W is the (n,n) matrix of the weights: a numpy array, a scipy sparse array, or a
`wadlib.graphcut.normalized.affinity.PixelGraph`. A and B are sets of nodes: bool arrays with n elements, of any
shape.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.normalized.affinity import PixelGraph
from wadlib.graphcut.normalized.stencil import difference_sums


def cut(W: Any, A: npt.ArrayLike, B: npt.ArrayLike | None = None) -> float:
    r"""Return the weight of the edges between A and B: the report's equations 2 and 5.

    .. math:: cut(A, B) = \sum_{u \in A, v \in B} w(u, v)

    B is all the rest, :math:`V \setminus A`, unless it is given.

    Examples
    --------
    >>> W = np.array([[0, 3, 1], [3, 0, 2], [1, 2, 0]])
    >>> cut(W, [True, False, False])  # 3 + 1
    4.0
    """
    a = _indicator(W, A)
    b = 1 - a if B is None else _indicator(W, B)
    return float(a @ (W @ b))


def assoc(W: Any, A: npt.ArrayLike, B: npt.ArrayLike | None = None) -> float:
    r"""Return the weight from A to all nodes, or to those of B: the report's equations 3 and 6.

    .. math:: assoc(A, V) = \sum_{u \in A, t \in V} w(u, t)

    An edge inside A counts twice, once from each of its ends. :math:`assoc(A, V) = assoc(A, A) +
    cut(A, B)`.

    Examples
    --------
    >>> W = np.array([[0, 3, 1], [3, 0, 2], [1, 2, 0]])
    >>> assoc(W, [True, True, False])  # (3 + 1) + (3 + 2)
    9.0
    """
    a = _indicator(W, A)
    b = np.ones_like(a) if B is None else _indicator(W, B)
    return float(a @ (W @ b))


def ncut_value(W: Any, A: npt.ArrayLike) -> float:
    r"""Return the normalized cut of A and the rest, B: the report's equations 1 and 4.

    .. math::
        Ncut(A, B) = \frac{cut(A, B)}{assoc(A, V)} + \frac{cut(A, B)}{assoc(B, V)}
        = 2 - \left( \frac{assoc(A, A)}{assoc(A, V)} + \frac{assoc(B, B)}{assoc(B, V)} \right)

    (Shi and Malik 2000, eqs. 2 to 5.) Between 0, two graphs that have nothing to do with each other,
    and 2. A machine-read text of the report has cut(B, V) / assoc(B, V) as the second term of its eq. 4 (both public
    PDFs are right): that is 1 whatever the cut, because cut(B, V) sums over the same pairs as assoc(B, V).

    Raises
    ------
    SegmentationError
        A side that is empty or has no edges: the fraction would be 0/0.

    Examples
    --------
    >>> W = np.array([[0, 3, 1], [3, 0, 2], [1, 2, 0]])
    >>> ncut_value(W, [True, True, False]) == 3 / 9 + 3 / 3
    True
    """
    A = np.asarray(A, bool)
    between, a, b = cut(W, A), assoc(W, A), assoc(W, ~A)
    if a == 0 or b == 0:
        raise SegmentationError(
            f"ncut_value: expected two sides with edges, got assoc(A, V) = {a} and assoc(B, V) = {b}",
            cause="all nodes on one side, or nodes without any edge",
            fix="pass a mask that is neither all True nor all False",
        )
    return between / a + between / b


def degrees(W: Any) -> npt.NDArray[np.float64]:
    """Compute d(u), the sum of all weights of node u, (n,) float64: the diagonal of D.

    Raises
    ------
    SegmentationError
        A matrix that is not square, or a weight that is negative or not finite.
    """
    if isinstance(W, PixelGraph):
        return W.degrees
    weights = W if isinstance(W, np.ndarray) else W.data
    square = len(W.shape) == 2 and W.shape[0] == W.shape[1]
    if not square or (weights.size and not (weights.min() >= 0 and weights.max() < np.inf)):
        got = f"{weights.min()} to {weights.max()}" if square else f"the shape {W.shape}"
        raise SegmentationError(
            f"expected an (n,n) matrix of weights from 0 up, got {got}",
            cause="distances instead of likenesses, or a NaN from an earlier step",
            fix="turn distances into weights: np.exp(-(distance**2) / sigma)",
        )
    return np.asarray(W @ np.ones(W.shape[0]), np.float64)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Ncut at every threshold of a vector.

    Attributes
    ----------
    order : (n,) int
        Nodes from the smallest value to the largest.
    values : (n-1,) float64
        ``values[i]`` is the Ncut of ``order[: i + 1]`` against the rest; inf where the next node has
        the same value, so that no threshold separates them.
    side : (n,) bool
        The nodes above the best threshold; all False if there is no threshold at all.
    ncut : float
        The smallest value; inf if there is none.
    """

    order: npt.NDArray[np.intp]
    values: npt.NDArray[np.float64]
    side: npt.NDArray[np.bool_]
    ncut: float


def sweep(W: Any, y: npt.ArrayLike) -> Sweep:
    r"""Cut the graph at every threshold of y, exactly, in one pass over the edges.

    An edge is cut by the thresholds between its two ends. So each edge adds its weight where the
    lower of its ends is passed and takes it off where the higher one is, and a running sum gives
    all cuts: O(nnz + n log n) for all n - 1 thresholds together.

    The best of them need not be the best of all cuts. If y is the second eigenvector, lambda_2 says
    how far off it may be: :math:`Ncut^2 / 8 \le \lambda_2 \le` the best Ncut of all (Cheeger).

    Parameters
    ----------
    W : (n,n) weights, symmetric
    y : n values; nodes without edges are passed over
    """
    d = degrees(W)
    if np.size(y) != len(d):
        raise SegmentationError(
            f"sweep: expected a value for each of {len(d)} nodes, got {np.shape(y)}",
            cause="the eigenvector of another graph",
            fix="pass smallest_eigenvectors(W).vectors[0]",
        )
    y = np.where(d > 0, np.asarray(y, np.float64).ravel(), np.inf)
    # The cut after the first i nodes is a sum: each edge joins it at its lower rank and leaves at its higher.
    order = np.argsort(y, kind="stable")
    rank = np.empty(len(y), np.int64)
    rank[order] = np.arange(len(y))
    sums = np.zeros(len(y))
    if isinstance(W, PixelGraph):
        difference_sums(W.weights, W.offsets, rank.reshape(W.picture_shape), sums)
    elif isinstance(W, np.ndarray):
        ordered = W[np.ix_(order, order)]
        sums += d[order] - np.diag(ordered) - 2 * np.tril(ordered, -1).sum(axis=1)  # to later nodes, less to earlier
    else:
        from scipy.sparse import coo_array, triu

        edges = coo_array(triu(coo_array(W), k=1))
        u, v = rank[edges.row], rank[edges.col]
        for ends, sign in ((np.minimum(u, v), 1), (np.maximum(u, v), -1)):
            sums += sign * np.bincount(ends, edges.data, minlength=len(y))
    # Equation 1 at each place between two different values; the least of them.
    between = np.maximum(np.cumsum(sums)[:-1], 0)  # cut(A, B), A the first i + 1 nodes
    total = np.cumsum(d[order])
    a = total[:-1]  # assoc(A, V)
    b = total[-1] - a  # assoc(B, V)
    sorted_y = y[order]
    threshold = (sorted_y[1:] > sorted_y[:-1]) & (a > 0) & (b > 0)
    values = np.full(len(threshold), np.inf)
    values[threshold] = between[threshold] / a[threshold] + between[threshold] / b[threshold]
    side = np.zeros(len(y), bool)
    if not threshold.any():
        return Sweep(order, values, side, np.inf)
    best = int(np.argmin(values))
    side[order[best + 1 :]] = True
    return Sweep(order, values, side, ncut_value(W, side))


def _indicator(W: Any, A: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """1 for a node in A, 0 for the others, (n,) float64."""
    A = np.asarray(A)
    if A.dtype != bool or A.size != W.shape[0]:
        raise SegmentationError(
            f"expected a bool for each of {W.shape[0]} nodes, got {A.dtype} of shape {A.shape}",
            cause="labels instead of a mask, or the mask of another picture",
            fix="pass for example labels == 1",
        )
    return A.ravel().astype(np.float64)
