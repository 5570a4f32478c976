"""Make a file of weights that wadlib ships: average, adjust the class scores, say the threshold, kernels as float16.

    python ship.py OUT.h5 THRESHOLD TAU DATASET[,DATASET …] WEIGHTS:SHARE [WEIGHTS:SHARE …]

WEIGHTS are files, or names of shipped weights; of each number the mean is taken, with these shares, as precisely as the
first file stores it. Then logit adjustment after the training (Menon et al., "Long-tail learning via logit
adjustment", ICLR 2021): from the score of class c, before the softmax, TAU * log(share of c) is taken away. Here it is
done in the bias of the last layer, relative to the most frequent class, which together with the background stays as it
is. The shares are those of the instances that class_counts.json, beside this file, has for each DATASET (wild rendered
streets: ``rendered``). TAU 0 changes nothing; 1 would be right for a network that has learnt the shares as they are,
but rare frames and copies were drawn more often.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from wadlib.labels import CLASSES
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.maskrcnn.weight_files.averaging import average
from wadlib.maskrcnn.weights import find, save

COUNTS = Path(__file__).with_name("class_counts.json")


def offsets(counts: dict[int, int], tau: float) -> dict[int, float]:
    """Compute what is added to the score of each class: ``tau * log(most / own)``; 0 for a class without instances."""
    most = max(counts.values())
    return {c: tau * float(np.log(most / n)) if n else 0.0 for c, n in counts.items()}


def main(out: Path, threshold: float, tau: float, datasets: list[str], shares: dict[str, float]) -> None:
    """Write the weights with their configuration."""
    counted = json.loads(COUNTS.read_text(encoding="utf-8"))
    counts = {c: sum(counted[name]["instances"][CLASSES[c].name] for name in datasets) for c in CLASSES}
    config = Config.classroom().replace(min_confidence=threshold)
    model = MaskRCNN(config)
    with tempfile.TemporaryDirectory() as folder:
        mean = Path(folder) / "mean.h5"
        average([find(weights) for weights in shares], mean, tuple(shares.values()))
        model.load(mean)
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
