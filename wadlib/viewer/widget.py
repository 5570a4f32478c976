"""`MaskViewer`, the widget: what it shows, the values that Python shares with the browser, its messages."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from wadlib._shared.words import one_of, plural
from wadlib.errors import LabelError, WadError
from wadlib.labels import CLASSES, TABLE, by_name
from wadlib.viewer import bundle, page
from wadlib.viewer.inputs import Frames, PerFrame, frames_of, per_frame
from wadlib.viewer.payload import Payload
from wadlib.viewer.store import Store

MODES = ("truth", "prediction", "both", "side", "swipe", "errors")
STYLES = ("both", "fill", "contour")
COLOURS = ("class", "instance", "track")
ZOOMS = ("whole", "objects")
_MOST_AT_ONCE = 8  # frames in one request
_MOST_FOLLOWED = 5000  # frames whose tracks are sent beforehand


class MaskViewer(anywidget.AnyWidget):  # type: ignore[misc]
    """Look at the masks of a video or a frame in the browser.

    Frames are read when they are looked at, three ahead; a video of a thousand opens like one of ten.

    Parameters
    ----------
    frames : Video, Frame, picture, sequence of these, or callable
        Pictures are (H, W, 3) uint8 or paths. A callable takes the number of a frame; then give `count`.
    truth : optional
        Label codes (H, W) uint16 or paths, one per frame: a sequence, a dictionary by frame or by its name, or a
        callable that takes the frame. By default the labels of the Frames; False for none.
    prediction : optional
        Likewise; or instances with scores whose masks may overlap (`wadlib.instances.Instances`);
        or the folder that `wadlib predict` wrote.
    scores : optional
        For predictions that are label maps: a dictionary code -> score (0 to 1) per frame.
    tracks : optional
        A dictionary code -> number of the track per frame, of the predictions (or of the truth, if there is no
        prediction): the same object keeps its colour through the video. What is selected stays so from frame to
        frame, a strip shows in which frames it is, and a key leads to the next gap.
    truth_tracks : optional
        Likewise for the truth beside a prediction that has `tracks`, such as those of `wadlib.rendered.read_tracks`
        (a dictionary by name of the frame): a key then leads to the next id switch, where a true object goes on under
        another track.
    count : int, optional
        How many frames, where `frames` is a callable.
    title : str
        Named by screen readers, and above the picture if there is nothing to choose.
    mode : "truth", "prediction", "both", "side", "swipe" or "errors", optional
        What to show first.
    style : "both", "fill" or "contour"
    colour : "class", "instance" or "track"
    opacity : float, 0 to 1
    names : bool
        Whether instances are named in the picture (as far as there is room).
    zoom : "whole" or "objects"
        The part of the picture to begin with; in WAD's frames all objects lie in a strip.

    Attributes
    ----------
    frame : int
        Number of the frame that is shown.
    selected : dict or None
        The instance that was clicked: frame, source ("truth" or "prediction"), code, class_id, class, instance, score,
        area_px, iou, match (code of the instance it belongs to), verdict. May be set: ``{"source": …, "code": …}``.
    hidden_classes : list of int
        WAD ids of the classes that are hidden; names may be set too.
    threshold : float
        Predictions below this score are not shown, and do not count.

    All four are traits: ``viewer.observe(function, "selected")``, ``ipywidgets.link((a, "frame"), (b, "frame"))``.

    Raises
    ------
    WadError
        Shapes or lengths that do not fit, a picture or label that is none. What is only found while a frame is read
        (a damaged file in the middle of a video) is shown in place of that frame.

    Examples
    --------
    >>> import numpy as np
    >>> from wadlib.labels import encode
    >>> picture = np.zeros((4, 6, 3), np.uint8)
    >>> label = np.full((4, 6), 255, np.uint16)
    >>> label[1:3, 1:4] = encode(33, 0)
    >>> viewer = MaskViewer(picture, truth=label)
    >>> viewer
    MaskViewer(1 frame with truth)
    >>> viewer.hidden_classes = ["car"]
    >>> viewer.hidden_classes
    [33]
    """

    _esm = bundle.script()
    _css = bundle.style()
    frame = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Any(None, allow_none=True).tag(sync=True)
    hidden_classes = traitlets.Any([]).tag(sync=True)
    threshold = traitlets.Float(0.0).tag(sync=True)
    _config = traitlets.Dict().tag(sync=True)
    _first = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        frames: Any,
        truth: Any = None,
        prediction: Any = None,
        *,
        scores: Any = None,
        tracks: Any = None,
        truth_tracks: Any = None,
        count: int | None = None,
        title: str = "",
        mode: str | None = None,
        style: str = "both",
        colour: str = "class",
        opacity: float = 0.5,
        names: bool = False,
        zoom: str = "whole",
        frame: int = 0,
        threshold: float = 0.0,
        hidden_classes: Iterable[int | str] = (),
    ) -> None:
        # What was given, frame by frame; it stays in Python until a frame is asked for.
        video = frames_of(frames, count)
        number = video.count
        given = {"truth": truth, "prediction": prediction, "scores": scores}
        given |= {"tracks": tracks, "truth_tracks": truth_tracks}
        given_by_frame = {name: per_frame(value, name, video) for name, value in given.items()}
        if truth is None:
            given_by_frame["truth"] = _labels_of_frames(video)
        self.store = Store(
            video.item,
            number,
            given_by_frame["truth"],
            given_by_frame["prediction"],
            given_by_frame["scores"],
            given_by_frame["tracks"],
            given_by_frame["truth_tracks"],
        )
        # A single frame that cannot be shown is a mistake to hear of now; in a video the others can be seen.
        frame = min(max(int(frame), 0), number - 1)
        first = self.store.frame(frame, strict=number == 1)
        there = {name: given_by_frame[name] is not None for name in ("truth", "prediction", "tracks")}
        # What the browser starts with: view, classes, what there is to show.
        start: dict[str, Any] = {
            "mode": one_of(mode or _usual_mode(there), (*MODES, "none"), "MaskViewer: mode", WadError),
            "style": one_of(style, STYLES, "MaskViewer: style", WadError),
            "colour": one_of(colour, COLOURS, "MaskViewer: colour", WadError),
            "opacity": min(max(float(opacity), 0.0), 1.0),
            "names": bool(names),
            "zoom": one_of(zoom, ZOOMS, "MaskViewer: zoom", WadError),
            "fps": 5,
        }
        config = {
            "count": number,
            "classes": [{"id": row.id, "name": row.name, "colour": list(row.colour)} for row in CLASSES.values()],
            "names": {str(row.id): row.name for row in TABLE},
            **there,
            "lives": _lives(tracks, given_by_frame["tracks"], video),
            "switches": all(
                given_by_frame[name] is not None for name in ("truth", "prediction", "tracks", "truth_tracks")
            ),
            "scored": scores is not None,
            "full": True,
            "title": str(title),
            "start": start | {"mode": _possible(start["mode"], there)},
        }
        super().__init__(
            frame=frame,
            threshold=threshold,
            hidden_classes=list(hidden_classes),
            _config=config,
            _first={"meta": first.meta, "buffers": list(first.buffers)},
        )
        self.on_msg(self._answer)

    # --- the shared values -----------------------------------------------------------------------

    @traitlets.validate("frame")
    def _frame_in_video(self, proposal: Any) -> int:
        return min(max(int(proposal.value), 0), self.store.count - 1)

    @traitlets.validate("threshold")
    def _threshold_is_a_score(self, proposal: Any) -> float:
        return min(max(float(proposal.value), 0.0), 1.0)

    @traitlets.validate("hidden_classes")
    def _ids_of_classes(self, proposal: Any) -> list[int]:
        values = [proposal.value] if isinstance(proposal.value, str | int) else proposal.value
        return sorted({by_name(value).id if isinstance(value, str) else int(value) for value in values})

    @traitlets.validate("selected")
    def _one_instance(self, proposal: Any) -> dict[str, Any] | None:
        value = proposal.value
        if value is None:
            return None
        if not isinstance(value, Mapping) or value.get("source") not in ("truth", "prediction") or "code" not in value:
            raise LabelError(
                f"MaskViewer: selected is {value!r}",
                cause="a code alone does not say whether it is one of the truth or of the prediction",
                fix='viewer.selected = {"source": "truth", "code": 33001}, or None',
            )
        return {**value, "code": int(value["code"])}

    # --- messages --------------------------------------------------------------------------------

    def _answer(self, _: Any, content: Any, buffers: Any) -> None:
        """Send the frames that the browser asks for, one message each, the most urgent first."""
        if not isinstance(content, Mapping):
            return
        if content.get("kind") == "want":
            for number in list(content.get("frames", ()))[:_MOST_AT_ONCE]:
                if isinstance(number, int) and 0 <= number < self.store.count:
                    self._deliver("frame", self.store.frame(number))
        elif content.get("kind") == "facts":
            asked = [n for n in list(content.get("frames", ()))[:_MOST_AT_ONCE] if isinstance(n, int)]
            metas = [self.store.frame(number).meta for number in asked if 0 <= number < self.store.count]
            self.send({"kind": "facts", "metas": metas})
        elif content.get("kind") == "full":
            number = content.get("frame")
            if isinstance(number, int) and 0 <= number < self.store.count:
                self._deliver("full", self.store.full(number))

    def _deliver(self, kind: str, payload: Payload) -> None:
        self.send({"kind": kind, "meta": payload.meta}, list(payload.buffers))

    # --- without Python --------------------------------------------------------------------------

    def to_html(self, path: str | Path, frames: Iterable[int] | None = None, *, full: bool = False) -> Path:
        """Write a page that works by itself: no Python, no network, no file beside it.

        Parameters
        ----------
        path : where to write it
        frames : numbers of the frames to put in, optional
            By default all; a frame of 832x640 pixels takes some 190 kB, a larger one up to half a megabyte.
        full : bool
            Whether frames that are larger than the view come at full resolution too (megabytes each).

        Returns
        -------
        Path
            Of the page.
        """
        return page.write(Path(path), self._fragment(frames, full), self._config["title"] or "Masks")

    def _fragment(self, frames: Iterable[int] | None, full: bool = False) -> str:
        numbers = list(range(self.store.count)) if frames is None else [int(number) for number in frames]
        outside = [number for number in numbers if not 0 <= number < self.store.count]
        if outside or not numbers:
            raise WadError(
                f"to_html: frames are 0 to {self.store.count - 1}, got {outside or 'none'}",
                cause="numbers of another video, or names in place of numbers",
                fix="viewer.to_html(path, frames=range(10))",
            )
        shown = numbers.index(self.frame) if self.frame in numbers else 0
        state = {"threshold": self.threshold, "hidden_classes": self.hidden_classes, "selected": None, "frame": shown}
        entries = []
        for place, number in enumerate(numbers):
            payload = self.store.frame(number)
            whole = self.store.full(number) if full and self.store.has_full(number) else None
            entries.append(page.entry(place, payload, whole))
        lives = self._config["lives"]
        lives = None if lives is None else [lives[number] for number in numbers]
        config = {**self._config, "count": len(numbers), "full": full, "lives": lives}
        return page.fragment(config, state, entries, self._poster(numbers[shown]))

    def _poster(self, number: int) -> str:
        return page.poster(self.store.frame(number), self._config, self.threshold, set(self.hidden_classes))

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if not page.is_static():
            return super()._repr_mimebundle_(**kwargs)
        # The book's page holds some frames, evenly spread; the notebook on its own holds one still picture.
        every = -(-self.store.count // page.BOOK_FRAMES)
        fragment = self._fragment(range(self.frame % every, self.store.count, every))
        still = self._poster(self.frame)
        note = "A still picture: run this notebook to play, zoom, click and compare."
        html = f'<figure class="wv-still" style="margin:0">{still}<figcaption>{note}</figcaption></figure>'
        return {"text/plain": f"{self!r}. {note}", "text/html": html, page.MIME: fragment}, {}

    def __repr__(self) -> str:
        what = [name for name in ("truth", "prediction") if self._config.get(name)]
        return f"MaskViewer({plural(self.store.count, 'frame')}{' with ' if what else ''}{' and '.join(what)})"


def _labels_of_frames(frames: Frames) -> PerFrame | None:
    """The labels that Frames bring along; None if there are none."""

    def label(number: int, frame: Any) -> Any:
        return frame if getattr(frame, "label_path", None) is not None else None

    if not (frames.listed or frames.single):
        return None  # to look would be to read
    first = [frames.item(number) for number in range(frames.count)]
    return label if any(label(0, frame) is not None for frame in first) else None


def _lives(given: Any, tracks: PerFrame | None, frames: Frames) -> list[dict[str, int]] | None:
    """Code -> track of every frame, so that a track can be followed through the video; None where that is not known.

    A function of the frame would have to read them all, and a very long video would be heavy.
    """
    if tracks is None or callable(given) or frames.count > _MOST_FOLLOWED or not (frames.listed or frames.single):
        return None
    found = [tracks(number, frames.item(number)) or {} for number in range(frames.count)]
    return [{str(int(code)): int(track) for code, track in each.items()} for each in found]


def _usual_mode(there: Mapping[str, bool]) -> str:
    if there["truth"] and there["prediction"]:
        return "both"
    return "prediction" if there["prediction"] else "truth" if there["truth"] else "none"


def _possible(mode: str, there: Mapping[str, bool]) -> str:
    needs = {"truth": ["truth"], "prediction": ["prediction"], "none": []}.get(mode, ["truth", "prediction"])
    return mode if all(there[name] for name in needs) else _usual_mode(there)
