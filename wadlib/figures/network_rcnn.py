"""The R-CNN family, Figs 6–9 of the report: four diagrams of our own in one language.

What stands in the upper lane is computed once per image, what stands in the lower one once per
region. From diagram to diagram work moves upwards; a star and a thick edge mark what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wadlib.errors import WadError
from wadlib.figures.network_blocks import Block, draw_arrow, draw_block, draw_lane, draw_star, open_diagram, points
from wadlib.figures.network_pictures import draw_feature_map, draw_object, draw_scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FAMILY", "draw_rcnn_family"]

WIDTH, HEIGHT = 12.7, 5.35
UPPER, LOWER = 4.3, 1.35  # middle of each lane
HALF = (0.95, 1.25)  # of their heights
SLOTS = (1.35, 4.0, 6.45, 8.95, 11.35)  # middles of the upper lane's blocks
WIRES = (3.12, 2.8)  # heights of the two lines between the lanes: features, regions


def draw_rcnn_family(axes: Axes, name: str, title: str = "") -> None:
    """Draw one of the four detectors.

    Parameters
    ----------
    name : "R-CNN" (Fig 6), "Fast R-CNN" (Fig 7), "Faster R-CNN" (Fig 8) or "Mask R-CNN" (Fig 9)

    Notes
    -----
    A figure of 10 x 4.4 inches suits a diagram; in a smaller one the text is smaller.

    Raises
    ------
    WadError
        Another name.
    """
    if name not in FAMILY:
        raise WadError(
            f"draw_rcnn_family: there is no detector {name!r}",
            cause="a typing slip",
            fix="use one of " + ", ".join(FAMILY),
        )
    open_diagram(axes, WIDTH, HEIGHT, title)
    FAMILY[name](axes)


def _rcnn(axes: Axes) -> None:
    """Girshick, Donahue, Darrell and Malik, "Rich feature hierarchies …", CVPR 2014, Fig 1."""
    _lanes(axes, 2000)
    image = _image(axes)
    search = draw_block(axes, _upper(3), "selective search", "classic", note="colour and texture,\nnothing is learnt")
    draw_arrow(axes, image.right, search.left)
    regions = _regions(axes, search)
    crop = draw_block(axes, _lower(1.4), "crop and warp", "pooling", note="to 227 × 227 px", copies=3)
    _drop(axes, regions, crop, "pixels of each region", wire=WIRES[1])
    network = draw_block(axes, _lower(4.35), "CNN", note="convolutions and\n2 dense layers", copies=3, new=True)
    draw_arrow(axes, crop.right, network.left)
    heads = [("one SVM per class", "classic", "which class"), ("linear regression", "classic", "shifts the box")]
    _heads(axes, network, heads, (LOWER + 0.46, LOWER - 0.46))


def _fast(axes: Axes) -> None:
    """Girshick, "Fast R-CNN", ICCV 2015, Fig 1."""
    _lanes(axes, 2000)
    image = _image(axes)
    network = draw_block(axes, _upper(1), "CNN", note="convolutions only,\nthe image once", new=True)
    features = _features(axes, image, network, "feature map, 1/16")
    search = draw_block(axes, _upper(3), "selective search", "classic", note="as before")
    x, over = image.x + 0.6, UPPER + HALF[0] - 0.16
    draw_arrow(axes, (x, image.top[1]), (x, over), (search.x, over), search.top)
    regions = _regions(axes, search)
    pool = draw_block(axes, _lower(1.4), "RoI pooling", "pooling", note="7 × 7 cells", copies=3, new=True)
    _drop(axes, features, pool, "feature map", shift=-0.3)
    _drop(axes, regions, pool, "regions", wire=WIRES[1], shift=0.3)
    _dense(axes, pool)


def _faster(axes: Axes) -> None:
    """Ren, He, Girshick and Sun, "Faster R-CNN", NeurIPS 2015, Figs 2 and 3."""
    _lanes(axes, 300)
    image = _image(axes)
    network = draw_block(axes, _upper(1), "CNN", note="convolutions only")
    features = _features(axes, image, network, "feature map, 1/16")
    rpn = draw_block(
        axes, _upper(3), "RPN", "proposals", note="9 anchors per cell:\nobject? shift of the box", new=True
    )
    draw_arrow(axes, features.right, rpn.left)
    regions = _regions(axes, rpn, "NMS")
    pool = draw_block(axes, _lower(1.4), "RoI pooling", "pooling", note="7 × 7 cells", copies=3)
    _drop(axes, features, pool, "feature map", shift=-0.3)
    _drop(axes, regions, pool, "proposals", wire=WIRES[1], shift=0.3)
    _dense(axes, pool)


def _mask(axes: Axes) -> None:
    """He, Gkioxari, Dollár and Girshick, "Mask R-CNN", ICCV 2017, Figs 1 and 4."""
    _lanes(axes, "up to 1000")
    image = _image(axes)
    network = draw_block(axes, _upper(1), "ResNet + FPN", note="a pyramid of\nfeature maps", new=True)
    features = _features(axes, image, network, "P2 … P6: 1/4 … 1/64", pyramid=True)
    rpn = draw_block(axes, _upper(3), "RPN", "proposals", note="3 anchors per cell\nof each map")
    draw_arrow(axes, features.right, rpn.left)
    regions = _regions(axes, rpn, "NMS")
    align = draw_block(axes, _lower(1.4), "RoIAlign", "pooling", note="no rounding:\nbilinear", copies=3, new=True)
    finest = Block(features.x - features.width / 4, features.y, features.width / 2, features.height)
    _drop(axes, finest, align, "pyramid", shift=-0.3)
    _drop(axes, regions, align, "proposals", wire=WIRES[1], shift=0.3)
    _dense(axes, align, mask=True)


FAMILY: dict[str, Callable[[Axes], None]] = {
    "R-CNN": _rcnn,
    "Fast R-CNN": _fast,
    "Faster R-CNN": _faster,
    "Mask R-CNN": _mask,
}
"""The four detectors in the order of their invention."""


def _upper(slot: int) -> Block:
    return Block(SLOTS[slot], UPPER - 0.08, 1.95, 1.05)


def _lower(x: float, y: float = LOWER, height: float = 1.0) -> Block:
    return Block(x, y, 1.95, height)


def _lanes(axes: Axes, regions: int | str) -> None:
    words = ("once per image", f"once per region: {regions} times")
    for middle, half, text in zip((UPPER, LOWER), HALF, words, strict=True):
        draw_lane(axes, 0.1, middle - half, WIDTH - 0.1, middle + half, text, at_bottom=middle == LOWER)
    x, y = WIDTH - 1.05, UPPER + HALF[0] - 0.17
    draw_star(axes, x, y)
    axes.text(x + 0.16, y, "new here", va="center", fontsize=points(axes, 0.13), zorder=5)


def _image(axes: Axes) -> Block:
    return draw_scene(axes, Block(SLOTS[0], UPPER - 0.08, 1.95, 1.2))


def _features(axes: Axes, image: Block, network: Block, text: str, *, pyramid: bool = False) -> Block:
    block = Block(SLOTS[2], UPPER - 0.08, 1.5, 0.95)
    draw_arrow(axes, image.right, network.left)
    draw_arrow(axes, network.right, block.left)
    return draw_feature_map(axes, block, text, pyramid=pyramid)


def _regions(axes: Axes, source: Block, text: str = "") -> Block:
    block = Block(SLOTS[4], UPPER - 0.08, 1.95, 1.2)
    draw_arrow(axes, source.right, block.left, text=text)
    return draw_scene(axes, block, regions=True)


def _drop(axes: Axes, source: Block, target: Block, text: str, *, wire: float = WIRES[0], shift: float = 0.0) -> None:
    """An arrow from the upper lane, along the line between the lanes, into a block of the lower one."""
    x = target.x + shift
    corners = [source.bottom, (source.x, wire), (x, wire), (x, target.top[1] + (0.07 * 2 if target.y == LOWER else 0))]
    draw_arrow(axes, *corners, text=text, at=((x + source.x) / 2, wire), on_line=True)


def _dense(axes: Axes, pool: Block, *, mask: bool = False) -> None:
    """Two dense layers, their heads and what these say; and the mask branch below them."""
    rows = [LOWER + y for y in ((0.78, 0.08, -0.72) if mask else (0.46, -0.46))]
    note = "from 7 × 7 cells" if mask else "4096 features"
    dense = draw_block(axes, _lower(4.35, sum(rows[:2]) / 2, 0.75), "2 dense layers", "head", note=note, copies=3)
    draw_arrow(axes, pool.right, (pool.right[0] + 0.4, LOWER), (pool.right[0] + 0.4, dense.y), dense.left)
    heads = [("softmax", "head", "classes and background"), ("box regression", "head", "4 numbers per class")]
    _heads(axes, dense, heads, rows[:2])
    if mask:
        branch = draw_block(
            axes, _lower(4.35, rows[2], 0.62), "4 convolutions", "head", note="from 14 × 14", copies=3, new=True
        )
        draw_arrow(axes, pool.right, (pool.right[0] + 0.4, LOWER), (pool.right[0] + 0.4, branch.y), branch.left)
        _head(axes, branch, ("up-convolution", "head", "28 × 28 mask per class"), rows[2], "mask", new=True)


def _heads(axes: Axes, source: Block, heads: Sequence[tuple[str, str, str]], rows: Sequence[float]) -> None:
    for head, y, result in zip(heads, rows, ("class", "box"), strict=True):
        _head(axes, source, head, y, result)


def _head(axes: Axes, source: Block, words: tuple[str, str, str], y: float, result: str, *, new: bool = False) -> None:
    """One head, named (text, kind, note), and its result at the right."""
    name, kind, note = words
    head = draw_block(axes, Block(8.1, y, 2.3, 0.6), name, kind, note=note, new=new)
    turn = source.right[0] + 0.55
    draw_arrow(axes, source.right, (turn, source.y), (turn, y), head.left)
    shown = draw_object(axes, Block(11.2, y, 1.7, 0.55), result)
    draw_arrow(axes, head.right, shown.left)
