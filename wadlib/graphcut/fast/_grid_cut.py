"""Maximum flow on the pixel grid, compiled: Boykov and Kolmogorov's algorithm with one search tree.

The graph is never built. Node p is a pixel of the padded image, its neighbours are ``p + step[d]``,
and ``residual[p, d]`` is what still fits through the arc to that neighbour. The arc back is ``d ^ 1``:
directions come in pairs. ``terminal[p]`` is the residual from the source (positive) or to the sink
(negative); the part that goes through both is pushed beforehand. The padding has no capacity.

Boykov & Kolmogorov (2004, "An experimental comparison of min-cut/max-flow algorithms", section 3)
grow a tree from each terminal. Here only the sink's tree grows, until it touches a pixel with source
residual: the energies of this package have a terminal link at nearly every pixel, so paths are short,
and an expansion from a good labelling has few sinks, so nearly all of the picture is never visited.
At the end the tree holds exactly the pixels that can still reach the sink, the smallest of all
minimum cuts, whatever the order of the paths: the result is unique.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.compiled import jit

NONE = -1  # in no tree; a direction 0…7: towards the parent; then:
ROOT = 8
ORPHAN = 9


@jit(_nrt=False)
def start(terminal: npt.NDArray[Any], parent: npt.NDArray[np.int8], queue: npt.NDArray[np.int32]) -> int:
    """Make a root of every pixel with residual to the sink; returns how many there are, in `queue`."""
    count = 0
    for p in range(terminal.size):
        if terminal[p] < 0:
            parent[p] = ROOT
            queue[count] = p
            count += 1
        else:
            parent[p] = NONE
    return count


@jit(_nrt=False)
def grow_and_augment(
    terminal: npt.NDArray[Any],
    residual: npt.NDArray[Any],
    step: npt.NDArray[np.int32],
    parent: npt.NDArray[np.int8],
    distance: npt.NDArray[np.int32],
    stamp: npt.NDArray[np.int32],
    queue: npt.NDArray[np.int32],
    waiting: npt.NDArray[np.int8],
    orphans: npt.NDArray[np.int32],
    tail: int,
) -> None:
    """Push flow until no path is left; afterwards ``parent >= 0`` is the sink's side.

    Parameters
    ----------
    terminal : (N,) int, residual : (N,D) int
        Changed in place into what is left when the flow is maximal.
    step : (D,) int32, D 4 or 8
    parent, queue, tail : as `start` left and returned them
    distance, stamp, waiting, orphans : (N,) work space
    """
    n = terminal.size
    directions = step.size
    for p in range(n):
        waiting[p] = 0
        stamp[p] = 0
        distance[p] = 1
    for i in range(tail):
        waiting[queue[i]] = 1
    left = tail  # active nodes in the ring
    tail = 0 if tail == n else tail
    head = 0
    time = 0
    while left > 0:
        p = queue[head]
        head = 0 if head + 1 == n else head + 1
        left -= 1
        waiting[p] = 0
        d = 0
        while d < directions and parent[p] != NONE:
            q = p + step[d]
            back = d ^ 1
            if residual[q, back] <= 0:
                d += 1
                continue
            if parent[q] != NONE:
                if stamp[q] <= stamp[p] and distance[q] > distance[p] + 1 and parent[q] != ROOT:
                    parent[q] = back  # a shorter way to the sink
                    stamp[q] = stamp[p]
                    distance[q] = distance[p] + 1
                d += 1
                continue
            if terminal[q] == 0:
                parent[q] = back
                stamp[q] = stamp[p]
                distance[q] = distance[p] + 1
                if waiting[q] == 0:
                    waiting[q] = 1
                    left += 1
                    queue[tail] = q
                    tail = 0 if tail + 1 == n else tail + 1
                d += 1
                continue

            # q has source residual: source -> q -> p -> … -> root -> sink is a path. Augment.
            flow = min(terminal[q], residual[q, back])
            r = p
            while parent[r] != ROOT:
                flow = min(flow, residual[r, parent[r]])
                r += step[parent[r]]
            flow = min(flow, -terminal[r])
            terminal[q] -= flow
            residual[q, back] -= flow
            residual[p, d] += flow
            first = 0
            last = 0  # orphans wait in a ring
            r = p
            while parent[r] != ROOT:
                a = parent[r]
                s = r + step[a]
                residual[r, a] -= flow
                residual[s, a ^ 1] += flow
                if residual[r, a] == 0:
                    parent[r] = ORPHAN
                    orphans[last] = r
                    last += 1
                r = s
            terminal[r] += flow
            if terminal[r] == 0:
                parent[r] = ORPHAN
                orphans[last] = r
                last += 1
            time += 1

            # Adopt: find each orphan a new parent in the tree, or set it free and orphan its children.
            # The orphans nearest to the sink come first, as in the original.
            for i in range(last // 2):
                orphans[i], orphans[last - 1 - i] = orphans[last - 1 - i], orphans[i]
            while first != last:
                o = orphans[first]
                first = 0 if first + 1 == n else first + 1
                best = -1
                shortest = 2147483647
                for e in range(directions):
                    if residual[o, e] <= 0:
                        continue
                    r = o + step[e]
                    if parent[r] == NONE or parent[r] == ORPHAN:
                        continue
                    hops = 0  # is the origin of r the sink?
                    s = r
                    while True:
                        if stamp[s] == time:
                            hops += distance[s]
                            break
                        a = parent[s]
                        if a == ROOT:
                            stamp[s] = time
                            distance[s] = 1
                            hops += 1
                            break
                        if a == ORPHAN:
                            hops = -1
                            break
                        hops += 1
                        s += step[a]
                    if hops < 0:
                        continue
                    if hops < shortest:
                        shortest = hops
                        best = e
                    s = r
                    while stamp[s] != time:
                        stamp[s] = time
                        distance[s] = hops
                        hops -= 1
                        s += step[parent[s]]
                if best >= 0:
                    parent[o] = best
                    stamp[o] = time
                    distance[o] = shortest + 1
                    continue
                parent[o] = NONE
                stamp[o] = 0
                for e in range(directions):
                    r = o + step[e]
                    a = parent[r]
                    if a == NONE:
                        continue
                    if residual[o, e] > 0 and waiting[r] == 0:
                        waiting[r] = 1
                        left += 1
                        queue[tail] = r
                        tail = 0 if tail + 1 == n else tail + 1
                    if a == e ^ 1:
                        parent[r] = ORPHAN
                        orphans[last] = r
                        last = 0 if last + 1 == n else last + 1
