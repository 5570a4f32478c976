"""Frames as training examples: pictures, augmented, and what the network should say of them.

Everything here is NumPy and depends on the seed and the place in the run only, whatever the backend and however many
threads make the batches (`wadlib.training.Batches`).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib.dataset.counts import code_areas
from wadlib.dataset.frame import Frame
from wadlib.errors import TrainingError
from wadlib.labels import BACKGROUND, IGNORE
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames import images
from wadlib.maskrcnn.frames.augmentation import STANDARD, random_crop
from wadlib.maskrcnn.frames.copy_paste import CopyPaste
from wadlib.maskrcnn.frames.ground_truth import ground_truth
from wadlib.maskrcnn.frames.views import Placement
from wadlib.maskrcnn.learning.targets import rpn_targets
from wadlib.maskrcnn.learning.unlabelled import unlabelled_marks
from wadlib.maskrcnn.network.anchors import pyramid_anchors
from wadlib.training import Augmentation, Batches


def example(
    image: npt.NDArray[np.uint8],
    label: npt.NDArray[np.uint16],
    config: Config,
    rng: np.random.Generator,
    unlabelled: Sequence[int] = (),
) -> dict[str, npt.NDArray[Any]]:
    """Make one training example of a picture at the network's size.

    Parameters
    ----------
    image : (H, W, 3) uint8, of `Config.image_shape`
    label : (H, W) uint16
    config : Config
    rng : numpy.random.Generator
        Draws anchors, instances if there are too many, and the priority of proposals.
    unlabelled : sequence of int
        WAD classes that nobody labelled in the dataset of the picture: what may be one is no background.

    Returns
    -------
    dict
        The inputs of `MaskRCNN.training_model`, without a batch axis:

        ``image`` (H, W, 3) float32, normalised;
        ``rpn_match`` (A,) int8 and ``rpn_bbox`` (rpn_train_anchors, 4) float32, see `rpn_targets`;
        ``gt_class_ids`` (G,) int32, ``gt_boxes`` (G, 4) float32 in pixels and ``gt_masks`` (G, h, w) uint8, padded
        with zeros to G = `Config.max_gt_instances`: of more instances so many are drawn, and crowds take the places
        that are left (the anchors have learnt from all of them);
        ``roi_priority`` (proposals_training,) float32, see `wadlib.maskrcnn.learning.targets.choose_rois`.
    """
    truth = ground_truth(label, config)
    match, deltas = rpn_targets(pyramid_anchors(config), truth.class_ids, truth.boxes, config, rng)
    marks = unlabelled_marks(unlabelled, config)
    room = config.max_gt_instances - len(marks)
    places = np.arange(len(truth.class_ids))
    if truth.instances > room:
        places = np.sort(rng.choice(truth.instances, room, replace=False))
    places = places[:room]
    class_ids = _padded(truth.class_ids[places], config.max_gt_instances)
    class_ids[room:] = marks
    return {
        "image": images.normalise(image, config),
        "rpn_match": match,
        "rpn_bbox": deltas,
        "gt_class_ids": class_ids,
        "gt_boxes": _padded(truth.boxes[places], config.max_gt_instances),
        "gt_masks": _padded(truth.masks[places], config.max_gt_instances),
        "roi_priority": rng.random(config.proposals_training, np.float32),
    }


def _padded(rows: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    result = np.zeros((count, *rows.shape[1:]), rows.dtype)
    result[: len(rows)] = rows
    return result


class Piece(NamedTuple):
    """A frame, or for validation one of the windows into which its view is cut.

    Attributes
    ----------
    frame : Frame
    column : int or None
        First column of the window in the network's input; None: wherever chance puts it, or the whole view.
    """

    frame: Frame
    column: int | None = None

    @property
    def name(self) -> str:
        """Name the frame, for messages."""
        return self.frame.name


class TrainingBatches(Batches[Piece]):
    """Batches of training examples for `wadlib.training.fit`.

    Parameters
    ----------
    frames : sequence of Frame
        Full-size or prepared; each with a label. Frames without an object take part: they are background.
    config : Config
        `view` says what is shown of a full-size frame.
    batch_size, seed : int, optional
        By default `Config.batch_size` and `Config.seed`.
    shuffle, steps, weights
        As in `wadlib.training.Batches`. For validation: ``shuffle=False, augmentation=None``.
    augmentation : Augmentation or None
    window : int, optional
        Show a window of so many columns of the view instead of all of it: a network in training need not see a whole
        frame. In training it lies around an object of a random class, see `object_point`; else as many as cover the
        view are taken, side by side, or overlapping a little where they do not go into it.
    crop_scale : float, optional
        Show random parts of the view at this many input pixels per picture pixel, instead of the view scaled to fit.
    copy_paste : CopyPaste, optional
        Instances of rare classes that are pasted into training pictures. Not together with `crop_scale`.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        config: Config,
        *,
        batch_size: int | None = None,
        seed: int | None = None,
        shuffle: bool = True,
        steps: int | None = None,
        weights: npt.ArrayLike | None = None,
        augmentation: Augmentation | None = STANDARD,
        window: int | None = None,
        crop_scale: float | None = None,
        copy_paste: CopyPaste | None = None,
    ) -> None:
        _check(config, window, crop_scale, copy_paste)
        self.whole = config
        self.config = config if window is None else config.replace(image_shape=(config.image_shape[0], window))
        self.augmentation, self.window, self.crop_scale, self.copy_paste = augmentation, window, crop_scale, copy_paste
        columns: Sequence[int | None] = [None]
        if window is not None and not shuffle:
            columns = _first_columns(config.image_shape[1], window)
        super().__init__(
            [Piece(frame, column) for frame in frames for column in columns],
            self._sample,
            batch_size=batch_size or config.batch_size,
            seed=config.seed if seed is None else seed,
            shuffle=shuffle,
            steps=steps,
            weights=weights,
        )

    def picture(self, piece: Piece, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
        """Read a frame at the network's size, augmented: picture (H, W, 3), label (H, W); padding is BACKGROUND."""
        image, label = piece.frame.read_pair()
        placement = self._placement(piece, label, rng)
        small, codes = images.canvas(image, placement), images.label_canvas(label, placement)
        if self.copy_paste is not None:
            small, codes = self.copy_paste(small, codes, self._whole_view, rng)
        if self.augmentation is not None:
            top, left, bottom, right = placement.window
            seen = slice(top, bottom), slice(left, right)
            small, codes = small.copy(), codes.copy()
            small[seen], codes[seen] = self.augmentation(small[seen], codes[seen], rng)
        codes = _background_outside(codes, placement.window)
        return small, codes if piece.frame.source is None else _background_in_margins(small, codes)

    def _placement(self, piece: Piece, label: npt.NDArray[np.uint16], rng: np.random.Generator) -> Placement:
        shape = (label.shape[0], label.shape[1])
        whole = Placement.of(shape, self.whole, piece.frame.camera_px)
        if piece.column is not None:
            return whole.window_of(piece.column, self.config.image_shape[1])
        if self.window is not None:
            point = object_point(label, whole.region, rng)
            scale = self.crop_scale or whole.scale[0]
            return random_crop(shape, self.config, rng, scale, around=point, region=whole.region)
        return whole if self.crop_scale is None else random_crop(shape, self.config, rng, self.crop_scale)

    def _whole_view(self, frame: Frame) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
        image, label = frame.read_pair()
        placement = Placement.of((label.shape[0], label.shape[1]), self.whole, frame.camera_px)
        return images.canvas(image, placement), images.label_canvas(label, placement)

    def describe(self) -> dict[str, Any]:
        """Say what determines the batches, for the run's ``config.json``."""
        augmentation = None if self.augmentation is None else asdict(self.augmentation)
        pasted = 0.0 if self.copy_paste is None else self.copy_paste.mean
        return {
            **super().describe(),
            "augmentation": augmentation,
            "window": self.window,
            "crop_scale": self.crop_scale,
            "copy_paste": pasted,
        }

    def _sample(self, piece: Piece, rng: np.random.Generator) -> tuple[dict[str, npt.NDArray[Any]]]:
        image, label = self.picture(piece, rng)
        return (example(image, label, self.config, rng, piece.frame.unlabelled),)


def object_point(
    label: npt.NDArray[np.uint16], region: tuple[int, int, int, int], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Draw a pixel of a random instance of a random class, (row, column): rare classes come as often as others.

    Parameters
    ----------
    label : (H, W) uint16
    region : y1, x1, y2, x2
        Where to look.

    Returns
    -------
    row, column; None where there is no object.
    """
    y1, x1, y2, x2 = region
    part = label[y1:y2, x1:x2]
    codes, _ = code_areas(part)
    if not len(codes):
        return None
    code = rng.choice(codes[codes // 1000 == rng.choice(np.unique(codes // 1000))])
    rows, columns = np.nonzero(part == code)
    pixel = int(rng.integers(len(rows)))
    return y1 + int(rows[pixel]), x1 + int(columns[pixel])


def _first_columns(width: int, window: int) -> list[int]:
    """Where the fewest windows begin that cover all columns, evenly spread."""
    count = -(-width // window)
    return [i * (width - window) // max(count - 1, 1) for i in range(count)]


def _check(config: Config, window: int | None, crop_scale: float | None, copy_paste: CopyPaste | None) -> None:
    if window is not None and not (0 < window <= config.image_shape[1] and window % 64 == 0):
        raise TrainingError(
            f"TrainingBatches: expected a window of 64, 128, … {config.image_shape[1]} columns, got {window}",
            cause="the pyramid halves the picture six times, and a window is a part of the view",
            fix=f"choose a multiple of 64, such as {max(64, config.image_shape[1] // 128 * 64)}, or no window",
        )
    if crop_scale is not None and copy_paste is not None:
        raise TrainingError(
            "TrainingBatches: expected either crop_scale or copy_paste, got both",
            cause="copies keep their rows, and a crop at another scale has other rows",
            fix="leave one of them out; copy_paste goes with a window",
        )


def _background_outside(label: npt.NDArray[np.uint16], window: tuple[int, int, int, int]) -> npt.NDArray[np.uint16]:
    """`label_canvas` marks padding as IGNORE; to the network it is background like any other."""
    top, left, bottom, right = window
    if (bottom - top, right - left) == label.shape:
        return label
    result = np.full_like(label, BACKGROUND)
    result[top:bottom, left:right] = label[top:bottom, left:right]
    return result


def _background_in_margins(image: npt.NDArray[np.uint8], label: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Do the same for the black margins of prepared frames of another dataset, which their labels call IGNORE."""
    empty = (label == IGNORE) & (image.max(axis=2) < 8)  # JPEG makes black a little uneven
    result = label.copy()
    result[empty.all(axis=1)] = BACKGROUND
    result[:, empty.all(axis=0)] = BACKGROUND
    return result
