from __future__ import annotations

import concurrent.futures
import threading
import time

import pytest

from wadlib._shared.parallel import available_cores, map_frames


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


def test_what_is_done_is_skipped_and_counted(capsys):
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


def test_available_cores():
    assert available_cores() >= 1
