"""Colour of a class as a mixture of Gaussians in Lab, and the pixels to learn it from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

LAB_VOLUME = 8.2e5
"""Volume of the sRGB gamut in Lab units cubed: a uniform colour has the density 1 / LAB_VOLUME."""

OUTLIER_SHARE = 0.01
"""Share of pixels whose colour is anything at all; keeps a cost from growing without bound."""

NOISE = 1.0
"""Variance in Lab units squared that every component gets in addition: about what JPEG does."""


def to_lab(image: npt.NDArray[Any]) -> Floats:
    """Turn RGB, uint8 or float in 0..1, into float32 CIE L*a*b*, both (H,W,3); L in 0..100, a and b about -100..100."""
    import cv2

    scale = np.float32(255 if image.dtype == np.uint8 else 1)
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / scale, cv2.COLOR_RGB2LAB), np.float32)


class PixelSample:
    """A uniform sample of at most `size` rows of a long stream, in constant memory.

    Every row draws a random key and the rows with the smallest keys stay: whichever rows come
    later, each had the same chance.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._keys = np.empty(0)
        self._rows = np.empty((0, 3), np.uint8)

    def add(self, rows: npt.NDArray[np.uint8], rng: np.random.Generator) -> None:
        """Offer (N,3) uint8 colours."""
        keys = rng.random(len(rows))
        if len(self._keys) == self.size:  # most rows of a later frame cannot win any more
            hopeful = keys < self._keys.max()
            keys, rows = keys[hopeful], rows[hopeful]
        self._keys, self._rows = np.append(self._keys, keys), np.concatenate([self._rows, rows])
        if len(self._keys) > self.size:
            best = np.argpartition(self._keys, self.size)[: self.size]
            self._keys, self._rows = self._keys[best], self._rows[best]

    def rows(self) -> npt.NDArray[np.uint8]:
        """Return the sample, (n,3) uint8 with n <= size, in an order that depends on the keys only."""
        return self._rows[np.argsort(self._keys, kind="stable")]


@dataclass(frozen=True, eq=False)
class ColourMixtures:
    r"""One mixture of K Gaussians in Lab per label.

    .. math:: p(x \mid l) = (1 - o) \sum_k w_{lk} \, N(x; \mu_{lk}, \Sigma_{lk}) + o / V

    with o `OUTLIER_SHARE` and V `LAB_VOLUME`.

    Attributes
    ----------
    weights : (L,K) float32; a component that is not used has weight 0, an absent label has only such
    means : (L,K,3) float32
    whitening : (L,K,3,3) float32
        Upper triangular P with :math:`\Sigma^{-1} = P P^T`, so that a squared Mahalanobis distance
        is the squared length of ``(x - mean) @ P``.
    """

    weights: Floats
    means: Floats
    whitening: Floats

    @classmethod
    def fit(cls, samples: list[npt.NDArray[np.uint8]], components: int, seed: int) -> ColourMixtures:
        """Fit by expectation maximisation (scikit-learn); `samples` holds (n,3) uint8 RGB per label.

        A label with fewer distinct colours than `components` gets as many as it has colours, and a
        label without pixels gets none.
        """
        weights = np.zeros((len(samples), components), np.float32)
        means = np.zeros((len(samples), components, 3), np.float32)
        whitening = np.zeros((len(samples), components, 3, 3), np.float32)
        whitening[:] = np.eye(3)
        for row, sample in enumerate(samples):
            if not len(sample):
                continue
            fitted = _mixture(to_lab(sample[None])[0], components, seed)
            used = len(fitted.weights_)
            weights[row, :used] = fitted.weights_
            means[row, :used] = fitted.means_
            whitening[row, :used] = fitted.precisions_cholesky_
        return cls(weights, means, whitening)

    def log_density(self, lab: Floats) -> Floats:
        """Compute log of p(x | l) times LAB_VOLUME (0 is a uniform colour): (N,3) Lab colours -> (N,L) float32."""
        labels, components = self.weights.shape
        # One matrix product whitens all pixels for all components: columns are (axis, label, component).
        matrix = np.moveaxis(self.whitening, 2, 0)  # (3,L,K,3): in axis, label, component, out axis
        matrix = np.moveaxis(matrix, 3, 1).reshape(3, -1)  # (3, 3*L*K)
        offset = np.einsum("lki,lkij->jlk", self.means, self.whitening).reshape(-1)  # (3*L*K,)
        z = lab @ matrix - offset  # (N, 3*L*K)
        np.square(z, out=z)
        n = labels * components
        distance = z[:, :n] + z[:, n : 2 * n] + z[:, 2 * n :]  # (N, L*K), squared Mahalanobis
        determinant = np.prod(np.diagonal(self.whitening, axis1=2, axis2=3), axis=2)  # |Sigma|^(-1/2)
        peak = (1 - OUTLIER_SHARE) * LAB_VOLUME * self.weights * determinant / (2 * np.pi) ** 1.5  # (L,K)
        np.exp(np.multiply(distance, -0.5, out=distance), out=distance)
        distance *= peak.reshape(-1).astype(np.float32)
        density = distance.reshape(-1, labels, components).sum(axis=2)  # (N,L)
        return np.asarray(np.log(density + np.float32(OUTLIER_SHARE)), np.float32)


def _mixture(lab: Floats, components: int, seed: int):  # type: ignore[no-untyped-def]
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    distinct = len(np.unique(lab, axis=0))
    mixture = GaussianMixture(min(components, distinct), reg_covar=NOISE, random_state=seed, max_iter=200)
    with warnings.catch_warnings():
        # A mixture that still creeps after 200 rounds is as good as one that has stopped.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # One pixel alone is a legal class; scikit-learn wants at least two rows.
        return mixture.fit(np.repeat(lab, 2, axis=0) if len(lab) < 2 else lab)
