"""``wadlib export …`` and ``wadlib import …``: other people's formats."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wadlib.cli.common import Dask, Root, Workers, app
from wadlib.cli.streams import say

export = typer.Typer(name="export", help="Write labels or predictions in other formats.", no_args_is_help=True)
import_ = typer.Typer(name="import", help="Read labels of other formats.", no_args_is_help=True)
app.add_typer(export)
app.add_typer(import_)

Predictions = Annotated[
    Path | None,
    typer.Option(metavar="PRED", help="Export these predictions; without it, the true labels."),
]

AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Write what there is: a frame without prediction has nothing in it.")
]


class Classes(StrEnum):
    """Numbers of the classes in a KITTI-MOTS file."""

    kitti = "kitti"
    wad = "wad"


@export.command(epilog="Example: wadlib export coco ../wad truth.json")
def coco(
    root: Root,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="JSON file to write.")],
    predictions: Predictions = None,
    ignore: Annotated[bool, typer.Option(help="Write regions to ignore as crowds of each class.")] = True,
    allow_missing: AllowMissing = False,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """COCO's JSON: a dataset of the labels, or results with the same image ids."""
    from wadlib.dataset import open_dataset
    from wadlib.interop.coco import write_coco, write_coco_results

    frames = open_dataset(root).frames
    if predictions is None:
        written = write_coco(frames, out, ignore=ignore, workers=workers, executor=dask)
        say(f"{written} annotations of {len(frames)} frames are in {out}")
    else:
        written = write_coco_results(
            frames,
            predictions,
            out,
            missing="empty" if allow_missing else "error",
            workers=workers,
            executor=dask,
        )
        say(f"{written} results of {len(frames)} frames are in {out}")


@export.command(epilog="Example: wadlib export submission ../wad runs/predictions submission.csv")
def submission(
    root: Root,
    predictions: Annotated[Path, typer.Argument(metavar="PRED", help="Folder of predictions of the test frames.")],
    out: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file to write.")],
    keep_overlaps: Annotated[
        bool, typer.Option("--keep-overlaps", help="Write masks as they are; a pixel may belong to several.")
    ] = False,
    allow_missing: AllowMissing = False,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """The CSV that the Kaggle challenge took: full-size pixels, ImageId from ROOT's pictures."""
    from wadlib.dataset import open_dataset
    from wadlib.instances import PredictionFolder
    from wadlib.interop.submission import write_submission

    # Whole subsets: of test frames or of training frames, whichever were predicted.
    wad = open_dataset(root)
    predicted = set(PredictionFolder.open(predictions).names)
    subsets = [[frame for video in videos for frame in video.frames] for videos in (wad.train_videos, wad.test_videos)]
    image_ids = {
        frame.name: frame.image_path.stem
        for frames in subsets
        if any(frame.name in predicted for frame in frames)
        for frame in frames
    }
    written = write_submission(
        predictions,
        out,
        image_ids=image_ids,
        overlaps="keep" if keep_overlaps else "cut",
        missing="empty" if allow_missing else "error",
        workers=workers,
        executor=dask,
    )
    say(f"{written} instances are in {out}")


@export.command("kitti-mots", epilog="Example: wadlib export kitti-mots ../wad mots")
def kitti_mots(
    root: Root,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    predictions: Predictions = None,
    classes: Annotated[Classes, typer.Option(help="KITTI's cars and pedestrians, or all seven by WAD id.")] = (
        Classes.kitti
    ),
    allow_missing: AllowMissing = False,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """KITTI-MOTS text files, one per video, which TrackEval scores."""
    from wadlib.dataset import open_dataset
    from wadlib.interop.kitti_mots import KITTI, WAD, write_kitti_mots

    table = KITTI if classes is Classes.kitti else WAD
    videos = open_dataset(root).train_videos
    missing = "empty" if allow_missing else "error"
    write_kitti_mots(
        videos, out, prediction=predictions, classes=table, missing=missing, workers=workers, executor=dask
    )
    say(f"{len(videos)} videos are in {out}")


@import_.command("coco", epilog="Example: wadlib import coco instances_val2017.json data/coco")
def import_coco(
    dataset: Annotated[Path, typer.Argument(metavar="FILE", help="A COCO dataset.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write train_label/ in.")],
) -> None:
    """Label files of a COCO dataset's images: people, bicycles, cars… by their names."""
    from wadlib.interop.coco_import import CocoDataset, write_labels

    read = CocoDataset.open(dataset)
    say(f"{len(write_labels(read, out))} label files are in {out}")
    say(read.summary())
