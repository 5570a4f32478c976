"""The few things that differ between TensorFlow, JAX and PyTorch, each behind one function.

Keras is imported inside the functions: `quiet` must come before it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wadlib._shared.parallel import available_cores
from wadlib.errors import TrainingError
from wadlib.training.devices import device_count

if TYPE_CHECKING:
    import keras

if "keras" not in sys.modules:  # before ~/.keras/keras.json is asked, which may name one that is gone, like theano
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def quiet() -> None:
    """Import Keras without the log lines that TensorFlow prints while it is loaded.

    To be called before anything else imports Keras, as the first line of a notebook, for example. The
    lines come from C++ before TensorFlow has read any setting, so that environment variables alone do
    not silence them. If the import fails, everything that it printed is shown.

    TensorFlow is told, too, to run one operation at a time (each on all cores): only then can
    `deterministic` keep its promise. And it is loaded without JAX, which it would import where it is
    installed, a tenth of a gigabyte, for a converter of ``tf.lite``. JAX can be imported afterwards.

    The user's ``keras.json`` has no say: numbers are float32, channels come last, and the backend is TensorFlow unless
    ``KERAS_BACKEND`` names another.

    Raises
    ------
    TrainingError
        ``KERAS_BACKEND`` names no backend, or one that is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    if "keras" in sys.modules:
        _plain_keras()
        return
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend not in _GRADIENTS or find_spec(backend) is None:
        raise TrainingError(
            f"quiet: KERAS_BACKEND is {backend!r}, "
            + ("which is not installed" if backend in _GRADIENTS else f"expected one of {', '.join(_GRADIENTS)}"),
            cause="a typing slip, or a setting that was meant for another project",
            fix="unset KERAS_BACKEND: TensorFlow is installed with wadlib",
        )
    with _standard_error_kept(), _no_keras_file():
        if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow" and find_spec("tensorflow"):
            with _hidden("jax"):
                import tensorflow  # noqa: F401
        import keras

        keras.ops.zeros(())  # the processor's line comes with the first operation
    _plain_keras()


@contextlib.contextmanager
def _no_keras_file() -> Iterator[None]:
    """Let Keras find no ``keras.json``: an old one stops it, or silently changes what is computed."""
    kept = os.environ.get("KERAS_HOME")
    with tempfile.TemporaryDirectory(prefix="wadlib-") as empty:
        os.environ["KERAS_HOME"] = empty
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"]
            if kept is not None:
                os.environ["KERAS_HOME"] = kept


def _plain_keras() -> None:
    """Undo what a user's ``keras.json`` may have set before: everything here counts on the defaults."""
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_epsilon(1e-7)


@contextlib.contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Let imports of a package fail inside, as if it were not installed; nothing changes if it is imported already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


@contextlib.contextmanager
def _standard_error_kept() -> Iterator[None]:
    """Keep back what is written to file descriptor 2; show it after all if the block fails."""
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error: nothing to keep back
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def deterministic(seed: int) -> None:
    """Seed every generator that Keras uses and ask the backend for reproducible operations.

    To be called once, before the model is built and, without `quiet`, before TensorFlow computes
    anything. It holds for the rest of the process: TensorFlow's switches have no way back. Then the same
    command gives the same losses to the last bit on the same machine, which is what makes a run that
    was killed and resumed equal to one that was not. What it means for each backend:

    TensorFlow
        ``enable_op_determinism`` (XLA is off on a GPU, and an operation without a deterministic kernel
        there raises an error that names it), and one operation at a time. Without the second, gradients
        differ between runs on a CPU of two cores or more: where several gradients meet, ``AddN`` adds
        them up beginning with the buffer that happens to be free first.
    JAX
        Deterministic on a CPU as it is. On a GPU, XLA has to be told before the process starts:
        ``XLA_FLAGS=--xla_gpu_deterministic_ops=true``.
    PyTorch
        ``use_deterministic_algorithms``; on a GPU it also needs a workspace setting of cuBLAS, which is
        made here.

    Raises
    ------
    TrainingError
        TensorFlow has already been used, with several operations at a time.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if os.environ.get("TF_NUM_INTEROP_THREADS") != "1":
            try:
                tf.config.threading.set_inter_op_parallelism_threads(1)
            except RuntimeError as error:
                raise TrainingError(
                    f"deterministic: TensorFlow refuses to run one operation at a time: {error}",
                    cause="it has computed something already in this process",
                    fix="call wadlib.training.quiet() first of all, or set TF_NUM_INTEROP_THREADS=1",
                ) from error
        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)


def as_array(variable: keras.Variable) -> np.ndarray:
    """Copy a variable's value into a numpy array.

    ``keras.ops.convert_to_numpy`` does it too, but on TensorFlow by a way that numpy 2 warns of.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        return np.array(variable.value.numpy())
    return np.array(keras.ops.convert_to_numpy(variable.value))


def gradient_norms(model: keras.Model, x: Any, y: Any = None, weight: Any = None) -> dict[str, float]:
    r"""Compute the norm of the loss's gradient for each layer, :math:`\|\partial L / \partial \theta_l\|_2`.

    As in a training step (dropout and batch statistics included), but nothing of the model changes.

    Parameters
    ----------
    model : compiled keras.Model
    x, y, weight
        One batch, as in `wadlib.training.Batch`.

    Returns
    -------
    dict[str, float]
        Layer -> norm over its trainable variables, in the order of the layers: input first.
    """
    import keras

    variables = model.trainable_variables
    gradients = _GRADIENTS[keras.backend.backend()](model, variables, x, y, weight)
    squares: dict[str, float] = {}
    for variable, gradient in zip(variables, gradients, strict=True):
        layer = variable.path.rpartition("/")[0] or variable.path
        square = 0.0 if gradient is None else float(np.sum(np.square(gradient.astype(np.float64))))
        squares[layer] = squares.get(layer, 0.0) + square
    return {layer: square**0.5 for layer, square in squares.items()}


def _loss(model: keras.Model, variables: list[Any], values: Any, x: Any, y: Any, weight: Any) -> Any:
    """Loss of a batch with `values` in place of the trainable variables; updates of state are dropped."""
    import keras

    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True)), collect_losses=True):
        prediction = model(x, training=True)
        return model.compute_loss(x=x, y=y, y_pred=prediction, sample_weight=weight)


def _tensorflow_gradients(model: keras.Model, variables: list[Any], x: Any, y: Any, weight: Any) -> list[Any]:
    import tensorflow as tf

    values = [tf.convert_to_tensor(variable.value) for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = _loss(model, variables, values, x, y, weight)
    return [None if g is None else np.asarray(g) for g in tape.gradient(loss, values)]


def _jax_gradients(model: keras.Model, variables: list[Any], x: Any, y: Any, weight: Any) -> list[Any]:
    import jax

    values = [variable.value for variable in variables]
    return [np.asarray(g) for g in jax.grad(lambda values: _loss(model, variables, values, x, y, weight))(values)]


def _torch_gradients(model: keras.Model, variables: list[Any], x: Any, y: Any, weight: Any) -> list[Any]:
    import torch

    values = [variable.value.detach().clone().requires_grad_() for variable in variables]
    loss = _loss(model, variables, values, x, y, weight)
    gradients = torch.autograd.grad(loss, values, allow_unused=True)
    return [None if g is None else g.float().cpu().numpy() for g in gradients]


_GRADIENTS = {"tensorflow": _tensorflow_gradients, "jax": _jax_gradients, "torch": _torch_gradients}


def environment() -> dict[str, Any]:
    """Say what a run was made with, for its ``config.json``: versions, backend, processor, git commit."""
    import keras

    from wadlib import __version__

    name = keras.backend.backend()
    return {
        "wadlib": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": name,
        "backend_version": str(getattr(sys.modules.get(name), "__version__", "")),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": available_cores(),
        "devices": device_count(),
    }


def _commit() -> str | None:
    """The commit of the checkout that this file belongs to, with ``+`` if files differ from it."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
        return subprocess.run(git, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
