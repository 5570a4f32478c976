"""Colour and location unary: pictures whose answer is plain, and every way to misuse it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wadlib.errors import SegmentationError, StorageError
from wadlib.graphcut import ColourLocationUnary
from wadlib.graphcut.colour import LAB_VOLUME, ColourMixtures, PixelSample, to_lab
from wadlib.graphcut.location import cell_counts, density, upsample
from wadlib.graphcut.unary import ABSENT_COST
from wadlib.metrics import Overlap, mean_iou, report_iou


def picture(seed=0, shape=(48, 64), noise=3):
    """Grey street, a red car at the left, a green person at the right; with sensor noise."""
    rng = np.random.default_rng(seed)
    label = np.full(shape, 255, np.uint16)
    label[20:32, 6:22] = 33000
    label[16:36, 48:54] = 36000
    colours = {255: (110, 110, 115), 33000: (200, 30, 40), 36000: (20, 160, 60)}
    image = np.zeros((*shape, 3))
    for code, colour in colours.items():
        image[label == code] = colour
    image += rng.normal(0, noise, image.shape)
    return image.clip(0, 255).astype(np.uint8), label


class MemoryFrame:
    def __init__(self, image, label):
        self.image, self.label = image, label

    def read_image(self):
        return self.image

    def read_label(self):
        return self.label


def test_a_picture_of_three_colours_is_recovered_exactly():
    model = ColourLocationUnary.fit([picture(seed) for seed in range(3)])
    image, label = picture(seed=9)
    np.testing.assert_array_equal(model.predict(image), label)


def test_where_colour_says_nothing_the_place_decides():
    """Car and person of one colour, on different sides."""
    label = picture()[1]
    image = np.where((label == 255)[..., None], 60, 180).repeat(3, axis=2).astype(np.uint8)
    model = ColourLocationUnary.fit([(image, label)], sigma_px=4)
    np.testing.assert_array_equal(model.predict(image), label)


def test_costs_are_finite_and_an_absent_class_is_dear():
    model = ColourLocationUnary.fit([picture()])
    rng = np.random.default_rng(0)
    costs = model.costs(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))  # colours never seen
    assert costs.shape == (48, 64, 8)
    assert costs.dtype == np.float32
    assert np.isfinite(costs).all()
    absent = [i for i in range(8) if i not in (0, 1, 4)]  # background, car and person were there
    assert (costs[..., absent] == ABSENT_COST).all()
    assert (np.delete(costs, absent, axis=2) < 40).all()


def test_costs_are_the_logarithms_of_the_two_parts():
    """Against scipy's normal density and a prior written out."""
    from scipy.stats import multivariate_normal

    image, label = picture()
    model = ColourLocationUnary.fit([(image, label)], prior_weight=0.7)
    y, x = 25, 50
    colour = to_lab(image)[y, x].astype(float)
    share = model.pixels / model.pixels.sum()
    place = upsample(model.location * share**0.7 / (model.location * share**0.7).sum(axis=2, keepdims=True), (48, 64))
    for index in (0, 1, 4):
        mixture = 0.0
        for k in range(3):
            whitening = model.colours.whitening[index, k].astype(float)
            covariance = np.linalg.inv(whitening @ whitening.T)
            normal = multivariate_normal(model.colours.means[index, k], covariance)
            mixture += model.colours.weights[index, k] * normal.pdf(colour)
        likelihood = 0.99 * mixture * LAB_VOLUME + 0.01
        expected = -math.log(likelihood) - math.log(place[y, x, index])
        assert model.costs(image)[y, x, index] == pytest.approx(expected, abs=2e-3)


def test_the_prior_is_a_distribution_at_every_pixel():
    model = ColourLocationUnary.fit([picture()])
    np.testing.assert_allclose(np.exp(model.log_prior).sum(axis=2), 1, atol=1e-5)


def test_prior_weight_moves_the_balance_to_the_background():
    image, label = picture(noise=60)
    found = [
        np.count_nonzero(ColourLocationUnary.fit([(image, label)], prior_weight=w).costs(image).argmin(axis=2))
        for w in (0, 0.5, 1)
    ]
    assert found[0] > found[1] > found[2]


def test_ignore_is_not_learnt_from():
    image, label = picture()
    spoilt_image, spoilt_label = image.copy(), label.copy()
    spoilt_image[:8] = (255, 0, 255)
    spoilt_label[:8] = 65535
    model = ColourLocationUnary.fit([(spoilt_image, spoilt_label)])
    assert model.pixels.sum() == 40 * 64
    background = model.colours.means[0][model.colours.weights[0] > 0]
    assert np.abs(background[:, 1:]).max() < 6  # grey: no trace of the magenta


def test_a_class_that_is_not_evaluated_is_background():
    image, label = picture()
    rider = np.where(label == 33000, 37000, label).astype(np.uint16)
    model = ColourLocationUnary.fit([(image, rider)])
    assert model.pixels[1] == 0
    assert model.pixels[0] == (label != 36000).sum()


def test_the_seed_decides_everything(tmp_path):
    pairs = [picture(seed, noise=30) for seed in range(2)]
    a, b = (ColourLocationUnary.fit(pairs, seed=3, samples=500) for _ in range(2))
    c = ColourLocationUnary.fit(pairs, seed=4, samples=500)
    image = pairs[0][0]
    np.testing.assert_array_equal(a.costs(image), b.costs(image))
    assert (a.costs(image) != c.costs(image)).any()


def test_save_and_load(tmp_path):
    model = ColourLocationUnary.fit([picture()], prior_weight=0.8)
    path = tmp_path / "unary.model"  # any name will do
    model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["unary.model"]
    again = ColourLocationUnary.load(path)
    image = picture(seed=5)[0]
    np.testing.assert_array_equal(again.costs(image), model.costs(image))
    assert (again.shape, again.prior_weight) == (model.shape, 0.8)
    assert isinstance(again.shape[0], int)


def test_files_that_cannot_be_loaded_or_saved(tmp_path):
    path = tmp_path / "unary.npz"
    model = ColourLocationUnary.fit([picture()])
    model.save(path)
    whole = path.read_bytes()
    for data in (whole[:-100], b"", b"not a model"):
        path.write_bytes(data)
        with pytest.raises(SegmentationError, match=r"cannot read unary\.npz"):
            ColourLocationUnary.load(path)
    np.savez(path, something=np.arange(3))
    with pytest.raises(SegmentationError, match=r"cannot read unary\.npz"):
        ColourLocationUnary.load(path)
    with pytest.raises(SegmentationError, match=r"cannot read absent\.npz"):
        ColourLocationUnary.load(tmp_path / "absent.npz")
    with pytest.raises(StorageError):
        model.save(tmp_path / "no" / "folder.npz")


def test_frames_and_generators_are_taken_too():
    image, label = picture()
    one = ColourLocationUnary.fit([(image, label)])
    other = ColourLocationUnary.fit(MemoryFrame(image, label) for _ in range(1))
    np.testing.assert_array_equal(one.costs(image), other.costs(image))


def test_full_size_frames_are_brought_to_network_size():
    label = np.full((2710, 3384), 255, np.uint16)
    label[1600:2000, 800:1600] = 33000
    image = np.where((label == 33000)[..., None], np.uint8(200), np.uint8(50)).repeat(3, axis=2)
    model = ColourLocationUnary.fit([MemoryFrame(image, label)])
    assert model.shape == (640, 832)
    assert model.costs(image[75:-75:4, 28:-28:4]).shape == (640, 832, 8)


IMAGE, LABEL = picture()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "got no frames"),
        (iter(()), "got no frames"),
        ([(IMAGE, np.full_like(LABEL, 65535))], "nothing but IGNORE"),
        ([(LABEL, IMAGE)], r"got \(48, 64\) uint16 and \(48, 64, 3\) uint8"),
        ([(IMAGE, LABEL[:-1])], r"\(47, 64\) uint16"),
        ([(IMAGE.astype(float), LABEL)], r"\(48, 64, 3\) float64"),
        ([(IMAGE, LABEL.astype(np.int64))], r"\(48, 64\) int64"),
        ([(None, LABEL)], "got a NoneType"),
        ([(IMAGE, LABEL), (IMAGE[:40], LABEL[:40])], r"one size, got \(48, 64\) and then \(40, 64\)"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(frames, message):
    with pytest.raises(SegmentationError, match=message):
        ColourLocationUnary.fit(frames)


@pytest.mark.parametrize("image", [IMAGE[:-1], IMAGE[..., :1], IMAGE.astype(np.float32), LABEL, None])
def test_an_image_of_another_kind_is_refused(image):
    model = ColourLocationUnary.fit([(IMAGE, LABEL)])
    with pytest.raises(SegmentationError, match=r"expected an image of shape \(48, 64, 3\), uint8") as caught:
        model.costs(image)
    assert "crop_and_downscale" in caught.value.fix


def test_a_class_of_one_pixel_or_one_colour():
    label = np.full((16, 16), 255, np.uint16)
    label[3, 3] = 36000
    image = np.full((16, 16, 3), 90, np.uint8)
    costs = ColourLocationUnary.fit([(image, label)]).costs(image)
    assert np.isfinite(costs).all()


# Parts


@given(arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))))
@settings(max_examples=50, deadline=None)
def test_cell_counts_equal_a_loop(mask):
    counts = cell_counts(mask)
    for i, j in np.ndindex(counts.shape):
        assert counts[i, j] == mask[8 * i : 8 * i + 8, 8 * j : 8 * j + 8].sum()


def test_an_even_spread_has_density_one_even_at_the_ragged_edge():
    shape = (20, 30)
    counts = np.stack([cell_counts(np.ones(shape, bool)), cell_counts(np.zeros(shape, bool))], axis=2)
    spread = density(counts, shape, 16)
    np.testing.assert_allclose(spread[..., 0], 1, atol=1e-6)
    assert not spread[..., 1].any()
    np.testing.assert_allclose(upsample(spread, shape)[..., 0], 1, atol=1e-6)


def test_the_sample_is_bounded_and_even():
    sample, rng = PixelSample(1000), np.random.default_rng(0)
    for value in range(10):  # ten frames, each with a colour of its own
        sample.add(np.full((5000, 3), value, np.uint8), rng)
    rows = sample.rows()
    assert rows.shape == (1000, 3)
    # Binomial(1000, 1/10): mean 100, standard deviation 9.5.
    assert np.abs(np.bincount(rows[:, 0]) - 100).max() < 4 * 9.5


def test_a_mixture_finds_the_colours():
    red, blue = np.array([200, 30, 30], np.uint8), np.array([30, 30, 200], np.uint8)
    sample = np.concatenate([np.tile(red, (300, 1)), np.tile(blue, (100, 1))])
    mixtures = ColourMixtures.fit([sample, sample[:0]], components=3, seed=0)
    assert sorted(mixtures.weights[0].tolist()) == pytest.approx([0, 1 / 4, 3 / 4])
    assert not mixtures.weights[1].any()


# Real frames


def test_real_frames(wad_sample):
    from wadlib.frames import read_image, read_label
    from wadlib.preprocess import crop_and_downscale

    pairs = []
    for path in sorted((wad_sample / "train_color").glob("*.jpg"))[:4]:
        label = wad_sample / "train_label" / f"{path.stem}_instanceIds.png"
        pairs.append(crop_and_downscale(read_image(path), read_label(label)))
    model = ColourLocationUnary.fit(pairs)
    iou = report_iou(Overlap.from_labels(label, model.predict(image)) for image, label in pairs)
    assert 0.01 < mean_iou(iou) < 1
