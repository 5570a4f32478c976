"""How much a label shows of what a lesson is about: one number for each lesson, from the label map itself.

The labels are those of frames at network size, (640, 832); of a full-size label pass every fourth row and column.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from wadlib.dataset import code_areas
from wadlib.labels import decode

Label = npt.NDArray[np.uint16]

CAR, PERSON = 33, 36
EASILY_SEEN_PX = 300
"""An object of so many pixels at network size is easily seen in a figure of a whole frame."""
VISIBLE_PX = 25


def touching_cars(label: Label) -> int:
    """Count the pixels along the longest border that two easily seen cars share."""
    cars = _areas(label, CAR, EASILY_SEEN_PX)
    pairs = np.concatenate(
        [
            np.stack([label[:, :-1].ravel(), label[:, 1:].ravel()]),
            np.stack([label[:-1].ravel(), label[1:].ravel()]),
        ],
        axis=1,
    )
    pairs = pairs[:, pairs[0] != pairs[1]]
    pairs = np.sort(pairs[:, np.isin(pairs, list(cars)).all(axis=0)], axis=0)
    return int(np.unique(pairs, axis=1, return_counts=True)[1].max(initial=0))


def person_before_car(label: Label) -> int:
    """Count the rows in which a person divides one easily seen car: the same car to the left and to the right."""
    return max(divided_cars(label).values(), default=0)


def divided_cars(label: Label) -> dict[tuple[int, int], int]:
    """Count for each (code of an easily seen car, code of a person) the rows in which the person divides the car."""
    rows: dict[tuple[int, int], int] = {}
    cars = _areas(label, CAR, EASILY_SEEN_PX)
    for row in label[(decode(label)[0] == PERSON).any(axis=1)]:
        runs = row[np.flatnonzero(np.diff(row, prepend=row[0] ^ 1))].tolist()
        for left, middle, right in zip(runs, runs[1:], runs[2:], strict=False):
            if left == right and left in cars and middle // 1000 == PERSON:
                rows[left, middle] = rows.get((left, middle), 0) + 1
    return rows


def car_pieces(label: Label) -> int:
    """Count the connected pieces, of some pixels each, of the easily seen car that has most of them."""
    from scipy import ndimage

    most = 0
    for code in _areas(label, CAR, EASILY_SEEN_PX):
        pieces = ndimage.label(label == code)[0]
        most = max(most, int((np.bincount(pieces.ravel())[1:] >= VISIBLE_PX).sum()))
    return most


def far_from_near(label: Label) -> float:
    """Divide the area of the largest car by that of the smallest."""
    areas = list(_areas(label, CAR).values())
    return max(areas) / min(areas) if areas else 0.0


def classes_shown(label: Label) -> int:
    """Count the evaluated classes that have a visible object."""
    return len({code // 1000 for code in _areas(label, smallest=VISIBLE_PX)})


def class_area(class_id: int) -> Callable[[Label], int]:
    """Make the function that gives the area of the largest object of a class."""

    def area(label: Label) -> int:
        return max(_areas(label, class_id).values(), default=0)

    return area


def darkness(image: npt.NDArray[np.uint8]) -> float:
    """Compute how far the mean grey level of an image (H,W,3) is below 255: at dusk by 180 and more."""
    return 255 - float(image[::4, ::4].mean())


def largest_share(label: Label) -> float:
    """Divide the area of the largest object by that of the frame: near 1 where one object hides everything else."""
    return max(_areas(label).values(), default=0) / label.size


def _areas(label: Label, class_id: int | None = None, smallest: int = 1) -> dict[int, int]:
    """Areas of the evaluated objects, of one class or of all, by code."""
    codes, areas = (each.tolist() for each in code_areas(label))
    return {
        code: area
        for code, area in zip(codes, areas, strict=True)
        if area >= smallest and class_id in (None, code // 1000)
    }
