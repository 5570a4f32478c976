"""Training a Mask R-CNN: what the log says, what the folder holds, and a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wadlib.cli import app
from wadlib.errors import StorageError, TrainingError
from wadlib.frames import write_image, write_label
from wadlib.labels import IDS
from wadlib.maskrcnn.learning.plan import Plan, TrainStage
from wadlib.maskrcnn.learning.training import copy_paste_of, instances_of_classes
from wadlib.training import as_array, deterministic, quiet, read_log

sys.path.insert(0, str(Path(__file__).parent))
import small_training as small

LOSSES = ("loss", "rpn_class_loss", "rpn_bbox_loss", "mrcnn_class_loss", "mrcnn_bbox_loss", "mrcnn_mask_loss")
TIMES = {"train_s", "waiting", "ended_at"}
SCRIPT = Path(small.__file__)


@pytest.fixture(scope="module", autouse=True)
def keras():
    quiet()
    deterministic(0)
    small.step_by_step()
    yield
    small.step_by_step(False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    small.frames(folder)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run that nobody disturbed: model, training, folder."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    return *small.train(run, data), run


def without_times(log):
    return {key: value.tolist() for key, value in log.items() if key not in TIMES}


@pytest.mark.slow
def test_log_has_the_originals_names(whole):
    _, training, run = whole
    log = read_log(run)
    assert set(log) == {"epoch", "stage", "learning_rate", *LOSSES, *(f"val_{name}" for name in LOSSES)} | TIMES
    assert log["stage"].tolist() == ["heads", "all", "all", "all"]
    assert log["learning_rate"].tolist() == pytest.approx([0.001, 0.0005, 0.0005, 0.0005])
    for side in ("", "val_"):
        parts = sum(log[side + name] for name in LOSSES[1:])
        assert (log[side + "loss"] >= parts - 1e-4).all(), "what is left is the weight penalty"
        np.testing.assert_allclose(log[side + "loss"], parts, rtol=0.05)
    assert [row["epoch"] for row in training.rows] == [1, 2, 3, 4]


@pytest.mark.slow
def test_the_model_has_the_weights_of_the_last_epoch(whole):
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.learning.training import BEST, LAST
    from wadlib.maskrcnn.weights import read_config

    model, _, run = whole
    assert model.config.image_shape == small.SHAPE, "it saw windows, and is a network for whole pictures"
    for name in (LAST, BEST):
        assert read_config(run / name) == small.CONFIG
        loaded = MaskRCNN(small.CONFIG)
        report = loaded.load(run / name)
        assert report.missing == report.unused == ()
        if name == LAST:
            for layer, variables in model.weights_by_layer().items():
                for own, other in zip(variables, loaded.weights_by_layer()[layer], strict=True):
                    np.testing.assert_array_equal(as_array(own), as_array(other), err_msg=layer)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 1.3])  # before an epoch's first step is done, and among its later ones
def test_killed_and_started_again_it_is_the_same_run(whole, data, tmp_path, delay):
    run = tmp_path / "killed"
    command = [sys.executable, str(SCRIPT), str(run), str(data)]
    environment = os.environ | {"TF_NUM_INTEROP_THREADS": "1"}
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 300
    try:
        while not (run / "checkpoint.npz").exists():
            assert process.poll() is None, "it ended before its first checkpoint"
            assert time.monotonic() < deadline, "no checkpoint after 300 s"
            time.sleep(0.1)
        time.sleep(delay)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    subprocess.run(command, env=environment, check=True, timeout=600)
    assert without_times(read_log(run)) == without_times(read_log(whole[2]))


@pytest.mark.slow
def test_the_mean_of_the_last_epochs_also_after_a_pause(whole, data, tmp_path):
    """Two epochs, then two more: the mean is that of the third and the fourth, of which the log and `LAST` know."""
    from wadlib.maskrcnn.learning.training import LAST
    from wadlib.maskrcnn.weight_files.averaging import MEAN, average

    run = tmp_path / "run"
    small.train(run, data, plan=small.PLAN.shortened(2), average=2)
    small.train(run, data, average=2)
    assert without_times(read_log(run)) == without_times(read_log(whole[2])), "averaging changes no step"
    assert sorted(path.name for path in run.glob("epoch-*")) == ["epoch-0003.h5", "epoch-0004.h5"]
    assert (run / "epoch-0004.h5").read_bytes() == (run / LAST).read_bytes()
    average([run / "epoch-0003.h5", run / "epoch-0004.h5"], tmp_path / "mean.h5")
    assert (run / MEAN).read_bytes() == (tmp_path / "mean.h5").read_bytes()


@pytest.mark.slow
def test_another_seed_is_another_run(whole, data):
    _, other = small.train(None, data, plan=small.PLAN.shortened(1), seed=1)
    assert other.column("loss") != whole[1].column("loss")[:1]


@pytest.mark.slow
def test_losses_are_weighted(data):
    config = small.CONFIG.replace(loss_weights={"mrcnn_class_loss": 0.0})
    _, training = small.train(None, data, config=config, plan=small.PLAN.shortened(1))
    assert training.column("mrcnn_class_loss") == [0]
    assert training.column("rpn_class_loss")[0] > 0


@pytest.mark.slow
def test_a_folder_of_another_plan_is_refused(whole, data):
    with pytest.raises(TrainingError, match=r"plan.copy_paste is 1.0 there and 0.0 now"):
        small.train(whole[2], data, plan=small.PLAN.replace(copy_paste=0.0))


@pytest.mark.slow
@pytest.mark.parametrize(("rare_share", "copy_paste"), [(0.9, 0.0), (0.0, 1.0)])
def test_each_cure_goes_without_the_other(data, tmp_path, rare_share, copy_paste):
    plan = small.PLAN.shortened(1).replace(rare_share=rare_share, copy_paste=copy_paste)
    small.train(tmp_path / "run", data, plan=plan)
    described = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))["config"]["data"]
    assert (described["weights_sha256"] is not None, described["copy_paste"]) == (rare_share > 0, copy_paste)


def test_copies_are_of_the_classes_that_few_frames_hold(data):
    frames = small.frames(data)[:6]
    counts = instances_of_classes(frames, workers=1, progress=False)
    assert counts[:, IDS.index(40)].tolist() == [1, 0, 0, 1, 0, 0]
    copies = copy_paste_of(frames, counts, 2.0)
    assert (copies.donors, copies.mean) == ({40: (frames[0], frames[3])}, 2.0)


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_checkpoint(whole, data, tmp_path, monkeypatch):
    import errno
    import shutil

    from wadlib.maskrcnn.learning import training as module

    run = tmp_path / "full"
    shutil.copytree(whole[2], run)
    kept = (run / "checkpoint.npz").read_bytes()

    def full(*_, **__):
        raise StorageError("disk full", cause="x", fix="y") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "save", full)
    longer = small.PLAN.shortened(small.PLAN.epochs + 1)
    with pytest.raises(StorageError):
        small.train(run, data, plan=longer)
    assert (run / "checkpoint.npz").read_bytes() == kept


def test_instances_of_classes_by_hand(data):
    found = instances_of_classes(small.frames(data), progress=False)
    assert found.shape == (8, len(IDS))
    assert found[7].tolist() == [0] * 7, "negatives count as frames"
    assert found[:, IDS.index(40)].tolist() == [1, 0, 0, 1, 0, 0, 1, 0]


def test_nothing_to_train_on():
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.learning.training import train_maskrcnn

    with pytest.raises(TrainingError, match="at least one frame"):
        train_maskrcnn(MaskRCNN(small.CONFIG), [], plan=Plan.classroom(), run=None)


@pytest.mark.slow
def test_weights_to_begin_with(whole, tmp_path):
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.learning.training import LAST, initial_weights

    model = MaskRCNN(small.CONFIG)
    assert initial_weights(model, "none") is None
    report = initial_weights(model, whole[2] / LAST)
    assert len(report.loaded) == len(model.weights_by_layer())


@pytest.mark.slow
def test_the_command(tiny_wad, tmp_path):
    """Two epochs on prepared strips, then one more; then the weights find their way into `wadlib predict`."""
    root = tiny_wad(videos=3, frames=2, contents=False, test=False)
    for path in sorted((root / "train_color").iterdir()):
        write_image(path, np.full((384, 1664, 3), 90, np.uint8))
    for path in (root / "train_label").iterdir():
        label = np.full((384, 1664), 255, np.uint16)
        label[100:140, 400:480] = 33000
        label[200:300, 900:1000] = 40000
        write_label(path, label)
    out = tmp_path / "run"
    command = ["train", "maskrcnn", str(root), "--config", "classroom", "--out", str(out), "--window", "256"]
    command += [
        "--stage",
        "heads:1:0.001",
        "--stage",
        "all:1:0.0005",
        "--steps",
        "2",
        "--loss-weight",
        "rpn_bbox_loss=2",
        "--view",
        "strip",
        "--strong-augment",
    ]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert '"noise": 12' in (out / "config.json").read_text()
    assert "no video is on both sides" in result.output
    assert read_log(out)["stage"].tolist() == ["heads", "all"]
    result = CliRunner().invoke(app, [*command, "--epochs", "3"], catch_exceptions=False)
    assert "3 epochs" in result.output
    predict = ["predict", str(root), "--weights", str(out / "best.h5"), "--out", str(tmp_path / "pred"), "--full-frame"]
    result = CliRunner().invoke(app, predict, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "pred" / "label").iterdir())) == 6


@pytest.mark.slow
def test_the_command_takes_weights_of_81_classes_by_path(tiny_wad, tmp_path, monkeypatch):
    """A file like COCO's, wherever it lies: the heads that know other classes are left out, and the command says so."""
    from wadlib.cli import choice
    from wadlib.maskrcnn import MaskRCNN

    other = small.CONFIG.replace(num_classes=81, wad_classes=(0,) * 81)
    MaskRCNN(other).save(tmp_path / "like_coco.h5")
    monkeypatch.setattr(choice.ConfigName, "config", lambda self: small.CONFIG)
    root = tiny_wad(videos=2, frames=1, test=False)
    command = ["train", "maskrcnn", str(root), "--config", "classroom", "--out", str(tmp_path / "run")]
    command += [
        "--weights",
        str(tmp_path / "like_coco.h5"),
        "--steps",
        "1",
        "--stage",
        "heads:1:0.001",
        "--window",
        "128",
    ]
    result = CliRunner().invoke(app, [*command, "--rare-share", "0", "--copy-paste", "0"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "3 excluded, left as they were: mrcnn_class_logits, mrcnn_bbox_fc, mrcnn_mask" in result.output
    assert "1 epochs" in result.output


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--stage", "heads"], "LAYERS:EPOCHS:RATE"),
        (["--loss-weight", "mrcnn_class_loss"], "mrcnn_class_loss=0.5"),
        (["--loss-weight", "mask=1"], "names among rpn_class_loss"),
        (["--strong-augment", "--no-augment"], "not together with --no-augment"),
    ],
)
def test_bad_options(tmp_path, option, said):
    command = ["train", "maskrcnn", str(tmp_path), "--config", "report", "--out", str(tmp_path / "run"), *option]
    result = CliRunner().invoke(app, command)
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)


def test_the_only_stage_that_a_network_lacks():
    from wadlib.maskrcnn import MaskRCNN

    with pytest.raises(TrainingError, match="names of some layers"):
        MaskRCNN(small.CONFIG).compile(layers=TrainStage("nothing", 1, 0.1).layers)


# --- the weights that come with wadlib --------------------------------------------------------------


@pytest.mark.parametrize("name", ["rendered", "streets", "wild"])
def test_shipped_weights_are_small_and_whole(name):
    from wadlib.maskrcnn import Config, MaskRCNN
    from wadlib.maskrcnn.weight_files.released import find
    from wadlib.maskrcnn.weights import read_config

    path = find(name)
    assert path.stat().st_size < 20e6
    config = read_config(path)
    assert config == Config.classroom().replace(min_confidence=config.min_confidence)
    report = MaskRCNN(config).load(name)
    assert report.missing == report.unused == ()


@pytest.mark.slow
def test_shipped_weights_find_cars_in_streets_that_they_have_not_seen():
    """In full-frame coordinates, whatever part of the frame the network looks at."""
    from wadlib.maskrcnn import MaskRCNN
    from wadlib.maskrcnn.weight_files.released import find
    from wadlib.maskrcnn.weights import read_config
    from wadlib.metrics import Overlap, report_iou
    from wadlib.rendered import render_frame

    model = MaskRCNN(read_config(find("rendered")))
    model.load("rendered")
    frames = [render_frame(video=video, frame=8, seed=77, size="full") for video in range(4)]
    found = model.detect([frame.image for frame in frames])
    assert all(each.to_label().shape == (2710, 3384) for each in found)
    pairs = zip(frames, found, strict=True)
    iou = report_iou(Overlap.from_labels(frame.label, each.to_label()) for frame, each in pairs)
    assert iou[33] > 0.4
