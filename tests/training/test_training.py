"""Batches, runs that survive a kill, logs, early stop, and what goes wrong with training."""

import errno
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.backends import environment
from wadlib.errors import StorageError, TrainingError
from wadlib.training import (
    Batch,
    Batches,
    EarlyStop,
    Stage,
    Stream,
    as_array,
    best_epoch,
    deterministic,
    fit,
    gradient_norms,
    load_checkpoint,
    quiet,
    read_log,
)
from wadlib.training.checkpoint import Checkpoint
from wadlib.training.folder import RunFolder

SCRIPT = Path(__file__).parents[1] / "tiny_training.py"
spec = importlib.util.spec_from_file_location("tiny_training", SCRIPT)
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)

TIMES = {"train_s", "waiting", "ended_at"}


@pytest.fixture(scope="module", autouse=True)
def keras():
    quiet()
    import keras

    deterministic(0)
    return keras


def without_times(rows):
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def train(run, epochs=4, **options):
    options = {"validation": tiny.validation(), "progress": False} | options
    return fit(options.pop("model", None) or tiny.model(eager=True), tiny.data(), run=run, epochs=epochs, **options)


@pytest.fixture(scope="module")
def uninterrupted(keras):
    """Four epochs without any files."""
    return train(None)


def weights(model):
    return [as_array(variable) for variable in model.weights]


def stop_after(epochs):
    """A callback that dies like Ctrl-C in an epoch's end, before anything of that epoch is written."""

    def callback(end):
        if end.epoch == epochs + 1:
            raise KeyboardInterrupt

    return callback


# --- batches -------------------------------------------------------------------------------------


class TestBatches:
    def test_depend_on_seed_epoch_and_index_only(self):
        a, b = tiny.data(), tiny.data()
        places = [(0, 0), (3, 2), (1, 1)]
        first = [a.batch(*place) for place in places]
        again = [b.batch(*place) for place in reversed(places)][::-1]
        for one, other in zip(first, again, strict=True):
            assert one.names == other.names
            np.testing.assert_array_equal(one.x, other.x)
        assert not np.array_equal(first[0].x, tiny.data(seed=1).batch(0, 0).x)

    def test_every_item_is_seen_as_often_as_any_other(self):
        # 10 items in batches of 4: 3 batches an epoch, so that 10 epochs are 30 batches of 4 = 12 passes.
        data = tiny.data()
        assert len(data) == 3
        names = [name for epoch in range(10) for index in range(3) for name in data.batch(epoch, index).names]
        assert sorted(names) == sorted(f"frame_{item}" for item in tiny.ITEMS * 12)
        passes = [tuple(names[i : i + 10]) for i in range(0, 120, 10)]
        assert all(len(set(one)) == 10 for one in passes)
        assert len(set(passes)) == 12, "the order is drawn anew in each pass"

    def test_augmentation_differs_between_passes(self):
        data = Batches([5], lambda item, rng: (rng.random(3),), batch_size=1)
        assert not np.array_equal(data.batch(0, 0).x, data.batch(1, 0).x)

    def test_steps_make_epochs_of_any_length(self):
        data = Batches(range(10), lambda item, rng: (np.array(item),), batch_size=4, steps=5)
        seen = np.concatenate([data.batch(epoch, index).x for epoch in range(2) for index in range(5)])
        assert np.bincount(seen).tolist() == [4] * 10

    def test_validation_sees_each_item_once_in_order(self):
        data = Batches(range(5), lambda item, rng: (np.array(item),), batch_size=2, shuffle=False)
        assert [data.batch(7, index).x.tolist() for index in range(3)] == [[0, 1], [2, 3], [4]]

    def test_trees_are_stacked_leaf_by_leaf(self):
        def sample(item, rng):
            return {"image": np.full((2, 2), item), "boxes": [np.zeros(4), np.array(item)]}, None, np.float32(item)

        batch = Batches([3, 4], sample, batch_size=2, shuffle=False).batch(0, 0)
        assert batch.x["image"].shape == (2, 2, 2)
        assert batch.x["boxes"][1].tolist() == [3, 4]
        assert batch.y is None
        assert batch.weight.tolist() == [3, 4]

    def test_weights_say_how_often(self):
        # 8 items, weights 3:1:1:1:1:1:0:0: in a pass the first comes 3 times, five of them once, two never.
        data = Batches(range(8), lambda item, rng: (np.array(item),), batch_size=8, weights=[3, 1, 1, 1, 1, 1, 0, 0])
        passes = [data.batch(epoch, 0).x for epoch in range(6)]
        assert all(np.bincount(one, minlength=8).tolist() == [3, 1, 1, 1, 1, 1, 0, 0] for one in passes)
        assert len({tuple(one) for one in passes}) > 1
        # 2:1 of 2 items is 4/3 and 2/3 of a draw: in the mean over passes.
        data = Batches([0, 1], lambda item, rng: (np.array(item),), batch_size=2, weights=[2, 1])
        drawn = np.concatenate([data.batch(epoch, 0).x for epoch in range(300)])
        assert abs(drawn.mean() - 1 / 3) < 0.05

    @pytest.mark.parametrize("options", [{"weights": [1]}, {"weights": [0, 0]}, {"weights": [1, np.nan]}])
    def test_bad_weights(self, options):
        with pytest.raises(TrainingError, match="expected 2 finite weights"):
            Batches([0, 1], tiny.picture, batch_size=1, **options)

    @pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": 1, "shuffle": False, "steps": 3}])
    def test_bad_numbers(self, options):
        with pytest.raises(TrainingError, match="expected batch_size >= 1"):
            Batches([1], tiny.picture, **options)

    def test_nothing_to_learn_from(self):
        with pytest.raises(TrainingError, match="at least one frame, got none"):
            Batches([], tiny.picture, batch_size=1)

    def test_describe_tells_which_frames(self):
        other = Batches(tiny.ITEMS[::-1], tiny.picture, batch_size=4, name=lambda item: f"frame_{item}")
        assert tiny.data().describe() != other.describe()
        assert json.loads(json.dumps(tiny.data().describe())) == tiny.data().describe()


class TestStream:
    @pytest.mark.parametrize("workers", [0, 1, 3])
    def test_same_batches_in_order_whatever_the_workers(self, workers):
        data = tiny.data()
        places = list(itertools.product(range(2), range(3)))
        with Stream(data, places, workers=workers) as stream:
            got = list(stream)
        for batch, place in zip(got, places, strict=True):
            np.testing.assert_array_equal(batch.x, data.batch(*place).x)

    def test_makes_batches_ahead_but_not_too_many(self):
        made, go_on = [], threading.Event()

        class Counting:
            def __len__(self):
                return 100

            def batch(self, epoch, index):
                made.append(index)
                if index == 3:
                    go_on.set()
                return Batch(np.array([index]))

        with Stream(Counting(), ((0, i) for i in range(100)), workers=2, ahead=4) as stream:
            assert go_on.wait(10), "four batches are made before anybody asks"
            next(stream)
            next(stream)
        assert len(made) <= 6

    def test_waiting_is_measured(self):
        class Slow:
            def __len__(self):
                return 2

            def batch(self, epoch, index):
                time.sleep(0.05)
                return Batch(np.zeros(1))

        with Stream(Slow(), [(0, 0), (0, 1)], workers=0) as stream:
            list(stream)
        assert stream.waited_s >= 0.1

    def test_an_error_in_a_worker_arrives(self):
        def broken(item, rng):
            raise TrainingError("frame 7: broken", cause="a", fix="b")

        data = Batches([7], broken, batch_size=1)
        with Stream(data, [(0, 0)], workers=2) as stream, pytest.raises(TrainingError, match="frame 7: broken"):
            next(stream)


# --- early stop ----------------------------------------------------------------------------------


def rows(*losses):
    return [{"epoch": i + 1, "val_loss": loss} for i, loss in enumerate(losses)]


class TestEarlyStop:
    def test_counts_epochs_without_improvement(self):
        stop = EarlyStop(patience=2)
        assert not stop.reached(rows(3, 2, 2.5), "val_loss")
        assert stop.reached(rows(3, 2, 2.5, 2), "val_loss"), "equal is no improvement"
        assert not stop.reached(rows(3, 2, 2.5, 1.9), "val_loss")

    def test_min_delta_asks_for_more(self):
        # 3 -> 2.6 -> 2.2: each step is 0.4, which is less than 0.5, but 2.2 is 0.8 below 3.
        assert EarlyStop(patience=2, min_delta=0.5).waited(rows(3, 2.6, 2.2), "val_loss") == 0
        assert EarlyStop(patience=2, min_delta=0.9).waited(rows(3, 2.6, 2.2), "val_loss") == 2

    def test_epoch_0_is_before_training(self):
        before = [{"epoch": 0, "val_loss": 0.1}]
        assert EarlyStop(patience=1).waited(before, "val_loss") == 0
        assert best_epoch([*before, *rows(3, 2)], "val_loss") == 2

    def test_the_first_of_equals_is_best(self):
        assert best_epoch(rows(3, 1, 1), "val_loss") == 2
        assert best_epoch([], "val_loss") is None

    def test_a_column_that_is_not_there(self):
        with pytest.raises(TrainingError, match="expected a column 'val_lost' to watch, got val_loss"):
            EarlyStop(patience=1, monitor="val_lost").reached(rows(1), "val_loss")

    def test_bad_patience(self):
        with pytest.raises(TrainingError, match="patience >= 1"):
            EarlyStop(patience=0)

    def test_ends_a_run_and_survives_a_restart(self, tmp_path):
        stop = EarlyStop(patience=2, min_delta=100.0)  # no epoch is that much better, so 1 + 2 epochs
        result = train(tmp_path, epochs=9, early_stop=stop)
        assert len(result.rows) == 3
        assert result.stopped_early
        again = train(tmp_path, epochs=9, early_stop=stop)
        assert again.rows == result.rows, "the same command again has nothing to do"

    def test_patience_counts_on_after_a_kill(self, tmp_path):
        stop = EarlyStop(patience=2, min_delta=100.0)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, epochs=9, early_stop=stop, callbacks=[stop_after(2)])
        assert len(train(tmp_path, epochs=9, early_stop=stop).rows) == 3


# --- runs ----------------------------------------------------------------------------------------


class TestRun:
    def test_same_seed_same_losses(self, uninterrupted):
        again = train(None)
        assert without_times(again.rows) == without_times(uninterrupted.rows)
        losses = uninterrupted.column("loss")
        assert len(set(losses)) == 4
        assert losses[-1] < losses[0]

    def test_workers_do_not_change_the_result(self, uninterrupted):
        assert without_times(train(None, workers=0).rows) == without_times(uninterrupted.rows)

    @pytest.mark.parametrize("finished", [0, 1, 3])
    def test_stopped_and_started_again_gives_the_same_curve(self, finished, uninterrupted, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, callbacks=[stop_after(finished)])
        # Another seed: whatever the new model starts with must not matter.
        resumed = train(tmp_path, model=tiny.model(seed=77, eager=True))
        assert without_times(resumed.rows) == without_times(uninterrupted.rows)

    def test_more_epochs_go_on(self, uninterrupted, tmp_path):
        train(tmp_path, epochs=2)
        assert without_times(train(tmp_path, epochs=4).rows) == without_times(uninterrupted.rows)

    def test_the_folder(self, uninterrupted, tmp_path):
        run = tmp_path / "runs" / "a"
        result = train(run, config={"name": "tiny", "sizes": (1, 2)}, before=True)
        assert {p.name for p in run.iterdir()} == {
            ".lock",
            "best.weights.h5",
            "checkpoint.npz",
            "config.json",
            "log.csv",
            "tensorboard",
        }
        about = json.loads((run / "config.json").read_text())
        assert about["config"]["sizes"] == [1, 2]
        assert about["config"]["optimizer"]["config"]["learning_rate"] == pytest.approx(0.01)
        assert about["config"]["data"]["items"] == 10
        assert about["environment"]["backend"] == "tensorflow"

        log = read_log(run)
        assert log["epoch"].tolist() == [0, 1, 2, 3, 4]
        assert np.isnan(log["loss"][0])
        assert log["loss"][1:].tolist() == uninterrupted.column("loss"), "floats go through the file unchanged"
        assert log["val_loss"].tolist() == result.column("val_loss")
        assert list(log)[:3] == ["epoch", "loss", "mae"]

    def test_tensorboard_reads_the_event_files(self, tmp_path):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, callbacks=[stop_after(2)])
        result = train(tmp_path)
        for side, column in (("train", "loss"), ("validation", "val_loss")):
            (file,) = (tmp_path / "tensorboard" / side).iterdir()
            events = EventAccumulator(str(file)).Reload().Scalars("loss")
            assert [event.step for event in events] == [1, 2, 3, 4], "one file after a restart, no step twice"
            np.testing.assert_allclose([event.value for event in events], result.column(column), rtol=1e-6)

    def test_best_weights_are_those_of_the_best_epoch(self, keras, tmp_path):
        kept = {}

        def keep(end):
            kept[end.epoch] = weights(end.model)

        result = train(tmp_path, epochs=6, callbacks=[keep])
        assert result.best_epoch == 1 + int(np.argmin(result.column("val_loss")))
        fresh = tiny.model(seed=5)
        plain = keras.Sequential.from_config(fresh.get_config())
        plain.load_weights(tmp_path / "best.weights.h5")
        for ours, theirs in zip(weights(plain), kept[result.best_epoch], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert len(load_checkpoint(fresh, tmp_path)) == 6
        for ours, theirs in zip(weights(fresh), kept[6], strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_callbacks_add_columns_that_survive(self, tmp_path):
        seen = []

        def kernel(end):
            seen.append(end.epoch)
            return {"kernel": float(np.abs(as_array(end.model.weights[0])).sum())}

        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, before=True, callbacks=[kernel, stop_after(2)])
        result = train(tmp_path, before=True, callbacks=[kernel])
        assert seen == [0, 1, 2, 3, 3, 4]
        assert np.isfinite(result.column("kernel")).all()
        assert read_log(tmp_path)["kernel"].tolist() == result.column("kernel")

    def test_the_bar_says_how_far_it_is(self, capsys, monkeypatch):
        monkeypatch.delenv("TQDM_DISABLE", raising=False)
        train(None, epochs=2, progress=True)
        # 3 batches of training and 1 of validation, twice.
        assert "8/8" in capsys.readouterr().err
        monkeypatch.setenv("TQDM_DISABLE", "1")
        train(None, epochs=1, progress=True)
        assert capsys.readouterr().err == ""

    def test_a_torn_log_is_written_anew(self, uninterrupted, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, callbacks=[stop_after(2)])
        log = tmp_path / "log.csv"
        log.write_text(log.read_text()[:-20] + '\n3,0.1,"')
        train(tmp_path)
        assert read_log(tmp_path)["loss"].tolist() == uninterrupted.column("loss")

    def test_what_a_kill_left_is_cleared_away(self, tmp_path):
        train(tmp_path, epochs=1)
        (tmp_path / ".checkpoint.0123456789ab.part.npz").write_bytes(b"half")
        train(tmp_path, epochs=2)
        assert not list(tmp_path.glob("*.part*"))

    def test_two_processes_in_one_folder(self, tmp_path):
        fcntl = pytest.importorskip("fcntl")
        with (tmp_path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(TrainingError, match="in use by another training process"):
                train(tmp_path)


class TestStages:
    @staticmethod
    def stages(keras):
        def begin(trainable, learning_rate):
            def set_up(model):
                model.layers[0].trainable = trainable
                loss = keras.losses.BinaryCrossentropy(from_logits=True)
                model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9), loss=loss, run_eagerly=True)

            return set_up

        return [Stage(2, begin(False, 0.1), "heads"), Stage(3, begin(True, 0.01), "all")]

    def test_each_trains_its_layers(self, keras):
        kernels = []
        fit(
            tiny.model(),
            tiny.data(),
            run=None,
            stages=self.stages(keras),
            callbacks=[lambda end: kernels.append(as_array(end.model.weights[0]))],
            progress=False,
        )
        same = [np.array_equal(a, b) for a, b in itertools.pairwise(kernels)]
        assert same == [True, False, False, False], "convolution fixed for two epochs, then trained"

    @pytest.mark.parametrize("finished", [1, 2, 3])
    def test_restart_inside_and_between(self, keras, finished, tmp_path):
        def run(folder, **options):
            return fit(
                tiny.model(),
                tiny.data(),
                tiny.validation(),
                run=folder,
                stages=self.stages(keras),
                progress=False,
                **options,
            )

        whole = run(None)
        assert [row["stage"] for row in whole.rows] == ["heads", "heads", "all", "all", "all"]
        assert [round(row["learning_rate"], 6) for row in whole.rows] == [0.1, 0.1, 0.01, 0.01, 0.01]
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, callbacks=[stop_after(finished)])
        assert without_times(run(tmp_path).rows) == without_times(whole.rows)
        assert without_times(run(tmp_path).rows) == without_times(whole.rows), "a finished run has nothing to do"
        assert read_log(tmp_path)["stage"].tolist()[-1] == "all"

    def test_early_stop_ends_the_stage_only(self, keras):
        stop = EarlyStop(patience=1, min_delta=100.0)
        result = fit(tiny.model(), tiny.data(), run=None, stages=self.stages(keras), early_stop=stop, progress=False)
        assert [row["stage"] for row in result.rows] == ["heads", "heads", "all", "all"]
        assert result.stopped_early

    @pytest.mark.parametrize(
        "options", [{}, {"epochs": 1, "stages": [Stage(1)]}, {"stages": []}, {"epochs": 0}, {"stages": [Stage(1)] * 2}]
    )
    def test_bad_requests(self, options):
        with pytest.raises(TrainingError, match="expected"):
            fit(tiny.model(), tiny.data(), run=None, **options)


class TestLossesInsideTheModel:
    """The shape of Mask R-CNN: a dict of inputs, no target, losses worked out by the model and told by name."""

    @staticmethod
    def model(keras):
        class Inside(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = keras.layers.Dense(1, kernel_initializer="ones")
                self.parts = [keras.metrics.Mean(name="first_loss"), keras.metrics.Mean(name="second_loss")]

            def call(self, inputs, training=False):
                return self.dense(inputs["image"])

            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                first = keras.ops.mean((y_pred - x["target"]) ** 2)
                second = keras.ops.mean(keras.ops.abs(self.dense.kernel))
                for tracker, value in zip(self.parts, (first, second), strict=True):
                    tracker.update_state(value)
                return first + second

        model = Inside()
        model.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
        model({"image": np.zeros((1, 3), np.float32), "target": np.zeros((1, 1), np.float32)})
        return model

    def test_become_columns(self, keras, tmp_path):
        def sample(item, rng):
            return ({"image": np.full(3, item, np.float32), "target": np.ones(1, np.float32)},)

        data = Batches([0.0, 1.0], sample, batch_size=1, shuffle=False)
        result = fit(self.model(keras), data, data, run=tmp_path, epochs=1, progress=False)
        (row,) = result.rows
        assert row["loss"] == pytest.approx(row["first_loss"] + row["second_loss"])
        assert row["val_loss"] == pytest.approx(row["val_first_loss"] + row["val_second_loss"])
        # Before any step the kernel is 1, 1, 1: item 0 gives (0 - 1)^2 and 1; the step moves bias and kernel.
        assert "first_loss" in read_log(tmp_path)
        norms = gradient_norms(self.model(keras), data.batch(0, 1).x)
        # y = 3, target 1: d(first)/d(kernel_i) = 2 * 2 * 1, plus 1/3 from the second; bias 4.
        assert list(norms.values()) == pytest.approx([(3 * (4 + 1 / 3) ** 2 + 16) ** 0.5])


# --- what goes wrong -----------------------------------------------------------------------------


def spoilt(bad, what=np.nan):
    def sample(item, rng):
        x, y = tiny.picture(item, rng)
        return (x * what if item == bad else x), y

    return Batches(tiny.ITEMS, sample, batch_size=4, name=lambda item: f"frame_{item}")


class TestTrouble:
    def test_nan_names_epoch_batch_and_frames(self, tmp_path):
        data = spoilt(6)
        index = next(i for i in range(3) if "frame_6" in data.batch(0, i).names)
        with pytest.raises(TrainingError, match=rf"loss is nan in epoch 1, batch {index + 1} of 3, frames: .*frame_6"):
            fit(tiny.model(eager=True), data, run=tmp_path, epochs=2, progress=False)
        before = load_checkpoint(tiny.model(seed=9), tmp_path)
        assert before == [], "the checkpoint is the one from before the epoch"

    def test_nan_in_validation(self):
        bad = Batches([0, 6], lambda item, rng: spoilt(6).sample(item, rng), batch_size=1, shuffle=False)
        with pytest.raises(TrainingError, match="validation loss is nan in epoch 1, batch 2 of 2, frames: 6"):
            fit(tiny.model(eager=True), tiny.data(), bad, run=None, epochs=1, progress=False)

    def test_weights_that_overflow_in_the_last_step_are_not_kept(self, keras, tmp_path):
        net = tiny.model()
        loss = keras.losses.MeanSquaredError()
        net.compile(
            keras.optimizers.SGD(1e38), loss=loss, loss_weights=[1e6], run_eagerly=True
        )  # 1e38 * 1e6 is too much for float32
        data = Batches([0], tiny.picture, batch_size=1)
        with pytest.raises(TrainingError, match="weights are not finite after epoch 1"):
            fit(net, data, run=tmp_path, epochs=2, progress=False)
        assert load_checkpoint(tiny.model(), tmp_path) == []

    def test_another_configuration_is_refused(self, tmp_path):
        train(tmp_path, epochs=1, config={"recipe": {"name": "cured", "width": 16}})
        with pytest.raises(TrainingError) as error:
            train(
                tmp_path,
                epochs=1,
                config={"recipe": {"name": "cured", "width": 32}},
                model=tiny.model(learning_rate=0.5, eager=True),
            )
        assert "recipe.width is 16 there and 32 now" in str(error.value)
        assert "optimizer.config.learning_rate is 0.00999" in str(error.value)
        assert "name" not in error.value.what.split("configuration: ")[1]

    def test_other_data_is_refused(self, tmp_path):
        train(tmp_path, epochs=1)
        with pytest.raises(TrainingError, match=r"data.seed is 0 there and 1 now"):
            fit(tiny.model(), tiny.data(seed=1), tiny.validation(), run=tmp_path, epochs=1, progress=False)

    def test_a_file_in_place_of_the_folder(self, tmp_path):
        (tmp_path / "run").write_text("a file")
        with pytest.raises(StorageError, match="a file stands where a folder is needed"):
            train(tmp_path / "run")

    def test_full_disk_keeps_the_last_good_checkpoint(self, uninterrupted, tmp_path, monkeypatch):
        train(tmp_path, epochs=2)
        good = (tmp_path / "checkpoint.npz").read_bytes()

        def full(file, **arrays):
            file.write(b"half a checkpoint")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(np, "savez", full)
        with pytest.raises(StorageError, match="the disk is full"):
            train(tmp_path)
        assert (tmp_path / "checkpoint.npz").read_bytes() == good
        assert not list(tmp_path.glob(".*.part*"))
        monkeypatch.undo()
        assert without_times(train(tmp_path).rows) == without_times(uninterrupted.rows)

    @pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: b"", lambda data: b"x" * 1000])
    def test_damaged_checkpoint(self, damage, tmp_path):
        train(tmp_path, epochs=1)
        path = tmp_path / "checkpoint.npz"
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(TrainingError, match=r"cannot read checkpoint\.npz"):
            train(tmp_path, epochs=2)

    @pytest.mark.parametrize(
        "rows", [{}, None, [1], [{}], [{"epoch": "1"}], [{"epoch": True}], [{"epoch": 1, "loss": "."}],
                 [{"epoch": 1, "loss": None}], [{"epoch": 1, "stage": 3}], [{"epoch": -1}]]
    )  # fmt: skip
    def test_rows_of_a_checkpoint_that_are_none(self, rows, tmp_path):
        about = np.frombuffer(json.dumps({"format": 1, "rows": rows}).encode(), np.uint8)
        np.savez(tmp_path / "checkpoint.npz", about=about)
        with pytest.raises(TrainingError, match=r"cannot read checkpoint\.npz"):
            Checkpoint.read(tmp_path / "checkpoint.npz")

    @pytest.mark.parametrize("dtype", ["S3", "U3", "c8", "M8[s]", "V4"])
    def test_arrays_of_a_checkpoint_that_are_no_numbers(self, dtype, tmp_path):
        about = np.frombuffer(b'{"format": 1, "rows": []}', np.uint8)
        np.savez(tmp_path / "checkpoint.npz", about=about, model_00000=np.zeros(2, dtype))
        with pytest.raises(TrainingError, match="model_00000 holds no numbers"):
            Checkpoint.read(tmp_path / "checkpoint.npz")

    def test_a_stage_that_the_plan_does_not_have(self, tmp_path):
        train(tmp_path, epochs=1)
        checkpoint = Checkpoint.read(tmp_path / "checkpoint.npz")
        Checkpoint(checkpoint.model, checkpoint.optimizer, [{"epoch": 1, "stage": "tails"}]).save(
            tmp_path / "checkpoint.npz"
        )
        with pytest.raises(TrainingError, match="got 'tails'"):
            train(tmp_path, epochs=2)

    def test_checkpoint_of_another_model(self, keras, tmp_path):
        train(tmp_path, epochs=1)
        other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)])
        with pytest.raises(TrainingError, match=r"expected 2 variables of the model, got 9; .* \(3, 3, 3, 5\), in"):
            load_checkpoint(other, tmp_path)

    def test_missing_or_edited_config(self, tmp_path):
        train(tmp_path, epochs=1)
        (tmp_path / "config.json").write_text("{")
        with pytest.raises(TrainingError, match=r"cannot read .*config\.json"):
            train(tmp_path, epochs=2)
        (tmp_path / "config.json").unlink()
        with pytest.raises(TrainingError, match="a checkpoint but no config"):
            train(tmp_path, epochs=2)

    def test_models_that_cannot_be_trained(self, keras):
        plain = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
        with pytest.raises(TrainingError, match="expected a compiled model"):
            fit(plain, tiny.data(), run=None, epochs=1)

    def test_read_log_of_something_else(self, tmp_path):
        with pytest.raises(TrainingError, match="read_log: cannot read"):
            read_log(tmp_path)
        for text in ("epoch,loss\n1,a\n", "epoch,loss\n1,2,3\n", "epoch,loss\n1,\0\n", "loss\n1\n"):
            (tmp_path / "log.csv").write_text(text)
            with pytest.raises(TrainingError, match="read_log: cannot read"):
                read_log(tmp_path)


# --- gradients -----------------------------------------------------------------------------------


def test_gradient_norms_agree_with_finite_differences(keras):
    model = tiny.model(dropout=0.0)
    batch = tiny.data().batch(0, 0)
    before = [as_array(v) for v in model.variables]
    norms = gradient_norms(model, batch.x, batch.y)
    for value, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(as_array(value), old, err_msg="nothing changed, batch statistics neither")
    assert [name.split("/")[-1] for name in norms] == ["conv2d", "batch_normalization", "dense"] or len(norms) == 3

    def loss(kernel):
        scope = keras.StatelessScope(state_mapping=[(dense.kernel, kernel)])
        with scope:
            return float(model.compute_loss(y=batch.y, y_pred=model(batch.x, training=True)))

    dense = model.layers[-1]
    kernel, bias = (as_array(v).astype(np.float64) for v in dense.weights)
    h, square = 1e-2, 0.0
    for i in range(len(kernel)):
        step = np.zeros_like(kernel)
        step[i] = h
        square += ((loss(kernel + step) - loss(kernel - step)) / (2 * h)) ** 2
    logits = np.array(model(batch.x, training=True)).astype(np.float64)
    square += np.mean(1 / (1 + np.exp(-logits)) - batch.y) ** 2  # d/d(bias) of the cross entropy
    assert bias.shape == (1,)
    assert list(norms.values())[-1] == pytest.approx(square**0.5, rel=1e-3)


# --- other processes -----------------------------------------------------------------------------


def test_importing_training_does_not_wait_for_keras():
    code = "import sys, wadlib.training; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_quiet_is_quiet():
    code = "import wadlib.training; wadlib.training.quiet(); import keras; print(keras.ops.ones(1)[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.slow
def test_kill_9_and_the_same_command_again(tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path), "4", "0.02"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while not (tmp_path / "log.csv").exists():  # one epoch is finished; the next takes 0.24 s
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(read_log(tmp_path)["epoch"]) < 4
    # The command says the same as this call; only the time that a picture takes differs.
    resumed = train(tmp_path, model=tiny.model())
    assert without_times(resumed.rows) == without_times(train(None, model=tiny.model()).rows)


BACKEND = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
import tiny_training as tiny
tiny.without_tensorflow()
from wadlib.training import deterministic, fit, gradient_norms

deterministic(0)
out = Path(sys.argv[2])
start = np.load(out / "start.npz")
def model(**options):
    net = tiny.model(**options)
    net.set_weights([start[name] for name in start.files])
    return net

batch = tiny.data().batch(0, 0)
norms = gradient_norms(model(dropout=0.0), batch.x, batch.y)
# A small rate: Adam moves a weight by the rate even where its gradient is nothing but rounding, and the steps add up.
plain = fit(model(dropout=0.0, learning_rate=0.002), tiny.data(), tiny.validation(), run=None, epochs=3, progress=False)

# With dropout: not comparable between backends, but a restart must still be exact.
def stop(end):
    if end.epoch == 3:
        raise KeyboardInterrupt
whole = fit(model(), tiny.data(), tiny.validation(), run=None, epochs=4, progress=False)
try:
    fit(model(), tiny.data(), tiny.validation(), run=out / "run", epochs=4, progress=False, callbacks=[stop])
except KeyboardInterrupt:
    pass
resumed = fit(tiny.model(seed=8), tiny.data(), tiny.validation(), run=out / "run", epochs=4, progress=False)
assert whole.column("loss") == resumed.column("loss"), (whole.column("loss"), resumed.column("loss"))
assert whole.column("val_loss") == resumed.column("val_loss")
np.savez(out / "result.npz", loss=plain.column("loss"), val_loss=plain.column("val_loss"), norms=list(norms.values()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_train_and_resume_alike(backend, tmp_path):
    pytest.importorskip(backend)
    np.savez(tmp_path / "start.npz", *weights(tiny.model()))
    command = [sys.executable, "-c", BACKEND, str(SCRIPT.parent), str(tmp_path)]
    subprocess.run(command, check=True, env=environment(backend), timeout=300)
    theirs = np.load(tmp_path / "result.npz")

    ours = train(None, epochs=3, model=tiny.model(dropout=0.0, learning_rate=0.002))
    batch = tiny.data().batch(0, 0)
    norms = list(gradient_norms(tiny.model(dropout=0.0), batch.x, batch.y).values())
    np.testing.assert_allclose(theirs["norms"], norms, rtol=1e-4)
    np.testing.assert_allclose(theirs["loss"], ours.column("loss"), rtol=1e-3)
    np.testing.assert_allclose(theirs["val_loss"], ours.column("val_loss"), rtol=1e-3)


# --- the user's Keras ----------------------------------------------------------------------------


def keras_says(code, **environment):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment)
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("saved", ['{"backend": "theano"}', '{"floatx": "float16", "epsilon": 1}', "{"])
def test_an_old_keras_file_has_no_say(saved, tmp_path):
    """It lies in the home folder since the days of Keras 2: a stop, or silently other numbers."""
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(saved)
    code = """
from wadlib.training import quiet
quiet()
import keras
print(keras.backend.backend(), keras.config.floatx(), keras.config.image_data_format())
"""
    environment = {"HOME": str(tmp_path), "KERAS_HOME": str(tmp_path / ".keras"), "KERAS_BACKEND": "tensorflow"}
    assert keras_says(code, **environment)[:2] == (0, "tensorflow float32 channels_last")


@pytest.mark.parametrize(
    ("name", "said"), [("tensorfow", "expected one"), ("torch", "not installed"), ("", "expected")]
)
def test_a_backend_that_is_none(name, said):
    if name and importlib.util.find_spec(name):
        pytest.skip(f"{name} is installed")
    code = """
from wadlib.errors import TrainingError
from wadlib.training import quiet
try:
    quiet()
except TrainingError as error:
    print(error)
"""
    code, found, _ = keras_says(code, KERAS_BACKEND=name)
    assert code == 0
    assert said in found
    assert "unset KERAS_BACKEND" in found


# --- whose folder it is --------------------------------------------------------------------------


def test_a_run_without_an_epoch_makes_way(tmp_path):
    """A typing slip, or a rate at which the loss was nan, must not refuse the right command afterwards."""
    first = RunFolder(tmp_path)
    first.claim({"rate": 1.0}, {})
    RunFolder(tmp_path).claim({"rate": 0.1}, {})
    assert json.loads((tmp_path / "config.json").read_text())["config"] == {"rate": 0.1}


def test_more_epochs_stretch_the_decay_and_are_the_same_run(tmp_path):
    def config(steps):
        schedule = {"class_name": "CosineDecay", "config": {"initial": 0.1, "decay_steps": steps}}
        return {"optimizer": {"config": {"learning_rate": schedule}}}

    folder = RunFolder(tmp_path)
    folder.claim(config(10), {})
    Checkpoint([], [], [{"epoch": 1, "loss": 1.0}]).save(folder.checkpoint)
    folder.claim(config(20), {})
    other = config(20)
    other["optimizer"]["config"]["learning_rate"]["config"]["initial"] = 0.2
    with pytest.raises(TrainingError, match=r"learning_rate\.config\.initial is 0.1 there and 0.2 now"):
        folder.claim(other, {})
