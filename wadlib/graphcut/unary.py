r"""The unary term of the graph cuts: colour and place of each class, learnt from training frames.

.. math:: U_p(l) = -\log p(x_p \mid l) - \log p(l \mid p)

The first part is a mixture of Gaussians in Lab per label, the second says how often the label was
seen at that place. The label of least cost at each pixel is a complete segmenter by itself, if a
weak one: colour cannot tell a car from a bus. It is the honest floor that the other methods of the
report are measured against.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wadlib._shared.files import atomic_path
from wadlib.errors import SegmentationError
from wadlib.frames import FULL_SHAPE
from wadlib.graphcut.colour import ColourMixtures, PixelSample, to_lab
from wadlib.graphcut.location import cell_counts, density, upsample
from wadlib.graphcut.problem import kind
from wadlib.instances.components import instances_from_indices
from wadlib.labels import IDS, network_indices
from wadlib.preprocess import crop_and_downscale

LABELS = 1 + len(IDS)
"""Background and the seven classes; the index of a class is `wadlib.labels.NETWORK_INDEX`."""

ABSENT_COST = 100.0
"""Cost, in nats, of a label that no training frame held; all other costs stay below about 40."""

_FORMAT = 1  # of the saved file


@dataclass(frozen=True, eq=False)
class ColourLocationUnary:
    """Colour mixtures and a location prior for background and the seven classes.

    Attributes
    ----------
    shape : (height, width) of the frames that it was learnt from and can be used on, in pixels
    colours : ColourMixtures
    pixels : (8,) int64
        Training pixels of each label.
    location : (h,w,8) float32
        Density of each label's place relative to an even spread, on cells of 8x8 pixels (see
        `wadlib.graphcut.location`); 0 for a label that was never seen.
    prior_weight : float
        Exponent of the labels' shares P(l) in p(l | p); see `fit`.
    """

    shape: tuple[int, int]
    colours: ColourMixtures
    pixels: npt.NDArray[np.int64]
    location: npt.NDArray[np.float32]
    prior_weight: float

    @classmethod
    def fit(
        cls,
        frames: Iterable[Any],
        *,
        seed: int = 0,
        components: int = 3,
        sigma_px: float = 16.0,
        prior_weight: float = 0.6,
        samples: int = 20_000,
    ) -> ColourLocationUnary:
        r"""Learn from training frames.

        Parameters
        ----------
        frames : iterable of (image, label), or of frames
            image (H,W,3) uint8 RGB and label (H,W) uint16 codes, all of one size; or anything with
            ``read_image()`` and ``read_label()``, such as `wadlib.dataset.Frame`: a full-size frame
            is then cropped and downscaled. Read one at a time, once. Pixels whose label is IGNORE are
            not learnt from; those of classes that are not evaluated are background.
        seed : int
            Of the sample of pixels and of the mixtures' start.
        components : int
            Gaussians per label.
        sigma_px : float
            Standard deviation of the Parzen window that smooths the location counts.
        prior_weight : float
            w in :math:`p(l \mid p) \propto p(p \mid l) \, P(l)^w`. At 1 it is Bayes' rule, which gets
            the most pixels right and so calls nearly everything background, which nearly everything
            is; at 0 all labels are equally likely beforehand, and rare classes flood the picture. In
            between, more classes get a mean IoU above zero.
        samples : int
            Pixels per label, drawn evenly from all frames, that the mixtures are fitted to.

        Raises
        ------
        SegmentationError
            No frames, frames of different sizes, arrays of another kind, or nothing but IGNORE.
        """
        rng = np.random.default_rng(seed)
        colours = [PixelSample(samples) for _ in range(LABELS)]
        shape: tuple[int, int] | None = None
        counts = np.zeros((1, 1, LABELS), np.int64)  # grows to (h,w,8): pixels of each label in each cell
        for frame in frames:
            image, label = _read(frame)
            _check_pair(image, label, shape)
            shape = label.shape
            index = network_indices(label)  # (H,W), 255 where IGNORE
            masks = [index == k for k in range(LABELS)]
            counts = counts + np.stack([cell_counts(mask) for mask in masks], axis=2)
            for sample, mask in zip(colours, masks, strict=True):
                sample.add(image[mask], rng)
        pixels = np.sum(counts, axis=(0, 1))
        if shape is None or not pixels.any():
            raise SegmentationError(
                "ColourLocationUnary.fit: expected pixels to learn from, got "
                + ("no frames" if shape is None else "nothing but IGNORE"),
                cause="an empty split, or a generator that was used up before",
                fix="pass labelled training frames, for example open_wad(root).split('report').train",
            )
        mixtures = ColourMixtures.fit([sample.rows() for sample in colours], components, seed)
        return cls(shape, mixtures, pixels, density(counts, shape, sigma_px), prior_weight)

    @functools.cached_property
    def log_prior(self) -> npt.NDArray[np.float32]:
        """The log of p(l | p) for each label at each pixel, (H,W,8) float32; -ABSENT_COST for one never seen."""
        seen = self.pixels > 0
        share = self.pixels / self.pixels.sum()
        prior = self.location * np.where(seen, share**self.prior_weight, 0).astype(np.float32)  # (h,w,8)
        prior = upsample(prior / prior.sum(axis=2, keepdims=True), self.shape)  # (H,W,8)
        return np.where(seen, np.log(np.where(seen, prior, 1)), np.float32(-ABSENT_COST))

    def costs(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Compute the cost of each label at each pixel: -log p(colour | l) - log p(l | place).

        Parameters
        ----------
        image : (H,W,3) uint8 RGB, of the size that it was learnt from

        Returns
        -------
        (H,W,8) float32, finite
            Nats, up to the same constant for all labels; label 0 is background, then the classes in
            the order of `wadlib.labels.IDS`. A label that was never seen costs ABSENT_COST.
        """
        if not isinstance(image, np.ndarray) or image.shape != (*self.shape, 3) or image.dtype != np.uint8:
            raise SegmentationError(
                f"ColourLocationUnary.costs: expected an image of shape {(*self.shape, 3)}, uint8, got {kind(image)}",
                cause="a full-size frame, while the model was learnt from network-size ones",
                fix="crop and downscale it first: wadlib.preprocess.crop_and_downscale(image, None)",
            )
        lab = to_lab(image)
        costs = -self.log_prior
        seen = self.pixels > 0
        for top in range(0, self.shape[0], 32):  # a strip at a time stays in the processor's cache
            strip = lab[top : top + 32]
            density = self.colours.log_density(strip.reshape(-1, 3)).reshape(*strip.shape[:2], LABELS)
            costs[top : top + 32] -= np.where(seen, density, np.float32(0))
        return costs

    def predict(self, image: npt.NDArray[np.uint8], *, min_area_px: int = 12) -> npt.NDArray[np.uint16]:
        """Make the label map of least cost at each pixel, each connected component an instance.

        Returns
        -------
        (H,W) uint16 codes, see `instances_from_indices`
        """
        return instances_from_indices(np.argmin(self.costs(image), axis=2), min_area_px=min_area_px)

    def save(self, path: str | Path) -> None:
        """Write the model as one ``.npz`` file, whole or not at all."""
        own = {name: getattr(self, name) for name in ("shape", "pixels", "location", "prior_weight")}
        with atomic_path(path) as part, part.open("wb") as file:
            np.savez_compressed(file, format=_FORMAT, **own, **vars(self.colours))

    @classmethod
    def load(cls, path: str | Path) -> ColourLocationUnary:
        """Read what `save` wrote.

        Raises
        ------
        SegmentationError
            The file is missing, damaged or something else.
        """
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                if file["format"] != _FORMAT:
                    raise ValueError(f"format {file['format']}")
                colours = ColourMixtures(file["weights"], file["means"], file["whitening"])
                height, width = file["shape"].tolist()
                return cls((height, width), colours, file["pixels"], file["location"], float(file["prior_weight"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise SegmentationError(
                f"ColourLocationUnary.load: cannot read {Path(path).name}: {error}",
                cause="the file is missing, damaged, or was not written by ColourLocationUnary.save",
                fix="fit the model again and save it",
            ) from error


def _read(frame: Any) -> tuple[Any, Any]:
    if isinstance(frame, tuple):
        return frame
    image, label = frame.read_image(), frame.read_label()
    return crop_and_downscale(image, label) if label.shape == FULL_SHAPE else (image, label)


def _check_pair(image: Any, label: Any, shape: tuple[int, int] | None) -> None:
    ok = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if not ok or not isinstance(label, np.ndarray) or label.dtype != np.uint16 or label.shape != image.shape[:2]:
        raise SegmentationError(
            f"ColourLocationUnary.fit: expected an image (H,W,3) uint8 and a label (H,W) uint16, "
            f"got {kind(image)} and {kind(label)}",
            cause="image and label in the wrong order, of different sizes, or converted on the way",
            fix="pass (read_image(path), read_label(path)) pairs",
        )
    if shape is not None and label.shape != shape:
        raise SegmentationError(
            f"ColourLocationUnary.fit: expected frames of one size, got {shape} and then {label.shape}",
            cause="full-size and network-size frames were put together",
            fix="prepare the dataset first: `wadlib prepare ROOT OUT`",
        )
