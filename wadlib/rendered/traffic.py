"""Who is on the road, and where at any time.

Traffic is made of streams: a lane, a row of parked cars, a pavement. The members of a stream keep
their distance and live in a window that moves with the recording car: one that falls out of the
window at one end is replaced by somebody else at the other. So the road stays equally busy for any
length of video, and the traffic of a frame follows from its time alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wadlib.rendered.road import Road

__all__ = ["EGO_SPEED", "Actor", "Stream", "actors_at", "make_streams"]

EGO_SPEED = 7.2
"""m/s: one metre per frame of 0.139 s."""
BEHIND_M = -30.0
WINDOW_M = {"lane": 410.0, "overtaking": 410.0, "parked": 330.0, "walking": 220.0, "crossing": 300.0,
            "zebra": 220.0, "cycling": 230.0}  # fmt: skip
"""Length of the window of each kind of stream: as far as such an object can be told apart."""
CAR, MOTORBICYCLE, BICYCLE, PERSON, TRUCK, BUS, TRICYCLE = 33, 34, 35, 36, 38, 39, 40

# Share of each class among those who are placed. Tuned so that what is *visible* has WAD's shares:
# a bus hides behind nothing, a person behind everything.
MIX = {CAR: 10.07, PERSON: 3.17, BUS: 0.78, TRUCK: 0.54, BICYCLE: 0.45, MOTORBICYCLE: 0.38, TRICYCLE: 0.27}
PLACED_PER_VISIBLE = {CAR: 1.5, PERSON: 2.45, BUS: 1.05, TRUCK: 1.30, BICYCLE: 7.0, MOTORBICYCLE: 2.8, TRICYCLE: 2.3}
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Actor:
    """One object in one frame.

    Attributes
    ----------
    class_id : int
    track : int
        The same for the same object in every frame of a video.
    shape_seed : int
    s, d : float
        Road coordinates relative to the car along s, m.
    heading : float
        Relative to the road, rad.
    phase : float
        Of legs and pedals, [0, 1).
    """

    class_id: int
    track: int
    shape_seed: int
    s: float
    d: float
    heading: float
    phase: float


@dataclass(frozen=True)
class Stream:
    """A row of road users.

    Attributes
    ----------
    kind : str
        "lane", "overtaking", "parked", "cycling", "walking", "crossing" (vehicles) or "zebra".
    d : float
    other : float
        Other end of the range of d (walking), or the lane that is taken in the end (overtaking).
    speed : float
        m/s along s; relative to the road.
    heading : float
        Of a member, relative to the road, rad.
    members : tuple of (class_id, place in the window 0..1, spread 0..1)
    """

    kind: str
    d: float
    other: float
    speed: float
    heading: float
    members: tuple[tuple[int, float, float], ...]


def _quantile(p: float) -> float:
    """How busy the street is at quantile p, relative to its median: the tails of WAD's instances per frame."""
    # Normal quantile by bisection on erf would do; this logistic stand-in is within 2 % for 0.03 < p < 0.97.
    normal = math.log(p / (1 - p)) / 1.702
    return math.exp(normal * (0.88 if normal < 0 else 0.92))


def make_streams(road: Road, seed: int, video: int, camera: int) -> tuple[Stream, ...]:
    """Draw the traffic of a video.

    Busy and empty streets alternate along a golden-ratio sequence, so that already a few videos have
    the spread of a large set; the rarer classes are dealt out in the same way.
    """
    rng = np.random.default_rng([seed, video, 17])
    start = float(np.random.default_rng([seed, 18]).uniform())
    level = _quantile(0.03 + 0.94 * ((start + video * GOLDEN) % 1.0))
    offsets = np.random.default_rng([seed, 19]).uniform(size=7)
    count = {}
    for k, (class_id, share) in enumerate(MIX.items()):
        wanted = (1.12 if camera == 5 else 1.55) * level * share * PLACED_PER_VISIBLE[class_id]
        count[class_id] = math.floor(wanted + (float(offsets[k]) + video * (GOLDEN + 0.1379 * k)) % 1.0)
    layout = road.layout
    vehicles = [CAR] * count[CAR] + [BUS] * count[BUS] + [TRUCK] * count[TRUCK]
    rng.shuffle(vehicles)
    near = 1 if camera == 5 else -1  # Camera 5 looks at the oncoming side, Camera 6 at the kerb
    rows = _rows(road, rng, near)
    streams: list[Stream] = []
    for (kind, d, other, speed, heading), classes in zip(rows, _deal(rows, vehicles, rng), strict=True):
        streams.append(Stream(kind, d, other, speed, heading, _spread(classes, rng)))
    for class_id, slow, fast in ((BICYCLE, 3.5, 5.5), (MOTORBICYCLE, 6.0, 10.0), (TRICYCLE, 4.5, 6.5)):
        for _ in range(count[class_id]):
            d, direction = layout.cycling[0 if (rng.uniform() < 0.65) == (near > 0) and len(layout.cycling) > 1 else -1]
            if class_id != BICYCLE and rng.uniform() < 0.3:
                d, direction = (layout.own[-1], 1) if rng.uniform() < 0.4 else (layout.oncoming[-1], -1)
            speed = direction * float(rng.uniform(slow, fast))
            member = (class_id, float(rng.uniform()), float(rng.uniform()))
            streams.append(
                Stream(
                    "cycling", d + float(rng.uniform(-0.5, 0.5)), d, speed, 0.0 if direction > 0 else math.pi, (member,)
                )
            )
    streams.extend(_pedestrians(road, rng, count[PERSON], near))
    return tuple(streams)


def _rows(road: Road, rng: np.random.Generator, near: int) -> list[tuple[str, float, float, float, float]]:
    """(kind, d, other, speed, heading) of every row that vehicles can be in."""
    layout = road.layout
    rows = []
    for d in layout.own:
        if abs(d - layout.ego) < 0.1:
            rows.append(("lane", d, d, EGO_SPEED, 0.0))
        elif d > layout.ego and rng.uniform() < 0.6:
            rows.append(("overtaking", d, layout.ego, float(rng.uniform(9.0, 12.0)), 0.0))
        else:
            rows.append(("lane", d, d, float(rng.uniform(5.5, 10.5)), 0.0))
    for d in layout.oncoming:
        rows.append(("lane", d, d, -float(rng.uniform(6.0, 11.0)), math.pi))
    for d, turned in layout.parking:
        rows.append(("parked", d, d, 0.0, turned + (math.pi if d > 0 else 0.0)))
    if road.crossing_every_m:
        for side in (-1.0, 1.0):
            rows.append(("crossing", side * 2.2, side, float(rng.uniform(4, 8)), side * 0.5 * math.pi))
    return rows


def _deal(
    rows: list[tuple[str, float, float, float, float]], vehicles: list[int], rng: np.random.Generator
) -> list[list[int]]:
    """Give each vehicle a row; no row gets more than fit."""
    weights = {"lane": 1.0, "overtaking": 0.8, "parked": 1.1, "crossing": 0.35}
    room = {"lane": 24, "overtaking": 20, "parked": 40, "crossing": 3}
    share = np.array([weights[row[0]] * rng.uniform(0.4, 1.6) for row in rows])
    dealt: list[list[int]] = [[] for _ in rows]
    for class_id in vehicles:
        free = np.array(
            [
                len(d) < room[row[0]] and not (class_id == BUS and row[0] == "parked")
                for d, row in zip(dealt, rows, strict=True)
            ]
        )
        if not free.any():
            break
        p = share * free
        dealt[int(rng.choice(len(rows), p=p / p.sum()))].append(class_id)
    return dealt


def _spread(classes: list[int], rng: np.random.Generator) -> tuple[tuple[int, float, float], ...]:
    """Places in the window, at least a good part of an even share apart; sometimes in a bunch."""
    n = len(classes)
    if not n:
        return ()
    reach = 1.0 if n > 9 or rng.uniform() < 0.6 else float(rng.uniform(0.55, 1.0))
    places = (np.arange(n) + rng.uniform(0.0, 0.55, n)) / n * reach + rng.uniform()
    return tuple((c, float(p % 1.0), float(rng.uniform())) for c, p in zip(classes, places, strict=True))


def _pedestrians(road: Road, rng: np.random.Generator, count: int, near: int) -> Iterator[Stream]:
    """Walkers alone and in small groups on the pavements, and some on the zebra crossings."""
    walking = road.layout.walking
    while count > 0:
        group = min(count, 1 + int(rng.geometric(0.5)))
        count -= group
        low, high = sorted(walking[0 if (rng.uniform() < 0.5) == (near > 0) else -1])
        direction = 1 if rng.uniform() < 0.5 else -1
        speed = direction * float(rng.uniform(0.9, 1.5)) if rng.uniform() < 0.85 else 0.0
        place, across = float(rng.uniform()), float(rng.uniform(low, high))
        if road.crossing_every_m and rng.uniform() < 0.3:
            members = tuple((PERSON, float(rng.uniform()), float(rng.uniform())) for _ in range(group))
            yield Stream("zebra", -road.layout.edge, direction, 1.3, direction * 0.5 * math.pi, members)
            continue
        members = tuple(
            (PERSON, (place + k * float(rng.uniform(0.4, 1.4)) / WINDOW_M["walking"]) % 1.0, float(rng.uniform()))
            for k in range(group)
        )
        d = min(max(across, low), high)
        heading = 0.0 if direction > 0 else math.pi
        yield Stream("walking", d, float(np.clip(d + 0.8, low, high)), speed, heading, members)


def actors_at(road: Road, streams: tuple[Stream, ...], seed: int, time_s: float) -> list[Actor]:
    """Everybody within the window at `time_s`, nearest first."""
    ego = EGO_SPEED * time_s
    found: list[Actor] = []
    for row, stream in enumerate(streams):
        for slot, (class_id, place, spread) in enumerate(stream.members):
            if stream.kind in ("crossing", "zebra"):
                placed = _crossing(road, stream, place, spread, ego, time_s)
            else:
                placed = _along(road, stream, place, spread, ego, time_s)
            if placed is None:
                continue
            s, d, turns = placed
            track = (row * 64 + slot) * 4096 + turns % 4096
            shape_seed = int(np.random.default_rng([seed, track]).integers(0, 2**31))
            rate = {PERSON: 1.0, BICYCLE: 0.9}.get(class_id, 0.0) * (abs(stream.speed) > 0)
            found.append(Actor(class_id, track, shape_seed, s, d, stream.heading, (time_s * rate + spread) % 1.0))
    return sorted(_without_collisions(found), key=lambda a: a.s)


def _along(
    road: Road, stream: Stream, place: float, spread: float, ego: float, time_s: float
) -> tuple[float, float, int] | None:
    window = WINDOW_M[stream.kind]
    turns, within = divmod(place * window + stream.speed * time_s - ego, window)
    s, d = within + BEHIND_M, stream.d
    if stream.kind == "lane" and abs(stream.speed - EGO_SPEED) < 1e-9:
        s += 2.0 * math.sin(0.35 * time_s + 6.28 * spread)  # the lane we drive in: nobody within reach of our car
        if -14 < s < 11:
            return None
    elif stream.kind == "overtaking":
        change = min(max((s - 16) / 22, 0.0), 1.0) if spread < 0.4 else 0.0
        d += change * change * (3 - 2 * change) * (stream.other - d)
    elif stream.kind == "walking":
        d += spread * (stream.other - stream.d)
    elif stream.kind == "lane":
        d += 0.5 * (spread - 0.5)
    if stream.kind == "parked":
        d += 0.3 * (spread - 0.5)
        if road.in_crossing(s + ego, 12.0):
            return None
    return s, d, int(turns)


def _crossing(
    road: Road, stream: Stream, place: float, spread: float, ego: float, time_s: float
) -> tuple[float, float, int] | None:
    """Vehicles on the crossing road, and people on the zebras at both its sides."""
    middles = [m for m, _ in road.crossings(ego) if 12 < m - ego < WINDOW_M[stream.kind] + BEHIND_M]
    if not middles:
        return None
    middle = middles[0] if spread < 0.75 else middles[-1]
    half = 60.0 if stream.kind == "crossing" else road.layout.edge + 3.0
    _, within = divmod(place * 2 * half + stream.speed * time_s, 2 * half)
    d = math.copysign(1.0, stream.heading) * (within - half)
    turns = round((middle - road.first_crossing_m) / road.crossing_every_m)
    if stream.kind == "crossing":
        return middle - ego + stream.d, d, turns
    side = -1.0 if spread < 0.5 else 1.0
    return middle - ego + side * (11.2 + 1.5 * (spread * 7 % 1.0 - 0.5)), d, turns


LENGTHS = {CAR: 5.0, MOTORBICYCLE: 2.2, BICYCLE: 2.0, PERSON: 0.7, TRUCK: 9.0, BUS: 12.5, TRICYCLE: 3.2}


def _without_collisions(actors: list[Actor]) -> list[Actor]:
    """Drop whoever would stand inside somebody named before."""
    kept: list[Actor] = []
    for actor in sorted(actors, key=lambda a: (a.class_id == PERSON, a.track)):
        along, across = _extent(actor)
        for other in kept:
            other_along, other_across = _extent(other)
            if abs(actor.s - other.s) < 0.5 * (along + other_along) and abs(actor.d - other.d) < 0.5 * (
                across + other_across
            ):
                break
        else:
            kept.append(actor)
    return kept


def _extent(actor: Actor) -> tuple[float, float]:
    length, width = LENGTHS[actor.class_id], {PERSON: 0.5, BICYCLE: 0.7, MOTORBICYCLE: 0.9}.get(actor.class_id, 2.1)
    c, s = abs(math.cos(actor.heading)), abs(math.sin(actor.heading))
    return length * c + width * s, length * s + width * c
