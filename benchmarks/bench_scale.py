"""Processor time and memory for 1,000 frames of each command that `--dask` spreads, and for the 39,222 of the dataset.

One worker's work, in one thread, each row in a process of its own; real frames from WAD_ROOT, or rendered ones.
Then how the cost grows: `wadlib info`, evaluating and exporting 39,222 frames of 8x8 pixels beside a quarter of them.
Not a claim of the README: the table of book/many_machines.md is made with it (``python -m benchmarks.bench_scale``).
"""

import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ALL = 39_222
ROWS = ("render", "prepare", "predict", "evaluate", "track", "export coco", "export submission", "export kitti-mots")
KEEP = {"workers": 1, "progress": False}


def work_of(row, folder):
    """The work of a row as a function of a number (of a folder to write), and how many frames that is."""
    from wadlib.dataset import open_wad

    full, small, found = open_wad(folder / "wad"), folder / "prepared", folder / "found"
    out, count = folder / "out", len(full.frames)
    frames = open_wad(small).frames if row not in ("render", "prepare") else ()
    if row == "render":
        from wadlib.rendered import render_dataset

        return lambda n: render_dataset(out / f"render{n}", 1, count, **KEEP), count
    if row == "prepare":
        from wadlib.dataset import prepare

        return lambda n: prepare(full, out / f"prepare{n}", **KEEP), count
    if row == "predict":
        from wadlib.training import quiet

        quiet()
        from wadlib.maskrcnn import MaskRCNN
        from wadlib.maskrcnn.config import Config
        from wadlib.maskrcnn.inference import predict_dataset

        model = MaskRCNN(Config.classroom())
        model.load("rendered")
        return lambda n: predict_dataset(model, frames, found if n == 0 else out / f"predict{n}", **KEEP), count
    if row == "evaluate":
        from wadlib.metrics import evaluate_folder

        return lambda n: evaluate_folder(frames, found, **KEEP), count
    if row == "track":
        from wadlib.tracking.folder import track_folder

        videos = open_wad(small).train_videos
        return lambda n: track_folder(videos, found, out / f"track{n}", progress=False), count
    from wadlib.interop.coco import write_coco
    from wadlib.interop.kitti_mots import write_kitti_mots
    from wadlib.interop.submission import write_submission

    return {
        "export coco": lambda n: write_coco(frames, out / "coco.json", **KEEP),
        "export submission": lambda n: write_submission(found, out / "submission.csv", **KEEP),
        "export kitti-mots": lambda n: write_kitti_mots(open_wad(small).train_videos, out / "mots", **KEEP),
    }[row], count


def measured(row, folder):
    """Print a row of the table; the first time loads and compiles and is not counted."""
    work, frames = work_of(row, folder)
    work(0)
    before = time.process_time()
    work(1)
    each_s = (time.process_time() - before) / frames
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{row:<18} {each_s * 1000:9.1f} s {each_s * ALL / 3600:9.2f} h {memory_gb:6.2f} GB", flush=True)


def growth(folder):
    """Print what 39,222 tiny frames cost, and a quarter of them."""
    from typer.testing import CliRunner

    from tests.cluster.test_full_size import fill
    from wadlib.cli import app
    from wadlib.dataset import open_wad
    from wadlib.interop.coco import write_coco
    from wadlib.metrics import evaluate_folder

    root, pred = fill(folder)
    frames = open_wad(root).frames
    evaluate_folder(frames[:100], pred, **KEEP)
    works = {
        "info": lambda count: CliRunner().invoke(app, ["info", str(root)]) if count == ALL else None,
        "evaluate": lambda count: evaluate_folder(frames[:count], pred, **KEEP),
        "export coco": lambda count: write_coco(frames[:count], folder / "a.json", **KEEP),
    }
    for name, work in works.items():
        spent = []
        for count in (ALL // 4, ALL):
            before = time.process_time()
            work(count)
            spent.append(time.process_time() - before)
        ratio = (
            f", a frame {spent[1] / spent[0] / ALL * (ALL // 4):.2f} times one of {ALL // 4}" if name != "info" else ""
        )
        print(f"{name} of {ALL} tiny frames: {spent[1]:.1f} s of the processor{ratio}", flush=True)


def main():
    from wadlib.dataset import open_wad, prepare
    from wadlib.rendered import render_dataset

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "out").mkdir()
        if "WAD_ROOT" in os.environ:
            (folder / "wad").symlink_to(Path(os.environ["WAD_ROOT"]).resolve())
        else:
            render_dataset(folder / "wad", 1, 4, progress=False)
        wad = open_wad(folder / "wad")
        prepare(wad, folder / "prepared", progress=False)
        print(f"{len(wad.frames)} frames of {os.environ.get('WAD_ROOT', 'a rendered video')}")
        print(f"{'':<18} 1,000 frames   {ALL} frames  memory of the process")
        for row in ROWS:
            environment = os.environ | dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), "1")
            command = [sys.executable, "-m", "benchmarks.bench_scale", row, str(folder)]
            subprocess.run(command, env=environment, check=True)
        (folder / "tiny").mkdir()
        with contextlib.redirect_stderr(io.StringIO()):
            growth(folder / "tiny")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measured(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
