"""The frames that the notebooks show: rendered ones that were chosen, and are named, for what they show.

>>> frame = lesson("two touching cars")  # doctest: +SKIP
>>> rare = lesson_frames("a tricycle")   # doctest: +SKIP

They lie in videos that no split of the course and no training of its networks uses. Each is drawn when it is first
asked for, so that a notebook that is opened alone waits for its own frames only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wadlib._shared.files import locked, make_folder
from wadlib._shared.parallel import map_frames
from wadlib._shared.words import one_of, plural
from wadlib.course import lesson_measures as measures
from wadlib.course.classroom import cache_folder, is_rendered, own_data, say_drawing
from wadlib.course.lesson_measures import Label
from wadlib.dataset import Frame, open_wad
from wadlib.dataset.layout import LABEL_SUFFIX, TRAIN_IMAGES, TRAIN_LABELS
from wadlib.errors import WadError
from wadlib.frames import FULL_SHAPE
from wadlib.labels import by_name
from wadlib.preprocess import FACTOR
from wadlib.rendered.write import Job, camera_number, frame_name, render_job, video_name

SEED = 0
VIDEOS: dict[int, tuple[int, ...]] = {
    10: (0, 12, 24, 36, 48),
    13: (0, 6, 12, 18),
    15: (6, 24, 30, 48, 54),
    16: (0, 6, 30, 42),
    17: (0, 36, 48),
    18: (0, 6),
    19: (18, 30, 36, 48, 54),
    20: (6, 12, 18, 30, 42, 54),
    22: (6, 18, 24),
    24: (12, 18),
    25: (12, 18, 48),
    26: (18, 24, 48),
    27: (0, 6, 12, 18, 24, 36),
    29: (0, 6, 24, 36, 48),
    31: (0, 12, 18, 24, 30, 36),
    32: (0, 6, 12, 18),
}
"""The lesson set: video of the renderer's seed 0 -> its frames. Data of the course ends with video 9."""


@dataclass(frozen=True)
class Lesson:
    """A frame, and what one should see in it.

    Attributes
    ----------
    video, frame : int
        Of the renderer's seed 0: one of `VIDEOS`.
    shows : function of a label at network size
        How much of it a label shows (see `wadlib.course.lesson_measures`).
    least : float
        `shows` gives at least that for the chosen frame.
    of_image : bool
        `shows` is a function of the image instead.
    """

    video: int
    frame: int
    shows: Callable[[Any], float]
    least: float
    of_image: bool = False

    def shown_by(self, frame: Frame) -> float:
        """Measure how much of it a frame shows."""
        return self.shows(frame.read_image() if self.of_image else at_network_size(frame))


LESSONS: dict[str, Lesson] = {
    "many classes": Lesson(10, 0, measures.classes_shown, 5),
    "two touching cars": Lesson(10, 12, measures.touching_cars, 100),
    "a person before a car": Lesson(20, 42, measures.person_before_car, 20),
    "a car behind a fence": Lesson(26, 48, measures.car_pieces, 10),
    "near and far": Lesson(10, 48, measures.far_from_near, 1000),
    "a near car": Lesson(29, 24, measures.class_area(33), 20_000),
    "dusk": Lesson(27, 24, measures.darkness, 180, of_image=True),
}
"""What is shown -> the frame that shows it."""

RARE: dict[str, tuple[tuple[int, int], ...]] = {
    "a motorbicycle": ((31, 36), (19, 48), (10, 0)),
    "a bicycle": ((27, 24), (20, 18), (31, 0)),
    "a truck": ((29, 0), (13, 0), (24, 18)),
    "a bus": ((27, 24), (22, 24), (10, 36)),
    "a tricycle": ((31, 18), (13, 12), (32, 6)),
}
"""A rare class -> (video, frame) of several frames of several videos that show it."""

LARGE_PX = 100
"""A rare object of so many pixels at network size can be told in a figure."""
WALL = 0.2
"""Share of the frame from which one object hides the street."""
FEW = 8
"""Fewer frames than this are drawn sooner than worker processes begin."""
CANDIDATES = 48
"""How many frames of somebody's own data are looked at."""


def lesson(name: str, size: str = "full", among: Iterable[Frame] | None = None) -> Frame:
    """Open the frame that shows something.

    Parameters
    ----------
    name : str
        A key of `LESSONS`, such as ``"two touching cars"``.
    size : {"full", "network"}
        3384x2710, or the report's 832x640.
    among : frames with labels, optional
        Where ``WAD_ROOT`` is set, the frame that shows it best is chosen among these (at most 48, evenly spread); by
        default among all. `size` is theirs then.

    Raises
    ------
    WadError
        There is no such lesson.
    """
    chosen = LESSONS[one_of(name, LESSONS, "lesson: name", WadError)]
    if is_rendered():
        (frame,) = _draw({chosen.video: (chosen.frame,)}, size, f"the frame that shows {name}")
        return frame
    return _best(name, chosen, tuple(_own_frames() if among is None else among))


def lesson_frames(what: str | None = None, size: str = "network") -> list[Frame]:
    """Open the whole lesson set, or the frames of it that were chosen for a rare class.

    Parameters
    ----------
    what : str, optional
        A key of `RARE`, such as ``"a tricycle"``.
    size : {"full", "network"}
        Of rendered frames. With ``WAD_ROOT`` the frames are yours, as they are: of at most 48, evenly spread, those
        with the largest objects of the class.
    """
    if what is not None:
        one_of(what, RARE, "lesson_frames: what", WadError)
    if is_rendered():
        wanted: dict[int, tuple[int, ...]] = (
            VIDEOS if what is None else {video: (frame,) for video, frame in RARE[what]}
        )
        count = plural(sum(map(len, wanted.values())), "frame")
        return _draw(wanted, size, f"{count} of the lesson set" if what is None else f"{count} that show {what}")
    frames = _spread(_own_frames())
    if what is None:
        return list(frames)
    areas = {frame: class_shown(what)(at_network_size(frame)) for frame in frames}
    largest = sorted(frames, key=lambda f: -areas[f])[: len(RARE[what])]
    return [frame for frame in largest if areas[frame] >= LARGE_PX]


def class_shown(what: str) -> Callable[[Label], int]:
    """Make the function that gives the area of the largest object of a rare class, a key of `RARE`, in a label."""
    return measures.class_area(by_name(what.split()[-1]).id)


def _best(name: str, chosen: Lesson, frames: Sequence[Frame]) -> Frame:
    """The frame in which most of it is seen, and no object hides the street if that can be helped."""

    def shown(frame: Frame) -> tuple[bool, float]:
        return measures.largest_share(at_network_size(frame)) < WALL, chosen.shown_by(frame)

    found = {frame: shown(frame) for frame in _spread(frames)}
    best = max(found, key=lambda frame: found[frame])
    if found[best][1] < chosen.least:
        print(f"No frame of yours shows {name}; {best.name} comes nearest.")
    return best


def _own_frames() -> tuple[Frame, ...]:
    root = own_data()
    return () if root is None else open_wad(root).frames


def _spread(frames: Sequence[Frame]) -> Sequence[Frame]:
    return frames[:: max(1, -(-len(frames) // CANDIDATES))]


def at_network_size(frame: Frame) -> Label:
    """Read the label of a frame; of a full-size one every fourth row and column."""
    label = frame.read_label()
    return label[::FACTOR, ::FACTOR] if label.shape == FULL_SHAPE else label


def _draw(videos: Mapping[int, tuple[int, ...]], size: str, what: str) -> list[Frame]:
    """Frames of the set, drawn into the cache if they are not there."""
    root = cache_folder(f"lesson-{size}")
    jobs = [_job(root, video, number, size) for video, numbers in videos.items() for number in numbers]
    missing = sum(not _is_drawn(job) for job in jobs)
    if missing:
        say_drawing(what)
        make_folder(root)
        for folder in (TRAIN_IMAGES, TRAIN_LABELS):
            make_folder(root / folder)
        with locked(root, wait=True):  # two notebooks that start at once
            workers = 1 if missing < FEW else None
            for _ in map_frames(
                render_job, jobs, done=_is_drawn, workers=workers, description="drawing", progress=missing >= FEW
            ):
                pass
    return [Frame(job.name, video_name(job.video), job.image, job.label) for job in jobs]


def _job(root: Path, video: int, number: int, size: str) -> Job:
    name = frame_name(SEED, video, number)
    image, label = root / TRAIN_IMAGES / f"{name}.jpg", root / TRAIN_LABELS / f"{name}{LABEL_SUFFIX}"
    return Job(SEED, video, camera_number(video), number, size, image, label, tracks=None)


def _is_drawn(job: Job) -> bool:
    return job.label is not None and job.label.is_file()  # written last
