"""Drawings of scores: a waterfall of causes, a matrix of counts. They draw on the Axes they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wadlib.figures.frames import INK, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_waterfall(
    axes: Axes, steps: Mapping[str, float], *, xlabel: str = "", title: str = "", form: str = "{:.3f}"
) -> None:
    """Draw how a number changes step by step, from top to bottom.

    Parameters
    ----------
    steps : dict name -> value after that step
        The first and the last are drawn as whole bars, the others as the change that they make: to the right
        and plain for a gain, to the left and hatched for a loss, with the change in figures.
    """
    names, values = list(steps), np.array(list(steps.values()), float)
    before = np.concatenate(([0.0], values[:-1]))
    before[-1] = 0.0
    for row, (low, high) in enumerate(zip(before.tolist(), values.tolist(), strict=True)):
        whole, loss = row in (0, len(names) - 1), high < low
        axes.barh(
            row,
            high - low,
            left=low,
            height=0.62,
            color=PALETTE[0] if whole else PALETTE[2] if loss else PALETTE[1],
            hatch="///" if loss else "",
            edgecolor="white",
        )
        text = form.format(high) if whole else f"{'−' if loss else '+'}{form.format(abs(high - low))}"
        axes.annotate(
            text,
            (max(low, high), row),
            (4, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=9,
            color=INK,
        )
        if row + 1 < len(names) - 1:  # a thread from the end of a bar to the beginning of the next
            axes.plot([high, high], [row + 0.31, row + 0.69], color=INK, linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(values.max(), 1e-9))
    axes.set_xlabel(xlabel)
    axes.set_title(title)


def draw_matrix(
    axes: Axes,
    shares: npt.NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    xlabel: str = "",
    ylabel: str = "",
) -> None:
    """Draw a matrix of shares in 0..1 with its numbers; ``nan`` leaves a dash, and zero an empty cell."""
    known = np.nan_to_num(shares)
    axes.imshow(known, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text = "–" if np.isnan(share) else "" if share == 0 else f"{share:.2f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if share > 0.55 else INK)
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)
