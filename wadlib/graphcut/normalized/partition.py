"""Cutting a graph again and again: the cheapest cut first (Shi and Malik 2000, section 3)."""

import heapq
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.graphcut.normalized.affinity import PixelGraph
from wadlib.graphcut.normalized.cuts import sweep
from wadlib.graphcut.normalized.eigen import DENSE_NODES, Eigensystem, smallest_eigenvectors


@dataclass(frozen=True)
class Split2:
    """One part of the graph, cut in two.

    Attributes
    ----------
    ncut : Ncut of the two sides within the part
    eigenvalue : lambda_2 of the part, below which no cut of it can be
    residual : of the eigenvector that was swept
    sizes : nodes of the two sides; the one that holds the part's first node comes first
    segments : how many segments there were after this cut
    """

    ncut: float
    eigenvalue: float
    residual: float
    sizes: tuple[int, int]
    segments: int


def cut_graph(
    W: Any, *, threshold: float, segments: int, eigenvectors: int = 1, tolerance: float = 1e-7, seed: int = 0
) -> tuple[npt.NDArray[np.int64], tuple[Split2, ...], float, Eigensystem, float]:
    """Cut a graph in two, then the part with the cheapest cut, and so on; what `normalized_cut` does.

    Parameters
    ----------
    W : (n,n) symmetric weights
        scipy CSR array or `PixelGraph`.
    threshold, segments, eigenvectors, tolerance, seed
        See `normalized_cut`.

    Returns
    -------
    part : (n,) int64, the part of each node
    cuts : the cuts made
    ncut : of the best cut of the whole graph
    system : eigenvalues and eigenvectors of the whole graph
    residual : the largest of all
    """
    part = np.zeros(W.shape[0], np.int64)
    system = smallest_eigenvectors(W, eigenvectors, tolerance=tolerance, seed=seed)
    residual = float(system.residuals.max(initial=0))
    whole = np.arange(W.shape[0])
    candidate = _best_cut(W, whole, whole, system)
    ncut = candidate.ncut
    # The cheapest cut first; of equal ones, the older.
    heap = [(ncut, 0, candidate)]
    cuts: list[Split2] = []
    fresh: list[npt.NDArray[np.intp]] = []  # parts whose best cut is not known yet
    while len(cuts) + 1 < segments:
        for nodes in fresh:
            graph, local = _part(W, nodes)
            found = smallest_eigenvectors(graph, 1, tolerance=tolerance, seed=seed)
            residual = max(residual, float(found.residuals.max(initial=0)))
            candidate = _best_cut(graph, nodes, local, found)
            heapq.heappush(heap, (candidate.ncut, len(cuts) * 2 + int(part[nodes[0]] == len(cuts)), candidate))
        fresh = []
        if not heap:
            break
        ncut_next, _, best = heapq.heappop(heap)
        if not ncut_next <= threshold or math.isinf(ncut_next):
            break
        sides = best.nodes[best.side == best.side[0]], best.nodes[best.side != best.side[0]]
        part[sides[1]] = len(cuts) + 1
        sizes = len(sides[0]), len(sides[1])
        cuts.append(Split2(best.ncut, best.eigenvalue, best.residual, sizes, len(cuts) + 2))
        fresh = list(sides)
    return part, tuple(cuts), ncut, system, residual


@dataclass(frozen=True, eq=False)
class _Candidate:
    """The best cut found of a part: side (bool) of each of its nodes."""

    ncut: float
    eigenvalue: float
    residual: float
    nodes: npt.NDArray[np.intp]
    side: npt.NDArray[np.bool_]


def _best_cut(graph: Any, nodes: npt.NDArray[np.intp], local: npt.NDArray[np.intp], system: Eigensystem) -> _Candidate:
    if not len(system.values):
        return _Candidate(math.inf, math.inf, 0.0, nodes, np.zeros(len(nodes), bool))
    swept = sweep(graph, system.vectors[0])
    return _Candidate(swept.ncut, float(system.values[0]), float(system.residuals[0]), nodes, swept.side[local])


def _part(W: Any, nodes: npt.NDArray[np.intp]) -> tuple[Any, npt.NDArray[np.intp]]:
    """Return the graph of some nodes, ascending, and their numbers in it."""
    if isinstance(W, PixelGraph):
        return W.part(nodes)
    if isinstance(W, np.ndarray):
        return W[np.ix_(nodes, nodes)], np.arange(len(nodes))
    part = W[nodes][:, nodes]
    return part.toarray() if len(nodes) <= DENSE_NODES else part, np.arange(len(nodes))
