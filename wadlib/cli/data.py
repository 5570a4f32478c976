"""Commands on a dataset: render, info, prepare."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wadlib.cli.choice import View
from wadlib.cli.common import Dask, Root, Workers, app
from wadlib.cli.streams import say


class Size(StrEnum):
    """Of rendered frames."""

    full = "full"
    network = "network"
    half_strip = "strip"  # `strip` is a method of strings


class Subset(StrEnum):
    """Of a dataset."""

    train = "train"
    test = "test"


@app.command(epilog="Example: wadlib render data/rendered --videos 10 --frames 60 --seed 0")
def render(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; an unfinished one is continued.")],
    videos: Annotated[int, typer.Option(help="Number of training videos.", min=1)] = 10,
    frames: Annotated[int, typer.Option(help="Frames in each video.", min=1)] = 60,
    every: Annotated[int, typer.Option(help="Render each n-th metre of the drive.", min=1)] = 1,
    test_videos: Annotated[int, typer.Option(help="Number of test videos (pictures without labels).", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Another seed draws another town.", min=0)] = 0,
    size: Annotated[
        Size, typer.Option(help="3384x2710, or straight to the report's 832x640, or to the 1664x384 strip.")
    ] = Size.full,
    wild: Annotated[
        bool, typer.Option("--wild", help="Signs, posters, clutter, glare, blur and grain, all of them background.")
    ] = False,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """Draw driving videos in exactly the WAD format."""
    from wadlib.rendered import render_dataset

    root = render_dataset(
        out,
        videos=videos,
        frames=frames,
        seed=seed,
        size=size.value,
        every=every,
        test_videos=test_videos,
        wild=wild,
        workers=workers,
        executor=dask,
    )
    say(f"Rendered videos are in {root}")


_COUNTED_UNASKED = 5_000
"""Labels: a full-size one takes 10 ms, so that the 39,222 of the dataset would keep a core busy for six minutes."""


@app.command(epilog="Example: wadlib info ../wad")
def info(
    root: Root,
    count: Annotated[
        bool | None,
        typer.Option(
            "--count/--no-count",
            help=f"Open every label and count the instances; unasked, of at most {_COUNTED_UNASKED} frames.",
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """List videos, frames, instances per class, and what is missing."""
    from wadlib.dataset import open_dataset

    wad = open_dataset(root)
    say(wad.summary())
    labels = len(wad.frames)
    if count or (count is None and labels <= _COUNTED_UNASKED):
        say(wad.count_instances(workers=workers).table())
    elif count is None:
        say(f"  instances not counted: that opens {labels} labels, 10 ms each at full size; --count does it")


@app.command(epilog="Example: wadlib prepare ../wad data/prepared")
def prepare(
    root: Root,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; an unfinished one is continued.")],
    subset: Annotated[Subset, typer.Option(help="Which frames.")] = Subset.train,
    view: Annotated[
        View, typer.Option(help="The report's 832x640, or the strip that holds nearly all objects, 1664x384.")
    ] = View.report,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """Crop and downscale every frame once, so that training need not do it again and again."""
    from wadlib.dataset import open_dataset, prepare

    wad = open_dataset(root)
    report = prepare(wad, out, subset=subset.value, view=view.value, workers=workers, executor=dask)
    say(report.summary())
    if report.failed:
        raise typer.Exit(2)
