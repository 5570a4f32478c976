"""Frames as training examples: pictures, augmented, and what the network should say of them.

Everything here is NumPy and depends on the seed and the place in the run only, whatever the backend and however many
threads make the batches (`wadlib.training.Batches`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib.labels import BACKGROUND
from wadlib.maskrcnn import images
from wadlib.maskrcnn.anchors import pyramid_anchors
from wadlib.maskrcnn.augmentation import Augmentation, random_crop
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.ground_truth import ground_truth
from wadlib.maskrcnn.targets import rpn_targets
from wadlib.maskrcnn.views import Placement
from wadlib.parallel import map_frames
from wadlib.training import Batches
from wadlib.videos import Frame

__all__ = ["STANDARD", "TrainingBatches", "example"]

STANDARD = Augmentation()
"""Mirrored or not, and in a somewhat different light."""


def example(
    image: npt.NDArray[np.uint8], label: npt.NDArray[np.uint16], config: Config, rng: np.random.Generator
) -> dict[str, npt.NDArray[Any]]:
    """One training example of a picture at the network's size.

    Parameters
    ----------
    image : (H, W, 3) uint8, of `Config.image_shape`
    label : (H, W) uint16
    config : Config
    rng : numpy.random.Generator
        Draws anchors, instances if there are too many, and the priority of proposals.

    Returns
    -------
    dict
        The inputs of `MaskRCNN.training_model`, without a batch axis:

        ``image`` (H, W, 3) float32, normalised;
        ``rpn_match`` (A,) int8 and ``rpn_bbox`` (rpn_train_anchors, 4) float32, see `rpn_targets`;
        ``gt_class_ids`` (G,) int32, ``gt_boxes`` (G, 4) float32 in pixels and ``gt_masks`` (G, h, w) uint8, padded
        with zeros to G = `Config.max_gt_instances`: of more instances so many are drawn, and crowds take the places
        that are left (the anchors have learnt from all of them);
        ``roi_priority`` (proposals_training,) float32, see `wadlib.maskrcnn.targets.detection_targets`.
    """
    truth = ground_truth(label, config)
    match, deltas = rpn_targets(pyramid_anchors(config), truth.class_ids, truth.boxes, config, rng)
    places = np.arange(len(truth.class_ids))
    if truth.instances > config.max_gt_instances:
        places = np.sort(rng.choice(truth.instances, config.max_gt_instances, replace=False))
    places = places[: config.max_gt_instances]
    return {
        "image": images.normalise(image, config),
        "rpn_match": match,
        "rpn_bbox": deltas,
        "gt_class_ids": _padded(truth.class_ids[places], config.max_gt_instances),
        "gt_boxes": _padded(truth.boxes[places], config.max_gt_instances),
        "gt_masks": _padded(truth.masks[places], config.max_gt_instances),
        "roi_priority": rng.random(config.proposals_training, np.float32),
    }


def _padded(rows: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    result = np.zeros((count, *rows.shape[1:]), rows.dtype)
    result[: len(rows)] = rows
    return result


class TrainingBatches(Batches[Frame]):
    """Batches of training examples for `wadlib.training.fit`.

    Parameters
    ----------
    frames : sequence of Frame
        Full-size or prepared; each with a label. Frames without an object take part: they are background.
    config : Config
        `view` says what is shown of a full-size frame.
    batch_size, seed : int, optional
        By default `Config.batch_size` and `Config.seed`.
    shuffle, steps
        As in `wadlib.training.Batches`. For validation: ``shuffle=False, augmentation=None``.
    augmentation : Augmentation or None
    crop_scale : float, optional
        Show random parts of the view at this many input pixels per picture pixel, instead of the view scaled to fit.
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
        augmentation: Augmentation | None = STANDARD,
        crop_scale: float | None = None,
    ) -> None:
        self.config, self.augmentation, self.crop_scale = config, augmentation, crop_scale
        super().__init__(
            frames,
            self._sample,
            batch_size=batch_size or config.batch_size,
            seed=config.seed if seed is None else seed,
            shuffle=shuffle,
            steps=steps,
        )

    def picture(self, frame: Frame, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
        """Picture (H, W, 3) and label (H, W) of a frame at the network's size, augmented; padding is BACKGROUND."""
        image, label = frame.read_pair()
        if self.crop_scale is None:
            placement = Placement.of(image.shape[:2], self.config)
        else:
            placement = random_crop(image.shape[:2], self.config, rng, self.crop_scale)
        small, codes = images.canvas(image, placement), images.label_canvas(label, placement)
        if self.augmentation is not None:
            top, left, bottom, right = placement.window
            seen = slice(top, bottom), slice(left, right)
            small, codes = small.copy(), codes.copy()
            small[seen], codes[seen] = self.augmentation(small[seen], codes[seen], rng)
        return small, _background_outside(codes, placement.window)

    def survey(self, *, workers: int | None = None, progress: bool = True) -> dict[str, int]:
        """Read all labels and count what is left out, before any augmentation.

        Returns
        -------
        dict
            ``frames``, ``without_instances`` (frames that are background only), ``instances``, ``crowds``,
            ``too_small`` (instances with a side below 2 pixels), ``too_many`` (instances beyond
            `Config.max_gt_instances` of their frame) and ``frames_with_too_many``.
        """
        total = dict.fromkeys(
            ("frames", "without_instances", "instances", "crowds", "too_small", "too_many", "frames_with_too_many"), 0
        )
        counts = map_frames(
            self._count, self.items, workers=workers, threads=True, description="counting", progress=progress
        )
        for _, (instances, crowds, too_small) in counts:
            too_many = max(0, instances - self.config.max_gt_instances)
            row = (1, instances == 0, instances, crowds, too_small, too_many, too_many > 0)
            for name, number in zip(total, row, strict=True):
                total[name] += int(number)
        return total

    def describe(self) -> dict[str, Any]:
        """What determines the batches, for the run's ``config.json``."""
        augmentation = None if self.augmentation is None else asdict(self.augmentation)
        return {**super().describe(), "augmentation": augmentation, "crop_scale": self.crop_scale}

    def _sample(self, frame: Frame, rng: np.random.Generator) -> tuple[dict[str, npt.NDArray[Any]]]:
        image, label = self.picture(frame, rng)
        return (example(image, label, self.config, rng),)

    def _count(self, frame: Frame) -> tuple[int, int, int]:
        label = frame.read_label()
        placement = Placement.of((label.shape[0], label.shape[1]), self.config)
        shown = _background_outside(images.label_canvas(label, placement), placement.window)
        truth = ground_truth(shown, self.config)
        return truth.instances, len(truth.class_ids) - truth.instances, truth.too_small


def _background_outside(label: npt.NDArray[np.uint16], window: tuple[int, int, int, int]) -> npt.NDArray[np.uint16]:
    """`label_canvas` marks padding as IGNORE; to the network it is background like any other."""
    top, left, bottom, right = window
    if (bottom - top, right - left) == label.shape:
        return label
    result = np.full_like(label, BACKGROUND)
    result[top:bottom, left:right] = label[top:bottom, left:right]
    return result
