r"""The energy that the moves lower.

.. math:: E(f) = \sum_p D_p(f_p) + \sum_{\{p,q\} \in N} w_{pq} \, V(f_p, f_q)

with the unary cost D of each label at each pixel, neighbours N (4 or 8 to a pixel), a smoothness V
that is 0 for equal labels, and an optional factor w for each pair of neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.smoothness import smoothness_matrix

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps (rows, columns) to the neighbours after a pixel: right, down, down-right, down-left."""

LARGEST = 2**62
"""No sum of integer costs over a picture may exceed this."""


def pairs(array: npt.NDArray[Any], direction: tuple[int, int]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """View both ends of every pair of neighbours in one direction: (p, q), each (H-dy, W-abs(dx)).

    Examples
    --------
    >>> pairs(np.array([[1, 2], [3, 4]]), (1, -1))  # down-left
    (array([[2]]), array([[3]]))
    """
    dy, dx = direction
    h, w = array.shape[0] - dy, array.shape[1] - abs(dx)
    x = max(0, -dx)
    return array[:h, x : x + w], array[dy:, x + dx : x + dx + w]


@dataclass(frozen=True, eq=False)
class Problem:
    """Checked costs; nothing is copied or changed.

    Attributes
    ----------
    unary : (H,W,L) int or float, finite
    V : (L,L) int64 or float64, finite
    weights : one array for each direction
        Right (H,W-1), down (H-1,W) and, with 8 neighbours, down-right and down-left (H-1,W-1); >= 0.
    """

    unary: npt.NDArray[Any]
    V: npt.NDArray[Any]
    weights: tuple[npt.NDArray[Any], ...]

    @classmethod
    def checked(
        cls,
        where: str,
        unary: npt.NDArray[Any],
        smoothness: float | npt.ArrayLike,
        edge_weights: Sequence[npt.NDArray[Any]] | None = None,
        connectivity: int | None = None,
    ) -> Problem:
        """Check what the caller passed to the function `where`."""
        _check_unary(where, unary)
        V = smoothness_matrix(smoothness, unary.shape[2], where)
        problem = cls(unary, V, _check_weights(where, unary.shape[:2], edge_weights, connectivity))
        largest = problem.largest_unary + 2 * problem.largest_pairwise
        if unary.size * largest > (LARGEST if problem.is_integer else 1e300):
            raise SegmentationError(
                f"{where}: expected costs whose sum can be computed, got some of {float(largest):.2g}",
                cause="the largest number there is used as 'never'",
                fix="use a smaller cost for forbidden labels; a million times the others is plenty",
            )
        return problem

    @property
    def largest_unary(self) -> int | float:
        """Largest size of a unary cost."""
        return max(-self.unary.min().item(), self.unary.max().item())

    @property
    def largest_pairwise(self) -> int | float:
        """Bound on what the neighbours of one pixel can cost together."""
        heaviest = sum(w.max(initial=0).item() for w in self.weights)
        return 2 * heaviest * np.abs(self.V).max().item()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.unary.shape[0], self.unary.shape[1]

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return int(self.unary.shape[2])

    @property
    def is_integer(self) -> bool:
        """Whether all costs are integers, so that energies are exact."""
        return all(a.dtype.kind in "biu" for a in (self.unary, self.V, *self.weights))

    @property
    def edges(self) -> Iterator[tuple[tuple[int, int], npt.NDArray[Any]]]:
        """Each direction with its weights."""
        return zip(DIRECTIONS, self.weights, strict=False)

    def start(self, where: str, init: npt.NDArray[Any] | None) -> npt.NDArray[np.int32]:
        """Make a fresh (H,W) int32 labelling: `init`, checked, or the label of least unary cost at each pixel."""
        if init is None:
            return np.argmin(self.unary, axis=2).astype(np.int32)
        return check_labels(where, "init", init, self.shape, self.labels).astype(np.int32)

    def energy(self, labels: npt.NDArray[np.integer]) -> int | float:
        """Compute E of a labelling; an int for integer costs."""
        number = np.int64 if self.is_integer else np.float64
        total = np.take_along_axis(self.unary, labels[..., None], axis=2).sum(dtype=number)
        for direction, w in self.edges:
            a, b = pairs(labels, direction)
            total += (w * self.V[a, b]).sum(dtype=number)
        return total.item()  # type: ignore[no-any-return]

    def change(self, old: npt.NDArray[np.integer], new: npt.NDArray[np.integer]) -> int | float:
        """Compute E(new) - E(old), from the pixels that differ and their neighbours only."""
        number = np.int64 if self.is_integer else np.float64
        changed = old != new
        if not changed.any():
            return 0
        at = _where(changed)
        total = number(0)
        for sign, labels in ((1, new), (-1, old)):
            total += sign * self.unary[(*at, labels[at])].sum(dtype=number)
        for direction, w in self.edges:
            at = _where(np.logical_or(*pairs(changed, direction)))
            (old_p, old_q), (new_p, new_q) = pairs(old, direction), pairs(new, direction)
            total += (w[at] * (self.V[new_p[at], new_q[at]] - self.V[old_p[at], old_q[at]])).sum(dtype=number)
        return total.item()


def energy(
    labels: npt.NDArray[np.integer],
    unary: npt.NDArray[Any],
    smoothness: float | npt.ArrayLike,
    edge_weights: Sequence[npt.NDArray[Any]] | None = None,
    *,
    connectivity: int | None = None,
) -> int | float:
    """Compute the energy of a labelling; see the module's formula.

    Parameters
    ----------
    labels : (H,W) int in 0…L-1
    unary : (H,W,L) int or float
        Cost of each label at each pixel; may be negative.
    smoothness : float, or (L,L)
        The Potts weight, or V itself; here any finite V will do.
    edge_weights : (right, down) or (right, down, down-right, down-left), optional
        Factor w of each pair: (H,W-1), (H-1,W), (H-1,W-1), (H-1,W-1); 1 everywhere when missing.
    connectivity : 4 or 8, optional
        Neighbours of a pixel. Follows from `edge_weights`; 4 without.

    Returns
    -------
    int when all costs are integers, otherwise float

    Raises
    ------
    SegmentationError
        Wrong shape or dtype, NaN or inf, a negative weight, a label out of range.

    Examples
    --------
    >>> unary = np.array([[[0, 5], [0, 5], [5, 1]]])  # a picture of 1x3 pixels, two labels
    >>> energy(np.array([[0, 0, 1]]), unary, smoothness=3)
    4
    """
    problem = Problem.checked("energy", unary, smoothness, edge_weights, connectivity)
    return problem.energy(check_labels("energy", "labels", labels, problem.shape, problem.labels))


def _where(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], ...]:
    """``np.nonzero``, several times faster where few are True."""
    return np.unravel_index(np.flatnonzero(mask), mask.shape)


def check_labels(
    where: str, name: str, labels: npt.NDArray[Any], shape: tuple[int, int], count: int
) -> npt.NDArray[np.integer]:
    """Return `labels`, if they are (H,W) integers in 0…count-1."""
    if not isinstance(labels, np.ndarray) or labels.shape != shape or labels.dtype.kind not in "iu":
        raise SegmentationError(
            f"{where}: expected {name} of shape {shape}, integer, got {kind(labels)}",
            cause="a label map of another image",
            fix="pass one label index for each pixel, as from np.argmin(unary, axis=2)",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= count:
        raise SegmentationError(
            f"{where}: expected {name} in 0…{count - 1}, got {low if low < 0 else high}",
            cause="label codes such as 33001 instead of indices into the unary's last axis",
            fix="use the index of each label in the unary, as from np.argmin(unary, axis=2)",
        )
    return labels


def _check_unary(where: str, unary: npt.NDArray[Any]) -> None:
    ok = isinstance(unary, np.ndarray) and unary.ndim == 3 and unary.size and unary.dtype.kind in "biuf"
    if not ok:
        raise SegmentationError(
            f"{where}: expected unary costs of shape (H,W,L), int or float, got {kind(unary)}",
            cause="labels first instead of last, an empty image, or a label map instead of costs",
            fix="pass one cost for each pixel and label, for example -np.log(probabilities)",
        )
    low, high = unary.min(), unary.max()  # NaN if there is one
    if not (np.isfinite(low) and np.isfinite(high)):
        y, x, label = np.argwhere(~np.isfinite(unary))[0]
        raise SegmentationError(
            f"{where}: expected finite unary costs, got {unary[y, x, label]} at pixel ({y}, {x}), label {label}",
            cause="the logarithm of a probability of zero",
            fix="give a forbidden label a large finite cost, for example -np.log(probabilities + 1e-9)",
        )


def _check_weights(
    where: str,
    shape: tuple[int, ...],
    weights: Sequence[npt.NDArray[Any]] | None,
    connectivity: int | None,
) -> tuple[npt.NDArray[Any], ...]:
    given = weights is not None and len(weights)
    n = count_directions(where, connectivity if connectivity or not given else {2: 4, 4: 8}.get(given, 4))
    expected = [(shape[0] - dy, shape[1] - abs(dx)) for dy, dx in DIRECTIONS[:n]]
    if weights is None:
        return tuple(np.broadcast_to(np.int64(1), s) for s in expected)
    got = [w.shape if isinstance(w, np.ndarray) and w.dtype.kind in "biuf" else kind(w) for w in weights]
    if got != expected:
        raise SegmentationError(
            f"{where}: expected edge weights of shapes {expected}, got {got}",
            cause="weights of another image, in another order, or for another connectivity",
            fix="pass (right, down) for 4 neighbours, (right, down, down-right, down-left) for 8",
        )
    for w in weights:
        bad = ~(np.isfinite(w) & (w >= 0))
        if bad.any():
            raise SegmentationError(
                f"{where}: expected edge weights that are finite and not negative, got {w[bad][0]}",
                cause="a reward for differing neighbours, which no graph cut can minimise",
                fix="use factors such as those of contrast_weights(image)",
            )
    return tuple(w.astype(np.int64) if w.dtype.kind in "bu" else w for w in weights)


def count_directions(where: str, connectivity: int | None) -> int:
    """Count the `DIRECTIONS` of 4 (None: also 4) or 8 neighbours."""
    if connectivity not in (None, 4, 8):
        raise SegmentationError(
            f"{where}: expected connectivity 4 or 8, got {connectivity!r}",
            cause="the 1 and 2 of scikit-image",
            fix="pass connectivity=4 or connectivity=8",
        )
    return 4 if connectivity == 8 else 2


def kind(value: object) -> str:
    """Describe, in a message, what came in place of an array: its shape and type."""
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
