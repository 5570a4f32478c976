"""The command that runs a trained Mask R-CNN over a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wadlib.cli.choice import ConfigName, Seed, Side, SideOption, SplitOption, TrainFraction, chosen_frames
from wadlib.cli.common import Dask, Root, Workers, app, number
from wadlib.cli.data import Subset
from wadlib.cli.streams import say
from wadlib.errors import WeightsError

if TYPE_CHECKING:
    from wadlib.maskrcnn.config import Config
    from wadlib.maskrcnn.weights import LoadReport


@app.command(epilog="Example: wadlib predict ../wad --weights rendered --out runs/predictions")
def predict(
    root: Root,
    weights: Annotated[str, typer.Option(metavar="NAME|FILE", help="rendered, streets, wild, coco, or an .h5 file.")],
    out: Annotated[Path, typer.Option(metavar="PRED", help="Folder to write; an unfinished one is continued.")],
    config: Annotated[ConfigName | None, typer.Option(help="By default the one kept in the file of weights.")] = None,
    threshold: Annotated[
        float | None, number("Lowest score on the labels; by default the configuration's.", min=0, max=1)
    ] = None,
    min_score: Annotated[float, number("Lowest score in instances.json.", min=0, max=1)] = 0.05,
    batch_size: Annotated[int, typer.Option(help="Frames that go through the network at once.", min=1)] = 1,
    subset: Annotated[Subset, typer.Option(help="Which frames.")] = Subset.train,
    split: SplitOption = None,
    side: SideOption = Side.validation,
    train_fraction: TrainFraction = 0.7,
    seed: Seed = 0,
    full_frame: Annotated[
        bool, typer.Option("--full-frame", help="Write 832x640 frames in the pixels of the 3384x2710 frame.")
    ] = False,
    tiles: Annotated[
        bool, typer.Option("--tiles", help="Show the strip in overlapping tiles at a higher resolution; takes longer.")
    ] = False,
    zoom: Annotated[
        float | None,
        typer.Option(help="Of the tiles: 2 is full resolution (4 for coco's large anchors).", min=0.25, max=16),
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average with the mirror image; takes twice as long.")
    ] = False,
    scale: Annotated[
        list[float] | None,
        typer.Option(
            help="Average with the view at this scale (1.25: 1.6 times its pixels); may be given several times.",
            min=0.25,
            max=4,
        ),
    ] = None,
    every_class: Annotated[
        bool,
        typer.Option(
            "--every-class", help="Instances of each class of a proposal, not only of its best: more of them score low."
        ),
    ] = False,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """Find the instances in every frame: labels, and instances.json with all scores."""
    from wadlib.dataset import open_dataset
    from wadlib.maskrcnn.weight_files.released import find, licence_of

    # Before the long wait for TensorFlow.
    frames = chosen_frames(open_dataset(root), subset.value, split, side, seed, train_fraction)
    path = find(weights)
    if licence := licence_of(path):
        say(f"{path.name} has a licence of its own: {licence}")
    chosen = _config(config, path)
    if threshold is None:
        threshold = chosen.min_confidence
    from wadlib.training import quiet

    quiet()
    from wadlib.maskrcnn.inference import predict_dataset
    from wadlib.maskrcnn.model import MaskRCNN
    from wadlib.maskrcnn.tiles import Tiling

    if zoom is not None and not tiles:
        raise typer.BadParameter("only with --tiles", param_hint="--zoom")
    tiling = Tiling(zoom or (4 if chosen.view == "whole" else 2)) if tiles else None
    chosen = chosen.replace(min_confidence=min(threshold, min_score), every_class=every_class or chosen.every_class)
    model = MaskRCNN(chosen)
    _check_complete(model.load(path), path)
    report = predict_dataset(
        model,
        frames,
        out,
        threshold=threshold,
        batch_size=batch_size,
        full_frame=full_frame,
        tiling=tiling,
        mirror=mirror,
        scales=scale or (),
        workers=workers,
        executor=dask,
    )
    say(report.summary())
    say(f"Predictions are in {out}")
    if report.failed:
        raise typer.Exit(2)


def _config(name: ConfigName | None, path: Path) -> Config:
    """The configuration by name; else the one that was saved with the weights; else what the file is known for."""
    from wadlib.maskrcnn.weight_files.released import COCO_URL
    from wadlib.maskrcnn.weights import read_config

    if name is None:
        saved = read_config(path)
        if saved is not None:
            return saved
        name = ConfigName.coco if path.name == COCO_URL.rpartition("/")[2] else ConfigName.report
    return name.config()


def _check_complete(report: LoadReport, path: Path) -> None:
    if report.missing:
        names = ", ".join(report.missing[:4]) + (", …" if len(report.missing) > 4 else "")
        raise WeightsError(
            f"predict: expected weights for all layers, got none for {len(report.missing)} of them in {path.name} "
            f"({names})",
            cause="weights of another configuration, or of a backbone alone",
            fix="choose the configuration that they were trained with: --config report, coco or classroom",
        )
