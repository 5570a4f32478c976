"""Claim: evaluating 832x640 label files for all seven classes is at least 25 times faster than the reference's way.

From the files of truth and prediction to the report's IoU; one thread each. Each frame is
"predicted" by the truth of the frame before it.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from benchmarks import reference
from benchmarks.measure import Comparison, best_of
from wadlib.dataset import Frame
from wadlib.frames import write_label
from wadlib.metrics import evaluate_folder
from wadlib.preprocess import NETWORK_WINDOW

CLAIMED = 25


def measure(frames: list[Frame], repeats: int = 5, copies: int = 5) -> list[Comparison]:
    """Time `copies` times the frames, so that starting up does not count."""
    with tempfile.TemporaryDirectory() as folder:
        truth, prediction = Path(folder) / "truth", Path(folder) / "label"
        truth.mkdir()
        prediction.mkdir()
        labels = [frame.read_label(window=NETWORK_WINDOW) for frame in frames]
        for i in range(copies * len(frames)):
            write_label(truth / f"{i:03d}_instanceIds.png", labels[i % len(frames)])
            write_label(prediction / f"{i:03d}_instanceIds.png", labels[(i - 1) % len(frames)])
        pairs = list(zip(sorted(truth.iterdir()), sorted(prediction.iterdir()), strict=True))
        found = evaluate_folder(truth, prediction, workers=1, progress=False).report_iou
        expected = reference.evaluate(pairs)
        assert all(found[c] == expected[c] or math.isnan(found[c] + expected[c]) for c in expected), "IoUs differ"
        ours_s, peer_s = best_of(
            lambda: evaluate_folder(truth, prediction, workers=1, progress=False),
            lambda: reference.evaluate(pairs),
            repeats,
        )
    n = len(pairs)
    note = f"{n} pairs; IoUs equal to the last bit"
    return [
        Comparison(
            "evaluate a pair, 832x640, 7 classes", "scikit-image, 7 passes", ours_s / n, peer_s / n, CLAIMED, note
        )
    ]
