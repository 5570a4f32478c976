"""Check the types of a dataclass's fields: configurations come from files that anybody may have edited."""

import dataclasses
import functools
import math
import numbers
import types
import typing
from collections.abc import Mapping
from typing import Any

from wadlib.errors import WadError


def wrong_field(value: Any) -> tuple[str, str, Any] | None:
    """Find the first field of a dataclass that has another type than it says.

    Whole numbers serve as floating-point ones, never True and False; no number may be nan or infinite.

    Returns
    -------
    its name, what is expected, and its value; None if all is well

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Point:
    ...     x: float
    >>> wrong_field(Point(1)), wrong_field(Point("1"))
    (None, ('x', 'a number', '1'))
    """
    kind: Any = type(value)
    hints = _hints(kind)
    for field in dataclasses.fields(value):
        found = getattr(value, field.name)
        if not _fits(found, hints[field.name]):
            return field.name, _said(hints[field.name]), found
    return None


def check_fields(value: Any, error: type[WadError]) -> None:
    """Raise `error` where `wrong_field` finds something."""
    wrong = wrong_field(value)
    if wrong is not None:
        name, expected, found = wrong
        raise error(
            f"{type(value).__name__}: expected {name} to be {expected}, got {found!r:.80}",
            cause="a typing slip, or a file that was edited or is of another version",
            fix=f"give {expected}",
        )


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, each) for each in inner)
    if origin is typing.Literal:
        return any(value == each and type(value) is type(each) for each in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[-1] is ...:
            return all(_fits(each, inner[0]) for each in value)
        return len(value) == len(inner) and all(_fits(v, h) for v, h in zip(value, inner, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if hint is bool:
        return isinstance(value, bool)
    if hint in (int, float):
        number = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool) and _finite(value)
    return isinstance(value, type(None) if hint is None else origin or hint)


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number with more than 300 digits
        return False


def _said(hint: Any) -> str:
    """What a hint asks for, in words."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_said(each) for each in inner)
    if origin is typing.Literal:
        return " or ".join(repr(each) for each in inner)
    if origin is tuple:
        return f"a list, each {_said(inner[0])}" if inner[-1] is ... else f"{len(inner)} values, each {_said(inner[0])}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "nothing (null)"}
    return words.get(hint, f"a {getattr(origin or hint, '__name__', hint)}")
