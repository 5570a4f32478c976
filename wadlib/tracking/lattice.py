r"""Detect on key frames only, and carry the objects into the frames between them.

After Chen et al., *Optimizing video object detection via a Scale-Time Lattice*, CVPR 2018 (the report's [5]), small and
without training: between two key frames a < b an object is where optical flow takes it from a, and where flow takes it
back from b; what the two miss at the other end is spread over the way, so that both agree with what was detected:

.. math:: x_t = (1 - s) \, \bigl(x_a + F_t + s \, (x_b - x_a - F_b)\bigr)
              + s \, \bigl(x_b + G_t + (1 - s) \, (x_a - x_b - G_a)\bigr), \qquad s = \frac{t - a}{b - a}

with F the flow summed from a and G the one summed backwards from b. Given the pictures, each box is then refined: moved
to where the frame itself looks most like the object of the key frames (`wadlib.tracking.refine`). Left out: the paper's
networks that learn to propagate and to refine, and its second axis, the scale of the picture.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib._shared.words import one_of
from wadlib.errors import TrackingError
from wadlib.instances import Instances
from wadlib.tracking.fill import Tracked
from wadlib.tracking.flow import median_shifts, sample
from wadlib.tracking.link_config import LinkConfig
from wadlib.tracking.linking import Linker
from wadlib.tracking.motion import grown_iou
from wadlib.tracking.pieces import Piece, instances_of, pieces_of
from wadlib.tracking.refine import Pictures, Seen, blended, refined

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
    images: Sequence[npt.NDArray[np.uint8]] | None = None,
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
        From each frame to the next, what `Flow.next` gives for all frames but the first; that of ``Flow(416)``, at half
        the resolution, is as good here.
    how : "flow", "interpolate" or "copy"
        See `HOW`; the last two are there to be compared with.
    images : sequence of T (H, W, 3) uint8, optional
        The pictures of all frames, to refine what is carried (not where it is copied). Each is looked at once.
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
        No key frame 0, one that is not a frame, or another number of fields or of images.
    """
    one_of(how, HOW, "fill_between: how", TrackingError)
    _check(keys, times, fields, images)
    linker = Linker(config)
    pictures = None if images is None else Pictures(images)
    ahead = _Key.of(0, keys[0], linker.update(keys[0], times[0]))
    for a, b in itertools.pairwise([*sorted(keys), len(times)]):
        here = ahead
        yield Tracked(here.found, here.ids)
        if b < len(times):
            ahead = _Key.of(b, keys[b], linker.update(keys[b], times[b], fields=fields[a:b]))
            carried = _between(here, ahead, fields[a:b], how, fade)
        else:
            carried = _after(here, fields[a : b - 1], how, fade)
        for frame, objects in enumerate(carried, start=a + 1):
            yield _frame(frame, objects, here.found.shape, None if how == "copy" else pictures)
        if pictures is not None:
            pictures.forget(b)


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


@dataclass(frozen=True, eq=False)
class _Key:
    """A key frame, with what is needed of it again and again."""

    frame: int
    found: Instances
    ids: Ids
    boxes: Floats
    pieces: list[Piece]

    @classmethod
    def of(cls, frame: int, found: Instances, ids: Ids) -> _Key:
        return cls(frame, found, ids, found.boxes.astype(np.float64), pieces_of(found))

    def seen(self, k: int, weight: float = 1.0) -> Seen:
        return Seen(self.frame, self.boxes[k], self.pieces[k], weight)


@dataclass(frozen=True, eq=False)
class _Object:
    """An object in a frame that is filled."""

    track: int
    class_id: int
    score: float
    box: Floats
    seen: tuple[Seen, ...]


def _between(a: _Key, b: _Key, fields: Fields, how: str, fade: float) -> Iterator[list[_Object]]:
    """Carry the objects of two key frames into the frames between them."""
    length = len(fields)
    if how == "copy":
        for t in range(1, length):
            key = a if t <= length / 2 else b
            yield [_alone(key, k, key.boxes[k]) for k in range(len(key.ids))]
        return
    forth, back = _carried(a.found, fields, how), _carried(b.found, fields, how, backwards=True)
    both, d, e = np.intersect1d(a.ids, b.ids, return_indices=True)
    only_a, only_b = (np.setdiff1d(np.arange(len(each.ids)), at).tolist() for each, at in ((a, d), (b, e)))
    way = b.boxes[e] - a.boxes[d]
    scores = a.found.scores[d], b.found.scores[e]
    for t in range(1, length):
        s = t / length
        from_a = a.boxes[d] + forth[t, d] + s * (way - forth[-1, d])
        from_b = b.boxes[e] + back[t, e] + (1 - s) * (-way - back[0, e])
        boxes, mixed = (1 - s) * from_a + s * from_b, (1 - s) * scores[0] + s * scores[1]
        yield [
            *(
                _Object(track, int(a.found.class_ids[i]), float(score), box, (a.seen(i, 1 - s), b.seen(j, s)))
                for track, i, j, score, box in zip(both.tolist(), d.tolist(), e.tolist(), mixed, boxes, strict=True)
            ),
            *(_alone(a, k, a.boxes[k] + forth[t, k], fade**t) for k in only_a),
            *(_alone(b, k, b.boxes[k] + back[t, k], fade ** (length - t)) for k in only_b),
        ]


def _after(a: _Key, fields: Fields, how: str, fade: float) -> Iterator[list[_Object]]:
    """Carry the objects of the last key frame into the frames after it."""
    forth = _carried(a.found, fields, how)
    for t in range(1, len(fields) + 1):
        yield [_alone(a, k, a.boxes[k] + forth[t, k], fade**t) for k in range(len(a.ids))]


def _alone(key: _Key, k: int, box: Floats, share: float = 1.0) -> _Object:
    """Take an object of one key frame, with a share of its score."""
    score = float(key.found.scores[k]) * share
    return _Object(int(key.ids[k]), int(key.found.class_ids[k]), score, box, (key.seen(k),))


def _frame(frame: int, objects: list[_Object], shape: tuple[int, int], pictures: Pictures | None) -> Tracked:
    """Put a filled frame together, from what of each object is inside the picture."""
    kept = []
    for one in objects:
        box = one.box if pictures is None else refined(pictures, frame, one.seen, one.box)
        piece = blended(one.seen, box, shape)
        if piece.mask.size:
            kept.append((one, np.clip(box, 0, [*shape, *shape]), piece))
    found = instances_of(
        [one.class_id for one, _, _ in kept],
        [one.score for one, _, _ in kept],
        np.array([box for _, box, _ in kept]).reshape(-1, 4),
        [piece for _, _, piece in kept],
        shape,
    )
    return Tracked(found, np.array([one.track for one, _, _ in kept], np.int64), len(kept))


def _carried(found: Instances, fields: Fields, how: str = "flow", *, backwards: bool = False) -> Floats:
    """Sum the flow of each instance over all steps, (T, N, 4) as shifts of boxes; 0 in its own frame.

    Backwards the field from t to t + 1 is read where the object is at t + 1: the error is what its motion changes
    within one step.
    """
    sums = np.zeros((len(fields) + 1, len(found), 2))
    if how == "flow":
        points = [sample(piece) for piece in pieces_of(found)]
        for t in range(len(fields) - 1, -1, -1) if backwards else range(len(fields)):
            was, will, sign = (t + 1, t, -1) if backwards else (t, t + 1, 1)
            sums[will] = sums[was] + sign * median_shifts(fields[t], points, sums[was], found.shape)
    return np.concatenate([sums, sums], axis=2)


def _check(
    keys: Mapping[int, Instances],
    times: Sequence[float],
    fields: Fields,
    images: Sequence[npt.NDArray[np.uint8]] | None,
) -> None:
    outside = [t for t in keys if not 0 <= t < len(times)]
    if 0 not in keys or outside or len(fields) != len(times) - 1:
        raise TrackingError(
            f"fill_between: expected key frames from 0 to {len(times) - 1}, the first one among them, and "
            f"{len(times) - 1} flow fields, got {sorted(keys)[:3]}…{max(keys, default='none')} and {len(fields)}",
            cause="frames that were left out on one side, or the None of the first picture among the fields",
            fix="fields = [flow.next(image) for image in images][1:]",
        )
    if images is not None and (len(images) != len(times) or images[0].shape[:2] != keys[0].shape):
        height, width = keys[0].shape
        raise TrackingError(
            f"fill_between: expected {len(times)} pictures of {width}x{height} like the detections, got {len(images)}"
            + (f" of {images[0].shape[1]}x{images[0].shape[0]}" if len(images) else ""),
            cause="pictures of the key frames only, or of another size than the predictions",
            fix="images = [frame.read_image() for frame in video.frames]",
        )
