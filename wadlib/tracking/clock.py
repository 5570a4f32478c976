"""The clock in frame names, as seconds of one video.

WAD takes a picture about every *metre*, so the time between two frames says how fast the car was; at a traffic light
neighbours in the list may be a minute apart.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wadlib.dataset.frame import Frame
from wadlib.errors import TrackingError

STEP_S = 0.139
"""Seconds between two frames at the usual speed, in WAD and in rendered videos."""

_DAY_S = 86_400


def frame_times(frames: Sequence[Frame]) -> npt.NDArray[np.float64]:
    """Read the clock in the names of the frames of one video.

    Parameters
    ----------
    frames : sequence of Frame, in the order of the video

    Returns
    -------
    (T,) float64
        Seconds since the first frame, growing; midnight is minded. If any name holds no clock, `STEP_S` is taken
        between all frames.

    Raises
    ------
    TrackingError
        Frames of two cameras or of two videos, or a clock that runs backwards.

    Examples
    --------
    >>> from pathlib import Path
    >>> names = ["170908_235959950_Camera_5", "170909_000000089_Camera_5"]
    >>> frame_times([Frame(name, "v", Path("a.jpg")) for name in names]).round(3).tolist()
    [0.0, 0.139]
    """
    for kind, values in (("cameras", {f.camera for f in frames}), ("videos", {f.video for f in frames})):
        if len(values) > 1:
            raise TrackingError(
                f"frame_times: expected frames of one video, got {len(values)} {kind}: {sorted(map(str, values))[:3]}",
                cause="all frames of a dataset in place of those of one video",
                fix="for video in open_wad(root).videos: frame_times(video.frames)",
            )
    clock = [frame.time_s for frame in frames]
    if any(math.isnan(time) for time in clock):
        return np.arange(len(frames), dtype=np.float64) * STEP_S
    times = np.array(clock, np.float64)
    steps = np.diff(times)
    steps[steps < -_DAY_S / 2] += _DAY_S  # past midnight
    backwards = np.flatnonzero(steps <= 0)
    if backwards.size:
        first = int(backwards[0])
        raise TrackingError(
            f"frame_times: expected a clock that runs forwards, got {frames[first + 1].name} after "
            f"{frames[first].name}",
            cause="frames that are not in the order of the video, or a frame that is listed twice",
            fix="take video.frames as open_wad gives them, or sort the frames by name",
        )
    return np.append(0.0, np.cumsum(steps))[: len(frames)]
