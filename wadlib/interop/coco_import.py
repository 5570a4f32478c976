"""Read COCO's JSON: a dataset's annotations as instances, or as WAD label files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib._shared.fields import MAX_PIXELS, Record, is_number, read_json
from wadlib._shared.files import inside, make_folder
from wadlib.errors import InstancesError
from wadlib.frames import write_label
from wadlib.instances import Instances, Runs
from wadlib.instances.instances_file import frame_name
from wadlib.instances.reader import SUFFIX
from wadlib.instances.rle import size_of, size_text
from wadlib.labels import BACKGROUND, CLASSES, IDS, IGNORE

_OTHER_NAMES = {"motorcycle": 34, "pedestrian": 36, "people": 36}
"""Names of the seven classes in other datasets, beside our own."""


_FORM = "pass a file with images, annotations and categories, such as instances_val2017.json"
_NAMES = "name the categories as WAD does: " + ", ".join(CLASSES[class_id].name for class_id in IDS)


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


class CocoDataset(NamedTuple):
    """A COCO dataset, looked through and checked; iterate over `frames`.

    Attributes
    ----------
    path : Path
    images : dict
        Image id -> its record.
    of_image : dict
        Image id -> its annotations of our classes.
    classes : dict
        Category id -> WAD class id, or IGNORE.
    taken, left_out : dict of str to int
        Name of a category -> how many annotations it has: of those that are one of ours, and of the others.
    """

    path: Path
    images: dict[Any, Record]
    of_image: dict[Any, list[Record]]
    classes: dict[Any, int]
    taken: dict[str, int]
    left_out: dict[str, int]

    @classmethod
    def open(cls, path: str | Path, ignored: Collection[str] = ()) -> CocoDataset:
        """Look through a file; see `read_coco` for what it refuses. Categories named in `ignored` are IGNORE."""
        path = Path(path)
        dataset, bad = _load(path), partial(_bad, path)
        categories = [Record(each, f"category {n}", bad) for n, each in enumerate(dataset["categories"], 1)]
        names = {each.key("id"): each.values.get("name") or each.key("id") for each in categories}
        classes = _classes(categories, ignored)
        images, of_image = dict[Any, Record](), dict[Any, list[Record]]()
        for n, values in enumerate(dataset["images"], 1):
            image = Record(values, f"picture {n}", bad)
            key = image.key("id")
            if key in images:
                raise bad("two images have one id")
            images[key], of_image[key] = image._replace(place=f"image {key} ({image.text('file_name')})"), []
            height, width = image.whole("height", 1, MAX_PIXELS), image.whole("width", 1, MAX_PIXELS)
            if height * width > MAX_PIXELS:
                raise bad(f"{images[key].place}: {width}x{height} pixels are more than {MAX_PIXELS}")
        counts = Counter[Any]()
        for n, values in enumerate(dataset["annotations"], 1):
            annotation = Record(values, f"annotation number {n}", bad)
            shown = values.get("id", f"number {n}") if isinstance(values, dict) else f"number {n}"
            key = annotation.key("image_id")
            if key not in images:
                raise bad(f"annotation {shown} belongs to image {key}, not listed")
            annotation = annotation._replace(place=f"annotation {shown} of {images[key].place}")
            category = annotation.key("category_id")
            if category not in names:
                raise bad(f"{annotation.place}: category_id {category!r} is none of the categories")
            counts[category] += 1
            if category in classes:
                of_image[key].append(annotation)
        if not classes:
            known = ", ".join(str(name) for name in list(names.values())[:8]) or "none"
            raise _bad(path, f"no category is one of ours; there are {known}", fix=_NAMES)
        taken, left_out = dict[str, int](), dict[str, int]()
        for key, name in names.items():
            (taken if key in classes else left_out)[str(name)] = counts[key]
        return cls(path, images, of_image, classes, taken, left_out)

    @property
    def frames(self) -> Iterator[CocoFrame]:
        """Image by image, in the order of the file."""
        for key, image in self.images.items():
            yield _frame(key, image, self.of_image[key], self.classes)

    def label(self, key: Any) -> npt.NDArray[np.uint16]:
        """Paint the label (H, W) of an image, by its id; see `write_labels`."""
        return _label(_frame(key, self.images[key], self.of_image[key], self.classes))

    def summary(self) -> str:
        """Say which categories were taken and which were left out, with their numbers of annotations."""
        lines = [
            f"{what}: "
            + ", ".join(f"{name} ({number})" for name, number in list(counts.items())[:12])
            + (", …" if len(counts) > 12 else "")
            for what, counts in (("Categories taken", self.taken), ("Categories left out", self.left_out))
            if counts
        ]
        return "\n".join(lines)


def read_coco(path: str | Path) -> Iterator[CocoFrame]:
    """Read a COCO dataset, image by image; its categories are known by name (or by a WAD class id).

    Polygons and RLE are understood. Annotations of categories that WAD does not evaluate are left out.

    Raises
    ------
    InstancesError
        The file cannot be read, is no COCO dataset, has no category that is one of ours, or has an annotation that
        fits no image. The message names the annotation.
    """
    yield from CocoDataset.open(path).frames


def write_labels(dataset: str | Path | CocoDataset, out: str | Path) -> list[Path]:
    """Write a label file for each image of a COCO dataset: ``OUT/train_label/<frame>_instanceIds.png``.

    A label pixel holds one instance. Where masks overlap the smaller one is on top; crowds become IGNORE,
    below all instances.

    Raises
    ------
    InstancesError
        See `read_coco`; or two pictures would have one label file.
    """
    coco = dataset if isinstance(dataset, CocoDataset) else CocoDataset.open(dataset)
    names = dict[str, str]()
    for image in coco.images.values():
        name = frame_name(image.text("file_name"))
        # Compared without case: some file systems know no other name.
        if name in ("", ".", "..") or names.setdefault(name.casefold(), image.place) != image.place:
            other = names.get(name.casefold(), "none")
            raise _bad(
                coco.path,
                f"the label of {image.place} would have the name of that of {other}",
                fix="give each picture a name of its own, without regard to its folder",
            )
    folder = make_folder(Path(out) / "train_label")
    written = []
    for frame in coco.frames:
        target = inside(folder, f"{frame_name(frame.file_name)}{SUFFIX}")
        write_label(target, _label(frame))
        written.append(target)
    return written


def _load(path: Path) -> dict[str, Any]:
    try:
        dataset = read_json(path)
    except (OSError, ValueError, MemoryError) as error:
        raise _bad(path, f"cannot read it: {error}") from error
    wanted = ("images", "annotations", "categories")
    if not isinstance(dataset, dict) or not all(isinstance(dataset.get(key), list) for key in wanted):
        raise _bad(path, f"expected lists {', '.join(wanted)}")
    return dataset


def _frame(key: Any, image: Record, annotations: list[Record], classes: dict[Any, int]) -> CocoFrame:
    shape = (image.whole("height", 1), image.whole("width", 1))
    kind = [each.flag("iscrowd") or classes[each.key("category_id")] == IGNORE for each in annotations]
    crowds = [each for each, is_crowd in zip(annotations, kind, strict=True) if is_crowd]
    objects = [each for each, is_crowd in zip(annotations, kind, strict=True) if not is_crowd]
    class_ids = np.array([classes[each.key("category_id")] for each in objects], np.int32)
    found = Instances(class_ids, np.ones(len(objects), np.float32), _masks(objects, shape))
    return CocoFrame(key, image.text("file_name"), found, _masks(crowds, shape))


def _classes(categories: Sequence[Record], ignored: Collection[str]) -> dict[Any, int]:
    """COCO's category id -> WAD class id, of the categories that are one of ours; IGNORE for those to be ignored."""
    by_name = {row.name: row.id for row in CLASSES.values()} | _OTHER_NAMES | dict.fromkeys(ignored, IGNORE)
    found = {}
    for category in categories:
        key, name = category.key("id"), str(category.values.get("name") or "").strip().lower()
        if name in by_name:
            found[key] = by_name[name]
        elif key in IDS and not name:
            found[key] = key
    return found


def _masks(annotations: list[Record], shape: tuple[int, int]) -> Runs:
    return Runs.concatenate([_mask(each, shape) for each in annotations], shape)


def _mask(annotation: Record, shape: tuple[int, int]) -> Runs:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, list):  # polygons: the parts of one instance
        from pycocotools import mask as coco_mask

        # pycocotools looks at nothing: it takes 4 numbers for a box, and dies of nan and of far-away points.
        limit = 4 * max(shape)
        if not segmentation or not all(
            isinstance(part, list)
            and len(part) >= 6
            and len(part) % 2 == 0
            and all(is_number(each, -limit, limit) for each in part)
            for part in segmentation
        ):
            raise annotation.wrong("segmentation", "lists of 3 or more points x, y within the picture")
        segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, *shape))
    elif not isinstance(segmentation, dict):
        raise annotation.wrong("segmentation", "polygons or RLE")
    size = size_of(segmentation)
    if not isinstance(size, list | tuple) or list(size) != list(shape):
        raise InstancesError(
            f"read_coco: {annotation.place.partition(' of ')[0]} has a mask of {size_text(size)} pixels, "
            f"its image has {shape[1]}x{shape[0]}",
            cause="masks that were made at another size",
            fix="write the masks at the size of the image",
        )
    try:
        return Runs.from_rle([segmentation], shape)
    except (InstancesError, KeyError) as error:
        raise annotation.error(f"{annotation.place}: {getattr(error, 'what', 'no counts')}") from error


def _label(frame: CocoFrame) -> npt.NDArray[np.uint16]:
    label = np.full(frame.instances.shape, BACKGROUND, np.uint16)
    frame.ignore.paint(label, [IGNORE] * len(frame.ignore))
    largest_first = np.argsort(-frame.instances.areas_px, kind="stable")
    frame.instances.runs.take(largest_first).paint(label, frame.instances.codes[largest_first])
    return label


def _bad(path: str | Path, what: str, fix: str = _FORM) -> InstancesError:
    return InstancesError(
        f"read_coco: {Path(path).name}: {what}", cause="not a COCO dataset, or one that was edited or cut off", fix=fix
    )
