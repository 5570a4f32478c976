"""For each exercise: an answer that `check` accepts, three that it refuses, and what must not stand in a hand-out."""

import numpy as np
from scipy import ndimage

GRID = np.full((4, 5), 255, np.uint16)
GRID[1:3, 1:3] = 33000


def my_decode(label):
    is_instance = (label >= 1000) & (label != 65535)
    return np.where(is_instance, label // 1000, 0), np.where(is_instance, label % 1000, 0)


def pieces_of(label):
    return {int(c): ndimage.label(label == c)[1] for c in np.unique(label[(label >= 33000) & (label < 65535)])}


def best_block_iou(mask):
    covered = np.sort(mask.reshape(mask.shape[0] // 4, 4, -1, 4).sum(axis=(1, 3)).ravel())[::-1]
    inside, taken = np.cumsum(covered), 16 * np.arange(1, covered.size + 1)
    return (inside / (mask.sum() + taken - inside)).max()


def round_trip(mask, k):
    back = np.kron(mask[::k, ::k], np.ones((k, k))) > 0
    return (mask & back).sum() / (mask | back).sum()


def repeat_factors(present, t):
    rates = np.maximum(1, np.sqrt(t / np.maximum(present.mean(axis=0), 1e-9)))
    return np.where(present, rates, 1).max(axis=1)


IDS = (33, 34, 35, 36, 38, 39, 40)
MEANS = {(a, b): (a + b) * 500 // 1000 for a in IDS for b in IDS if a < b and (a + b) * 500 // 1000 in IDS}

ANSWERS = {
    "00.1": (1 / 7, [1 / 8, 2 / 6, "1/7"], {}, ["1/7", "1 / 7", "0.143"]),
    "00.2": (
        lambda w: (w - 1) / (w + 1),
        [lambda w: (w - 1) / w, lambda w: (w * w - w) / (2 * w * w), lambda w: 1 - 1 / w],
        {},
        ["(w - 1) / (w + 1)", "(w-1)/(w+1)"],
    ),
    "00.3": (20, [19, 10, 19.5], {}, ["> 19", "= 20"]),
    "00.4": ((0, 4 / 20), [(1, 0.2), (0, 0.25), (0, 1)], {"truth": GRID}, ["4/20", "0.200"]),
    "01.1": ([255], [[255, 65535], [33001], []], {}, ["keeps its value", "[255]"]),
    "01.2": (1000, [999, 256, "many"], {}, ["39999"]),
    "01.3": (
        my_decode,
        [lambda x: (x // 1000, x % 1000), lambda x: x // 1000, lambda x: (x[:1], x[:1])],
        {},
        ["label // 1000"],
    ),
    "01.4": (
        pieces_of,
        [
            lambda x: {int(c): 1 for c in np.unique(x)},
            lambda x: {int(c): ndimage.label(x == c, np.ones((3, 3)))[1] for c in (33001, 33002, 36000)},
            lambda x: {int(c): ndimage.label(x // 1000 == c // 1000)[1] for c in (33001, 33002, 36000)},
        ],
        {},
        ["ndimage.label(label == c"],
    ),
    "02.1": (6, [24, 96, 12], {}, ["96 / 4", "= 6\n"]),
    "02.2": (
        MEANS,
        [{(33, 36): 34}, {**MEANS, (33, 34): 33, (36, 38): 37}, dict.fromkeys(MEANS, 36)],
        {},
        ["mean // 1000", "truck -> person"],
    ),
    "02.3": (
        round_trip,
        [lambda m, k: 1.0, lambda m, k: 0.5, lambda m, k: round_trip(m[::-1, ::-1], k) if k > 1 else 1.0],
        {},
        ["mask[::factor"],
    ),
    "02.4": (
        lambda x, t: (x[:, None] > t).mean(axis=0),
        [
            lambda x, t: (x[:, None] >= t).mean(axis=0),
            lambda x, t: (x[:, None] > t).sum(axis=0),
            lambda x, t: (x > t[0]).mean(),
        ],
        {},
        ["ious[:, None]"],
    ),
    "02.5": (
        best_block_iou,
        [lambda m: 1.0, lambda m: m.mean(), lambda m: round_trip(m, 4)],
        {},
        ["np.cumsum(covered)", "0.844"],
    ),
    "03.1": ("8", ["300", "1000", 8], {}, ["0.3:.2f", "7.94"]),
    "03.2": (
        lambda p, k: (w := p * (p.max() / (p + 1e-6)) ** k) / w.sum(),
        [
            lambda p, k: p * (p.max() / (p + 1e-6)) ** k,
            lambda p, k: (w := (p.max() / (p + 1e-6)) ** k) / w.sum(),
            lambda p, k: p / p.sum(),
        ],
        {},
        ["weighted.sum()"],
    ),
    "03.3": (
        ((1 / 1e-6) ** 0.3, (1 / (1e-5 + 1e-6)) ** 0.3),
        [(1e6, 30), (63.1, 63.1), (1, 1)],
        {"pixels": 100_000},
        ["absent: 63", "63.1"],
    ),
    "03.4": (
        repeat_factors,
        [
            lambda x, t: repeat_factors(x, t) ** 2,
            lambda x, t: np.ones(len(x)),
            lambda x, t: 1 / np.maximum(x.mean(axis=0), 1e-9),
        ],
        {},
        ["np.sqrt(t / "],
    ),
}
