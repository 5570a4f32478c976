"""Numbers of tracks on label maps: a label code has room for a thousand of each class."""

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wadlib.errors import TrackingError
from wadlib.labels import CLASSES, INSTANCES_PER_CLASS

Ids = npt.NDArray[np.int64]


def number_on_labels(
    ids: Sequence[Ids], class_ids: Sequence[npt.NDArray[np.int32]], room: int = INSTANCES_PER_CLASS
) -> dict[int, int]:
    """Choose for each track of a video the number that it bears on the label maps.

    Within a class, tracks are numbered from 0 in the order of appearance. If there are more than `room` of them, the
    number of the track that ended longest ago is given out again: two tracks never share a number at a time, and no
    number is taken modulo.

    Parameters
    ----------
    ids, class_ids : sequence of (D,), one per frame
    room : int
        How many numbers a class has.

    Returns
    -------
    dict[int, int]
        Track -> number, 0 to `room` - 1.

    Raises
    ------
    TrackingError
        More than `room` tracks of a class at one time.

    Examples
    --------
    >>> cars = [np.array([7]), np.array([7, 9]), np.array([12])]
    >>> classes = [np.full(each.size, 33, np.int32) for each in cars]
    >>> number_on_labels(cars, classes)
    {7: 0, 9: 1, 12: 2}
    >>> number_on_labels(cars, classes, room=2)
    {7: 0, 9: 1, 12: 0}
    """
    spans: dict[int, list[int]] = {}  # track -> class, first and last frame; in the order of appearance
    for frame, (tracks, classes) in enumerate(zip(ids, class_ids, strict=True)):
        for track, class_id in zip(tracks.tolist(), classes.tolist(), strict=True):
            spans.setdefault(track, [class_id, frame, frame])[2] = frame
    numbers: dict[int, int] = {}
    used: dict[int, list[tuple[int, int]]] = {}  # class -> (last frame, number) of the numbers that are given out
    for track, (class_id, first, last) in spans.items():
        given = used.setdefault(class_id, [])
        if len(given) < room:
            number = len(given)
            heapq.heappush(given, (last, number))
        elif given[0][0] < first:
            number = heapq.heapreplace(given, (last, given[0][1]))[1]
        else:
            raise TrackingError(
                f"number_on_labels: expected at most {room} tracks of class {CLASSES[class_id].name} at one time, "
                f"got more in frame {first}",
                cause="a score threshold so low that it lets noise through",
                fix="predict again with a higher --min-score",
            )
        numbers[track] = number
    return numbers
