"""Draw the pictures of the README and of the book's own pages: ``python book/pictures.py``."""

import io
import json
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyBboxPatch

from wadlib._shared.files import write_bytes
from wadlib.course.api import CORE
from wadlib.figures import draw_class_legend, draw_frame, draw_overlay, draw_waterfall, plot_style
from wadlib.rendered import render_frame

STATIC = Path(__file__).parent / "_static"
PICKED = [(2, 8), (5, 24), (4, 8), (7, 24)]  # (video, frame): noon, low sun, overcast, dusk
ROWS = slice(600, 2450)

# Low to high, as tests/test_architecture.py has it.
FLOORS = {
    "the core": CORE,
    "data": ("dataset", "instances", "rendered", "training"),
    "scores, files": ("metrics", "interop"),
    "methods": ("graphcut", "unet", "maskrcnn", "tracking"),
    "to look at": ("figures", "viewer"),
    "to run": ("course", "cli"),
}


def streets():
    """Four rendered frames above their labels."""
    figure, axes = plt.subplots(3, 4, figsize=(13, 4.1), height_ratios=[10, 10, 1.2])
    for column, (video, frame) in zip(axes.T, PICKED, strict=True):
        rendered = render_frame(video, frame, seed=0, size="full")
        draw_frame(column[0], rendered.image[ROWS])
        draw_overlay(column[1], rendered.image[ROWS], rendered.label[ROWS], opacity=0.65, names=False)
        column[2].remove()
    draw_class_legend(figure.add_subplot(axes[2, 0].get_subplotspec().get_gridspec()[2, :]))
    data = io.BytesIO()
    figure.savefig(data, format="jpeg", dpi=125, bbox_inches="tight", pil_kwargs={"quality": 86})
    write_bytes(STATIC / "streets.jpg", data.getvalue())


def waterfall():
    """The same predictions, from the label as published to the one read rightly."""
    found = json.loads((STATIC.parents[1] / "results" / "published" / "waterfall.json").read_text(encoding="utf-8"))
    at = found["thresholds"]["0.5"]
    means = {name: iou["mean"] for name, iou in at["report_iou"].items()}
    steps = {
        "saved as published": means["as published"],
        "without the division": means["no division"],
        "overlaps by score": means["highest score on top"],
        "read rightly": means["highest score on top"],
    }
    figure, axes = plt.subplots(figsize=(8, 2.1))
    title = f"The same predictions, score 0.5 and more: {at['erased']} of {at['frames']} frames were erased"
    draw_waterfall(axes, steps, xlabel="mean IoU, as in Table 1", title=title)
    data = io.BytesIO()
    figure.savefig(data, format="svg", bbox_inches="tight", facecolor="white", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    write_bytes(STATIC / "waterfall.svg", data.getvalue())


def rooms():
    """The rooms of the package, one floor above the other."""
    figure, axes = plt.subplots(figsize=(8.6, 4.4))
    for floor, (title, names) in enumerate(FLOORS.items()):
        axes.text(-0.15, floor + 0.4, title, ha="right", va="center", color="0.35")
        width = 9.0 / len(names)
        for number, name in enumerate(names):
            fill = "#d6e6f5" if floor == 0 else "#fdf0dc" if title == "methods" else "#f0f0f0"
            corner = (number * width + 0.06, floor)
            style = "round,pad=0,rounding_size=0.08"
            axes.add_patch(FancyBboxPatch(corner, width - 0.12, 0.8, boxstyle=style, facecolor=fill, edgecolor="0.5"))
            axes.text(corner[0] + width / 2 - 0.06, floor + 0.4, name, ha="center", va="center")
    axes.annotate("imports", (9.25, 0.1), (9.25, 5.7), arrowprops={"arrowstyle": "->", "color": "0.35"}, ha="center")
    axes.set(xlim=(-1.4, 9.6), ylim=(-0.1, 6))
    axes.axis("off")
    data = io.BytesIO()
    figure.savefig(data, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    write_bytes(STATIC / "rooms.svg", data.getvalue())


if __name__ == "__main__":
    plot_style()
    plt.rcParams["svg.hashsalt"] = "wadlib"
    rooms()
    waterfall()
    streets()
