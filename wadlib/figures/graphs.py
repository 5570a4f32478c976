"""Figures of graph cuts: every function draws on the Axes that it is given, and computes nothing.

Cut links are dashed *and* of another colour, terminals are squares with their letter, so that colour
is never the only sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from wadlib.figures.frames import INK, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wadlib.graphcut.line import SwapCut, SwapGraph

ALPHA, BETA, CUT, UNDECIDED = PALETTE[5], PALETTE[6], PALETTE[4], "#e4e6ea"


def draw_swap_graph(axes: Axes, graph: SwapGraph, cut: SwapCut | None = None, title: str = "") -> None:
    """Draw the graph of an α-β swap on a one-dimensional image: Fig 1 of the report.

    The pixels stand in a row between the terminals α (above) and β (below), each link with its capacity.
    Pixels that do not take part are dotted, without links: what they cost their neighbours is in the
    capacities of those. With a `cut`, the links that it
    severs are dashed in red, and each pixel has the colour and the letter of the label that it gets.
    """
    takes = [None] * len(graph.pixels) if cut is None else cut.takes.tolist()
    middle = (len(graph.labels) - 1) / 2
    for node, pixel in enumerate(graph.pixels.tolist()):
        alpha_is_cut, beta_is_cut = takes[node] is True, takes[node] is False
        _link(axes, (pixel, 0), (middle, 1), graph.t_alpha[node], alpha_is_cut)
        _link(axes, (pixel, 0), (middle, -1), graph.t_beta[node], beta_is_cut)
    for m, (first, second) in enumerate(graph.pixels[graph.n_links].tolist()):
        severed = cut is not None and bool(cut.cut_n_links[m])
        _link(axes, (first, 0), (second, 0), graph.n_capacities[m], severed, share=0.5)
    for y, letter, colour, label in ((1, "α", ALPHA, graph.alpha), (-1, "β", BETA, graph.beta)):
        _node(axes, (middle, y), f"{letter} = label {label}", colour, "square")
    playing = set(graph.pixels.tolist())
    for pixel, label in enumerate(graph.labels.tolist()):
        if pixel not in playing:
            for other in playing & {pixel - 1, pixel + 1}:
                axes.plot([pixel, other], [0, 0], color=INK, linestyle=":", linewidth=1.2, zorder=1)
            _node(axes, (pixel, 0), f"pixel {pixel}\nkeeps {label}", "white", "round", linestyle=":")
    for node, pixel in enumerate(graph.pixels.tolist()):
        text, colour = "", UNDECIDED
        if takes[node] is not None:
            text, colour = ("α", ALPHA) if takes[node] else ("β", BETA)
        _node(axes, (pixel, 0), f"pixel {pixel}" + (f"\ngets {text}" if text else ""), colour, "round")
    axes.set_xlim(-0.5, len(graph.labels) - 0.5)
    axes.set_ylim(-1.25, 1.25)
    axes.axis("off")
    axes.set_title(title)


def draw_energies(
    axes: Axes, series: Mapping[str, npt.NDArray[Any]], *, xlabel: str = "moves", title: str = ""
) -> None:
    """Draw the energy of the start (x = 0) and after each move, one line with its own marker per method."""
    for k, (name, energies) in enumerate(series.items()):
        axes.plot(
            range(len(energies)),
            energies,
            "-" + "osD^v"[k % 5],
            color=PALETTE[k % len(PALETTE)],
            label=name,
            linewidth=1.5,
            markersize=4,
            markerfacecolor="white" if k % 2 else None,
        )
    axes.set(xlabel=xlabel, ylabel="energy", title=title)
    axes.grid(alpha=0.25)
    axes.legend(loc="upper right")


def _link(
    axes: Axes,
    near: tuple[float, float],
    far: tuple[float, float],
    capacity: float,
    severed: bool,
    *,
    share: float = 0.42,
) -> None:
    """A line with its capacity written `share` of the way from `near` to `far`."""
    colour = CUT if severed else INK
    (x, y), (to_x, to_y) = near, far
    style = (0, (3, 2)) if severed else "-"
    axes.plot([x, to_x], [y, to_y], color=colour, linestyle=style, linewidth=2 if severed else 1.2, zorder=1)
    box = {"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": colour if severed else "none"}
    axes.text(
        x + share * (to_x - x),
        y + share * (to_y - y),
        f"{capacity:g}",
        ha="center",
        va="center",
        fontsize=9,
        color=colour,
        bbox=box,
        zorder=2,
    )


def _node(axes: Axes, at: tuple[float, float], text: str, colour: str, shape: str, linestyle: str = "-") -> None:
    box = {"boxstyle": f"{shape},pad=0.4", "facecolor": colour, "edgecolor": INK, "linestyle": linestyle}
    axes.text(*at, text, ha="center", va="center", fontsize=9, color=INK, bbox=box, zorder=3)
