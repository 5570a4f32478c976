r"""Detect on key frames only, and carry the objects into the frames between them.

After Chen et al., *Optimizing video object detection via a Scale-Time Lattice*, CVPR 2018 (the report's [5]), small and
without training: between two key frames a < b an object is where optical flow takes it from a, and where flow takes it
back from b; what the two miss at the other end is spread over the way, so that both agree with what was detected:

.. math:: x_t = (1 - s) \, \bigl(x_a + F_t + s \, (x_b - x_a - F_b)\bigr)
              + s \, \bigl(x_b + G_t + (1 - s) \, (x_a - x_b - G_a)\bigr), \qquad s = \frac{t - a}{b - a}

with F the flow summed from a and G the one summed backwards from b. Left out: the paper's networks that learn to
propagate and to refine, and its second axis, the scale of the picture.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wadlib._shared.words import one_of
from wadlib.errors import TrackingError
from wadlib.instances import Instances
from wadlib.tracking.fill import Tracked, stretched
from wadlib.tracking.flow import median_shift
from wadlib.tracking.link_config import LinkConfig
from wadlib.tracking.linking import Linker
from wadlib.tracking.motion import grown_iou
from wadlib.tracking.pieces import Piece, instances_of, pieces_of

__all__ = ["HOW", "adaptive_keys", "disagreement", "fill_between"]

HOW = ("copy", "interpolate", "flow")
"""Take the nearer key frame as it is; draw a straight line between linked boxes; or follow the flow both ways."""

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fields = Sequence[npt.NDArray[np.float32]]


def fill_between(
    keys: Mapping[int, Instances],
    times: Sequence[float],
    fields: Fields,
    how: str = "flow",
    *,
    fade: float = 0.9,
    config: LinkConfig | None = None,
) -> Iterator[Tracked]:
    """Give every frame of a video its instances, from detections on some of its frames.

    Parameters
    ----------
    keys : mapping
        Frame (0 to T - 1) -> what was detected in it. The first frame must be there; frames after the last one are
        filled from it.
    times : sequence of T float, seconds
        See `wadlib.tracking.frame_times`.
    fields : sequence of T - 1 flow fields
        From each frame to the next, what `Flow.next` gives for all frames but the first.
    how : "flow", "interpolate" or "copy"
        See `HOW`; the last two are there to be compared with.
    fade : float
        What is known from one side only loses so much of its score in each frame.
    config : LinkConfig, optional
        For the links between key frames. `max_age` counts key frames here.

    Yields
    ------
    Tracked, one per frame
        Key frames keep what was detected in them, in its order.

    Raises
    ------
    TrackingError
        No key frame 0, one that is not a frame, or another number of fields.
    """
    one_of(how, HOW, "fill_between: how", TrackingError)
    _check(keys, times, fields)
    linker = Linker(config)
    steps = itertools.pairwise([*sorted(keys), len(times)])
    ahead = Tracked(keys[0], linker.update(keys[0], times[0]))
    for a, b in steps:
        here = ahead
        yield here
        if b < len(times):
            ahead = Tracked(keys[b], linker.update(keys[b], times[b], fields=fields[a:b]))
            yield from _between(here, ahead, fields[a:b], how, fade)
        else:
            yield from _after(here, fields[a : b - 1], how, fade)


def adaptive_keys(
    detect: Callable[[int], Instances],
    times: Sequence[float],
    fields: Fields,
    budget: int,
    *,
    first_step: int = 8,
    config: LinkConfig | None = None,
) -> dict[int, Instances]:
    """Choose the key frames: every `first_step`-th, then again and again the middle of the worst interval.

    The worst is the one whose ends disagree most, see `disagreement`: the paper's adaptive key frames.

    Parameters
    ----------
    detect : function of a frame's position
        Called once for each key frame.
    times, fields : see `fill_between`
    budget : int
        How many frames may be detected; at least those of `first_step` are.

    Returns
    -------
    dict
        Frame -> what was detected, for `fill_between`.
    """
    last = len(times) - 1
    keys = {t: detect(t) for t in sorted({*range(0, last + 1, max(first_step, 1)), last})}

    def entry(a: int, b: int) -> tuple[float, int, int]:
        return -disagreement(keys[a], keys[b], fields[a:b], times[b] - times[a], config), a, b

    worst = [entry(a, b) for a, b in itertools.pairwise(sorted(keys)) if b - a > 1]
    heapq.heapify(worst)
    while worst and len(keys) < budget:
        _, a, b = heapq.heappop(worst)
        middle = (a + b) // 2
        keys[middle] = detect(middle)
        for ends in ((a, middle), (middle, b)):
            if ends[1] - ends[0] > 1:
                heapq.heappush(worst, entry(*ends))
    return dict(sorted(keys.items()))


def disagreement(
    before: Instances, after: Instances, fields: Fields, seconds: float = 0.139, config: LinkConfig | None = None
) -> float:
    """Measure how little two key frames explain each other: the larger, the more happened between them.

    Each instance counts with its score, times 1 - IoU of the box to which flow takes it and the box that it is linked
    with; one that is linked with nothing counts fully.

    Examples
    --------
    >>> car = Instances.from_masks(np.ones((1, 4, 6), bool), [33], [0.9])
    >>> still = [np.zeros((4, 6, 2), np.float32)]
    >>> disagreement(car, car, still), round(disagreement(car, Instances.empty((4, 6)), still), 2)
    (0.0, 0.9)
    """
    linker = Linker(config)
    ids = linker.update(before, 0.0), linker.update(after, seconds, fields=fields)
    _, d, e = np.intersect1d(*ids, return_indices=True)
    carried = before.boxes.astype(np.float64) + _carried(before, fields)[-1]
    same = np.diagonal(grown_iou(carried[d], after.boxes[e].astype(np.float64), 0.0))
    alone = np.delete(before.scores, d).sum() + np.delete(after.scores, e).sum()
    return float(alone + ((before.scores[d] + after.scores[e]) / 2 * (1 - same)).sum())


def _between(a: Tracked, b: Tracked, fields: Fields, how: str, fade: float) -> Iterator[Tracked]:
    """Fill the frames between two key frames."""
    length = len(fields)
    if how == "copy":
        for t in range(1, length):
            key = a if t <= length / 2 else b
            yield Tracked(key.found, key.ids, len(key.ids))
        return
    forth, back = _carried(a.found, fields), _carried(b.found, fields, backwards=True)
    if how == "interpolate":
        forth, back = np.zeros_like(forth), np.zeros_like(back)
    both, d, e = np.intersect1d(a.ids, b.ids, return_indices=True)
    only_a, only_b = (np.setdiff1d(np.arange(len(each.ids)), at) for each, at in ((a, d), (b, e)))
    boxes_a, boxes_b = a.found.boxes.astype(np.float64), b.found.boxes.astype(np.float64)
    pieces_a, pieces_b = pieces_of(a.found), pieces_of(b.found)
    way = boxes_b[e] - boxes_a[d]
    for t in range(1, length):
        s = t / length
        from_a = boxes_a[d] + forth[t, d] + s * (way - forth[-1, d])
        from_b = boxes_b[e] + back[t, e] + (1 - s) * (-way - back[0, e])
        near, at, ends = (pieces_a, d, boxes_a) if s <= 0.5 else (pieces_b, e, boxes_b)
        yield _frame(
            a.found.shape,
            np.concatenate([both, a.ids[only_a], b.ids[only_b]]),
            np.concatenate([a.found.class_ids[d], a.found.class_ids[only_a], b.found.class_ids[only_b]]),
            np.concatenate(
                [
                    (1 - s) * a.found.scores[d] + s * b.found.scores[e],
                    a.found.scores[only_a] * fade**t,
                    b.found.scores[only_b] * fade ** (length - t),
                ]
            ),
            np.concatenate([ends[at], boxes_a[only_a], boxes_b[only_b]]),
            np.concatenate(
                [(1 - s) * from_a + s * from_b, boxes_a[only_a] + forth[t, only_a], boxes_b[only_b] + back[t, only_b]]
            ),
            [*(near[k] for k in at), *(pieces_a[k] for k in only_a), *(pieces_b[k] for k in only_b)],
        )


def _after(a: Tracked, fields: Fields, how: str, fade: float) -> Iterator[Tracked]:
    """Fill the frames after the last key frame."""
    boxes, pieces = a.found.boxes.astype(np.float64), pieces_of(a.found)
    forth = _carried(a.found, fields) if how == "flow" else np.zeros((len(fields) + 1, len(pieces), 4))
    for t in range(1, len(fields) + 1):
        scores = a.found.scores * fade**t
        yield _frame(a.found.shape, a.ids, a.found.class_ids, scores, boxes, boxes + forth[t], pieces)


def _frame(
    shape: tuple[int, int],
    ids: Ids,
    class_ids: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    old: Floats,
    new: Floats,
    pieces: Sequence[Piece],
) -> Tracked:
    """Put a filled frame together: each mask is brought from its old box into its new one, inside the picture."""
    moved = [
        stretched(piece, *ends).inside(shape) if piece.mask.size else piece  # a mask without pixels stays one
        for piece, *ends in zip(pieces, old, new, strict=True)
    ]
    there = np.array([each.mask.size > 0 for each in moved], np.bool_)
    boxes = np.clip(new, 0, [*shape, *shape])[there]
    kept = [each for each in moved if each.mask.size]
    found = instances_of(class_ids[there], scores[there], boxes, kept, shape)
    return Tracked(found, ids[there], int(there.sum()))


def _carried(found: Instances, fields: Fields, *, backwards: bool = False) -> Floats:
    """Sum the flow of each instance over all steps, (T, N, 4) as shifts of boxes; 0 in its own frame.

    Backwards the field from t to t + 1 is read where the object is at t + 1: the error is what its motion changes
    within one step.
    """
    sums = np.zeros((len(fields) + 1, len(found), 2))
    pieces = pieces_of(found)
    order = range(len(fields) - 1, -1, -1) if backwards else range(len(fields))
    for t in order:
        was, will, sign = (t + 1, t, -1) if backwards else (t, t + 1, 1)
        for k, piece in enumerate(pieces):
            shift = median_shift(fields[t], piece.moved(*sums[was, k]), found.shape)
            sums[will, k] = sums[was, k] + (0 if shift is None else sign * shift)
    return np.concatenate([sums, sums], axis=2)


def _check(keys: Mapping[int, Instances], times: Sequence[float], fields: Fields) -> None:
    outside = [t for t in keys if not 0 <= t < len(times)]
    if 0 not in keys or outside or len(fields) != len(times) - 1:
        raise TrackingError(
            f"fill_between: expected key frames from 0 to {len(times) - 1}, the first one among them, and "
            f"{len(times) - 1} flow fields, got {sorted(keys)[:3]}…{max(keys, default='none')} and {len(fields)}",
            cause="frames that were left out on one side, or the None of the first picture among the fields",
            fix="fields = [flow.next(image) for image in images][1:]",
        )
