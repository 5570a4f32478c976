"""Pictures in the repository: each one's origin, and none of Cityscapes, WAD or another dataset, not even in history.

Their licences allow no copy. A new picture needs a row here that says where it comes from.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PICTURE = r"\.(png|jpe?g|gif|svg|webp|avif|ico|tiff?|bmp|ppm|mp4|webm|mkv|pdf|zip|tar|tgz|7z)$"

ORIGINS = {
    r"book/_static/streets\.jpg": "drawn by book/pictures.py from rendered videos",
    r"book/_static/(rooms|waterfall)\.svg": "diagrams, drawn by book/pictures.py or by hand",
    r"wadlib/figures/rcnn_family/[a-z-]+\.svg": "diagrams, drawn by hand",
    r"results/predictions/[a-z-]+/label/18\d{4}_\d{9}_Camera_[56]_instanceIds\.png": "label maps predicted on rendered "
    "frames: the renderer dates them 2018, WAD's own are of 2017",
}
"""Whole path of a picture file, as a regular expression, and its origin."""

FOREIGN_NAMES = re.compile(
    r"leftImg8bit|gtFine|gtCoarse|_png\.rf\.|17\d{4}_\d{9}_Camera_\d|train2017|val2017|seg_track_20|ins_seg/",
    re.IGNORECASE,
)
"""What the files of Cityscapes (and its exports), WAD, COCO and BDD100K are called."""


def git(*arguments):
    if not (ROOT / ".git").exists():
        pytest.skip("no repository: an unpacked archive")
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def without_origin(paths):
    return [path for path in paths if not any(re.fullmatch(pattern, path) for pattern in ORIGINS)]


def pictures(paths):
    return sorted({path for path in paths if re.search(PICTURE, path, re.IGNORECASE)})


def test_every_picture_has_an_origin():
    tracked = pictures(git("ls-files").splitlines())
    assert tracked
    assert not without_origin(tracked), "say where they come from in ORIGINS, or take them out"


def test_no_row_is_left_over():
    tracked = pictures(git("ls-files").splitlines())
    assert [row for row in ORIGINS if not any(re.fullmatch(row, path) for path in tracked)] == []


def test_no_commit_ever_added_another_picture():
    """On this branch: other branches are others' work until they are merged."""
    added = pictures(git("log", "--diff-filter=AR", "--name-only", "--format=").splitlines())
    assert not without_origin(added), "a picture without origin lies in the history"


def test_no_file_is_called_like_one_of_a_dataset():
    every = set(git("log", "--diff-filter=AR", "--name-only", "--format=").splitlines())
    assert not [path for path in sorted(every) if FOREIGN_NAMES.search(path)]


def test_no_real_frame_lies_in_the_history_under_another_name():
    """Git knows a file by its content: whether it holds one of the real frames at hand, it can say."""
    sample = ROOT.parent / "shared" / "wad_sample"
    real = [path for path in sorted(sample.rglob("*")) if path.suffix in (".jpg", ".png")]
    if not real:
        pytest.skip("no real WAD frames beside the repository")
    names = git("hash-object", "--no-filters", *map(str, real)).split()
    found = subprocess.run(
        ["git", "cat-file", "--batch-check"],
        cwd=ROOT,
        input="\n".join(names),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line for line in found.splitlines() if not line.endswith("missing")] == []


def test_the_rules_catch_what_they_are_for():
    stray = [
        "docs/a.JPG",
        "book/_static/other.png",
        "results/predictions/mask-rcnn/label/170908_061502408_Camera_5_instanceIds.png",
    ]
    assert without_origin(pictures([*stray, "wadlib/labels.py"])) == sorted(stray)
    for name in (
        "x/aachen_000000_000019_leftImg8bit.png",
        "a/aachen_000002_000019_png.rf.3dd2.jpg",
        "170908_061502408_Camera_5.jpg",
    ):
        assert FOREIGN_NAMES.search(name)
