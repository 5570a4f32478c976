"""Test-time augmentation: a picture shown several times, and what the network says of it averaged.

The mirror image of a street is as likely a street, so both count alike. At a larger scale small objects have more
pixels (half of all objects in WAD are less than 16 pixels high in the strip), and at a smaller one a near bus is no
larger than the largest anchor. Every look is of the whole view; `wadlib.maskrcnn.tiles` shows parts of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.errors import SegmentationError
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.boxes import iou

Found = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Detections (D, 6) of one picture, as `Detector.forward` gives them, and the masks (n, m, m) of the first n."""


@dataclass(frozen=True)
class Looks:
    """How often a picture is shown, beside the once that is always.

    Attributes
    ----------
    mirror : bool
        As its mirror image.
    scales : tuple of float
        At these scales: 1.25 has a quarter more pixels along each side.
    """

    mirror: bool = False
    scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for scale in self.scales:
            if not 0.25 <= scale <= 4 or scale == 1:
                raise SegmentationError(
                    f"Looks: expected scales in 0.25 … 4, and not the 1 that is always there, got {scale}",
                    cause="a percentage, or a typing slip",
                    fix="0.7 and 1.25 show near and far objects at a better size",
                )


def mirrored(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring boxes (N, 4), normalised, from a picture to its mirror image, or back."""
    return np.stack([boxes[:, 0], 1 - boxes[:, 3], boxes[:, 2], 1 - boxes[:, 1]], axis=1)


def unmirrored(found: Found) -> Found:
    """Bring what was found in a mirror image to the picture."""
    detections, masks = found
    return np.concatenate([mirrored(detections[:, :4]), detections[:, 4:]], axis=1), masks[:, :, ::-1]


def average(looks: Sequence[Found], config: Config) -> Found:
    """Average what a network says of one picture in several looks.

    Parameters
    ----------
    looks : sequence of (detections, masks)
        Boxes normalised, all in the input of the first look; class 0 is padding.
    config : Config
        `min_confidence`, and `nms_threshold`: from this IoU on two boxes of one class are one object.

    Returns
    -------
    detections, masks : (D', 6), (D', m, m)
        Best score first. Box and mask are means over the looks that show the object. A look that does not show it gives
        it the score 0: what one of two looks shows has half its score.
    """
    objects: list[list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]] = []
    for detections, masks in looks:
        new = detections[detections[:, 4] > 0]
        objects.sort(key=lambda seen: -sum(row[5] for row, _ in seen))  # the surest choose first
        so_far = np.array([np.mean([row for row, _ in seen], axis=0) for seen in objects], np.float32).reshape(-1, 6)
        overlap = np.asarray(iou(so_far[:, :4], new[:, :4])) * (so_far[:, 4:5] == new[None, :, 4])
        free = np.ones(len(new), np.bool_)
        for seen, shared in zip(objects, overlap, strict=True):
            j = int(np.argmax(shared * free)) if len(new) else -1
            if j >= 0 and free[j] and shared[j] >= config.nms_threshold:
                free[j] = False
                seen.append((new[j], masks[j]))
        objects += [[(new[j], masks[j])] for j in np.flatnonzero(free)]
    share = np.array([len(seen) / len(looks) for seen in objects])
    rows = np.array([np.mean([row for row, _ in seen], axis=0) for seen in objects], np.float32).reshape(-1, 6)
    rows[:, 5] *= share
    order = np.argsort(-rows[:, 5], kind="stable")
    order = order[rows[order, 5] >= config.min_confidence]
    shapes = [np.mean([mask for _, mask in objects[n]], axis=0) for n in order]
    return rows[order], np.array(shapes, np.float32).reshape(-1, *config.mask_shape)
