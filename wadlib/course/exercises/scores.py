"""Exercises of notebook 09: what a score counts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, choice, number


def _report_iou(answer: Callable[..., float], **_: Any) -> str | None:
    rng = np.random.default_rng(1)
    truths, predictions = (rng.integers(0, 3, (4, 6, 7)) for _ in range(2))
    truths[2][truths[2] == 1] = 0  # a frame without the class, in which it is predicted
    ious = [((t == 1) & (p == 1)).sum() / ((t == 1) | (p == 1)).sum() for t, p in zip(truths, predictions, strict=True)]
    both, either = ((truths == 1) & (predictions == 1)).sum(), ((truths == 1) | (predictions == 1)).sum()
    value = float(answer([t == 1 for t in truths], [p == 1 for p in predictions]))
    if abs(value - np.mean([iou for k, iou in enumerate(ious) if k != 2])) < 1e-9:
        empty = answer([truths[2] == 1], [predictions[2] == 1])
        return None if np.isnan(float(empty)) else "If the class is in no truth, the function should return nan."
    if abs(value - np.mean(ious)) < 1e-9:
        return "A frame is counted although its truth does not have the class."
    if abs(value - both / either) < 1e-9:
        return "This is the pooled IoU: the pixels of all frames are added up first."
    return f"On four random frames it gives {value:.4f}, but the formula gives another number."


def _pairs(answer: Callable[..., Any], **_: Any) -> str | None:
    truths = ["b_Camera_5", "a_Camera_6", "c_Camera_5"]
    found = answer(list(truths), ["c_Camera_5", "a_Camera_6", "b_Camera_5"])
    if sorted(tuple(pair) for pair in found) != sorted((name, name) for name in truths):
        return "If the names come in another order, some frame gets the prediction of another frame."
    for wrong, name in ((truths[1:], "without a prediction"), ([*truths, "d"], "with a prediction and no truth")):
        try:
            answer(list(truths), list(wrong))
        except ValueError:
            continue
        return f"For a frame {name} the function should raise a ValueError."
    return None


def _average_precision(answer: Callable[..., float], **_: Any) -> str | None:
    rng = np.random.default_rng(2)
    for n, objects in ((1, 1), (6, 5), (20, 12)):
        right, scores = rng.random(n) < 0.6, rng.permutation(n) / n
        right[np.argmax(scores)] |= n == 1
        while right.sum() > objects:
            right[np.flatnonzero(right)[0]] = False
        ranked = right[np.argsort(-scores)]
        recall = np.cumsum(ranked) / objects
        precision = np.cumsum(ranked) / np.arange(1, n + 1)
        levels = np.arange(101) / 100
        expected = np.mean([max(precision[recall >= r - 1e-12], default=0.0) for r in levels])
        value = float(answer(scores.copy(), right.copy(), objects))
        if abs(value - expected) < 1e-6:
            continue
        ragged = np.mean(
            [next((p for p, q in zip(precision, recall, strict=True) if q >= r - 1e-12), 0) for r in levels]
        )
        if abs(value - ragged) < 1e-6:
            return "For each recall, take the *largest* precision at this recall or a higher one."
        if abs(value - np.mean([max(precision[recall >= r - 1e-12], default=0.0) for r in levels[1:]])) < 1e-6:
            return "There are 101 recalls: 0 is one of them."
        return f"{value:.4f} is not correct. Is the list sorted by score? What if a recall is never reached?"
    return None


EXERCISES = (
    Exercise(
        "09.1",
        1,
        1,
        number(
            "acc562db27bf",
            low=0,
            high=1,
            mistakes={"add3ddab5909": "The pixels that are in both squares are counted twice in the union."},
        ),
        predict=True,
    ),
    Exercise(
        "09.2",
        2,
        1,
        choice(
            ("report's car", "report's person", "pooled car", "pooled person"),
            "a36904b6df10",
            mistakes={"557c79d79d60": "Which frames does this number take into account?"},
            hint="Which frames and which pixels does this number count?",
        ),
        predict=True,
    ),
    Exercise("09.3", 2, 2, _report_iou),
    Exercise("09.4", 2, 2, _pairs),
    Exercise("09.5", 3, 3, _average_precision),
)
