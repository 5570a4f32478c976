"""Convert a dataset to pairs of a network's size once, so that training does not do it every time."""

import contextlib
import functools
import os
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wadlib._shared.files import inside, make_folder, read_bytes, real_path, write_bytes, write_text
from wadlib._shared.parallel import map_frames
from wadlib._shared.parts import sweep
from wadlib._shared.storage import is_stored
from wadlib.dataset.camera import fit
from wadlib.dataset.folders import in_layout
from wadlib.dataset.frame import Frame, stamp_of
from wadlib.dataset.layout import LABEL_SUFFIX, TRAIN_IMAGES, TRAIN_LABELS, train_list_file
from wadlib.dataset.listfiles import sound_lines
from wadlib.dataset.origin import write_origin
from wadlib.dataset.wad import Wad
from wadlib.errors import DatasetError, ImageError, WadError, WorkerError
from wadlib.frames import read_image, write_image, write_label
from wadlib.preprocess import NETWORK_VIEWS, VIEWS, View

_STAMP = "wadlib prepare "
_ENDS = (b"\xff\xd9", b"IEND\xaeB`\x82")  # of a whole JPEG, of a whole PNG
_GIVE_UP_AFTER = 25  # frames of which not one could be prepared: the rest will not be better


@dataclass(frozen=True)
class Failure:
    """A frame that could not be prepared, and why."""

    frame: Frame
    message: str


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` did.

    Attributes
    ----------
    prepared : int
        Frames converted now.
    skipped : int
        Frames that an earlier run had converted.
    failed : tuple of Failure
        Frames whose picture or label is damaged, or that kill the workers of a cluster; the others are not affected.
    """

    prepared: int
    skipped: int
    failed: tuple[Failure, ...]

    def summary(self) -> str:
        """Say the numbers in a line, and add a line for each of the first ten failures."""
        lines = [f"{self.prepared} frames prepared, {self.skipped} were there already, {len(self.failed)} failed"]
        lines += [f"  {failure.frame.name}: {failure.message.splitlines()[0]}" for failure in self.failed[:10]]
        if len(self.failed) > 10:
            lines.append(f"  … and {len(self.failed) - 10} more")
        return "\n".join(lines)


def prepare(
    wad: Wad,
    out: str | Path,
    *,
    subset: Literal["train", "test", "all"] = "train",
    view: Literal["report", "strip"] = "report",
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
    quality: int = 95,
    strict: bool = False,
) -> PrepareReport:
    """Write each frame of `wad` at a network's size below `out`, in the same folder layout.

    `open_wad(out)` then has the same videos and frames. Run it again after an interruption and it goes
    on: a frame is done when all its files are there, and a file is there whole or not at all. Each picture says
    in a comment which files it was made from (their sizes and times): what came from other ones is made anew.
    Else files of an earlier run are taken as they are, also if `quality` was another then.

    Parameters
    ----------
    wad : Wad
        From `wadlib.dataset.open_wad`; full-size frames.
    out : path
        A folder outside of the dataset; made if needed.
    subset : "train", "test" or "all"
    view : "report" or "strip"
        See `wadlib.preprocess.VIEWS`: the report's 832x640, or the strip that holds nearly all objects at half the
        resolution, 1664x384.
    workers : int, optional
        Threads, by default one per core: decoding and resizing let go of the interpreter lock.
    executor : concurrent.futures.Executor, optional
        Instead of threads; a cluster's workers must see both folders under the same paths.
    progress : bool
        Show a progress bar.
    quality : int
        Of the JPEG files, 0 to 100.
    strict : bool
        Stop at the first damaged frame. By default such frames are collected in the report's
        ``failed``, so that one bad file does not cost a night; a frame without a label is no
        failure, only its picture is written.

    Raises
    ------
    DatasetError
        An unknown view; `out` is inside the dataset, a link in it leads there, or it holds frames of another
        view; or not one of the first 25 frames could be prepared.
    StorageError
        No permission, disk full: stops at once and leaves no part of a frame behind.
    ImageError, LabelError
        A damaged frame, if `strict`.
    """
    out = Path(out)
    _check_outside(wad, [out], out)
    if view not in NETWORK_VIEWS:
        raise DatasetError(
            f"prepare: expected a view among {', '.join(NETWORK_VIEWS)}, got {view!r}",
            cause="a typing slip",
            fix="'report' is 832x640 as in the report, 'strip' the part that holds nearly all objects, 1664x384",
        )
    # Refuse what cannot work before anything is written; then make the folders and the lists of videos.
    wanted = ("train", "test") if subset == "all" else (subset,)
    frames = [frame for video in wad.videos if video.subset in wanted for frame in video.frames]
    if not frames:
        raise DatasetError(
            f"prepare: the dataset {wad.root.as_posix()} has no frame of subset {subset!r}",
            cause="an archive that was not extracted, or a typing slip",
            fix="`wadlib info` lists what is there; subset is 'train', 'test' or 'all'",
        )
    lists = [name for name in wad.lists if name.startswith(wanted)]
    folders = {path.parent for frame in frames for path in _outputs(frame, out)}
    _check_outside(wad, [*folders, *((out / name).parent for name in lists)], out)
    for folder in sorted(folders):
        make_folder(folder)
    if wad.source is None:
        _copy_lists(wad.root, out, lists)
    else:
        write_origin(out, wad.source)
        _write_lists(frames, out)

    # What an earlier run has finished stays.
    there = _present(wad, folders, out)
    _check_view(there, frames, out, view)
    begun = [frame for frame in frames if there.issuperset(_outputs(frame, out))]
    looked = map_frames(functools.partial(_is_done, out=out), begun, workers=workers, threads=True, progress=False)
    done = {frame for frame, finished in looked if finished}

    # Frame by frame in threads; a damaged one is noted; if all of the first ones are, it stops.
    prepared, failed = 0, list[Failure]()
    for frame, error in map_frames(
        functools.partial(_prepare_frame, out=out, view=VIEWS[view], quality=quality, strict=strict),
        frames,
        done=done.__contains__,
        workers=workers,
        threads=True,
        executor=executor,
        killed=functools.partial(_killed, out=out),
        description="preparing",
        progress=progress,
    ):
        if error is None:
            prepared += 1
        else:
            failed.append(Failure(frame, str(error)))
            if len(failed) == _GIVE_UP_AFTER and not prepared and not done:
                raise DatasetError(
                    f"prepare: none of the first {_GIVE_UP_AFTER} frames could be prepared; the first: {error.what}",
                    cause="not a full-size WAD dataset, or a damaged copy of one",
                    fix="look at that frame first; a dataset at network size needs no preparing",
                )
    if executor is not None:
        for folder in folders:
            sweep(folder, again=True)  # what killed workers left
    return PrepareReport(prepared, len(done), tuple(failed))


def _killed(frame: Frame, error: WorkerError, *, out: Path) -> WorkerError:
    """Take a frame that kills its workers for one that cannot be prepared."""
    for path in _outputs(frame, out):  # no half pair
        path.unlink(missing_ok=True)
    return error


def _outputs(frame: Frame, out: Path) -> tuple[Path, ...]:
    """The files of a frame below `out`: (picture,) or (picture, label)."""
    if frame.source is not None:  # another dataset's: its files have other names, and may lie in many folders
        image, label = out / TRAIN_IMAGES / f"{frame.name}.jpg", out / TRAIN_LABELS / f"{frame.name}{LABEL_SUFFIX}"
        return (image,) if frame.label_path is None else (image, label)
    paths = (frame.image_path,) if frame.label_path is None else (frame.image_path, frame.label_path)
    # Of an archive whose files lie at its top, the folder is what the archive is named after.
    return tuple(out / path.parent.name.removesuffix(".zip") / path.name for path in paths)


def _prepare_frame(frame: Frame, *, out: Path, view: View, quality: int, strict: bool) -> WadError | None:
    """Prepare one frame; None, or what is wrong with its files."""
    stamp = _stamp(frame)
    image_out, *label_out = _outputs(frame, out)
    try:
        window = None if frame.is_foreign else view.window
        image, label = (frame.read_image(), None) if frame.label_path is None else frame.read_pair(window=window)
        if frame.is_foreign:
            place = fit((image.shape[0], image.shape[1]), frame.camera_px, view)
            small, label = place.image(image), None if label is None else place.label(label)
        else:
            small = view.shrink(image)
    except WadError as error:
        if strict:
            raise
        return error
    try:
        if label is not None:
            write_label(label_out[0], label)
        write_image(image_out, small, quality=quality, comment=stamp)
    except BaseException:
        for path in (image_out, *label_out):  # no half pair, also after Ctrl-C
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    return None


def _write_lists(frames: Iterable[Frame], out: Path) -> None:
    """Write a list for each video of another dataset."""
    lines: dict[str, list[str]] = {}
    for frame in frames:
        line = f"ColorImage\\{frame.name}.jpg" + (f"\tLabel\\{frame.name}{LABEL_SUFFIX}" if frame.label_path else "")
        lines.setdefault(frame.video, []).append(f"{line}\n")
    for video, own in lines.items():
        path = inside(out, train_list_file(video))
        make_folder(path.parent)
        write_text(path, "".join(own))


def _check_view(there: set[Path], frames: Iterable[Frame], out: Path, view: str) -> None:
    """Refuse a folder that holds frames of another view: a set of both could not be trained on."""
    shape = None
    for path in (path for frame in frames if (path := _outputs(frame, out)[0]) in there):
        with contextlib.suppress(ImageError):  # a damaged one is made anew
            shape = read_image(path).shape[:2]
            break
    if shape is None:
        return
    height, width = VIEWS[view].shape
    if shape != (height, width):
        raise DatasetError(
            f"prepare: expected pictures of {width}x{height} in {out.as_posix()}, got {shape[1]}x{shape[0]}",
            cause="the folder was prepared with another view",
            fix="choose another folder, or the view that it was begun with",
        )


def _check_outside(wad: Wad, places: Iterable[Path], out: Path) -> None:
    """Refuse to write where the dataset is, also by a link in `out`: its own files would be overwritten."""
    sources = {path.parent for video in wad.videos for frame in video.frames for path in _sources(frame)}
    kept = {real_path(wad.root), *(real_path(path) for path in sources)}
    for place in places:
        real = real_path(place)
        if not kept.isdisjoint([real, *real.parents]):
            raise DatasetError(
                f"prepare: expected a folder outside of the dataset {wad.root.as_posix()}, got {place.as_posix()}",
                cause="the folder of the dataset was given twice" if place == out else "a link that leads into it",
                fix="choose a folder beside it, such as " + (wad.root.parent / (wad.root.name + "_832x640")).as_posix(),
            )


def _sources(frame: Frame) -> list[Path]:
    return [path for path in (frame.image_path, frame.label_path) if path is not None]


def _stamp(frame: Frame) -> str:
    return _STAMP + stamp_of(frame.image_path, frame.label_path)


def _is_done(frame: Frame, *, out: Path) -> bool:
    """Whether the files of a frame are whole and were made from the files that it has now."""
    try:
        begin, *_ = (_whole(path) for path in _outputs(frame, out))
    except OSError:
        return False
    at = begin.find(_STAMP.encode())
    # Pictures of wadlib before 0.2 do not say it, and are taken as they are.
    return at < 0 or begin.startswith(_stamp(frame).encode(), at)


def _whole(path: Path) -> bytes:
    """Return how a JPEG or PNG begins; OSError if it does not end as it must."""
    if not path.is_file():
        raise OSError(f"{path.name} is no file")
    with path.open("rb") as file:
        begin = file.read(512)
        file.seek(max(path.stat().st_size - 16, 0))
        if not file.read().endswith(_ENDS):
            raise OSError(f"{path.name} is not whole")
    return begin


def _present(wad: Wad, folders: Iterable[Path], out: Path) -> set[Path]:
    """Files already below `out`, by one look into each folder (a look per frame takes long on a network disk)."""
    found: set[Path] = set()
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                found.add(folder / entry.name)
                if entry.is_symlink():
                    _check_outside(wad, [folder / entry.name], out)
    return found


def _copy_lists(root: Path, out: Path, lists: list[str]) -> None:
    for name in lists:
        try:
            data = read_bytes(in_layout(root, name))
        except OSError:
            continue  # `Wad.problems` says so
        make_folder((out / name).parent)
        if not is_stored(root) and real_path(root) not in real_path(in_layout(root, name)).parents:
            data = sound_lines(data)  # of a link out of the dataset nothing but what makes it a list
        write_bytes(out / name, data)
