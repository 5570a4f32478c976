r"""The graph of one move: keep or change, for every pixel at once.

A pixel that ends on the sink's side of the cut pays `source` and takes α; one that stays with the
source pays `sink` and keeps its label (expansion) or takes β (swap). So the α terminal of Fig 1 is
the source, and a pixel takes the label of the terminal link that is cut, as in Boykov, Veksler &
Zabih 2001. The functions are the reference; the fast solver builds the same graphs compiled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.graphcut.problem import DIRECTIONS, Problem, pairs


@dataclass(frozen=True, eq=False)
class GridGraph:
    """A flow network whose nodes are the pixels of a grid.

    Attributes
    ----------
    source, sink : (H,W)
        Capacities from the source to each pixel, and from each pixel to the sink. Both may be
        negative: every cut holds one of the two, so that only their difference decides.
    arcs : one (ahead, back) for each of the first 2 or 4 `wadlib.graphcut.problem.DIRECTIONS`
        Capacities >= 0 from each pixel to its neighbour in that direction, and from the neighbour.
    constant : int or float
        What the energy of the move is more than the cut.
    """

    source: npt.NDArray[Any]
    sink: npt.NDArray[Any]
    arcs: tuple[tuple[npt.NDArray[Any], npt.NDArray[Any]], ...]
    constant: int | float = 0

    def capacity(self, takes: npt.NDArray[np.bool_]) -> int | float:
        """Compute the capacity of the cut with the pixels `takes` (H,W) on the sink's side."""
        total = self.source[takes].sum() + self.sink[~takes].sum()
        for direction, (ahead, back) in zip(DIRECTIONS, self.arcs, strict=False):
            p, q = pairs(takes, direction)
            total += ahead[~p & q].sum() + back[p & ~q].sum()
        return total.item()  # type: ignore[no-any-return]


def expansion_graph(problem: Problem, labels: npt.NDArray[np.integer], alpha: int) -> GridGraph:
    r"""Build the graph of the α-expansion of a labelling, without auxiliary nodes.

    With x = 1 for "takes α", a pair costs A = V(f_p, f_q) for x = (0, 0), B = V(f_p, α) for (0, 1),
    C = V(α, f_q) for (1, 0) and nothing for (1, 1). That is (Kolmogorov & Zabih 2004, section 4.1)

    .. math:: A + (C - A - b) x_p + (B - A - a) x_q + a \, \bar x_p x_q + b \, x_p \bar x_q,
              \qquad a + b = B + C - A,

    and a + b >= 0 is the triangle inequality. The sum is split evenly between the two arcs.
    """
    V = problem.V
    now = _take(problem, labels)
    change = problem.unary[..., alpha].astype(now.dtype) - now  # coefficient of x: taking α less keeping
    constant = now.sum()
    arcs = []
    for direction, w in problem.edges:
        f_p, f_q = pairs(labels, direction)
        A, B, C = w * V[f_p, f_q], w * V[f_p, alpha], w * V[alpha, f_q]
        a = (B + C - A) // 2 if problem.is_integer else (B + C - A) / 2
        b = B + C - A - a
        x_p, x_q = pairs(change, direction)
        x_p += C - A - b
        x_q += B - A - a
        constant += A.sum(dtype=now.dtype)
        arcs.append((a, b))
    source, sink = np.maximum(change, 0), np.maximum(-change, 0)
    return GridGraph(source, sink, tuple(arcs), (constant - sink.sum()).item())


def swap_graph(problem: Problem, labels: npt.NDArray[np.integer], alpha: int, beta: int) -> GridGraph:
    """Build the graph of the α-β swap of a labelling (Boykov, Veksler & Zabih 2001, section 3); the report's Fig 1.

    The terminal link of a pixel to α holds D(α) and V(α, f_q) for each neighbour q with neither
    label, to β likewise; two neighbours that are both in play are linked by V(α, β). Pixels with
    neither label have no links.
    """
    V = problem.V
    now = _take(problem, labels)
    play = (labels == alpha) | (labels == beta)
    t_alpha, t_beta = (np.where(play, problem.unary[..., x], 0).astype(now.dtype) for x in (alpha, beta))
    constant = now[~play].sum()
    n_links = []
    for direction, w in problem.edges:
        (p, q), (f_p, f_q) = pairs(play, direction), pairs(labels, direction)
        for t, label in ((t_alpha, alpha), (t_beta, beta)):
            t_p, t_q = pairs(t, direction)
            t_p += np.where(p & ~q, w * V[label, f_q], 0)
            t_q += np.where(q & ~p, w * V[f_p, label], 0)
        constant += np.where(p | q, 0, w * V[f_p, f_q]).sum(dtype=now.dtype)
        link = np.where(p & q, w * V[alpha, beta], 0)
        n_links.append((link, link))
    return GridGraph(t_alpha, t_beta, tuple(n_links), constant.item())


def _take(problem: Problem, labels: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
    """Unary cost of the label that each pixel has, (H,W) int64 or float64."""
    now = np.take_along_axis(problem.unary, labels[..., None], axis=2)[..., 0]
    return now.astype(np.int64 if problem.is_integer else np.float64)
