"""Link a folder of predictions: read PRED, write PRED2 with the same instances, numbered by track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from wadlib._shared.cluster import packed, unpacked
from wadlib._shared.files import atomic_path
from wadlib._shared.parallel import map_frames
from wadlib._shared.parts import sweep
from wadlib.dataset import Frame, Video
from wadlib.errors import TrackingError, WorkerError
from wadlib.frames import read_label
from wadlib.instances import PredictionFolder
from wadlib.instances.reader import INSTANCES, FramePrediction
from wadlib.tracking.clock import frame_times
from wadlib.tracking.fill import Tracked, fill_gaps
from wadlib.tracking.link_config import LinkConfig
from wadlib.tracking.linking import Linker
from wadlib.tracking.numbers import number_on_labels
from wadlib.tracking.output import RowWriter, prepare_folder, renumbered, rows_of, write_tracked_label, write_tracks
from wadlib.tracking.pieces import instances_of, label_codes, pieces_of
from wadlib.tracking.rescore import best_of_tracks, track_support

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrackOptions:
    """What `track_folder` does beside linking.

    Attributes
    ----------
    link : LinkConfig
    flow : bool
        Read the pictures and use the flow hypothesis.
    support : bool
        Mix each score with that of its track around it, see `wadlib.tracking.rescore.track_support`.
    longest_gap : int
        Fill gaps of tracks up to so many frames, see `wadlib.tracking.fill.fill_gaps`; 0 for none.
    threshold : float, optional
        Paint labels anew, from instances of tracks whose best detection scores this or more. By default labels keep
        their pixels; with `support` or `longest_gap`, which change what is found, 0.85 (results/tracking).
    """

    link: LinkConfig = field(default_factory=LinkConfig)
    flow: bool = True
    support: bool = False
    longest_gap: int = 0
    threshold: float | None = None

    @property
    def painted_from(self) -> float | None:
        """The threshold in force; None if labels keep their pixels."""
        return 0.85 if self.threshold is None and (self.support or self.longest_gap) else self.threshold


@dataclass(frozen=True)
class TrackReport:
    """What `track_folder` did.

    Attributes
    ----------
    videos, frames, instances, tracks, filled : int
        `filled` of the instances were not detected but filled in.
    missing : int
        Frames of these videos without a prediction; they were left out.
    failed : tuple of str
        Why videos were left out: they kill the workers of a cluster.
    """

    videos: int
    frames: int
    instances: int
    tracks: int
    filled: int
    missing: int
    failed: tuple[str, ...] = ()

    def summary(self) -> str:
        """Say the numbers in a line or two."""
        text = f"{self.tracks} tracks of {self.instances} instances in {self.frames} frames of {self.videos} videos" + (
            f"; {self.filled} instances were filled in" if self.filled else ""
        )
        if self.missing:
            text += f"\n{self.missing} frames have no prediction and were left out"
        return "\n".join([text, *(f"left out: {message.splitlines()[0]}" for message in self.failed)])


def track_folder(
    videos: Iterable[Video],
    prediction: str | Path,
    out: str | Path,
    options: TrackOptions | None = None,
    *,
    executor: Executor | None = None,
    progress: bool = True,
) -> TrackReport:
    """Link the predictions of videos, each by itself, and write them numbered by track.

    ::

        OUT/label/<frame>_instanceIds.png   the labels of PRED; an instance's number is that of its track
        OUT/instances.json                  the instances of PRED, in the same order, with a "track_id" each
        OUT/tracks.json                     {"videos": {video: {frame: {code: track_id}}}}, written last

    A track id is unique in its video. The number on a label is one too as long as a video has at most 1000 tracks of a
    class; beyond that numbers of ended tracks are given out again, and ``tracks.json`` still tells them apart
    (`wadlib.dataset.tracks.read_tracks`).

    Parameters
    ----------
    videos : iterable of Video, such as ``open_wad(root).train_videos``
    prediction : folder PRED
    out : folder, other than `prediction`; results of an earlier call are replaced
    options : TrackOptions, optional
    executor : concurrent.futures.Executor, optional
        Processes or a cluster: a task is a video, since its frames are linked one after the other.
    progress : bool

    Raises
    ------
    TrackingError
        No frame of these videos in PRED, labels that do not belong to ``instances.json``, or an `out` that holds
        something else.
    """
    options = TrackOptions() if options is None else options
    folder = PredictionFolder.open(prediction)
    known = set(folder.names)
    chosen = [(video, keep) for video in videos if (keep := [f.name in known for f in video.frames]) and any(keep)]
    if not chosen:
        raise TrackingError(
            f"track: no frame of these videos has a prediction in {folder.folder.name} ({len(known)} frames)",
            cause="predictions of another dataset, or of its test frames",
            fix="give the ROOT that was predicted",
        )
    target = prepare_folder(Path(out), folder)
    gathered: dict[str, dict[str, dict[str, int]]] = {}
    counts = dict.fromkeys(("frames", "instances", "tracks", "filled"), 0)
    failed: list[str] = []
    jobs = _jobs(chosen, folder, target, options)
    with (
        atomic_path(target / INSTANCES) as part,
        part.open("w", encoding="utf-8") as file,
        tqdm(
            total=2 * sum(len(job.frames) for job in jobs), desc="tracking", unit="frame", disable=not progress
        ) as bar,
    ):
        rows = RowWriter(file)
        for job, done in _tracked(jobs, executor, bar):
            if isinstance(done, WorkerError):
                failed.append(str(done))
                continue
            gathered[job.name] = done.codes
            rows.add(done.rows)
            for name in counts:
                counts[name] += getattr(done, name)
        rows.end()
    if executor is not None:
        sweep(target / "label", again=True)  # what killed workers left
    write_tracks(target, gathered)
    missing = sum(len(keep) - sum(keep) for _, keep in chosen)
    return TrackReport(videos=len(gathered), missing=missing, failed=tuple(failed), **counts)


@dataclass(frozen=True, eq=False)
class _Job:
    """A video to link: all that a worker on another machine has to be told."""

    name: str
    frames: list[Frame]
    predictions: list[FramePrediction]
    times_s: npt.NDArray[np.float64]
    first: int  # number of its first frame in instances.json
    target: Path
    options: TrackOptions

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be sent compressed: names and folders of a video's frames are the same text again and again."""
        return _unpacked_job, (packed([getattr(self, each.name) for each in fields(self)]),)


def _unpacked_job(job: bytes) -> _Job:
    return _Job(*unpacked(job))


@dataclass(frozen=True, eq=False)
class _Done:
    """What came of a video; its labels are written."""

    codes: dict[str, dict[str, int]]
    rows: list[str]
    frames: int
    instances: int
    tracks: int
    filled: int


def _jobs(
    chosen: list[tuple[Video, list[bool]]], folder: PredictionFolder, target: Path, options: TrackOptions
) -> list[_Job]:
    jobs, first = list[_Job](), 1
    for video, keep in chosen:
        some = [frame for frame, kept in zip(video.frames, keep, strict=True) if kept]
        found = [folder.frame(frame.name) for frame in some]
        jobs.append(_Job(video.name, some, found, frame_times(video.frames)[keep], first, target.resolve(), options))
        first += len(some)
    return jobs


def _tracked(jobs: list[_Job], executor: Executor | None, bar: tqdm[Any]) -> Iterator[tuple[_Job, _Done | WorkerError]]:
    """Link each video, here or by the executor."""
    if executor is None:
        yield from ((job, _track(job, bar)) for job in jobs)
        return
    tracked: Iterator[tuple[_Job, Any]] = map_frames(
        _track, jobs, executor=executor, killed=lambda _, error: error, progress=False
    )
    for job, done in tracked:
        yield job, done
        bar.update(2 * len(job.frames))


def _track(job: _Job, bar: tqdm[Any] | None = None) -> _Done:
    """Link a video and write its labels."""
    linked = _Linked.of(job, bar)
    codes: dict[str, dict[str, int]] = {}
    rows: list[str] = []
    instances = filled = 0
    for number, (frame, tracked, label) in enumerate(linked.write(job, bar), start=job.first):
        codes[frame.name] = write_tracked_label(job.target, frame, tracked, label, linked.numbers, linked.shown)
        rows += rows_of(number, frame, tracked)
        instances += len(tracked.found)
        filled += tracked.filled
    return _Done(codes, rows, len(job.frames), instances, linked.tracks, filled)


@dataclass(frozen=True, eq=False)
class _Linked:
    """The tracks of one video: what is kept of it between the two readings of its frames."""

    ids: list[Ids]
    scores: list[npt.NDArray[np.float64]]
    numbers: dict[int, int]
    shown: frozenset[int]  # the tracks that are painted, where labels are painted anew
    tracks: int

    @classmethod
    def of(cls, job: _Job, bar: tqdm[Any] | None) -> _Linked:
        options, linker = job.options, Linker(job.options.link)
        ids, scores, classes = [], [], []
        for frame, prediction, time_s in zip(job.frames, job.predictions, job.times_s.tolist(), strict=True):
            found = prediction.read()
            ids.append(linker.update(found, time_s, frame.read_image() if options.flow else None))
            scores.append(found.scores.astype(np.float64))
            classes.append(found.class_ids)
            if bar is not None:
                bar.update()
        threshold = np.float32(options.painted_from or 0.0)
        shown = frozenset(track for track, best in best_of_tracks(scores, ids).items() if best >= threshold)
        if options.support:
            scores = track_support(scores, ids)
        return cls(ids, scores, number_on_labels(ids, classes), shown, linker.tracks)

    def write(self, job: _Job, bar: tqdm[Any] | None) -> Iterator[tuple[Frame, Tracked, npt.NDArray[np.uint16] | None]]:
        """Read each frame again; give it with its tracks, and its label if that keeps its pixels."""
        options = job.options

        def tracked() -> Iterator[Tracked]:
            for prediction, ids, scores in zip(job.predictions, self.ids, self.scores, strict=True):
                found = prediction.read()
                if options.support:
                    found = instances_of(found.class_ids, scores, found.boxes, pieces_of(found), found.shape)
                yield Tracked(found, ids)

        filled = fill_gaps(tracked(), options.longest_gap) if options.longest_gap else tracked()
        for frame, prediction, each in zip(job.frames, job.predictions, filled, strict=True):
            path = prediction.label
            label = read_label(path) if options.painted_from is None and path is not None else None
            if label is not None:
                old = label_codes(prediction, label, each.found)
                label = renumbered(label, old, each, self.numbers, frame)
            yield frame, each, label
            if bar is not None:
                bar.update()
