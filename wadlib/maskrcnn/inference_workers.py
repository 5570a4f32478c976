"""Prediction by workers that share no memory with this process: of a Dask cluster, or other processes.

A worker is sent where the weights lie, never the network, and keeps what it built for its next task. It writes the
label of a frame by itself; the frame's line in the journal comes back to the one process that writes it.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wadlib._shared.parallel import map_frames
from wadlib._shared.parts import sweep
from wadlib.dataset.frame import Frame, stamp_of
from wadlib.errors import WadError, WorkerError
from wadlib.instances import Instances
from wadlib.instances.writer import LABELS, Written, write_frame

if TYPE_CHECKING:
    from wadlib.maskrcnn.looks import Looks
    from wadlib.maskrcnn.tiles import Tiling

Result = tuple[Written, int] | WadError
"""What a journal needs and how many instances are on the label; or what is wrong with the frame."""

_turn = threading.Lock()  # of a worker with several threads: they share one network


@dataclass(frozen=True)
class WorkerJob:
    """What all tasks of a prediction have in common.

    Attributes
    ----------
    network : type
        `wadlib.maskrcnn.MaskRCNN`.
    weights : Path
        File of weights and configuration, in a folder that all workers see; another network has another name.
    backend : str
        Keras' backend of the process that asked.
    out : Path
        The folder of predictions.
    threshold, batch_size, full_frame, tiling, looks
        See `wadlib.maskrcnn.inference.predict_dataset`.
    """

    network: type[Any]
    weights: Path
    backend: str
    out: Path
    threshold: float
    batch_size: int
    full_frame: bool
    tiling: Tiling | None
    looks: Looks


def predict_elsewhere(
    frames: Sequence[Frame],
    job: WorkerJob,
    detect: Callable[..., list[Instances | WadError]],
    executor: Executor,
    workers: int | None,
) -> Iterator[tuple[Frame, Result]]:
    """Yield each frame with what was written of it, and how much is on its label; or with what is wrong with it.

    `detect` is `wadlib.maskrcnn.inference.read_and_detect`. A batch that kills its workers is done again, frame by
    frame, when the others are finished.
    """
    size, left = job.batch_size, list(frames)
    while left:
        batches = [tuple(left[i : i + size]) for i in range(0, len(left), size)]
        again: list[Frame] = []
        for batch, results in map_frames(
            partial(_predict_batch, job, detect),
            batches,
            workers=workers,
            executor=executor,
            killed=_killed,
            progress=False,
        ):
            if len(batch) > 1 and any(isinstance(result, WorkerError) for result in results):
                again += batch
            else:
                yield from zip(batch, results, strict=True)
        left, size = again, 1
    sweep(job.out / LABELS, again=True)  # what killed workers left


def _killed(batch: tuple[Frame, ...], error: WorkerError) -> list[Result]:
    return [error] * len(batch)


def _predict_batch(
    job: WorkerJob, detect: Callable[..., list[Instances | WadError]], frames: tuple[Frame, ...]
) -> list[Result]:
    """Read, predict and write some frames; runs in the worker."""
    model = _network(job.network, job.weights, job.backend)
    stamps = [stamp_of(frame.image_path) for frame in frames]  # before they are read: what comes later is newer
    with _turn:
        found = detect(
            model,
            frames,
            batch_size=job.batch_size,
            full_frame=job.full_frame,
            tiling=job.tiling,
            looks=job.looks,
        )
    return [
        each if isinstance(each, WadError) else _write(job, frame, each, stamp)
        for frame, each, stamp in zip(frames, found, stamps, strict=True)
    ]


def _write(job: WorkerJob, frame: Frame, found: Instances, stamp: str) -> tuple[Written, int]:
    shown, file_name = found.above(job.threshold), f"{frame.name}{frame.image_path.suffix}"
    return write_frame(job.out, frame.name, file_name, found, shown.to_label(), stamp=stamp), len(shown)


def _network(network: type[Any], weights: Path, backend: str) -> Any:
    with _turn:  # two threads would build it twice
        return _built(network, weights, backend)  # type: ignore[arg-type]  # a class has a hash


@functools.lru_cache(maxsize=1)
def _built(network: type[Any], weights: Path, backend: str) -> Any:
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    from wadlib.training import quiet

    quiet()
    import keras

    from wadlib.maskrcnn.weights import read_config

    if keras.backend.backend() != backend:
        raise WorkerError(
            f"predict: the worker has Keras on {keras.backend.backend()}, the command on {backend}",
            cause="a worker that has loaded Keras for something else before",
            fix=f"start the workers anew, with KERAS_BACKEND={backend}",
        )
    config = read_config(weights)
    assert config is not None  # `predict_dataset` wrote the file
    model = network(config)
    model.load(weights)
    return model
