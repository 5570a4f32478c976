"""Spatio-temporal random fields on a U-Net's probabilities: IoU and temporal consistency, side by side.

``python results/tracking/measure_field.py OUT.json PROBABILITIES.npz …`` (of unet_probabilities.py)
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from wadlib.graphcut import alpha_expansion, contrast_weights, unary_from_probabilities
from wadlib.graphcut.gaussian import gaussian_field
from wadlib.graphcut.volume import alpha_expansion_volume
from wadlib.iou import IoUSum, mean_iou
from wadlib.labels import CLASSES, IDS, label_from_indices
from wadlib.metrics.consistency import Consistency, temporal_consistency
from wadlib.overlap import Overlap
from wadlib.tracking.warp import flow_both_ways, flow_links, temporal_mean, warp

SPACE, TIME = 0.5, 0.5
"""The weight of neighbours in space (Potts, nats) and in time; settled in notes on other videos than these."""


def each_frame(costs, weights):
    """2-D expansions of each frame by itself."""
    return np.stack([alpha_expansion(c, SPACE, w).labels for c, w in zip(costs, weights, strict=True)])


def methods(p, small, flow):
    """Method -> a function that labels a video."""
    costs = np.stack([unary_from_probabilities(each, floor=1e-3) for each in p])
    flat = [tuple(np.ones_like(w) for w in contrast_weights(image)) for image in small]
    contrast = [contrast_weights(image) for image in small]
    links = flow_links(flow)

    def averaged(along):
        return np.stack(temporal_mean(p, along))

    def cost(means):
        return np.stack([unary_from_probabilities(m / m.sum(2, keepdims=True), floor=1e-3) for m in means])

    return {
        "argmax": lambda: p.argmax(3),
        "2-D expansion": lambda: each_frame(costs, flat),
        "mean of 5 frames, not warped": lambda: averaged(None).argmax(3),
        "mean of 5 frames along flow": lambda: averaged(flow).argmax(3),
        "mean along flow, 2-D expansion": lambda: each_frame(cost(averaged(flow)), flat),
        "3-D expansion, same place": lambda: alpha_expansion_volume(costs, SPACE, time_weight=TIME / SPACE).labels,
        "3-D expansion along flow": lambda: (
            alpha_expansion_volume(costs, SPACE, time_weight=TIME / SPACE, links=links).labels
        ),
        "Gaussian field along flow": lambda: gaussian_field(p, 1.0, contrast, time_weight=2.0, links=links).labels,
    }


def score(labels, truths, flow, sums):
    """Add a video to IoU and consistency."""
    iou, consistency = sums
    for t, (label, truth) in enumerate(zip(labels, truths, strict=True)):
        codes = [label_from_indices(each.astype(np.uint8)) for each in (truth, label)]
        iou.add(Overlap.from_labels(*codes))
        if t:
            field = flow.backward[t - 1]
            known = warp(np.ones(truth.shape, np.int8), field) > 0
            consistency += temporal_consistency(warp(labels[t - 1], field), label, known)
    return iou, consistency


def main(given):
    """Measure every method."""
    sums, seconds, frames = {}, {}, 0
    for path in given.probabilities:
        data = np.load(path)
        for p, truths, pictures in zip(data["probabilities"], data["truths"], data["pictures"], strict=True):
            p = p.astype(np.float32) / 255
            p /= p.sum(3, keepdims=True)
            flow = flow_both_ways(pictures, shape=truths.shape[1:])
            small = pictures.reshape(*pictures.shape[:1], truths.shape[1], 2, truths.shape[2], 2, 3).mean((2, 4))
            frames += len(p)
            for name, label in methods(p, small, flow).items():
                begin = time.process_time()
                labels = label().astype(np.int64)
                seconds[name] = seconds.get(name, 0) + time.process_time() - begin
                sums[name] = score(labels, truths, flow, sums.get(name, (IoUSum(), Consistency())))
    rows = {}
    for name, (iou, consistency) in sums.items():
        report, pooled = iou.report_iou(), iou.pooled_iou()
        rows[name] = {
            "report_iou": mean_iou(report),
            "pooled_iou": mean_iou(pooled),
            "car_report_iou": report[33],
            "car_pooled_iou": pooled[33],
            "report_iou_by_class": {CLASSES[c].name: report[c] for c in IDS},
            "consistency": consistency.value,
            "cpu_ms_per_frame": round(1000 * seconds[name] / frames, 1),
        }
        line = " ".join(f"{key} {value:.4f}" for key, value in rows[name].items() if isinstance(value, float))
        print(f"{name:32s} {line}", flush=True)
    about = {"probabilities": [Path(path).name for path in given.probabilities], "frames": frames}
    text = json.dumps({"about": about, "rows": rows}, indent=1).replace("NaN", "null")
    Path(given.out).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("probabilities", nargs="+")
    main(parser.parse_args())
