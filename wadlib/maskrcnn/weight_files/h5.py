"""HDF5 files of weights as Keras 2 wrote them: what is in them, and what can be wrong with them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import atomic_path
from wadlib.errors import WeightsError

_FLOAT16_MAX = float(np.finfo(np.float16).max)
_SUFFIX = re.compile(r"(_\d+)?:\d+$")  # "kernel_1:0" is a kernel


@dataclass(frozen=True)
class StoredLayer:
    """The weights of one layer in a file: their names (``kernel``, ``bias``, …) and where they are, in order."""

    names: tuple[str, ...]
    arrays: tuple[Any, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each."""
        return [tuple(array.shape) for array in self.arrays]

    def in_order(self, wanted: list[str]) -> StoredLayer:
        """Sort as `wanted` is sorted, if the names are the same; else not at all (older files have other names)."""
        if sorted(wanted) != sorted(self.names) or len(set(wanted)) != len(wanted):
            return self
        return StoredLayer(tuple(wanted), tuple(self.arrays[self.names.index(name)] for name in wanted))


@contextlib.contextmanager
def open_h5(path: Path) -> Iterator[Any]:
    """Open a file for reading; say clearly what is wrong with one that is not HDF5.

    Raises
    ------
    WeightsError
        Missing, empty, cut off, or another kind of file.
    """
    import h5py

    with contextlib.ExitStack() as stack:
        if not path.is_file():  # a pipe would be waited for
            raise _unreadable(path, OSError())
        try:
            file = stack.enter_context(h5py.File(path, "r"))
        except OSError as error:
            raise _unreadable(path, error) from error
        yield file


def layers_in(file: Any, path: Path) -> dict[str, StoredLayer]:
    """List the layers with weights in an open file, in order; ``rpn_model/rpn_class_raw`` is one in a nested model.

    Raises
    ------
    WeightsError
        HDF5, but not weights as Keras 2 wrote them.
    """
    try:
        return _layers_in(file, path)
    except WeightsError:
        raise
    except Exception as error:  # h5py's answers to damaged files are of many types
        raise _damaged(path, str(error)) from error


def _layers_in(file: Any, path: Path) -> dict[str, StoredLayer]:
    if "layer_names" not in file.attrs and "model_weights" in file:
        file = _own(file, "model_weights", path)  # a file of the whole model
    if "layer_names" not in file.attrs:
        newer = "layers" in file or "_layer_checkpoint_dependencies" in file
        held = ", ".join(list(file)[:4]) or "nothing"
        raise WeightsError(
            f"load: expected weights by layer name in {path.name}, got HDF5 that holds {held}",
            cause="a checkpoint of Keras 3 (.weights.h5)" if newer else "HDF5 of another program",
            fix="save the model with MaskRCNN.save, which writes the original's layout" if newer else "check the path",
        )
    # A group may hold a nested model, whose layers share it: each name says its layer in the last part but one.
    layers: dict[str, StoredLayer] = {}
    for group_name in _strings(file.attrs["layer_names"]):
        group = _own(file, group_name, path)
        names = _strings(group.attrs["weight_names"])
        owners = [name.split("/")[-2] if "/" in name else group_name for name in names]
        nested = len(set(owners)) > 1
        for owner in dict.fromkeys(owners):
            own = [name for name, of in zip(names, owners, strict=True) if of == owner]
            layers[f"{group_name}/{owner}" if nested else group_name] = StoredLayer(
                tuple(_SUFFIX.sub("", name.rpartition("/")[2]) for name in own),
                tuple(_array(group, name, path) for name in own),
            )
    return layers


def _own(group: Any, name: str, path: Path) -> Any:
    """Return a group or an array that lies in this very file; other files must not be read through it."""
    import h5py

    for part in name.split("/"):
        link = group.get(part, getlink=True)
        if link is None:
            raise KeyError(f"{part} is not there")
        if not isinstance(link, h5py.HardLink):
            raise _elsewhere(path, f"{name} is a link")
        group = group[part]
    if isinstance(group, h5py.Dataset):
        if group.external or group.is_virtual:
            raise _elsewhere(path, f"{name}, whose numbers are kept in other files")
        if group.dtype.kind not in "fiu":
            raise TypeError(f"{name} is no array of numbers")
    return group


def _array(group: Any, name: str, path: Path) -> Any:
    """Return an array of this very file."""
    array = _own(group, name, path)
    if getattr(array, "shape", None) is None:  # a group, or an array that is declared and empty
        raise TypeError(f"{name} is no array of numbers")
    return array


def read_arrays(layer: StoredLayer, path: Path) -> list[npt.NDArray[np.float32]]:
    """Read the weights of a layer as float32 arrays.

    Raises
    ------
    WeightsError
        Damaged data; nan or infinity.
    """
    try:
        arrays = [np.asarray(array[()], np.float32) for array in layer.arrays]
    except Exception as error:  # see layers_in
        raise _damaged(path, str(error)) from error
    for array, stored in zip(arrays, layer.arrays, strict=True):
        if not np.isfinite(array).all():
            raise WeightsError(
                f"load: expected finite weights, got nan or infinity in {stored.name} of {path.name}",
                cause="training that diverged before they were saved",
                fix="use an earlier checkpoint",
            )
    return arrays


def write_h5(
    path: Path,
    groups: Mapping[str, list[tuple[str, npt.NDArray[Any]]]],
    attributes: Mapping[str, str],
    *,
    compact: bool,
) -> None:
    """Write weights as Keras 2 did; whole or not at all.

    Parameters
    ----------
    path : path
    groups : name of the layer -> its weights: (``conv1/kernel:0``, array) each
    attributes : more to keep in the file
    compact : bool
        Kernels as float16 and compressed. Biases and the statistics of batch normalisation stay float32 (a variance can
        be larger than float16 holds), and so does a kernel that does not fit.

    Raises
    ------
    WeightsError
        A weight that is nan or infinite.
    StorageError
        The file cannot be written.
    """
    import h5py

    for name, value in (pair for own in groups.values() for pair in own):
        if not np.isfinite(value).all():
            raise WeightsError(
                f"save: expected finite weights, got nan or infinity in {name}",
                cause="training that diverged",
                fix="go back to an earlier checkpoint, and train with a smaller learning rate",
            )
    # As the original writes it, names and attributes included, so that both programs read it.
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        file.attrs["layer_names"] = _bytes(groups)
        file.attrs["keras_version"] = "2.0.8"  # whose layout this is
        file.attrs["backend"] = "tensorflow"
        file.attrs.update(attributes)
        for layer in sorted(groups):
            group = file.create_group(layer)
            group.attrs["weight_names"] = _bytes(name for name, _ in groups[layer])
            for name, value in groups[layer]:
                if compact and value.ndim > 1 and np.abs(value).max(initial=0) <= _FLOAT16_MAX:
                    how = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
                    group.create_dataset(name, data=value.astype(np.float16), **how)
                else:
                    group.create_dataset(name, data=value.astype(np.float32))


def _bytes(names: Iterable[str]) -> npt.NDArray[np.bytes_]:
    return np.array([name.encode("utf-8") for name in names], dtype=np.bytes_)


def _strings(values: Any) -> list[str]:
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def _unreadable(path: Path, error: OSError) -> WeightsError:
    fix = "copy or download it again"
    if not path.is_file():
        found, cause, fix = "no file", "a slip in the path", "check the path"
    elif path.stat().st_size == 0:
        found, cause = "an empty file", "a download or copy that was cut off, or a disk that was full"
    elif _begins_as_hdf5(path):
        found, cause = f"a truncated one of {path.stat().st_size} bytes", "a download or copy that was cut off"
    else:
        found, cause = "another kind of file", f"not HDF5 ({str(error).splitlines()[0]})"
        fix = "give the .h5 file of the weights"
    return WeightsError(f"load: expected HDF5 weights at {path.as_posix()}, got {found}", cause=cause, fix=fix)


def _begins_as_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _elsewhere(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"load: expected weights that lie in {path.name}, got {what}",
        cause="a file that was made to read other files of yours",
        fix="take the file from its original source",
    )


def _damaged(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"load: {path.name} is damaged: {what.splitlines()[0] if what else 'it does not decode'}",
        cause="a download or copy that was cut off or damaged",
        fix="copy or download it again",
    )
