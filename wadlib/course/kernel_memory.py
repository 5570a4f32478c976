"""How much memory a notebook needs: its kernel and everything that the kernel starts, looked at while it runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

INTERVAL_S = 0.2


def resident_bytes(pid: int) -> int:
    """Add up the resident memory of a process and of all that it started, in bytes; 0 if it is gone.

    A page that two of them share is counted twice, so this is never less than what they need.
    """
    import psutil

    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                total += process.memory_info().rss
    return total


class PeakMemory:
    """The most memory that a process and its children were seen to hold at once.

    Attributes
    ----------
    bytes : int
        0 until it was looked at.
    """

    def __init__(self) -> None:
        self.bytes = 0

    @contextlib.asynccontextmanager
    async def of(self, pid: Callable[[], int | None]) -> AsyncIterator[None]:
        """Look every `INTERVAL_S` seconds while the block runs; `pid` gives None as long as there is no process."""

        async def look() -> None:
            while True:
                now = pid()
                if now is not None:
                    self.bytes = max(self.bytes, resident_bytes(now))
                await asyncio.sleep(INTERVAL_S)

        task = asyncio.create_task(look())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
