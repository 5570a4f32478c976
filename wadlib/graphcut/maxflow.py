"""Minimum cut of a grid graph, by two solvers: PyMaxflow, the reference, and a compiled one.

Both give the same cut, not only one of the same capacity: of all minimum cuts the one with the
fewest pixels on the sink's side, which is unique.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.binary import GridGraph
from wadlib.graphcut.fast import _grid_cut
from wadlib.graphcut.problem import DIRECTIONS, LARGEST, pairs

Solver = Literal["fast", "pymaxflow"]


@dataclass(frozen=True, eq=False)
class Cut:
    """A minimum cut.

    Attributes
    ----------
    takes : (H,W) bool
        The pixels on the sink's side: those from which the sink can still be reached.
    flow : int or float
        The maximum flow, which is the capacity of the cut.
    """

    takes: npt.NDArray[np.bool_]
    flow: int | float


def min_cut(graph: GridGraph, *, solver: Solver = "fast") -> Cut:
    """Compute the maximum flow and the minimum cut of a grid graph.

    Parameters
    ----------
    graph : GridGraph
        Float capacities are rounded to 2**-52 of the largest (more coarsely for more than some
        40 pixels, so that the flow fits 62 bits).
    solver : "fast" or "pymaxflow"
        Compiled Boykov-Kolmogorov (needs a few seconds to compile, once), or PyMaxflow.

    Raises
    ------
    SegmentationError
        Capacities that are not finite or too large, an arc of negative capacity, arrays whose
        shapes do not fit, or another solver.

    Examples
    --------
    >>> source, sink = np.array([[7, 1]]), np.array([[2, 5]])
    >>> link = np.array([[3]])
    >>> none = np.empty((0, 2), int)
    >>> cut = min_cut(GridGraph(source, sink, ((link, link), (none, none))), solver="pymaxflow")
    >>> cut.takes, cut.flow
    (array([[False,  True]]), 6)
    """
    check_solver("min_cut", solver)
    shape, capacities = _check_graph(graph)
    largest = np.max([np.abs(c).max(initial=0) for c in capacities]).item()  # NaN if there is one
    is_integer = all(c.dtype.kind in "biu" for c in capacities)
    room = LARGEST // (4 * sum(c.size for c in capacities))
    if not largest < (room if is_integer else 1e300):
        raise SegmentationError(
            f"min_cut: expected finite capacities up to {float(room):.2g}, got {largest}",
            cause="a link that must not be cut was given an endless capacity",
            fix="give it a little more than all other capacities together",
        )
    scale: float = 1
    if not is_integer and largest > 0:
        scale = 2.0 ** math.floor(math.log2(min(2**52, room) / largest))
    source, sink, *links = [
        c.astype(np.int64) if scale == 1 and is_integer else np.rint(c.astype(np.float64) * scale).astype(np.int64)
        for c in capacities
    ]
    arcs = tuple(zip(links[::2], links[1::2], strict=True))
    through = np.minimum(source, sink)  # flows straight from the source to the sink
    grid = FastGrid(shape, len(arcs), np.int64) if solver == "fast" else PyMaxflowGrid(shape, len(arcs))
    takes, flow = grid.cut(GridGraph(source - through, sink - through, arcs))
    total = int(through.sum()) + flow
    return Cut(takes, total if is_integer else total / scale)


class PyMaxflowGrid:
    """PyMaxflow's graph of a grid, emptied and used again for each cut."""

    def __init__(self, shape: tuple[int, int], directions: int) -> None:
        import maxflow

        ids = np.arange(shape[0] * shape[1]).reshape(shape)
        self._shape = shape
        self._ends = [tuple(end.ravel() for end in pairs(ids, d)) for d in DIRECTIONS[:directions]]
        self._graph = maxflow.GraphInt(ids.size, sum(len(p) for p, _ in self._ends))

    def cut(self, graph: GridGraph) -> tuple[npt.NDArray[np.bool_], int]:
        """Find the pixels on the sink's side, and the flow; integer capacities, none negative."""
        self._graph.reset()
        nodes = self._graph.add_grid_nodes(self._shape)
        for (p, q), (ahead, back) in zip(self._ends, graph.arcs, strict=True):
            self._graph.add_edges(p, q, ahead.ravel(), back.ravel())
        self._graph.add_grid_tedges(nodes, graph.source, graph.sink)
        flow = self._graph.maxflow()
        return self._graph.get_grid_segments(nodes), int(flow)


class FastGrid:
    """Arrays of the compiled solver for one size of grid; see `wadlib.graphcut.fast._grid_cut`.

    Per pixel 14 bytes of work space, and for the residual capacities 20 bytes with 4 neighbours or
    36 with 8 (twice that for int64).
    """

    def __init__(self, shape: tuple[int, int], directions: int, dtype: npt.DTypeLike) -> None:
        height, width = shape
        self.shape = (height + 2, width + 2)
        n, row = self.shape[0] * self.shape[1], self.shape[1]
        if n >= 2**31:
            raise SegmentationError(
                f"FastGrid: expected fewer than 2**31 pixels, got {height}x{width}",
                cause="a mosaic of many frames",
                fix="cut it into tiles",
            )
        ahead = [dy * row + dx for dy, dx in DIRECTIONS[:directions]]
        self.step = np.array([sign * d for d in ahead for sign in (1, -1)], np.int32)  # an arc and its reverse
        self.terminal = np.zeros(n, dtype)
        self.residual = np.zeros((n, 2 * directions), dtype)
        self._parent = np.zeros(n, np.int8)
        self._waiting = np.zeros(n, np.int8)
        self._distance, self._stamp, self._queue, self._orphans = (np.zeros(n, np.int32) for _ in range(4))

    def solve(self, terminal: npt.NDArray[Any], residual: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Push all the flow through a graph, in place; True (H,W) on the sink's side."""
        count = _grid_cut.start(terminal, self._parent, self._queue)
        tree = (self._parent, self._distance, self._stamp, self._queue, self._waiting, self._orphans)
        _grid_cut.grow_and_augment(terminal, residual, self.step, *tree, count)
        return np.asarray(self._parent.reshape(self.shape)[1:-1, 1:-1] >= 0)

    def cut(self, graph: GridGraph) -> tuple[npt.NDArray[np.bool_], int]:
        """Find the pixels on the sink's side, and the flow; integer capacities, none negative."""
        inside = self.terminal.reshape(self.shape)[1:-1, 1:-1]
        inside[...] = graph.source - graph.sink
        straight = np.minimum(graph.source, graph.sink).sum()
        grid = self.residual.reshape(*self.shape, -1)[1:-1, 1:-1]
        for k, (ahead, back) in enumerate(graph.arcs):
            p, _ = pairs(grid[..., 2 * k], DIRECTIONS[k])
            _, q = pairs(grid[..., 2 * k + 1], DIRECTIONS[k])
            p[...], q[...] = ahead, back
        demand = np.minimum(inside, 0).sum()
        takes = self.solve(self.terminal, self.residual)
        return takes, int(straight + np.minimum(inside, 0).sum() - demand)


def check_solver(where: str, solver: str) -> None:
    """Refuse a solver that does not exist."""
    if solver not in ("fast", "pymaxflow"):
        raise SegmentationError(
            f"{where}: expected solver 'fast' or 'pymaxflow', got {solver!r}",
            cause="a misprint",
            fix="leave solver out for the fast one",
        )


def _check_graph(graph: GridGraph) -> tuple[tuple[int, int], list[npt.NDArray[Any]]]:
    """Shape, and all capacities in one list: source, sink, ahead, back, ahead, ..."""
    shape = graph.source.shape
    expected = [shape, shape]
    for dy, dx in DIRECTIONS[: len(graph.arcs)]:
        expected += 2 * [(shape[0] - dy, shape[1] - abs(dx))] if len(shape) == 2 else []
    capacities = [graph.source, graph.sink, *(c for arc in graph.arcs for c in arc)]
    got = [c.shape for c in capacities]
    if len(shape) != 2 or not graph.source.size or len(graph.arcs) not in (2, 4) or got != expected:
        raise SegmentationError(
            f"min_cut: expected capacities of shapes {expected}, got {got}",
            cause="arcs in another order than DIRECTIONS, or for another size of grid",
            fix="pass (ahead, back) arrays for right and down, or for right, down, down-right and down-left",
        )
    lowest = min(c.min(initial=0) for c in capacities[2:])
    if lowest < 0:
        raise SegmentationError(
            f"min_cut: expected arcs of capacity >= 0, got {lowest}",
            cause="an energy that is not submodular, which no cut can minimise",
            fix="check V with check_metric or check_semimetric",
        )
    return (shape[0], shape[1]), capacities
