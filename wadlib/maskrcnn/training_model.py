"""The network as `keras.Model.fit` wants it: ground truth among the inputs, losses computed inside.

Nothing here is bound to a backend: `compute_loss` is all that is overridden, so `fit`, `train_on_batch` and
`wadlib.training.fit` work on TensorFlow, JAX and PyTorch alike.
"""

from __future__ import annotations

import math
import re
from typing import Any

import keras
from keras import ops

from wadlib.errors import TrainingError
from wadlib.maskrcnn.config import Config

__all__ = ["LAYER_SETS", "TrainingModel", "optimizer", "select_layers", "weight_penalty"]

_HEADS = r"(mrcnn_.*)|(rpn_.*)|(fpn_.*)"

LAYER_SETS: dict[str, str] = {
    "heads": _HEADS,
    "5+": rf"(res5.*)|(bn5.*)|{_HEADS}",
    "4+": rf"(res[45].*)|(bn[45].*)|{_HEADS}",
    "3+": rf"(res[345].*)|(bn[345].*)|{_HEADS}",
    "all": ".*",
}
"""Names of the layers that a stage of training changes: everything but the backbone, from a stage of it up, all."""


def weight_penalty(variables: list[Any], decay: float) -> Any:
    r"""L2 penalty of kernels and biases, as the original has it.

    .. math:: \lambda \sum_w \frac{1}{|w|} \sum_i w_i^2

    Each weight tensor is divided by its number of elements, so a small one counts as much as a large one. The gamma
    and beta of a normalisation are left out: they should not be pulled to zero.
    """
    terms = [
        ops.sum(ops.square(variable)) / math.prod(variable.shape)
        for variable in variables
        if variable.name not in ("gamma", "beta")
    ]
    return decay * sum(terms, start=ops.zeros(()))


def optimizer(config: Config, learning_rate: float | None = None) -> keras.optimizers.Optimizer:
    """SGD with momentum or adam, with the norm of all gradients together limited to `Config.clip_norm`."""
    rate = config.learning_rate if learning_rate is None else learning_rate
    if config.optimizer == "adam":
        return keras.optimizers.Adam(rate, global_clipnorm=config.clip_norm)
    return keras.optimizers.SGD(rate, momentum=config.momentum, global_clipnorm=config.clip_norm)


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
    """Picture and ground truth in, five losses out; see `wadlib.maskrcnn.graph.Graph.losses`.

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
        """Weighted sum of the five losses plus the weight penalty, and their running means."""
        total = weight_penalty(self.trainable_variables, self.config.weight_decay)
        for name, weight in self.config.loss_weights.items():
            value = weight * y_pred[name]
            self.trackers[name].update_state(value)
            total = total + value
        return total
