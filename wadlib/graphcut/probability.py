"""Any probability map as the unary term: a network's softmax, or anything else that sums to one."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError


def unary_from_probabilities(
    probabilities: npt.NDArray[np.floating[Any]], floor: float = 1e-6
) -> npt.NDArray[np.float32]:
    r"""Compute the costs of the labels at each pixel, :math:`D_p(l) = -\log \max(P_p(l), \epsilon)`.

    Parameters
    ----------
    probabilities : (H,W,L) floating point
        At each pixel L numbers from 0 to 1 whose sum is 1 (to 1e-3, as half precision gives it).
    floor : float
        The least probability that is believed. It keeps the cost of a label that was given 0 finite
        (13.8 nats for 1e-6): a probability of 0 must not outvote all neighbours.

    Returns
    -------
    (H,W,L) float32, for `alpha_expansion` and `alpha_beta_swap`. Takes 4 H W L bytes.

    Raises
    ------
    SegmentationError
        Another shape, numbers below 0, NaN, a sum that is not 1, or a floor outside of 0..1.

    Examples
    --------
    >>> unary_from_probabilities(np.array([[[0.5, 0.5], [1.0, 0.0]]]), floor=0.25).round(3).tolist()
    [[[0.6930000185966492, 0.6930000185966492], [-0.0, 1.3860000371932983]]]
    """
    given = np.asarray(probabilities)
    where = "unary_from_probabilities: expected "
    if given.ndim != 3 or given.dtype.kind != "f" or not given.size:
        raise SegmentationError(
            f"{where}a (H,W,L) array of floating point, got {given.shape} {given.dtype}",
            cause="a label map, a batch of several pictures, or channels in the first place",
            fix="pass one picture with the labels last, for example softmax[0]",
        )
    if not 0 < floor < 1:
        raise SegmentationError(
            f"{where}a floor between 0 and 1, got {floor}", cause="a cost in its place", fix="leave it at 1e-6"
        )
    if not (given >= 0).all():  # false for NaN as well
        raise SegmentationError(
            f"{where}probabilities, got a least value of {given.min()}",
            cause="logits that did not go through a softmax, or a training that ended in NaN",
            fix="apply a softmax over the last axis first",
        )
    total = given.sum(axis=2, dtype=np.float64)
    if np.abs(total - 1).max() > 1e-3:
        raise SegmentationError(
            f"{where}a sum of 1 at each pixel, got sums from {total.min():.4g} to {total.max():.4g}",
            cause="sigmoids, which do not compete with each other, or a sum over another axis",
            fix="divide by the sum over the last axis",
        )
    return -np.log(np.maximum(given, floor, dtype=np.float32))
