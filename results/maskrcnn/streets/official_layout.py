"""Turn the polygon export of Cityscapes into Cityscapes' own layout, which `wadlib.dataset.open_cityscapes` reads.

    python official_layout.py EXPORT OUT [TESTED CITY …]

EXPORT is the folder ``Cityscapes-3`` of github.com/SimArgentino/Custom-Cityscapes-Dataset-for-Instance-Segmentation:
2,641 pictures squeezed to 640x640 and, for each, a line of text for each polygon. OUT gets ``train/`` and ``test/``,
split by city: the export's own split has the same cities on both sides. Pictures become 1024x512 pixels, half of the
original's; polygons are painted in the order of the file, so that what is in front hides what is behind.

Cityscapes' terms hold for what comes out, whatever the export says: research and teaching, nothing is passed on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import yaml

from wadlib._shared.png16 import encode

WIDTH, HEIGHT, FINE = 1024, 512, 4
CITIES = ("tubingen", "weimar", "krefeld", "jena")
# Cityscapes' class numbers; what is not named here is no object and of no interest (0).
OBJECTS = {
    "person": 24, "rider": 25, "car": 26, "truck": 27, "bus": 28, "caravan": 29, "trailer": 30, "train": 31,
    "motorcycle": 32, "bicycle": 33,
}  # fmt: skip


def label_of(lines: list[str], names: list[str]) -> np.ndarray:
    """Paint polygons: (512, 1024) uint16, ``class * 1000 + number``, or the class alone for a group."""
    label = np.zeros((HEIGHT * FINE, WIDTH * FINE), np.uint16)
    counts = dict.fromkeys(OBJECTS, 0)
    for line in lines:
        number, *points = line.split()
        name = names[int(number)]
        code = OBJECTS.get(name.removesuffix("group"), 0)
        if name in OBJECTS:
            counts[name] += 1
            code = code * 1000 + counts[name] - 1
        corners = np.array(points, float).reshape(-1, 2) * (WIDTH * FINE, HEIGHT * FINE)
        cv2.fillPoly(label, [np.round(corners).astype(np.int32)], code)
    return label[FINE // 2 :: FINE, FINE // 2 :: FINE]


def main(export: Path, out: Path, tested: tuple[str, ...]) -> None:
    """Write all pictures and labels of the export."""
    names = yaml.safe_load((export / "data.yaml").read_text())["names"]
    for n, path in enumerate(sorted(export.glob("*/labels/*.txt"))):
        frame = path.name.split("_leftImg8bit")[0]
        city = frame.split("_")[0]
        side = out / ("test" if city in tested else "train")
        pictures, labels = side / "leftImg8bit" / "train" / city, side / "gtFine" / "train" / city
        for folder in (pictures, labels):
            folder.mkdir(parents=True, exist_ok=True)
        squeezed = cv2.imread(str(next((path.parent.parent / "images").glob(f"{path.stem}.*"))))
        wide = cv2.resize(squeezed, (WIDTH, squeezed.shape[0]), interpolation=cv2.INTER_CUBIC)
        picture = cv2.resize(wide, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(pictures / f"{frame}_leftImg8bit.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        label = label_of(path.read_text().splitlines(), names)
        (labels / f"{frame}_gtFine_instanceIds.png").write_bytes(encode(np.ascontiguousarray(label)))
        if n % 100 == 0:
            print(n, frame, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), tuple(sys.argv[3:]) or CITIES)
