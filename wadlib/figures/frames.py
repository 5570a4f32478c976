"""Figures: every function draws on the Axes that it is given, and computes nothing.

Colours are petroff10 (readable for colour-blind eyes); instances also get a contour and a name, so
that colour is never the only sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.words import one_of
from wadlib.errors import LabelError
from wadlib.labels import CLASSES, IGNORE, decode, instance_codes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = ("#3f90da", "#e76300", "#832db6", "#717581", "#bd1f01", "#92dadd", "#ffa90e", "#a96b59", "#b9ac70", "#94a4a2")
"""petroff10, in an order whose first colours differ most."""

INK = "#22262b"

Counts = Mapping[int, float]


def plot_style() -> None:
    """Set matplotlib's defaults for the companion: readable from the last row, no clutter."""
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "axes.edgecolor": INK,
            "axes.grid": False,
            "axes.labelcolor": INK,
            "axes.prop_cycle": plt.cycler(color=PALETTE),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "font.size": 10,
            "legend.frameon": False,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


def colourise(label: npt.NDArray[np.uint16], by: str = "class") -> npt.NDArray[np.uint8]:
    """Turn label codes (H,W) into RGB (H,W,3): one colour per class, or a shade of it per instance.

    Background is dark grey, ignore is light grey; classes that are not evaluated are mid grey.
    """
    one_of(by, ("class", "instance"), "colourise: by", LabelError)
    codes, index = np.unique(label, return_inverse=True)
    ids, numbers = decode(codes)
    colours = [CLASSES[c].colour if c in CLASSES else (110,) * 3 if c else (38,) * 3 for c in ids.tolist()]
    palette = np.array(colours, float).reshape(-1, 3)
    if by == "instance":  # the golden ratio spreads the shades of neighbouring instance numbers far apart
        palette[ids > 0] *= 0.6 + 0.4 * ((numbers[ids > 0, None] + 1) * 0.618034 % 1.0)
    palette[codes == IGNORE] = 200
    return np.asarray(palette.round().astype(np.uint8)[index.reshape(np.shape(label))])


def draw_frame(axes: Axes, image: npt.NDArray[np.uint8], title: str = "") -> None:
    """Draw a picture (H, W, 3) without ticks."""
    axes.imshow(image, interpolation="antialiased")
    _bare(axes, title)


def draw_label(axes: Axes, label: npt.NDArray[np.uint16], title: str = "", by: str = "instance") -> None:
    """Draw label codes (H, W) in the class colours, with a shade per instance."""
    axes.imshow(colourise(label, by=by), interpolation="nearest")
    _bare(axes, title)


def draw_overlay(
    axes: Axes,
    image: npt.NDArray[np.uint8],
    label: npt.NDArray[np.uint16],
    title: str = "",
    *,
    opacity: float = 0.5,
    names: bool = True,
    smallest_name_px: int = 400,
) -> None:
    """Draw a picture with its instances on top: filled, outlined in white and named.

    Parameters
    ----------
    image : (H, W, 3) uint8
    label : (H, W) uint16 codes
    smallest_name_px : int
        Instances below this area are not named: the word would hide them.
    """
    inside = (decode(label)[0] > 0) | (label == IGNORE)
    blend = np.where(inside[..., None], (1 - opacity) * image + opacity * colourise(label, by="instance"), image)
    blend[_edges(label)] = 255
    axes.imshow(blend.astype(np.uint8), interpolation="antialiased")
    for code in instance_codes(label).tolist() if names else []:
        rows, columns = np.nonzero(label == code)
        if len(rows) >= smallest_name_px:
            name = CLASSES[code // 1000].name
            where = (float(columns.mean()), float(rows.min()) - 3)
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
            axes.annotate(name, where, ha="center", va="bottom", fontsize=7, color=INK, bbox=box, annotation_clip=True)
    _bare(axes, title)


def draw_grid(
    axes: Axes, values: npt.NDArray[Any], title: str = "", *, colours: npt.NDArray[np.uint8] | None = None
) -> None:
    """Draw a small array (H, W) as a table of numbers, on class colours if they are label codes.

    Parameters
    ----------
    colours : (H, W, 3) uint8, optional
        Cell colours; by default those of `colourise`.
    """
    if colours is None:
        colours = colourise(np.asarray(values, np.uint16))
    axes.imshow(colours, interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        dark = colours[row, column].astype(float) @ [0.299, 0.587, 0.114] < 140
        axes.text(column, row, f"{value}", ha="center", va="center", fontsize=9, color="white" if dark else INK)
    axes.set_xticks(np.arange(-0.5, values.shape[1]), [])
    axes.set_yticks(np.arange(-0.5, values.shape[0]), [])
    axes.grid(color="white", linewidth=1.5)
    axes.tick_params(length=0)
    axes.set_title(title)
    axes.spines[:].set_visible(False)


def draw_bars(
    axes: Axes,
    series: Mapping[str, Counts],
    *,
    ylabel: str = "",
    log: bool = False,
    form: str = "{:,.0f}",
) -> None:
    """Draw one group of bars per class and one bar per series, each with its value on top.

    Parameters
    ----------
    series : dict name -> {class id: value}
        Values of NaN leave a gap marked "–" (a class that is absent is not a class at zero).
    form : str
        Format of the values, such as ``"{:.3f}"``.
    """
    ids = list(CLASSES)
    width = 0.84 / len(series)
    marks = ["", "///", "xxx", "|||"]  # a pattern besides the colour (dots would make heavy SVG)
    for k, (name, values) in enumerate(series.items()):
        x = np.arange(len(ids)) + (k - (len(series) - 1) / 2) * width
        heights = np.array([values.get(i, float("nan")) for i in ids], float)
        axes.bar(
            x, np.nan_to_num(heights), width * 0.94, label=name, color=PALETTE[k], hatch=marks[k % 4], edgecolor="white"
        )
        for at, height in zip(x, heights, strict=True):
            absent = bool(np.isnan(height))
            axes.annotate(
                "–" if absent else form.format(height),
                (float(at), 0.0 if absent else float(height)),
                (0, 2),
                xycoords=axes.get_xaxis_transform() if absent else "data",  # a log axis has no 0
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7,
                rotation=0 if absent else 90,
            )
    axes.set_xticks(np.arange(len(ids)), [CLASSES[i].name for i in ids])
    if log:
        axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 4 if log else high * 1.25)  # room for the values
    axes.set_ylabel(ylabel)
    if len(series) > 1:
        axes.legend(loc="upper right", ncols=len(series))


def draw_cumulative(axes: Axes, series: Mapping[str, npt.NDArray[np.floating[Any]]], *, xlabel: str = "") -> None:
    """Draw the share of values at or below x, which is on a log scale, one step line per series."""
    styles = ["-", "--", "-.", ":"]
    for k, (name, values) in enumerate(series.items()):
        axes.ecdf(values, label=name, color=PALETTE[k % len(PALETTE)], linestyle=styles[k % 4], linewidth=2)
    axes.set_xscale("log")
    axes.set_xlabel(xlabel)
    axes.set_ylabel("share of instances")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right")


def draw_rectangle(axes: Axes, top: float, bottom: float, left: float, right: float, text: str = "") -> None:
    """Outline a part of a picture (pixels, half-open) and name it."""
    from matplotlib.patches import Rectangle

    corner, width, height = (left, top), right - left, bottom - top
    for colour, line in (("white", 3), (PALETTE[4], 1.5)):
        axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=line, zorder=3))
    if text:
        box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.annotate(text, (left, top), (4, -4), textcoords="offset points", va="top", fontsize=8, color=INK, bbox=box)


def draw_class_legend(axes: Axes) -> None:
    """Draw the class colours with their names and ids, alone on an Axes."""
    from matplotlib.patches import Patch

    handles = []
    for row in CLASSES.values():
        red, green, blue = (value / 255 for value in row.colour)
        handles.append(Patch(facecolor=(red, green, blue), edgecolor=INK, label=f"{row.id} {row.name}"))
    axes.legend(handles=handles, loc="center", ncols=len(handles), fontsize=9, handlelength=1.2, columnspacing=1.2)
    axes.axis("off")


def draw_spread(
    axes: Axes,
    groups: Mapping[str, npt.NDArray[np.floating[Any]]],
    *,
    xlabel: str = "",
    ylabel: str = "",
) -> None:
    """Draw a box per group (median, quarters, 5th to 95th percentile) with the group's size under it.

    An empty group keeps its place and holds no box.
    """
    filled = [(at, values) for at, values in enumerate(groups.values()) if len(values)]
    axes.boxplot(
        [values for _, values in filled],
        positions=[at for at, _ in filled],
        widths=0.6,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": PALETTE[0], "edgecolor": INK, "alpha": 0.75},
        medianprops={"color": INK, "linewidth": 2},
    )
    axes.set_xticks(np.arange(len(groups)), [f"{name}\nn = {len(values):,}" for name, values in groups.items()])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(axis="y", alpha=0.25)


def draw_threshold(axes: Axes, x: float, text: str, *, height: float = 0.04) -> None:
    """Draw a vertical line at `x` with a word beside it, `height` (0..1) up the Axes."""
    axes.axvline(x, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    place = axes.get_xaxis_transform()  # x in data, y as a share of the height
    axes.annotate(
        text, (x, height), (4, 0), xycoords=place, textcoords="offset points", va="bottom", fontsize=8, bbox=box
    )


def _edges(label: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """Pixels of instances whose right or lower neighbour belongs to something else."""
    edges = np.zeros(label.shape, bool)
    edges[:, :-1] |= label[:, :-1] != label[:, 1:]
    edges[:-1] |= label[:-1] != label[1:]
    return edges


def _bare(axes: Axes, title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title)
