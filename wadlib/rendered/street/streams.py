"""Everybody who could be on the road of a video: rows of vehicles, cyclists and walkers.

Far more are proposed than fit; `crowd` chooses among them.
"""

import math
from collections.abc import Iterator

import numpy as np

from wadlib.rendered.street.road import Road
from wadlib.rendered.street.traffic import BICYCLE, BUS, CAR, EGO_SPEED, MOTORBICYCLE, PERSON, TRICYCLE, TRUCK, Stream

Row = tuple[str, float, float, float, float]
SLOTS = {"lane": 44, "overtaking": 28, "parked": 56, "crossing": 4}
"""Places for cars in a row of each kind: bumper to bumper."""


def propose(road: Road, rng: np.random.Generator, near: int, busy: bool) -> tuple[Stream, ...]:
    """Draw candidates for the traffic of a video.

    Parameters
    ----------
    road : Road
    rng : numpy.random.Generator
    near : {1, -1}
        Side of the road that the camera looks at: 1 left, -1 right.
    busy : bool
        Whether traffic crawls.
    """
    streams = []
    for row in _rows(road, rng, 0.35 if busy else 1.0):
        kind = row[0]
        members = [*_spread(CAR, SLOTS[kind], rng), *_spread(TRUCK, 5 if kind != "crossing" else 1, rng)]
        if kind != "parked":
            members += _spread(BUS, 5 if kind != "crossing" else 1, rng)
        streams.append(Stream(*row, tuple(members)))
    streams.extend(_cyclists(road, rng, near))
    streams.extend(_walkers(road, rng, near, 170 if busy else 90))
    return tuple(streams)


def _rows(road: Road, rng: np.random.Generator, pace: float) -> list[Row]:
    """(kind, d, other, speed, heading) of every row that vehicles can be in."""
    layout = road.layout
    rows: list[Row] = []
    for d in layout.own:
        if abs(d - layout.ego) < 0.1:
            rows.append(("lane", d, d, EGO_SPEED, 0.0))
        elif d > layout.ego and rng.uniform() < 0.6:
            rows.append(("overtaking", d, layout.ego, float(rng.uniform(9.0, 12.0)), 0.0))
        else:
            rows.append(("lane", d, d, pace * float(rng.uniform(5.5, 10.5)), 0.0))
    for d in layout.oncoming:
        rows.append(("lane", d, d, -pace * float(rng.uniform(6.0, 11.0)), math.pi))
    for d, turned in layout.parking:
        rows.append(("parked", d, d, 0.0, turned + (math.pi if d > 0 else 0.0)))
    if road.crossing_every_m:
        for side in (-1.0, 1.0):
            rows.append(("crossing", side * 2.2, side, float(rng.uniform(4, 8)), side * 0.5 * math.pi))
    return rows


def _spread(class_id: int, count: int, rng: np.random.Generator) -> Iterator[tuple[int, float, float]]:
    """Places in the window, at least a good part of an even share apart."""
    places = (np.arange(count) + rng.uniform(0.0, 0.4, count)) / count + rng.uniform()
    return ((class_id, float(p % 1.0), float(rng.uniform())) for p in places)


def _cyclists(road: Road, rng: np.random.Generator, near: int) -> Iterator[Stream]:
    """Everything that rides at the edge of the road; some in the outer lanes."""
    layout = road.layout
    for class_id, count, slow, fast in (
        (BICYCLE, 40, 3.5, 5.5),
        (MOTORBICYCLE, 26, 6.0, 10.0),
        (TRICYCLE, 22, 4.5, 6.5),
    ):
        for _ in range(count):
            d, direction = layout.cycling[0 if (rng.uniform() < 0.65) == (near > 0) and len(layout.cycling) > 1 else -1]
            if class_id != BICYCLE and rng.uniform() < 0.3:
                d, direction = (layout.own[-1], 1) if rng.uniform() < 0.4 else (layout.oncoming[-1], -1)
            speed = direction * float(rng.uniform(slow, fast))
            member = (class_id, float(rng.uniform()), float(rng.uniform()))
            heading = 0.0 if direction > 0 else math.pi
            yield Stream("cycling", d + float(rng.uniform(-0.5, 0.5)), d, speed, heading, (member,))


def _walkers(road: Road, rng: np.random.Generator, near: int, count: int) -> Iterator[Stream]:
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
            (PERSON, (place + k * float(rng.uniform(0.4, 1.4)) / 220) % 1.0, float(rng.uniform())) for k in range(group)
        )
        d = min(max(across, low), high)
        heading = 0.0 if direction > 0 else math.pi
        yield Stream("walking", d, float(np.clip(d + 0.8, low, high)), speed, heading, members)
