"""Claim: preparing a full-size pair is at least 12 times faster than the reference's way.

From two files, 3384x2710, to the 832x640 picture and label in memory; one thread each.
"""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks import reference
from benchmarks.measure import Comparison, best_of
from wadlib.dataset import Frame
from wadlib.preprocess import NETWORK_WINDOW, crop_and_downscale

CLAIMED = 12


def ours(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """What `wadlib.dataset.prepare` does with each frame before it writes."""
    image, label = frame.read_pair(window=NETWORK_WINDOW)
    small, _ = crop_and_downscale(image)
    return small, label


def measure(frames: list[Frame], repeats: int = 3) -> list[Comparison]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # scikit-image works with one thread, so OpenCV does here
    try:
        times, dbs = [], []
        for frame in frames:
            assert frame.label_path is not None
            image_path, label_path = frame.image_path, frame.label_path
            times.append(
                best_of(lambda f=frame: ours(f), lambda i=image_path, k=label_path: reference.prepare(i, k), repeats)
            )
            image, label = ours(frame)
            other_image, other_label = reference.prepare(image_path, label_path)
            assert np.array_equal(label, other_label), "the labels differ"
            error = np.mean((image.astype(float) - other_image) ** 2)
            dbs.append(10 * np.log10(255**2 / error))
    finally:
        cv2.setNumThreads(threads)
    ours_s, peer_s = np.mean(times, axis=0)
    note = f"labels equal; pictures alike to {min(dbs):.1f} dB (exact area mean against Gaussian and interpolation)"
    return [
        Comparison(
            "prepare a pair, 3384x2710 -> 832x640", "scikit-image read and resize", ours_s, peer_s, CLAIMED, note
        )
    ]
