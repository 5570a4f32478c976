"""Where prepared frames come from: a file beside those of another dataset, so that its gaps stay known."""

import json
from pathlib import Path

from wadlib._shared.fields import read_json
from wadlib._shared.files import write_text
from wadlib.dataset.classes import TABLES, unlabelled
from wadlib.dataset.frame import Source
from wadlib.errors import DatasetError
from wadlib.labels import CLASSES

_FILE = "origin.json"


def write_origin(folder: Path, source: Source) -> None:
    """Write which dataset the frames in a folder of WAD's layout come from, and what nobody labelled there."""
    facts = {"dataset": source.kind, "tracks": source.tracks, "unlabelled": list(source.unlabelled)}
    write_text(folder / _FILE, json.dumps(facts) + "\n")


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
        missing = facts.get("unlabelled", unlabelled(kind))  # files of before had none
        if any(type(each) is not int or each not in CLASSES for each in missing):
            raise ValueError(f"unlabelled {missing!r}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"open_wad: {_FILE}: {getattr(error, 'strerror', None) or error!r}",
            cause="a file that was edited or cut off",
            fix="prepare the dataset again, or delete the file if the frames are WAD's own",
        ) from error
    return Source(kind, unlabelled=tuple(missing), tracks=tracks)
