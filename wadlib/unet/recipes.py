"""What a U-Net run is: geometry, classes, architecture, loss, optimizer, augmentation.

A recipe is a value: it can be written into a run's ``config.json``, changed in one place with `replace`
(that is how notebook 06 takes away one cause at a time), and built.
"""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from wadlib._shared.typed import check_fields
from wadlib._shared.words import one_of
from wadlib.errors import TrainingError
from wadlib.training.augmentation import Augmentation
from wadlib.unet.architecture import Architecture, attempt, cure
from wadlib.unet.data import CLASS_TABLES
from wadlib.unet.geometry import ATTEMPT, Geometry, strip
from wadlib.unet.loss_options import AUTHORS, LossOptions

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Recipe:
    """Determines a run, but for the frames, the seed and the number of epochs.

    Attributes
    ----------
    name : str
    geometry : Geometry
        What the network sees of a frame.
    classes : str
        Name of the class table, see `wadlib.unet.data.CLASS_TABLES`.
    architecture : Architecture
        Its input must have the geometry's size, its output a channel for each class and background.
    loss : dict
        Options of `wadlib.unet.losses.SegmentationLoss`.
    batch_size : int
    learning_rate : float
        Of Adam.
    decay : bool
        Let the learning rate fall to 0 over the run, along half a cosine.
    augmentation : Augmentation or None
    rare_share : float
        t of `wadlib.training.repeat_factors`; 0 draws every frame equally often.
    windows : int
        Train on this fraction of the width: windows around objects, each class of a frame equally often. 1: whole
        pictures. The network has no fixed size, so what it learnt on windows serves for whole pictures.
    """

    name: str
    geometry: Geometry
    classes: str
    architecture: Architecture
    loss: dict[str, Any] = field(hash=False)
    batch_size: int = 8
    learning_rate: float = 1e-3
    decay: bool = False
    augmentation: Augmentation | None = None
    rare_share: float = 0.0
    windows: int = 1

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)
        one_of(self.classes, CLASS_TABLES, "Recipe: classes", TrainingError)
        for option in self.loss:
            one_of(option, _OUR_LOSS, "Recipe: loss", TrainingError)
        # Geometry, class table and architecture say the same numbers three times: they must agree.
        channels = 1 + len([index for index in self.table.values() if index != 255])
        wanted, got = (*self.geometry.shape, 3), self.architecture.input_shape
        if wanted != got or self.architecture.classes != channels or self.architecture.padding != "same":
            raise TrainingError(
                f"Recipe: expected a network for {wanted} pixels with same convolutions and {channels} classes, "
                f"got one for {got} with {self.architecture.padding} convolutions and {self.architecture.classes}",
                cause="geometry or classes were changed without the architecture",
                fix="recipe.replace(geometry=…, classes=…) fits the architecture by itself",
            )
        if self.windows < 1 or self.geometry.width % self.windows:
            raise TrainingError(
                f"Recipe: expected windows that divide the width of {self.geometry.width}, got {self.windows}",
                cause="held-out pictures are cut into so many windows",
                fix="take a divisor, such as 4",
            )
        self.architecture.replace(input_shape=(*self.trained_shape, 3))  # raises here, not after the frames are read
        # A list of weights has an order, that of the channels; a name ('batch') fits any number.
        weights = self.loss.get("class_weights")
        if isinstance(weights, list) and len(weights) != channels:
            raise TrainingError(
                f"Recipe: expected {channels} class weights, one per channel, got {len(weights)}",
                cause="weights of another class table",
                fix="give one for the background and one for each class",
            )
        if self.batch_size < 1 or not self.learning_rate > 0 or not 0 <= self.rare_share <= 1:
            raise TrainingError(
                f"Recipe: expected batch_size >= 1, learning_rate > 0 and rare_share in [0, 1], got {self.batch_size}, "
                f"{self.learning_rate} and {self.rare_share}",
                cause="a typing slip",
                fix="see RECIPES for numbers that work",
            )

    @property
    def table(self) -> dict[int, int]:
        """WAD class id -> channel."""
        return CLASS_TABLES[self.classes]

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some fields changed; the architecture follows a new geometry or class table.

        Class weights that are given one by one belong to a class table: another one starts without.

        Examples
        --------
        >>> recipe("cured").replace(geometry=strip(4)).architecture.input_shape
        (192, 832, 3)
        """
        if "architecture" not in changes and {"geometry", "classes"} & set(changes):
            geometry = changes.get("geometry", self.geometry)
            table = CLASS_TABLES.get(changes.get("classes", self.classes), {})
            channels = 1 + len([index for index in table.values() if index != 255])
            changes["architecture"] = self.architecture.replace(input_shape=(*geometry.shape, 3), classes=channels)
        given = isinstance(self.loss.get("class_weights"), list)
        if given and "loss" not in changes and changes.get("classes", self.classes) != self.classes:
            changes["loss"] = self.loss | {"class_weights": None}
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them; `from_dict` is the way back."""
        return {
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)},
            "geometry": self.geometry.to_dict(),
            "architecture": self.architecture.to_dict(),
            "loss": dict(self.loss),
            "augmentation": None if self.augmentation is None else self.augmentation.to_dict(),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Recipe:
        """Make a recipe of what `to_dict` gave."""
        try:
            augmentation = saved["augmentation"]
            parts = {
                "geometry": Geometry(**saved["geometry"]),
                "architecture": Architecture(**saved["architecture"]),
                "augmentation": None if augmentation is None else Augmentation(**augmentation),
            }
            return cls(**(saved | parts))
        except (KeyError, TypeError, AttributeError) as error:
            raise TrainingError(
                f"Recipe.from_dict: not a recipe: {error}",
                cause="the file was edited or is of another version",
                fix="take config.json of a run of `wadlib train unet`",
            ) from error

    @property
    def trained_shape(self) -> tuple[int, int]:
        """(height, width) of what the network is trained on."""
        return self.geometry.height, self.geometry.width // self.windows

    def build(self, *, seed: int = 0, steps: int = 0) -> keras.Model:
        """Build the compiled model for pictures of `trained_shape`, on whichever backend Keras runs.

        Parameters
        ----------
        seed : int
            Of the first weights and of dropout.
        steps : int
            Training steps in all, over which the learning rate decays.
        """
        import keras

        from wadlib.unet.losses import SegmentationLoss
        from wadlib.unet.model import build_unet

        model = build_unet(self.architecture.replace(input_shape=(*self.trained_shape, 3)), seed=seed)
        rate: Any = self.learning_rate
        if self.decay and steps:
            rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        model.compile(keras.optimizers.Adam(rate), loss=SegmentationLoss(**self.loss))
        # Now, and not inside of the first step: TensorFlow would trace that step twice.
        model.optimizer.build(model.trainable_variables)
        return model


# By dice alone; `AUTHORS` says what else they chose.
_THEIR_LOSS = asdict(LossOptions(cross_entropy=0.0, **AUTHORS))
# (largest share / share)^0.5, as the authors' but with the shares of 480 rendered frames instead of one batch's.
# With their exponent of 0.3 the rare classes were still missing when the cars were found.
_CLASS_WEIGHTS = [1.0, 4.3, 65.0, 45.2, 18.9, 7.0, 7.6, 34.2]
_OUR_LOSS = asdict(
    LossOptions(
        dice=0.0,  # in short tries of one seed it made buses come later
        class_weights=_CLASS_WEIGHTS,
    )
)

_ATTEMPT9 = Recipe(
    "attempt9", ATTEMPT, "attempt9", attempt((*ATTEMPT.shape, 3), 9), _THEIR_LOSS, batch_size=32, learning_rate=1e-5
)
RECIPES: dict[str, Recipe] = {
    "attempt9": _ATTEMPT9,
    "attempt2": _ATTEMPT9.replace(name="attempt2", classes="attempt2", learning_rate=5e-4),
    "cured": Recipe(
        "cured",
        strip(8),
        "wad",
        cure((*strip(8).shape, 3)),
        _OUR_LOSS,
        batch_size=4,
        learning_rate=1e-3,
        decay=True,
        augmentation=Augmentation(flip=0.5, zoom=0.25, shift=0.1, brightness=30.0, contrast=0.25),
        rare_share=1.0,
        windows=2,
    ),
}
"""``attempt9`` and ``attempt2``: what the report's authors trained, with nine channels (background and
33 to 40) and with two (background and car), 10 epochs of it, by dice; ``replace(loss=recipe.loss |
{"cross_entropy": 1, "dice": 0})`` for their other loss. ``cured``: what converges."""


def recipe(name: str) -> Recipe:
    """Return the ready-made recipe of that name."""
    return RECIPES[one_of(name, RECIPES, "recipe: name", TrainingError)]
