"""A named stand-in for a trained network: the truth, spoilt in known ways by a seeded dice.

It knows nothing about pictures. It serves where a *metric* is studied and predictions are needed whose
errors are known: how much does each kind of error cost? Wherever its results are shown, its name is.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.errors import MetricError
from wadlib.instances import Instances, Runs
from wadlib.labels import IDS

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SimulatedPredictor:
    """Spoil the truth of a frame: false negatives, shifted and swollen masks, wrong classes, false positives, scores.

    Attributes
    ----------
    miss : float
        Chance that a large object is not found.
    half_found_px : float
        An object of so many pixels is found half as often as a large one.
    shift_px : float
        Standard deviation of a mask's displacement, down and to the right.
    grow_px : int
        Masks grow or shrink by up to so many pixels all around; two neighbours that grow overlap.
    confusion : float
        Chance that a found object gets another class.
    twice : float
        Chance that a found object is reported a second time, as another class and with a lower score. (A network
        suppresses doubles of one class only: a van is often both a car and a truck.)
    invented : float
        Mean number of false positives per frame: objects that are not there.
    certainty : float
        How far apart the scores of true and false positives lie; at 0 they tell nothing.
    seed : int
    """

    miss: float = 0.1
    half_found_px: float = 40.0
    shift_px: float = 1.0
    grow_px: int = 1
    confusion: float = 0.05
    twice: float = 0.15
    invented: float = 2.0
    certainty: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = {"miss": self.miss, "confusion": self.confusion, "twice": self.twice}
        lengths = {"half_found_px": self.half_found_px, "shift_px": self.shift_px, "grow_px": self.grow_px}
        bad = [f"{name}={value}" for name, value in shares.items() if not 0 <= value <= 1]
        bad += [f"{name}={value}" for name, value in (lengths | {"invented": self.invented}).items() if not value >= 0]
        if bad:
            raise MetricError(
                f"SimulatedPredictor: {', '.join(bad)}",
                cause="a share outside of 0..1, or a negative number",
                fix="shares lie in 0..1; lengths and numbers are 0 or more",
            )

    @property
    def name(self) -> str:
        """What figures and tables call it."""
        return "simulated predictor (the truth, spoilt on purpose)"

    def predict(self, frame: str, truth: npt.NDArray[np.uint16]) -> Instances:
        """Predict the scored instances of one frame.

        Parameters
        ----------
        frame : str
            Its name: the same name and seed give the same result, in whatever order frames come.
        truth : (H,W) uint16

        Examples
        --------
        >>> truth = np.full((40, 60), 255, np.uint16)
        >>> truth[10:30, 10:40] = 33000
        >>> perfect = SimulatedPredictor(
        ...     miss=0, half_found_px=0, shift_px=0, grow_px=0, confusion=0, twice=0, invented=0
        ... )
        >>> bool((perfect.predict("a", truth).to_label() == truth).all())
        True
        """
        rng = np.random.default_rng([self.seed, zlib.crc32(frame.encode())])
        exact = Instances.from_label(truth)
        class_ids, scores, masks = [], [], []
        for n, (class_id, area) in enumerate(zip(exact.class_ids.tolist(), exact.areas_px.tolist(), strict=True)):
            # All dice are thrown for each object, so that one setting does not change what another one does.
            luck, other, wrong_class, double = rng.random(4)
            shift = np.rint(rng.normal(0, 1, 2) * self.shift_px).astype(int)
            grow = int(rng.integers(-1, 2)) * self.grow_px
            noise = rng.normal()
            if luck > (1 - self.miss) * area / (area + self.half_found_px):
                continue
            mask = _spoil(*exact.runs.crop(n), shift, grow, truth.shape)
            if not mask.areas[0]:
                continue
            wrong = other < self.confusion
            class_ids.append(_another(class_id, wrong_class) if wrong else class_id)
            size = np.log10(area / 300)  # a large object has a higher score than a small one
            scores.append(_logistic(self.certainty * (1 + 0.5 * size - wrong) + noise))
            masks.append(mask)
            if double < self.twice:
                class_ids.append(_another(class_ids[-1], 1 - wrong_class))
                scores.append(scores[-1] * wrong_class)
                masks.append(mask)
        for _ in range(rng.poisson(self.invented)):
            class_id, noise, mask = int(rng.choice(IDS)), rng.normal(), _invent(rng, truth.shape)
            if mask.areas[0]:  # it may lie beyond the frame's edge
                class_ids.append(class_id)
                scores.append(_logistic(-0.5 * self.certainty + noise))
                masks.append(mask)
        return Instances(np.array(class_ids, np.int32), np.array(scores), Runs.concatenate(masks, exact.shape))


def _spoil(mask: Mask, y: int, x: int, shift: npt.NDArray[np.int64], grow: int, shape: tuple[int, ...]) -> Runs:
    """Grow (or shrink) a mask, move it, and cut off what leaves the frame."""
    edge = abs(grow)
    larger = np.pad(mask, edge)
    for _ in range(edge):
        larger = _grown(larger) if grow > 0 else ~_grown(~larger)
    return _placed(larger, y - edge + int(shift[0]), x - edge + int(shift[1]), (shape[0], shape[1]))


def _grown(mask: Mask) -> Mask:
    """Each pixel, and its four neighbours."""
    wide = np.pad(mask, 1, mode="edge")
    return wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]


def _placed(mask: Mask, y: int, x: int, shape: tuple[int, int]) -> Runs:
    mask = mask[max(0, -y) : max(0, shape[0] - y), max(0, -x) : max(0, shape[1] - x)]
    inside = mask.size > 0
    return Runs.from_crop(mask, max(0, y) if inside else 0, max(0, x) if inside else 0, shape)


def _invent(rng: np.random.Generator, shape: tuple[int, ...]) -> Runs:
    """An ellipse, of the size of an object, where objects are: in the middle rows."""
    height = max(2, round(shape[0] * 0.03 * rng.lognormal(0, 0.8)))
    width = max(2, round(height * rng.uniform(0.5, 2)))
    down, right = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    y, x = int(shape[0] * rng.uniform(0.5, 0.75)), int(rng.integers(0, shape[1]))
    return _placed(down**2 + right**2 <= 1, y, x, (shape[0], shape[1]))


def _another(class_id: int, luck: float) -> int:
    others = [each for each in IDS if each != class_id]
    return others[int(luck * len(others))]


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
