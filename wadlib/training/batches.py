"""Batches that depend on nothing but (seed, epoch, index), and a stream of them made ahead of time.

Training that can be killed and goes on as if nothing had happened needs a source of data without hidden
state: batch 17 of epoch 3 is the same whoever asks for it, in whatever order, in however many threads.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from wadlib._shared.parallel import in_order
from wadlib.errors import TrainingError

Item = TypeVar("Item")


class Batch(NamedTuple):
    """Holds what a training step gets.

    Attributes
    ----------
    x, y, weight : array, or a dict, list or tuple of arrays
        Inputs, targets and sample weights; the first axis of every array is the batch. None if the
        model needs none.
    names : tuple of str
        The frames in the batch, for error messages.
    """

    x: Any
    y: Any = None
    weight: Any = None
    names: tuple[str, ...] = ()


class Source(Protocol):
    """Says what `wadlib.training.fit` asks of its data; called from several threads at once."""

    def __len__(self) -> int:
        """Batches in an epoch."""

    def batch(self, epoch: int, index: int) -> Batch:
        """Make batch `index` of `epoch`, both from 0: the same arguments, the same arrays."""


class Batches(Generic[Item]):
    """Batches of items, shuffled anew in each pass, every item as often as any other.

    Parameters
    ----------
    items : sequence
        Frames, for example.
    sample : callable
        ``sample(item, rng)`` gives ``(x,)``, ``(x, y)`` or ``(x, y, weight)`` of one item, each an array
        or a dict, list or tuple of arrays. Its `rng` depends on `seed` and on the place in the run
        only; augmentation draws from it and from nothing else.
    batch_size : int
    seed : int
        Of the order and of the augmentation.
    shuffle : bool
        True for training: items come in a new order in each pass, and all batches have `batch_size`
        items (an epoch that is no multiple of it goes on where the last one ended). False for
        validation: each item once, in order; the last batch may be smaller.
    steps : int, optional
        Batches in an epoch; by default as many as the items need. Only with `shuffle`.
    weights : (N,), optional
        How often each item is to be drawn, relative to the others, instead of equally often. Only with
        `shuffle`.
    name : callable
        ``name(item)`` for error messages; by default ``item.name`` where there is one.

    Examples
    --------
    >>> data = Batches(range(5), lambda item, rng: (np.array(item),), batch_size=2, shuffle=False)
    >>> [data.batch(0, index).x.tolist() for index in range(len(data))]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        items: Sequence[Item],
        sample: Callable[[Item, np.random.Generator], tuple[Any, ...]],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        steps: int | None = None,
        weights: npt.ArrayLike | None = None,
        name: Callable[[Item], str] | None = None,
    ) -> None:
        if not len(items):
            raise TrainingError(
                "Batches: expected at least one frame, got none",
                cause="an empty dataset or an empty side of a split",
                fix="`wadlib info ROOT` lists what the dataset holds",
            )
        if batch_size < 1 or (steps is not None and (steps < 1 or not shuffle)):
            raise TrainingError(
                f"Batches: expected batch_size >= 1 and, with shuffle, steps >= 1, "
                f"got batch_size={batch_size}, steps={steps}, shuffle={shuffle}",
                cause="a typing slip, or steps for validation data",
                fix="leave steps out to see every frame once in an epoch",
            )
        self.chances = None if weights is None else _chances(weights, len(items), shuffle)
        self.items, self.sample = items, sample
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.steps = steps or -(-len(items) // batch_size)  # rounded up
        self.name = name or (lambda item: str(getattr(item, "name", item)))
        self._order = functools.lru_cache(maxsize=4)(self._order_of_pass)

    def __len__(self) -> int:
        return self.steps

    def order(self, rng: np.random.Generator) -> npt.NDArray[np.integer]:
        r"""Draw the order of one pass: indices into `items`, ``len(items)`` of them.

        With weights, item i comes :math:`N w_i / \sum w` times, rounded up or down at random so that the mean
        is exact (systematic sampling), and all are shuffled.
        """
        if self.chances is None:
            return rng.permutation(len(self.items))
        n = len(self.items)
        ticks = (np.arange(n) + rng.random()) / n
        drawn = np.searchsorted(np.cumsum(self.chances), ticks, side="right").clip(0, n - 1)
        return rng.permutation(drawn)

    def positions(self, epoch: int, index: int) -> range:
        """Find the places in the run, counted in items from its beginning, that a batch takes."""
        if not 0 <= index < len(self) or epoch < 0:
            raise IndexError(f"batch {index} of epoch {epoch}: there are {len(self)} in an epoch")
        if self.shuffle:
            first = (epoch * len(self) + index) * self.batch_size
            return range(first, first + self.batch_size)
        return range(index * self.batch_size, min((index + 1) * self.batch_size, len(self.items)))

    def batch(self, epoch: int, index: int) -> Batch:
        """Make batch `index` of `epoch`, both from 0."""
        samples, names = [], []
        for position in self.positions(epoch, index):
            passes, place = divmod(position, len(self.items))
            item = self.items[int(self._order(passes)[place]) if self.shuffle else place]
            names.append(self.name(item))
            samples.append(self.sample(item, np.random.default_rng([self.seed, 1, position])))
        stacked = [_stack(parts) for parts in zip(*samples, strict=True)]
        return Batch(*stacked)._replace(names=tuple(names))

    def describe(self) -> dict[str, Any]:
        """Say what determines the batches, for the run's ``config.json`` (`sample` cannot be told)."""
        return {
            "items": len(self.items),
            "names_sha256": _digest("\n".join(self.name(item) for item in self.items).encode()),
            "weights_sha256": None if self.chances is None else _digest(self.chances.tobytes()),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "steps": self.steps,
        }

    def _order_of_pass(self, passes: int) -> npt.NDArray[np.integer]:
        return self.order(np.random.default_rng([self.seed, 0, passes]))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _chances(weights: npt.ArrayLike, n: int, shuffle: bool) -> npt.NDArray[np.float64]:
    chances = np.asarray(weights, np.float64)
    if (
        not shuffle
        or chances.shape != (n,)
        or not np.isfinite(chances).all()
        or (chances < 0).any()
        or not chances.any()
    ):
        raise TrainingError(
            f"Batches: expected {n} finite weights >= 0 and shuffle=True, got shape {chances.shape}, shuffle={shuffle}",
            cause="weights of other frames, or weights for validation data",
            fix="pass one weight for each item, or none",
        )
    return np.asarray(chances / chances.sum())


def _stack(parts: Sequence[Any]) -> Any:
    """Put samples together along a new first axis; dicts, lists and tuples are followed inside."""
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, dict):
        return {key: _stack([part[key] for part in parts]) for key in first}
    if isinstance(first, list | tuple):
        return type(first)(_stack(group) for group in zip(*parts, strict=True))
    return np.stack(parts)


def leaves(tree: Any) -> list[Any]:
    """List the arrays in a dict, list or tuple of arrays, from left to right; None is none.

    Examples
    --------
    >>> leaves({"a": 1, "b": [2, None, (3,)]})
    [1, 2, 3]
    """
    if tree is None:
        return []
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Call a function on each of the `leaves`, and put the results where those were.

    Examples
    --------
    >>> mapped(str, {"a": 1, "b": [2, None]})
    {'a': '1', 'b': ['2', None]}
    """
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: mapped(function, value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(mapped(function, value) for value in tree)
    return function(tree)


class Stream(Iterator[Batch]):
    """Batches in a given order, made ahead of time in threads.

    Threads, because decoding, resizing and numpy's loops let go of the interpreter lock, and because a
    process would have to send every batch through a pipe.

    Parameters
    ----------
    source : Source
    places : iterable of (epoch, index)
        Which batches, in which order.
    workers : int
        Threads; 0 makes each batch when it is asked for.
    ahead : int, optional
        Batches that may be ready before they are asked for; memory is bounded by them. By default two
        for each worker.

    Attributes
    ----------
    waited_s : float
        Seconds that the reader had to wait for batches, all together.
    """

    def __init__(
        self, source: Source, places: Iterable[tuple[int, int]], *, workers: int = 2, ahead: int | None = None
    ) -> None:
        self.waited_s = 0.0
        ahead = max(1, 2 * workers if ahead is None else ahead)
        self._batches = in_order(lambda place: source.batch(*place), places, workers=workers, ahead=ahead)

    def __next__(self) -> Batch:
        start = time.perf_counter()
        try:
            return next(self._batches)[1]
        finally:
            self.waited_s += time.perf_counter() - start

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was not asked for, and end the threads."""
        self._batches.close()
