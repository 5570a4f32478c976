"""Exercises of notebook 03: shares, weights, and drawing frames."""

from collections.abc import Callable
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, choice


def _loss_shares(answer: Callable[..., Any], **_: Any) -> str | None:
    p = np.array([0.9, 0.08, 0.0199, 0.0001])
    for power in (0.0, 0.3, 0.5, 1.0):
        found = np.asarray(answer(p.copy(), power), float)
        if found.shape != p.shape:
            return f"One share for each of the {p.size} classes is expected, and this has the shape {found.shape}."
        weighted = p * (p.max() / (p + 1e-6)) ** power
        if np.allclose(found, weighted, rtol=1e-6) and not np.isclose(weighted.sum(), 1):
            return f"With the power {power:g} the shares add up to {found.sum():.3f}, not to 1."
        if not np.isclose(found.sum(), 1, atol=1e-6):
            return f"With the power {power:g} the shares add up to {found.sum():.3f}, not to 1."
        if not np.allclose(found, weighted / weighted.sum(), rtol=1e-4):
            return f"With the power {power:g} the shares are not correct. Is the weight multiplied by the share?"
    return None


def _two_weights(answer: tuple[float, float], *, pixels: int, **_: Any) -> str | None:
    absent, single = (float(value) for value in answer)
    right = [float((1 / (n / pixels + 1e-6)) ** 0.3) for n in (0, 1)]
    if abs(absent / right[0] - 1) > 0.02:
        if abs(absent / right[0] ** (1 / 0.3) - 1) < 0.02:
            return "Absent class: the power is missing."
        return "Absent class: put p = 0 into the formula. Which number is then below the fraction line?"
    if abs(single / right[1] - 1) > 0.02:
        return "Single pixel: its share is one divided by the number of pixels of a *batch*."
    return None


def _repeat_factors(answer: Callable[..., Any], **_: Any) -> str | None:
    rng = np.random.default_rng(0)
    present = rng.random((40, 5)) < np.array([0.95, 0.6, 0.3, 0.1, 0.0])
    present[0] = False
    for t in (0.2, 0.5):
        found = np.asarray(answer(present.copy(), t), float).ravel()
        if found.shape != (40,):
            return f"One factor for each frame is expected, and this has {found.size} numbers for 40 frames."
        if not np.isfinite(found).all():
            return "Some factor is infinite or not a number. What if a class occurs in no frame?"
        if (found < 1).any():
            return "Some factor is below 1: such a frame would be drawn less often than without the method."
        share = present.mean(axis=0)
        rates = np.maximum(1, np.sqrt(t / np.where(share > 0, share, 1)))
        right = np.where(present, rates, 1).max(axis=1)
        if not np.allclose(found, right):
            if np.allclose(found, np.where(present, rates**2, 1).max(axis=1)):
                return "The square root is missing."
            return f"With t = {t:g} some factors are not correct. A frame with several classes takes the largest rate."
    return None


EXERCISES = (
    Exercise(
        "03.1",
        1,
        1,
        choice(("2", "8", "300", "1000"), "c1dd3cbe8853", hint="Divide the two weights: what remains of the formula?"),
        predict=True,
    ),
    Exercise("03.2", 2, 2, _loss_shares),
    Exercise("03.3", 2, 1, _two_weights),
    Exercise("03.4", 3, 3, _repeat_factors),
)
