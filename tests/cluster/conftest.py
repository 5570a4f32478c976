"""A Dask cluster of two workers in processes of their own, as on two machines, for the tests of this folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# A worker that dies is started again, however early and often it dies: Dask's nannies give up one that dies while it
# begins, and then wait for a minute.
START = """
import subprocess, sys, threading
from distributed import LocalCluster

workers = {}

def keep(number, address):
    options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"]
    while not ended.is_set():
        workers[number] = subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_worker", address, *options])
        workers[number].wait()

if __name__ == "__main__":
    ended = threading.Event()
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        keepers = [threading.Thread(target=keep, args=(n, cluster.scheduler_address)) for n in range(2)]
        for keeper in keepers:
            keeper.start()
        cluster.wait_for_workers(2)
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
        ended.set()
        for worker in workers.values():
            worker.kill()
        for keeper in keepers:
            keeper.join()
"""


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of the scheduler; its two workers import wadlib and these tests from where the tests did."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "start.py").write_text(START, encoding="utf-8")
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore", "TQDM_DISABLE": "1"}
    # what a nanny sets for its worker
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment["MALLOC_TRIM_THRESHOLD_"] = "65536"
    environment["DASK_TEMPORARY_DIRECTORY"] = str(folder)
    environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "1"  # by default 3, which takes twice as long
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(folder / "start.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            text=True,
        )
        try:
            found = process.stdout.readline().strip()
            assert found, (folder / "log.txt").read_text()
            yield found
        finally:
            process.stdin.close()
            process.wait(60)
            process.stdout.close()
