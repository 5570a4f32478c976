"""Average precision kept against time spent: detect on every n-th frame, carry the objects into the others.

``python results/tracking/measure_lattice.py OUT.json ROOT:PRED …`` takes the detections of PRED on the key frames only.
Times are of one process, in seconds of CPU; the detector's are those of its own forward pass. Flow is of pictures of
416 pixels; what stands under "refined" is measured with the pictures given.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from wadlib.dataset import open_wad
from wadlib.instances import PredictionFolder
from wadlib.maskrcnn import MaskRCNN
from wadlib.maskrcnn.weight_files.released import find
from wadlib.maskrcnn.weights import read_config
from wadlib.metrics import InstanceOverlap, MatchTable, average_precision, match
from wadlib.tracking import Flow, frame_times
from wadlib.tracking.lattice import HOW, adaptive_keys, fill_between


def load(pair):
    """Read the videos of a ROOT:PRED pair: truths, times, detections and flow, and the CPU seconds of the flow."""
    root, _, prediction = pair.partition(":")
    folder, clips, spent = PredictionFolder.open(prediction), [], 0.0
    for video in open_wad(root).train_videos:
        images = [frame.read_image() for frame in video.frames]
        begin, flow = time.process_time(), Flow(416)
        fields = [flow.next(image) for image in images][1:]
        spent += time.process_time() - begin
        truths = [frame.read_label() for frame in video.frames]
        found = [folder.read(f.name) for f in video.frames]
        clips.append((truths, frame_times(video.frames), found, fields, images))
    return clips, spent, images


def detector_seconds(images):
    """CPU seconds of the shipped network on one frame."""
    path = find("rendered")
    model = MaskRCNN(read_config(path))
    model.load(path)
    model.detect(images[:1])
    begin = time.process_time()
    for image in images[:4]:
        model.detect([image])
    return (time.process_time() - begin) / 4


def precision(pairs):
    """AP and AP50 of (truth, instances) pairs."""
    table = MatchTable()
    for truth, found in pairs:
        table.add(match(InstanceOverlap.from_label(truth, found)), 0)
    result = average_precision(table)
    return result.mean(), result.mean(0.5)


def main(given):
    """Measure all ways of choosing and filling."""
    cv2.setNumThreads(1)
    clips, flow_s = [], 0.0
    for pair in given.pairs:
        more, spent, images = load(pair)
        clips, flow_s = clips + more, flow_s + spent
    frames = sum(len(clip[0]) for clip in clips)
    about = {
        "pairs": given.pairs,
        "frames": frames,
        "detector_s": round(detector_seconds(images), 4),
        "flow_s": round(flow_s / frames, 4),
    }
    whole = precision([pair for truths, _, found, *_ in clips for pair in zip(truths, found, strict=True)])
    rows = [{"how": "every frame", "every": 1, "ap": whole[0], "ap50": whole[1], "fill_s": 0.0, "keys": frames}]

    looked = []  # with the pictures given

    def measure(how, every, choose, name, look=False):
        pairs, keys, spent = [], 0, 0.0
        for truths, times, found, fields, pictures in clips:
            chosen = choose(times, found, fields)
            begin = time.process_time()
            filled = list(fill_between(chosen, times, fields, how, images=pictures if look else None))
            spent += time.process_time() - begin
            keys += len(chosen)
            pairs += zip(truths, [each.found for each in filled], strict=True)
        ap, ap50 = precision(pairs)
        row = {"how": name, "every": every, "ap": ap, "ap50": ap50, "keys": keys}
        row |= {"fill_s": round(spent / max(1, frames - keys), 4)}
        (looked if look else rows).append(row)
        print(json.dumps(row), f"{ap / whole[0]:.1%}", "refined" if look else "", flush=True)

    for every in (2, 4, 8):

        def regular(times, found, _, n=every):
            """Every n-th frame, and the last one: what lies between is known from both sides."""
            return {k: found[k] for k in sorted({*range(0, len(times), n), len(times) - 1})}

        for how in HOW:
            measure(how, every, regular, how)
        measure("flow", every, regular, "flow", look=True)
    for every in (2, 4):

        def adaptive(times, found, fields, n=every):
            return adaptive_keys(found.__getitem__, times, fields, -(-len(times) // n))

        def even(times, found, fields, n=every):
            spread = np.linspace(0, len(times) - 1, -(-len(times) // n)).round().astype(int)
            return {k: found[k] for k in spread.tolist()}

        for look in (False, True):
            measure("flow", every, adaptive, "adaptive", look)
            measure("flow", every, even, "even, both ends", look)
    Path(given.out).write_text(
        json.dumps({"about": about, "rows": rows, "refined": looked}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("pairs", nargs="+", metavar="ROOT:PRED")
    main(parser.parse_args())
