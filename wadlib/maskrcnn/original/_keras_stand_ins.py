"""Keras 2.0.8 as the package `mrcnn` knew it, made of tf-keras in graph mode.

=====================================  ==============================================================
``KE.Layer``                           output gets the shape that ``compute_output_shape`` declares:
                                       Keras 2.0.8 believed the declaration, today's looks at the tensor
``KM.Model``                           losses and metrics may be appended, as old Keras allowed
``SGD(clipnorm=…)``                    ``global_clipnorm``: Keras 2.0.8 clipped the norm of all gradients
                                       together, today's ``clipnorm`` clips each variable for itself
``K.binary_crossentropy``              through the logit: today's adds its epsilon a second time, so that a
                                       pixel that is surely wrong costs 15.4 instead of 16.1
``fit_generator``                      ``fit`` in the calling thread: forked workers would share a session
``keras.engine.saving``                tf-keras' code for HDF5 files, given layers instead of a model
=====================================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

__all__ = ["Overlay", "stand_ins"]


class Overlay(ModuleType):
    """A module with some names replaced: what is not set here is looked up in the original."""

    def __init__(self, original: ModuleType, **replaced: Any) -> None:
        super().__init__(original.__name__, original.__doc__)
        self.__dict__.update(replaced)
        self.__dict__["_original"] = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def stand_ins(tf_keras: ModuleType) -> dict[str, Any]:
    """Make the modules of Keras 2.0.8 that `mrcnn` imports out of tf-keras, by name."""
    from tf_keras.src.saving.legacy import hdf5_format

    def of_layers(loader: Callable[..., Any]) -> Callable[..., Any]:
        """`loader(file, layers)` of old, on today's `loader(file, model)`."""

        def load(file: Any, layers: Any) -> None:
            layers = list(layers)
            loader(
                file,
                SimpleNamespace(
                    layers=layers,
                    _flatten_layers=lambda: iter(layers),
                    _trainable_weights=[],
                    _non_trainable_weights=[],
                ),
            )

        return load

    # The few names that `mrcnn` looks up in these modules; no other name is there, so that a missing one is noticed.
    saving = SimpleNamespace(
        load_weights_from_hdf5_group=of_layers(hdf5_format.load_weights_from_hdf5_group),
        load_weights_from_hdf5_group_by_name=of_layers(hdf5_format.load_weights_from_hdf5_group_by_name),
    )
    engine = SimpleNamespace(Layer=_layer(tf_keras), saving=saving)
    models = SimpleNamespace(Model=_model(tf_keras))
    data_utils = SimpleNamespace(get_file=tf_keras.utils.get_file)
    utils = SimpleNamespace(data_utils=data_utils)

    def sgd(lr: float, momentum: float, clipnorm: float) -> Any:
        return tf_keras.optimizers.legacy.SGD(learning_rate=lr, momentum=momentum, global_clipnorm=clipnorm)

    # The module itself, with today's classes where they still do what they did.
    keras = SimpleNamespace(
        __version__=tf_keras.__version__,
        backend=Overlay(tf_keras.backend, binary_crossentropy=_binary_crossentropy),
        layers=tf_keras.layers,
        engine=engine,
        models=models,
        utils=utils,
        regularizers=tf_keras.regularizers,
        callbacks=tf_keras.callbacks,
        optimizers=SimpleNamespace(SGD=sgd),
    )
    return {
        "keras": keras,
        "keras.backend": keras.backend,
        "keras.layers": keras.layers,
        "keras.engine": engine,
        "keras.models": models,
        "keras.utils": utils,
        "keras.utils.data_utils": data_utils,
    }


def _binary_crossentropy(target: Any, output: Any) -> Any:
    import tensorflow as tf

    epsilon = 1e-7
    output = tf.clip_by_value(output, epsilon, 1 - epsilon)
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=tf.math.log(output / (1 - output)))


def _layer(tf_keras: ModuleType) -> type:
    import tensorflow as tf

    class Layer(tf_keras.layers.Layer):  # type: ignore[misc,name-defined]
        """Base of the package's own layers: what `call` returns gets its declared shape."""

        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)
            plain_call = cls.call

            @tf.autograph.experimental.do_not_convert
            def call(self: Any, inputs: Any) -> Any:
                outputs = plain_call(self, inputs)
                declared = self.compute_output_shape([tf_keras.backend.int_shape(x) for x in inputs])
                if not isinstance(outputs, list):
                    return _reshaped(outputs, declared)
                return [_reshaped(output, shape) for output, shape in zip(outputs, declared, strict=True)]

            cls.call = call

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return None

    def _reshaped(tensor: Any, shape: tuple[Any, ...]) -> Any:
        # One size is left open: the batch.
        return tf.reshape(tensor, [-1 if size is None else int(size) for size in shape])

    return Layer


def _model(tf_keras: ModuleType) -> type:
    class Model(tf_keras.Model):  # type: ignore[misc,name-defined]
        """The functional model of old: `mrcnn` looks at the class name, and writes to its lists.

        Today's `add_loss` and `add_metric` would insert a layer for every operation between a weight
        and its penalty; here they note the tensor and no more.
        """

        uses_learning_phase = False

        @property
        def state_updates(self) -> list[Any]:
            return []  # no recurrent layers; tf-keras warns when it looks for them itself

        def add_loss(self, losses: Any, **options: Any) -> None:
            losses._unconditional_loss = True
            self._losses.append(losses)

        @property
        def metrics_names(self) -> list[str]:
            # A list that outlives the call: `compile` of mrcnn appends a name, then its tensor.
            self.__dict__["_last_names"] = super().metrics_names
            return self.__dict__["_last_names"]

        @property
        def metrics_tensors(self) -> Any:
            return SimpleNamespace(append=self._add_last_metric)

        def _add_last_metric(self, tensor: Any) -> None:
            metric = tf_keras.metrics.Mean(name=self.__dict__["_last_names"][-1])
            metric(tensor)
            self._metrics.append(metric)

        def fit_generator(self, generator: Any, **options: Any) -> Any:
            options.update(workers=0, use_multiprocessing=False)
            return self.fit(generator, **options)

    return Model
