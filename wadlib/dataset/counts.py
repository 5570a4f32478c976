"""Count what is labelled: instances per class, their areas, and the frames that hold them."""

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib._shared.parallel import map_labels
from wadlib.dataset.frame import Frame
from wadlib.errors import LabelError
from wadlib.labels import CLASSES, IDS, decode


@dataclass(frozen=True)
class InstanceCounts:
    """What is labelled in some frames.

    Attributes
    ----------
    frames : int
        Frames that were read.
    codes : (N,) uint16
        Label code of each instance of an evaluated class, frame by frame.
    areas_px : (N,) int64
        Visible area of each instance, in pixels of the label file.
    per_frame : (frames,) int64
        Instances in each frame.
    failed : tuple of str
        What is wrong with each label that could not be read; those frames are not counted.
    """

    frames: int
    codes: npt.NDArray[np.uint16]
    areas_px: npt.NDArray[np.int64]
    per_frame: npt.NDArray[np.int64]
    failed: tuple[str, ...] = ()

    @property
    def instances(self) -> dict[int, int]:
        """Class id -> number of instances, in the order of the class table."""
        ids = decode(self.codes)[0]
        return {class_id: int((ids == class_id).sum()) for class_id in IDS}

    @property
    def frames_with(self) -> dict[int, int]:
        """Class id -> number of frames in which it occurs."""
        ids = decode(self.codes)[0].astype(np.int64)
        frame = np.repeat(np.arange(self.frames), self.per_frame)
        seen = np.unique(frame * 1000 + ids) % 1000
        return {class_id: int((seen == class_id).sum()) for class_id in IDS}

    def table(self) -> str:
        """Write a small text table: class, instances, frames, median area."""
        ids, instances, frames = decode(self.codes)[0], self.instances, self.frames_with
        lines = [f"{'class':<14}{'instances':>10}{'frames':>8}{'median px':>11}"]
        for class_id, row in CLASSES.items():
            areas = self.areas_px[ids == class_id]
            median = f"{np.median(areas):.0f}" if len(areas) else "-"
            lines.append(f"{row.name:<14}{instances[class_id]:>10}{frames[class_id]:>8}{median:>11}")
        lines.append(f"{'all':<14}{len(self.codes):>10}{int((self.per_frame > 0).sum()):>8}")
        if self.failed:
            lines.append(f"{len(self.failed)} labels could not be read and are not counted:")
            lines += [f"  {message.splitlines()[0]}" for message in self.failed[:10]]
        return "\n".join(lines)


def code_areas(label: npt.NDArray[np.uint16]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """List the codes of the evaluated instances in a label, ascending, and their areas in pixels.

    Examples
    --------
    >>> codes, areas_px = code_areas(np.array([[255, 36000, 36000], [33001, 65535, 36000]], np.uint16))
    >>> codes.tolist(), areas_px.tolist()
    ([33001, 36000], [1, 3])
    """
    flat = np.ascontiguousarray(label).ravel()
    if not flat.size:
        return np.empty(0, np.uint16), np.empty(0, np.int64)
    # Row by row a label is a few long runs of one code: add up run lengths, not pixels.
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    areas = np.bincount(flat[starts], weights=lengths).astype(np.int64)
    codes = np.flatnonzero(areas).astype(np.uint16)
    codes = codes[np.isin(decode(codes)[0], IDS)]
    return codes, areas[codes]


def count_instances(
    frames: Iterable[Frame], *, workers: int | None = None, executor: Executor | None = None, progress: bool = True
) -> InstanceCounts:
    """Read the labels of `frames` and count what is in them.

    One damaged label does not cost the run: it goes to ``failed`` of the result.

    Parameters
    ----------
    frames : frames with a label
    workers, executor, progress : see `wadlib._shared.parallel.map_frames`; threads by default
    """
    done = map_labels(_count_one, frames, "counting", workers, executor, progress)
    results = [result for _, result in done]
    found = [result for result in results if not isinstance(result, str)]
    return InstanceCounts(
        frames=len(found),
        codes=np.concatenate([np.empty(0, np.uint16), *(codes for codes, _ in found)]),
        areas_px=np.concatenate([np.empty(0, np.int64), *(areas for _, areas in found)]),
        per_frame=np.array([len(codes) for codes, _ in found], np.int64),
        failed=tuple(result for result in results if isinstance(result, str)),
    )


def _count_one(frame: Frame) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]] | str:
    try:
        return code_areas(frame.read_label())
    except LabelError as error:
        return str(error)
