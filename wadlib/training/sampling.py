"""How often each frame is drawn, where some classes are rare."""

import numpy as np
import numpy.typing as npt


def repeat_factors(pixels: npt.ArrayLike, share: float = 0.5) -> npt.NDArray[np.float64]:
    r"""Compute how often to draw each frame, so that rare classes are seen more often.

    .. math:: r_f = \max_{c \in f} \max(1, \sqrt{t / s_c})

    with s_c the share of frames that hold class c, and t = `share` (Gupta, Dollár and Girshick, LVIS,
    CVPR 2019, section 5, "repeat factor sampling").

    Parameters
    ----------
    pixels : (N,C)
        Pixels (or objects) of each channel in each frame; channel 0, background, does not count.

    Returns
    -------
    (N,) float64, at least 1

    Examples
    --------
    Four frames, one of which holds class 2: a share of 1/4, and with t = 1 a factor of 2.

    >>> repeat_factors([[9, 1, 0], [9, 1, 0], [9, 1, 1], [9, 1, 0]], share=1.0).tolist()
    [1.0, 1.0, 2.0, 1.0]
    """
    held = np.asarray(pixels)[:, 1:] > 0  # (N,C-1)
    shares = held.mean(axis=0)
    factors = np.maximum(1, np.sqrt(share / np.where(shares > 0, shares, share)))
    return np.asarray(np.maximum(1, (held * factors).max(axis=1, initial=1)))
