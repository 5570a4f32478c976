"""Claims about training a Mask R-CNN: the classroom network beside the report's, both ours, on all cores.

- It trains at least 3 times as many frames per second: whole strips of 1664x384, against 832x640 frames in fives.
- It waits for its data less than 10 % of the time.

Both as `wadlib train maskrcnn` runs them: all layers, augmentation as in their plans, prepared frames, TensorFlow. The
most memory that each process held is stated; nothing is claimed of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import Comparison, Share
from wadlib.dataset import Frame
from wadlib.frames import write_image, write_label
from wadlib.preprocess import VIEWS

CLAIMED = 3
LIMIT = 0.10
STEPS = {"classroom": 12, "half": 12, "report": 2}  # in each of two epochs; the first also pays for compiling


def measure(frames: list[Frame]) -> list[Comparison | Share]:
    with tempfile.TemporaryDirectory() as folder:
        for view in (VIEWS["report"], VIEWS["strip"]):
            for number, frame in enumerate(frames):
                image, label = frame.read_pair()
                write_image(Path(folder) / f"{view.name}{number}.jpg", view.shrink(image))
                write_label(Path(folder) / f"{view.name}{number}.png", view.stride(label))
        took = {name: _in_a_process(name, folder, len(frames)) for name in STEPS}
    strip, half, report = (took[name] for name in ("classroom", "half", "report"))
    peer = "ours with Config.report()"
    return [
        Comparison(
            "train the classroom network on a frame", peer, strip["frame_s"], report["frame_s"], CLAIMED,
            f"all layers; peak memory {strip['MB']:.0f} against {report['MB']:.0f} MB (its batches hold five frames)",
        ),
        Comparison(
            "train it on half of a strip, its plan", peer, half["frame_s"], report["frame_s"], 0,
            f"peak memory {half['MB']:.0f} MB; half of the columns, so nothing is claimed",
        ),
        Share(
            "time the classroom network in training waits for data", half["waiting"], LIMIT,
            "windows of 832x384 with copies from other frames, made by one thread",
        ),
    ]  # fmt: skip


def _in_a_process(name: str, folder: str, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench_finetuning", name, folder, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _train(name: str, folder: Path, count: int) -> dict[str, Any]:
    from benchmarks.maskrcnn_parts import peak_mb
    from wadlib.maskrcnn import Config, MaskRCNN
    from wadlib.maskrcnn.learning.plan import Plan, TrainStage
    from wadlib.maskrcnn.learning.training import train_maskrcnn
    from wadlib.training import quiet

    quiet()
    config, plan = (Config.report(), Plan.report()) if name == "report" else (Config.classroom(), Plan.classroom())
    paths = [(folder / f"{config.view}{number}.jpg", folder / f"{config.view}{number}.png") for number in range(count)]
    frames = [Frame(image.stem, "video", image, label) for image, label in paths]
    plan = plan.replace(stages=(TrainStage("all", 2, 1e-5),), steps=STEPS[name])
    if name == "classroom":
        plan = plan.replace(window=None)
    row = train_maskrcnn(MaskRCNN(config), frames, plan=plan, run=None, workers=1, progress=False).rows[-1]
    frame_s = row["train_s"] / STEPS[name] / config.batch_size
    return {"frame_s": frame_s, "waiting": row["waiting"], "MB": peak_mb()}


if __name__ == "__main__":
    print(json.dumps(_train(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
