"""The training loop: epochs, validation, log, checkpoints, and going on after a kill.

A loop of our own around ``model.train_on_batch``, and not ``model.fit``, for three reasons: batches have
names that an error can tell, the time spent waiting for data can be measured, and the whole state at the
end of an epoch is known, so that a run can go on exactly. All three backends of Keras have that method.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wadlib.errors import TrainingError
from wadlib.training.backend import environment
from wadlib.training.batches import Source
from wadlib.training.devices import together, writes_files
from wadlib.training.folder import RunFolder
from wadlib.training.loop import Callback, Loop, Stage, Training
from wadlib.training.progress import EarlyStop

if TYPE_CHECKING:
    import keras


def fit(
    model: keras.Model,
    data: Source,
    validation: Source | None = None,
    *,
    run: str | Path | None,
    epochs: int | None = None,
    stages: Sequence[Stage] | None = None,
    config: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    early_stop: EarlyStop | None = None,
    before: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> Training:
    """Train a compiled model; called again after a kill, go on from the last finished epoch.

    Parameters
    ----------
    model : keras.Model
        Compiled, unless every stage compiles it. A model that works out its losses by itself overrides
        ``compute_loss`` and reports them as metrics; each becomes a column.
    data, validation : Source
        For example `wadlib.training.Batches`.
    run : path or None
        Folder of the run (see `wadlib.training.folder`); None keeps nothing, for short experiments. Of several
        processes (`wadlib.training.devices`) the first one writes it, and all must see it.
    epochs : int
        How many in all, those of an earlier start included. Or `stages`: one after the other.
    config : dict
        What the run is, as JSON can hold it. A folder with another configuration is refused. Added by
        itself: the backend, the optimizer, the shapes of the model, and ``describe()`` of the data.
    callbacks : functions of an EpochEnd
    early_stop : EarlyStop, optional
        Ends a stage.
    before : bool
        Evaluate before the first epoch, too: row 0 of the log.
    workers : int
        Threads that make batches; 0 makes them in this one. They do not change the result.
    progress : bool
        Show a bar with the time left (never if ``TQDM_DISABLE`` is set).

    Returns
    -------
    Training

    Raises
    ------
    TrainingError
        Loss or weights that are not finite, with epoch, batch and names of the frames; a folder in use
        or of another run; a damaged checkpoint.
    StorageError
        A file could not be written; the last good checkpoint is intact.
    """
    stages = _stages(epochs, stages)
    loop = Loop(model, data, validation, stages, tuple(callbacks), early_stop, workers, progress)
    if run is None:
        return loop.train(None, before)
    folder, identity = RunFolder(run), _identity(model, data, validation, stages, config)
    with folder.locked() if writes_files() else contextlib.nullcontext():
        if writes_files():
            folder.claim(identity, environment())
        together("run claimed")
        return loop.train(folder, before)


def _stages(epochs: int | None, stages: Sequence[Stage] | None) -> tuple[Stage, ...]:
    if (epochs is None) == (stages is None) or (stages is not None and not stages):
        raise TrainingError(
            f"fit: expected either epochs or stages, got epochs={epochs} and stages={stages}",
            cause="a typing slip",
            fix="give one of the two",
        )
    found = (Stage(epochs),) if epochs is not None else tuple(stages or ())
    names = [stage.name for stage in found]
    if min(stage.epochs for stage in found) < 1 or len(set(names)) < len(names):
        raise TrainingError(
            "fit: expected at least 1 epoch and a name of its own for each stage, got "
            + ", ".join(f"{stage.name!r} with {stage.epochs}" for stage in found),
            cause="a typing slip",
            fix="leave out a stage that is not wanted",
        )
    return found


def _identity(
    model: keras.Model,
    data: Source,
    validation: Source | None,
    stages: Sequence[Stage],
    config: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What makes two runs the same run; not how many epochs, not how many workers."""
    import keras

    if not model.built:
        raise TrainingError(
            "fit: expected a built model, got one without weights",
            cause="a subclass of keras.Model that has not seen an input shape yet",
            fix="call model.build(input_shape) or call the model on one batch first",
        )
    identity: dict[str, Any] = dict(config or {})
    identity["backend"] = keras.backend.backend()
    identity["variables"] = f"{len(model.variables)} with {model.count_params()} numbers"
    if model.compiled and all(stage.begin is None for stage in stages):
        identity["optimizer"] = _without_names(keras.saving.serialize_keras_object(model.optimizer))
    if len(stages) > 1:
        identity["stages"] = [stage.name for stage in stages]
    for side, source in (("data", data), ("validation", validation)):
        describe = getattr(source, "describe", None)
        if describe is not None:
            identity[side] = describe()
    return identity


def _without_names(config: Any) -> Any:
    """A serialised object without ``name``: Keras counts up how many of a kind were made in the process."""
    if isinstance(config, dict):
        return {key: _without_names(value) for key, value in config.items() if key not in ("name", "registered_name")}
    return config
