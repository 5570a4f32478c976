r"""The smallest eigenvectors of a graph: :math:`(D - W) y = \lambda D y` (Shi and Malik 2000, eq. 6).

With :math:`z = D^{1/2} y` it is :math:`A z = \lambda z`, with :math:`A = I - D^{-1/2} W D^{-1/2}`
symmetric and its eigenvalues between 0 and 2. The smallest is 0, for y constant; it says nothing
and is left out.

Three solvers, by the size of the graph:

- up to 200 nodes: all of A, LAPACK;
- up to a few thousand, or any sparse matrix: Lanczos on the inverse of A, factorized exactly;
- a large `PixelGraph`: LOBPCG (Knyazev 2001) with the two grids of `TwoGrid`, which never build A.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.graphcut.normalized.affinity import PixelGraph
from wadlib.graphcut.normalized.cuts import degrees
from wadlib.graphcut.normalized.stencil import coarse_edges, group

Floats = npt.NDArray[np.float64]

DENSE_NODES = 200
"""Up to here, finding all eigenvectors is the fastest."""

SHIFT = 1e-7
"""Added to A before it is factorized: A itself has no inverse."""


class NotConvergedWarning(UserWarning):
    """An eigenvector was not found to the wanted tolerance."""


@dataclass(frozen=True, eq=False)
class Eigensystem:
    r"""Eigenvectors without the constant one.

    Attributes
    ----------
    values : (k,) float64, ascending
    vectors : (k,n) float64
        Rows y with :math:`y^T D y = 1`, the entry of largest magnitude positive; 0 at nodes without edges.
    residuals : (k,) float64
        :math:`|A z - \lambda z|` of each, with :math:`|z| = 1`.
    """

    values: Floats
    vectors: Floats
    residuals: Floats


def smallest_eigenvectors(
    W: Any, count: int = 1, *, tolerance: float = 1e-7, seed: int = 0, iterations: int = 100
) -> Eigensystem:
    """Return the `count` smallest eigenvalues above the trivial one, with their vectors.

    Parameters
    ----------
    W : (n,n) symmetric weights
        numpy array, scipy sparse array or `PixelGraph`. Nodes without edges are left out.
    count : int
        At most n - 1 are returned.
    tolerance : float
        Of the residual. The second eigenvalue of a street's pixel graph is about 1e-5, so that a
        residual of 1e-5 is hardly a beginning.
    seed : int
        Of the start vectors. The result is the same for the same seed.
    iterations : int
        Of LOBPCG, at most.

    Warns
    -----
    NotConvergedWarning
        If a residual is above the tolerance.

    Examples
    --------
    >>> W = np.array([[0, 1], [1, 0]])
    >>> smallest_eigenvectors(W).values.round(12).tolist()
    [2.0]
    """
    d = degrees(W)
    active = np.flatnonzero(d > 0)
    count = min(count, max(len(active) - 1, 0))
    if count == 0:
        return Eigensystem(np.empty(0), np.empty((0, len(d))), np.empty(0))
    root = np.sqrt(d)
    inverse_root = np.zeros_like(root)
    inverse_root[active] = 1 / root[active]
    rng = np.random.default_rng(seed)
    if isinstance(W, PixelGraph) and len(active) > 2000:
        z = _lobpcg(W, root, inverse_root, count, tolerance, rng, iterations)  # (n,count)
    else:
        z = np.zeros((len(d), count))
        z[active] = _by_factors(_rows(W, active), root[active], count, tolerance, rng)
    Az = z - inverse_root[:, None] * (W @ (inverse_root[:, None] * z))
    values = np.einsum("nk,nk->k", z, Az)
    residuals = np.linalg.norm(Az - values * z, axis=0)
    order = np.argsort(values, kind="stable")
    y = (inverse_root[:, None] * z).T[order]  # (count,n)
    largest = np.take_along_axis(y, np.abs(y).argmax(axis=1, keepdims=True), axis=1)
    y *= np.sign(largest)
    system = Eigensystem(np.maximum(values[order], 0), y, residuals[order])
    if residuals.max() > tolerance:
        warnings.warn(
            f"smallest_eigenvectors: residual {residuals.max():.1e} instead of {tolerance:.1e} "
            f"after {iterations} iterations; the cut may not be the best. Allow more iterations, or take larger sigmas",
            NotConvergedWarning,
            stacklevel=2,
        )
    return system


def _rows(W: Any, active: npt.NDArray[np.intp]) -> Any:
    """W without the nodes that have no edges; an array, or a CSR array if it is large or sparse."""
    if isinstance(W, np.ndarray) and len(active) <= DENSE_NODES:
        return W[np.ix_(active, active)]
    from scipy.sparse import csr_array

    sparse = W.to_sparse() if isinstance(W, PixelGraph) else csr_array(W)
    return sparse if len(active) == sparse.shape[0] else sparse[active][:, active]


def _by_factors(W: Any, root: Floats, count: int, tolerance: float, rng: np.random.Generator) -> Floats:
    """Eigenvectors z (n,count) of a graph that is small enough to factorize."""
    from scipy.linalg import eigh
    from scipy.sparse.linalg import LinearOperator, eigsh

    n = len(root)
    trivial = root / np.linalg.norm(root)
    if n <= max(DENSE_NODES, count + 2):
        dense = np.eye(n) - (W if isinstance(W, np.ndarray) else W.toarray()) / np.outer(root, root)
        dense += 3 * np.outer(trivial, trivial)  # moves the trivial eigenvector from 0 to 3, above all others
        return np.asarray(eigh(dense, subset_by_index=[0, count - 1], check_finite=False)[1])
    factors = _factorize(W, root)

    def inverse(x: Floats) -> Floats:
        solved = factors.solve(x - trivial * (trivial @ x))
        return np.asarray(solved - trivial * (trivial @ solved))

    operator = LinearOperator((n, n), matvec=inverse, dtype=np.float64)
    start = inverse(rng.standard_normal(n))
    basis = min(2 * count + 6, n)  # so few vectors do: the inverse sets its large eigenvalues well apart
    return np.asarray(eigsh(operator, k=count, which="LA", v0=start, tol=min(tolerance, 1e-7), ncv=basis, rng=rng)[1])


def _factorize(W: Any, root: Floats) -> Any:
    """Sparse LU of A + SHIFT for a CSR array W: positive definite, so pivots on the diagonal do."""
    from scipy.sparse import csr_array, eye_array
    from scipy.sparse.linalg import splu

    scaled = W.data * np.repeat(1 / root, np.diff(W.indptr)) / root[W.indices]
    shifted = (1 + SHIFT) * eye_array(len(root), format="csr") - csr_array((scaled, W.indices, W.indptr), shape=W.shape)
    options = {"SymmetricMode": True}
    # The transpose of a CSR array is a CSC array, for nothing, and the matrix is symmetric.
    return splu(shifted.T, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)


def _lobpcg(
    graph: PixelGraph,
    root: Floats,
    inverse_root: Floats,
    count: int,
    tolerance: float,
    rng: np.random.Generator,
    iterations: int,
) -> Floats:
    """Eigenvectors z (n,count) of a large pixel graph."""
    from scipy.sparse.linalg import LinearOperator, lobpcg
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n = graph.shape[0]

    def apply(z: Floats) -> Floats:
        return np.asarray(z - inverse_root[:, None] * (graph @ (inverse_root[:, None] * z)))

    grids = TwoGrid(graph)
    start = root[:, None] * grids.eigenvectors(max(count, 3), rng)  # (n,k): more than one, for close eigenvalues
    A = LinearOperator((n, n), matvec=lambda z: apply(z.reshape(n, 1)), matmat=apply, dtype=np.float64)
    M = LinearOperator(
        (n, n),
        matvec=lambda r: grids.solve(r.reshape(n, 1), root),
        matmat=lambda r: grids.solve(r, root),
        dtype=np.float64,
    )
    # One thread: the only products for BLAS are of three columns, too thin to share.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # we measure the residual ourselves
        _, z = lobpcg(A, start, M=M, Y=root[:, None].copy(), tol=tolerance, maxiter=iterations, largest=False)
    return np.asarray(z[:, :count])


class TwoGrid:
    r"""An approximate inverse of L = D - W for a large pixel graph, on two grids.

    What varies from pixel to pixel is damped by Jacobi steps, :math:`y \leftarrow y + \omega
    D^{-1}(f - L y)`; what varies slowly is solved exactly on a coarse graph, whose nodes are groups
    of about twenty similar pixels and whose weights are the sums of the weights between them. A
    group does not reach across an edge of the picture, so that a step there is as easily made on the
    coarse graph. The coarse eigenvectors are the start of the fine ones.

    Takes about 30 bytes per pixel besides the graph: the coarse graph is at most n/8 nodes, however
    rough the picture is.
    """

    # Chebyshev's step lengths for eigenvalues of D^-1 L from 1/4 to 2; above 2 there are none.
    STEPS = tuple(1 / (1.125 + 0.875 * np.cos(np.pi * (k + 0.5) / 2)) for k in range(2))

    def __init__(self, graph: PixelGraph) -> None:
        self.graph = graph
        self.degrees = graph.degrees
        with np.errstate(divide="ignore"):
            self._jacobi = np.where(self.degrees > 0, 1 / self.degrees, 0)
        self.groups, coarse = _coarsen(graph)
        mass = np.bincount(self.groups[self.groups >= 0], self.degrees[self.groups >= 0])
        self._root = np.sqrt(mass)  # of the coarse degrees: all weights of the group's pixels
        self._factors = _factorize(coarse, self._root)
        self._trivial = self._root / np.linalg.norm(self._root)

    def eigenvectors(self, count: int, rng: np.random.Generator) -> Floats:
        """Compute the eigenvectors of the coarse graph, the same for all pixels of a group: y (n,count)."""
        from scipy.sparse.linalg import LinearOperator, eigsh

        size = len(self._root)
        operator = LinearOperator((size, size), matvec=lambda x: self._coarse(x.ravel()), dtype=np.float64)
        start = self._coarse(rng.standard_normal(size))
        values, z = eigsh(operator, k=count, which="LA", v0=start, tol=1e-6, rng=rng)
        z = z[:, np.argsort(-values, kind="stable")]
        return self._spread(z / self._root[:, None])

    def solve(self, r: Floats, root: Floats) -> Floats:
        """Return about :math:`A^{-1} r` for the columns of r (n,k)."""
        return np.stack([root * self._cycle(root * column) for column in r.T], axis=1)

    def _cycle(self, f: Floats) -> Floats:
        """About :math:`L^{-1} f`: Jacobi steps, the coarse graph, and the same steps backwards (symmetric)."""
        first, *others = self.STEPS
        y = first * self._jacobi * f
        for step in others:
            y += step * self._jacobi * self._residual(f, y)
        r = np.bincount(self.groups + 1, self._residual(f, y))[1:] / self._root
        y += self._spread((self._coarse(r) / self._root)[:, None])[:, 0]
        for step in (*others[::-1], first):
            y += step * self._jacobi * self._residual(f, y)
        return y

    def _residual(self, f: Floats, y: Floats) -> Floats:
        """What is missing: f - L y."""
        return f - self.degrees * y + self.graph @ y

    def _coarse(self, r: Floats) -> Floats:
        """Solve on the coarse graph, without the constant, which has no answer there."""
        solved = self._factors.solve(r - self._trivial * (self._trivial @ r))
        return np.asarray(solved - self._trivial * (self._trivial @ solved))

    def _spread(self, values: Floats) -> Floats:
        """(G,k) -> (n,k); 0 at pixels without a group."""
        return np.concatenate([values, np.zeros((1, values.shape[1]))])[self.groups]


def _coarsen(graph: PixelGraph) -> tuple[npt.NDArray[np.int32], Any]:
    """Group of each pixel (n,) int32, -1 for none, and the weights between groups (G,G); on the diagonal, inside."""
    from scipy.sparse import csr_array

    height, width = graph.picture_shape
    full, near = np.concatenate([graph.offsets, -graph.offsets]), np.tile(graph.near, 2)
    pixel_degrees = graph.degrees.reshape(height, width)
    groups = np.empty((height, width), np.int32)
    for theta in (0.3, 0.03, 0.0):
        # In a rough picture too few pixels are alike: then less alike ones must do.
        count = group(graph.weights, full, near, theta, pixel_degrees, groups)
        if 8 * count <= np.count_nonzero(pixel_degrees):
            break
    flat = groups.ravel()
    order = np.argsort(flat, kind="stable")
    start = np.searchsorted(flat[order], np.arange(count + 1))
    indptr = np.zeros(count + 1, np.int32)
    nothing = np.empty(0, np.int32), np.empty(0)
    coarse_edges(graph.weights, full, order, start, groups, np.full(count, -1), indptr, *nothing)
    indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1])
    coarse_edges(graph.weights, full, order, start, groups, np.full(count, -1), indptr, indices, data)
    return flat, csr_array((data, indices, indptr), shape=(count, count))
