"""Refuse exports that would write what is not there as "nothing found"."""

from collections.abc import Collection, Sequence

from wadlib._shared.words import one_of
from wadlib.dataset.frame import Frame
from wadlib.errors import LabelError, MetricError


def check_frames(where: str, wanted: Sequence[str], there: Collection[str], missing: str) -> None:
    """Check that there is something for each frame, and for no other frame.

    Parameters
    ----------
    where : name of the function that exports
    wanted : names of the frames to export
    there : names of the frames that have a label or a prediction
    missing : "error" or "empty"
        "empty" takes what there is.

    Raises
    ------
    MetricError
        No frames; frames of which there is nothing; predictions of other frames.
    """
    one_of(missing, ("error", "empty"), f"{where}: missing", MetricError)
    if not wanted:
        raise MetricError(
            f"{where}: there are no frames to export",
            cause="a wrong folder, or archives that were unpacked into a folder in the folder",
            fix="`wadlib info` says what the dataset holds",
        )
    known, found = set(wanted), set(there)
    absent = [name for name in wanted if name not in found]
    foreign = sorted(found - known)
    if missing == "empty" or not (absent or foreign):
        return
    what = (
        f"frame {absent[0]} has no prediction or label, {len(absent)} of {len(known)} frames have none"
        if absent
        else f"there are predictions of {len(foreign)} other frames, such as {foreign[0]}"
    )
    raise MetricError(
        f"{where}: {what}",
        cause="a run that was stopped early, a label file that is missing, or predictions of another dataset",
        fix="predict or extract those frames too; or take what there is: missing='empty', on the command line "
        "--allow-missing",
    )


def check_size(where: str, frame: Frame, shape: tuple[int, int]) -> None:
    """Check that a prediction has the size of the frame's label, if it has one; a MetricError if not."""
    if frame.label_path is None:
        return
    try:
        frame.read_label(shape=shape, window=(slice(0, 1), slice(0, 1)))
    except LabelError as error:
        raise MetricError(
            f"{where}: the prediction of {frame.name} does not fit its label: {error.what}",
            cause="a prediction of another view of the frames, or of another dataset",
            fix="name the dataset that was predicted, as `wadlib prepare` made it",
        ) from error
