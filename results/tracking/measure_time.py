"""What time is worth on the same predictions: average precision and the report's IoU, before and after.

``python results/tracking/measure_time.py OUT.json --tune ROOT:PRED … --report ROOT:PRED …``

Each row treats the same detections in another way. The threshold of the report's IoU is chosen for each row by itself,
on the videos of ``--tune``; all numbers are those of the videos of ``--report``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wadlib.dataset import open_wad
from wadlib.instances import Instances, PredictionFolder
from wadlib.iou import mean_iou
from wadlib.labels import CLASSES, IDS
from wadlib.metrics import InstanceOverlap, Overlap, Scores, average_precision
from wadlib.metrics.bootstrap import _average_precisions, _ratios, draw_videos
from wadlib.metrics.scores import FrameScores
from wadlib.tracking import frame_times, link
from wadlib.tracking.fill import Tracked, fill_gaps
from wadlib.tracking.pieces import instances_of, pieces_of
from wadlib.tracking.rescore import best_of_tracks, track_support

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9)


@dataclass(frozen=True, eq=False)
class Clip:
    """A video, what was found in it, and the tracks of that."""

    name: str
    truths: list
    found: list[Instances]
    ids: list[np.ndarray]
    any_class: list[np.ndarray]  # tracks that may change their class


def load(pairs):
    """Read and link the videos of ROOT:PRED pairs."""
    clips = []
    for pair in pairs:
        root, _, prediction = pair.partition(":")
        folder = PredictionFolder.open(prediction)
        for video in open_wad(root).train_videos:
            found = [folder.read(frame.name) for frame in video.frames]
            times, images = frame_times(video.frames), [frame.read_image() for frame in video.frames]
            ids = link(found, times, images)
            one = [Instances(np.full(len(f), 33), f.scores, f.runs, f.boxes) for f in found]
            truths = [frame.read_label() for frame in video.frames]
            clips.append(Clip(f"{Path(root).name} {video.name}", truths, found, ids, link(one, times, images)))
    return clips


def scored(found, scores, class_ids=None):
    """The same instances with other scores (and classes)."""
    return instances_of(
        found.class_ids if class_ids is None else class_ids, scores, found.boxes, pieces_of(found), found.shape
    )


def averaged(clip, window=None):
    """Give each detection the mean score of its track, where it was found: of all of it or of +-window frames."""
    seen = defaultdict(list)
    for t, (ids, found) in enumerate(zip(clip.ids, clip.found, strict=True)):
        for track, score in zip(ids.tolist(), found.scores.tolist(), strict=True):
            seen[track].append((t, score))
    out = []
    for t, (ids, found) in enumerate(zip(clip.ids, clip.found, strict=True)):
        near = [[s for u, s in seen[track] if window is None or abs(u - t) <= window] for track in ids.tolist()]
        out.append(scored(found, [np.mean(each) for each in near]))
    return out


def voted(clip):
    """Give each detection the class that its track has most often, weighted by score."""
    votes = defaultdict(lambda: defaultdict(float))
    for ids, found in zip(clip.any_class, clip.found, strict=True):
        for track, class_id, score in zip(ids.tolist(), found.class_ids.tolist(), found.scores.tolist(), strict=True):
            votes[track][class_id] += score
    best = {track: max(each, key=each.get) for track, each in votes.items()}
    return [
        scored(found, found.scores, [best[track] for track in ids.tolist()])
        for ids, found in zip(clip.any_class, clip.found, strict=True)
    ]


def best_ever(clip):
    """Give each detection the best score of its track."""
    best = best_of_tracks([f.scores for f in clip.found], clip.ids)
    return [scored(f, [best[t] for t in ids.tolist()]) for f, ids in zip(clip.found, clip.ids, strict=True)]


def supported(clip):
    """Mix each score with the support of its track around it."""
    mixed = track_support([f.scores for f in clip.found], clip.ids)
    return [scored(f, s) for f, s in zip(clip.found, mixed, strict=True)]


def filled(clip, found):
    """Fill gaps of up to four frames."""
    tracked = (Tracked(f, ids) for f, ids in zip(found, clip.ids, strict=True))
    return [each.found for each in fill_gaps(tracked, 4)]


ROWS = {
    "per frame": lambda clip: clip.found,
    "classes by vote of the track": voted,
    "mean score of the track": averaged,
    "mean score of 11 frames": lambda clip: averaged(clip, 5),
    "best score of the track": best_ever,
    "support": supported,
    "gaps filled": lambda clip: filled(clip, clip.found),
    "best score, gaps filled": lambda clip: filled(clip, best_ever(clip)),
    "support, gaps filled": lambda clip: filled(clip, supported(clip)),
}


def iou_at(clips, found, thresholds):
    """The mean of the report's IoU at each threshold."""
    sums = {threshold: Scores() for threshold in thresholds}
    for clip, instances in zip(clips, found, strict=True):
        for truth, each in zip(clip.truths, instances, strict=True):
            for threshold, total in sums.items():
                overlap = Overlap.from_labels(truth, each.above(threshold).to_label())
                total.iou.add(overlap)
    return {threshold: total.iou.report_iou() for threshold, total in sums.items()}


def scores_of(clips, found, threshold=None):
    """Scores by video: of all ranked instances, or of the label maps at a threshold."""
    scores = Scores()
    for clip, instances in zip(clips, found, strict=True):
        for truth, each in zip(clip.truths, instances, strict=True):
            kept = each if threshold is None else each.above(threshold)
            overlap = Overlap.from_labels(truth, kept.to_label())
            scores.add(FrameScores.of(overlap, InstanceOverlap.from_label(truth, kept)), video=clip.name)
    return scores


def sampled(scores, labelled):
    """The mean over classes of each score, for each of 1000 draws of videos: the same draws for every row."""
    weights = draw_videos(len(scores.videos), 1000, 0)
    return {
        "ap": np.nanmean(_average_precisions(scores.matches, "ap", weights), axis=1),
        "ap50": np.nanmean(_average_precisions(scores.matches, "ap50", weights), axis=1),
        "report_iou": np.nanmean(_ratios(labelled, "report_iou", weights), axis=1),
    }


def interval(draws):
    """The 95 % of the draws in the middle."""
    return np.nanpercentile(draws, [2.5, 97.5]).tolist()


def main(given):
    """Measure every row."""
    tune, report = load(given.tune), load(given.report)
    rows, draws = {}, {}
    for name, treat in ROWS.items():
        on_tune, on_report = [treat(clip) for clip in tune], [treat(clip) for clip in report]
        at = {t: mean_iou(iou) for t, iou in iou_at(tune, on_tune, THRESHOLDS).items()}
        threshold = max(at, key=at.get)
        iou = iou_at(report, on_report, [threshold])[threshold]
        scores = scores_of(report, on_report)
        ap = average_precision(scores.matches)
        draws[name] = sampled(scores, scores_of(report, on_report, threshold))
        alone = draws["per frame"]
        rows[name] = {
            "ap": ap.mean(),
            "ap_interval": interval(draws[name]["ap"]),
            "ap50": ap.mean(0.5),
            "ap_by_class": {CLASSES[c].name: ap.ap[c] for c in IDS},
            "ap50_interval": interval(draws[name]["ap50"]),
            "ap50_by_class": {CLASSES[c].name: float(ap.ap50[c]) for c in IDS},
            "threshold": threshold,
            "report_iou_interval": interval(draws[name]["report_iou"]),
            "gain_intervals": {key: interval(values - alone[key]) for key, values in draws[name].items()},
            "report_iou": mean_iou(iou),
            "report_iou_by_class": {CLASSES[c].name: iou[c] for c in IDS},
        }
        print(
            f"{name:32s} AP {ap.mean():.4f} AP50 {ap.mean(0.5):.4f} IoU {mean_iou(iou):.4f} at {threshold}", flush=True
        )
    about = {"tune": given.tune, "report": given.report, "videos": len(report)}
    # The fairest rival: per frame, with the threshold that is best on the very videos of the report.
    alone = iou_at(report, [clip.found for clip in report], THRESHOLDS)
    about["per_frame_best_report_iou"] = max(map(mean_iou, alone.values()))
    about["frames"] = sum(len(clip.found) for clip in report)
    text = json.dumps({"about": about, "rows": rows}, indent=1).replace("NaN", "null")
    Path(given.out).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--tune", nargs="+", required=True, metavar="ROOT:PRED")
    parser.add_argument("--report", nargs="+", required=True, metavar="ROOT:PRED")
    main(parser.parse_args())
