"""Frames read, encoded and kept, within bounds: the Python end of the viewer's transport."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from wadlib._shared import jpeg
from wadlib.errors import WadError
from wadlib.viewer.contents import Layer, from_instances, from_label
from wadlib.viewer.inputs import PerFrame, name_of, read_codes, read_picture
from wadlib.viewer.payload import Payload, encode_frame, encode_full, view_factor


class Cache:
    """The least recently used payloads go first when they take more than `limit` bytes together.

    Examples
    --------
    >>> cache = Cache(limit=250)
    >>> for key in "abc":
    ...     cache.put(key, Payload({}, (b"x" * 100,)))  # and 1000 for the rest
    >>> list(cache.kept)
    ['c']
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept: OrderedDict[Hashable, Payload] = OrderedDict()
        self.size = 0

    def get(self, key: Hashable) -> Payload | None:
        """Return the payload, which is now the most recently used one."""
        if key not in self.kept:
            return None
        self.kept.move_to_end(key)
        return self.kept[key]

    def put(self, key: Hashable, payload: Payload) -> None:
        """Keep a payload; the newest one stays even if it is larger than the limit by itself."""
        if key in self.kept:
            self.size -= self.kept.pop(key).size
        self.kept[key] = payload
        self.size += payload.size
        while self.size > self.limit and len(self.kept) > 1:
            self.size -= self.kept.popitem(last=False)[1].size


class Store:
    """All frames of a viewer, one at a time.

    Parameters
    ----------
    frames, truth, prediction, scores, tracks, truth_tracks : see `wadlib.viewer.inputs.per_frame`
    count : int
    limit : int
        Bytes of encoded frames to keep.
    """

    def __init__(
        self,
        frames: Callable[[int], Any],
        count: int,
        truth: PerFrame | None,
        prediction: PerFrame | None,
        scores: PerFrame | None,
        tracks: PerFrame | None,
        truth_tracks: PerFrame | None = None,
        limit: int = 32 << 20,
    ) -> None:
        self.frames, self.count = frames, count
        self.truth, self.prediction, self.scores = truth, prediction, scores
        self.tracks, self.truth_tracks = tracks, truth_tracks
        self.cache = Cache(limit)
        # Messages of the browser may be answered in another thread than that of the cells.
        self._lock = threading.Lock()

    def frame(self, number: int, *, strict: bool = False) -> Payload:
        """Encode frame `number`; one that cannot be read becomes a payload that says why.

        With `strict` the error is raised.
        """
        with self._lock:
            kept = self.cache.get(number)
            if kept is not None and not (strict and "error" in kept.meta):
                return kept
            payload = self._guarded(number, self._encode, strict)
            self.cache.put(number, payload)
            return payload

    def full(self, number: int) -> Payload:
        """Encode frame `number` at full resolution (not kept: the browser keeps it)."""
        with self._lock:
            return self._guarded(number, self._encode_full, strict=False)

    def _guarded(self, number: int, encode: Any, strict: bool) -> Payload:
        try:
            return encode(number)  # type: ignore[no-any-return]
        except Exception as error:  # whatever a reader or a model raises: the other frames can still be seen
            if strict:
                raise
            text = str(error) if isinstance(error, WadError) else f"{type(error).__name__}: {error}"
            return Payload({"index": number, "name": self._name(number), "error": text})

    def _name(self, number: int) -> str:
        try:
            return name_of(self.frames(number))
        except Exception:  # reading the item is what failed
            return ""

    def _encode(self, number: int) -> Payload:
        item = self.frames(number)
        image = read_picture(item, f"frame {number}")
        truth, prediction = self._labels(number, item, image.shape[:2])
        tracks, truth_tracks = (None if of is None else of(number, item) for of in (self.tracks, self.truth_tracks))
        return encode_frame(number, name_of(item), image, truth, prediction, tracks, truth_tracks)

    def _encode_full(self, number: int) -> Payload:
        item = self.frames(number)
        path = item if isinstance(item, str | Path) else getattr(item, "image_path", None)
        picture: Any = None
        if isinstance(path, str | Path) and Path(path).suffix.lower() in (".jpg", ".jpeg"):
            picture = Path(path).read_bytes()  # the file as it is: nothing is lost, nothing to encode
            shape = jpeg.shape_of(picture)
        if picture is None or shape is None:
            picture = read_picture(item, f"frame {number}")
            shape = picture.shape[:2]
        truth, prediction = self._labels(number, item, shape)
        return encode_full(number, name_of(item), picture, shape, truth, prediction)

    def _labels(self, number: int, frame: Any, shape: tuple[int, ...]) -> tuple[Layer | None, Layer | None]:
        found: list[Layer | None] = []
        for name, items in (("truth", self.truth), ("prediction", self.prediction)):
            where = f"{name} of frame {number}"
            item = None if items is None else items(number, frame)
            if callable(item) and not hasattr(item, "masks"):
                item = item(shape)  # what can only be read when the size is known
            if item is not None and hasattr(item, "masks") and hasattr(item, "class_ids"):
                found.append(from_instances(item, shape, where))
                continue
            label = read_codes(item, shape, where)
            scores = self.scores(number, frame) if self.scores is not None and name == "prediction" else None
            found.append(None if label is None else from_label(label, scores, where))
        return found[0], found[1]

    def has_full(self, number: int) -> bool:
        """Say whether zooming in shows more than the view holds."""
        meta = self.frame(number).meta
        return "error" not in meta and view_factor(tuple(meta["size"])) > 1
