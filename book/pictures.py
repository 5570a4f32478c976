"""Draw the picture of the README and of the book's front page: ``python book/pictures.py``."""

import io
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt

from wadlib.dataset import open_wad
from wadlib.figures import draw_class_legend, draw_frame, draw_overlay, plot_style
from wadlib.files import write_bytes
from wadlib.rendered import render_dataset

SEED, VIDEOS, FRAMES, EVERY = 0, 10, 2, 24
PICKED = [0, 2, 5, 7]  # videos with four kinds of light

if __name__ == "__main__":
    plot_style()
    with tempfile.TemporaryDirectory() as folder:
        wad = open_wad(render_dataset(folder, videos=VIDEOS, frames=FRAMES, every=EVERY, seed=SEED))
        pairs = [wad.train_videos[number].frames[-1].read_pair() for number in PICKED]
    figure, axes = plt.subplots(2, 4, figsize=(12, 5.2))
    for column, (image, label) in zip(axes.T, pairs, strict=True):
        part = slice(600, 2500), slice(None)
        draw_frame(column[0], image[part])
        draw_overlay(column[1], image[part], label[part], opacity=0.65, names=False)
    strip = figure.add_axes((0, -0.06, 1, 0.06))
    draw_class_legend(strip)
    data = io.BytesIO()
    figure.savefig(data, format="jpeg", dpi=130, bbox_inches="tight", pil_kwargs={"quality": 85})
    write_bytes(Path(__file__).parent / "_static" / "streets.jpg", data.getvalue())
