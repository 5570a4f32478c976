"""Open other people's datasets as WAD is opened: videos of frames, each a picture and a label in WAD's codes.

========== ============================================================================================
cityscapes ``leftImg8bit/<split>/<city>/<name>_leftImg8bit.png``, ``gtFine/…/<name>_gtFine_instanceIds.png``
bdd100k    ``images/<10k or seg_track_20>/<split>/…``, ``labels/<ins_seg or seg_track_20>/bitmasks/<split>/…``
carla      ``carla.json`` (``{"version": "0.9.16", "fov": 70}``), ``rgb/[<video>/]``, ``instance/[<video>/]``
kitti_mots ``image_02/0000/000000.png``, ``instances/0000/000000.png`` or ``label_02/0000.txt``
coco       ``annotations/instances_<set>.json`` and ``<set>/`` or ``images/<set>/``
apollo     ``[road01_ins/]ColorImage/…/<name>.jpg`` and ``[road01_ins/]Label/…/<name>_instanceIds.png``
========== ============================================================================================

A dataset is known by its folders, never by the numbers in its files: those of WAD and Cityscapes look alike. Classes:
`wadlib.dataset.classes`. Files: `wadlib.dataset.decoders`.
"""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib._shared.fields import read_json
from wadlib._shared.text import is_plain
from wadlib.dataset import decoders
from wadlib.dataset.camera import WAD_CAMERA, Camera
from wadlib.dataset.classes import unlabelled
from wadlib.dataset.frame import Frame, Source, Subset, Video
from wadlib.dataset.layout import LABEL_SUFFIX, TEST_IMAGES, TEST_LISTS, TRAIN_IMAGES, TRAIN_LABELS
from wadlib.dataset.listfiles import DatasetProblem, natural_key
from wadlib.dataset.wad import Wad, open_wad
from wadlib.errors import DatasetError
from wadlib.labels import BACKGROUND

if TYPE_CHECKING:
    from wadlib.interop.kitti_mots import MotsFile

_PICTURES = (".png", ".jpg", ".jpeg")
_OLDEST_CARLA, _FIRST_CARLA_TRACKS = (0, 9, 14), (0, 9, 16)


def open_dataset(root: str | Path, kind: str | None = None) -> Wad:
    """Open a dataset of any kind that wadlib knows.

    Parameters
    ----------
    root : path
    kind : "wad", "cityscapes", "bdd100k", "carla", "kitti_mots", "coco" or "apolloscape", optional
        By default what the folders in `root` say.

    Raises
    ------
    DatasetError
        The folders are those of none, or of two; or what the function for the kind refuses.
    """
    found = [name for name, folders in _MARKS.items() if _looks_like(Path(root), folders)]
    if kind is None and len(found) > 1:
        raise DatasetError(
            f"open_dataset: {Path(root).as_posix()} looks like {' and '.join(found)}",
            cause="two datasets in one folder",
            fix=f"give each a folder of its own, or say which: open_dataset(root, kind={found[0]!r})",
        )
    chosen = kind or (found[0] if found else "wad")
    if chosen not in _OPEN:
        raise DatasetError(
            f"open_dataset: expected a kind among {', '.join(_OPEN)}, got {kind!r}",
            cause="a typing slip",
            fix="leave it out: the folders usually say it",
        )
    return _OPEN[chosen](root)


def open_cityscapes(root: str | Path) -> Wad:
    """Open Cityscapes: a city is a video (without tracks: one frame of thirty is labelled); labels of "test" are blank.

    Raises
    ------
    DatasetError
        Neither ``gtFine`` nor ``leftImg8bit`` is there.
    """
    root = Path(root)
    camera = Camera(
        focal_px=2262.5, horizon_px=427.0, width_px=2048
    )  # its camera.json files: pitch 0.038, principal point at row 513
    images = dict(_files(root / "leftImg8bit", "_leftImg8bit.png", "_leftImg8bit.jpg"))
    labels = dict(_files(root / "gtFine", "_gtFine_instanceIds.png"))
    wrong = [
        path.name for path in _walk(root / "gtFine") if path.name.endswith(("_labelTrainIds.png", "_labelIds.png"))
    ]
    if wrong and not labels:
        raise DatasetError(
            f"open_cityscapes: no *_gtFine_instanceIds.png in {root.as_posix()}, only such as {wrong[0]}",
            cause="class maps, in which objects are not told apart",
            fix="extract gtFine_trainvaltest.zip whole",
        )
    source = Source("cityscapes", decoders.cityscapes, camera, unlabelled("cityscapes"))

    def place(key: str) -> _Place:
        split, *city, name = key.split("/")
        return _Place(name, "_".join(city) or split, "test" if split == "test" else "train")

    return _dataset(root, source, images, labels, place)


def open_bdd100k(root: str | Path, camera: Camera | None = None) -> Wad:
    """Open BDD100K's instance segmentation: bitmasks of 10,000 pictures, or of videos with tracks.

    Parameters
    ----------
    root : path
    camera : Camera, optional
        Phones of many drivers took the pictures; by default about the middle of them, 886 px of 1280 columns.
    """
    root = Path(root)
    camera = camera or Camera(focal_px=886.0, horizon_px=340.0, width_px=1280)
    tracked = (root / "labels" / "seg_track_20").is_dir()
    masks = root / "labels" / ("seg_track_20" if tracked else "ins_seg") / "bitmasks"
    if (root / "labels" / "ins_seg").is_dir() and tracked:
        raise DatasetError(
            f"open_bdd100k: both ins_seg and seg_track_20 in {(root / 'labels').as_posix()}",
            cause="two tasks of the dataset in one folder",
            fix="give each a folder of its own, with its images and labels",
        )
    images = dict(_files(root / "images" / ("seg_track_20" if tracked else "10k"), *_PICTURES))
    read = functools.partial(decoders.bdd100k, numbers="video" if tracked else "frame")
    source = Source("bdd100k", read, camera, unlabelled("bdd100k"), tracked)

    def place(key: str) -> _Place:
        split, *video, name = key.split("/")
        return _Place(name, video[0] if video else split, "test" if split == "test" else "train")

    return _dataset(root, source, images, dict(_files(masks, ".png")), place)


def open_carla(root: str | Path) -> Wad:
    """Open frames of CARLA: pictures of an RGB camera, and of an instance segmentation camera at the same place.

    ``carla.json`` is written by hand: ``version`` of the simulator, without which the tags mean nothing, ``fov`` of
    the cameras in degrees, and ``horizon`` (row in pixels) if they do not look straight ahead.

    Raises
    ------
    DatasetError
        No such file; a version before 0.9.14, whose tag 10 is every vehicle, or 0.9.13, whose tags are smeared.
    """
    root = Path(root)
    facts = _carla_facts(root / "carla.json")
    version, fov = tuple(int(part) for part in facts["version"].split(".")[:3]), float(facts["fov"])
    images, labels = dict(_files(root / "rgb", *_PICTURES)), dict(_files(root / "instance", *_PICTURES))
    camera = None
    if images:
        from wadlib.frames import read_image

        height, width = read_image(next(iter(images.values()))).shape[:2]
        camera = Camera(width / 2 / math.tan(math.radians(fov / 2)), float(facts.get("horizon", height / 2)))
    tracked = version >= _FIRST_CARLA_TRACKS  # before, ids are the engine's
    read = functools.partial(decoders.carla, numbers="video" if tracked else "frame")

    def place(key: str) -> _Place:
        *video, name = key.split("/")
        return _Place("_".join([*video, name]), "_".join(video) or "carla", "train")

    return _dataset(root, Source("carla", read, camera, unlabelled("carla"), tracked), images, labels, place)


def open_kitti_mots(root: str | Path) -> Wad:
    """Open KITTI-MOTS, with tracks: label pictures (``instances``), or text files (``label_02``, ``instances_txt``)."""
    root = Path(root)
    camera = Camera(
        focal_px=721.5, horizon_px=172.9, width_px=1242
    )  # the camera looks straight ahead: its principal point
    images, labels = dict(_files(root / "image_02", *_PICTURES)), dict(_files(root / "instances", ".png"))
    read: Callable[[Frame], npt.NDArray[np.uint16]] = decoders.kitti_png
    if not labels:
        folder = next((root / name for name in ("instances_txt", "label_02") if (root / name).is_dir()), root)
        texts = dict(_files(folder, ".txt"))
        labels = {key: texts[video] for key in images if (video := key.split("/")[0]) in texts}
        read = _kitti_text

    def place(key: str) -> _Place:
        return _Place(key.replace("/", "_"), key.split("/")[0], "train")

    return _dataset(root, Source("kitti_mots", read, camera, unlabelled("kitti_mots"), True), images, labels, place)


def open_coco(root: str | Path) -> Wad:
    """Open COCO, or a dataset in its format; pictures without a camera, shown whole.

    Raises
    ------
    DatasetError
        No ``annotations/instances_*.json``.
    InstancesError
        A file that `wadlib.interop.coco_import.read_coco` refuses.
    """
    root = Path(root)
    images, labels = dict[str, Path](), dict[str, Path]()
    for path in sorted((root / "annotations").glob("instances_*.json")):
        name = path.stem.removeprefix("instances_")
        folder = next((each for each in (root / name, root / "images" / name) if each.is_dir()), root / name)
        images |= {f"{name}/{key}": image for key, image in _files(folder, *_PICTURES)}
        labels |= {f"{name}/{Path(file).stem}": path for file in _coco(path).names}

    def place(key: str) -> _Place:
        split, *_, name = key.split("/")
        return _Place(name, split, "train")

    return _dataset(root, Source("coco", _coco_label, None, unlabelled("coco")), images, labels, place)


def open_apolloscape(root: str | Path) -> Wad:
    """Open ApolloScape's own later release of the frames that WAD is a part of; same camera, same numbers."""
    root = Path(root)
    images, labels = dict[str, Path](), dict[str, Path]()
    for folder in sorted({path for pattern in ("ColorImage", "*/ColorImage") for path in root.glob(pattern)}):
        images |= {f"{folder.parent.name}/{key}": path for key, path in _files(folder, ".jpg", ".jpeg")}
        beside = folder.with_name("Label")
        labels |= {f"{folder.parent.name}/{key}": path for key, path in _files(beside, LABEL_SUFFIX)}

    def place(key: str) -> _Place:
        *video, name = key.split("/")
        if folder_is_root and len(video) > 1:
            video = video[1:]  # the name of the dataset's own folder says nothing
        return _Place(name, re.sub(r"\W+", "_", "_".join(video)), "train")

    folder_is_root = (root / "ColorImage").is_dir()
    return _dataset(root, Source("apolloscape", decoders.apolloscape, WAD_CAMERA), images, labels, place)


# --- labels that one file holds for many frames ------------------------------------------------------


def _kitti_text(frame: Frame) -> npt.NDArray[np.uint16]:
    assert frame.label_path is not None
    label = _mots(frame.label_path).label(int(frame.image_path.stem))
    # A frame without objects is not in the file, nor is its size.
    return np.full(frame.read_image().shape[:2], BACKGROUND, np.uint16) if label is None else label


@functools.lru_cache(maxsize=32)
def _mots(path: Path) -> MotsFile:
    from wadlib.interop.kitti_mots import MotsFile

    return MotsFile(path)


def _coco_label(frame: Frame) -> npt.NDArray[np.uint16]:
    assert frame.label_path is not None
    return _coco(frame.label_path).label(frame.image_path.name)


class _CocoFile:
    """Annotations of one file, by the name of the picture."""

    def __init__(self, path: Path) -> None:
        from wadlib.interop.coco_import import CocoDataset

        self.dataset = CocoDataset.open(path, ignored=("train",))
        self.names = {Path(image.text("file_name")).name: key for key, image in self.dataset.images.items()}

    def label(self, name: str) -> npt.NDArray[np.uint16]:
        return self.dataset.label(self.names[name])


@functools.lru_cache(maxsize=4)
def _coco(path: Path) -> _CocoFile:
    return _CocoFile(path)


def _carla_facts(path: Path) -> dict[str, str]:
    fix = 'write {"version": "0.9.16", "fov": 70} into it: the version that drew the frames, the angle of view'
    try:
        facts = read_json(path)
        version, fov = facts["version"], float(facts["fov"])
        parts = tuple(int(part) for part in version.split(".")[:3])
        if not 0 < fov < 180 or len(parts) != 3:
            raise ValueError(f"version {version!r}, fov {fov}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"open_carla: carla.json: {getattr(error, 'strerror', None) or error!r}",
            cause="the simulator does not write this file, and its tags differ between versions",
            fix=fix,
        ) from error
    if parts < _OLDEST_CARLA:
        smeared = (
            "tags are smeared by one" if parts == (0, 9, 13) else "tag 10 is every vehicle, cars and bicycles alike"
        )
        raise DatasetError(
            f"open_carla: expected version 0.9.14 or later, got {version}: its {smeared}",
            cause="frames of an old simulator",
            fix="draw them again with 0.9.14 or later",
        )
    return {name: str(value) for name, value in facts.items()}


# --- folders -----------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Name, video and subset of a frame."""

    name: str
    video: str
    subset: Subset


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place) / name for name in sorted(names) if not name.startswith(".") and is_plain(name))


def _files(folder: Path, *suffixes: str) -> Iterator[tuple[str, Path]]:
    """(path below `folder` without the suffix, path) of the files that end so."""
    for path in _walk(folder):
        suffix = next((each for each in suffixes if path.name.lower().endswith(each.lower())), None)
        if suffix is not None:
            yield path.relative_to(folder).as_posix()[: -len(suffix)], path


def _dataset(
    root: Path,
    source: Source,
    images: dict[str, Path],
    labels: dict[str, Path],
    place: Callable[[str], _Place],
) -> Wad:
    """Pair pictures and labels by their keys."""
    if not images and not labels:
        raise DatasetError(
            f"open_{source.kind}: no picture and no label in {root.as_posix()}",
            cause="a folder above or below the dataset, archives that are not extracted, or other names",
            fix="lay it out as wadlib.dataset.others says: its archives do so when they are extracted",
        )
    videos = dict[tuple[Subset, str], list[Frame]]()
    problems, seen = list[DatasetProblem](), dict[str, str]()
    for key in sorted(images, key=natural_key):
        name, video, subset = place(key)
        if seen.setdefault(name, key) != key:
            problems.append(DatasetProblem("named twice", f"{key} beside {seen[name]}, which is used"))
            continue
        label = labels.get(key) if subset == "train" else None  # those of a test set are blank
        if subset == "train" and label is None:
            problems.append(DatasetProblem("missing label", key))
        videos.setdefault((subset, video), []).append(Frame(name, video, images[key], label, source))
    problems += [DatasetProblem("missing picture", key) for key in _sorted(labels.keys() - images.keys())]
    order = sorted(videos, key=lambda each: (each[0] == "test", natural_key(each[1])))
    found = tuple(Video(video, subset, None, tuple(videos[subset, video])) for subset, video in order)
    return Wad(root, found, tuple(problems), (), source)


def _sorted(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=natural_key)


_MARKS: dict[str, tuple[tuple[str, ...], ...]] = {  # one of these sets of paths, all of them in ROOT
    "wad": ((TRAIN_IMAGES,), (TRAIN_LABELS,), (TEST_IMAGES, TEST_LISTS)),
    "cityscapes": (("gtFine",), ("leftImg8bit",)),
    "bdd100k": (("labels/ins_seg/bitmasks",), ("labels/seg_track_20/bitmasks",)),
    "carla": (("carla.json",), ("rgb", "instance")),
    "kitti_mots": (("image_02", "instances"), ("image_02", "instances_txt"), ("image_02", "label_02")),
    "coco": (("annotations/instances_*.json",),),
    "apolloscape": (("ColorImage",), ("*/ColorImage",)),
}

_OPEN: dict[str, Callable[[str | Path], Wad]] = {
    "wad": open_wad,
    "cityscapes": open_cityscapes,
    "bdd100k": open_bdd100k,
    "carla": open_carla,
    "kitti_mots": open_kitti_mots,
    "coco": open_coco,
    "apolloscape": open_apolloscape,
}


def _looks_like(root: Path, marks: tuple[tuple[str, ...], ...]) -> bool:
    try:
        return any(all(any(root.glob(each)) for each in together) for together in marks)
    except OSError:  # what is wrong with the folder is said where it is opened
        return False
