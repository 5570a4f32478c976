"""What a process is started with whose Keras runs on JAX or PyTorch."""

import os


def environment(backend, **more):
    """The variables for it; `more` are others, of which XLA_FLAGS are added.

    XLA compiles what runs for seconds here for half a minute, most of it for speed: without, it takes half as long.
    """
    flags = f"--xla_backend_optimization_level=0 {more.pop('XLA_FLAGS', '')}".strip() if backend == "jax" else ""
    here = os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    return here | ({"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"} if flags else {}) | more


def keeping_compiled(folder):
    """The variables with which JAX keeps in `folder` whatever it compiles, for the next process to take."""
    return {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
