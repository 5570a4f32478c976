"""What block diagrams are made of: blocks, arrows and lanes.

Lengths are in the diagram's own units. `open_diagram` says how many of them the Axes shows, and text
follows: a diagram drawn half as wide has text half as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wadlib.figures.frames import INK, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "KINDS",
    "Block",
    "draw_arrow",
    "draw_block",
    "draw_lane",
    "draw_star",
    "open_diagram",
    "points",
    "tint",
]

KINDS = {
    "network": PALETTE[0],  # a trained network that sees the whole image
    "proposals": PALETTE[2],  # what says where to look
    "pooling": PALETTE[6],  # cutting a region out
    "head": PALETTE[1],  # a trained network that sees one region
    "classic": PALETTE[3],  # not a network
    "result": INK,
}
"""Colours of the blocks by what they do; every block also says it in words."""

TEXT = 0.155  # height of the letters in units


@dataclass(frozen=True)
class Block:
    """A rectangle of a diagram: its middle and size, and where arrows may touch it."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> tuple[float, float]:
        """Middle of the left edge."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> tuple[float, float]:
        """Middle of the right edge."""
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> tuple[float, float]:
        """Middle of the upper edge."""
        return self.x, self.y + self.height / 2

    @property
    def bottom(self) -> tuple[float, float]:
        """Middle of the lower edge."""
        return self.x, self.y - self.height / 2


def open_diagram(axes: Axes, width: float, height: float, title: str = "") -> None:
    """Make `axes` a sheet of width x height units with its origin at the lower left."""
    axes.set_aspect("equal")
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    axes.set_title(title)


def points(axes: Axes, length: float) -> float:
    """A length of the diagram in points (1/72 inch), for letters and lines."""
    figure_width, figure_height = axes.figure.get_size_inches()  # type: ignore[union-attr]
    place = axes.get_subplotspec()
    rows, columns = (place.get_gridspec().nrows, place.get_gridspec().ncols) if place else (1, 1)
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    return 72 * length * float(min(figure_width / columns / (x1 - x0), figure_height / rows / (y1 - y0)))


def draw_block(
    axes: Axes,
    block: Block,
    text: str,
    kind: str = "network",
    *,
    note: str = "",
    copies: int = 1,
    new: bool = False,
) -> Block:
    """Draw a block with its name and, smaller, a note; several `copies` lie behind each other.

    A block that is `new` (in this diagram, against the one before it) has a thick edge and a star.
    """
    colour = KINDS[kind]
    for k in reversed(range(copies)):
        _rounded(axes, block, (0.07 * k, 0.07 * k), "white", colour, 1.0)
        if k == 0:
            width = 2.2 if new else 1.2
            _rounded(axes, block, (0, 0), "white" if kind == "result" else tint(colour), colour, width)
    size = points(axes, TEXT)
    high, low = (1.45 * TEXT * (t.count("\n") + 1) * k for t, k in ((text, 1.0), (note, 0.85 if note else 0)))
    y = block.y + (high + low) / 2  # name and note together stand in the middle
    axes.text(block.x, y - high / 2, text, ha="center", va="center", fontsize=size, weight="bold", zorder=5)
    if note:
        axes.text(block.x, y - high - low / 2, note, ha="center", va="center", fontsize=0.85 * size, zorder=5)
    if new:
        draw_star(axes, block.left[0], block.top[1], colour)
    return block


def draw_arrow(
    axes: Axes,
    *corners: tuple[float, float],
    text: str = "",
    at: tuple[float, float] | None = None,
    on_line: bool = False,
    colour: str = INK,
) -> None:
    """Draw an arrow through the corners, rounded, with a word over its first part, or at `at`.

    A word that stands `on_line` interrupts it.
    """
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    path, codes = [corners[0]], [Path.MOVETO]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        radius = 0.14
        path += [_towards(corner, before, radius), corner, _towards(corner, after, radius)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    path, codes = [*path, corners[-1]], [*codes, Path.LINETO]
    axes.add_patch(
        FancyArrowPatch(
            path=Path(path, codes),  # type: ignore[arg-type]
            arrowstyle="-|>,head_length=0.45,head_width=0.22",
            mutation_scale=points(axes, 0.17),
            color=colour,
            linewidth=points(axes, 0.022),
            fill=False,
            joinstyle="miter",
            zorder=4,
        )
    )
    if text:
        (x0, y0), (x1, y1) = corners[:2]
        place = at or ((x0 + x1) / 2, (y0 + y1) / 2 + 0.06)
        box = {"boxstyle": "square,pad=0.25", "facecolor": "white", "edgecolor": "none"} if on_line else None
        va = "center" if on_line else "bottom"
        axes.text(*place, text, ha="center", va=va, fontsize=points(axes, 0.85 * TEXT), bbox=box, zorder=5)


def draw_star(axes: Axes, x: float, y: float, colour: str = INK) -> None:
    """Draw the star that marks what is new."""
    axes.plot([x], [y], "*", markersize=points(axes, 0.24), color="white", markeredgecolor=colour, zorder=6)


def draw_lane(
    axes: Axes, left: float, bottom: float, right: float, top: float, text: str, *, at_bottom: bool = False
) -> None:
    """Shade a part of the diagram and say in its upper (or lower) left corner what stands there."""
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), right - left, top - bottom, "round,pad=0,rounding_size=0.15",
            facecolor="#f1f3f5", edgecolor="none", zorder=0,
        )
    )  # fmt: skip
    place, va = ((left + 0.14, bottom + 0.1), "bottom") if at_bottom else ((left + 0.14, top - 0.1), "top")
    axes.text(*place, text, va=va, fontsize=points(axes, 0.9 * TEXT), color="#4c535c", style="italic", zorder=5)


def _rounded(axes: Axes, block: Block, shift: tuple[float, float], face: str, edge: str, width: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = block.x - block.width / 2 + shift[0], block.y - block.height / 2 + shift[1]
    style = "round,pad=0,rounding_size=0.1"
    axes.add_patch(
        FancyBboxPatch(
            (x, y), block.width, block.height, style, facecolor=face, edgecolor=edge, linewidth=width,
            zorder=3 - shift[0],
        )
    )  # fmt: skip


def tint(colour: str, share: float = 0.16) -> str:
    """The colour, thinned with white."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (1 - share * (1 - value) for value in to_rgb(colour))
    return to_hex((red, green, blue))


def _towards(start: Sequence[float], end: Sequence[float], length: float) -> tuple[float, float]:
    """The point `length` away from `start` towards `end`, half-way at most."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = min(0.5, length / max((dx * dx + dy * dy) ** 0.5, 1e-9))
    return start[0] + share * dx, start[1] + share * dy
