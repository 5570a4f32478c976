"""Exercises of notebook 06: losses, weights and what a U-Net sees."""

from collections.abc import Callable
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, number


def _constant_dice(answer: Callable[..., float], **_: Any) -> str | None:
    for q, s in ((1.0, 0.05), (0.5, 0.05), (0.05, 0.05), (0.2, 0.0), (0.3, 0.9)):
        right, value = 1 - 2 * q * s / (q + s), float(answer(q, s))
        if abs(value - right) < 1e-9:
            continue
        if abs(value - 2 * q * s / (q + s)) < 1e-9:
            return "This is the overlap itself. The loss must be low if the overlap is high."
        if abs(value - (1 - q * s / (q + s))) < 1e-9:
            return "A factor is missing: with q = s = 1 the loss should be 0."
        return f"For q = {q:g} and s = {s:g} it gives {value:.4f}, but the sums over the pixels give another number."
    return None


def _cells_seen(answer: Callable[..., int], **_: Any) -> str | None:
    for poolings in range(5):
        right = 5  # two convolutions at the bottom, seen from one cell of it
        for _level in range(poolings):
            right = 2 * right + 4
        value = int(answer(poolings))
        if value == right:
            continue
        if poolings and value == 5 + 4 * poolings:
            return "A convolution after a pooling adds more input pixels than a convolution before it."
        return (
            f"For d = {poolings} it gives {value}. Begin with one cell at the bottom and go up, layer by layer: "
            "how many cells of the layer before does it depend on?"
        )
    return None


def _cars_and_pieces(answer: Callable[..., Any], **_: Any) -> str | None:
    one, two = (np.full((6, 9), 255, np.uint16) for _ in range(2))
    one[1:3, 1:3], one[1:3, 3:5], one[4, 6:8] = 33000, 33001, 36000
    two[2, 0:9], two[0:5, 4], two[5, 8] = 33000, 36001, 33004
    found = answer([one, two])
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "It should return two numbers: cars, and connected pieces of car."
    cars, pieces = (int(value) for value in found)
    if cars != 4:
        return (
            "Cars: the code 33000 in two frames is two cars."
            if cars == 3
            else f"Cars: {cars} is not the number of instances of class 33 in the two test labels."
        )
    if pieces != 4:
        return f"Pieces: {pieces} is not correct. Two cars that touch are one piece; a car behind a person may be two."
    return None


EXERCISES = (
    Exercise(
        "06.1",
        1,
        1,
        number(
            "2343d4c8dafa",
            decimals=0,
            low=1,
            mistakes={"0385e8284e52": "After so many steps a little more than 5 % is left."},
        ),
        predict=True,
    ),
    Exercise("06.2", 2, 2, _constant_dice),
    Exercise(
        "06.3",
        2,
        1,
        number(
            "8b81431c7ba5",
            decimals=0,
            low=0,
            mistakes={
                "33aca1259bf7": "This is the weight of one of the three classes.",
                "c36304c2cc9d": "Which share does the most frequent class of this batch have?",
                "a07d3e3590cf": "Put the probability 1/9 into the dice loss of an absent class: what does it cost?",
            },
        ),
    ),
    Exercise("06.4", 3, 3, _cells_seen),
    Exercise("06.5", 2, 2, _cars_and_pieces),
)
