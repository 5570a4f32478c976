"""From frames to a U-Net's pictures and targets, and back: geometry, augmentation, batches, cache."""

import json
import os

import cv2
import numpy as np
import pytest

from wadlib.dataset import Frame, open_wad, prepare
from wadlib.errors import ImageError, LabelError, SegmentationError, TrainingError
from wadlib.frames import FULL_SHAPE, write_image, write_label
from wadlib.preprocess import NETWORK_SHAPE, crop_and_downscale, upsample_label
from wadlib.training import repeat_factors
from wadlib.training.augmentation import Augmentation
from wadlib.unet.data import CLASS_TABLES, SmallFrames, batches, class_pixels, object_window
from wadlib.unet.geometry import ATTEMPT, NETWORK, Geometry, strip
from wadlib.unet.recipes import RECIPES

STANDARD = RECIPES["cured"].augmentation
SMALL = Geometry(1600, 40, 8, 16, 24)  # 128 rows from 1600, 192 columns from 40: quick to look at


@pytest.fixture(scope="module")
def picture():
    """A full-size picture in which every pixel tells where it is."""
    y, x = np.mgrid[: FULL_SHAPE[0], : FULL_SHAPE[1]]
    return np.stack([y // 16, x // 16, (y // 8 + x // 8) % 2 * 255], axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def label():
    """A label of vertical stripes, one code per 8 columns."""
    columns = np.arange(FULL_SHAPE[1]) // 8
    return np.broadcast_to((33000 + columns % 7).astype(np.uint16), FULL_SHAPE)


class TestGeometry:
    def test_a_cell_is_the_mean_of_its_pixels(self, picture):
        small = SMALL.picture(picture)
        assert small.shape == (16, 24, 3)
        window = picture[1600:1728, 40:232].reshape(16, 8, 24, 8, 3).astype(float)
        assert np.abs(small - window.mean(axis=(1, 3))).max() <= 0.5

    def test_the_label_is_the_upper_left_pixel(self, label):
        np.testing.assert_array_equal(SMALL.label(label), label[1600:1728:8, 40:232:8])
        rows, columns = SMALL.window(FULL_SHAPE)
        np.testing.assert_array_equal(SMALL.label(label), label[rows, columns])

    def test_the_attempt_is_what_the_authors_cut_out(self, label):
        # Rows 1560 to 2279 and columns from 7, each eighth: 720 / 8 = 90, (3384 - 7 - 7) / 8 = 421.25.
        expected = label[1560:2280:8, 7:-7:8]
        assert expected.shape == ATTEMPT.shape == (90, 422)
        np.testing.assert_array_equal(ATTEMPT.label(label), expected)

    @pytest.mark.parametrize("geometry", [strip(4), strip(8), NETWORK], ids=str)
    def test_prepared_frames_give_the_same_as_full_ones(self, geometry, picture, label):
        small_picture, small_label = crop_and_downscale(picture, label)
        np.testing.assert_array_equal(geometry.label(small_label), geometry.label(label))
        difference = geometry.picture(small_picture).astype(int) - geometry.picture(picture)
        assert np.abs(difference).max() <= 1, "rounded twice instead of once"

    def test_strip_of_prepared_frames_is_a_slice(self, label):
        _, small = crop_and_downscale(None, label)
        np.testing.assert_array_equal(strip(4).label(small), small[365:557])
        assert strip(4).shape == (192, 832)
        assert strip(8).shape == (96, 416)
        assert strip(2).shape == (384, 1664)

    def test_the_attempt_sees_nothing_beyond_prepared_frames(self, picture, label):
        small_picture, small_label = crop_and_downscale(picture, label)
        cells = ATTEMPT.label(small_label, outside=65535)
        # Columns 7 to 27 and 3356 to 3382 are not there: (28 - 7) / 8 cells at left, and the last three at right.
        assert (cells == 65535).all(axis=0).nonzero()[0].tolist() == [0, 1, 2, 419, 420, 421]
        assert ATTEMPT.picture(small_picture).shape == (90, 422, 3)
        assert ATTEMPT.window(NETWORK_SHAPE) is None

    @pytest.mark.parametrize("shape", [FULL_SHAPE, NETWORK_SHAPE])
    def test_there_and_back(self, shape):
        cells = np.random.default_rng(0).integers(1, 8, strip(8).shape).astype(np.uint8)
        frame = strip(8).to_frame(cells, shape)
        np.testing.assert_array_equal(strip(8).label(frame), cells)
        side = 8 if shape == FULL_SHAPE else 2
        assert (frame > 0).sum() == cells.size * side**2, "each cell fills its pixels, the rest is outside"

    def test_back_from_prepared_agrees_with_upsampling(self):
        cells = np.random.default_rng(0).integers(33000, 33007, strip(4).shape).astype(np.uint16)
        full = strip(4).to_frame(cells, FULL_SHAPE, outside=255)
        np.testing.assert_array_equal(upsample_label(strip(4).to_frame(cells, NETWORK_SHAPE, outside=255)), full)

    def test_probabilities_keep_their_channels(self):
        cells = np.random.default_rng(0).random((16, 24, 3), np.float32)
        frame = SMALL.to_frame(cells)
        assert frame.shape == (*FULL_SHAPE, 3)
        np.testing.assert_array_equal(frame[1600 + 8 * 5 + 3, 40 + 8 * 7 + 7], cells[5, 7])

    @pytest.mark.parametrize("numbers", [(0, 0, 4, 700, 10), (0, 0, 0, 1, 1), (-8, 0, 8, 1, 1), (0, 3380, 8, 1, 1)])
    def test_cells_outside_of_the_frame(self, numbers):
        with pytest.raises(SegmentationError, match="expected cells inside of the frame of 3384x2710"):
            Geometry(*numbers)

    def test_other_sizes_and_too_fine_cells(self):
        with pytest.raises(
            ImageError, match=r"expected a frame of 3384x2710 or 832x640 pixels, got shape \(100, 100\)"
        ):
            SMALL.picture(np.zeros((100, 100, 3), np.uint8))
        with pytest.raises(LabelError, match="expected a frame of 3384x2710"):
            SMALL.label(np.zeros((100, 100), np.uint16))
        with pytest.raises(ImageError, match="full-size frame for cells of 2x2 pixels, got a prepared one"):
            strip(2).picture(np.zeros((*NETWORK_SHAPE, 3), np.uint8))
        with pytest.raises(ImageError, match=r"uint8 picture, got .* float64"):
            SMALL.picture(np.zeros((*FULL_SHAPE, 3)))
        with pytest.raises(SegmentationError, match=r"expected a map of \(16, 24\) cells"):
            SMALL.to_frame(np.zeros((3, 3)))


class TestAugmentation:
    @staticmethod
    def pair(shape=(40, 64)):
        """A picture whose red value is the target, so that whoever moves one without the other is found out."""
        target = np.random.default_rng(1).integers(0, 8, (shape[0] // 8, shape[1] // 8)).astype(np.uint8)
        target = target.repeat(8, axis=0).repeat(8, axis=1)
        return np.stack([target * 30, target * 0, target * 0 + 9], axis=2).astype(np.uint8), target

    @pytest.mark.parametrize("seed", range(8))
    def test_picture_and_target_move_together(self, seed):
        image, target = Augmentation(flip=0.5, zoom=0.25, shift=0.1)(*self.pair(), np.random.default_rng(seed))
        known = target != 255
        assert known.mean() > 0.5
        # Linear and nearest sampling differ at the borders of the 8x8 blocks only, 1 or 2 of 8 pixels along each axis.
        assert (image[known][:, 0] == target[known] * 30).mean() > 0.5
        inside = cv2.erode(known.astype(np.uint8), np.ones((5, 5))) > 0
        flat = inside & (cv2.dilate(target, np.ones((5, 5))) == cv2.erode(target, np.ones((5, 5))))
        assert flat.any()
        assert (image[flat][:, 0] == target[flat] * 30).all()

    def test_flip_alone_is_exact(self):
        image, target = self.pair()
        flipped, mirrored = Augmentation(flip=1)(image, target, np.random.default_rng(0))
        np.testing.assert_array_equal(flipped, image[:, ::-1])
        np.testing.assert_array_equal(mirrored, target[:, ::-1])

    def test_nothing_switched_on_changes_nothing(self):
        image, target = self.pair()
        same, also = Augmentation()(image, target, np.random.default_rng(0))
        np.testing.assert_array_equal(same, image)
        np.testing.assert_array_equal(also, target)

    def test_light_changes_the_picture_only(self):
        image, target = self.pair()
        changed, same = Augmentation(brightness=40, contrast=0.5)(image, target, np.random.default_rng(0))
        np.testing.assert_array_equal(same, target)
        before, after = image[:, :, 0].ravel().astype(int), changed[:, :, 0].ravel().astype(int)
        order = np.argsort(before, kind="stable")
        assert (np.diff(after[order]) >= 0).all(), "darker stays darker"
        assert (before != after).any()

    def test_same_generator_same_result_and_the_input_is_left_alone(self):
        image, target = self.pair()
        copies = image.copy(), target.copy()
        one = STANDARD(image, target, np.random.default_rng(3))
        other = STANDARD(image, target, np.random.default_rng(3))
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        np.testing.assert_array_equal(image, copies[0])
        np.testing.assert_array_equal(target, copies[1])

    def test_zoom_goes_both_ways(self):
        # One bright block of 64: its area tells the factor squared.
        image, target = np.zeros((80, 80, 3), np.uint8), np.zeros((80, 80), np.uint8)
        target[32:48, 32:48] = 1
        zoom = Augmentation(zoom=1.0)
        areas = [(zoom(image, target, np.random.default_rng(seed))[1] == 1).sum() / 256 for seed in range(60)]
        assert 0.2 < min(areas) < 0.5
        assert 2 < max(areas) < 4.5
        assert 0.7 < np.exp(np.mean(np.log(areas))) < 1.4, "as often smaller as larger"

    def test_noise_has_the_spread_that_is_drawn(self):
        image, target = np.full((100, 100, 3), 128, np.uint8), np.zeros((100, 100), np.uint8)
        noise = Augmentation(noise=20)
        spreads = [noise(image, target, np.random.default_rng(seed))[0].std() for seed in range(40)]
        assert 15 < max(spreads) < 20.5
        assert min(spreads) < 5
        assert 8 < np.mean(spreads) < 12, "drawn evenly up to it"

    def test_blur_spreads_a_square_by_up_to_its_variance_and_keeps_the_light(self):
        image, target = np.zeros((41, 41, 3), np.uint8), np.zeros((41, 41), np.uint8)
        image[16:25, 16:25] = 255
        offsets = np.arange(-20, 21)
        added = []
        for seed in range(10):
            blurred, same = Augmentation(blur=1.5)(image, target, np.random.default_rng(seed))
            np.testing.assert_array_equal(same, target)
            light = blurred[:, :, 0].astype(float)
            np.testing.assert_array_equal(light, light[::-1, ::-1])
            assert light.sum() == pytest.approx(9 * 9 * 255, rel=0.01)
            added.append((light.sum(axis=0) @ offsets**2) / light.sum() - (9**2 - 1) / 12)  # variances add up
        assert -0.01 < min(added) < 0.5
        assert 1 < max(added) < 1.5**2

    def test_another_camera_leaves_the_other_draws_alone(self):
        image, target = self.pair()
        _, one = Augmentation(flip=0.5, zoom=0.25, shift=0.1)(image, target, np.random.default_rng(5))
        _, other = Augmentation(flip=0.5, zoom=0.25, shift=0.1, blur=1, noise=5)(
            image, target, np.random.default_rng(5)
        )
        np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize(
        "changes",
        [{"flip": 50}, {"zoom": -1}, {"shift": 2}, {"brightness": -3}, {"blur": -1}, {"noise": 300}],
    )
    def test_percentages_are_refused(self, changes):
        with pytest.raises(SegmentationError, match="expected shares between 0 and 1"):
            Augmentation(**changes)


def make_frame(folder, name="a", code=33001, colour=60, shape=NETWORK_SHAPE):
    image = np.full((*shape, 3), colour, np.uint8)
    label = np.full(shape, 255, np.uint16)
    label[450:470, 100:140] = code
    label[499, 300:310] = 65535
    write_image(folder / f"{name}.jpg", image)
    write_label(folder / f"{name}_instanceIds.png", label)
    return Frame(name, "video", folder / f"{name}.jpg", folder / f"{name}_instanceIds.png")


class TestSmallFrames:
    def test_picture_and_target(self, tmp_path):
        image, target = SmallFrames(strip(4)).read(make_frame(tmp_path))
        assert image.shape == (192, 832, 3)
        assert image.dtype == target.dtype == np.uint8
        assert np.abs(image.astype(int) - 60).max() <= 2
        expected = np.zeros((192, 832), np.uint8)
        expected[450 - 365 : 470 - 365, 100:140] = 1
        expected[499 - 365, 300:310] = 255
        np.testing.assert_array_equal(target, expected)

    @pytest.mark.parametrize(
        ("classes", "code", "index"),
        [
            ("wad", 40000, 7),
            ("wad", 37000, 0),
            ("attempt9", 40000, 8),
            ("attempt9", 37000, 5),
            ("attempt2", 33000, 1),
            ("attempt2", 36000, 255),
        ],
    )
    def test_class_tables(self, classes, code, index, tmp_path):
        _, target = SmallFrames(strip(4), CLASS_TABLES[classes]).read(make_frame(tmp_path, code=code))
        assert target[90, 120] == index
        assert target[0, 0] == 0

    def test_full_and_prepared_datasets_agree(self, tiny_wad, tmp_path):
        wad = open_wad(tiny_wad(videos=1, frames=2))
        prepare(wad, tmp_path / "prepared", progress=False)
        small = SmallFrames(strip(8))
        for full, prepared in zip(wad.frames, open_wad(tmp_path / "prepared").frames, strict=True):
            image, target = small.read(full)
            again, same = small.read(prepared)
            np.testing.assert_array_equal(same, target)
            assert np.abs(again.astype(int) - image).max() <= 3, "JPEG once more"
            assert (target == 1).sum() > 100

    def test_real_frames(self, wad_sample):
        small = SmallFrames(strip(8))
        for frame in open_wad(wad_sample).frames:
            image, target = small.read(frame)
            assert image.std() > 20
            assert {0, 1} <= set(np.unique(target).tolist()) <= {*range(8), 255}

    def test_memory_decodes_once(self, tmp_path, monkeypatch):
        frame, small = make_frame(tmp_path), SmallFrames(strip(8))
        first = small.read(frame)
        monkeypatch.setattr(SmallFrames, "_decode", None)
        np.testing.assert_array_equal(small.read(frame)[0], first[0])

    def test_folder_is_shared_and_survives(self, tmp_path, monkeypatch):
        frame = make_frame(tmp_path)
        first = SmallFrames(strip(8), cache=tmp_path / "cache").read(frame)
        (path,) = (tmp_path / "cache").iterdir()
        with monkeypatch.context() as patch:
            patch.setattr(SmallFrames, "_decode", None)
            image, target = SmallFrames(strip(8), cache=tmp_path / "cache").read(frame)
        np.testing.assert_array_equal(image, first[0])
        np.testing.assert_array_equal(target, first[1])
        path.write_bytes(path.read_bytes()[:50])  # damaged
        np.testing.assert_array_equal(SmallFrames(strip(8), cache=tmp_path / "cache").read(frame)[1], first[1])

    def test_folder_notices_a_new_picture_or_geometry(self, tmp_path):
        frame, cache = make_frame(tmp_path), tmp_path / "cache"
        SmallFrames(strip(8), cache=cache).read(frame)
        SmallFrames(strip(4), cache=cache).read(frame)
        SmallFrames(strip(8), CLASS_TABLES["attempt2"], cache=cache).read(frame)
        assert len(list(cache.iterdir())) == 3
        make_frame(tmp_path, colour=200)
        os.utime(frame.image_path, ns=(1, 1))
        image, _ = SmallFrames(strip(8), cache=cache).read(frame)
        assert image.mean() > 190

    @pytest.mark.parametrize("cached", [False, True])
    def test_fill_reads_what_is_missing(self, cached, tmp_path, monkeypatch):
        frames = [make_frame(tmp_path, name) for name in "abc"]
        small = SmallFrames(strip(8), cache=tmp_path / "cache" if cached else None)
        small.read(frames[1])
        read = []
        monkeypatch.setattr(SmallFrames, "_keep", lambda self, frame: read.append(frame.name))
        small.fill([*frames, frames[0]], workers=1, progress=False)
        assert read == ["a", "c"]

    def test_labels_that_cannot_be_used(self, tmp_path):
        with pytest.raises(LabelError, match="class 26 is not in the class table"):
            SmallFrames(strip(8)).read(make_frame(tmp_path, code=26001))
        unlabelled = Frame("b", "video", tmp_path / "a.jpg")
        with pytest.raises(LabelError, match="frame b has no label"):
            SmallFrames(strip(8)).read(unlabelled)


class TestBatches:
    def test_shapes_and_names(self, tmp_path):
        frames = [make_frame(tmp_path, name, colour=40 * i) for i, name in enumerate("abc")]
        small = SmallFrames(strip(8))
        data = batches(frames, small, batch_size=2, training=False)
        assert len(data) == 2
        batch = data.batch(0, 0)
        assert batch.x.shape == (2, 96, 416, 3)
        assert batch.y.shape == (2, 96, 416)
        assert batch.weight is None
        assert batch.names == ("a", "b")
        np.testing.assert_array_equal(batch.x[1], small.read(frames[1])[0])

    def test_augmented_by_place_not_by_turn(self, tmp_path):
        frames = [make_frame(tmp_path, name) for name in "abc"]
        data = batches(frames, SmallFrames(strip(8)), batch_size=3, augment=STANDARD, seed=5)
        one, other = data.batch(2, 0), data.batch(3, 0)
        assert not np.array_equal(one.y, other.y)
        np.testing.assert_array_equal(data.batch(2, 0).x, one.x)
        plain = batches(frames, SmallFrames(strip(8)), batch_size=3, augment=STANDARD, training=False)
        assert len(np.unique(plain.batch(0, 0).y[0])) == 3, "validation is not augmented"

    def test_windows_side_by_side_are_the_picture(self, tmp_path):
        frames = [make_frame(tmp_path, name) for name in "ab"]
        small = SmallFrames(strip(8))
        data = batches(frames, small, batch_size=4, training=False, columns=104)
        assert len(data) == 2
        batch = data.batch(0, 1)
        assert batch.x.shape == (4, 96, 104, 3)
        assert batch.names == ("b",) * 4
        np.testing.assert_array_equal(np.concatenate(batch.x, axis=1), small.read(frames[1])[0])
        np.testing.assert_array_equal(np.concatenate(batch.y, axis=1), small.read(frames[1])[1])

    def test_windows_around_objects(self, tmp_path):
        frame = make_frame(tmp_path)  # a car in the columns 100 to 139 of the prepared frame: 50 to 69 here
        data = batches([frame], SmallFrames(strip(8)), batch_size=1, columns=32, seed=3)
        shown = [data.batch(epoch, 0) for epoch in range(20)]
        assert all(batch.x.shape == (1, 96, 32, 3) and (batch.y == 1).any() for batch in shown)
        assert len({(batch.y == 1).sum() for batch in shown}) > 1, "not always at the same place"

    def test_each_class_is_as_often_in_the_window(self):
        target = np.zeros((4, 100), np.uint8)
        target[:, :90] = 1  # 360 cells of class 1, and one of class 2
        target[0, 95] = 2
        rng = np.random.default_rng(0)
        windows = [object_window(target, 5, rng) for _ in range(2000)]
        assert all(window.stop - window.start == 5 for window in windows)
        assert min(window.start for window in windows) >= 0
        share = np.mean([(target[:, window] == 2).any() for window in windows])
        # Half of the windows are drawn for class 2. Of the others hardly any reaches it: column 95 is 6 from class 1.
        assert abs(share - 1 / 2) < 4 * (1 / 4 / 2000) ** 0.5
        empty = [object_window(np.zeros((4, 9), np.uint8), 5, rng).start for _ in range(100)]
        assert set(empty) == {0, 1, 2, 3, 4}

    def test_no_frames(self):
        with pytest.raises(TrainingError, match="at least one frame, got none"):
            batches([], SmallFrames(strip(8)), batch_size=2)
        with pytest.raises(TrainingError, match="class_pixels: expected at least one frame"):
            class_pixels([], SmallFrames(strip(8)))

    def test_rare_classes_come_more_often(self, tmp_path):
        frames = [
            make_frame(tmp_path, name, code=code) for name, code in zip("abcd", [33000] * 3 + [40000], strict=True)
        ]
        pixels = class_pixels(frames, SmallFrames(strip(4)))
        assert pixels[:, 1].tolist() == [800, 800, 800, 0]
        assert pixels[3, 7] == 800
        assert pixels[0].sum() == 192 * 832 - 10
        # Class 7 is in 1 of 4 frames, class 1 in 3 of 4: sqrt(1 / (1/4)) = 2 and sqrt(4/3).
        np.testing.assert_allclose(repeat_factors(pixels, share=1.0), [(4 / 3) ** 0.5] * 3 + [2.0])
        assert repeat_factors(pixels, share=0.1).tolist() == [1, 1, 1, 1]
        empty = np.array([[10, 0], [10, 0]])
        assert repeat_factors(empty).tolist() == [1, 1], "nothing labelled at all"

    def test_describe_is_json(self, tmp_path):
        data = batches([make_frame(tmp_path)], SmallFrames(strip(8)), batch_size=1, weights=[1.0])
        assert json.loads(json.dumps(data.describe()))["items"] == 1
