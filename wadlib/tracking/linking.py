"""Give each detection the number of its track: online, one frame at a time, or over a whole video.

Nothing is dropped, moved or reordered: the answer is one whole number per detection, and masks and scores stay as they
were.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wadlib.errors import TrackingError
from wadlib.instances import Instances
from wadlib.tracking.assign import assign
from wadlib.tracking.flow import Flow, Points, median_shifts, sample
from wadlib.tracking.link_config import LinkConfig
from wadlib.tracking.motion import ego_motion, grown_iou, shifted
from wadlib.tracking.pieces import Piece, pieces_of

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_WIDTH = 832  # pixels of the picture that `grow_px` speaks of


@dataclass
class _Track:
    """A track that may still be seen again."""

    number: int
    class_id: int
    box: Floats
    piece: Piece
    time_s: float
    velocity: Floats = field(default_factory=lambda: np.zeros(2))  # pixels per second
    flowed: Floats = field(default_factory=lambda: np.zeros(2))  # where flow carried it since it was seen
    _points: Points | None = None
    age: int = 0  # frames since it was seen

    @property
    def points(self) -> Points:
        """The pixels by which flow tells its motion."""
        if self._points is None:
            self._points = sample(self.piece)
        return self._points

    def see(self, box: Floats, piece: Piece, time_s: float, smoothing: float) -> None:
        """Take it up where it was found again."""
        shift = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        self.velocity = smoothing * shift / (time_s - self.time_s) + (1 - smoothing) * self.velocity
        self.box, self.piece, self.time_s = box, piece, time_s
        self.flowed, self.age, self._points = np.zeros(2), 0, None


class Linker:
    """Links frame after frame; remembers only the tracks that may still be seen.

    Parameters
    ----------
    config : LinkConfig, optional

    Examples
    --------
    >>> def car(x):
    ...     mask = np.zeros((1, 20, 60), bool)
    ...     mask[0, 5:15, x : x + 12] = True
    ...     return Instances.from_masks(mask, [33], [0.9])
    >>> linker = Linker()
    >>> [linker.update(car(x), time_s).tolist() for x, time_s in ((0, 0.0), (4, 0.1), (9, 0.2))]
    [[0], [0], [0]]
    """

    def __init__(self, config: LinkConfig | None = None) -> None:
        self.config = LinkConfig() if config is None else config
        self.tracks = 0
        """How many tracks there were so far."""
        self._alive: list[_Track] = []
        self._flow = Flow()
        self._shape: tuple[int, int] | None = None
        self._time_s = -math.inf
        self._step_s = 0.0  # a usual step, to tell a missing frame from a slow car

    def update(
        self,
        found: Instances,
        time_s: float,
        image: npt.NDArray[np.uint8] | None = None,
        fields: Sequence[npt.NDArray[np.float32]] = (),
    ) -> Ids:
        """Link the detections of the next frame.

        Parameters
        ----------
        found : Instances
        time_s : float
            Its time, later than that of the frame before (`wadlib.tracking.frame_times`).
        image : (H, W, 3) uint8, optional
            Its picture, for the flow hypothesis. Give it for every frame, or for none.
        fields : sequence of (H', W', 2) float32, optional
            In place of pictures: the flow since the frame that was given before, of several steps if there were
            frames in between (`Flow.next` of each).

        Returns
        -------
        (D,) int64
            The track of each detection: numbers from 0, in the order of appearance, never twice in a frame.

        Raises
        ------
        TrackingError
            A time that does not grow, or a frame of another size.
        """
        self._check(found, time_s, image)
        field = None if image is None else self._flow.next(image)
        self._age(time_s, fields if field is None else [field])
        ids = np.full(len(found), -1, np.int64)
        boxes, class_ids, pieces = found.boxes.astype(np.float64), found.class_ids, pieces_of(found)
        similarity = self._similarity(found, boxes, pieces, time_s)
        sure = found.scores >= self.config.sure
        fresh = np.array([track.age == 1 for track in self._alive], np.bool_)
        free = np.ones(len(self._alive), np.bool_)
        for tracks, detections in ((free, sure), (free & fresh, ~sure)):
            for t, d in self._pairs(similarity, class_ids, tracks & free, detections):
                self._alive[t].see(boxes[d], pieces[d], time_s, self.config.smoothing)
                ids[d], free[t] = self._alive[t].number, False
        for d in np.flatnonzero(ids < 0).tolist():
            ids[d] = self.tracks
            self._alive.append(_Track(self.tracks, int(class_ids[d]), boxes[d], pieces[d], time_s))
            self.tracks += 1
        return ids

    # --- the steps of update -----------------------------------------------------------------------

    def _check(self, found: Instances, time_s: float, image: npt.NDArray[np.uint8] | None) -> None:
        if not time_s > self._time_s:  # nan is not
            raise TrackingError(
                f"Linker.update: expected a time after {self._time_s:g} s, got {time_s:g} s",
                cause="frames out of order, of two cameras or two videos, or names without a clock",
                fix="use one Linker for each video, and frame_times(video.frames)",
            )
        if self._shape is not None and found.shape != self._shape:
            raise TrackingError(
                f"Linker.update: expected detections in a {self._shape[1]}x{self._shape[0]} picture like before, "
                f"got {found.shape[1]}x{found.shape[0]}",
                cause="predictions of two sizes",
                fix="predict all frames of a video at one size",
            )
        if image is not None and image.shape[:2] != found.shape:
            raise TrackingError(
                f"Linker.update: expected a picture of {found.shape[1]}x{found.shape[0]} like the detections, "
                f"got {image.shape[1]}x{image.shape[0]}",
                cause="network-size predictions of full-size pictures, or the other way round",
                fix="predict with --full-frame, or prepare the pictures with `wadlib prepare`",
            )
        self._shape = found.shape

    def _age(self, time_s: float, fields: Sequence[npt.NDArray[np.float32]]) -> None:
        """Let go of tracks that are too old, and carry the others along with the flow."""
        step = time_s - self._time_s
        if math.isfinite(step):
            self._step_s = min(self._step_s, step) if self._step_s else step
        self._time_s = time_s
        for track in self._alive:
            track.age += 1
        limit = self.config
        self._alive = [t for t in self._alive if t.age <= limit.max_age + 1 and time_s - t.time_s <= limit.max_age_s]
        if self._shape is None or "flow" not in self.config.hypotheses:
            return
        flowed = np.array([track.flowed for track in self._alive]).reshape(-1, 2)
        for step_field in fields:
            flowed += median_shifts(step_field, [track.points for track in self._alive], flowed, self._shape)
        for track, shift in zip(self._alive, flowed, strict=True):
            track.flowed = shift

    def _similarity(self, found: Instances, boxes: Floats, pieces: list[Piece], time_s: float) -> Floats:
        """Compare each track with each detection, (T, D), under the motion hypothesis that fits the pair best."""
        best = np.zeros((len(self._alive), len(found)))
        if not best.size:
            return best
        scale = max(1.0, found.shape[1] / _WIDTH)
        same = np.array([t.class_id for t in self._alive])[:, None] == found.class_ids[None, :]
        weight = self.config.box_weight
        for moved in self._hypotheses(time_s):
            box_iou = grown_iou(moved, boxes, self.config.grow_px * scale) * same
            score = weight * box_iou
            if weight < 1:
                # Only where the masks could decide: they overlap at most fully.
                for t, d in zip(*np.nonzero((box_iou > 0) & (score + 1 - weight > best)), strict=True):
                    track = self._alive[t]
                    shift = (moved[t, :2] + moved[t, 2:] - track.box[:2] - track.box[2:]) / 2
                    score[t, d] += (1 - weight) * track.piece.moved(*shift).iou(pieces[d])
            np.maximum(best, score, out=best)
        return best

    def _hypotheses(self, time_s: float) -> list[Floats]:
        """Boxes of all tracks, (T, 4), under each hypothesis."""
        tracks = self._alive
        at = np.array([track.box for track in tracks])
        found = []
        for name in self.config.hypotheses:
            if name == "stay":
                found.append(at)
            elif name == "velocity":
                velocity = np.array([track.velocity for track in tracks])
                since = np.array([time_s - track.time_s for track in tracks])[:, None]
                found.append(shifted(at, velocity * since))
                # One picture a metre: after a slow metre most things moved as far as after a quick one.
                by_step = np.array([track.age for track in tracks])[:, None] * self._step_s
                if (since > 1.5 * by_step).any():
                    found.append(shifted(at, velocity * by_step))
            elif name == "flow":
                found.append(shifted(at, np.array([track.flowed for track in tracks])))
            elif self.config.camera is not None:
                age = max(track.age for track in tracks)
                ages = np.array([track.age for track in tracks])[:, None]
                moved = at
                for k in range(1, age + 1):
                    moved = np.where(ages >= k, ego_motion(moved, self.config.camera), moved)
                found.append(moved)
        return found

    def _pairs(
        self,
        similarity: Floats,
        class_ids: npt.NDArray[np.int32],
        tracks: npt.NDArray[np.bool_],
        found: npt.NDArray[np.bool_],
    ) -> list[tuple[int, int]]:
        rows, columns = np.flatnonzero(tracks), np.flatnonzero(found)
        classes = np.array([self._alive[t].class_id for t in rows], np.int32)
        t, d = assign(similarity[np.ix_(rows, columns)], classes, class_ids[columns], self.config.gate)
        return list(zip(rows[t].tolist(), columns[d].tolist(), strict=True))


def link(
    detections: Iterable[Instances],
    times: Iterable[float],
    images: Iterable[npt.NDArray[np.uint8]] | None = None,
    config: LinkConfig | None = None,
) -> list[Ids]:
    """Link the detections of one video.

    Parameters
    ----------
    detections : iterable of Instances, one per frame
        A generator will do: only the tracks that may still be seen are kept.
    times : iterable of float, seconds
        See `wadlib.tracking.frame_times`.
    images : iterable of (H, W, 3) uint8, optional
        The pictures, for the flow hypothesis; without them objects are linked by place and velocity.
    config : LinkConfig, optional

    Returns
    -------
    list of (D,) int64, one array per frame
        The track of each detection, in the order of the detections. Numbers count from 0, whatever the class.

    Raises
    ------
    TrackingError
        Times that do not grow; frames of several sizes; another number of times or images than of frames.

    Examples
    --------
    >>> link([Instances.empty((640, 832)), Instances.empty((640, 832))], [0.0, 0.139])
    [array([], dtype=int64), array([], dtype=int64)]
    """
    linker = Linker(config)
    if images is None:
        rows = zip(detections, times, strict=True)
        frames = ((found, time_s, None) for found, time_s in rows)
    else:
        frames = zip(detections, times, images, strict=True)  # type: ignore[assignment]
    ids = []
    try:
        for found, time_s, image in frames:
            ids.append(linker.update(found, float(time_s), image))
    except ValueError as error:
        if "zip() argument" not in str(error):
            raise
        raise TrackingError(
            f"link: expected one time (and one picture) for each frame, got other numbers ({error})",
            cause="frames that were left out on one side",
            fix="frame_times(frames) and [f.read_image() for f in frames] of the frames that were detected",
        ) from error
    return ids
