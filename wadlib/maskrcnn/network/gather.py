"""Picking rows by index in a batch: the one indexing operation of proposals, targets and detections."""

from typing import Any

from keras import ops


def take_rows(values: Any, indices: Any) -> Any:
    """Take rows of each picture: ``out[b, m] = values[b, indices[b, m]]``.

    Parameters
    ----------
    values : (B, N, …)
    indices : (B, M) int
        -1 stands for "no row" and gives a row of zeros.

    Returns
    -------
    (B, M, …)

    Examples
    --------
    >>> values = ops.convert_to_tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> ops.convert_to_numpy(take_rows(values, ops.convert_to_tensor([[1, -1, 0]]))).tolist()
    [[[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]]
    """
    batch, rows = ops.shape(values)[0], ops.shape(values)[1]
    rest = tuple(values.shape[2:])
    indices = ops.cast(indices, "int32")
    # One flat gather: every backend has a fast one, with a gradient that adds up rows.
    flat = ops.reshape(values, (-1, *rest))  # (B * N, …)
    first = ops.expand_dims(ops.arange(batch, dtype="int32") * rows, 1)  # (B, 1)
    found = ops.take(flat, ops.maximum(indices, 0) + first, axis=0)  # (B, M, …)
    known = ops.reshape(indices >= 0, (batch, indices.shape[1], *[1] * len(rest)))
    return ops.where(known, found, ops.zeros_like(found))


def first_true(mask: Any, count: int, rank: Any = None) -> Any:
    """Find the first `count` true entries of each row, in the order of `rank`; -1 where there are fewer.

    Parameters
    ----------
    mask : (B, N) bool
    count : int
    rank : (B, N) float, optional
        Smaller is earlier; by default the position.

    Returns
    -------
    (B, count) int32

    Examples
    --------
    >>> mask = ops.convert_to_tensor([[False, True, True, True]])
    >>> ops.convert_to_numpy(first_true(mask, 2)).tolist()
    [[1, 2]]
    >>> rank = ops.convert_to_tensor([[0.0, 3.0, 2.0, 1.0]])
    >>> ops.convert_to_numpy(first_true(mask, 4, rank)).tolist()
    [[3, 2, 1, -1]]
    """
    size = mask.shape[1]
    if rank is None:
        rank = ops.broadcast_to(ops.expand_dims(ops.arange(size, dtype="float32"), 0), ops.shape(mask))
    late = ops.full_like(rank, float("inf"))
    # Positions are whole numbers below 2^24, so float32 keeps them apart.
    values, indices = ops.top_k(-ops.where(mask, rank, late), min(count, size))
    indices = ops.where(values > -float("inf"), ops.cast(indices, "int32"), -1)
    return ops.pad(indices, ((0, 0), (0, max(count - size, 0))), constant_values=-1)


def take_class(values: Any, classes: Any) -> Any:
    """Take the entry of one class for each RoI: ``out[b, n] = values[b, n, classes[b, n]]``.

    Parameters
    ----------
    values : (B, N, K, …)
    classes : (B, N) int

    Returns
    -------
    (B, N, …)

    Examples
    --------
    >>> values = ops.convert_to_tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> ops.convert_to_numpy(take_class(values, ops.convert_to_tensor([[1, 0]]))).tolist()
    [[2.0, 3.0]]
    """
    shape = ops.shape(values)
    flat = ops.reshape(values, (-1, *values.shape[2:]))  # (B * N, K, …)
    picked = take_rows(flat, ops.reshape(classes, (-1, 1)))  # (B * N, 1, …)
    return ops.reshape(picked, (*shape[:2], *shape[3:]))
