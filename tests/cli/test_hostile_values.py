"""Where a command prints to, how it is stopped, and option values that are none: a message each, never a traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wadlib.cli import app, main, streams

posix = pytest.mark.skipif(os.name != "posix", reason="signals and descriptors of Unix")


def wadlib(*arguments, cwd=None, **options):
    environment = os.environ | options.pop("env", {})
    command = [sys.executable, "-m", "wadlib.cli", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, cwd=cwd, env=environment, check=False, timeout=120, **pipes)


# --- output --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({"PYTHONIOENCODING": "cp1252"}, rb"\u6570\u636e"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, rb"\udce6\udc95"),  # as it reads the path
    ],
)
def test_characters_that_the_output_lacks_are_escapes(tiny_wad, env, shown):
    root = tiny_wad("数据", videos=1, frames=1, contents=False, test=False)
    done = wadlib("info", root, env=env)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


@posix
def test_a_name_steers_no_terminal(tiny_wad):
    root = tiny_wad(videos=1, frames=1, contents=False, test=False)
    (root / "train_color" / "a\x1b[31m.jpg").touch()
    done = wadlib("info", root)
    assert b"\x1b[31m" not in done.stdout + done.stderr
    assert rb"a\x1b[31m.jpg" in done.stdout


@posix
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors(tmp_path, closed):
    """Without standard error the message goes to standard output; no file gets the number of one of the three."""
    command = [sys.executable, "-m", "wadlib.cli", "info", "x"]
    code = f"import os\nfor n in {closed}: os.close(n)\nos.execv({command[0]!r}, {command!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False, timeout=120,
                          env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    assert done.returncode == 2
    said = done.stdout if 2 in closed else done.stderr
    assert (b"DatasetError" in said) == (closed != (0, 1, 2))


def test_a_warning_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    streams.mend()
    warnings.showwarning("look at this", UserWarning, "file.py", 3)
    assert capsys.readouterr().err == "UserWarning: look at this\n"


# --- the end -------------------------------------------------------------------------------------


def test_what_nobody_foresaw_says_how_to_report_it(monkeypatch, capsys):
    def fail():
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("wadlib.cli.app", fail)
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 1
    assert "ZeroDivisionError: a fault" in said
    assert "Traceback" not in said
    details = Path(re.search(r"Fix: report it, please, with the command and (\S+)", said)[1])
    assert "in fail" in details.read_text()
    details.unlink()


def test_memory_that_is_used_up(monkeypatch, capsys):
    def fail():
        raise MemoryError

    monkeypatch.setattr("wadlib.cli.app", fail)
    with pytest.raises(SystemExit):
        main()
    assert "Fix: fewer --workers" in capsys.readouterr().err


@posix
@pytest.mark.parametrize("command", [("info", "../x"), ("prepare", "../x", "out"), ("render", "out"), ("report",)])
def test_a_working_folder_that_was_deleted(tmp_path, command):
    (tmp_path / "gone").mkdir()
    shell = f"cd gone && rmdir ../gone && {sys.executable} -m wadlib.cli {' '.join(command)}"
    done = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
                          env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Fix: " in done.stderr
    assert "Traceback" not in done.stderr


@posix
def test_sigterm_ends_a_command_in_good_order(tmp_path):
    command = [sys.executable, "-m", "wadlib.cli", "render", str(tmp_path / "wad"), "--videos", "9", "--size", "strip"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and not (tmp_path / "wad" / "render.json").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "goes on from here" in said
    assert "Traceback" not in said
    assert _all_gone(process.pid)


def _all_gone(session):
    for _ in range(100):
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


# --- values --------------------------------------------------------------------------------------

FILES = [["evaluate", "ROOT", "ROOT", "--json", "FILE"], ["evaluate", "ROOT", "ROOT", "--csv", "FILE"],
         ["export", "coco", "ROOT", "FILE"], ["export", "submission", "ROOT", "ROOT", "FILE"]]  # fmt: skip


@pytest.mark.parametrize("value", ["", ".", "/", "..", "nowhere/a"])
@pytest.mark.parametrize("command", FILES, ids=lambda command: " ".join(command[:2]))
def test_no_name_of_a_file(tiny_wad, tmp_path, monkeypatch, command, value):
    root = tiny_wad(videos=1, frames=1, test=False)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [{"ROOT": str(root), "FILE": value}.get(word, word) for word in command])
    assert result.exit_code != 0
    assert result.exception is None or type(result.exception).__name__ in ("SystemExit", "StorageError")


VALUES = [
    ["evaluate", "ROOT", "ROOT", "--draws", "1000000000"],
    ["evaluate", "ROOT", "ROOT", "--workers", "0"],
    ["evaluate", "ROOT", "ROOT", "--workers", "-1"],
    ["render", "OUT", "--seed", "4294967296"],
    ["render", "OUT", "--videos", "1000000000"],
    ["render", "OUT", "--frames", "1000000000"],
    ["train", "unet", "ROOT", "--out", "OUT", "--cell", "0"],
    ["train", "unet", "ROOT", "--out", "OUT", "--cell", "3"],
    ["train", "unet", "ROOT", "--out", "OUT", "--seed", "4294967296"],
    ["train", "unet", "ROOT", "--out", "OUT", "--narrow", "0"],
    ["train", "unet", "ROOT", "--out", "OUT", "--narrow", "7"],
    ["train", "unet", "ROOT", "--out", "OUT", "--learning-rate", "nan"],
    ["train", "unet", "ROOT", "--out", "OUT", "--train-fraction", "nan"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--copy-paste", "1e9"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--rare-share", "nan"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--crop-scale", "inf"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--window", "65"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--window", "64000000"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--dtype", "float16"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--loss-weight", "mrcnn_mask_loss=nan"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--loss-weight", "mrcnn_mask_loss=-1"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--stage", "(:1:0.001"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--stage", "heads:1:inf"],
    ["train", "maskrcnn", "ROOT", "--config", "report", "--out", "OUT", "--stage", "heads:99999999999:-1"],
    ["predict", "ROOT", "--weights", "", "--out", "OUT"],
    ["predict", "ROOT", "--weights", "a\0b", "--out", "OUT"],
    ["predict", "ROOT", "--weights", "rendered", "--out", "OUT", "--threshold", "nan"],
    ["track", "ROOT", "ROOT", "--out", "OUT", "--threshold", "nan"],
    ["track", "ROOT", "ROOT", "--out", "OUT", "--fill", "1000000000"],
    ["video", "ROOT", "ROOT", "OUT", "--rate", "nan"],
    ["video", "ROOT", "ROOT", "OUT", "--rate", "0"],
    ["video", "ROOT", "ROOT", "OUT", "--rate", "1e300"],
    ["video", "ROOT", "ROOT", "OUT", "--panels", ""],
    ["video", "ROOT", "ROOT", "OUT.txt"],
    ["info", "a\0b"],
    ["info", ""],
    ["prepare", "ROOT", "a\0b"],
]  # fmt: skip


@pytest.mark.parametrize("command", VALUES, ids=lambda command: ascii(" ".join(command[:2] + command[-2:])))
def test_values_that_are_none(tiny_wad, tmp_path, monkeypatch, command):
    """Whatever an option is given, the command ends with code 2 (or does it), and no run folder is claimed."""
    root = tiny_wad(videos=2, frames=1, test=False)
    monkeypatch.chdir(tmp_path)
    words = {"ROOT": str(root), "OUT": str(tmp_path / "out"), "OUT.txt": str(tmp_path / "out.txt")}
    monkeypatch.setattr(sys, "argv", ["wadlib", *(words.get(word, word) for word in command)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert not (tmp_path / "out" / "config.json").exists()
