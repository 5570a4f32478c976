"""The command that links predictions through time."""

from pathlib import Path
from typing import Annotated

import typer

from wadlib.cli.common import Dask, Root, app
from wadlib.cli.data import Subset
from wadlib.cli.streams import say


@app.command(epilog="Example: wadlib track ../wad runs/predictions --out runs/tracked")
def track(
    root: Root,
    predictions: Annotated[
        Path, typer.Argument(metavar="PRED", help="Folder with label/<frame>_instanceIds.png, or instances.json too.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="PRED2", help="Folder to write; an earlier result is replaced.")
    ],
    subset: Annotated[Subset, typer.Option(help="Which videos.")] = Subset.train,
    flow: Annotated[bool, typer.Option(help="Follow the pixels of the pictures (optical flow).")] = True,
    support: Annotated[
        bool, typer.Option("--support", help="Mix each score with that of its track, five frames to either side.")
    ] = False,
    fill: Annotated[int, typer.Option(help="Fill gaps of a track up to so many frames.", min=0, max=100)] = 0,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Paint labels anew, from tracks whose best score is this or more; by default they keep their pixels "
            "(with --support or --fill: 0.85).",
            min=0,
            max=1,
        ),
    ] = None,
    dask: Dask = None,
) -> None:
    """Give each predicted instance the number of its track: the same object, the same number in every frame."""
    from wadlib.dataset import open_dataset
    from wadlib.tracking.folder import TrackOptions, track_folder

    wad = open_dataset(root)
    videos = wad.train_videos if subset is Subset.train else wad.test_videos
    options = TrackOptions(flow=flow, support=support, longest_gap=fill, threshold=threshold)
    report = track_folder(videos, predictions, out, options, executor=dask)
    say(report.summary())
    say(f"Tracks are in {out}")
    if report.failed:
        raise typer.Exit(2)
