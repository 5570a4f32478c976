"""The region proposal network where its losses look: at 256 anchors of 132,990.

Training needs the network's outputs twice, and for very different numbers of anchors:

- proposals are chosen from *all* anchors (132,990 for the report), but no gradient flows through the choice;
- the losses look at 256 anchors per picture (and, with `Config.proposal_gradient`, at those that became RoIs on
  objects), and only these need a gradient.

`patches_around` cuts out the 3x3 cells that each of the 256 depends on. The same model applied to the patches gives
the same 256 outputs, and the way back costs a twentieth of the way back through all cells.
"""

from typing import Any

import keras
from keras import ops

from wadlib.maskrcnn.config import Config


def sampled_anchors(match: Any, config: Config) -> tuple[Any, Any]:
    """Find the anchors that take part in the losses.

    Parameters
    ----------
    match : (B, A) int
        1 on an object, -1 not, 0 takes no part.

    Returns
    -------
    match : (B, n) int32, n = `Config.rpn_train_anchors`
        The entries that are not 0, in their order; 0 where there are fewer.
    anchors : (B, n) int32
        Their places.
    """
    match = ops.cast(match, "int32")
    _, anchors = ops.top_k(ops.cast(ops.abs(match), "float32"), min(config.rpn_train_anchors, match.shape[1]))
    anchors = ops.sort(ops.cast(anchors, "int32"), axis=1)  # (B, n)
    return ops.take_along_axis(match, anchors, axis=1), anchors


def patches_around(anchors: Any, *levels: Any, config: Config) -> tuple[Any, Any]:
    """Cut out the 3x3 cells around some anchors: all that the network's outputs for them depend on.

    Parameters
    ----------
    anchors : (B, n) int
        Places in the order of `wadlib.maskrcnn.network.rpn.rpn_on_pyramid`, with `Config.anchor_stride` 1.
    levels : P2 … P6

    Returns
    -------
    ratio : (B, n) int32
        Which of the anchors of its cell each one is.
    patches : (B, n, 9, C)
        Cells outside of the level are 0, as the convolution's padding has it.
    """
    ratios = len(config.anchor_ratios)
    cells = anchors // ratios  # (B, n)
    row_steps, column_steps = (ops.convert_to_tensor([-1, 0, 1], "int32") for _ in range(2))
    picture = ops.arange(ops.shape(anchors)[0], dtype="int32")[:, None, None]  # (B, 1, 1)

    patches, start = None, 0
    for level in levels:
        height, width, channels = level.shape[1:]
        cell = cells - start  # (B, n), on this level if 0 … height * width - 1
        here = ops.logical_and(cell >= 0, cell < height * width)
        rows = ops.repeat((cell // width)[..., None] + row_steps, 3, axis=-1)  # (B, n, 9): -1 -1 -1 0 0 0 1 1 1
        columns = ops.tile((cell % width)[..., None] + column_steps, (1, 1, 3))  # (B, n, 9): -1 0 1 -1 0 1 -1 0 1
        inside = ops.logical_and(_within(rows, height), _within(columns, width))
        known = ops.logical_and(here[..., None], inside)
        place = ops.where(known, (picture * height + rows) * width + columns, 0)
        found = ops.take(ops.reshape(level, (-1, channels)), place, axis=0)  # (B, n, 9, C)
        found = found * ops.cast(known, found.dtype)[..., None]
        patches = found if patches is None else patches + found
        start += height * width
    return anchors % ratios, patches


def outputs_of_patches(model: keras.Model, ratio: Any, patches: Any, config: Config) -> tuple[Any, Any]:
    """Apply the network to the patches of `patches_around`.

    Returns
    -------
    logits (B, n, 2), deltas (B, n, 4)
    """
    count, ratios = patches.shape[1], len(config.anchor_ratios)
    logits, _, deltas = model(ops.reshape(patches, (-1, 3, 3, patches.shape[-1])))

    def centre(values: Any) -> Any:  # (B * n, 9 * ratios, k) -> (B, n, k)
        grid = ops.reshape(values, (-1, count, 9, ratios, values.shape[-1]))
        own = ops.one_hot(ratio, ratios, dtype="float32")[..., None]  # (B, n, ratios, 1)
        return ops.sum(grid[:, :, 4] * own, axis=2)

    return centre(logits), centre(deltas)


def _within(places: Any, size: int) -> Any:
    return ops.logical_and(places >= 0, places < size)
