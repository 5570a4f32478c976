"""One move at a time: the labelling so far, and the pixels that the best move changes."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from wadlib.graphcut.binary import expansion_graph, swap_graph
from wadlib.graphcut.fast import _move_graphs
from wadlib.graphcut.fast.integers import IntegerProblem
from wadlib.graphcut.maxflow import FastGrid, PyMaxflowGrid
from wadlib.graphcut.problem import pairs

KEPT_BYTES = 2**29
"""Memory that `FastMoves` may use to keep the graph of each label for its next expansion."""


class Moves(Protocol):
    """A labelling, and the best moves from it. Of equally good ones, the one that changes fewest pixels to α."""

    labels: npt.NDArray[np.int32]
    """(H,W); to be changed in place between moves."""

    def expand(self, alpha: int) -> npt.NDArray[np.bool_]:
        """Find the pixels (H,W) that the α-expansion gives α to; those that have it are not among them."""

    def swap(self, alpha: int, beta: int) -> npt.NDArray[np.bool_]:
        """Find the pixels (H,W) that have α after the α-β swap."""


class PyMaxflowMoves:
    """The moves through PyMaxflow: the reference."""

    def __init__(self, problem: IntegerProblem, labels: npt.NDArray[np.int32]) -> None:
        self.labels = labels
        self._problem = problem
        self._grid = PyMaxflowGrid(problem.shape, len(problem.weights))

    def expand(self, alpha: int) -> npt.NDArray[np.bool_]:
        """See `Moves`."""
        takes, _ = self._grid.cut(expansion_graph(self._problem, self.labels, alpha))
        return takes & (self.labels != alpha)

    def swap(self, alpha: int, beta: int) -> npt.NDArray[np.bool_]:
        """See `Moves`."""
        takes, _ = self._grid.cut(swap_graph(self._problem, self.labels, alpha, beta))
        return takes


class FastMoves:
    """The moves compiled; a label's graph is kept and changed where labels changed, with its flow.

    Keeping the graphs takes, per pixel and label, 24 bytes with 4 neighbours and 40 with 8 (twice
    that, less 4, for int64); where that is more than `KEPT_BYTES` in all, one graph is built anew
    for every move.
    """

    def __init__(self, problem: IntegerProblem, labels: npt.NDArray[np.int32]) -> None:
        padded = np.zeros(problem.planes.shape[1:], np.int32)
        self.labels = padded[1:-1, 1:-1]
        self.labels[...] = labels
        self._label = padded.reshape(-1)
        self._unary = problem.planes.reshape(problem.labels, -1)  # (L,N)
        self._V = problem.V
        factor = np.zeros((*padded.shape, len(problem.weights)), problem.planes.dtype)
        for k, (direction, w) in enumerate(problem.edges):
            p, _ = pairs(factor[1:-1, 1:-1, k], direction)
            p[...] = w
        self._factor = factor.reshape(padded.size, -1)  # (N,D/2)
        self._grid = FastGrid(problem.shape, len(problem.weights), problem.planes.dtype)
        one = self._label.nbytes + self._grid.terminal.nbytes + self._grid.residual.nbytes
        self._keep = problem.labels * one <= KEPT_BYTES
        self._kept: dict[int, tuple[npt.NDArray[Any], ...]] = {}  # α: labels, terminal, residual of its last move

    def expand(self, alpha: int) -> npt.NDArray[np.bool_]:
        """See `Moves`."""
        costs = (alpha, self._unary, self._V, self._factor, self._grid.step)
        if alpha in self._kept:
            before, terminal, residual = self._kept[alpha]
            _move_graphs.expansion_again(self._label, before, *costs, terminal, residual)
            before[...] = self._label
        else:
            terminal, residual = self._grid.terminal, self._grid.residual
            if self._keep:
                terminal, residual = np.empty_like(terminal), np.zeros_like(residual)
                self._kept[alpha] = self._label.copy(), terminal, residual
            _move_graphs.expansion(self._label, *costs, terminal, residual)
        return self._grid.solve(terminal, residual)

    def swap(self, alpha: int, beta: int) -> npt.NDArray[np.bool_]:
        """See `Moves`."""
        grid = self._grid
        _move_graphs.swap(
            self._label, alpha, beta, self._unary, self._V, self._factor, grid.step, grid.terminal, grid.residual
        )
        return grid.solve(grid.terminal, grid.residual)
