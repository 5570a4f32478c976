"""Training examples: ground truth from labels, augmentation, and batches that depend on seed and place only."""

import json

import numpy as np
import pytest
import skimage.transform
from hypothesis import example as example_of
from hypothesis import given, settings
from hypothesis import strategies as st

from wadlib.dataset.frame import Frame
from wadlib.errors import LabelError, TrainingError
from wadlib.frames import write_image, write_label
from wadlib.labels import BACKGROUND, IGNORE
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames.augmentation import STANDARD, random_crop
from wadlib.maskrcnn.frames.copy_paste import CopyPaste
from wadlib.maskrcnn.frames.data import TrainingBatches, example, object_point
from wadlib.maskrcnn.frames.ground_truth import ground_truth, mini_mask
from wadlib.maskrcnn.frames.views import Placement
from wadlib.maskrcnn.network.anchors import pyramid_anchors
from wadlib.training import Augmentation

CONFIG = Config.report().replace(
    image_shape=(64, 128), max_gt_instances=3, proposals_training=10, rpn_train_anchors=16, batch_size=2
)
STILL = Augmentation()


def drawn():
    """A label of 64 x 128: two cars, a person, a rider, a bus of one row, and two ignored regions."""
    label = np.full((64, 128), BACKGROUND, np.uint16)
    label[10:30, 20:60] = 33000
    label[20:30, 40:60] = 36001  # stands in front of the car's lower right quarter
    label[40:44, 100:110] = 33002
    label[50:60, 0:8] = 37000
    label[63, 30:50] = 39000
    label[0:4, 0:4] = IGNORE
    label[32:36, 64:70] = IGNORE
    return label


# --- ground truth ---------------------------------------------------------------------------------


def test_ground_truth_by_hand():
    truth = ground_truth(drawn(), CONFIG)
    assert truth.class_ids.tolist() == [1, 1, 4, -1, -1, -1]  # car, car, person; rider, ignored, ignored
    assert truth.boxes.tolist() == [
        [10, 20, 30, 60],
        [40, 100, 44, 110],
        [20, 40, 30, 60],
        [50, 0, 60, 8],
        [32, 64, 36, 70],
        [0, 0, 4, 4],
    ]
    assert (truth.instances, truth.too_small) == (3, 1)  # the bus has one row
    quarter = np.ones((56, 56))
    quarter[28:, 28:] = 0
    inside = slice(1, -1), slice(1, -1)  # the outermost cells lie half outside
    np.testing.assert_array_equal(truth.masks[0][inside], quarter[inside])
    assert truth.masks[2].all()
    assert truth.masks[3:].all()
    assert (truth.class_ids.dtype, truth.boxes.dtype, truth.masks.dtype) == (np.int32, np.float32, np.uint8)


def test_no_instances():
    truth = ground_truth(np.full((64, 128), BACKGROUND, np.uint16), CONFIG)
    assert truth.instances == 0
    assert truth.boxes.shape == (0, 4)
    assert truth.masks.shape == (0, 56, 56)


def test_a_class_that_the_network_lacks_is_a_crowd():
    label = np.full((64, 128), BACKGROUND, np.uint16)
    label[0:9, 0:9], label[20:29, 0:9] = 40000, 33000
    assert ground_truth(label, Config.coco()).class_ids.tolist() == [3, -1]  # COCO's car; it has no tricycle
    assert ground_truth(label, CONFIG).class_ids.tolist() == [1, 7]


def test_things_that_are_no_objects_are_background():
    label = np.full((64, 128), BACKGROUND, np.uint16)
    label[:20], label[20:40] = 17000, 49000  # sky, road
    label[40:50] = 7  # below 1000: no instance of anything
    assert len(ground_truth(label, CONFIG).class_ids) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 90), st.sampled_from([0.6, 1.0]))
@example_of(seed=0, height=9, width=9, share=1.0)
def test_mini_masks_are_skimages(seed, height, width, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    resized = skimage.transform.resize(mask.astype(float), (56, 56), order=1, mode="constant", anti_aliasing=False)
    sure = np.abs(resized - 0.5) > 1e-6  # a half goes either way
    np.testing.assert_array_equal(mini_mask(mask, (56, 56))[sure], np.around(resized)[sure])


# --- augmentation ---------------------------------------------------------------------------------


def test_mirrored_together():
    rng = np.random.default_rng(0)
    image, label = rng.integers(0, 256, (8, 6, 3), np.uint8), drawn()[:8, :6]
    mirrored = Augmentation(flip=1)
    changed, codes = mirrored(image, label, rng)
    np.testing.assert_array_equal(changed, image[:, ::-1])
    np.testing.assert_array_equal(codes, label[:, ::-1])
    same, codes = STILL(image, label, rng)
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(codes, label)


class Highest:
    """In place of a generator: the upper end of every range."""

    def random(self):
        return 1.0

    def uniform(self, low, high, size=None):
        return high if size is None else np.full(size, high, float)


@pytest.mark.parametrize(
    ("strength", "pixel", "expected"),
    [
        ({"brightness": 51}, (10, 100, 250), (61, 151, 255)),  # + 51
        ({"contrast": 0.5}, (100, 200, 0), (86, 236, 0)),  # 1.5 (p - 127.5) + 127.5, halves to even
        ({"colour": 0.1}, (100, 200, 250), (110, 220, 255)),
        ({"saturation": 1.0}, (100, 100, 100), (100, 100, 100)),  # grey stays grey
        ({"saturation": 1.0}, (100, 0, 0), (170, 0, 0)),  # 2 · 100 - 29.9; below 0
    ],
)
def test_light_by_hand(strength, pixel, expected):
    image = np.full((2, 2, 3), pixel, np.uint8)
    changed, _ = Augmentation(**strength)(image, np.zeros((2, 2), np.uint16), Highest())
    np.testing.assert_array_equal(changed[0, 0], expected)
    np.testing.assert_array_equal(image[0, 0], pixel)


@pytest.mark.parametrize("scale", [0.25, 1.0, 2.0])
def test_random_crops_stay_in_the_view(scale):
    config = Config.classroom()
    rng = np.random.default_rng(0)
    y1, x1, y2, x2 = Placement.of((2710, 3384), config).region
    starts = set()
    for _ in range(20):
        crop = random_crop((2710, 3384), config, rng, scale)
        top, left, bottom, right = crop.region
        assert y1 <= top < bottom <= y2
        assert x1 <= left < right <= x2
        assert crop.scale == (scale, scale)
        starts.add((top, left))
    assert len(starts) == (1 if scale == 0.25 else 20)  # at a quarter the whole strip fits


# --- examples -------------------------------------------------------------------------------------


def test_example():
    image = np.full((64, 128, 3), 128, np.uint8)
    x = example(image, drawn(), CONFIG, np.random.default_rng(0))
    anchors = len(pyramid_anchors(CONFIG))
    shapes = {name: (array.shape, array.dtype.name) for name, array in x.items()}
    assert shapes == {
        "image": ((64, 128, 3), "float32"),
        "rpn_match": ((anchors,), "int8"),
        "rpn_bbox": ((16, 4), "float32"),
        "gt_class_ids": ((3,), "int32"),
        "gt_boxes": ((3, 4), "float32"),
        "gt_masks": ((3, 56, 56), "uint8"),
        "roi_priority": ((10,), "float32"),
    }
    np.testing.assert_allclose(x["image"][0, 0], np.float32(128) - np.array(CONFIG.mean_pixel, np.float32))
    assert x["gt_class_ids"].tolist() == [1, 1, 4]  # no place left for crowds
    assert (x["rpn_match"] == 1).any()
    on_crowd = pyramid_anchors(CONFIG)[x["rpn_match"] == -1]
    assert not ((on_crowd[:, 0] < 4) & (on_crowd[:, 1] < 4) & (on_crowd[:, 2] > 0) & (on_crowd[:, 3] > 0)).any()


def test_crowds_take_the_places_that_are_left():
    x = example(np.zeros((64, 128, 3), np.uint8), drawn(), CONFIG.replace(max_gt_instances=5), np.random.default_rng(0))
    assert x["gt_class_ids"].tolist() == [1, 1, 4, -1, -1]


def test_of_too_many_instances_some_are_drawn():
    config = CONFIG.replace(max_gt_instances=2)
    drawings = set()
    for seed in range(20):
        x = example(np.zeros((64, 128, 3), np.uint8), drawn(), config, np.random.default_rng(seed))
        again = example(np.zeros((64, 128, 3), np.uint8), drawn(), config, np.random.default_rng(seed))
        assert (x["gt_class_ids"] > 0).all()
        np.testing.assert_array_equal(x["gt_boxes"], again["gt_boxes"])
        drawings.add(tuple(x["gt_boxes"][:, 0].tolist()))
    assert drawings == {(10, 40), (10, 20), (40, 20)}


# --- batches --------------------------------------------------------------------------------------


@pytest.fixture
def frames(tmp_path):
    """Five small frames; the last holds nothing."""
    rng = np.random.default_rng(0)
    result = []
    for i in range(5):
        frame = Frame(f"frame{i}", "video", tmp_path / f"{i}.jpg", tmp_path / f"{i}.png")
        write_image(frame.image_path, rng.integers(0, 256, (64, 128, 3), np.uint8))
        write_label(frame.label_path, drawn() if i < 4 else np.full((64, 128), BACKGROUND, np.uint16))
        result.append(frame)
    return result


def same(a, b):
    return all(np.array_equal(a.x[name], b.x[name]) for name in a.x)


def test_batches_depend_on_seed_and_place_only(frames):
    data, again = (TrainingBatches(frames, CONFIG, seed=3) for _ in range(2))
    first = data.batch(2, 1)
    assert first.x["image"].shape == (2, 64, 128, 3)
    assert first.y is None
    assert len(first.names) == 2
    again.batch(0, 0)
    assert same(first, again.batch(2, 1))
    assert not same(first, data.batch(3, 1))
    assert not same(first, TrainingBatches(frames, CONFIG, seed=4).batch(2, 1))
    assert json.loads(json.dumps(data.describe()))["augmentation"]["flip"] == 0.5


def test_validation_shows_every_frame_once_and_as_it_is(frames):
    data = TrainingBatches(frames, CONFIG, shuffle=False, augmentation=None)
    batches = [data.batch(0, i) for i in range(len(data))]
    assert [name for batch in batches for name in batch.names] == [frame.name for frame in frames]
    image = frames[0].read_image().astype(np.float32) - np.array(CONFIG.mean_pixel, np.float32)
    np.testing.assert_allclose(batches[0].x["image"][0], image, rtol=1e-6)
    last = batches[-1].x
    assert not last["gt_class_ids"].any()
    assert set(np.unique(last["rpn_match"])) == {-1, 0}


def test_boxes_follow_the_mirrored_picture(frames):
    mirrored = Augmentation(flip=1)
    plain, other = (
        TrainingBatches(frames[:1], CONFIG, augmentation=a, batch_size=1).batch(0, 0).x for a in (None, mirrored)
    )
    np.testing.assert_array_equal(other["image"], plain["image"][:, :, ::-1])
    boxes = plain["gt_boxes"][0]
    expected = np.stack([boxes[:, 0], 128 - boxes[:, 3], boxes[:, 2], 128 - boxes[:, 1]], 1)
    np.testing.assert_array_equal(other["gt_boxes"][0], expected)


def test_a_small_picture_lies_in_background(tmp_path):
    frame = Frame("small", "video", tmp_path / "i.jpg", tmp_path / "l.png")
    write_image(frame.image_path, np.full((32, 100, 3), 90, np.uint8))
    label = np.full((32, 100), BACKGROUND, np.uint16)
    label[4:20, 10:30] = 33000
    write_label(frame.label_path, label)
    x = TrainingBatches([frame], CONFIG, batch_size=1, augmentation=STANDARD).batch(0, 0).x
    padding = -np.array(CONFIG.mean_pixel, np.float32)
    np.testing.assert_allclose(x["image"][0, 0, 0], padding)  # black, whatever the light
    assert x["gt_class_ids"][0].tolist() == [1, 0, 0]
    assert x["gt_boxes"][0, 0, [0, 2]].tolist() == [20, 36]
    anchors = pyramid_anchors(CONFIG)[x["rpn_match"][0] == -1]
    assert len(anchors) > 8


def test_full_size_frames_show_the_strip(full_size_files, tmp_path):
    jpeg, png = full_size_files[1]
    frame = Frame("full", "video", tmp_path / "i.jpg", tmp_path / "l.png")
    frame.image_path.write_bytes(jpeg)
    frame.label_path.write_bytes(png)
    config = Config.classroom()
    x = TrainingBatches([frame], config, shuffle=False, augmentation=None).batch(0, 0).x
    assert x["image"].shape == (1, 384, 1664, 3)
    # A car at rows 1800:1900 and columns 500:700 of the frame, at half the resolution of rows 1536: and columns 28:
    assert x["gt_boxes"][0, 0].tolist() == [132, 236, 182, 336]
    assert x["gt_class_ids"][0].tolist()[:2] == [1, -1]  # an ignored pixel is a crowd
    crop = TrainingBatches([frame], config, augmentation=None, crop_scale=1.0).batch(0, 0).x
    assert crop["image"].shape == (1, 384, 1664, 3)


def test_a_frame_without_label_says_so(frames):
    frame = Frame("test", "video", frames[0].image_path)
    with pytest.raises(LabelError, match="frame test has no label"):
        TrainingBatches([frame], CONFIG, batch_size=1).batch(0, 0)


# --- windows ----------------------------------------------------------------------------------------


WIDE = CONFIG.replace(image_shape=(64, 192))


@pytest.fixture
def wide(tmp_path):
    """A frame of 64 x 192: ten cars at the left, a tricycle at the right."""
    label = np.full((64, 192), BACKGROUND, np.uint16)
    for i in range(10):
        label[4:12, 6 * i : 6 * i + 5] = 33000 + i
    label[30:50, 150:170] = 40000
    frame = Frame("wide", "video", tmp_path / "w.jpg", tmp_path / "w.png")
    write_image(frame.image_path, np.random.default_rng(1).integers(0, 256, (64, 192, 3), np.uint8))
    write_label(frame.label_path, label)
    return frame


def test_windows_show_rare_classes_as_often_as_others(wide):
    data = TrainingBatches([wide], WIDE, window=64, augmentation=None, batch_size=1, steps=200)
    shown = [set(data.batch(0, i).x["gt_class_ids"].ravel().tolist()) - {0} for i in range(200)]
    assert data.batch(0, 0).x["image"].shape == (1, 64, 64, 3)
    assert all(shown), "no window is empty"
    assert 0.35 < np.mean([7 in classes for classes in shown]) < 0.65


def test_windows_of_validation_cover_the_view_once(wide):
    data = TrainingBatches([wide, wide], WIDE, window=64, shuffle=False, augmentation=None, batch_size=1)
    pictures = [data.batch(0, i).x["image"][0] for i in range(len(data))]
    assert len(pictures) == 6
    whole = TrainingBatches([wide], WIDE, shuffle=False, augmentation=None, batch_size=1).batch(0, 0).x["image"][0]
    np.testing.assert_array_equal(np.concatenate(pictures[:3], axis=1), whole)


def test_windows_that_do_not_go_into_the_view_overlap(wide):
    data = TrainingBatches([wide], WIDE, window=128, shuffle=False, augmentation=None, batch_size=1)
    first, second = (data.batch(0, i).x["image"][0] for i in range(2))
    assert len(data) == 2
    np.testing.assert_array_equal(first[:, 64:], second[:, :64])
    whole = TrainingBatches([wide], WIDE, shuffle=False, augmentation=None, batch_size=1).batch(0, 0).x["image"][0]
    np.testing.assert_array_equal(np.concatenate([first, second[:, 64:]], axis=1), whole)


def test_an_object_point_lies_on_an_object(wide):
    label = wide.read_label()
    points = [object_point(label, (0, 0, 64, 192), np.random.default_rng(i)) for i in range(60)]
    assert {int(label[point]) // 1000 for point in points} == {33, 40}
    assert object_point(label, (0, 100, 20, 192), np.random.default_rng(0)) is None
    row, column = object_point(label, (20, 100, 64, 192), np.random.default_rng(0))
    assert label[row, column] == 40000


def test_copies_are_pasted_into_windows_of_full_size_frames(full_size_files, tmp_path):
    jpeg, png = full_size_files[3]
    frame = Frame("full", "video", tmp_path / "i.jpg", tmp_path / "l.png")
    frame.image_path.write_bytes(jpeg)
    frame.label_path.write_bytes(png)
    cure = CopyPaste({33: (frame,)}, mean=40.0)
    data = TrainingBatches(
        [frame], Config.classroom(), window=832, shuffle=True, augmentation=None, copy_paste=cure, batch_size=1
    )
    x = data.batch(0, 0).x
    cars = x["gt_boxes"][0][x["gt_class_ids"][0] == 1]
    assert len(cars) > 1
    assert (cars[:, 0] >= 132).all(), "rows 1800 to 1899 of the frame at half the resolution, as in the donor"
    assert (cars[:, 2] <= 182).all()


@pytest.mark.parametrize("window", [0, 100, 256])
def test_a_window_that_does_not_fit(frames, window):
    with pytest.raises(TrainingError, match="window of 64"):
        TrainingBatches(frames, CONFIG, window=window)


def test_copies_have_no_place_in_crops_at_another_scale(frames):
    with pytest.raises(TrainingError, match="either crop_scale or copy_paste"):
        TrainingBatches(frames, CONFIG, crop_scale=1.0, copy_paste=CopyPaste({33: frames}))


@settings(max_examples=100, deadline=None)
@given(point=st.tuples(st.integers(0, 63), st.integers(0, 191)), seed=st.integers(0, 1000))
def test_a_crop_around_a_point_holds_it(point, seed):
    y1, x1, y2, x2 = random_crop(
        (64, 192), CONFIG.replace(image_shape=(64, 64)), np.random.default_rng(seed), 1.0, point
    ).region
    assert y1 <= point[0] < y2
    assert x1 <= point[1] < x2
    assert (y1 >= 0, x1 >= 0, y2 <= 64, x2 <= 192) == (True,) * 4
