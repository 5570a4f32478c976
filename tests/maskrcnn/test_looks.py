"""A picture shown several times: averages by hand, and a detector that sees coloured blocks at any scale."""

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.maskrcnn.test_tiles import BLOCKS, CONFIG, Blocks, frames_of, listed, picture
from wadlib.cli import app
from wadlib.errors import InstancesError, SegmentationError
from wadlib.maskrcnn.frames.views import Placement
from wadlib.maskrcnn.inference import PredictReport, detect, predict_dataset
from wadlib.maskrcnn.looks import Looks, average, unmirrored
from wadlib.maskrcnn.tiles import Tiling

SHAPES = [(384, 1664), (300, 1200), (2710, 3384)]


def half_mask(left):
    mask = np.zeros((28, 28), np.float32)
    mask[:, :14] = left
    mask[:, 14:] = 1 - left
    return mask


@pytest.mark.parametrize("looks", [{"mirror": True}, {"scales": [1.5]}, {"mirror": True, "scales": [0.5, 1.25]}])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tiling", [None, Tiling(2)])
def test_a_detector_that_sees_all_alike_says_the_same(shape, tiling, looks):
    rows = 1600 if shape[0] > 2000 else 0
    blocks = [(c, y1 + rows, x1 // 2, y2 + rows, x2 // 2) for c, y1, x1, y2, x2 in BLOCKS if y2 < 300]
    image = picture(blocks, shape)
    plain, several = (detect(Blocks(), [image], tiling=tiling, **more)[0] for more in ({}, looks))
    of_class = [sorted(listed(found), key=lambda row: (row[0], row[2])) for found in (plain, several)]
    assert [row[0] for row in of_class[0]] == [row[0] for row in of_class[1]]
    places = [np.array([row[1:5] for row in rows]) for rows in of_class]
    # A pixel of the picture is 4 to a pixel of a frame's strip at half of its scale.
    assert np.abs(places[0] - places[1]).max() <= (4 if shape[0] > 2000 else 2)


def test_two_looks_by_hand():
    config = CONFIG.replace(min_confidence=0.25)
    first = np.array([[0.1, 0.2, 0.5, 0.4, 1, 0.9], [0, 0, 0, 0, 0, 0]], np.float32)
    mirrored = np.array(
        [[0.1, 0.6, 0.5, 0.78, 1, 0.5], [0.7, 0.7, 0.9, 0.9, 4, 0.6], [0.7, 0.1, 0.9, 0.2, 4, 0.4]], np.float32
    )
    left = half_mask(1)[None]
    found, masks = average([(first, left), unmirrored((mirrored, left.repeat(3, axis=0)))], config)
    # The mirror image of 0.6 … 0.78 is 0.22 … 0.4, and of a left half a right half. What one shows has half its score.
    np.testing.assert_allclose(found[0], [0.1, 0.21, 0.5, 0.4, 1, 0.7], rtol=1e-5)
    np.testing.assert_allclose(masks[0], 0.5)
    np.testing.assert_allclose(found[1], [0.7, 0.1, 0.9, 0.3, 4, 0.3], rtol=1e-5)
    np.testing.assert_allclose(masks[1], half_mask(0))
    assert len(found) == 2  # the third would have 0.2


def test_three_looks_by_hand():
    """Seen by two of three: two thirds of the mean of their scores. Another class is another object."""
    box = [0.1, 0.2, 0.5, 0.4]
    looks = [
        (np.array([[*box, 1, 0.9]], np.float32), half_mask(1)[None]),
        (np.array([[*box, 6, 0.6]], np.float32), half_mask(1)[None]),
        (np.array([[0.1, 0.2, 0.5, 0.44, 1, 0.3]], np.float32), half_mask(0)[None]),
    ]
    found, masks = average(looks, CONFIG)
    np.testing.assert_allclose(found, [[0.1, 0.2, 0.5, 0.42, 1, 0.6 * 2 / 3], [*box, 6, 0.2]], rtol=1e-5)
    np.testing.assert_allclose(masks, [np.full((28, 28), 0.5), half_mask(1)])
    for order in ([1, 0, 2], [2, 1, 0]):
        np.testing.assert_allclose(average([looks[n] for n in order], CONFIG)[0], found, rtol=1e-5)


def test_one_box_of_a_look_is_one_object():
    """Two objects so close that a box of the second look fits both: the surer has it."""
    first = np.array([[0.1, 0.1, 0.5, 0.5, 1, 0.9], [0.1, 0.14, 0.5, 0.54, 1, 0.8]], np.float32)
    second = np.array([[0.1, 0.12, 0.5, 0.52, 1, 0.7]], np.float32)
    masks = np.ones((2, 28, 28), np.float32)
    found, _ = average([(first, masks), (second, masks[:1])], CONFIG)
    np.testing.assert_allclose(found[:, 5], [0.8, 0.4], rtol=1e-5)
    np.testing.assert_allclose(found[0, :4], [0.1, 0.11, 0.5, 0.51], rtol=1e-5)


def test_nothing_found():
    nothing = np.zeros((1, 6), np.float32), np.zeros((0, 28, 28), np.float32)
    found, masks = average([nothing, nothing], CONFIG)
    assert found.shape == (0, 6)
    assert masks.shape == (0, 28, 28)


def test_a_larger_scale_shows_more_of_a_full_size_frame():
    """Stripes of one pixel: mixed in the strip at half resolution, there at its double."""
    image = np.full((2710, 3384, 3), 90, np.uint8)
    image[1700:1780, 1000:1100] = (200, 0, 0)
    image[1700:1780, 2000:2060:2], image[1700:1780, 2001:2061:2] = (0, 0, 200), (200, 0, 0)
    seen = [len(listed(detect(Blocks(), [image], scales=scales)[0])) for scales in ([], [2])]
    assert seen[0] == 1
    assert seen[1] > 1


def test_small_objects_are_seen_at_a_larger_scale():
    image = picture([(1, 100, 200, 140, 260), (4, 100, 700, 110, 710)])
    blind = Blocks(smallest_px=12)
    assert [row[0] for row in listed(detect(blind, [image])[0])] == [33]
    found = detect(blind, [image], scales=[1.5])[0]
    assert sorted(row[0] for row in listed(found)) == [33, 36]
    alone = detect(Blocks(), [image], scales=[1.5])[0]
    assert found.scores[found.class_ids == 36] < alone.scores[alone.class_ids == 36]  # of two looks one sees it


@pytest.mark.parametrize("scale", [0.5, 0.7, 1.25, 2])
def test_boxes_are_carried_from_a_scale_to_the_input(scale):
    place = Placement.of((300, 1200), CONFIG)
    larger = place.scaled(scale)
    assert [side % 64 for side in larger.image_shape] == [0, 0]
    corners = np.array([larger.normalized_window, [0.2, 0.3, 0.5, 0.6]], np.float32)
    carried = larger.carry(corners, place)
    np.testing.assert_allclose(carried[0], place.normalized_window, atol=1e-6)
    np.testing.assert_allclose(place.carry(carried, larger), corners, atol=1e-6)
    np.testing.assert_allclose(place.to_picture(carried), larger.to_picture(corners), atol=1)


@pytest.mark.parametrize("scale", [0, 0.2, 1, 125])
def test_scales_out_of_range(scale):
    with pytest.raises(SegmentationError, match=rf"scales in 0.25 … 4.* got {scale}"):
        Looks(scales=(scale,))


@pytest.mark.slow
def test_the_network_at_another_size():
    """As built for that size, with the weights of now."""
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.config import Config

    small, large = (64, 128), (128, 192)
    model = MaskRCNN(Config.classroom().replace(image_shape=small, min_confidence=0.0))
    other = MaskRCNN(Config.classroom().replace(image_shape=large, min_confidence=0.0, seed=5))
    rng = np.random.default_rng(0)
    images, windows = rng.normal(size=(1, *large, 3)).astype("float32"), np.array([[0, 0, 1, 1]], np.float32)
    assert model.forward(images, windows)[0].shape == (1, 100, 6)
    for name, layer in model.layers.items():  # after its weights have changed
        layer.set_weights(other.layers[name].get_weights())
    for found, expected in zip(model.forward(images, windows), other.forward(images, windows), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_folder_knows_its_looks(tmp_path):
    frames = frames_of(tmp_path, 1)
    predict_dataset(Blocks(), frames, tmp_path / "pred", scales=[1.25], workers=1, progress=False)
    assert predict_dataset(Blocks(), frames, tmp_path / "pred", scales=[1.25], workers=1, progress=False).skipped == 1
    for other in ({"scales": [1.5]}, {"scales": [1.25], "mirror": True}, {}):
        with pytest.raises(InstancesError, match="of the same settings"):
            predict_dataset(Blocks(), frames, tmp_path / "pred", workers=1, progress=False, **other)
    with pytest.raises(SegmentationError, match="Looks"):
        predict_dataset(Blocks(), frames, tmp_path / "other", scales=[100], workers=1, progress=False)
    assert not (tmp_path / "other").exists()


def test_on_the_command_line(tmp_path, monkeypatch, tiny_wad):
    asked = {}

    def predict(model, frames, out, **options):
        asked.update(options)
        return PredictReport(len(frames), 0, (), 0, out / "instances.json")

    monkeypatch.setattr("wadlib.maskrcnn.inference.predict_dataset", predict)
    command = ["predict", str(tiny_wad(videos=1, frames=1)), "--weights", "rendered", "--out", str(tmp_path / "pred")]
    app([*command, "--mirror", "--scale", "0.7", "--scale", "1.25"], standalone_mode=False)
    assert (asked["mirror"], list(asked["scales"])) == (True, [0.7, 1.25])
    app(command, standalone_mode=False)
    assert (asked["mirror"], list(asked["scales"])) == (False, [])
    wrong = CliRunner().invoke(app, [*command, "--scale", "5"])
    assert wrong.exit_code == 2
    assert "--scale" in wrong.output
