"""THE class table, and the codes of WAD's 16-bit label files.

A label pixel holds ``code = class_id * 1000 + instance`` (report, section 3). Two codes are no
instances: **255** is background and **65535** is "ignore". The second is the trap of this format:
``65535 // 1000 == 65``, so careless code finds traffic cones wherever the annotators gave up.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.errors import LabelError

__all__ = [
    "BACKGROUND",
    "CLASSES",
    "IDS",
    "IGNORE",
    "NETWORK_INDEX",
    "NO_INDEX",
    "Class",
    "by_name",
    "class_map",
    "decode",
    "encode",
    "evaluated_index",
    "instance_codes",
    "label_from_indices",
    "network_indices",
]

BACKGROUND = 255
"""Code of a pixel that belongs to no instance, in real label files (it is not 0)."""

IGNORE = 65535
"""Code of a pixel that must not count for or against anybody."""

INSTANCES_PER_CLASS = 1000

NO_INDEX = 255
"""Index of a pixel that a network is neither to learn from nor to be judged by."""

_UNKNOWN = 254  # in the tables below: a class id that no row of the class table has


@dataclass(frozen=True)
class Class:
    """One row of the class table."""

    id: int  # a label code divided by 1000, rounded down
    name: str  # as in the Kaggle documentation ("motorbicycle" is its spelling)
    evaluated: bool = False  # one of the seven classes of the challenge and of the report's Table 1
    network_index: int = 0  # 1..7 inside a network, 0 for a class that networks do not see
    # RGB. The evaluated classes take petroff10, which stays readable for colour-blind eyes; figures add contours and
    # names so that colour is never alone.
    colour: tuple[int, int, int] = (128, 128, 128)
    report_name: str = ""  # in the report's Table 1 ("pedestrian" for person)


# fmt: off
TABLE: tuple[Class, ...] = (
    #     id   name           evaluated  index  colour            report's Table 1
    Class(0,   "others"),
    Class(1,   "rover"),
    Class(17,  "sky",          False, 0, (135, 181, 214)),
    Class(33,  "car",          True,  1, (63, 144, 218),  "car"),
    Class(34,  "motorbicycle", True,  2, (255, 169, 14),  "motorbicycle"),
    Class(35,  "bicycle",      True,  3, (189, 31, 1),    "bicycle"),
    Class(36,  "person",       True,  4, (131, 45, 182),  "pedestrian"),
    Class(37,  "rider",        False, 0, (110, 110, 110)),
    Class(38,  "truck",        True,  5, (148, 164, 162), "truck"),
    Class(39,  "bus",          True,  6, (231, 99, 0),    "bus"),
    Class(40,  "tricycle",     True,  7, (146, 218, 221), "tricycle"),
    Class(49,  "road"),
    Class(50,  "sidewalk"),
    Class(65,  "traffic_cone"),
    Class(66,  "road_pile"),
    Class(67,  "fence"),
    Class(81,  "traffic_light"),
    Class(82,  "pole"),
    Class(83,  "traffic_sign"),
    Class(84,  "wall"),
    Class(85,  "dustbin"),
    Class(86,  "billboard"),
    Class(97,  "building"),
    Class(98,  "bridge"),
    Class(99,  "tunnel"),
    Class(100, "overpass"),
    Class(113, "vegetation"),
    # Groups. Times 1000 they do not fit 16 bits, so no file holds them.
    *(Class(161 + i, f"{name}_groups") for i, name in enumerate(
        ("car", "motorbicycle", "bicycle", "person", "rider", "truck", "bus", "tricycle"))),
    Class(255, "unlabeled"),
)
# fmt: on

CLASSES: dict[int, Class] = {row.id: row for row in TABLE if row.evaluated}
"""The seven evaluated classes by WAD id, in the networks' order."""

IDS: tuple[int, ...] = tuple(CLASSES)
"""(33, 34, 35, 36, 38, 39, 40)"""

NETWORK_INDEX: dict[int, int] = {row.id: row.network_index for row in CLASSES.values()}
"""WAD class id -> 1..7, the index inside a network (0 is its background)."""

_NAMES = {row.name: row for row in TABLE} | {"pedestrian": CLASSES[36]}


def by_name(name: str) -> Class:
    """Find the class called `name`; "pedestrian" is the report's word for person.

    Examples
    --------
    >>> by_name("pedestrian").id
    36
    """
    if name not in _NAMES:
        raise LabelError(
            f"by_name: there is no class {name!r}",
            cause="a spelling that differs from the class table",
            fix="use one of " + ", ".join(row.name for row in CLASSES.values()),
        )
    return _NAMES[name]


def encode(class_id: npt.ArrayLike, instance: npt.ArrayLike) -> Any:
    """Compute ``class_id * 1000 + instance`` as uint16 (report, section 3).

    Parameters
    ----------
    class_id, instance : int or array of int, 1..65 and 0..999; they are broadcast

    Raises
    ------
    LabelError
        A number out of range. Group classes (161..168) do not fit 16 bits, and 65 * 1000 + 535
        would be read as IGNORE.

    Examples
    --------
    >>> int(encode(33, 7))
    33007
    """
    ids, numbers = np.broadcast_arrays(class_id, instance)
    for name, values in (("class_id", ids), ("instance", numbers)):
        if values.dtype.kind not in "iu":
            raise LabelError(
                f"encode: {name} must be whole numbers, got dtype {values.dtype}",
                cause="an array that went through floating point",
                fix=f"convert it: {name}.astype(int)",
            )
    codes = ids.astype(np.int64) * INSTANCES_PER_CLASS + numbers
    bad = (numbers < 0) | (numbers >= INSTANCES_PER_CLASS) | (ids < 1) | (codes >= IGNORE)
    if bad.any():
        raise LabelError(
            f"encode: class {ids[bad][0]} with instance {numbers[bad][0]} is not a code below {IGNORE}",
            cause="a group class (161-168), or more than 1000 instances of one class in a frame",
            fix="use class ids 1..65 and instances 0..999",
        )
    return codes.astype(np.uint16)


def decode(code: npt.ArrayLike) -> tuple[Any, Any]:
    """Split label codes into class id and instance number: ``divmod(code, 1000)`` where it means something.

    Returns
    -------
    class_id, instance : uint16 arrays of the shape of `code`
        0 and 0 for background (255, and every code below 1000) and IGNORE (65535): no instances of anything.

    Examples
    --------
    >>> [tuple(int(v) for v in decode(code)) for code in (33007, 255, 65535)]
    [(33, 7), (0, 0), (0, 0)]
    """
    codes = np.asarray(code)
    whole = codes.dtype.kind in "iu"
    if not whole or (codes.size and (codes.min() < 0 or codes.max() > IGNORE)):
        got = f"{codes.min()} to {codes.max()}" if whole else f"dtype {codes.dtype}"
        raise LabelError(
            f"decode: codes are whole numbers in 0..{IGNORE}, got {got}",
            cause="a label image that was resized with interpolation or read as floating point",
            fix="read labels with wadlib.frames.read_label and resize by stride",
        )
    codes = np.where((codes == IGNORE) | (codes < INSTANCES_PER_CLASS), 0, codes).astype(np.uint16)
    return np.divmod(codes, np.uint16(INSTANCES_PER_CLASS))


def class_map(label: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Turn label codes (H,W) into WAD class ids (H,W) uint8; 0 where there is no instance."""
    return np.asarray(decode(label)[0].astype(np.uint8))


def instance_codes(label: npt.NDArray[np.uint16], class_id: int | None = None) -> npt.NDArray[np.uint16]:
    """List the codes of the evaluated instances in a label, sorted (of one class, if named).

    Examples
    --------
    >>> instance_codes(np.array([[255, 33001], [36000, 65535]], np.uint16)).tolist()
    [33001, 36000]
    """
    codes = np.unique(label)
    wanted = IDS if class_id is None else (class_id,)
    return np.asarray(codes[np.isin(decode(codes)[0], wanted)])


def network_indices(label: npt.NDArray[np.uint16], indices: Mapping[int, int] = NETWORK_INDEX) -> npt.NDArray[np.uint8]:
    """Turn label codes into what a network learns: 0 background, 1..7 the classes, NO_INDEX (255) where IGNORE.

    Parameters
    ----------
    label : (H,W) uint16 codes, or of any other shape, which that of the uint8 result is
    indices : mapping
        WAD class id -> index, another one for a network with other classes; an index of NO_INDEX leaves
        a class out. Classes that it does not name are background.

    Raises
    ------
    LabelError
        Not uint16, or a class id that the class table does not know.

    Examples
    --------
    >>> network_indices(np.array([[255, 33001, 40000, 37002, 65535]], np.uint16)).tolist()
    [[0, 1, 7, 0, 255]]
    """
    codes = np.asarray(label)
    if codes.dtype != np.uint16:
        what = f"network_indices: expected uint16 codes, got {codes.dtype}"
        raise LabelError(
            what, cause="class ids in place of label codes", fix="read labels with wadlib.frames.read_label"
        )
    found = _index_table(tuple(indices.items()))[codes]
    if (found == _UNKNOWN).any():
        class_id = int(codes[found == _UNKNOWN][0]) // 1000
        raise LabelError(
            f"network_indices: class {class_id} is not in the class table",
            cause="a label of another dataset, or one that was resized with interpolation",
            fix="check the label with `wadlib info`",
        )
    return np.asarray(found)


def label_from_indices(
    index: npt.NDArray[np.integer[Any]], indices: Mapping[int, int] = NETWORK_INDEX
) -> npt.NDArray[np.uint16]:
    """Turn indices of a network into a label of classes, instance 0 each: the way back from `network_indices`.

    Raises
    ------
    LabelError
        An index that stands for no class.

    Examples
    --------
    >>> label_from_indices(np.array([[0, 1, 7, 255]])).tolist()
    [[255, 33000, 40000, 65535]]
    """
    table = np.zeros(NO_INDEX + 1, np.uint16)  # no code is 0
    for class_id, number in indices.items():
        table[number] = encode(class_id, 0)
    table[0], table[NO_INDEX] = BACKGROUND, IGNORE
    found = np.asarray(index)
    whole, small = found.dtype.kind in "iu", found.clip(0, NO_INDEX).astype(np.uint8)
    bad = (small != found) | (table[small] == 0)
    if bad.any() or not whole:
        got = f"index {found[bad][0]}" if whole else f"dtype {found.dtype}"
        raise LabelError(
            f"label_from_indices: expected 0, {NO_INDEX} or one of {sorted(set(indices.values()))}, got {got}",
            cause="class ids, or the output of a network with other classes",
            fix="pass the argmax over the channels, and the table that the network was trained with",
        )
    return table[small]


def evaluated_index(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Turn codes into the index 1..7 of their class; 0 for no evaluated instance: background, IGNORE, riders…"""
    return _evaluated_table()[codes]


@functools.cache
def _evaluated_table() -> npt.NDArray[np.uint8]:
    table = _index_table(tuple(NETWORK_INDEX.items()))
    return np.where(table <= len(IDS), table, np.uint8(0))


@functools.cache
def _index_table(indices: tuple[tuple[int, int], ...]) -> npt.NDArray[np.uint8]:
    """Index of each of the 65536 codes; NO_INDEX for IGNORE, _UNKNOWN for classes that no row of the table has."""
    class_ids = decode(np.arange(IGNORE + 1))[0]
    table = np.where(np.isin(class_ids, [row.id for row in TABLE]), 0, _UNKNOWN).astype(np.uint8)
    for class_id, index in indices:
        table[class_ids == class_id] = index
    table[IGNORE] = NO_INDEX
    return table
