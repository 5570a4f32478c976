"""A Dask cluster of two workers in processes of their own, as on two machines, for the tests of this folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of the scheduler; its two workers import wadlib and these tests from where the tests did."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "start.py").write_text(START, encoding="utf-8")
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore", "TQDM_DISABLE": "1"}
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
