"""Make a file of weights that wadlib ships: average, adjust the class scores, say the threshold, kernels as float16.

    python ship.py OUT.h5 THRESHOLD TAU DATASET[,DATASET …] WEIGHTS:SHARE [WEIGHTS:SHARE …]

WEIGHTS are files, or names of shipped weights; the mean of each number is taken, with these shares ("model soup",
Wortsman et al., ICML 2022). Then logit adjustment after the training (Menon et al., "Long-tail learning via logit
adjustment", ICLR 2021): from the score of class c, before the softmax, TAU * log(share of c) is taken away. Here it is
done in the bias of the last layer, relative to the most frequent class, which together with the background stays as it
is. The shares are those of the instances that class_counts.json, beside this file, has for each DATASET (wild rendered
streets: ``rendered``). TAU 0 changes nothing; 1 would be right for a network that has learnt the shares as they are,
but rare frames and copies were drawn more often.
"""

import json
import sys
from pathlib import Path

import numpy as np

from wadlib.labels import CLASSES
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.maskrcnn.weights import find, save

COUNTS = Path(__file__).with_name("class_counts.json")


def offsets(counts: dict[int, int], tau: float) -> dict[int, float]:
    """Compute what is added to the score of each class: ``tau * log(most / own)``; 0 for a class without instances.

    Examples
    --------
    >>> offsets({33: 8, 36: 2, 40: 0}, tau=0.5) == {33: 0.0, 36: 0.5 * np.log(4), 40: 0.0}
    True
    """
    most = max(counts.values())
    return {c: tau * float(np.log(most / n)) if n else 0.0 for c, n in counts.items()}


def averaged(model: MaskRCNN, shares: dict[str, float]) -> None:
    """Give a model the mean of the weights in files (or of shipped names), with these shares."""
    total: dict[str, list[np.ndarray]] = {}
    for weights, share in shares.items():
        model.load(find(weights))
        for name, layer in model.layers.items():
            own = [share / sum(shares.values()) * array.astype(np.float64) for array in layer.get_weights()]
            total[name] = [a + b for a, b in zip(total[name], own, strict=True)] if name in total else own
    for name, layer in model.layers.items():
        layer.set_weights(total[name])


def main(out: Path, threshold: float, tau: float, datasets: list[str], shares: dict[str, float]) -> None:
    """Write the weights with their configuration."""
    counted = json.loads(COUNTS.read_text(encoding="utf-8"))
    counts = {c: sum(counted[name]["instances"][CLASSES[c].name] for name in datasets) for c in CLASSES}
    config = Config.classroom().replace(min_confidence=threshold)
    model = MaskRCNN(config)
    averaged(model, shares)
    logits = model.layers["mrcnn_class_logits"]
    kernel, bias = logits.get_weights()
    for c, offset in offsets(counts, tau).items():
        bias[config.wad_classes.index(c)] += offset
        print(f"{CLASSES[c].name:13s} {counts[c]:6d} instances, score {offset:+.2f}")
    logits.set_weights([kernel, bias])
    save(model, out, config=config, compact=True)


if __name__ == "__main__":
    target, low, strength, names, *files = sys.argv[1:]
    mixed = {file: float(share) for file, _, share in (each.rpartition(":") for each in files)}
    main(Path(target), float(low), float(strength), names.split(","), mixed)
