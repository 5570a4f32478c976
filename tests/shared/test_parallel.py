from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from wadlib._shared.cluster import cores_of
from wadlib._shared.parallel import available_cores, in_order, map_frames
from wadlib.errors import WorkerError


def square(x):
    return x * x


def third_fails(x):
    if x == 3:
        raise ValueError("number 3")
    return x


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 3, "threads": True}, {"threads": True}])
def test_results_in_the_order_of_the_items(options):
    items = list(range(50))
    assert list(map_frames(square, iter(items), progress=False, **options)) == [(i, i * i) for i in items]


def test_processes():
    assert list(map_frames(square, range(5), workers=2, progress=False)) == [(i, i * i) for i in range(5)]


def test_nothing_to_do():
    assert list(map_frames(square, [], progress=False)) == []
    assert list(map_frames(square, [1, 2], done=lambda i: True, progress=False)) == []


def test_what_is_done_is_skipped_and_counted(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert [i for i, _ in map_frames(square, range(10), done=lambda i: i < 7, workers=1, description="squaring")] == [
        7,
        8,
        9,
    ]
    shown = capsys.readouterr().err
    assert "squaring" in shown
    assert "10/10" in shown


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 2, "threads": True}])
def test_an_error_is_raised_here_and_stops_the_rest(options):
    begun = []

    def slow(x):
        begun.append(x)
        time.sleep(0.002)
        return third_fails(x)

    results = []
    with pytest.raises(ValueError, match="number 3"):
        results.extend(map_frames(slow, range(1000), progress=False, **options))
    assert results == [(0, 0), (1, 1), (2, 2)]
    assert len(begun) < 50


def test_an_error_in_a_process_is_raised_here():
    with pytest.raises(ValueError, match="number 3"):
        list(map_frames(third_fails, range(6), workers=2, progress=False))


def test_memory_is_bounded():
    finished = 0

    def work(x):
        nonlocal finished
        finished += 1
        return x

    results = map_frames(work, range(1000), workers=2, threads=True, progress=False)
    next(results)
    time.sleep(0.05)
    assert finished <= 9  # 4 per worker wait, and the one that was taken
    results.close()


def test_somebody_else_s_executor_is_used_and_stays_open():
    with concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="theirs") as executor:
        names = {
            name
            for _, name in map_frames(
                lambda _: threading.current_thread().name, range(20), executor=executor, progress=False
            )
        }
        assert all(name.startswith("theirs") for name in names)
        assert executor.submit(square, 3).result() == 9


def test_progress_over_an_executor(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        list(map_frames(square, range(10), executor=executor, chunk=4, description="squaring"))
    assert "10/10" in capsys.readouterr().err


@pytest.mark.parametrize(("threads", "expected"), [(2, 32), (200, 200)])
def test_a_dask_executor_is_asked_for_its_cores(threads, expected):
    """With too few tasks in flight the workers of a large cluster would wait; too many only queue up."""
    client = SimpleNamespace(nthreads=lambda: {"one": threads // 2, "two": threads // 2})
    assert cores_of(SimpleNamespace(_client=client)) == expected
    assert cores_of(SimpleNamespace()) == 32


def test_available_cores():
    assert available_cores() >= 1


def test_items_are_taken_only_as_they_are_needed():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = in_order(square, items(), workers=2, ahead=3)
    assert [next(results) for _ in range(4)] == [(0, 0), (1, 1), (2, 4), (3, 9)]
    assert len(taken) == 7  # three ahead of the fourth
    results.close()
    assert len(taken) == 7


# --- worker processes, in a script of their own --------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups of POSIX")

WITHOUT_GUARD = """
from wadlib._shared.parallel import map_frames
print("begins")
def triple(x):
    return 3 * x
print(list(map_frames(triple, range(4), workers=2, progress=False)))
"""

SLOW = """
import os, time
from wadlib._shared.parallel import map_frames
def slow(x):
    print(os.getpid(), flush=True)
    time.sleep(0.5)
if __name__ == "__main__":
    list(map_frames(slow, range(1000), workers=2, progress=False))
"""


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text, encoding="utf-8")
    return [sys.executable, str(path)]


def test_a_script_without_a_guard_runs_once(tmp_path):
    done = subprocess.run(script(tmp_path, WITHOUT_GUARD), capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["begins", "[(0, 0), (1, 3), (2, 6), (3, 9)]"], done.stderr
    assert done.returncode == 0


def test_a_script_from_standard_input():
    done = subprocess.run([sys.executable, "-"], input=WITHOUT_GUARD, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["begins", "[(0, 0), (1, 3), (2, 6), (3, 9)]"], done.stderr


@pytest.mark.slow
def test_rendering_in_a_script_without_a_guard(tmp_path):
    """The workers used to run the script again, and waited for the folder's lock, which the script held."""
    text = (
        "from wadlib.rendered import render_dataset\nrender_dataset('out', videos=1, frames=2, size='strip', workers=2)"
    )
    done = subprocess.run(script(tmp_path, text), cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out" / "train_color").iterdir())) == 2


def killed_at_three(x):
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@posix
def test_a_killed_worker_is_a_clear_error():
    with pytest.raises(
        WorkerError, match=r"killed_at_three: a worker process ended [\s\S]*with fewer workers"
    ) as caught:
        list(map_frames(killed_at_three, range(10), workers=2, progress=False))
    assert "SIGKILL" in str(caught.value)
    assert caught.value.__suppress_context__


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@posix
@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path, kill):
    process = subprocess.Popen(script(tmp_path, SLOW), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    workers = {int(process.stdout.readline()) for _ in range(4)}
    process.send_signal(kill)
    process.communicate(timeout=30)
    end = time.monotonic() + 20
    while not all(map(gone, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert all(map(gone, workers))


@posix
def test_ctrl_c_is_for_the_parent(tmp_path):
    """A terminal sends it to the whole group; the workers must not die of it, each with a traceback."""
    command = script(tmp_path, SLOW)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    started = set()
    while len(started) < 2:  # a worker that is still starting is Python's to stop, with words of its own
        started.add(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate(timeout=30)[1]
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
