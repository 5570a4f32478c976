"""The network as `keras.Model.fit` wants it: ground truth among the inputs, losses computed inside.

Nothing here is bound to a backend: `compute_loss` is all that is overridden, so `fit`, `train_on_batch` and
`wadlib.training.fit` work on TensorFlow, JAX and PyTorch alike.
"""

import re
from typing import Any

import keras
from keras import ops

from wadlib.errors import TrainingError
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.learning.optimizers import Penalized, weight_penalty

_HEADS = r"(mrcnn_.*)|(rpn_.*)|(fpn_.*)"

LAYER_SETS: dict[str, str] = {
    "heads": _HEADS,
    "5+": rf"(res5.*)|(bn5.*)|{_HEADS}",
    "4+": rf"(res[45].*)|(bn[45].*)|{_HEADS}",
    "3+": rf"(res[345].*)|(bn[345].*)|{_HEADS}",
    "all": ".*",
}
"""Names of the layers that a stage of training changes: everything but the backbone, from a stage of it up, all."""


def select_layers(layers: dict[str, keras.layers.Layer], which: str) -> None:
    """Let the layers with these names learn, and freeze the others.

    Parameters
    ----------
    layers : name -> layer
    which : str
        A key of `LAYER_SETS`, or a regular expression that must match the whole name.

    Raises
    ------
    TrainingError
        Where no layer has such a name.
    """
    pattern = re.compile(LAYER_SETS.get(which, which))
    chosen = {name for name in layers if pattern.fullmatch(name)}
    if not chosen:
        raise TrainingError(
            f"select_layers: expected the names of some layers, got {which!r}",
            cause="a typing slip, or a regular expression that matches only a part of each name",
            fix=f"use one of {', '.join(LAYER_SETS)}, or a regular expression for whole names like 'mrcnn_.*'",
        )
    for name, layer in layers.items():
        layer.trainable = name in chosen


class TrainingModel(keras.Model):
    """Picture and ground truth in, five losses out; see `wadlib.maskrcnn.learning.forward.training_pass`.

    Its metrics are ``loss`` and the five losses under their names, each times its weight: with the weight penalty
    they add up to ``loss``.

    Parameters
    ----------
    inputs, outputs : dict of symbolic tensors
    config : Config
    """

    def __init__(self, inputs: dict[str, Any], outputs: dict[str, Any], config: Config) -> None:
        super().__init__(inputs=inputs, outputs=outputs, name="training")
        self.config = config
        self.trackers = {name: keras.metrics.Mean(name=name) for name in outputs}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Add up the weighted losses and the weight penalty, and keep their running means."""
        total = weight_penalty(self.trainable_variables, self.config.weight_decay)
        if isinstance(self.optimizer, Penalized):
            total = ops.stop_gradient(total)  # the optimizer adds its gradient
        for name, weight in self.config.loss_weights.items():
            value = weight * y_pred[name]
            self.trackers[name].update_state(value)
            total = total + value
        return total
