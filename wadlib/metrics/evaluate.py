"""Score a folder of predictions against the frames' truth, paired by frame name.

The report's authors paired two sorted directory listings: a single missing prediction shifted
every pair after it and took car IoU from 0.685 to 0.621 without a word. Here a name is a name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from wadlib.errors import MetricError
from wadlib.frames import read_label
from wadlib.labels import BACKGROUND, CLASSES
from wadlib.metrics.iou import IoUSum, mean_iou, table
from wadlib.metrics.overlap import Overlap
from wadlib.parallel import map_frames

__all__ = ["Evaluation", "LabelledFrame", "evaluate_folder"]

SUFFIX = "_instanceIds.png"
"""What follows a frame's name in the name of its label file, true or predicted."""

_LABEL_FOLDERS = ("", "label", "train_label")
_NAMED = 5  # how many names an error message lists


class LabelledFrame(Protocol):
    """What is asked of a frame; `wadlib.dataset.Frame` is one."""

    @property
    def name(self) -> str:
        """Frame name, such as ``YYMMDD_HHMMSSmmm_Camera_5``."""

    @property
    def label_path(self) -> Path | None:
        """Where the truth lies; None for a test frame."""


@dataclass(frozen=True)
class Evaluation:
    """Scores of one set of predictions.

    Attributes
    ----------
    iou : IoUSum
        Sums over all frames; gives the report's IoU, the pooled IoU and the frames per class.
    missing : tuple of str
        Frames without a prediction file, that were scored as all background.
    extra : tuple of str
        Frames with a prediction file that nobody asked for; they were not used.
    """

    iou: IoUSum = field(repr=False)
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """How many frames were scored."""
        return self.iou.frames

    @property
    def report_iou(self) -> dict[int, float]:
        """The report's IoU per class id, see `wadlib.metrics.report_iou`."""
        return self.iou.report_iou()

    @property
    def pooled_iou(self) -> dict[int, float]:
        """The pooled IoU per class id, see `wadlib.metrics.pooled_iou`."""
        return self.iou.pooled_iou()

    def summary(self) -> str:
        """Text for a terminal: the table beside the report's Table 1, and what was missing or not used."""
        lines = [table(self.iou).to_string(na_rep="-", float_format=lambda value: f"{value:.4f}")]
        if self.missing:
            lines.append(f"Frames without a prediction, counted as empty: {len(self.missing)} ({_first(self.missing)})")
        if self.extra:
            lines.append(f"Predictions of other frames, not used: {len(self.extra)} ({_first(self.extra)})")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Numbers by class name, with a "mean" over the classes that have one; None for nan."""
        return {
            "frames": self.frames,
            "report_iou": _by_name(self.report_iou),
            "pooled_iou": _by_name(self.pooled_iou),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text, what ``wadlib evaluate --json`` writes; nan becomes null."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


class _Pair(NamedTuple):
    """Files to compare; no prediction stands for an empty one."""

    name: str
    truth: Path
    prediction: Path | None


def evaluate_folder(
    truth: str | Path | Iterable[LabelledFrame],
    prediction: str | Path,
    *,
    missing: str = "error",
    workers: int | None = None,
    progress: bool = True,
) -> Evaluation:
    """Compare each frame's true label with the predicted one of the same name.

    Parameters
    ----------
    truth : iterable of frames, or a folder
        Frames with ``.name`` and ``.label_path``, such as ``open_wad(root).frames`` or one side of
        a split; or the folder of the ``<frame>_instanceIds.png`` files, or the one above it
        (``label/`` and ``train_label/`` are looked into).
    prediction : folder
        ``PRED`` with ``PRED/label/<frame>_instanceIds.png``, or the folder of those files itself.
    missing : "error" or "empty"
        What to do about frames without a prediction: raise, or score them as all background
        (`Evaluation.missing` then lists them).
    workers : int, optional
        Threads; by default one for each core. The scores do not depend on it.
    progress : bool
        Show a progress bar.

    Raises
    ------
    MetricError
        No frames; frames without a truth; a name that occurs twice; missing predictions; a
        prediction of another size than its truth.
    LabelError
        A file that is not a 16-bit grey PNG.
    """
    if missing not in ("error", "empty"):
        raise MetricError(
            f"evaluate_folder: missing={missing!r} is neither 'error' nor 'empty'",
            cause="a typing slip",
            fix="use one of the two",
        )
    truths = _truth_files(truth)
    predictions = _label_files(Path(prediction), "predictions")
    absent = tuple(name for name in truths if name not in predictions)
    if absent and missing == "error":
        raise MetricError(
            f"evaluate_folder: {len(absent)} of {len(truths)} frames have no prediction in "
            f"{Path(prediction).name}: {_first(absent)}",
            cause="the prediction run was stopped early, or the predictions belong to other frames",
            fix="predict those frames too, or pass missing='empty' to score them as all background",
        )
    pairs = [_Pair(name, path, predictions.get(name)) for name, path in truths.items()]
    total = IoUSum()
    # Threads, because decoding and scanning both let go of the interpreter lock.
    for _, overlap in map_frames(
        _compare, pairs, workers=workers, threads=True, description="evaluating", progress=progress
    ):
        total.add(overlap)
    return Evaluation(total, absent, tuple(sorted(predictions.keys() - truths.keys())))


def _compare(pair: _Pair) -> Overlap:
    truth = read_label(pair.truth)
    if pair.prediction is None:
        return Overlap.from_labels(truth, np.full_like(truth, BACKGROUND))
    prediction = read_label(pair.prediction)
    if truth.shape != prediction.shape:
        (height, width), (predicted_height, predicted_width) = truth.shape, prediction.shape
        raise MetricError(
            f"evaluate_folder: expected a prediction of {width}x{height} pixels like the truth of {pair.name}, "
            f"got {predicted_width}x{predicted_height}",
            cause="the prediction was made at network size and the truth is at full size, or the other way round",
            fix="compare at one size: `wadlib prepare ROOT OUT` makes network-size truth; then "
            "`wadlib evaluate OUT PRED`",
        )
    return Overlap.from_labels(truth, prediction)


def _truth_files(truth: str | Path | Iterable[LabelledFrame]) -> dict[str, Path]:
    """Frame name -> label file, in the order of the frames."""
    if isinstance(truth, str | Path):
        files = _label_files(Path(truth), "true labels")
    else:
        files = {}
        for frame in truth:
            if frame.label_path is None:
                raise MetricError(
                    f"evaluate_folder: frame {frame.name} has no true label",
                    cause="it belongs to the test set, or its label file is missing",
                    fix="evaluate training frames: open_wad(root).frames, or one side of a split",
                )
            if frame.name in files:
                raise MetricError(
                    f"evaluate_folder: frame {frame.name} occurs twice",
                    cause="two lists of frames that share some were put together",
                    fix="pass each frame once",
                )
            files[frame.name] = Path(frame.label_path)
    if not files:
        raise MetricError(
            "evaluate_folder: there are no frames to score",
            cause="the folder holds no label files, or the split is empty",
            fix=f"pass the folder of the <frame>{SUFFIX} files, or open_wad(root).frames",
        )
    return files


def _label_files(folder: Path, what: str) -> dict[str, Path]:
    """Frame name -> file, sorted by name; from the first of the usual places that holds any."""
    if not folder.is_dir():
        raise MetricError(
            f"evaluate_folder: expected a folder of {what}, got {'a file' if folder.exists() else 'nothing'} "
            f"at {folder.as_posix()}",
            cause="a slip in the path",
            fix="check the path",
        )
    for place in _LABEL_FOLDERS:
        files = sorted((folder / place).glob("*" + SUFFIX))
        if files:
            return {path.name.removesuffix(SUFFIX): path for path in files}
    return {}


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _by_name(iou: dict[int, float]) -> dict[str, float | None]:
    named = {CLASSES[class_id].name: value for class_id, value in iou.items()} | {"mean": mean_iou(iou)}
    return {name: value if value == value else None for name, value in named.items()}
