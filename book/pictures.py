"""Draw the picture of the README and of the book's front page: ``python book/pictures.py``."""

import io
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt

from wadlib._shared.files import write_bytes
from wadlib.figures.frames import draw_class_legend, draw_frame, draw_overlay, plot_style
from wadlib.rendered import render_frame

PICKED = [(2, 8), (5, 24), (4, 8), (7, 24)]  # (video, frame): noon, low sun, overcast, dusk
ROWS = slice(600, 2450)

if __name__ == "__main__":
    plot_style()
    figure, axes = plt.subplots(3, 4, figsize=(13, 4.1), height_ratios=[10, 10, 1.2])
    for column, (video, frame) in zip(axes.T, PICKED, strict=True):
        rendered = render_frame(video, frame, seed=0, size="full")
        draw_frame(column[0], rendered.image[ROWS])
        draw_overlay(column[1], rendered.image[ROWS], rendered.label[ROWS], opacity=0.65, names=False)
        column[2].remove()
    draw_class_legend(figure.add_subplot(axes[2, 0].get_subplotspec().get_gridspec()[2, :]))
    data = io.BytesIO()
    figure.savefig(data, format="jpeg", dpi=125, bbox_inches="tight", pil_kwargs={"quality": 86})
    write_bytes(Path(__file__).parent / "_static" / "streets.jpg", data.getvalue())
