"""Score a folder of predictions against the frames' truth, paired by frame name.

The report's authors paired two sorted directory listings: a single missing prediction shifted
every pair after it and took car IoU silently from 0.685 to 0.621. Here a name is a name.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib._shared.parallel import map_labels
from wadlib._shared.words import one_of
from wadlib.dataset.frame import Frame
from wadlib.errors import MetricError
from wadlib.frames import read_label
from wadlib.instances.instances_file import FrameRows, InstancesFile
from wadlib.instances.reader import INSTANCES, SUFFIX, PredictionFolder, label_files
from wadlib.labels import BACKGROUND
from wadlib.metrics.evaluation import Evaluation
from wadlib.metrics.instance_overlap import InstanceOverlap
from wadlib.metrics.scores import FrameScores, Scores
from wadlib.overlap import Overlap

_NAMED = 5  # how many names an error message lists
_Read = Callable[[], npt.NDArray[np.uint16]]


class _Pair(NamedTuple):
    """What to compare; no prediction stands for an empty one. Small: it is sent to workers on other machines."""

    name: str
    truth: _Read
    prediction: Path | None
    video: str
    rows: FrameRows | None


def evaluate_folder(
    truth: str | Path | Iterable[Frame],
    prediction: str | Path,
    *,
    missing: str = "error",
    workers: int | None = None,
    executor: Executor | None = None,
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
        ``PRED`` with ``PRED/label/<frame>_instanceIds.png``, or the folder of those files itself. If
        ``PRED/instances.json`` is there (`wadlib.instances.instances_file` says what it holds), average
        precision is that of its scored, possibly overlapping instances; otherwise the label maps' own.
    missing : "error" or "empty"
        What to do about frames without a prediction: raise, or score them as all background
        (`Evaluation.missing` then lists them).
    workers : int, optional
        Threads; by default one for each core. The scores do not depend on it.
    executor : concurrent.futures.Executor, optional
        Instead of threads, see `wadlib._shared.parallel.map_frames`.
    progress : bool
        Show a progress bar.

    Raises
    ------
    MetricError
        No frames; frames without a truth; a name that occurs twice; missing predictions; a
        prediction of another size than its truth; an ``instances.json`` of frames that nobody knows.
    LabelError
        A file that is not a 16-bit grey PNG.
    InstancesError
        An ``instances.json`` that is damaged, or holds what cannot be scored.
    """
    one_of(missing, ("error", "empty"), "evaluate_folder: missing", MetricError)
    truths = _truth_files(truth)
    found = PredictionFolder.open(prediction)
    predictions, instances = found.labels, found.instances
    absent = tuple(name for name in truths if name not in predictions)
    if absent and missing == "error":
        raise MetricError(
            f"evaluate_folder: {len(absent)} of {len(truths)} frames have no prediction in "
            f"{found.folder.name}: {_first(absent)}",
            cause="the prediction run was stopped early, or the predictions belong to other frames",
            fix="predict those frames too, or pass missing='empty' to score them as all background",
        )
    if instances is not None:
        _check_frames(instances, truths.keys() | predictions.keys())
    pairs = [
        _Pair(name, read, predictions.get(name), video, None if instances is None else instances.rows(name))
        for name, (read, video) in truths.items()
    ]
    scores = Scores()
    # Threads, because decoding and scanning both let go of the interpreter lock.
    for pair, frame in map_labels(_compare, pairs, "evaluating", workers, executor, progress):
        scores.add(frame, pair.name, pair.video)
    extra = tuple(name for name in found.names if name not in truths)
    return Evaluation(scores, absent, extra, instances is not None)


def _check_frames(instances: InstancesFile, known: set[str]) -> None:
    unknown = tuple(sorted(instances.frames.keys() - known))
    if unknown:
        raise MetricError(
            f"evaluate_folder: {INSTANCES} holds {len(unknown)} frames that are neither in the truth nor among "
            f"the predicted label files: {_first(unknown)}",
            cause="predictions of another dataset, or file names that were changed",
            fix="predict these frames again, or put the name of the picture into file_name",
        )


def _compare(pair: _Pair) -> FrameScores:
    truth = pair.truth()
    if pair.prediction is None:
        return FrameScores.of(Overlap.from_labels(truth, np.full_like(truth, BACKGROUND)))
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
    overlap = Overlap.from_labels(truth, prediction)
    if pair.rows is None:
        return FrameScores.of(overlap)
    found = pair.rows.read((truth.shape[0], truth.shape[1]))
    return FrameScores.of(overlap, InstanceOverlap.from_label(truth, found))


def _truth_files(truth: str | Path | Iterable[Frame]) -> dict[str, tuple[_Read, str]]:
    """Frame name -> what reads its label, and its video, in the order of the frames."""
    files: dict[str, tuple[_Read, str]]
    if isinstance(truth, str | Path):
        files = {
            name: (partial(read_label, path), "") for name, path in label_files(Path(truth), "true labels").items()
        }
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
            read = getattr(frame, "read_label", None) or partial(read_label, Path(frame.label_path))
            files[frame.name] = (read, getattr(frame, "video", ""))
    if not files:
        raise MetricError(
            "evaluate_folder: there are no frames to score",
            cause="the folder holds no label files, or the split is empty",
            fix=f"pass the folder of the <frame>{SUFFIX} files, or open_wad(root).frames",
        )
    return files


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
