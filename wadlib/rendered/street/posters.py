"""What is printed on the sheets of a wild street: banners, advertisements, shop names, traffic signs.

Cars and people on them are the renderer's own, pressed flat. They belong to no label: a network that has seen
a thousand painted cars counted as background no longer takes a red banner for a car.
"""

import functools
from typing import Any

import numpy as np

from wadlib.rendered.drawing.board import Picture, collage, fan, flatten, paint, rectangle, regular
from wadlib.rendered.drawing.mesh import Mesh
from wadlib.rendered.drawing.strokes import small_print, stroke, writing
from wadlib.rendered.road_users.shapes import make_shape

VEHICLES = (33, 33, 33, 38, 39, 34, 35, 40)
PERSON = 36
SIGN_M = 0.9
"""Width and height of the sheet of a traffic sign."""
WHITE, BLACK, GREY = (0.92, 0.92, 0.9), (0.06, 0.06, 0.07), (0.55, 0.56, 0.58)
RED, BLUE, YELLOW = (0.78, 0.1, 0.1), (0.08, 0.25, 0.6), (0.93, 0.75, 0.1)
GROUNDS = (RED, RED, (0.85, 0.15, 0.12), BLUE, (0.1, 0.42, 0.28), YELLOW, WHITE, (0.9, 0.86, 0.75), (0.95, 0.55, 0.15),
           (0.15, 0.6, 0.75), (0.5, 0.15, 0.4), (0.2, 0.2, 0.23))  # fmt: skip


def _rng(seed: int, kind: int) -> np.random.Generator:
    return np.random.default_rng([seed, kind, 71])


def _pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _ink(rng: np.random.Generator, ground: Any) -> Any:
    """Choose a colour that can be read on `ground`."""
    bright = float(np.dot(ground, (0.3, 0.6, 0.1))) > 0.5
    return _pick(rng, (BLACK, RED, BLUE, (0.1, 0.35, 0.2)) if bright else (WHITE, WHITE, YELLOW, (0.95, 0.9, 0.6)))


@functools.lru_cache(maxsize=256)
def _solid(class_id: int, seed: int) -> Mesh:
    """Make a road user of the coarse kind."""
    return make_shape(class_id, np.random.default_rng([seed, class_id]), phase=(seed % 8) / 8, lod=1)


@functools.lru_cache(maxsize=512)
def banner(seed: int, width: float, height: float) -> Picture:
    """Print a cloth banner: one line of large characters."""
    rng = _rng(seed, 1)
    ground = _pick(rng, GROUNDS[:8])
    margin = 0.1 * height
    count = int(max(2, round((width - 2 * margin) / height * rng.uniform(0.8, 1.15))))
    text = writing(rng, count, (margin, margin, width - margin, height - margin))
    return collage([rectangle(0, 0, width, height, ground), paint(text, _ink(rng, ground), 1)])


@functools.lru_cache(maxsize=512)
def poster(seed: int, width: float, height: float) -> Picture:
    """Print an advertisement: characters, a vehicle or two, people, or a landscape."""
    rng = _rng(seed, 2)
    kind = _pick(rng, ("writing", "vehicle", "vehicle", "people", "people", "portrait", "landscape"))
    ground = _pick(rng, GROUNDS)
    parts = [rectangle(0, 0, width, height, ground)]
    if kind in ("vehicle", "landscape") or rng.uniform() < 0.3:
        parts += _landscape(rng, width, height)
    side = 0.05 * min(width, height)
    if kind == "writing":
        head = (side, 0.35 * height, width - side, height - side)
        parts.append(paint(writing(rng, int(rng.integers(2, 6)), head), _ink(rng, ground), 2))
        body = (2 * side, side, width - 2 * side, 0.3 * height)
        parts.append(paint(small_print(rng, int(rng.integers(2, 5)), body), _ink(rng, ground), 2))
        return collage(parts)
    if kind == "vehicle":
        turn = float(rng.uniform(-0.9, 0.9)) + (np.pi if rng.uniform() < 0.5 else 0.0)
        box = (side, 0.08 * height, width - side, 0.62 * height)
        parts.append(flatten(_solid(_pick(rng, VEHICLES), int(rng.integers(64))), box, turn=turn, layer=3))
    elif kind == "people":
        count = int(rng.integers(1, 4))
        for place in range(count):
            box = (width * (0.05 + 0.6 * place / count), 0.04 * height, width * (0.05 + 0.6 * (place + 1) / count),
                   height * float(rng.uniform(0.6, 0.95)))  # fmt: skip
            parts.append(flatten(_solid(PERSON, int(rng.integers(64))), box, turn=_towards(rng), layer=3 + 2 * place))
    elif kind == "portrait":
        box = (0.05 * width, 0.0, 0.6 * width, 0.92 * height)
        parts.append(flatten(_solid(PERSON, int(rng.integers(64))), box, turn=_towards(rng), above=1.0, layer=3))
    ink = _ink(rng, ground)
    if kind in ("people", "portrait"):
        head = (0.7 * width, 0.3 * height, width - side, height - side)
    else:
        head = (side, 0.72 * height, width * float(rng.uniform(0.6, 0.95)), height - side)
    parts.append(paint(writing(rng, int(rng.integers(2, 6)), head), ink, 2))
    if rng.uniform() < 0.6:
        body = (0.7 * width, side, width - side, 0.25 * height)
        parts.append(paint(small_print(rng, int(rng.integers(2, 5)), body), ink, 2))
    return collage(parts)


def _towards(rng: np.random.Generator) -> float:
    """Turn somebody to the viewer, more or less."""
    return float(-0.5 * np.pi + rng.uniform(-0.7, 0.7))


def _landscape(rng: np.random.Generator, width: float, height: float) -> list[Picture]:
    """Paint sky, a sun or moon, hills and a floor, all on layer 1 and below the writing."""
    sky = np.array(_pick(rng, ((0.55, 0.75, 0.9), (0.9, 0.7, 0.5), (0.8, 0.85, 0.9), (0.3, 0.4, 0.65))))
    horizon = height * float(rng.uniform(0.2, 0.45))
    parts = [rectangle(0, horizon, width, height, sky, 0.5)]
    for _ in range(int(rng.integers(1, 4))):
        middle, half = width * float(rng.uniform(0.15, 0.85)), width * float(rng.uniform(0.1, 0.3))
        foot = (max(middle - half, 0.0), horizon), (min(middle + half, width), horizon)
        top = min(horizon + half * float(rng.uniform(0.3, 1.2)), height)
        parts.append(fan([*foot, (middle, top)], sky * rng.uniform(0.4, 0.85), 1))
    floor = _pick(rng, ((0.35, 0.5, 0.25), (0.45, 0.45, 0.47), (0.75, 0.7, 0.6)))
    parts.append(rectangle(0, 0, width, horizon, floor, 1))
    return parts


@functools.lru_cache(maxsize=256)
def shop(seed: int, width: float, height: float) -> Picture:
    """Print a shop's name: characters on a coloured ground, perhaps with a picture beside them."""
    rng = _rng(seed, 3)
    ground = _pick(rng, GROUNDS)
    ink, margin = _ink(rng, ground), 0.1 * min(width, height)
    parts, left, low, high = [rectangle(0, 0, width, height, ground)], margin, margin, height - margin
    if height > width:
        high -= width
        mark = (0.5 * width, height - 0.5 * width)
    else:
        left += height
        mark = (0.5 * height, 0.5 * height)
    parts.append(regular(mark, 0.36 * min(width, height), int(_pick(rng, (4, 6, 20))), ink, 1))
    count = int(rng.integers(3, 7))
    parts.append(paint(writing(rng, count, (left, low, width - margin, high)), ink, 1))
    return collage(parts)


@functools.lru_cache(maxsize=128)
def column(seed: int, sides: int, width: float, height: float) -> tuple[Picture, ...]:
    """Print one sheet for each side of an advertising column."""
    return tuple(poster(seed * 16 + side, width, height) for side in range(sides))


@functools.lru_cache(maxsize=128)
def sign(seed: int) -> Picture:
    """Make a traffic sign on a sheet of SIGN_M: prohibition, order, warning, crossing, or something to read.

    Its back is of bare metal.
    """
    rng = _rng(seed, 4)
    kind = _pick(rng, ("forbidden", "forbidden", "order", "order", "warning", "warning", "crossing", "plate"))
    middle, half = (0.5 * SIGN_M, 0.5 * SIGN_M), 0.5 * SIGN_M
    inner = (0.27 * SIGN_M, 0.3 * SIGN_M, 0.73 * SIGN_M, 0.7 * SIGN_M)
    figure = _solid(_pick(rng, (*VEHICLES, PERSON, PERSON)), int(rng.integers(16)))
    turn = 0.0 if rng.uniform() < 0.5 else np.pi
    if kind == "forbidden":
        parts = [regular(middle, half, 20, GREY, -1), regular(middle, half, 20, RED),
                 regular(middle, 0.78 * half, 20, WHITE, 1),
                 flatten(figure, inner, turn=turn, colour=BLACK, layer=2)]  # fmt: skip
        if rng.uniform() < 0.6:
            slash = stroke((0.25 * SIGN_M, 0.75 * SIGN_M), (0.75 * SIGN_M, 0.25 * SIGN_M), 0.09 * SIGN_M)
            parts.append(paint([slash], RED, 5))
    elif kind == "order":
        parts = [regular(middle, half, 20, GREY, -1), regular(middle, half, 20, WHITE),
                 regular(middle, 0.94 * half, 20, BLUE, 1),
                 flatten(figure, inner, turn=turn, colour=WHITE, layer=2)]  # fmt: skip
    elif kind == "warning":
        low = (0.5 * SIGN_M, 0.34 * SIGN_M)
        box = (0.33 * SIGN_M, 0.16 * SIGN_M, 0.67 * SIGN_M, 0.5 * SIGN_M)
        parts = [regular(low, 0.62 * SIGN_M, 3, GREY, -1), regular(low, 0.62 * SIGN_M, 3, BLACK),
                 regular(low, 0.53 * SIGN_M, 3, YELLOW, 1),
                 flatten(figure, box, turn=turn, colour=BLACK, layer=2)]  # fmt: skip
    elif kind == "crossing":
        box = (0.36 * SIGN_M, 0.2 * SIGN_M, 0.64 * SIGN_M, 0.56 * SIGN_M)
        parts = [rectangle(0, 0, SIGN_M, SIGN_M, GREY, -1), rectangle(0, 0, SIGN_M, SIGN_M, BLUE),
                 regular((0.5 * SIGN_M, 0.38 * SIGN_M), 0.46 * SIGN_M, 3, WHITE, 1),
                 flatten(_solid(PERSON, int(rng.integers(16))), box, turn=turn, colour=BLACK, layer=2)]  # fmt: skip
    else:
        ground = _pick(rng, (BLUE, WHITE, (0.1, 0.42, 0.28)))
        ink = _ink(rng, ground)
        parts = [rectangle(0, 0, SIGN_M, SIGN_M, GREY, -1), rectangle(0, 0, SIGN_M, SIGN_M, ground),
                 paint(writing(rng, 2, (0.08, 0.5, SIGN_M - 0.08, SIGN_M - 0.05)), ink, 1),
                 paint(small_print(rng, 3, (0.1, 0.08, SIGN_M - 0.1, 0.46)), ink, 1)]  # fmt: skip
    return collage(parts)
