"""Minimum cuts of grid graphs: by hand, by brute force, against scipy; both solvers give the same cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_flow

from wadlib.errors import SegmentationError
from wadlib.graphcut.binary import GridGraph
from wadlib.graphcut.maxflow import min_cut
from wadlib.graphcut.problem import DIRECTIONS, pairs

SOLVERS = ("fast", "pymaxflow")


def random_graph(seed, shape, directions, high=10, sparse=0.5, kind=int):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        values = rng.integers(0, high, shape) * (rng.random(shape) > sparse)
        return values.astype(kind) if kind is int else values * rng.random(shape)

    h, w = shape
    arcs = [(draw(h - dy, w - abs(dx)), draw(h - dy, w - abs(dx))) for dy, dx in DIRECTIONS[:directions]]
    return GridGraph(draw(h, w), draw(h, w), tuple(arcs))


def every_cut(graph):
    """The least capacity of all cuts, and the pixels on the sink's side in *all* the minimum ones."""
    shape = graph.source.shape
    cuts = [np.array(c, bool).reshape(shape) for c in itertools.product((0, 1), repeat=graph.source.size)]
    capacities = np.array([graph.capacity(c) for c in cuts])
    best = np.flatnonzero(capacities <= capacities.min() + 1e-9)
    return capacities.min(), np.logical_and.reduce([cuts[i] for i in best])


def flow_of_scipy(graph):
    shape = graph.source.shape
    n = graph.source.size
    ids = np.arange(n).reshape(shape)
    rows, columns, data = [np.full(n, n), ids.ravel()], [ids.ravel(), np.full(n, n + 1)], [graph.source, graph.sink]
    for direction, (ahead, back) in zip(DIRECTIONS, graph.arcs, strict=False):
        p, q = (end.ravel() for end in pairs(ids, direction))
        rows += [p, q]
        columns += [q, p]
        data += [ahead, back]
    data = np.concatenate([d.ravel() for d in data]).astype(np.int32)
    matrix = coo_array((data, (np.concatenate(rows), np.concatenate(columns))), shape=(n + 2, n + 2))
    return maximum_flow(matrix.tocsr(), n, n + 1).flow_value


def line(source, sink, ahead, back):
    """A graph of one row."""
    none = np.zeros((0, len(source)), int)
    source, sink, ahead, back = (np.array(a)[None] for a in (source, sink, ahead, back))
    return GridGraph(source, sink, ((ahead, back), (none, none)))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_chain_carries_what_its_weakest_link_can(solver):
    cut = min_cut(line([9, 0, 0, 0], [0, 0, 0, 9], [5, 3, 7], [0, 0, 0]), solver=solver)
    assert cut.flow == 3
    assert cut.takes.tolist() == [[False, False, True, True]]


@pytest.mark.parametrize("solver", SOLVERS)
def test_of_two_equal_cuts_the_one_next_to_the_sink_is_taken(solver):
    cut = min_cut(line([9, 0, 0, 0], [0, 0, 0, 9], [4, 4, 4], [0, 0, 0]), solver=solver)
    assert cut.takes.tolist() == [[False, False, False, True]]


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_arc_the_other_way_carries_nothing(solver):
    cut = min_cut(line([9, 0], [0, 9], [0], [5]), solver=solver)
    assert cut.flow == 0
    assert cut.takes.tolist() == [[False, True]]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("directions", [2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_equals_brute_force(seed, directions, solver):
    graph = random_graph(seed, (3, 3), directions, sparse=0.3)
    least, takes = every_cut(graph)
    cut = min_cut(graph, solver=solver)
    assert cut.flow == least
    np.testing.assert_array_equal(cut.takes, takes)  # the smallest of all minimum cuts


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    directions=st.sampled_from([2, 4]),
    high=st.sampled_from([2, 5, 1000]),
    sparse=st.sampled_from([0, 0.5, 0.9]),
)
def test_both_solvers_equal_scipy(seed, shape, directions, high, sparse):
    graph = random_graph(seed, shape, directions, high, sparse)
    fast, reference = (min_cut(graph, solver=solver) for solver in SOLVERS)
    assert fast.flow == reference.flow == flow_of_scipy(graph) == graph.capacity(fast.takes)
    np.testing.assert_array_equal(fast.takes, reference.takes)


@pytest.mark.parametrize("directions", [2, 4])
def test_few_terminals_far_apart(directions):
    """Long paths, many orphans: links everywhere, terminals at 2 % of the pixels."""
    rng = np.random.default_rng(1)
    graph = random_graph(2, (60, 80), directions, high=20, sparse=0)
    seeds = rng.random(graph.source.shape) < 0.02
    graph = GridGraph(100 * graph.source * seeds, 100 * graph.sink * np.roll(seeds, 7, axis=1), graph.arcs)
    fast, reference = (min_cut(graph, solver=solver) for solver in SOLVERS)
    assert fast.flow == reference.flow == flow_of_scipy(graph) > 0
    np.testing.assert_array_equal(fast.takes, reference.takes)


@pytest.mark.parametrize("solver", SOLVERS)
def test_float_capacities(solver):
    graph = random_graph(3, (3, 3), 4, kind=float)
    least, takes = every_cut(graph)
    cut = min_cut(graph, solver=solver)
    assert cut.flow == pytest.approx(least, rel=1e-12)
    np.testing.assert_array_equal(cut.takes, takes)


@pytest.mark.parametrize("solver", SOLVERS)
def test_terminals_may_be_negative_since_every_cut_holds_one(solver):
    graph = random_graph(4, (2, 4), 2)
    moved = GridGraph(graph.source - 20, graph.sink - 20, graph.arcs)
    before, after = min_cut(graph, solver=solver), min_cut(moved, solver=solver)
    np.testing.assert_array_equal(before.takes, after.takes)
    assert after.flow == before.flow - 8 * 20 == moved.capacity(after.takes)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_single_pixel_and_a_graph_without_capacity(solver):
    assert min_cut(line([3], [5], [], []), solver=solver).flow == 3
    cut = min_cut(line([0, 0], [0, 0], [0], [0]), solver=solver)
    assert cut.flow == 0
    assert not cut.takes.any()


def test_the_graph_is_not_changed():
    graph = random_graph(5, (6, 7), 4)
    arrays = [graph.source, graph.sink, *(c for arc in graph.arcs for c in arc)]
    copies = [a.copy() for a in arrays]
    for solver in SOLVERS:
        min_cut(graph, solver=solver)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (line([1, 2], [3, 4], [-1], [0]), "expected arcs of capacity >= 0, got -1"),
        (line([1, 2], [3, 4], [1, 1], [0]), "expected capacities of shapes"),
        (GridGraph(np.ones(3), np.ones(3), ()), "expected capacities of shapes"),
        (line([1.0, np.inf], [3, 4], [1], [0]), "expected finite capacities"),
        (line([1.0, np.nan], [3, 4], [1], [0]), "expected finite capacities"),
        (line([1, 2], [3, 4], [np.nan], [0]), "expected finite capacities"),
        (line([1, 2**61], [3, 4], [1], [0]), "expected finite capacities"),
    ],
)
def test_graphs_that_cannot_be_cut(graph, message):
    with pytest.raises(SegmentationError, match=message):
        min_cut(graph)


def test_an_unknown_solver():
    with pytest.raises(SegmentationError, match="expected solver 'fast' or 'pymaxflow', got 'gco'"):
        min_cut(line([1], [2], [], []), solver="gco")
