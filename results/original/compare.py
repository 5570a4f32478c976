"""Compare the original network with ours, layer by layer: the same image, the same random weights (notebook 07).

``python results/original/compare.py`` writes ``results/original/agreement.json``. It builds both networks of the
report, one after the other, and needs 2 GB and about a minute. The tests in ``tests/parity`` compare more.
"""

# ruff: noqa: E402
from __future__ import annotations

from wadlib.training import quiet

quiet()  # before the first import of Keras
import gc
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from wadlib._shared.files import write_text
from wadlib.course.classroom import data_root
from wadlib.dataset import open_wad
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.maskrcnn.frames import Placement, canvas, normalise
from wadlib.maskrcnn.original import matterport
from wadlib.maskrcnn.original.stages import STAGES
from wadlib.training import environment

SHOWN = [
    "C2",
    "C3",
    "C4",
    "C5",
    "P2",
    "P3",
    "P4",
    "P5",
    "rpn_class",
    "rpn_bbox",
    "rpn_rois",
    "mrcnn_class",
    "mrcnn_bbox",
]
LAYERS = {name: STAGES[name] for name in SHOWN}

CONFIG = Config.report().replace(
    image_shape=(128, 192), batch_size=1, proposals_inference=100, min_confidence=0.0
)  # the whole network, on a small image


def compare() -> dict[str, Any]:
    """Run both networks and say, layer by layer, how far they are apart.

    Returns
    -------
    dict
        ``parameters``, ``image_shape``, ``layers`` (name -> ``original``, ``shape`` and ``difference``: the largest
        difference of a value divided by the largest value) and ``environment`` (the versions).
    """
    frame = open_wad(data_root()).frames[0]
    image = frame.read_image()
    picture = canvas(image, Placement.of(image.shape, CONFIG))
    ours = MaskRCNN(CONFIG)
    parameters = ours.inference_model.count_params()
    mine = ours.stages(normalise(picture, CONFIG))
    with tempfile.TemporaryDirectory() as folder:
        ours.save(Path(folder) / "ours.h5")
        del ours  # one network of this size in memory at a time
        gc.collect()
        with matterport.original(CONFIG) as original:
            original.load(Path(folder) / "ours.h5")
            theirs = original.intermediate(LAYERS.values(), [picture])
    return {
        "parameters": int(parameters),
        "image_shape": list(CONFIG.image_shape),
        "layers": {
            own: {
                "original": name,
                "shape": list(mine[own].shape[1:]),
                "difference": float(np.abs(mine[own] - theirs[name]).max() / np.abs(theirs[name]).max()),
            }
            for own, name in LAYERS.items()
        },
        "environment": environment(),
    }


if __name__ == "__main__":
    said = compare()
    write_text(Path(__file__).with_name("agreement.json"), json.dumps(said, indent=2) + "\n")
    print(json.dumps(said["layers"], indent=2))
