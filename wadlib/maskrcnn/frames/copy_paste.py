"""Copy-paste of rare instances (Ghiasi et al., "Simple Copy-Paste", CVPR 2021), at the height where they stood.

In a driving video the height of an object in the picture says how far away it is, and so how large. A copy that keeps
its rows therefore has the size that an object at that place would have; only its column is drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wadlib.dataset.frame import Frame
from wadlib.labels import CLASSES, IDS

Image = npt.NDArray[np.uint8]
Label = npt.NDArray[np.uint16]

SMALLEST_PX = 24
"""Instances of fewer pixels are not worth a copy."""


@dataclass(frozen=True)
class CopyPaste:
    """Pastes instances of rare classes from other frames into a picture.

    Attributes
    ----------
    donors : class id -> frames that hold the class
        Only classes that are to be pasted; each is as likely as any other. Of the instances of a class in a frame one
        is drawn in proportion to its side, the root of its pixels: most are far away and small, and those that are
        near fill more of the picture, but are seen so seldom that they need copies most.
    mean : float
        Instances pasted per picture, on average (Poisson).
    """

    donors: Mapping[int, Sequence[Frame]] = field(repr=False)
    mean: float = 1.0

    def __call__(
        self,
        image: Image,
        label: Label,
        read: Callable[[Frame], tuple[Image, Label]],
        rng: np.random.Generator,
    ) -> tuple[Image, Label]:
        """Paste some more instances into a picture (H, W, 3) and its label (H, W); what is passed in stays as it is.

        Parameters
        ----------
        read : function of a Frame
            Gives the donor's picture and label with the same rows as `image`, of any width.
        """
        count = int(rng.poisson(self.mean)) if self.donors else 0
        if count:
            image, label = image.copy(), label.copy()
        for _ in range(count):
            class_id = int(rng.choice(sorted(self.donors)))
            frames = self.donors[class_id]
            donor_image, donor_label = read(frames[int(rng.integers(len(frames)))])
            codes, areas = np.unique(donor_label[donor_label // 1000 == class_id], return_counts=True)
            sides = np.sqrt(np.where(areas < SMALLEST_PX, 0, areas))
            if sides.any():
                code = int(rng.choice(codes, p=sides / sides.sum()))
                paste(image, label, donor_image, donor_label, code, rng)
        return image, label


def paste(
    image: Image, label: Label, donor_image: Image, donor_label: Label, code: int, rng: np.random.Generator
) -> bool:
    """Copy one instance into a picture and its label, in place: same rows, random column.

    What reaches further down in the picture stands nearer, and hides what is behind it: the copy may hide a part of
    an object, and an object a part of the copy.

    Parameters
    ----------
    image, label : (H, W, 3) uint8, (H, W) uint16
    donor_image, donor_label : (H, V, 3) uint8, (H, V) uint16
    code : int
        The instance in `donor_label`.

    Returns
    -------
    bool
        Whether there was room: False if the instance is wider than the picture or its class has no number left.
    """
    rows, columns = np.nonzero(donor_label == code)
    width, number = int(np.ptp(columns)) + 1, _free_code(label, code // 1000)
    if width > label.shape[1] or number is None:
        return False
    shifted = columns - columns.min() + int(rng.integers(0, label.shape[1] - width + 1))
    free = np.ones(len(rows), np.bool_)
    there = label[rows, shifted]
    for other in np.unique(there):
        if other // 1000 in CLASSES and int(np.nonzero(label == other)[0].max()) >= rows.max():
            free &= there != other  # it stands nearer
    image[rows[free], shifted[free]] = donor_image[rows[free], columns[free]]
    label[rows[free], shifted[free]] = number
    return True


def _free_code(label: Label, class_id: int) -> int | None:
    """The first code after those of its class that the label does not hold; None after number 999."""
    own = label[label // 1000 == class_id]
    number = int(own.max()) % 1000 + 1 if own.size else 0
    return class_id * 1000 + number if number < 1000 and class_id in IDS else None
