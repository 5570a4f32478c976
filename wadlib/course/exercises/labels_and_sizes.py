"""Exercises of notebooks 00 to 02: masks, label files, downscaling."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, number, numbers_list
from wadlib.labels import BACKGROUND, IDS, IGNORE, encode, instance_codes


def _slip(answer: Callable[[int], float], **_: Any) -> str | None:
    for w in (1, 2, 5, 33):
        value, right = float(answer(w)), 1 - 2 / (w + 1)
        if abs(value - right) > 1e-9:
            if abs(value - (w - 1) / w) < 1e-9:
                return f"For w = {w} this divides by the pixels of one car. What is in the union?"
            if abs(value - (w * w - w) / (2 * w * w)) < 1e-9:
                return f"For w = {w} the pixels that are in both masks are counted twice in the union."
            return f"For w = {w} it gives {value:.4f}. Draw this case, count the pixels, and compare."
    return None


def _two_programs(answer: tuple[float, float], *, truth: Any, **_: Any) -> str | None:
    nothing, everything = answer
    if nothing != 0:
        return "Program 'nothing': how many pixels are in the intersection of an empty mask and the true mask?"
    if abs(everything - (truth == 33000).sum() / truth.size) > 1e-3:
        return "Program 'everything': which pixels are in the union of the whole grid and the car?"
    return None


def _street(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    codes = [BACKGROUND, IGNORE, 0, 999, *(int(encode(c, n)) for c in IDS for n in (0, 7, 999))]
    return rng.choice(np.array(codes, np.uint16), (9, 11))


def _decode(answer: Callable[[Any], Any], **_: Any) -> str | None:
    label = _street(0)
    found = answer(label.copy())
    if not isinstance(found, tuple | list) or len(found) != 2:
        return "It should return two arrays: the classes, and the instance numbers."
    class_id, instance = (np.asarray(part) for part in found)
    if class_id.shape != label.shape or instance.shape != label.shape:
        return f"Arrays of shape {label.shape} are expected, and these have {class_id.shape} and {instance.shape}."
    object_ = (label >= 1000) & (label != IGNORE)
    for name, special in (("background", label == BACKGROUND), ("ignore", label == IGNORE), ("999", label == 999)):
        if class_id[special].any() or instance[special].any():
            return f"A pixel of code '{name}' has a class or a number other than 0."
    if (class_id[object_] != label[object_] // 1000).any():
        return "Some instance has the wrong class."
    return None if (instance[object_] == label[object_] % 1000).all() else "Some instance has the wrong number."


def _pieces(answer: Callable[[Any], Any], **_: Any) -> str | None:
    from scipy import ndimage

    label = np.full((6, 8), BACKGROUND, np.uint16)
    label[1:3, 1:7], label[0:4, 3] = 33001, 36000
    label[4, 0], label[5, 1], label[5, 5:7] = 33001, 33001, 33002
    label[0, 7] = IGNORE
    found = answer(label.copy())
    if not isinstance(found, dict):
        return "A dict is expected: code -> number of pieces."
    codes = [int(code) for code in instance_codes(label)]
    if BACKGROUND in found or IGNORE in found:
        return "Background or ignore is counted as an instance."
    if sorted(int(code) for code in found) != codes:
        return f"The test label has {len(codes)} instances, and this gives {len(found)}."
    right = {code: ndimage.label(label == code)[1] for code in codes}
    if {int(code): int(number) for code, number in found.items()} == right:
        return None
    if int(found[33001]) == ndimage.label(np.isin(label, (33001, 33002)))[1]:
        return "Two instances of one class are counted together."
    return (
        "For some instance the number of pieces is not correct. "
        "Do two pixels that touch only at a corner belong to one piece?"
    )


def _mixtures(answer: Any, **_: Any) -> str | None:
    right = {}
    for a, b in itertools.combinations(IDS, 2):
        mean = (int(encode(a, 0)) + int(encode(b, 0))) // 2 // 1000
        if mean in IDS:
            right[a, b] = mean
    if not isinstance(answer, dict):
        return "A dict is expected: (class, class) -> class."
    found = {tuple(sorted(int(c) for c in pair)): int(third) for pair, third in answer.items()}
    if any(37 in (*pair, third) for pair, third in found.items()):
        return "Class 37 (rider) is not one of the seven."
    if any(a == b for a, b in found):
        return "A pair has two different classes."
    if set(found) - set(right):
        return "At least one of these pairs has a mean that belongs to none of the seven classes."
    if set(right) - set(found):
        return f"At least one pair is missing (this dict has {len(found)}). Divide the mean of the two *codes* by 1000."
    return None if found == right else "The pairs are complete, but the class of at least one of them is not correct."


def _round_trip(answer: Callable[..., float], **_: Any) -> str | None:
    rng = np.random.default_rng(0)
    for factor in (1, 2, 4):
        mask = rng.random((16, 24)) < 0.6
        mask[4:12, 3:15] = True
        back = np.kron(mask[::factor, ::factor], np.ones((factor, factor), bool)) > 0
        right = (mask & back).sum() / (mask | back).sum()
        value = float(answer(mask.copy(), factor))
        if abs(value - right) > 1e-9:
            if factor == 1:
                return "With the factor 1 nothing is lost. What is the IoU of a mask with itself?"
            return f"With the factor {factor} it gives {value:.3f}. Which pixel of a block does the label keep?"
    return None


def _found_share(answer: Callable[..., Any], **_: Any) -> str | None:
    ious = np.array([0.0, 0.4, 0.5, 0.55, 0.8, 0.95, 1.0])
    thresholds = np.array([0.5, 0.75, 0.95])
    found = np.asarray(answer(ious.copy(), thresholds.copy()), float).ravel()
    if found.shape != (3,):
        return f"One share for each threshold (3 in the test) is expected, and this gives {found.size} numbers."
    right = (ious[:, None] > thresholds).mean(axis=0)
    if np.allclose(found, right):
        return None
    if np.allclose(found, (ious[:, None] >= thresholds).mean(axis=0)):
        return "Read the rule again: what if an IoU equals the threshold?"
    if np.allclose(found, right * len(ious)):
        return "These are counts, and shares are expected."
    return "The shares are not correct. Try the function on three objects, and count them by hand."


def _best_blocks(answer: Callable[..., float], **_: Any) -> str | None:
    rng = np.random.default_rng(3)
    for chance in (0.2, 0.5, 0.8):
        mask = rng.random((8, 12)) < chance * np.linspace(0.2, 1.6, 12)
        inside = mask.reshape(2, 4, 3, 4).sum(axis=(1, 3)).ravel()
        best = max(
            inside[list(taken)].sum() / (mask.sum() + 16 * len(taken) - inside[list(taken)].sum())
            for k in range(1, 7)
            for taken in itertools.combinations(range(6), k)
        )
        value = float(answer(mask.copy()))
        if value > best + 1e-9:
            return f"It gives {value:.3f}, and this is more than any set of blocks reaches. Is the union correct?"
        if value < best - 1e-9:
            return f"It gives {value:.3f}, but another set of blocks has a higher IoU."
    return None


EXERCISES = (
    Exercise(
        "00.1",
        1,
        1,
        number(
            "3cbc71a55aad",
            low=0,
            high=1,
            mistakes={
                "94ff6523ceef": "The pixel that is in both masks is counted twice in the union.",
                "69afb88ed9f6": "This is the IoU for an error in one direction only.",
            },
        ),
        predict=True,
    ),
    Exercise("00.2", 2, 2, _slip),
    Exercise(
        "00.3",
        2,
        1,
        number(
            "6a55c3cefcd4",
            decimals=0,
            low=1,
            mistakes={
                "54c410b72bb7": "At this width the IoU is lower by exactly 0.1, and this is not less than 0.1. "
                "(A program may find a little less, because decimal numbers are rounded. Compare fractions.)"
            },
        ),
    ),
    Exercise("00.4", 2, 1, _two_programs),
    Exercise("01.1", 1, 1, numbers_list("adfaf10c605d", size=1), predict=True),
    Exercise(
        "01.2",
        1,
        1,
        number("4227eb7fead3", decimals=0, low=1, mistakes={"6ad3b740be90": "Can an instance have the number 0?"}),
    ),
    Exercise("01.3", 2, 2, _decode),
    Exercise("01.4", 3, 3, _pieces),
    Exercise(
        "02.1",
        1,
        1,
        number(
            "695e611fcd88",
            decimals=0,
            low=0,
            high=96,
            mistakes={"213b68a52f22": "The downscale makes the image smaller in width *and* in height."},
        ),
        predict=True,
    ),
    Exercise("02.2", 2, 2, _mixtures),
    Exercise("02.3", 2, 2, _round_trip),
    Exercise("02.4", 2, 2, _found_share),
    Exercise("02.5", 3, 3, _best_blocks),
)
