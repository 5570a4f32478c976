"""Who is on the road, and where at any time.

Traffic is made of streams: a lane, a row of parked cars, a pavement. The members of a stream keep
their distance and live in a window that moves with the recording car: one that falls out of the
window at one end is replaced by somebody else at the other. So the road stays equally busy for any
length of video, and the traffic of a frame follows from its time alone.
"""

import math
from dataclasses import dataclass

import numpy as np

from wadlib.rendered.street.road import Road

EGO_SPEED = 7.2
"""m/s: one metre per frame of 0.139 s."""
BEHIND_M = -30.0
WINDOW_M = {"lane": 410.0, "overtaking": 410.0, "parked": 330.0, "walking": 220.0, "crossing": 300.0,
            "zebra": 220.0, "cycling": 230.0}  # fmt: skip
"""Length of the window of each kind of stream: as far as such an object can be told apart."""
CAR, MOTORBICYCLE, BICYCLE, PERSON, TRUCK, BUS, TRICYCLE = 33, 34, 35, 36, 38, 39, 40


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


def actors_at(road: Road, streams: tuple[Stream, ...], seed: int, time_s: float) -> list[Actor]:
    """List everybody within the window at `time_s`, nearest first."""
    found: list[Actor] = []
    for row, stream in enumerate(streams):
        for slot, (class_id, place, spread) in enumerate(stream.members):
            placed = locate(road, stream, place, spread, time_s)
            if placed is None:
                continue
            s, d, turns = placed
            track = (row * 256 + slot) * 4096 + turns % 4096
            shape_seed = int(np.random.default_rng([seed, track]).integers(0, 2**31))
            rate = {PERSON: 1.0, BICYCLE: 0.9}.get(class_id, 0.0) * (abs(stream.speed) > 0)
            found.append(Actor(class_id, track, shape_seed, s, d, stream.heading, (time_s * rate + spread) % 1.0))
    return sorted(_without_collisions(found), key=lambda a: a.s)


def locate(road: Road, stream: Stream, place: float, spread: float, time_s: float) -> tuple[float, float, int] | None:
    """Find (s, d, how often the place was taken by somebody new) of a member of a stream; None: nobody is there."""
    position = _crossing if stream.kind in ("crossing", "zebra") else _along
    return position(road, stream, place, spread, EGO_SPEED * time_s, time_s)


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
    taken: list[tuple[float, float, float, float]] = []
    for actor in sorted(actors, key=lambda a: (a.class_id == PERSON, a.track)):
        along, across = (0.5 * v for v in extent(actor.class_id, actor.heading))
        s, d = actor.s, actor.d
        if not any(abs(s - s1) < along + a1 and abs(d - d1) < across + c1 for s1, d1, a1, c1 in taken):
            kept.append(actor)
            taken.append((s, d, along, across))
    return kept


def extent(class_id: int, heading: float) -> tuple[float, float]:
    """Return the room that an object takes along and across the road, m."""
    length, width = LENGTHS[class_id], {PERSON: 0.5, BICYCLE: 0.7, MOTORBICYCLE: 0.9}.get(class_id, 2.1)
    c, s = abs(math.cos(heading)), abs(math.sin(heading))
    return length * c + width * s, length * s + width * c
