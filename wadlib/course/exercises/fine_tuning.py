"""Exercises of notebook 08: steps of an optimizer, curves of a log, and the noise of an ablation."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, choice, digest, number


def _momentum(
    gradients: Sequence[float], weight: float, rate: float, momentum: float, penalty: float, kept: bool = True
) -> list[float]:
    step, values = 0.0, []
    for gradient in gradients:
        step = (momentum * step if kept else 0.0) - rate * (gradient + penalty * weight)
        weight += step
        values.append(weight)
    return values


def _frozen_penalty(
    gradients: Sequence[float], weight: float, rate: float, momentum: float, penalty: float
) -> list[float]:
    """Steps whose penalty pulls at the first weight, again and again."""
    return _momentum([gradient + penalty * weight for gradient in gradients], weight, rate, momentum, 0)


def _momentum_steps(answer: Callable[..., Any], **_: Any) -> str | None:
    rng = np.random.default_rng(3)
    for decay in (0.0, 0.25):
        gradients = rng.normal(size=5).round(2).tolist()
        found = np.asarray(answer(list(gradients), 1.5, 0.1, 0.9, decay), float).ravel()
        if found.shape != (5,):
            return f"The weight after each of the 5 steps is expected, and the size of this is {found.size}."
        if np.allclose(found, _momentum(gradients, 1.5, 0.1, 0.9, 2 * decay)):
            continue
        if decay and np.allclose(found, _momentum(gradients, 1.5, 0.1, 0.9, 0)):
            return "The weight decay is missing."
        if decay and np.allclose(found, _momentum(gradients, 1.5, 0.1, 0.9, decay)):
            return "The derivative of the penalty λw² has a factor."
        if decay and np.allclose(found, _frozen_penalty(gradients, 1.5, 0.1, 0.9, 2 * decay)):
            return "The penalty of each step is that of the first weight. The weight changes from step to step."
        if np.allclose(found, _momentum(gradients, 1.5, 0.1, 0.9, 2 * decay, kept=False)):
            return "Each step forgets the step before: the momentum is missing."
        if np.allclose(found, _momentum([-g for g in gradients], 1.5, 0.1, 0.9, -2 * decay)):
            return "It goes uphill: the loss grows in the direction of the gradient."
        return f"With the decay {decay:g} the values are other ones. Compute two steps by hand, and compare."
    return None


def _epoch_and_verdict(answer: Any, *, key: str, **_: Any) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "Two things are expected: an epoch, and yes or no."
    epoch, verdict = answer[0], str(answer[1]).strip().lower()
    if isinstance(epoch, bool | np.bool_) or not isinstance(epoch, int | np.integer) or not 1 <= epoch <= 100:
        return "The first entry is a whole number from 1 to 100."
    if verdict not in ("yes", "no"):
        return 'The second entry is "yes" or "no".'
    if digest(key, int(epoch)) == "3cf301686058":
        return "Epoch: the curves begin with epoch 0, and the names of the checkpoints with epoch 1."
    if digest(key, int(epoch)) != "90c20f242d7d":
        return "Epoch: in another epoch the total loss on validation frames is lower."
    if digest(key, verdict) != "75194e2a58f7":
        return "Verdict: compare the difference of the two losses with the mean absolute change between neighbours."
    return None


_WORDS = ("learning", "over-fitting", "diverging")


def _curve(rng: np.random.Generator, change: float, misled: bool) -> Any:
    """A noisy curve over 100 epochs; where `misled`, its first and last value suggest the opposite change."""
    values = 1 + change * np.linspace(0, 1, 100) + rng.normal(0, 0.04, 100)
    if misled:
        middle = values.mean()
        values[0], values[-1] = middle + np.sign(change) * 0.3, middle - np.sign(change) * 0.3
    return values


def _diagnosis(answer: Callable[..., str], **_: Any) -> str | None:
    rng = np.random.default_rng(4)
    cases = {"learning": (-0.4, -0.3), "over-fitting": (-0.4, 0.3), "diverging": (0.4, 0.5)}
    for misled in (False, True):
        for right, changes in cases.items():
            train, val = (_curve(rng, change, misled) for change in changes)
            found = answer(train.copy(), val.copy())
            if found not in _WORDS:
                return f"It should return one of: {', '.join(_WORDS)}. It returns {found!r}."
            if found == right:
                continue
            if misled:
                return "It is misled by one noisy epoch. Compare means of many epochs."
            ways = ["rises" if change > 0 else "falls" for change in changes]
            return f"It says {found!r} where the loss {ways[0]} on training frames and {ways[1]} on validation frames."
    return None


def _sign_flips(answer: Callable[..., float], **_: Any) -> str | None:
    # In the first case each known mistake gives a number of its own.
    cases = ([-1.0, -2.0, 4.0], [3.0], [1.0, 2.0], [-1.0, 2.0, 4.0], [3.0, 5.0, 6.0, -1.0], [0.0, 1.0, 1.0, 2.0, -4.0])
    for changes in cases:
        signs = np.array(list(itertools.product((1, -1), repeat=len(changes))))
        means = (signs * changes).mean(axis=1)
        right, value = (means >= means[0]).mean(), float(answer(list(changes)))
        if abs(value - right) < 1e-9:
            continue
        shown = f"For the changes {[int(c) for c in changes]} it gives {value:.4f}."
        if not 0 <= value <= 1:
            return f"{shown} A share is not below 0 and not above 1. Is this a count, or a mean?"
        if abs(value - (means > means[0]).mean()) < 1e-9:
            return (
                f"{shown} A mean that equals the measured one counts, too: the measured signs are one of the choices."
            )
        if abs(value - (abs(means) >= abs(means[0])).mean()) < 1e-9:
            return f"{shown} Means below 0 are counted as well. The question is about gains only."
        if abs(value - 2.0 ** -len(changes)) < 1e-9:
            return f"{shown} This is right only if no change is below 0. Go through all choices of signs."
        if abs(value * len(signs) - round(value * len(signs))) > 1e-9:
            return f"{shown} There are {len(signs)} choices of signs: it should be so many of them, over {len(signs)}."
        return f"{shown} Count the choices whose mean is at least the measured mean."
    return None


EXERCISES = (
    Exercise(
        "08.1",
        1,
        1,
        number(
            "d2351467effe",
            low=1,
            mistakes={
                "c6b0fbee95eb": "This is the second step. The steps go on growing.",
                "2fccaadf2cc0": "Write the first three steps as multiples of the first one, and go on.",
                "aa4c6c323ce8": "The sum of all powers of the momentum begins with the power 0.",
            },
        ),
        predict=True,
    ),
    Exercise(
        "08.2",
        1,
        1,
        number(
            "e3640fc4e6c4",
            low=1,
            mistakes={
                "19671f36566c": "The square root is missing.",
                "9b34238b6d62": "What is the threshold t in this question?",
            },
        ),
        predict=True,
    ),
    Exercise("08.3", 2, 2, _momentum_steps),
    Exercise(
        "08.4",
        2,
        1,
        choice(
            ("4 %", "14 %", "42 %", "84 %"),
            "2e99f49108b9",
            hint="Besides the backbone there are the pyramid, the RPN and the heads. Which layer of these has the most "
            "weights? Count them in `model.weights_by_layer()`.",
        ),
        predict=True,
    ),
    Exercise("08.5", 2, 1, _epoch_and_verdict),
    Exercise("08.6", 2, 2, _diagnosis),
    Exercise("08.7", 3, 3, _sign_flips),
)
