"""Workers on other machines: a Dask cluster as an executor, and tasks that are cheap to send.

`connected` is the one place where a command's ``--dask ADDRESS`` becomes an executor; `packed` and `run_packed` make
one small task of several items; `limit_threads` is what each worker does first.
"""

import contextlib
import os
import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from wadlib.errors import WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 16
"""Items in one task where an item takes milliseconds: Dask's own work is 5 ms per task on the client."""

_UNKNOWN_CORES = 32  # of an executor that does not tell; too many only queue up
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")


@contextlib.contextmanager
def connected(address: str | None, timeout_s: float = 20.0) -> Iterator[Executor | None]:
    """Open a connection to a Dask scheduler for the time of the block.

    Parameters
    ----------
    address : str or None
        Such as ``tcp://10.0.0.1:8786``; None gives None, which every ``executor=`` takes for "no cluster".
    timeout_s : float
        How long to wait for the scheduler, in seconds.

    Yields
    ------
    concurrent.futures.Executor or None
        Never ``pure``: a task whose output was deleted has to run again. Workers, also those that come later, begin
        with `limit_threads`.

    Raises
    ------
    WorkerError
        ``distributed`` is not installed, or no scheduler answers at that address.
    """
    if address is None:
        yield None
        return
    try:
        import distributed
    except ImportError as error:
        raise WorkerError(
            f"--dask {address}: the package distributed is not installed ({error})",
            cause="it is in the extra `cluster`",
            fix="pip install 'wadlib[cluster]'",
        ) from error

    class Threads(distributed.WorkerPlugin):  # type: ignore[misc]
        """Sets the threads of each worker."""

        name = "wadlib-threads"

        def setup(self, worker: object) -> None:
            limit_threads()

    try:
        client = distributed.Client(address, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise WorkerError(
            f"--dask {address}: no scheduler answers there ({error})",
            cause="it is not running, a firewall, or a slip in the address",
            fix="`dask scheduler` prints its address, such as tcp://10.0.0.1:8786",
        ) from error
    with client:
        client.register_plugin(Threads())
        yield client.get_executor(pure=False, retries=2)


def cores_of(executor: Executor) -> int:
    """Count the threads of a Dask executor's workers; of one that does not tell, and of few, say 32."""
    client = getattr(executor, "_client", None)
    return max(_UNKNOWN_CORES, sum(client.nthreads().values()) if client is not None else 0)


def limit_threads() -> None:
    """Let each task of this process compute in one thread: a worker has as many tasks as it has cores.

    What the environment says already has precedence: ``TF_NUM_INTRAOP_THREADS=4`` for a worker of four cores.
    """
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    import cv2

    cv2.setNumThreads(1)


def packed(items: Sequence[Any]) -> bytes:
    """Write items for one task, pickled and compressed: paths of the same folders are the same text again and again."""
    return zlib.compress(pickle.dumps(items, pickle.HIGHEST_PROTOCOL), 1)


def run_packed(function: Callable[[Item], Result], items: bytes) -> list[Result]:
    """Call `function` on each of the `packed` items."""
    return [function(item) for item in unpacked(items)]


def unpacked(items: bytes) -> list[Any]:
    """Undo `packed`; for what this program packed itself."""
    found: list[Any] = pickle.loads(zlib.decompress(items))
    return found


def is_killed(error: BaseException) -> bool:
    """Tell whether Dask gives a task up because worker after worker died of it (known by name, without dask)."""
    return type(error).__name__ == "KilledWorker"
