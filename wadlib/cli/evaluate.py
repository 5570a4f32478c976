"""The command that scores predictions."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wadlib.cli.choice import Seed, Side, SideOption, SplitOption, TrainFraction, chosen_frames
from wadlib.cli.common import Dask, Root, Workers, app, file_to_write
from wadlib.cli.streams import say

if TYPE_CHECKING:
    from wadlib.dataset import Wad


class Missing(StrEnum):
    """What to do with a frame that has no prediction."""

    error = "error"
    empty = "empty"


@app.command(epilog="Example: wadlib evaluate ../wad runs/predictions --json table1.json")
def evaluate(
    root: Root,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PRED", help="Folder with label/<frame>_instanceIds.png, and instances.json if there are scores."
        ),
    ],
    json: Annotated[Path | None, file_to_write("--json", "Write the numbers here too.")] = None,
    csv: Annotated[Path | None, file_to_write("--csv", "Write the table here too.")] = None,
    frames: Annotated[Path | None, file_to_write("--frames", "Write a CSV with a row for each frame.")] = None,
    worst: Annotated[int, typer.Option(help="List so many of the worst frames.", min=0)] = 0,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Also the report's IoU at score thresholds from 0.05 to 0.95.")
    ] = False,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published",
            help="Also as the report's authors' code would have saved them, step by step, from score 0.9.",
        ),
    ] = False,
    tracks: Annotated[
        bool,
        typer.Option("--tracks", help="Also HOTA, MOTA, IDF1 and STQ of what `wadlib track` wrote (ROOT/tracks.json)."),
    ] = False,
    draws: Annotated[
        int, typer.Option(help="Draws of videos for the 95 % intervals (bootstrap); 0 for none.", min=0, max=100_000)
    ] = 1000,
    missing: Annotated[
        Missing, typer.Option(help="A frame without prediction stops, or counts as empty.")
    ] = Missing.error,
    split: SplitOption = None,
    side: SideOption = Side.validation,
    train_fraction: TrainFraction = 0.7,
    seed: Seed = 0,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """IoU (the report's, pooled, per instance), AP and PQ per class, beside the report's Table 1."""
    from json import dumps

    from wadlib._shared.files import write_text
    from wadlib.dataset import open_dataset
    from wadlib.metrics import evaluate_folder, iou_at_thresholds, published_waterfall_of
    from wadlib.metrics.evaluate_tracks import evaluate_tracks

    wad = open_dataset(root)
    identities = _identities(wad, split) if tracks else {}
    chosen = wad.frames if split is None else chosen_frames(wad, "train", split, side, seed, train_fraction)
    evaluation = evaluate_folder(chosen, predictions, missing=missing.value, workers=workers, executor=dask)
    say(evaluation.summary(draws))
    if worst:
        shown = evaluation.worst(worst).iloc[:, :7]
        say("\n" + shown.to_string(float_format=lambda value: f"{value:.4f}"))
    if sweep:
        at = iou_at_thresholds(chosen, predictions, workers=workers, executor=dask)
        say("\nThe report's IoU if only instances of this score or more were kept:")
        say(at.table().to_string(na_rep="-", float_format=lambda value: f"{value:.4f}"))
        say(f"Largest mean at {at.best:g}. For frames other than these: wadlib predict … --threshold {at.best:g}")
    more = {}
    if as_published:
        fall = published_waterfall_of(chosen, predictions, workers=workers, executor=dask)
        say("\nThe report's IoU of the same instances, from the published saving code to a label read rightly:")
        say(fall.table().to_string(na_rep="-", float_format=lambda value: f"{value:.4f}"))
        say(f"Frames erased as published, because masks overlap: {fall.erased} of {fall.frames}")
        more["as_published"] = fall.to_dict()
    if tracks:
        scored = evaluate_tracks(
            wad.train_videos, identities, predictions, missing=missing.value, workers=workers, executor=dask
        )
        say(f"\n{scored.summary()}")
        more["tracks"] = scored.to_dict()
    if json is not None:
        write_text(json, dumps(evaluation.to_dict(draws) | more, indent=2, allow_nan=False) + "\n")
    if csv is not None:
        write_text(csv, evaluation.to_csv())
    if frames is not None:
        write_text(frames, evaluation.per_frame().to_csv(lineterminator="\n"))


def _identities(wad: Wad, split: str | None) -> dict[str, dict[int, int]]:
    """Read the true identities, before the long wait for the other scores."""
    if split is not None:
        raise typer.BadParameter(
            "tracks are scored over whole videos, so not on one side of a split", param_hint="--split"
        )
    return wad.tracks()
