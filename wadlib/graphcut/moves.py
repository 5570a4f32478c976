r"""α-expansion and α-β swap: approximate minimisation of a multi-label energy by minimum cuts.

.. math:: E(f) = \sum_p D_p(f_p) + \sum_{\{p,q\} \in N} w_{pq} \, V(f_p, f_q)

Finding the best labelling is NP-hard for three labels and more. Both algorithms of Boykov, Veksler
& Zabih (2001, "Fast approximate energy minimization via graph cuts") take a labelling and find the
best one that is a single *move* away, by one minimum cut, until no move lowers the energy. In an
α-expansion every pixel may keep its label or take α; in an α-β swap the pixels with α or β share
the two anew. There are exponentially many moves, and the cut finds the best of them. For two labels
either is the exact minimum; an expansion's end is within a factor 2 max V / min V of it (Potts: 2).
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from wadlib.graphcut.fast.integers import integer_problem
from wadlib.graphcut.fast.solvers import FastMoves, Moves, PyMaxflowMoves
from wadlib.graphcut.maxflow import Solver, check_solver
from wadlib.graphcut.problem import Problem
from wadlib.graphcut.smoothness import check_metric, check_semimetric

OnMove = Callable[[tuple[int, ...], npt.NDArray[np.int32], int | float], object]
"""Called after each move with its labels, the labelling (a copy) and the energy."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A labelling that no more moves improve, and the way to it.

    Attributes
    ----------
    labels : (H,W) int32, or (T,H,W) of a volume
    energy : int or float
        In the caller's costs; an int, and exact, where all costs are integers.
    energies : (M+1,) int64 or float64
        Energy of the start and after each of M moves; never rises. A move that found nothing to
        improve repeats the energy before it.
    moves : M tuples
        What each move was for: (α,) of an expansion, (α, β) of a swap, () of a sweep over all pixels.
    """

    labels: npt.NDArray[np.int32]
    energy: int | float
    energies: npt.NDArray[Any]
    moves: tuple[tuple[int, ...], ...]


def alpha_expansion(
    unary: npt.NDArray[Any],
    smoothness: float | npt.ArrayLike,
    edge_weights: Sequence[npt.NDArray[Any]] | None = None,
    init: npt.NDArray[np.integer] | None = None,
    solver: Solver = "fast",
    *,
    connectivity: int | None = None,
    max_moves: int | None = None,
    on_move: OnMove | None = None,
) -> Fit:
    """Lower the energy by α-expansions, for α = 0, 1, … and around again, until no α has any left.

    Parameters
    ----------
    unary : (H,W,L) int or float
        Cost D of each label at each pixel; may be negative.
    smoothness : float >= 0, or (L,L)
        The Potts weight, or V itself: a metric, such as ``min(|a - b|, k)``.
    edge_weights : (right, down) or (right, down, down-right, down-left), optional
        Factor w >= 0 of each pair of neighbours: arrays (H,W-1), (H-1,W), (H-1,W-1), (H-1,W-1), the
        last between (y, x+1) and (y+1, x). 1 everywhere when missing; see `contrast_weights`.
    init : (H,W) int, optional
        Labelling to start from; by default the least unary cost at each pixel.
    solver : "fast" or "pymaxflow"
        The same labels from both. The fast one is compiled at its first use (some seconds; kept
        on disk). It takes about 65 + 28 L bytes per pixel (8-connected: 90 + 44 L), 155 MB for
        832x640 and 8 labels; 24 L (40 L) of that are the graphs of each label's last move, which
        are not kept if they would exceed 512 MiB. PyMaxflow takes about 240 + 4 L (430 + 4 L).
        Up to twice as much where 64-bit integers are needed.
    connectivity : 4 or 8, optional
        Follows from `edge_weights`; 4 without.
    max_moves : int, optional
        Stop after so many moves, improving or not.
    on_move : function of (move, labels, energy), optional
        Called after each move, for example to show it; the labels are a copy.

    Returns
    -------
    Fit

    Raises
    ------
    SegmentationError
        V is not a metric (names the labels that break it); wrong shapes or dtypes; NaN or inf; a
        negative weight; `init` out of range.

    Notes
    -----
    Float costs are rounded to integers for the cuts (see `wadlib.graphcut.fast.integers`: better than
    2**-29 of the largest sum of costs at a pixel); energies are computed from the costs as given,
    and a move counts only if it lowers them.

    Examples
    --------
    >>> unary = np.array([[[0, 5], [3, 2], [0, 5]]])  # 1x3 pixels: the middle one is in doubt
    >>> fit = alpha_expansion(unary, smoothness=1, solver="pymaxflow")
    >>> fit.labels, fit.energies, fit.moves
    (array([[0, 0, 0]], dtype=int32), array([4, 3, 3]), ((0,), (1,)))
    """
    where = "alpha_expansion"
    check_solver(where, solver)
    problem = Problem.checked(where, unary, smoothness, edge_weights, connectivity)
    check_metric(problem.V, where)
    start = problem.start(where, init)
    solved = _solver(problem, start, solver, metric=True)

    def move(alpha: int) -> npt.NDArray[np.int32]:
        takes = solved.expand(alpha)
        return np.where(takes, np.int32(alpha), solved.labels) if takes.any() else solved.labels

    labels = [(alpha,) for alpha in range(problem.labels)]
    return descend(problem, solved, labels, move, max_moves, on_move)


def alpha_beta_swap(
    unary: npt.NDArray[Any],
    smoothness: float | npt.ArrayLike,
    edge_weights: Sequence[npt.NDArray[Any]] | None = None,
    init: npt.NDArray[np.integer] | None = None,
    solver: Solver = "fast",
    *,
    connectivity: int | None = None,
    max_moves: int | None = None,
    on_move: OnMove | None = None,
) -> Fit:
    """Lower the energy by α-β swaps, for all pairs α < β and around again, until no pair has any left.

    Parameters and result are those of `alpha_expansion`, but for `smoothness`: a semi-metric is
    enough, such as (a - b)**2. The fast solver takes about 70 + 4 L bytes per pixel (8-connected: 95 + 4 L).

    Examples
    --------
    >>> unary = np.array([[[0, 9, 9], [9, 0, 9], [9, 9, 0]]])  # 1x3 pixels, three labels
    >>> V = np.array([[0, 1, 4], [1, 0, 1], [4, 1, 0]])  # 4 > 1 + 1: not a metric
    >>> alpha_beta_swap(unary, V, init=np.array([[2, 1, 0]]), solver="pymaxflow").labels
    array([[0, 1, 2]], dtype=int32)
    """
    where = "alpha_beta_swap"
    check_solver(where, solver)
    problem = Problem.checked(where, unary, smoothness, edge_weights, connectivity)
    check_semimetric(problem.V, where)
    start = problem.start(where, init)
    solved = _solver(problem, start, solver, metric=False)

    def move(alpha: int, beta: int) -> npt.NDArray[np.int32]:
        f = solved.labels
        play = (f == alpha) | (f == beta)
        if not play.any():
            return f
        swapped = np.where(solved.swap(alpha, beta), np.int32(alpha), np.int32(beta))
        return np.where(play, swapped, f)

    labels = list(itertools.combinations(range(problem.labels), 2))
    return descend(problem, solved, labels, move, max_moves, on_move)


def _solver(problem: Problem, start: npt.NDArray[np.int32], solver: Solver, *, metric: bool) -> Moves:
    kind = FastMoves if solver == "fast" else PyMaxflowMoves
    return kind(integer_problem(problem, metric=metric), start)


class HasLabels(Protocol):
    """A labelling that is changed in place."""

    labels: npt.NDArray[np.int32]


class Costs(Protocol):
    """What a descent asks of an energy."""

    @property
    def labels(self) -> int:
        """How many labels there are."""

    @property
    def is_integer(self) -> bool:
        """Whether energies are exact."""

    def energy(self, labels: npt.NDArray[np.integer]) -> int | float:
        """Compute the energy of a labelling."""

    def change(self, old: npt.NDArray[np.integer], new: npt.NDArray[np.integer]) -> int | float:
        """Compute how much more `new` costs than `old`."""


def descend(
    problem: Costs,
    solver: HasLabels,
    labels: Sequence[tuple[int, ...]],
    move: Callable[..., npt.NDArray[np.int32]],
    max_moves: int | None,
    on_move: OnMove | None,
) -> Fit:
    """Make the moves in turn until none of them, from the labelling as it is, lowers the energy."""
    energies = [problem.energy(solver.labels)]
    done: list[tuple[int, ...]] = []
    left = len(labels) if problem.labels > 1 else 0  # moves that may still find something
    for at in itertools.cycle(labels):
        if left == 0 or len(done) == max_moves:
            break
        proposed = move(*at)
        change = problem.change(solver.labels, proposed)
        left -= 1
        if change < 0:
            solver.labels[...] = proposed
            left = len(labels) - 1  # the move itself left nothing for another of its kind
        energies.append(energies[-1] + min(change, 0))
        done.append(at)
        if on_move is not None:
            on_move(at, solver.labels.copy(), energies[-1])
    kind = np.int64 if problem.is_integer else np.float64
    return Fit(solver.labels.copy(), energies[-1], np.array(energies, kind), tuple(done))
