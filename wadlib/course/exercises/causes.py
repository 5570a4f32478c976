"""Exercises of notebook 10: what the published code saves, and which cause a table supports."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, choices, number
from wadlib.labels import IDS


def _rectangles(*corners: tuple[int, int, int, int]) -> Any:
    masks = np.zeros((len(corners), 5, 7), bool)
    for mask, (top, left, bottom, right) in zip(masks, corners, strict=True):
        mask[top:bottom, left:right] = True
    return masks


_APART = _rectangles((0, 0, 2, 3), (3, 2, 5, 7))
_SHARED = _rectangles((0, 0, 3, 4), (2, 3, 5, 7))
_THREE = _rectangles((0, 0, 3, 4), (2, 3, 5, 7), (0, 2, 5, 4))
_NEXT_CLASS = np.zeros(66, np.uint16)  # class of a label -> code of the next class
_NEXT_CLASS[list(IDS)] = [1000 * c for c in (*IDS[1:], IDS[0])]
_SAVED: dict[str, tuple[Any, tuple[int, ...]]] = {
    "two masks without a shared pixel": (_APART, (33, 36)),
    "two masks whose codes add up to 65000": (_SHARED, (30, 35)),
    "two masks that share a pixel": (_SHARED, (33, 36)),
    "three masks that share pixels": (_THREE, (33, 40, 38)),
    "no detection": (_rectangles(), ()),
}


def _saved_label(answer: Callable[..., Any], **_: Any) -> str | None:
    for name, (masks, class_ids) in _SAVED.items():
        codes = np.array(class_ids, np.int64) * 1000
        total = (masks * codes[:, None, None]).sum(axis=0)
        right = total // 2**15 if total.max() >= 2**16 else total
        try:
            found = np.asarray(answer(masks.copy(), list(class_ids)))
        except (IndexError, ValueError) as error:
            if len(masks):
                raise
            raised = f"{type(error).__name__}: {str(error).rstrip(' .')}"
            return f"For {name} (`masks` has the shape {masks.shape}) it raises {raised}. What is the sum there?"
        if found.shape != right.shape:
            return f"An array of shape {right.shape} is expected, this has the shape {found.shape}."
        if (found == right).all():
            continue
        known = {
            "Only single pixels are divided. Of which pixels does the rule take the maximum?": np.where(
                total >= 2**16, total // 2**15, total
            ),
            "The sum is cut to 16 bits, and nothing is divided.": total % 2**16,
            "The codes are added, and the division is missing.": total,
            "The rule divides by another number.": total // 2**16,
        }
        if right.max() >= 1000:
            known = {"The division is done although the sum fits into 16 bits.": total // 2**15}
        known["A shared pixel gets the code of one mask. The codes of all masks are added."] = _one_code(masks, codes)
        known["The quotient has a fraction. A label holds whole numbers."] = total / 2**15
        for remark, wrong in known.items():
            if (found == wrong).all():
                return f"For {name}: {remark[0].lower()}{remark[1:]}"
        return f"For {name} some pixel has another value. What is stored where two masks overlap?"
    return None


def _one_code(masks: Any, codes: Any) -> Any:
    """What is saved if a later mask replaces an earlier one."""
    saved = np.zeros(masks.shape[1:], np.int64)
    for mask, code in zip(masks, codes, strict=True):
        saved[mask] = code
    return saved


def _survival(answer: Callable[..., Any], **_: Any) -> str | None:
    from wadlib.metrics import as_published

    def cut(instances: Any) -> Any:
        codes = (instances.class_ids.astype(np.int64) * 1000)[:, None, None]
        return ((instances.masks * codes).sum(axis=0) % 2**16).astype(np.uint16)

    ways: dict[str, tuple[Callable[[Any], Any], bool, str]] = {
        "a code that puts the highest score on top": (
            lambda instances: instances.to_label(),
            True,
            "Is background taken for a class, or is one mask inside the other?",
        ),
        "the published saving code": (as_published, False, "Do the two masks of your test share a pixel?"),
        "a code that saves an empty label": (
            lambda instances: np.zeros_like(instances.to_label()),
            False,
            "Which classes have to be in the label?",
        ),
        "a code that saves every object as a car": (
            lambda instances: np.where(instances.to_label() >= 33000, 33000, 0).astype(np.uint16),
            False,
            "Which classes have to be in the label?",
        ),
        "a code that gives each class the id of another one": (
            lambda instances: _NEXT_CLASS[instances.to_label() // 1000],
            False,
            "Which classes have to be in the label? Two classes are not enough, if they are other ones.",
        ),
        "a code that gives shared pixels a class that no mask has": (
            cut,
            False,
            "Which classes may be in the label, and which may not?",
        ),
    }
    for name, (save, right, hint) in ways.items():
        found = answer(save)
        if not isinstance(found, bool | np.bool_):
            return f"True or False is expected, this is of type {type(found).__name__}."
        if bool(found) != right:
            return f"It says {bool(found)} for {name}. {hint}"
    return None


def _interval(answer: Callable[..., Any], **_: Any) -> str | None:
    gains = {"a": 0.31, "b": -0.07, "c": 0.12, "d": 0.05, "e": 0.2}
    draws = 200

    def tried(seed: int) -> tuple[Any, list[tuple[str, ...]], list[float]]:
        drawn: list[tuple[str, ...]] = []
        values: list[float] = []

        def gain_of(videos: Sequence[str]) -> float:
            drawn.append(tuple(str(video) for video in videos))
            values.append(float(np.mean([gains[video] for video in drawn[-1]])))
            return values[-1]

        return answer(gain_of, list(gains), draws=draws, seed=seed), drawn, values

    found, drawn, values = tried(0)
    if np.shape(found) != (2,):
        return "Two numbers are expected: the lower and the upper end."
    wrong = _draws_wrong(drawn, len(gains), draws)
    if wrong:
        return wrong
    low, high = (float(end) for end in found)
    for share, end, name in ((2.5, low, "lower"), (97.5, high, "upper")):
        between = [float(np.percentile(values, share, method=method)) for method in ("lower", "higher")]
        if not between[0] - 1e-9 <= end <= between[1] + 1e-9:
            return f"The {name} end is another number. Which share of the draws lies outside of the interval?"
    if tried(0)[1] != drawn:
        return "The same seed draws other videos when it is called again."
    return "Another seed draws the same videos." if tried(1)[1] == drawn else None


def _draws_wrong(drawn: Sequence[Sequence[str]], videos: int, draws: int) -> str | None:
    if len(drawn) != draws:
        return f"The gain is computed {len(drawn)} times, and {draws} draws are asked for."
    if {len(each) for each in drawn} != {videos}:
        return f"There are {videos} videos, and some draw holds another number of videos."
    if len(set(drawn)) == 1:
        return "All draws hold the same videos. Does the generator begin anew for each draw?"
    if missing := videos - len({video for each in drawn for video in each}):
        return f"{draws} draws never hold {missing} of the {videos} videos. Can every video be drawn?"
    if all(len(set(each)) == videos for each in drawn):
        return "Every draw holds each video once. What does 'with replacement' mean?"
    return None


EXERCISES = (
    Exercise(
        "10.1",
        1,
        1,
        number(
            "99bbb6de77f2",
            decimals=0,
            low=0,
            high=24,
            mistakes={
                "6f78441f02a6": "A pixel of both masks is counted twice.",
                "bdcec2e8ec2a": "Which value does a pixel of both masks get?",
            },
        ),
        predict=True,
    ),
    Exercise("10.2", 2, 2, _saved_label),
    Exercise(
        "10.3",
        2,
        1,
        number(
            "d20e975c9776",
            decimals=0,
            low=2,
            mistakes={
                "d8faff4b0828": "The sum of so many codes still fits into 16 bits.",
                "8c7e1b6be7b6": "Which of the seven ids needs the fewest masks?",
            },
        ),
        predict=True,
    ),
    Exercise("10.4", 2, 2, _survival),
    Exercise(
        "10.5",
        2,
        1,
        choices(
            {"P": "c782c633fab0", "Q": "e8c399802613", "R": "e06b5d8c0db5"},
            options=("wrong class", "not found", "saving code"),
            hint="its row does not support this. Compare its columns from left to right.",
            noun="Network",
        ),
    ),
    Exercise("10.6", 3, 3, _interval),
)
