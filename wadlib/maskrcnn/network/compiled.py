"""A Keras model as a compiled function whose results stay on the device, on each of the three backends."""

from collections.abc import Callable
from typing import Any

import keras


def compiled(model: keras.Model) -> Callable[[dict[str, Any]], Any]:
    """Compile a model for inference.

    Parameters
    ----------
    model : keras.Model
        With a dict of inputs.

    Returns
    -------
    function
        From the dict of inputs to the model's results, tensors of the backend. It reads the weights anew each time,
        so it may be kept while the model is trained.

    Notes
    -----
    `keras.Model.predict` copies all results to the host and on TensorFlow may choose XLA, which has no kernel for
    non-maximum suppression.
    """
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()](model)
    return lambda inputs: run({name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()})


def _tensorflow(model: keras.Model) -> Callable[[dict[str, Any]], Any]:
    import tensorflow as tf

    function = tf.function(lambda inputs: model(inputs, training=False), autograph=False)
    traces: dict[Any, Any] = {}  # by batch size; kept here, as TensorFlow warns of many functions from one line

    def call(inputs: dict[str, Any]) -> Any:
        sizes = tuple(value.shape[0] for value in inputs.values())
        if sizes not in traces:
            specs = {name: tf.TensorSpec(value.shape, value.dtype) for name, value in inputs.items()}
            traces[sizes] = function.get_concrete_function(specs)
        return traces[sizes](inputs)

    return call


def _jax(model: keras.Model) -> Callable[[dict[str, Any]], Any]:
    import jax

    @jax.jit
    def run(trainable: list[Any], fixed: list[Any], inputs: dict[str, Any]) -> Any:
        return model.stateless_call(trainable, fixed, inputs, training=False)[0]

    def call(inputs: dict[str, Any]) -> Any:
        weights = ([v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables))
        return run(*weights, inputs)

    return call


def _torch(model: keras.Model) -> Callable[[dict[str, Any]], Any]:
    import torch

    def call(inputs: dict[str, Any]) -> Any:
        with torch.inference_mode():
            return model(inputs, training=False)

    return call
