"""From any picture to a network's input, and from a network's output back to instances of that picture."""

import functools

import numpy as np
import numpy.typing as npt

from wadlib.errors import ImageError, InstancesError
from wadlib.instances import Instances, Runs
from wadlib.labels import IGNORE
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames.views import Placement

MASK_THRESHOLD = 0.5
"""A pixel belongs to an instance if the network gives it at least this probability."""


def as_rgb(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Turn a picture into (H, W, 3) uint8 RGB.

    Parameters
    ----------
    image : array
        (H, W, 3) uint8 as it is; grey (H, W) or (H, W, 1) in all three channels; of RGBA (H, W, 4) the transparency
        is left out; floating point from 0 to 1 times 255.

    Raises
    ------
    ImageError
        Another shape or type, nan, floating point outside of 0 to 1, no pixel.

    Examples
    --------
    >>> as_rgb(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    # Everything that can only be one thing is accepted; what could be two is refused with the likely cause.
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise _no_picture(
            f"shape {np.shape(image)}",
            "several pictures at once, or the channels first",
            "pass a list of (H, W, 3) arrays",
        )
    if 0 in pixels.shape:
        raise _no_picture(f"an empty one of shape {np.shape(image)}", "a crop outside of the picture", "leave it out")
    pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[:, :, :3]
    if pixels.dtype.kind == "f":
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0 and high <= 1):  # also false for nan
            raise _no_picture(
                f"{pixels.dtype} from {low:g} to {high:g}",
                "floating-point pixels are from 0 to 1; these are from 0 to 255, or already have a mean taken off",
                "convert it: image.astype(np.uint8)",
            )
        pixels = np.rint(pixels * 255).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise _no_picture(f"dtype {pixels.dtype}", "16-bit pixels, or a mask", "convert it to 8 bits first")
    return pixels


def canvas(image: npt.NDArray[np.uint8], placement: Placement) -> npt.NDArray[np.uint8]:
    """Bring the shown part of a picture to the network's size, black where there is none.

    Parameters
    ----------
    image : (H, W, 3) uint8
    placement : Placement

    Returns
    -------
    (h, w, 3) uint8
        Scaled down by the mean over each pixel's area. (The original interpolates between two pixels, which skips
        those in between; where nothing is scaled the two are the same.)
    """
    import cv2

    y1, x1, y2, x2 = placement.region
    top, left, bottom, right = placement.window
    part = image[y1:y2, x1:x2]
    size = (bottom - top, right - left)
    if part.shape[:2] != size:
        shrinks = part.shape[0] >= size[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        part = np.asarray(cv2.resize(part, size[::-1], interpolation=how), np.uint8)
    if size == placement.image_shape:
        return np.ascontiguousarray(part)
    padded = np.zeros((*placement.image_shape, 3), np.uint8)
    padded[top:bottom, left:right] = part
    return padded


def label_canvas(label: npt.NDArray[np.uint16], placement: Placement) -> npt.NDArray[np.uint16]:
    """Bring the label of the shown part to the network's size; IGNORE where there is no picture.

    One pixel of the label is taken for each of the input, the upper left one of its block as everywhere in wadlib:
    codes cannot be averaged.
    """
    y1, x1, y2, x2 = placement.region
    top, left, bottom, right = placement.window
    rows = y1 + np.arange(bottom - top) * (y2 - y1) // (bottom - top)
    columns = x1 + np.arange(right - left) * (x2 - x1) // (right - left)
    padded = np.full(placement.image_shape, IGNORE, np.uint16)
    padded[top:bottom, left:right] = label[rows[:, None], columns]
    return padded


def normalise(canvases: npt.ArrayLike, config: Config) -> npt.NDArray[np.float32]:
    """Turn pixels 0 to 255 into what the network wants: minus the mean pixel, divided by the scale.

    Parameters
    ----------
    canvases : (..., h, w, 3) uint8

    Returns
    -------
    (..., h, w, 3) float32
    """
    pixels = np.subtract(canvases, np.array(config.mean_pixel, np.float32), dtype=np.float32)
    if config.pixel_scale != 1:
        pixels /= np.float32(config.pixel_scale)
    return pixels


def unmold(
    detections: npt.NDArray[np.float32],
    masks: npt.NDArray[np.float32],
    placement: Placement,
    config: Config,
) -> Instances:
    """Turn what a network says of one picture into instances in the pixels of that picture.

    Parameters
    ----------
    detections : (D, 6) float32
        Normalised y1, x1, y2, x2, class in the network, score; rows of class 0 at the end are padding.
    masks : (D, m, m) or (D, m, m, K) float32
        Probabilities inside each box, of the detected class or of each class.
    placement : Placement
        Where the picture lies in the network's input.
    config : Config
        Says which WAD class each class of the network is; a class that is none of WAD's is left out.

    Returns
    -------
    Instances
        Best score first. Boxes without area, as an untrained network gives them, are left out.

    Raises
    ------
    InstancesError
        Scores or boxes that are nan.
    """
    # Padding begins at the first row without a class.
    # The network always gives the same number of rows; those after the last object are empty.
    empty = np.flatnonzero(detections[:, 4] == 0)
    count = int(empty[0]) if empty.size else len(detections)
    detections = detections[:count]
    if not np.isfinite(detections).all():
        raise InstancesError(
            f"unmold: expected finite boxes and scores, got {count} detections with nan",
            cause="weights that diverged in training",
            fix="go back to an earlier checkpoint",
        )
    # Left out: classes that WAD does not have (the COCO network knows 80), and boxes outside of the picture.
    classes = detections[:, 4].astype(np.int32)
    class_ids = np.asarray(config.wad_classes, np.int32)[classes]
    sides = placement.to_picture(detections[:, :4])
    wanted = (class_ids > 0) & (sides[:, 2] > sides[:, 0]) & (sides[:, 3] > sides[:, 1])
    order = np.flatnonzero(wanted)
    order = order[np.argsort(-detections[order, 5], kind="stable")]
    # Each mask is 28 x 28: stretched over its own box, and never kept at the size of the picture.
    crops = []
    for i in order:
        y1, x1, y2, x2 = sides[i].tolist()
        mask = masks[i] if masks.ndim == 3 else masks[i, :, :, classes[i]]
        crops.append((paste(mask, y2 - y1, x2 - x1), y1, x1))
    runs = Runs.from_crops(crops, placement.picture_shape)
    return Instances(class_ids[order], detections[order, 5], runs, sides[order].astype(np.float32))


def paste(mask: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.bool_]:
    """Stretch a network's small mask over its box and cut it at `MASK_THRESHOLD`.

    Parameters
    ----------
    mask : (m, m) float
        Probabilities; sample (i, j) stands in the middle of its cell.
    height, width : int
        Of the box in pixels.

    Returns
    -------
    (height, width) bool
        Bilinear, and beyond the outermost samples towards 0: what ``skimage.transform.resize(mask, (height, width),
        order=1, mode="constant", anti_aliasing=False) >= 0.5`` gives, as in the original package.

    Examples
    --------
    >>> paste(np.array([[0.0, 1.0]], np.float32), 1, 4).tolist()  # 0, 0.25, 0.75, then 0.75 on the way out
    [[False, False, True, True]]
    """
    import cv2

    if mask.min() >= MASK_THRESHOLD:  # scikit-image never goes below the lowest sample, not even on the way to 0
        return np.ones((height, width), np.bool_)
    stretched = np.asarray(cv2.resize(np.asarray(mask, np.float32), (width, height)))  # bilinear
    # OpenCV repeats the outermost samples: the way down to 0 is multiplied in.
    for lines, samples in ((stretched, mask.shape[0]), (stretched.T, mask.shape[1])):
        weight = _beyond(len(lines), samples)
        if weight.size:
            np.multiply(lines[: len(weight)], weight, out=lines[: len(weight)])
            np.multiply(lines[-len(weight) :], weight[::-1], out=lines[-len(weight) :])
    return np.asarray(stretched >= MASK_THRESHOLD)


@functools.lru_cache(maxsize=4096)
def _beyond(pixels: int, samples: int) -> npt.NDArray[np.float32]:
    """What is left of the first sample in the pixels before it, (n, 1): half a cell further out it is half."""
    if pixels <= samples:
        return np.empty((0, 1), np.float32)  # every pixel lies between two samples
    before = np.arange(-(-pixels // (2 * samples)))
    position = (before + 0.5) * samples / pixels - 0.5  # in samples; the first is at 0
    return np.asarray(np.minimum(1 + position, 1), np.float32)[:, None]


def _no_picture(found: str, cause: str, fix: str) -> ImageError:
    return ImageError(f"as_rgb: expected a picture (H, W, 3) of uint8, got {found}", cause=cause, fix=fix)
