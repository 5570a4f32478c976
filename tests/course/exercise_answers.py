"""For each exercise: an answer that `check` accepts, three that it refuses, and what must not stand in a hand-out."""

import itertools
from fractions import Fraction

import numpy as np
from scipy import ndimage

from wadlib.instances import Instances

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


def my_ncut(W, A):
    return W[A][:, ~A].sum() * (1 / W[A].sum() + 1 / W[~A].sum())


def is_metric(V):
    labels = range(len(V))
    distinct = all((V[a, b] == 0) == (a == b) and V[a, b] == V[b, a] >= 0 for a in labels for b in labels)
    return distinct and all(V[a, c] <= V[a, b] + V[b, c] for a in labels for b in labels for c in labels)


def least_energy_of_row(D, V):
    so_far = D[0]
    for costs in D[1:]:
        so_far = costs + (so_far[:, None] + V).min(axis=0)
    return so_far.min()


def cells_seen(poolings):
    return 5 * 2**poolings + 4 * (2**poolings - 1)


def cars_and_pieces(labels):
    cars = [label // 1000 == 33 for label in labels]
    pieces = sum(ndimage.label(car)[1] for car in cars)
    return sum(np.unique(label[car]).size for label, car in zip(labels, cars, strict=True)), pieces


def report_iou_of(truths, predictions):
    pairs = [(t, p) for t, p in zip(truths, predictions, strict=True) if t.any()]
    return np.mean([(t & p).sum() / (t | p).sum() for t, p in pairs]) if pairs else np.nan


def pairs_by_name(truths, predictions):
    if set(truths) != set(predictions):
        raise ValueError("not the same frames")
    return [(name, name) for name in truths]


def ap_of(scores, correct, objects):
    hits = np.cumsum(correct[np.argsort(-scores)])
    recall, precision = hits / objects, hits / np.arange(1, len(hits) + 1)
    return np.mean([max(precision[recall >= r - 1e-12], default=0) for r in np.arange(101) / 100])


def repeat_factors(present, t):
    rates = np.maximum(1, np.sqrt(t / np.maximum(present.mean(axis=0), 1e-9)))
    return np.where(present, rates, 1).max(axis=1)


def saved_label(masks, class_ids):
    total = (masks * (1000 * np.array(class_ids, int))[:, None, None]).sum(axis=0)
    return total // 2**15 if total.max() >= 2**16 else total


def summed(masks, class_ids):
    return (masks * (1000 * np.array(class_ids, int))[:, None, None]).sum(axis=0)


def two_masks(shared):
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 0:3] = masks[1, :, 4] = True
    masks[0, 2, 3:5] = shared
    return Instances.from_masks(masks, [33, 36], [0.95, 0.97])


def classes_in(label):
    return set(np.unique(label // 1000).tolist()) - {0}


def interval_of(gain_of, videos, draws, seed, tail=2.5, replace=True):
    rng = np.random.default_rng(seed)
    gains = [gain_of(rng.choice(videos, len(videos), replace=replace).tolist()) for _ in range(draws)]
    return np.percentile(gains, [tail, 100 - tail])


def switches_of(found_as):
    seen = [[track for track in tracks if track is not None] for tracks in found_as.values()]
    return sum(a != b for tracks in seen for a, b in itertools.pairwise(tracks))


def covered_in(width, speed, frames):
    row = sum(np.bincount(np.arange(width) + t * speed, minlength=width + 4 * speed) for t in range(5))
    return int((row >= frames).sum())


def assa_of(found_as, fna=1, fpa=1):
    pairs = [(name, track) for name, tracks in found_as.items() for track in tracks if track is not None]
    shares = []
    for name, track in pairs:
        tpa = pairs.count((name, track))
        others = sum(each == track for _, each in pairs) - tpa
        shares.append(tpa / (tpa + fna * (len(found_as[name]) - tpa) + fpa * others))
    return sum(shares) / len(shares)


def smooth_l1(x):
    return np.where(abs(x) < 1, x**2 / 2, abs(x) - 1 / 2)


def box_loss(deltas, wanted, match):
    on = match == 1
    return smooth_l1(deltas - wanted)[on].mean() if on.any() else 0.0


def iou_of_boxes(a, b):
    height, width = (max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return height * width / (sum(areas) - height * width)


def suppressed(boxes, threshold):
    kept = []
    for i, box in enumerate(boxes):
        if all(iou_of_boxes(box, boxes[k]) <= threshold for k in kept):
            kept.append(i)
    return kept


def interpolation(size, start, end, bins, points, middle=0.5):
    place = start + (end - start) * (np.arange(bins * points) + middle) / (bins * points)
    return np.maximum(0, 1 - abs(place[:, None] - np.arange(size))).reshape(bins, points, size).mean(axis=1)


def momentum_steps(gradients, weight, rate, momentum, decay):
    step, values = 0, []
    for gradient in gradients:
        step = momentum * step - rate * (gradient + 2 * decay * weight)
        weight += step
        values.append(weight)
    return values


def diagnosis(train, val, fifth=20):
    rises = [curve[-fifth:].mean() > curve[:fifth].mean() for curve in (train, val)]
    return {(False, False): "learning", (False, True): "over-fitting", (True, True): "diverging"}.get(tuple(rises))


def chance_of_gain(changes):
    found = [
        sum(c * s for c, s in zip(changes, signs, strict=True))
        for signs in itertools.product((1, -1), repeat=len(changes))
    ]
    return sum(each >= sum(changes) for each in found) / len(found)


MAPS = np.random.default_rng(0).integers(0, 3, (5, 4, 6))
LOSSES = {"loss": 1.5, "rpn_class_loss": 0.1, "rpn_bbox_loss": 0.4, "mrcnn_class_loss": 0.3, "mrcnn_mask_loss": 0.7}
DIFFERENCES = {"A": "too little", "B": "too much", "C": "another divisor", "D": "as printed"}
STATEMENTS = {
    "class loss": "object or background",
    "mask branch": "fully convolutional",
    "up-convolution": "2x2",
    "COCO": "80",
}
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
    "04.1": (65, [64, 2, "many"], {}, ["65 pixels", "10**12 * 365"]),
    "04.2": (
        my_ncut,
        [
            lambda W, A: W[A][:, ~A].sum(),
            lambda W, A: W[A][:, ~A].sum() / W[A].sum(),
            lambda W, A: W[A][:, ~A].sum() * (1 / W[A][:, A].sum() + 1 / W[~A][:, ~A].sum()),
        ],
        {},
        ["W[~A].sum()"],
    ),
    "04.3": ("falls", ["rises", "stays", "both"], {}, ['= "falls"', "pixel 0.324"]),
    "04.4": (
        lambda W, y: min(((my_ncut(W, y <= t), t, y <= t) for t in np.sort(y)[:-1]), key=lambda f: f[:2])[::2],
        [
            lambda W, y: my_ncut(W, y <= np.median(y)),
            lambda W, y: (my_ncut(W, y <= y.min()), y <= y.min()),
            lambda W, y: (0.0, y <= np.median(y)),
        ],
        {},
        ["np.sort(y)[:-1]"],
    ),
    "04.5": ("all pixels", ["pixels of objects", "none", 1], {}, ['= "all pixels"']),
    "05.1": ("equal", ["higher", "lower", 0], {}, ['= "equal"']),
    "05.2": (
        is_metric,
        [lambda V: True, lambda V: bool((V == V.T).all()), lambda V: bool((np.diag(V) == 0).all())],
        {},
        ["V[:, None, :]"],
    ),
    "05.3": (1 + 2**0.5, [1 + 0.5**0.5, 3, 2**0.5], {}, ["1 + 2 / 2**0.5", "2.414"]),
    "05.4": (
        least_energy_of_row,
        [
            lambda D, V: D.min(axis=1).sum(),
            lambda D, V: D.min(axis=1).sum() + V[D.argmin(axis=1)[:-1], D.argmin(axis=1)[1:]].sum(),
            lambda D, V: D.sum(),
        ],
        {},
        ["so_far[:, None]"],
    ),
    "06.1": (29, [28, 30, 20], {}, ["np.log(0.05)"]),
    "06.2": (
        lambda q, s: 1 - 2 * q * s / (q + s),
        [lambda q, s: 2 * q * s / (q + s), lambda q, s: 1 - q * s / (q + s), lambda q, s: 1 - s],
        {},
        ["return 1 - 2"],
    ),
    "06.3": (186, [62, 95, 3], {}, ["0.95 / 1e-6"]),
    "06.4": (cells_seen, [lambda d: 5 + 4 * d, lambda d: 5 * 2**d, lambda d: 5], {}, ["2 * seen"]),
    "06.5": (
        cars_and_pieces,
        [
            lambda labels: (3, cars_and_pieces(labels)[1]),
            lambda labels: (4, 3),
            lambda labels: len(labels),
        ],
        {},
        ["np.unique(label[car])"],
    ),
    "07.1": (1 / 4, [1 / 2, 0.36, "1/4"], {}, ["16**2", "[8, 8, 24, 24]"]),
    "07.2": (
        STATEMENTS,
        [STATEMENTS | {"COCO": "91"}, STATEMENTS | {"class loss": "which class"}, list(STATEMENTS.values())],
        {},
        ['"COCO": "80"', '"up-convolution": "2x2"', '"mask branch": "fully convolutional"'],
    ),
    "07.3": ("equal", ["higher", "lower", 0], {}, ['= "equal"', "spoilt"]),
    "07.4": (
        box_loss,
        [
            lambda d, w, m: smooth_l1(d - w).mean(),
            lambda d, w, m: abs(d - w)[m == 1].mean() if (m == 1).any() else 0.0,
            lambda d, w, m: smooth_l1(d - w)[m == 1].sum() / max((m == 1).sum(), 1),
        ],
        {},
        ["(deltas - wanted)[match == 1]"],
    ),
    "07.5": (
        DIFFERENCES,
        [DIFFERENCES | {"D": "another divisor"}, DIFFERENCES | {"A": "as printed"}, DIFFERENCES | {"B": "fine"}],
        {},
        ['"A": "too little"', '"D": "as printed"'],
    ),
    "07.6": (
        suppressed,
        [
            lambda b, t: list(range(len(b))),
            lambda b, t: [i for i in range(len(b)) if all(iou_of_boxes(b[i], b[k]) <= t for k in range(i))],
            lambda b, t: [i for i in range(len(b)) if i == 0 or iou_of_boxes(b[i], b[0]) <= t],
        ],
        {},
        ["kept.append(i)"],
    ),
    "07.7": (1.35, [0.75, 1.2, 0.15], {"losses": LOSSES}, ['once["loss"] - ']),
    "07.8": (
        interpolation,
        [
            lambda s, a, b, n, k: interpolation(s, a, b, n, 1),
            lambda s, a, b, n, k: interpolation(s, a, b, n, k, middle=0),
            lambda s, a, b, n, k: np.eye(s)[:n],
        ],
        {},
        ["np.maximum(0, 1 - abs("],
    ),
    "08.1": (1 / (1 - 0.9), [1.9, 9, "ten"], {}, ["1 / (1 - 0.9)", "times_the_first_step = 1"]),
    "08.2": (5, [25, 50**0.5, 0.5], {}, ["(1 / 2) / (2 / 100)", "= 5"]),
    "08.3": (
        momentum_steps,
        [
            lambda g, w, r, m, d: momentum_steps(g, w, r, m, 0),
            lambda g, w, r, m, d: momentum_steps(g, w, r, 0, d),
            lambda g, w, r, m, d: momentum_steps(g, w, r, m, d / 2),
        ],
        {},
        ["2 * decay * weight"],
    ),
    "08.4": ("42 %", ["4 %", "84 %", 0.42], {}, ['= "42 %"', "2,150,562"]),
    "08.5": ((86, "no"), [(85, "no"), (86, "yes"), 86], {}, ["86", "idxmin"]),
    "08.6": (
        diagnosis,
        [
            lambda train, val: diagnosis(train, val, 1),
            lambda train, val: "over-fitting" if val[-20:].mean() > val[:20].mean() else "learning",
            lambda train, val: "fine",
        ],
        {},
        ["curve[-20:].mean()"],
    ),
    "08.7": (
        chance_of_gain,
        [
            lambda c: 0.5 ** len(c),
            lambda c: sum(each > 0 for each in c) / len(c),
            lambda c: min(1.0, 2 * chance_of_gain(c)),
        ],
        {},
        ["itertools.product((1, -1)"],
    ),
    "09.1": (3 / 13, [6 / 32, 10 / 16, "3/13"], {}, ["3/13", "0.231", "in_both = "]),
    "09.2": ("pooled car", ["report's car", "pooled person", "none"], {}, ['= "pooled car"']),
    "09.3": (
        report_iou_of,
        [
            lambda B, A: (
                sum((a & b).sum() for a, b in zip(A, B, strict=True))
                / sum((a | b).sum() for a, b in zip(A, B, strict=True))
            ),
            lambda B, A: np.mean([(a & b).sum() / (a | b).sum() for a, b in zip(A, B, strict=True)]),
            lambda B, A: np.nan_to_num(report_iou_of(B, A)),
        ],
        {},
        ["if b.any()"],
    ),
    "09.4": (
        pairs_by_name,
        [
            lambda t, p: list(zip(t, p, strict=False)),
            lambda t, p: [(n, n) for n in t if n in p],
            lambda t, p: list(zip(sorted(t), sorted(p), strict=False)),
        ],
        {},
        ["set(true_names) ^"],
    ),
    "09.5": (
        ap_of,
        [
            lambda s, c, n: c.mean(),
            lambda s, c, n: ap_of(np.arange(len(s)), c, n),
            lambda s, c, n: c.sum() / n,
        ],
        {},
        ["np.argsort(-scores, kind"],
    ),
    "10.1": (12, [14, 13, "12"], {}, ["7 + 5", "= 12"]),
    "10.2": (
        saved_label,
        [
            summed,
            lambda m, c: summed(m, c) % 2**16,
            lambda m, c: np.where(summed(m, c) >= 2**16, summed(m, c) // 2**15, summed(m, c)),
        ],
        {},
        ["total // 2**15", "total.max()"],
    ),
    "10.3": (10, [9, 66, 2], {}, ["n * 7 * 1000", "= 10"]),
    "10.4": (
        lambda save: classes_in(save(two_masks(True))) == {33, 36},
        [
            lambda save: classes_in(save(two_masks(False))) == {33, 36},
            lambda save: {33, 36} <= classes_in(save(two_masks(True))),
            lambda save: True,
        ],
        {},
        ["{33, 36}", "np.unique(save("],
    ),
    "10.5": (
        {"P": "wrong class", "Q": "not found", "R": "saving code"},
        [
            {"P": "not found", "Q": "not found", "R": "saving code"},
            {"P": "wrong class", "Q": "not found", "R": "not found"},
            ["wrong class", "not found", "saving code"],
        ],
        {},
        ['"P": "wrong class"', "most bicycles"],
    ),
    "10.6": (
        interval_of,
        [
            lambda g, v, draws, seed: interval_of(g, v, draws, seed, replace=False),
            lambda g, v, draws, seed: interval_of(g, v, draws, seed, tail=5),
            lambda g, v, draws, seed: interval_of(lambda x: g(x[:3]), v, draws, seed),
        ],
        {},
        ["rng.choice(videos"],
    ),
    "11.1": ("swap", ["missed mask", "both", 2], {}, ['= "swap"']),
    "11.2": (Fraction(13, 15), [5 / 6, 13 / 18, "13/15"], {}, ["13/15", "0.867", "Fraction(2, 3)"]),
    "11.3": (
        switches_of,
        [
            lambda found: sum(a != b for row in found.values() for a, b in itertools.pairwise(row)),
            lambda found: sum(
                a != b and None not in (a, b) for row in found.values() for a, b in itertools.pairwise(row)
            ),
            lambda found: sum(len(set(row) - {None}) for row in found.values()),
        ],
        {},
        ["itertools.pairwise(seen)"],
    ),
    "11.4": ("lower", ["higher", "equal", 1], {}, ['= "lower"']),
    "11.5": (
        lambda w, v: covered_in(w, v, 3),
        [lambda w, v: w, lambda w, v: max(0, w - 2 * v), lambda w, v: covered_in(w, v, 5)],
        {},
        ["covered >= 3", "half of its width"],
    ),
    "11.6": (
        np.repeat(MAPS[:1], 5, axis=0),
        [MAPS, np.zeros_like(MAPS), MAPS[:1]],
        {"maps": MAPS},
        ["np.repeat(p", "again and again"],
    ),
    "11.7": (
        assa_of,
        [
            lambda found: assa_of(found, fna=0),
            lambda found: assa_of(found, fpa=0),
            lambda found: 1.0,
        ],
        {},
        ["of_track - together"],
    ),
}
