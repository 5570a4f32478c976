"""The options of a loss, checked in one place for `wadlib.unet.losses` and its numpy twin, `wadlib.unet.constant`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wadlib.errors import SegmentationError

AUTHORS: dict[str, Any] = {
    "class_weights": "batch",
    "absent": "count",
    "per_image": True,
    "normalise": False,
    "unlabelled": "zero",
}
"""What the report's authors chose: batch weights that nothing divides by, dice per image, absent classes counted."""


@dataclass(frozen=True)
class LossOptions:
    """A weighted sum of cross entropy and dice.

    Attributes
    ----------
    cross_entropy, dice : float
        Factor of each term; 0 leaves it out.
    class_weights : None, "batch" or a sequence of C floats
        All 1; the authors' `wadlib.unet.losses.batch_class_weights`; or given.
    absent : "skip" or "count"
    per_image, normalise : bool
    unlabelled : "ignore" or "zero"
        See `wadlib.unet.losses.soft_dice` and `wadlib.unet.losses.cross_entropy`.

    Raises
    ------
    SegmentationError
        An option that does not exist, or nothing to add up.
    """

    cross_entropy: float = 1.0
    dice: float = 1.0
    class_weights: str | Sequence[float] | None = None
    absent: str = "skip"
    per_image: bool = False
    normalise: bool = True
    unlabelled: str = "ignore"

    def __post_init__(self) -> None:
        weights = self.class_weights
        try:
            for name in ("cross_entropy", "dice"):
                object.__setattr__(self, name, float(getattr(self, name)))
            if weights is not None and not isinstance(weights, str):
                weights = [float(w) for w in weights]
                object.__setattr__(self, "class_weights", weights)
        except (TypeError, ValueError, OverflowError) as error:
            raise _no_loss(f"{error}") from error
        for name in ("per_image", "normalise"):
            object.__setattr__(self, name, bool(getattr(self, name)))
        reasons = {
            f"absent={self.absent!r}": self.absent in ("skip", "count"),
            f"unlabelled={self.unlabelled!r}": self.unlabelled in ("ignore", "zero"),
            f"class_weights={weights!r}": weights in (None, "batch")
            or (isinstance(weights, list) and _usable(weights)),
            f"cross_entropy={self.cross_entropy}, dice={self.dice}": _usable([self.cross_entropy, self.dice]),
        }
        for what, good in reasons.items():
            if not good:
                raise _no_loss(f"{what} is not a loss")


def _usable(numbers: list[float]) -> bool:
    return bool(numbers) and min(numbers) >= 0 and 0 < max(numbers) < math.inf


def _no_loss(what: str) -> SegmentationError:
    return SegmentationError(
        f"SegmentationLoss: {what}",
        cause="a typing slip, or all terms were switched off",
        fix="absent is 'skip' or 'count', unlabelled is 'ignore' or 'zero', class_weights is None, 'batch' or "
        "one number per class, and at least one of cross_entropy and dice is above 0",
    )
