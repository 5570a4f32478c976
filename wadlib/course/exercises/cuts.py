"""Exercises of notebooks 04 and 05: normalized cut, moves and energies."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, choice, number


def _weights(seed: int, n: int = 7) -> Any:
    W = np.random.default_rng(seed).random((n, n))
    W = W + W.T
    np.fill_diagonal(W, 0)
    return W


def _ncut(answer: Callable[..., float], **_: Any) -> str | None:
    for seed in (0, 1):
        W = _weights(seed)
        A = np.arange(7) < 2 + seed
        between = W[A][:, ~A].sum()
        right = between / W[A].sum() + between / W[~A].sum()
        value = float(answer(W.copy(), A.copy()))
        if abs(value - right) < 1e-9:
            continue
        if abs(value - between) < 1e-9:
            return "This is the cut. What is it divided by?"
        inner = between / W[A][:, A].sum() + between / W[~A][:, ~A].sum()
        if abs(value - inner) < 1e-9:
            return "assoc(A, V) goes from A to *all* nodes, not only to those of A."
        if abs(value - between / W[A].sum()) < 1e-9:
            return "There are two sides, and so two fractions."
        return f"On a random graph of 7 nodes it gives {value:.4f}, but the sums of the equation give another number."
    return None


def _thresholds(answer: Callable[..., Any], **_: Any) -> str | None:
    for seed in (2, 3, 4):
        W = _weights(seed)
        y = np.random.default_rng(seed + 10).normal(size=7)
        found = answer(W.copy(), y.copy())
        if not isinstance(found, tuple | list) or len(found) != 2:
            return "It should return two things: the Ncut, and the side as a bool array."
        value, side = float(found[0]), np.asarray(found[1])
        if side.shape != (7,) or side.dtype != bool:
            return f"The side should be a bool array of shape (7,), and this is {side.dtype} {side.shape}."
        if side.all() or not side.any():
            return "One side has no node."
        if min(y[side].max(), y[~side].max()) >= max(y[side].min(), y[~side].min()):
            return "No threshold of y gives this side."
        between = W[side][:, ~side].sum()
        if abs(between / W[side].sum() + between / W[~side].sum() - value) > 1e-9:
            return "The Ncut that it returns is not that of the side that it returns."
        ordered = np.sort(y)
        best = min(
            W[y <= t][:, y > t].sum() * (1 / W[y <= t].sum() + 1 / W[y > t].sum()) for t in ordered[:-1].tolist()
        )
        if value > best + 1e-9:
            return f"It gives {value:.4f}, but another threshold gives less."
    return None


def _row_minimum(answer: Callable[..., float], **_: Any) -> str | None:
    rng = np.random.default_rng(5)
    for n, labels in ((1, 3), (4, 2), (6, 3)):
        D, V = rng.integers(0, 10, (n, labels)), rng.integers(0, 8, (labels, labels))
        V = V + V.T
        np.fill_diagonal(V, 0)
        best = min(
            sum(D[p, f[p]] for p in range(n)) + sum(V[a, b] for a, b in itertools.pairwise(f))
            for f in itertools.product(range(labels), repeat=n)
        )
        value = float(answer(D.copy(), V.copy()))
        if value < best:
            return (
                f"A row of {n} pixels with {labels} labels: it gives {value:g}, but no labelling has such a low energy."
            )
        if value > best:
            if value == sum(V[a, b] for a, b in itertools.pairwise(D.argmin(axis=1))) + D.min(axis=1).sum():
                return "This is the energy if each pixel takes its own cheapest label."
            return (
                f"A row of {n} pixels with {labels} labels: it gives {value:g}, but some labelling has a lower energy."
            )
    try:
        rng_large = np.random.default_rng(0).integers(0, 10, (60, 3))
        answer(rng_large, 2 * (1 - np.eye(3, dtype=int)))
    except (MemoryError, RecursionError):
        return "It is correct for short rows, but it fails on a row of 60 pixels."
    return None


def _is_metric(answer: Callable[..., Any], **_: Any) -> str | None:
    i = np.arange(4)
    gap = np.abs(i - i[:, None])
    lopsided, zero = np.minimum(gap, 2), 1 - np.eye(4, dtype=int)
    lopsided[0, 1], zero[1, 2] = 2, 0
    zero[2, 1] = 0
    cases = {
        "Potts": (3 * (1 - np.eye(4, dtype=int)), True),
        "the absolute difference": (gap, True),
        "the absolute difference, at most 2": (np.minimum(gap, 2), True),
        "the squared difference": (gap**2, False),
        "a table that is not symmetric": (lopsided, False),
        "a table with V(a, a) > 0": (gap + np.eye(4, dtype=int), False),
        "a table with V = 0 for two different labels": (zero, False),
    }
    for name, (V, right) in cases.items():
        found = answer(V.copy())
        if not isinstance(found, bool | np.bool_):
            return f"True or False is expected, and this is of type {type(found).__name__}."
        if bool(found) != right:
            return f"For {name} it returns {bool(found)}, which is not correct. Go through the three rules."
    return None


EXERCISES = (
    Exercise(
        "04.1",
        1,
        1,
        number(
            "234d146d1468",
            decimals=0,
            low=2,
            mistakes={"2b7387260653": "If the two sides exchange their names, the cut is the same."},
        ),
        predict=True,
    ),
    Exercise("04.2", 2, 2, _ncut),
    Exercise(
        "04.3",
        2,
        1,
        choice(
            ("falls", "rises", "stays"),
            "2a0604ea9d73",
            hint="Which of cut and assoc does an edge from a pixel to itself change?",
        ),
        predict=True,
    ),
    Exercise("04.4", 3, 3, _thresholds),
    Exercise(
        "04.5",
        2,
        1,
        choice(
            ("all pixels", "pixels of objects"),
            "def1da07d620",
            hint="Draw a segment of road and car pixels, divide it in several ways, and count both shares.",
        ),
    ),
    Exercise(
        "05.1",
        1,
        1,
        choice(
            ("higher", "equal", "lower"),
            "78f233e5d6a0",
            hint="Which pixels may change in this swap?",
        ),
        predict=True,
    ),
    Exercise("05.2", 2, 2, _is_metric),
    Exercise(
        "05.3",
        2,
        1,
        number(
            "81f6d5e3d503",
            decimals=2,
            low=1,
            mistakes={
                "a32d00ed363b": "How many diagonal pairs does the contour cut per row?",
                "d9d1bd9dd427": "A diagonal pair has the weight 1/√2.",
                "977619090c8a": "This is the factor of a diagonal contour with 4 neighbours.",
            },
        ),
    ),
    Exercise("05.4", 3, 3, _row_minimum),
)
