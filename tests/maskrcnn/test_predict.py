"""A real network of few channels: pictures of any size, weights there and back, and `wadlib predict`."""

import json

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from wadlib.cli import app
from wadlib.cli.choice import Side, Split, chosen_frames
from wadlib.dataset import open_wad
from wadlib.errors import DatasetError, WeightsError
from wadlib.frames import read_label, write_image, write_label
from wadlib.instances import PredictionFolder
from wadlib.maskrcnn import Config
from wadlib.preprocess import NETWORK_SHAPE

SMALL = Config.classroom().replace(
    image_shape=(128, 192),
    view="report",
    fpn_channels=8,
    rpn_channels=8,
    head_channels=8,
    mask_channels=8,
    pre_nms_limit=100,
    proposals_inference=20,
    max_instances=7,
    min_confidence=0.0,
)


@pytest.fixture(scope="module")
def model():
    from wadlib.training import quiet

    quiet()
    from wadlib.maskrcnn import MaskRCNN

    return MaskRCNN(SMALL)


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.h5"
    model.save(path)
    return path


@pytest.fixture
def wad(tiny_wad):
    """Four frames of noise at network size."""
    root = tiny_wad(videos=2, frames=2, contents=False, test=False)
    rng = np.random.default_rng(0)
    for path in sorted((root / "train_color").iterdir()):
        write_image(path, rng.integers(0, 256, (*NETWORK_SHAPE, 3), np.uint8))
    for path in (root / "train_label").iterdir():
        label = np.full(NETWORK_SHAPE, 255, np.uint16)
        label[300:340, 400:480] = 33000
        write_label(path, label)
    return open_wad(root)


def pictures():
    rng = np.random.default_rng(0)
    shapes = [(128, 192, 3), (100, 77), (640, 832, 3), (301, 500, 4)]  # as it is, padded, scaled, both
    return [rng.integers(0, 256, shape, np.uint8) for shape in shapes]


class TestNetwork:
    def test_any_picture_in_its_own_pixels(self, model):
        found = model.detect(pictures())
        assert [instances.shape for instances in found] == [image.shape[:2] for image in pictures()]
        for instances in found:
            height, width = instances.shape
            y1, x1, y2, x2 = instances.boxes.T
            assert (y1 >= 0).all()
            assert (y1 < y2).all()
            assert (y2 <= height).all()
            assert (x1 >= 0).all()
            assert (x1 < x2).all()
            assert (x2 <= width).all()
            assert (np.diff(instances.scores) <= 0).all()

    def test_never_more_than_the_maximum(self, model):
        assert max(len(instances) for instances in model.detect(pictures())) == SMALL.max_instances

    def test_batches_find_what_single_pictures_do(self, model):
        for one, other in zip(model.detect(pictures()), model.detect(pictures(), batch_size=3), strict=True):
            assert (one.boxes == other.boxes).all()
            assert (one.class_ids == other.class_ids).all()
            assert np.allclose(one.scores, other.scores, atol=1e-5)

    def test_saved_and_loaded_it_is_the_same(self, model, weights):
        from wadlib.maskrcnn import MaskRCNN
        from wadlib.maskrcnn.weights import fingerprint

        other = MaskRCNN(SMALL.replace(seed=1))
        assert fingerprint(other) != fingerprint(model)
        report = other.load(weights)
        assert (report.missing, report.unused) == ((), ())
        assert fingerprint(other) == fingerprint(model)


def run(*arguments):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class TestCommandLine:
    @pytest.mark.slow
    def test_a_damaged_frame_then_the_rest_then_evaluate(self, model, weights, wad, tmp_path):
        out, damaged = tmp_path / "pred", wad.frames[1].image_path
        arguments = [wad.root, "--weights", weights, "--out", out, "--threshold", 0.1, "--min-score", 0]
        whole = damaged.read_bytes()
        damaged.write_bytes(b"")
        result = run(*arguments)
        assert result.exit_code == 2
        assert "3 frames predicted" in result.output
        assert "got an empty file" in result.output
        damaged.write_bytes(whole)
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert "1 frames predicted" in result.output
        assert "3 were there already, 0 failed" in result.output
        (direct,) = model.detect([wad.frames[0].read_image()])
        assert (PredictionFolder.open(out).read(wad.frames[0].name).boxes == direct.boxes).all()
        label = read_label(out / "label" / f"{wad.frames[0].name}_instanceIds.png", NETWORK_SHAPE)
        assert (label == direct.above(0.1).to_label()).all()
        scores = tmp_path / "scores.json"
        result = CliRunner().invoke(app, ["evaluate", str(wad.root), str(out), "--json", str(scores)])
        assert result.exit_code == 0, result.output
        assert json.loads(scores.read_text())["frames"] == 4

    @pytest.mark.parametrize("side", list(Side))
    def test_one_side_of_a_split(self, wad, side):
        split = wad.split("by_video", seed=3)
        chosen = chosen_frames(wad, "train", Split.by_video, side, 3)
        assert chosen == (split.train if side is Side.train else split.validation)
        half = wad.split("by_video", seed=3, train_fraction=0.5)
        chosen = chosen_frames(wad, "train", Split.by_video, side, 3, 0.5)
        assert chosen == (half.train if side is Side.train else half.validation)

    def test_all_frames_of_a_subset(self, tiny_wad):
        wad = open_wad(tiny_wad(contents=False))
        wad.frames[0].label_path.unlink()
        wad = open_wad(wad.root)
        assert len(chosen_frames(wad, "train", None, Side.validation, 0)) == len(wad.frames) + 1
        assert len(chosen_frames(wad, "test", None, Side.validation, 0)) == 2

    @pytest.mark.slow
    def test_weights_of_another_configuration(self, weights, wad, tmp_path):
        with pytest.raises(WeightsError, match=r"expected shapes .* in layer"):
            run(wad.root, "--weights", weights, "--out", tmp_path / "pred", "--config", "classroom")

    def test_weights_of_a_backbone_alone(self, weights, wad, tmp_path):
        part = tmp_path / "part.h5"
        part.write_bytes(weights.read_bytes())
        with h5py.File(part, "a") as file:
            names = [name for name in file.attrs["layer_names"] if not name.startswith((b"mrcnn", b"rpn"))]
            file.attrs["layer_names"] = names
        with pytest.raises(
            WeightsError, match=r"expected weights for all layers, got none for \d+ of them in part\.h5"
        ):
            run(wad.root, "--weights", part, "--out", tmp_path / "pred")
        assert not (tmp_path / "pred").exists()

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (["--weights", "nowhere.h5"], WeightsError, "got nothing at 'nowhere.h5'"),
            (["--subset", "test", "--weights", "WEIGHTS"], DatasetError, "there are no frames"),
        ],
    )
    def test_bad_input(self, weights, wad, tmp_path, arguments, error, message):
        arguments = [weights if word == "WEIGHTS" else word for word in arguments]
        with pytest.raises(error, match=message):
            run(wad.root, "--out", tmp_path / "pred", *arguments)

    def test_no_split_of_test_frames(self, weights, wad, tmp_path):
        result = run(wad.root, "--weights", weights, "--out", tmp_path / "p", "--subset", "test", "--split", "report")
        assert result.exit_code == 2
        assert "test frames have no labels" in result.output
