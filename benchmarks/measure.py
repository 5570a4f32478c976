"""Time ours and a peer in one run, and say whether the claimed ratio holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["HEADER", "Comparison", "Share", "best_of"]

HEADER = f"{'what':<42}{'ours':>10}{'peer':>11}{'ratio':>9}{'claimed':>9}  peer"


@dataclass(frozen=True)
class Comparison:
    """One claim, measured.

    Attributes
    ----------
    what : what was timed
    peer : what it was timed against
    ours_s, peer_s : seconds per frame, or what `unit` says
    claimed : the ratio that must be reached
    note : what else was compared (the results, not only the time)
    unit : "ms" (of seconds), or "MB" of memory
    """

    what: str
    peer: str
    ours_s: float
    peer_s: float
    claimed: float
    note: str = ""
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        return self.peer_s / self.ours_s

    @property
    def holds(self) -> bool:
        return self.ratio >= self.claimed

    def __str__(self) -> str:
        ours, peer = f"{self.ours_s:7.0f}", f"{self.peer_s:8.0f}"
        if self.unit == "ms":
            ours, peer = f"{self.ours_s * 1000:7.2f}", f"{self.peer_s * 1000:8.1f}"
        line = (
            f"{self.what:<42}{ours} {self.unit}{peer} {self.unit}{self.ratio:>8.1f}x{self.claimed:>8.3g}x  {self.peer}"
        )
        return line + ("" if self.holds else "  <- NOT REACHED") + (f"\n    {self.note}" if self.note else "")


@dataclass(frozen=True)
class Share:
    """A claim about a part of a whole, measured: a share of time that must stay below a limit.

    Attributes
    ----------
    what : what was measured
    share, limit : from 0 to 1
    note : what else was measured
    """

    what: str
    share: float
    limit: float
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.share < self.limit

    def __str__(self) -> str:
        line = f"{self.what:<62}{self.share:>8.1%}{f'< {self.limit:.0%}':>9}"
        return line + ("" if self.holds else "   <- TOO MUCH") + (f"\n    {self.note}" if self.note else "")


def best_of(
    ours: Callable[[], object],
    peer: Callable[[], object],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Best time of each in seconds, over `repeats` alternating runs.

    Alternating, so that another load on the machine or a change of its clock hits both; the best,
    because everything that disturbs a run only makes it longer. One run of each beforehand pays for
    compiling and for reading the files into the system's cache. `clock` is wall time, or
    ``time.process_time`` for a claim about CPU time.
    """
    ours()
    peer()
    times: dict[Callable[[], object], list[float]] = {ours: [], peer: []}
    for i in range(repeats):
        for function in (ours, peer) if i % 2 == 0 else (peer, ours):
            start = clock()
            function()
            times[function].append(clock() - start)
    return min(times[ours]), min(times[peer])
