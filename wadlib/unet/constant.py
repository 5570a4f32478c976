r"""The constant predictor: the same class probabilities at every pixel of every image.

It has learnt nothing but how frequent the classes are. A training curve that settles on its loss has
learnt no more than that, whatever the number on the axis: `constant_predictor_loss` draws that line.

Written with numpy and with its own formulas, so that it also checks `wadlib.unet.losses`: with q the
same everywhere, only the pixel counts :math:`n_c` of the classes matter.

.. math:: L_{CE} = -\frac1Z \sum_c w_c n_c \log q_c, \quad
          L_{dice} = \frac1Z \sum_c w_c \Big(1 - \frac{2 q_c n_c + \epsilon}{q_c N + n_c + \epsilon}\Big)

The first is least at :math:`q_c \propto w_c n_c`. In the second, a class of share :math:`s_c` has
:math:`D_c = 2 q_c s_c / (q_c + s_c)`, at most 2 s_c: rare classes pay nearly all of their weight
whatever the q's are, so the plateau of the attempt is the sum of the weights of all classes but
background, less a little. Setting the derivatives equal gives
:math:`q_c = \max(0, s_c (\sqrt{2 w_c / \lambda} - 1))`.

A class that is absent from the batch, and counted, adds its whole weight (about 62) as long as
:math:`q_c N` is far above :math:`\epsilon`, and nothing once it is far below: q under 1e-12, logits 27
apart. So the attempt has two plateaus, with the absent classes (``smallest=1e-6``) and without them
(``smallest=0``), about 62 apart for each.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.unet.loss_options import LossOptions

Floats = npt.NDArray[np.float64]

EPSILON = 1e-6  # as in wadlib.unet.losses; a test compares the two


@dataclass(frozen=True, eq=False)
class ConstantPredictor:
    """A constant prediction and what it costs.

    Attributes
    ----------
    loss : float
    probabilities : (C,) float64
    """

    loss: float
    probabilities: Floats


def class_counts(targets: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Count the pixels of each class in each image: (B,H,W) class indices to (B,C); others are not counted.

    Examples
    --------
    >>> class_counts([[[0, 1], [1, 255]]], 3)
    array([[1, 2, 0]])
    """
    array = np.asarray(targets)
    flat = array.reshape(len(array), -1)
    return np.stack([np.count_nonzero(flat == c, axis=1) for c in range(classes)], axis=1).astype(np.int64)


def constant_predictor_loss(
    counts: npt.ArrayLike,
    *,
    pixels: int | None = None,
    probabilities: npt.ArrayLike | None = None,
    smallest: float = 0.0,
    **options: Any,
) -> ConstantPredictor:
    """Compute the loss of a constant softmax on one batch: of the best one, or of a given one.

    Parameters
    ----------
    counts : (B,C) pixels of each class in each image, from `class_counts`
    pixels : int, optional
        Pixels of an image with those that have no target; by default every pixel has one.
    probabilities : (C,), optional
        Adds up to 1; by default the best there is.
    smallest : float
        The best one gives no class less than this. A class that is absent and counted costs its
        weight in dice unless its probability is exactly (or nearly, 1e-12) zero: with 0 the line is
        that of a network that has driven it there, with 1e-6 that of one that has not yet.
    **options
        Those of `wadlib.unet.losses.SegmentationLoss`; ``**loss.options`` passes them all.

    Returns
    -------
    ConstantPredictor

    Examples
    --------
    Cross entropy alone: the entropy of the labels, ln 2 for a coin.

    >>> best = constant_predictor_loss([[8, 8]], dice=0)
    >>> best.probabilities.round(6), round(best.loss, 6)
    (array([0.5, 0.5]), 0.693147)

    Dice alone: with equal weights q is the labels' shares too, then D = s, and the mean of 1 - D over
    C classes is 1 - 1/C, whatever the shares are.

    >>> constant = constant_predictor_loss([[12, 3, 1]], cross_entropy=0)
    >>> constant.probabilities.round(4), round(constant.loss, 4)
    (array([0.75  , 0.1875, 0.0625]), 0.6667)
    """
    n = np.asarray(counts, float)
    if n.ndim != 2 or not n.sum() > 0:
        raise SegmentationError(
            f"constant_predictor_loss: expected counts (B,C) of some pixels, got {n.shape} of {n.sum():g}",
            cause="the targets themselves were passed, or a batch without labels",
            fix="pass class_counts(targets, classes)",
        )
    terms = _Terms(n, pixels, LossOptions(**options))
    if probabilities is not None:
        q = np.asarray(probabilities, float)
        return ConstantPredictor(terms.loss(q), q)
    # The best constant: first with all classes above 0.
    on = np.ones(n.shape[1], bool)
    best = terms.best(on, smallest)
    # A class may do better at exactly 0 than anywhere above (its counted absences then cost nothing):
    # switch off, one by one, whichever helps most.
    while smallest == 0 and on.sum() > 1:
        trials = {c: terms.best(on & (np.arange(len(on)) != c), 0.0) for c in np.flatnonzero(on)}
        off = min(trials, key=lambda c: trials[c].loss)
        if not trials[off].loss < best.loss:
            break
        on[off], best = False, trials[off]
    return best


class _Terms:
    """The loss as a function of q: -Σ a_c log q_c + mean_g Σ b_gc (1 - D_gc(q_c)), groups g."""

    def __init__(self, n: Floats, pixels: int | None, o: LossOptions) -> None:
        total = n.sum(axis=0)
        shares = total / total.sum()
        if isinstance(o.class_weights, str):  # "batch"
            w = (shares.max() / (shares + EPSILON)) ** 0.3
        else:
            w = np.ones(len(total)) if o.class_weights is None else np.asarray(o.class_weights, float)
        every = np.full(len(n), float(pixels)) if pixels is not None and o.unlabelled == "zero" else n.sum(axis=1)
        self.a = o.cross_entropy * w * total / ((w * total).sum() if o.normalise else every.sum())
        self.n = n if o.per_image else total[None]  # (G,C)
        self.m = (every if o.per_image else every.sum()[None])[:, None]  # (G,1) pixels that are predicted
        self.b = o.dice * (w * (self.n > 0) if o.absent == "skip" else np.broadcast_to(w, self.n.shape))
        if o.normalise:
            self.b = self.b / np.maximum(self.b.sum(axis=1, keepdims=True) / o.dice, EPSILON) if o.dice else self.b
        self.b = self.b / len(self.n)

    def loss(self, q: Floats) -> float:
        d = (2 * q * self.n + EPSILON) / (q * self.m + self.n + EPSILON)
        with np.errstate(divide="ignore"):
            entropy = -np.sum(self.a[self.a > 0] * np.log(q[self.a > 0]))
        return float(entropy + np.sum(self.b * (1 - d)))

    def gain(self, q: Floats) -> Floats:
        """What a little more probability for each class takes off the loss; it falls as q grows."""
        seen = self.b * (self.n > 0)
        return self.a / q + np.sum(2 * seen * self.n * self.n / (q * self.m + self.n) ** 2, axis=0)

    def best(self, on: npt.NDArray[np.bool_], smallest: float) -> ConstantPredictor:
        """The q of least loss with q = 0 outside `on`: all gains above `smallest` are equal."""

        def at(level: float) -> Floats:  # the q whose gain is `level`
            low, high = np.full(len(on), max(smallest, 1e-15)), np.ones(len(on))
            for _ in range(36):  # down to a relative 1e-9
                middle = np.sqrt(low * high)
                more = self.gain(middle) > level
                low, high = np.where(more, middle, low), np.where(more, high, middle)
            return np.where(on, low, 0)

        low, high = -60.0, 60.0  # of the logarithm of the level
        for _ in range(44):
            middle = (low + high) / 2
            low, high = (middle, high) if at(np.exp(middle)).sum() > 1 else (low, middle)
        q = at(np.exp(high))
        q = np.where(on, np.maximum(q, smallest), 0)
        q[np.argmax(q)] += 1 - q.sum()
        return ConstantPredictor(self.loss(q), q)
