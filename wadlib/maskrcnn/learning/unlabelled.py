"""Classes that nobody labelled in a picture's dataset: not objects there, and not background either.

Cityscapes knows no tricycle. If one drives past, its label says background, and a network that believes it unlearns
tricycles. So in a picture of Cityscapes:

1. the class head judges among the other classes alone: the logit of tricycle gets no gradient;
2. a RoI on no object that the class head takes for a tricycle is not judged;
3. and no anchor on such a RoI is background for the region proposal network.

Which classes they are travels in the places of the ground truth that no object needs: the class id -1 - k, with an
empty box, says "class k is not labelled here". (-1 is a crowd, see `wadlib.maskrcnn.learning.targets`.)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.learning.targets import RPN_NEGATIVE
from wadlib.maskrcnn.network.boxes import iou


def unlabelled_marks(class_ids: Sequence[int], config: Config) -> npt.NDArray[np.int32]:
    """Make the class ids of the ground truth that say which WAD classes are not labelled, (n,).

    Examples
    --------
    >>> unlabelled_marks([40], Config.report()).tolist()  # tricycle is class 7 of the network
    [-8]
    """
    return np.array([-1 - index for index, each in enumerate(config.wad_classes) if each in class_ids], np.int32)


def labelled_classes(gt_class_ids: Any, config: Config) -> Any:
    """Say which classes of the network are labelled in each picture, (B, G) -> (B, K) float32, 1 or 0."""
    marks = ops.convert_to_tensor([-1 - index for index in range(config.num_classes)], "int32")
    # -1 would be background: it means a crowd, and background is always labelled.
    marked = ops.any(ops.cast(gt_class_ids, "int32")[..., None] == marks, axis=1)  # (B, K)
    return ops.cast(ops.logical_or(ops.logical_not(marked), marks == -1), "float32")


def spare_anchors(match: Any, anchors: Any, rois: Any, target_class_ids: Any, logits: Any, labelled: Any) -> Any:
    """Take anchors out of the background that lie on a RoI which looks like a class that is not labelled.

    Parameters
    ----------
    match : (B, n) int
        1 on an object, -1 background, 0 takes no part.
    anchors : (B, n, 4) normalised
    rois : (B, T, 4) normalised
    target_class_ids : (B, T) int
        0 on no object.
    logits : (B, T, K)
        Of the class head.
    labelled : (B, K)
        From `labelled_classes`.

    Returns
    -------
    (B, n) int32
        The same, 0 for those taken out.
    """
    favourite = ops.argmax(logits, axis=2)
    known = ops.take_along_axis(labelled, favourite, axis=1)  # (B, T)
    foreign = ops.logical_and(known == 0, target_class_ids == 0)
    # Below this IoU anchors are background.
    near = ops.any(ops.logical_and(iou(anchors, rois) >= RPN_NEGATIVE, foreign[:, None]), axis=2)  # (B, n)
    match = ops.cast(match, "int32")
    return ops.where(ops.logical_and(match == -1, near), ops.zeros_like(match), match)
