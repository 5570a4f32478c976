"""Read the true identities of a dataset, which WAD's labels do not tell."""

from pathlib import Path

from wadlib._shared.fields import read_json
from wadlib.errors import DatasetError

TRACKS = "tracks.json"
"""Beside ``train_label`` in a rendered dataset, and beside ``label`` in what ``wadlib track`` writes."""


def read_tracks(folder: str | Path) -> dict[str, dict[int, int]]:
    """Read ``tracks.json``, the identities of the objects.

    Parameters
    ----------
    folder : path
        A rendered dataset, or predictions of ``wadlib track``.

    Returns
    -------
    dict[str, dict[int, int]]
        Name of the frame -> label code -> track, a whole number that is the same for the same object in every frame
        of one video.

    Raises
    ------
    DatasetError
        No such file, or not of this form.
    """
    path = Path(folder) / TRACKS
    try:
        videos = read_json(path)["videos"]
        return {
            frame: {int(code): _whole(track) for code, track in codes.items()}
            for frames in videos.values()
            for frame, codes in frames.items()
        }
    except OSError as error:
        raise DatasetError(
            f"read_tracks: expected {TRACKS} in {path.parent.name}, cannot read it: {error.strerror}",
            cause="real WAD labels: their instance numbers change from frame to frame, so nobody knows the identities",
            fix="score tracks on a rendered dataset (`wadlib render`), or write a tracks.json by hand",
        ) from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DatasetError(
            f'read_tracks: expected {{"videos": {{video: {{frame: {{code: track}}}}}}}} in {path.name}, got {error!r}',
            cause="a damaged file, or one of another program",
            fix="write it again: `wadlib render` and `wadlib track` do",
        ) from error


def _whole(track: object) -> int:
    if isinstance(track, bool) or not isinstance(track, int):
        raise ValueError(f"track {track!r}")
    return track
