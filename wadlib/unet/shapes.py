"""How large every tensor of a U-Net is, and what one output pixel sees: arithmetic, no network.

The built model must agree with these formulas (the tests compare them), and Fig 2 is drawn from
whichever of the two one likes: `layer_shapes` of an `Architecture`, or `wadlib.unet.stages` of a
model.
"""

import math
from dataclasses import dataclass

from wadlib.unet.architecture import Architecture, lengths


@dataclass(frozen=True)
class Stage:
    """One tensor of a U-Net.

    Attributes
    ----------
    name : str
        Name of the Keras layer that computes it.
    kind : str
        ``input``, ``conv``, ``pool``, ``up`` (up-convolution), ``copy`` (what crosses the U, cropped),
        ``concat`` (copy and up, one behind the other) or ``logits``.
    level : int
        How often the picture has been halved to get here.
    shape : (height, width, channels)
    """

    name: str
    kind: str
    level: int
    shape: tuple[int, int, int]


def layer_shapes(architecture: Architecture) -> tuple[Stage, ...]:
    """Compute every tensor's shape, in the order of the layers, by formula (Ronneberger 2015, Fig 1).

    A valid 3x3 convolution takes 2 px from each side length, a same one takes none; pooling halves;
    an up-convolution doubles.

    Examples
    --------
    The network of the paper: 572x572 pixels in, 388x388 out.

    >>> from wadlib.unet.architecture import ronneberger
    >>> stages = layer_shapes(ronneberger())
    >>> [stage.shape[0] for stage in stages if stage.kind == "conv" and stage.name.startswith("down")]
    [570, 568, 282, 280, 138, 136, 66, 64]
    >>> stages[-1].shape
    (388, 388, 2)
    """
    rows, columns = (lengths(side, architecture) for side in architecture.input_shape[:2])
    height, width = dict(rows), dict(columns)  # a size that does not fit was refused by the Architecture
    return tuple(
        Stage(name, kind, level, (height[name], width[name], channels))
        for name, kind, level, channels in _plan(architecture)
    )


def output_window(architecture: Architecture) -> tuple[int, int, int, int]:
    """Find the part of the input that the output pixels stand for: (top, left, height, width) in pixels.

    With same convolutions that is all of it. Valid ones lose a frame; the target must be cropped to
    this window before it is compared with the output.

    Examples
    --------
    >>> from wadlib.unet.architecture import ronneberger
    >>> output_window(ronneberger())
    (92, 92, 388, 388)
    """
    height, width, _ = layer_shapes(architecture)[-1].shape
    if architecture.padding == "same":
        return 0, 0, height, width
    # The pixel that `copy` at the top level keeps first, seen from the input: two convolutions came
    # before it and two come after it, each shifts by one pixel.
    sizes = {stage.name: stage.shape for stage in layer_shapes(architecture)}
    top, left = (
        4 + (sizes["down0_conv2"][axis] - sizes["up0_copy"][axis]) // 2 if architecture.depth else 2 for axis in (0, 1)
    )
    return top, left, height, width


def receptive_interval(architecture: Architecture, at: int = 0) -> tuple[int, int]:
    """Find the first and last input row that output row `at` depends on (the same holds for columns).

    Backwards through the layers, as in Araujo, Norris and Sim, "Computing receptive fields of
    convolutional neural networks" (Distill, 2019), section "Computing the receptive field region":
    a 3x3 convolution turns rows [a, b] into [a - 1, b + 1], pooling into [2a, 2b + 1], and an
    up-convolution into [a / 2, b / 2], rounded. The rounding is why the answer depends on `at`.

    Returns
    -------
    (first, last) : int
        Inclusive; rows outside the image are padding.

    Examples
    --------
    >>> from wadlib.unet.architecture import Architecture
    >>> receptive_interval(Architecture((32, 32, 3), widths=(8, 16)), at=7)
    (-2, 15)
    """
    same = architecture.padding == "same"
    before, after = (1, 1) if same else (0, 2)  # what a 3x3 convolution adds, in the indices of its input
    crops = _crops(architecture)
    a, b = at, at  # no change by the 1x1 convolution
    skips = []
    for level in range(architecture.depth):  # down the right arm of the U
        a, b = a - 2 * before, b + 2 * after
        skips.append((a + crops[level], b + crops[level]))
        # Up-convolution, stride 2, kernel k: output row o comes from the rows i with 2i <= o <= 2i + k - 1.
        a, b = math.ceil((a - architecture.up_kernel + 1) / 2), b // 2
    a, b = a - 2 * before, b + 2 * after
    for level in reversed(range(architecture.depth)):  # up the left arm
        a, b = 2 * a, 2 * b + 1
        a, b = min(a, skips[level][0]), max(b, skips[level][1])
        a, b = a - 2 * before, b + 2 * after
    return a, b


def receptive_field(architecture: Architecture) -> int:
    """Compute the side, in input pixels, of the largest square that one output pixel sees.

    Examples
    --------
    One pixel through two 3x3 convolutions, and down and up once in between: in the worst place
    5 px -> 3 px -> 7 px -> 14 px -> 18 px.

    >>> from wadlib.unet.architecture import Architecture
    >>> receptive_field(Architecture((32, 32, 3), widths=(8, 16)))
    18
    """
    intervals = (receptive_interval(architecture, at) for at in range(2**architecture.depth))
    return max(last - first + 1 for first, last in intervals)


def _plan(architecture: Architecture) -> list[tuple[str, str, int, int]]:
    """(name, kind, level, channels) of every tensor, in the order of the layers."""
    widths, depth = architecture.widths, architecture.depth
    plan = [("input", "input", 0, architecture.input_shape[2])]
    for level in range(depth):
        plan += [(f"down{level}_conv{i}", "conv", level, widths[level]) for i in (1, 2)]
        plan += [(f"down{level}_pool", "pool", level + 1, widths[level])]
    plan += [(f"bottom_conv{i}", "conv", depth, widths[depth]) for i in (1, 2)]
    for level in reversed(range(depth)):
        plan += [
            (f"up{level}_upconv", "up", level, widths[level]),
            (f"up{level}_copy", "copy", level, widths[level]),
            (f"up{level}_concat", "concat", level, 2 * widths[level]),
            *((f"up{level}_conv{i}", "conv", level, widths[level]) for i in (1, 2)),
        ]
    return [*plan, ("logits", "logits", 0, architecture.classes)]


def _crops(architecture: Architecture) -> list[int]:
    """First row of the copy that is kept, per level."""
    rows = dict(lengths(architecture.input_shape[0], architecture))
    return [(rows[f"down{k}_conv2"] - rows[f"up{k}_copy"]) // 2 for k in range(architecture.depth)]
