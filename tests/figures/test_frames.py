"""Figures draw what they are given: checked on the artists and on pixels of a rendered canvas."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("agg")
from matplotlib import pyplot as plt

from wadlib.errors import LabelError
from wadlib.figures import frames as figures
from wadlib.figures.frames import colourise
from wadlib.labels import CLASSES


@pytest.fixture
def axes():
    with plt.rc_context():
        figures.plot_style()
        figure, axes = plt.subplots(figsize=(10, 3))
        yield axes
        figure.canvas.draw()  # whatever was drawn can be rendered without a warning
        plt.close(figure)


LABEL = np.array([[255, 255, 255, 255], [33000, 33000, 36001, 65535]], np.uint16)


def test_colours():
    label = np.array([[255, 65535, 33000, 33001, 37000]], np.uint16)
    by_class = colourise(label)
    assert by_class.shape == (1, 5, 3)
    assert by_class.dtype == np.uint8
    assert by_class[0, 2].tolist() == by_class[0, 3].tolist() == list(CLASSES[33].colour)
    assert by_class[0].tolist()[:2] == [[38] * 3, [200] * 3]
    by_instance = colourise(label, by="instance")
    assert by_instance[0, 2].tolist() != by_instance[0, 3].tolist()
    with pytest.raises(LabelError, match="expected by to be one of class, instance, got 'colour'"):
        colourise(label, by="colour")


def test_label_pixels_have_their_class_colours(axes):
    figures.draw_label(axes, LABEL, by="class")
    shown = axes.images[0].get_array()
    assert tuple(shown[1, 0]) == CLASSES[33].colour
    assert tuple(shown[1, 2]) == CLASSES[36].colour


def test_overlay_blends_inside_outlines_and_leaves_the_rest(axes):
    label = np.full((20, 30), 255, np.uint16)
    label[5:15, 5:15] = 33000
    image = np.full((20, 30, 3), 100, np.uint8)
    figures.draw_overlay(axes, image, label, opacity=0.5, smallest_name_px=100)
    shown = axes.images[0].get_array()
    assert tuple(shown[0, 0]) == (100, 100, 100)
    assert tuple(shown[5, 14]) == (255, 255, 255)  # the contour
    expected = (100 + colourise(np.array([[33000]], np.uint16), by="instance")[0, 0].astype(float)) / 2
    np.testing.assert_allclose(shown[8, 8], expected, atol=1)
    assert [text.get_text() for text in axes.texts] == ["car"]
    assert (image == 100).all(), "the picture that was given is not changed"


def test_small_instances_are_not_named(axes):
    figures.draw_overlay(axes, np.zeros((2, 4, 3), np.uint8), LABEL, smallest_name_px=3)
    assert not axes.texts


def test_grid_writes_every_number_readably(axes):
    figures.draw_grid(axes, LABEL, "codes")
    assert [text.get_text() for text in axes.texts] == [str(v) for v in LABEL.ravel()]
    colours = colourise(LABEL).reshape(-1, 3)
    for text, colour in zip(axes.texts, colours, strict=True):
        dark = colour @ [0.299, 0.587, 0.114] < 140
        assert (text.get_color() == "white") == dark


def test_bars_show_each_value_and_mark_an_absent_class(axes):
    figures.draw_bars(axes, {"ours": {33: 0.5, 36: float("nan")}, "theirs": {33: 0.25}}, form="{:.2f}")
    heights = [patch.get_height() for patch in axes.patches]
    assert len(heights) == 2 * len(CLASSES)
    assert max(heights) == 0.5
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("0.50") == 1
    assert texts.count("0.25") == 1
    assert texts.count("–") == 2 * len(CLASSES) - 2
    assert [label.get_text() for label in axes.get_xticklabels()] == [row.name for row in CLASSES.values()]


def test_cumulative_reaches_one_half_at_the_median(axes):
    figures.draw_cumulative(axes, {"areas": np.array([1.0, 2.0, 4.0, 8.0])})
    x, y = axes.lines[0].get_data()
    assert y[np.searchsorted(x, 2.0, side="right") - 1] == 0.5


def test_legend_names_all_seven_classes(axes):
    figures.draw_class_legend(axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"{c.id} {c.name}" for c in CLASSES.values()]


def test_class_colours_stay_apart_for_colour_blind_eyes():
    """Machado et al. 2009, severity 1: no two of the seven classes come nearer than dE 10 (CIEDE2000)."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    deuteranopia = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    )
    protanopia = np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    )
    srgb = np.array([row.colour for row in CLASSES.values()]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    for matrix in (np.eye(3), deuteranopia, protanopia):
        seen = np.clip(linear @ matrix.T, 0, 1)
        seen = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        lab = rgb2lab(seen[None])[0]
        for i in range(7):
            for j in range(i):
                assert deltaE_ciede2000(lab[i], lab[j]) > 10, (i, j)
