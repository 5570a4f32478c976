"""Count the boxes that a network finds on strips: a stranger's, or ours from a folder of predictions.

    python stranger.py ROOT yolox_nano.onnx [STEP]      every STEP-th frame; 1: all
    python stranger.py ROOT PRED [STEP]

ROOT holds strips (`wadlib prepare ROOT OUT --view strip`).

The stranger is YOLOX-nano, trained on COCO (Apache-2.0; github.com/Bigisland1729/object-detection-models, 0.91 million
weights). It looks at tiles of 416x416 pixels, at full size in the strip, with half a tile of overlap.

A labelled object is found if a box of any class lies on it with an IoU of at least 0.5; each box finds one object,
best scores first. Objects are the six classes that Cityscapes shares with WAD, and tricycles where they are labelled.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wadlib.dataset import open_dataset
from wadlib.instances import Instances, PredictionFolder
from wadlib.maskrcnn.network.boxes import iou

TILE, OVERLAP = 416, 208
STREET = [0, 1, 2, 3, 5, 7]  # COCO's person, bicycle, car, motorcycle, bus, truck, as YOLOX numbers them
SCORES = (0.05, 0.15, 0.25, 0.35, 0.5)
Boxes = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def decoded(rows: npt.NDArray[np.float32], strides: tuple[int, ...] = (8, 16, 32)) -> Boxes:
    """Turn the 3,549 rows of YOLOX into boxes (y1, x1, y2, x2) in pixels of the tile, and scores of street users."""
    sizes = [TILE // stride for stride in strides]
    cells = np.concatenate([np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) for n in sizes])
    stride = np.repeat(strides, [n * n for n in sizes])[:, None]
    centre, size = (rows[:, :2] + cells) * stride, np.exp(rows[:, 2:4]) * stride
    corners = np.hstack([centre - size / 2, centre + size / 2])[:, [1, 0, 3, 2]]
    return corners.astype(np.float32), rows[:, 4] * rows[:, 5:][:, STREET].max(1)


def strangers(network: cv2.dnn.Net, strip: npt.NDArray[np.uint8]) -> Boxes:
    """Find boxes in a strip (H, W, 3), RGB, tile by tile."""
    boxes, scores = [], []
    for left in range(0, strip.shape[1] - OVERLAP, OVERLAP):
        tile = np.full((TILE, TILE, 3), 114, np.uint8)  # the grey that YOLOX fills up with
        part = strip[:, left : left + TILE]
        tile[: part.shape[0], : part.shape[1]] = part
        network.setInput(np.ascontiguousarray(tile[..., ::-1].transpose(2, 0, 1)[None], np.float32))
        corners, score = decoded(network.forward()[0])
        keep = score >= SCORES[0]
        boxes.append(corners[keep] + np.float32([0, left, 0, left]))
        scores.append(score[keep])
    corners, score = np.concatenate(boxes), np.concatenate(scores)
    wide = np.hstack([corners[:, 1::-1], corners[:, 3:1:-1] - corners[:, 1::-1]])  # x, y, width, height
    kept = np.array(cv2.dnn.NMSBoxes(wide.tolist(), score.tolist(), SCORES[0], 0.5), np.intp).reshape(-1)
    return corners[kept], score[kept]


def found(truth: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> int:
    """Count the objects that boxes lie on, one each, best scores first."""
    if not len(truth) or not len(boxes):
        return 0
    overlap, free = np.asarray(iou(boxes[None], truth[None]))[0], np.ones(len(truth), bool)
    for box in np.argsort(-scores, kind="stable"):
        best = int(np.argmax(np.where(free, overlap[box], -1)))
        free[best] &= overlap[box, best] < 0.5
    return int((~free).sum())


def main(root: Path, what: Path, step: int) -> None:
    """Print, for each lowest score, how many of the labelled objects are found by how many boxes."""
    network = cv2.dnn.readNetFromONNX(str(what)) if what.suffix == ".onnx" else None
    folder = None if network else PredictionFolder.open(what)
    counts = {score: [0, 0] for score in SCORES}
    objects = 0
    for frame in list(open_dataset(root).frames)[::step]:
        image, label = frame.read_pair()
        truth = Instances.from_label(label).boxes
        objects += len(truth)
        if network:
            boxes, scores = strangers(network, image)
        else:
            ours = folder.read(frame.name)
            boxes, scores = ours.boxes, ours.scores
        for score, count in counts.items():
            keep = scores >= score
            count[0] += found(truth, boxes[keep], scores[keep])
            count[1] += int(keep.sum())
    for score, (hits, shown) in counts.items():
        print(f"score from {score:.2f}: {hits} of {objects} objects found, by {shown} boxes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
