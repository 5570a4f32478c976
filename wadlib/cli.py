"""``wadlib …`` on the command line. Bad input ends with exit code 2 and says what to do."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wadlib import __version__
from wadlib.errors import WadError

__all__ = ["app", "main"]

app = typer.Typer(
    name="wadlib",
    help="The methods of the report on WAD driving videos, real or rendered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Root = Annotated[
    Path, typer.Argument(metavar="ROOT", help="A folder in the Kaggle layout (train_color, train_label…).")
]
Workers = Annotated[int | None, typer.Option(help="Frames at once; by default one for each core.", min=1)]


class Size(StrEnum):
    """Of rendered frames."""

    full = "full"
    network = "network"


class Subset(StrEnum):
    """Of a dataset."""

    train = "train"
    test = "test"


class Missing(StrEnum):
    """What to do with a frame that has no prediction."""

    error = "error"
    empty = "empty"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wadlib {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command(epilog="Example: wadlib render data/rendered --videos 10 --frames 60 --seed 0")
def render(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; an unfinished one is continued.")],
    videos: Annotated[int, typer.Option(help="Number of training videos.", min=1)] = 10,
    frames: Annotated[int, typer.Option(help="Frames in each video.", min=1)] = 60,
    every: Annotated[int, typer.Option(help="Render each n-th metre of the drive.", min=1)] = 1,
    test_videos: Annotated[int, typer.Option(help="Number of test videos (pictures without labels).", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Another seed draws another town.", min=0)] = 0,
    size: Annotated[Size, typer.Option(help="3384x2710, or straight to the network's 832x640.")] = Size.full,
    workers: Workers = None,
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
        workers=workers,
    )
    typer.echo(f"Rendered videos are in {root}")


@app.command(epilog="Example: wadlib info ../wad")
def info(root: Root, workers: Workers = None) -> None:
    """List videos, frames, instances per class, and what is missing."""
    from wadlib.dataset import open_wad

    wad = open_wad(root)
    typer.echo(wad.summary())
    typer.echo(wad.count_instances(workers=workers).table())


@app.command(epilog="Example: wadlib prepare ../wad data/prepared")
def prepare(
    root: Root,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; an unfinished one is continued.")],
    subset: Annotated[Subset, typer.Option(help="Which frames.")] = Subset.train,
    workers: Workers = None,
) -> None:
    """Crop and downscale every frame to the network's 832x640, as the report did."""
    from wadlib.dataset import open_wad, prepare

    report = prepare(open_wad(root), out, subset=subset.value, workers=workers)
    typer.echo(report.summary())
    if report.failed:
        raise typer.Exit(2)


@app.command(epilog="Example: wadlib evaluate ../wad runs/predictions --json table1.json")
def evaluate(
    root: Root,
    predictions: Annotated[Path, typer.Argument(metavar="PRED", help="Folder with label/<frame>_instanceIds.png.")],
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here too.")] = None,
    missing: Annotated[
        Missing, typer.Option(help="A frame without prediction stops, or counts as empty.")
    ] = Missing.error,
    workers: Workers = None,
) -> None:
    """Per-class IoU, the report's way and pooled, beside the report's Table 1."""
    from wadlib.dataset import open_wad
    from wadlib.files import write_text
    from wadlib.metrics import evaluate_folder

    evaluation = evaluate_folder(open_wad(root).frames, predictions, missing=missing.value, workers=workers)
    typer.echo(evaluation.summary())
    if json is not None:
        write_text(json, evaluation.to_json())


@app.command(epilog="Example: WAD_ROOT=../wad wadlib report")
def report(
    out: Annotated[Path | None, typer.Option(help="Folder for everything that is built; by default build/.")] = None,
) -> None:
    """Run the notebooks and build the HTML book (WAD_ROOT=… uses your data)."""
    from wadlib.book import build_book

    page = build_book(out, say=typer.echo)
    typer.echo(f"The book is ready: {page}")


@app.command(epilog="Example: wadlib notebooks --check")
def notebooks(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the notebooks match their sources.")] = False,
    handout: Annotated[Path | None, typer.Option(metavar="OUT", help="Write notebooks without solutions here.")] = None,
) -> None:
    """Execute notebooks/src/*.py into notebooks/*.ipynb."""
    from wadlib import notebooks as tools

    if check:
        tools.check()
        typer.echo("The notebooks match their sources.")
    elif handout is not None:
        for path in tools.hand_out(handout):
            typer.echo(f"  {path}")
    else:
        for path in tools.render(say=typer.echo):
            typer.echo(f"  {path}")


def main() -> None:
    """Entry point: run the command; turn what the user can mend into a message and exit code 2."""
    try:
        app()
    except WadError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("\nStopped. What is finished is kept; the same command goes on from here.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
