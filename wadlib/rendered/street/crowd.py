"""How many of each class are on the road: chosen so that what the camera *sees* has WAD's statistics.

Objects hide each other, so numbers of placed objects say little about labels. We look at the
candidates from the camera as boxes at a few moments, nearest first, count what is large enough to be
labelled, and add candidates of each class until the class is seen as often as wanted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wadlib.frames import FULL_SHAPE
from wadlib.rendered.drawing.camera import Camera
from wadlib.rendered.street.road import Road, curve_tables, place
from wadlib.rendered.street.streams import propose
from wadlib.rendered.street.traffic import (
    BICYCLE,
    BUS,
    CAR,
    EGO_SPEED,
    LENGTHS,
    MOTORBICYCLE,
    PERSON,
    TRICYCLE,
    TRUCK,
    Stream,
    extent,
    locate,
)

LEVELS = (3.0, 5.0, 7.5, 11.0, 14.5, 18.0, 24.0, 58.0)
"""Instances per frame of eight videos: equal shares of WAD's distribution (p5 3, median 13, p95 51)."""
# Share of each class in WAD, how steady it is (its number grows as level ** steadiness), and how many
# boxes have to be seen for one labelled object: trees, fences and riders hide the rest.
CLASSES = {CAR: (0.643, 1.0, 1.29), PERSON: (0.202, 1.0, 1.60), BUS: (0.050, 0.8, 1.08), TRUCK: (0.034, 0.7, 1.05),
           BICYCLE: (0.029, 0.6, 2.5), MOTORBICYCLE: (0.025, 0.6, 1.65), TRICYCLE: (0.017, 0.5, 1.25)}  # fmt: skip
TIMES_S = (0.2, 1.4, 2.6, 3.8, 5.0, 6.2, 7.4)
HEIGHTS = {CAR: 1.5, PERSON: 1.7, BUS: 3.1, TRUCK: 2.8, BICYCLE: 1.1, MOTORBICYCLE: 1.2, TRICYCLE: 1.8}
FILL = {CAR: 0.8, PERSON: 0.5, BUS: 0.92, TRUCK: 0.8, BICYCLE: 0.25, MOTORBICYCLE: 0.4, TRICYCLE: 0.75}
"""Height, m, and the part of its box that an object covers."""
SMALLEST_PX = 90
CELL_PX, FIRST_ROW, ROWS, COLUMNS = 4, 1500, 210, 846


@dataclass(frozen=True)
class _Moment:
    """All candidates at one time: road coordinates (nan: not there), distance, box in cells, area in px."""

    s: Any
    d: Any
    distance: Any
    box: Any
    area: Any


def make_streams(road: Road, seed: int, video: int, lens: Camera) -> tuple[Stream, ...]:
    """Draw the traffic of a video."""
    rng = np.random.default_rng([seed, video, 17])
    wanted = _wanted(seed, video)
    near = 1 if lens.number == 5 else -1  # Camera 5 looks at the oncoming side, Camera 6 at the kerb
    streams = propose(road, rng, near, sum(wanted.values()) > 35)
    chosen = _choose(road, streams, lens, wanted, rng)
    kept, first = [], 0
    for stream in streams:
        last = first + len(stream.members)
        members = tuple(m for m, c in zip(stream.members, chosen[first:last], strict=True) if c)
        first = last
        if members:
            kept.append(replace(stream, members=members))
    return tuple(kept)


def _wanted(seed: int, video: int) -> dict[int, float]:
    """Boxes of each class to be seen per frame: in every eight videos each level occurs once."""
    block, turn = divmod(video, len(LEVELS))
    rng = np.random.default_rng([seed, 18, block])
    middle = rng.permutation([2, 3, 4, 5]).tolist()  # a set of ten has two ordinary videos more
    order = middle[:2] + rng.permutation([0, 1, *middle[2:], 6, 7]).tolist()
    level = LEVELS[order[turn]] * float(rng.uniform(0.94, 1.06, len(LEVELS))[turn])
    mean = float(np.mean(LEVELS))
    wanted = {}
    for class_id, (share, steadiness, boxes) in CLASSES.items():
        usual = float(np.mean(np.array(LEVELS) ** steadiness))
        wanted[class_id] = boxes * share * mean * level**steadiness / usual
    return wanted


def _choose(
    road: Road, streams: Sequence[Stream], lens: Camera, wanted: dict[int, float], rng: np.random.Generator
) -> Any:
    """(N,) bool over the members of all streams in turn."""
    members = [(k, stream, member) for k, stream in enumerate(streams) for member in stream.members]
    classes = np.array([member[0] for _, _, member in members])
    room = np.array([extent(member[0], stream.heading) for _, stream, member in members])
    moments = [_look(road, members, lens, time_s) for time_s in TIMES_S]
    s, d = np.stack([m.s for m in moments]), np.stack([m.d for m in moments])
    alone = np.mean([m.area >= SMALLEST_PX for m in moments], axis=0)
    # Companions come together: walkers of a group share their number. The far away are a little likelier.
    number, together = rng.exponential(size=len(members)), rng.exponential(size=len(streams))
    walking = classes == PERSON
    number[walking] = together[np.array([k for k, *_ in members])[walking]]
    typical = np.clip(np.median([m.area for m in moments], axis=0), 100, 1e5)
    queue = np.argsort(number * typical**0.15, kind="stable")
    queue = queue[alone[queue] > 0]
    chosen, refused = np.zeros(len(members), bool), np.zeros(len(members), bool)
    for hurry in (0.7, 0.7, 0.7, 0.8, 0.9, 1.0, 1.0):
        seen = np.mean([_seen(m, chosen) for m in moments], axis=0)
        for class_id in (BUS, TRUCK, TRICYCLE, CAR, MOTORBICYCLE, BICYCLE, PERSON):
            missing = wanted[class_id] - float(seen[classes == class_id].sum())
            if missing > 1.0:
                missing *= hurry
            for index in queue[classes[queue] == class_id]:
                if chosen[index] or refused[index] or alone[index] > 2 * missing:
                    continue
                others = np.flatnonzero(chosen)
                reach = 0.5 * (room[others] + room[index]) + 0.15
                close = (np.abs(s[:, others] - s[:, [index]]) < reach[:, 0]) & (
                    np.abs(d[:, others] - d[:, [index]]) < reach[:, 1]
                )
                if close.any():
                    refused[index] = True
                    continue
                chosen[index] = True
                missing -= float(alone[index])
    return chosen


def _look(road: Road, members: Sequence[tuple[int, Stream, Any]], lens: Camera, time_s: float) -> _Moment:
    """Boxes of all candidates at one time."""
    placed = [locate(road, stream, member[1], member[2], time_s) for _, stream, member in members]
    s, d = (np.array([np.nan if p is None else p[k] for p in placed]) for k in (0, 1))
    curve, _ = curve_tables(road, EGO_SPEED * time_s, road.layout.ego)
    x, y, heading = place(curve, s, d)
    heading = heading + np.array([stream.heading for _, stream, _ in members])
    classes = [member[0] for _, _, member in members]
    half = 0.5 * np.array([(LENGTHS[c], extent(c, 0.5 * math.pi)[0]) for c in classes])
    tall, fill = np.array([HEIGHTS[c] for c in classes]), np.array([FILL[c] for c in classes])
    corners = []
    for a in (-1, 1):
        for b in (-1, 1):
            along, across = a * half[:, 0], b * half[:, 1]
            cx = x + along * np.cos(heading) - across * np.sin(heading)
            cy = y + along * np.sin(heading) + across * np.cos(heading)
            corners += [np.stack([cx, cy, z], axis=1) for z in (np.zeros_like(tall), tall)]
    seen = np.stack([lens.project(corner) for corner in corners])
    there = (seen[..., 2] > 0.8).all(axis=0) & ~_behind_houses(road, curve, s, d, x, y)
    low, high = seen[..., :2].min(axis=0), seen[..., :2].max(axis=0)
    low, high = (np.clip(corner, [0, FIRST_ROW], [FULL_SHAPE[1], 2340]) for corner in (low, high))
    area = np.where(there, fill * (high - low).prod(axis=1), 0.0)
    with np.errstate(invalid="ignore"):
        cells = np.where(there[:, None], np.round(np.hstack([low, high]) / CELL_PX), 0).astype(int)
    cells[:, 1::2] -= FIRST_ROW // CELL_PX
    cells[:, 2:] = np.maximum(cells[:, 2:], cells[:, :2] + 1)
    return _Moment(s, d, np.hypot(x, y), cells, area)


def _behind_houses(road: Road, curve: Any, s: Any, d: Any, x: Any, y: Any) -> Any:
    """Whether the line of sight leaves the street between the houses."""
    sides = [front for front, _ in road.layout.buildings]
    left, right = max(sides) + 2.0, min(sides) - 2.0
    hidden = np.isnan(s) | (d > left) | (d < right)
    for share in (0.3, 0.5, 0.7, 0.85):
        axis_x, axis_y, heading = place(curve, share * s, np.zeros_like(s))
        across = (share * y - axis_y) * np.cos(heading) - (share * x - axis_x) * np.sin(heading)
        hidden |= (across > left) | (across < right)
    return hidden


def _seen(moment: _Moment, chosen: Any) -> Any:
    """(N,) 1.0 for every chosen candidate with enough uncovered pixels; the nearest come first."""
    free = np.ones((ROWS + 1, COLUMNS + 1), bool)
    seen = np.zeros(len(chosen))
    candidates = np.flatnonzero(chosen & (moment.area > 0))
    for index in candidates[np.argsort(moment.distance[candidates], kind="stable")]:
        left, top, right, bottom = moment.box[index]
        part = free[top:bottom, left:right]
        seen[index] = moment.area[index] * part.mean() >= SMALLEST_PX
        part[:] = False
    return seen
