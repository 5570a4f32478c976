"""One training on several devices of a machine: each gets its part of every batch (data parallel).

Several machines are one set of devices, in as many processes (``keras.distribution.initialize``): each makes the same
batches, computes its part of them, and process 0 alone writes the run.

On JAX only. Keras' own data parallel on TensorFlow, ``MirroredStrategy``, gives each replica the whole batch when a
loop calls ``train_on_batch``, as ours does: the same losses, and no gain. On PyTorch Keras has none yet.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from wadlib.errors import TrainingError
from wadlib.training.batches import Batch, mapped


def use_devices(count: int, batch_size: int) -> None:
    """Divide every batch among the first `count` devices, for the rest of the process.

    To be called before the model is built: its variables are then on all of them. One device changes nothing.

    Parameters
    ----------
    count : int
        With several processes: of all of them together.
    batch_size : int
        Of all devices together.

    Raises
    ------
    TrainingError
        Another backend than JAX, fewer devices, or a batch that cannot be divided by `count`.
    """
    if count == 1:
        return
    import keras

    backend = keras.backend.backend()
    if backend != "jax":
        reason = {
            "tensorflow": "MirroredStrategy would give every device the whole batch, since batches are trained on one "
            "by one",
            "torch": "Keras does not divide batches among devices there yet",
        }
        raise TrainingError(
            f"use_devices: {count} devices need Keras on JAX, this is {backend}",
            cause=reason.get(backend, "another backend"),
            fix="set KERAS_BACKEND=jax (pip install jax, on NVIDIA cards 'jax[cuda12]') and run the same command",
        )
    if count < 1 or batch_size % count:
        raise TrainingError(
            f"use_devices: a batch of {batch_size} frames cannot be divided among {count} devices",
            cause="each device gets the same number of frames",
            fix=f"--batch-size {max(1, -(-batch_size // max(1, count))) * max(1, count)}, or fewer devices",
        )
    found = keras.distribution.list_devices()
    if len(found) < count:
        raise TrainingError(
            f"use_devices: asked for {count} devices, JAX has {len(found)}: {', '.join(found)}",
            cause="fewer cards in this machine, or jax without CUDA",
            fix="fewer --devices; to try it without a card, XLA_FLAGS=--xla_force_host_platform_device_count=2",
        )
    processes, _ = _processes()
    if processes > 1 and len(found) != count:
        raise TrainingError(
            f"use_devices: {processes} processes have {len(found)} devices together, asked for {count}",
            cause="a process without a device would wait for ever",
            fix=f"ask for {len(found)}, or hide cards from each process with CUDA_VISIBLE_DEVICES",
        )
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=found[:count], auto_shard_dataset=False)
    )


def device_count() -> int:
    """Say among how many devices batches are divided."""
    distribution = _distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


@contextlib.contextmanager
def undivided(samples: int) -> Iterator[None]:
    """Let each device compute a whole batch of `samples`, if it cannot be divided: the last one of a validation.

    What comes out is exactly what one device gives, whatever the loss does with the samples; a batch that was filled
    up would need a loss that is a mean over them, which dice and the losses of Mask R-CNN are not.
    """
    with contextlib.nullcontext() if samples % device_count() == 0 else alone():
        yield


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let this process work by itself in the block, as on one device: what all have to do together would wait for ever.

    Keras makes variables when it saves weights, and with a distribution that is such a thing.
    """
    distribution = _distribution()
    if distribution is None:
        yield
        return
    import keras

    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def own_part(batch: Batch) -> Batch:
    """Take this process's samples out of a batch that all processes have; all of them where there is one process."""
    processes, number = _processes()
    if processes == 1 or _distribution() is None:  # in `undivided`, each computes the whole batch
        return batch

    def part(array: Any) -> Any:
        each = len(array) // processes
        return array[number * each : (number + 1) * each]

    return batch._replace(x=mapped(part, batch.x), y=mapped(part, batch.y), weight=mapped(part, batch.weight))


def writes_files() -> bool:
    """Tell whether this process writes the run's files: of several, the first does."""
    return _processes()[1] == 0


def together(point: str) -> None:
    """Wait until all processes of a run have come to a point of that name; nothing with one process."""
    if _processes()[0] > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(point)


def _processes() -> tuple[int, int]:
    """How many processes train together, and which of them this is, from 0."""
    import keras

    if keras.backend.backend() != "jax":
        return 1, 0
    import jax

    return int(jax.process_count()), int(jax.process_index())


def _distribution() -> Any:
    import keras

    return keras.distribution.distribution() if keras.backend.backend() == "jax" else None
