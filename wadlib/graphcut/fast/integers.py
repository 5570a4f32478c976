"""Costs as integers: max-flow on floats need not end, and two solvers would round differently.

Integer costs are used as they are. Float costs are multiplied by a power of two and rounded, so that
costs such as 0.25 stay exact; the unit that remains, the resolution, is at most 2**-29 of the largest
sum of costs at a pixel. Where that would leave less than 15 bits to the smoothness, because a few
costs are huge, 64-bit integers are used instead of 32-bit ones. A V that is not a multiple of its
smallest value (Potts and linear ones are) is rounded to 2**-16 of its largest, and made a metric
again where the rounding broke that.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.graphcut.problem import LARGEST, Problem
from wadlib.graphcut.smoothness import metric_closure


@dataclass(frozen=True, eq=False)
class IntegerProblem(Problem):
    """A `Problem` in int32 or int64, laid out for the moves.

    Attributes
    ----------
    planes : (L,H+2,W+2)
        The unary, one padded plane for each label; `unary` is a view of it.
    scale : float
        What the caller's costs were multiplied by; 1 / scale is the resolution.
    """

    planes: npt.NDArray[Any]
    scale: float


def integer_problem(problem: Problem, *, metric: bool) -> IntegerProblem:
    """Round the costs to integers; `metric` keeps V one."""
    V, unit = _integer_V(problem.V, metric)
    low = problem.unary.min().item()
    # A residual is at most a difference of unary costs and, in either direction, twice what the
    # neighbours cost.
    bound = problem.unary.max().item() - low + 4 * problem.largest_pairwise
    heaviest = unit * max(w.max(initial=0).item() for w in problem.weights)
    scale: float = 1
    dtype: type[np.signedinteger[Any]] = np.int32 if bound < 2**31 else np.int64
    if not problem.is_integer and bound > 0:
        dtype, scale = np.int32, _power_of_two_below(2**30 / bound)
        if 0 < heaviest * scale < 2**15:
            dtype, scale = np.int64, _power_of_two_below(min(2**52, LARGEST / problem.unary.size) / bound)
    h, w = problem.shape
    planes = np.zeros((problem.labels, h + 2, w + 2), dtype)
    for label, plane in enumerate(planes):  # one label at a time: little memory
        plane[1:-1, 1:-1] = _rounded(problem.unary[..., label], low, scale)
    weights = tuple(_rounded(w, 0, unit * scale).astype(dtype) for w in problem.weights)
    unary = planes[:, 1:-1, 1:-1].transpose(1, 2, 0)
    return IntegerProblem(unary, V.astype(dtype), weights, planes, scale)


def _integer_V(V: npt.NDArray[Any], metric: bool) -> tuple[npt.NDArray[np.int64], float]:
    """V as integers, and their unit; 0 if V is, so that the weights do not count."""
    if V.dtype.kind == "i" or not V.any():
        return V.astype(np.int64), 1 if V.any() else 0
    unit = float(V[V > 0].min())
    if V.max() > 2**16 * unit or (np.abs(V / unit - np.rint(V / unit)) > 1e-9).any():
        unit = float(V.max()) / 2**16
    rounded = np.rint(V / unit).astype(np.int64)
    rounded = np.minimum(rounded, rounded.T)
    return (metric_closure(rounded) if metric else rounded), unit


def _rounded(costs: npt.NDArray[Any], low: float, scale: float) -> npt.NDArray[Any]:
    if costs.dtype.kind in "iub" and scale == 1:
        return costs.astype(np.int64) - int(low)
    return np.rint((costs.astype(np.float64) - low) * scale)


def _power_of_two_below(value: float) -> float:
    return 2.0 ** math.floor(math.log2(min(value, 1e200)))
