"""What the 2018 package `mrcnn` imports by name, made of what there is today.

`mrcnn` 0.2 was written for TensorFlow 1 and Keras 2.0.8. Its files stay as they are: `load` runs them
with an import function of their own, which answers ``import keras``, ``import tensorflow`` and a few
more with the stand-ins below. Nobody else sees these: no name in ``sys.modules``, no attribute of
another package is replaced.

What differs today, and what the stand-in does about it (Keras: see `_keras_stand_ins`):

=====================================  ==============================================================
``keras``, ``keras.engine``            tf-keras, in its graph mode
``tensorflow``                         ``compat.v1``; ``tf.Variable`` makes the constant that it was for;
                                       three names without their notices of deprecation
``skimage.transform.resize``           bool as float, and no smoothing (both were the rule in 2018)
``distutils.version``                  gone since Python 3.12
=====================================  ==============================================================
"""

from __future__ import annotations

import builtins
import importlib.util
import re
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from wadlib.errors import WadError
from wadlib.maskrcnn.original import _keras_stand_ins
from wadlib.maskrcnn.original._keras_stand_ins import Overlay

__all__ = ["TESTED_TF_KERAS", "load"]

TESTED_TF_KERAS = "2.21"
"""The release of tf-keras whose insides the stand-ins were fitted to."""

TESTED_MRCNN = "0.2"


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
        **_keras_stand_ins.stand_ins(tf_keras),
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
