"""`instances.json` from outside: what follows the list, numbers without end, sizes, encodings."""

import json
import os

import numpy as np
import pytest

from wadlib.errors import InstancesError
from wadlib.instances import Instances, Runs
from wadlib.instances.instances_file import InstancesFile

(MASK,) = Runs.from_array(np.ones((1, 4, 4), bool)).to_rle()
ROW = {"image_id": 1, "file_name": "a.jpg", "category_id": 33, "score": 0.9, "segmentation": MASK}
ONE = json.dumps(ROW)


def opened(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "instances.json"
    path.write_bytes(text.encode(encoding))
    return InstancesFile.open(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[{ONE}]\n[{ONE}]", "expected nothing at byte"),
        (f"[{ONE}]oops", "expected nothing at byte"),
        (f"[{ONE} {ONE}]", "expected , or ] at byte"),
        (f"[{ONE},,{ONE}]", "expected row at byte"),
        (f"[{ONE},]", "expected row at byte"),
        ("[,,,]", "expected row or ] at byte"),
        (f"[{ONE}", "the list has no end"),
        ("[" * 100_000, "no JSON near byte"),
        ('[{"score": 1' + "0" * 5000 + "}]", "no JSON near byte"),
    ],
)
def test_what_stands_where_it_may_not(tmp_path, text, message):
    with pytest.raises(InstancesError, match=message):
        opened(tmp_path, text)


@pytest.mark.parametrize("text", ["[]", " [ ] \n", f"[{ONE}]\n\n", f"\n[\n{ONE}\n]"])
def test_sound_lists(tmp_path, text):
    assert len(opened(tmp_path, text)) == text.count("image_id")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encodings(tmp_path, encoding):
    found = opened(tmp_path, json.dumps([{**ROW, "file_name": "straße.jpg"}], ensure_ascii=False), encoding)
    assert len(found.read("straße", (4, 4))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"score": 10**400},
        {"score": 1e300},
        {"score": "0.9"},
        {"image_id": [1]},
        {"image_id": {}},
        {"bbox": [10**400] * 4},
        {"bbox": 5},
        {"segmentation": {"size": [4, 4], "counts": ["a"]}},
        {"segmentation": {"size": [4, 4], "counts": [None]}},
        {"segmentation": {"size": [4, 4], "counts": [2**64]}},
        {"segmentation": {"size": [4, 4], "counts": [0, 2**62, 2**62, 2**62, 2**62 + 16]}},
        {"segmentation": {"size": [4, 4], "counts": [16.0]}},
        {"segmentation": {"size": [10**5, 10**5], "counts": [0, 10**10]}},
        {"segmentation": {"size": 4, "counts": [16]}},
        {"segmentation": {"size": [True, 4], "counts": [4]}},
    ],
)
def test_rows_are_refused_with_the_file(tmp_path, change):
    def read():
        found = opened(tmp_path, json.dumps([{**ROW, **change}]))
        found.read("a", found.shape("a"))

    with pytest.raises(InstancesError, match=r"instances\.json"):
        read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InstancesError, match="cannot read it"):
        InstancesFile.open(tmp_path / "pipe")


def test_utf_16_is_named(tmp_path):
    path = tmp_path / "instances.json"
    path.write_bytes(json.dumps([ROW]).encode("utf-16"))
    with pytest.raises(InstancesError, match=r"expected UTF-8, got UTF-16[\s\S]*PowerShell"):
        InstancesFile.open(path)


def test_counts_alone_are_checked_like_masks():
    assert Runs.from_rle([[1, 3], "13"], (2, 2)).areas.tolist() == [3, 3]
    with pytest.raises(InstancesError, match="counts of mask 0 add up to"):
        Runs.from_rle([[0, 2**62, 2**62, 2**62, 2**62 + 16]], (4, 4))


def test_masks_that_are_none():
    for rle in (None, 5, {}, {"size": None}, {"size": [4, 4, 4], "counts": "0"}):
        with pytest.raises(InstancesError, match="expected masks of 4x4 pixels"):
            Runs.from_rle([rle], (4, 4))
    with pytest.raises(InstancesError):
        Instances.from_coco([{**ROW, "score": 10**400}], (4, 4))
