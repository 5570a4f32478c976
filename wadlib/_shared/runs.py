"""Runs of equal (truth, prediction) pairs: what a pair of label maps boils down to.

Label maps are flat: a network-size frame has half a million pixels but only a few thousand runs,
so that everything after one scan works on little arrays. The scan is compiled with numba.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.compiled import jit

Labels = npt.NDArray[np.uint16]
Runs = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]


def joint_runs(truth: Labels, prediction: Labels) -> Runs:
    """Collapse two label maps, read row by row, into runs of equal pairs.

    Parameters
    ----------
    truth, prediction : (H,W) uint16, of one shape, not empty

    Returns
    -------
    keys : (R,) uint32
        ``truth << 16 | prediction`` of each run, in reading order.
    lengths : (R,) int64
        Pixels of each run; they add up to H * W. A run goes on over the end of a row.

    Examples
    --------
    >>> truth = np.array([[255, 255, 33000]], np.uint16)
    >>> keys, lengths = joint_runs(truth, truth)
    >>> (keys >> 16).tolist(), lengths.tolist()
    ([255, 33000], [2, 1])
    """
    # Room for the worst case, a run per pixel; pages that are never written cost nothing.
    keys, ends = np.empty(truth.size, np.uint32), np.empty(truth.size, np.int64)
    (flat_truth, truth_by_four), (flat_prediction, prediction_by_four) = _flat(truth), _flat(prediction)
    runs = _scan(flat_truth, flat_prediction, truth_by_four, prediction_by_four, keys, ends)
    return keys[:runs].copy(), np.diff(ends[:runs], prepend=0)


def _flat(label: Labels) -> tuple[Labels, npt.NDArray[np.uint64]]:
    """A label row by row, and the same memory as words of four pixels (without the last three at most)."""
    flat = np.ascontiguousarray(label).ravel()
    if flat.ctypes.data % 8:  # a part of a larger array
        flat = flat.copy()
    return flat, flat[: flat.size // 4 * 4].view(np.uint64)


@jit
def _scan(truth: Any, prediction: Any, truth_by_four: Any, prediction_by_four: Any, keys: Any, ends: Any) -> int:
    """Write key and end of each run to `keys` and `ends`; return how many there are.

    All are flat. Four pixels are compared at a time, with four of the current pair, and are nearly always
    equal, which costs about as much as reading the memory.
    """
    four = np.uint64(0x0001000100010001)
    runs = 0
    t, p = truth[0], prediction[0]
    four_t, four_p = np.uint64(t) * four, np.uint64(p) * four
    last = len(truth_by_four)
    for k in range(last + 1):
        if k < last and truth_by_four[k] == four_t and prediction_by_four[k] == four_p:
            continue
        for i in range(4 * k, min(4 * k + 4, truth.size)):
            if truth[i] != t or prediction[i] != p:
                keys[runs] = (np.uint32(t) << np.uint32(16)) | np.uint32(p)
                ends[runs] = i
                runs += 1
                t, p = truth[i], prediction[i]
        four_t, four_p = np.uint64(t) * four, np.uint64(p) * four
    keys[runs] = (np.uint32(t) << np.uint32(16)) | np.uint32(p)
    ends[runs] = truth.size
    return runs + 1
