r"""The energy of a whole video: a third axis of neighbours, along time.

.. math:: E(f) = \sum_p D_p(f_p) + \sum_{\{p,q\} \in N_{space}} w_{pq} \, V(f_p, f_q)
               + \lambda_t \sum_{\{p,q\} \in N_{time}} V(f_p, f_q)

A neighbour in time need not be at the same place: `links` says for each pixel where it is in the next frame, such as
where optical flow takes it. Then the graph is no grid any more, and PyMaxflow cuts it as a general one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.graphcut.moves import Fit, descend
from wadlib.graphcut.problem import DIRECTIONS, kind, pairs
from wadlib.graphcut.smoothness import check_metric, smoothness_matrix

Weights = Sequence[Sequence[npt.NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class Edges:
    """The pairs of neighbours of a volume (T,H,W), as positions in its flat order.

    Attributes
    ----------
    p, q : (E,) int64
    w : (E,) int64 or float64, >= 0
    """

    p: npt.NDArray[np.int64]
    q: npt.NDArray[np.int64]
    w: npt.NDArray[Any]


def volume_edges(
    shape: tuple[int, int, int],
    edge_weights: Weights | None = None,
    time_weight: float = 1,
    links: npt.NDArray[np.integer] | None = None,
) -> Edges:
    """List the pairs of neighbours in space (right, down) and in time.

    Parameters
    ----------
    shape : (T, H, W)
    edge_weights : for each frame (right, down), optional
        Factors (H,W-1) and (H-1,W), such as those of `contrast_weights`; 1 everywhere when missing.
    time_weight : float >= 0
        Factor of each pair in time.
    links : (T-1,H,W) int, optional
        For each pixel of a frame the flat position, ``y * W + x``, of its neighbour in the next frame; -1 for none.
        By default the same place.

    Raises
    ------
    SegmentationError
        Shapes that do not fit, a link out of the frame, or a weight that is negative or not finite.

    Examples
    --------
    >>> edges = volume_edges((2, 1, 2), time_weight=3)
    >>> list(zip(edges.p.tolist(), edges.q.tolist(), edges.w.tolist()))
    [(0, 1, 1), (2, 3, 1), (0, 2, 3), (1, 3, 3)]
    """
    frames, height, width = shape
    place = np.arange(height * width).reshape(height, width)
    # Neighbours within a frame, and their weights.
    ends = [pairs(place, direction) for direction in DIRECTIONS[:2]]
    expected = [p.shape for p, _ in ends]
    weights = [[np.ones(s, np.int64) for s in expected]] * frames if edge_weights is None else list(edge_weights)
    if len(weights) != frames or any([np.shape(w) for w in each] != expected for each in weights):
        raise SegmentationError(
            f"volume_edges: expected weights of shapes {expected} for each of {frames} frames, got {len(weights)} of "
            f"{[np.shape(w) for w in weights[0]] if weights else 'none'}",
            cause="weights of 8 neighbours, or of frames of another size",
            fix="[contrast_weights(image) for image in images]",
        )
    # Neighbours in the next frame: the same place, or where the flow leads.
    if links is None:
        links = np.broadcast_to(place, (max(frames - 1, 0), height, width))
    ok = isinstance(links, np.ndarray) and links.shape == (frames - 1, height, width) and links.dtype.kind in "iu"
    if not ok or (links.size and not -1 <= links.min() <= links.max() < place.size):
        raise SegmentationError(
            f"volume_edges: expected links of shape {(frames - 1, height, width)}, from -1 to {place.size - 1}, got "
            + (f"{kind(links)}" if not ok else f"{int(links.min())} to {int(links.max())}"),
            cause="positions (y, x) in place of flat ones, or a link for the last frame",
            fix="y * width + x, and -1 where there is no neighbour",
        )
    # One list of edges; nodes are numbered frame after frame.
    p, q, w = [], [], []
    for t, each in enumerate(weights):
        for (one, other), weight in zip(ends, each, strict=True):
            p.append(t * place.size + one.ravel())
            q.append(t * place.size + other.ravel())
            w.append(np.asarray(weight).ravel())
    for t, link in enumerate(links):
        there = link.ravel() >= 0
        p.append(t * place.size + place.ravel()[there])
        q.append((t + 1) * place.size + link.ravel()[there])
        w.append(np.full(int(there.sum()), time_weight))
    weight = np.concatenate(w)
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise SegmentationError(
            "volume_edges: expected weights that are finite and not negative",
            cause="a reward for differing neighbours, which no graph cut can minimise",
            fix="use factors such as those of contrast_weights(image), and time_weight >= 0",
        )
    return Edges(np.concatenate(p).astype(np.int64), np.concatenate(q).astype(np.int64), weight)


def alpha_expansion_volume(
    unary: npt.NDArray[Any],
    smoothness: float | npt.ArrayLike,
    edge_weights: Weights | None = None,
    *,
    time_weight: float = 1,
    links: npt.NDArray[np.integer] | None = None,
    init: npt.NDArray[np.integer] | None = None,
    max_moves: int | None = None,
) -> Fit:
    """Lower the energy of a video by α-expansions; for two labels the result is the exact minimum.

    Parameters
    ----------
    unary : (T,H,W,L) int or float
        Cost D of each label at each pixel of each frame.
    smoothness : float >= 0, or (L,L)
        The Potts weight, or V itself, a metric; both in space and in time.
    edge_weights, time_weight, links
        See `volume_edges`.
    init : (T,H,W) int, optional
        Labelling to start from; by default the least unary cost at each pixel.
    max_moves : int, optional

    Returns
    -------
    Fit
        Its labels are (T,H,W). About 300 bytes per pixel are needed while it runs.

    Raises
    ------
    SegmentationError
        V is not a metric, wrong shapes, numbers that are not finite, or PyMaxflow is missing.

    Examples
    --------
    A pixel that is in doubt for one frame, in a video of 1x1 pixels:

    >>> unary = np.array([[0, 5], [3, 2], [0, 5]]).reshape(3, 1, 1, 2)
    >>> fit = alpha_expansion_volume(unary, 1, time_weight=2)
    >>> fit.labels.ravel(), fit.energies
    (array([0, 0, 0], dtype=int32), array([6, 3, 3]))
    """
    where = "alpha_expansion_volume"
    ok = isinstance(unary, np.ndarray) and unary.ndim == 4 and unary.size and unary.dtype.kind in "biuf"
    if not ok or not np.isfinite(unary).all():
        raise SegmentationError(
            f"{where}: expected finite costs of shape (T,H,W,L), got {kind(unary)}",
            cause="a single frame, or the logarithm of a probability of zero",
            fix="np.stack the costs of the frames, for example of unary_from_probabilities",
        )
    V = smoothness_matrix(smoothness, unary.shape[3], where)
    check_metric(V, where)
    shape = (unary.shape[0], unary.shape[1], unary.shape[2])
    problem = _Volume(unary, V, volume_edges(shape, edge_weights, time_weight, links))
    labels = problem.start(init)
    solver = _Labels(labels)

    def move(alpha: int) -> npt.NDArray[np.int32]:
        takes = problem.expand(solver.labels, alpha)
        return np.where(takes, np.int32(alpha), solver.labels)

    return descend(problem, solver, [(alpha,) for alpha in range(problem.labels)], move, max_moves, None)


@dataclass(eq=False)
class _Labels:
    labels: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class _Volume:
    """Checked costs of a video."""

    unary: npt.NDArray[Any]
    V: npt.NDArray[Any]
    edges: Edges

    @property
    def labels(self) -> int:
        return int(self.unary.shape[3])

    @property
    def is_integer(self) -> bool:
        return all(a.dtype.kind in "biu" for a in (self.unary, self.V, self.edges.w))

    def start(self, init: npt.NDArray[np.integer] | None) -> npt.NDArray[np.int32]:
        if init is None:
            return np.argmin(self.unary, axis=3).astype(np.int32)
        if init.shape != self.unary.shape[:3] or init.min() < 0 or init.max() >= self.labels:
            raise SegmentationError(
                f"alpha_expansion_volume: expected init of shape {self.unary.shape[:3]} in 0…{self.labels - 1}, got "
                f"{kind(init)}",
                cause="a label map of one frame, or label codes",
                fix="use the index of each label in the unary, as from np.argmin(unary, axis=3)",
            )
        return init.astype(np.int32)

    def energy(self, labels: npt.NDArray[np.integer]) -> int | float:
        flat = labels.ravel()
        pairwise = self.edges.w * self.V[flat[self.edges.p], flat[self.edges.q]]
        return (np.take_along_axis(self.unary, labels[..., None], axis=3).sum() + pairwise.sum()).item()  # type: ignore[no-any-return]

    def change(self, old: npt.NDArray[np.integer], new: npt.NDArray[np.integer]) -> int | float:
        return 0 if np.array_equal(old, new) else self.energy(new) - self.energy(old)

    def expand(self, labels: npt.NDArray[np.int32], alpha: int) -> npt.NDArray[np.bool_]:
        """Pixels that the best α-expansion gives α to: one cut, arcs as in `wadlib.graphcut.binary.expansion_graph`."""
        import maxflow

        number = np.int64 if self.is_integer else np.float64
        f, (p, q, w) = labels.ravel(), (self.edges.p, self.edges.q, self.edges.w)
        unary = self.unary.reshape(-1, self.labels).astype(number)
        change: npt.NDArray[Any] = (
            unary[:, alpha] - np.take_along_axis(unary, f[:, None].astype(np.int64), axis=1)[:, 0]
        )
        # A pair costs A if both keep, B if q takes α, C if p does: A + (C - A) x_p - C x_q + (B + C - A) (1 - x_p) x_q
        A, B, C = w * self.V[f[p], f[q]], w * self.V[f[p], alpha], w * self.V[alpha, f[q]]
        change += np.bincount(p, C - A, change.size).astype(number) - np.bincount(q, C, change.size).astype(number)
        graph = (maxflow.GraphInt if self.is_integer else maxflow.GraphFloat)(change.size, p.size)
        nodes = graph.add_grid_nodes(change.size)
        graph.add_edges(p, q, np.maximum(B + C - A, 0), np.zeros_like(A))
        graph.add_grid_tedges(nodes, np.maximum(change, 0), np.maximum(-change, 0))
        graph.maxflow()
        return np.asarray(graph.get_grid_segments(nodes).reshape(labels.shape))
