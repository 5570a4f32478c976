"""Claim: a U-Net in training waits for its data less than 10 % of the time.

With the recipe `cured` at an eighth of the resolution, whose steps are the shortest of all recipes: with
any other, the network takes longer and the data do not. Augmentation is on; frames are decoded once,
before training, as in every run.
"""

from __future__ import annotations

import time

from benchmarks.measure import Share
from wadlib.dataset import Frame
from wadlib.training import Batch, Stream, fit, quiet
from wadlib.unet import SmallFrames, batches, recipe, strip

LIMIT = 0.10


class ReadyMade:
    """The same batch again and again: what training costs without any data to make."""

    def __init__(self, batch: Batch, size: int) -> None:
        self._batch, self._size = batch, size

    def __len__(self) -> int:
        return self._size

    def batch(self, epoch: int, index: int) -> Batch:
        return self._batch


def measure(frames: list[Frame], steps: int = 12) -> list[Share]:
    quiet()
    chosen = recipe("cured").replace(geometry=strip(8))
    small = SmallFrames(chosen.geometry, chosen.table)
    small.fill(frames, progress=False)
    options = {"batch_size": chosen.batch_size, "augment": chosen.augmentation, "columns": chosen.trained_shape[1]}
    data = batches(frames, small, steps=steps, **options)
    model = chosen.build(steps=10 * steps)
    ours, ideal = (
        fit(model, source, run=None, epochs=2, progress=False).rows[-1]  # the first epoch also pays for compiling
        for source in (data, ReadyMade(data.batch(0, 0), steps))
    )

    start = time.perf_counter()
    with Stream(data, ((0, index) for index in range(steps)), workers=1) as stream:
        for _ in stream:
            pass
    made_ms, trained_ms = (
        1000 * s / steps / chosen.batch_size for s in (time.perf_counter() - start, ideal["train_s"])
    )
    note = (
        f"an epoch takes {ours['train_s'] / ideal['train_s']:.2f} times as long as with one batch made beforehand; "
        f"a frame takes {made_ms:.1f} ms to make and {trained_ms:.0f} ms to train on"
    )
    return [
        Share("time a U-Net in training waits for data (windows of 208x96, batches of 4)", ours["waiting"], LIMIT, note)
    ]
