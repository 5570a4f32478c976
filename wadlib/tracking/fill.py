"""Fill the gaps of tracks: an object that was found before and after was there in between."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.instances import Instances
from wadlib.tracking.pieces import Piece, instances_of, pieces_of

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tracked:
    """What was found in one frame, with the track of each instance.

    Attributes
    ----------
    found : Instances
    ids : (D,) int64
    filled : int
        How many of the last instances were not detected but filled in.
    """

    found: Instances
    ids: Ids
    filled: int = 0


def fill_gaps(frames: Iterable[Tracked], longest: int = 4, factor: float = 0.9) -> Iterator[Tracked]:
    """Add what a track must have been in frames in which it was not found.

    The box is interpolated between the frames before and after the gap; the mask of the nearer one is shifted and
    stretched into it. What was detected stays as it is, in its order; what is filled in comes after it.

    Parameters
    ----------
    frames : iterable of Tracked, one per frame of a video
        Read as it goes: `longest` + 2 frames are held.
    longest : int
        Longer gaps stay.
    factor : float
        Score of what is filled in, as a share of the mean score on both sides of the gap.

    Yields
    ------
    Tracked, one per frame
    """
    held: deque[Tracked] = deque()
    for frame in frames:
        held.append(frame)
        _fill_before(held, longest, factor)
        if len(held) > longest + 1:
            yield held.popleft()
    yield from held


def _fill_before(held: deque[Tracked], longest: int, factor: float) -> None:
    """Fill the gaps that end at the last frame that is held."""
    last = held[-1]
    now = {track: d for d, track in enumerate(last.ids.tolist())}
    before = set(held[-2].ids.tolist()) if len(held) > 1 else set()
    for track in now.keys() - before:
        # The latest frame in which it was seen, if that is near enough.
        for back in range(2, min(longest + 1, len(held) - 1) + 1):
            where = np.flatnonzero(held[-1 - back].ids == track)
            if where.size:
                _fill_one(held, track, back, int(where[0]), now[track], factor)
                break


def _fill_one(held: deque[Tracked], track: int, back: int, d: int, e: int, factor: float) -> None:
    a, b = held[-1 - back].found[[d]], held[-1].found[[e]]
    for k in range(1, back):
        share = k / back
        box = (1 - share) * a.boxes[0].astype(np.float64) + share * b.boxes[0]
        nearer = a if share <= 0.5 else b
        if not nearer.areas_px[0]:
            continue
        piece = stretched(pieces_of(nearer)[0], nearer.boxes[0].astype(np.float64), box).inside(a.shape)
        if not piece.mask.size:
            continue
        score = factor * (float(a.scores[0]) + float(b.scores[0])) / 2
        held[-1 - back + k] = _with(held[-1 - back + k], track, int(a.class_ids[0]), score, box, piece)


def stretched(piece: Piece, box: npt.NDArray[np.float64], new: npt.NDArray[np.float64]) -> Piece:
    """Bring a mask from its box into another one."""
    scale = (new[2:] - new[:2]) / np.maximum(box[2:] - box[:2], 1)
    height, width = np.maximum(np.rint(piece.mask.shape * scale), 1).astype(int).tolist()
    y, x = np.rint(new[:2] + (np.array([piece.y, piece.x]) - box[:2]) * scale).astype(int).tolist()
    mask = cv2.resize(piece.mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return Piece(mask.astype(np.bool_), y, x)


def _with(
    frame: Tracked, track: int, class_id: int, score: float, box: npt.NDArray[np.float64], piece: Piece
) -> Tracked:
    found = frame.found
    height, width = found.shape
    box = np.clip(box, 0, [height, width, height, width])
    more = instances_of(
        np.append(found.class_ids, class_id),
        np.append(found.scores, np.float32(score)),
        np.concatenate([found.boxes, box[None].astype(np.float32)]),
        [*pieces_of(found), piece],
        found.shape,
    )
    return Tracked(more, np.append(frame.ids, track), frame.filled + 1)
