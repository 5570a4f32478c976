"""Write a rendered dataset in the Kaggle layout."""

import datetime
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wadlib._shared.files import locked, make_folder, read_bytes, write_text
from wadlib._shared.parallel import map_frames
from wadlib._shared.parts import sweep
from wadlib.dataset import layout
from wadlib.errors import RenderError, WorkerError
from wadlib.frames import write_image, write_label
from wadlib.rendered.drawing.camera import SIZES
from wadlib.rendered.render import Rendered, RenderedVideo, make_video, render

VERSION = 1
"""Raised whenever the same request gives other files, so that nobody mixes old frames with new ones."""

STEP_MS = 139
SIDECARS = ".tracks"  # one file per frame while rendering; gathered in tracks.json at the end
START = datetime.datetime(2018, 1, 1, 8, 0, 0, tzinfo=datetime.UTC)
"""Names count from here, so that they can never be taken for those of real frames (2017)."""


@dataclass(frozen=True)
class Request:
    """What is asked for: the content of render.json. Same request, same files."""

    videos: int
    frames: int
    seed: int
    size: str
    every: int
    test_videos: int
    version: int = VERSION
    wild: bool = False

    def note(self) -> dict[str, Any]:
        """Return the content of render.json; a plain set says nothing of `wild`, as before there were wild ones."""
        return {name: value for name, value in asdict(self).items() if name != "wild" or value}


@dataclass(frozen=True)
class Job:
    """One frame to render, and where it goes."""

    seed: int
    video: int
    camera: int
    frame: int
    size: str
    image: Path
    label: Path | None  # None, like tracks, for a test frame
    tracks: Path | None
    wild: bool = False

    @property
    def name(self) -> str:
        """Of the frame, or of the picture of a test frame."""
        return self.image.stem


@functools.lru_cache(maxsize=4)
def _video(seed: int, number: int, camera: int, wild: bool) -> RenderedVideo:
    return make_video(seed, number, camera, wild)


def render_job(job: Job) -> None:
    """Render one frame and write its files; the last of them says that the frame is complete."""
    rendered = render(_video(job.seed, job.video, job.camera, job.wild), job.frame, SIZES[job.size])
    write_image(job.image, rendered.image)
    if job.label is not None:
        write_label(job.label, rendered.label)
    if job.tracks is not None:
        write_text(job.tracks, json.dumps({str(code): track for code, track in sorted(rendered.tracks.items())}))


def render_dataset(
    out: str | Path,
    videos: int = 10,
    frames: int = 60,
    seed: int = 0,
    size: str = "full",
    *,
    every: int = 1,
    test_videos: int = 0,
    wild: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> Path:
    r"""Render driving videos in WAD's format: the embedded dataset, in place of a 100 GB download.

    The folder holds what the Kaggle archives hold (``train_color``, ``train_label``,
    ``train_video_list``, with `test_videos` also ``test`` and ``test_video_list_and_name_mapping``),
    and two files more:

    ``tracks.json``
        The true identities, which WAD's labels do not tell (its instance numbers change from frame
        to frame): ``{"videos": {video: {frame: {code: track}}}}`` with the name of the video's list
        without ``_image_list_train.txt``, the frame's name, the label code as a string, and a whole
        number that is the same for the same object in every frame of that video.
    ``render.json``
        The request. The same request again renders what is missing and nothing else.

    Parameters
    ----------
    out : path
        Folder to make or to complete.
    videos, frames : int
        Number of videos, and of frames in each. Cameras 5 and 6, four kinds of light and three kinds of
        road take turns; video k is the same however many there are.
    seed : int
        Same seed and size: the same files, bit for bit.
    size : {"full", "network", "strip"}
        3384x2710, or straight the report's 832x640 (cropped 28/28/75/75 and downscaled by 4): the
        same street at a tenth of the time, for training sets.
    every : int
        Keep every n-th frame of the drive (one frame is about a metre): few frames, more street.
    test_videos : int
        Videos more that go to ``test`` under md5 names, without labels.
    wild : bool
        The same roads and the same traffic in streets that are harder to read: banners, posters, signs with
        people and vehicles on them, kiosks, bins, hedges, shadows across the road, and a camera with its own
        exposure, white balance, motion blur, glare and grain for each video. All of it is background.
    workers, executor, progress
        See `wadlib._shared.parallel.map_frames`.

    Returns
    -------
    pathlib.Path, the folder `out`

    Raises
    ------
    RenderError
        A number out of range, an unknown size, or a folder that holds another request's frames.
    StorageError
        A file could not be written. Files are whole or absent: run the same call again to go on.
    WorkerError
        Workers of a cluster died of a frame; all others are there.
    """
    request = Request(videos, frames, seed, size, every, test_videos, wild=wild)
    _check(request)
    root = make_folder(out)
    with locked(root, wait=True):  # two notebooks that start at once: the second one finds all frames there
        _claim(root, request)
        folders = [*layout.FOLDERS[:3], SIDECARS]
        if test_videos:
            lists = (layout.test_list_file(""), layout.mapping_file(""))
            folders += [layout.TEST_IMAGES, *(Path(name).parent.as_posix() for name in lists)]
        for name in folders:
            make_folder(root / name)
        jobs, tracks = [], {}
        for number in range(videos + test_videos):
            names = [frame_name(seed, number, frame * every) for frame in range(frames)]
            jobs += _write_lists(root, request, number, names)
            if number < videos:
                tracks[video_name(number)] = names
        known = _known_tracks(root)

        def done(job: Job) -> bool:
            # A training frame's identities are written last.
            return _holds_data(job.image) and (
                job.label is None or (_holds_data(job.label) and job.image.stem in known)
            )

        lost: list[WorkerError] = []
        for _ in map_frames(
            render_job,
            jobs,
            done=done,
            workers=workers,
            executor=executor,
            killed=lambda _, error: lost.append(error),
            description="rendering",
            progress=progress,
        ):
            pass
        if executor is not None:
            for name in folders:
                sweep(root / name, again=True)  # what killed workers left
        if lost:
            raise lost[0]  # all other frames are there
        _collect_tracks(root, tracks)
    return root


def render_frame(
    video: int = 0, frame: int = 0, seed: int = 0, size: str = "network", *, wild: bool = False
) -> Rendered:
    """Render one frame of a set without writing it.

    Parameters
    ----------
    video, frame : int
        Counting from 0; frames are about a metre (0.139 s) apart.
    seed, size, wild
        See `render_dataset`.

    Returns
    -------
    wadlib.rendered.render.Rendered
        ``.image`` (H, W, 3) uint8, ``.label`` (H, W) uint16, ``.tracks`` label code -> identity.
    """
    _check(Request(1, 1, seed, size, 1, 0, wild=wild))
    return render(_video(seed, video, camera_number(video), wild), frame, SIZES[size])


def video_name(number: int) -> str:
    """Name of video `number`, such as ``road01_cam_5_video_1``."""
    return f"road{1 + number // 100:02d}_cam_{camera_number(number)}_video_{number % 100 + 1}"


def camera_number(number: int) -> int:
    """Choose the camera: they take turns, and swap every four videos so that each kind of light gets both."""
    return (5, 6)[(number + number // 4) % 2]


def frame_name(seed: int, number: int, frame: int) -> str:
    """Name a frame in WAD's pattern yymmdd_HHMMSSmmm_Camera_C; unique in a set, and not the name of any real frame.

    Examples
    --------
    >>> frame_name(0, 0, 0), frame_name(0, 1, 2)
    ('180101_080000000_Camera_5', '180101_082000278_Camera_6')
    """
    moment = START + datetime.timedelta(days=seed % 300, minutes=20 * number, milliseconds=STEP_MS * frame)
    return f"{moment:%y%m%d_%H%M%S}{moment.microsecond // 1000:03d}_Camera_{camera_number(number)}"


def _write_lists(root: Path, request: Request, number: int, names: list[str]) -> list[Job]:
    """Write a video's list files and return its jobs."""
    camera, video = camera_number(number), video_name(number)
    road, record = video.split("_")[0], rf"Record{number + 1:03d}\Camera {camera}"
    image_lines = [rf"{road}_ins\ColorImage\{record}\{name}.jpg" for name in names]
    common = (request.seed, number, camera)
    jobs: list[Job] = []
    if number < request.videos:
        label_lines = [rf"{road}_ins\Label\{record}\{name}{layout.LABEL_SUFFIX}" for name in names]
        lines = [f"{image}\t{label}" for image, label in zip(image_lines, label_lines, strict=True)]
        write_text(root / layout.train_list_file(video), "\n".join(lines) + "\n\n\n")
        for frame, name in enumerate(names):
            files = (
                f"{layout.TRAIN_IMAGES}/{name}.jpg",
                f"{layout.TRAIN_LABELS}/{name}{layout.LABEL_SUFFIX}",
                f"{SIDECARS}/{name}.json",
            )
            image, label, tracks = (root / file for file in files)
            jobs.append(Job(*common, frame * request.every, request.size, image, label, tracks, request.wild))
        return jobs
    digests = [hashlib.md5(line.encode(), usedforsecurity=False).hexdigest() for line in image_lines]
    write_text(root / layout.test_list_file(video), "\n".join(image_lines) + "\n\n")
    mapping = [f"{digest}\t{line}" for digest, line in zip(digests, image_lines, strict=True)]
    write_text(root / layout.mapping_file(video), "\n".join(mapping) + "\n\n")
    for frame, digest in enumerate(digests):
        picture = root / layout.TEST_IMAGES / f"{digest}.jpg"
        jobs.append(Job(*common, frame * request.every, request.size, picture, None, None, request.wild))
    return jobs


def _known_tracks(root: Path) -> dict[str, dict[str, int]]:
    """Identities by frame name, from tracks.json and from frames finished since it was written.

    What cannot be read is not known: those frames are drawn again, with the same identities.
    """
    known: dict[str, dict[str, int]] = {}
    gathered = _read_json(root / "tracks.json")
    videos = gathered.get("videos") if isinstance(gathered, dict) else None
    for frames in videos.values() if isinstance(videos, dict) else ():
        known.update({name: tracks for name, tracks in _items(frames) if _are_tracks(tracks)})
    for path in sorted((root / SIDECARS).glob("[!.]*.json")):  # hidden ones are parts of files
        tracks = _read_json(path)
        if _are_tracks(tracks):
            known[path.stem] = tracks
    return known


def _read_json(path: Path) -> Any:
    """Content of a JSON file; None if it is not there or damaged."""
    try:
        return json.loads(read_bytes(path))
    except (OSError, ValueError, RecursionError):
        return None


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _are_tracks(value: Any) -> bool:
    return isinstance(value, dict) and all(code.isdigit() and type(track) is int for code, track in value.items())


def _holds_data(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _collect_tracks(root: Path, videos: dict[str, list[str]]) -> None:
    """Gather the sidecars of all training frames in tracks.json."""
    known = _known_tracks(root)
    gathered = {video: {name: known[name] for name in names} for video, names in videos.items()}
    write_text(root / "tracks.json", json.dumps({"videos": gathered}, indent=1))
    shutil.rmtree(root / SIDECARS)


def _check(request: Request) -> None:
    limits = {"videos": (1, 1000), "frames": (1, 8000), "every": (1, 100), "test_videos": (0, 1000)}
    for name, (low, high) in (limits | {"seed": (0, 2**31 - 1)}).items():
        value = getattr(request, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise RenderError(
                f"render_dataset: {name} must be a whole number in {low}..{high}, got {value!r}",
                cause="a typing slip or swapped arguments",
                fix="call render_dataset(out, videos=10, frames=60, seed=0)",
            )
    if not isinstance(request.wild, bool):
        raise RenderError(
            f"render_dataset: wild must be True or False, got {request.wild!r}",
            cause="a number or a word in place of a truth value",
            fix="use wild=True for streets full of signs and clutter, or leave it out",
        )
    if request.size not in SIZES:
        raise RenderError(
            f"render_dataset: size must be 'full', 'network' or 'strip', got {request.size!r}",
            cause="a typing slip",
            fix="use size='full' (3384x2710), 'network' (832x640) or 'strip' (1664x384)",
        )


def _claim(root: Path, request: Request) -> None:
    """Note the request in render.json; refuse a folder that belongs to another one."""
    note = root / "render.json"
    wanted = request.note()
    if note.is_file():
        found = _read_json(note)
        if found != wanted:
            raise RenderError(
                f"render_dataset: {root.as_posix()} holds the frames of {found}, asked for {wanted}",
                cause="the folder was rendered before with other parameters",
                fix="choose another folder, or delete this one first",
            )
    elif there := [name for name in layout.FOLDERS if os.path.lexists(root / name)]:
        raise RenderError(
            f"render_dataset: {root.as_posix()} holds a {there[0]} folder without render.json",
            cause="the folder holds the real dataset or somebody else's frames",
            fix="choose another folder: rendered frames are never mixed with others",
        )
    else:
        write_text(note, json.dumps(wanted, indent=1) + "\n")
