"""Links of the four real frames, against those that a person made by eye.

``python results/tracking/real_frames.py OUT.json WAD_SAMPLE``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.tracking.test_real_frames import OBJECTS, count_links
from wadlib.dataset import open_wad
from wadlib.instances import Instances
from wadlib.tracking import LinkConfig, frame_times, link

WAYS = {
    "boxes, no motion": (LinkConfig(("stay",), box_weight=1.0), False),
    "boxes with velocity": (LinkConfig(("stay", "velocity"), box_weight=1.0), False),
    "all guesses, without pictures": (LinkConfig(), False),
    "all guesses, with flow": (LinkConfig(), True),
}


def main(out, root):
    """Link in each way."""
    (video,) = [v for v in open_wad(root).train_videos if len(v.frames) == len(OBJECTS)]
    found = [Instances.from_label(frame.read_label()) for frame in video.frames]
    images = [frame.read_image() for frame in video.frames]
    objects = [[known[code] for code in sorted(known)] for known in OBJECTS]
    links = {}
    for name, (config, flow) in WAYS.items():
        ids = link(found, frame_times(video.frames), images if flow else None, config)
        *links[name], wanted = count_links(objects, ids)
    text = json.dumps({"frames": [f.name for f in video.frames], "wanted": wanted, "links": links}, indent=1)
    Path(out).write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
