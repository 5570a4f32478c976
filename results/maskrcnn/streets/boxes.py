"""Turn a set of pictures with boxes (YOLO's text files) into frames that Mask R-CNN can learn vehicles from.

    python boxes.py OUT WEIGHTS FOLDER:NAMES [FOLDER:NAMES …]

FOLDER holds ``images/`` and ``labels/``; a line of a label file is ``class x y width height``, the last four as shares
of the picture. NAMES is the YAML file that names the classes. OUT gets the pictures that have a truck, in WAD's
layout, and ``origin.json``, which says that people, cycles and tricycles are not labelled there.

The boxes are people's, the masks are not: the network with WEIGHTS draws a mask inside each box. Where it does not
nearly fill the box, a box with rounded corners takes its place. What is neither car, truck nor bus, and what may be
several classes (a pickup is a truck for Cityscapes and a car elsewhere), is IGNORE.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import yaml

from wadlib.dataset.frame import Source
from wadlib.dataset.layout import train_list_file
from wadlib.dataset.origin import write_origin
from wadlib.frames import write_image, write_label
from wadlib.labels import BACKGROUND, CLASSES, IGNORE, by_name, encode
from wadlib.training import quiet

quiet()

from wadlib.maskrcnn import MaskRCNN  # noqa: E402
from wadlib.maskrcnn.frames.images import canvas, normalise  # noqa: E402
from wadlib.maskrcnn.frames.views import Placement  # noqa: E402
from wadlib.maskrcnn.network import boxes as box_math  # noqa: E402
from wadlib.maskrcnn.network.compiled import compiled  # noqa: E402
from wadlib.maskrcnn.weights import find, read_config  # noqa: E402

OURS = {"car": "car", "van": "car", "minivan": "car", "truck": "truck", "bus": "bus"}
WANTED = {"truck"}
LABELLED = {by_name(name).id for name in OURS.values()}
SIDE, MOST = (384, 704), 60  # of the network's input; of boxes in a picture


def read(path: Path, names: list[str], shape: tuple[int, int]) -> tuple[list[str], np.ndarray]:
    """Names and boxes (N, 4) in pixels, y1 x1 y2 x2; a polygon is its box."""
    found, places = [], []
    for line in path.read_text().splitlines():
        number, *values = line.split()
        values = np.array(values, float)
        if len(values) == 4:
            x, y, width, height = values
            edges = [y - height / 2, x - width / 2, y + height / 2, x + width / 2]
        else:
            xs, ys = values[::2], values[1::2]
            edges = [ys.min(), xs.min(), ys.max(), xs.max()]
        found.append(names[int(number)].lower())
        places.append(np.clip(edges, 0, 1) * [*shape, *shape])
    return found, np.array(places).reshape(-1, 4)


def rounded_box(height: int, width: int) -> np.ndarray:
    """A superellipse |x|^6 + |y|^6 <= 1, (height, width) bool: the box without its corners."""
    y, x = (np.abs((np.arange(n) + 0.5) / n * 2 - 1) ** 6 for n in (height, width))
    return y[:, None] + x <= 1


class Drawer:
    """The mask head of a network, asked for the mask of a given class in a given box."""

    def __init__(self, weights: str) -> None:
        self.config = read_config(find(weights)).replace(dtype="float32", image_shape=SIDE)
        self.model = MaskRCNN(self.config)
        self.model.load(weights)
        levels = {name: self.model.network.tensors[name] for name in ("P2", "P3", "P4", "P5")}
        self.pyramid = compiled(keras.Model(self.model._inputs, levels))
        self.classes = {class_id: n for n, class_id in enumerate(self.config.wad_classes)}

    def masks(self, picture: np.ndarray, class_ids: list[int], places: np.ndarray) -> np.ndarray:
        """Probabilities, (N, 28, 28)."""
        placement = Placement.of(picture.shape[:2], self.config)
        image = normalise(canvas(picture, placement)[None], self.config)
        levels = self.pyramid({"image": image, "window": placement.normalized_window[None]})
        rows = np.zeros((1, MOST, 6), np.float32)
        at = placement.to_input(places)
        rows[0, : len(places), :4] = box_math.normalize(at, SIDE)
        rows[0, : len(places), 4] = [self.classes[each] for each in class_ids]
        rows[0, : len(places), 5] = 1
        found = self.model._mask_function(MOST)({"detections": rows, **levels})
        return np.asarray(found)[0, : len(places)]


def label_of(drawer: Drawer, picture: np.ndarray, names: list[str], places: np.ndarray) -> np.ndarray:
    """Draw a label, (H, W) uint16 in WAD's codes: what ends lower stands in front."""
    label = np.full(picture.shape[:2], BACKGROUND, np.uint16)
    whole = np.round(places).astype(int)
    large = ((whole[:, 2:] - whole[:, :2]) >= 2).all(axis=1)
    ours = [n for n in np.flatnonzero(large) if names[n] in OURS][:MOST]
    ids = [by_name(OURS[names[n]]).id for n in ours]
    drawn = dict(zip(ours, drawer.masks(picture, ids, places[ours]), strict=True)) if ours else {}
    count = dict.fromkeys(CLASSES, 0)
    for n in np.argsort(places[:, 2], kind="stable") if len(places) else []:
        y1, x1, y2, x2 = whole[n]
        if not large[n]:
            continue
        seen = label[y1:y2, x1:x2]
        if n not in drawn:
            seen[seen == BACKGROUND] = IGNORE
            continue
        box = rounded_box(y2 - y1, x2 - x1)
        mask = cv2.resize(drawn[n], (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR) >= 0.5
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if (
            not len(rows)
            or (np.ptp(rows) + 1) * (np.ptp(columns) + 1) < 0.85 * mask.size
            or (mask & box).sum() < 0.6 * (mask | box).sum()
        ):
            mask = box
        class_id = by_name(OURS[names[n]]).id
        seen[mask] = encode(class_id, count[class_id])
        count[class_id] += 1
    return label


def main(out: Path, weights: str, sets: list[str]) -> None:
    """Write all pictures that have a truck, ten to a video."""
    drawer = Drawer(weights)
    for folder in ("train_color", "train_label", "train_video_list"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    counted = dict.fromkeys(OURS.values(), 0)
    for each in sets:
        folder, file = each.rsplit(":", 1)
        known = yaml.safe_load(Path(file).read_text())["names"]
        for path in sorted((Path(folder) / "labels").glob("*.txt")):
            image = next((Path(folder) / "images").glob(f"{path.stem}.*"), None)
            picture = None if image is None else cv2.imread(str(image))
            if picture is None:
                continue
            names, places = read(path, known, picture.shape[:2])
            if not WANTED & set(names):
                continue
            label = label_of(drawer, picture[:, :, ::-1], names, places)
            for name in names:
                if name in OURS:
                    counted[OURS[name]] += 1
            n = len(written)
            written.append(f"200103_{n // 3600:02d}{n // 60 % 60:02d}{n % 60:02d}000_Camera_5")
            write_image(out / "train_color" / f"{written[-1]}.jpg", picture[:, :, ::-1], quality=95)
            write_label(out / "train_label" / f"{written[-1]}_instanceIds.png", label)
            if n % 100 == 0:
                print(n, each, flush=True)
    for first in range(0, len(written), 10):
        lines = [f"a\\b\\{name}.jpg\ta\\c\\{name}_instanceIds.png\n" for name in written[first : first + 10]]
        (out / train_list_file(f"road01_cam_5_video_{first // 10}")).write_text("".join(lines))
    missing = [class_id for class_id in CLASSES if class_id not in LABELLED]
    write_origin(out, Source("coco", unlabelled=tuple(missing)))
    print(f"{len(written)} pictures; " + ", ".join(f"{name} {number}" for name, number in counted.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
