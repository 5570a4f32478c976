"""The command line: every command on a tiny dataset, and exit code 2 with a message on bad input."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from wadlib.cli import app, main
from wadlib.dataset import open_wad
from wadlib.frames import read_label, write_label

runner = CliRunner()


@pytest.mark.parametrize("command", ["render", "info", "prepare", "predict", "evaluate", "report", "notebooks"])
def test_help_ends_with_an_example(command):
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"wadlib {command}" in result.output.split("Example:")[1]


def test_info_lists_videos_and_instances(tiny_wad):
    root = tiny_wad()
    result = runner.invoke(app, ["info", str(root), "--workers", "1"])
    assert result.exit_code == 0
    wad = open_wad(root)
    assert f"{len(wad.train_videos)} video" in result.output
    assert f"{len(wad.frames)} frame" in result.output
    counts = wad.count_instances(progress=False)
    cars = next(line for line in result.output.splitlines() if line.startswith("car"))
    assert cars.split()[1:3] == [str(counts.instances[33]), str(counts.frames_with[33])]


def test_info_counts_unasked_only_what_is_soon_counted(tiny_wad, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    root = tiny_wad(videos=1, frames=2)
    counted = runner.invoke(app, ["info", str(root)]).output
    monkeypatch.setattr("wadlib.cli.data._COUNTED_UNASKED", 1)
    asked = runner.invoke(app, ["info", str(root), "--count"]).output
    assert asked == counted
    result = runner.invoke(app, ["info", str(root)])
    assert "instances not counted: that opens 2 labels, 10 ms each at full size; --count does it" in result.output
    assert result.output.splitlines()[:-1] == counted.splitlines()[: len(result.output.splitlines()) - 1]
    assert "class" not in runner.invoke(app, ["info", str(root), "--no-count"]).output


def test_info_loads_nothing_heavy(tiny_wad):
    """What the lists and folders say needs no picture, no network and no compiler."""
    code = "import sys; from wadlib.cli import app; app(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    command = [sys.executable, "-c", code, "info", str(tiny_wad(contents=False)), "--no-count"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heavy = {"cv2", "numba", "scipy", "pandas", "matplotlib", "skimage", "tensorflow", "keras", "jax", "torch"}
    heavy |= {"distributed", "dask", "fsspec", "loky", "IPython"}
    assert "3 videos, 12 frames" in done.stdout
    assert heavy & set(done.stdout.splitlines()[-1].split()) == set()


def test_info_on_the_real_sample(wad_sample):
    result = runner.invoke(app, ["info", str(wad_sample)])
    assert result.exit_code == 0
    assert "1 video, 4 frames" in result.output
    counted = {line.split()[0]: line.split()[1] for line in result.output.splitlines() if len(line.split()) == 4}
    # Counted by hand in the four label files: 4 + 4 + 4 + 3 cars, a bus and a tricycle in each.
    assert (counted["car"], counted["bus"], counted["tricycle"], counted["person"]) == ("15", "4", "4", "0")


def test_prepare_then_evaluate_a_perfect_prediction(tiny_wad, tmp_path):
    prepared = tmp_path / "prepared"
    result = runner.invoke(app, ["prepare", str(tiny_wad()), str(prepared)])
    assert result.exit_code == 0, result.output
    (tmp_path / "pred" / "label").mkdir(parents=True)
    for frame in open_wad(prepared).frames:
        label = read_label(frame.label_path)
        write_label(tmp_path / "pred" / "label" / f"{frame.name}_instanceIds.png", label)
    out = tmp_path / "scores.json"
    result = runner.invoke(app, ["evaluate", str(prepared), str(tmp_path / "pred"), "--json", str(out)])
    assert result.exit_code == 0, result.output
    scores = json.loads(out.read_text(encoding="utf-8"))
    assert scores["frames"] == len(open_wad(prepared).frames)
    present = [value for value in scores["report_iou"].values() if value is not None]
    assert present
    assert set(present) == {1.0}
    assert "Table 1" in result.output


def test_evaluate_counts_a_missing_prediction_only_if_told_to(tiny_wad, tmp_path):
    prepared = tmp_path / "prepared"
    runner.invoke(app, ["prepare", str(tiny_wad()), str(prepared)])
    (tmp_path / "pred").mkdir()
    frame = open_wad(prepared).frames[0]
    empty = np.full(read_label(frame.label_path).shape, 255, np.uint16)
    write_label(tmp_path / "pred" / f"{frame.name}_instanceIds.png", empty)
    arguments = ["evaluate", str(prepared), str(tmp_path / "pred")]
    assert runner.invoke(app, arguments).exit_code != 0
    assert runner.invoke(app, [*arguments, "--missing", "empty"]).exit_code == 0


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "wadlib.cli", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_bad_input_ends_with_code_2_and_says_what_to_do(tmp_path):
    result = run("info", str(tmp_path / "nowhere"))
    assert result.returncode == 2
    assert result.stderr.startswith("DatasetError: ")
    assert "Likely cause: " in result.stderr
    assert "Fix: " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_profile_is_a_clear_error():
    result = run("report", WADLIB_PROFILE="quik")
    assert result.returncode == 2
    assert "'quik'" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for another process")
def test_ctrl_c_says_that_the_work_is_kept(tmp_path):
    command = [sys.executable, "-m", "wadlib.cli", "render", str(tmp_path), "--videos", "9", "--size", "strip"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and not (tmp_path / "render.json").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "goes on from here" in errors
    assert "Traceback" not in errors


def test_interrupt_says_that_the_work_is_kept(monkeypatch, capsys):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr("wadlib.cli.app", stop)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert "goes on from here" in capsys.readouterr().err
