"""Weights of pixel and region graphs: against eq. 11 written out, and against scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wadlib.errors import SegmentationError
from wadlib.graphcut.normalized.affinity import LEAST_WEIGHT, brightness, pixel_affinity, region_affinity
from wadlib.graphcut.normalized.superpixels import lab_features, superpixels


def dense_affinity(features, radius, sigma_intensity, sigma_distance):
    """Shi and Malik's eq. 11, pixel by pixel."""
    height, width = features.shape[:2]
    flat = features.reshape(height * width, -1)
    W = np.zeros((height * width, height * width))
    for u in range(height * width):
        for v in range(height * width):
            distance = math.dist(divmod(u, width), divmod(v, width))
            if 0 < distance < radius:
                difference = math.dist(flat[u], flat[v])
                W[u, v] = math.exp(-(difference**2) / sigma_intensity) * math.exp(-(distance**2) / sigma_distance)
    return W


@given(
    st.integers(1, 6), st.integers(1, 6), st.sampled_from([1.1, 1.5, 2, 2.3, 5, 40]), st.sampled_from([1, 3]),
    st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_pixel_weights_are_those_of_equation_11(height, width, radius, channels, seed):
    rng = np.random.default_rng(seed)
    features = rng.random((height, width, channels)).astype(np.float32)
    graph = pixel_affinity(features, radius=radius, sigma_intensity=0.3, sigma_distance=7)
    expected = dense_affinity(features, radius, 0.3, 7)
    np.testing.assert_allclose(graph.to_sparse().toarray(), np.maximum(expected, LEAST_WEIGHT * (expected > 0)), 1e-6)
    x = rng.random((height * width, 2))
    np.testing.assert_allclose(graph @ x, graph.to_sparse() @ x, 1e-12)
    np.testing.assert_allclose(graph.degrees, expected.sum(axis=1), 1e-6)


def test_a_radius_of_5_has_68_neighbours_and_none_at_5():
    graph = pixel_affinity(np.zeros((11, 11)), radius=5)
    row = graph.to_sparse()[[60]].toarray().reshape(11, 11)  # of the middle pixel
    assert np.count_nonzero(row) == 68
    assert row[5, 0] == row[5, 10] == row[5, 5] == 0
    assert row[5, 1] > 0


def test_weights_never_vanish():
    """exp(-1/1e-9) is 0 even in float64; the graph stays connected all the same."""
    graph = pixel_affinity(np.array([[0.0, 1.0]]), radius=2, sigma_intensity=1e-9)
    assert graph.to_sparse()[0, 1] == np.float32(LEAST_WEIGHT)
    W = region_affinity(np.array([[0.0, 1.0]]), np.array([[0, 1]]), sigma_colour=1e-9)
    assert W[0, 1] == LEAST_WEIGHT


@given(st.integers(0, 99), st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_a_part_is_the_matrix_without_the_others(seed, count):
    rng = np.random.default_rng(seed)
    graph = pixel_affinity(rng.random((6, 7)), radius=2.5, sigma_intensity=0.3)
    nodes = np.sort(rng.choice(42, count, replace=False))
    part, local = graph.part(nodes)
    W = part.to_sparse().toarray()
    np.testing.assert_array_equal(W[np.ix_(local, local)], graph.to_sparse().toarray()[np.ix_(nodes, nodes)])
    outside = np.setdiff1d(np.arange(len(W)), local)
    assert not W[outside].any()
    assert not W[:, outside].any()


def test_region_weights_are_scikit_images():
    from skimage.graph import rag_mean_color

    rng = np.random.default_rng(1)
    image = rng.integers(90, 150, (30, 40, 3), dtype=np.uint8)
    regions = (np.indices((30, 40)) // 7 * np.array([6, 1])[:, None, None]).sum(axis=0)  # tiles of 7x7
    W = region_affinity(image, regions, sigma_colour=900)
    rag = rag_mean_color(image, regions, mode="similarity", sigma=900)
    expected = np.zeros(W.shape)
    for a, b, data in rag.edges(data=True):
        expected[a, b] = expected[b, a] = data["weight"]
    np.testing.assert_allclose(W.toarray(), expected, rtol=1e-9)
    assert not W.diagonal().any()


def test_region_weights_by_hand():
    """Regions of brightness 1, 3 and 7; the first and the last touch only at a corner."""
    regions = np.array([[0, 1], [1, 2]])
    features = np.array([[1, 3], [3, 7]])
    W = region_affinity(features, regions, sigma_colour=4, sigma_distance=2).toarray()
    # Centres (0, 0), (1/2, 1/2), (1, 1): squared distances 1/2, 1/2 and 2.
    np.testing.assert_allclose(np.log(W[[0, 1, 0], [1, 2, 2]]), [-4 / 4 - 1 / 4, -16 / 4 - 1 / 4, -36 / 4 - 2 / 2])


def test_brightness_and_lab_of_grey_pictures_agree():
    grey = np.array([[0, 51, 255]], np.uint8)
    expected = np.array([[0, 0.2, 1]], np.float32)
    for image in (grey, np.repeat(grey[..., None], 3, axis=2), expected):
        np.testing.assert_allclose(brightness(image), expected, atol=1e-7)
        np.testing.assert_allclose(lab_features(image), lab_features(grey), atol=1e-3)
    assert lab_features(grey)[0, 2, 0] == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (40, 60)])
@pytest.mark.parametrize("colour", [True, False])
def test_superpixels_are_numbered_without_a_gap(shape, colour):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3) if colour else shape, dtype=np.uint8)
    before = image.copy()
    regions = superpixels(image, 20)
    assert regions.shape == shape
    assert regions.dtype == np.int32
    np.testing.assert_array_equal(np.unique(regions), np.arange(regions.max() + 1))
    np.testing.assert_array_equal(regions, superpixels(image, 20))
    np.testing.assert_array_equal(image, before)


PICTURE = np.zeros((4, 5))
REGIONS = np.zeros((4, 5), int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pixel_affinity(PICTURE, radius=1), "a radius above 1, got 1"),
        (lambda: pixel_affinity(PICTURE, radius=0.5), "a radius above 1, got 0.5"),
        (lambda: pixel_affinity(PICTURE, radius=math.nan), "a radius above 1, got nan"),
        (lambda: pixel_affinity(PICTURE, sigma_intensity=0), "sigma_intensity above 0, got 0"),
        (lambda: pixel_affinity(PICTURE, sigma_distance=-1), "sigma_distance above 0, got -1"),
        (lambda: pixel_affinity(PICTURE, sigma_distance=math.nan), "sigma_distance above 0, got nan"),
        (lambda: pixel_affinity(PICTURE.ravel()), r"got \(20,\)"),
        (lambda: pixel_affinity(PICTURE[:0]), r"got \(0, 5\)"),
        (lambda: pixel_affinity(np.full((2, 2), np.nan)), "not finite"),
        (lambda: region_affinity(PICTURE, REGIONS, sigma_colour=0), "sigma_colour above 0, got 0"),
        (lambda: region_affinity(PICTURE, REGIONS, sigma_colour=1, sigma_distance=0), "sigma_distance above 0"),
        (lambda: region_affinity(PICTURE, REGIONS[:3], sigma_colour=1), r"got \(4, 5\) and \(3, 5\)"),
        (lambda: region_affinity(PICTURE, REGIONS + 1, sigma_colour=1), "without a gap"),
        (lambda: region_affinity(PICTURE, REGIONS - 1, sigma_colour=1), "without a gap"),
        (lambda: region_affinity(PICTURE, PICTURE, sigma_colour=1), "without a gap"),
        (lambda: region_affinity(PICTURE * np.nan, REGIONS, sigma_colour=1), "finite"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(SegmentationError, match=message):
        call()
