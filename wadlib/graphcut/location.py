"""Where each label is found in a frame: counts on coarse cells, smoothed by a Parzen window."""

import numpy as np
import numpy.typing as npt

CELL_PX = 8
"""Side of a cell in pixels. The window that smooths the counts is wider than that anyway."""

ANYWHERE = 0.02
"""Share of each label's density that is spread evenly: no place is impossible."""


def cell_counts(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Count the pixels of each cell that are set: (H,W) bool -> (ceil(H/8), ceil(W/8)) int64.

    Examples
    --------
    >>> cell_counts(np.ones((8, 10), bool)).tolist()
    [[64, 16]]
    """
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % CELL_PX), (0, -width % CELL_PX)))
    rows, columns = padded.shape[0] // CELL_PX, padded.shape[1] // CELL_PX
    return np.asarray(padded.reshape(rows, CELL_PX, columns, CELL_PX).sum(axis=(1, 3), dtype=np.int64))


def density(counts: npt.NDArray[np.int64], shape: tuple[int, int], sigma_px: float) -> npt.NDArray[np.float32]:
    """Estimate p(place | label) by Parzen's method, relative to an even spread.

    Parameters
    ----------
    counts : (h,w,L) int64
        Sums of `cell_counts` over the training frames.
    shape : (height, width) of the frames in pixels
    sigma_px : float
        Standard deviation of the Gaussian window in pixels; beyond the frame's edge the counts of
        the edge go on.

    Returns
    -------
    (h,w,L) float32
        Mean 1 over the cells; 0 everywhere for a label that has no counts.
    """
    from scipy.ndimage import gaussian_filter

    per_pixel = counts / cell_counts(np.ones(shape, bool))[..., None]  # cells at the edge are smaller
    sigma = sigma_px / CELL_PX
    smooth = gaussian_filter(per_pixel, (sigma, sigma, 0), mode="nearest")
    mean = smooth.mean(axis=(0, 1))  # (L,)
    relative = smooth / np.where(mean > 0, mean, 1)
    return np.asarray((1 - ANYWHERE) * relative + ANYWHERE * (mean > 0), np.float32)


def upsample(cells: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Interpolate (h,w,L) on cells to (H,W,L) on pixels, linear between the cells' centres."""
    import cv2

    rows, columns = cells.shape[:2]
    size = (columns * CELL_PX, rows * CELL_PX)
    pixels = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]]
    return np.ascontiguousarray(pixels, np.float32)
