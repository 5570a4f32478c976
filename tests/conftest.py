"""Fixtures for all tests: the shared real frames, and a small dataset in the Kaggle layout."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from wadlib._shared import png16

# Before any test imports TensorFlow: see wadlib.training.deterministic.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# A shell that starts the tests in the background has them, and so all that they start, ignore Ctrl-C, which some send.
signal.signal(signal.SIGINT, signal.default_int_handler)

FULL_SHAPE = (2710, 3384)

# What takes longest, in this order: with it begun first, both processes of `make test` end at about the same time.
LONGEST = (
    "tests/course/test_book.py",
    "tests/parity/",
    "tests/maskrcnn/test_training.py",
    "tests/maskrcnn/test_model.py",
    "tests/training/test_devices.py",
    "tests/maskrcnn/",
    "tests/unet/",
    "tests/training/",
    "tests/browser/",
    "tests/cluster/",  # after the book, whose kernels take both cores: killed workers must come back in time
)
# Folders for one process, as their tests share what is made once for it: the original network, a Dask cluster.
TOGETHER = ("tests/parity", "tests/cluster")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out files, and some folders whole."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            folder = file.rpartition("/")[0]
            return folder if folder in TOGETHER else file

    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest first where several processes share the tests; the others keep their order."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((n for n, name in enumerate(LONGEST) if item.nodeid.startswith(name)), 99))


@pytest.fixture(scope="session")
def wad_sample() -> Path:
    """Real WAD frames: the folder named by WAD_ROOT, or shared/wad_sample beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "wad_sample"
    root = Path(os.environ.get("WAD_ROOT") or beside)
    if not (root / "train_color").is_dir():
        pytest.skip("no real WAD frames: set WAD_ROOT to a folder that holds train_color")
    return root


@pytest.fixture(scope="session")
def full_size_files() -> list[tuple[bytes, bytes]]:
    """Four full-size frames as files: (JPEG, label PNG), plain but different from each other."""
    files = []
    for i in range(4):
        image = np.full((*FULL_SHAPE, 3), 40 * i + 60, np.uint8)
        label = np.full(FULL_SHAPE, 255, np.uint16)
        label[1800:1900, 400 * i + 100 : 400 * i + 300] = 33000 + i  # a car of 20,000 px
        label[2000:2010, 600 : 600 + i] = 36000  # a person of 10 i px
        label[2100, 700] = 65535
        files.append((cv2.imencode(".jpg", image)[1].tobytes(), png16.encode(label)))
    return files


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two rendered videos of four frames, and their true labels, numbered by identity, as predictions: (ROOT, PRED).

    Made once for all tests, which leave it as it is.
    """
    from wadlib.rendered import render_dataset

    folder = tmp_path_factory.mktemp("drawn")
    root = render_dataset(folder / "wad", videos=2, frames=4, seed=77, size="network", workers=1, progress=False)
    shutil.copytree(root / "train_label", folder / "pred" / "label")
    shutil.copy(root / "tracks.json", folder / "pred")
    return root, folder / "pred"


@pytest.fixture
def tiny_wad(tmp_path: Path, full_size_files: list[tuple[bytes, bytes]]) -> Callable[..., Path]:
    """Factory of a dataset in the Kaggle layout; ``make(contents=False)`` leaves the files empty."""

    def make(name: str = "wad", *, videos: int = 3, frames: int = 4, test: bool = True, contents: bool = True) -> Path:
        root = tmp_path / name
        for folder in ("train_color", "train_label", "train_video_list"):
            (root / folder).mkdir(parents=True)
        for video in range(1, videos + 1):
            camera = 5 + video % 2
            lines = []
            for i in range(frames):
                frame = f"170908_06{video:02d}02{i * 143:03d}_Camera_{camera}"
                jpeg, png = full_size_files[(video + i) % 4] if contents else (b"", b"")
                (root / "train_color" / f"{frame}.jpg").write_bytes(jpeg)
                (root / "train_label" / f"{frame}_instanceIds.png").write_bytes(png)
                folder = f"Record011\\Camera {camera}"
                lines.append(
                    f"road01_ins\\ColorImage\\{folder}\\{frame}.jpg\t"
                    f"road01_ins\\Label\\{folder}\\{frame}_instanceIds.png\n"
                )
            path = root / "train_video_list" / f"road01_cam_{camera}_video_{video}_image_list_train.txt"
            path.write_text("".join(lines) + "\n\n")
        if test:
            _add_test_video(root, full_size_files[0][0] if contents else b"")
        return root

    return make


def _add_test_video(root: Path, jpeg: bytes) -> None:
    lists = root / "test_video_list_and_name_mapping"
    for folder in (root / "test", lists / "list_test", lists / "list_test_mapping"):
        folder.mkdir(parents=True)
    named, mapped = "", ""
    for i, md5 in enumerate(("0123456789abcdef" * 2, "fedcba9876543210" * 2)):
        (root / "test" / f"{md5}.jpg").write_bytes(jpeg)
        path = f"road01_ins\\ColorImage\\Record011\\Camera 5\\170908_06140000{i}_Camera_5.jpg"
        named += f"{path}\n"
        mapped += f"{md5}\t{path}\n"
    (lists / "list_test" / "road01_cam_5_video_1_image_list_test.txt").write_text(named + "\n")
    (lists / "list_test_mapping" / "md5_mapping_road01_cam_5_video_1_image_list_test.txt").write_text(mapped + "\n")
