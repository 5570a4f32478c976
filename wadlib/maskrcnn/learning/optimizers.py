r"""SGD and Adam that add the gradient of the weight penalty themselves, one weight after the other.

The penalty of `weight_penalty` is part of the loss, and its gradient is known in closed form:

.. math:: \frac{\partial}{\partial w_i} \frac{\lambda}{|w|} \sum_j w_j^2 = \frac{2 \lambda}{|w|} w_i

Left to automatic differentiation on TensorFlow, these gradients (and for the momentum a product as large) are computed
before the first convolution, as nothing holds them up, and are kept until the last: twice the memory of the weights.
"""

import math
from typing import Any

import keras
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.layers import when_needed


def weight_penalty(variables: list[Any], decay: float) -> Any:
    r"""Compute the L2 penalty of kernels and biases, as the original has it.

    .. math:: \lambda \sum_w \frac{1}{|w|} \sum_i w_i^2

    Each weight tensor is divided by its number of elements, so a small one counts as much as a large one. The gamma
    and beta of a normalisation are left out: they should not be pulled to zero.
    """
    terms = [
        ops.sum(ops.square(variable)) / math.prod(variable.shape) for variable in variables if _is_penalized(variable)
    ]
    return decay * sum(terms, start=ops.zeros(()))


def _is_penalized(variable: Any) -> bool:
    return variable.name not in ("gamma", "beta")


class Penalized:
    """Mixin of optimizers: adds the gradient of `weight_penalty`, before the gradients are limited.

    Attributes
    ----------
    decay : float
        Lambda of the penalty.
    """

    decay = 0.0

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Take a step as Keras does; `grads` are those of the loss without the penalty."""
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)  # type: ignore[attr-defined]
        grads = [self._with_penalty(gradient, variable) for gradient, variable in zip(grads, variables, strict=True)]
        super().apply(grads, trainable_variables)  # type: ignore[misc]

    def _with_penalty(self, gradient: Any, variable: Any) -> Any:
        if not _is_penalized(variable) or not self.decay:
            return gradient
        share = 2 * self.decay / math.prod(variable.shape)
        if gradient is None:  # a weight that this batch's loss does not depend on
            return variable * share
        with when_needed(gradient):
            return gradient + variable * share


class Momentum(Penalized, keras.optimizers.SGD):
    r"""SGD with momentum: :math:`m \leftarrow \beta m - \eta g`, then :math:`w \leftarrow w + m`."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Take a step as Keras does, but on TensorFlow in place."""
        if keras.backend.backend() != "tensorflow" or not self.momentum:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.momentums[self._get_variable_index(variable)].value.handle,
            lr=learning_rate,
            grad=gradient,
            momentum=self.momentum,
        )


class PenalizedAdam(Penalized, keras.optimizers.Adam):
    """Adam, with the penalty."""


def optimizer(config: Config, learning_rate: float | None = None) -> keras.optimizers.Optimizer:
    """Make SGD with momentum or adam, with the norm of all gradients together limited to `Config.clip_norm`.

    It adds the gradient of the weight penalty, which `TrainingModel` therefore leaves out.
    """
    rate = config.learning_rate if learning_rate is None else learning_rate
    made: Any
    if config.optimizer == "adam":
        made = PenalizedAdam(rate, global_clipnorm=config.clip_norm, name="adam")
    else:
        made = Momentum(rate, momentum=config.momentum, global_clipnorm=config.clip_norm, name="sgd")
    made.decay = config.weight_decay
    return made  # type: ignore[no-any-return]
