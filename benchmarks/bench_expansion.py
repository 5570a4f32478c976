"""Claim: α-expansion of 832x640 pixels with 8 labels takes at most a third of the CPU time of PyMaxflow's graph.

Contrast-sensitive Potts, 4 neighbours, from the costs to the labels and energies, in one thread.
The peer makes the very same moves in the same order, with the same rule to stop; only the graph of
each move is PyMaxflow's, filled with numpy. Compiling, some seconds once per machine, is not counted.

Two sets of costs: the colour and location unary, where most of the picture is plainly background,
and eight clusters of colours, where all labels are wanted somewhere.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.measure import Comparison, best_of
from wadlib.dataset import Frame
from wadlib.graphcut import ColourLocationUnary, alpha_expansion, contrast_weights
from wadlib.preprocess import NETWORK_WINDOW, crop_and_downscale

CLAIMED = 3
SMOOTHNESS = 10.0  # nats


def measure(frames: list[Frame], repeats: int = 3) -> list[Comparison]:
    pairs = []
    for frame in frames:
        image, _ = crop_and_downscale(frame.read_image())
        pairs.append((image, frame.read_label(window=NETWORK_WINDOW)))
    unary = ColourLocationUnary.fit(pairs)
    images = [image for image, _ in pairs]
    return [
        compare("α-expansion, colour and location unary", images, [unary.costs(image) for image in images], repeats),
        compare("α-expansion, eight clusters of colours", images[:1], [cluster_costs(images[0])], repeats),
    ]


def cluster_costs(image: np.ndarray, clusters: int = 8, sigma: float = 20) -> np.ndarray:
    """Squared distance to each of the cluster centres, in units of the noise, (H,W,8)."""
    from scipy.cluster.vq import kmeans2

    centres, _ = kmeans2(image[::8, ::8].reshape(-1, 3).astype(float), clusters, minit="++", rng=0)
    return ((image[:, :, None] - centres) ** 2).sum(axis=3) / (2 * sigma**2)


def compare(what: str, images: list[np.ndarray], unaries: list[np.ndarray], repeats: int) -> Comparison:
    times, moves = [], 0
    for image, unary in zip(images, unaries, strict=True):
        weights = contrast_weights(image)
        ours = alpha_expansion(unary, SMOOTHNESS, weights)
        peer = alpha_expansion(unary, SMOOTHNESS, weights, solver="pymaxflow")
        assert ours.moves == peer.moves, "other moves"
        assert ours.energy <= peer.energy, f"energy {ours.energy} above {peer.energy}"
        moves += len(ours.moves)
        times.append(
            best_of(
                lambda u=unary, w=weights: alpha_expansion(u, SMOOTHNESS, w),
                lambda u=unary, w=weights: alpha_expansion(u, SMOOTHNESS, w, solver="pymaxflow"),
                repeats,
                time.process_time,
            )
        )
    ours_s, peer_s = np.mean(times, axis=0)
    note = f"CPU time without compiling; {moves} moves, the same of both; no energy above the peer's"
    return Comparison(what, "the same moves, PyMaxflow", ours_s, peer_s, CLAIMED, note)
