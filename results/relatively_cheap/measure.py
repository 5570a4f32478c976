"""Measure what the report calls "relatively cheap" (section 2.1): a normalized cut beside a neural network, per frame.

``python results/relatively_cheap/measure.py`` writes times.json beside this file. CPU seconds of all threads, the
median of several runs that take turns, so that other work on the machine counts for little. The network has random
weights: only its size decides how long it takes. Training is left out, which the cut does not need.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wadlib.course import open_data
from wadlib.graphcut import normalized_cut
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.preprocess import crop_and_downscale
from wadlib.training import environment, quiet

ROUNDS = 5


def main() -> None:
    """Time the four, write times.json."""
    quiet()
    frame = open_data().split("report", seed=0).train[0]
    image, _ = crop_and_downscale(frame.read_image(), None)
    assert image is not None
    full, classroom = MaskRCNN(Config.report()), MaskRCNN(Config.classroom())
    strip = np.zeros((*classroom.config.image_shape, 3), np.uint8)
    methods: dict[str, Callable[[], object]] = {
        "normalized cut of the pixels": lambda: normalized_cut(image, "pixels"),
        "normalized cut of superpixels": lambda: normalized_cut(image, "superpixels"),
        "Mask R-CNN of the report": lambda: full.detect([image]),
        "classroom Mask R-CNN": lambda: classroom.detect([strip]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(ROUNDS + 1):  # the first compiles
        for name, run in methods.items():
            start = time.process_time()
            run()
            if turn:
                seconds[name].append(time.process_time() - start)
    found = {
        "by": "python results/relatively_cheap/measure.py",
        "what": "CPU seconds a frame, all threads, median of 5 runs that take turns",
        "size": list(image.shape[:2]),
        "seconds": {name: round(statistics.median(each), 3) for name, each in seconds.items()},
        "environment": environment(),
    }
    Path(__file__).with_name("times.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found["seconds"], indent=1))


if __name__ == "__main__":
    main()
