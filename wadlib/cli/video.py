"""The command that writes the result video."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wadlib.cli.common import Root, app
from wadlib.cli.streams import say


class Codec(StrEnum):
    """Of a video file."""

    h264 = "h264"
    av1 = "av1"


@app.command(epilog="Example: wadlib video ../wad runs/tracked out.mp4")
def video(
    root: Root,
    predictions: Annotated[
        Path, typer.Argument(metavar="PRED", help="Folder of predictions, such as `wadlib track` writes.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.mp4", help="File to write; beside it OUT.jpg and OUT.txt.")],
    name: Annotated[
        str | None, typer.Option("--video", metavar="NAME", help="Which video; by default the first with predictions.")
    ] = None,
    panels: Annotated[
        str, typer.Option(help="Side by side, of frame, tracks, truth, errors; errors and truth need labels.")
    ] = "tracks,errors",
    width: Annotated[int, typer.Option(help="Pixels of one panel.", min=16, max=8192)] = 832,
    rate: Annotated[
        float | None, typer.Option(help="Frames per second; by default 7.2, as the camera took them.")
    ] = None,
    codec: Annotated[Codec, typer.Option(help="h264 plays everywhere, av1 is smaller.")] = Codec.h264,
    frames: Annotated[int | None, typer.Option(help="Only so many frames, from the first.", min=1)] = None,
) -> None:
    """Show what was found as a video: masks by track, and where they are wrong."""
    from wadlib.dataset import open_dataset
    from wadlib.dataset.tracks import TRACKS
    from wadlib.errors import DatasetError
    from wadlib.figures.result_video import result_video
    from wadlib.figures.video_file import USUAL_RATE
    from wadlib.instances.reader import label_files

    wad, known = open_dataset(root), label_files(predictions, "predictions")
    some = [each for each in wad.videos if any(frame.name in known for frame in each.frames)]
    chosen = [each for each in some if name in (None, each.name)]
    if not chosen:
        raise DatasetError(
            f"video: expected a video with predictions in {predictions.name}, got {name or 'none'}",
            cause="a slip in the name, or predictions of another dataset",
            fix=f"one of {[each.name for each in some][:8]}" if some else "give the ROOT that was predicted",
        )
    written = result_video(
        chosen[0].frames[:frames],
        predictions,
        out,
        panels=[panel.strip() for panel in panels.split(",")],
        width=width,
        rate=USUAL_RATE if rate is None else rate,
        codec=codec.value,
        truth_tracks=wad.tracks() if (root / TRACKS).is_file() or (wad.source and wad.source.tracks) else None,
    )
    say(written.description.read_text("utf-8").strip())
    say(f"{written.size_bytes / 1e6:.1f} MB in {written.path}; {written.poster.name} is its first picture")
