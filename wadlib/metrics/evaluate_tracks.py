"""Score the tracks of a folder of predictions: one sequence per class and video, then combined."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wadlib._shared.parallel import map_labels
from wadlib.dataset import Frame, Video
from wadlib.dataset.tracks import TRACKS, read_tracks
from wadlib.errors import MetricError
from wadlib.frames import read_label
from wadlib.instances.reader import label_files
from wadlib.labels import BACKGROUND, CLASSES, IDS
from wadlib.metrics.clear import Clear, clear
from wadlib.metrics.hota import Hota, hota
from wadlib.metrics.identity import Identity, identity
from wadlib.metrics.stq import Stq, stq
from wadlib.metrics.tracks import TrackedOverlap

if TYPE_CHECKING:
    import pandas as pd

_SHOWN: dict[str, Callable[[TrackScores], float]] = {
    "HOTA": lambda s: s.hota.hota,
    "DetA": lambda s: s.hota.deta,
    "AssA": lambda s: s.hota.assa,
    "LocA": lambda s: s.hota.loca,
    "IDF1": lambda s: s.identity.idf1,
    "MOTA": lambda s: s.clear.mota,
    "sMOTSA": lambda s: s.clear.smotsa,
    "MOTP": lambda s: s.clear.motp,
}
_COUNTS: dict[str, Callable[[TrackScores], int]] = {
    "switches": lambda s: s.clear.idsw,
    "tracks": lambda s: s.clear.mt + s.clear.pt + s.clear.ml,
    "objects": lambda s: s.identity.idtp + s.identity.idfn,
}


@dataclass(frozen=True)
class TrackScores:
    """The three families of scores of the same sequences.

    Attributes
    ----------
    hota : Hota
    clear : Clear
    identity : Identity
    """

    hota: Hota
    clear: Clear
    identity: Identity

    @classmethod
    def combine(cls, parts: Iterable[TrackScores]) -> TrackScores:
        """Add up the counts of several sequences."""
        parts = list(parts)
        return cls(
            Hota.combine(p.hota for p in parts),
            Clear.combine(p.clear for p in parts),
            Identity.combine(p.identity for p in parts),
        )


@dataclass(frozen=True)
class TrackEvaluation:
    """Scores of the tracks of some videos.

    Attributes
    ----------
    sequences : dict[str, dict[int, TrackScores]]
        Video -> class id -> scores: everything else is combined from these.
    quality : dict[str, Stq]
        Video -> segmentation and tracking quality, of all classes together.
    missing : tuple of str
        Frames without a prediction, that were scored as all background.
    """

    sequences: dict[str, dict[int, TrackScores]]
    quality: dict[str, Stq]
    missing: tuple[str, ...] = ()

    @property
    def per_class(self) -> dict[int, TrackScores]:
        """Class id -> scores over all videos."""
        return {c: TrackScores.combine(video[c] for video in self.sequences.values()) for c in IDS}

    @property
    def together(self) -> TrackScores:
        """All classes as one: each object counts the same, so cars decide."""
        return TrackScores.combine(self.per_class.values())

    @property
    def stq(self) -> Stq:
        """Segmentation and tracking quality over all videos."""
        return Stq.combine(self.quality.values())

    def mean(self, score: str) -> float:
        """Average over the classes that the truth holds, such as ``mean("AssA")``."""
        known = [v for each in self.per_class.values() if not math.isnan(v := _SHOWN[score](each))]
        return sum(known) / len(known) if known else math.nan

    def table(self) -> pd.DataFrame:
        """Make one row per class, one of their mean, and one of all objects together."""
        import pandas as pd

        rows: dict[str, dict[str, float]] = {
            CLASSES[c].name: {**{n: f(s) for n, f in _SHOWN.items()}, **{n: f(s) for n, f in _COUNTS.items()}}
            for c, s in self.per_class.items()
        }
        together = self.together
        counts = {name: count(together) for name, count in _COUNTS.items()}
        rows["mean"] = {name: self.mean(name) for name in _SHOWN} | counts
        rows["together"] = {name: score(together) for name, score in _SHOWN.items()} | counts
        table = pd.DataFrame(rows).T
        table.index.name = "class"
        return table.astype(dict.fromkeys(_COUNTS, int))

    def summary(self) -> str:
        """Write the text for a terminal."""
        lines = [self.table().to_string(na_rep="-", float_format=lambda value: f"{value:.4f}")]
        lines.append('"mean" is that of the classes; in "together" each object counts the same.')
        quality = self.stq
        lines.append(
            f"Segmentation and tracking quality STQ {quality.stq:.4f}: segmentation {quality.sq:.4f}, "
            f"association {quality.aq:.4f} over {quality.tubes} objects."
        )
        if self.missing:
            lines.append(f"{len(self.missing)} frames without a prediction were counted as empty.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return numbers by score, then class name, with "mean" and "together"; None for nan."""
        together, per_class = self.together, self.per_class
        result: dict[str, Any] = {}
        for name, score in _SHOWN.items():
            values = {CLASSES[c].name: score(s) for c, s in per_class.items()}
            values |= {"mean": self.mean(name), "together": score(together)}
            result[name] = {key: None if math.isnan(value) else value for key, value in values.items()}
        for name, count in _COUNTS.items():
            result[name] = {CLASSES[c].name: count(s) for c, s in per_class.items()} | {"together": count(together)}
        quality = {"STQ": self.stq.stq, "SQ": self.stq.sq, "AQ": self.stq.aq}
        return result | {name: None if math.isnan(value) else value for name, value in quality.items()}


def evaluate_tracks(
    videos: Iterable[Video],
    truth_tracks: Mapping[str, Mapping[int, int]],
    prediction: str | Path,
    *,
    missing: str = "error",
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> TrackEvaluation:
    """Compare the tracks of label maps with the truth.

    Parameters
    ----------
    videos : iterable of Video
        Their labelled frames are scored.
    truth_tracks : mapping
        Frame -> label code -> identity, of `wadlib.dataset.tracks.read_tracks`.
    prediction : folder
        What ``wadlib track`` wrote. Without a ``tracks.json`` in it, the number on a label is taken for the track
        (which is right for other programs' output, not for that of ``wadlib predict``).
    missing : "error" or "empty"
        A frame without prediction stops, or counts as empty.
    workers, executor, progress
        See `wadlib._shared.parallel.map_frames`; threads by default.

    Raises
    ------
    MetricError
        No labelled frame, a frame without prediction or identities, sizes that differ, codes without a track.
    """
    folder = Path(prediction)
    labels = label_files(folder, "predictions")
    found_tracks = read_tracks(folder) if (folder / TRACKS).is_file() else None
    sequences: dict[str, dict[int, TrackScores]] = {}
    quality: dict[str, Stq] = {}
    absent: list[str] = []
    for video in videos:
        frames = [frame for frame in video.frames if frame.label_path is not None]
        if not frames:
            continue
        unknown = [frame.name for frame in frames if frame.name not in truth_tracks]
        lacking = [frame.name for frame in frames if frame.name not in labels]
        if unknown or (lacking and missing == "error"):
            raise MetricError(
                f"evaluate_tracks: {len(unknown or lacking)} of {len(frames)} frames of {video.name} have no "
                + ("identities" if unknown else f"prediction in {folder.name}")
                + f": {(unknown or lacking)[0]}",
                cause="a tracks.json of other frames" if unknown else "a prediction run that was stopped early",
                fix="render the dataset again" if unknown else "predict those frames too, or count them as empty",
            )
        absent += lacking
        # Frames are compared in parallel; each class of the video is then a sequence of its own.
        pairs = [
            _Pair(
                frame,
                labels.get(frame.name),
                truth_tracks[frame.name],
                None if found_tracks is None else found_tracks.get(frame.name, {}),
            )
            for frame in frames
        ]
        done = map_labels(_compare, pairs, video.name, workers, executor, progress)
        overlaps = [overlap for _, overlap in done]
        sequences[video.name] = {c: _scores([overlap.of_class(c) for overlap in overlaps]) for c in IDS}
        quality[video.name] = stq(overlaps)
    if not sequences:
        raise MetricError(
            "evaluate_tracks: expected videos with labelled frames, got none",
            cause="test videos, or a dataset without labels",
            fix="use open_wad(root).train_videos",
        )
    return TrackEvaluation(sequences, quality, tuple(absent))


def _scores(frames: list[Any]) -> TrackScores:
    return TrackScores(hota(frames), clear(frames), identity(frames))


class _Pair(NamedTuple):
    """What to compare, and nothing else: it is sent to workers on other machines."""

    frame: Frame
    label: Path | None
    truth_tracks: Mapping[int, int]
    found_tracks: Mapping[int, int] | None


def _compare(pair: _Pair) -> TrackedOverlap:
    truth = pair.frame.read_label()
    found = np.full_like(truth, BACKGROUND) if pair.label is None else read_label(pair.label)
    return TrackedOverlap.from_labels(truth, found, pair.truth_tracks, pair.found_tracks)
