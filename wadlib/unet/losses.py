r"""The losses of a U-Net: categorical cross entropy, soft dice, their sum (section 2.2 of the report).

Notation: pixel p of :math:`N`, class c of C, softmax :math:`q_{pc}`, one-hot target :math:`t_{pc}`
(all zero where there is no target), class weight :math:`w_c`.

Every choice that separates the report's attempt from its remedy is an option with a name, so that one
cause at a time can be taken away: `attempt_loss` and `cure_loss` are two settings of the same
`SegmentationLoss`.
"""

from dataclasses import asdict
from typing import Any

import keras
from keras import ops

from wadlib.unet.loss_options import AUTHORS, LossOptions

UNLABELLED = 255
"""Target of a pixel that has none: IGNORE, or a class that is not among the network's outputs."""

EPSILON = 1e-6  # the authors' own: keeps 0 / 0 away


def one_hot(target: Any, classes: int) -> Any:
    """Turn class indices (…) into (…,C) float32; all zero where the target is UNLABELLED."""
    return ops.cast(ops.equal(ops.cast(target, "int32")[..., None], ops.arange(classes, dtype="int32")), "float32")


def batch_class_weights(truth: Any, exponent: float = 0.3) -> Any:
    r"""Compute the authors' class weights from the labels of one batch.

    .. math:: w_c = \Big(\frac{\max_k s_k}{s_c + 10^{-6}}\Big)^{0.3}, \quad s_c = \frac{\sum_p t_{pc}}{\sum_{pk} t_{pk}}

    A class that the batch does not hold has share 0 and gets :math:`(10^6 \max s)^{0.3}`, about 60.

    Parameters
    ----------
    truth : (…,C) one-hot targets

    Returns
    -------
    (C,) float32
    """
    counts = ops.sum(truth, axis=tuple(range(len(truth.shape) - 1)))  # (C,)
    shares = counts / ops.maximum(ops.sum(counts), 1.0)
    return (ops.max(shares) / (shares + EPSILON)) ** exponent


def cross_entropy(truth: Any, logits: Any, weights: Any, *, normalise: bool = True, unlabelled: str = "ignore") -> Any:
    r"""Compute the weighted categorical cross entropy.

    .. math:: L = -\frac1Z \sum_p \sum_c w_c\, t_{pc} \log q_{pc}

    Parameters
    ----------
    truth : (B,H,W,C) one-hot targets, all zero where there is none
    logits : (B,H,W,C); the logarithm of their softmax is taken without a detour through 0 or 1
    weights : (C,)
    normalise : bool
        Z is the sum of the weights of the pixels, so that L is a weighted mean. If not, Z counts
        pixels, and a batch of rare classes weighs more than another.
    unlabelled : "ignore" or "zero"
        Whether pixels without a target are left out of Z, or counted as pixels without loss (it
        matters only where `normalise` is off).

    Returns
    -------
    scalar
    """
    entropy = -ops.sum(weights * truth * ops.log_softmax(logits, axis=-1))
    if normalise:
        return entropy / ops.maximum(ops.sum(weights * truth), EPSILON)
    labelled = ops.sum(truth, axis=-1)
    pixels = ops.sum(labelled if unlabelled == "ignore" else ops.ones_like(labelled))
    return entropy / ops.maximum(pixels, 1.0)


def soft_dice(
    truth: Any,
    logits: Any,
    weights: Any,
    *,
    absent: str = "skip",
    per_image: bool = False,
    normalise: bool = True,
    unlabelled: str = "ignore",
) -> Any:
    r"""Compute one minus the soft dice coefficient, per class and added up.

    .. math:: L = \frac1Z \sum_c w_c (1 - D_c), \quad
              D_c = \frac{2 \sum_p q_{pc} t_{pc} + \epsilon}{\sum_p q_{pc} + \sum_p t_{pc} + \epsilon}

    Parameters
    ----------
    truth, logits, weights : see `cross_entropy`
    absent : "skip" or "count"
        What a class without a single pixel does. It has :math:`D_c = \epsilon / (\epsilon + \sum_p q_{pc})`,
        which is nearly 0 until the prediction for it falls below a millionth of a pixel in all: its
        term stays at 1 and has hardly a gradient. "count" lets it stand, "skip" leaves it out.
    per_image : bool
        Take D in each image and average over the images, or once over all pixels of the batch.
    normalise : bool
        Z is the sum of the weights of the classes that take part; if not, Z is 1.
    unlabelled : "ignore" or "zero"
        Whether pixels without a target are left out of :math:`\sum_p q_{pc}`, or counted there.

    Returns
    -------
    scalar
    """
    axes = (1, 2) if per_image else (0, 1, 2)
    q = ops.softmax(logits, axis=-1)
    if unlabelled == "ignore":
        q = q * ops.sum(truth, axis=-1, keepdims=True)
    size = ops.sum(truth, axis=axes)  # (C,) or (B,C)
    dice = (2 * ops.sum(q * truth, axis=axes) + EPSILON) / (ops.sum(q, axis=axes) + size + EPSILON)
    share = weights * (ops.cast(size > 0, "float32") if absent == "skip" else ops.ones_like(size))
    loss = ops.sum(share * (1 - dice), axis=-1)
    if normalise:
        loss = loss / ops.maximum(ops.sum(share, axis=-1), EPSILON)
    return ops.mean(loss)


@keras.saving.register_keras_serializable("wadlib")
class SegmentationLoss(keras.losses.Loss):
    """A weighted sum of cross entropy and dice, for ``model.compile``.

    Call it with targets (B,H,W), whole numbers with UNLABELLED where there is none, and logits
    (B,H,W,C).

    Parameters
    ----------
    cross_entropy, dice, **options
        The fields of `wadlib.unet.loss_options.LossOptions`, which says what is refused; as a dict in ``options``.
    """

    def __init__(
        self,
        cross_entropy: float = 1.0,
        dice: float = 1.0,
        *,
        name: str = "segmentation_loss",
        reduction: str = "sum",
        **options: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        self.options: dict[str, Any] = asdict(LossOptions(cross_entropy, dice, **options))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of one batch, a scalar."""
        o = self.options
        classes = y_pred.shape[-1]
        truth, logits = one_hot(y_true, classes), ops.cast(y_pred, "float32")
        if o["class_weights"] == "batch":
            weights = batch_class_weights(truth)
        else:
            weights = ops.convert_to_tensor(o["class_weights"] or [1.0] * classes, dtype="float32")
        loss = ops.zeros(())
        shared = {"normalise": o["normalise"], "unlabelled": o["unlabelled"]}
        if o["cross_entropy"]:
            loss = loss + o["cross_entropy"] * cross_entropy(truth, logits, weights, **shared)
        if o["dice"]:
            term = soft_dice(truth, logits, weights, absent=o["absent"], per_image=o["per_image"], **shared)
            loss = loss + o["dice"] * term
        return loss

    def get_config(self) -> dict[str, Any]:
        """Return the options, as `model.save` writes them."""
        return {"name": self.name} | self.options


def attempt_loss(cross_entropy: float = 1.0, dice: float = 1.0, **changes: Any) -> SegmentationLoss:
    """Make the authors' loss: batch weights that nothing divides by, dice per image, absent classes counted.

    They tried each term alone: ``attempt_loss(dice=0)`` and ``attempt_loss(cross_entropy=0)``. A pixel
    without a target is a zero row of their one-hot array, so it counts as a pixel.
    """
    return SegmentationLoss(cross_entropy, dice, **({"name": "attempt_loss"} | AUTHORS | changes))


def cure_loss(cross_entropy: float = 1.0, dice: float = 1.0, **changes: Any) -> SegmentationLoss:
    """Make cross entropy plus dice over the classes that a batch holds, both proper means."""
    return SegmentationLoss(cross_entropy, dice, **({"name": "cure_loss"} | changes))
