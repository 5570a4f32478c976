"""Training that survives: the loop, its data and its folder, shared by U-Net and Mask R-CNN.

Importing this package does not import Keras, so that `quiet` can come first.
"""

from wadlib.training.augmentation import Augmentation
from wadlib.training.backend import as_array, deterministic, environment, gradient_norms, quiet
from wadlib.training.batches import Batch, Batches, Source, Stream
from wadlib.training.checkpoint import load_checkpoint, save_weights
from wadlib.training.devices import use_devices
from wadlib.training.fit import fit
from wadlib.training.folder import read_log
from wadlib.training.loop import EpochEnd, Stage, Training
from wadlib.training.progress import EarlyStop, best_epoch
from wadlib.training.sampling import repeat_factors

__all__ = [
    "Augmentation",
    "Batch",
    "Batches",
    "EarlyStop",
    "EpochEnd",
    "Source",
    "Stage",
    "Stream",
    "Training",
    "as_array",
    "best_epoch",
    "deterministic",
    "environment",
    "fit",
    "gradient_norms",
    "load_checkpoint",
    "quiet",
    "read_log",
    "repeat_factors",
    "save_weights",
    "use_devices",
]
