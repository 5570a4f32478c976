"""Commands that train networks."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wadlib.cli.choice import Split, TrainFraction
from wadlib.cli.common import Root, app, number
from wadlib.cli.streams import say

train = typer.Typer(no_args_is_help=True)
app.add_typer(train, name="train", help="Train a network; the same command again goes on after a kill.")

Out = Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run; an unfinished one is continued.")]
Seed = Annotated[
    int, typer.Option(help="Same seed, same machine: the same losses to the last bit.", min=0, max=2**32 - 1)
]
SplitToLearn = Annotated[
    Split, typer.Option(help="The report's, which shares videos between both sides, or one that does not.")
]
Devices = Annotated[
    int, typer.Option(help="Divide each batch among so many devices; needs KERAS_BACKEND=jax.", min=1, max=1024)
]
Threads = Annotated[int, typer.Option(help="Threads that prepare batches.", min=0, max=256)]


class UnetRecipe(StrEnum):
    """Ready-made ways to train a U-Net."""

    attempt9 = "attempt9"
    attempt2 = "attempt2"
    cured = "cured"


class Loss(StrEnum):
    """What is minimised."""

    cross_entropy = "cross-entropy"
    dice = "dice"
    both = "both"


@train.command(epilog="Example: wadlib train unet data/rendered --out runs/unet --recipe cured --epochs 30")
def unet(
    root: Root,
    out: Out,
    recipe: Annotated[
        UnetRecipe, typer.Option(help="The report's attempts with 9 or 2 channels, or what converges.")
    ] = UnetRecipe.cured,
    epochs: Annotated[
        int,
        typer.Option(
            help="In all; those of an earlier start count. The rate of the recipe cured falls over all of them.", min=1
        ),
    ] = 10,
    steps: Annotated[
        int | None, typer.Option(help="Batches in an epoch; by default every frame is seen once.", min=1)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Frames in a batch, if not the recipe's.", min=1)] = None,
    learning_rate: Annotated[float | None, number("If not the recipe's.", min=0)] = None,
    loss: Annotated[Loss | None, typer.Option(help="If not the recipe's.")] = None,
    cell: Annotated[
        int | None, typer.Option(help="With the recipe cured: pixels of the full frame per network pixel.", min=1)
    ] = None,
    narrow: Annotated[
        int, typer.Option(metavar="N", help="All channels of the network divided by N, to be quicker.", min=1)
    ] = 1,
    split: SplitToLearn = Split.by_video,
    videos: Annotated[
        int | None, typer.Option(help="Sample so many videos (10 for the report's split).", min=1)
    ] = None,
    train_fraction: TrainFraction = 0.7,
    early_stop: Annotated[
        int | None,
        typer.Option(metavar="EPOCHS", help="Stop if the validation loss has not gone down for so long.", min=1),
    ] = None,
    min_delta: Annotated[float, number("What counts as going down, for --early-stop.", min=0)] = 0.0,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for decoded frames, which runs may share; by default RUN/frames.")
    ] = None,
    seed: Seed = 0,
    workers: Threads = 2,
    devices: Devices = 1,
) -> None:
    """Train a U-Net on labelled frames (KERAS_BACKEND=jax or torch for another backend)."""
    from wadlib._shared.files import write_text
    from wadlib.dataset import open_dataset
    from wadlib.training import EarlyStop, deterministic, quiet, use_devices
    from wadlib.unet import (
        RECIPES,
        SmallFrames,
        constant_baseline,
        evaluate_unet,
        iou_by_name,
        load_unet,
        strip,
        train_unet,
    )

    # The recipe: ready made, then with what the options change.
    chosen = RECIPES[recipe.value]
    if cell is not None:
        if recipe is not UnetRecipe.cured or any(side % (16 * cell) for side in strip(1).shape):
            raise typer.BadParameter("2, 4 or 8, with --recipe cured", param_hint="--cell")
        chosen = chosen.replace(geometry=strip(cell))
    if any(width % narrow for width in chosen.architecture.widths):
        raise typer.BadParameter(f"must divide {chosen.architecture.widths}", param_hint="--narrow")
    widths = tuple(width // narrow for width in chosen.architecture.widths)
    chosen = chosen.replace(architecture=chosen.architecture.replace(widths=widths))
    if loss is not None:
        terms = {"cross_entropy": float(loss is not Loss.dice), "dice": float(loss is not Loss.cross_entropy)}
        chosen = chosen.replace(loss=chosen.loss | terms)
    changes = {"batch_size": batch_size, "learning_rate": learning_rate}
    chosen = chosen.replace(**{key: value for key, value in changes.items() if value is not None})
    divided = open_dataset(root).split(split.value, seed=seed, videos=videos, train_fraction=train_fraction)
    say(divided.report())

    # Keras from here on: the lines above answer a typing slip at once.
    quiet()
    deterministic(seed)
    use_devices(devices, chosen.batch_size)
    small = SmallFrames(chosen.geometry, chosen.table, cache=cache or out / "frames")
    trained = train_unet(
        chosen,
        divided.train,
        divided.validation,
        run=out,
        epochs=epochs,
        seed=seed,
        steps=steps,
        early_stop=None if early_stop is None else EarlyStop(early_stop, min_delta),
        before=True,
        small=small,
        workers=workers,
    ).training
    # The scores of the best epoch, and what a constant prediction would have cost.
    model, _ = load_unet(out)
    scores = iou_by_name(evaluate_unet(model, chosen, divided.validation))
    scores |= {"split": divided.report().splitlines(), "loss": constant_baseline(chosen, divided.validation, small)}
    write_text(out / "evaluation.json", json.dumps(scores, indent=2, allow_nan=False) + "\n")
    stopped = " (stopped early)" if trained.stopped_early else ""
    say(f"{trained.rows[-1]['epoch']} epochs{stopped}; validation frames, weights of epoch {trained.best_epoch}:")
    say(f"{'class':<14}{'report IoU':>11}{'pooled IoU':>11}")
    for name, value in scores["report_iou"].items():
        numbers = [value, scores["pooled_iou"][name]]
        say(f"{name:<14}" + "".join(f"{'-' if v is None else format(v, '.4f'):>11}" for v in numbers))
    nothing = scores["loss"]["constant"]
    say(f"Validation loss {trained.rows[-1]['val_loss']:.3f}; that of a constant prediction is {nothing:.3f}.")
    say(f"The run is in {out.as_posix()}; curves: tensorboard --logdir {out.as_posix()}")
