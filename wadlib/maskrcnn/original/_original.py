"""The modules of the original `mrcnn`, and its network with what a comparison needs: stages, losses, steps, weights.

Each network has a TensorFlow graph and a session for itself.
"""

import random
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import cache, wraps
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np

from wadlib._shared.files import atomic_path
from wadlib.errors import ImageError, SegmentationError, WeightsError
from wadlib.maskrcnn.original import _stand_ins

LOSSES = ("rpn_class_loss", "rpn_bbox_loss", "mrcnn_class_loss", "mrcnn_bbox_loss", "mrcnn_mask_loss")

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


class Original:
    """The original network, with what a comparison needs. Made by `original`.

    A context manager: leaving it frees the session.

    Attributes
    ----------
    network : `mrcnn`'s MaskRCNN
    config : its configuration
    mode : ``training`` or ``inference``
    """

    def __init__(
        self,
        config: Any,
        mode: str,
        model_dir: str | Path | None = None,
        *,
        seed: int = 0,
        shuffle: Callable[[Any], Any] | None = None,
    ) -> None:
        if mode not in ("training", "inference"):
            raise SegmentationError(
                f"original: expected mode training or inference, got {mode!r}",
                cause="a typing slip",
                fix='original(config, mode="training")',
            )
        self._cleanup = ExitStack()
        if model_dir is None:
            model_dir = self._cleanup.enter_context(tempfile.TemporaryDirectory())
        self.config, self.mode = config, mode
        mrcnn = modules()
        if shuffle is not None:
            mrcnn.tf.random_shuffle = shuffle
        try:
            self.network = mrcnn.model.MaskRCNN(mode, config, str(model_dir), seed=seed)
        finally:
            mrcnn.tf.__dict__.pop("random_shuffle", None)
        self._cleanup.callback(self.network.close)
        self._compiled_for: tuple[str, float] | None = None

    # --- inference -------------------------------------------------------------------------------

    def detect(self, images: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Find instances, the original's way.

        Parameters
        ----------
        images : sequence of (H, W, 3) uint8 RGB
            All of one size; H and W multiples of 64 where the configuration does not resize.

        Returns
        -------
        list of dict, one per picture
            ``rois`` (N,4) int32 pixels y1,x1,y2,x2 half-open, ``class_ids`` (N,) int32 inside the network,
            ``scores`` (N,) float32, ``masks`` (H,W,N) bool.
        """
        images = self._checked(images)
        size = self.config.BATCH_SIZE
        found: list[dict[str, np.ndarray]] = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            full = batch + batch[-1:] * (size - len(batch))  # the last batch is filled up with its last picture
            found += self.network.detect(full)[: len(batch)]
        return found

    def intermediate(self, names: Iterable[str], images: Sequence[np.ndarray]) -> dict[str, Any]:
        """Compute the outputs of named layers for pictures.

        Parameters
        ----------
        names : layer names
            Such as ``res2c_out`` … ``res5c_out``, ``fpn_p2`` … ``fpn_p6``, ``rpn_class``, ``rpn_bbox``,
            ``ROI``, ``roi_align_classifier``, ``mrcnn_class_logits``, ``mrcnn_class``, ``mrcnn_bbox``,
            ``mrcnn_detection``, ``roi_align_mask``, ``mrcnn_mask``.
        images : as for `detect`, as many as the configuration's batch

        Returns
        -------
        dict of name -> array (batch first)
        """
        return self.outputs(names, self.molded(images))

    def molded(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Turn pictures into the network's three inputs: molded pictures, their metas, normalised anchors."""
        molded, metas, _ = self.network.mold_inputs(self._checked(images))
        anchors = self.network.get_anchors(molded[0].shape)
        return [molded, metas, np.broadcast_to(anchors, (len(molded), *anchors.shape))]

    def _checked(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        for image in images:
            shape = np.shape(image)
            fits = self.config.IMAGE_RESIZE_MODE != "none" or (shape[0] % 64 == 0 and shape[1] % 64 == 0)
            if len(shape) != 3 or shape[2] != 3 or not fits:
                raise ImageError(
                    f"original: expected pictures (H, W, 3) with H and W multiples of 64, got {shape}",
                    cause="a grey picture, or one that was not cropped for the network",
                    fix="wadlib.preprocess.crop_and_downscale(image) gives 640x832",
                )
        return list(images)

    # --- any layer -------------------------------------------------------------------------------

    def outputs(self, names: Iterable[str], inputs: Sequence[np.ndarray]) -> dict[str, Any]:
        """Compute the outputs of named layers for inputs as the network takes them.

        Parameters
        ----------
        names : layer names
        inputs : one array per ``network.keras_model.inputs``
            Inference: pictures, metas, anchors. Training: pictures, metas, rpn_match (B,A,1), rpn_bbox
            (B,``RPN_TRAIN_ANCHORS_PER_IMAGE``,4), gt_class_ids (B,M), gt_boxes (B,M,4) in pixels, gt_masks
            (B,56,56,M) bool; as `mrcnn.model.data_generator` yields them.

        Returns
        -------
        dict of name -> array, or list of arrays for a layer of several outputs
        """
        model = self.network.keras_model
        known = {layer.name: layer for layer in model.layers}
        names = list(names)
        if unknown := [name for name in names if name not in known]:
            raise SegmentationError(
                f"outputs: expected names of layers of the {self.mode} network, got {', '.join(unknown)}",
                cause="a typing slip, or a layer of the other mode",
                fix="[layer.name for layer in original.network.keras_model.layers] lists them",
            )
        expected = len(model.inputs)
        if len(inputs) != expected:
            raise SegmentationError(
                f"outputs: expected {expected} inputs in {self.mode} mode, got {len(inputs)}",
                cause="inputs of the other mode",
                fix=", ".join(tensor.name.partition(":")[0] for tensor in model.inputs),
            )
        return self.network.run({name: known[name].output for name in names}, inputs)

    def losses(self, inputs: Sequence[np.ndarray]) -> dict[str, float]:
        """Compute the five losses, unweighted, without learning (training mode)."""
        self._expect_training()
        return {name: float(value) for name, value in self.outputs(LOSSES, inputs).items()}

    def train_step(
        self, inputs: Sequence[np.ndarray], learning_rate: float | None = None, layers: str = ".*"
    ) -> dict[str, float]:
        """Learn from one batch.

        Parameters
        ----------
        inputs : as for `outputs`
        learning_rate : default: the configuration's
        layers : regular expression of the names of the layers that learn

        Returns
        -------
        dict
            The five losses before the step, each times its weight, and ``loss``: their sum and the L2 penalty.
        """
        self._expect_training()
        settings = (layers, self.config.LEARNING_RATE if learning_rate is None else learning_rate)
        if settings != self._compiled_for:
            # A new optimizer, as in `train`, which is at rest.
            with redirect_stdout(None):  # it lists the layers of the RPN whatever it is told
                self.network.set_trainable(layers, verbose=0)
            self.network.compile(settings[1], self.config.LEARNING_MOMENTUM)
            self._compiled_for = settings
        model = self.network.keras_model
        values = model.train_on_batch(list(inputs))
        return {name: float(value) for name, value in zip(model.metrics_names, values, strict=True)}

    def forget(self) -> None:
        """Bring the optimizer to rest: no momentum of earlier steps is left."""
        if self._compiled_for is not None:
            with self.network.scope():
                state = self.network.keras_model.optimizer.weights
                modules().backend.batch_set_value([(v, np.zeros(v.shape)) for v in state])

    def momenta(self) -> dict[str, list[np.ndarray]]:
        """Read the optimizer's memory of earlier steps: for each weight that learns, in the order of `weights`."""
        with self.network.scope():
            optimizer, model = self.network.keras_model.optimizer, self.network.keras_model
            learning = {id(weight) for weight in model.trainable_weights}
            slots = {
                name: [optimizer.get_slot(weight, "momentum") for weight in layer.weights if id(weight) in learning]
                for name, layer in self._layers().items()
            }
        return self.network.run(slots)

    def _expect_training(self) -> None:
        if self.mode != "training":
            raise SegmentationError(
                f"original: expected a network in training mode, got {self.mode}",
                cause="losses and targets are part of the training network only",
                fix='original(config, mode="training")',
            )

    # --- weights ---------------------------------------------------------------------------------

    def _layers(self) -> dict[str, Any]:
        """Layers that hold weights, by name; those of the nested RPN among them."""
        found = {}
        stack = list(self.network.keras_model.layers)[::-1]
        while stack:
            layer = stack.pop()
            if type(layer).__name__ == "Model":
                stack += layer.layers[::-1]
            elif layer.weights:
                found[layer.name] = layer
        return found

    def weights(self) -> dict[str, list[np.ndarray]]:
        """Read all weights: layer name -> arrays in the layer's order (kernel, bias; gamma, beta, mean, variance)."""
        return self.network.run({name: layer.weights for name, layer in self._layers().items()})

    def set_weights(self, weights: Mapping[str, Sequence[np.ndarray]]) -> None:
        """Set the weights of the layers that are named; others keep theirs.

        Raises
        ------
        WeightsError
            A layer that does not exist, or arrays of other shapes.
        """
        layers = self._layers()
        for name, arrays in weights.items():
            expected = [tuple(w.shape) for w in layers[name].weights] if name in layers else "a layer of the network"
            if expected != [np.shape(array) for array in arrays]:
                raise WeightsError(
                    f"set_weights: expected {expected} for {name}, got {[np.shape(array) for array in arrays]}",
                    cause="weights of another configuration",
                    fix="build the network with the configuration that the weights were made for",
                )
        pairs = [pair for name, arrays in weights.items() for pair in zip(layers[name].weights, arrays, strict=True)]
        with self.network.scope():  # all at once: each call adds to the graph
            modules().backend.batch_set_value(pairs)

    def save(self, path: str | Path) -> None:
        """Write the weights as the original does: HDF5, a group per layer. Whole or not at all."""
        with atomic_path(Path(path)) as temporary:
            # tf-keras chooses the format by the end of the name.
            self.network.keras_model.save_weights(str(temporary), save_format="h5")

    def load(self, path: str | Path, exclude: Sequence[str] = ()) -> None:
        """Read weights by layer name; what the file does not have keeps its values, as in the original."""
        if not Path(path).is_file():
            raise WeightsError(
                f"load: expected a file of weights, got {path}",
                cause="a typing slip, or the file was not downloaded",
                fix="wadlib.maskrcnn.weights.fetch('coco') downloads the COCO weights",
            )
        self.network.load_weights(str(path), by_name=True, exclude=list(exclude) or None)

    # --- end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Free the session and the folder that was made for it."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# --- a graph and a session for each network -----------------------------------------------------------


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
