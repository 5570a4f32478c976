"""The energy of a video: against brute force, PyMaxflow's own expansion of grids, and a dense solver."""

from __future__ import annotations

import itertools

import maxflow.fastmin
import numpy as np
import pytest

from wadlib.errors import SegmentationError
from wadlib.graphcut import alpha_expansion, contrast_weights
from wadlib.graphcut.gaussian import gaussian_field
from wadlib.graphcut.volume import alpha_expansion_volume, volume_edges

SHAPE = (3, 2, 2)  # 3 frames of 2x2 pixels


def energy(f, unary, V, pairs):
    """E of one labelling, by the formula."""
    f = np.reshape(f, unary.shape[:3])
    flat = f.ravel()
    alone = sum(unary[(*at, f[at])] for at in np.ndindex(f.shape))
    return alone + sum(w * V[flat[p], flat[q]] for p, q, w in pairs)


def neighbours(time_weight, links):
    """All pairs of a 3x2x2 volume, written down one by one."""
    found = []
    for t, y, x in np.ndindex(SHAPE):
        here = 4 * t + 2 * y + x
        if x == 0:
            found.append((here, here + 1, 1))
        if y == 0:
            found.append((here, here + 2, 1))
        if t < 2 and links[t, y, x] >= 0:
            found.append((here, 4 * (t + 1) + int(links[t, y, x]), time_weight))
    return found


def random_links(rng):
    return rng.integers(-1, 4, (2, 2, 2))


class TestExpansion:
    @pytest.mark.parametrize("seed", range(20))
    def test_two_labels_are_exact_against_all_4096_labellings(self, seed):
        rng = np.random.default_rng(seed)
        unary, links = rng.integers(0, 10, (*SHAPE, 2)), random_links(rng)
        V = 2 * (1 - np.eye(2, dtype=int))
        pairs = neighbours(3, links)
        least = min(energy(f, unary, V, pairs) for f in itertools.product((0, 1), repeat=12))
        fit = alpha_expansion_volume(unary, 2, time_weight=3, links=links)
        assert fit.energy == least == energy(fit.labels, unary, V, pairs)

    @pytest.mark.parametrize("seed", range(5))
    def test_the_same_place_is_the_grid_of_pymaxflow(self, seed):
        """`maxflow.fastmin` takes unaries of any dimension: 3-D expansions of the same energy."""
        rng = np.random.default_rng(seed)
        unary = rng.random((3, 6, 5, 4)) * 10
        V = 2.0 * (1 - np.eye(4))
        theirs = maxflow.fastmin.aexpansion_grid(unary, V)
        ours = alpha_expansion_volume(unary, V)
        again = alpha_expansion_volume(unary, V, init=theirs)
        assert ours.energies[-1] == ours.energy <= ours.energies[0]
        assert len(set(again.energies.tolist())) == 1, "no expansion improves what PyMaxflow's expansions ended at"
        assert ours.energy == pytest.approx(again.energy, rel=0.02)

    def test_one_frame_is_the_picture(self):
        rng = np.random.default_rng(3)
        unary, image = rng.integers(0, 99, (7, 9, 4)), rng.integers(0, 256, (7, 9, 3))
        weights = contrast_weights(image)[:2]
        ours = alpha_expansion_volume(unary[None], 20, [weights])
        picture = alpha_expansion(unary, 20, weights, solver="pymaxflow")
        assert ours.energy == pytest.approx(picture.energy)
        np.testing.assert_array_equal(ours.labels[0], picture.labels)

    def test_links_carry_a_label_to_where_the_object_went(self):
        """A car at pixel 0, then 1, then 2; the middle frame is in doubt everywhere."""
        sure, doubt = np.array([[9, 0], [0, 9], [0, 9]]), np.array([[4, 5], [4, 5], [4, 5]])
        unary = np.stack([sure, doubt, sure[[1, 2, 0]]])[:, None]  # (3,1,3,2)
        moved = np.array([[[1, 2, 0]], [[1, 2, 0]]])
        alone = [(np.zeros((1, 2), int), np.zeros((0, 3), int))] * 3  # no neighbours in space
        still = alpha_expansion_volume(unary, 1, alone, time_weight=3)
        followed = alpha_expansion_volume(unary, 1, alone, time_weight=3, links=moved)
        assert still.labels[1].tolist() == [[0, 0, 0]]
        assert followed.labels[1].tolist() == [[0, 1, 0]]

    def test_no_weight_in_time_is_frame_by_frame(self):
        rng = np.random.default_rng(4)
        unary = rng.integers(0, 99, (3, 5, 6, 3))
        together = alpha_expansion_volume(unary, 15, time_weight=0)
        for each, labels in zip(unary, together.labels, strict=True):
            assert (
                alpha_expansion(each, 15, init=labels).energy
                == alpha_expansion_volume(each[None], 15, init=labels[None]).energy
            )

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"unary": np.zeros((2, 2, 3))}, "finite costs of shape"),
            ({"unary": np.full((2, 2, 2, 3), np.inf)}, "finite costs of shape"),
            ({"links": np.full((1, 2, 2), 4)}, "from -1 to 3, got 4 to 4"),
            ({"links": np.zeros((2, 2, 2), int)}, "expected links of shape"),
            ({"time_weight": -1}, "not negative"),
            ({"edge_weights": [(np.ones((2, 1)), np.ones((1, 2)))]}, "for each of 2 frames"),
            ({"init": np.full((2, 2, 2), 3)}, "expected init"),
            ({"smoothness": np.array([[0, 1, 9], [1, 0, 1], [9, 1, 0]])}, "expected a metric"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, message):
        given = {"unary": np.zeros((2, 2, 2, 3)), "smoothness": 1} | change
        with pytest.raises(SegmentationError, match=message):
            alpha_expansion_volume(**given)


class TestGaussianField:
    def problem(self, seed=0):
        rng = np.random.default_rng(seed)
        p = rng.random((*SHAPE, 3))
        p /= p.sum(axis=3, keepdims=True)
        return p, random_links(rng), rng

    def test_equals_a_dense_solver(self):
        p, links, _ = self.problem()
        A = np.eye(12)
        for a, b, w in neighbours(0.7, links):
            w = w if a // 4 != b // 4 else 0.4
            A[[a, b], [a, b]] += w
            A[a, b] -= w
            A[b, a] -= w
        fit = gaussian_field(p, 0.4, time_weight=0.7, links=links, tolerance=1e-12)
        np.testing.assert_allclose(fit.scores.reshape(12, 3), np.linalg.solve(A, p.reshape(12, 3)), atol=1e-10)
        np.testing.assert_allclose(fit.scores.sum(axis=3), 1)
        assert np.linalg.eigvalsh(A).min() >= 1 - 1e-9, "positive definite"

    def test_the_start_does_not_matter(self):
        p, links, rng = self.problem()
        fits = [
            gaussian_field(p, 2.0, time_weight=2.0, links=links, start=start, tolerance=1e-10)
            for start in (None, rng.normal(0, 100, p.shape))
        ]
        np.testing.assert_allclose(fits[0].scores, fits[1].scores, atol=1e-6)
        assert max(fit.residual for fit in fits) <= 1e-10

    def test_the_residual_keeps_its_promise(self):
        p, links, _ = self.problem(1)
        fit = gaussian_field(p, 5.0, time_weight=5.0, links=links)
        assert fit.residual <= 1e-4
        assert fit.labels.shape == SHAPE
        assert fit.iterations >= 3

    def test_weights_of_zero_leave_everything(self):
        p, _, _ = self.problem(2)
        np.testing.assert_array_equal(gaussian_field(p, 0.0, time_weight=0.0).scores, p)

    def test_no_convergence_and_wrong_input_are_said(self):
        p, _, _ = self.problem()
        with pytest.raises(SegmentationError, match="after 1 iterations"):
            gaussian_field(p, 50.0, time_weight=50.0, max_iterations=1, tolerance=1e-9)
        with pytest.raises(SegmentationError, match="weights of 0 or more"):
            gaussian_field(p, -1.0)
        with pytest.raises(SegmentationError, match="finite scores of shape"):
            gaussian_field(p[0], 1.0)


def test_edges_are_those_written_down():
    links = random_links(np.random.default_rng(7))
    edges = volume_edges(SHAPE, time_weight=3, links=links)
    got = sorted(zip(edges.p.tolist(), edges.q.tolist(), edges.w.tolist(), strict=True))
    assert got == sorted(neighbours(3, links))
