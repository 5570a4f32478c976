"""Links of perfect masks: AssA for several ways to guess where an object will be.

``python results/tracking/measure_links.py OUT.json ROOT …`` takes the true masks of rendered videos, with all of them
and with one in five dropped by chance (seed 0).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from wadlib.dataset import open_wad
from wadlib.instances import Instances
from wadlib.metrics.hota import Hota, hota
from wadlib.metrics.tracks import TrackFrame
from wadlib.rendered import read_tracks
from wadlib.tracking import Flow, LinkConfig, Linker, frame_times

WAYS = {
    "mask IoU, no motion": LinkConfig(("stay",), box_weight=0.0),
    "mask IoU after optical flow": LinkConfig(("flow",), box_weight=0.0),
    "boxes, no motion": LinkConfig(("stay",), box_weight=1.0),
    "boxes with velocity": LinkConfig(("velocity",), box_weight=1.0),
    "boxes, all three guesses": LinkConfig(box_weight=1.0),
    "boxes and masks, velocity": LinkConfig(("velocity",)),
    "boxes and masks, all three guesses": LinkConfig(),
}


def load(root):
    """Masks, identities, times and flow of each video."""
    identities, clips = read_tracks(root), []
    for video in open_wad(root).train_videos:
        flow = Flow()
        fields = [flow.next(frame.read_image()) for frame in video.frames][1:]
        labels = [frame.read_label() for frame in video.frames]
        true = [
            [identities[f.name][c] for c in np.unique(label).tolist() if c in identities[f.name]]
            for f, label in zip(video.frames, labels, strict=True)
        ]
        clips.append(([Instances.from_label(each) for each in labels], true, frame_times(video.frames), fields))
    return clips


def association(clips, config, dropped=0.0):
    """AssA over all videos, each class a sequence of its own."""
    parts = []
    rng = np.random.default_rng(0)
    for masks, true, times, fields in clips:
        linker, by_class = Linker(config), {}
        for t, (found, ids) in enumerate(zip(masks, true, strict=True)):
            keep = rng.random(len(found)) >= dropped
            got = linker.update(found[keep], float(times[t]), fields=fields[t - 1 : t] if t else ())
            for c in np.unique(found.class_ids).tolist():
                own = found.class_ids == c
                iou = np.eye(len(ids))[np.ix_(own, keep & own)]
                row = TrackFrame(np.array(ids)[own], got[own[keep]], iou)
                by_class.setdefault(c, []).append(row)
        parts += [hota(rows) for rows in by_class.values()]
    return Hota.combine(parts).assa


def main(given):
    """Measure every way."""
    clips = [clip for root in given.roots for clip in load(root)]
    rows = {}
    for name, config in WAYS.items():
        rows[name] = {"assa": association(clips, config), "assa_dropped": association(clips, config, 0.2)}
        print(f"{name:36s} {rows[name]['assa']:.3f} {rows[name]['assa_dropped']:.3f}", flush=True)
    about = {"roots": given.roots, "videos": len(clips), "frames": sum(len(c[0]) for c in clips)}
    Path(given.out).write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("roots", nargs="+")
    main(parser.parse_args())
