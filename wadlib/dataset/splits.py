"""Training and validation frames: the report's split, and one without a leak between the two."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wadlib._shared.words import one_of, plural
from wadlib.dataset.frame import Frame, Video
from wadlib.errors import DatasetError


@dataclass(frozen=True)
class Split:
    """Frames to learn from, and frames to validate on.

    Attributes
    ----------
    kind : "report" or "by_video"
    train, validation : tuple of Frame
    note : str
        What differs from the request, such as fewer videos than asked for; "" if nothing does.
    """

    kind: str
    train: tuple[Frame, ...]
    validation: tuple[Frame, ...]
    note: str = ""

    @property
    def shared_videos(self) -> tuple[str, ...]:
        """Videos with frames on both sides: validation frames whose neighbours were learnt from."""
        validation = {frame.video for frame in self.validation}
        return tuple(dict.fromkeys(frame.video for frame in self.train if frame.video in validation))

    def report(self) -> str:
        """Say the frames and videos on either side in a few lines of text."""
        lines = [f"split {self.kind!r}"]
        for side, frames in (("train", self.train), ("validation", self.validation)):
            videos = len({frame.video for frame in frames})
            lines.append(f"  {side:<10} {plural(len(frames), 'frame')} of {plural(videos, 'video')}")
        if shared := len(self.shared_videos):
            verb = "is" if shared == 1 else "are"
            lines.append(f"  {plural(shared, 'video')} {verb} on both sides: the score on validation frames flatters")
        else:
            lines.append("  no video is on both sides")
        if self.note:
            lines.append(f"  {self.note}")
        return "\n".join(lines)


def split_videos(
    videos: Sequence[Video], kind: str, *, seed: int = 0, sample: int | None = 10, train_fraction: float = 0.7
) -> Split:
    """Split the labelled frames of training videos.

    Parameters
    ----------
    videos : training videos; those without a labelled frame are left out
    kind : "report" or "by_video"
        "report" (70:30 in section 3; how, in the published code): the first `train_fraction` of the
        frames of each video are for training. Consecutive frames are a metre apart, so the two sides
        share their objects.
        "by_video": whole videos on either side.
    seed : int
        Draws the sample of videos and, by video, their side.
    sample : int or None
        How many videos to sample, all if there are fewer or if None.
    train_fraction : float, 0 < train_fraction < 1

    Raises
    ------
    DatasetError
        A request that cannot be met, such as one video to be split by video.
    """
    one_of(kind, ("report", "by_video"), "split: kind", DatasetError)
    if not 0 < train_fraction < 1 or (sample is not None and sample < 1):
        raise DatasetError(
            f"split: expected 0 < train_fraction < 1 and at least 1 video, got {train_fraction} and {sample}",
            cause="a percentage in place of a fraction",
            fix="use train_fraction=0.7, for example",
        )
    # Videos that can be learnt from, or a sample of them.
    labelled = [
        (video, frames) for video in videos if (frames := tuple(f for f in video.frames if f.label_path is not None))
    ]
    if not labelled:
        raise DatasetError(
            "split: the dataset has no labelled training frame",
            cause="train_color or train_label was not extracted",
            fix="extract both archives; `wadlib info` lists what is missing",
        )
    rng = np.random.default_rng(seed)
    note = ""
    if sample is not None and sample > len(labelled):
        note = f"asked for {sample} videos; the dataset has {len(labelled)}, all are used"
    elif sample is not None:
        chosen = rng.choice(len(labelled), size=sample, replace=False)
        labelled = [labelled[i] for i in sorted(chosen.tolist())]
    train: list[Frame] = []
    validation: list[Frame] = []
    # By the report: the first part of each video; leakage, as the rest shows the same street.
    if kind == "report":
        for _, frames in labelled:
            cut = _part(len(frames), train_fraction)
            train += frames[:cut]
            validation += frames[cut:]
        if not validation:
            raise DatasetError(
                f"split: no frame is left for validation ({len(train)} frames in {len(labelled)} videos)",
                cause="every video has a single labelled frame",
                fix="use split('by_video')" if len(labelled) > 1 else "use a dataset with more frames",
            )
    else:
        if len(labelled) < 2:
            raise DatasetError(
                f"split: cannot split by video, got {len(labelled)} video ({labelled[0][0].name})",
                cause="a small sample of the dataset",
                fix="use split('report'), which divides the frames of each video, or a dataset with more videos",
            )
        # By video: each is on one side.
        order = rng.permutation(len(labelled))
        learnt = set(order[: _part(len(labelled), train_fraction)].tolist())
        for i, (_, frames) in enumerate(labelled):
            (train if i in learnt else validation).extend(frames)
    return Split(kind, tuple(train), tuple(validation), note)


def _part(n: int, fraction: float) -> int:
    """`fraction` of `n`, rounded down; where n >= 2, at least one on either side."""
    # 0.7 * 90 is 62.99999999999999 in floating point, and 63 is meant.
    return min(max(math.floor(fraction * n + 1e-9), 1), max(n - 1, 1))
