"""Former functions for COCO's run-length encoding, for scripts that were written before `wadlib.instances.Runs`."""

import numpy as np
import numpy.typing as npt

from wadlib.instances.masks import Runs
from wadlib.instances.rle import Rle, size_of

__all__ = ["Rle", "decode", "encode", "encode_runs"]


def encode(mask: npt.NDArray[np.bool_]) -> Rle:
    """Encode a (H,W) bool mask; `Runs.to_rle` does it for all masks of a frame at once.

    Examples
    --------
    >>> encode(np.array([[0, 1], [1, 1]], bool))
    {'size': [2, 2], 'counts': '13'}
    """
    return Runs.from_array(np.asarray(mask, np.bool_)[None]).to_rle()[0]


def encode_runs(masks: Runs) -> list[Rle]:
    """Encode each mask of a frame, as `Runs.to_rle` does."""
    return masks.to_rle()


def decode(rle: Rle) -> npt.NDArray[np.bool_]:
    """Decode one RLE to (H,W) bool; an InstancesError if it is damaged. `Runs.from_rle` takes those of a frame.

    Examples
    --------
    >>> decode({"size": [2, 2], "counts": "13"}).astype(int).tolist()
    [[0, 1], [1, 1]]
    """
    return Runs.from_rle([rle], size_of(rle)).to_array()[0]
