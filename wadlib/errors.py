"""Every exception that wadlib raises on purpose: what happened (with the actual value), the likely cause, the fix."""

import functools

__all__ = [
    "DatasetError",
    "ImageError",
    "InstancesError",
    "LabelError",
    "MetricError",
    "RenderError",
    "SegmentationError",
    "StorageError",
    "TrackingError",
    "TrainingError",
    "WadError",
    "WeightsError",
    "WorkerError",
]


class WadError(Exception):
    """Say what happened (``where: expected …, got …``), its likely cause, and what the reader can do about it.

    Examples
    --------
    >>> what = "read_label: expected a 16-bit grey PNG, got 8-bit (a/b_instanceIds.png)"
    >>> print(LabelError(what, cause="an image editor saved it", fix="extract it again from train_label.zip"))
    read_label: expected a 16-bit grey PNG, got 8-bit (a/b_instanceIds.png).
    Likely cause: an image editor saved it.
    Fix: extract it again from train_label.zip.
    """

    def __init__(self, what: str, *, cause: str, fix: str) -> None:
        super().__init__(what, cause, fix)
        self.what, self.cause, self.fix = what, cause, fix

    def __str__(self) -> str:
        return f"{self.what}.\nLikely cause: {self.cause}.\nFix: {self.fix}."

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions travel between worker processes; keyword-only arguments need a hand.
        return functools.partial(type(self), self.what, cause=self.cause, fix=self.fix), ()


class LabelError(WadError):
    """A label file or label array that is not what the WAD format says."""


class ImageError(WadError):
    """A picture that cannot be read or has the wrong size or type."""


class DatasetError(WadError):
    """A dataset folder, list file or split that cannot be used."""


class StorageError(WadError):
    """A file that could not be written: no permission, disk full, not a folder."""


class RenderError(WadError):
    """A request that the renderer of the embedded dataset cannot fulfil."""


class MetricError(WadError):
    """Truth and prediction that cannot be compared."""


class SegmentationError(WadError):
    """Input that a segmentation method cannot work on."""


class TrackingError(WadError):
    """Frames, times or track numbers that cannot be linked to one video."""


class TrainingError(WadError):
    """A training run that cannot begin, go on, or be resumed."""


class InstancesError(WadError):
    """Instances (boxes, class ids, scores, masks) that do not fit together, or a file of them that cannot be read."""


class WeightsError(WadError):
    """A file of network weights that cannot be had, cannot be read, or does not fit the network."""


class WorkerError(WadError):
    """A worker process that ended before its work was done."""
