"""Scores of label maps and of scored instances: one small table per frame, and what follows from it."""

from wadlib.instances.instances_file import InstancesFile as DetectionFile  # its former name and place
from wadlib.instances.masks import Runs as RunMasks  # its former name and place
from wadlib.iou import REPORT_TABLE_1, IoUSum, mean_iou, pooled_iou, report_iou
from wadlib.metrics.ap import AveragePrecision, average_precision
from wadlib.metrics.bootstrap import Intervals, bootstrap
from wadlib.metrics.confusion import confusion, confusion_table
from wadlib.metrics.consistency import Consistency, temporal_consistency
from wadlib.metrics.curves import PrecisionRecall, ScoreSweep, precision_recall, score_sweep
from wadlib.metrics.evaluate import evaluate_folder
from wadlib.metrics.evaluation import Evaluation, iou_table
from wadlib.metrics.instance_overlap import InstanceOverlap, best_ious, instance_iou
from wadlib.metrics.matching import SIZES, THRESHOLDS, MatchTable, match
from wadlib.metrics.panoptic import PanopticQuality, panoptic_quality
from wadlib.metrics.published import (
    PublishedWaterfall,
    as_published,
    erased,
    published_waterfall,
    published_waterfall_of,
)
from wadlib.metrics.score_threshold import IoUAtThresholds, iou_at_thresholds
from wadlib.metrics.scores import FrameScores, Scores
from wadlib.metrics.tracks import TrackFrame
from wadlib.overlap import ClassAreas, Overlap

__all__ = [
    "REPORT_TABLE_1",
    "SIZES",
    "THRESHOLDS",
    "AveragePrecision",
    "ClassAreas",
    "Consistency",
    "DetectionFile",
    "Evaluation",
    "FrameScores",
    "InstanceOverlap",
    "Intervals",
    "IoUAtThresholds",
    "IoUSum",
    "MatchTable",
    "Overlap",
    "PanopticQuality",
    "PrecisionRecall",
    "PublishedWaterfall",
    "RunMasks",
    "ScoreSweep",
    "Scores",
    "TrackFrame",
    "as_published",
    "average_precision",
    "best_ious",
    "bootstrap",
    "confusion",
    "confusion_table",
    "erased",
    "evaluate_folder",
    "instance_iou",
    "iou_at_thresholds",
    "iou_table",
    "match",
    "mean_iou",
    "panoptic_quality",
    "pooled_iou",
    "precision_recall",
    "published_waterfall",
    "published_waterfall_of",
    "report_iou",
    "score_sweep",
    "temporal_consistency",
]
