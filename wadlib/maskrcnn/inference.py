"""From pictures to instances: a few of them (`detect`), or all frames of a dataset (`predict_dataset`)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from wadlib._shared.files import locked, make_folder
from wadlib._shared.parallel import available_cores, in_order, map_frames
from wadlib.dataset.camera import Camera
from wadlib.dataset.frame import Frame, stamp_of
from wadlib.dataset.prepare import Failure
from wadlib.errors import DatasetError, ImageError, WadError
from wadlib.instances import Instances, PredictionWriter
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames.images import as_rgb, canvas, normalise, unmold
from wadlib.maskrcnn.frames.views import Placement
from wadlib.maskrcnn.inference_workers import WorkerJob, predict_elsewhere
from wadlib.maskrcnn.looks import Found, Looks, average, mirrored, unmirrored
from wadlib.maskrcnn.tiles import Tiling, merge, tiles
from wadlib.maskrcnn.weights import fingerprint, save

Got = TypeVar("Got")

_GIVE_UP_AFTER = 25  # frames of which not one could be read: the rest will not be better


class Detector(Protocol):
    """Says what is asked of a network; `wadlib.maskrcnn.MaskRCNN` is one."""

    config: Config

    def forward(
        self, images: npt.NDArray[np.float32], windows: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Turn images (B, h, w, 3) and windows (B, 4) into detections (B, D, 6) and masks (B, n, m, m)."""


class _Shown(NamedTuple):
    """A picture as the network sees it, and where it lies there; the same at other scales; or the tiles of it."""

    pixels: npt.NDArray[np.uint8]
    placement: Placement
    scaled: tuple[_Shown, ...] = ()
    tiles: tuple[_Shown, ...] = ()


@dataclass(frozen=True)
class PredictReport:
    """What `predict_dataset` did.

    Attributes
    ----------
    predicted : int
        Frames predicted now.
    skipped : int
        Frames that an earlier run had finished.
    failed : tuple of `wadlib.dataset.Failure`
        Frames whose picture cannot be read, or that kill the workers of a cluster, and why.
    instances : int
        Instances found now that score at least the threshold.
    path : Path
        ``instances.json``.
    """

    predicted: int
    skipped: int
    failed: tuple[Failure, ...]
    instances: int
    path: Path

    def summary(self) -> str:
        """Say the numbers in a line, and add a line for each of the first ten failures."""
        lines = [
            f"{self.predicted} frames predicted ({self.instances} instances), "
            f"{self.skipped} were there already, {len(self.failed)} failed"
        ]
        lines += [f"  {failure.frame.name}: {failure.message.splitlines()[0]}" for failure in self.failed[:10]]
        if len(self.failed) > 10:
            lines.append(f"  … and {len(self.failed) - 10} more")
        return "\n".join(lines)


def detect(
    model: Detector,
    images: Iterable[Any],
    *,
    batch_size: int = 1,
    tiling: Tiling | None = None,
    mirror: bool = False,
    scales: Sequence[float] = (),
) -> list[Instances]:
    """Find the instances in pictures of any size.

    Parameters
    ----------
    model : MaskRCNN
    images : iterable of (H, W, 3) uint8 RGB
        Also grey, RGBA or floating point, see `wadlib.maskrcnn.frames.images.as_rgb`. What the network is shown of a
        picture is said in `wadlib.maskrcnn.frames.views`.
    batch_size : int
        Pictures, or tiles of one, that go through the network at once.
    tiling : Tiling, optional
        Show each picture in tiles at a higher resolution, see `wadlib.maskrcnn.tiles`.
    mirror : bool
        Average with what the network says of the mirror image.
    scales : sequence of float
        Average with what it says of the picture (or its tiles) at these scales, see `wadlib.maskrcnn.looks`. Where the
        picture has more pixels than the network is shown, a larger scale shows them.

    Returns
    -------
    list of Instances
        One per picture, in its own pixels, best score first.

    Raises
    ------
    ImageError
        Something that is not a picture; the message says which.
    SegmentationError
        A scale outside 0.25 … 4.
    """
    looks = Looks(mirror, tuple(scales))
    if isinstance(images, np.ndarray) and images.ndim <= 3:
        raise ImageError(
            f"detect: expected a list of pictures, got one array of shape {images.shape}",
            cause="a single picture",
            fix="pass a list: model.detect([image])[0]",
        )
    found: list[Instances] = []
    for batch in _batches(enumerate(images), batch_size):
        shown = [_show(image, model.config, f"picture {number}", None, tiling, looks) for number, image in batch]
        found += [output() for output in _outputs(model, shown, batch_size, looks)]
    return found


def predict_dataset(
    model: Detector,
    frames: Iterable[Frame],
    out: str | Path,
    *,
    threshold: float | None = None,
    batch_size: int = 1,
    full_frame: bool = False,
    tiling: Tiling | None = None,
    mirror: bool = False,
    scales: Sequence[float] = (),
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
    settings: dict[str, Any] | None = None,
) -> PredictReport:
    """Predict frames into a folder that ``wadlib evaluate`` reads.

    Run it again after an interruption, however hard, and it goes on: a frame is done when its label and its line in the
    journal are there (see `wadlib.instances.writer`) and its picture is still the same file. A second process that
    predicts into the same folder waits for the first. Pictures are read by threads ahead of the network, labels are
    written by threads behind it; memory does not grow with the number of frames.

    Parameters
    ----------
    model : MaskRCNN
        What scores less than its `Config.min_confidence` is not written anywhere.
    frames : iterable of Frame
        Such as ``open_wad(root).frames``.
    out : path
        Folder to write: ``label/<frame>_instanceIds.png`` and ``instances.json``.
    threshold : float, optional
        Lowest score on the labels; by default `Config.min_confidence`. ``instances.json`` has all.
    batch_size : int
        Frames that go through the network at once.
    full_frame : bool
        Write the predictions of 832x640 frames in the pixels of the full 3384x2710 frame. By default predictions have
        the size of the frames given, so that they can be compared with those frames' labels.
    tiling, mirror, scales
        As for `detect`.
    workers : int, optional
        Threads, by default one per core.
    executor : concurrent.futures.Executor, optional
        Processes or a cluster instead: each worker loads the network once, from a file that is written to `out` for
        the time of the call, so that `out` and the pictures must have the same paths there.
    progress : bool
        Show a progress bar.
    settings : dict, optional
        More that the predictions depend on, JSON-able: kept in the folder, and compared when a run goes on.

    Raises
    ------
    DatasetError
        No frame, a frame given twice, or not one of the first 25 pictures could be read.
    InstancesError
        `out` holds predictions made with other weights or settings.
    SegmentationError
        A scale outside 0.25 … 4.
    StorageError
        No permission, disk full: stops; what is finished is kept.
    WorkerError
        The workers of `executor` cannot load the network, or the connection to them was lost.
    """
    frames, looks = list(frames), Looks(mirror, tuple(scales))
    _check_frames(frames)
    threshold = model.config.min_confidence if threshold is None else float(threshold)
    failed: list[Failure] = []
    predicted = instances = 0
    read = partial(_read, config=model.config, full_frame=full_frame, tiling=tiling, looks=looks)
    stamps = {frame.name: stamp_of(frame.image_path) for frame in frames}
    with contextlib.ExitStack() as stack:
        # Another process may predict the other side of a split into the same folder: it waits, and then adds to ours.
        stack.enter_context(locked(make_folder(out), wait=True))
        more = {"tiling": tiling and asdict(tiling), "mirror": mirror, "scales": list(looks.scales)}
        more = {name: value for name, value in more.items() if value} | (settings or {})
        writer = PredictionWriter(out, _settings(model, threshold, full_frame) | more)
        done = writer.done
        for name in [name for name in done if done[name] and done[name] != stamps.get(name, done[name])]:
            del done[name]
            writer.forget(name)
        todo = [frame for frame in frames if frame.name not in done]
        bar = stack.enter_context(_bar(len(frames), len(frames) - len(todo), progress))
        if executor is not None and todo:
            job = stack.enter_context(_job(model, Path(out), threshold, batch_size, full_frame, tiling, looks))
            done_there = predict_elsewhere(todo, job, read_and_detect, executor, workers)
            for _, (written, shown) in _readable(done_there, failed, bar, len(todo)):
                writer.add(written)
                predicted, instances = predicted + 1, instances + shown
                bar.update()
            return PredictReport(predicted, len(frames) - len(todo), tuple(failed), instances, writer.finish())
        workers = available_cores() if workers is None else max(1, workers)
        pictures = map_frames(read, todo, workers=workers, threads=True, progress=False)
        stack.callback(pictures.close)  # type: ignore[attr-defined]
        outputs = _predicted(model, _readable(pictures, failed, bar, len(todo)), batch_size, looks)
        for count in _written(partial(_write, writer, threshold, stamps), outputs, workers):
            predicted, instances = predicted + 1, instances + count
            bar.update()
        return PredictReport(predicted, len(frames) - len(todo), tuple(failed), instances, writer.finish())


def read_and_detect(
    model: Detector, frames: Sequence[Frame], *, batch_size: int, full_frame: bool, tiling: Tiling | None, looks: Looks
) -> list[Instances | WadError]:
    """Find the instances in at most `batch_size` frames; of a frame that cannot be read, what is wrong with it."""
    shown = [_read(frame, model.config, full_frame, tiling, looks) for frame in frames]
    readable = [each for each in shown if isinstance(each, _Shown)]
    outputs = iter(_outputs(model, readable, batch_size, looks) if readable else [])
    return [next(outputs)() if isinstance(each, _Shown) else each for each in shown]


@contextlib.contextmanager
def _job(model: Any, out: Path, *options: Any) -> Iterator[WorkerJob]:
    """Write the network where workers find it, until the block ends."""
    import keras

    weights = out / f".{fingerprint(model)}.h5"
    save(model, weights, config=model.config)
    try:
        yield WorkerJob(type(model), weights.resolve(), keras.backend.backend(), out.resolve(), *options)
    finally:
        weights.unlink(missing_ok=True)


# --- a frame's way: read, shown to the network, written ----------------------------------------------


def _show(image: Any, config: Config, name: str, camera: Camera | None, tiling: Tiling | None, looks: Looks) -> _Shown:
    try:
        picture = as_rgb(image)
        placement = Placement.of(picture.shape[:2], config, camera)
        if tiling is None:
            return _at_scales(picture, placement, looks)
        places = tiles(picture.shape[:2], config, tiling, camera)
        return _Shown(picture, placement, tiles=tuple(_at_scales(picture, place, looks) for place in places))
    except ImageError as error:
        raise ImageError(f"{name}: {error.what}", cause=error.cause, fix=error.fix) from error


def _at_scales(picture: npt.NDArray[np.uint8], placement: Placement, looks: Looks) -> _Shown:
    places = [placement.scaled(scale) for scale in looks.scales]
    return _Shown(
        canvas(picture, placement), placement, scaled=tuple(_Shown(canvas(picture, place), place) for place in places)
    )


def _read(frame: Frame, config: Config, full_frame: bool, tiling: Tiling | None, looks: Looks) -> _Shown | WadError:
    """What the network sees of a frame; or what is wrong with its picture."""
    try:
        shown = _show(frame.read_image(), config, frame.name, frame.camera_px, tiling, looks)
    except WadError as error:
        return error
    return _in_full_frame(shown) if full_frame else shown


def _in_full_frame(shown: _Shown) -> _Shown:
    scaled, parts = (tuple(_in_full_frame(each) for each in several) for several in (shown.scaled, shown.tiles))
    return shown._replace(placement=shown.placement.in_full_frame(), scaled=scaled, tiles=parts)


def _readable(
    pictures: Iterable[tuple[Frame, Got | WadError]], failed: list[Failure], bar: Any, wanted: int
) -> Iterator[tuple[Frame, Got]]:
    """Frames that could be read; the others go to `failed`."""
    readable = 0
    for frame, shown in pictures:
        if isinstance(shown, WadError):
            failed.append(Failure(frame, str(shown)))
            bar.update()
            if len(failed) == min(_GIVE_UP_AFTER, wanted) and not readable:
                raise DatasetError(
                    f"predict: none of the first {len(failed)} frames could be read; the first: {shown.what}",
                    cause="a damaged copy of the dataset, or a disk that is not there",
                    fix="look at that frame first",
                )
        else:
            readable += 1
            yield frame, shown


def _predicted(
    model: Detector, frames: Iterable[tuple[Frame, _Shown]], batch_size: int, looks: Looks
) -> Iterator[tuple[Frame, Callable[[], Instances]]]:
    for batch in _batches(frames, batch_size):
        outputs = _outputs(model, [shown for _, shown in batch], batch_size, looks)
        yield from zip([frame for frame, _ in batch], outputs, strict=True)


def _outputs(model: Detector, shown: Sequence[_Shown], batch_size: int, looks: Looks) -> list[Callable[[], Instances]]:
    """Run the network; for each picture a function that makes its instances (worth a thread of its own)."""
    if shown[0].tiles:
        return [partial(_merged, *_of_tiles(model, each.tiles, batch_size, looks), model.config) for each in shown]
    found = _found(model, shown, batch_size)
    if looks != Looks():
        each_look = [found]
        if looks.mirror:
            each_look.append([unmirrored(one) for one in _found(model, shown, batch_size, mirror=True)])
        for same in zip(*(each.scaled for each in shown), strict=True):
            at_scale = zip(_found(model, same, batch_size), same, shown, strict=True)
            each_look.append([(_carried(boxes, a, b), masks) for (boxes, masks), a, b in at_scale])
        found = [average(of_one, model.config) for of_one in zip(*each_look, strict=True)]
    return [partial(unmold, *of_one, each.placement, model.config) for of_one, each in zip(found, shown, strict=True)]


def _found(model: Detector, shown: Sequence[_Shown], batch_size: int, mirror: bool = False) -> list[Found]:
    # A last batch that is short is filled up: another size would be compiled anew.
    pixels = [each.pixels for each in shown] + [np.zeros_like(shown[0].pixels)] * (batch_size - len(shown))
    windows = [each.placement.normalized_window for each in shown]
    windows += [windows[0]] * (batch_size - len(shown))
    images, places = normalise(np.stack(pixels), model.config), np.stack(windows)
    if mirror:
        images, places = np.ascontiguousarray(images[:, :, ::-1]), mirrored(places)
    return list(zip(*model.forward(images, places), strict=True))[: len(shown)]


def _carried(detections: npt.NDArray[np.float32], scaled: _Shown, plain: _Shown) -> npt.NDArray[np.float32]:
    boxes = scaled.placement.carry(detections[:, :4], plain.placement)
    return np.concatenate([boxes, detections[:, 4:]], axis=1)


def _of_tiles(
    model: Detector, parts: Sequence[_Shown], batch_size: int, looks: Looks
) -> tuple[list[Callable[[], Instances]], list[Placement]]:
    outputs = [each for batch in _batches(parts, batch_size) for each in _outputs(model, batch, batch_size, looks)]
    return outputs, [part.placement for part in parts]


def _merged(outputs: Sequence[Callable[[], Instances]], places: Sequence[Placement], config: Config) -> Instances:
    regions = [place.region for place in places]
    edges = np.array(regions)
    view = (*edges[:, :2].min(axis=0).tolist(), *edges[:, 2:].max(axis=0).tolist())
    return merge([output() for output in outputs], regions, view, config.nms_threshold)


def _write(
    writer: PredictionWriter, threshold: float, stamps: dict[str, str], frame: Frame, output: Callable[[], Instances]
) -> int:
    """Write a frame; how many instances are on its label."""
    found = output()
    shown = found.above(threshold)
    file_name = f"{frame.name}{frame.image_path.suffix}"
    writer.write(frame.name, file_name, found, shown.to_label(), stamp=stamps[frame.name])
    return len(shown)


def _written(
    write: Callable[[Frame, Callable[[], Instances]], int],
    outputs: Iterable[tuple[Frame, Callable[[], Instances]]],
    workers: int,
) -> Iterator[int]:
    """Write in threads while the network goes on; at most two frames per thread wait."""
    for _, count in in_order(lambda pair: write(*pair), outputs, workers=workers, ahead=2 * workers):
        yield count


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _settings(model: Detector, threshold: float, full_frame: bool) -> dict[str, Any]:
    """What the predictions depend on."""
    config = replace(model.config, name="", batch_size=1, seed=0).to_dict()
    return {"weights": fingerprint(model), "threshold": threshold, "full_frame": full_frame, "config": config}


def _check_frames(frames: list[Frame]) -> None:
    if not frames:
        raise DatasetError(
            "predict: there are no frames",
            cause="an empty split, or a subset that the dataset does not have",
            fix="`wadlib info ROOT` lists what is there",
        )
    names = [frame.name for frame in frames]
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise DatasetError(
            f"predict: the frame {twice} occurs twice",
            cause="two lists of frames that share some were put together",
            fix="pass each frame once",
        )


def _bar(total: int, initial: int, progress: bool) -> Any:
    wanted = progress and initial < total and not os.environ.get("TQDM_DISABLE")
    return tqdm(total=total, initial=initial, desc="predicting", unit="frame", disable=not wanted)
