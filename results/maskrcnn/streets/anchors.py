"""Measure which objects the region proposals reach, by size, for several sides of the largest anchor.

    python anchors.py WEIGHTS RENDERED CITYSCAPES RUNS NAME=ROOT [NAME=ROOT ...]

ROOTs hold strips at the network's size, to measure on. First with the weights as they are, as other anchors need no
other weights; then with 300 more pictures, three of five from CITYSCAPES, for each side that is trained. Writes
``anchors.json`` beside this file; runs go on where they were.

An object is reached if one of the 300 proposals overlaps its box with an IoU of at least 0.5. Its size is the longer
side of its box in pixels of the strip.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wadlib.dataset import open_dataset
from wadlib.dataset.frame import Frame
from wadlib.instances import Instances
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.maskrcnn.frames.images import normalise
from wadlib.maskrcnn.learning.plan import Plan, TrainStage
from wadlib.maskrcnn.learning.training import train_maskrcnn
from wadlib.maskrcnn.network.boxes import denormalize, iou

EDGES = (0, 16, 32, 64, 128, 256, np.inf)  # of the longer side, in pixels
LARGEST = (208, 320, 448)  # sides of the anchor on P6
TRAINED = (208, 320)


def recalls(model: MaskRCNN, frames: Sequence[Frame]) -> dict[str, list[int]]:
    """Count the objects of each size, and those that a proposal reaches."""
    counts = np.zeros((len(EDGES) - 1, 2), int)
    for frame in frames:
        image, label = frame.read_pair()
        truth = Instances.from_label(label).boxes
        if not len(truth):
            continue
        proposals = denormalize(model.stages(normalise(image, model.config))["rpn_rois"][0], image.shape[:2])
        reached = np.asarray(iou(proposals[None], truth[None].astype(np.float32)))[0].max(axis=0) >= 0.5
        longer = (truth[:, 2:] - truth[:, :2]).max(axis=1)
        for k, (low, high) in enumerate(itertools.pairwise(EDGES)):
            inside = (longer >= low) & (longer < high)
            counts[k] += inside.sum(), (inside & reached).sum()
    names = [f"{low:g} to {high:g} px" for low, high in itertools.pairwise(EDGES)]
    return {name: count for name, count in zip(names, counts.tolist(), strict=True) if count[0]}


def with_largest(side: float, weights: Path) -> MaskRCNN:
    """Make the classroom network with another anchor on P6."""
    config = Config.classroom()
    model = MaskRCNN(config.replace(anchor_scales=(*config.anchor_scales[:-1], side)))
    model.load(weights)
    return model


def main(weights: Path, rendered: Path, cityscapes: Path, runs: Path, tests: dict[str, Path]) -> None:
    """Measure, train, measure again, and write what was found."""
    frames = {name: open_dataset(root).frames for name, root in tests.items()}
    found: dict[str, dict[str, dict[str, list[int]]]] = {}

    def measure(name: str, model: MaskRCNN) -> None:
        found[name] = {test: recalls(model, of) for test, of in frames.items()}
        for test, counts in found[name].items():
            print(name, test, ", ".join(f"{size}: {hit}/{of}" for size, (of, hit) in counts.items()), flush=True)

    for side in LARGEST:
        measure(f"largest anchor {side}", with_largest(side, weights))
    plan = Plan((TrainStage("all", 1, 1e-4),), steps=300, window=512, copy_paste=1.0)
    split = open_dataset(rendered).split("by_video", seed=0, train_fraction=0.97)
    also = [(open_dataset(cityscapes).frames, 0.6)]
    for side in TRAINED:
        model = with_largest(side, weights)
        run = runs / f"anchors-{side}"
        train_maskrcnn(model, split.train, plan=plan, run=run, also=also, seed=0, workers=1)
        measure(f"largest anchor {side}, 300 pictures", model)
    text = json.dumps({"longer side": "of the box, in pixels", "counts": "objects, reached", "found": found}, indent=1)
    Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    roots = {name: Path(root) for name, root in (text.split("=", 1) for text in sys.argv[5:])}
    main(*(Path(path) for path in sys.argv[1:5]), roots)
