"""Class probabilities of the kept U-Net for the first frames of each video: where spatio-temporal fields start.

``python results/tracking/unet_probabilities.py ROOT OUT.npz [--frames 10]`` writes, in the U-Net's cells and for each
of V videos, ``probabilities`` (V,T,h,w,8) uint8 (255 is 1), ``truths`` (V,T,h,w) uint8 indices and ``pictures``
(V,T,2h,2w,3) uint8 for the flow.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from wadlib.dataset import open_wad
from wadlib.labels import evaluated_index
from wadlib.unet import load_unet
from wadlib.unet.prediction import probabilities

UNET = Path(__file__).resolve().parents[1] / "unet" / "cured"


def main(given):
    """Run the network."""
    model, recipe = load_unet(UNET)
    geometry = recipe.geometry
    out = {"probabilities": [], "truths": [], "pictures": []}
    for video in open_wad(given.root).train_videos:
        frames = video.frames[: given.frames]
        images = [frame.read_image() for frame in frames]
        seen = np.stack([geometry.picture(image) for image in images])
        out["probabilities"].append(np.rint(255 * probabilities(model, seen)).astype(np.uint8))
        labels = [geometry.label(frame.read_label()) for frame in frames]
        out["truths"].append(np.stack([evaluated_index(label).astype(np.uint8) for label in labels]))
        large = [strip(image, geometry) for image in images]
        out["pictures"].append(np.stack(large))
    np.savez_compressed(given.out, **{name: np.stack(values) for name, values in out.items()})


def strip(image, geometry):
    """The network's part of a prepared frame, two pixels to a cell."""
    finer = replace(geometry, step=geometry.step // 2, height=2 * geometry.height, width=2 * geometry.width)
    return finer.picture(image)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("out")
    parser.add_argument("--frames", type=int, default=10)
    main(parser.parse_args())
