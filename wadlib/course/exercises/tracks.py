"""Exercises of notebook 11: tracks by hand, identity switches, and what averages over time do."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from wadlib.course.exercises.judging import Exercise, choice, number
from wadlib.labels import IDS

Found = dict[str, tuple[int | None, ...]]
_BY_HAND = range(1, 4)  # the frames of the example by hand


def _videos(seed: int) -> list[Found]:
    """Several short videos: object -> its track in each frame, None where it is missed."""
    rng = np.random.default_rng(seed)
    videos: list[Found] = [{"A": (1, 1, 1)}, {"A": (1, None, 2), "B": (None, 3, 3)}, {"A": (2, None, None, 2)}]
    for objects, frames in ((2, 4), (3, 6), (4, 5)):
        tracks = np.array([rng.permutation(objects + 1)[:objects] for _ in range(frames)]).T
        seen = rng.random(tracks.shape) < 0.75
        seen[0, 0] = True
        video: Found = {}
        for name, row, found in zip("ABCD", tracks.tolist(), seen.tolist(), strict=False):
            video[name] = tuple(track if is_found else None for track, is_found in zip(row, found, strict=True))
        videos.append(video)
    return videos


def _without_track_0(found: Found) -> Found:
    """The same video to a program that takes track 0 for None."""
    return {name: tuple(track or None for track in row) for name, row in found.items()}


def _frames(found: Mapping[str, Sequence[int | None]]) -> list[Any]:
    """The same video as the library takes it: every mask that is found is perfect."""
    from wadlib.metrics import TrackFrame

    frames = []
    for tracks in zip(*found.values(), strict=True):
        here = [k for k, track in enumerate(tracks) if track is not None]
        iou = np.eye(len(tracks))[:, here]
        frames.append(TrackFrame(np.arange(len(tracks)), np.array([tracks[k] for k in here], np.int64), iou))
    return frames


def _switches(answer: Callable[..., int], **_: Any) -> str | None:
    from wadlib.metrics.clear import clear

    for found in _videos(0):
        right, value = clear(_frames(found)).idsw, int(answer(dict(found)))
        if value == right:
            continue
        if value == clear(_frames(_without_track_0(found))).idsw:
            return f"{found}: it gives {value}. Is track 0 taken for None? 0 is the number of a track, too."
        if value == sum(len(set(row) - {None}) - 1 for row in found.values()):
            return f"{found}: it gives {value}. An object that gets an earlier track back has one switch more."
        pairs = [pair for row in found.values() for pair in itertools.pairwise(row)]
        if value == sum(a != b for a, b in pairs):
            return "A frame in which the object is missed is counted as another track."
        if value == sum(a != b for a, b in pairs if a is not None and b is not None):
            return "After a gap the object is compared with nothing. Which track did it have when it was last found?"
        return f"{found}: it gives {value}. Go along each object, frame by frame."
    return None


def _pixels_left(answer: Callable[..., int], **_: Any) -> str | None:
    for width in range(1, 13):
        for speed in range(5):
            row = np.zeros((5, width + 4 * speed), bool)
            for t in range(5):
                row[t, t * speed : t * speed + width] = True
            covered, value = row.sum(axis=0), int(answer(width, speed))
            right = int((covered >= 3).sum())
            if value == right:
                continue
            where = f"A car of width {width} at speed {speed}: it gives {value}."
            if value == width:
                return f"{where} Is each of these pixels covered in three frames?"
            if value == int((covered == 5).sum()):
                return f"{where} These are the pixels that are covered in all five frames."
            if value == int((covered >= 2).sum()):
                return f"{where} Two of five frames give a mean below 1/2."
            if value == max(0, width - 2 * speed):
                return f"{where} There is more than one way to choose three neighbouring frames out of five."
            return f"{where} Draw the row once for each frame, and count the frames at each pixel."
    return None


def _calm(answer: Any, *, maps: Any, **_: Any) -> str | None:
    from wadlib.metrics import Consistency, temporal_consistency

    labels = np.asarray(answer)
    if labels.shape != maps.shape:
        return f"Label maps of shape {maps.shape} are expected, these have the shape {labels.shape}."
    if labels.dtype.kind not in "iu":
        return f"A label map holds whole numbers, the indices of classes; this holds {labels.dtype}."
    if not ((labels >= 0) & (labels <= len(IDS))).all():
        these = f"these go from {labels.min()} to {labels.max()}"
        return f"The indices of classes go from 0 (background) to {len(IDS)}; {these}."
    if not (labels > 0).any():
        return "There is no foreground at all, so the share is not defined."
    total = sum((temporal_consistency(a, b) for a, b in itertools.pairwise(labels)), Consistency())
    return None if total.value == 1 else f"At the same place its consistency is {total.value:.3f}."


def _association(answer: Callable[..., Any], **_: Any) -> str | None:
    from wadlib.metrics.hota import hota

    for found in _videos(1):
        right, value = hota(_frames(found)).assa, float(answer(dict(found)))
        if abs(value - right) < 1e-9:
            continue
        for remark, parts in _other_shares(found).items():
            if abs(value - float(sum(parts) / len(parts))) < 1e-9:
                return remark
        if abs(value - hota(_frames(_without_track_0(found))).assa) < 1e-9:
            return f"{found}: it gives {value:.4f}. Is track 0 taken for None? 0 is the number of a track, too."
        return f"{found}: it gives {value:.4f}. Compute TPA, FNA and FPA of one found mask on paper."
    return None


def _other_shares(found: Found) -> dict[str, list[Fraction]]:
    """What frequent mistakes take the mean of."""
    matched = [(name, track) for name, row in found.items() for track in row if track is not None]
    frames = len(next(iter(found.values())))
    by_pair: dict[tuple[str, int], Fraction] = {}
    shares: dict[str, list[Fraction]] = {}
    for name, track in matched:
        tpa = matched.count((name, track))
        fpa = sum(other == track for _, other in matched) - tpa
        of_object = sum(each == name for each, _ in matched) - tpa
        for remark, below in {
            "FPA is missing: in which other frames is the track on another object?": frames,
            "FNA is missing: in which other frames is the object there?": tpa + fpa,
            "FNA leaves out the frames in which the object is missed.": tpa + of_object + fpa,
        }.items():
            shares.setdefault(remark, []).append(Fraction(tpa, below))
        if frames != len(_BY_HAND):
            remark = f"FNA is that of a video with {len(_BY_HAND)} frames. How many frames has this video?"
            shares.setdefault(remark, []).append(Fraction(tpa, max(tpa, len(_BY_HAND)) + fpa))
        by_pair[name, track] = Fraction(tpa, frames + fpa)
    shares["Each pair of an object and a track counts once. The mean is taken over found masks."] = [*by_pair.values()]
    return shares


EXERCISES = (
    Exercise(
        "11.1",
        1,
        1,
        choice(
            ("missed mask", "swap"),
            "9d83dc655be2",
            mistakes={"27fd84ab5bbb": "Compute the shares of all found masks once more, with this error repaired."},
        ),
        predict=True,
    ),
    Exercise(
        "11.2",
        2,
        1,
        number(
            "4804df5d78ec",
            low=0,
            high=1,
            mistakes={
                "16adcf0d6f14": "The mean is taken over found masks, not over cars.",
                "9ed08b677a52": "The mean is taken over the masks that are found. How many are they?",
                "b7691236854a": "This is AssA with both errors.",
            },
        ),
    ),
    Exercise("11.3", 2, 2, _switches),
    Exercise(
        "11.4",
        2,
        1,
        choice(
            ("higher", "equal", "lower"),
            "9619191e5db5",
            hint="Which gaps does a track survive? Which track does an object get when it is found after a longer gap?",
        ),
        predict=True,
    ),
    Exercise("11.5", 2, 2, _pixels_left),
    Exercise("11.6", 2, 2, _calm),
    Exercise("11.7", 3, 3, _association),
)
