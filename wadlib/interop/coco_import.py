"""Read COCO's JSON: a dataset's annotations as instances, or as WAD label files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import make_folder
from wadlib.errors import InstancesError
from wadlib.frames import write_label
from wadlib.instances import Instances, Runs
from wadlib.instances.reader import SUFFIX
from wadlib.instances.rle import size_text
from wadlib.labels import BACKGROUND, CLASSES, IDS, IGNORE

__all__ = ["CocoFrame", "read_coco", "write_labels"]

_OTHER_NAMES = {"motorcycle": 34, "pedestrian": 36, "people": 36}
"""Names of the seven classes in other datasets, beside our own."""


class CocoFrame(NamedTuple):
    """One image of a COCO dataset.

    Attributes
    ----------
    id : int
    file_name : str
    instances : Instances of score 1
    ignore : Runs
        Its crowd regions: IGNORE in a label map.
    """

    id: int
    file_name: str
    instances: Instances
    ignore: Runs


def read_coco(path: str | Path) -> Iterator[CocoFrame]:
    """Read a COCO dataset, image by image; its categories are known by name (or by a WAD class id).

    Polygons and RLE are understood. Annotations of categories that WAD does not evaluate are left out.

    Raises
    ------
    InstancesError
        The file cannot be read, is no COCO dataset, or has an annotation that fits no image.
    """
    dataset = _load(Path(path))
    try:
        classes = _classes(dataset["categories"])
        of_image: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in dataset["images"]}
        for annotation in dataset["annotations"]:
            if annotation["image_id"] not in of_image:
                raise _bad(
                    path, f"annotation {annotation.get('id')} belongs to image {annotation['image_id']}, not listed"
                )
            if annotation["category_id"] in classes:
                of_image[annotation["image_id"]].append(annotation)
        if len(of_image) != len(dataset["images"]):
            raise _bad(path, "two images have one id")
        frames = (_frame(image, of_image[image["id"]], classes) for image in dataset["images"])
        yield from frames
    except KeyError as error:
        raise _bad(path, f"an entry has no {error}") from error


def write_labels(path: str | Path, out: str | Path) -> list[Path]:
    """Write a label file for each image of a COCO dataset: ``OUT/train_label/<frame>_instanceIds.png``.

    A label pixel holds one instance. Where masks overlap the smaller one is on top; crowds become IGNORE,
    below all instances.

    Raises
    ------
    InstancesError
        See `read_coco`.
    """
    folder = make_folder(Path(out) / "train_label")
    written = []
    for frame in read_coco(path):
        target = folder / f"{Path(frame.file_name).stem}{SUFFIX}"
        write_label(target, _label(frame))
        written.append(target)
    return written


def _load(path: Path) -> dict[str, Any]:
    try:
        dataset = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _bad(path, f"cannot read it: {error}") from error
    wanted = ("images", "annotations", "categories")
    if not isinstance(dataset, dict) or not all(isinstance(dataset.get(key), list) for key in wanted):
        raise _bad(path, f"expected lists {', '.join(wanted)}")
    return dataset


def _frame(image: dict[str, Any], annotations: list[dict[str, Any]], classes: dict[Any, int]) -> CocoFrame:
    shape = (int(image["height"]), int(image["width"]))
    crowds = [each for each in annotations if each.get("iscrowd")]
    objects = [each for each in annotations if not each.get("iscrowd")]
    class_ids = np.array([classes[each["category_id"]] for each in objects], np.int32)
    found = Instances(class_ids, np.ones(len(objects), np.float32), _masks(objects, shape))
    return CocoFrame(image["id"], image["file_name"], found, _masks(crowds, shape))


def _classes(categories: Sequence[dict[str, Any]]) -> dict[Any, int]:
    """COCO's category id -> WAD class id, of the categories that are one of ours."""
    by_name = {row.name: row.id for row in CLASSES.values()} | _OTHER_NAMES
    found = {}
    for category in categories:
        name = str(category.get("name", "")).lower()
        if name in by_name:
            found[category["id"]] = by_name[name]
        elif category["id"] in IDS and not name:
            found[category["id"]] = category["id"]
    return found


def _masks(annotations: list[dict[str, Any]], shape: tuple[int, int]) -> Runs:
    return Runs.concatenate([_mask(each, shape) for each in annotations], shape)


def _mask(annotation: dict[str, Any], shape: tuple[int, int]) -> Runs:
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):  # polygons: the parts of one instance
        from pycocotools import mask as coco_mask

        segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, *shape))
    size = segmentation.get("size")
    if size is None or list(size) != list(shape):
        raise InstancesError(
            f"read_coco: annotation {annotation.get('id')} has a mask of {size_text(size)} pixels, "
            f"its image has {shape[1]}x{shape[0]}",
            cause="masks that were made at another size",
            fix="write the masks at the size of the image",
        )
    return Runs.from_rle([segmentation], shape)


def _label(frame: CocoFrame) -> npt.NDArray[np.uint16]:
    label = np.full(frame.instances.shape, BACKGROUND, np.uint16)
    frame.ignore.paint(label, [IGNORE] * len(frame.ignore))
    largest_first = np.argsort(-frame.instances.areas_px, kind="stable")
    frame.instances.runs.take(largest_first).paint(label, frame.instances.codes[largest_first])
    return label


def _bad(path: str | Path, what: str) -> InstancesError:
    return InstancesError(
        f"read_coco: {Path(path).name}: {what}",
        cause="not a COCO dataset, or one that was cut off",
        fix="pass a file with images, annotations and categories, such as instances_val2017.json",
    )
