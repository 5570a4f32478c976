"""Figures of networks: true shapes at every box, nothing overlaps, four detectors in one language."""

import itertools
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

import wadlib.figures
from wadlib.course.classroom import show_drawing
from wadlib.errors import WadError
from wadlib.figures import draw_unet
from wadlib.figures.frames import plot_style
from wadlib.unet import Architecture, attempt, cure, layer_shapes, ronneberger


@pytest.fixture
def draw():
    """``draw(function, *arguments, size=…)`` -> the Axes it drew on, rendered."""
    with plt.rc_context():
        plot_style()
        figures = []

        def on_axes(function, *arguments, size=(10, 5.5), **options):
            figure, axes = plt.subplots(figsize=size)
            figures.append(figure)
            function(axes, *arguments, **options)
            figure.canvas.draw()
            return axes

        yield on_axes
        for figure in figures:
            plt.close(figure)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def assert_readable(axes):
    """No text covers another, and none leaves the figure."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in axes.texts]
    if axes.get_legend():
        boxes.append(("the legend", axes.get_legend().get_window_extent()))
    page = axes.figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, f"{text!r} leaves the page"
        assert page.y0 <= box.y0 < box.y1 <= page.y1, f"{text!r} leaves the page"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
        assert apart, f"{one!r} overlaps {other!r}"


ARCHITECTURES = {
    "paper": ronneberger(),
    "attempt": attempt(),
    "cure": cure(),
    "shallow": Architecture((64, 96, 3), widths=(8, 16)),
    "flat": Architecture((64, 96, 3), widths=(8,)),
    "deep": Architecture((256, 1024, 3), widths=(8, 8, 16, 16, 32, 32)),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_tensor_of_the_network_is_in_the_figure(draw, name):
    stages = layer_shapes(ARCHITECTURES[name])
    axes = draw(draw_unet, stages, "U-Net")
    assert_readable(axes)
    boxes = [stage for stage in stages if stage.kind not in ("up", "copy")]
    said = texts(axes)
    channels = [text for text in said if text.isdecimal()]
    assert sorted(channels) == sorted(str(stage.shape[2]) for stage in boxes)
    sizes = [text for text in said if not text.isdecimal() and "→" not in text]
    expected = [f"{h}²" if h == w else f"{h}×{w}" for h, w, _ in (stage.shape for stage in boxes)]
    assert sorted(sizes) == sorted(expected)
    rectangles = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    copies = sum(stage.kind == "copy" for stage in stages)
    assert len(rectangles) == len(boxes) + copies, "a concatenation is two boxes"


def test_one_arrow_per_operation_and_crops_are_named(draw):
    axes = draw(draw_unet, layer_shapes(ronneberger()))
    arrows = [patch for patch in axes.patches if not isinstance(patch, Rectangle)]
    assert len(arrows) == 18 + 4 + 4 + 4 + 1  # convolutions, poolings, up-convolutions, copies, the last one
    assert {"568² → 392²", "280² → 200²", "136² → 104²", "64² → 56²"} <= set(texts(axes))
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "copy and crop" in legend


def test_a_network_without_crops_says_so_and_the_words_can_be_changed(draw):
    axes = draw(draw_unet, layer_shapes(cure()), "title", words={"conv": "3×3 convolution, ReLU"})
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend[0] == "3×3 convolution, ReLU"
    assert "copy" in legend
    assert not any("→" in text for text in texts(axes))
    assert axes.get_title(loc="left") == "title"


DRAWINGS = sorted(Path(wadlib.figures.__file__).parent.glob("rcnn_family/*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def words(path):
    """What is written in a drawing."""
    return [text.text for text in ElementTree.parse(path).iter(f"{SVG}text")]


def test_the_four_drawings_tell_the_story():
    said = {path.stem: set(words(path)) for path in DRAWINGS}
    order = ["r-cnn", "fast-r-cnn", "faster-r-cnn", "mask-r-cnn"]
    assert sorted(said) == sorted(order)
    assert [("selective search" in said[name]) for name in order] == [True, True, False, False]
    assert [("RPN" in said[name]) for name in order] == [False, False, True, True]
    assert [("RoI pooling" in said[name]) for name in order] == [False, True, True, False]
    assert [("mask" in said[name]) for name in order] == [False, False, False, True]
    assert all({"once per image", "new here", "car", "box"} <= words for words in said.values())


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_has_a_ground_of_its_own_and_a_description(path):
    """A white ground: the ink is dark, and must be readable in a dark notebook too."""
    root = ElementTree.parse(path).getroot()
    assert len(root.find(f"{SVG}desc").text) > 100
    assert root.find(f".//{SVG}path").get("style") == "fill: #ffffff"
    assert not [node for node in root.iter() if node.tag.endswith(("script", "image"))]


def test_a_drawing_is_shown_with_its_description(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show_drawing("Fast R-CNN")
    assert 'alt="A network computes a feature map once per image.' in shown[0].data
    with pytest.raises(WadError, match="'YOLO'") as caught:
        show_drawing("YOLO")
    assert "Faster R-CNN" in str(caught.value)


def test_drawing_needs_no_keras():
    code = (
        "import sys, wadlib.figures, wadlib.unet; "
        "slow = {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules); "
        "sys.exit(str(slow) if slow else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
