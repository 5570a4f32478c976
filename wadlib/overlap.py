"""One joint histogram per frame: how many pixels hold each pair (truth code, predicted code).

Every metric of this package is a few sums over that small table, so a frame is read once however
many classes and metrics are asked for. With H[g, p] the table, A[p] its sum over g (the area of p in
the prediction) and B[g] its sum over p (the area of g in the truth):

* intersection of class c: the sum of H over g in c and p in c; area: the sum of B over g in c;
* IoU of instance g with detection p: H / (A + B - H).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wadlib._shared.runs import joint_runs
from wadlib.errors import MetricError
from wadlib.labels import IDS, IGNORE, evaluated_index

__all__ = ["ClassAreas", "Overlap"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class ClassAreas:
    """Areas of the seven classes in one frame, in pixels; each (7,) int64, in the order of `IDS`."""

    truth: Ints  # B_c, pixels whose true class is c
    prediction: Ints  # A_c, pixels whose predicted class is c
    intersection: Ints  # I_c, pixels where both hold
    # Pixels of A_c whose truth is IGNORE: nobody knows what is there. `pooled_iou` forgives them, not `report_iou`.
    predicted_on_ignore: Ints


@dataclass(frozen=True, eq=False)
class Overlap:
    """The joint histogram of one frame, as the list of the pairs that occur.

    A list and not a (G, P) table, because a prediction may hold any number of codes (noise has
    65,536); `table` gives the dense form. Pairs are sorted by truth, then prediction, and unique.
    """

    truth: Codes  # (N,) uint16, true code of each pair
    prediction: Codes  # (N,) uint16, predicted code of each pair
    pixels: Ints  # (N,) int64, how many pixels hold the pair, at least 1

    def __post_init__(self) -> None:
        for name, dtype in {"truth": np.uint16, "prediction": np.uint16, "pixels": np.int64}.items():
            values = getattr(self, name)
            if not isinstance(values, np.ndarray) or values.dtype != dtype or values.ndim != 1:
                raise _bad_table(f"{name} must be one-dimensional {np.dtype(dtype)}, got {_describe(values)}")
        if not self.truth.size == self.prediction.size == self.pixels.size or self.pixels.size == 0:
            sizes = f"{self.truth.size}, {self.prediction.size} and {self.pixels.size}"
            raise _bad_table(f"truth, prediction and pixels must have one size above 0, got {sizes}")
        if self.pixels.min() < 1:
            raise _bad_table(f"pixels must be 1 or more, got {self.pixels.min()}")
        keys = (self.truth.astype(np.int64) << 16) | self.prediction
        if np.any(np.diff(keys) <= 0):
            raise _bad_table("the pairs must be sorted and unique")

    @classmethod
    def from_labels(cls, truth: Codes, prediction: Codes) -> Overlap:
        """Count the pairs of two label maps.

        Parameters
        ----------
        truth, prediction : (H,W) uint16
            Label codes (class * 1000 + instance; 255 background; 65535 ignore).

        Raises
        ------
        MetricError
            The shapes differ, an array is not two-dimensional, not uint16, or empty. (Arrays of
            different shapes would broadcast silently in numpy, and give a wrong score.)

        Examples
        --------
        >>> truth = np.array([[255, 33000], [255, 33000]], np.uint16)
        >>> prediction = np.array([[255, 33007], [255, 255]], np.uint16)
        >>> codes, predicted, counts = Overlap.from_labels(truth, prediction).table()
        >>> codes.tolist(), predicted.tolist(), counts.tolist()
        ([255, 33000], [255, 33007], [[2, 0], [1, 1]])
        """
        _check(truth, prediction)
        keys, lengths = joint_runs(truth, prediction)
        pairs, inverse = np.unique(keys, return_inverse=True)
        # Sums of whole numbers below 2**53 are exact in the float64 that bincount adds up in.
        pixels = np.bincount(inverse, weights=lengths).astype(np.int64)
        return cls((pairs >> np.uint32(16)).astype(np.uint16), (pairs & np.uint32(0xFFFF)).astype(np.uint16), pixels)

    def table(self) -> tuple[Codes, Codes, Ints]:
        """Return the dense table.

        Returns
        -------
        truth_codes : (G,) uint16, sorted
        prediction_codes : (P,) uint16, sorted
        counts : (G,P) int64
            ``counts[g, p]`` pixels hold truth_codes[g] and prediction_codes[p].
        """
        truth_codes, g = np.unique(self.truth, return_inverse=True)
        prediction_codes, p = np.unique(self.prediction, return_inverse=True)
        counts = np.zeros((truth_codes.size, prediction_codes.size), np.int64)
        counts[g, p] = self.pixels
        return truth_codes, prediction_codes, counts

    def class_areas(self) -> ClassAreas:
        """Count areas and intersections of the seven classes (see `ClassAreas`).

        Examples
        --------
        65535 // 1000 = 65, but IGNORE is no traffic cone, and 255 is nothing at all:

        >>> label = np.array([[65535, 255, 33000, 33001]], np.uint16)
        >>> Overlap.from_labels(label, label).class_areas().intersection.tolist()
        [2, 0, 0, 0, 0, 0, 0]
        """
        true, found = evaluated_index(self.truth), evaluated_index(self.prediction)
        on_ignore = self.truth == IGNORE
        return ClassAreas(
            truth=_sums(true, self.pixels),
            prediction=_sums(found, self.pixels),
            intersection=_sums(true[true == found], self.pixels[true == found]),
            predicted_on_ignore=_sums(found[on_ignore], self.pixels[on_ignore]),
        )


def _sums(index: npt.NDArray[np.uint8], pixels: Ints) -> Ints:
    """Pixels of each of the seven classes, from the index of the class of each pair (0: none)."""
    return np.bincount(index, pixels, len(IDS) + 1)[1:].astype(np.int64)


def _check(truth: Codes, prediction: Codes) -> None:
    for name, label in (("truth", truth), ("prediction", prediction)):
        if not isinstance(label, np.ndarray) or label.ndim != 2 or label.dtype != np.uint16 or label.size == 0:
            raise MetricError(
                f"Overlap.from_labels: expected {name} of shape (H,W), dtype uint16, got {_describe(label)}",
                cause="a colour picture, a batch of frames, or a label that was converted on the way",
                fix="read it with wadlib.frames.read_label, and compare one frame at a time",
            )
    if truth.shape != prediction.shape:
        raise MetricError(
            f"Overlap.from_labels: expected labels of one shape, got {truth.shape} and {prediction.shape}",
            cause="one of them was cropped or resized, the other was not",
            fix="bring both to one size first: wadlib.preprocess.crop_and_downscale(None, label)",
        )


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"shape {value.shape}, dtype {value.dtype}"
    return f"a {type(value).__name__}"


def _bad_table(what: str) -> MetricError:
    fix = "use Overlap.from_labels(truth, prediction)"
    return MetricError(f"Overlap: {what}", cause="a table that was put together by hand", fix=fix)
