"""Processor time and memory for 1,000 frames of each command that `--dask` spreads, and for the 39,222 of the dataset.

One worker's work, in one thread; real frames from WAD_ROOT, or rendered ones at full size. Not a claim of the README:
the table of book/many_machines.md is made with it (``python -m benchmarks.bench_scale``).
"""

import os
import resource
import tempfile
import time
from pathlib import Path

from wadlib.dataset import open_wad, prepare
from wadlib.interop.coco import write_coco
from wadlib.metrics import evaluate_folder
from wadlib.rendered import render_dataset

ALL = 39_222


def measured(name, frames, work):
    work()  # compiled loops, files in the system's cache
    before = time.process_time()
    work()
    each_s = (time.process_time() - before) / frames
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{name:<10} {each_s * 1000:9.1f} s {each_s * ALL / 3600:9.2f} h {memory_gb:6.2f} GB", flush=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        root = os.environ.get("WAD_ROOT") or render_dataset(folder / "wad", 1, 4, progress=False)
        wad = open_wad(root)
        names = [frame.name for frame in wad.frames]
        print(f"{len(names)} frames of {root}\n{'':<10} 1,000 frames   {ALL} frames  memory of the process")
        turns = iter(range(2))
        measured("prepare", len(names), lambda: prepare(wad, folder / f"out{next(turns)}", workers=1, progress=False))
        small = open_wad(folder / "out1")
        labels = folder / "out1" / "train_label"
        measured("evaluate", len(names), lambda: evaluate_folder(small.frames, labels, workers=1, progress=False))
        measured("export", len(names), lambda: write_coco(small.frames, folder / "a.json", workers=1, progress=False))
        from wadlib.training import quiet

        quiet()
        from wadlib.maskrcnn import MaskRCNN
        from wadlib.maskrcnn.config import Config

        model = MaskRCNN(Config.classroom())
        model.load("rendered")
        images = [frame.read_image() for frame in small.frames]
        measured("predict", len(names), lambda: model.detect(images))


if __name__ == "__main__":
    main()
