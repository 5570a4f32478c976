"""Training a U-Net: recipes, runs, prediction, evaluation, the command."""

import json
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.backends import environment
from wadlib.dataset import Frame, open_wad
from wadlib.errors import SegmentationError, StorageError, TrainingError
from wadlib.frames import read_label, write_image, write_label
from wadlib.graphcut import unary_from_probabilities
from wadlib.preprocess import NETWORK_SHAPE
from wadlib.training import Augmentation, deterministic, quiet, read_log
from wadlib.unet import (
    RECIPES,
    Geometry,
    Recipe,
    SmallFrames,
    batches,
    channel_names,
    class_softmax,
    constant_baseline,
    cure,
    evaluate_unet,
    iou_by_name,
    load_unet,
    predict,
    predict_label,
    probabilities,
    recipe,
    strip,
    train_unet,
    watch_gradients,
)

WINDOW = Geometry(1535, 28, 16, 16, 32)  # 256 x 512 pixels of the full frame in cells of 16
TINY = recipe("cured").replace(
    name="tiny",
    geometry=WINDOW,
    architecture=cure((16, 32, 3), widths=(8, 16)),
    batch_size=4,
    learning_rate=0.02,
    decay=False,
    augmentation=Augmentation(flip=0.5, brightness=30, contrast=0.25),
    windows=1,
)
TIMES = {"train_s", "waiting", "ended_at"}


@pytest.fixture(scope="module", autouse=True)
def keras():
    quiet()
    import keras

    deterministic(0)
    return keras


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A prepared dataset of three videos in which cars are red, buses blue and persons green."""
    root = tmp_path_factory.mktemp("painted")
    for folder in ("train_color", "train_label", "train_video_list"):
        (root / folder).mkdir()
    kinds = [(33000, (220, 40, 40)), (39000, (40, 40, 220)), (36000, (40, 220, 40))]
    for video in range(3):
        lines = []
        for i in range(4):
            rng = np.random.default_rng([video, i])
            image = rng.integers(90, 110, (*NETWORK_SHAPE, 3)).astype(np.uint8)
            label = np.full(NETWORK_SHAPE, 255, np.uint16)
            for number, (code, colour) in enumerate(kinds):
                y, x = 365 + 4 * rng.integers(0, 10), 40 * number + 4 * rng.integers(0, 3)
                image[y : y + 24, x : x + 32], label[y : y + 24, x : x + 32] = colour, code + i
            name = f"170908_06{video:02d}02{i:03d}_Camera_5"
            write_image(root / "train_color" / f"{name}.jpg", image)
            write_label(root / "train_label" / f"{name}_instanceIds.png", label)
            folder = "road01_ins\\{}\\Record001\\Camera 5\\"
            lines.append(f"{folder.format('ColorImage')}{name}.jpg\t{folder.format('Label')}{name}_instanceIds.png\n")
        path = root / "train_video_list" / f"road01_cam_5_video_{video}_image_list_train.txt"
        path.write_text("".join(lines))
    return root


@pytest.fixture(scope="module")
def split(root):
    return open_wad(root).split("by_video", seed=0)


@pytest.fixture(scope="module")
def small(split):
    return SmallFrames(TINY.geometry, TINY.table)


def losses(rows):
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


# --- recipes -------------------------------------------------------------------------------------


class TestRecipe:
    @pytest.mark.parametrize("name", list(RECIPES))
    def test_survives_json(self, name):
        assert Recipe.from_dict(json.loads(json.dumps(RECIPES[name].to_dict()))) == RECIPES[name]

    def test_the_attempts_are_the_authors(self):
        nine, two = recipe("attempt9"), recipe("attempt2")
        assert (nine.architecture.classes, two.architecture.classes) == (9, 2)
        assert (nine.learning_rate, two.learning_rate) == (1e-5, 5e-4)
        assert nine.batch_size == two.batch_size == 32
        assert nine.architecture.widths == (64, 256, 512, 1024)
        assert nine.architecture.scale == 1 / 1000
        assert nine.geometry.shape == (90, 422)
        assert channel_names(nine)[5] == "rider"

    def test_architecture_follows_geometry_and_classes(self):
        changed = recipe("cured").replace(geometry=strip(4), classes="attempt9")
        assert changed.architecture.input_shape == (192, 832, 3)
        assert changed.architecture.classes == 9
        assert changed.loss["class_weights"] is None, "the eight weights were those of other classes"

    def test_what_does_not_fit_is_refused(self):
        with pytest.raises(
            TrainingError, match=r"expected a network for \(16, 32, 3\) pixels .* and 8 classes, got one"
        ):
            recipe("cured").replace(geometry=WINDOW, architecture=cure((32, 32, 3)))
        with pytest.raises(TrainingError, match="expected classes to be one of wad"):
            recipe("cured").replace(classes="kitti")
        with pytest.raises(TrainingError, match="expected 8 class weights, one per channel, got 2"):
            recipe("cured").replace(loss={"class_weights": [1.0, 2.0]})
        with pytest.raises(TrainingError, match=r"expected loss to be one of .*, got 'dise'"):
            recipe("cured").replace(loss={"dise": 1.0})
        with pytest.raises(TrainingError, match="learning_rate > 0"):
            recipe("cured").replace(learning_rate=0)
        with pytest.raises(TrainingError, match=r"expected name to be one of .*, got 'cure'"):
            recipe("cure")
        with pytest.raises(TrainingError, match="not a recipe: 'augmentation'"):
            Recipe.from_dict({"name": "x"})

    def test_the_optimizer_is_built_before_the_first_step(self):
        """Else TensorFlow traces the step twice, which takes longer than all of a short run's steps."""
        model = TINY.build()
        assert model.optimizer.built
        assert len(model.optimizer.variables) == 2 + 2 * len(model.trainable_variables), "two of Adam for each weight"

    def test_learning_rate_decays_to_nothing(self, keras):
        model = TINY.replace(decay=True).build(steps=10)
        rate = model.optimizer._learning_rate
        assert [round(float(rate(step)), 6) for step in (0, 5, 10)] == [0.02, 0.01, 0.0]


# --- runs ----------------------------------------------------------------------------------------


def softmax_of(batch):
    """A callback such as notebook 06 writes: the mean probability of each class at its own pixels, and anywhere."""
    names = channel_names(TINY)

    def callback(end):
        found = probabilities(end.model, batch.x)
        seen = {f"softmax/{name}": p for name, p in class_softmax(found, batch.y, names).items()}
        return seen | {"softmax/background anywhere": float(found[batch.y < len(names)][:, 0].mean())}

    return callback


@pytest.fixture(scope="module")
def run(split, small, tmp_path_factory):
    """A run of some epochs, and what it gave."""
    folder = tmp_path_factory.mktemp("run")
    batch = batches(split.validation, small, batch_size=2, training=False).batch(0, 0)
    trained = train_unet(
        TINY,
        split.train,
        split.validation,
        run=folder,
        epochs=25,
        steps=4,
        small=small,
        before=True,
        callbacks=[softmax_of(batch), watch_gradients(batch)],
        progress=False,
    )
    return folder, trained


class TestRun:
    def test_learns_the_colours(self, run, split, tmp_path):
        folder, trained = run
        model, its_recipe = load_unet(folder)
        assert its_recipe == TINY
        total = evaluate_unet(model, TINY, split.validation, out=tmp_path / "evaluation.json", progress=False)
        scores = json.loads((tmp_path / "evaluation.json").read_text())
        assert scores == iou_by_name(total)
        assert scores["frames"] == len(split.validation)
        assert scores["report_iou"]["truck"] is None, "no frame holds one"
        assert min(scores["report_iou"][name] for name in ("car", "person", "bus")) > 0.7
        column = trained.training.column("val_loss")
        assert column[0] == column[0] > column[-1]

    def test_the_log_tells_what_went_on_inside(self, run):
        folder, _ = run
        log = read_log(folder)
        assert log["softmax/car"][-1] > 0.5 > log["softmax/car"][0]
        share = log["softmax/background anywhere"][-1]
        assert 0.5 < share < 1
        assert (log["gradient/down0_conv1"] > 0).all()
        assert "gradient/logits" in log

    def test_last_weights_are_those_of_the_model(self, run, split):
        folder, trained = run
        frame = split.validation[0]
        model, _ = load_unet(folder, "last")
        np.testing.assert_allclose(predict(model, frame, WINDOW), predict(trained.model, frame, WINDOW), atol=1e-6)

    def test_kept_in_half_the_space(self, run, split, tmp_path):
        folder, _ = run
        script = runpy.run_path(str(Path(__file__).parents[2] / "results" / "unet" / "save_run.py"))
        save_run, weights_summary = script["save_run"], script["weights_summary"]
        kept = save_run(folder, tmp_path / "kept")
        whole, (half, its_recipe) = load_unet(folder)[0], load_unet(kept)
        assert its_recipe == TINY
        for frame in split.validation:
            np.testing.assert_allclose(predict(half, frame, WINDOW), predict(whole, frame, WINDOW), atol=5e-3)
        with h5py.File(kept / "best.weights.h5") as file:
            types = {}
            file.visititems(lambda name, item: types.update({name: item.dtype}) if hasattr(item, "dtype") else None)
        assert {str(dtype) for dtype in types.values()} == {"float16", "float32"}
        assert (kept / "log.csv").read_bytes() == (folder / "log.csv").read_bytes()
        rows = json.loads((kept / "weights.json").read_text())
        assert rows == weights_summary(whole)
        assert rows[0]["name"] == "down0_conv1/kernel"
        assert rows[0]["shape"] == [3, 3, 3, 8]
        assert sum(np.prod(row["shape"]) for row in rows) == whole.count_params()
        assert not list(save_run(folder, tmp_path / "numbers", weights=False).glob("*.h5"))

    def test_windows_teach_whole_pictures(self, split, small, tmp_path):
        half = TINY.replace(windows=2)
        assert half.trained_shape == (16, 16)
        trained = train_unet(
            half, split.train, split.validation, run=tmp_path / "run", epochs=15, steps=4, small=small, progress=False
        )
        assert trained.model.input_shape == (None, 16, 32, 3)
        scores = iou_by_name(evaluate_unet(trained.model, half, split.validation, progress=False))
        assert scores["report_iou"]["car"] > 0.5
        for weights in ("best", "last"):
            model, its_recipe = load_unet(tmp_path / "run", weights)
            assert (model.input_shape, its_recipe) == (trained.model.input_shape, half)
        costs = constant_baseline(half, split.validation, small)
        assert costs["constant"] == pytest.approx(costs["constant_without_absent"], rel=1e-3), (
            "absent ones do not count"
        )
        assert trained.training.rows[-1]["val_loss"] < costs["constant"]
        with pytest.raises(TrainingError, match="expected windows that divide the width of 32, got 5"):
            TINY.replace(windows=5)
        with pytest.raises(SegmentationError, match="expected a width divisible by 2\\^4 = 16, got 104"):
            recipe("cured").replace(windows=4)

    def test_wrong_folders(self, run, tmp_path):
        with pytest.raises(TrainingError, match="holds no U-Net run"):
            load_unet(tmp_path)
        with pytest.raises(TrainingError, match="expected weights to be one of best, last, got 'first'"):
            load_unet(run[0], "first")
        (tmp_path / "config.json").write_bytes((run[0] / "config.json").read_bytes())
        with pytest.raises(TrainingError, match=r"cannot read best\.weights\.h5"):
            load_unet(tmp_path)

    def test_small_frames_of_another_recipe(self, split):
        with pytest.raises(TrainingError, match="expected small frames of"):
            train_unet(TINY, split.train, run=None, epochs=1, small=SmallFrames(strip(8)), progress=False)

    def test_no_frames(self):
        with pytest.raises(TrainingError, match="at least one frame, got none"):
            train_unet(TINY.replace(rare_share=0.0), [], run=None, epochs=1, progress=False)

    def test_a_loss_that_is_not_finite_names_epoch_batch_and_frames(self, split, small, tmp_path):
        spoilt = TINY.replace(loss=TINY.loss | {"class_weights": [3e38] * 8})  # their sum is no float32
        with pytest.raises(TrainingError, match=r"loss is \S+ in epoch 1, batch 1 of 2, frames: (.*)") as caught:
            train_unet(spoilt, split.train, run=tmp_path, epochs=1, steps=2, small=small, progress=False)
        assert any(frame.name in str(caught.value) for frame in split.train)
        assert "lower the learning rate or look at these frames" in str(caught.value)

    def test_a_folder_that_cannot_be_written(self, split, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="a file stands where a folder is needed"):
            train_unet(TINY, split.train, run=tmp_path / "file" / "run", epochs=1, progress=False)

    def test_another_recipe_in_the_same_folder(self, run, split, small):
        other = TINY.replace(learning_rate=0.5)
        with pytest.raises(TrainingError, match=r"recipe\.learning_rate is 0\.02 there and 0\.5 now"):
            train_unet(other, split.train, run=run[0], epochs=1, small=small, progress=False)

    @pytest.mark.slow
    def test_same_seed_same_losses_and_another_seed_others(self, split, small):
        def train(seed):
            return train_unet(
                TINY, split.train, run=None, epochs=1, steps=2, seed=seed, small=small, progress=False
            ).training.column("loss")

        assert train(3) == train(3) != train(4)


# --- prediction ----------------------------------------------------------------------------------


class TestPrediction:
    def test_probabilities_are_a_unary(self, run, split):
        found = predict(run[1].model, split.validation[0], WINDOW)
        assert found.shape == (16, 32, 8)
        assert unary_from_probabilities(found).shape == (16, 32, 8)
        np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-5)

    def test_in_the_pixels_of_the_frame(self, run, split):
        found = predict(run[1].model, split.validation[0], WINDOW)
        full = predict(run[1].model, split.validation[0], WINDOW, full=True)
        assert full.shape == (*NETWORK_SHAPE, 8)
        np.testing.assert_allclose(full.sum(axis=2), 1, atol=1e-5)
        np.testing.assert_allclose(full[365 + 4 * 3 + 1, 4 * 5 + 2], found[3, 5], atol=1e-6)
        assert full[0, 0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0], "where it does not look: background"

    def test_labels_of_classes_and_of_instances(self, run, split):
        image, truth = split.validation[0].read_image(), split.validation[0].read_label()
        label = predict_label(run[1].model, image, WINDOW)
        assert label.shape == truth.shape
        assert set(np.unique(label)) <= {255, 33000, 34000, 35000, 36000, 38000, 39000, 40000}
        instances = predict_label(run[1].model, image, WINDOW, instances=True)
        np.testing.assert_array_equal(instances // 1000, label // 1000)

    def test_nine_channels_become_the_seven_classes(self, keras):
        nine = TINY.replace(classes="attempt9")
        model = nine.build()
        kernel, bias = model.get_layer("logits").weights
        kernel.assign(np.zeros(kernel.shape))
        picture = np.zeros((*NETWORK_SHAPE, 3), np.uint8)
        for channel, code in ((5, 37000), (8, 40000)):
            bias.assign(np.eye(9)[channel])
            assert predict_label(model, picture, WINDOW, nine.table)[400, 20] == code
        assert (predict_label(model, picture, WINDOW, nine.table, instances=True)[365:429, :128] == 40000).all()
        bias.assign(np.eye(9)[5])
        riders = predict_label(model, picture, WINDOW, nine.table, instances=True)
        assert (riders == 255).all(), "a rider is no class of the challenge"


# --- the command ---------------------------------------------------------------------------------

ARGUMENTS = ["--cell", "8", "--batch-size", "2", "--epochs", "2", "--steps", "1", "--workers", "1"]


def command(root, out, *more):
    return ["train", "unet", str(root), "--out", str(out), *ARGUMENTS, *more]


SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import tiny_training as tiny
if "without" in sys.argv:
    tiny.without_tensorflow()
from wadlib.dataset import open_wad
from wadlib.training import deterministic, quiet
from wadlib.unet import Recipe, evaluate_unet, train_unet

root, out = sys.argv[2:4]
quiet()
deterministic(0)
recipe = Recipe.from_dict(json.load(open(out + "/recipe.json")))
split = open_wad(root).split("by_video", seed=0)
trained = train_unet(recipe, split.train, split.validation, run=out + "/run", epochs=12, steps=4, progress=False)
evaluate_unet(trained.model, recipe, split.validation, out=out + "/evaluation.json", progress=False)
"""


def script(root, out, chosen, *more):
    (out / "recipe.json").write_text(json.dumps(chosen.to_dict()))
    return [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[1]), str(root), str(out), *more]


# Three levels on 64x128 cells: large enough that TensorFlow divides the work between threads.
LARGER = TINY.replace(
    geometry=Geometry(1535, 28, 8, 64, 128), architecture=cure((64, 128, 3), widths=(8, 16, 32)), learning_rate=0.005
)


@pytest.mark.slow
def test_kill_9_and_the_same_call_again(root, split, tmp_path):
    """Two threads, batch normalisation, augmentation, weighted frames: what exactness hangs on in practice."""
    process = subprocess.Popen(script(root, tmp_path, LARGER), stderr=subprocess.PIPE, text=True)
    log, until = tmp_path / "run" / "log.csv", time.monotonic() + 300
    while not log.exists() or len(read_log(log)["epoch"]) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 3 <= len(read_log(log)["epoch"]) < 12

    def train(folder):
        options = {"epochs": 12, "steps": 4, "progress": False}
        return train_unet(LARGER, split.train, split.validation, run=folder, **options).training.rows

    assert losses(train(tmp_path / "run")) == losses(train(tmp_path / "whole"))


@pytest.mark.slow
def test_the_command(root, tmp_path):
    from wadlib.cli import app

    result = CliRunner().invoke(app, command(root, tmp_path / "run"))
    assert result.exit_code == 0, result.output
    assert "no video is on both sides" in result.output
    assert "2 epochs; validation frames" in result.output
    scores = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert scores["frames"] == 4
    assert read_log(tmp_path / "run")["epoch"].tolist() == [0, 1, 2]
    other = CliRunner().invoke(app, command(root, tmp_path / "run", "--learning-rate", "0.1"))
    assert "recipe.learning_rate is 0.001 there and 0.1 now" in str(other.exception)


def test_bad_options(root, tmp_path):
    from wadlib.cli import app

    result = CliRunner().invoke(app, command(root, tmp_path, "--recipe", "attempt9"))
    assert result.exit_code == 2
    assert "--cell" in result.output
    result = CliRunner().invoke(app, command(root, tmp_path, "--narrow", "3"))
    assert result.exit_code == 2
    assert "must divide (16, 32, 64, 128, 256)" in result.output
    result = CliRunner().invoke(app, ["train", "unet", str(root)])
    assert result.exit_code == 2
    result = CliRunner().invoke(app, ["train", "unet", "--help"])
    assert "wadlib train unet" in result.output.split("Example:")[1]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_learn_the_colours(backend, root, split, tmp_path):
    """And what one backend has trained, another can use."""
    pytest.importorskip(backend)
    line = script(root, tmp_path, TINY, "without")
    subprocess.run(line, check=True, env=environment(backend), timeout=300)
    theirs = json.loads((tmp_path / "evaluation.json").read_text())
    assert theirs["report_iou"]["car"] > 0.5
    model, _ = load_unet(tmp_path / "run", "last")
    ours = iou_by_name(evaluate_unet(model, TINY, split.validation, progress=False))
    for name, value in theirs["report_iou"].items():
        assert ours["report_iou"][name] == (value if value is None else pytest.approx(value, abs=0.01))


@pytest.mark.slow
def test_two_pictures_can_be_learnt_by_heart(tmp_path):
    """The usual first test of a network that is to learn anything: IoU > 0.95 on the pictures it was shown."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(2):
        image = cv2_noise(rng)
        label = np.full(NETWORK_SHAPE, 255, np.uint16)
        for k, code in enumerate((33000, 36000, 38000, 40000)):
            y, x = 365 + 4 * int(rng.integers(0, 8)), 32 * k + 4 * int(rng.integers(0, 2))
            label[y : y + 28, x : x + 24] = code
            image[y : y + 28, x : x + 24] = image[y : y + 28, x : x + 24] // 2 + 25 * k
        write_image(tmp_path / f"{i}.jpg", image)
        write_label(tmp_path / f"{i}.png", label)
        frames.append(Frame(str(i), "video", tmp_path / f"{i}.jpg", tmp_path / f"{i}.png"))
    by_heart = TINY.replace(
        geometry=Geometry(1535, 28, 8, 32, 64),
        architecture=cure((32, 64, 3), widths=(16, 32, 64)),
        batch_size=2,
        learning_rate=0.01,
        augmentation=None,
        rare_share=0.0,
    )
    trained = train_unet(by_heart, frames, run=None, epochs=1, steps=150, progress=False)
    # Scored in cells: a label sampled by stride cannot be had back to the pixel.
    small = SmallFrames(by_heart.geometry, by_heart.table)
    for frame in frames:
        truth = small.read(frame)[1]
        found = predict(trained.model, frame, by_heart.geometry).argmax(axis=2)
        for index in np.unique(truth):
            both, either = (truth == index) & (found == index), (truth == index) | (found == index)
            assert both.sum() / either.sum() > 0.95, int(index)


def cv2_noise(rng):
    """Smooth coloured noise, so that no two places look the same."""
    import cv2

    return cv2.resize(rng.integers(0, 200, (40, 52, 3)).astype(np.uint8), NETWORK_SHAPE[::-1])


def test_prediction_of_a_frame_is_scored_like_a_file(run, split, tmp_path):
    """What is written to a file and evaluated by `wadlib evaluate` gets the same numbers."""
    from wadlib.metrics import evaluate_folder

    (tmp_path / "label").mkdir()
    for frame in split.validation:
        label = predict_label(run[1].model, frame, WINDOW)
        write_label(tmp_path / "label" / f"{frame.name}_instanceIds.png", label)
    ours = evaluate_unet(run[1].model, TINY, split.validation, progress=False)
    theirs = evaluate_folder(split.validation, tmp_path, progress=False)
    assert theirs.report_iou == pytest.approx(ours.report_iou(), nan_ok=True)
    assert read_label(tmp_path / "label" / f"{frame.name}_instanceIds.png").shape == NETWORK_SHAPE
