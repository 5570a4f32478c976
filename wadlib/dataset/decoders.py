"""Label files of other datasets, decoded to WAD's codes; the classes are those of `wadlib.dataset.classes`.

Each function takes a frame and gives its label (H, W) uint16 at the size of its picture. A file that is not exactly
of its format is a LabelError: 8 bits in place of 16, three channels in place of four, a number that the dataset does
not define. All of them would open in a picture library, with wrong numbers in it.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wadlib._shared import png16
from wadlib._shared.files import read_bytes
from wadlib.dataset.classes import DEFINED, TABLES, targets
from wadlib.dataset.frame import Frame
from wadlib.errors import LabelError
from wadlib.frames import read_grey16
from wadlib.labels import BACKGROUND, IDS, IGNORE, INSTANCES_PER_CLASS, encode

Label = npt.NDArray[np.uint16]
Key = npt.NDArray[np.uint32]

_UNKNOWN = 0  # in the tables below: no code is 0
_IDS = 1 << 16  # of bdd100k and carla: an instance's number has 16 bits


def cityscapes(frame: Frame) -> Label:
    """Decode ``*_gtFine_instanceIds.png``: class * 1000 + number, and the class alone for groups and all else."""
    return _by_table(frame, _cityscapes_table())


def kitti_png(frame: Frame) -> Label:
    """Decode ``instances/0000/000000.png`` of KITTI-MOTS: class * 1000 + track, 10000 is ignore."""
    return _by_table(frame, _kitti_table())


def apolloscape(frame: Frame) -> Label:
    """Decode ``*_instanceIds.png`` of ApolloScape, in WAD's codes; groups, in ``*_bin.png`` beside it, are IGNORE."""
    label = _by_table(frame, _apolloscape_table())
    classes = _path(frame).with_name(_path(frame).name.replace("_instanceIds", "_bin"))
    if classes.is_file():
        ids = _channels(classes, 1, label.shape[:2])
        label[np.isin(ids, [row.id for row in TABLES["apolloscape"] if row.target == IGNORE])] = IGNORE
    return label


def bdd100k(frame: Frame, numbers: str = "frame") -> Label:
    """Decode a bitmask of BDD100K: R class, G truncated, occluded, crowd and ignore as bits, id = B * 256 + A.

    Parameters
    ----------
    numbers : "frame" or "video"
        Count instances within the frame, or by track over all bitmasks of its folder.
    """
    return _by_key(frame, _bdd_keys, "bdd100k", numbers)


def carla(frame: Frame, numbers: str = "frame") -> Label:
    """Decode a picture of CARLA's instance segmentation camera: R tag, id = G + 256 * B; `numbers` as in `bdd100k`."""
    return _by_key(frame, _carla_keys, "carla", numbers)


# --- 16-bit grey: one look-up for each pixel ---------------------------------------------------------


def _by_table(frame: Frame, table: Label) -> Label:
    raw = read_grey16(_path(frame))
    label = table[raw]
    if not label.all():
        raise _unknown(frame, f"the value {int(raw[label == _UNKNOWN][0])}")
    return label


@functools.cache
def _cityscapes_table() -> Label:
    table = np.full(IGNORE + 1, _UNKNOWN, np.uint16)
    for number, target in targets("cityscapes").items():
        alone = IGNORE if target < IGNORE and target != BACKGROUND else target  # of a class with numbers: a group
        table[number] = alone
        table[number * 1000 : number * 1000 + 1000] = _codes(target)
        table[number] = alone  # 0 to 33 lie in the thousand of class 0
    table[34:1000] = _UNKNOWN
    return table


@functools.cache
def _kitti_table() -> Label:
    table = np.full(IGNORE + 1, _UNKNOWN, np.uint16)
    for number, target in targets("kitti_mots").items():
        table[number * 1000 : number * 1000 + 1000] = _codes(target)
    table[1:1000] = _UNKNOWN
    return table


@functools.cache
def _apolloscape_table() -> Label:
    table = np.full(IGNORE + 1, BACKGROUND, np.uint16)
    for class_id in (*IDS, 37):
        table[class_id * 1000 : class_id * 1000 + 1000] = _codes(class_id)
    table[IGNORE] = IGNORE
    return table


def _codes(target: int) -> Label:
    """Codes of the instances 0 to 999 of a class."""
    if target in (BACKGROUND, IGNORE):
        return np.full(INSTANCES_PER_CLASS, target, np.uint16)
    return np.asarray(encode(target, np.arange(INSTANCES_PER_CLASS)), np.uint16)


# --- classes and ids in colour channels --------------------------------------------------------------


def _by_key(frame: Frame, read: Callable[[Path], Key], kind: str, numbers: str) -> Label:
    """Codes of ``class * 65536 + id``: instances of a class are numbered in the order of their ids."""
    path = _path(frame)
    keys = read(path)
    # Row by row a label is a few long runs of one key: look up runs, not pixels.
    flat = keys.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    runs = flat[starts]
    found = np.unique(runs)
    known = found if numbers == "frame" else _keys_of_folder(path.parent, read)
    wanted = targets(kind)
    codes = np.empty(len(found), np.uint16)
    for n, key in enumerate(found.tolist()):
        target = wanted.get(key // _IDS)
        if key == IGNORE:
            codes[n] = IGNORE
        elif target is None:
            raise _unknown(frame, f"class {key // _IDS}")
        elif target in (BACKGROUND, IGNORE):
            codes[n] = target
        else:
            first = np.searchsorted(known, key // _IDS * _IDS)
            number = int(np.searchsorted(known, key) - first)
            if number >= INSTANCES_PER_CLASS:
                raise LabelError(
                    f"read_label: more than {INSTANCES_PER_CLASS} objects of class {key // _IDS} ({path.name})",
                    cause="a video with more objects than WAD's codes can number",
                    fix="divide the video into shorter folders",
                )
            codes[n] = encode(target, number)
    of_run = codes[np.searchsorted(found, runs)]
    return of_run.repeat(np.diff(starts, append=flat.size)).reshape(keys.shape)


@functools.lru_cache(maxsize=64)
def _keys_of_folder(folder: Path, read: Callable[[Path], Key]) -> Key:
    """All keys of a video, so that an object has one number in all its frames."""
    return np.unique(np.concatenate([np.unique(read(path)) for path in sorted(folder.glob("*.png"))]))


def _bdd_keys(path: Path) -> Key:
    red, green, blue, alpha = np.moveaxis(_channels(path, 4).astype(np.uint32), 2, 0)
    keys = red * _IDS + blue * 256 + alpha
    group = (green & 3) > 0  # crowd or ignore, whatever the class; blank pictures are one such region
    if ((red == 0) & (keys > 0) & ~group).any():
        # PIL's resize multiplies the colours by alpha, which is the id: the classes become 0 and the ids stay.
        raise _wrong(path, "instances without a class", "a bitmask that was resized or drawn in a browser")
    keys[group] = IGNORE  # a key that no instance has: classes begin at 1
    return keys


def _carla_keys(path: Path) -> Key:
    red, green, blue = np.moveaxis(_channels(path, (3, 4))[:, :, :3].astype(np.uint32), 2, 0)
    things = np.isin(red, [row.id for row in TABLES["carla"]])
    return red * _IDS + np.where(things, green + 256 * blue, 0)


def _channels(path: Path, wanted: int | tuple[int, ...], shape: tuple[int, ...] | None = None) -> npt.NDArray[np.uint8]:
    """Read an 8-bit PNG with so many channels, (H, W) or (H, W, C) in the order R, G, B, A."""
    import cv2

    counts = (wanted,) if isinstance(wanted, int) else wanted
    expected = f"an 8-bit PNG of {' or '.join(map(str, counts))} channels"
    try:
        data = read_bytes(path)
        header = png16.read_header(data)
        if header.height * header.width > png16.MAX_PIXELS:
            raise png16.PngError(f"{header.width}x{header.height} pixels")
    except OSError as error:
        raise _wrong(
            path, f"cannot be read: {error.strerror}", "a file that is missing, or its access rights"
        ) from error
    except png16.PngError as error:
        raise _wrong(
            path, f"expected {expected}, got {error.found}", "JPEG changes ids, and so does an editor"
        ) from error
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    channels = 0 if pixels is None else 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels is None or channels not in counts or pixels.dtype != np.uint8 or header.colour == "palette":
        got = "pixels that do not decode" if pixels is None else f"{channels} of {pixels.dtype} ({header.colour})"
        raise _wrong(path, f"expected {expected}, got {got}", "a copy that was saved without its alpha, or cut off")
    if shape is not None and pixels.shape[:2] != tuple(shape):
        raise _wrong(path, f"{header.width}x{header.height} pixels, not those of its label", "files of two frames")
    if channels == 1:
        return np.asarray(pixels, np.uint8)
    return np.asarray(pixels[:, :, [2, 1, 0, 3][:channels]], np.uint8)  # OpenCV has B, G, R, A


# --- errors ------------------------------------------------------------------------------------------


def _path(frame: Frame) -> Path:
    assert frame.label_path is not None  # `Frame.read_label` has looked
    return frame.label_path


def _wrong(path: Path, what: str, cause: str) -> LabelError:
    name = f"{path.parent.name}/{path.name}"
    return LabelError(f"read_label: {name}: {what}", cause=cause, fix="extract it again from the dataset's archive")


def _unknown(frame: Frame, what: str) -> LabelError:
    kind = frame.source.kind if frame.source else "wad"
    defined = DEFINED[kind]
    return LabelError(
        f"read_label: {frame.name}: {what} is none that {kind} defines (classes {min(defined)} to {max(defined)})",
        cause="labels of another dataset or version, or a file that was resized with interpolation",
        fix="extract it again; `wadlib info ROOT` says which dataset the folder looks like",
    )
