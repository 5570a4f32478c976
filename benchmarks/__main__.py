"""Run all benchmarks; exit code 1 if a claim fails."""

from __future__ import annotations

import sys

from benchmarks import (
    bench_evaluate,
    bench_expansion,
    bench_export,
    bench_finetuning,
    bench_maskrcnn,
    bench_ncut,
    bench_prepare,
    bench_training,
)
from benchmarks.frames import full_size_frames
from benchmarks.measure import HEADER

BENCHMARKS = (
    bench_prepare,
    bench_evaluate,
    bench_export,
    bench_expansion,
    bench_ncut,
    bench_training,
    bench_maskrcnn,
    bench_finetuning,
)


def main() -> int:
    with full_size_frames() as (what, frames):
        print(
            f"On {len(frames)} {what}; one thread (networks: all cores); best of several alternating runs.\n\n{HEADER}"
        )
        comparisons = []
        for benchmark in BENCHMARKS:
            for comparison in benchmark.measure(frames):
                print(comparison, flush=True)
                comparisons.append(comparison)
    failed = sum(not comparison.holds for comparison in comparisons)
    print("\nEvery claim holds." if not failed else f"\n{failed} of {len(comparisons)} claims do not hold.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
