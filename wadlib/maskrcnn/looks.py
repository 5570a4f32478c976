"""Test-time augmentation: a picture shown twice, and what the network says of it averaged."""

import numpy as np
import numpy.typing as npt

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.boxes import iou


def mirror_average(
    detections: npt.NDArray[np.float32],
    masks: npt.NDArray[np.float32],
    mirrored: npt.NDArray[np.float32],
    mirrored_masks: npt.NDArray[np.float32],
    config: Config,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Average what a network says of a picture and of its mirror image.

    Parameters
    ----------
    detections, masks : (D, 6), (n, m, m)
        Of one picture, as `Detector.forward` gives them: boxes normalised, class, score; class 0 is padding.
    mirrored, mirrored_masks : the same of the mirror image
    config : Config
        `min_confidence`, and `nms_threshold`: from this IoU on two boxes of one class are one object.

    Returns
    -------
    detections, masks : (D', 6), (D', m, m)
        Best score first. What only one of the two shows has half its score; box, score and mask of the others are
        means.
    """
    first, second = detections[detections[:, 4] > 0], mirrored[mirrored[:, 4] > 0]
    second = np.concatenate(
        [second[:, :1], 1 - second[:, 3:4], second[:, 2:3], 1 - second[:, 1:2], second[:, 4:]], axis=1
    )
    second_masks = mirrored_masks[: len(second), :, ::-1]
    overlap = np.asarray(iou(first[:, :4], second[:, :4])) * (first[:, 4:5] == second[None, :, 4])
    free = np.ones(len(second), np.bool_)
    rows, means = [], []
    for i, row in enumerate(first):  # best first, as the network sorts them
        j = int(np.argmax(overlap[i] * free)) if len(second) else -1
        if j >= 0 and free[j] and overlap[i, j] >= config.nms_threshold:
            free[j] = False
            rows.append((row + second[j]) / 2)
            means.append((masks[i] + second_masks[j]) / 2)
        else:
            rows.append(row * [1, 1, 1, 1, 1, 0.5])
            means.append(masks[i])
    rows += [row * [1, 1, 1, 1, 1, 0.5] for row in second[free]]
    means += list(second_masks[free])
    result = np.array(rows, np.float32).reshape(-1, 6)
    shapes = np.array(means, np.float32).reshape(-1, *masks.shape[1:])
    order = np.argsort(-result[:, 5], kind="stable")
    order = order[result[order, 5] >= config.min_confidence]
    return result[order], shapes[order]
