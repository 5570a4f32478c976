"""Write pictures as a video file that browsers play, through PyAV: whole or not at all.

H.264 (4:2:0, index first) is what everything plays; AV1 takes less than half the space. OpenCV's writer is no choice:
its mp4v plays in no browser, and for codecs that it lacks it writes an empty file without an error.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import atomic_path
from wadlib._shared.words import one_of
from wadlib.errors import ImageError, StorageError

USUAL_RATE = Fraction(1000, 139)
"""Frames per second of WAD at the usual speed."""

CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"crf": "26", "preset": "medium"}),
    "av1": ("libsvtav1", {"crf": "35", "preset": "8"}),
}
"""Name: encoder and its settings."""


def write_video(
    pictures: Iterable[npt.NDArray[np.uint8]],
    path: str | Path,
    *,
    rate: float | Fraction = USUAL_RATE,
    codec: str = "h264",
) -> int:
    """Write pictures as a video.

    Parameters
    ----------
    pictures : iterable of (H, W, 3) uint8 RGB, all of one size
        Read one at a time. An odd last row or column is repeated: the format wants even sides.
    path : path, ``….mp4``
    rate : float or Fraction
        Frames per second.
    codec : "h264" or "av1"

    Returns
    -------
    int
        How many frames were written; at least one.

    Raises
    ------
    ImageError
        No picture, or one of another size or type.
    StorageError
        Another ending than .mp4, an encoder that is missing or fails, or a file that cannot be written.
    """
    import av  # a tenth of a second, and only here

    path = Path(path)
    one_of(codec, tuple(CODECS), "write_video: codec", ImageError)
    if path.suffix.lower() != ".mp4":
        raise StorageError(
            f"write_video: expected a name that ends in .mp4, got {path.name!r}",
            cause="another format in mind",
            fix="write out.mp4: browsers and players know it",
        )
    if not 0 < rate <= 1000:
        raise ImageError(
            f"write_video: expected a rate of 0 to 1000 frames per second, got {rate}",
            cause="milliseconds in place of frames per second",
            fix="leave it out, or use rate=10",
        )
    encoder, settings = CODECS[codec]
    os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder prints a banner otherwise
    frames = 0
    try:
        with _own_priority(), atomic_path(path) as part:
            # The first picture fixes the size; the stream is opened for it.
            with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                stream: Any = None
                for picture in pictures:
                    even = _even(picture, frames, None if stream is None else (stream.height, stream.width))
                    if stream is None:
                        stream = container.add_stream(encoder, rate=Fraction(rate).limit_denominator(100_000))
                        stream.options = settings
                        stream.pix_fmt = "yuv420p"
                        stream.height, stream.width = even.shape[:2]
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
                    frames += 1
                if stream is None:
                    raise ImageError(
                        "write_video: expected at least one picture, got none",
                        cause="a video without frames",
                        fix="check which frames have a prediction: `wadlib info`",
                    )
                container.mux(stream.encode(None))
            _check(part, frames)
    except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
        raise StorageError(
            f"write_video: the encoder {encoder} failed: {error}",
            cause="a build of PyAV without it, or a size that it does not take",
            fix=f"pip install --force-reinstall av, or use another codec of {sorted(CODECS)}",
        ) from error
    return frames


@contextmanager
def _own_priority() -> Iterator[None]:
    """Give this thread its scheduling back: as root, the AV1 encoder makes it real-time, ahead of all others."""
    if not hasattr(os, "sched_getscheduler"):  # not on Linux
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def _even(picture: npt.NDArray[np.uint8], number: int, size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """Check a picture, and give it even sides."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ImageError(
            f"write_video: expected (H, W, 3) uint8 pictures, got {picture.shape} {picture.dtype} at {number}",
            cause="grey pictures, or numbers from 0 to 1",
            fix="(255 * picture).astype(np.uint8), and three channels",
        )
    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    if size is not None and even.shape[:2] != size:
        raise ImageError(
            f"write_video: expected all pictures of {size[1]}x{size[0]}, "
            f"got {even.shape[1]}x{even.shape[0]} at {number}",
            cause="frames of two datasets or preparations",
            fix="bring them to one size first",
        )
    return np.ascontiguousarray(even)


def _check(path: Path, frames: int) -> None:
    """Count what is in the file: an encoder that drops frames must not pass."""
    import av

    with av.open(str(path)) as container:
        written = sum(packet.size > 0 for packet in container.demux(video=0))
    if written != frames:
        raise StorageError(
            f"write_video: {frames} frames were given and {written} are in the file",
            cause="a broken build of the encoder",
            fix="pip install --force-reinstall av, or use the other codec",
        )
