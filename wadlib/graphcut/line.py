r"""The graph of an α-β swap on a one-dimensional image: Fig 1 of the report, as the code builds it.

Pixels that have α or β are nodes between two terminals, α and β. The capacities are those of Boykov,
Veksler & Zabih (2001, section 3):

.. math::

    t_p^\alpha &= D_p(\alpha) + \sum_{q \in N_p,\; f_q \notin \{\alpha, \beta\}} V(\alpha, f_q) \\
    t_p^\beta  &= D_p(\beta)  + \sum_{q \in N_p,\; f_q \notin \{\alpha, \beta\}} V(\beta, f_q) \\
    n_{pq}     &= V(\alpha, \beta)

A cut severs one terminal link of each pixel, and the pixel takes that terminal's label.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.binary import GridGraph, swap_graph
from wadlib.graphcut.maxflow import Solver, min_cut
from wadlib.graphcut.problem import Problem, check_labels, kind
from wadlib.graphcut.smoothness import check_semimetric


@dataclass(frozen=True, eq=False)
class SwapCut:
    """The minimum cut of a `SwapGraph`.

    Attributes
    ----------
    labels : (W,) int32
        The labelling after the swap: the best that any swap of the two labels can reach.
    takes : (n,) bool
        Nodes whose link to α is cut, and that so have α; the others' link to β is.
    cut_n_links : (m,) bool
        Links between neighbours that end up with different labels.
    flow : int or float
        The maximum flow, which is the capacity of the cut.
    energy : int or float
        Energy of `labels`: the flow and the graph's constant.
    """

    labels: npt.NDArray[np.int32]
    takes: npt.NDArray[np.bool_]
    cut_n_links: npt.NDArray[np.bool_]
    flow: int | float
    energy: int | float


@dataclass(frozen=True, eq=False)
class SwapGraph:
    """Nodes, links and capacities of one α-β swap.

    Attributes
    ----------
    alpha, beta : int
    labels : (W,) int32
        The labelling before the swap.
    pixels : (n,) int64
        Places in the image of the nodes: the pixels that have α or β.
    t_alpha, t_beta : (n,) int or float
        Capacities of the links to the terminals.
    n_links : (m,2) int64
        The two nodes (indices into `pixels`) of each link between neighbours.
    n_capacities : (m,) int or float
        Their capacities, the same in both directions.
    constant : int or float
        Energy of all that the swap cannot change.
    grid : GridGraph
        The same graph on the (1,W) grid, as the moves build and cut it.
    """

    alpha: int
    beta: int
    labels: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.int64]
    t_alpha: npt.NDArray[Any]
    t_beta: npt.NDArray[Any]
    n_links: npt.NDArray[np.int64]
    n_capacities: npt.NDArray[Any]
    constant: int | float
    grid: GridGraph

    def cut(self, *, solver: Solver = "fast") -> SwapCut:
        """Find the minimum cut, and so the best swap."""
        found = min_cut(self.grid, solver=solver)
        takes = found.takes[0, self.pixels]
        labels = self.labels.copy()
        labels[self.pixels] = np.where(takes, self.alpha, self.beta)
        cut_n_links = takes[self.n_links[:, 0]] != takes[self.n_links[:, 1]]
        return SwapCut(labels, takes, cut_n_links, found.flow, found.flow + self.constant)


def swap_graph_1d(
    labels: npt.NDArray[np.integer],
    unary: npt.NDArray[Any],
    smoothness: float | npt.ArrayLike,
    alpha: int,
    beta: int,
    edge_weights: npt.NDArray[Any] | None = None,
) -> SwapGraph:
    """Build the graph of the α-β swap of a labelling of a one-dimensional image.

    Parameters
    ----------
    labels : (W,) int
    unary : (W,L) int or float
    smoothness : float >= 0, or (L,L)
        The Potts weight, or V itself: a semi-metric.
    alpha, beta : int
        Two different labels.
    edge_weights : (W-1,), optional
        Factor of each pair of neighbours.

    Raises
    ------
    SegmentationError
        As `wadlib.graphcut.moves.alpha_beta_swap`; alpha and beta equal or no labels.

    Examples
    --------
    Four pixels with labels 0, 1, 1, 2; the swap of 0 and 1 leaves the last one out:

    >>> unary = np.array([[0, 4, 9], [1, 3, 9], [5, 2, 9], [9, 9, 0]])
    >>> graph = swap_graph_1d(np.array([0, 1, 1, 2]), unary, smoothness=2, alpha=0, beta=1)
    >>> graph.t_alpha, graph.t_beta, graph.n_capacities  # the third pixel's are 5 + 2 and 2 + 2
    (array([0, 1, 7]), array([4, 3, 4]), array([2, 2]))
    >>> cut = graph.cut(solver="pymaxflow")
    >>> cut.labels, cut.flow, graph.constant, cut.energy
    (array([0, 0, 1, 2], dtype=int32), 7, 0, 7)
    """
    where = "swap_graph_1d"
    arrays = (labels, 1), (unary, 2), *(() if edge_weights is None else [(edge_weights, 1)])
    for array, ndim in arrays:
        if not isinstance(array, np.ndarray) or array.ndim != ndim:
            raise SegmentationError(
                f"{where}: expected labels (W,), unary (W,L) and edge weights (W-1,), got "
                + ", ".join(kind(a) for a, _ in arrays),
                cause="a two-dimensional image",
                fix="pass one row of it: labels[y], unary[y], right[y]",
            )
    weights = None if edge_weights is None else (edge_weights[None], np.empty((0, len(labels))))
    problem = Problem.checked(where, unary[None], smoothness, weights)
    check_semimetric(problem.V, where)
    check_labels(where, "labels", labels[None], problem.shape, problem.labels)
    if alpha == beta or not {alpha, beta} <= set(range(problem.labels)):
        raise SegmentationError(
            f"{where}: expected two different labels in 0…{problem.labels - 1}, got {alpha} and {beta}",
            cause="a label code instead of an index into the unary's last axis",
            fix="pass alpha and beta as indices",
        )
    grid = swap_graph(problem, labels[None], alpha, beta)
    pixels = np.flatnonzero((labels == alpha) | (labels == beta))
    link = grid.arcs[0][0][0]  # (W-1,) rightwards
    joined = np.flatnonzero(np.diff(pixels) == 1)
    terminals, n_links = (grid.source[0, pixels], grid.sink[0, pixels]), np.stack([joined, joined + 1], axis=1)
    capacities = link[pixels[joined]]
    return SwapGraph(alpha, beta, labels.astype(np.int32), pixels, *terminals, n_links, capacities, grid.constant, grid)
