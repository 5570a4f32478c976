"""The Python side of the mask viewer; the browser's side is in tests/browser, its script in tests/viewer/viewer_js."""

import base64
import json
import re
import shutil
import subprocess
import sys
import threading
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import traitlets

import wadlib.instances
from wadlib.errors import DatasetError, ImageError, LabelError, StorageError, WadError
from wadlib.frames import write_label
from wadlib.labels import BACKGROUND, IGNORE, encode
from wadlib.viewer import MaskViewer, bundle, page
from wadlib.viewer.contents import from_instances, from_label, overlaps_of
from wadlib.viewer.payload import Payload, encode_frame, view_factor
from wadlib.viewer.store import Cache

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (12, 20)
PICTURE = np.arange(12 * 20 * 3, dtype=np.uint8).reshape(*SHAPE, 3)


def label_of(**places):
    """A label with boxes: ``label_of(c33001=(top, left, height, width))``."""
    label = np.full(SHAPE, BACKGROUND, np.uint16)
    for name, (top, left, height, width) in places.items():
        label[top : top + height, left : left + width] = int(name[1:])
    return label


TRUTH = label_of(c33001=(2, 2, 4, 5), c36000=(8, 10, 3, 1), c65535=(0, 15, 3, 5))
FOUND = label_of(c33007=(2, 3, 4, 5), c33008=(0, 16, 2, 4))


class Instances:
    """As `wadlib.instances.Instances` looks from outside: whole masks, which may overlap."""

    def __init__(self, masks, class_ids, scores):
        self.masks, self.class_ids, self.scores = np.array(masks), class_ids, scores


def rows(payload, source):
    return {row["code"]: row for row in payload.meta[source]}


def decoded(payload, number):
    """Label number 1 or 2 of a payload, as the browser inflates it."""
    return np.frombuffer(zlib.decompress(payload.buffers[number]), "<u2").reshape(payload.meta["view"])


# --- what is in a frame ----------------------------------------------------------------------------


def test_areas_overlaps_and_ignored_pixels_counted_by_hand():
    viewer = MaskViewer(PICTURE, truth=TRUTH, prediction=FOUND, scores={33007: 0.9, 33008: 0.25})
    payload = viewer.store.frame(0)
    assert {code: row["area"] for code, row in rows(payload, "truth").items()} == {33001: 20, 36000: 3}
    assert rows(payload, "prediction") == {
        33007: {"code": 33007, "area": 20, "score": 0.9, "ignored": 0},
        33008: {"code": 33008, "area": 8, "score": 0.25, "ignored": 8},
    }
    assert payload.meta["pairs"] == [(0, 0, 16)]  # 4 rows of 4 columns in common
    np.testing.assert_array_equal(decoded(payload, 1), TRUTH)
    np.testing.assert_array_equal(decoded(payload, 2), FOUND)


def test_overlapping_masks_keep_whole_areas_and_the_best_score_lies_on_top():
    masks = np.zeros((3, *SHAPE), bool)
    masks[0, 2:6, 2:7] = masks[1, 2:6, 4:9] = True  # they share 4 x 3 pixels
    found = from_instances(Instances(masks, [33, 33, 36], [0.4, 0.8, 0.5]), SHAPE)
    assert found.codes.tolist() == [33001, 33000, 36000]  # numbered by falling score
    assert found.runs.areas.tolist() == [20, 20, 0]
    assert (found.label == 33000).sum() == 20
    assert (found.label == 33001).sum() == 8
    pairs, ignored = overlaps_of(from_label(TRUTH), found)
    assert pairs == [(0, 0, 20), (0, 1, 12)]  # of whole masks, also below others
    assert ignored == [0, 0, 0]


def test_label_maps_and_masks_give_the_same_overlaps():
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth, found = (rng.choice([255, 33000, 33001, 36000, IGNORE], SHAPE).astype(np.uint16) for _ in range(2))
        as_label = from_label(found)
        masks = [found == code for code in as_label.codes]
        as_masks = from_instances(Instances(masks, as_label.codes // 1000, -np.arange(len(masks)) / 9 + 1), SHAPE)
        assert sorted(overlaps_of(from_label(truth), as_label)[0]) == sorted(
            overlaps_of(from_label(truth), as_masks)[0]
        )
        assert overlaps_of(from_label(truth), as_label)[1] == overlaps_of(from_label(truth), as_masks)[1]


def test_the_instances_of_the_library_are_taken():
    masks = np.zeros((2, *SHAPE), bool)
    masks[0, 1:4, 1:4] = masks[1, 3:6, 3:9] = True
    expected = from_instances(Instances(masks, [33, 40], [0.5, 0.75]), SHAPE)
    instances = wadlib.instances.Instances.from_masks(masks, [33, 40], [0.5, 0.75])
    found = from_instances(instances, SHAPE)
    np.testing.assert_array_equal(found.label, expected.label)
    np.testing.assert_array_equal(found.label, instances.to_label())
    assert found.codes.tolist() == expected.codes.tolist() == instances.codes.tolist()
    with pytest.raises(LabelError, match=r"is \(12, 20\) bool, its picture \(12, 21\)"):
        from_instances(instances, (12, 21))


def test_codes_outside_the_table_and_no_instances_at_all():
    odd = label_of(c12003=(0, 0, 2, 2), c999=(4, 4, 2, 2), c65001=(6, 6, 2, 2))
    payload = MaskViewer(PICTURE, truth=odd).store.frame(0)
    assert list(rows(payload, "truth")) == [12003, 65001]
    empty = MaskViewer(PICTURE, truth=np.full(SHAPE, BACKGROUND, np.uint16), prediction=FOUND).store.frame(0)
    assert empty.meta["truth"] == []
    assert empty.meta["pairs"] == []


def test_three_hundred_instances():
    label = np.full((60, 80), BACKGROUND, np.uint16)
    for k in range(300):
        label[2 * (k // 20) : 2 * (k // 20) + 1, 4 * (k % 20) : 4 * (k % 20) + 3] = encode(33, k)
    viewer = MaskViewer(np.zeros((60, 80, 3), np.uint8), truth=label, prediction=label)
    meta = viewer.store.frame(0).meta
    assert len(meta["truth"]) == len(meta["pairs"]) == 300


# --- what travels ----------------------------------------------------------------------------------


def test_a_frame_of_the_networks_size_is_small_and_exact():
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (640, 832, 3), dtype=np.uint8)  # nothing is harder for a JPEG
    label = np.full((640, 832), BACKGROUND, np.uint16)
    for k in range(14):
        label[300 : 340 + k, 50 * k : 50 * k + 40] = encode(33, k)
    payload = encode_frame(0, "", noise, from_label(label), from_label(label), None)
    assert payload.meta["factor"] == 1
    assert len(payload.buffers[1]) < 8_000
    np.testing.assert_array_equal(decoded(payload, 1), label)
    smooth = np.repeat(np.linspace(0, 255, 832, dtype=np.uint8)[None, :, None], 640, 0).repeat(3, 2)
    assert payload.size < 400_000  # noise at the lowest quality
    assert encode_frame(0, "", smooth, from_label(label), None, None).size < 60_000


def test_a_full_size_frame_is_divided_and_nothing_is_lost():
    assert view_factor((2710, 3384)) == 3
    image = np.zeros((2710, 3384, 3), np.uint8)
    image[:, 1692:] = 200
    label = np.full((2710, 3384), BACKGROUND, np.uint16)
    label[900:1200, 1500:1800] = 33000
    label[2001, 3003] = 36000  # one pixel, which the division by 3 skips
    payload = MaskViewer(image, truth=label).store.frame(0)
    assert payload.meta["view"] == [904, 1128]
    assert {code: row["area"] for code, row in rows(payload, "truth").items()} == {33000: 90_000, 36000: 1}
    assert rows(payload, "truth")[36000]["box"] == [2001 / 3, 1001, 2002 / 3, 3004 / 3]
    small = decoded(payload, 1)
    assert small.shape == (904, 1128)
    assert (small[300:400, 500:600] == 33000).all()
    assert (small == 33000).sum() == 10_000
    whole = MaskViewer(image, truth=label).store.full(0)
    assert whole.meta["view"] == [2710, 3384]
    np.testing.assert_array_equal(decoded(whole, 1), label)


def test_a_jpeg_file_travels_as_it_is_at_full_resolution(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (1100, 1400, 3), dtype=np.uint8)
    path = tmp_path / "a.jpg"
    path.write_bytes(simplejpeg.encode_jpeg(image))
    label_path = tmp_path / "a.png"
    write_label(label_path, np.full((1100, 1400), BACKGROUND, np.uint16))
    viewer = MaskViewer([path], truth=[label_path])
    assert viewer.store.full(0).buffers[0] == path.read_bytes()
    assert viewer.store.has_full(0)
    assert not MaskViewer(PICTURE).store.has_full(0)


def test_messages_answer_what_the_browser_asks():
    video = [np.full((*SHAPE, 3), 10 * k, np.uint8) for k in range(6)]
    viewer = MaskViewer(video, truth=[TRUTH] * 6)
    sent = []
    viewer.send = lambda content, buffers=None: sent.append((content, buffers))
    viewer._answer(viewer, {"kind": "want", "frames": [2, 3, 99, -1, "x"]}, [])
    viewer._answer(viewer, {"kind": "full", "frame": 4}, [])
    viewer._answer(viewer, {"kind": "full", "frame": 6}, [])
    viewer._answer(viewer, {"kind": "other"}, [])
    viewer._answer(viewer, "nonsense", [])
    assert [(content["kind"], content["meta"]["index"]) for content, _ in sent] == [
        ("frame", 2),
        ("frame", 3),
        ("full", 4),
    ]
    json.dumps([content for content, _ in sent])
    assert viewer._first["meta"]["index"] == 0


def test_a_long_video_is_read_only_where_one_looks_and_kept_within_bounds():
    asked = []

    def frame(number):
        asked.append(number)
        return np.full((64, 64, 3), number % 255, np.uint8)

    viewer = MaskViewer(frame, count=1000, truth=lambda number: None)
    assert asked == [0]
    viewer.store.cache.limit = 20_000
    for number in range(1000):
        viewer.store.frame(number)
    assert viewer.store.cache.size <= 20_000
    assert len(viewer.store.cache.kept) < 20
    before = len(asked)
    viewer.store.frame(999)
    assert len(asked) == before


def test_cache_keeps_what_was_used_last():
    cache = Cache(3500)
    for key in range(3):
        cache.put(key, Payload({}, (b"x" * 100,)))
    cache.get(0)
    cache.put(3, Payload({}, (b"x" * 100,)))
    assert list(cache.kept) == [2, 0, 3]
    cache.put(4, Payload({}, (b"x" * 9000,)))
    assert list(cache.kept) == [4]


def test_two_threads_may_ask_at_once():
    viewer = MaskViewer([PICTURE] * 30, truth=[TRUTH] * 30)
    threads = [threading.Thread(target=lambda: [viewer.store.frame(k) for k in range(30)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(viewer.store.cache.kept) == 30
    assert viewer.store.cache.size == sum(payload.size for payload in viewer.store.cache.kept.values())


# --- what people hand over -------------------------------------------------------------------------


def test_frames_bring_their_labels_and_predictions_are_paired_by_name(tiny_wad):
    from wadlib.dataset import open_wad

    video = open_wad(tiny_wad()).videos[0]
    viewer = MaskViewer(video, prediction={video.frames[1].name: video.frames[1].read_label()})
    assert repr(viewer) == "MaskViewer(4 frames with truth and prediction)"
    assert viewer.store.frame(0).meta["prediction"] is None
    assert viewer.store.frame(1).meta["prediction"]
    assert viewer.store.frame(1).meta["name"] == video.frames[1].name
    assert not MaskViewer(video, truth=False)._config["truth"]
    by_frame = MaskViewer(video, prediction={video.frames[2]: video.frames[2].read_label()})
    assert by_frame.store.frame(2).meta["pairs"]
    lazily = MaskViewer(video.frames, prediction=lambda frame: frame.read_label())
    assert lazily.store.frame(3).meta["pairs"]


def test_a_folder_of_predictions(tiny_wad, tmp_path):
    from wadlib.dataset import open_wad

    video = open_wad(tiny_wad()).videos[0]
    (tmp_path / "pred" / "label").mkdir(parents=True)
    frame = video.frames[0]
    write_label(tmp_path / "pred" / "label" / f"{frame.name}_instanceIds.png", frame.read_label())
    viewer = MaskViewer(video, prediction=tmp_path / "pred")
    assert viewer.store.frame(0).meta["prediction"]
    assert viewer.store.frame(1).meta["prediction"] is None
    _write_instances(tmp_path / "pred" / "instances.json", frame.name)
    (row,) = MaskViewer(video, prediction=str(tmp_path / "pred")).store.frame(0).meta["prediction"]
    assert row == {"code": 33000, "area": 2710 * 2, "score": 0.5, "ignored": 0}


def _write_instances(path, name):
    # The first two columns of a full-size frame, in COCO's uncompressed run lengths.
    segmentation = {"size": [2710, 3384], "counts": [0, 2710 * 2, 2710 * 3382]}
    row = {"file_name": f"{name}.jpg", "category_id": 33, "score": 0.5, "segmentation": segmentation}
    path.write_text(json.dumps([row]))


def test_arrays_of_many_frames_grey_pictures_and_tuples():
    stack = np.zeros((3, *SHAPE, 3), np.uint8)
    assert repr(MaskViewer(stack, truth=np.stack([TRUTH] * 3))) == "MaskViewer(3 frames with truth)"
    assert MaskViewer(np.zeros(SHAPE, np.uint8), truth=TRUTH.astype(np.int64)).store.frame(0).meta["size"] == list(
        SHAPE
    )
    assert repr(MaskViewer(PICTURE)) == "MaskViewer(1 frame)"
    assert MaskViewer(PICTURE, prediction=FOUND)._config["start"]["mode"] == "prediction"
    assert MaskViewer((PICTURE, PICTURE), truth=(TRUTH, None)).store.frame(1).meta["truth"] is None
    assert MaskViewer([PICTURE], truth=[TRUTH], tracks=[{33001: 7}]).store.frame(0).meta["tracks"] == {"33001": 7}


def test_lives_of_tracks_are_sent_beforehand_where_they_are_known():
    tracks = [{33001: 7}, None, {33002: np.int64(7)}]
    viewer = MaskViewer([PICTURE] * 3, truth=[TRUTH] * 3, tracks=tracks)
    assert viewer._config["lives"] == [{"33001": 7}, {}, {"33002": 7}]
    assert MaskViewer([PICTURE], truth=[TRUTH])._config["lives"] is None
    assert MaskViewer([PICTURE], truth=[TRUTH], tracks=lambda frame: {33001: 7})._config["lives"] is None


def test_id_switches_need_the_identities_of_truth_and_prediction():
    given = {"truth": [TRUTH] * 3, "prediction": [TRUTH] * 3, "tracks": [{33001: 7}] * 3}
    viewer = MaskViewer([PICTURE] * 3, **given, truth_tracks=[{33001: np.int64(4)}, None, {}])
    assert viewer._config["switches"]
    assert [viewer.store.frame(n).meta["truth_tracks"] for n in range(3)] == [{"33001": 4}, None, {}]
    assert not MaskViewer([PICTURE] * 3, **given)._config["switches"]
    for name in given:
        some = {key: value for key, value in given.items() if key != name}
        assert not MaskViewer([PICTURE] * 3, **some, truth_tracks=[{}] * 3)._config["switches"], name
    named = MaskViewer(PICTURE, truth=TRUTH, prediction=TRUTH, tracks={33001: 7}, truth_tracks={33001: 4})
    assert named.store.frame(0).meta["truth_tracks"] == {"33001": 4}


def test_facts_are_sent_without_pictures():
    viewer = MaskViewer([PICTURE] * 20, truth=[TRUTH] * 20)
    sent = []
    viewer.send = lambda content, buffers=None: sent.append((content, buffers))
    viewer._answer(None, {"kind": "facts", "frames": [3, 4, 99, -1, "5"]}, [])
    viewer._answer(None, {"kind": "facts", "frames": list(range(20))}, [])
    assert [meta["index"] for meta in sent[0][0]["metas"]] == [3, 4]
    assert [meta["index"] for meta in sent[1][0]["metas"]] == list(range(8))
    assert [buffers for _, buffers in sent] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"frames": []}, DatasetError, "there is no frame to show"),
        ({"frames": (f for f in [PICTURE])}, DatasetError, "got a generator"),
        ({"frames": {"a": PICTURE}}, DatasetError, "got a dict"),
        ({"frames": lambda number: PICTURE}, DatasetError, "count is None"),
        ({"frames": PICTURE.astype(float)}, ImageError, "float64"),
        ({"frames": PICTURE[..., :2]}, ImageError, r"\(12, 20, 2\)"),
        ({"frames": [PICTURE, None], "truth": [TRUTH, TRUTH[:5]]}, None, ""),
        ({"frames": [PICTURE, PICTURE], "truth": [TRUTH]}, DatasetError, "2 frames, but 1 items of truth"),
        ({"frames": [PICTURE, PICTURE], "prediction": 3}, DatasetError, "is a int"),
        ({"frames": [PICTURE, PICTURE], "truth": [TRUTH, TRUTH[:5]]}, LabelError, "is 20x5, its picture 20x12"),
        ({"frames": PICTURE, "truth": TRUTH[:, :7]}, LabelError, "is 7x12, its picture 20x12"),
        ({"frames": PICTURE, "truth": TRUTH.astype(float)}, LabelError, "float64"),
        ({"frames": PICTURE, "truth": -TRUTH.astype(int)}, LabelError, "holds codes from -65535"),
        ({"frames": PICTURE, "truth": TRUTH > 0}, LabelError, "bool"),
        ({"frames": PICTURE, "prediction": FOUND, "scores": {33007: 90}}, LabelError, "a score of .* is 90"),
        ({"frames": PICTURE, "prediction": FOUND, "scores": {33007: float("nan")}}, LabelError, "is nan"),
        (
            {"frames": PICTURE, "prediction": Instances([TRUTH > 9], [33, 34], [1.0])},
            LabelError,
            "2 class ids, 1 scores",
        ),
        ({"frames": PICTURE, "prediction": Instances([TRUTH[:4] > 9], [33], [1.0])}, LabelError, r"is \(4, 20\) bool"),
        (
            {"frames": PICTURE, "prediction": Instances([TRUTH > 9], [1], [1.0])},
            LabelError,
            r"class ids of .* are \[1\]",
        ),
        ({"frames": PICTURE, "mode": "swype"}, WadError, "expected mode to be one of .*, got 'swype'"),
        ({"frames": "not_there.jpg"}, ImageError, "not_there"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments, error, text):
    if error is None:
        MaskViewer(**arguments)  # the second frame is no picture: shown as such, when it is looked at
        return
    with pytest.raises(error, match=text):
        MaskViewer(**arguments)


def test_a_frame_that_fails_in_the_middle_is_told_of_and_the_others_are_shown(tmp_path):
    good = tmp_path / "good.jpg"
    good.write_bytes(simplejpeg.encode_jpeg(np.zeros((*SHAPE, 3), np.uint8)))
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(good.read_bytes()[:100])
    viewer = MaskViewer([good, bad, good], truth=lambda path: TRUTH if path == good else 1 / 0)
    assert "error" not in viewer.store.frame(0).meta
    assert "do not decode" in viewer.store.frame(1).meta["error"]
    assert viewer.store.frame(1).meta["name"] == "bad"
    assert "error" not in viewer.store.frame(2).meta
    broken = MaskViewer([good, good], truth=lambda path: 1 / 0)
    assert broken.store.frame(0).meta["error"] == "ZeroDivisionError: division by zero"
    with pytest.raises(ZeroDivisionError):
        MaskViewer(good, truth=lambda path: 1 / 0)


# --- the shared values -----------------------------------------------------------------------------


def test_traits_are_observable_linkable_and_kept_in_range():
    viewer, other = MaskViewer([PICTURE] * 5), MaskViewer([PICTURE] * 3)
    seen = []
    viewer.observe(lambda change: seen.append(change.new), "frame")
    viewer.frame = 2
    viewer.frame = 99
    viewer.frame = -4
    assert seen == [2, 4, 0]
    traitlets.link((viewer, "threshold"), (other, "threshold"))
    viewer.threshold = 1.5
    assert other.threshold == 1
    viewer.hidden_classes = ["person", 33, 33]
    assert viewer.hidden_classes == [33, 36]
    with pytest.raises(LabelError, match="no class 'carr'"):
        viewer.hidden_classes = ["carr"]
    viewer.selected = {"source": "truth", "code": np.uint16(33001)}
    assert viewer.selected == {"source": "truth", "code": 33001}
    json.dumps(viewer.selected)
    with pytest.raises(LabelError, match="selected is 33001"):
        viewer.selected = 33001
    viewer.selected = None


def test_the_title_and_names_cannot_become_markup():
    viewer = MaskViewer(PICTURE, truth=TRUTH, title="</script><script>alert(1)</script>")
    text = viewer._fragment(None)
    assert "<script>alert" not in text
    assert text.count("</script>") == 2  # the data's and the program's own


# --- pages -----------------------------------------------------------------------------------------


def test_a_page_needs_nothing_and_is_the_same_twice(tmp_path):
    viewer = MaskViewer([PICTURE] * 4, truth=[TRUTH] * 4, prediction=[FOUND] * 4, title="a & b")
    viewer.frame = 2
    path = viewer.to_html(tmp_path / "page.html", frames=[1, 2])
    text = path.read_text(encoding="utf-8")
    assert "<title>a &amp; b</title>" in text
    assert not re.search(r"""(?:src|href)=["'](?!data:)|https?://(?!www\.w3\.org/2000/svg)|@import|url\(""", text)
    data = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S).group(1))
    assert [frame["meta"]["index"] for frame in data["frames"]] == [0, 1]
    assert data["state"]["frame"] == 1
    assert data["config"]["count"] == 2
    label = np.frombuffer(zlib.decompress(base64.b64decode(data["frames"][0]["buffers"][1])), "<u2")
    np.testing.assert_array_equal(label.reshape(SHAPE), TRUTH)
    assert viewer.to_html(tmp_path / "again.html", frames=[1, 2]).read_bytes() == path.read_bytes()
    with pytest.raises(WadError, match="frames are 0 to 3, got \\[7\\]"):
        viewer.to_html(tmp_path / "x.html", frames=[7])
    with pytest.raises(StorageError):
        viewer.to_html(tmp_path / "nowhere" / "x.html")


def test_pages_can_hold_full_resolution():
    image = np.zeros((1100, 1400, 3), np.uint8)
    viewer = MaskViewer(image, truth=np.full((1100, 1400), BACKGROUND, np.uint16))
    assert '"full":null' in viewer._fragment(None)
    assert '"view":[1100,1400]' in viewer._fragment(None, full=True)


def test_in_a_notebook_it_is_a_widget_and_in_the_book_a_page(monkeypatch):
    viewer = MaskViewer([PICTURE] * 20, truth=[TRUTH] * 20)
    monkeypatch.delenv("WADLIB_BOOK", raising=False)
    live, _ = viewer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in live
    assert "text/html" not in live
    monkeypatch.setenv("WADLIB_BOOK", "1")
    still, _ = viewer._repr_mimebundle_()
    assert set(still) == {"text/plain", "text/html", page.MIME}
    assert re.search(
        r'<img [^>]*alt="Frame 1 in the mask viewer; labelled in it: 1 car, 1 person."', still["text/html"]
    )
    assert "<script" not in still["text/html"]
    data = json.loads(re.search(r'-data">(.*?)</script>', still[page.MIME], re.S).group(1))
    assert data["config"]["count"] == 7  # every third of 20
    assert still["text/plain"].startswith("MaskViewer(20 frames with truth)")


# --- the script ------------------------------------------------------------------------------------


def test_the_files_join_into_one_script_without_two_of_a_name():
    listed = {path.stem for path in (ROOT / "wadlib" / "viewer").glob("*.js")}
    assert listed == {*bundle.FILES, "static", "slides"}
    for text in (bundle.script(), bundle.script(page=True)):
        assert not re.search(r"^import ", text, re.M)
        names = re.findall(r"^(?:async )?(?:const|let|function|class) (\w+)", text, re.M)
        assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    assert bundle.script().count("export ") == 1
    assert "export " not in re.sub(r"//.*", "", bundle.script(page=True))


def test_each_file_comes_after_those_that_it_needs():
    for number, name in enumerate(bundle.FILES):
        text = (ROOT / "wadlib" / "viewer" / f"{name}.js").read_text(encoding="utf-8")
        needed = re.findall(r'from "\./([a-z]+)\.js"', text)
        assert set(needed) <= set(bundle.FILES[:number]), name


def test_the_script_by_node(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; tests/browser runs the same script in chromium")
    for path in [*(ROOT / "wadlib" / "viewer").glob("*.js"), *(ROOT / "tests" / "viewer" / "viewer_js").glob("*.js")]:
        shutil.copy(path, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    done = subprocess.run([node, "--test", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr


def test_the_script_is_a_module_as_every_host_wants_it():
    """anywidget's specification: an ES module whose default export has `render`; here it also needs nothing else."""
    text = bundle.script()
    assert not re.search(r"\bimport\s*\(|\bfetch\s*\(|\beval\s*\(|https?://(?!www\.w3\.org/2000/svg)", text)
    assert set(re.findall(r"\bmodel\.(\w+)\(", text)) == {"get", "set", "save_changes", "on", "off", "send"}
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; tests/browser runs the same script in chromium")
    address = f"data:text/javascript;base64,{base64.b64encode(text.encode()).decode()}"
    code = f"import widget from '{address}'; console.log(Object.keys(widget).join(), typeof widget.render)"
    done = subprocess.run([node, "--input-type=module", "-"], input=code, capture_output=True, text=True, check=False)
    assert done.stdout == "render function\n", done.stderr


def test_in_colab_the_display_names_the_manager_of_custom_widgets(monkeypatch):
    address = "https://host.invalid/manager.min.js"
    colab = types.ModuleType("google.colab.output")
    colab.enable_custom_widget_manager = lambda: None
    colab._widgets = types.SimpleNamespace(_installed_url=address)
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)
    monkeypatch.delenv("WADLIB_BOOK", raising=False)
    _, metadata = MaskViewer(PICTURE)._repr_mimebundle_()
    (about,) = metadata.values()
    assert about == {"colab": {"custom_widget_manager": {"url": address}}}


def test_the_package_waits_for_the_widget():
    code = "import sys, wadlib.viewer; sys.exit(1 if {'anywidget', 'ipywidgets'} & set(sys.modules) else 0)"
    subprocess.run([sys.executable, "-c", code], check=True)
