"""Small pictures in block diagrams: a street, what was found in it, and a feature map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wadlib.figures.frames import INK, PALETTE
from wadlib.figures.network_blocks import KINDS, TEXT, Block, points, tint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_feature_map", "draw_object", "draw_scene"]

PYRAMID = ((0.0, 0.5, 8), (0.4, 0.36, 6), (0.68, 0.23, 4), (0.87, 0.13, 2))  # sheets: left, size (shares), cells


def draw_scene(axes: Axes, block: Block, *, regions: bool = False) -> Block:
    """Draw a small street with a car, a bus and a person; with `regions`, the boxes around them."""
    from matplotlib.patches import Polygon, Rectangle

    pen = _Inside(axes, block)
    pen.add(Rectangle, (0, 0), 1, 1, "#dceaf5")
    pen.fill([(0, 0.46), (0.2, 0.62), (0.36, 0.5), (0.7, 0.66), (1, 0.48), (1, 0.3), (0, 0.3)], "#b7c9b0")
    pen.fill([(0, 0), (0, 0.3), (0.42, 0.46), (0.6, 0.46), (1, 0.3), (1, 0)], "#9aa2ab")
    pen.fill([(0.47, 0), (0.53, 0), (0.515, 0.44), (0.505, 0.44)], "white")
    car, bus, person = (0.06, 0.1, 0.38, 0.34), (0.6, 0.34, 0.22, 0.3), (0.86, 0.14, 0.09, 0.37)
    pen.car(car)
    pen.add(Rectangle, (bus[0] + 0.01, bus[1] + 0.02), bus[2] - 0.02, bus[3] - 0.04, PALETTE[1])
    pen.add(Rectangle, (bus[0] + 0.03, bus[1] + 0.15), bus[2] - 0.06, 0.09, "#fbe3d2")
    pen.disc((0.905, 0.46), 0.04, PALETTE[2])
    pen.add(Rectangle, (0.885, 0.16), 0.04, 0.25, PALETTE[2])
    for box in (car, bus, person) if regions else ():
        pen.frame(box)
    edge = Polygon(
        [pen.at(u, v) for u, v in ((0, 0), (0, 1), (1, 1), (1, 0))], fill=False, edgecolor=INK, linewidth=0.8
    )
    axes.add_patch(edge).set_zorder(3.2)
    return block


def draw_object(axes: Axes, block: Block, shows: str) -> Block:
    """Draw what a head says about one region: its "class", its "box" or its "mask"."""
    from matplotlib.patches import Rectangle

    pen = _Inside(axes, block)
    inside = (0.04, 0.12, 0.42, 0.8)
    pen.add(Rectangle, (0, 0), 0.5, 1, "white")
    if shows == "mask":
        pen.add(Rectangle, (0, 0), 0.5, 1, INK)
        pen.car(inside, "white")
    else:
        pen.car(inside)
    if shows == "box":
        pen.frame((0.02, 0.06, 0.46, 0.88))
    place = (block.x + 0.06 * block.width, block.y)
    text = {"class": "car", "box": "box", "mask": "mask"}[shows]
    axes.text(*place, text, va="center", fontsize=points(axes, TEXT), weight="bold", zorder=5)
    return block


def draw_feature_map(axes: Axes, block: Block, text: str = "", *, pyramid: bool = False) -> Block:
    """Draw a stack of grids, the channels of a feature map, with a name above it; or a pyramid of them."""
    from matplotlib.patches import Rectangle

    colour = KINDS["network"]
    x0, y0 = block.x - block.width / 2, block.y - block.height / 2
    if pyramid:  # sheets of about half the size each, side by side
        sheets = [(left, share, 0.5 - share, 2 * share, cells) for left, share, cells in PYRAMID]
    else:
        sheets = [(0.06 * k, 0.82, 0.06 * k, 0.82, 6) for k in range(4)]
    for k, (left, wide, low, high, cells) in reversed(list(enumerate(sheets))):
        x, y, width, height = x0 + left * block.width, y0 + low * block.height, wide * block.width, high * block.height
        sheet = Rectangle((x, y), width, height, facecolor=tint(colour), edgecolor=colour, linewidth=0.9)
        axes.add_patch(sheet).set_zorder(3 - 0.1 * k)
        rows = max(2, cells * 2 // 3)
        grid = [([x + width * i / cells] * 2, [y, y + height]) for i in range(1, cells)]
        grid += [([x, x + width], [y + height * i / rows] * 2) for i in range(1, rows)]
        for line in grid:
            axes.plot(*line, color=colour, linewidth=0.5, zorder=3 - 0.1 * k)
    if text:
        axes.text(
            block.x, block.top[1] + 0.07, text, ha="center", va="bottom", fontsize=points(axes, 0.85 * TEXT), zorder=5
        )
    return block


class _Inside:
    """Draws in shares of a block's width and height."""

    def __init__(self, axes: Axes, block: Block) -> None:
        self.axes, self.block = axes, block

    def at(self, u: float, v: float) -> tuple[float, float]:
        block = self.block
        return block.x + (u - 0.5) * block.width, block.y + (v - 0.5) * block.height

    def add(self, kind: Any, corner: tuple[float, float], width: float, height: float, colour: str) -> None:
        shape = kind(
            self.at(*corner), width * self.block.width, height * self.block.height, facecolor=colour, linewidth=0
        )
        self.axes.add_patch(shape).set_zorder(3)

    def fill(self, corners: Sequence[tuple[float, float]], colour: str) -> None:
        from matplotlib.patches import Polygon

        self.axes.add_patch(Polygon([self.at(*c) for c in corners], facecolor=colour, linewidth=0)).set_zorder(3)

    def disc(self, middle: tuple[float, float], radius: float, colour: str) -> None:
        from matplotlib.patches import Circle

        self.axes.add_patch(Circle(self.at(*middle), radius * self.block.height, facecolor=colour)).set_zorder(3)

    def car(self, box: tuple[float, float, float, float], colour: str = "") -> None:
        """A car seen from the side that fills the box (left, bottom, width, height); in one colour if given."""
        left, low, width, height = box

        def at(u: float, v: float) -> tuple[float, float]:
            return left + u * width, low + v * height

        self.fill([at(0.16, 0.52), at(0.32, 0.95), at(0.7, 0.95), at(0.88, 0.52)], colour or "#2d6ea8")
        self.fill([at(0.02, 0.16), at(0.02, 0.56), at(0.98, 0.56), at(0.98, 0.16)], colour or KINDS["network"])
        for u in (0.24, 0.76):
            self.disc(at(u, 0.16), 0.14 * height, colour or INK)

    def frame(self, box: tuple[float, float, float, float]) -> None:
        """A dashed box on a white one."""
        from matplotlib.patches import Rectangle

        for colour, width, style in (("white", 2.4, "-"), (KINDS["proposals"], 1.2, (0, (3, 1.5)))):
            size = box[2] * self.block.width, box[3] * self.block.height
            edge = Rectangle(self.at(*box[:2]), *size, fill=False, edgecolor=colour, linewidth=width, linestyle=style)
            self.axes.add_patch(edge).set_zorder(3.1)
