"""Train a Mask R-CNN on labelled frames (section 4.2 of the report), so that a kill costs an epoch at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wadlib.dataset.counts import count_instances
from wadlib.dataset.frame import Frame
from wadlib.errors import TrainingError
from wadlib.labels import IDS
from wadlib.maskrcnn.frames.copy_paste import CopyPaste
from wadlib.maskrcnn.frames.data import TrainingBatches
from wadlib.maskrcnn.learning.plan import RARE, Plan
from wadlib.maskrcnn.weight_files.averaging import save_epoch
from wadlib.maskrcnn.weights import find, other_heads, save
from wadlib.training import EarlyStop, EpochEnd, Stage, Training, fit, read_log, repeat_factors
from wadlib.training.loop import Callback

if TYPE_CHECKING:
    from wadlib.maskrcnn.model import MaskRCNN
    from wadlib.maskrcnn.weights import LoadReport

LAST, BEST = "last.h5", "best.h5"
"""In the folder of a run: weights after the last epoch and after the one with the least validation loss, in the layout
of the original package and with the configuration, for ``wadlib predict --weights``."""


def train_maskrcnn(
    model: MaskRCNN,
    train: Sequence[Frame],
    validation: Sequence[Frame] = (),
    *,
    plan: Plan,
    run: str | Path | None,
    also: Sequence[tuple[Sequence[Frame], float]] = (),
    seed: int | None = None,
    average: int = 0,
    early_stop: EarlyStop | None = None,
    callbacks: Sequence[Callback] = (),
    before: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> Training:
    """Train `model` by a plan; the same call again after a kill goes on.

    Call `wadlib.training.deterministic` once before, if the same seed is to give the same losses to the last bit.

    Parameters
    ----------
    model : MaskRCNN
        With the weights to begin from. Has those of the last epoch afterwards.
    train, validation : labelled frames
        Full-size or prepared, such as the two sides of ``wad.split("by_video")``. Frames without an object are
        negatives.
    plan : Plan
    run : path or None
        Folder of the run (`wadlib.training.fit`), with `LAST` and `BEST`; None leaves nothing behind.
    also : sequence of (labelled frames, share)
        Frames of other datasets, and the share of the training pictures that comes from each; `train` gives the rest.
        Classes that one of them does not label are not learnt as background there
        (`wadlib.maskrcnn.learning.unlabelled`).
    seed : int, optional
        Of order, windows, augmentation and draws; by default `Config.seed`.
    average : int
        Keep the weights of so many last epochs, and their mean, see
        `wadlib.maskrcnn.weight_files.averaging.save_epoch`; 0: do not.
    early_stop, callbacks, before, workers, progress
        See `wadlib.training.fit`.

    Returns
    -------
    Training
        Its rows have ``loss``, ``rpn_class_loss``, ``rpn_bbox_loss``, ``mrcnn_class_loss``, ``mrcnn_bbox_loss`` and
        ``mrcnn_mask_loss``, as the original names them, and the same with ``val_``.

    Raises
    ------
    TrainingError, StorageError
        See `wadlib.training.fit`.
    ImageError, LabelError
        A frame that cannot be read.
    """
    if not len(train):
        raise TrainingError(
            "train_maskrcnn: expected at least one frame to train on, got none",
            cause="an empty dataset or an empty side of a split",
            fix="`wadlib info ROOT` lists what the dataset holds",
        )
    seed = model.config.seed if seed is None else seed
    # To count instances means to read every label, so only where rare classes get something.
    sets = [(train, 1 - sum(share for _, share in also)), *also]
    frames = [frame for own, _ in sets for frame in own]
    counts = np.zeros((len(frames), len(IDS)), np.int64)
    if plan.rare_share or plan.copy_paste:
        counts = instances_of_classes(frames, workers=workers or 1, progress=progress)
    weights = repeat_factors(np.pad(counts, ((0, 0), (1, 0))), plan.rare_share) if plan.rare_share else None
    if also:
        weights = mixed_weights([len(own) for own, _ in sets], [share for _, share in sets], weights)
    data = TrainingBatches(
        frames,
        model.config,
        seed=seed,
        steps=plan.steps,
        weights=weights,
        augmentation=plan.augmentation,
        window=plan.window,
        crop_scale=plan.crop_scale,
        copy_paste=copy_paste_of(frames, counts, plan.copy_paste) if plan.copy_paste else None,
    )
    # Validation is the same pictures with the same draws each epoch, so that its losses can be compared.
    held_out = None
    if len(validation):
        held_out = TrainingBatches(
            spread(validation, plan.validation_frames),
            model.config,
            seed=seed,
            shuffle=False,
            augmentation=None,
            window=plan.window,
        )
    # Windows are narrower than the network's input: a network of that width learns, and hands its weights back.
    learner = _learner(model, plan)
    stages = [
        Stage(stage.epochs, _begin(learner, stage.layers, stage.learning_rate), name)
        for stage, name in zip(plan.stages, plan.stage_names, strict=True)
    ]
    training = fit(
        learner.training_model,
        data,
        held_out,
        stages=stages,
        run=run,
        config={"config": model.config.to_dict(), "plan": plan.to_dict(), "seed": seed},
        callbacks=[*callbacks, _Weights(model, learner, average)],
        early_stop=early_stop,
        before=before,
        workers=workers,
        progress=progress,
    )
    _copy_weights(learner, model)
    return training


def mixed_weights(
    sizes: Sequence[int], shares: Sequence[float], factors: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """Compute how often each frame is drawn, so that each dataset gives its share of the pictures.

    Parameters
    ----------
    sizes : frames of each dataset, in the order in which they stand one after another
    shares : of each dataset; all of them 1 together
    factors : (N,), optional
        How often a frame is drawn relative to others of its dataset (`wadlib.training.repeat_factors`).

    Returns
    -------
    (N,) float64, their sum is 1

    Raises
    ------
    TrainingError
        A share that is not above 0, shares that are more than 1 together, or a dataset without frames.

    Examples
    --------
    >>> mixed_weights([2, 1], [0.75, 0.25]).tolist()
    [0.375, 0.375, 0.25]
    """
    if not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-6 or not all(sizes):
        raise TrainingError(
            f"mixed_weights: expected frames and a share above 0 for each dataset, got {list(sizes)} frames and shares "
            f"{[round(share, 3) for share in shares]} (the first is what the others leave)",
            cause="shares of 1 or more together, a percentage, or a dataset without labels",
            fix="give each other dataset a share between 0 and 1, such as 0.3, and less than 1 in all",
        )
    weights = np.ones(sum(sizes)) if factors is None else np.array(factors, np.float64)
    starts = np.cumsum([0, *sizes])
    for start, end, share in zip(starts[:-1], starts[1:], shares, strict=True):
        weights[start:end] *= share / weights[start:end].sum()
    return weights


def initial_weights(model: MaskRCNN, weights: str | Path) -> LoadReport | None:
    """Give a model the weights that training begins with.

    Parameters
    ----------
    weights : "none", "imagenet", "coco", "rendered", "streets", "wild" or the path of a file
        ImageNet's for the light backbone (`wadlib.maskrcnn.weight_files.lite0_weights`); otherwise see
        `MaskRCNN.load`. Of the COCO file, which knows 81 classes, a network for eight takes all but the last layers
        of its heads, as the report did.

    Returns
    -------
    LoadReport or None
        None where no file was loaded.
    """
    if weights == "none":
        return None
    if weights == "imagenet":
        from wadlib.maskrcnn.weight_files.lite0_weights import load_imagenet

        load_imagenet(model)
        return None
    path = find(weights)
    return model.load(path, exclude=other_heads(model, path))


def instances_of_classes(
    frames: Sequence[Frame], *, workers: int | None = None, progress: bool = True
) -> npt.NDArray[np.int64]:
    """Count the instances of each of the seven classes in each frame, (N, 7)."""
    counts = count_instances(frames, workers=workers, progress=progress)
    if counts.failed:
        raise TrainingError(
            f"train_maskrcnn: {len(counts.failed)} of {len(frames)} labels cannot be read; first: {counts.failed[0]}",
            cause="files that were cut off or damaged on their way",
            fix="extract them again, or take these frames out of the lists",
        )
    number = np.repeat(np.arange(len(frames)), counts.per_frame)
    found = np.zeros((len(frames), len(IDS)), np.int64)
    np.add.at(found, (number, np.searchsorted(IDS, counts.codes // 1000)), 1)
    return found


def spread(frames: Sequence[Frame], count: int | None) -> Sequence[Frame]:
    """Take at most `count` of the frames, evenly spread, so that every video has its share.

    Examples
    --------
    >>> spread("abcdefgh", 3), spread("ab", 3)
    (['a', 'c', 'f'], ['a', 'b'])
    """
    if count is None or count >= len(frames):
        return list(frames)
    return [frames[i * len(frames) // count] for i in range(count)]


def copy_paste_of(frames: Sequence[Frame], counts: npt.NDArray[np.int64], mean: float) -> CopyPaste:
    """Plan copies of rare classes (`plan.RARE`), `mean` per picture, and find the frames that hold them.

    Parameters
    ----------
    counts : (N, 7)
        See `instances_of_classes`.
    """
    held = counts > 0
    rare = [i for i in range(len(IDS)) if 0 < held[:, i].mean() < RARE]
    donors = {IDS[i]: tuple(frame for frame, holds in zip(frames, held[:, i], strict=True) if holds) for i in rare}
    return CopyPaste(donors, mean)


# --- the network in training -------------------------------------------------------------------------


def _learner(model: MaskRCNN, plan: Plan) -> MaskRCNN:
    """The network that learns: `model`, or one with the same weights for windows. No weight depends on the size."""
    if plan.window is None or plan.window == model.config.image_shape[1]:
        return model
    learner = type(model)(model.config.replace(image_shape=(model.config.image_shape[0], plan.window)))
    _copy_weights(model, learner)
    return learner


def _copy_weights(source: MaskRCNN, target: MaskRCNN) -> None:
    if source is target:
        return
    theirs = source.weights_by_layer()
    for name, variables in target.weights_by_layer().items():
        for variable, value in zip(variables, theirs[name], strict=True):
            variable.assign(value)


def _begin(learner: MaskRCNN, layers: str, learning_rate: float) -> Any:
    def begin(_: Any) -> None:
        learner.compile(learning_rate, layers)

    return begin


class _Weights:
    """Callback: writes `LAST` after each epoch, `BEST` when none was better, and the mean of the last ones."""

    def __init__(self, model: MaskRCNN, learner: MaskRCNN, average: int) -> None:
        self.model, self.learner, self.average = model, learner, average

    def __call__(self, end: EpochEnd) -> None:
        if end.run is None or end.epoch == 0:
            return
        self._save(end.run / LAST)
        if _is_best(end.run, end.row):
            self._save(end.run / BEST)
        if self.average:
            save_epoch(end.run, end.epoch, end.run / LAST, self.average)

    def _save(self, path: Path) -> None:
        save(self.learner, path, config=self.model.config)


def _is_best(run: Path, row: Mapping[str, Any]) -> bool:
    """Whether the epoch of this row beats all earlier ones, which the log holds by now."""
    if not (run / "log.csv").exists():
        return True
    monitor, log = "val_loss" if "val_loss" in row else "loss", read_log(run)
    earlier = log[monitor][(log["epoch"] > 0) & (log["epoch"] < row["epoch"])]
    return bool((row[monitor] < earlier).all())
