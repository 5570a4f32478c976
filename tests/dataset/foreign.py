"""Small datasets in other people's formats, written here from one set of WAD labels, by code of its own."""

import json
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

SHAPE = (60, 100)
# WAD class id -> theirs, typed from the datasets' own pages: cityscapesScripts labels.py; BDD100K's format of
# bitmasks; CARLA's ObjectLabel.h; the KITTI-MOTS page; COCO's categories.
CITYSCAPES = {33: 26, 34: 32, 35: 33, 36: 24, 37: 25, 38: 27, 39: 28}
BDD = {33: 3, 34: 7, 35: 8, 36: 1, 37: 2, 38: 4, 39: 5}
CARLA = {33: 14, 34: 18, 35: 19, 36: 12, 37: 13, 38: 15, 39: 16}
KITTI = {33: 1, 36: 2}
COCO = {33: (3, "car"), 34: (4, "motorcycle"), 35: (2, "bicycle"), 36: (1, "person"), 38: (8, "truck"), 39: (6, "bus")}


def labels(count=3):
    """WAD labels with an object of each class that other sets have, numbered from 0, moving a pixel per frame."""
    made = []
    for i in range(count):
        label = np.full(SHAPE, 255, np.uint16)
        for n, class_id in enumerate((33, 34, 35, 36, 37, 38, 39)):
            label[5:25, 2 + i + 13 * n : 12 + i + 13 * n] = class_id * 1000
            label[35:45, 2 + i + 13 * n : 9 + i + 13 * n] = class_id * 1000 + 1
        label[50:55, 20:40] = 65535
        made.append(label)
    return made


def only(label, classes):
    """The label with instances of these classes alone: what a poorer set can hold."""
    kept = np.isin(label // 1000, list(classes)) | (label == 65535)
    return np.where(kept, label, 255).astype(np.uint16)


def picture(path: Path, seed=0, shape=SHAPE):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(60, 180, (*shape, 3)).astype(np.uint8)
    assert cv2.imwrite(str(path), image)


def png(path: Path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def cityscapes(root, made=None, scale=1):
    made = labels() if made is None else made
    for i, label in enumerate(made):
        split, city = ("train", "aachen") if i < 2 else ("val", "lindau")
        raw = np.full(label.shape, 7, np.uint16)  # road
        for code in np.unique(label):
            if code == 65535:
                raw[label == code] = 26  # a group of cars
            elif code != 255:
                raw[label == code] = CITYSCAPES[code // 1000] * 1000 + code % 1000
        name = f"{split}/{city}/{city}_{i:06d}_000019"
        picture(root / f"leftImg8bit/{name}_leftImg8bit.png", i, label.shape)
        png(root / f"gtFine/{name}_gtFine_instanceIds.png", raw)
        png(root / f"gtFine/{name}_gtFine_labelIds.png", np.zeros(label.shape, np.uint8))
    name = "test/berlin/berlin_000000_000019"
    picture(root / f"leftImg8bit/{name}_leftImg8bit.png")
    png(root / f"gtFine/{name}_gtFine_instanceIds.png", np.full(SHAPE, 3, np.uint16))
    return root


def bdd(root, tracked=False, first_id=300):
    """Ids from 300 on: red is the class, blue and alpha hold the id; alpha alone is not enough."""
    for i, label in enumerate(labels()):
        pixels = np.zeros((*SHAPE, 4), np.uint8)  # B, G, R, A as OpenCV has them
        for n, code in enumerate(c for c in np.unique(label) if c != 255):
            there, number = label == code, first_id + n
            pixels[there] = number >> 8, 0, 0 if code == 65535 else BDD[code // 1000], number & 255
            if code == 65535:
                pixels[there, 2], pixels[there, 1] = 3, 2  # a car, crowd
        task, pictures, name = (
            ("seg_track_20", "seg_track_20", f"train/0000f77c/0000f77c-{i + 1:07d}")
            if tracked
            else ("ins_seg", "10k", f"train/0000f77c-{i}")
        )
        picture(root / f"images/{pictures}/{name}.jpg", i)
        png(root / f"labels/{task}/bitmasks/{name}.png", pixels)
    return root


def carla(root, version="0.9.16"):
    (root / "rgb").mkdir(parents=True)
    (root / "carla.json").write_text(json.dumps({"version": version, "fov": 90}))
    for i, label in enumerate(labels()):
        pixels = np.zeros((*SHAPE, 4), np.uint8)
        pixels[..., 3], pixels[..., 2] = 255, 1  # B, G, R, A: road everywhere
        for n, code in enumerate(c for c in np.unique(label) if c not in (255, 65535)):
            pixels[label == code] = (700 + n) >> 8, (700 + n) & 255, CARLA[code // 1000], 255
        pixels[label == 65535] = 0, 9, 17, 255  # a train
        picture(root / f"rgb/{i:06d}.png", i)
        png(root / f"instance/{i:06d}.png", pixels)
    return root


def kitti(root, text=False):
    lines = []
    for i, label in enumerate(labels()):
        picture(root / f"image_02/0000/{i:06d}.png", i)
        raw = np.zeros(SHAPE, np.uint16)
        for code in np.unique(label):
            if code == 65535 or code // 1000 in KITTI:
                name = 10000 if code == 65535 else KITTI[code // 1000] * 1000 + code % 1000
                raw[label == code] = name
                rle = coco_mask.encode(np.asfortranarray(label == code))["counts"].decode()
                lines.append(f"{i} {name} {name // 1000} {SHAPE[0]} {SHAPE[1]} {rle}\n")
        if not text:
            png(root / f"instances/0000/{i:06d}.png", raw)
    if text:
        (root / "label_02").mkdir(parents=True)
        (root / "label_02/0000.txt").write_text("".join(lines))
    return root


def coco(root):
    images, annotations = [], []
    for i, label in enumerate(labels()):
        picture(root / f"val2017/{i:012d}.jpg", i)
        images.append({"id": 10 * i + 5, "file_name": f"{i:012d}.jpg", "height": SHAPE[0], "width": SHAPE[1]})
        for code in np.unique(label):
            if code != 65535 and code // 1000 not in COCO:
                continue
            rle = coco_mask.encode(np.asfortranarray(label == code))
            rle["counts"] = rle["counts"].decode()
            annotations.append({
                "id": len(annotations) + 1, "image_id": 10 * i + 5, "iscrowd": 0, "segmentation": rle,
                "category_id": 7 if code == 65535 else COCO[code // 1000][0],
            })  # fmt: skip
    categories = [{"id": number, "name": name} for number, name in (*COCO.values(), (7, "train"), (18, "dog"))]
    (root / "annotations").mkdir(parents=True)
    (root / "annotations/instances_val2017.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return root


def apolloscape(root):
    for i, label in enumerate(labels()):
        place = f"Record001/Camera 5/170908_06150{i}000_Camera_5"
        picture(root / f"road01_ins/ColorImage/{place}.jpg", i)
        raw, classes = label.copy(), (label // 1000).astype(np.uint8)
        raw[label == 65535], classes[label == 65535] = 255, 161  # a group of cars: in the second file alone
        png(root / f"road01_ins/Label/{place}_instanceIds.png", raw)
        png(root / f"road01_ins/Label/{place}_bin.png", classes)
    return root
