r"""The five losses of Mask R-CNN, and what they add up to (report, section 4.1).

.. math:: L = \underbrace{w_1 L_{cls}^{rpn} + w_2 L_{box}^{rpn}}_{\text{region proposal network}}
            + \underbrace{w_3 L_{cls} + w_4 L_{box} + w_5 L_{mask}}_{\text{second stage}}

The weights are `Config.loss_weights`, all 1 in the report. Where the equations come from:

=====================  ===========================================================================
`rpn_class_loss`       Faster R-CNN (Ren et al. 2015), equation 1, first term
`rpn_bbox_loss`        Faster R-CNN, equation 1, second term; `smooth_l1`: Fast R-CNN, equation 3
`mrcnn_class_loss`     Fast R-CNN (Girshick 2015), equation 1, first term: :math:`-\log p_u`
`mrcnn_bbox_loss`      Fast R-CNN, equation 2
`mrcnn_mask_loss`      Mask R-CNN (He et al. 2017), section 3: the average binary cross-entropy
=====================  ===========================================================================

As in the original package each is the mean over what takes part in it, in the whole batch; where nothing does, it is
0. Sums run over masked arrays of fixed size: the original picks the rows that take part, which is the same number.
"""

from typing import Any

from keras import ops

from wadlib.maskrcnn.network.gather import take_class, take_rows

_NEVER = -1e9  # logit of a class that takes no part: a probability of 0, exactly

EPSILON = 1e-7
"""Probabilities of the mask head are kept this far from 0 and 1, so that their logarithms are finite."""


def smooth_l1(target: Any, prediction: Any) -> Any:
    r"""Square a distance near 0, and go on straight from 1: outliers pull with a limited force.

    .. math:: \text{smooth}_{L_1}(x) = \begin{cases} x^2 / 2 & |x| < 1 \\ |x| - 1/2 & \text{otherwise} \end{cases}

    Examples
    --------
    >>> ops.convert_to_numpy(smooth_l1(ops.zeros(3), ops.convert_to_tensor([0.5, 1.0, -3.0]))).tolist()
    [0.125, 0.5, 2.5]
    """
    distance = ops.abs(_float32(target) - _float32(prediction))
    return ops.where(distance < 1, 0.5 * distance * distance, distance - 0.5)


def rpn_class_loss(match: Any, logits: Any) -> Any:
    r"""Judge object or not, for the anchors that were chosen to learn from.

    .. math:: L_{cls}^{rpn} = \frac{1}{|\{i : m_i \ne 0\}|} \sum_{i : m_i \ne 0} -\log p_{i, [m_i = 1]},
              \quad p_i = \text{softmax}(z_i)

    Parameters
    ----------
    match : (B, A) or (B, A, 1) int
        :math:`m`: 1 on an object, -1 not, 0 takes no part.
    logits : (B, A, 2)
        :math:`z`: background, object.

    Returns
    -------
    () float32
    """
    match = _flat_match(match, logits)
    each = _cross_entropy(ops.cast(match == 1, "int32"), logits)  # -log p
    return _masked_mean(each, match != 0)  # 1 / |{m ≠ 0}| · Σ


def rpn_bbox_loss(target_deltas: Any, match: Any, deltas: Any) -> Any:
    r"""Measure how far the deltas of anchors on objects are from what they should be.

    .. math:: L_{box}^{rpn} = \frac{1}{4 |\{i : m_i = 1\}|} \sum_{i : m_i = 1} \sum_{k=1}^{4}
              \text{smooth}_{L_1}(t_{ik} - t^*_{ik})

    Parameters
    ----------
    target_deltas : (B, R, 4)
        :math:`t^*`: row k is for the k-th anchor whose `match` is 1; zeros after the last.
    match : (B, A) or (B, A, 1) int
        :math:`m`, as in `rpn_class_loss`.
    deltas : (B, A, 4)
        :math:`t`, from the network.

    Returns
    -------
    () float32
    """
    match = _flat_match(match, deltas)
    positive = match == 1
    # Anchor i has target row "number of positive anchors before i".
    row = ops.cumsum(ops.cast(positive, "int32"), axis=1) - 1
    wanted = take_rows(target_deltas, ops.where(positive, row, -1))  # (B, A, 4)
    each = ops.mean(smooth_l1(wanted, deltas), axis=2)  # 1/4 Σ_k
    return _masked_mean(each, positive)


def mrcnn_class_loss(target_class_ids: Any, logits: Any, active_class_ids: Any = None) -> Any:
    r"""Judge the class of each RoI, background included.

    .. math:: L_{cls} = \frac{1}{N} \sum_{i=1}^{N} -\log p_{i u_i}, \quad p_i = \text{softmax}(z_i)

    Parameters
    ----------
    target_class_ids : (B, N) int
        :math:`u`: 0 is background, and padding.
    logits : (B, N, K)
        :math:`z`
    active_class_ids : (B, K), optional
        1 for the classes that the dataset of a picture has, 0 for others: a RoI whose prediction is one of those
        takes no part. All are active by default.

    Returns
    -------
    () float32
    """
    each = _cross_entropy(target_class_ids, logits)  # -log p_u, (B, N)
    if active_class_ids is None:
        return ops.mean(each)
    predicted = ops.argmax(logits, axis=2)
    active = ops.take_along_axis(ops.convert_to_tensor(active_class_ids), predicted, axis=1)  # (B, N)
    return _masked_mean(each, active > 0)


def labelled_class_loss(target_class_ids: Any, logits: Any, labelled: Any) -> Any:
    r"""Judge the class of each RoI among those that the picture's dataset labels.

    With all classes labelled this is `mrcnn_class_loss`. A class that is not takes no part in the softmax, so its
    logit gets no gradient; and a RoI on no object whose best class it is, is not judged at all. A RoI on an object of
    such a class, which can only be one that was pasted in (`wadlib.maskrcnn.frames.copy_paste`), is judged among all.

    Parameters
    ----------
    target_class_ids : (B, N) int
    logits : (B, N, K)
    labelled : (B, K)
        1 or 0, see `wadlib.maskrcnn.learning.unlabelled`.

    Returns
    -------
    () float32
    """
    logits = _float32(logits)
    pasted = ops.logical_and(ops.take_along_axis(labelled, target_class_ids, axis=1) == 0, target_class_ids > 0)
    known = ops.logical_or(ops.cast(labelled, "bool")[:, None], pasted[..., None])  # (B, N, K)
    each = _cross_entropy(target_class_ids, ops.where(known, logits, _NEVER))
    favourite = ops.take_along_axis(labelled, ops.argmax(logits, axis=2), axis=1)  # (B, N)
    return _masked_mean(each, ops.logical_or(favourite > 0, target_class_ids > 0))


def mrcnn_bbox_loss(target_deltas: Any, target_class_ids: Any, deltas: Any) -> Any:
    r"""Measure how far the deltas of RoIs on objects are from what they should be, for the true class only.

    .. math:: L_{box} = \frac{1}{4 |\{i : u_i > 0\}|} \sum_{i : u_i > 0} \sum_{k=1}^{4}
              \text{smooth}_{L_1}(t_{i u_i k} - v_{ik})

    Parameters
    ----------
    target_deltas : (B, N, 4)
        :math:`v`
    target_class_ids : (B, N) int
        :math:`u`: 0 for RoIs that are on no object.
    deltas : (B, N, K, 4)
        :math:`t`, one box per class.

    Returns
    -------
    () float32
    """
    own = take_class(deltas, target_class_ids)  # t_u, (B, N, 4)
    each = ops.mean(smooth_l1(target_deltas, own), axis=2)  # 1/4 Σ_k
    return _masked_mean(each, target_class_ids > 0)


def mrcnn_mask_loss(target_masks: Any, target_class_ids: Any, masks: Any) -> Any:
    r"""Judge the pixels of each RoI on an object; only the true class's mask counts, so classes do not compete.

    .. math:: L_{mask} = \frac{-1}{m^2 |\{i : u_i > 0\}|} \sum_{i : u_i > 0} \sum_{x,y}
              y_{ixy} \log p_{i u_i x y} + (1 - y_{ixy}) \log (1 - p_{i u_i x y})

    Parameters
    ----------
    target_masks : (B, N, m, m)
        :math:`y`, 0 or 1.
    target_class_ids : (B, N) int
        :math:`u`
    masks : (B, N, m, m, K)
        :math:`p`, one mask of probabilities per class.

    Returns
    -------
    () float32
    """
    truth = _float32(target_masks)
    own = take_class(ops.moveaxis(masks, 4, 2), target_class_ids)  # p_u, (B, N, m, m)
    p = ops.clip(_float32(own), EPSILON, 1 - EPSILON)
    each = -(truth * ops.log(p) + (1 - truth) * ops.log(1 - p))
    return _masked_mean(ops.mean(each, axis=(2, 3)), target_class_ids > 0)


def _float32(values: Any) -> Any:
    """Losses are float32 whatever the network computes in."""
    return ops.cast(values, "float32")


def _flat_match(match: Any, like: Any) -> Any:
    """(B, A, 1) -> (B, A), int32."""
    return ops.reshape(ops.cast(match, "int32"), ops.shape(like)[:2])


def _cross_entropy(classes: Any, logits: Any) -> Any:
    """-log softmax(logits)[class]; (B, N), (B, N, K) -> (B, N)."""
    return -take_class(ops.log_softmax(_float32(logits), axis=2), classes)


def _masked_mean(values: Any, mask: Any) -> Any:
    """Mean of the values where the mask is true; 0 if it is nowhere."""
    count = ops.sum(ops.cast(mask, "float32"))
    return ops.sum(ops.where(mask, values, ops.zeros_like(values))) / ops.maximum(count, 1.0)
