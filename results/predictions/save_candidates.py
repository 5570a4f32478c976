"""Save the shipped network's detections of one frame before non-maximum suppression, for notebook 10.

``python results/predictions/save_candidates.py FRAME ABOUT.json`` opens the rendered videos of the quick profile and
writes ``results/predictions/candidates``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from wadlib._shared.files import make_folder, write_text
from wadlib.course import open_data, prepared, project_root
from wadlib.course.kept_predictions import CANDIDATES, detect_candidates, label_digest
from wadlib.instances import PredictionWriter

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frame", help="name of a frame, such as 180101_084005560_Camera_5")
    parser.add_argument("about", help="JSON file: weights, commit")
    given = parser.parse_args()
    about = json.loads(Path(given.about).read_text(encoding="utf-8"))
    data = open_data()
    (full_frame,) = (each for each in data.frames if each.name == given.frame)
    (frame,) = (each for each in prepared(data, frames=120).frames if each.name == given.frame)
    found = detect_candidates(full_frame)
    out = make_folder(project_root() / "results" / "predictions" / CANDIDATES)
    writer = PredictionWriter(out, {})
    writer.write(frame.name, f"{frame.name}{frame.image_path.suffix}", found, found.above(0.5).to_label())
    writer.finish(keep_journal=False)
    labels = {frame.name: label_digest(frame)}
    write_text(out / "about.json", json.dumps({**about, "labels": labels}, indent=1) + "\n")
    print(out.name, len(found))
