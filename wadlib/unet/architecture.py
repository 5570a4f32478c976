"""What a U-Net looks like: a value that can be written into a file, compared, and built.

Three are ready-made: `ronneberger` (the paper, and Fig 2 of the report), `attempt` (what the report's
authors trained), and `cure` (what notebook 06 arrives at).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wadlib._shared.typed import check_fields
from wadlib._shared.words import one_of
from wadlib.errors import SegmentationError

CHOICES: dict[str, tuple[Any, ...]] = {
    "padding": ("same", "valid"),
    "odd_sizes": ("refuse", "crop"),
    "activation": ("relu", "elu"),
    "up_kernel": (2, 3),
    "normalisation": (None, "batch", "group"),
    "initialisation": ("he", "glorot"),
}


@dataclass(frozen=True)
class Architecture:
    """A U-Net, validated.

    Attributes
    ----------
    input_shape : (height, width, channels)
        Of the images, values 0..255.
    classes : int
        Output channels.
    widths : tuple of int
        Channels per level, from the full resolution down; one more than there are poolings.
    padding : "same" or "valid"
        Of the 3x3 convolutions. Valid ones (the paper) never see padding, and give fewer pixels than
        they take.
    odd_sizes : "refuse" or "crop"
        What a 2x2 pooling does with an odd side length. "crop" keeps going as the report's authors
        did: same networks round up and drop the last row of the up-convolution; valid networks drop
        the last row before the pooling.
    activation : "relu" or "elu"
    up_kernel : 2 or 3
        Side of the up-convolution's kernel; its stride is 2.
    up_activation : bool
        Whether the up-convolution is followed by the activation.
    normalisation : None, "batch" or "group"
        Between each 3x3 convolution and its activation; "group" takes groups of 8 channels (or of
        the largest common divisor with 8).
    dropout : float
        Share of values that is dropped at the end of the contracting path (its two deepest levels),
        in training.
    initialisation : "he" or "glorot"
        Of the kernels. The paper asks for a standard deviation of sqrt(2 / N), N the inputs of a
        unit: He's. Glorot's (the uniform one) is also called Xavier's.
    bias : float
        First value of the biases.
    scale, offset : float
        The network works on ``image * scale + offset``.
    """

    input_shape: tuple[int, int, int]
    classes: int = 8
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    padding: str = "same"
    odd_sizes: str = "refuse"
    activation: str = "relu"
    up_kernel: int = 2
    up_activation: bool = False
    normalisation: str | None = None
    dropout: float = 0.0
    initialisation: str = "he"
    bias: float = 0.0
    scale: float = 1 / 127.5
    offset: float = -1.0

    def __post_init__(self) -> None:
        # Lists come from JSON files.
        object.__setattr__(self, "input_shape", _whole("input_shape", self.input_shape, 3, 3))
        object.__setattr__(self, "widths", _whole("widths", self.widths, 1, 8))
        _whole("classes", [self.classes], 1, 1)
        check_fields(self, SegmentationError)
        for name, choices in CHOICES.items():
            one_of(getattr(self, name), choices, f"Architecture: {name}", SegmentationError)
        if not 0 <= self.dropout < 1:
            raise SegmentationError(
                f"Architecture: expected a dropout in [0, 1), got {self.dropout!r}",
                cause="a percentage instead of a share",
                fix="give the share of values to drop, for example 0.5",
            )
        self._check_size()

    @property
    def depth(self) -> int:
        """Number of poolings."""
        return len(self.widths) - 1

    def replace(self, **changes: Any) -> Architecture:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them; ``Architecture(**saved)`` is the way back.

        Examples
        --------
        >>> Architecture(**cure().to_dict()) == cure()
        True
        """
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(self).items()
        }

    def _check_size(self) -> None:
        for axis, name in enumerate(("height", "width")):
            side = self.input_shape[axis]
            if fits(side, self):
                continue
            near = " or ".join(str(n) for n in fitting_sizes(side, self))
            rule = (
                f"a {name} divisible by 2^{self.depth} = {2**self.depth}"
                if self.padding == "same"
                else f"a {name} that is even before each of the {self.depth} poolings and not used up by convolutions"
            )
            raise SegmentationError(
                f"Architecture: expected {rule}, got {side} (nearest that fit: {near})",
                cause="the size of the image was not chosen for the depth of the network",
                fix=f"crop or pad the images to a {name} of {near}, build a network with fewer levels, "
                "or set odd_sizes='crop' as the report's authors did",
            )


def ronneberger(input_shape: Sequence[int] = (572, 572, 1), classes: int = 2, **changes: Any) -> Architecture:
    """Describe the network of the paper (Ronneberger, Fischer and Brox, MICCAI 2015, Fig 1): the report's Fig 2.

    Valid 3x3 convolutions with ReLU, 64 channels doubled at each of four poolings, 2x2
    up-convolutions that halve them, dropout at the end of the contracting path, biases 0.
    """
    return _preset(input_shape, classes, {"padding": "valid", "dropout": 0.5}, changes)


def attempt(input_shape: Sequence[int] = (90, 422, 3), classes: int = 9, **changes: Any) -> Architecture:
    """Describe what the report's authors trained (section 2.2), from their published code.

    Channels 64-256-512-1024; same 3x3 convolutions with ELU, 3x3 up-convolutions with ELU, Xavier
    initialisation, biases 0.1, no normalisation; images divided by 1000. A height of 90 is not
    divisible by 8: pooling rounds up (90, 45, 23, 12) and the last row of the up-convolution is
    cropped where it is one too many (24 to 23, 46 to 45).

    Parameters
    ----------
    input_shape : (90, 422, 3) or (90, 420, 3): both occur in their code
    classes : 9 (background and 33..40) or 2 (background and car)
    """
    options = {
        "widths": (64, 256, 512, 1024),
        "odd_sizes": "crop",
        "activation": "elu",
        "up_kernel": 3,
        "up_activation": True,
        "initialisation": "glorot",
        "bias": 0.1,
        "scale": 1 / 1000,
        "offset": 0.0,
    }
    return _preset(input_shape, classes, options, changes)


def cure(input_shape: Sequence[int] = (320, 416, 3), classes: int = 8, **changes: Any) -> Architecture:
    """Describe the U-Net that converges: inputs in [-1, 1], a normalisation layer after each 3x3 convolution.

    Channels 16-32-64-128-256, a quarter of the paper's, so that a laptop trains it; pass
    ``widths=(64, 128, 256, 512, 1024)`` for the paper's own.
    """
    return _preset(input_shape, classes, {"widths": (16, 32, 64, 128, 256), "normalisation": "batch"}, changes)


PRESETS = {"ronneberger": ronneberger, "attempt": attempt, "cure": cure}
"""The ready-made architectures by name; each is a function of input_shape, classes and changed fields."""


def _preset(shape: Sequence[int], classes: int, options: dict[str, Any], changes: dict[str, Any]) -> Architecture:
    height, width, channels = _whole("input_shape", shape, 3, 3)
    return Architecture((height, width, channels), classes, **(options | changes))


def _whole(name: str, values: Sequence[int], fewest: int, most: int) -> tuple[int, ...]:
    """The values as a tuple of positive whole numbers, or an error that names them."""
    try:
        numbers = tuple(int(value) for value in values)
        exact = all(number == value and number > 0 for number, value in zip(numbers, values, strict=True))
    except (TypeError, ValueError, OverflowError):
        numbers, exact = (), False
    if not exact or not fewest <= len(numbers) <= most:
        count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise SegmentationError(
            f"Architecture: expected {name} to be {count} positive whole numbers, got {values!r}",
            cause="a size of None, or values in another order",
            fix="input_shape is (height, width, channels), widths is one number of channels per level, "
            "classes is the number of output channels",
        )
    return numbers


def fits(length: int, architecture: Architecture) -> bool:
    """Say whether an image side of `length` pixels goes through every pooling and convolution."""
    return bool(lengths(length, architecture))


def fitting_sizes(length: int, architecture: Architecture) -> tuple[int, ...]:
    """Find the sizes nearest to `length` that fit, one below (if there is one) and one above."""
    period = 2**architecture.depth
    smallest = 2 * period + 4 * period * architecture.depth  # more than any valid network loses
    below = [n for n in range(length, max(0, length - 2 * period), -1) if fits(n, architecture)]
    above = [n for n in range(length + 1, max(length, smallest) + 4 * period) if fits(n, architecture)]
    return (*below[:1], *above[:1])


def lengths(side: int, architecture: Architecture) -> list[tuple[str, int]]:
    """List (name, length along one axis) of every tensor; nothing if `side` does not fit."""
    same, depth = architecture.padding == "same", architecture.depth
    lost = 0 if same else 2  # by one 3x3 convolution
    n, found, skips = side, [("input", side)], []
    for level in range(depth + 1):
        part = f"down{level}" if level < depth else "bottom"
        found += [(f"{part}_conv1", n - lost), (f"{part}_conv2", n - 2 * lost)]
        n -= 2 * lost
        if n < 1:
            return []
        if level < depth:
            skips.append(n)
            if n % 2 and architecture.odd_sizes == "refuse":
                return []
            n = (n + 1) // 2 if same else n // 2
            found += [(f"{part}_pool", n)]
    for level in reversed(range(depth)):
        # Same: an odd length was rounded up by the pooling, the last row of the up-convolution goes.
        # Valid: the copy is cropped to the up-convolution.
        found += [(f"up{level}_upconv", 2 * n)]
        n = min(2 * n, skips[level])
        found += [(f"up{level}_copy", n), (f"up{level}_concat", n)]
        found += [(f"up{level}_conv1", n - lost), (f"up{level}_conv2", n - 2 * lost)]
        n -= 2 * lost
        if n < 1:
            return []
    return [*found, ("logits", n)]
