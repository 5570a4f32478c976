from __future__ import annotations

import math
import os
import pickle
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from wadlib import dataset
from wadlib._shared import storage
from wadlib.dataset import Frame, Split, Video, code_areas, listfiles, open_wad
from wadlib.dataset.splits import split_videos
from wadlib.errors import DatasetError, LabelError
from wadlib.frames import write_image, write_label

LIST = "train_video_list/road01_cam_6_video_1_image_list_train.txt"


def kinds(wad):
    return dict(Counter(problem.kind for problem in wad.problems))


def listing(root):
    """Frames by video: what `open_wad` makes of a folder."""
    return {video.name: [frame.name for frame in video.frames] for video in open_wad(root).videos}


@pytest.fixture
def root(tiny_wad):
    return tiny_wad(contents=False)


def test_a_sound_dataset(root):
    wad = open_wad(root)
    assert wad.problems == ()
    assert [(v.name, v.subset, v.camera, len(v.frames)) for v in wad.videos] == [
        ("road01_cam_5_video_2", "train", 5, 4),
        ("road01_cam_6_video_1", "train", 6, 4),
        ("road01_cam_6_video_3", "train", 6, 4),
        ("road01_cam_5_video_1", "test", 5, 2),
    ]
    assert len(wad.frames) == 12
    for frame in wad.frames:
        assert frame.image_path == root / "train_color" / f"{frame.name}.jpg"
        assert frame.label_path == root / "train_label" / f"{frame.name}_instanceIds.png"
    frame = wad.test_videos[0].frames[0]
    assert (frame.name, frame.camera, frame.video) == ("170908_061400000_Camera_5", 5, "road01_cam_5_video_1")
    assert frame.image_path == root / "test" / f"{'0123456789abcdef' * 2}.jpg"
    assert frame.label_path is None
    assert wad.summary().splitlines()[1:] == [
        "  train  3 videos, 12 frames",
        "  test   1 video, 2 frames",
        "  0 problems",
    ]


def test_more_frames_ask_the_system_no_more_often(tiny_wad, monkeypatch):
    """A question for each of 39,222 files would take minutes on a network disk: folders are listed, lists are read."""
    few, many = tiny_wad("few", frames=2, contents=False), tiny_wad("many", frames=40, contents=False)
    asked = []
    for name in ("stat", "lstat", "scandir", "listdir", "open", "access", "readlink"):
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, f=function, n=name, **kw: asked.append(n) or f(*args, **kw))
    counts = []
    for root, frames in ((few, 6), (many, 120)):
        asked.clear()
        wad = open_wad(root)
        assert len(wad.frames) == frames
        assert wad.summary()
        counts.append(Counter(asked))
    assert counts[0] == counts[1]
    assert counts[0]["scandir"] <= 8  # ROOT, its five folders, and the two in the lists of the test frames
    assert counts[0]["open"] == 5 + 1  # three lists, one of the test frames and its mapping; origin.json


def test_the_real_sample(wad_sample):
    wad = open_wad(wad_sample)
    if len(wad.frames) != 4:
        pytest.skip("WAD_ROOT is not the shared sample")
    assert wad.problems == ()
    assert "1 video, 4 frames" in wad.summary()
    counts = wad.count_instances(progress=False)
    assert counts.instances == {33: 15, 34: 0, 35: 0, 36: 0, 38: 0, 39: 4, 40: 4}
    times = [frame.time_s for frame in wad.frames]
    assert np.diff(times) == pytest.approx([0.139] * 3)
    image, label = wad.frames[0].read_pair()
    assert image.shape[:2] == label.shape == (2710, 3384)


def test_videos_in_natural_order():
    names = ["road01_cam_5_video_10", "road01_cam_5_video_2", "road01_cam_10_video_1", "a"]
    assert sorted(names, key=listfiles.natural_key) == [names[3], names[1], names[0], names[2]]


@pytest.mark.parametrize("subset", ["train", "test"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r"),
        lambda text: "\n \n\t\n" + text + "\n\n",
        lambda text: text.replace("\\", "/"),
        lambda text: text.rstrip(),
        lambda text: text.replace("\t", "   "),
        lambda text: text.replace("\n", " \t\n"),
    ],
    ids=["crlf", "bom", "cr", "blank", "slashes", "no-newline", "spaces", "trailing-tab"],
)
def test_ways_to_write_a_list(root, change, subset):
    before = listing(root)
    where = "train_video_list" if subset == "train" else "test_video_list_and_name_mapping"
    for path in (root / where).rglob("*.txt"):
        path.write_bytes(change(path.read_text()).encode())
    assert listing(root) == before
    assert open_wad(root).problems == ()


def test_a_missing_picture_and_a_missing_label(root):
    frames = open_wad(root).videos[1].frames
    frames[1].image_path.unlink()
    frames[2].label_path.unlink()
    wad = open_wad(root)
    assert kinds(wad) == {"missing picture": 1, "missing label": 1, "label without picture": 1}
    assert [(f.name, f.label_path is None) for f in wad.videos[1].frames] == [
        (frames[0].name, False),
        (frames[2].name, True),
        (frames[3].name, False),
    ]
    assert len(wad.frames) == 10
    missing = next(p for p in wad.problems if p.kind == "missing picture")
    assert (missing.file, missing.line) == (LIST, 2)
    assert str(missing) == f"missing picture: train_color/{frames[1].name}.jpg ({LIST}, line 2)"
    for frame in wad.frames:  # never mispaired
        assert frame.label_path.name == f"{frame.name}_instanceIds.png"
    with pytest.raises(LabelError, match=f"frame {frames[2].name} has no label"):
        wad.videos[1].frames[1].read_label()
    assert "12 frames" not in wad.summary()
    assert "11 frames, 10 labelled" in wad.summary()


def test_a_file_that_no_list_names(root):
    name = "170908_070000000_Camera_5"
    (root / "train_color" / f"{name}.jpg").touch()
    (root / "train_label" / f"{name}_instanceIds.png").touch()
    wad = open_wad(root)
    assert kinds(wad) == {"not in a list": 1}
    assert wad.videos[-2].name == "unlisted_cam_5"
    assert [f.name for f in wad.videos[-2].frames] == [name]


def test_extra_files(root):
    (root / "train_color" / "notes.txt").touch()
    (root / "train_color" / ".hidden.part.jpg").touch()
    (root / "train_label" / "170908_060102000_Camera_6_bin.png").touch()
    (root / "train_label" / "x_instanceIds.png").touch()
    wad = open_wad(root)
    assert kinds(wad) == {"unexpected file": 2, "label without picture": 1}
    assert len(wad.frames) == 12


def test_no_list_at_all(root):
    shutil.rmtree(root / "train_video_list")
    wad = open_wad(root)
    assert [(v.name, v.camera, len(v.frames)) for v in wad.train_videos] == [
        ("unlisted_cam_5", 5, 4),
        ("unlisted_cam_6", 6, 8),
    ]
    assert [str(p) for p in wad.problems] == ["missing folder: train_video_list/ is not there"]
    (root / "train_video_list").mkdir()
    assert [str(p) for p in open_wad(root).problems] == ["missing folder: train_video_list/ holds no list"]


def test_names_that_say_nothing(root):
    shutil.rmtree(root / "train_video_list")
    shutil.rmtree(root / "train_color")
    (root / "train_color").mkdir()
    (root / "train_color" / "b.JPG").touch()
    (root / "train_color" / "a.jpeg").touch()
    video = open_wad(root).videos[0]
    assert (video.name, video.camera, [f.name for f in video.frames]) == ("unlisted_cam_unknown", None, ["a", "b"])
    assert math.isnan(video.frames[0].time_s)
    assert video.frames[0].camera is None


def test_unreadable_lines(root):
    path = root / LIST
    good = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        b"".join(
            [good[0], b"\xff\xfe\x00 not text\n", good[1], b"no picture here\n", b"a.jpg\tb.txt\n", good[2], good[3]]
        )
    )
    wad = open_wad(root)
    assert kinds(wad) == {"unreadable line": 3}
    assert [(p.file, p.line) for p in wad.problems] == [(LIST, 2), (LIST, 4), (LIST, 5)]
    assert "expected picture<TAB>label, got 'no picture here'" in str(wad.problems[1])
    assert [len(v.frames) for v in wad.train_videos] == [4, 4, 4]


def test_binary_list(root):
    (root / LIST).write_bytes(bytes(range(256)) * 8)
    wad = open_wad(root)
    assert set(kinds(wad)) == {"unreadable line", "not in a list"}
    assert len(wad.frames) == 12


@pytest.mark.parametrize(
    "line",
    [
        r"..\..\{f}.jpg" + "\t" + r"Label\{f}_instanceIds.png",
        r"road01\Camera 5\..\{f}.jpg" + "\t" + r"Label\{f}_instanceIds.png",
        r"road01\{f}.jpg" + "\t" + r"..\..\{f}_instanceIds.png",
        r"C:\wad\{f}.jpg" + "\t" + r"Label\{f}_instanceIds.png",
        "/etc/{f}.jpg\tLabel/{f}_instanceIds.png",
        r"\\server\share\{f}.jpg",
    ],
)
def test_lines_that_lead_out_of_the_dataset(root, tmp_path, line, monkeypatch):
    path = root / LIST
    frame = open_wad(root).videos[1].frames[0]
    lines = path.read_text().splitlines()
    lines[0] = line.replace("{f}", frame.name)
    path.write_text("\n".join(lines))
    opened = []
    real = listfiles.read_bytes
    monkeypatch.setattr(listfiles, "read_bytes", lambda path: opened.append(path) or real(path))
    wad = open_wad(root)
    assert kinds(wad) == {"refused path": 1, "not in a list": 1}
    assert (wad.problems[0].file, wad.problems[0].line) == (LIST, 1)
    assert all(p.resolve().is_relative_to(root) for p in opened)
    for video in wad.videos:
        for f in video.frames:
            assert f.image_path.resolve().is_relative_to(root)


def test_mapping_that_leads_out_of_the_dataset(root):
    path = next((root / "test_video_list_and_name_mapping" / "list_test_mapping").iterdir())
    md5, name = path.read_text().splitlines()[0].split("\t")
    path.write_text(f"../../secret\t{name}\n{md5}\t..\\..\\a.jpg\n")
    wad = open_wad(root)
    assert kinds(wad) == {"unreadable line": 1, "refused path": 1, "missing mapping": 2, "not in a list": 2}


def test_mismatched_line_is_paired_by_name(root):
    path = root / LIST
    lines = path.read_text().splitlines()
    images, labels = zip(*(line.split("\t") for line in lines[:4]), strict=True)
    path.write_text("\n".join("\t".join(pair) for pair in zip(images, labels[1:] + labels[:1], strict=True)))
    wad = open_wad(root)
    assert kinds(wad) == {"mismatched line": 4}
    for frame in wad.frames:
        assert frame.label_path.name == f"{frame.name}_instanceIds.png"


def test_a_frame_named_twice_belongs_to_the_first_video(root):
    lines = (root / LIST).read_text()
    first = lines.splitlines()[0]
    (root / LIST).write_text(lines + first + "\n")
    (root / "train_video_list" / "road09_cam_6_video_9_image_list_train.txt").write_text(first)
    wad = open_wad(root)
    assert kinds(wad) == {"named twice": 2}
    assert [len(v.frames) for v in wad.train_videos] == [4, 4, 4]  # and no video without frames


def test_a_list_that_cannot_be_read(root, monkeypatch):
    real = listfiles.read_bytes

    def refuse(path):
        if path.name == Path(LIST).name:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(listfiles, "read_bytes", refuse)
    wad = open_wad(root)
    assert kinds(wad) == {"unreadable list": 1, "not in a list": 4}
    assert str(wad.problems[0]) == f"unreadable list: Permission denied ({LIST})"


class TestTestVideos:
    @pytest.fixture
    def lists(self, root):
        return root / "test_video_list_and_name_mapping"

    def test_mapping_alone_is_enough(self, root, lists):
        before = listing(root)
        shutil.rmtree(lists / "list_test")
        assert listing(root) == before
        assert open_wad(root).problems == ()

    def test_list_without_mapping(self, root, lists):
        shutil.rmtree(lists / "list_test_mapping")
        wad = open_wad(root)
        assert kinds(wad) == {"missing mapping": 2, "not in a list": 2}
        assert [(v.name, len(v.frames)) for v in wad.test_videos] == [("unlisted_test", 2)]

    def test_neither(self, root, lists):
        shutil.rmtree(lists)
        wad = open_wad(root)
        assert kinds(wad) == {"missing folder": 1}
        assert [f.name for f in wad.test_videos[0].frames] == ["0123456789abcdef" * 2, "fedcba9876543210" * 2]

    def test_missing_picture(self, root, lists):
        (root / "test" / f"{'0123456789abcdef' * 2}.jpg").unlink()
        wad = open_wad(root)
        assert kinds(wad) == {"missing picture": 1}
        assert len(wad.test_videos[0].frames) == 1

    def test_several_mapping_files(self, root, lists):
        md5 = "00112233445566778899aabbccddeeff"
        (root / "test" / f"{md5}.jpg").touch()
        name = "170908_090000000_Camera_6"
        (lists / "list_test_mapping" / "md5_mapping_road02_cam_6_video_7_image_list_test.txt").write_text(
            f"{md5}\troad02_ins\\ColorImage\\Record001\\Camera 6\\{name}.jpg\n"
        )
        wad = open_wad(root)
        assert wad.problems == ()
        assert [(v.name, v.camera, v.frames[0].name) for v in wad.test_videos][1] == ("road02_cam_6_video_7", 6, name)

    def test_conflicting_mapping(self, root, lists):
        path = next((lists / "list_test_mapping").iterdir())
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines, lines[1].split("\t")[0] + "\t" + lines[0].split("\t")[1]]))
        wad = open_wad(root)
        assert kinds(wad) == {"named twice": 1}
        assert len(wad.test_videos[0].frames) == 2

    def test_only_test(self, root):
        for folder in ("train_color", "train_label", "train_video_list"):
            shutil.rmtree(root / folder)
        wad = open_wad(root)
        assert wad.problems == ()
        assert wad.frames == ()
        with pytest.raises(DatasetError, match="no labelled training frame"):
            wad.split()


class TestRoot:
    def test_missing(self, tmp_path):
        with pytest.raises(DatasetError, match=r"cannot open the folder .*nowhere: No such file[\s\S]*mistyped"):
            open_wad(tmp_path / "nowhere")

    def test_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(DatasetError, match=r"cannot open the folder .*file: Not a directory"):
            open_wad(tmp_path / "file")

    def test_empty(self, tmp_path):
        with pytest.raises(DatasetError, match=r"expected train_color or train_label, or .* in .*, got no folder"):
            open_wad(tmp_path)

    def test_a_folder_called_test_is_no_dataset(self, tmp_path):
        (tmp_path / "test").mkdir()
        with pytest.raises(DatasetError, match=r"expected train_color or train_label, or .*, got test"):
            open_wad(tmp_path)

    @pytest.mark.parametrize("where", [".", "train_color"])
    def test_above_and_below(self, root, where):
        wrong = root.parent if where == "." else root / where
        with pytest.raises(DatasetError, match=f"Fix: try {root.as_posix()}"):
            open_wad(wrong)

    def test_no_permission(self, root, monkeypatch):
        real = storage.os.scandir

        def refuse(path):
            if Path(path).name == "train_label":
                raise PermissionError(13, "Permission denied")
            return real(path)

        monkeypatch.setattr(storage.os, "scandir", refuse)
        with pytest.raises(
            DatasetError, match=r"cannot look into .*train_label: Permission denied[\s\S]*right to read"
        ):
            open_wad(root)

    def test_pictures_without_labels(self, root):
        shutil.rmtree(root / "train_label")
        wad = open_wad(root)
        assert kinds(wad) == {"missing folder": 1}
        assert wad.frames == ()
        assert len(wad.train_videos) == 3

    def test_labels_without_pictures(self, root):
        shutil.rmtree(root / "train_color")
        wad = open_wad(root)
        assert kinds(wad) == {"missing folder": 1}
        assert wad.train_videos == ()

    def test_text_path(self, root):
        assert open_wad(str(root)) == open_wad(root)

    def test_survives_the_way_to_a_worker(self, root):
        wad = open_wad(root)
        assert pickle.loads(pickle.dumps(wad)) == wad

    def test_summary_shortens(self, root):
        for path in (root / "train_label").iterdir():
            path.unlink()
        text = open_wad(root).summary()
        assert "    missing label: 12\n" in text
        assert "… and 9 more" in text
        assert "12 frames, 0 labelled" in text


def test_picture_and_label_of_different_size(tmp_path):
    write_image(tmp_path / "a.jpg", np.zeros((40, 60, 3), np.uint8))
    write_label(tmp_path / "a_instanceIds.png", np.full((20, 30), 255, np.uint16))
    frame = Frame("a", "v", tmp_path / "a.jpg", tmp_path / "a_instanceIds.png")
    with pytest.raises(
        LabelError, match=r"expected 60x40 pixels, got 30x20 .*a_instanceIds.png\): not the size of its picture a.jpg"
    ):
        frame.read_pair()
    assert frame.read_label().shape == (20, 30)
    assert frame.read_image().shape == (40, 60, 3)


class TestCounts:
    def test_areas(self):
        label = np.array([[255, 33001, 33001, 36000], [36000, 255, 33001, 65535], [37000, 0, 33000, 33000]], np.uint16)
        codes, areas = code_areas(label)
        assert dict(zip(codes.tolist(), areas.tolist(), strict=True)) == {33000: 2, 33001: 3, 36000: 2}

    def test_areas_of_noise(self):
        rng = np.random.default_rng(0)
        label = rng.integers(32990, 40010, (50, 60)).astype(np.uint16)
        codes, areas = code_areas(label)
        values, counts = np.unique(label, return_counts=True)
        keep = np.isin(values // 1000, (33, 34, 35, 36, 38, 39, 40))
        assert codes.tolist() == values[keep].tolist()
        assert areas.tolist() == counts[keep].tolist()

    def test_of_a_dataset(self, tiny_wad):
        wad = open_wad(tiny_wad(videos=1, frames=4))
        counts = wad.count_instances(progress=False)
        # Frame i of the fixtures holds a car of 100 * 200 px and a person of 10 * i px.
        assert counts.instances == {33: 4, 34: 0, 35: 0, 36: 3, 38: 0, 39: 0, 40: 0}
        assert counts.frames_with[33] == 4
        assert counts.frames_with[36] == 3
        assert sorted(counts.per_frame.tolist()) == [1, 2, 2, 2]
        assert sorted(counts.areas_px[counts.codes == 36000].tolist()) == [10, 20, 30]
        assert counts.table().splitlines()[1].split() == ["car", "4", "4", "20000"]
        assert counts.table().splitlines()[-1].split() == ["all", "7", "4"]

    def test_a_damaged_label_does_not_cost_the_run(self, tiny_wad):
        wad = open_wad(tiny_wad(videos=1, frames=3))
        wad.frames[1].label_path.write_bytes(b"")
        counts = wad.count_instances(progress=False)
        assert counts.frames == 2
        assert len(counts.failed) == 1
        assert "got an empty file" in counts.table()

    def test_of_nothing(self):
        counts = dataset.count_instances([], progress=False)
        assert sum(counts.instances.values()) == sum(counts.frames_with.values()) == 0
        assert "car" in counts.table()


def fake_videos(sizes, labelled=True):
    return [
        Video(
            f"v{v}",
            "train",
            5,
            tuple(Frame(f"{v}_{i}", f"v{v}", Path(), Path() if labelled else None) for i in range(n)),
        )
        for v, n in enumerate(sizes)
    ]


class TestSplit:
    def test_report_takes_the_first_70_percent_of_each_video(self):
        split = split_videos(fake_videos([10, 90, 3]), "report", sample=None)
        assert Counter(f.video for f in split.train) == {"v0": 7, "v1": 63, "v2": 2}
        assert [f.name for f in split.train if f.video == "v0"] == [f"0_{i}" for i in range(7)]
        assert [f.name for f in split.validation if f.video == "v0"] == ["0_7", "0_8", "0_9"]
        assert split.shared_videos == ("v0", "v1", "v2")
        assert split.note == ""
        assert "3 videos are on both sides" in split.report()

    def test_report_samples_ten_videos_by_seed(self):
        videos = fake_videos([10] * 30)
        one, same, other = (split_videos(videos, "report", seed=seed) for seed in (1, 1, 2))
        assert one == same != other
        assert len(one.shared_videos) == 10
        assert (len(one.train), len(one.validation)) == (70, 30)

    def test_fewer_videos_than_asked_for(self, root):
        split = open_wad(root).split("report")
        assert split.note == "asked for 10 videos; the dataset has 3, all are used"
        assert split.note in split.report()
        assert (len(split.train), len(split.validation)) == (3 * 2, 3 * 2)

    @pytest.mark.parametrize("n", range(2, 12))
    def test_by_video_never_shares_and_has_both_sides(self, n):
        for seed in range(5):
            split = split_videos(fake_videos([4] * n), "by_video", seed=seed, sample=None)
            assert split.shared_videos == ()
            assert len({f.video for f in split.train}) == min(max(int(0.7 * n + 1e-9), 1), n - 1)
            assert len(split.train) + len(split.validation) == 4 * n
            assert "no video is on both sides" in split.report()

    def test_by_video_depends_on_the_seed(self, tiny_wad):
        wad = open_wad(tiny_wad(videos=9, contents=False))
        assert wad.split("by_video", seed=3) == wad.split("by_video", seed=3)
        assert len({wad.split("by_video", seed=seed).train for seed in range(5)}) > 1
        assert len(wad.split("by_video").train + wad.split("by_video").validation) == 9 * 4
        assert len(wad.split("by_video", videos=5).train + wad.split("by_video", videos=5).validation) == 5 * 4

    def test_one_video_by_video(self):
        with pytest.raises(
            DatasetError, match=r"cannot split by video, got 1 video \(v0\)[\s\S]*Fix: use split\('report'\)"
        ):
            split_videos(fake_videos([9]), "by_video")
        with pytest.raises(DatasetError, match="got 1 video"):
            split_videos(fake_videos([9, 9]), "by_video", sample=1)

    def test_nothing_left_for_validation(self):
        with pytest.raises(DatasetError, match=r"no frame is left for validation \(2 frames in 2 videos\)"):
            split_videos(fake_videos([1, 1]), "report")

    def test_unlabelled_frames_are_left_out(self):
        videos = fake_videos([3]) + fake_videos([3], labelled=False)[:1]
        split = split_videos(videos, "report")
        assert len(split.train + split.validation) == 3

    @pytest.mark.parametrize(
        "options", [{"train_fraction": 70}, {"train_fraction": 0.0}, {"train_fraction": 1.0}, {"sample": 0}]
    )
    def test_impossible_numbers(self, options):
        with pytest.raises(DatasetError, match="expected 0 < train_fraction < 1 and at least 1 video"):
            split_videos(fake_videos([4, 4]), "report", **options)

    def test_unknown_kind(self, root):
        with pytest.raises(DatasetError, match="expected kind to be one of report, by_video, got 'random'"):
            open_wad(root).split("random")

    def test_report_of_a_split(self):
        frames = fake_videos([2])[0].frames
        text = Split("report", frames[:1], frames[1:]).report()
        assert text.splitlines() == [
            "split 'report'",
            "  train      1 frame of 1 video",
            "  validation 1 frame of 1 video",
            "  1 video is on both sides: the score on validation frames flatters",
        ]
