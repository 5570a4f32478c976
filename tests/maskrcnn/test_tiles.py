"""Prediction in tiles: a detector that sees coloured blocks says what must come out."""

import itertools
import json

import cv2
import numpy as np
import pytest

from wadlib.cli import app
from wadlib.dataset.frame import Frame
from wadlib.errors import InstancesError, SegmentationError
from wadlib.frames import write_image
from wadlib.instances import Instances
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.frames.views import Placement
from wadlib.maskrcnn.inference import detect, predict_dataset
from wadlib.maskrcnn.tiles import Tiling, merge, tiles

CONFIG = Config.classroom().replace(mean_pixel=(0.0, 0.0, 0.0), pixel_scale=1.0, nms_threshold=0.5, min_confidence=0.1)
COLOURS = {1: (200, 0, 0), 4: (0, 200, 0), 6: (0, 0, 200)}  # car, person, bus of the network
SMALL = CONFIG.replace(image_shape=(64, 128))


class Blocks:
    """Finds each connected block of one colour in what it is shown, with a full mask; larger ones are surer."""

    layers = ()

    def __init__(self, config=CONFIG, smallest_px=0):
        self.config, self.smallest_px, self.calls = config, smallest_px, 0

    def forward(self, images, windows):
        self.calls += len(images)
        height, width = images.shape[1:3]
        found = np.zeros((len(images), 100, 6), np.float32)
        for rows, image in zip(found, images, strict=True):
            seen = []
            for class_id, colour in COLOURS.items():
                there = (np.abs(image - colour) < 60).all(axis=2)
                stats = cv2.connectedComponentsWithStats(there.astype(np.uint8), connectivity=4)[2][1:]
                for x, y, w, h, area in stats.tolist():
                    if min(w, h) >= self.smallest_px:
                        box = (y / (height - 1), x / (width - 1), (y + h - 1) / (height - 1), (x + w - 1) / (width - 1))
                        seen.append((*box, class_id, 0.2 + 0.7 * area / (area + 5000)))
            seen.sort(key=lambda row: -row[5])
            rows[: len(seen)] = np.array(seen).reshape(-1, 6)
        count = int((found[..., 4] > 0).sum(axis=1).max())
        return found, np.ones((len(images), count, 28, 28), np.float32)


def picture(blocks, shape=(384, 1664)):
    """(class in the network, y1, x1, y2, x2) each."""
    image = np.full((*shape, 3), 90, np.uint8)
    for class_id, y1, x1, y2, x2 in blocks:
        image[y1:y2, x1:x2] = COLOURS[class_id]
    return image


def listed(found):
    """Class, box and mask area of each, sorted."""
    return sorted(
        (int(c), *np.round(b).astype(int).tolist(), int(a))
        for c, b, a in zip(found.class_ids, found.boxes, found.areas_px, strict=True)
    )


# --- where tiles lie ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [CONFIG, Config.report(), Config.coco()], ids=["classroom", "report", "coco"])
@pytest.mark.parametrize("shape", [(2710, 3384), (384, 1664), (640, 832), (375, 1242)])
@pytest.mark.parametrize("zoom", [1, 2, 3.3])
def test_tiles_cover_the_view_and_overlap(config, shape, zoom):
    placed = tiles(shape, config, Tiling(zoom, 0.25))
    whole = config if config.view != "whole" else config.replace(view="strip", image_shape=(384, 1664))
    view = Placement.of(shape, whole)
    seen = np.zeros(shape, int)
    for each in placed:
        y1, x1, y2, x2 = each.region
        seen[y1:y2, x1:x2] += 1
        assert each.image_shape == config.image_shape
        assert each.scale == pytest.approx([scale * zoom for scale in view.scale], rel=0.02)
    y1, x1, y2, x2 = view.region
    assert seen[y1:y2, x1:x2].all()
    assert seen.sum() == seen[y1:y2, x1:x2].sum()
    rows = sorted({each.region[0] for each in placed})
    for above, below in itertools.pairwise(rows):
        height = placed[0].region[2] - placed[0].region[0]
        assert above + height - below >= 0.25 * height - 1


def test_tiles_of_another_camera_have_wads_scale():
    from wadlib.dataset.camera import Camera

    placed = tiles((1024, 2048), CONFIG, Tiling(2), Camera(2262.5, 427, 2048))
    assert placed[0].scale[0] == pytest.approx(2304 / 2262.5, rel=0.01)
    with pytest.raises(SegmentationError, match=r"expected zoom in 0\.25"):
        Tiling(0)


# --- merging -----------------------------------------------------------------------------------------


BLOCKS = [  # away from every edge of the tiles of a 384x1664 picture at zoom 2: rows 0, 96, 192; columns 0, 416, 832
    (1, 20, 30, 60, 110),
    (4, 120, 500, 180, 540),
    (1, 210, 900, 280, 1100),  # in several tiles
    (6, 300, 1400, 360, 1600),
    (4, 110, 10, 130, 20),
]


def test_equal_to_the_whole_picture_where_nothing_crosses_a_seam():
    image = picture(BLOCKS)
    model = Blocks()
    whole, tiled = (detect(model, [image], tiling=tiling)[0] for tiling in (None, Tiling(2)))
    assert model.calls == 1 + 9
    assert listed(whole) == sorted(
        (({1: 33, 4: 36, 6: 39}[c], *box, (box[2] - box[0]) * (box[3] - box[1])) for c, *box in BLOCKS)
    )
    assert listed(tiled) == listed(whole)
    assert tiled.scores.tolist() == sorted(tiled.scores.tolist(), reverse=True)


@pytest.mark.parametrize(
    "block", [(6, 20, 300, 120, 1300), (1, 40, 700, 60, 900), (6, 10, 20, 370, 1650), (4, 60, 200, 340, 230)]
)
def test_one_object_across_seams_is_one_object(block):
    """Also one that is longer than a tile, higher than a tile, and larger than one both ways."""
    tiled = detect(Blocks(), [picture([block, (1, 130, 1500, 150, 1530)])], tiling=Tiling(2))[0]
    _, *box = block
    assert sorted(tiled.class_ids.tolist()) == sorted([{1: 33, 4: 36, 6: 39}[block[0]], 33])
    i = int(np.argmax(tiled.areas_px))
    assert np.abs(tiled.boxes[i] - box).max() <= 1
    assert tiled.areas_px[i] == pytest.approx((box[2] - box[0]) * (box[3] - box[1]), rel=0.02)


def test_neighbours_at_a_seam_stay_two():
    """Two cars side by side, a gap of four pixels in the middle of what two tiles see; and one on top of the other."""
    blocks = [(1, 30, 440, 60, 520), (1, 30, 524, 60, 620), (1, 64, 440, 90, 620)]
    tiled = detect(Blocks(), [picture(blocks)], tiling=Tiling(2))[0]
    assert len(tiled) == 3


def test_of_several_views_the_best_uncut_one_is_kept():
    shape, views = (60, 100), ((0, 0, 60, 60), (0, 40, 60, 100))

    def car(x1, x2, score, tile):
        mask = np.zeros((1, *shape), bool)
        mask[0, 20:40, max(x1, views[tile][1]) : min(x2, views[tile][3])] = True
        return Instances.from_masks(mask, [33], [score])

    # 30 … 58 as the first tile sees it whole; the second, sure of itself, sees what is left of it from 40 on.
    (kept,) = merge([car(30, 57, 0.6, 0), car(30, 57, 0.9, 1)], views, (0, 0, 60, 100), 0.5).boxes.tolist()
    assert kept == [20, 30, 40, 57]
    # Another class is another object; and so is what does not agree where both look.
    bus = Instances.from_masks(car(30, 57, 0.9, 1).masks, [39], [0.9])
    assert len(merge([car(30, 57, 0.6, 0), bus], views, (0, 0, 60, 100), 0.5)) == 2
    assert len(merge([car(30, 48, 0.6, 0), car(52, 90, 0.9, 1)], views, (0, 0, 60, 100), 0.5)) == 2
    # Both cut: joined, with the better score.
    joined = merge([car(10, 90, 0.6, 0), car(10, 90, 0.9, 1)], views, (0, 0, 60, 100), 0.5)
    assert joined.boxes.tolist() == [[20, 10, 40, 90]]
    assert joined.scores.tolist() == [np.float32(0.9)]
    assert len(merge([Instances.empty(shape)] * 2, views, (0, 0, 60, 100), 0.5)) == 0


def test_tiles_find_what_is_too_small_for_the_whole_view():
    """A detector for blocks of 12 px; the frame has one of 16 px, which the strip halves to 8."""
    image = picture([(1, 1700, 800, 1716, 830)], (2710, 3384))
    model = Blocks(smallest_px=12)
    assert [len(detect(model, [image], tiling=tiling)[0]) for tiling in (None, Tiling(2))] == [0, 1]
    (box,) = detect(model, [image], tiling=Tiling(2))[0].boxes.tolist()
    assert box == [1700, 800, 1716, 830]


# --- a folder of predictions -------------------------------------------------------------------------


def frames_of(folder, count=2):
    found = []
    for i in range(count):
        frame = Frame(f"frame_{i}", "v", folder / f"{i}.jpg")
        write_image(frame.image_path, picture([(1, 40, 700 + i, 60, 900), (6, 200, 20, 300, 1600)]), quality=100)
        found.append(frame)
    return found


def test_predictions_of_a_dataset(tmp_path):
    frames = frames_of(tmp_path)
    report = predict_dataset(
        Blocks(), frames, tmp_path / "pred", tiling=Tiling(2), batch_size=4, workers=2, progress=False
    )
    assert (report.predicted, report.instances, report.failed) == (2, 4, ())
    rows = json.loads((tmp_path / "pred/instances.json").read_text())
    assert sorted(row["category_id"] for row in rows) == [33, 33, 39, 39]
    again = predict_dataset(Blocks(), frames, tmp_path / "pred", tiling=Tiling(2), workers=1, progress=False)
    assert again.skipped == 2
    for other in ({"tiling": Tiling(3)}, {"tiling": Tiling(2), "mirror": True}, {}):
        with pytest.raises(InstancesError, match="of the same settings"):
            predict_dataset(Blocks(), frames, tmp_path / "pred", workers=1, progress=False, **other)


def test_full_frame_predictions_lie_where_the_objects_are(tmp_path):
    frame = frames_of(tmp_path, 1)[0]
    predict_dataset(Blocks(), [frame], tmp_path / "pred", tiling=Tiling(2), full_frame=True, workers=1, progress=False)
    rows = json.loads((tmp_path / "pred/instances.json").read_text())
    x, y, width, height = next(row["bbox"] for row in rows if row["category_id"] == 33)
    assert np.abs(np.array([x, y, width, height]) - [28 + 2 * 700, 1536 + 80, 400, 40]).max() <= 4


@pytest.mark.slow
def test_coco_weights_from_end_to_end(tmp_path, monkeypatch):
    """A stand-in for mask_rcnn_coco.h5 with all its layers and shapes; its numbers are random, so what it finds too.

    Tiles of 256 pixels instead of 1024, to be quicker: no weight depends on it.
    """
    import keras

    from wadlib.maskrcnn.model import MaskRCNN
    from wadlib.maskrcnn.weights import save

    root, config = tmp_path / "data", Config.coco().replace(image_shape=(256, 256))
    monkeypatch.setattr(Config, "coco", lambda: config)
    (root / "train_color").mkdir(parents=True)
    name = "170908_061502408_Camera_5"
    rng = np.random.default_rng(0)
    noise = cv2.resize(rng.integers(0, 255, (24, 104, 3)).astype(np.uint8), (1664, 384))
    write_image(root / "train_color" / f"{name}.jpg", noise)
    keras.utils.set_random_seed(0)
    model = MaskRCNN(config)
    assert tuple(model.weights_by_layer()["mrcnn_class_logits"][1].shape) == (81,)
    path = tmp_path / "cache/weights/mask_rcnn_coco.h5"
    path.parent.mkdir(parents=True)
    save(model, path)  # without a configuration, as the original's file
    del model
    app(
        ["predict", str(root), "--weights", str(path), "--tiles", "--zoom", "0.5", "--threshold", "0",
         "--min-score", "0", "--out", str(tmp_path / "pred")],
        standalone_mode=False,
    )  # fmt: skip
    rows = json.loads((tmp_path / "pred/instances.json").read_text())
    assert {row["category_id"] for row in rows} <= {33, 34, 35, 36, 38, 39}  # COCO knows no tricycle
    label = cv2.imread(str(tmp_path / f"pred/label/{name}_instanceIds.png"), cv2.IMREAD_UNCHANGED)
    assert label.shape == (384, 1664)
    for row in rows:
        x, y, width, height = row["bbox"]
        assert -0.01 <= x < x + width <= 1664.01
        assert -0.01 <= y < y + height <= 384.01
