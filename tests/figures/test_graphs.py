"""Figures of graph cuts draw what they are given: every capacity, and exactly the links that are cut."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from wadlib.figures import graphs as graph_figures
from wadlib.figures.frames import plot_style
from wadlib.graphcut.line import swap_graph_1d


@pytest.fixture
def axes():
    with plt.rc_context():
        plot_style()
        figure, axes = plt.subplots(figsize=(6, 4))
        yield axes
        figure.canvas.draw()  # whatever was drawn can be rendered without a warning
        plt.close(figure)


@pytest.fixture
def graph():
    """Four pixels; the swap of 0 and 1 leaves the last one, labelled 2, out."""
    unary = np.array([[0, 4, 9], [1, 3, 9], [5, 2, 9], [9, 9, 0]])
    return swap_graph_1d(np.array([0, 1, 1, 2]), unary, 2, alpha=0, beta=1)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_swap_graph_shows_every_capacity_the_terminals_and_who_stands_by(axes, graph):
    graph_figures.draw_swap_graph(axes, graph, title="Fig 1")
    numbers = sorted(int(text) for text in texts(axes) if text.isdigit())
    assert numbers == sorted([0, 1, 5 + 2, 4, 3, 2 + 2, 2, 2])  # to α, to β, between neighbours
    assert {"α = label 0", "β = label 1", "pixel 0", "pixel 1", "pixel 2", "pixel 3\nkeeps 2"} <= set(texts(axes))
    assert {line.get_linestyle() for line in axes.lines} == {"-", ":"}, "nothing is cut yet"
    assert axes.get_title(loc="left") == "Fig 1"


def test_links_that_are_cut_are_dashed_and_coloured(axes, graph):
    cut = graph.cut(solver="pymaxflow")
    graph_figures.draw_swap_graph(axes, graph, cut)
    dashed = {tuple(line.get_xdata()) for line in axes.lines if line.get_linestyle() == "--"}
    assert dashed == {(0, 1.5), (1, 1.5), (1, 2), (2, 1.5)}  # pixels 0 and 1 from α, 2 from β, 1 from 2
    assert len([t for t in axes.texts if t.get_color() == graph_figures.CUT]) == 4
    assert {"pixel 0\ngets α", "pixel 1\ngets α", "pixel 2\ngets β"} <= set(texts(axes))


def test_a_swap_without_pixels_has_only_terminals(axes, graph):
    alone = swap_graph_1d(np.array([2, 2]), np.zeros((2, 3), int), 1, alpha=0, beta=1)
    graph_figures.draw_swap_graph(axes, alone, alone.cut(solver="pymaxflow"))
    assert not axes.lines
    assert texts(axes) == ["α = label 0", "β = label 1", "pixel 0\nkeeps 2", "pixel 1\nkeeps 2"]


def test_energies_start_at_move_zero_and_differ_by_marker_and_colour(axes):
    graph_figures.draw_energies(axes, {"swap": np.array([9, 7, 7]), "ICM": np.array([9, 8])}, title="Descent")
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [9, 8])
    assert (
        len({line.get_marker() for line in axes.lines}) == len({to_hex(line.get_color()) for line in axes.lines}) == 2
    )
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["swap", "ICM"]
