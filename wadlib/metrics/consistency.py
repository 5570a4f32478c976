r"""Does a label stay with its pixel from frame to frame? Temporal consistency, the opposite of flicker.

.. math:: TC = \frac{\sum_t |\{p : l_{t-1}(p') = l_t(p) > 0\}|}{\sum_t |\{p : l_{t-1}(p') > 0 \text{ or } l_t(p) > 0\}|}

with p' the place of pixel p in the frame before (by optical flow) and 0 the background. It knows nothing of the truth:
a prediction that never changes is perfectly consistent. So it is always shown beside an IoU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib.errors import MetricError

Labels = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Consistency:
    """Counts of pixels; those of several pairs of frames, or of videos, are added.

    Attributes
    ----------
    agree, union : int
    """

    agree: int = 0
    union: int = 0

    def __add__(self, other: Consistency) -> Consistency:
        return Consistency(self.agree + other.agree, self.union + other.union)

    @property
    def value(self) -> float:
        """Share of the union on which both agree; ``nan`` if neither frame has any foreground."""
        return self.agree / self.union if self.union else float("nan")


def temporal_consistency(warped_before: Labels, now: Labels, known: npt.NDArray[np.bool_] | None = None) -> Consistency:
    """Compare a frame's labels with those of the frame before, warped into it.

    Parameters
    ----------
    warped_before, now : (H,W) int
        Indices of classes; 0 is background. See `wadlib.tracking.warp.warp`.
    known : (H,W) bool, optional
        Pixels that were in the picture before.

    Examples
    --------
    >>> temporal_consistency(np.array([[1, 1, 0, 2]]), np.array([[1, 2, 0, 0]])).value  # 1 of 3
    0.3333333333333333
    """
    if warped_before.shape != now.shape or now.ndim != 2:
        raise MetricError(
            f"temporal_consistency: expected two (H,W) label maps of one shape, got {warped_before.shape} and "
            f"{now.shape}",
            cause="probabilities in place of labels, or maps of two sizes",
            fix="take argmax(axis=2) first",
        )
    union = (warped_before > 0) | (now > 0)
    if known is not None:
        union &= known
    return Consistency(int((union & (warped_before == now)).sum()), int(union.sum()))
