"""A WAD dataset: its folders and lists, as videos of frames; splits; preparing it for a network."""

from __future__ import annotations

from wadlib.dataset.counts import InstanceCounts, code_areas, count_instances
from wadlib.dataset.frame import Frame, Video
from wadlib.dataset.listfiles import DatasetProblem
from wadlib.dataset.prepare import Failure, PrepareReport, prepare
from wadlib.dataset.splits import Split
from wadlib.dataset.wad import Wad, open_wad

__all__ = [
    "Failure",
    "Frame",
    "InstanceCounts",
    "PrepareReport",
    "DatasetProblem",
    "Split",
    "Video",
    "Wad",
    "code_areas",
    "count_instances",
    "open_wad",
    "prepare",
]
