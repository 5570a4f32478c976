"""The modules of the original `mrcnn`, with a TensorFlow graph and session for each network."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from types import SimpleNamespace
from typing import Any

from wadlib.maskrcnn.original import _stand_ins

__all__ = ["modules"]

_OF_MODEL = (
    "detect",
    "detect_molded",
    "load_weights",
    "compile",
    "set_trainable",
    "train",
    "ancestor",
    "get_trainable_layers",
    "run_graph",
)
_OF_KERAS_MODEL = (
    "fit",
    "get_weights",
    "load_weights",
    "predict",
    "predict_on_batch",
    "save_weights",
    "set_weights",
    "summary",
    "test_on_batch",
    "train_on_batch",
)


@cache
def modules() -> SimpleNamespace:
    """Load the original package, once per process: ``.config``, ``.utils`` and ``.model``.

    They are not in ``sys.modules``: ``import mrcnn`` elsewhere means what it meant before. `MaskRCNN` takes one
    argument more than in 2018, ``seed`` (of the initial weights and of the draws), and three members more: ``scope()``,
    a context in which the graph is the default one (``keras_model.get_layer(…).get_weights()`` wants it),
    ``run(tensors, inputs)``, and ``close()``.

    Raises
    ------
    WadError
        `mrcnn` or tf-keras is missing, or has a version that was not tested.
    """
    loaded = _stand_ins.load()
    loaded.model.MaskRCNN = _with_own_graph(loaded.model.MaskRCNN, loaded.backend)
    return loaded


def _with_own_graph(base: Any, backend: Any) -> Any:
    """`MaskRCNN` with a graph and a session to itself, entered by each of its methods."""

    class MaskRCNN(base):  # type: ignore[misc]
        __doc__ = base.__doc__

        def __init__(self, mode: str, config: Any, model_dir: str, seed: int = 0) -> None:
            import tensorflow as tf

            self._graph = tf.Graph()
            self._session = tf.compat.v1.Session(graph=self._graph)
            with self.scope(), _seeded(backend, seed):
                tf.compat.v1.set_random_seed(seed)
                super().__init__(mode, config, model_dir)
            for name in _OF_KERAS_MODEL:
                self.keras_model.__dict__[name] = _inside(getattr(self.keras_model, name), self.scope)

        @contextmanager
        def scope(self) -> Iterator[None]:
            """Make this network's graph and session the default ones."""
            with self._graph.as_default(), self._session.as_default(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"tf_keras\.")
                yield

        def run(self, tensors: Any, inputs: Sequence[Any] = ()) -> Any:
            """Values of tensors of the graph (a list or dict of them) for inputs of ``keras_model``."""
            with self.scope():
                session = backend.get_session()  # gives variables that have none their initial values
                return session.run(tensors, dict(zip(self.keras_model.inputs, inputs, strict=False)))

        def close(self) -> None:
            """Free the session; the network cannot be used afterwards."""
            self._session.close()

    for name in _OF_MODEL:
        setattr(MaskRCNN, name, _method_inside(getattr(base, name)))
    return MaskRCNN


@contextmanager
def _seeded(backend: Any, seed: int) -> Iterator[None]:
    """Let the initial weights follow from `seed`, and nothing else in the process."""
    before = getattr(backend._SEED_GENERATOR, "generator", None)
    backend._SEED_GENERATOR.generator = random.Random(seed)
    try:
        yield
    finally:
        backend._SEED_GENERATOR.generator = before


def _inside(function: Callable[..., Any], scope: Callable[[], Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        with scope():
            return function(*args, **options)

    return call


def _method_inside(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *args: Any, **options: Any) -> Any:
        with self.scope():
            return method(self, *args, **options)

    return call
