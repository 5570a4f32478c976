"""Normalized cut: the equations, all cuts of tiny graphs, scikit-image, and a frame at full size."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wadlib.errors import SegmentationError
from wadlib.frames import read_image
from wadlib.graphcut import assoc, cut, ncut_value, normalized_cut, pixel_affinity, smallest_eigenvectors, sweep
from wadlib.graphcut.normalized.eigen import NotConvergedWarning, TwoGrid
from wadlib.graphcut.normalized.partition import cut_graph
from wadlib.preprocess import crop_and_downscale


def random_graph(seed, n, density=0.7):
    """A connected graph with weights of very different size."""
    rng = np.random.default_rng(seed)
    W = np.triu(10 ** rng.uniform(-3, 0, (n, n)) * (rng.random((n, n)) < density), 1)
    W[np.arange(n - 1), np.arange(1, n)] += 1e-3  # a path, so that nothing is cut off
    return W + W.T


def all_cuts(n):
    """Every way to divide n nodes in two, node 0 on one side: 2^(n-1) - 1 masks."""
    for rest in itertools.product([False, True], repeat=n - 1):
        if any(rest):
            yield np.array([False, *rest])


# --- the equations -------------------------------------------------------------------------------


def test_the_equations_on_a_graph_one_can_draw():
    """A square 0-1-2-3 with sides 4, 1, 4, 1, cut through the weak sides."""
    W = np.array([[0, 4, 0, 1], [4, 0, 1, 0], [0, 1, 0, 4], [1, 0, 4, 0]])
    A = np.array([True, True, False, False])
    assert cut(W, A) == cut(W, ~A) == 1 + 1
    assert assoc(W, A) == (4 + 1) + (4 + 1)
    assert assoc(W, A, A) == 2 * 4
    assert ncut_value(W, A) == 2 / 10 + 2 / 10
    assert ncut_value(W, [True, False, False, True]) == 8 / 10 + 8 / 10


@given(st.integers(0, 10_000), st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_ncut_is_two_minus_the_normalized_association(seed, n):
    W = random_graph(seed, n)
    A = np.random.default_rng(seed).random(n) < 0.5
    A[:2] = True, False
    B = ~A
    identity = 2 - (assoc(W, A, A) / assoc(W, A) + assoc(W, B, B) / assoc(W, B))
    assert abs(ncut_value(W, A) - identity) <= 1e-12
    assert assoc(W, A) == pytest.approx(assoc(W, A, A) + cut(W, A, B), rel=1e-14)
    V = np.ones(n, bool)
    assert cut(W, B, V) / assoc(W, B) == 1  # what the report prints in one place of its eq. 4


@given(st.integers(0, 10_000), st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_ncut_is_scikit_images(seed, n):
    from scipy.sparse import csc_array, dia_array
    from skimage.graph._ncut import ncut_cost

    W = random_graph(seed, n)
    A = np.random.default_rng(seed).random(n) < 0.5
    A[:2] = True, False
    D = dia_array((W.sum(axis=0)[None], 0), shape=W.shape).tocsc()
    assert abs(ncut_value(W, A) - ncut_cost(A, D, csc_array(W))) <= 1e-12


def test_pixel_graph_sparse_and_dense_give_the_same():
    rng = np.random.default_rng(3)
    graph = pixel_affinity(rng.random((7, 9)), radius=3, sigma_intensity=0.2)
    A = rng.random((7, 9)) < 0.5
    sparse = graph.to_sparse()
    for W in (sparse, sparse.toarray()):
        assert ncut_value(W, A) == pytest.approx(ncut_value(graph, A), rel=1e-12)
        np.testing.assert_allclose(sweep(W, A * rng.random()).values, sweep(graph, A * 1.0).values, rtol=1e-9)


# --- the sweep and the eigenvectors --------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(2, 15), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_sweep_is_ncut_at_every_threshold(seed, n, sparse):
    from scipy.sparse import csr_array

    W = random_graph(seed, n)
    y = np.random.default_rng(seed).integers(0, 2 * n, n).astype(float)  # some values occur twice
    found = sweep(csr_array(W) if sparse else W, y)
    expected = [ncut_value(W, y > t) for t in np.unique(y)[:-1]]
    np.testing.assert_allclose(found.values[np.isfinite(found.values)], expected, rtol=1e-9)
    assert found.ncut == pytest.approx(min(expected, default=math.inf), rel=1e-12)
    if expected:
        assert found.ncut == pytest.approx(ncut_value(W, found.side), rel=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_lambda_2_is_below_the_best_of_all_cuts_which_is_below_the_sweep(seed, n):
    W = random_graph(seed, n)
    system = smallest_eigenvectors(W)
    best = min(ncut_value(W, A) for A in all_cuts(n))
    assert system.values[0] <= best + 1e-12
    swept = sweep(W, system.vectors[0]).ncut
    assert best <= swept + 1e-12
    assert swept**2 / 8 <= system.values[0] + 1e-12  # Cheeger


@given(st.integers(0, 10_000), st.sampled_from([(2, 2), (2, 4), (3, 3), (1, 7)]))
@settings(max_examples=20, deadline=None)
def test_the_same_on_all_cuts_of_tiny_pictures(seed, shape):
    image = np.random.default_rng(seed).random(shape)
    found = normalized_cut(image, "pixels", blur_px=0, radius=1.5, sigma_intensity=0.1)
    n = image.size
    best = min(ncut_value(found.affinity, A) for A in all_cuts(n))
    assert found.eigenvalues[0] - 1e-12 <= best <= found.ncut + 1e-12
    assert found.ncut == pytest.approx(ncut_value(found.affinity, found.labels == 1), rel=1e-12)


def reference_eigenvalues(W, count):
    """The generalized problem (D - W) y = lambda D y, as it stands, by LAPACK."""
    from scipy.linalg import eigh

    W = np.asarray(W.todense() if hasattr(W, "todense") else W)
    D = np.diag(W.sum(axis=1))
    return eigh(D - W, D)[0][1 : 1 + count]


@pytest.mark.parametrize("n", [2, 3, 30, 250])
def test_eigenvectors_solve_the_generalized_problem(n):
    """250 nodes: Lanczos on the factors; fewer: LAPACK."""
    W = random_graph(n, n, density=0.2)
    system = smallest_eigenvectors(W, 3)
    k = min(3, n - 1)
    np.testing.assert_allclose(system.values, reference_eigenvalues(W, k), rtol=1e-7)
    D = np.diag(W.sum(axis=1))
    for value, y in zip(system.values, system.vectors, strict=True):
        np.testing.assert_allclose((D - W) @ y, value * D @ y, atol=1e-6)
        assert y @ D @ y == pytest.approx(1)
        assert y[np.abs(y).argmax()] > 0
    assert (system.residuals <= 1e-7).all()


@pytest.mark.parametrize("sigma", [0.3, 0.003])
def test_the_two_grids_find_what_lanczos_finds(sigma):
    rng = np.random.default_rng(5)
    image = rng.random((50, 60)) * 0.2 + (np.indices((50, 60))[1] > 25) * 0.5
    graph = pixel_affinity(image, sigma_intensity=sigma)  # 3000 pixels: the solver of large graphs
    system = smallest_eigenvectors(graph, 3)
    other = smallest_eigenvectors(graph.to_sparse(), 3)
    np.testing.assert_allclose(system.values, other.values, rtol=1e-6, atol=1e-14)
    np.testing.assert_allclose(system.vectors, other.vectors, atol=1e-4 * np.abs(other.vectors).max())


def test_the_preconditioner_is_symmetric_and_positive():
    """LOBPCG needs both."""
    rng = np.random.default_rng(2)
    graph = pixel_affinity(rng.random((20, 30)), sigma_intensity=0.01)
    root = np.sqrt(graph.degrees)
    M = TwoGrid(graph).solve(np.eye(600), root)
    np.testing.assert_allclose(M, M.T, atol=1e-8 * np.abs(M).max())
    assert np.linalg.eigvalsh((M + M.T) / 2).min() > 0


def test_a_solve_that_stops_too_early_says_so():
    graph = pixel_affinity(np.random.default_rng(0).random((60, 60)), sigma_intensity=0.001)
    with pytest.warns(NotConvergedWarning, match=r"residual .* instead of 1\.0e-12 after 2 iterations"):
        system = smallest_eigenvectors(graph, tolerance=1e-12, iterations=2)
    assert system.residuals.max() > 1e-12
    with pytest.warns(NotConvergedWarning):
        assert not normalized_cut(np.eye(60), "pixels", tolerance=1e-30).converged


# --- pictures ------------------------------------------------------------------------------------


def quarters(height=24, width=32):
    """Four colours, one per quarter, with a little noise."""
    image = np.zeros((height, width, 3))
    label = np.zeros((height, width), int)
    colours = [(200, 30, 40), (20, 160, 60), (30, 60, 200), (220, 220, 60)]
    for i, colour in enumerate(colours):
        y, x = divmod(i, 2)
        part = slice(y * height // 2, (y + 1) * height // 2), slice(x * width // 2, (x + 1) * width // 2)
        image[part], label[part] = colour, i
    image += np.random.default_rng(0).normal(0, 2, image.shape)
    return image.clip(0, 255).astype(np.uint8), label


def patchwork(seed, height=48, width=64):
    """Squares of 8x8 pixels of random colours, with a little noise."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(60, 160, (height // 8, width // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    return (image + rng.normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8)


def test_four_colours_are_four_segments():
    image, label = quarters()
    found = normalized_cut(image, superpixel_count=60)
    np.testing.assert_array_equal(found.labels, label)
    assert [c.segments for c in found.cuts] == [2, 3, 4]
    assert found.cuts[0].ncut == found.ncut
    assert found.converged
    assert found.regions is not None
    np.testing.assert_array_equal(normalized_cut(image, regions=found.regions).labels, label)


def test_four_brightnesses_are_four_segments_of_pixels():
    label = quarters()[1]
    found = normalized_cut(label / 4, "pixels", blur_px=0, segments=4, sigma_intensity=0.01)
    np.testing.assert_array_equal(found.labels, label)
    assert found.labels.dtype == np.int32
    assert sum(found.cuts[0].sizes) == label.size
    assert found.eigenvectors.shape == (3, *label.shape)
    assert all(c.eigenvalue <= c.ncut + 1e-12 for c in found.cuts)


def test_the_threshold_refuses_a_cut_and_still_tells_its_value():
    image = quarters()[0]
    free, refused = normalized_cut(image), normalized_cut(image, threshold=0)
    assert refused.ncut == free.ncut > 0
    assert refused.cuts == ()
    assert not refused.labels.any()


def test_cuts_stay_below_the_threshold_and_come_cheapest_first_where_they_can():
    image = patchwork(1)
    found = normalized_cut(image, superpixel_count=150, threshold=0.4)
    assert len(found.cuts) == found.labels.max() > 2
    assert all(c.ncut <= 0.4 for c in found.cuts)
    fewer = normalized_cut(image, superpixel_count=150, threshold=0.4, segments=3)
    assert fewer.cuts == found.cuts[:2]


def test_first_cut_is_no_worse_than_scikit_images():
    from scipy.sparse import csc_array, dia_array
    from skimage.graph._graph_cut import get_min_ncut

    image = patchwork(4)
    found = normalized_cut(image, superpixel_count=150, threshold=2, segments=2)
    W = found.affinity
    D = dia_array((W.sum(axis=0)[None], 0), shape=W.shape).tocsc()
    _, ten_thresholds = get_min_ncut(smallest_eigenvectors(W).vectors[0], D, csc_array(W), 10)
    assert found.ncut <= ten_thresholds + 1e-12


@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 7), (9, 1), (2, 2), (30, 50)])
def test_tiny_and_plain_pictures(graph, shape):
    image = np.full((*shape, 3), 77, np.uint8)
    found = normalized_cut(image, graph)
    assert found.labels.shape == shape
    assert found.converged
    k = min(3, image.shape[0] * image.shape[1] - 1)
    assert found.eigenvectors.shape == (len(found.eigenvalues), *shape)
    assert len(found.eigenvalues) == k
    if shape == (1, 1):
        assert found.ncut == math.inf
        assert found.labels.tolist() == [[0]]


def test_a_plain_picture_is_cut_where_the_border_is_short():
    labels = normalized_cut(np.zeros((10, 30)), "pixels").labels
    np.testing.assert_array_equal(labels, np.indices((10, 30))[1] >= 15)


def test_parts_that_have_nothing_in_common_cost_nothing():
    """Weights of 1e-30, and more than 2000 pixels: the large solver on a graph that is all but disconnected."""
    image = np.zeros((60, 80))
    image[:, 30:] = 1
    image[20:24, 10:14] = 1
    found = normalized_cut(image, "pixels", blur_px=0, segments=3)
    assert found.ncut < 1e-25
    expected = (image == 1).astype(int)
    expected[20:24, 10:14] = 2 if found.labels[20, 10] == 2 else 1
    assert len(np.unique(found.labels[20:24, 10:14])) == 1
    assert found.labels[0, 0] != found.labels[0, 79]
    assert found.labels[20, 10] not in (found.labels[0, 0], found.labels[0, 79])


@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
def test_same_seed_same_answer_and_no_input_changes(graph):
    image = patchwork(8)
    before = image.copy()
    first, second = (normalized_cut(image, graph, segments=4, threshold=2, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.eigenvectors, second.eigenvectors)
    assert first.cuts == second.cuts
    np.testing.assert_array_equal(image, before)
    np.testing.assert_allclose(normalized_cut(image, graph, seed=6).eigenvalues, first.eigenvalues, rtol=1e-6)


def test_cutting_a_graph_leaves_it_as_it_was():
    W = random_graph(0, 20)
    y = np.arange(20.0)
    before = W.copy()
    smallest_eigenvectors(W)
    sweep(W, y)
    cut_graph(W, threshold=2, segments=5)
    np.testing.assert_array_equal(W, before)
    np.testing.assert_array_equal(y, np.arange(20))


IMAGE = np.zeros((6, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: normalized_cut(IMAGE / 255.0), r"got \(6, 8, 3\) float64"),
        (lambda: normalized_cut(IMAGE[..., :2]), r"got \(6, 8, 2\) uint8"),
        (lambda: normalized_cut(IMAGE[:0]), r"got \(0, 8, 3\) uint8"),
        (lambda: normalized_cut(IMAGE.tolist()), "got list"),
        (lambda: normalized_cut(np.full((3, 3), np.nan), "pixels"), "brightness in 0..1, got nan"),
        (lambda: normalized_cut(np.full((3, 3), 255.0)), "brightness in 0..1, got 255.0"),
        (lambda: normalized_cut(IMAGE, "voxels"), "got 'voxels'"),
        (lambda: normalized_cut(IMAGE, "pixels", radius=0.5), "a radius above 1, got 0.5"),
        (lambda: normalized_cut(IMAGE, "pixels", sigma_intensity=0), "sigma_intensity above 0"),
        (lambda: normalized_cut(IMAGE, sigma_colour=-1), "sigma_colour above 0"),
        (lambda: normalized_cut(IMAGE, threshold=3), "threshold in 0..2, got 3"),
        (lambda: normalized_cut(IMAGE, threshold=math.nan), "threshold in 0..2, got nan"),
        (lambda: normalized_cut(IMAGE, segments=0), "at least one segment, got 0"),
        (lambda: normalized_cut(IMAGE, eigenvectors=0), "at least one eigenvector, got 0"),
        (lambda: normalized_cut(IMAGE, "pixels", blur_px=-1), "blur_px of at least 0"),
        (lambda: normalized_cut(IMAGE, tolerance=0), "a tolerance above 0"),
        (lambda: normalized_cut(IMAGE, superpixel_count=0), "at least one superpixel"),
        (lambda: normalized_cut(IMAGE, regions=np.zeros((3, 3), int)), r"and \(3, 3\)"),
        (lambda: ncut_value(np.ones((2, 2)), [True, True]), "two sides with edges"),
        (lambda: ncut_value(np.ones((2, 2)), [True]), "a bool for each of 2 nodes"),
        (lambda: cut(np.ones((2, 2)), [0, 1]), "got int64"),
        (lambda: sweep(np.ones((2, 2)), [0, 1, 2]), r"each of 2 nodes, got \(3,\)"),
        (lambda: sweep(-np.ones((2, 2)), [0, 1]), "weights from 0 up, got -1.0 to -1.0"),
        (lambda: smallest_eigenvectors(np.full((2, 2), np.nan)), "weights from 0 up, got nan"),
        (lambda: smallest_eigenvectors(np.ones((2, 3))), r"the shape \(2, 3\)"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(SegmentationError, match=message):
        call()


# --- frames --------------------------------------------------------------------------------------


def test_superpixels_of_a_rendered_frame():
    from wadlib.rendered import render_frame

    found = normalized_cut(render_frame().image)
    assert found.converged
    assert 4 < found.labels.max() < 100
    assert 0 < found.ncut < 0.1


FULL_SIZE = """
import sys
from pathlib import Path

import numpy as np
from wadlib.graphcut import ncut_value, normalized_cut
from wadlib.frames import read_image

image = read_image(sys.argv[1])

def peak_kb():  # not getrusage: a child's ru_maxrss starts at the peak of the process that started it
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

normalized_cut(image[:80, :80], "pixels")  # imports and compiles
before = peak_kb()
found = normalized_cut(image, "pixels")
print(before, peak_kb(),
      found.residual, found.ncut, ncut_value(found.affinity, found.labels == 1))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("source", ["rendered", "real"])
def test_a_full_frame_in_little_memory(source, tmp_path, request):
    """832x640 pixels in a process of its own: its peak resident memory.

    The goal is 1.5 GB at a residual of 1e-5; this asks for more, so that a relapse shows. Its time is
    a matter for `benchmarks/bench_ncut.py`.
    """
    from wadlib.frames import write_image
    from wadlib.rendered import render_frame

    if source == "rendered":
        image = render_frame(video=1).image
    else:
        root = request.getfixturevalue("wad_sample")
        image, _ = crop_and_downscale(read_image(min((root / "train_color").iterdir())), None)
    assert image.shape == (640, 832, 3)
    write_image(tmp_path / "frame.jpg", image)
    command = [sys.executable, "-c", FULL_SIZE, str(tmp_path / "frame.jpg")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    before_kb, peak_kb, residual, ncut, again = map(float, said)
    assert residual <= 1e-7
    assert peak_kb <= 1.0e6
    assert peak_kb - before_kb <= 0.6e6
    assert ncut == pytest.approx(again, rel=1e-12)  # two orders of adding up


@pytest.mark.slow
def test_rough_noise_ends_in_bounded_time_and_says_how_well():
    """The worst case for the coarse graph: no two neighbours are alike."""
    image = np.random.default_rng(0).random((200, 260))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = normalized_cut(image, "pixels", blur_px=0)
    assert found.converged == (not said)
    assert found.residual < 1e-5
