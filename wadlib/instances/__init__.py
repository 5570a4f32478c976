"""Scored instances of a frame: one type, one reader and one writer of a folder of predictions."""

from wadlib.instances.components import instances_from_indices
from wadlib.instances.instances import Instances
from wadlib.instances.masks import Runs
from wadlib.instances.reader import PredictionFolder
from wadlib.instances.writer import PredictionWriter, write_predictions

__all__ = ["Instances", "PredictionFolder", "PredictionWriter", "Runs", "instances_from_indices", "write_predictions"]
