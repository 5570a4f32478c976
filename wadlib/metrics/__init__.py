"""Scores of label maps: one joint histogram per frame, and what follows from it."""

from __future__ import annotations

from wadlib.metrics.evaluate import Evaluation, evaluate_folder
from wadlib.metrics.iou import REPORT_TABLE_1, IoUSum, mean_iou, pooled_iou, report_iou, table
from wadlib.metrics.overlap import ClassAreas, Overlap

__all__ = [
    "REPORT_TABLE_1",
    "ClassAreas",
    "Evaluation",
    "IoUSum",
    "Overlap",
    "evaluate_folder",
    "mean_iou",
    "pooled_iou",
    "report_iou",
    "table",
]
