"""Which frames of a dataset a command works on: options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wadlib.dataset import Frame, Wad
    from wadlib.maskrcnn.config import Config


class ConfigName(StrEnum):
    """Of a configuration, see `wadlib.maskrcnn.Config`."""

    report = "report"
    coco = "coco"
    classroom = "classroom"

    def config(self) -> Config:
        """Return the configuration of this name."""
        from wadlib.maskrcnn.config import Config

        made: Config = getattr(Config, self.value)()
        return made


class View(StrEnum):
    """What is kept of a full-size frame, see `wadlib.preprocess.VIEWS`."""

    report = "report"
    half_strip = "strip"  # `strip` is a method of strings


class Split(StrEnum):
    """How labelled frames are divided, see `wadlib.dataset.Wad.split`."""

    report = "report"
    by_video = "by_video"


class Side(StrEnum):
    """Of a split."""

    train = "train"
    validation = "validation"


SplitOption = Annotated[
    Split | None,
    typer.Option(help="Only one side of a split: the report's 70 % of each of 10 videos, or whole videos."),
]
SideOption = Annotated[Side, typer.Option(help="Which side of the split.")]
TrainFraction = Annotated[float, typer.Option(help="Of each video's frames (report), or of the videos (by_video).")]
Seed = Annotated[int, typer.Option(help="Of the draw of videos for the split.", min=0)]


def chosen_frames(
    wad: Wad, subset: str, split: Split | None, side: Side, seed: int, train_fraction: float = 0.7
) -> tuple[Frame, ...]:
    """Choose the frames that the options name; without a split also training frames that have no label."""
    if split is not None and subset == "train":
        found = wad.split(split.value, seed=seed, train_fraction=train_fraction)
        return found.train if side is Side.train else found.validation
    if split is not None:
        raise typer.BadParameter("test frames have no labels, so there is no split of them", param_hint="--split")
    videos = wad.train_videos if subset == "train" else wad.test_videos
    return tuple(frame for video in videos for frame in video.frames)
