"""What is done with tracks: numbers on labels, scores, gaps, and a folder of predictions from end to end."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.tracking.moving import SHAPE, boxes
from wadlib.dataset import open_wad
from wadlib.errors import TrackingError
from wadlib.frames import read_label, write_image, write_label
from wadlib.instances import Instances, write_predictions
from wadlib.instances.reader import PredictionFolder
from wadlib.rendered import read_tracks
from wadlib.tracking.fill import Tracked, fill_gaps
from wadlib.tracking.folder import TrackOptions, track_folder
from wadlib.tracking.numbers import number_on_labels
from wadlib.tracking.rescore import track_support


class TestNumbers:
    def test_a_thousand_and_one_tracks_reuse_the_number_that_ended_first(self):
        ids = [np.array([n, 5000 + n]) for n in range(1001)]
        classes = [np.array([33, 36], np.int32)] * 1001
        numbers = number_on_labels(ids, classes)
        assert [numbers[n] for n in range(1000)] == list(range(1000))
        assert numbers[1000] == 0
        assert numbers[6000] == 0  # persons have numbers of their own
        for each in ids:  # never twice in a frame, within a class
            assert len({(n < 5000, numbers[n]) for n in each.tolist()}) == 2

    def test_more_than_there_is_room_for_at_one_time_is_refused(self):
        with pytest.raises(TrackingError, match="at most 1000 tracks of class car at one time, got more in frame 1"):
            number_on_labels([np.arange(1000), np.arange(1001)], [np.full(n, 33, np.int32) for n in (1000, 1001)])

    def test_a_number_is_not_taken_in_the_frame_in_which_its_track_ends(self):
        ids = [np.array([0]), np.array([0, 1])]
        with pytest.raises(TrackingError):
            number_on_labels(ids, [np.full(each.size, 33, np.int32) for each in ids], room=1)


class TestSupport:
    def test_equals_the_formula(self):
        rng = np.random.default_rng(5)
        ids = [rng.permutation(6)[: rng.integers(0, 7)].astype(np.int64) for _ in range(20)]
        scores = [rng.uniform(0, 1, each.size) for each in ids]
        mixed = track_support(scores, ids, window=3, own=0.25)
        for t, (each, score, got) in enumerate(zip(ids, scores, mixed, strict=True)):
            around = range(max(0, t - 3), min(20, t + 4))
            for track, s, m in zip(each.tolist(), score.tolist(), got.tolist(), strict=True):
                found = [scores[u][ids[u] == track].sum() for u in around]
                assert m == pytest.approx(0.25 * s + 0.75 * sum(found) / len(around))

    def test_no_frames(self):
        assert track_support([], []) == []
        (mixed,) = track_support([[]], [np.zeros(0, np.int64)])
        assert mixed.shape == (0,)


def fill(frames, ids, **options):
    tracked = [Tracked(found, np.array(each, np.int64)) for found, each in zip(frames, ids, strict=True)]
    return list(fill_gaps(iter(tracked), **options))


class TestGaps:
    def test_the_box_lies_between_and_the_mask_is_the_nearer_one(self):
        frames = [boxes((33, 10, 20, 8, 10), scores=[0.8]), *[Instances.empty(SHAPE)] * 3, boxes((33, 14, 60, 12, 20))]
        filled = fill(frames, [[7], [], [], [], [7]])
        assert [each.ids.tolist() for each in filled] == [[7]] * 5
        assert [each.filled for each in filled] == [0, 1, 1, 1, 0]
        assert filled[2].found.boxes[0].tolist() == [12, 40, 22, 55]
        assert filled[1].found.scores[0] == pytest.approx(0.9 * 0.85)
        ys, xs = np.nonzero(filled[2].found.masks[0])
        assert (ys.min(), ys.max() + 1, xs.min(), xs.max() + 1) == (12, 22, 40, 55)

    def test_a_longer_gap_stays(self):
        there, gone = boxes((33, 10, 20, 8, 10)), Instances.empty(SHAPE)
        for missing, expected in ((4, 4), (5, 0)):
            filled = fill([there, *[gone] * missing, there], [[7], *[[]] * missing, [7]])
            assert sum(each.filled for each in filled) == expected
            assert len(filled) == missing + 2

    def test_what_was_detected_comes_first_as_it_was(self):
        a, both = boxes((36, 30, 100, 9, 4)), boxes((33, 10, 20, 8, 10), (36, 30, 100, 9, 4))
        filled = fill([both, a, both], [[1, 2], [2], [1, 2]])[1]
        assert filled.ids.tolist() == [2, 1]
        np.testing.assert_array_equal(filled.found.masks[0], a.masks[0])
        assert filled.found.class_ids.tolist() == [36, 33]

    def test_what_leaves_the_picture_is_cut_off(self):
        a = boxes((33, 10, 195, 8, 5))
        filled = fill([a, Instances.empty(SHAPE), a], [[1], [], [1]])[1]
        assert filled.found.masks.shape == (1, *SHAPE)
        assert filled.found.areas_px.tolist() == [40]

    def test_only_a_few_frames_are_held(self):
        read = []

        def frames():
            for n in range(30):
                read.append(n)
                yield Tracked(Instances.empty(SHAPE), np.zeros(0, np.int64))

        for n, _ in enumerate(fill_gaps(frames(), longest=4)):
            assert len(read) - n <= 6


NAMES = [f"170908_0615{2 + n // 5:02d}{n % 5 * 139:03d}_Camera_5" for n in range(8)]


@pytest.fixture
def street(tmp_path):
    """A video of eight frames: a car that drives and a person that is not found in frame 3."""
    root = tmp_path / "wad"
    for name in ("train_color", "train_label", "train_video_list"):
        (root / name).mkdir(parents=True)
    lines, found, tracks = [], [], {}
    for n, name in enumerate(NAMES):
        truth = np.full(SHAPE, 255, np.uint16)
        truth[10:18, 10 + 8 * n : 22 + 8 * n] = 33000 + n  # WAD's numbers change
        truth[30:40, 100:104] = 36000
        tracks[name] = {str(33000 + n): 1, "36000": 2}
        write_image(root / "train_color" / f"{name}.jpg", np.full((*SHAPE, 3), 90, np.uint8))
        write_label(root / "train_label" / f"{name}_instanceIds.png", truth)
        lines.append(f"a\\{name}.jpg\tb\\{name}_instanceIds.png")
        each = Instances.from_label(truth, {33000 + n: 0.9, 36000: 0.6})
        found.append((f"{name}.jpg", each[[0]] if n == 3 else each[[1, 0]]))
    (root / "train_video_list" / "road01_cam_5_video_1_image_list_train.txt").write_text("\n".join(lines))
    (root / "tracks.json").write_text(json.dumps({"videos": {"road01_cam_5_video_1": tracks}}))
    write_predictions(tmp_path / "pred", found)
    return root, tmp_path / "pred"


class TestFolder:
    def test_labels_and_instances_are_numbered_by_track(self, street, tmp_path):
        root, pred = street
        report = track_folder(open_wad(root).train_videos, pred, tmp_path / "out", progress=False)
        assert (report.videos, report.frames, report.instances, report.tracks) == (1, 8, 15, 2)
        rows = json.loads((tmp_path / "out" / "instances.json").read_text())
        before = json.loads((pred / "instances.json").read_text())
        assert [{k: v for k, v in row.items() if k != "track_id"} for row in rows] == before
        assert {(row["category_id"], row["track_id"]) for row in rows} == {(33, 1), (36, 0)}
        tracks = read_tracks(tmp_path / "out")
        for n, name in enumerate(NAMES):
            label = read_label(tmp_path / "out" / "label" / f"{name}_instanceIds.png")
            old = read_label(pred / "label" / f"{name}_instanceIds.png")
            np.testing.assert_array_equal(label // 1000, old // 1000)
            assert tracks[name] == ({33000: 1} if n == 3 else {33000: 1, 36000: 0})
            assert set(np.unique(label).tolist()) - {255} == set(tracks[name])

    def test_support_and_gaps(self, street, tmp_path):
        root, pred = street
        options = TrackOptions(support=True, longest_gap=2, threshold=0.3)
        report = track_folder(open_wad(root).train_videos, pred, tmp_path / "out", options, progress=False)
        assert report.filled == 1
        found = PredictionFolder.open(tmp_path / "out")
        third = found.read(NAMES[3])
        assert third.class_ids.tolist() == [33, 36]
        car = third.scores[0]
        assert car == pytest.approx(0.9)
        assert (read_label(found.labels[NAMES[3]])[30:40, 100:104] == 36000).all()

    def test_a_track_is_painted_if_it_was_sure_once(self, street, tmp_path):
        root, pred = street
        rows = json.loads((pred / "instances.json").read_text())
        for row in rows:  # the car is unsure but once
            if row["category_id"] == 33 and not row["file_name"].startswith(NAMES[6]):
                row["score"] = 0.4
        (pred / "instances.json").write_text(json.dumps(rows))
        for threshold, cars, persons in ((0.8, 8, 0), (0.95, 0, 0), (0.5, 8, 7)):
            out = tmp_path / f"out{threshold}"
            track_folder(open_wad(root).train_videos, pred, out, TrackOptions(threshold=threshold), progress=False)
            codes = [code for frame in read_tracks(out).values() for code in frame]
            assert (codes.count(33000), codes.count(36000)) == (cars, persons)

    def test_labels_alone(self, street, tmp_path):
        root, pred = street
        (pred / "instances.json").unlink()
        report = track_folder(open_wad(root).train_videos, pred / "label", tmp_path / "out", progress=False)
        assert (report.instances, report.tracks) == (15, 2)
        assert read_tracks(tmp_path / "out")[NAMES[0]].keys() == {33000, 36000}

    def test_again_replaces_and_foreign_folders_are_kept(self, street, tmp_path):
        root, pred = street
        videos = open_wad(root).train_videos
        track_folder(videos, pred, tmp_path / "out", progress=False)
        first = (tmp_path / "out" / "instances.json").read_bytes()
        track_folder(videos, pred, tmp_path / "out", progress=False)
        assert (tmp_path / "out" / "instances.json").read_bytes() == first
        for place, what in ((pred, "the predictions themselves"), (root, "something else")):
            with pytest.raises(TrackingError, match=what):
                track_folder(videos, pred, place, progress=False)
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["instances.json", "label", "tracks.json"]

    def test_frames_without_prediction_are_left_out_and_told(self, street, tmp_path):
        root, pred = street
        (pred / "label" / f"{NAMES[5]}_instanceIds.png").unlink()
        rows = json.loads((pred / "instances.json").read_text())
        (pred / "instances.json").write_text(json.dumps([r for r in rows if NAMES[5] not in r["file_name"]]))
        report = track_folder(open_wad(root).train_videos, pred, tmp_path / "out", progress=False)
        assert (report.frames, report.missing, report.tracks) == (7, 1, 2)
        assert "1 frames have no prediction" in report.summary()

    def test_predictions_of_other_frames(self, street, tmp_path, tiny_wad):
        with pytest.raises(TrackingError, match="no frame of these videos has a prediction in pred"):
            track_folder(
                open_wad(tiny_wad("other", contents=False)).train_videos, street[1], tmp_path / "out", progress=False
            )

    def test_labels_of_another_run(self, street, tmp_path):
        root, pred = street
        path = pred / "label" / f"{NAMES[0]}_instanceIds.png"
        label = read_label(path)
        label[0, 0] = 38007
        write_label(path, label)
        with pytest.raises(TrackingError, match=r"holds 38007, which instances\.json does not"):
            track_folder(open_wad(root).train_videos, pred, tmp_path / "out", progress=False)
        track_folder(open_wad(root).train_videos, pred, tmp_path / "out", TrackOptions(threshold=0.5), progress=False)
