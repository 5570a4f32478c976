"""Count the instances of each class in datasets that wadlib opens, into class_counts.json beside this file.

python count.py NAME=ROOT [NAME=ROOT …]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wadlib.dataset import count_instances, open_dataset
from wadlib.labels import CLASSES

HERE = Path(__file__).with_name("class_counts.json")


def main(roots: dict[str, str]) -> None:
    """Write frames and instances per class of each dataset."""
    counted = {}
    for name, root in roots.items():
        frames = open_dataset(root).frames
        instances = count_instances(frames).instances
        counted[name] = {
            "frames": len(frames),
            "instances": {CLASSES[c].name: int(instances.get(c, 0)) for c in CLASSES},
        }
    HERE.write_text(json.dumps(counted, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(dict(each.split("=", 1) for each in sys.argv[1:]))
