"""α-expansion and α-β swap against brute force, against each other's solver, and with every wrong input."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wadlib.errors import SegmentationError
from wadlib.graphcut import alpha_beta_swap, alpha_expansion, contrast_weights, energy, icm, swap_graph_1d
from wadlib.graphcut.binary import expansion_graph, swap_graph
from wadlib.graphcut.fast import solvers
from wadlib.graphcut.fast.integers import integer_problem
from wadlib.graphcut.problem import DIRECTIONS, Problem
from wadlib.graphcut.smoothness import check_metric, check_semimetric, potts

SOLVERS = ("fast", "pymaxflow")
MOVES = (alpha_expansion, alpha_beta_swap)


def truncated(labels, power=1, top=2):
    i = np.arange(labels)
    return np.minimum(np.abs(i - i[:, None]) ** power, top)


def random_costs(seed, shape=(3, 3), labels=3, connectivity=4, kind=int, top=10):
    """Unary (H,W,L) and edge weights."""
    rng = np.random.default_rng(seed)
    h, w = shape
    shapes = [(h - dy, w - abs(dx)) for dy, dx in DIRECTIONS[: connectivity // 2]]
    unary, *weights = (rng.random(s) * top for s in [(h, w, labels), *shapes])
    if kind is int:
        return unary.astype(int) - 3, [(w / 2).astype(int) for w in weights]
    return unary - 3, [w / 2 for w in weights]


def least_energy(unary, V, weights):
    """Minimum over all labellings, by the formula, pixel by pixel and pair by pair."""
    h, w, n = unary.shape
    f = np.indices((n,) * (h * w)).reshape(h, w, -1)  # every labelling along the last axis
    total = sum(unary[y, x, f[y, x]] for y in range(h) for x in range(w))
    for (dy, dx), factor in zip(DIRECTIONS, weights, strict=False):
        left = max(0, -dx)
        for y, x in np.ndindex(factor.shape):
            total = total + factor[y, x] * V[f[y, left + x], f[y + dy, left + x + dx]]
    return total.min()


def every_expansion(f, labels, only=None):
    for (alpha,) in [(a,) for a in range(labels)] if only is None else [only]:
        for takes in itertools.product((False, True), repeat=f.size):
            yield np.where(np.reshape(takes, f.shape), alpha, f)


def every_swap(f, labels, only=None):
    for alpha, beta in itertools.combinations(range(labels), 2) if only is None else [only]:
        play = (f == alpha) | (f == beta)
        for pattern in itertools.product((alpha, beta), repeat=int(play.sum())):
            g = f.copy()
            g[play] = pattern
            yield g


# --- brute force ---------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("kind", [int, float])
def test_two_labels_are_solved_exactly(move, solver, connectivity, kind):
    for seed in range(3):
        unary, weights = random_costs(seed, (3, 4), 2, connectivity, kind)
        fit = move(unary, 1.5 if kind is float else 1, weights, solver=solver)
        best = least_energy(unary, (1.5 if kind is float else 1) * potts(2), weights)
        assert fit.energy == pytest.approx(best, abs=1e-7 if kind is float else 0)


def test_two_labels_equal_pymaxflows_own_grid_functions():
    """An independent graph: PyMaxflow's documented recipe for binary denoising."""
    import maxflow

    rng = np.random.default_rng(0)
    noisy = (rng.random((40, 60)) < np.where(np.arange(60) < 30, 0.2, 0.8)).astype(int)
    unary = np.stack([3 * noisy, 3 * (1 - noisy)], axis=2)
    graph = maxflow.GraphInt()
    nodes = graph.add_grid_nodes(noisy.shape)
    graph.add_grid_edges(nodes, 2)
    graph.add_grid_tedges(nodes, 3 * (1 - noisy), 3 * noisy)
    flow = graph.maxflow()
    for move in MOVES:
        assert move(unary, 2).energy == flow == energy(graph.get_grid_segments(nodes).astype(int), unary, 2)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("connectivity", [4, 8])
def test_no_expansion_improves_the_result_and_it_is_within_twice_the_optimum(solver, connectivity):
    for seed in range(2):
        unary, weights = random_costs(seed, connectivity=connectivity)
        unary -= unary.min()  # the factor 2 is for costs >= 0
        fit = alpha_expansion(unary, 1, weights, init=np.full((3, 3), 2), solver=solver)
        assert fit.energy == energy(fit.labels, unary, 1, weights)
        assert fit.energy == min(energy(g, unary, 1, weights) for g in every_expansion(fit.labels, 3))
        assert fit.energy <= 2 * least_energy(unary, potts(3), weights)


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_expansion_improves_the_result_for_a_truncated_linear_V(solver):
    unary, weights = random_costs(3, labels=4)
    V = truncated(4)
    fit = alpha_expansion(unary, V, weights, solver=solver)
    assert fit.energy == min(energy(g, unary, V, weights) for g in every_expansion(fit.labels, 4))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("connectivity", [4, 8])
def test_no_swap_improves_the_result_for_a_semi_metric(solver, connectivity):
    unary, weights = random_costs(4, labels=4, connectivity=connectivity)
    V = truncated(4, power=2, top=9)
    fit = alpha_beta_swap(unary, V, weights, solver=solver)
    assert fit.energy == min(energy(g, unary, V, weights) for g in every_swap(fit.labels, 4))


def test_one_expansion_and_one_swap_are_the_best_of_their_kind():
    for seed in range(3):
        unary, weights = random_costs(seed, (2, 4))
        start = np.random.default_rng(seed).integers(0, 3, (2, 4))
        for move, every in ((alpha_expansion, every_expansion), (alpha_beta_swap, every_swap)):
            fit = move(unary, 1, weights, init=start, max_moves=1)
            assert fit.energy == min(energy(g, unary, 1, weights) for g in every(start, 3, fit.moves[0]))


# --- the graphs ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), connectivity=st.sampled_from([4, 8]), kind=st.sampled_from([int, float]))
def test_every_cut_of_a_moves_graph_is_the_energy_of_what_it_stands_for(seed, connectivity, kind):
    rng = np.random.default_rng(seed)
    unary, weights = random_costs(seed, (3, 4), 4, connectivity, kind)
    f = rng.integers(0, 4, (3, 4))
    takes = rng.random((3, 4)) < 0.5
    problem = Problem.checked("test", unary, truncated(4), weights)
    graph = expansion_graph(problem, f, 1)
    assert graph.capacity(takes) + graph.constant == pytest.approx(problem.energy(np.where(takes, 1, f)))
    assert min(c.min() for arc in graph.arcs for c in arc) >= 0
    problem = Problem.checked("test", unary, truncated(4, power=2, top=9), weights)
    graph = swap_graph(problem, f, 1, 3)
    after = np.where((f == 1) | (f == 3), np.where(takes, 1, 3), f)
    assert graph.capacity(takes) + graph.constant == pytest.approx(problem.energy(after))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 9),
    kind=st.sampled_from([int, float]),
    solver=st.sampled_from(SOLVERS),
)
def test_the_swap_graph_of_a_line_flow_and_constant_are_the_energy(seed, n, kind, solver):
    unary, weights = random_costs(seed, (1, n), 4, kind=kind)
    f = np.random.default_rng(seed).integers(0, 4, n)
    V = truncated(4, power=2, top=9)
    cut = swap_graph_1d(f, unary[0], V, 2, 1, weights[0][0]).cut(solver=solver)
    assert cut.flow + swap_graph_1d(f, unary[0], V, 2, 1, weights[0][0]).constant == cut.energy
    exact = energy(cut.labels[None], unary, V, weights)
    assert cut.energy == (exact if kind is int else pytest.approx(exact, abs=1e-9))
    play = np.flatnonzero((f == 1) | (f == 2))
    every = []
    for pattern in itertools.product((1, 2), repeat=len(play)):
        g = f.copy()
        g[play] = pattern
        every.append(energy(g[None], unary, V, weights))
    assert cut.energy == pytest.approx(min(every))


def test_the_capacities_of_fig_1_by_hand():
    """Six pixels f = 0 0 1 2 1 0, swap of 0 and 1: the fourth is out, its neighbours pay for it."""
    unary = np.arange(18).reshape(6, 3)  # D_p(l) = 3 p + l
    V = np.array([[0, 5, 2], [5, 0, 7], [2, 7, 0]])
    graph = swap_graph_1d(np.array([0, 0, 1, 2, 1, 0]), unary, V, 0, 1)
    assert graph.pixels.tolist() == [0, 1, 2, 4, 5]
    assert graph.t_alpha.tolist() == [0, 3, 6 + 2, 12 + 2, 15]
    assert graph.t_beta.tolist() == [1, 4, 7 + 7, 13 + 7, 16]
    assert graph.n_links.tolist() == [[0, 1], [1, 2], [3, 4]]
    assert graph.n_capacities.tolist() == [5, 5, 5]
    assert graph.constant == 11
    cut = graph.cut()
    assert cut.labels.tolist() == [0, 0, 0, 2, 0, 0]
    assert cut.flow == 0 + 3 + 8 + 14 + 15
    assert cut.takes.all()
    assert not cut.cut_n_links.any()


def test_a_labels_image_with_neither_label_has_an_empty_graph():
    unary = np.array([[1, 5, 5], [2, 5, 5]])
    graph = swap_graph_1d(np.array([0, 0]), unary, 3, 1, 2)
    cut = graph.cut()
    assert (len(graph.pixels), len(graph.n_links), cut.flow, cut.energy) == (0, 0, 0, 3)


# --- both solvers, and the way there -------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    labels=st.integers(1, 5),
    connectivity=st.sampled_from([4, 8]),
    kind=st.sampled_from([int, float]),
    V=st.sampled_from(["potts", "linear", "odd"]),
    move=st.sampled_from(MOVES),
)
def test_both_solvers_give_the_same_labels_and_energies(seed, shape, labels, connectivity, kind, V, move):
    unary, weights = random_costs(seed, shape, labels, connectivity, kind)
    linear = truncated(labels) / (1 if kind is int else 3)
    V = {"potts": 2, "linear": linear, "odd": np.sqrt(truncated(labels, 1, 9))}[V]
    start = np.random.default_rng(seed).integers(0, labels, shape)
    fast, reference = (move(unary, V, weights, start, solver) for solver in SOLVERS)
    np.testing.assert_array_equal(fast.labels, reference.labels)
    np.testing.assert_array_equal(fast.energies, reference.energies)
    assert fast.moves == reference.moves
    assert len(fast.moves) + 1 == len(fast.energies)
    assert fast.energy == fast.energies[-1] == pytest.approx(energy(fast.labels, unary, V, weights), rel=1e-12)
    assert fast.energies[0] == energy(start, unary, V, weights)
    assert (np.diff(fast.energies) <= 0).all()


def noisy_patches(labels=5, shape=(60, 80)):
    """A picture of `labels` blocks in noise: many moves, many paths."""
    rng = np.random.default_rng(0)
    truth = (np.add.outer(np.arange(shape[0]) // 20, np.arange(shape[1]) // 16) % labels).astype(int)
    return truth, rng.random((*shape, labels)) - 0.35 * (np.arange(labels) == truth[..., None])


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("connectivity", [4, 8])
def test_a_noisy_picture(move, connectivity):
    truth, unary = noisy_patches()
    fast, reference = (move(unary, 0.3, connectivity=connectivity, solver=solver) for solver in SOLVERS)
    np.testing.assert_array_equal(fast.labels, reference.labels)
    np.testing.assert_array_equal(fast.energies, reference.energies)
    assert np.mean(fast.labels == truth) > 0.95 > 0.6 > np.mean(unary.argmin(axis=2) == truth)


def test_a_label_that_expands_in_three_rounds():
    """Its graph is changed twice: for what changed since the first time, and since the second."""
    _, unary = noisy_patches(8)
    V = 0.05 * truncated(8, top=9)
    fast, reference = (alpha_expansion(unary, V, init=np.full((60, 80), 7), solver=solver) for solver in SOLVERS)
    np.testing.assert_array_equal(fast.labels, reference.labels)
    np.testing.assert_array_equal(fast.energies, reference.energies)
    improving = [move for move, change in zip(fast.moves, np.diff(fast.energies), strict=True) if change < 0]
    assert max(improving.count(move) for move in improving) >= 3


def test_without_memory_to_keep_the_graphs_the_labels_are_the_same(monkeypatch):
    _, unary = noisy_patches()
    kept = alpha_expansion(unary, 0.3)
    monkeypatch.setattr(solvers, "KEPT_BYTES", 0)
    rebuilt = alpha_expansion(unary, 0.3)
    np.testing.assert_array_equal(kept.labels, rebuilt.labels)
    np.testing.assert_array_equal(kept.energies, rebuilt.energies)


def test_energies_order_as_the_theory_says():
    """Expansion and swap end far below ICM, which ends below the unary alone."""
    _, unary = noisy_patches()
    start = energy(unary.argmin(axis=2), unary, 0.3)
    single = icm(unary, 0.3)
    assert max(move(unary, 0.3).energy for move in MOVES) < single.energy < start
    assert single.energies[0] == start


@pytest.mark.parametrize("solver", SOLVERS)
def test_integers_stay_exact_however_large(solver):
    """Costs beyond int32, one of them a forbidden label; the energy is an int."""
    unary, weights = random_costs(5, (4, 5))
    big = [10**10 * w for w in weights]
    unary = unary * 10**10
    unary[0, 0, 1] = 10**15
    for move in MOVES:
        fit = move(unary, 1, big, solver=solver)
        assert isinstance(fit.energy, int)
        assert fit.energies.dtype == np.int64
        assert fit.energy == energy(fit.labels, unary, 1, big)
        np.testing.assert_array_equal(fit.labels, move(unary // 10**10, 1, weights, solver=solver).labels)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_forbidden_label_does_not_drown_the_others(solver):
    unary, weights = random_costs(6, (3, 4), 2, kind=float)
    unary[1, 1, 0] = -100  # label 0 is the best there anyway
    best = least_energy(unary, potts(2), weights)
    unary[1, 1, 1] = 1e11
    assert alpha_expansion(unary, 1, weights, solver=solver).energy == pytest.approx(best, abs=1e-3)


def test_on_move_sees_every_move_and_gets_copies():
    _, unary = noisy_patches(3, (20, 32))
    seen = []

    def on_move(move, labels, value):
        seen.append((move, value, energy(labels, unary, 0.3)))
        labels[...] = 0

    fit = alpha_expansion(unary, 0.3, on_move=on_move)
    assert tuple(move for move, _, _ in seen) == fit.moves
    assert [value for _, value, _ in seen] == fit.energies[1:].tolist()
    assert [value for _, value, _ in seen] == pytest.approx([exact for _, _, exact in seen])
    np.testing.assert_array_equal(fit.labels, alpha_expansion(unary, 0.3).labels)


def test_it_stops_when_every_other_label_has_failed_since():
    unary = np.array([[[0, 5, 9], [3, 2, 9], [0, 5, 9]]])
    fit = alpha_expansion(unary, 1)
    assert fit.moves == ((0,), (1,), (2,))  # 0 improves; 1 and 2 find nothing; 0 need not be asked again
    assert fit.energies.tolist() == [4, 3, 3, 3]
    assert alpha_expansion(unary, 1, max_moves=0).labels.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("move", MOVES)
def test_no_input_is_changed(move, solver):
    unary, weights = random_costs(7, (5, 6), kind=float, connectivity=8)
    V, init = truncated(3) * 1.5, np.ones((5, 6), int)
    for array in (unary, V, init, *weights):
        array.flags.writeable = False
    move(unary, V, weights, init, solver)
    icm(unary, V, weights, init)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.float16, np.float32, np.float64, bool])
@pytest.mark.parametrize("move", [*MOVES, icm])
def test_every_kind_of_number(move, dtype):
    unary = (np.random.default_rng(0).random((4, 5, 3)) * 2).astype(dtype)
    fit = move(unary, 1)
    assert isinstance(fit.energy, float if np.dtype(dtype).kind == "f" else int)
    if unary.dtype.kind != "f":
        np.testing.assert_array_equal(fit.labels, move(unary.astype(np.int64), 1).labels)
    np.testing.assert_array_equal(fit.labels, move(np.asfortranarray(unary), np.float32(1)).labels)
    assert fit.labels.dtype == np.int32


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("move", MOVES)
def test_plain_cases(move, solver):
    one_label = move(np.arange(6.0).reshape(2, 3, 1), 5, solver=solver)
    assert one_label.moves == ()
    assert (one_label.labels.tolist(), one_label.energies.tolist()) == ([[0] * 3] * 2, [15])
    constant = move(np.zeros((3, 4, 3)), 2, connectivity=8, solver=solver)
    assert constant.energy == 0
    assert not constant.labels.any()
    unsmoothed, _ = random_costs(8, (4, 4))
    np.testing.assert_array_equal(move(unsmoothed, 0, solver=solver).labels, unsmoothed.argmin(axis=2))
    one_pixel = move(np.array([[[3, 1]]]), 4, init=np.array([[0]]), connectivity=8, solver=solver)
    assert (one_pixel.energy, one_pixel.labels.tolist()) == (1, [[1]])
    column = move(np.array([[[0, 5]], [[3, 2]], [[0, 5]]]), 1, connectivity=8, solver=solver)
    assert column.labels.tolist() == [[0]] * 3


# --- ICM and contrast ----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), connectivity=st.sampled_from([4, 8]), kind=st.sampled_from([int, float]))
def test_icm_ends_where_no_single_pixel_improves(seed, connectivity, kind):
    unary, weights = random_costs(seed, (4, 5), 3, connectivity, kind)
    V = np.array([[0, 1, 4], [2, 0, 1], [4, 3, 1]])  # not even symmetric
    fit = icm(unary, V, weights)
    assert (np.diff(fit.energies) <= 0).all()
    assert fit.energy == pytest.approx(energy(fit.labels, unary, V, weights))
    for y, x, label in itertools.product(range(4), range(5), range(3)):
        other = fit.labels.copy()
        other[y, x] = label
        assert energy(other, unary, V, weights) >= fit.energy - 1e-9


def test_contrast_weights_by_hand():
    """Squared differences 0, 9 to the right and 16, 16, 1 down: the mean is 42/5."""
    image = np.array([[0, 0, 3], [4, 4, 4]])
    right, down = contrast_weights(image)
    beta = 1 / (2 * (0 + 9 + 0 + 0 + 16 + 16 + 1) / 7)
    np.testing.assert_allclose(right, np.exp([[0, -9 * beta], [0, 0]]))
    np.testing.assert_allclose(down, np.exp([[-16 * beta, -16 * beta, -beta]]))
    _, _, down_right, down_left = contrast_weights(image, beta=0.1, connectivity=8)
    np.testing.assert_allclose(down_right, np.exp([[-1.6, -1.6]]) / 2**0.5)
    np.testing.assert_allclose(down_left, np.exp([[-1.6, -0.1]]) / 2**0.5)


def test_contrast_weights_of_colours_and_of_nothing_to_see():
    image = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)  # differences must not wrap around
    right, down = contrast_weights(image, beta=1e-5)
    np.testing.assert_allclose(right, [[np.exp(-2 * 255**2 * 1e-5)]])
    assert down.shape == (0, 2)
    plain = contrast_weights(np.full((3, 3, 3), 7), connectivity=8)
    assert [w.flat[0] for w in plain] == pytest.approx([1, 1, 0.5**0.5, 0.5**0.5])
    assert contrast_weights(np.ones((1, 1)))[0].shape == (1, 0)


# --- what is refused -----------------------------------------------------------------------------

UNARY = np.zeros((3, 4, 3))
NAN, INF = UNARY.copy(), UNARY.copy()
NAN[1, 2, 0], INF[2, 3, 1] = np.nan, np.inf
RIGHT, DOWN = np.ones((3, 3)), np.ones((2, 4))


@pytest.mark.parametrize("move", [*MOVES, icm])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unary": NAN}, r"expected finite unary costs, got nan at pixel \(1, 2\), label 0"),
        ({"unary": INF}, r"expected finite unary costs, got inf at pixel \(2, 3\), label 1"),
        ({"unary": np.zeros((3, 4))}, r"expected unary costs of shape \(H,W,L\), int or float, got \(3, 4\) float64"),
        ({"unary": np.zeros((0, 4, 3))}, r"expected unary costs .* got \(0, 4, 3\)"),
        ({"unary": UNARY.astype(complex)}, "expected unary costs .* complex128"),
        ({"unary": UNARY.tolist()}, "expected unary costs .* got a list"),
        ({"unary": np.full((3, 4, 3), 2**61)}, "expected costs whose sum can be computed"),
        ({"unary": np.full((3, 4, 3), 1e308)}, "expected costs whose sum can be computed"),
        ({"smoothness": np.nan}, "expected finite smoothness, got nan"),
        (
            {"smoothness": potts(4)},
            r"smoothness to be a Potts weight or a matrix of shape \(3, 3\), got \(4, 4\) int64",
        ),
        ({"smoothness": "potts"}, "smoothness .* got a str"),
        ({"smoothness": [[0, 1], [1]]}, "smoothness .* got a list"),
        ({"edge_weights": (RIGHT, -DOWN)}, "expected edge weights that are finite and not negative, got -1"),
        ({"edge_weights": (RIGHT, np.inf * DOWN)}, "expected edge weights that are finite and not negative, got inf"),
        ({"edge_weights": (DOWN, RIGHT)}, r"expected edge weights of shapes \[\(3, 3\), \(2, 4\)\], got"),
        ({"edge_weights": (RIGHT,)}, "expected edge weights of shapes"),
        ({"edge_weights": (RIGHT, None)}, "a NoneType"),
        ({"edge_weights": (RIGHT, DOWN), "connectivity": 8}, "expected edge weights of shapes"),
        ({"connectivity": 1}, "expected connectivity 4 or 8, got 1"),
        ({"init": np.zeros((4, 3), int)}, r"expected init of shape \(3, 4\), integer, got \(4, 3\) int64"),
        ({"init": np.zeros((3, 4))}, "expected init .* float64"),
        ({"init": np.full((3, 4), 3)}, "expected init in 0…2, got 3"),
        ({"init": np.full((3, 4), -1)}, "expected init in 0…2, got -1"),
    ],
)
def test_wrong_input_is_refused_with_its_value(move, arguments, message):
    with pytest.raises(SegmentationError, match=message) as caught:
        move(**{"unary": UNARY, "smoothness": 1, **arguments})
    assert caught.value.what.startswith(f"{move.__name__}: ")


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(
    ("V", "message"),
    [
        (-1, r"expected V >= 0, got V\(0, 1\) = -1"),
        (np.eye(3), r"expected V\(0, 0\) = 0, got 1.0"),
        ([[0, 1, 2], [1, 0, 3], [2, 4, 0]], r"expected a symmetric V, got V\(1, 2\) = 3 and V\(2, 1\) = 4"),
    ],
)
def test_a_V_that_is_no_semi_metric_is_refused(move, V, message):
    with pytest.raises(SegmentationError, match=message):
        move(UNARY, V)


def test_a_V_that_is_no_metric_is_refused_by_the_expansion_only():
    V = truncated(3, power=2, top=9)
    with pytest.raises(SegmentationError, match=r"got V\(0, 2\) = 4 > V\(0, 1\) \+ V\(1, 2\) = 1 \+ 1"):
        alpha_expansion(UNARY, V)
    alpha_beta_swap(UNARY, V)


def test_a_metric_is_still_one_after_rounding():
    points = np.random.default_rng(0).random((40, 1))
    V = np.abs(points - points.T)  # on a line: the triangle inequality is an equality
    unary = np.zeros((1, 2, 40))
    rounded = integer_problem(Problem.checked("test", unary, V), metric=True).V
    check_metric(rounded)
    np.testing.assert_allclose(rounded / rounded.max(), V / V.max(), atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
def test_distances_are_metrics(seed, n):
    points = np.random.default_rng(seed).random((n, 2))
    V = np.linalg.norm(points[:, None] - points, axis=2)
    check_metric(V)
    check_semimetric(V**2)


def test_an_unknown_solver_is_refused():
    with pytest.raises(SegmentationError, match="alpha_expansion: expected solver 'fast' or 'pymaxflow', got 'gco'"):
        alpha_expansion(UNARY, 1, solver="gco")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": np.zeros((1, 2), int)}, r"expected labels \(W,\), unary \(W,L\)"),
        ({"labels": np.array([0, 3])}, "expected labels in 0…2, got 3"),
        ({"alpha": 1}, "expected two different labels in 0…2, got 1 and 1"),
        ({"alpha": 3}, "expected two different labels in 0…2, got 3 and 1"),
        ({"smoothness": -2}, r"expected V >= 0, got V\(0, 1\) = -2"),
        ({"edge_weights": np.ones(5)}, "expected edge weights of shapes"),
    ],
)
def test_a_line_that_has_no_swap_graph(arguments, message):
    good = {"labels": np.array([0, 1]), "unary": np.zeros((2, 3)), "smoothness": 1, "alpha": 0, "beta": 1}
    with pytest.raises(SegmentationError, match=message):
        swap_graph_1d(**{**good, **arguments})


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros(3), {}, r"expected an image \(H,W\) or \(H,W,C\) of numbers, got \(3,\) float64"),
        ("frame.jpg", {}, "got a str"),
        (np.array([[np.nan, 1]]), {}, "expected finite values, got nan"),
        (np.zeros((2, 2)), {"beta": -1}, "expected beta >= 0, got -1"),
        (np.zeros((2, 2)), {"connectivity": 6}, "expected connectivity 4 or 8, got 6"),
    ],
)
def test_an_image_without_contrast_weights(image, options, message):
    with pytest.raises(SegmentationError, match=message):
        contrast_weights(image, **options)


def test_importing_waits_for_no_slow_package():
    code = (
        "import sys, wadlib.graphcut.moves; "
        "slow = {'numba', 'scipy', 'maxflow', 'skimage', 'sklearn'} & set(sys.modules); "
        "sys.exit(str(slow) if slow else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_real_frame(wad_sample):
    from wadlib.dataset import open_wad
    from wadlib.graphcut import ColourLocationUnary
    from wadlib.preprocess import NETWORK_WINDOW, crop_and_downscale

    frames = [frame for frame in open_wad(wad_sample).frames if frame.video][:2]
    pairs = []
    for frame in frames:
        image, _ = crop_and_downscale(frame.read_image())
        pairs.append((image, frame.read_label(window=NETWORK_WINDOW)))
    unary = ColourLocationUnary.fit(pairs).costs(pairs[0][0])
    weights = contrast_weights(pairs[0][0], connectivity=8)
    for move in MOVES:
        fast, reference = (move(unary, 5.0, weights, solver=solver) for solver in SOLVERS)
        np.testing.assert_array_equal(fast.labels, reference.labels)
        np.testing.assert_array_equal(fast.energies, reference.energies)
        assert fast.energy < icm(unary, 5.0, weights).energy
