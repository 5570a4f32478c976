"""Graphs of the moves on the padded pixel grid, compiled; `wadlib.graphcut.binary` explains them.

Arrays as in `wadlib.graphcut.fast._grid_cut`; ``factor[p, k]`` is the weight of the pair of p and
``p + step[2 * k]``, 0 where that leaves the picture.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.compiled import jit


@jit(_nrt=False)
def _expansion_pair(a: int, b: int, alpha: int, w: int, V: npt.NDArray[Any]) -> tuple[int, int, int, int]:
    """Capacities ahead and back between pixels labelled a and b, and the costs of x_p = 1 and of x_q = 1."""
    if a == alpha:  # has its label for good: a pixel without links
        return 0, 0, 0, -w * V[alpha, b]
    if b == alpha:
        return 0, 0, -w * V[a, alpha], 0
    if a == b:
        return w * V[a, alpha], w * V[alpha, b], 0, 0
    A, B, C = w * V[a, b], w * V[a, alpha], w * V[alpha, b]
    ahead = (B + C - A) >> 1
    back = B + C - A - ahead
    return ahead, back, C - A - back, B - A - ahead


@jit(_nrt=False)
def expansion(
    label: npt.NDArray[np.int32],
    alpha: int,
    unary: npt.NDArray[Any],
    V: npt.NDArray[Any],
    factor: npt.NDArray[Any],
    step: npt.NDArray[np.int32],
    terminal: npt.NDArray[Any],
    residual: npt.NDArray[Any],
) -> None:
    """Fill `terminal` (N,) and `residual` (N,D) with the graph of an α-expansion; unary (L,N)."""
    for p in range(label.size):
        terminal[p] = unary[alpha, p] - unary[label[p], p]  # 0 for a pixel that has α
    for p in range(label.size):
        for k in range(step.size // 2):
            w = factor[p, k]
            if w == 0:
                continue  # the capacities are 0 from the start
            q = p + step[2 * k]
            ahead, back, x_p, x_q = _expansion_pair(label[p], label[q], alpha, w, V)
            residual[p, 2 * k] = ahead
            residual[q, 2 * k + 1] = back
            terminal[p] += x_p
            terminal[q] += x_q


@jit(_nrt=False)
def expansion_again(
    label: npt.NDArray[np.int32],
    before: npt.NDArray[np.int32],
    alpha: int,
    unary: npt.NDArray[Any],
    V: npt.NDArray[Any],
    factor: npt.NDArray[Any],
    step: npt.NDArray[np.int32],
    terminal: npt.NDArray[Any],
    residual: npt.NDArray[Any],
) -> None:
    """Turn what was left of the last α-expansion, from the labels `before`, into the graph of the next.

    The flow stays where it still fits: it only moves capacity around, so that any flow within the
    capacities gives a graph of the same energy (Kohli & Torr 2007). Only pixels whose label changed,
    and their neighbours, are touched.
    """
    for p in range(label.size):
        if label[p] == before[p]:
            continue
        terminal[p] += unary[before[p], p] - unary[label[p], p]
        for d in range(step.size):
            q = p + step[d]
            if d & 1 and label[q] != before[q]:
                continue  # done from the other end, or will be
            k = d >> 1
            first, second = (q, p) if d & 1 else (p, q)
            w = factor[first, k]
            if w == 0:
                continue
            flow = (residual[second, 2 * k + 1] - residual[first, 2 * k]) >> 1  # the arcs began equal, or 1 apart
            _, _, x_p, x_q = _expansion_pair(before[first], before[second], alpha, w, V)
            ahead, back, y_p, y_q = _expansion_pair(label[first], label[second], alpha, w, V)
            kept = min(max(flow, -back), ahead)
            terminal[first] += y_p - x_p + flow - kept
            terminal[second] += y_q - x_q - flow + kept
            residual[first, 2 * k] = ahead - kept
            residual[second, 2 * k + 1] = back + kept


@jit(_nrt=False)
def swap(
    label: npt.NDArray[np.int32],
    alpha: int,
    beta: int,
    unary: npt.NDArray[Any],
    V: npt.NDArray[Any],
    factor: npt.NDArray[Any],
    step: npt.NDArray[np.int32],
    terminal: npt.NDArray[Any],
    residual: npt.NDArray[Any],
) -> None:
    """Fill `terminal` (N,) and `residual` (N,D) with the graph of an α-β swap; unary (L,N)."""
    for p in range(label.size):
        play = label[p] in (alpha, beta)
        terminal[p] = unary[alpha, p] - unary[beta, p] if play else 0
    for p in range(label.size):
        a = label[p]
        play_p = a in (alpha, beta)
        for k in range(step.size // 2):
            w = factor[p, k]
            if w == 0:
                continue
            q = p + step[2 * k]
            b = label[q]
            play_q = b in (alpha, beta)
            link = w * V[alpha, beta] if play_p and play_q else 0
            residual[p, 2 * k] = link
            residual[q, 2 * k + 1] = link
            if play_p and not play_q:
                terminal[p] += w * (V[alpha, b] - V[beta, b])
            elif play_q and not play_p:
                terminal[q] += w * (V[alpha, a] - V[beta, a])
