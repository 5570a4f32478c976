"""The command that trains a Mask R-CNN."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from wadlib.cli.choice import ConfigName, Split, TrainFraction, View
from wadlib.cli.common import Root, number
from wadlib.cli.streams import say
from wadlib.cli.train import Devices, Out, Seed, SplitToLearn, Threads, train

if TYPE_CHECKING:
    from wadlib.dataset import Frame
    from wadlib.training import Augmentation


class Optimizer(StrEnum):
    """The report's text says adam, its code runs SGD."""

    sgd = "sgd"
    adam = "adam"


@train.command(
    epilog="Example: wadlib train maskrcnn data/rendered --config classroom --weights imagenet --out runs/classroom"
)
def maskrcnn(
    root: Root,
    out: Out,
    config: Annotated[ConfigName, typer.Option(help="The network and, if not told otherwise, how it is trained.")],
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SHARE",
            help="Another dataset, and its share of the training pictures, such as 0.3; repeat it.",
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="To begin with: none, imagenet (classroom), coco, rendered, streets, wild, or .h5.",
        ),
    ] = "none",
    stage: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYERS:EPOCHS:RATE", help="What learns, for how long, how fast; repeat it: heads, 5+, 4+, 3+, all."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="In all: makes the last stage longer or shorter, or leaves stages out.", min=1)
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Batches in an epoch.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures in a batch.", min=1)] = None,
    optimizer: Annotated[Optimizer | None, typer.Option(help="If not the configuration's.")] = None,
    loss_weight: Annotated[
        list[str] | None, typer.Option(metavar="LOSS=WEIGHT", help="Such as mrcnn_class_loss=0.5; repeat it.")
    ] = None,
    view: Annotated[
        View | None, typer.Option(help="What is seen of a frame: the report's 832x640, or the strip at 1664x384.")
    ] = None,
    window: Annotated[
        int | None, typer.Option(metavar="COLUMNS", help="A training picture shows a window around an object.", min=64)
    ] = None,
    crop_scale: Annotated[
        float | None, number("Random crops at this scale instead; 1 is full resolution.", min=0.05, max=64)
    ] = None,
    rare_share: Annotated[
        float | None,
        typer.Option(help="Draw frames with classes that fewer frames hold more often; 0: not.", min=0, max=1),
    ] = None,
    copy_paste: Annotated[
        float | None, typer.Option(help="Rare instances pasted into a picture, on average; 0: none.", min=0, max=100)
    ] = None,
    augment: Annotated[bool | None, typer.Option("--augment/--no-augment", help="Mirror, and vary the light.")] = None,
    strong_augment: Annotated[
        bool, typer.Option("--strong-augment", help="Vary light, sharpness and noise much, for use on other streets.")
    ] = False,
    dtype: Annotated[str | None, typer.Option(help="float32 or mixed_bfloat16.")] = None,
    validation_frames: Annotated[int | None, typer.Option(help="Of the validation side, evenly spread.", min=1)] = None,
    split: SplitToLearn = Split.by_video,
    videos: Annotated[int | None, typer.Option(help="Sample so many videos (10 as in the report).", min=1)] = None,
    train_fraction: TrainFraction = 0.7,
    early_stop: Annotated[
        int | None,
        typer.Option(metavar="EPOCHS", help="End a stage if the validation loss has not gone down for so long.", min=1),
    ] = None,
    average: Annotated[
        int, typer.Option(metavar="EPOCHS", help="Also keep the mean of the weights of so many last epochs.", min=0)
    ] = 0,
    seed: Seed = 0,
    workers: Threads = 2,
    devices: Devices = 1,
) -> None:
    """Train a Mask R-CNN on labelled frames (KERAS_BACKEND=jax or torch for another backend)."""
    from wadlib.dataset import open_dataset
    from wadlib.maskrcnn.learning.plan import Plan
    from wadlib.training import EarlyStop, deterministic, quiet, use_devices

    # The network and the plan: ready made, then with what the options change.
    losses = dict(_loss_weight(text) for text in loss_weight or ())
    changes = {"batch_size": batch_size, "optimizer": optimizer and optimizer.value, "dtype": dtype}
    network = config.config().replace(
        seed=seed, loss_weights=losses, **{name: value for name, value in changes.items() if value is not None}
    )
    plan = Plan.classroom() if config is ConfigName.classroom else Plan.report()
    if strong_augment or augment is not None:
        plan = plan.replace(augmentation=_augmentation(augment, strong_augment))
    if view is not None:
        from wadlib.maskrcnn.frames.views import config_for_view

        share = (plan.window or 0) / network.image_shape[1]  # a window shows as much of the frame as before
        network = config_for_view(view.value, network)
        plan = plan.replace(window=round(share * network.image_shape[1]) or None)
    plan = plan.with_options(
        {
            "steps": steps,
            "window": window,
            "crop_scale": crop_scale,
            "rare_share": rare_share,
            "copy_paste": copy_paste,
            "validation_frames": validation_frames,
        },
        stage or (),
    )
    plan = plan if epochs is None else plan.shortened(epochs)
    divided = open_dataset(root).split(split.value, seed=seed, videos=videos, train_fraction=train_fraction)
    say(divided.report())
    others = [_other(text) for text in also or ()]

    # Keras from here on: the lines above answer a typing slip at once.
    quiet()
    deterministic(seed)
    use_devices(devices, network.batch_size)
    from wadlib.maskrcnn.learning.training import BEST, initial_weights, train_maskrcnn
    from wadlib.maskrcnn.model import MaskRCNN
    from wadlib.maskrcnn.weight_files.averaging import MEAN

    model = MaskRCNN(network)
    loaded = initial_weights(model, weights)
    if loaded is not None:
        say(loaded.summary())
    trained = train_maskrcnn(
        model,
        divided.train,
        divided.validation,
        plan=plan,
        run=out,
        also=others,
        seed=seed,
        average=average,
        early_stop=None if early_stop is None else EarlyStop(early_stop),
        workers=workers,
    )
    row = trained.rows[-1]
    losses_now = ", ".join(f"{name} {row[name]:.3f}" for name in ("loss", "val_loss") if name in row)
    say(f"{row['epoch']} epochs; {losses_now}; the least validation loss was in epoch {trained.best_epoch}.")
    say(f"For predictions: wadlib predict ROOT --weights {(out / (MEAN if average else BEST)).as_posix()} --out PRED")
    say(f"Curves: tensorboard --logdir {out.as_posix()}")


def _augmentation(augment: bool | None, strong: bool) -> Augmentation | None:
    from wadlib.maskrcnn.frames.augmentation import STANDARD, STRONG

    if strong and augment is False:
        raise typer.BadParameter("not together with --no-augment", param_hint="--strong-augment")
    return STRONG if strong else STANDARD if augment else None


def _other(text: str) -> tuple[tuple[Frame, ...], float]:
    """Open the dataset of ``ROOT:SHARE``: its labelled frames and its share."""
    from wadlib.dataset import open_dataset

    root, _, number = text.rpartition(":")
    try:
        share = float(number)
    except ValueError:
        share = 0.0
    if not root or not 0 < share < 1:
        raise typer.BadParameter(f"{text}: such as ../cityscapes:0.3, a share between 0 and 1", param_hint="--also")
    dataset = open_dataset(root)
    say(f"{share:.0%} of the pictures from {dataset.summary()}")
    return dataset.frames, share


def _loss_weight(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise typer.BadParameter(f"{text}: such as mrcnn_class_loss=0.5", param_hint="--loss-weight") from None
