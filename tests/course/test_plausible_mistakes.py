"""Wrong answers of a walk through the notebooks: each gets a remark about its own mistake.

`exercise_answers.py` holds three wrong answers for each exercise; a language model that took the place of a student
tried these, too. Some were accepted at that time (10.4, 10.6, 11.6), or refused with a remark that did not help.
"""

import itertools

import numpy as np
import pytest

from tests.course.exercise_answers import MAPS, classes_in, iou_of_boxes, two_masks
from wadlib.course import check


def strictly_below(boxes, threshold):
    kept = []
    for i, box in enumerate(boxes):
        if all(iou_of_boxes(box, boxes[k]) < threshold for k in kept):
            kept.append(i)
    return kept


def steps(gradients, weight, rate, momentum, decay, frozen=False):
    first, step, values = weight, 0.0, []
    for gradient in gradients:
        step = momentum * step - rate * (gradient + 2 * decay * (first if frozen else weight))
        weight += step
        values.append(weight)
    return values


def sign_flips(changes):
    signs = np.array(np.meshgrid(*[[1, -1]] * len(changes))).reshape(len(changes), -1)
    means = changes @ signs / len(changes)
    return means, np.mean(changes) - 1e-9


def subsets(changes):
    return itertools.product((0, 1), repeat=len(changes))


def weights(size, places, bins, swapped=False):
    hat = np.maximum(0, 1 - abs(places[:, None] - np.arange(size)))
    if swapped:
        near = hat > 0
        hat = np.where(near, 1 - hat, 0)
    return hat.reshape(bins, -1, size).mean(axis=1)


def middles(start, end, count):
    return start + (end - start) * (np.arange(count) + 1 / 2) / count


def drawn_videos(gain_of, videos, draws, seed, pick):
    gains = [gain_of(pick(np.random.default_rng([seed, k]), videos)) for k in range(draws)]
    return np.percentile(gains, [2.5, 97.5])


def saved(masks, class_ids, add):
    total = np.zeros(masks[0].shape, int)
    for mask, class_id in zip(masks, class_ids, strict=True):
        total[mask] = 1000 * class_id + (total[mask] if add else 0)
    return total // 2**15 if total.max() >= 2**16 else total


def halved(masks, class_ids):
    total = (masks * 1000 * np.array(class_ids, int)[:, None, None]).sum(axis=0)
    return total / 2**15 if total.max() >= 2**16 else total


def two_classes(save):
    return len(classes_in(save(two_masks(True)))) == 2


def pairs_of(found, without_0=False):
    return [(a, t) for a, row in found.items() for t in row if t is not None and not (without_0 and t == 0)]


def share(found, pair, frames=None, without_0=False):
    pairs = pairs_of(found, without_0)
    frames = len(found[pair[0]]) if frames is None else max(frames, pairs.count(pair))
    return pairs.count(pair) / (frames + sum(t == pair[1] for _, t in pairs) - pairs.count(pair))


def switches(found, seen):
    rows = [[t for t in row if seen(t)] for row in found.values()]
    return sum(a != b for row in rows for a, b in itertools.pairwise(row))


MISTAKES = [
    ("07.6", strictly_below, "equals the threshold"),
    ("07.7", 1.35, "needs losses, too"),
    ("07.8", lambda s, a, b, n, k: weights(s, np.linspace(a, b, n * k), n), "lie on the border"),
    ("07.8", lambda s, a, b, n, k: weights(s, middles(a, b, n * k), n, swapped=True), "nearer to a cell"),
    ("08.1", 1 / 0.9, "first three steps"),
    ("08.3", lambda g, w, r, m, d: steps(g, w, r, m, d, frozen=True), "changes from step to step"),
    ("08.3", lambda g, w, r, m, d: steps(g, w, r, m, d)[-1], "and the size of this is 1"),
    ("08.4", "14 %", "model.weights_by_layer()"),
    ("08.7", lambda c: int((sign_flips(c)[0] >= sign_flips(c)[1]).sum()), "Is this a count"),
    ("08.7", lambda c: (abs(sign_flips(c)[0]) >= abs(sign_flips(c)[1])).mean(), "gains only"),
    ("08.7", lambda c: (sign_flips(c)[0] > sign_flips(c)[1] + 2e-9).mean(), "equals the measured one"),
    ("08.7", lambda c: 0.5 ** len(c), "only if no change is below 0"),
    ("08.7", lambda c: np.mean([each <= 0 for each in c]), "8 choices of signs"),
    ("10.2", lambda m, c: saved(m, c, add=True), "no detection"),
    ("10.2", lambda m, c: saved(m, c, add=False), "of one mask"),
    ("10.2", halved, "fraction"),
    ("10.4", two_classes, "the id of another one"),
    (
        "10.6",
        lambda g, v, draws, seed: drawn_videos(
            g, v, draws, 0, lambda _, v: list(np.random.default_rng(seed).choice(v, len(v)))
        ),
        "same videos. Does the generator",
    ),
    (
        "10.6",
        lambda g, v, draws, seed: drawn_videos(g, v, draws, seed, lambda rng, v: list(rng.choice(v[:-1], len(v)))),
        "never hold 1 of the 5 videos",
    ),
    ("11.3", lambda found: switches(found, bool), "0 is the number of a track"),
    ("11.3", lambda found: sum(len(set(row) - {None}) - 1 for row in found.values()), "earlier track back"),
    ("11.4", "higher", "Which gaps"),
    ("11.5", lambda width, speed: 0, "A car of width 1"),
    ("11.6", np.full_like(MAPS, 99), "from 0 (background) to 7"),
    ("11.6", np.full_like(MAPS, -1), "from 0 (background) to 7"),
    (
        "11.7",
        lambda found: np.mean([share(found, pair) for pair in set(pairs_of(found))]),
        "mean is taken over found masks",
    ),
    (
        "11.7",
        lambda found: np.mean([share(found, pair, frames=3) for pair in pairs_of(found)]),
        "a video with 3 frames",
    ),
    (
        "11.7",
        lambda found: np.mean([share(found, pair, without_0=True) for pair in pairs_of(found, without_0=True)]),
        "0 is the number of a track",
    ),
]


@pytest.mark.parametrize(("key", "answer", "remark"), MISTAKES)
def test_the_remark_is_about_the_mistake(key, answer, remark, capsys):
    check(key, answer, **({"maps": MAPS} if key == "11.6" else {}))
    said = capsys.readouterr().out
    assert f"Exercise {key}: not yet. " in said
    assert remark in said


def test_an_answer_written_in_another_way_is_accepted(capsys):
    """Signs 0 and 1 in place of -1 and 1 count the same choices: those that leave out a sum of 0 or less."""
    for answer in (
        lambda c: (sign_flips(c)[0] >= sign_flips(c)[1]).mean(),
        lambda c: np.mean([sum(c) - sum(x for x, s in zip(c, signs, strict=True) if s) <= 0 for signs in subsets(c)]),
    ):
        check("08.7", answer)
        assert "Exercise 08.7: right" in capsys.readouterr().out
