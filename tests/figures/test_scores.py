"""Drawings of scores show the numbers that they are given."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("agg")

import numpy as np
import pytest
from matplotlib import pyplot as plt

from wadlib.figures.scores import draw_matrix, draw_waterfall


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_a_waterfall_adds_up(axes):
    draw_waterfall(axes, {"as published": 0.1, "a gain": 0.4, "a loss": 0.3, "cured": 0.3}, form="{:.1f}")
    bars = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    assert np.allclose(bars, [(0, 0.1), (0.1, 0.4), (0.4, 0.3), (0, 0.3)])
    assert [text.get_text() for text in axes.texts] == ["0.1", "+0.3", "−0.1", "0.3"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["as published", "a gain", "a loss", "cured"]
    assert [bool(patch.get_hatch()) for patch in axes.patches] == [False, False, True, False]


def test_a_matrix_shows_its_numbers(axes):
    draw_matrix(axes, np.array([[0.25, 0.0], [np.nan, 1.0]]), ["a", "b"], ["c", "d"])
    assert [text.get_text() for text in axes.texts] == ["0.25", "", "–", "1.00"]
