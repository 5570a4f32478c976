"""How a Mask R-CNN is trained: stages, steps, and which remedies for rare classes; the network itself is a `Config`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from wadlib._shared.typed import check_fields
from wadlib.errors import TrainingError
from wadlib.maskrcnn.frames.augmentation import STANDARD
from wadlib.training.augmentation import Augmentation

MOST_COPIES = 100
"""Instances pasted into a picture, on average; it has room for fewer."""

RARE = 0.5
"""A class that a smaller share of the frames holds is rare."""


@dataclass(frozen=True)
class TrainStage:
    """Some epochs in which certain layers learn at a certain rate.

    Attributes
    ----------
    layers : str
        A key of `wadlib.maskrcnn.learning.training_model.LAYER_SETS` (``heads``, ``5+``, ``4+``, ``3+``, ``all``),
        or a regular expression for names of layers.
    epochs : int
    learning_rate : float
    """

    layers: str
    epochs: int
    learning_rate: float

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)
        try:
            re.compile(self.layers)
        except re.error as error:
            raise TrainingError(
                f"TrainStage: expected the names of layers or a regular expression, got {self.layers!r}: {error}",
                cause="a bracket that is not closed, or a typing slip",
                fix="use heads, 5+, 4+, 3+ or all, or a regular expression for whole names like 'mrcnn_.*'",
            ) from error

    @classmethod
    def parse(cls, text: str) -> TrainStage:
        """Read ``layers:epochs:rate``.

        Examples
        --------
        >>> TrainStage.parse("heads:2:0.001")
        TrainStage(layers='heads', epochs=2, learning_rate=0.001)
        """
        layers, _, rest = text.rpartition(":")[0].rpartition(":")
        try:
            epochs, rate = int(rest), float(text.rpartition(":")[2])
        except ValueError:
            epochs, rate = 0, 0.0
        if not layers or epochs < 1 or not 0 < rate < math.inf:
            raise TrainingError(
                f"TrainStage: expected LAYERS:EPOCHS:RATE, got {text!r}",
                cause="a part is missing, or a number is none",
                fix="for example heads:2:0.001, or all:100:0.0001",
            )
        return cls(layers, epochs, rate)


@dataclass(frozen=True)
class Plan:
    """Everything about a training run but the network and the data.

    Examples
    --------
    >>> Plan.report().stages
    (TrainStage(layers='all', epochs=100, learning_rate=0.0001),)
    >>> Plan.report().shortened(3).stages[0].epochs
    3
    """

    stages: tuple[TrainStage, ...]
    steps: int | None = None  # batches in an epoch; None: as many as there are frames for
    validation_frames: int | None = None  # spread evenly over the validation side; None: all of them
    window: int | None = None  # columns of the view that a training picture shows; None: all
    crop_scale: float | None = None  # random crops at so many input pixels per picture pixel instead of windows
    rare_share: float = 0.0  # classes that fewer frames hold are drawn more often, see `repeat_factors`; 0: not
    copy_paste: float = 0.0  # instances of rare classes (`RARE`) pasted into a picture, on average; 0: none
    augmentation: Augmentation | None = STANDARD  # mirrored or not, in another light
    later: tuple[TrainStage, ...] = field(default=(), repr=False)  # stages that `shortened` left out

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)
        if not self.stages or len({*self.stage_names}) < len(self.stages):
            raise TrainingError(
                f"Plan: expected at least one stage, got {self.stages}", cause="an empty list", fix="give one stage"
            )
        if not 0 <= self.rare_share <= 1 or not 0 <= self.copy_paste <= MOST_COPIES:
            raise TrainingError(
                f"Plan: expected rare_share and copy_paste of 0 or more, at most 1 and {MOST_COPIES}, "
                f"got {self.rare_share} and {self.copy_paste}",
                cause="a typing slip, or a percentage",
                fix="0 leaves them out",
            )

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Name each stage for the log: its layers, numbered where several stages train the same."""
        layers = [stage.layers for stage in (*self.stages, *self.later)]
        return tuple(
            name if layers.count(name) == 1 else f"{name} {layers[: i + 1].count(name)}"
            for i, name in enumerate(layers[: len(self.stages)])
        )

    @property
    def epochs(self) -> int:
        """Count the epochs of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    @classmethod
    def report(cls) -> Plan:
        """Plan what the report's published code does: all layers at a tenth of 0.001, 100 epochs of 10 steps.

        The report's text says 0.001 (and adam instead of SGD: `Config.optimizer`). 5 validation steps of 5 pictures.
        Its notebook mirrors no picture and leaves the light alone.
        """
        return cls((TrainStage("all", 100, 0.0001),), steps=10, validation_frames=25, augmentation=None)

    @classmethod
    def classroom(cls) -> Plan:
        """Plan for the light network from ImageNet's backbone: half of the strip at a time, around rare objects."""
        stages = (TrainStage("heads", 2, 0.001), TrainStage("all", 20, 0.0005), TrainStage("all", 6, 0.0001))
        return cls(stages, steps=300, validation_frames=40, window=832, rare_share=RARE, copy_paste=1.0)

    def replace(self, **changes: Any) -> Plan:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def with_options(self, options: Mapping[str, Any], stages: Sequence[str] = ()) -> Plan:
        """Return a copy with those `options` that are not None, and `stages`, if any, from ``layers:epochs:rate``."""
        wanted = {name: value for name, value in options.items() if value is not None}
        if stages:
            wanted["stages"] = tuple(TrainStage.parse(text) for text in stages)
        return self.replace(**wanted)

    def shortened(self, epochs: int) -> Plan:
        """Return the same plan with `epochs` in all: its last stage gets longer or shorter, or later ones are left out.

        Examples
        --------
        >>> [(stage.layers, stage.epochs) for stage in Plan.classroom().shortened(5).stages]
        [('heads', 2), ('all', 3)]
        """
        stages: list[TrainStage] = []
        for number, stage in enumerate(self.stages, start=1):
            left = epochs - sum(earlier.epochs for earlier in stages)
            if left > 0:
                stages.append(replace(stage, epochs=left if number == len(self.stages) else min(left, stage.epochs)))
        return self.replace(stages=tuple(stages), later=self.stages[len(stages) :])

    def to_dict(self) -> dict[str, Any]:
        """Return what makes two runs the same, as JSON can hold it: not the number of epochs."""
        whole = (*self.stages, *self.later)
        stages = [{"layers": stage.layers, "learning_rate": stage.learning_rate} for stage in whole]
        return {name: value for name, value in asdict(self).items() if name != "later"} | {"stages": stages}
