"""Read and write weights in the layout of the original package, and say what fitted.

A file is HDF5 as Keras 2 wrote it: one group per layer, in it one array per weight, and attributes with the names in
order (``layer_names``, ``weight_names``). Layers are paired by name, so that a file of one backbone can be loaded into
another; Keras silently leaves the rest behind. `load` says what it was.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from wadlib.errors import WadError, WeightsError
from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.weight_files.h5 import StoredLayer, layers_in, open_h5, read_arrays, write_h5
from wadlib.maskrcnn.weight_files.released import COCO_MD5, COCO_URL, NAMES, fetch, find
from wadlib.training.backend import as_array

__all__ = [
    "COCO_MD5",
    "COCO_URL",
    "HEADS",
    "NAMES",
    "BackboneWarning",
    "LoadReport",
    "fetch",
    "find",
    "fingerprint",
    "load",
    "other_heads",
    "read_config",
    "save",
]

HEADS = ("mrcnn_class_logits", "mrcnn_bbox_fc", "mrcnn_mask")
"""The layers whose shape depends on the number of classes: what to exclude when another number was trained."""

_COCO_CLASSES = 81
_WITHOUT_WEIGHTS = {"mrcnn_bbox", "mrcnn_class"}  # the original's; its tutorials exclude mrcnn_bbox too

_CONFIG = "wadlib_config"  # attribute of a file that holds its Config


class BackboneWarning(UserWarning):
    """The file's backbone is not the model's: blocks were dropped, or kept their random weights."""


@dataclass(frozen=True)
class LoadReport:
    """Says what `load` did, by names of layers (``rpn_model/rpn_class_raw`` for one in a nested model).

    Attributes
    ----------
    loaded : tuple of str
        Layers that have the file's weights now.
    missing : tuple of str
        Layers of the model that the file does not hold: they keep the weights they had.
    unused : tuple of str
        Layers of the file that the model does not have.
    excluded : tuple of str
        Layers of the model that were to be left alone.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    excluded: tuple[str, ...] = ()

    def summary(self) -> str:
        """Say the three lists in a few lines; long ones by their first names."""
        lines = [f"{len(self.loaded)} layers loaded"]
        for names, what in (
            (self.missing, "not in the file, left as they were"),
            (self.unused, "in the file, not in the model"),
            (self.excluded, "excluded, left as they were"),
        ):
            if names:
                more = f", … and {len(names) - 6} more" if len(names) > 6 else ""
                lines.append(f"{len(names)} {what}: {', '.join(names[:6])}{more}")
        return "\n".join(lines)


def load(model: Any, path: str | Path, *, exclude: Sequence[str] = ()) -> LoadReport:
    """Load a file's weights into the layers of the same names.

    All is checked before the first weight is set: after an error the model is as it was.

    Parameters
    ----------
    model : MaskRCNN or keras.Model
    path : path of an .h5 file, the original package's or `save`'s
    exclude : names of layers to leave alone
        ``*`` stands for any characters; the name of a model in the model stands for all in it.

    Returns
    -------
    LoadReport

    Warns
    -----
    BackboneWarning
        The file has other residual blocks than the model. The report loaded the COCO file, a ResNet-101's, into a
        ResNet-50: 17 of the 23 blocks of stage 4 found no place.

    Raises
    ------
    WeightsError
        No such file, not HDF5, damaged, not one layer in common, a weight of another shape, nan; or a name in
        `exclude` that fits no layer.

    Examples
    --------
    >>> report = load(model, fetch("coco"), exclude=HEADS)  # doctest: +SKIP
    >>> print(report.summary())  # doctest: +SKIP
    """
    path = Path(path)
    variables = layers_of(model)
    excluded = _excluded(variables, [layer.name for layer in _keras_model(model).layers], exclude)
    with open_h5(path) as file:
        stored = layers_in(file, path)
        # Nothing is assigned before all of it is known to fit: a model is never half loaded.
        pairs: list[tuple[str, list[Any], StoredLayer]] = []
        for name, own in variables.items():
            if name in stored and name not in excluded:
                pairs.append((name, [variable for _, variable in own], stored[name].in_order([n for n, _ in own])))
        if not pairs:
            raise _foreign(path, stored, variables)
        _check_shapes(path, pairs)
        for _, _, layer in pairs:
            read_arrays(layer, path)  # read twice, as all of them together take as much memory as the model
        for _, targets, layer in pairs:
            for variable, value in zip(targets, read_arrays(layer, path), strict=True):
                variable.assign(value)
    _compare_backbones(path, stored, variables)
    loaded = tuple(name for name, _, _ in pairs)
    return LoadReport(
        loaded,
        tuple(name for name in variables if name not in stored and name not in excluded),
        tuple(name for name in stored if name not in variables),
        tuple(name for name in variables if name in excluded),
    )


def save(model: Any, path: str | Path, *, config: Config | None = None, compact: bool = False) -> None:
    """Write a model's weights so that `load` and the original package read them; whole or not at all.

    Parameters
    ----------
    model : MaskRCNN or keras.Model
    path : path of the .h5 file
    config : Config, optional
        Kept in the file, for `read_config`.
    compact : bool
        Kernels as float16 and compressed: half the size, for weights to be shipped; see
        `wadlib.maskrcnn.weight_files.h5.write_h5`.

    Raises
    ------
    WeightsError
        A weight that is nan or infinite.
    StorageError
        The file cannot be written.
    """
    groups = {
        group: [(name, as_array(variable)) for name, variable in own]
        for group, own in _by_group(layers_of(model)).items()
    }
    attributes = {} if config is None else {_CONFIG: json.dumps(config.to_dict())}
    write_h5(Path(path), groups, attributes, compact=compact)


def read_config(path: str | Path) -> Config | None:
    """Read the `Config` that was saved with the weights; None if none was (as in the original's files)."""
    path = Path(path)
    try:
        with open_h5(path) as file:
            text = file.attrs.get(_CONFIG)
        return None if text is None else Config.from_dict(json.loads(text))
    except WadError:
        raise
    except Exception as error:  # whatever stands there in place of a configuration
        raise WeightsError(
            f"read_config: the configuration in {path.name} cannot be read: {str(error)[:200]}",
            cause="a damaged file, or one that was edited",
            fix="copy or download it again",
        ) from error


def other_heads(model: Any, path: str | Path) -> tuple[str, ...]:
    """Return `HEADS` if a file has COCO's 81 classes and the model another number; else ()."""
    path = Path(path)
    logits = HEADS[0]
    own = layers_of(model).get(logits)
    with open_h5(path) as file:
        stored = layers_in(file, path).get(logits)
        if stored is None or own is None or stored.shapes[-1][-1:] != (_COCO_CLASSES,):
            return ()
    return HEADS if int(own[-1][1].shape[-1]) != _COCO_CLASSES else ()


def fingerprint(model: Any) -> str:
    """Compute sixteen hexadecimal digits that differ when a weight differs."""
    digest = hashlib.blake2b(digest_size=8)
    for name, own in sorted(layers_of(model).items()):
        for weight, variable in own:
            digest.update(f"{name}/{weight}".encode())
            digest.update(np.ascontiguousarray(as_array(variable)).tobytes())
    return digest.hexdigest()


def layers_of(model: Any) -> dict[str, list[tuple[str, Any]]]:
    """List the layers with weights, in order: name -> (name of the weight, variable), each; nested models too."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for layer in _keras_model(model).layers:
        inner = {layer.name: layer}
        if getattr(layer, "layers", None):
            inner = {f"{layer.name}/{own.name}": own for own in layer.layers}
        for name, own in inner.items():
            if own.weights:
                found[name] = [(variable.name, variable) for variable in own.weights]
    return found


def _keras_model(model: Any) -> Any:
    """Of a `MaskRCNN` the model that detects: it has all layers with weights."""
    return getattr(model, "inference_model", model)


def _by_group(layers: dict[str, list[tuple[str, Any]]]) -> dict[str, list[tuple[str, Any]]]:
    """As the file has it: group -> (``layer/weight:0``, variable)."""
    groups: dict[str, list[tuple[str, Any]]] = {}
    for name, own in layers.items():
        outer, _, inner = name.rpartition("/")
        groups.setdefault(outer or inner, []).extend((f"{inner}/{weight}:0", variable) for weight, variable in own)
    return groups


def _excluded(layers: dict[str, Any], all_names: list[str], patterns: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        own = {name for name in layers if any(fnmatchcase(n, pattern) for n in (name, *name.split("/")))}
        if not own and pattern not in _WITHOUT_WEIGHTS.union(all_names):  # a layer without weights may be named too
            raise WeightsError(
                f"load: expected names of layers to exclude, got {pattern!r}, which no layer has",
                cause="a typing slip",
                fix=f"the last layers with weights are {', '.join(list(layers)[-6:])}",
            )
        found |= own
    return found


def _check_shapes(path: Path, pairs: list[tuple[str, list[Any], StoredLayer]]) -> None:
    wrong = []
    for name, own, layer in pairs:
        expected = [tuple(int(side) for side in variable.shape) for variable in own]
        if expected != layer.shapes:
            wrong.append((name, expected, layer.shapes))
    if wrong:
        name, expected, got = wrong[0]
        names = [name for name, _, _ in wrong]
        raise WeightsError(
            f"load: expected shapes {expected} in layer {name}, got {got} in {path.name}"
            + (f" (and {len(wrong) - 1} more layers that differ)" if len(wrong) > 1 else ""),
            cause="weights of another number of classes or of another Config (the COCO file has 81 classes)",
            fix=f"leave those layers as they are: load(…, exclude={names}), or take the Config of its training",
        )


def _foreign(path: Path, stored: dict[str, Any], layers: dict[str, Any]) -> WeightsError:
    return WeightsError(
        f"load: expected layers such as {', '.join(list(layers)[:3])} in {path.name}, "
        f"got {', '.join(list(stored)[:3]) or 'none'}",
        cause="weights of another kind of network",
        fix="use a file of Mask R-CNN weights: the original package's, or one that wadlib wrote",
    )


def _compare_backbones(path: Path, stored: dict[str, Any], layers: dict[str, Any]) -> None:
    # A backbone of another depth fits by name, block for block, and then works badly: so it is said.
    theirs, ours = _blocks(stored), _blocks(layers)
    if not theirs or not ours:
        return
    parts = []
    for names, what in (
        (
            [block for block in theirs if block not in ours],
            f"of {path.name} found no place in the model and were dropped",
        ),
        (
            [block for block in ours if block not in theirs],
            f"of the model are not in {path.name} and kept their weights",
        ),
    ):
        if names:
            stages = "stage-4 blocks" if all(block.startswith("res4") for block in names) else "residual blocks"
            parts.append(f"{len(names)} {stages} {what} ({', '.join(names)})")
    if parts:
        warnings.warn(
            f"{'; '.join(parts)}. What follows them gets features that it was not trained on. "
            'The backbone of the COCO file is ResNet-101: Config.coco(), or backbone="resnet101".',
            BackboneWarning,
            stacklevel=3,
        )


def _blocks(layers: dict[str, Any]) -> list[str]:
    """Names of residual blocks, in order: ``res4a`` of ``res4a_branch2a`` and of ``bn4a_branch2a``."""
    named = [name.partition("_branch") for name in layers]
    blocks = {f"res{first.removeprefix('res').removeprefix('bn')}" for first, branch, _ in named if branch}
    return sorted(blocks)
