"""Fig 2 of the report, drawn from the tensors of a U-Net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wadlib.figures.frames import INK, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wadlib.unet.shapes import Stage

ARROWS = {
    # what: (colour, marker of the legend, words)
    "conv": (PALETTE[0], ">", "3×3 convolution"),
    "pool": (PALETTE[4], "v", "2×2 max-pooling"),
    "up": (PALETTE[2], "^", "up-convolution"),
    "copy": (PALETTE[3], ">", "copy and crop"),
    "logits": (PALETTE[1], ">", "1×1 convolution"),
}
TENSOR, COPIED = "#cfe3f5", "#ffffff"
WIDEST, TALLEST, SHRINK, GAP = 0.62, 2.1, 0.64, 0.98  # of the boxes, in columns; how levels shrink; between them


def draw_unet(axes: Axes, stages: Sequence[Stage], title: str = "", *, words: Mapping[str, str] | None = None) -> None:
    """Draw a U-Net as the letter U: one box per tensor with its true shape, one arrow per operation.

    Above a box is its number of channels, below it height × width in pixels (a power of two for a
    square one). A box is wider the more channels it has and lower the deeper it lies; white is what
    was copied across.

    Parameters
    ----------
    stages : of `wadlib.unet.stages(model)`, or `wadlib.unet.layer_shapes(architecture)`
    words : dict, optional
        Other words for the legend, by kind: conv, pool, up, copy, logits.

    Notes
    -----
    A figure of 10 x 5.5 inches suits four poolings.
    """
    # Sizes on the page: a box as wide as the root of its channels, as high as its level.
    tensors = {stage.name: stage for stage in stages}
    depth = max(stage.level for stage in stages)
    most = max(stage.shape[2] for stage in stages if stage.kind != "concat")
    width = {name: max(0.09, WIDEST * (stage.shape[2] / most) ** 0.5) for name, stage in tensors.items()}
    heights = [TALLEST * SHRINK**level for level in range(depth + 1)]
    rows = [-sum(heights[:level]) - heights[level] / 2 - level * GAP for level in range(depth + 1)]
    columns = 4 * depth + 4
    bottom = rows[-1] - heights[-1] / 2
    axes.set_aspect("equal")
    axes.set_xlim(-0.45, columns - 0.55)
    corner = depth >= 3  # the lower left corner is empty: room for the legend
    axes.set_ylim(bottom - (0.35 if corner else 0.85), 0.35)
    axes.axis("off")
    axes.set_title(title)
    pen = _Pen(axes, tensors, width, heights, rows)

    for level in range(depth + 1):  # the contracting path goes two columns right and one level down
        part = f"down{level}" if level < depth else "bottom"
        pen.box("input" if level == 0 else f"down{level - 1}_pool", 2 * level, level)
        pen.convolutions(part, 2 * level, level)
        if level < depth:
            pen.vertical("pool", 2 * level + 2, level, level + 1)
    # The expansive path goes up again, with a copy from the left at each level.
    for step, level in enumerate(reversed(range(depth))):
        x = 2 * depth + 2 + 2 * step
        pen.vertical("up", x, level + 1, level)
        start, end = pen.concat(level, x)
        pen.horizontal("copy", pen.ends[f"down{level}_conv2"], start, rows[level])
        source, target = (
            tensors[f"{part}{level}_{name}"].shape[:2] for part, name in (("down", "conv2"), ("up", "copy"))
        )
        if source != target:
            middle = (pen.ends[f"down{level}_conv2"] + start) / 2
            pen.write(
                middle, rows[level] + 0.06, f"{_size(source)} → {_size(target)}", "bottom", colour=ARROWS["copy"][0]
            )
        pen.convolutions(f"up{level}", x, level, start=end)
    last = 4 * depth + 2
    pen.box("logits", last + 1, 0)
    pen.horizontal(
        "logits", pen.ends["up0_conv2" if depth else "bottom_conv2"], last + 1 - width["logits"] / 2, rows[0]
    )
    _legend(axes, tensors, words or {}, pen.font, corner)


class _Pen:
    """Draws the boxes of one U-Net and remembers where they end."""

    def __init__(self, axes: Axes, tensors: Mapping[str, Stage], width: Mapping[str, float],
                 heights: Sequence[float], rows: Sequence[float]) -> None:  # fmt: skip
        self.axes, self.tensors, self.width, self.heights, self.rows = axes, tensors, width, heights, rows
        self.ends: dict[str, float] = {}  # right edge of each box
        self.font = min(10.0, _points(axes, 0.2))

    def write(self, x: float, y: float, text: str, va: str, *, colour: str = INK, scale: float = 1.0) -> None:
        self.axes.text(x, y, text, ha="center", va=va, fontsize=scale * self.font, color=colour, zorder=5)

    def rectangle(self, x: float, level: int, width: float, colour: str) -> None:
        from matplotlib.patches import Rectangle

        y, height = self.rows[level] - self.heights[level] / 2, self.heights[level]
        box = Rectangle((x, y), width, height, facecolor=colour, edgecolor=INK, linewidth=0.8, zorder=3)
        self.axes.add_patch(box)

    def label(self, x: float, level: int, channels: int, size: tuple[int, ...]) -> None:
        self.write(x, self.rows[level] + self.heights[level] / 2 + 0.04, f"{channels}", "bottom")
        self.write(
            x, self.rows[level] - self.heights[level] / 2 - 0.05, _size(size), "top", colour="#4c535c", scale=0.84
        )

    def box(self, name: str, x: float, level: int) -> None:
        """A tensor whose middle is at column `x`."""
        width = self.width[name]
        self.rectangle(x - width / 2, level, width, TENSOR)
        self.label(x, level, self.tensors[name].shape[2], self.tensors[name].shape[:2])
        self.ends[name] = x + width / 2

    def convolutions(self, part: str, x: float, level: int, start: float | None = None) -> None:
        """The two convolutions after column `x`, each with its arrow."""
        before = x + self.width["input" if level == 0 else f"down{level - 1}_pool"] / 2 if start is None else start
        for i in (1, 2):
            name = f"{part}_conv{i}"
            self.box(name, x + i, level)
            self.horizontal("conv", before, x + i - self.width[name] / 2, self.rows[level])
            before = self.ends[name]

    def concat(self, level: int, x: float) -> tuple[float, float]:
        """The copy and the up-convolution side by side, around column `x`; where they begin and end."""
        copy, up = self.width[f"up{level}_copy"], self.width[f"up{level}_upconv"]
        whole = self.tensors[f"up{level}_concat"].shape
        left = x - (copy + up) / 2
        self.rectangle(left, level, copy, COPIED)
        self.rectangle(left + copy, level, up, TENSOR)
        self.label(x, level, whole[2], whole[:2])
        return left, left + copy + up

    def horizontal(self, kind: str, x0: float, x1: float, y: float) -> None:
        self._arrow(kind, (x0 + 0.03, y), (x1 - 0.02, y))

    def vertical(self, kind: str, x: float, upper: int, lower: int) -> None:
        """From the box at level `upper` to the one at level `lower`, between their labels."""
        down = 1 if upper < lower else -1
        y0 = self.rows[upper] - down * (self.heights[upper] / 2 + (0.22 if down > 0 else 0.25))
        y1 = self.rows[lower] + down * (self.heights[lower] / 2 + (0.25 if down > 0 else 0.22))
        self._arrow(kind, (x, y0), (x, y1))

    def _arrow(self, kind: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        from matplotlib.patches import FancyArrowPatch

        scale = _points(self.axes, 0.12)
        style = "-|>,head_length=0.9,head_width=0.55"
        arrow = FancyArrowPatch(
            start, end, arrowstyle=style, mutation_scale=scale, color=ARROWS[kind][0],
            linewidth=_points(self.axes, 0.045), shrinkA=0, shrinkB=0, joinstyle="miter", zorder=2,
        )  # fmt: skip
        self.axes.add_patch(arrow)


def _size(size: Sequence[int]) -> str:
    return f"{size[0]}²" if size[0] == size[1] else f"{size[0]}×{size[1]}"


def _legend(axes: Axes, tensors: Mapping[str, Any], words: Mapping[str, str], font: float, corner: bool) -> None:
    from matplotlib.lines import Line2D

    crops = any(
        tensors[f"down{name[2:-5]}_conv2"].shape != stage.shape
        for name, stage in tensors.items()
        if stage.kind == "copy"
    )
    defaults = {kind: text for kind, (_, _, text) in ARROWS.items()} | ({} if crops else {"copy": "copy"})
    handles = [
        Line2D(
            [],
            [],
            color=colour,
            marker=marker,
            linestyle="-" if marker == ">" else "",
            linewidth=2,
            markersize=0.75 * font,
            label=(defaults | dict(words))[kind],
        )
        for kind, (colour, marker, _) in ARROWS.items()
    ]
    place = {"loc": "lower left"} if corner else {"loc": "lower center", "ncols": len(handles), "columnspacing": 1.2}
    axes.legend(handles=handles, fontsize=font, borderaxespad=0, handlelength=1.8, **place)


def _points(axes: Axes, length: float) -> float:
    """A length of the diagram in points (1/72 inch), for letters and lines."""
    figure_width, figure_height = axes.figure.get_size_inches()  # type: ignore[union-attr]
    place = axes.get_subplotspec()
    rows, columns = (place.get_gridspec().nrows, place.get_gridspec().ncols) if place else (1, 1)
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    return 72 * length * float(min(figure_width / columns / (x1 - x0), figure_height / rows / (y1 - y0)))
