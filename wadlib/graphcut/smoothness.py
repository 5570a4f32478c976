r"""The smoothness V(a, b) of neighbouring labels, and which moves can minimise it.

An α-β swap needs a semi-metric: V(a, a) = 0, V(a, b) = V(b, a) >= 0. An α-expansion needs a metric:
the triangle inequality V(a, c) <= V(a, b) + V(b, c) as well (Boykov, Veksler & Zabih 2001, section 1).
With any other V the graph of the move would have an arc of negative capacity, and its cut would no
longer be the energy; solvers do not notice, so it is checked here. V(a, b) = 0 for two labels that
may swap freely is allowed.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError


def potts(labels: int, weight: float = 1) -> npt.NDArray[Any]:
    """Make the Potts model: `weight` between any two different labels, (L,L).

    Examples
    --------
    >>> potts(3, 2)
    array([[0, 2, 2],
           [2, 0, 2],
           [2, 2, 0]])
    """
    return weight * (1 - np.eye(labels, dtype=np.int64))


def smoothness_matrix(smoothness: float | npt.ArrayLike, labels: int, where: str) -> npt.NDArray[Any]:
    """Make V as (L,L) int64 or float64, from a Potts weight or a matrix; finite and of the right shape."""
    try:
        V = np.asarray(smoothness)
    except ValueError:
        V = np.empty(0, object)  # rows of different lengths
    shape = V.shape
    if V.dtype.kind not in "biuf" or shape not in ((), (labels, labels)):
        raise SegmentationError(
            f"{where}: expected smoothness to be a Potts weight or a matrix of shape {(labels, labels)}, got "
            + (f"{shape} {V.dtype}" if V.dtype.kind in "biufc" else f"a {type(smoothness).__name__}"),
            cause="a matrix for another number of labels than the unary has",
            fix="pass one row and one column for each of the labels in unary.shape[2]",
        )
    if not np.isfinite(V).all():
        raise SegmentationError(
            f"{where}: expected finite smoothness, got {V[~np.isfinite(V)][0]}",
            cause="a logarithm of zero, or a pair of labels that was meant to be forbidden",
            fix="use a large finite cost instead",
        )
    if V.dtype.kind == "u" and V.size and V.max() > np.iinfo(np.int64).max:
        V = V.astype(np.float64)
    V = V.astype(np.float64 if V.dtype.kind == "f" else np.int64)
    return potts(labels, V.item()) if V.ndim == 0 else V


def check_semimetric(V: npt.NDArray[Any], where: str = "check_semimetric") -> None:
    """Refuse a V that an α-β swap cannot minimise.

    Parameters
    ----------
    V : (L,L)

    Raises
    ------
    SegmentationError
        Names the labels: V(a, a) is not 0, V(a, b) is negative, or V(a, b) differs from V(b, a).
    """
    fix = "pass a symmetric V >= 0 with zeros on the diagonal, for example (V + V.T) / 2"
    for a in np.flatnonzero(np.diagonal(V)):
        what, cause = f"V({a}, {a}) = 0, got {V[a, a]}", "a matrix of similarities, where the smoothness is a cost"
        raise SegmentationError(f"{where}: expected {what}", cause=cause, fix=fix)
    for a, b in np.argwhere(V < 0):
        cause = "a reward for differing neighbours, which no graph cut can minimise"
        raise SegmentationError(f"{where}: expected V >= 0, got V({a}, {b}) = {V[a, b]}", cause=cause, fix=fix)
    for a, b in np.argwhere(np.abs(V - V.T) > _slack(V)):
        what = f"a symmetric V, got V({a}, {b}) = {V[a, b]} and V({b}, {a}) = {V[b, a]}"
        cause = "a cost that depends on which of two neighbours comes first"
        raise SegmentationError(f"{where}: expected {what}", cause=cause, fix=fix)


def check_metric(V: npt.NDArray[Any], where: str = "check_metric") -> None:
    """Refuse a V that an α-expansion cannot minimise.

    Parameters
    ----------
    V : (L,L)

    Raises
    ------
    SegmentationError
        As `check_semimetric`, or names the triple of labels that breaks the triangle inequality.

    Examples
    --------
    >>> i = np.arange(3)
    >>> check_metric(np.minimum(abs(i - i[:, None]), 2))  # truncated linear: fine
    >>> check_metric((i - i[:, None]) ** 2)
    Traceback (most recent call last):
    wadlib.errors.SegmentationError: check_metric: expected a metric V, got V(0, 2) = 4 > V(0, 1) + V(1, 2) = 1 + 1.
    Likely cause: a quadratic or otherwise convex cost, which is only a semi-metric.
    Fix: use alpha_beta_swap, or a truncated linear V.
    """
    check_semimetric(V, where)
    slack = _slack(V)
    for b in range(len(V)):
        detour = V[:, b, None] + V[b]  # from a to c by way of b
        broken = np.argwhere(V - detour > slack)
        if broken.size:
            a, c = broken[0]
            raise SegmentationError(
                f"{where}: expected a metric V, got V({a}, {c}) = {V[a, c]} > "
                f"V({a}, {b}) + V({b}, {c}) = {V[a, b]} + {V[b, c]}",
                cause="a quadratic or otherwise convex cost, which is only a semi-metric",
                fix="use alpha_beta_swap, or a truncated linear V",
            )


def metric_closure(V: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Find the largest metric below a symmetric V >= 0: shortest paths between labels (Floyd and Warshall)."""
    V = V.copy()
    for b in range(len(V)):
        V = np.minimum(V, V[:, b, None] + V[b])
    return V


def _slack(V: npt.NDArray[Any]) -> float:
    """Rounding of floats that is forgiven: 0.1 + 0.2 is not 0.3."""
    return 0 if V.dtype.kind == "i" or not V.size else 1e-12 * float(np.abs(V).max())
