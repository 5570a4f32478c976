"""Write a folder of predictions, ``PRED/label/`` and ``PRED/instances.json``, from scored instances."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from wadlib._shared.files import atomic_path, make_folder
from wadlib.frames import write_label
from wadlib.instances.detections import Detections
from wadlib.instances.prediction_folder import INSTANCES, SUFFIX
from wadlib.instances.reader import frame_name
from wadlib.instances.rle import results_of

__all__ = ["write_predictions"]


def write_predictions(out: str | Path, found: Iterable[tuple[str, Detections]]) -> int:
    """Write what was found in each frame, as it comes.

    Parameters
    ----------
    out : folder
    found : iterable of (file name of the picture, Detections)

    Returns
    -------
    int
        How many instances were written. ``instances.json`` appears when all frames are there.
    """
    labels = make_folder(Path(out) / "label")
    written = 0
    with atomic_path(Path(out) / INSTANCES) as part, part.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, (file_name, detections) in enumerate(found, start=1):
            write_label(labels / f"{frame_name(file_name)}{SUFFIX}", detections.to_label_map())
            for row in results_of(detections):
                row = {"image_id": number, "file_name": file_name, **row}
                file.write((",\n" if written else "\n") + json.dumps(row, allow_nan=False))
                written += 1
        file.write("]\n")
    return written
