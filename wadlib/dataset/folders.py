"""Read the folders of a WAD dataset and pair what belongs together, by the name of the frame."""

import re
from collections.abc import Iterator
from pathlib import Path

from wadlib._shared.storage import Entry, is_stored, list_folder
from wadlib._shared.text import is_plain
from wadlib.dataset.frame import Frame, Subset, Video
from wadlib.dataset.layout import (
    FOLDERS,
    IMAGE_SUFFIXES,
    LABEL_SUFFIX,
    TEST_IMAGES,
    TEST_LISTS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    TRAIN_LISTS,
    frame_of,
    is_mapping,
    video_of,
)
from wadlib.dataset.listfiles import DatasetProblem, ListLine, natural_key, read_list, read_mapping
from wadlib.errors import DatasetError


def read_folders(root: Path) -> tuple[list[Video], list[DatasetProblem], list[str]]:
    """List the videos, problems and list files of `root`; see `wadlib.dataset.open_wad` for the rules."""
    if root.name.removesuffix(".zip") in FOLDERS and is_stored(root):
        root = root.parent  # one of Kaggle's archives stands for all that lie beside it
    present = _known_folders(root)
    problems: list[DatasetProblem] = []
    lists: list[str] = []
    videos: list[Video] = []
    if {TRAIN_IMAGES, TRAIN_LABELS} & present:
        videos += _train_videos(root, present, problems, lists)
    if TEST_IMAGES in present:
        videos += _test_videos(root, present, problems, lists)
    return videos, problems, lists


def _known_folders(root: Path) -> set[str]:
    """The folders of a WAD dataset that `root` has."""
    try:
        entries = list_folder(root)
    except OSError as error:
        raise DatasetError(
            f"open_wad: cannot open the folder {root.as_posix()}: {error.strerror}",
            cause="a path that was mistyped, or a disk that is not there",
            fix="give the folder that holds train_color and train_label",
        ) from error
    names = {name for name, is_folder in entries if is_folder}
    archives = {name.removesuffix(".zip") for name, is_folder in entries if not is_folder and name.endswith(".zip")}
    present = (names | archives).intersection(FOLDERS)
    # Many folders hold one called "test": it counts together with its lists only.
    if not {TRAIN_IMAGES, TRAIN_LABELS} & present and not {TEST_IMAGES, TEST_LISTS} <= present:
        fix = "give the folder that holds train_color and train_label, or extract the archives there"
        near = [root.absolute().parent, *(root / name for name in sorted(names))]
        better = next((path for path in near if _holds_frames(path)), None)
        raise DatasetError(
            f"open_wad: expected {TRAIN_IMAGES} or {TRAIN_LABELS}, or {TEST_IMAGES} and {TEST_LISTS}, "
            f"in {root.as_posix()}, got {', '.join(sorted(names)[:5]) or 'no folder'}",
            cause="a folder above or below the dataset, or archives that are not extracted",
            fix=fix if better is None else f"try {better.as_posix()}",
        )
    return present


def _holds_frames(folder: Path) -> bool:
    try:
        return (folder / TRAIN_IMAGES).is_dir()
    except OSError:  # a folder that this user may not look into
        return False


def _train_videos(root: Path, present: set[str], problems: list[DatasetProblem], lists: list[str]) -> list[Video]:
    images = _files(root, TRAIN_IMAGES, present, IMAGE_SUFFIXES, problems)
    labels = _files(root, TRAIN_LABELS, present, (LABEL_SUFFIX,), problems)
    listed: dict[str, list[str]] = {}  # video -> its frames that are there
    seen: set[str] = set()
    list_files = _list_files(root, TRAIN_LISTS, present, problems)
    lists += list_files
    for shown in list_files:
        names = []
        for line in read_list(in_layout(root, shown), shown, problems):
            if line.frame in seen:
                problems.append(DatasetProblem("named twice", line.frame, shown, line.number))
            elif line.frame in images:
                names.append(line.frame)
            elif TRAIN_IMAGES in present:
                problems.append(
                    DatasetProblem("missing picture", f"{TRAIN_IMAGES}/{line.frame}.jpg", shown, line.number)
                )
            seen.add(line.frame)
        listed.setdefault(video_of(shown), []).extend(names)
    unlisted = [name for name in images if name not in seen]
    if list_files:
        problems += [DatasetProblem("not in a list", f"{TRAIN_IMAGES}/{images[name].name}") for name in unlisted]
    for name in unlisted:
        listed.setdefault(f"unlisted_cam_{_camera(name) or 'unknown'}", []).append(name)
    if TRAIN_LABELS in present:
        missing = [name for names in listed.values() for name in names if name not in labels]
        problems += [DatasetProblem("missing label", f"{TRAIN_LABELS}/{name}{LABEL_SUFFIX}") for name in missing]
    if TRAIN_IMAGES in present:
        alone = [path.name for name, path in labels.items() if name not in images]
        problems += [DatasetProblem("label without picture", f"{TRAIN_LABELS}/{name}") for name in alone]
    frames = {video: [Frame(n, video, images[n], labels.get(n)) for n in names] for video, names in listed.items()}
    return _videos(frames, "train")


def _test_videos(root: Path, present: set[str], problems: list[DatasetProblem], lists: list[str]) -> list[Video]:
    images = _files(root, TEST_IMAGES, present, IMAGE_SUFFIXES, problems)
    md5_of: dict[str, str] = {}  # frame -> name of its file
    named: dict[str, list[tuple[str, ListLine]]] = {}  # video -> (list file, line)
    in_mapping: dict[str, list[tuple[str, ListLine]]] = {}
    list_files = _list_files(root, TEST_LISTS, present, problems)
    lists += list_files
    for shown in list_files:
        video = video_of(shown)
        if not is_mapping(shown):
            named.setdefault(video, []).extend(
                (shown, line) for line in read_list(in_layout(root, shown), shown, problems)
            )
            continue
        for line in read_mapping(in_layout(root, shown), shown, problems):
            if md5_of.setdefault(line.frame, line.md5) != line.md5:
                problems.append(DatasetProblem("named twice", f"{line.frame}, with another md5", shown, line.number))
            in_mapping.setdefault(video, []).append((shown, line))
    frames: dict[str, list[Frame]] = {}
    seen: set[str] = set()  # names of files
    for video, lines in (in_mapping | named).items():  # a video without a list is in the order of its mapping
        for shown, line in lines:
            file = md5_of.get(line.frame, line.frame)
            if file in seen:
                problems.append(DatasetProblem("named twice", line.frame, shown, line.number))
            elif file in images:
                frames.setdefault(video, []).append(Frame(line.frame, video, images[file]))
            elif line.frame not in md5_of:
                problems.append(DatasetProblem("missing mapping", f"no md5 name for {line.frame}", shown, line.number))
            elif TEST_IMAGES in present:
                problems.append(DatasetProblem("missing picture", f"{TEST_IMAGES}/{file}.jpg", shown, line.number))
            seen.add(file)
    unlisted = [name for name in images if name not in seen]
    if list_files:
        problems += [DatasetProblem("not in a list", f"{TEST_IMAGES}/{images[name].name}") for name in unlisted]
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
    root: Path, folder: str, present: set[str], suffixes: tuple[str, ...], problems: list[DatasetProblem]
) -> dict[str, Path]:
    """Name of frame -> path, sorted by name, by one look into the folder (a stat per file would take minutes)."""
    if folder not in present:
        problems.append(DatasetProblem("missing folder", f"{folder}/ is not there"))
        return {}
    found, left = frame_files(in_layout(root, folder), suffixes)
    problems += [DatasetProblem(kind, f"{folder}/{what}") for kind, what in left]
    return found


def frame_files(folder: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], list[tuple[str, str]]]:
    """List the files of a folder by the name of their frame (`wadlib.dataset.layout.frame_of`).

    Returns
    -------
    name of the frame -> path, sorted by name; and what was left, as (kind of problem, name of the file)
    """
    found: dict[str, Path] = {}
    left: list[tuple[str, str]] = []
    # Of a.jpg and a.JPG the one that is spelt as in the layout comes first.
    for name in sorted(_names(folder), key=lambda name: (not name.endswith(suffixes), name)):
        frame = frame_of(name, suffixes)
        if not is_plain(name):  # bytes that are no UTF-8, or what a terminal would obey
            left.append(("unreadable name", ascii(name)[1:-1]))
        elif name == folder.name and not name.endswith(".zip"):
            left.append(("unexpected file", f"{name}: one folder too deep; move what it holds one folder up"))
        elif not frame:
            left.append(("unexpected file", name))
        elif frame in found:
            left.append(("two files", f"{name} beside {found[frame].name}, which is used"))
        else:
            found[frame] = folder / name
    return dict(sorted(found.items())), sorted(left, key=lambda item: item[1])


def _list_files(root: Path, folder: str, present: set[str], problems: list[DatasetProblem]) -> list[str]:
    """Text files in a list folder and its subfolders, below `root`, in natural order."""
    if folder not in present:
        problems.append(DatasetProblem("missing folder", f"{folder}/ is not there"))
        return []
    place = in_layout(root, folder)
    found = [f"{folder}/{path.relative_to(place).as_posix()}" for path in _text_files(place, set())]
    if not found:
        problems.append(DatasetProblem("missing folder", f"{folder}/ holds no list"))
    return sorted(found, key=natural_key)


def _text_files(folder: Path, above: set[tuple[int, int]]) -> Iterator[Path]:
    """Text files in a folder and below it, linked folders too, but none in itself."""
    if is_stored(folder):
        for name, is_folder in _entries(folder):
            if is_folder:
                yield from _text_files(folder / name, above)
            elif name.lower().endswith(".txt") and is_plain(name):
                yield folder / name
        return
    names = _names(folder)
    try:
        there = folder.stat()
        if (there.st_dev, there.st_ino) in above:
            return
        for name in names:
            if (folder / name).is_dir():
                yield from _text_files(folder / name, {*above, (there.st_dev, there.st_ino)})
            elif name.lower().endswith(".txt") and is_plain(name):
                yield folder / name
    except OSError as error:
        raise _no_look(folder, error) from error


def in_layout(root: Path, name: str) -> Path:
    """Say where a folder of the layout, or a file in it, is: in `root`, or in the archive of the folder's name."""
    folder, _, rest = name.partition("/")
    place, archive = root / folder, root / f"{folder}.zip"
    if is_stored(archive) and not _is_there(place):
        place = archive / folder if any(each == (folder, True) for each in _entries(archive)) else archive
    return place / rest if rest else place


def _is_there(folder: Path) -> bool:
    if not is_stored(folder):
        return folder.is_dir()
    return any(each == (folder.name, True) for each in _entries(folder.parent))


def _names(folder: Path) -> list[str]:
    return [name for name, _ in _entries(folder)]


def _entries(folder: Path) -> list[Entry]:
    try:
        return [entry for entry in list_folder(folder) if not entry.name.startswith(".")]
    except OSError as error:
        raise _no_look(folder, error) from error


def _no_look(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"cannot look into {folder.as_posix()}: {error.strerror}",
        cause="its access rights, or a network disk that is not there",
        fix="give this user the right to read the dataset",
    )
