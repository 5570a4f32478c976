"""The parts of `bench_maskrcnn`, each for a process of its own: ``python -m benchmarks.maskrcnn_parts part folder …``.

**The same objects.** In float32: the same class, boxes with an IoU above 0.99, masks above 0.98, scores within 0.001;
all of them. In bfloat16, 19 of 20 (95 %): the same class, boxes and masks with an IoU above 0.9, scores within 0.02.
A number in bfloat16 has 8 bits, so rounding it costs up to 0.4 %, 0.1 to 0.2 % on average; over the fifty layers of
a ResNet-50 and its pyramid that adds up to 1 % of the spread of a feature map (measured on C5, on P2 … P5 and on the
region proposals; no stage is worse than those around it). 1 % moves the side of a box by a fraction of a pixel, which
rounding to whole pixels can make one or two: of 60, an IoU of 0.95. Beyond that come a few pixels of the mask's border.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import best_of
from benchmarks.stand_in_weights import calibrate, conditioned, random_weights
from wadlib.maskrcnn.config import Config
from wadlib.training import quiet

FOUND = 20  # objects per picture
REPORT = Config.report().replace(batch_size=1)


@dataclass(frozen=True)
class Likeness:
    """When two detections are the same: least IoU of boxes and of masks, largest difference of scores."""

    box: float
    mask: float
    score: float
    share: float  # of the objects for which this must hold


FLOAT32 = Likeness(box=0.99, mask=0.98, score=0.001, share=1.0)
BFLOAT16 = Likeness(box=0.9, mask=0.9, score=0.02, share=0.95)


def prepare(folder: Path) -> dict[str, Any]:
    """A training example; random weights for both configurations, and the scores that leave some 20 objects."""
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.frames.data import example

    frame = np.load(folder / "frame.npz")
    full = frame["full"]
    one = example(frame["image"], frame["label"], REPORT, np.random.default_rng(0))
    np.savez(folder / "example.npz", **{name: value[None] for name, value in one.items()})
    for name, config in (("report", REPORT), ("classroom", Config.classroom())):
        model = MaskRCNN(config.replace(min_confidence=0.0))
        own = model.weights_by_layer()

        def assign(weights: dict[str, list[np.ndarray]], own: dict[str, list[Any]] = own) -> None:
            for layer, arrays in weights.items():
                for variable, array in zip(own[layer], arrays, strict=True):
                    variable.assign(array)

        def compute(stage: str, model: Any = model, config: Config = config) -> np.ndarray:
            values: np.ndarray = model.stages(_input(full, config))[stage]
            return values

        weights = random_weights(
            {layer: [tuple(v.shape) for v in variables] for layer, variables in own.items()},
            contrast=100 / config.pixel_scale,
        )
        if name == "report":
            # With seed 1 the scores are above 0.9, as after training. With 0 and 2 they are 0.5 to 0.9: bfloat16 finds
            # those boxes and masks too, but moves a score by up to 0.05, and some objects below the least one.
            weights = conditioned(weights, seed=1)
        assign(weights)
        calibrate(weights, assign, compute)
        kernel, bias = weights["mrcnn_mask"]
        assign({"mrcnn_mask": [kernel, bias + 1]})  # objects fill more than half of their box
        least = _least_score(model.detect([full])[0].scores)
        model.save(folder / f"{name}.h5")
        (folder / f"{name}.json").write_text(json.dumps(config.replace(min_confidence=least).to_dict()))
    return {}


def _least_score(scores: np.ndarray) -> float:
    """Where to cut so that about `FOUND` remain: in the widest gap near there, so that rounding lets nothing across."""
    falling = np.sort(scores)[::-1].astype(float)
    odds = np.log(falling) - np.log1p(-falling)
    counts = np.arange(FOUND - 4, FOUND + 5)
    count = counts[np.argmax(odds[counts - 1] - odds[counts])]
    return float(falling[count - 1 : count + 1].mean())


def _input(full: np.ndarray, config: Config) -> np.ndarray:
    from wadlib.maskrcnn.frames.images import canvas, normalise
    from wadlib.maskrcnn.frames.views import Placement

    return normalise(canvas(full, Placement.of(full.shape[:2], config)), config)


def _config(folder: Path, name: str, **changes: Any) -> Config:
    return Config.from_dict(json.loads((folder / f"{name}.json").read_text())).replace(**changes)


def _ours(folder: Path, name: str = "report", **changes: Any) -> Any:
    from wadlib.maskrcnn import MaskRCNN

    model = MaskRCNN(_config(folder, name, **changes))
    model.load(folder / f"{name}.h5")
    return model


@contextlib.contextmanager
def _original(folder: Path, mode: str) -> Iterator[Any]:
    from wadlib.maskrcnn.original import matterport

    with matterport.original(_config(folder, "report"), mode) as network:
        network.load(folder / "report.h5")
        yield network


def detect(folder: Path, repeats: str) -> dict[str, Any]:
    image = np.load(folder / "frame.npz")["image"]
    ours, quick = _ours(folder), _ours(folder, dtype="mixed_bfloat16")
    with _original(folder, "inference") as network:

        def peer() -> Any:
            return network.detect([image])[0]

        (first,), (second,), theirs = ours.detect([image]), quick.detect([image]), peer()
        return {
            "detect": best_of(lambda: ours.detect([image]), peer, int(repeats)),
            "bfloat16": best_of(lambda: quick.detect([image]), peer, int(repeats)),
            "same": _compared(first, theirs, FLOAT32),
            "bfloat16 same": _compared(second, theirs, BFLOAT16),
        }


def _compared(found: Any, theirs: dict[str, np.ndarray], like: Likeness) -> tuple[str, bool]:
    """What was found alike, in words, and whether that is enough."""
    matched, total = _matched(found, theirs, like), max(len(found.scores), len(theirs["scores"]))
    text = (
        f"{matched} of {total} objects are the same: class, box (IoU > {like.box}), mask (IoU > {like.mask}), "
        f"score (within {like.score})"
    )
    enough = total > 0 and matched >= like.share * total
    return (text if enough else f"{text}; {like.share:.0%} are needed"), enough


def _matched(found: Any, theirs: dict[str, np.ndarray], like: Likeness) -> int:
    """How many of the original's detections we have too; each of ours stands for one only."""
    masks, free, count = np.asarray(found.masks), np.ones(len(found.scores), bool), 0
    for box, number, score, mask in zip(
        theirs["rois"], theirs["class_ids"], theirs["scores"], theirs["masks"].transpose(2, 0, 1), strict=True
    ):
        own = np.flatnonzero(free & (found.class_ids == REPORT.wad_classes[number]))
        if not own.size:
            continue
        best = max(own, key=lambda i, box=box: _iou(box, found.boxes[i]))
        both, either = (mask & masks[best]).sum(), (mask | masks[best]).sum()
        close = abs(found.scores[best] - score) <= like.score
        if close and _iou(box, found.boxes[best]) > like.box and both > like.mask * either:
            free[best] = False
            count += 1
    return count


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.maximum(sides, 0).prod())
    return shared / float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def classroom(folder: Path, repeats: str) -> dict[str, Any]:
    full = np.load(folder / "frame.npz")["full"]
    small, report = _ours(folder, "classroom"), _ours(folder)
    counts = [len(model.detect([full])[0].scores) for model in (small, report)]
    return {
        "classroom": best_of(lambda: small.detect([full]), lambda: report.detect([full]), int(repeats)),
        "classroom note": f"{counts[0]} and {counts[1]} objects, pasted into 3384x2710 pixels",
    }


def _batch(folder: Path) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """The training example as our inputs and as the original's."""
    batch = dict(np.load(folder / "example.npz"))
    height, width = REPORT.image_shape
    meta = [0, height, width, 3, height, width, 3, 0, 0, height, width, 1, *[1] * REPORT.num_classes]
    return batch, [
        batch["image"],
        np.array([meta]),
        batch["rpn_match"][..., None],
        batch["rpn_bbox"],
        batch["gt_class_ids"],
        batch["gt_boxes"],
        batch["gt_masks"].transpose(0, 2, 3, 1).astype(bool),
    ]


def train(folder: Path, repeats: str) -> dict[str, Any]:
    batch, inputs = _batch(folder)
    like, default = _ours(folder, proposal_gradient=True), _ours(folder)
    with _original(folder, "training") as network:

        def peer() -> Any:
            return network.train_step(inputs)

        # Each alternates with the peer: a time of one minute says nothing about that of another.
        return {
            "step": best_of(lambda: like.train_on(batch), peer, int(repeats)),
            "default step": best_of(lambda: default.train_on(batch), peer, int(repeats)),
        }


def classroom_step(folder: Path, repeats: str) -> dict[str, Any]:
    """A bfloat16 step of the classroom network, with our depthwise convolutions and with Keras' own."""
    from unittest import mock

    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.frames.data import example
    from wadlib.maskrcnn.network import layers

    frame, size = np.load(folder / "frame.npz"), (384, 512)
    config = Config.classroom().replace(image_shape=size, dtype="mixed_bfloat16", batch_size=1)
    image, label = (np.ascontiguousarray(frame[name][-size[0] :, : size[1]]) for name in ("image", "label"))
    batch = {name: value[None] for name, value in example(image, label, config, np.random.default_rng(0)).items()}
    ours = MaskRCNN(config)
    ours.train_on(batch)  # which traces it
    with mock.patch.object(layers, "_on_processor", return_value=False):
        theirs = MaskRCNN(config)
        theirs.train_on(batch)
        return {"step": best_of(lambda: ours.train_on(batch), lambda: theirs.train_on(batch), 4 * int(repeats))}


def memory_import(folder: Path) -> dict[str, Any]:
    quiet()
    return _held(lambda: None)


def memory_detect(folder: Path, whose: str) -> dict[str, Any]:
    quiet()
    image = np.load(folder / "frame.npz")["image"]
    if whose == "ours":
        model = _ours(folder)
        return _held(lambda: model.detect([image]))
    with _original(folder, "inference") as network:
        return _held(lambda: network.detect([image]))


def memory_train(folder: Path, whose: str) -> dict[str, Any]:
    quiet()
    batch, inputs = _batch(folder)
    if whose == "ours":
        model = _ours(folder, proposal_gradient=True)
        return _held(lambda: model.train_on(batch))
    with _original(folder, "training") as network:
        return _held(lambda: network.train_step(inputs))


def _held(step: Callable[[], object]) -> dict[str, Any]:
    step()
    step()
    return {"MB": peak_mb()}


def peak_mb() -> float:
    """The most memory that this process has held, from the first line of it to now."""
    with contextlib.suppress(OSError):
        # Linux lets ru_maxrss of a new process begin at what its parent held.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


PARTS = (prepare, detect, classroom, train, classroom_step, memory_import, memory_detect, memory_train)

if __name__ == "__main__":
    part = {function.__name__: function for function in PARTS}[sys.argv[1]]
    print(json.dumps(part(Path(sys.argv[2]), *sys.argv[3:])))
