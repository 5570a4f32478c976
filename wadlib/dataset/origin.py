"""Where prepared frames come from: a file beside those of another dataset, so that its gaps stay known."""

import json
from pathlib import Path

from wadlib._shared.fields import read_json
from wadlib._shared.files import write_text
from wadlib.dataset.classes import TABLES, unlabelled
from wadlib.dataset.frame import Source
from wadlib.errors import DatasetError

_FILE = "origin.json"


def write_origin(folder: Path, source: Source) -> None:
    """Write which dataset the frames in a folder of WAD's layout come from."""
    write_text(folder / _FILE, json.dumps({"dataset": source.kind, "tracks": source.tracks}) + "\n")


def read_origin(folder: Path) -> Source | None:
    """Read what `write_origin` wrote; None where nothing was: WAD's own frames.

    Raises
    ------
    DatasetError
        A file that names no dataset that wadlib knows.
    """
    try:
        facts = read_json(folder / _FILE)
        kind, tracks = facts["dataset"], facts["tracks"]
        if kind not in TABLES or not isinstance(tracks, bool):
            raise ValueError(f"dataset {kind!r}, tracks {tracks!r}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"open_wad: {_FILE}: {getattr(error, 'strerror', None) or error!r}",
            cause="a file that was edited or cut off",
            fix="prepare the dataset again, or delete the file if the frames are WAD's own",
        ) from error
    return Source(kind, unlabelled=unlabelled(kind), tracks=tracks)
