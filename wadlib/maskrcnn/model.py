"""Mask R-CNN: one object that detects, learns, and shows what is inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.learning.forward import training_pass
from wadlib.maskrcnn.learning.optimizers import optimizer
from wadlib.maskrcnn.learning.training_model import TrainingModel, select_layers
from wadlib.maskrcnn.network.compiled import compiled
from wadlib.maskrcnn.network.mask_rcnn import Network

if TYPE_CHECKING:
    from wadlib.instances import Instances
    from wadlib.maskrcnn.weights import LoadReport


class MaskRCNN:
    """A Mask R-CNN with random weights; `load` or `train_on` give it better ones.

    Parameters
    ----------
    config : Config

    Examples
    --------
    >>> model = MaskRCNN(Config.classroom())                               # doctest: +SKIP
    >>> model.load("rendered")                                  # doctest: +SKIP
    >>> model.detect([image])[0].to_label()                            # doctest: +SKIP
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.network = Network(config)
        self._inputs, self._tensors = {"image": self.network.image, "window": self.network.window}, self.network.tensors
        self._mask_functions: dict[int, Callable[[dict[str, Any]], Any]] = {}
        self._other_sizes: dict[tuple[int, int], MaskRCNN] = {}

    # --- models ----------------------------------------------------------------------------------

    @cached_property
    def inference_model(self) -> keras.Model:
        """From ``image`` and ``window`` to the seven results of the original, by name."""
        names = {
            "detections": "mrcnn_detection",
            "mrcnn_class": "mrcnn_class",
            "mrcnn_bbox": "mrcnn_bbox",
            "mrcnn_mask": "mrcnn_mask",
            "rpn_rois": "rpn_rois",
            "rpn_class": "rpn_class",
            "rpn_bbox": "rpn_bbox",
        }
        return keras.Model(
            self._inputs, {name: self._tensors[inner] for name, inner in names.items()}, name="mask_rcnn"
        )

    @cached_property
    def training_model(self) -> TrainingModel:
        """From pictures and ground truth to the losses; compiled by `compile`, or as `Config` says when first used."""
        return TrainingModel(*training_pass(self.network), self.config)

    @cached_property
    def layers(self) -> dict[str, keras.layers.Layer]:
        """All layers with weights by name, in the order of the graph; those of the RPN among them."""
        found: dict[str, keras.layers.Layer] = {}
        for layer in self.inference_model.layers:
            inner = layer.layers if isinstance(layer, keras.Model) else [layer]
            found |= {part.name: part for part in inner if part.weights}
        return found

    def weights_by_layer(self) -> dict[str, list[Any]]:
        """List the variables of each layer as the original's files do: kernel, bias; gamma, beta, mean, variance."""
        return {name: list(layer.weights) for name, layer in self.layers.items()}

    # --- detection -------------------------------------------------------------------------------

    def detect(self, images: Iterable[npt.NDArray[np.uint8]], batch_size: int = 1) -> list[Instances]:
        """Find the objects in pictures of any size.

        Parameters
        ----------
        images : iterable of (H, W, 3) uint8 RGB
            Also grey, RGBA or floating point, see `wadlib.maskrcnn.frames.images.as_rgb`.
        batch_size : int
            Pictures that go through the network at once.

        Returns
        -------
        list of Instances, one per picture, in the picture's own pixels.
        """
        from wadlib.maskrcnn.inference import detect

        return detect(self, images, batch_size=batch_size)

    def forward(
        self, images: npt.NDArray[np.float32], windows: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Compute detections and their masks; the mask head runs on what was detected, not on empty rows.

        Parameters
        ----------
        images : (B, H, W, 3) float32
            At `Config.image_shape`, mean subtracted; or of any other size in multiples of 64.
        windows : (B, 4) float32 normalised
            The part of each input that is picture and not padding.

        Returns
        -------
        detections : (B, max_instances, 6) float32
            See `wadlib.maskrcnn.network.detections.refine`.
        masks : (B, n, 28, 28) float32
            Probabilities for the class of each of the first n detections; no picture has more than n.
        """
        shape = np.shape(images)[1:3]
        if shape != self.config.image_shape:
            return self._of_size(shape).forward(images, windows)
        found = self._detect_function(
            {"image": np.asarray(images, np.float32), "window": np.asarray(windows, np.float32)}
        )
        detections = keras.ops.convert_to_numpy(found["mrcnn_detection"])
        most = int((detections[..., 4] > 0).sum(axis=1).max(initial=0))
        if most == 0:
            return detections, np.zeros((len(detections), 0, *self.config.mask_shape), np.float32)
        count = min(_rounded_up(most), self.config.max_instances)
        levels = {name: found[name] for name in ("P2", "P3", "P4", "P5")}
        masks = self._mask_function(count)({"detections": detections[:, :count], **levels})
        return detections, keras.ops.convert_to_numpy(masks)[:, :most]

    def _of_size(self, shape: tuple[int, int]) -> MaskRCNN:
        """The same network for inputs of another size, with the weights of now: all it differs in are the anchors."""
        if shape not in self._other_sizes:
            self._other_sizes[shape] = MaskRCNN(self.config.replace(image_shape=shape))
        other = self._other_sizes[shape].layers
        for name, layer in self.layers.items():
            other[name].set_weights(layer.get_weights())
        return self._other_sizes[shape]

    @cached_property
    def _detect_function(self) -> Callable[[dict[str, Any]], Any]:
        names = ("P2", "P3", "P4", "P5", "mrcnn_detection")
        return compiled(keras.Model(self._inputs, {name: self._tensors[name] for name in names}, name="detect"))

    def _mask_function(self, count: int) -> Callable[[dict[str, Any]], Any]:
        if count not in self._mask_functions:
            self._mask_functions[count] = compiled(self.network.masks_of_detections(count))
        return self._mask_functions[count]

    def stages(
        self, image: npt.NDArray[np.float32], window: npt.NDArray[np.float32] | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Compute every intermediate result for one picture or a batch, by name.

        Parameters
        ----------
        image : (H, W, 3) or (B, H, W, 3) float32, mean subtracted
        window : (4,) or (B, 4) normalised, optional
            All of the picture by default.

        Returns
        -------
        dict of arrays with the batch as first axis: C2 … C5 (backbone), P2 … P6 (pyramid), rpn_class_logits,
        rpn_class, rpn_bbox (RPN), rpn_rois (proposals), roi_align_classifier, mrcnn_class_logits, mrcnn_class,
        mrcnn_bbox (class head), mrcnn_detection, roi_align_mask, mrcnn_mask (mask head).
        """
        images = np.asarray(image, np.float32).reshape(-1, *self.config.image_shape, 3)
        windows = np.broadcast_to(np.asarray([0, 0, 1, 1] if window is None else window, np.float32), (len(images), 4))
        found = self._stage_function({"image": images, "window": np.ascontiguousarray(windows)})
        return {name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")) for name, value in found.items()}

    @cached_property
    def _stage_function(self) -> Callable[[dict[str, Any]], Any]:
        return compiled(keras.Model(self._inputs, dict(self._tensors), name="stages"))

    # --- training --------------------------------------------------------------------------------

    def compile(self, learning_rate: float | None = None, layers: str = "all") -> TrainingModel:
        """Make the training model ready: which layers learn, and how fast.

        Parameters
        ----------
        learning_rate : float, optional
            `Config.learning_rate` by default.
        layers : str
            ``heads``, ``5+``, ``4+``, ``3+``, ``all`` or a regular expression for names of layers.
        """
        select_layers(self.layers, layers)
        model = self.training_model
        model.compile(optimizer=optimizer(self.config, learning_rate), jit_compile=keras.backend.backend() == "jax")
        model.optimizer.build(model.trainable_variables)  # now, or TensorFlow traces the first step twice
        return model

    def train_on(self, batch: dict[str, npt.NDArray[Any]]) -> dict[str, float]:
        """Take one step; returns the losses before it (``loss`` and the five, times their weights)."""
        return self._on_batch("train_on_batch", batch)

    def evaluate_on(self, batch: dict[str, npt.NDArray[Any]]) -> dict[str, float]:
        """Compute the losses without a step."""
        return self._on_batch("test_on_batch", batch)

    def _on_batch(self, method: str, batch: dict[str, npt.NDArray[Any]]) -> dict[str, float]:
        if not self.training_model.compiled:
            self.compile()
        self.training_model.reset_metrics()
        logs = getattr(self.training_model, method)(batch, return_dict=True)
        return {name: float(value) for name, value in logs.items()}

    # --- weights ---------------------------------------------------------------------------------

    def load(self, weights: str | Path, *, exclude: Sequence[str] = ()) -> LoadReport:
        """Load weights by layer name; see `wadlib.maskrcnn.weights.load`.

        Parameters
        ----------
        weights : path of an .h5 file, or ``coco`` or ``rendered``
        exclude : names of layers to leave alone
        """
        from wadlib.maskrcnn import weights as files

        return files.load(self, files.find(weights), exclude=exclude)

    def save(self, path: str | Path, *, compact: bool = False) -> None:
        """Save the weights in the layout of the original, with the configuration; see `wadlib.maskrcnn.weights.save`.

        Parameters
        ----------
        path : path of the .h5 file
        compact : bool
            Half the size: kernels as float16.
        """
        from wadlib.maskrcnn import weights

        weights.save(self, path, config=self.config, compact=compact)


def _rounded_up(count: int) -> int:
    """4, 8, 16, …: few different sizes, as each is compiled once."""
    size = 4
    while size < count:
        size *= 2
    return size
