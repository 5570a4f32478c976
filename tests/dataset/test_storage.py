"""Datasets in archives and stores, read where they lie."""

import io
import os
import time
import zipfile

import pytest

from wadlib._shared import storage
from wadlib._shared.files import read_bytes
from wadlib._shared.parallel import available_cores
from wadlib.dataset import open_wad, prepare
from wadlib.errors import DatasetError, ImageError

FOLDERS = ("train_color", "train_label", "train_video_list", "test", "test_video_list_and_name_mapping")


def whole_seconds(root):
    """Give all files times that a zip can hold: even seconds, as ``unzip`` leaves them."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (1_700_000_000, 1_700_000_000))


def zips_of(root, out, *, inside=True, compression=zipfile.ZIP_STORED):
    """Kaggle's archives: one for each folder, which holds that folder (or, not `inside`, its files at the top)."""
    out.mkdir()
    for name in FOLDERS:
        with zipfile.ZipFile(out / f"{name}.zip", "w", compression) as archive:
            for path in sorted((root / name).rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(root if inside else root / name).as_posix())
    return out


def facts_of(wad):
    return [(video.name, video.subset, [frame.name for frame in video.frames]) for video in wad.videos]


def files_of(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def root(tiny_wad):
    root = tiny_wad(videos=2, frames=2)
    whole_seconds(root)
    return root


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec", reason="the extra `cluster` is not installed")
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)


class TestArchives:
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("inside", [True, False])
    def test_a_folder_of_kaggles_archives(self, root, tmp_path, inside, compression):
        wad = open_wad(zips_of(root, tmp_path / "zips", inside=inside, compression=compression))
        plain = open_wad(root)
        assert facts_of(wad) == facts_of(plain)
        assert wad.problems == plain.problems
        assert wad.lists == plain.lists
        for one, other in zip(wad.frames, plain.frames, strict=True):
            assert read_bytes(one.image_path) == other.image_path.read_bytes()
            assert read_bytes(one.label_path) == other.label_path.read_bytes()
            assert one.image_path.stem == other.image_path.stem

    def test_one_archive_stands_for_those_beside_it(self, root, tmp_path):
        zips = zips_of(root, tmp_path / "zips")
        assert facts_of(open_wad(zips / "train_color.zip")) == facts_of(open_wad(root))

    def test_an_archive_of_the_whole_dataset(self, root, tmp_path):
        with zipfile.ZipFile(tmp_path / "wad.zip", "w") as archive:
            for path in root.rglob("*"):
                if path.is_file():
                    archive.write(path, path.relative_to(root).as_posix())
        wad = open_wad(tmp_path / "wad.zip")
        assert facts_of(wad) == facts_of(open_wad(root))
        assert wad.frames[0].read_label().shape == (2710, 3384)

    def test_what_is_unpacked_goes_first(self, root, tmp_path):
        zips_of(root, tmp_path / "zips")
        (tmp_path / "zips" / "train_color.zip").rename(root / "train_color.zip")
        assert open_wad(root).frames[0].image_path.parent == root / "train_color"

    def test_prepare_writes_the_same_bytes(self, root, tmp_path):
        zips = zips_of(root, tmp_path / "zips")
        report = prepare(open_wad(zips), tmp_path / "from_zips", subset="all", progress=False)
        assert (report.prepared, report.failed) == (6, ())
        prepare(open_wad(root), tmp_path / "from_folder", subset="all", progress=False)
        assert files_of(tmp_path / "from_zips") == files_of(tmp_path / "from_folder")
        again = prepare(open_wad(zips), tmp_path / "from_zips", subset="all", progress=False)
        assert (again.prepared, again.skipped) == (0, 6)

    @pytest.mark.slow
    @pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_time_of_prepare(self, wad_sample, tmp_path, compression):
        """At most 1.1 times that of the folder, in the processor's time: the best of four, taken in turns."""
        if hasattr(os, "getloadavg") and os.getloadavg()[0] > available_cores():
            pytest.skip("other programs keep this machine busy: no ratio of times means anything")
        sources = {
            "folder": open_wad(wad_sample),
            "zips": open_wad(zips_of(wad_sample, tmp_path / "zips", compression=compression)),
        }
        spent = {name: [] for name in sources}
        for n in range(5):
            for name, wad in sources.items():
                before = time.process_time()
                prepare(wad, tmp_path / f"{name}{n}", workers=1, progress=False)
                spent[name].append(time.process_time() - before)
        ratio = min(spent["zips"][1:]) / min(spent["folder"][1:])
        print(f"from zips {ratio:.3f} times the time from the folder")
        assert ratio <= 1.1

    def test_nothing_is_unpacked(self, root, tmp_path):
        zips = zips_of(root, tmp_path / "zips")
        open_wad(zips).count_instances(progress=False)
        assert sorted(path.name for path in zips.iterdir()) == sorted(f"{name}.zip" for name in FOLDERS)

    def test_damaged_and_missing(self, root, tmp_path):
        zips = zips_of(root, tmp_path / "zips")
        frame = open_wad(zips).frames[0]
        with zipfile.ZipFile(zips / "train_color.zip") as archive:
            begin = archive.getinfo(f"train_color/{frame.image_path.name}").header_offset
        data = bytearray((zips / "train_color.zip").read_bytes())
        data[begin + 200] ^= 255
        (zips / "train_color.zip").write_bytes(data)
        with pytest.raises(ImageError, match="damaged entry"):
            frame.read_image()
        with pytest.raises(FileNotFoundError):
            read_bytes(zips / "train_label.zip/train_label/nothing.png")
        (zips / "train_label.zip").write_bytes(b"PK, but no archive")
        with pytest.raises((DatasetError, OSError), match="no sound zip archive"):
            open_wad(zips)

    def test_an_entry_that_unpacks_to_more_than_it_says(self, tmp_path):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.jpg", bytes(10_000_000))
        data = bytearray(buffer.getvalue())
        for place in (data.find(b"PK\3\4") + 22, data.find(b"PK\1\2") + 24):
            data[place : place + 4] = (100).to_bytes(4, "little")
        (tmp_path / "bomb.zip").write_bytes(data)
        with pytest.raises(OSError, match="damaged entry"):
            read_bytes(tmp_path / "bomb.zip/a.jpg")

    def test_the_time_of_an_entry(self, root, tmp_path):
        zips = zips_of(root, tmp_path / "zips")
        name = open_wad(root).frames[0].image_path.name
        assert storage.facts(zips / f"train_color.zip/train_color/{name}") == storage.facts(
            root / f"train_color/{name}"
        )


class TestStores:
    def fill(self, memory, folder, where):
        for path in folder.rglob("*"):
            if path.is_file():
                memory.pipe_file(f"{where}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    @pytest.mark.parametrize("zipped", [False, True])
    def test_the_same_dataset(self, root, tmp_path, memory, zipped):
        source = zips_of(root, tmp_path / "zips") if zipped else root
        self.fill(memory, source, f"/kaggle{zipped}/wad")
        wad, plain = open_wad(f"memory://kaggle{zipped}/wad"), open_wad(root)
        assert facts_of(wad) == facts_of(plain)
        assert read_bytes(wad.frames[0].image_path) == plain.frames[0].image_path.read_bytes()
        report = prepare(wad, tmp_path / "out", progress=False)
        assert (report.prepared, report.failed) == (4, ())
        assert facts_of(open_wad(tmp_path / "out"))[0] == facts_of(plain)[0]
        assert prepare(wad, tmp_path / "out", progress=False).skipped == 4

    def test_one_request_for_an_entry(self, root, tmp_path, memory, monkeypatch):
        self.fill(memory, zips_of(root, tmp_path / "zips"), "/requests")
        frame = open_wad("memory://requests").frames[0]
        asked = []
        cat_file = type(memory).cat_file
        monkeypatch.setattr(type(memory), "cat_file", lambda *args, **kw: asked.append(kw) or cat_file(*args, **kw))
        frame.read_image()
        assert len(asked) == 1
        assert asked[0]["end"] - asked[0]["start"] < len(read_bytes(frame.image_path)) + 1000

    def test_errors_say_what_is_wrong(self, memory):
        with pytest.raises(DatasetError, match="cannot open the folder memory:/nothing"):
            open_wad("memory://nothing")
        with pytest.raises(DatasetError, match="Protocol not known: nosuchstore"):
            open_wad("nosuchstore://x/y")


@pytest.mark.slow
def test_many_entries(tmp_path):
    """An archive of 39,222 entries is listed within two seconds, and an entry is found at once."""
    with zipfile.ZipFile(tmp_path / "train_label.zip", "w") as archive:
        for n in range(39_222):
            archive.writestr(f"train_label/170908_{n:09d}_Camera_5_instanceIds.png", b"")
    before = time.process_time()
    assert len(storage.list_folder(tmp_path / "train_label.zip/train_label")) == 39_222
    assert time.process_time() - before < 2
    before = time.process_time()
    for n in range(0, 39_222, 100):
        assert read_bytes(tmp_path / f"train_label.zip/train_label/170908_{n:09d}_Camera_5_instanceIds.png") == b""
    assert (time.process_time() - before) / 393 < 0.002
