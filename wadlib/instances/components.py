"""Take a map of classes apart into instances: each connected component is one."""

import numpy as np
import numpy.typing as npt

from wadlib.labels import BACKGROUND, NETWORK_INDEX, encode


def instances_from_indices(indices: npt.NDArray[np.integer], *, min_area_px: int = 12) -> npt.NDArray[np.uint16]:
    """Turn a map of label indices into a label map: each connected component becomes an instance.

    Parameters
    ----------
    indices : (H,W) int, 0 background, 1..7 the classes
    min_area_px : int
        Smaller components become background.

    Returns
    -------
    (H,W) uint16 codes
        Instances of a class are numbered from 0, the largest first; pixels that touch at a corner
        belong together. At most 999 per class: the smallest beyond that become background.

    Examples
    --------
    >>> instances_from_indices(np.array([[1, 0, 0, 2], [1, 1, 0, 0]]), min_area_px=2)
    array([[33000,   255,   255,   255],
           [33000, 33000,   255,   255]], dtype=uint16)
    """
    from skimage.measure import label as components

    parts, n = components(indices, background=0, connectivity=2, return_num=True)  # type: ignore[no-untyped-call]
    area = np.bincount(parts.ravel(), minlength=n + 1)
    first = np.zeros(n + 1, np.int64)  # label index of each component
    first[parts.ravel()] = np.asarray(indices).ravel()
    code = np.full(n + 1, BACKGROUND, np.uint16)
    for class_id, index in NETWORK_INDEX.items():
        mine = np.flatnonzero((first == index) & (area >= min_area_px))
        mine = mine[np.argsort(-area[mine], kind="stable")][:999]
        code[mine] = encode(class_id, np.arange(len(mine)))
    return np.asarray(code[parts])
