"""The one way to map a function over many frames.

Everything that walks a dataset (rendering, preparing, evaluating, predicting) goes through
`map_frames`: results in the order of the items, a progress bar, work that is already done skipped,
memory bounded, Ctrl-C honoured, and any `concurrent.futures.Executor` in place of our own.
"""

import contextlib
import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from tqdm.auto import tqdm

from wadlib._shared.cluster import CHUNK, cores_of, is_killed, packed, run_packed, unpacked
from wadlib.errors import WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Count the cores that this process may use (a container's share, not the whole machine's)."""
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
    chunk: int = 1,
    killed: Callable[[Item, WorkerError], Result] | None = None,
    description: str = "",
    progress: bool = True,
) -> Iterator[tuple[Item, Result]]:
    """Yield ``(item, function(item))`` in the order of `items`, computed in parallel.

    Parameters
    ----------
    function : callable
        Takes one item. For a cluster it must be importable (no lambda).
    items : iterable
        Frames, paths, indices…; read whole at the start, to know how many there are.
    done : callable, optional
        Says of an item that its work is already there: the item is skipped (and not yielded), so
        that an interrupted run goes on where it was.
    workers : int, optional
        How many at once; by default one for each core. 1 computes in this process. With `executor`:
        how many workers that one has; by default a Dask executor is asked, others are taken for 32.
    threads : bool
        Threads instead of processes: right where the work is in C code that lets go of the
        interpreter lock (decoding, resizing).
    executor : concurrent.futures.Executor, optional
        Use this one, which stays open afterwards: for example
        ``dask.distributed.Client().get_executor(pure=False)``. Whatever `function` and an item hold is sent with each
        task: an item says itself where its files are, and the function holds no index of all frames.
    chunk : int
        Items in one task of `executor`, where an item takes milliseconds.
    killed : callable, optional
        ``killed(item, error)`` is the result of an item that killed every worker of a Dask cluster that it came to
        (the others of its chunk are done one by one). By default that error is raised.
    description : str
        Beside the progress bar, such as ``"preparing"``.
    progress : bool
        Show the bar.

    Raises
    ------
    WorkerError
        A worker process was killed, or the connection to the cluster was lost.

    Notes
    -----
    At most four results per worker wait to be taken: memory does not grow with the number of
    frames. An exception in `function`, or Ctrl-C, cancels what has not begun and is raised here.
    Worker processes never run the caller's script again, so that it needs no ``if __name__ == "__main__"``.

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
        workers = available_cores() if executor is None else cores_of(executor)
    # The bar of notebooks does not look at TQDM_DISABLE by itself.
    wanted = progress and bool(todo) and not os.environ.get("TQDM_DISABLE")
    with tqdm(
        total=len(everything),
        initial=len(everything) - len(todo),
        desc=description or None,
        unit="frame",
        disable=not wanted,
    ) as bar:
        if executor is None and (workers <= 1 or len(todo) < 2):
            workers = 0
        workers = min(workers, len(todo))
        if executor is not None and chunk > 1:
            pairs = _in_chunks(function, todo, executor, workers, chunk, killed)
        else:
            given_up = None if executor is None else partial(_alone, executor, function, killed)
            pairs = in_order(function, todo, workers=workers, threads=threads, executor=executor, given_up=given_up)
        for pair in pairs:
            bar.update()
            yield pair


def map_labels(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    description: str,
    workers: int | None,
    executor: Executor | None,
    progress: bool,
) -> Iterator[tuple[Item, Result]]:
    """Map what reads a label, in milliseconds, as `map_frames` does: in threads, or `CHUNK` items to a task."""
    return map_frames(
        function,
        items,
        workers=workers,
        threads=True,
        executor=executor,
        chunk=CHUNK,
        description=description,
        progress=progress,
    )


def _in_chunks(
    function: Callable[[Item], Result],
    items: list[Item],
    executor: Executor,
    workers: int,
    chunk: int,
    killed: Callable[[Item, WorkerError], Result] | None,
) -> Iterator[tuple[Item, Result]]:
    """Yield the pairs of `map_frames`, with `chunk` items in a task of the executor."""
    groups = [items[i : i + chunk] for i in range(0, len(items), chunk)]

    def one_by_one(task: bytes, _: Exception) -> list[Result]:
        """Do a chunk of which an item kills: each by itself, so that only that one is lost."""
        return [_alone(executor, function, killed, item) for item in unpacked(task)]

    tasks = in_order(
        partial(run_packed, function), map(packed, groups), workers=workers, executor=executor, given_up=one_by_one
    )
    with contextlib.closing(tasks):
        for group, (_, results) in zip(groups, tasks, strict=True):
            yield from zip(group, results, strict=True)


def _alone(
    executor: Executor,
    function: Callable[[Item], Result],
    killed: Callable[[Item, WorkerError], Result] | None,
    item: Item,
    _: Exception | None = None,
) -> Result:
    """Do an item again while nothing else runs: Dask gives up whatever waits at a worker that dies, too."""
    try:
        return executor.submit(function, item).result()
    except Exception as error:
        if not is_killed(error):
            raise
        return _given_up(function, killed, item, error)


def _given_up(
    function: Callable[[Item], Result],
    killed: Callable[[Item, WorkerError], Result] | None,
    item: Item,
    error: Exception,
) -> Result:
    """Return the result of an item that killed its workers."""
    name = str(getattr(item, "name", item))
    found = WorkerError(
        f"{_name(function)}: {name if len(name) < 100 else name[:100] + '…'} killed each worker that it came to",
        cause="the workers have too little memory for it, or their machines were switched off one after the other",
        fix="look at that frame, give the workers more memory (dask worker --memory-limit), and run the command again",
    )
    if killed is None:
        raise found from error
    return killed(item, found)


def _name(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.args[0] if function.func is run_packed else function.func
    return str(getattr(function, "__name__", "map_frames")).strip("_")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    threads: bool = True,
    executor: Executor | None = None,
    ahead: int | None = None,
    given_up: Callable[[Item, Exception], Result] | None = None,
) -> Generator[tuple[Item, Result], None, None]:
    """Yield ``(item, function(item))`` in the order of `items`, which are taken only as they are needed.

    Work begins with this call, before the first result is asked for; the generator's ``close`` ends it.

    Parameters
    ----------
    function, items, threads, executor : see `map_frames`
    workers : int
        How many at once; 0 computes each in this thread when it is asked for.
    ahead : int, optional
        How many may be begun, or done and not yet taken; by default four for each worker.
    given_up : callable, optional
        ``given_up(item, error)`` is the result of an item that a cluster does not try again.

    Raises
    ------
    WorkerError
        A worker process was killed, or the connection to the cluster was lost.
    """
    results = _in_order(function, iter(items), workers, threads, executor, ahead or 4 * workers, given_up)
    next(results)
    return results


def _in_order(
    function: Callable[[Item], Result],
    source: Iterator[Item],
    workers: int,
    threads: bool,
    executor: Executor | None,
    ahead: int,
    given_up: Callable[[Item, Exception], Result] | None,
) -> Generator[Any, None, None]:
    """Yield None when the work has begun, then the pairs of `in_order`."""
    if executor is None and workers < 1:
        yield
        for item in source:
            yield item, function(item)
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with contextlib.ExitStack() as stack:
        if executor is None:
            executor = ThreadPoolExecutor(workers) if threads else _processes(workers)
            stack.callback(executor.shutdown, wait=True)
        begin = executor.submit
        try:
            waiting.extend((item, begin(function, item)) for item in islice(source, ahead))
            yield
            while waiting:
                first, future = waiting.popleft()
                try:
                    result = future.result()
                except Exception as error:
                    if given_up is None or not is_killed(error):
                        raise
                    wait([other for _, other in waiting])  # `given_up` may do it again with nothing beside it
                    result = given_up(first, error)
                waiting.extend((item, begin(function, item)) for item in islice(source, 1))
                yield first, result
        except BrokenExecutor as error:
            codes = re.search(r"exit codes.*\{(.+)\}", str(error))  # of loky
            detail = codes[1] if codes else str(error).split("\n")[0].rstrip(".")
            raise WorkerError(
                f"{_name(function)}: a worker process ended in the middle of its work ({detail})",
                cause="the system ran out of memory and killed it, or somebody else did",
                fix="call it again with fewer workers; what is finished is kept",
            ) from None
        except CancelledError as error:
            raise WorkerError(
                f"{_name(function)}: the cluster no longer knows its tasks",
                cause="the scheduler ended, or the network between it and this machine",
                fix="start the scheduler again, and the same command: what is finished is kept",
            ) from error
        finally:
            # What has not begun is dropped: leaving after an error or Ctrl-C does not wait for the whole queue.
            for _, future in waiting:
                future.cancel()


def _processes(workers: int) -> Executor:
    """Worker processes that do not import the main module, and that end with this process."""
    import loky

    executor: Executor = loky.ProcessPoolExecutor(
        workers,
        initializer=_begin_worker,
        initargs=(os.getpid(),),
        # loky restarts a worker that has grown by more than 0.3 GB, as full-size frames and compiled loops do.
        env={"LOKY_MAX_MEMORY_LEAK_SIZE": "4e9"},
    )
    # The first task starts the processes. They inherit that Ctrl-C is blocked: it is for the parent, which stops them
    # in good order.
    can_block = hasattr(signal, "pthread_sigmask")  # not on Windows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_block else None
    try:
        executor.submit(int)
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return executor


def _begin_worker(parent: int) -> None:
    """Run once in each worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone: killed, it could not say so."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
