"""Train a U-Net on labelled frames, and say what it is worth."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wadlib._shared.fields import read_json
from wadlib._shared.files import write_text
from wadlib._shared.parallel import map_frames
from wadlib._shared.words import one_of
from wadlib.dataset.frame import Frame
from wadlib.errors import TrainingError
from wadlib.iou import IoUSum, mean_iou
from wadlib.labels import CLASSES
from wadlib.overlap import Overlap
from wadlib.training import EarlyStop, Training, fit, load_checkpoint, repeat_factors
from wadlib.training.loop import Callback
from wadlib.unet.constant import class_counts, constant_predictor_loss
from wadlib.unet.data import SmallFrames, batches, class_pixels
from wadlib.unet.prediction import predict_label
from wadlib.unet.recipes import Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class TrainedUnet:
    """A model, the recipe that it was made by, and the log of its training.

    Attributes
    ----------
    model : keras.Model
    recipe : Recipe
    training : Training
    """

    model: keras.Model
    recipe: Recipe
    training: Training


def train_unet(
    recipe: Recipe,
    train: Sequence[Frame],
    validation: Sequence[Frame] = (),
    *,
    run: str | Path | None,
    epochs: int,
    seed: int = 0,
    steps: int | None = None,
    early_stop: EarlyStop | None = None,
    callbacks: Sequence[Callback] = (),
    before: bool = False,
    small: SmallFrames | None = None,
    workers: int = 2,
    progress: bool = True,
) -> TrainedUnet:
    """Train by a recipe; the same call again after a kill goes on.

    Call `wadlib.training.deterministic` once before, if the same seed is to give the same losses to the
    last bit.

    Parameters
    ----------
    recipe : Recipe
    train, validation : labelled frames
        Such as the two sides of ``wad.split("by_video")``.
    run : path or None
        Folder of the run; None for a short experiment that leaves nothing behind.
    epochs, early_stop, callbacks, before, workers, progress
        See `wadlib.training.fit`.
    seed : int
        Of first weights, order, augmentation and dropout.
    steps : int, optional
        Batches in an epoch, by default as many as there are frames for.
    small : SmallFrames, optional
        Where decoded frames are kept, to be shared by several runs of one geometry and class table; by
        default in ``RUN/frames``, or in memory without a run.

    Returns
    -------
    TrainedUnet
        With the weights of the last epoch; `load_unet` gives those of the best one.

    Raises
    ------
    TrainingError, StorageError
        See `wadlib.training.fit`; and `small` of another geometry.
    ImageError, LabelError
        A frame that cannot be read.
    """
    if small is None:
        small = SmallFrames(recipe.geometry, recipe.table, cache=None if run is None else Path(run) / "frames")
    if (small.geometry, small.classes) != (recipe.geometry, recipe.table):
        raise TrainingError(
            f"train_unet: expected small frames of {recipe.geometry} with the classes {recipe.classes}, "
            f"got {small.geometry} with {small.classes}",
            cause="the small frames belong to another recipe",
            fix="make them with SmallFrames(recipe.geometry, recipe.table)",
        )
    from wadlib.unet.model import build_unet

    # All frames are decoded once, here: an epoch would otherwise wait for the disk.
    small.fill([*train, *validation], workers=workers or 1, progress=progress)
    weights = None
    if recipe.rare_share and train:
        weights = repeat_factors(class_pixels(train, small, recipe.architecture.classes), recipe.rare_share)
    data = batches(
        train,
        small,
        batch_size=recipe.batch_size,
        seed=seed,
        augment=recipe.augmentation,
        steps=steps,
        weights=weights,
        columns=recipe.trained_shape[1],
    )
    # No more memory than in training, and the same shape where it can be had: a new one is compiled anew.
    size = min(recipe.batch_size, max(len(validation), 1))
    held_out = (
        batches(validation, small, batch_size=size, training=False, columns=recipe.trained_shape[1])
        if validation
        else None
    )
    model = recipe.build(seed=seed, steps=epochs * len(data))
    training = fit(
        model,
        data,
        held_out,
        run=run,
        epochs=epochs,
        config={"recipe": recipe.to_dict(), "seed": seed},
        callbacks=callbacks,
        early_stop=early_stop,
        before=before,
        workers=workers,
        progress=progress,
    )
    # It learnt on windows; what is returned sees whole pictures. No weight depends on the width.
    if recipe.windows > 1:
        whole = build_unet(recipe.architecture)
        whole.set_weights(model.get_weights())
        model = whole
    return TrainedUnet(model, recipe, training)


def load_unet(run: str | Path, weights: str = "best") -> tuple[keras.Model, Recipe]:
    """Load the model and the recipe of a run.

    Parameters
    ----------
    run : path
        Folder of a run of `train_unet`.
    weights : "best" or "last"
        Of the epoch with the least validation loss, or of the last one.

    Raises
    ------
    TrainingError
        Not the folder of such a run, or one without a finished epoch.
    """
    from wadlib.unet.model import build_unet

    run = Path(run)
    one_of(weights, ("best", "last"), "load_unet: weights", TrainingError)
    try:
        saved = read_json(run / "config.json")["config"]["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"load_unet: {run.as_posix()} holds no U-Net run: {error}",
            cause="a slip in the path, or the run of another network",
            fix="give the folder that was --out of `wadlib train unet`",
        ) from error
    # Of the whole width, though it may have been trained on windows: no weight depends on it.
    recipe = Recipe.from_dict(saved)
    model = build_unet(recipe.architecture)
    if weights == "last":
        load_checkpoint(model, run)
        return model, recipe
    try:
        model.load_weights(run / "best.weights.h5")
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"load_unet: cannot read best.weights.h5 of {run.as_posix()}: {error}",
            cause="no epoch is finished yet, or the file is damaged",
            fix="wait for the first epoch; the same training command again writes it anew",
        ) from error
    return model, recipe


def constant_baseline(recipe: Recipe, frames: Sequence[Frame], small: SmallFrames) -> dict[str, float]:
    """Compute what the best constant predictor costs on these frames, in the batches of their validation.

    A validation loss that ends here has learnt how frequent the classes are, and no more.

    Returns
    -------
    dict
        ``constant``: where each class has some probability; ``constant_without_absent``: where those that a
        batch does not hold have exactly none. They differ only if the loss counts absent classes in dice.
    """
    size = min(recipe.batch_size, len(frames))
    data = batches(frames, small, batch_size=size, training=False, columns=recipe.trained_shape[1])
    pixels, channels = math.prod(recipe.trained_shape), recipe.architecture.classes
    pieces = len(frames) * recipe.windows
    found: dict[str, float] = {"constant": 0.0, "constant_without_absent": 0.0}
    for index in range(len(data)):
        targets = np.asarray(data.batch(0, index).y)
        counts = class_counts(targets, channels)
        for name, smallest in (("constant", 1e-6), ("constant_without_absent", 0.0)):
            loss = constant_predictor_loss(counts, pixels=pixels, smallest=smallest, **recipe.loss).loss
            found[name] += loss * len(targets) / pieces
    return found


def evaluate_unet(
    model: keras.Model,
    recipe: Recipe,
    frames: Sequence[Frame],
    *,
    out: str | Path | None = None,
    progress: bool = True,
) -> IoUSum:
    """Predict labelled frames and score them at their own size.

    Cells become pixels of the frame again, and everything outside of what the network sees is background.
    The IoU is that of classes, not of instances.

    Parameters
    ----------
    frames : labelled frames
    out : path, optional
        Write the numbers here, as `iou_by_name` gives them.

    Returns
    -------
    IoUSum
        ``.report_iou()`` and ``.pooled_iou()`` per class id.
    """
    total = IoUSum()

    def score(frame: Frame) -> Overlap:
        predicted = predict_label(model, frame, recipe.geometry, recipe.table)
        return Overlap.from_labels(frame.read_label(shape=predicted.shape), predicted)

    for _, overlap in map_frames(score, frames, workers=1, description="evaluating", progress=progress):
        total.add(overlap)
    if out is not None:
        write_text(out, json.dumps(iou_by_name(total), indent=2, allow_nan=False) + "\n")
    return total


def iou_by_name(total: IoUSum) -> dict[str, Any]:
    """Return ``{"frames": n, "report_iou": {"car": …, "mean": …}, "pooled_iou": {…}}``, None for nan."""
    found: dict[str, Any] = {"frames": total.frames}
    for name, iou in (("report_iou", total.report_iou()), ("pooled_iou", total.pooled_iou())):
        named = {CLASSES[class_id].name: value for class_id, value in iou.items()} | {"mean": mean_iou(iou)}
        found[name] = {key: value if value == value else None for key, value in named.items()}
    return found
