"""Write COCO's JSON: labels as a dataset, predictions as results.

One annotation is one instance, however many parts an occlusion cuts it into. (The authors' loader turned
each part, a polygon, into a further copy of the whole instance.) Ids begin at 1: pycocotools takes 0 for "no
match" and scores a perfect prediction as zero.
"""

import json
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import IO, Any

from wadlib._shared.files import atomic_path
from wadlib._shared.parallel import map_labels
from wadlib.dataset.frame import Frame
from wadlib.errors import InstancesError
from wadlib.instances import PredictionFolder, Runs
from wadlib.instances.reader import FramePrediction
from wadlib.instances.rle import coco_boxes
from wadlib.interop.complete import check_frames, check_size
from wadlib.labels import CLASSES, IDS, IGNORE, decode


def write_coco(
    frames: Iterable[Frame],
    path: str | Path,
    *,
    ignore: bool = True,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> int:
    """Write the true labels of frames as a COCO dataset.

    Parameters
    ----------
    frames : iterable of frames, such as ``open_wad(root).frames``
        Image n of the file is frame n, from 1.
    path : file to write
    ignore : bool
        Write the IGNORE region of a frame as a crowd of each class: COCO's way to say that what is found
        there counts neither for nor against.
    workers, executor, progress
        See `wadlib._shared.parallel.map_frames`; threads by default.

    Returns
    -------
    int
        How many annotations there are.
    """
    frames = list(frames)
    check_frames("write_coco", [frame.name for frame in frames], [frame.name for frame in frames], "error")
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        images, written = list[str](), 0  # as text: a fifth of what the objects take
        file.write('{"annotations": [')
        read = map_labels(partial(_annotations, ignore=ignore), frames, "exporting", workers, executor, progress)
        for number, (frame, (shape, annotations)) in enumerate(read, start=1):
            image = {"id": number, "file_name": frame.file_name, "height": shape[0], "width": shape[1]}
            images.append(json.dumps(image))
            for annotation in annotations:
                written += 1
                _write_row(file, {"id": written, "image_id": number, **annotation}, first=written == 1)
        categories = [{"id": row.id, "name": row.name, "supercategory": "road user"} for row in CLASSES.values()]
        file.write('],\n"images": [' + ", ".join(images) + '],\n"categories": ' + json.dumps(categories))
        file.write(',\n"info": {"description": "WAD labels, written by wadlib"}}\n')
    return written


def write_coco_results(
    frames: Iterable[Frame],
    prediction: str | Path,
    path: str | Path,
    *,
    missing: str = "error",
    workers: int | None = None,
    executor: Executor | None = None,
    progress: bool = True,
) -> int:
    """Write predictions in COCO's results format, with the image ids that `write_coco` gives the same frames.

    `prediction` is a folder of label maps, with their ``instances.json`` where there are scores. The file
    has ``file_name`` too, so it is an ``instances.json`` itself. Returns the number of instances.

    Raises
    ------
    MetricError
        A frame has no prediction, a prediction has another size than its frame's label, or it belongs to another
        frame; ``missing="empty"`` takes what there is.
    """
    folder, frames = PredictionFolder.open(prediction), list(frames)
    check_frames("write_coco_results", [frame.name for frame in frames], folder.names, missing)
    written = 0
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        file.write("[")
        pairs = [(frame, folder.frame(frame.name) if frame.name in folder else None) for frame in frames]
        read = map_labels(_result_rows, pairs, "exporting", workers, executor, progress)
        for number, ((frame, _), rows) in enumerate(read, start=1):
            for row in rows:
                written += 1
                _write_row(file, {"image_id": number, "file_name": frame.file_name, **row}, first=written == 1)
        file.write("]\n")
    return written


def _annotations(frame: Frame, ignore: bool) -> tuple[tuple[int, int], list[dict[str, Any]]]:
    if frame.label_path is None:
        raise InstancesError(
            f"write_coco: frame {frame.name} has no label",
            cause="a test frame, or a label file that is missing",
            fix="export training frames: open_wad(root).frames",
        )
    codes, runs = Runs.from_label(frame.read_label())
    class_ids = decode(codes)[0]
    rows = []
    for code, class_id, area, box, rle in zip(
        codes.tolist(), class_ids.tolist(), runs.areas.tolist(), coco_boxes(runs.boxes), runs.to_rle(), strict=True
    ):
        categories = [class_id] if class_id in IDS else list(IDS) if ignore and code == IGNORE else []
        for category in categories:
            rows.append(
                {
                    "category_id": category,
                    "segmentation": rle,
                    "area": area,
                    "bbox": box,
                    "iscrowd": int(code == IGNORE),
                }
            )
    return runs.shape, rows


def _result_rows(pair: tuple[Frame, FramePrediction | None]) -> list[dict[str, Any]]:
    frame, prediction = pair
    if prediction is None:
        return []
    found = prediction.read()
    check_size("write_coco_results", frame, found.shape)
    return found.to_coco()


def _write_row(file: IO[str], row: dict[str, Any], first: bool) -> None:
    """One row per line, written as it comes: a dataset's annotations need not fit into memory."""
    file.write(("\n" if first else ",\n") + json.dumps(row, allow_nan=False))
