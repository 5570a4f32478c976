"""Claims: IoU, AP and PQ of a pair of 832x640 label files at least 20 times faster than the reference's IoU alone;
average precision not slower than faster-coco-eval's; time grows with the frames, memory does not.

The pairs go from files to scores, one thread each; each frame is "predicted" by the truth of the frame before it.
Average precision goes from masks in COCO's run-length encoding, truth and results, to AP by class and size.
"""

from __future__ import annotations

import contextlib
import io
import math
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from benchmarks import reference
from benchmarks.measure import Comparison, best_of
from wadlib.dataset import Frame
from wadlib.frames import write_label
from wadlib.instances import Instances
from wadlib.labels import CLASSES
from wadlib.metrics import InstanceOverlap, MatchTable, average_precision, evaluate_folder, match
from wadlib.metrics.simulated import SimulatedPredictor
from wadlib.preprocess import NETWORK_SHAPE, NETWORK_WINDOW

CLAIMED, CLAIMED_AP, CLAIMED_LINEAR = 20, 1, 0.8
KILOBYTES_PER_FRAME = 3.0


def measure(frames: list[Frame], repeats: int = 5) -> list[Comparison]:
    labels = [frame.read_label(window=NETWORK_WINDOW) for frame in frames]
    return [_files(labels, repeats), _linear(labels, repeats), _average_precision(labels, repeats)]


def _write(folder: Path, labels: list[np.ndarray], number: int) -> tuple[Path, Path]:
    truth, prediction = folder / "truth", folder / "label"
    truth.mkdir(parents=True)
    prediction.mkdir()
    for i in range(number):
        write_label(truth / f"{i:04d}_instanceIds.png", labels[i % len(labels)])
        write_label(prediction / f"{i:04d}_instanceIds.png", labels[(i - 1) % len(labels)])
    return truth, prediction


def _evaluate(truth: Path, prediction: Path) -> Any:
    evaluation = evaluate_folder(truth, prediction, workers=1, progress=False)
    return evaluation.report_iou, evaluation.pooled_iou, evaluation.instance_iou, evaluation.ap, evaluation.pq


def _files(labels: list[np.ndarray], repeats: int, number: int = 20) -> Comparison:
    with tempfile.TemporaryDirectory() as name:
        truth, prediction = _write(Path(name), labels, number)
        pairs = list(zip(sorted(truth.iterdir()), sorted(prediction.iterdir()), strict=True))
        found, expected = _evaluate(truth, prediction)[0], reference.evaluate(pairs)
        assert all(found[c] == expected[c] or math.isnan(found[c] + expected[c]) for c in expected), "IoUs differ"
        ours_s, peer_s = best_of(lambda: _evaluate(truth, prediction), lambda: reference.evaluate(pairs), repeats)
    note = f"{number} pairs; ours: three IoUs, AP and PQ; the report's IoU equal to the last bit"
    return Comparison(
        "evaluate a pair, 832x640, all metrics",
        "scikit-image, IoU only",
        ours_s / number,
        peer_s / number,
        CLAIMED,
        note,
    )


def _linear(labels: list[np.ndarray], repeats: int, few: int = 40, many: int = 400) -> Comparison:
    """Ten times the frames: the time of one may not grow, and what stays in memory is small."""
    with tempfile.TemporaryDirectory() as name:
        small, large = _write(Path(name) / "few", labels, few), _write(Path(name) / "many", labels, many)
        large_s, small_s = best_of(lambda: _evaluate(*large), lambda: _evaluate(*small), max(2, repeats // 2))
        peaks = []
        for pair in (small, large):
            tracemalloc.start()
            _evaluate(*pair)
            peaks.append(tracemalloc.get_traced_memory()[1] / 1024)
            tracemalloc.stop()
    per_frame = (peaks[1] - peaks[0]) / (many - few)
    assert per_frame < KILOBYTES_PER_FRAME, f"a frame leaves {per_frame:.1f} kB in memory"
    note = (
        f"peak {peaks[0] / 1024:.1f} MB with {few} frames, {peaks[1] / 1024:.1f} MB with {many}: "
        f"{per_frame:.2f} kB more per frame (names and rows of numbers; at most {KILOBYTES_PER_FRAME:.0f})"
    )
    return Comparison(
        f"a pair among {many} against one among {few}", "itself", large_s / many, small_s / few, CLAIMED_LINEAR, note
    )


def _average_precision(labels: list[np.ndarray], repeats: int, number: int = 100) -> Comparison:
    dataset, results, frames = _coco(labels, number)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(dataset)
        found = truth.loadRes(results)

        def peer() -> Any:
            evaluation = COCOeval_faster(truth, found, "segm")
            evaluation.evaluate()
            evaluation.accumulate()
            return evaluation

        def ours() -> Any:
            table = MatchTable()
            for true, detected in frames:
                table.add(match(_overlap(true, detected)))
            return average_precision(table)

        theirs = peer()
        theirs.summarize()
        scores = ours()
        mine = [scores.mean(), scores.mean(0.5), scores.mean(0.75)]
        difference = float(np.abs(np.array(mine) - np.array(theirs.stats[:3])).max())
        assert difference < 1e-12, f"AP differs by {difference}"
        ours_s, peer_s = best_of(ours, peer, repeats)
    note = (
        f"{number} frames, {len(results)} detections, masks as RLE on both sides; largest difference {difference:.0e}"
    )
    return Comparison(
        "AP of a frame by class and size", "faster-coco-eval", ours_s / number, peer_s / number, CLAIMED_AP, note
    )


def _overlap(true: list[dict], detected: list[dict]) -> InstanceOverlap:
    """Both sides from their run-length strings, as the peer has them."""
    truth = Instances.from_coco([{**each, "score": 1.0} for each in true], NETWORK_SHAPE)
    return InstanceOverlap.from_instances(truth, Instances.from_coco(detected, NETWORK_SHAPE))


def _coco(labels: list[np.ndarray], number: int) -> tuple[dict, list[dict], list[tuple[list[dict], list[dict]]]]:
    predictor = SimulatedPredictor()
    images, annotations, results, frames = [], [], [], []
    for image_id in range(1, number + 1):
        label = labels[image_id % len(labels)]
        images.append({"id": image_id, "height": label.shape[0], "width": label.shape[1]})
        exact = Instances.from_label(label)
        areas = exact.areas_px.tolist()
        true = [
            {**row, "id": len(annotations) + n, "image_id": image_id, "area": area, "iscrowd": 0}
            for n, (row, area) in enumerate(zip(exact.to_coco(), areas, strict=True), start=1)
        ]
        found = predictor.predict(str(image_id), label).to_coco(image_id=image_id)
        annotations += true
        results += found
        frames.append((true, found))
    categories = [{"id": row.id, "name": row.name} for row in CLASSES.values()]
    return {"images": images, "annotations": annotations, "categories": categories, "info": {}}, results, frames
