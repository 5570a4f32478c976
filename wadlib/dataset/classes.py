"""THE table of other datasets' classes: what each of their numbers is in WAD, and why.

A row that says IGNORE counts neither for nor against anybody: what is there may be one of our classes, or looks like
one. Numbers without a row are background, as far as the dataset defines them; a number that it does not define is an
error, because the file is then another dataset's. (33 is a bicycle in Cityscapes and a car in WAD, in the same
format.) Never their ``trainId``: those differ between copies of the same dataset.
"""

from collections.abc import Sequence
from typing import NamedTuple

from wadlib.labels import BACKGROUND, CLASSES, IGNORE, by_name

CAR, MOTORBICYCLE, BICYCLE, PERSON, RIDER, TRUCK, BUS = (
    by_name(name).id for name in ("car", "motorbicycle", "bicycle", "person", "rider", "truck", "bus")
)

_RIDER = "a class of its own in WAD, not evaluated; training learns nothing there"
_TRAIN = "looks like a bus: neither a bus nor background"
_OWN = "the same thing as in WAD"


class Row(NamedTuple):
    """One class of another dataset: its number and name there, its WAD class id or IGNORE, and the reason."""

    id: int
    name: str
    target: int
    why: str


# fmt: off
TABLES: dict[str, tuple[Row, ...]] = {
    # cityscapesScripts, helpers/labels.py. Values below 1000 are a class without number, of these seven a group.
    "cityscapes": (
        Row(1,  "ego vehicle",          IGNORE,       "the own bonnet, labelled differently in WAD"),
        Row(2,  "rectification border", IGNORE,       "no picture there"),
        Row(3,  "out of roi",           IGNORE,       "not annotated"),
        Row(5,  "dynamic",              IGNORE,       "moving things without a class: prams, animals, tricycles too"),
        Row(24, "person",               PERSON,       _OWN),
        Row(25, "rider",                RIDER,        _RIDER),
        Row(26, "car",                  CAR,          _OWN + "; vans too"),
        Row(27, "truck",                TRUCK,        _OWN),
        Row(28, "bus",                  BUS,          _OWN),
        Row(29, "caravan",              IGNORE,       "looks like a truck or a bus"),
        Row(30, "trailer",              IGNORE,       "looks like a truck"),
        Row(31, "train",                IGNORE,       _TRAIN + "; trams too"),
        Row(32, "motorcycle",           MOTORBICYCLE, _OWN),
        Row(33, "bicycle",              BICYCLE,      _OWN + ", where 33 is a car"),
    ),
    # BDD100K, format of bitmasks (ins_seg, seg_track_20): the red channel. Crowd and ignore are bits of the green one.
    "bdd100k": (
        Row(1, "pedestrian", PERSON,       _OWN),
        Row(2, "rider",      RIDER,        _RIDER),
        Row(3, "car",        CAR,          _OWN),
        Row(4, "truck",      TRUCK,        _OWN),
        Row(5, "bus",        BUS,          _OWN),
        Row(6, "train",      IGNORE,       _TRAIN),
        Row(7, "motorcycle", MOTORBICYCLE, _OWN),
        Row(8, "bicycle",    BICYCLE,      _OWN),
    ),
    # CARLA 0.9.14 and later (ObjectLabel.h); before, 10 were all vehicles together.
    "carla": (
        Row(12, "pedestrian", PERSON,       _OWN),
        Row(13, "rider",      RIDER,        _RIDER),
        Row(14, "car",        CAR,          _OWN),
        Row(15, "truck",      TRUCK,        _OWN),
        Row(16, "bus",        BUS,          _OWN),
        Row(17, "train",      IGNORE,       _TRAIN),
        Row(18, "motorcycle", MOTORBICYCLE, _OWN),
        Row(19, "bicycle",    BICYCLE,      _OWN),
    ),
    # KITTI-MOTS. Nothing but these two is labelled there, however many trucks and bicycles pass.
    "kitti_mots": (
        Row(1,  "car",        CAR,    _OWN),
        Row(2,  "pedestrian", PERSON, _OWN),
        Row(10, "ignore",     IGNORE, "not annotated: groups, and what is too far away"),
    ),
    # COCO, by name in the file; its numbers have gaps.
    "coco": (
        Row(1, "person",     PERSON,       "riders too: the file does not tell them apart, so best for pre-training"),
        Row(2, "bicycle",    BICYCLE,      _OWN),
        Row(3, "car",        CAR,          _OWN),
        Row(4, "motorcycle", MOTORBICYCLE, _OWN),
        Row(6, "bus",        BUS,          _OWN),
        Row(7, "train",      IGNORE,       _TRAIN),
        Row(8, "truck",      TRUCK,        _OWN),
    ),
    # ApolloScape's own later release: WAD's numbers, and groups, which 16 bits times 1000 cannot hold, in *_bin.png.
    "apolloscape": (
        *(Row(row.id, row.name, row.id, _OWN) for row in CLASSES.values()),
        Row(RIDER, "rider", RIDER, _RIDER),
        *(Row(161 + i, f"{name}_groups", IGNORE, "several at once, not told apart") for i, name in enumerate(
            ("car", "motorbicycle", "bicycle", "person", "rider", "truck", "bus", "tricycle"))),
    ),
}

DEFINED: dict[str, Sequence[int]] = {  # every number that the dataset defines
    "cityscapes": range(34), "bdd100k": range(9), "carla": range(29), "kitti_mots": (0, 1, 2, 10), "coco": range(1, 91),
    "apolloscape": range(256),
}
# fmt: on


def targets(kind: str) -> dict[int, int]:
    """Map each number that a dataset defines to a WAD class id, IGNORE or BACKGROUND.

    Examples
    --------
    >>> targets("cityscapes")[33], targets("cityscapes")[31], targets("cityscapes")[7]
    (35, 65535, 255)
    """
    return dict.fromkeys(DEFINED[kind], BACKGROUND) | {row.id: row.target for row in TABLES[kind]}


def unlabelled(kind: str) -> tuple[int, ...]:
    """List the evaluated WAD classes that nobody labelled in a dataset: there they are no background either.

    Examples
    --------
    >>> unlabelled("cityscapes"), unlabelled("kitti_mots"), unlabelled("apolloscape")
    ((40,), (34, 35, 38, 39, 40), ())
    """
    known = {row.target for row in TABLES[kind]}
    return tuple(class_id for class_id in CLASSES if class_id not in known)
