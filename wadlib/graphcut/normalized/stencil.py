"""Compiled loops over a pixel graph: every pixel has the same neighbours, so no index is stored.

A *plane* of weights belongs to one offset (dy, dx): ``weights[o, y, x]`` joins pixel (y, x) to
(y + dy, x + dx), and is 0 where that lies outside the picture. One of each pair of opposite offsets
is enough, because w(u, v) = w(v, u): *half* the stencil.
"""

from typing import Any

import numpy as np

from wadlib._shared.compiled import jit


@jit
def fill_weights(features: Any, offsets: Any, near: Any, sigma: Any, least: Any, weights: Any) -> None:
    """Write ``near[o] * exp(-|F(u) - F(v)|^2 / sigma)`` into the planes; features (H,W,C)."""
    height, width, channels = features.shape
    for y in range(height):
        for o in range(len(offsets)):
            dy, dx = offsets[o, 0], offsets[o, 1]
            if y + dy >= height:
                continue
            for x in range(max(0, -dx), min(width, width - dx)):
                squared = 0.0
                for c in range(channels):
                    step = float(features[y, x, c]) - float(features[y + dy, x + dx, c])
                    squared += step * step
                weights[o, y, x] = max(near[o] * np.exp(-squared / sigma), least)


@jit
def matvec(weights: Any, offsets: Any, v: Any, out: Any) -> None:
    """Write W v into `out`; v and out (H,W) float64."""
    height, width = v.shape
    for y in range(height):
        row = out[y]
        row[:] = 0
        for o in range(len(offsets)):
            dy, dx = offsets[o, 0], offsets[o, 1]
            low, high = max(0, -dx), min(width, width - dx)
            # Slices without offsets inside the loops: only those become vector instructions.
            if y + dy < height:  # from (y + dy, x + dx) to (y, x)
                w, source, target = weights[o, y, low:high], v[y + dy, low + dx : high + dx], row[low:high]
                for x in range(high - low):
                    target[x] += w[x] * source[x]
            if y - dy >= 0:  # and the way back, along the edge that pixel (y - dy, x - dx) holds
                w, source, target = weights[o, y - dy, low:high], v[y - dy, low:high], row[low + dx : high + dx]
                for x in range(high - low):
                    target[x] += w[x] * source[x]


@jit
def difference_sums(weights: Any, offsets: Any, rank: Any, sums: Any) -> None:
    """Add each edge's weight to sums[lower rank] and take it off sums[higher rank]; rank (H,W)."""
    height, width = rank.shape
    for y in range(height):
        for o in range(len(offsets)):
            dy, dx = offsets[o, 0], offsets[o, 1]
            if y + dy >= height:
                continue
            for x in range(max(0, -dx), min(width, width - dx)):
                w = weights[o, y, x]
                a, b = rank[y, x], rank[y + dy, x + dx]
                sums[min(a, b)] += w
                sums[max(a, b)] -= w


@jit
def _weight(weights: Any, half: Any, o: Any, y: Any, x: Any, y2: Any, x2: Any) -> Any:
    """Weight of the edge (y,x) - (y2,x2), which is offset o of the full stencil."""
    return weights[o, y, x] if o < half else weights[o - half, y2, x2]


@jit
def group(weights: Any, full: Any, near: Any, theta: Any, degrees: Any, groups: Any) -> Any:
    """Number groups of about 20 similar pixels that are at most sqrt(5) apart; return how many.

    Parameters
    ----------
    full : (2m,2) the offsets, then their negatives
    near : (2m,) weight of two equal pixels at each offset
    theta : two pixels are alike when their weight is at least theta * near
    groups : (H,W) int32, overwritten; -1 where the degree is 0
    """
    height, width = groups.shape
    half = len(full) // 2
    groups[:] = -1
    count = 0
    # First, in reading order: a pixel none of whose like neighbours is taken founds a group with them.
    for y in range(height):
        for x in range(width):
            if groups[y, x] >= 0 or degrees[y, x] == 0:
                continue
            taken = False
            for founding in range(2):
                for o in range(2 * half):
                    y2, x2 = y + full[o, 0], x + full[o, 1]
                    if full[o, 0] ** 2 + full[o, 1] ** 2 > 5 or not (0 <= y2 < height and 0 <= x2 < width):
                        continue
                    w = _weight(weights, half, o, y, x, y2, x2)
                    if w == 0 or w < theta * near[o]:
                        continue
                    if founding:
                        groups[y2, x2] = count
                    elif groups[y2, x2] >= 0:
                        taken = True
                        break
                if taken:
                    break
            if not taken:
                groups[y, x] = count
                count += 1
    # Then everyone left over joins the strongest neighbour that was in a group before this round.
    founded = groups.copy()
    for y in range(height):
        for x in range(width):
            if founded[y, x] >= 0 or degrees[y, x] == 0:
                continue
            strongest = 0.0
            for o in range(2 * half):
                y2, x2 = y + full[o, 0], x + full[o, 1]
                if not (0 <= y2 < height and 0 <= x2 < width) or founded[y2, x2] < 0:
                    continue
                w = _weight(weights, half, o, y, x, y2, x2)
                if w > strongest:
                    strongest = w
                    groups[y, x] = founded[y2, x2]
    return count


@jit
def coarse_edges(
    weights: Any, full: Any, order: Any, start: Any, groups: Any, slot: Any, indptr: Any, indices: Any, data: Any
) -> None:
    """Sum the weights between groups, and inside each, into the rows of a CSR matrix.

    Parameters
    ----------
    order, start : the pixels (flat) of group g are order[start[g] : start[g + 1]]
    slot : (G,) int64 filled with -1, working space
    indptr, indices, data : the matrix; with empty `indices`, only `indptr` is filled
    """
    height, width = groups.shape
    half = len(full) // 2
    used = 0
    for g in range(len(slot)):
        first = used
        indptr[g] = first
        for k in range(start[g], start[g + 1]):
            y, x = order[k] // width, order[k] % width
            for o in range(2 * half):
                y2, x2 = y + full[o, 0], x + full[o, 1]
                if not (0 <= y2 < height and 0 <= x2 < width):
                    continue
                w = _weight(weights, half, o, y, x, y2, x2)
                other = groups[y2, x2]
                if w == 0:
                    continue
                if slot[other] < first:  # not met before in this row
                    slot[other] = used
                    if len(indices):
                        indices[used] = other
                        data[used] = 0
                    used += 1
                if len(indices):
                    data[slot[other]] += w
    indptr[len(slot)] = used
