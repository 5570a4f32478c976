"""Run the trackers of roboflow's `trackers` on boxes from stdin; imports nothing of wadlib.

`trackers` requires opencv-python, which shares its files with opencv-python-headless: it needs an environment of
its own.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import supervision
import trackers

ADAPTED = {"lost_track_buffer": 7, "frame_rate": 30.0, "minimum_consecutive_frames": 1}
SETTINGS = {
    "SORT": ("SORTTracker", {"minimum_iou_threshold": 0.05}),
    "OC-SORT": ("OCSORTTracker", {"minimum_iou_threshold": 0.05}),
    "ByteTrack": ("ByteTrackTracker", {"minimum_iou_threshold": 0.05}),
    "C-BIoU": ("CBIoUTracker", {"minimum_iou_threshold_first_assoc": 0.05}),
}


def track(kind: str, options: dict, frames: list[list[list[float]]]) -> tuple[list[list[int]], float]:
    """Ids of the boxes (x1, y1, x2, y2) of one class in each frame, -1 where there is none, and seconds of CPU."""
    tracker = getattr(trackers, kind)(**options)
    ids, start = [], time.process_time()
    for boxes in frames:
        xyxy = np.array(boxes, np.float32).reshape(-1, 4)
        found = np.full(len(xyxy), -1, int)
        detections = supervision.Detections(
            xyxy=xyxy,
            confidence=np.ones(len(xyxy), np.float32),
            class_id=np.zeros(len(xyxy), int),
            data={"index": np.arange(len(xyxy))},
        )
        result = tracker.update(detections)
        if len(result) and result.tracker_id is not None:
            found[np.asarray(result.data["index"], int)] = result.tracker_id
        ids.append(found.tolist())
    return ids, time.process_time() - start


def main() -> None:
    warnings.simplefilter("ignore")
    sequences = json.load(sys.stdin)  # one for each class and video
    for name, (kind, options) in SETTINGS.items():
        for label, chosen in ((name, {}), (f"{name}, adapted", ADAPTED | options)):
            runs = [track(kind, chosen, frames) for frames in sequences]
            line = {"name": label, "ids": [ids for ids, _ in runs], "cpu_s": sum(cpu for _, cpu in runs)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
