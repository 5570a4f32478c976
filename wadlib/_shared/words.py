"""Words of messages."""

import difflib
from collections.abc import Iterable
from typing import TypeVar

from wadlib.errors import WadError

Value = TypeVar("Value")


def one_of(value: Value, choices: Iterable[object], name: str, error: type[WadError]) -> Value:
    """Return `value` if it is one of `choices`; raise `error`, which names the nearest choice, if it is not.

    Parameters
    ----------
    name : str
        Function and parameter, such as ``"split: kind"``.

    Examples
    --------
    >>> one_of("by_vdeo", ["report", "by_video"], "split: kind", WadError)
    Traceback (most recent call last):
    wadlib.errors.WadError: split: expected kind to be one of report, by_video, got 'by_vdeo'.
    Likely cause: a typing slip.
    Fix: write 'by_video'.
    """
    choices = list(choices)
    words = [str(choice) for choice in choices]
    if value not in choices:
        where, _, parameter = name.partition(": ")
        near = difflib.get_close_matches(str(value), words, n=1)
        raise error(
            f"{where}: expected {parameter} to be one of {', '.join(words)}, got {value!r}",
            cause="a typing slip",
            fix=f"write {near[0]!r}" if near else "use one of those",
        )
    return value


def plural(number: int, noun: str) -> str:
    """Count in words: ``1 frame``, ``2 frames``.

    Examples
    --------
    >>> plural(1, "video")
    '1 video'
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")
