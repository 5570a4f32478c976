"""The four real frames: 17 links that a person made by eye."""

from __future__ import annotations

import numpy as np
import pytest

from wadlib.dataset import open_wad
from wadlib.instances import Instances
from wadlib.tracking import frame_times, link

# Which object bears which code in each frame: WAD's numbers change (33003, 33003, 33002, 33001 is one car).
OBJECTS = [
    {33003: "A", 33000: "B", 33001: "C", 33002: "D", 39000: "E", 40000: "F"},
    {33003: "A", 33000: "B", 33001: "C", 33002: "D", 39000: "E", 40000: "F"},
    {33002: "A", 33003: "B", 33000: "C", 33001: "D", 39000: "E", 40000: "F"},
    {33001: "A", 33002: "B", 33000: "C", 39000: "E", 40000: "F"},
]


def count_links(objects, ids):
    """Links of neighbouring frames that are right, wrong, and how many there are."""
    right = wrong = wanted = 0
    for (before, ids_before), (after, ids_after) in zip(
        zip(objects, ids, strict=True), list(zip(objects, ids, strict=True))[1:], strict=False
    ):
        wanted += len(set(before) & set(after))
        for name, number in zip(before, ids_before.tolist(), strict=True):
            for other, other_number in zip(after, ids_after.tolist(), strict=True):
                if number == other_number:
                    right, wrong = right + (name == other), wrong + (name != other)
    return right, wrong, wanted


@pytest.fixture(scope="module")
def real(wad_sample):
    (video,) = [video for video in open_wad(wad_sample).train_videos if len(video.frames) == len(OBJECTS)]
    labels = [frame.read_label() for frame in video.frames]
    for label, known in zip(labels, OBJECTS, strict=True):
        assert set(known) <= set(np.unique(label).tolist())
    return video.frames, [Instances.from_label(label) for label in labels]


def test_all_17_links_none_wrong(real):
    frames, detections = real
    ids = link(detections, frame_times(frames), (frame.read_image() for frame in frames))
    objects = [[known[code] for code in sorted(known)] for known in OBJECTS]
    assert [len(each) for each in ids] == [len(each) for each in objects]
    assert count_links(objects, ids) == (17, 0, 17)


def test_without_pictures_14_links_none_wrong(real):
    frames, detections = real
    ids = link(detections, frame_times(frames))
    objects = [[known[code] for code in sorted(known)] for known in OBJECTS]
    right, wrong, _ = count_links(objects, ids)
    assert right >= 14
    assert wrong == 0
