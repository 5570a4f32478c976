"""Read the folders of a WAD dataset and pair what belongs together, by the name of the frame."""

from __future__ import annotations

import os
import re
from pathlib import Path

from wadlib.dataset.frame import Frame, Subset, Video
from wadlib.dataset.listfiles import LABEL_SUFFIX, ListLine, Problem, natural_key, read_list, read_mapping, video_name
from wadlib.errors import DatasetError

__all__ = ["read_folders"]

_TRAIN_IMAGES, _TRAIN_LABELS, _TRAIN_LISTS = "train_color", "train_label", "train_video_list"
_TEST_IMAGES, _TEST_LISTS = "test", "test_video_list_and_name_mapping"
_FOLDERS = (_TRAIN_IMAGES, _TRAIN_LABELS, _TRAIN_LISTS, _TEST_IMAGES, _TEST_LISTS)


def read_folders(root: Path) -> tuple[list[Video], list[Problem], list[str]]:
    """The videos, problems and list files of `root`; see `wadlib.dataset.open_wad` for the rules."""
    present = _known_folders(root)
    problems: list[Problem] = []
    lists: list[str] = []
    videos: list[Video] = []
    if {_TRAIN_IMAGES, _TRAIN_LABELS} & present:
        videos += _train_videos(root, present, problems, lists)
    if _TEST_IMAGES in present:
        videos += _test_videos(root, present, problems, lists)
    return videos, problems, lists


def _known_folders(root: Path) -> set[str]:
    """The folders of a WAD dataset that `root` has."""
    try:
        with os.scandir(root) as entries:
            names = {entry.name for entry in entries if entry.is_dir()}
    except OSError as error:
        raise DatasetError(
            f"open_wad: cannot open the folder {root.as_posix()}: {error.strerror}",
            cause="a path that was mistyped, or a disk that is not there",
            fix="give the folder that holds train_color and train_label",
        ) from error
    present = names.intersection(_FOLDERS)
    # Many folders hold one called "test": it counts together with its lists only.
    if not {_TRAIN_IMAGES, _TRAIN_LABELS} & present and not {_TEST_IMAGES, _TEST_LISTS} <= present:
        fix = "give the folder that holds train_color and train_label, or extract the archives there"
        near = [root.absolute().parent, *(root / name for name in sorted(names))]
        better = next((path for path in near if _holds_frames(path)), None)
        raise DatasetError(
            f"open_wad: expected {_TRAIN_IMAGES} or {_TRAIN_LABELS}, or {_TEST_IMAGES} and {_TEST_LISTS}, "
            f"in {root.as_posix()}, got {', '.join(sorted(names)[:5]) or 'no folder'}",
            cause="a folder above or below the dataset, or archives that are not extracted",
            fix=fix if better is None else f"try {better.as_posix()}",
        )
    return present


def _holds_frames(folder: Path) -> bool:
    try:
        return (folder / _TRAIN_IMAGES).is_dir()
    except OSError:  # a folder that this user may not look into
        return False


def _train_videos(root: Path, present: set[str], problems: list[Problem], lists: list[str]) -> list[Video]:
    images = _files(root, _TRAIN_IMAGES, present, (".jpg", ".jpeg"), problems)
    labels = _files(root, _TRAIN_LABELS, present, (LABEL_SUFFIX,), problems)
    listed: dict[str, list[str]] = {}  # video -> its frames that are there
    seen: set[str] = set()
    list_files = _list_files(root, _TRAIN_LISTS, present, problems)
    lists += list_files
    for shown in list_files:
        names = []
        for line in read_list(root / shown, shown, problems):
            if line.frame in seen:
                problems.append(Problem("named twice", line.frame, shown, line.number))
            elif line.frame in images:
                names.append(line.frame)
            elif _TRAIN_IMAGES in present:
                problems.append(Problem("missing picture", f"{_TRAIN_IMAGES}/{line.frame}.jpg", shown, line.number))
            seen.add(line.frame)
        listed.setdefault(video_name(Path(shown).name), []).extend(names)
    unlisted = [name for name in images if name not in seen]
    if list_files:
        problems += [Problem("not in a list", f"{_TRAIN_IMAGES}/{images[name].name}") for name in unlisted]
    for name in unlisted:
        listed.setdefault(f"unlisted_cam_{_camera(name) or 'unknown'}", []).append(name)
    if _TRAIN_LABELS in present:
        missing = [name for names in listed.values() for name in names if name not in labels]
        problems += [Problem("missing label", f"{_TRAIN_LABELS}/{name}{LABEL_SUFFIX}") for name in missing]
    if _TRAIN_IMAGES in present:
        alone = [path.name for name, path in labels.items() if name not in images]
        problems += [Problem("label without picture", f"{_TRAIN_LABELS}/{name}") for name in alone]
    frames = {video: [Frame(n, video, images[n], labels.get(n)) for n in names] for video, names in listed.items()}
    return _videos(frames, "train")


def _test_videos(root: Path, present: set[str], problems: list[Problem], lists: list[str]) -> list[Video]:
    images = _files(root, _TEST_IMAGES, present, (".jpg", ".jpeg"), problems)
    md5_of: dict[str, str] = {}  # frame -> name of its file
    named: dict[str, list[tuple[str, ListLine]]] = {}  # video -> (list file, line)
    in_mapping: dict[str, list[tuple[str, ListLine]]] = {}
    list_files = _list_files(root, _TEST_LISTS, present, problems)
    lists += list_files
    for shown in list_files:
        path, video = Path(shown), video_name(Path(shown).name)
        if not path.name.startswith("md5_mapping") and path.parent.name != "list_test_mapping":
            named.setdefault(video, []).extend((shown, line) for line in read_list(root / shown, shown, problems))
            continue
        for line in read_mapping(root / shown, shown, problems):
            if md5_of.setdefault(line.frame, line.md5) != line.md5:
                problems.append(Problem("named twice", f"{line.frame}, with another md5", shown, line.number))
            in_mapping.setdefault(video, []).append((shown, line))
    frames: dict[str, list[Frame]] = {}
    seen: set[str] = set()  # names of files
    for video, lines in (in_mapping | named).items():  # a video without a list is in the order of its mapping
        for shown, line in lines:
            file = md5_of.get(line.frame, line.frame)
            if file in seen:
                problems.append(Problem("named twice", line.frame, shown, line.number))
            elif file in images:
                frames.setdefault(video, []).append(Frame(line.frame, video, images[file]))
            elif line.frame not in md5_of:
                problems.append(Problem("missing mapping", f"no md5 name for {line.frame}", shown, line.number))
            elif _TEST_IMAGES in present:
                problems.append(Problem("missing picture", f"{_TEST_IMAGES}/{file}.jpg", shown, line.number))
            seen.add(file)
    unlisted = [name for name in images if name not in seen]
    if list_files:
        problems += [Problem("not in a list", f"{_TEST_IMAGES}/{images[name].name}") for name in unlisted]
    original = {md5: name for name, md5 in md5_of.items()}
    for file in unlisted:
        frames.setdefault("unlisted_test", []).append(Frame(original.get(file, file), "unlisted_test", images[file]))
    return _videos(frames, "test")


def _videos(frames: dict[str, list[Frame]], subset: Subset) -> list[Video]:
    return [
        Video(name, subset, _camera(name) or frames[name][0].camera, tuple(frames[name]))
        for name in sorted(frames, key=natural_key)
        if frames[name]
    ]


def _camera(name: str) -> int | None:
    """Camera number in the name of a frame or of a video."""
    match = re.search(r"cam(?:era)?_(\d+)", name, re.IGNORECASE)
    return int(match[1]) if match else None


def _files(
    root: Path, folder: str, present: set[str], suffixes: tuple[str, ...], problems: list[Problem]
) -> dict[str, Path]:
    """Name of frame -> path, sorted by name, by one look into the folder (a stat per file would take minutes)."""
    if folder not in present:
        problems.append(Problem("missing folder", f"{folder}/ is not there"))
        return {}
    found = {}
    for name in sorted(_names(root / folder)):
        suffix = next((suffix for suffix in suffixes if name.lower().endswith(suffix.lower())), None)
        if suffix is None:
            problems.append(Problem("unexpected file", f"{folder}/{name}"))
        else:
            found[name[: -len(suffix)]] = root / folder / name
    return found


def _list_files(root: Path, folder: str, present: set[str], problems: list[Problem]) -> list[str]:
    """Text files in a list folder and its subfolders, below `root`, in natural order."""
    if folder not in present:
        problems.append(Problem("missing folder", f"{folder}/ is not there"))
        return []
    # `os.walk` leaves folders out that it cannot read and does not follow links.
    found = [
        (Path(parent) / name).relative_to(root).as_posix()
        for parent, _, names in os.walk(root / folder)
        for name in names
        if name.lower().endswith(".txt") and not name.startswith(".")
    ]
    if not found:
        problems.append(Problem("missing folder", f"{folder}/ holds no list"))
    return sorted(found, key=natural_key)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise DatasetError(
            f"open_wad: cannot look into {folder.as_posix()}: {error.strerror}",
            cause="its access rights, or a network disk that is not there",
            fix="give this user the right to read the dataset",
        ) from error
