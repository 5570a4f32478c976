"""What a U-Net does while it is trained: callbacks for `wadlib.unet.train_unet` that add columns to the log."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.labels import TABLE
from wadlib.training import Batch, gradient_norms
from wadlib.training.loop import Callback, EpochEnd
from wadlib.unet.recipes import Recipe


def channel_names(recipe: Recipe) -> list[str]:
    """Name each channel of the network, background first.

    Examples
    --------
    >>> from wadlib.unet.recipes import recipe
    >>> channel_names(recipe("attempt2"))
    ['background', 'car']
    """
    names = {row.id: row.name for row in TABLE}
    by_channel = {channel: names[class_id] for class_id, channel in recipe.table.items()}
    return ["background", *(by_channel[channel] for channel in range(1, recipe.architecture.classes))]


def watch_gradients(batch: Batch) -> Callback:
    """Add columns ``gradient/<layer>``: norm of the loss's gradient for each layer, in one batch."""

    def callback(end: EpochEnd) -> dict[str, float]:
        norms = gradient_norms(end.model, batch.x, batch.y, batch.weight)
        return {f"gradient/{layer}": norm for layer, norm in norms.items()}

    return callback


def class_softmax(
    found: npt.NDArray[np.floating[Any]], target: npt.NDArray[np.integer[Any]], names: Sequence[str]
) -> dict[str, float]:
    """Compute the mean probability of each class at the pixels that are of that class.

    Parameters
    ----------
    found : (B,h,w,C) probabilities, of `wadlib.unet.prediction.probabilities`
    target : (B,h,w) channels
    names : (C,) one for each channel

    Returns
    -------
    dict[str, float]
        Class -> mean; only for those that `target` holds.

    Examples
    --------
    >>> found = np.array([[[[0.75, 0.25], [0.5, 0.5]]]])
    >>> class_softmax(found, np.array([[[0, 0]]]), ["background", "car"])
    {'background': 0.625}
    """
    return {
        name: float(found[target == channel][:, channel].mean())
        for channel, name in enumerate(names)
        if (target == channel).any()
    }
