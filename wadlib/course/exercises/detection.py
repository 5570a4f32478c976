"""Exercises of notebook 07: anchors, losses, suppression and RoIAlign."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, choice, choices, number

_STATEMENTS = choices(
    {
        "class loss": "695f434c97bd",
        "mask branch": "9b7ed9fa0674",
        "up-convolution": "e2e83d632937",
        "COCO": "be3009797a11",
    },
    hint={
        "class loss": "Over what does its sum run, and how many values can its label have?",
        "mask branch": "Which layers does section 3 of the paper (He et al. 2017) name for it?",
        "up-convolution": "Look at the legend of Fig 2 of the report, or at the U-Net paper.",
        "COCO": "Count the ids that occur in the annotations. Some ids up to the last one are unused.",
    },
)


def _smooth_l1(x: Any) -> Any:
    return np.where(abs(x) < 1, x**2 / 2, abs(x) - 1 / 2)


def _box_loss(answer: Callable[..., float], **_: Any) -> str | None:
    rng = np.random.default_rng(7)
    for match in map(np.array, ([1, -1, 0, 1, -1], [0, 1, 0], [1, 1], [-1, 0])):
        deltas, wanted = rng.normal(0, 1.5, (2, len(match), 4))
        each, on = _smooth_l1(deltas - wanted), np.asarray(match == 1)
        right = each[on].mean() if on.any() else 0.0
        value = float(answer(deltas.copy(), wanted.copy(), match.copy()))
        if abs(value - right) < 1e-9:
            continue
        if not on.any():
            return f"Where no anchor lies on an object the loss is 0, and here it is {value:.4f}."
        known = {
            "It counts anchors that do not lie on an object.": (each.mean(), each[match != 0].mean()),
            "It is the sum. How many numbers is it divided by?": (each[on].sum(),),
            "The sum of four numbers per anchor is divided by the number of anchors only.": (
                each[on].sum() / on.sum(),
            ),
            "It is divided by numbers of anchors that take no part.": (each[on].sum() / each.size,),
            "Near 0 the loss is a parabola, further away a straight line. This has one of the two everywhere.": (
                abs(deltas - wanted)[on].mean(),
                ((deltas - wanted)[on] ** 2).mean() / 2,
            ),
        }
        for remark, values in known.items():
            if any(abs(value - wrong) < 1e-9 for wrong in values):
                return remark
        return f"For the matches {match.tolist()} and random numbers it gives {value:.4f}: another number."
    return None


_DIFFERENCES = choices(
    {"A": "f6c0c19ea019", "B": "83b62c1f5a8d", "C": "5093efc47d82", "D": "2c08e603e387"},
    options=("as printed", "too much", "too little", "another divisor"),
    hint="not this. Run it on the example by hand, and compare it with the equation.",
    noun="Function",
)


def _iou(box: Any, others: Any) -> Any:
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    inside = np.maximum(sides, 0).prod(axis=1)
    return inside / ((box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - inside)


def _kept(boxes: Any, threshold: float, compare: str) -> list[int]:
    kept: list[int] = []
    for i in range(len(boxes)):
        before = {"kept": kept, "all": list(range(i)), "last": kept[-1:], "first": kept[:1]}[compare]
        if not before or _iou(boxes[i], boxes[before]).max() <= threshold:
            kept.append(i)
    return kept


_SUPPRESSED_BY = {
    "all": "A box that was dropped drops other boxes.",
    "last": "A box is compared with one kept box only.",
    "first": "Only boxes near the best box are dropped. Repeat this with the boxes that are left.",
}

_EQUAL = "Two boxes whose IoU equals the threshold: is it *above* the threshold?"


def _suppression(answer: Callable[..., Any], **_: Any) -> str | None:
    rng = np.random.default_rng(8)
    corners = rng.integers(0, 24, (60, 2)).astype(float)
    boxes = np.hstack([corners, corners + rng.integers(8, 20, (60, 2))])
    for threshold in (0.3, 0.7):
        found = [int(i) for i in np.asarray(answer(boxes.copy(), threshold)).ravel()]
        if found == _kept(boxes, threshold, "kept"):
            continue
        if found and not 0 <= min(found) <= max(found) < len(boxes):
            return "Some index is of no box. It should return the indices of the boxes that are kept."
        if found == _kept(boxes, np.nextafter(threshold, 0), "kept"):
            return _EQUAL
        for compare, remark in _SUPPRESSED_BY.items():
            if found == _kept(boxes, threshold, compare):
                return remark
        left = boxes[found]
        if any(_iou(left[i], left[:i]).max() > threshold for i in range(1, len(left))):
            return f"Two of the boxes that are kept have an IoU above {threshold:g}."
        return (
            f"Of 60 random boxes it keeps {len(found)} at the threshold {threshold:g}: other ones, or in another order."
        )
    halves = np.array([[0, 0, 2, 2], [0, 0, 2, 1]], float)
    if [int(i) for i in np.asarray(answer(halves, 0.5)).ravel()] != [0, 1]:
        return _EQUAL
    return None


def _lighter_loss(answer: Any, *, losses: Mapping[str, float], **_: Any) -> str | None:
    total, of_class = losses["loss"], losses["mrcnn_class_loss"]
    value = float(answer)
    if abs(value - (total - of_class / 2)) < 1e-3 * total:
        return None
    known = {
        "Only one of the five losses gets the weight.": total / 2,
        "This leaves the class loss out. Its weight is not 0.": total - of_class,
        "This is the class loss alone. What is reported is the sum.": of_class / 2,
        "A smaller weight makes the sum smaller.": total + of_class / 2,
    }
    for remark, wrong in known.items():
        if abs(value - wrong) < 1e-3 * total:
            return remark
    return (
        f"With the losses that are printed above it is not {value:.4f}. Write the sum of five terms with their weights."
    )


def _weights(size: int, start: float, end: float, places: Any, swapped: bool = False) -> Any:
    at = start + (end - start) * places
    table = np.zeros((len(at), size))
    for row, place in enumerate(at):
        cell = min(int(place), size - 2)
        both = 1 - (place - cell), place - cell
        table[row, cell : cell + 2] = both[::-1] if swapped else both
    return table


def _grouped(table: Any, bins: int) -> Any:
    """The mean over the points of each bin."""
    return table.reshape(bins, -1, table.shape[1]).mean(axis=1)


def _interpolation(answer: Callable[..., Any], **_: Any) -> str | None:
    for size, start, end, bins, points in (
        (4, 0.5, 2.5, 2, 2),
        (9, 1.3, 6.2, 3, 2),
        (7, 0.0, 6.0, 2, 4),
        (6, 2.1, 2.9, 3, 1),
    ):
        middles = (np.arange(bins * points) + 1 / 2) / (bins * points)
        right = _grouped(_weights(size, start, end, middles), bins)
        found = np.asarray(answer(size, start, end, bins, points), float)
        if found.shape != right.shape:
            return (
                f"For {bins} bins and {size} cells an array of shape {right.shape} is expected, this is {found.shape}."
            )
        if np.allclose(found, right):
            continue
        if not np.allclose(found.sum(axis=1), 1):
            return "Some row does not add up to 1. Each output is a mean of values of the map."
        if np.allclose(found, _weights(size, start, end, np.linspace(0, 1, bins))):
            return "It reads one point per bin, and the first and the last on the border: this is the shortcut."
        if np.allclose(found, _weights(size, start, end, (np.arange(bins) + 1 / 2) / bins)):
            return "It reads one point per bin. Several points per bin are averaged."
        if np.allclose(found, _grouped(_weights(size, start, end, np.linspace(0, 1, bins * points)), bins)):
            return "Its outermost points lie on the border of the box. Where do those of `roi_align` lie?"
        if np.allclose(found, _grouped(_weights(size, start, end, middles, swapped=True), bins)):
            return "A point nearer to a cell takes less of it. Should it not take more?"
        if ((found > 0).sum(axis=1) > 0).all() and np.isin(found * points, np.arange(points + 1)).all():
            return "Each point takes the value of one cell. Between two cells it should take a part of both."
        return f"For the box from {start:g} to {end:g}, {bins} bins and {points} points some weight is another one."
    return None


EXERCISES = (
    Exercise(
        "07.1",
        1,
        1,
        number(
            "223a0b2677d9",
            low=0,
            high=1,
            mistakes={"9eb5e18f90f8": "This is the ratio of the sides. The IoU compares areas."},
        ),
        predict=True,
    ),
    Exercise("07.2", 1, 1, _STATEMENTS),
    Exercise(
        "07.3",
        1,
        1,
        choice(
            ("higher", "equal", "lower"),
            "e01e9357ce0c",
            mistakes={"25307fa76e59": "Does this mask enter the sum at all?"},
        ),
        predict=True,
    ),
    Exercise("07.4", 2, 2, _box_loss),
    Exercise("07.5", 2, 2, _DIFFERENCES),
    Exercise("07.6", 2, 2, _suppression),
    Exercise("07.7", 2, 1, _lighter_loss, predict=True),
    Exercise("07.8", 3, 3, _interpolation),
)
