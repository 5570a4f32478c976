"""Any picture in, instances of that picture out. Oracles: scikit-image's resize, and the original package's rules."""

import numpy as np
import pytest

from wadlib.errors import ImageError, InstancesError
from wadlib.frames import FULL_SHAPE
from wadlib.labels import IGNORE
from wadlib.maskrcnn import Config
from wadlib.maskrcnn.frames.images import as_rgb, canvas, label_canvas, normalise, paste, unmold
from wadlib.maskrcnn.frames.views import Placement
from wadlib.maskrcnn.network.boxes import normalize
from wadlib.preprocess import NETWORK_SHAPE, crop_and_downscale

REPORT, COCO, CLASSROOM = Config.report(), Config.coco(), Config.classroom()


class TestAsRgb:
    def test_rgb_is_taken_as_it_is(self):
        image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
        assert as_rgb(image) is not None
        assert np.shares_memory(as_rgb(image), image)

    @pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1)])
    def test_grey_goes_to_all_channels(self, shape):
        image = np.arange(6, dtype=np.uint8).reshape(shape)
        assert (as_rgb(image) == image.reshape(2, 3, 1)).all()
        assert as_rgb(image).shape == (2, 3, 3)

    def test_transparency_is_left_out(self):
        image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        assert (as_rgb(image) == image[:, :, :3]).all()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_floating_point_from_0_to_1(self, dtype):
        assert as_rgb(np.array([[0, 0.2, 1]], dtype))[0, :, 0].tolist() == [0, 51, 255]

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (np.zeros((3, 5, 7), np.uint8), r"got shape \(3, 5, 7\)"),
            (np.zeros((2, 4, 5, 3), np.uint8), r"got shape \(2, 4, 5, 3\)[\s\S]*list of"),
            (np.zeros(5, np.uint8), r"got shape \(5,\)"),
            (np.zeros((0, 5, 3), np.uint8), r"got an empty one of shape \(0, 5, 3\)"),
            (np.zeros((5, 0, 3), np.uint8), "empty"),
            (np.zeros((0, 0)), "empty"),
            (np.full((2, 2, 3), 128.0), r"got float64 from 128 to 128[\s\S]*astype\(np.uint8\)"),
            (np.full((2, 2, 3), -0.5), "got float64 from -0.5 to -0.5"),
            (np.full((2, 2, 3), np.nan), "got float64 from nan to nan"),
            (np.zeros((2, 2, 3), np.uint16), "got dtype uint16"),
            (np.zeros((2, 2, 3), bool), "got dtype bool"),
            (np.zeros((2, 2, 3), np.int64), "got dtype int64"),
            (None, "got shape"),
        ],
    )
    def test_other_things_are_refused(self, image, message):
        with pytest.raises(ImageError, match=message):
            as_rgb(image)


class TestPlacement:
    """Regions and windows as y1, x1, y2, x2; worked out by hand."""

    @pytest.mark.parametrize(
        ("config", "shape", "region", "window"),
        [
            (REPORT, FULL_SHAPE, (75, 28, 2635, 3356), (0, 0, 640, 832)),
            (REPORT, NETWORK_SHAPE, (0, 0, 640, 832), (0, 0, 640, 832)),
            (CLASSROOM, FULL_SHAPE, (1536, 28, 2304, 3356), (0, 0, 384, 1664)),
            (CLASSROOM, NETWORK_SHAPE, (365, 0, 557, 832), (0, 0, 384, 1664)),  # (1536 - 75) / 4 = 365.25
            (CLASSROOM, (384, 1664), (0, 0, 384, 1664), (0, 0, 384, 1664)),
            (COCO, FULL_SHAPE, (0, 0, 2710, 3384), (102, 0, 922, 1024)),  # 2710 * 1024 / 3384 = 820.04
            (REPORT, (600, 800), (0, 0, 600, 800), (20, 16, 620, 816)),  # smaller: not scaled
            (REPORT, (601, 801), (0, 0, 601, 801), (19, 15, 620, 816)),
            (REPORT, (1280, 1000), (0, 0, 1280, 1000), (0, 166, 640, 666)),
            (REPORT, (1, 1), (0, 0, 1, 1), (319, 415, 320, 416)),
            (REPORT, (5, 100000), (0, 0, 5, 100000), (319, 0, 320, 832)),  # never less than a row
        ],
    )
    def test_region_and_window(self, config, shape, region, window):
        placed = Placement.of(shape, config)
        assert (placed.region, placed.window) == (region, window)

    def test_a_picture_without_pixels(self):
        with pytest.raises(ImageError, match="got 5x0"):
            Placement.of((0, 5), REPORT)

    @pytest.mark.parametrize("shape", [FULL_SHAPE, NETWORK_SHAPE, (600, 800), (1000, 1000), (333, 77)])
    @pytest.mark.parametrize("config", [REPORT, COCO, CLASSROOM], ids=["report", "coco", "classroom"])
    def test_boxes_there_and_back(self, config, shape):
        placed = Placement.of(shape, config)
        rng = np.random.default_rng(0)
        y1, x1, y2, x2 = placed.region
        tops, lefts = rng.integers(y1, y2 - 1, 50), rng.integers(x1, x2 - 1, 50)
        boxes = np.stack([tops, lefts, rng.integers(tops + 1, y2 + 1), rng.integers(lefts + 1, x2 + 1)], axis=1)
        in_input = placed.to_input(boxes)
        back = placed.to_picture(normalize(in_input, config.image_shape))
        assert (back == boxes).all()

    def test_boxes_as_the_original_has_them_where_nothing_is_scaled(self):
        """``unmold_detections``: normalised boxes on the window, then times (H - 1, W - 1), plus the shift, rounded."""
        placed, rng = Placement.of((600, 800), REPORT), np.random.default_rng(1)
        low = rng.uniform([20 / 639, 16 / 831], [500 / 639, 700 / 831], (200, 2))
        boxes = np.concatenate([low, low + rng.uniform(0, 100 / 831, (200, 2))], axis=1).astype(np.float32)
        wy1, wx1, wy2, wx2 = normalize(np.array([20, 16, 620, 816]), (640, 832))
        on_window = (boxes - [wy1, wx1, wy1, wx1]) / [wy2 - wy1, wx2 - wx1, wy2 - wy1, wx2 - wx1]
        original = np.around(on_window * [599, 799, 599, 799] + [0, 0, 1, 1]).astype(np.int32)
        assert (placed.to_picture(boxes) == original).all()

    def test_a_box_of_the_input_covers_its_pixels_of_the_frame(self):
        placed = Placement.of(FULL_SHAPE, REPORT)
        box = normalize(np.array([[639.0, 831, 640, 832]]), (640, 832))  # the last pixel of the input
        assert placed.to_picture(box).tolist() == [[2631, 3352, 2635, 3356]]

    def test_boxes_stay_inside_the_shown_part(self):
        placed = Placement.of(FULL_SHAPE, REPORT)
        assert placed.to_picture(np.array([[-1, -1, 2, 2]], np.float32)).tolist() == [[75, 28, 2635, 3356]]
        assert placed.to_input([[0, 0, 10, 10]]).tolist() == [[0, 0, 0, 0]]  # above the crop: empty

    def test_network_size_in_full_frame(self):
        full = Placement.of(NETWORK_SHAPE, REPORT).in_full_frame()
        assert (full.picture_shape, full.region) == (FULL_SHAPE, (75, 28, 2635, 3356))
        assert full.scale == (0.25, 0.25)
        with pytest.raises(ImageError, match="got 800x600"):
            Placement.of((600, 800), REPORT).in_full_frame()

    def test_normalized_window(self):
        assert Placement.of(FULL_SHAPE, REPORT).normalized_window.tolist() == [0, 0, 1, 1]
        y1, x1, y2, x2 = Placement.of((600, 800), REPORT).normalized_window
        assert np.allclose([y1, x1, y2, x2], [20 / 639, 16 / 831, 619 / 639, 815 / 831])


class TestCanvas:
    def test_the_reports_view_is_crop_and_downscale(self):
        rng = np.random.default_rng(0)
        image = rng.integers(0, 256, (*FULL_SHAPE, 3), np.uint8)
        label = rng.integers(0, 65536, FULL_SHAPE, np.uint16)
        placed = Placement.of(FULL_SHAPE, REPORT)
        small_image, small_label = crop_and_downscale(image, label)
        assert (canvas(image, placed) == small_image).all()
        assert (label_canvas(label, placed) == small_label).all()

    def test_the_strip_is_every_second_pixel_of_the_label(self):
        label = np.arange(FULL_SHAPE[0] * FULL_SHAPE[1], dtype=np.uint32).astype(np.uint16).reshape(FULL_SHAPE)
        placed = Placement.of(FULL_SHAPE, CLASSROOM)
        assert (label_canvas(label, placed) == label[1536:2304:2, 28:3356:2]).all()

    def test_padding_is_black_and_ignored(self):
        placed = Placement.of((2, 3), Config.report().replace(image_shape=(64, 64)))
        padded = canvas(np.full((2, 3, 3), 9, np.uint8), placed)
        assert padded.shape == (64, 64, 3)
        assert int((padded == 9).sum()) == 2 * 3 * 3
        assert int(padded.sum()) == 2 * 3 * 3 * 9
        assert (padded[31:33, 30:33] == 9).all()
        label = label_canvas(np.zeros((2, 3), np.uint16), placed)
        assert int((label == IGNORE).sum()) == 64 * 64 - 6

    def test_normalise(self):
        pixels = np.full((1, 2, 3), (124, 117, 104), np.uint8)
        assert np.allclose(normalise(pixels, REPORT), [0.3, 0.2, 0.1], atol=1e-5)
        assert np.allclose(normalise(pixels, CLASSROOM), (pixels - 127.0) / 128)
        assert normalise(pixels, REPORT).dtype == np.float32

    def test_one_batch_of_any_sizes(self):
        pictures = [as_rgb(image) for image in (np.zeros((10, 20), np.uint8), np.ones((700, 700, 4)))]
        placements = [Placement.of(picture.shape[:2], REPORT) for picture in pictures]
        batch = normalise(np.stack([canvas(*pair) for pair in zip(pictures, placements, strict=True)]), REPORT)
        assert (batch.shape, batch.dtype) == ((2, 640, 832, 3), np.float32)
        assert [p.picture_shape for p in placements] == [(10, 20), (700, 700)]
        assert np.allclose(batch[0], -np.array(REPORT.mean_pixel))
        assert np.allclose(batch[1, 320, 416], 255 - np.array(REPORT.mean_pixel))


class TestPaste:
    @pytest.mark.parametrize("samples", [28, 14, 2])
    def test_is_scikit_images_resize(self, samples):
        resize = pytest.importorskip("skimage.transform").resize
        rng = np.random.default_rng(0)
        sizes = [(1, 1), (1, 50), (28, 28), (29, 27), (14, 56), (200, 300), *rng.integers(1, 130, (60, 2)).tolist()]
        for height, width in sizes:
            mask = rng.random((samples, samples)).astype(np.float32)
            expected = resize(mask, (height, width), order=1, mode="constant", anti_aliasing=False)
            wrong = paste(mask, height, width) != (expected >= 0.5)
            assert (np.abs(expected[wrong] - 0.5) < 1e-6).all(), (height, width)  # but for rounding at the threshold

    def test_a_sure_mask_fills_its_box(self):
        assert paste(np.ones((28, 28), np.float32), 100, 333).all()
        assert not paste(np.zeros((28, 28), np.float32), 100, 333).any()

    def test_beyond_the_outermost_samples_it_fades(self):
        """Half a cell further out half is left, in a corner a quarter: sure masks lose their corners, as originally."""
        mask = np.ones((28, 28), np.float32)
        mask[14, 14] = 0
        pasted = paste(mask, 112, 112)
        assert pasted[0, 10:-10].all()
        assert pasted[10:-10, 0].all()
        assert not pasted[[0, 0, -1, -1], [0, -1, 0, -1]].any()


def found(*rows, config=REPORT):
    """Instances as the network gives them, from pixels of the input: y1, x1, y2, x2, class, score."""
    detections = np.zeros((10, 6), np.float32)
    for i, row in enumerate(rows):
        detections[i] = [*normalize(np.array(row[:4], float), config.image_shape), *row[4:]]
    return detections


class TestUnmold:
    placed = Placement.of(NETWORK_SHAPE, REPORT)
    full = np.ones((10, 28, 28), np.float32)

    def test_boxes_classes_scores_masks(self):
        rows = found([10, 20, 30, 60, 1, 0.9], [100, 200, 101, 201, 7, 0.8])
        instances = unmold(rows, self.full, self.placed, REPORT)
        assert instances.boxes.tolist() == [[10, 20, 30, 60], [100, 200, 101, 201]]
        assert instances.class_ids.tolist() == [33, 40]
        assert instances.shape == NETWORK_SHAPE
        assert instances.masks[0].sum() == instances.masks[0, 10:30, 20:60].sum() == 20 * 40

    def test_rows_after_the_first_without_a_class_are_padding(self):
        rows = found([10, 20, 30, 60, 1, 0.9], [0, 0, 0, 0, 0, 0], [10, 20, 30, 60, 1, 0.7])
        assert len(unmold(rows, self.full, self.placed, REPORT)) == 1
        assert len(unmold(found(), self.full, self.placed, REPORT)) == 0
        assert len(unmold(found(), self.full[:0], self.placed, REPORT)) == 0

    def test_as_many_masks_as_detections_are_enough(self):
        rows = found([10, 20, 30, 60, 1, 0.9])
        assert len(unmold(rows, self.full[:1], self.placed, REPORT)) == 1

    def test_a_row_in_every_place(self):
        rows = found(*[[10, 20, 30, 60, 1, 0.9]] * 10)
        assert len(unmold(rows, self.full, self.placed, REPORT)) == 10

    def test_boxes_without_area_are_left_out(self):
        rows = found(
            [10, 20, 10, 60, 1, 0.9], [10.2, 20, 10.4, 60, 2, 0.8], [50, 5, 40, 9, 3, 0.7], [1, 1, 3, 3, 4, 0.6]
        )
        instances = unmold(rows, self.full, self.placed, REPORT)
        assert instances.class_ids.tolist() == [36]
        assert instances.boxes.tolist() == [[1, 1, 3, 3]]

    def test_best_score_first(self):
        rows = found([1, 1, 3, 3, 1, 0.2], [1, 1, 3, 3, 2, 0.9], [1, 1, 3, 3, 3, 0.5])
        instances = unmold(rows, self.full, self.placed, REPORT)
        assert instances.class_ids.tolist() == [34, 35, 33]

    def test_masks_of_all_classes(self):
        masks = np.zeros((10, 28, 28, 8), np.float32)
        masks[0, :, :, 5] = 1
        rows = found([10, 20, 30, 60, 5, 0.9], [10, 20, 30, 60, 1, 0.8])
        assert unmold(rows, masks, self.placed, REPORT).areas_px.tolist() == [800, 0]

    def test_cocos_classes_that_wad_does_not_have_are_left_out(self):
        rows = found([1, 1, 30, 30, 3, 0.9], [1, 1, 30, 30, 80, 0.8], [1, 1, 30, 30, 1, 0.7], config=COCO)
        instances = unmold(rows, self.full, Placement.of((1024, 1024), COCO), COCO)
        assert instances.class_ids.tolist() == [33, 36]

    @pytest.mark.parametrize("column", [0, 5])
    def test_nan_is_refused(self, column):
        rows = found([1, 1, 3, 3, 1, 0.2])
        rows[0, column] = np.nan
        with pytest.raises(InstancesError, match=r"expected finite boxes and scores[\s\S]*diverged"):
            unmold(rows, self.full, self.placed, REPORT)

    def test_straight_to_the_full_frame_is_finer_than_blocks(self):
        """A disc as small mask: at full size its edge is round, not made of 4x4 blocks."""
        y, x = np.mgrid[-13.5:14, -13.5:14]
        masks = np.broadcast_to((y**2 + x**2 < 13**2).astype(np.float32), (10, 28, 28))
        rows = found([100, 200, 110, 210, 1, 0.9])
        fine = unmold(rows, masks, Placement.of(FULL_SHAPE, REPORT), REPORT)
        blocks = unmold(rows, masks, self.placed, REPORT).to_full_frame()
        assert (fine.boxes == blocks.boxes).all()
        assert fine.boxes.tolist() == [[475, 828, 515, 868]]
        y, x = np.mgrid[475:515, 828:868]
        disc = (y + 0.5 - 495) ** 2 + (x + 0.5 - 848) ** 2 < (13 / 28 * 40) ** 2

        def iou(instances):
            mask = instances.masks[0, 475:515, 828:868]
            return (mask & disc).sum() / (mask | disc).sum()

        assert iou(fine) > 0.97 > iou(blocks)
