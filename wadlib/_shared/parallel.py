"""The one way to map a function over many frames.

Everything that walks a dataset (rendering, preparing, evaluating, predicting) goes through
`map_frames`: results in the order of the items, a progress bar, work that is already done skipped,
memory bounded, Ctrl-C honoured, and any `concurrent.futures.Executor` in place of our own.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TypeVar

from tqdm.auto import tqdm

__all__ = ["available_cores", "map_frames"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use (a container's share, not the whole machine's)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_frames(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    done: Callable[[Item], bool] | None = None,
    workers: int | None = None,
    threads: bool = False,
    executor: Executor | None = None,
    description: str = "",
    progress: bool = True,
) -> Iterator[tuple[Item, Result]]:
    """Yield ``(item, function(item))`` in the order of `items`, computed in parallel.

    Parameters
    ----------
    function : callable
        Takes one item. For processes and clusters it must be importable (no lambda).
    items : iterable
        Frames, paths, indices…; read whole at the start, to know how many there are.
    done : callable, optional
        Says of an item that its work is already there: the item is skipped (and not yielded), so
        that an interrupted run goes on where it was.
    workers : int, optional
        How many at once; by default one for each core. 1 computes in this process. With `executor`:
        how many workers that one has, by default taken as 32.
    threads : bool
        Threads instead of processes: right where the work is in C code that lets go of the
        interpreter lock (decoding, resizing).
    executor : concurrent.futures.Executor, optional
        Use this one, which stays open afterwards: for example ``dask.distributed.Client().get_executor()``.
    description : str
        Beside the progress bar, such as ``"preparing"``.
    progress : bool
        Show the bar.

    Notes
    -----
    At most four results per worker wait to be taken: memory does not grow with the number of
    frames. An exception in `function`, or Ctrl-C, cancels what has not begun and is raised here.

    Examples
    --------
    >>> list(map_frames(abs, [-1, 2, -3], workers=1, progress=False))
    [(-1, 1), (2, 2), (-3, 3)]
    >>> list(map_frames(abs, [-1, 2, -3], workers=1, progress=False, done=lambda i: i == 2))
    [(-1, 1), (-3, 3)]
    """
    everything = list(items)
    todo = [item for item in everything if done is None or not done(item)]
    if workers is None:
        workers = available_cores() if executor is None else 32  # an executor does not tell; too many only queue up
    # The bar of notebooks does not look at TQDM_DISABLE by itself.
    wanted = progress and bool(todo) and not os.environ.get("TQDM_DISABLE")
    with tqdm(
        total=len(everything),
        initial=len(everything) - len(todo),
        desc=description or None,
        unit="frame",
        disable=not wanted,
    ) as bar:
        for pair in _results(function, todo, max(1, workers), threads, executor):
            bar.update()
            yield pair


def _results(
    function: Callable[[Item], Result], items: list[Item], workers: int, threads: bool, executor: Executor | None
) -> Iterator[tuple[Item, Result]]:
    if executor is None and (workers == 1 or len(items) < 2):
        for item in items:
            yield item, function(item)
        return
    with contextlib.ExitStack() as stack:
        if executor is None:
            executor = _own_executor(min(workers, len(items)), threads)
            # Not `with executor`: leaving after Ctrl-C must not wait for the whole queue.
            stack.callback(executor.shutdown, wait=True, cancel_futures=True)
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                waiting.append((item, executor.submit(function, item)))
                if len(waiting) >= 4 * workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _own_executor(workers: int, threads: bool) -> Executor:
    if threads:
        return ThreadPoolExecutor(workers)
    # "spawn": a fork of a process that already runs threads (TensorFlow, OpenCV) can hang.
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_ignore_interrupt)


def _ignore_interrupt() -> None:
    """Ctrl-C reaches the parent, which stops the workers in good order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
