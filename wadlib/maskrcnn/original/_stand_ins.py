"""What the 2018 package `mrcnn` imports by name, made of what there is today.

`mrcnn` 0.2 was written for TensorFlow 1 and Keras 2.0.8. Its files stay as they are: `load` runs them
with an import function of their own, which answers ``import keras``, ``import tensorflow`` and a few
more with the stand-ins below. Nobody else sees these: no name in ``sys.modules``, no attribute of
another package is replaced.

What differs today, and what the stand-in does about it:

=====================================  ==============================================================
``keras``, ``keras.engine``            tf-keras, in its graph mode
``tensorflow``                         ``compat.v1``; ``tf.Variable`` makes the constant that it was for;
                                       three names without their notices of deprecation
``skimage.transform.resize``           bool as float, and no smoothing (both were the rule in 2018)
``distutils.version``                  gone since Python 3.12
=====================================  ==============================================================

Of Keras 2.0.8, made of tf-keras in graph mode:

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

import builtins
import importlib.util
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from wadlib.errors import WadError

TESTED_TF_KERAS = "2.21"
"""The release of tf-keras whose insides the stand-ins were fitted to."""

TESTED_MRCNN = "0.2"


class Overlay(ModuleType):
    """A module with some names replaced: what is not set here is looked up in the original."""

    def __init__(self, original: ModuleType, **replaced: Any) -> None:
        super().__init__(original.__name__, original.__doc__)
        self.__dict__.update(replaced)
        self.__dict__["_original"] = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def load() -> SimpleNamespace:
    """Run the files of the installed `mrcnn` against the stand-ins.

    Returns
    -------
    SimpleNamespace
        ``.config``, ``.utils`` and ``.model``: modules that are not in ``sys.modules``; ``.tf``, the
        TensorFlow that they see; ``.backend``, where tf-keras keeps sessions and seeds.

    Raises
    ------
    WadError
        `mrcnn` or tf-keras is not installed, or in a version that was not tested.
    """
    folder = _package_folder()
    tf_keras = _tf_keras()
    distutils = SimpleNamespace(version=SimpleNamespace(LooseVersion=_loose_version))
    stand_ins = {
        **_keras(tf_keras),
        **_numeric(),
        "distutils": distutils,
        "distutils.version": distutils.version,
    }
    from tf_keras.src import backend

    loaded = SimpleNamespace(tf=stand_ins["tensorflow"], backend=backend)
    stand_ins["mrcnn"] = loaded
    for name in ("config", "utils", "model"):
        setattr(loaded, name, _run(folder / f"{name}.py", f"mrcnn.{name}", stand_ins))
    # Declared as (batch, 1), but one class id per RoI comes out; nobody looked in 2018.
    loaded.model.DetectionTargetLayer.compute_output_shape = _target_shapes
    return loaded


def _package_folder() -> Path:
    from importlib.metadata import PackageNotFoundError, version

    found = importlib.util.find_spec("mrcnn")
    try:
        installed = version("mrcnn")
    except PackageNotFoundError:
        installed = "none"
    if found is None or not found.submodule_search_locations or installed != TESTED_MRCNN:
        raise WadError(
            f"matterport: expected the package mrcnn {TESTED_MRCNN}, got {installed}",
            cause="another environment, or only a part of wadlib's requirements",
            fix=f"pip install mrcnn=={TESTED_MRCNN}",
        )
    return Path(found.submodule_search_locations[0])


def _tf_keras() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tf_keras
        installed = tf_keras.__version__
    except ImportError:
        installed = "none"
    if not installed.startswith(f"{TESTED_TF_KERAS}."):
        raise WadError(
            f"matterport: expected tf-keras {TESTED_TF_KERAS}, got {installed}",
            cause="the original mrcnn leans on the insides of tf-keras, which change with each release",
            fix=f"pip install 'tf-keras=={TESTED_TF_KERAS}.*'",
        )
    return tf_keras


def _run(path: Path, name: str, stand_ins: dict[str, Any]) -> ModuleType:
    """Execute one file of the package; its imports, now and later, ask `stand_ins` first."""

    def importer(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name not in stand_ins:
            return builtins.__import__(name, globals, locals, fromlist, level)
        return stand_ins[name if fromlist else name.partition(".")[0]]

    module = ModuleType(name)
    module.__file__ = str(path)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": importer}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `os.name is 'nt'`
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)
    exec(code, module.__dict__)  # the installed package, as `import` would
    return module


def _loose_version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _target_shapes(layer: Any, input_shape: Any) -> list[tuple[int | None, ...]]:
    rois, mask = layer.config.TRAIN_ROIS_PER_IMAGE, tuple(layer.config.MASK_SHAPE)
    return [(None, rois, 4), (None, rois), (None, rois, 4), (None, rois, *mask)]


# --- numbers and pictures ------------------------------------------------------------------------


def _numeric() -> dict[str, Any]:
    import scipy
    import scipy.ndimage
    import skimage
    import skimage.color
    import skimage.io
    import skimage.transform
    import tensorflow as tf

    def resize(image: Any, output_shape: Any, **options: Any) -> Any:
        if image.dtype == bool:
            image = image.astype(float)
        return skimage.transform.resize(image, output_shape, anti_aliasing=False, **options)

    def map_fn(fn: Any, elems: Any, dtype: Any) -> Any:
        return tf.map_fn(fn, elems, fn_output_signature=dtype)

    transform = Overlay(skimage.transform, resize=resize)
    picture = Overlay(skimage, transform=transform, color=skimage.color, io=skimage.io)
    return {
        "tensorflow": Overlay(
            tf.compat.v1,
            # Only the anchors are made with it, and a Lambda layer may not own a variable any more.
            Variable=tf.constant,
            to_float=lambda x: tf.cast(x, tf.float32),
            map_fn=map_fn,
            image=Overlay(tf.compat.v1.image, crop_and_resize=tf.image.crop_and_resize),
            __version__=tf.__version__,
        ),
        "scipy": scipy,
        "skimage": picture,
        "skimage.color": picture.color,
        "skimage.io": picture.io,
        "skimage.transform": transform,
    }


# --- Keras 2.0.8 -------------------------------------------------------------------------------------


def _keras(tf_keras: ModuleType) -> dict[str, Any]:
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
