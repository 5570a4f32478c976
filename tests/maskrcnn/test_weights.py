"""Files of weights: the original's layout, the three lists, and every way in which a file can be wrong."""

import errno
import hashlib
import json
import os
import warnings
from pathlib import Path
from string import ascii_lowercase

import h5py
import numpy as np
import pytest

from wadlib.errors import StorageError, WadError, WeightsError
from wadlib.maskrcnn import Config, weights
from wadlib.maskrcnn.weight_files import released
from wadlib.maskrcnn.weights import HEADS, BackboneWarning, LoadReport, fetch, find, fingerprint, load, save
from wadlib.training.backend import as_array

keras = pytest.importorskip("keras")

FACTS = Path(__file__).resolve().parents[2] / "report" / "report_facts.json"


def tiny(classes=8, blocks="abcdef", seed=0):
    """A network of few weights with layers named and nested as in Mask R-CNN."""
    keras.utils.set_random_seed(seed)
    features = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(2, 1, name="conv1")(features)
    x = keras.layers.BatchNormalization(name="bn_conv1")(x)
    for letter in blocks:
        x = keras.layers.Conv2D(2, 1, name=f"res4{letter}_branch2a")(x)
        x = keras.layers.BatchNormalization(name=f"bn4{letter}_branch2a")(x)
    cells = keras.Input((None, None, 2), name="input_rpn_feature_map")
    shared = keras.layers.Conv2D(4, 3, padding="same", name="rpn_conv_shared")(cells)
    answers = [
        keras.layers.Conv2D(n, 1, name=name)(shared) for n, name in ((6, "rpn_class_raw"), (12, "rpn_bbox_pred"))
    ]
    rpn = keras.Model(cells, answers, name="rpn_model")
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    logits = keras.layers.Dense(classes, name="mrcnn_class_logits")(pooled)
    boxes = keras.layers.Dense(4 * classes, name="mrcnn_bbox_fc")(pooled)
    boxes = keras.layers.Reshape((classes, 4), name="mrcnn_bbox")(boxes)
    masks = keras.layers.Conv2D(classes, 1, name="mrcnn_mask")(x)
    return keras.Model(features, [*rpn(x), logits, boxes, masks])


def values(model):
    return {f"{name}/{weight}": as_array(v) for name, own in weights.layers_of(model).items() for weight, v in own}


def same(first, second):
    one, other = values(first), values(second)
    return one.keys() == other.keys() and all((one[key] == other[key]).all() for key in one)


@pytest.fixture(scope="module")
def models():
    """Two of the same shape with different weights, and one with more classes; tests leave them as they were."""
    return tiny(seed=1), tiny(seed=2), tiny(classes=81, seed=3)


@pytest.fixture
def target(models):
    before = models[1].get_weights()
    yield models[1]
    models[1].set_weights(before)


def write_as_keras_2(path, layers, root=""):
    """A file as Keras 2.0.8 wrote it: (layer, [(name of the weight, array), ...]), ..."""
    with h5py.File(path, "w") as file:
        top = file.create_group(root) if root else file
        top.attrs["layer_names"] = [name.encode() for name, _ in layers]
        top.attrs["keras_version"], top.attrs["backend"] = b"2.0.8", b"tensorflow"
        for name, own in layers:
            group = top.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight, _ in own]
            for weight, value in own:
                group.create_dataset(weight, data=value)


class TestThereAndBack:
    def test_all_weights(self, models, target, tmp_path):
        save(models[0], tmp_path / "w.h5")
        report = load(target, tmp_path / "w.h5")
        assert same(models[0], target)
        assert (report.missing, report.unused, report.excluded) == ((), (), ())
        assert len(report.loaded) == 2 + 2 * 6 + 3 + 3
        assert "rpn_model/rpn_conv_shared" in report.loaded
        assert fingerprint(models[0]) == fingerprint(target)

    def test_layout_is_keras_2s(self, models, tmp_path):
        save(models[0], tmp_path / "w.h5")
        with h5py.File(tmp_path / "w.h5") as file:
            assert "rpn_model" in [name.decode() for name in file.attrs["layer_names"]]
            assert [name.decode() for name in file["rpn_model"].attrs["weight_names"]] == [
                f"{layer}/{weight}:0"
                for layer in ("rpn_conv_shared", "rpn_class_raw", "rpn_bbox_pred")
                for weight in ("kernel", "bias")
            ]
            assert [name.decode() for name in file["bn_conv1"].attrs["weight_names"]] == [
                f"bn_conv1/{weight}:0" for weight in ("gamma", "beta", "moving_mean", "moving_variance")
            ]
            assert file["conv1/conv1/kernel:0"].shape == (1, 1, 3, 2)

    def test_keras_itself_reads_it(self, models, target, tmp_path):
        save(models[0], tmp_path / "w.h5")
        target.load_weights(tmp_path / "w.h5", by_name=True)
        assert same(models[0], target)

    def test_a_file_that_keras_2_wrote(self, target, tmp_path):
        kernel, bias = np.full((1, 1, 3, 2), 0.5, np.float32), np.ones(2, np.float32)
        rpn = [(f"rpn_class_raw/{name}:0", np.full(s, 2.0)) for name, s in (("kernel", (1, 1, 4, 6)), ("bias", 6))]
        shared = [(f"rpn_conv_shared_1/{n}:0", np.full(s, 3.0)) for n, s in (("kernel", (3, 3, 2, 4)), ("bias", 4))]
        layers = [
            ("input_image", []),
            ("conv1", [("conv1_1/kernel:0", kernel), ("conv1_1/bias:0", bias)]),
            ("rpn_model", [*shared, *rpn]),
            ("fpn_p9", [("fpn_p9/kernel:0", kernel)]),
        ]
        write_as_keras_2(tmp_path / "w.h5", layers)
        report = load(target, tmp_path / "w.h5")
        assert report.loaded == ("conv1", "rpn_model/rpn_class_raw")
        assert report.unused == ("rpn_model/rpn_conv_shared_1", "fpn_p9")  # another name is another layer
        assert len(report.missing) == len(weights.layers_of(target)) - 2
        assert (as_array(target.get_layer("conv1").kernel) == 0.5).all()

    def test_a_file_of_the_whole_model(self, target, tmp_path):
        bias = ("conv1/bias:0", np.ones(2))
        write_as_keras_2(
            tmp_path / "w.h5", [("conv1", [("conv1/kernel:0", np.ones((1, 1, 3, 2))), bias])], "model_weights"
        )
        assert load(target, tmp_path / "w.h5").loaded == ("conv1",)

    def test_names_may_be_in_another_order(self, target, tmp_path):
        own = [("conv1/bias:0", np.full(2, 7.0)), ("conv1/kernel:0", np.ones((1, 1, 3, 2)))]
        write_as_keras_2(tmp_path / "w.h5", [("conv1", own)])
        load(target, tmp_path / "w.h5")
        assert as_array(target.get_layer("conv1").bias).tolist() == [7, 7]

    def test_the_config_travels_with_it(self, models, tmp_path):
        save(models[0], tmp_path / "w.h5", config=Config.classroom())
        assert weights.read_config(tmp_path / "w.h5") == Config.classroom()
        save(models[0], tmp_path / "w.h5")
        assert weights.read_config(tmp_path / "w.h5") is None

    def test_fingerprint_sees_a_single_weight(self, target):
        before = fingerprint(target)
        target.get_layer("conv1").bias.assign([0, 1e-6])
        assert fingerprint(target) != before


class TestCompact:
    def test_half_the_size_and_float16_of_kernels_only(self, tmp_path):
        inputs = keras.Input((8,))
        outputs = keras.layers.Dense(512, name="wide")(keras.layers.Dense(256, name="mrcnn_class_conv1")(inputs))
        model = keras.Model(inputs, keras.layers.BatchNormalization(name="bn")(outputs))
        model.get_layer("bn").moving_variance.assign(np.full(512, 1e6))  # 65504 is float16's largest
        save(model, tmp_path / "plain.h5")
        save(model, tmp_path / "compact.h5", compact=True)
        assert (tmp_path / "compact.h5").stat().st_size < 0.55 * (tmp_path / "plain.h5").stat().st_size
        exact = values(model)
        load(model, tmp_path / "compact.h5")
        for name, value in values(model).items():
            if name.endswith("/kernel"):
                assert np.allclose(value, exact[name], rtol=1e-3, atol=1e-6)
                assert value.dtype == np.float32
            else:
                assert (value == exact[name]).all()

    def test_a_kernel_that_float16_cannot_hold(self, tmp_path):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="d")])
        model.get_layer("d").kernel.assign([[1e5]])
        save(model, tmp_path / "w.h5", compact=True)
        load(model, tmp_path / "w.h5")
        assert as_array(model.get_layer("d").kernel).tolist() == [[1e5]]


class TestBackbones:
    """The COCO file holds res4a to res4w; the report's ResNet-50 has res4a to res4f."""

    def test_seventeen_blocks_are_named(self, models, target, tmp_path):
        deep = tiny(blocks=ascii_lowercase[:23], seed=4)
        save(deep, tmp_path / "mask_rcnn_coco.h5")
        with pytest.warns(BackboneWarning) as caught:
            report = load(target, tmp_path / "mask_rcnn_coco.h5")
        said = str(caught[0].message)
        dropped = [f"res4{letter}" for letter in "ghijklmnopqrstuvw"]
        assert len(dropped) == 17
        assert said.startswith("17 stage-4 blocks of mask_rcnn_coco.h5 found no place in the model and were dropped")
        assert ", ".join(dropped) in said
        assert "res4f" not in said
        assert "Config.coco()" in said
        assert set(report.unused) == {f"{kind}{block[3:]}_branch2a" for block in dropped for kind in ("res", "bn")}
        assert report.missing == ()
        assert caught[0].filename == __file__

    def test_the_other_way_round(self, models, tmp_path):
        save(models[0], tmp_path / "w.h5")
        with pytest.warns(BackboneWarning, match=r"17 stage-4 blocks of the model are not in w\.h5 and kept"):
            report = load(tiny(blocks=ascii_lowercase[:23], seed=4), tmp_path / "w.h5")
        assert len(report.missing) == 34

    def test_the_same_backbone_says_nothing(self, models, target, tmp_path):
        save(models[0], tmp_path / "w.h5")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load(target, tmp_path / "w.h5")

    def test_a_backbone_without_blocks_says_nothing(self, models, tmp_path):
        save(models[0], tmp_path / "w.h5")
        load(tiny(blocks="", seed=4), tmp_path / "w.h5")


class TestOtherClasses:
    def test_81_classes_into_8(self, models, target, tmp_path):
        save(models[2], tmp_path / "coco.h5")
        before = values(target)
        with pytest.raises(WeightsError, match=r"in layer mrcnn_\w+, got .* in coco\.h5 \(and 2 more layers") as caught:
            load(target, tmp_path / "coco.h5")
        shapes = {"class_logits": "[(2, 8), (8,)]", "bbox_fc": "[(2, 32), (32,)]", "mask": "[(1, 1, 2, 8), (8,)]"}
        assert any(
            f"expected shapes {shape} in layer mrcnn_{name}," in str(caught.value) for name, shape in shapes.items()
        )
        assert all(f"'{name}'" in caught.value.fix.partition("exclude=")[2] for name in HEADS)
        assert all((value == before[name]).all() for name, value in values(target).items())  # nothing was set

    def test_what_the_fix_says_works(self, models, target, tmp_path):
        save(models[2], tmp_path / "coco.h5")
        before = values(target)
        report = load(target, tmp_path / "coco.h5", exclude=HEADS)
        assert sorted(report.excluded) == sorted(HEADS)
        assert report.missing == report.unused == ()
        after = values(target)
        assert (after["mrcnn_mask/kernel"] == before["mrcnn_mask/kernel"]).all()
        assert (after["conv1/kernel"] == values(models[2])["conv1/kernel"]).all()

    @pytest.mark.parametrize(
        ("exclude", "expected"),
        [
            (["mrcnn_class_logits", "mrcnn_bbox_fc", "mrcnn_bbox", "mrcnn_mask"], 3),  # as in the original's examples
            (["mrcnn_*"], 3),
            ("mrcnn_*", 3),
            (["rpn_model"], 3),
            (["rpn_class_raw"], 1),
            ([], 0),
        ],
    )
    def test_what_can_be_excluded(self, models, target, tmp_path, exclude, expected):
        save(models[0], tmp_path / "w.h5")
        assert len(load(target, tmp_path / "w.h5", exclude=exclude).excluded) == expected

    def test_a_slip_in_exclude(self, models, target, tmp_path):
        save(models[0], tmp_path / "w.h5")
        with pytest.raises(WeightsError, match="got 'mrcnn_class_logit', which no layer has"):
            load(target, tmp_path / "w.h5", exclude=["mrcnn_class_logit"])


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "got no file"),
            (b"", "got an empty file"),
            (b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "got a truncated one of 48 bytes"),
            (b"<html>404</html>", "got another kind of file"),
        ],
    )
    def test_not_hdf5(self, target, tmp_path, content, message):
        path = tmp_path / "w.h5"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(WeightsError, match=message):
            load(target, path)
        with pytest.raises(WeightsError, match=message):
            weights.read_config(path)

    def test_a_folder(self, target, tmp_path):
        with pytest.raises(WeightsError, match="got no file"):
            load(target, tmp_path)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
    def test_truncated_anywhere_leaves_the_model_alone(self, models, target, tmp_path, share):
        path = tmp_path / "w.h5"
        save(models[0], path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        before = values(target)
        with pytest.raises(WeightsError, match="truncated"):
            load(target, path)
        assert all((value == before[name]).all() for name, value in values(target).items())

    def test_damaged_inside(self, models, target, tmp_path):
        path = tmp_path / "w.h5"
        save(models[0], path, compact=True)
        data = bytearray(path.read_bytes())
        middle = data.index(b"rpn_conv_shared")
        data[middle - 4000 : middle + 4000] = b"\xff" * len(data[middle - 4000 : middle + 4000])
        path.write_bytes(data)
        with pytest.raises(WeightsError):
            load(target, path)

    def test_hdf5_of_another_program(self, target, tmp_path):
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file["table"] = [1, 2]
        with pytest.raises(WeightsError, match=r"got HDF5 that holds table[\s\S]*another program"):
            load(target, tmp_path / "w.h5")

    @pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras with numpy 2
    def test_a_keras_3_checkpoint(self, models, target, tmp_path):
        models[0].save_weights(tmp_path / "c.weights.h5")
        with pytest.raises(WeightsError, match=r"checkpoint of Keras 3[\s\S]*MaskRCNN\.save"):
            load(target, tmp_path / "c.weights.h5")

    def test_another_network(self, target, tmp_path):
        write_as_keras_2(tmp_path / "w.h5", [("block1_conv1", [("block1_conv1/kernel:0", np.ones(3))])])
        with pytest.raises(WeightsError, match=r"expected layers such as conv1, bn_conv1, .* got block1_conv1"):
            load(target, tmp_path / "w.h5")

    def test_a_group_that_is_missing(self, target, tmp_path):
        write_as_keras_2(tmp_path / "w.h5", [("conv1", [("conv1/kernel:0", np.ones(3))])])
        with h5py.File(tmp_path / "w.h5", "a") as file:
            del file["conv1"]
        with pytest.raises(WeightsError, match="is damaged"):
            load(target, tmp_path / "w.h5")

    @pytest.mark.parametrize("stored", ["group", "empty"])
    def test_no_array_in_place_of_one(self, target, tmp_path, stored):
        write_as_keras_2(tmp_path / "w.h5", [("conv1", [("conv1/kernel:0", np.ones(3))])])
        with h5py.File(tmp_path / "w.h5", "a") as file:
            del file["conv1/conv1/kernel:0"]
            if stored == "group":
                file.create_group("conv1/conv1/kernel:0")
            else:
                file["conv1/conv1/kernel:0"] = h5py.Empty("f4")
        with pytest.raises(WeightsError, match="is damaged"):
            load(target, tmp_path / "w.h5")

    def test_text_in_place_of_numbers(self, target, tmp_path):
        own = [("conv1/kernel:0", np.full((1, 1, 3, 2), b"a")), ("conv1/bias:0", np.ones(2))]
        write_as_keras_2(tmp_path / "w.h5", [("conv1", own)])
        with pytest.raises(WeightsError, match="is damaged"):
            load(target, tmp_path / "w.h5")

    def test_nan(self, target, tmp_path):
        own = [("conv1/kernel:0", np.full((1, 1, 3, 2), np.nan)), ("conv1/bias:0", np.ones(2))]
        write_as_keras_2(tmp_path / "w.h5", [("conv1", own)])
        with pytest.raises(WeightsError, match=r"got nan or infinity in /conv1/conv1/kernel:0 of w\.h5"):
            load(target, tmp_path / "w.h5")


class TestSaving:
    def test_a_weight_that_is_nan_is_not_saved(self, target, tmp_path):
        target.get_layer("conv1").bias.assign([np.nan, 0])
        with pytest.raises(WeightsError, match="got nan or infinity in conv1/bias:0"):
            save(target, tmp_path / "w.h5")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("compact", [False, True])
    def test_a_full_disk_leaves_the_old_file(self, models, tmp_path, monkeypatch, compact):
        save(models[0], tmp_path / "w.h5")
        whole = (tmp_path / "w.h5").read_bytes()

        def full(*args, **kwargs):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(h5py.Group, "create_dataset", full)
        with pytest.raises(StorageError, match="the disk is full"):
            save(models[1], tmp_path / "w.h5", compact=compact)
        assert [p.name for p in tmp_path.iterdir()] == ["w.h5"]
        assert (tmp_path / "w.h5").read_bytes() == whole

    def test_no_such_folder(self, models, tmp_path):
        with pytest.raises(StorageError, match="the folder does not exist"):
            save(models[0], tmp_path / "nowhere" / "w.h5")


def test_summary_shortens_long_lists():
    report = LoadReport(("a",), tuple("bcdefghi"), ("x",))
    assert report.summary().splitlines() == [
        "1 layers loaded",
        "8 not in the file, left as they were: b, c, d, e, f, g, … and 2 more",
        "1 in the file, not in the model: x",
    ]


class TestByName:
    def test_address_and_check_sum_are_the_reports(self):
        facts = json.loads(FACTS.read_text(encoding="utf-8"))["facts"]["pretrained_weights"]["value"]
        assert (facts["url"], facts["md5"]) == (released.COCO_URL, released.COCO_MD5)

    def test_unknown(self, tmp_path):
        with pytest.raises(WeightsError, match="expected one of coco, rendered, streets, wild, got 'cocoa'"):
            fetch("cocoa")
        with pytest.raises(WeightsError, match="or one of coco, rendered, streets, wild, got nothing at 'cocoa'"):
            find("cocoa")
        with pytest.raises(WeightsError, match="got a folder at"):
            find(tmp_path)

    def test_a_path_is_taken_as_it_is(self, tmp_path):
        (tmp_path / "w.h5").touch()
        assert find(str(tmp_path / "w.h5")) == tmp_path / "w.h5"

    @pytest.mark.parametrize("name", released.SHIPPED)
    def test_shipped_files_are_there_or_say_how_to_train(self, name, monkeypatch, tmp_path):
        assert find(name).is_file()
        monkeypatch.setattr(released, "__file__", str(tmp_path / "weight_files" / "released.py"))
        with pytest.raises(WeightsError, match=r"are not in this[\s\S]*wadlib train maskrcnn ROOT --config classroom"):
            find(name)

    def test_only_streets_has_a_licence_of_its_own(self):
        assert released.licence_of(find("rendered")) is None
        assert released.licence_of(find("wild")) is None
        text = released.licence_of(find("streets")).read_text(encoding="utf-8")
        assert "www.cityscapes-dataset.com/license" in text
        assert "not for commercial purposes" in " ".join(text.split())

    def test_offline_says_where_to_put_the_file(self, tmp_path, monkeypatch):
        import requests

        def offline(*args, **kwargs):
            raise requests.exceptions.ConnectionError("no route")

        monkeypatch.setenv("WADLIB_CACHE", str(tmp_path))
        monkeypatch.setattr(requests, "get", offline)
        monkeypatch.setattr("requests.sessions.Session.request", offline)
        with pytest.raises(WeightsError) as caught:
            find("coco")
        assert "could not download mask_rcnn_coco.h5: ConnectionError" in caught.value.what
        assert released.COCO_URL in caught.value.fix
        assert (tmp_path / "weights" / "mask_rcnn_coco.h5").as_posix() in caught.value.fix
        assert not any(path.is_file() for path in tmp_path.rglob("*"))

    def test_put_there_by_hand_is_found_offline(self, tmp_path, monkeypatch):
        monkeypatch.setenv("WADLIB_CACHE", str(tmp_path))
        path = tmp_path / "weights" / "mask_rcnn_coco.h5"
        path.parent.mkdir()
        path.write_bytes(b"by hand")
        monkeypatch.setattr(released, "COCO_MD5", hashlib.md5(b"by hand").hexdigest())
        assert fetch("coco") == path

    def test_a_damaged_download(self, tmp_path, monkeypatch):
        import pooch

        def page(self, url, output_file, *args):
            Path(output_file).write_bytes(b"<html>")

        monkeypatch.setenv("WADLIB_CACHE", str(tmp_path))
        monkeypatch.setattr(pooch.HTTPDownloader, "__call__", page)
        with pytest.raises(WeightsError, match=f"does not have the md5 {released.COCO_MD5}"):
            fetch("coco")
        assert not any(path.is_file() for path in tmp_path.rglob("*"))

    def test_a_folder_that_cannot_be_written(self, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.setenv("WADLIB_CACHE", str(tmp_path / "file"))
        with pytest.raises(WeightsError, match=r"could not write[\s\S]*WADLIB_CACHE"):
            fetch("coco")


def test_the_four_names_of_the_original_tutorials(tmp_path):
    """``mrcnn_bbox`` is a layer without weights; networks that lack it take the name all the same."""
    weights.save(tiny(classes=81), tmp_path / "coco.h5")
    target = tiny()
    names = ["mrcnn_class_logits", "mrcnn_bbox_fc", "mrcnn_bbox", "mrcnn_mask"]
    assert sorted(load(target, tmp_path / "coco.h5", exclude=names).excluded) == sorted(HEADS)
    assert weights.other_heads(target, tmp_path / "coco.h5") == HEADS
    assert weights.other_heads(tiny(classes=81), tmp_path / "coco.h5") == ()
    weights.save(tiny(classes=9), tmp_path / "nine.h5")
    assert weights.other_heads(target, tmp_path / "nine.h5") == ()


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual"])
def test_weights_that_lie_in_other_files(tmp_path, kind):
    target, path = tiny(), tmp_path / "w.h5"
    weights.save(target, path)
    with h5py.File(tmp_path / "private.h5", "w") as file:
        file["x"] = np.ones((1, 1, 3, 2), np.float32)
    (tmp_path / "raw").write_bytes(bytes(24))
    name = "conv1/conv1/kernel:0"
    with h5py.File(path, "r+") as file:
        del file[name]
        if kind == "external link":
            file[name] = h5py.ExternalLink(str(tmp_path / "private.h5"), "x")
        elif kind == "soft link":
            file[name] = h5py.SoftLink("/conv1/conv1/bias:0")
        elif kind == "external storage":
            file.create_dataset(name, (1, 1, 3, 2), "f4", external=[(str(tmp_path / "raw"), 0, 24)])
        else:
            layout = h5py.VirtualLayout((1, 1, 3, 2), "f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "private.h5"), "x", (1, 1, 3, 2))
            file.create_virtual_dataset(name, layout)
    with pytest.raises(WeightsError, match=r"expected weights that lie in w\.h5"):
        load(target, path)


@pytest.mark.parametrize("text", ["[]", "5", "{", '{"backbone": []}', '{"image_shape": "x"}'])
def test_a_configuration_that_is_none(tmp_path, text):
    weights.save(tiny(), tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file.attrs["wadlib_config"] = text
    with pytest.raises(WadError):
        weights.read_config(tmp_path / "w.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_of_weights_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="expected HDF5 weights"):
        load(tiny(), tmp_path / "pipe")
