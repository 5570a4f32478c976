"""Training on several datasets: shares, classes that one of them does not label, and regions that nobody looked at."""

import math
import sys
from fractions import Fraction as F
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from wadlib.cli import app
from wadlib.dataset.camera import Camera, fit
from wadlib.dataset.frame import Frame, Source
from wadlib.errors import TrainingError
from wadlib.frames import write_image, write_label
from wadlib.maskrcnn import Config, MaskRCNN
from wadlib.maskrcnn.frames.data import TrainingBatches, example
from wadlib.maskrcnn.frames.ground_truth import ground_truth, ignored_boxes
from wadlib.maskrcnn.frames.images import canvas, label_canvas
from wadlib.maskrcnn.frames.views import Placement
from wadlib.maskrcnn.learning import losses
from wadlib.maskrcnn.learning.targets import choose_rois, rpn_targets
from wadlib.maskrcnn.learning.training import mixed_weights
from wadlib.maskrcnn.learning.unlabelled import labelled_classes, spare_anchors, unlabelled_marks
from wadlib.maskrcnn.network.anchors import pyramid_anchors
from wadlib.preprocess import VIEWS
from wadlib.training import as_array

sys.path.insert(0, str(Path(__file__).parent))
import small_training as small

CONFIG = Config.report().replace(image_shape=(64, 128), max_gt_instances=6)
TRICYCLE = 7  # in the network


def close(value):
    return pytest.approx(float(value), rel=1e-5)


def saved(folder, name, image, label, source=None):
    frame = Frame(name, "v", folder / f"{name}.jpg", folder / f"{name}.png", source)
    write_image(frame.image_path, image)
    write_label(frame.label_path, label)
    return frame


# --- shares ------------------------------------------------------------------------------------------


def test_each_dataset_gives_its_share_of_the_pictures():
    """Of 100 passes over 12 frames: 3 own ones give 7 tenths, 9 others 3 tenths; rare ones more within their own."""
    weights = mixed_weights([3, 9], [0.7, 0.3], np.array([2.0, *[1] * 11]))
    assert weights.tolist() == close_list([0.35, 0.175, 0.175, *[F(3, 90)] * 9])
    frames = [Frame(f"{i}", "v", Path("a.jpg"), Path("a.png")) for i in range(12)]
    data = TrainingBatches(frames, CONFIG, batch_size=1, steps=1200, weights=weights)
    drawn = np.concatenate([data._order(k) for k in range(100)])
    assert (drawn < 3).sum() == pytest.approx(840, abs=12)


def close_list(values):
    return [close(value) for value in values]


@pytest.mark.parametrize(
    ("sizes", "shares"), [([3, 2], [0.0, 1.0]), ([3, 2, 1], [-0.2, 0.6, 0.6]), ([3, 0], [0.5, 0.5])]
)
def test_shares_that_leave_nothing_are_refused(sizes, shares):
    with pytest.raises(TrainingError, match="a share above 0 for each dataset"):
        mixed_weights(sizes, shares)


@pytest.mark.parametrize("text", ["data", "data:30", "data:0", ":0.3", "data:nan"])
def test_the_option_says_what_it_wants(text, tiny_wad):
    root = tiny_wad("data", videos=2, frames=2, test=False)
    import typer

    with pytest.raises(typer.BadParameter, match="a share between 0 and 1"):
        app(
            ["train", "maskrcnn", str(root), "--out", "run", "--config", "classroom", "--also", text],
            standalone_mode=False,
        )


# --- classes that nobody labelled --------------------------------------------------------------------


def test_marks_travel_in_the_places_of_the_ground_truth(tmp_path):
    label = np.full((64, 128), 255, np.uint16)
    for n in range(8):
        label[10:30, 12 * n : 12 * n + 8] = 33000 + n
    image, rng = np.zeros((64, 128, 3), np.uint8), np.random.default_rng(0)
    found = example(image, label, CONFIG, rng, unlabelled=(34, 40))
    assert found["gt_class_ids"].tolist() == [1, 1, 1, 1, -3, -8]  # room for four of the eight cars
    assert not found["gt_boxes"][4:].any()
    batch = np.stack([found["gt_class_ids"], example(image, label, CONFIG, rng)["gt_class_ids"]])
    labelled = ops.convert_to_numpy(labelled_classes(batch, CONFIG))
    assert labelled.tolist() == [[1, 1, 0, 1, 1, 1, 1, 0], [1] * 8]
    assert unlabelled_marks((40,), Config.coco()).size == 0  # a network that knows no tricycle
    crowd = ops.convert_to_numpy(labelled_classes(np.array([[1, -1, 0]]), CONFIG))
    assert crowd.tolist() == [[1] * 8]


def test_frames_bring_their_marks(tmp_path):
    label = np.full((64, 128), 255, np.uint16)
    label[10:30, 20:60] = 33000
    image = np.full((64, 128, 3), 90, np.uint8)
    kitti = Source("kitti_mots", unlabelled=(34, 35, 38, 39, 40))
    frames = [saved(tmp_path, "wad", image, label), saved(tmp_path, "kitti", image, label, kitti)]
    data = TrainingBatches(frames, CONFIG, shuffle=False, augmentation=None, batch_size=2)
    assert data.batch(0, 0).x["gt_class_ids"].tolist() == [[1, 0, 0, 0, 0, 0], [1, -3, -4, -6, -7, -8]]


def test_class_loss_by_hand():
    logits = np.log([[[1, 1, 2, 4], [3, 1, 1, 4], [1, 1, 1, 9], [3, 1, 1, 1]]])
    labelled = np.array([[1.0, 1, 1, 0]])
    targets = np.array([[2, 0, 2, 0]])
    # On an object of class 2: 2 of 1 + 1 + 2. The second looks like class 3: not judged. Third: 1 of 3. Fourth: 3 of 5.
    expected = (-math.log(F(1, 2)) - math.log(F(1, 3)) - math.log(F(3, 5))) / 3
    assert float(losses.labelled_class_loss(targets, logits, labelled)) == close(expected)
    everything = np.ones((1, 4))
    plain = float(losses.mrcnn_class_loss(targets, logits))
    assert float(losses.labelled_class_loss(targets, logits, everything)) == close(plain)


def test_a_pasted_object_of_an_unlabelled_class_is_judged_among_all_classes():
    logits = np.log([[[1, 1, 2, 4], [3, 1, 1, 4]]])
    labelled = np.array([[1.0, 1, 1, 0]])
    # Class 3 was pasted in: 4 of 1 + 1 + 2 + 4. On the object of class 1 beside it class 3 plays no part: 1 of 5.
    expected = (-math.log(F(4, 8)) - math.log(F(1, 5))) / 2
    assert float(losses.labelled_class_loss(np.array([[3, 1]]), logits, labelled)) == close(expected)


def test_anchors_that_look_like_it_are_no_background():
    rois = np.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0.5, 0.5, 1], [0, 0, 0, 0]]], np.float32)
    anchors = np.array([[[0, 0, 0.5, 0.4], [0.5, 0.5, 0.9, 1], [0, 0.5, 0.5, 0.9], [0.5, 0, 1, 0.5]]], np.float32)
    logits = np.zeros((1, 4, 3), np.float32)
    logits[0, :, 2] = 5  # all look like class 2
    logits[0, 1, 0] = 9  # but the second
    labelled = np.array([[1.0, 1, 0]])
    targets = np.array([[0, 0, 1, 0]])  # the third is on an object
    match = np.array([[-1, -1, -1, -1]], np.int8)
    assert ops.convert_to_numpy(spare_anchors(match, anchors, rois, targets, logits, labelled)).tolist() == [
        [0, -1, -1, -1]
    ]
    assert (ops.convert_to_numpy(spare_anchors(-match, anchors, rois, targets, logits, labelled)) == 1).all()
    assert (ops.convert_to_numpy(spare_anchors(match, anchors, rois, targets, logits, 1 + 0 * labelled)) == -1).all()


def head_trained_on_a_mixture(believed):
    """Probability that a class head gives to a tricycle after training on two tiny sets, 2 to 8; one lacks the class.

    A RoI is a point: background at (0, 0), cars at (1, 0), tricycles at (0, 1). In the second set tricycles drive past
    too, and nobody labelled them.
    """
    points = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    # First set: everything labelled. Second: four times as much, tricycles called background.
    x = np.stack([points, *[points] * 4])  # (5 pictures, 3 RoIs, 2)
    target = np.array([[0, 1, 2], *[[0, 1, 0]] * 4])
    labelled = np.array([[1, 1, 1], *[[1, 1, int(believed)]] * 4], np.float32)

    class Head(keras.Model):
        def __init__(self):
            super().__init__()
            self.logits = keras.layers.Dense(3, kernel_initializer="zeros")

        def call(self, points):
            return self.logits(points)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return losses.labelled_class_loss(target, y_pred, labelled)

    head = Head()
    head.compile(optimizer=keras.optimizers.SGD(2.0))
    for _ in range(150):
        head.train_on_batch(x, np.zeros(5))
    p = ops.convert_to_numpy(ops.softmax(head(points), axis=1))
    assert p[0, 0] > 0.8  # background and cars are learnt either way
    assert p[1, 1] > 0.8
    return p[2, TRICYCLE - 5]


def test_a_set_that_lacks_a_class_does_not_push_it_down():
    assert head_trained_on_a_mixture(believed=False) > 0.9
    assert head_trained_on_a_mixture(believed=True) == pytest.approx(1 / 5, abs=0.05)  # as labelled: one in five


@pytest.mark.slow
def test_a_step_on_such_a_picture_leaves_the_class_alone(tmp_path):
    """In the whole network: the weights of the class head's logit for tricycles do not change by one bit."""
    config = small.CONFIG.replace(
        image_shape=small.SHAPE, optimizer="sgd", momentum=0.0, weight_decay=0.0, learning_rate=0.1, min_confidence=0.0
    )
    image, label = np.full((*small.SHAPE, 3), 90, np.uint8), np.full(small.SHAPE, 255, np.uint16)
    image[20:34, 20:50], label[20:34, 20:50] = (200, 60, 40), 33000
    image[20:50, 120:150] = 30, 90, 220  # the tricycle that nobody labelled
    frames = [
        saved(tmp_path, "believed", image, label),
        saved(tmp_path, "known", image, label, Source("cityscapes", unlabelled=(40,))),
    ]
    changed = {}
    for frame in frames:
        keras.utils.set_random_seed(0)
        model = MaskRCNN(config)
        kernel, bias = model.weights_by_layer()["mrcnn_class_logits"]
        before = [as_array(value).copy() for value in (kernel, bias)]
        small.step_by_step()
        try:
            data = TrainingBatches([frame], config, augmentation=None, batch_size=1)
            model.train_on(data.batch(0, 0).x)
        finally:
            small.step_by_step(False)
        after = [as_array(value) for value in (kernel, bias)]
        changed[frame.name] = [
            any(not np.array_equal(a[..., k], b[..., k]) for a, b in zip(after, before, strict=True)) for k in range(8)
        ]
    assert changed["believed"][TRICYCLE]
    assert not changed["known"][TRICYCLE]
    assert changed["known"][0]
    assert changed["known"][1]


# --- regions that nobody looked at -------------------------------------------------------------------


def test_a_border_does_not_hide_what_it_surrounds():
    """Cityscapes' border of five pixels and the own bonnet are one region, whose box is the whole picture."""
    ignored = np.zeros((384, 832), bool)
    ignored[:5], ignored[-5:], ignored[:, :5], ignored[:, -5:] = True, True, True, True
    rows, columns = np.indices(ignored.shape)
    ignored |= rows > 330 + ((columns - 416) / 60) ** 2
    boxes = ignored_boxes(ignored)
    covered = np.zeros(ignored.shape, int)
    for y1, x1, y2, x2 in boxes:
        covered[y1:y2, x1:x2] += 1
    assert covered.max() == 1  # they do not overlap
    assert covered[ignored].all()  # and cover all of it
    assert (covered > 0).sum() < 1.25 * ignored.sum()
    assert len(boxes) < 40
    label = np.full(ignored.shape, 255, np.uint16)
    label[ignored], label[150:200, 300:400] = 65535, 33000
    config = Config.classroom().replace(image_shape=ignored.shape)
    truth = ground_truth(label, config)
    anchors = pyramid_anchors(config)
    match, _ = rpn_targets(anchors, truth.class_ids, truth.boxes, config, np.random.default_rng(0))
    background = anchors[match == -1].astype(int)
    assert len(background) > 200
    shares = [ignored[max(y1, 0) : y2, max(x1, 0) : x2].mean() for y1, x1, y2, x2 in background if y2 > 0 and x2 > 0]
    assert max(shares) < 0.5
    large = (anchors[:, 2] - anchors[:, 0]) * (anchors[:, 3] - anchors[:, 1]) > 10_000
    many = config.replace(rpn_train_anchors=80_000)
    match, _ = rpn_targets(anchors, truth.class_ids, truth.boxes, many, np.random.default_rng(0))
    assert (match[large] == -1).any()  # also large ones, which the box of the border would have swallowed


def test_small_boxes_in_a_large_region_count_for_nothing():
    """16 by 16 pixels in 400 by 700: an IoU of 0.0009, below what makes a crowd."""
    crowd = np.array([[0, 0, 400, 700]], np.float32)
    anchors = np.array([[100, 100, 116, 116], [500, 100, 516, 116], [395, 100, 411, 116]], np.float32)
    match, _ = rpn_targets(anchors, np.array([-1]), crowd, CONFIG, np.random.default_rng(0))
    assert match.tolist() == [0, -1, -1]
    size = np.array([1000, 1000, 1000, 1000], np.float32)
    places, _ = choose_rois((anchors / size)[None], np.array([[-1]]), (crowd / size)[None], np.zeros((1, 3)), CONFIG)
    assert sorted(set(ops.convert_to_numpy(places)[0].tolist())) == [-1, 1, 2]


# --- pictures of another camera ----------------------------------------------------------------------


def test_a_network_is_shown_what_prepare_writes():
    """The same pixels, whether another dataset's frame is prepared first or not."""
    camera, strip = Camera(2262.5, 427, 2048), Config.classroom()
    place = Placement.of((1024, 2048), strip, camera)
    assert (place.region, place.window, place.image_shape) == fit((1024, 2048), camera, VIEWS["strip"])
    image = np.random.default_rng(0).integers(0, 255, (1024, 2048, 3)).astype(np.uint8)
    np.testing.assert_array_equal(canvas(image, place), fit((1024, 2048), camera, VIEWS["strip"]).image(image))
    label = image[..., 0].astype(np.uint16)
    np.testing.assert_array_equal(label_canvas(label, place), fit((1024, 2048), camera, VIEWS["strip"]).label(label))
    y1, x1, y2, x2 = place.to_picture(np.array([[0.0, 0.0, 1.0, 1.0]], np.float32))[0].tolist()
    assert (y1, x1, y2, x2) == (266, 0, 1020, 2048)


def test_windows_of_other_pictures_have_wads_scale(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (1024, 2048, 3)).astype(np.uint8)
    label = np.full((1024, 2048), 255, np.uint16)
    label[600:700, 1500:1600] = 33000
    source = Source("cityscapes", lambda frame: label, Camera(2262.5, 427, 2048), (40,))
    data = TrainingBatches(
        [saved(tmp_path, "city", image, label, source)], Config.classroom(), batch_size=1, window=832
    )
    box = data.batch(0, 0).x["gt_boxes"][0, 0]
    assert box[2] - box[0] == pytest.approx(100 * 1152 / 2262.5, abs=1.5)


def test_margins_of_prepared_frames_are_background(tmp_path):
    image, label = np.zeros((384, 1664, 3), np.uint8), np.full((384, 1664), 65535, np.uint16)
    image[:, 311:1353], label[:, 311:1353] = 120, 255
    label[300:, 311:1353] = 65535  # the own bonnet: no background
    source = Source("cityscapes", unlabelled=(40,))
    data = TrainingBatches(
        [saved(tmp_path, "city", image, label, source)], Config.classroom(), batch_size=1, augmentation=None
    )
    _, codes = data.picture(data.items[0], np.random.default_rng(0))
    assert (codes[:, :300] == 255).all()
    assert (codes[310:, 320:1340] == 65535).all()
