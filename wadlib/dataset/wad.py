"""Open a WAD dataset: its folders as Kaggle hands them out (`wadlib.dataset.layout`), as videos of frames.

Any of them may be missing, and the lists and the files of the real data disagree: both are reported in
`Wad.problems`. A picture and its label belong together by the name of the frame, never by their
position in a sorted listing.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from wadlib._shared.parallel import map_frames
from wadlib._shared.words import plural
from wadlib.dataset.counts import InstanceCounts, code_areas, count_instances
from wadlib.dataset.folders import read_folders
from wadlib.dataset.frame import Frame, Source, Video
from wadlib.dataset.listfiles import DatasetProblem
from wadlib.dataset.origin import read_origin
from wadlib.dataset.splits import Split, split_videos
from wadlib.dataset.tracks import read_tracks
from wadlib.errors import DatasetError
from wadlib.labels import CLASSES

Result = TypeVar("Result")


@dataclass(frozen=True)
class Wad:
    """A WAD dataset.

    Attributes
    ----------
    root : Path
    videos : tuple of Video
        Training videos, then test videos, each in natural order of their names (2 before 10).
    problems : tuple of DatasetProblem
        What is missing, not listed or unreadable.
    lists : tuple of str
        The list and mapping files that were read, below `root`.
    source : Source or None
        What differs from WAD in another dataset (`wadlib.dataset.others`); None in WAD.
    """

    root: Path
    videos: tuple[Video, ...]
    problems: tuple[DatasetProblem, ...]
    lists: tuple[str, ...]
    source: Source | None = None

    @property
    def kind(self) -> str:
        """Name the dataset: "wad", or a key of `wadlib.dataset.classes.TABLES`."""
        return "wad" if self.source is None else self.source.kind

    def tracks(self) -> dict[str, dict[int, int]]:
        """Read the true identities: name of the frame -> label code -> track.

        Raises
        ------
        DatasetError
            Nobody knows them: WAD's labels without a ``tracks.json``, and pictures that are not consecutive.
        """
        if self.source is None:
            return read_tracks(self.root)
        if not self.source.tracks:
            raise DatasetError(
                f"tracks: nobody labelled the identities in {self.kind}",
                cause="pictures that are not consecutive frames, or ids that belong to one frame",
                fix="score tracks on rendered videos, KITTI-MOTS, BDD100K's seg_track_20 or CARLA 0.9.16",
            )
        codes = self.map(_own_codes, description="reading tracks", progress=False)
        return dict(zip([frame.name for frame in self.frames], codes, strict=True))

    @property
    def train_videos(self) -> tuple[Video, ...]:
        """The training videos."""
        return tuple(video for video in self.videos if video.subset == "train")

    @property
    def test_videos(self) -> tuple[Video, ...]:
        """The test videos; their frames have no labels."""
        return tuple(video for video in self.videos if video.subset == "test")

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The training frames that have a label, video by video."""
        return tuple(frame for video in self.train_videos for frame in video.frames if frame.label_path is not None)

    def split(
        self, kind: str = "report", *, seed: int = 0, videos: int | None = None, train_fraction: float = 0.7
    ) -> Split:
        """Divide the labelled frames into training and validation; see `wadlib.dataset.splits.split_videos`.

        Parameters
        ----------
        kind : "report" or "by_video"
            The report's: the first 70 % of the frames of each of 10 sampled videos. By video: no
            video on both sides.
        seed : int
        videos : int, optional
            How many videos to sample (all, if there are fewer). By default 10 for "report", as the
            report did, and all for "by_video".
        train_fraction : float
        """
        if videos is None and kind == "report":
            videos = 10
        return split_videos(self.train_videos, kind, seed=seed, sample=videos, train_fraction=train_fraction)

    def map(
        self,
        function: Callable[[Frame], Result],
        frames: Iterable[Frame] | None = None,
        *,
        workers: int | None = None,
        executor: Executor | None = None,
        description: str = "",
        progress: bool = True,
    ) -> list[Result]:
        """Call `function` on each frame, several at once, and list its results in the order of the frames.

        Parameters
        ----------
        function : callable
            Takes a frame. What it returns is kept, so that it should return numbers and not whole pictures.
        frames : frames, optional
            By default the labelled ones, ``wad.frames``.
        workers : int, optional
            Threads, by default one per core: decoding, resizing and the compiled parts of wadlib let go of the
            interpreter lock.
        executor : concurrent.futures.Executor, optional
            Instead of threads: processes, or ``dask.distributed.Client().get_executor()``.
        description : str
            Beside the progress bar.
        progress : bool
            Show the bar.

        Examples
        --------
        >>> Wad(Path("data"), (), (), ()).map(lambda frame: frame.name)
        []
        """
        chosen = self.frames if frames is None else frames
        done = map_frames(
            function,
            chosen,
            workers=workers,
            threads=True,
            executor=executor,
            description=description,
            progress=progress,
        )
        return [result for _, result in done]

    def count_instances(
        self, *, workers: int | None = None, executor: Executor | None = None, progress: bool = True
    ) -> InstanceCounts:
        """Read all labels and count the instances; see `wadlib.dataset.counts.count_instances`."""
        return count_instances(self.frames, workers=workers, executor=executor, progress=progress)

    def summary(self) -> str:
        """Say videos, frames and problems in a few lines of text."""
        lines = [self.root.as_posix()]
        if self.source is not None:
            names = ", ".join(CLASSES[class_id].name for class_id in self.source.unlabelled)
            lines.append(f"  {self.kind}; " + (f"nobody labelled {names} there" if names else "WAD's classes"))
        labelled = len(self.frames)
        for name, videos in (("train", self.train_videos), ("test", self.test_videos)):
            frames = sum(len(video.frames) for video in videos)
            lines.append(
                f"  {name:<6} {plural(len(videos), 'video')}, {plural(frames, 'frame')}"
                + (f", {labelled} labelled" if name == "train" and labelled != frames else "")
            )
        kinds = Counter(problem.kind for problem in self.problems)
        lines.append(f"  {plural(len(self.problems), 'problem')}" + (":" if kinds else ""))
        for kind, number in kinds.items():
            lines.append(f"    {kind}: {number}")
            first = [problem for problem in self.problems if problem.kind == kind][:3]
            lines += [f"      {str(problem).removeprefix(kind + ': ')}" for problem in first]
            if number > len(first):
                lines.append(f"      … and {number - len(first)} more")
        return "\n".join(lines)


def open_wad(root: str | Path) -> Wad:
    """Open a WAD dataset.

    `root` is the folder of ``train_color``, ``train_label``…, or of Kaggle's archives ``train_color.zip``…, which need
    not be unpacked; one of those archives, which stands for those beside it; an archive of the whole dataset; or a URL
    that fsspec knows, such as ``s3://bucket/wad`` (`wadlib._shared.storage`).

    Reads the list files and looks into each folder once; no picture or label is opened. What is wrong
    with the lists or files goes to `Wad.problems`:

    - a listed frame without its picture is left out; one without its label stays, unlabelled;
    - frames that no list names form one video per camera, ``unlisted_cam_5``, in the order of their
      names (so a dataset without any list can be used);
    - a frame named twice belongs to the first video that names it;
    - a line that is unreadable, or whose path is absolute or holds ``..``, is not used.

    Raises
    ------
    DatasetError
        `root` is not a folder, cannot be read, or holds none of the folders of a WAD dataset.
    """
    root = Path(root)
    videos, problems, lists = read_folders(root)
    source = read_origin(root)
    if source is not None:  # frames of another dataset that `prepare` has brought to WAD's format
        videos = [
            replace(video, frames=tuple(replace(frame, source=source) for frame in video.frames)) for video in videos
        ]
    return Wad(root, tuple(videos), tuple(problems), tuple(lists), source)


def _own_codes(frame: Frame) -> dict[int, int]:
    return {code: code for code in code_areas(frame.read_label())[0].tolist()}
