"""Check what comes from files of other programs, before C code sees it: text of any encoding, fields of records."""

import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wadlib._shared.files import open_regular, read_bytes
from wadlib.errors import WadError

MAX_PIXELS = 100_000_000
"""The largest picture that is believed to be one."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def decode_text(data: bytes) -> str:
    r"""Decode UTF-8 with or without a byte order mark, UTF-16 with one, or else Latin-1.

    Examples
    --------
    >>> [decode_text("é".encode(name)) for name in ("utf-8", "utf-8-sig", "utf-16", "latin-1")]
    ['é', 'é', 'é', 'é']
    """
    if data.startswith(_UTF16):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def text_lines(path: str | Path) -> Iterator[str]:
    """Read a text file of any of these encodings line by line; OSError or ValueError if it cannot be read."""
    with open_regular(path) as file:
        start = file.read(2)
        file.seek(0)
        if start in _UTF16:
            with io.TextIOWrapper(file, "utf-16") as text:
                yield from text
        else:
            yield from map(decode_text, file)


def read_json(path: str | Path) -> Any:
    """Read JSON in any of these encodings; OSError or ValueError if it cannot be read."""
    try:
        return json.loads(decode_text(read_bytes(path)))
    except RecursionError as error:
        raise ValueError("lists within lists without end") from error


class Record(NamedTuple):
    """One JSON object from outside, whose fields are checked when they are taken.

    Attributes
    ----------
    values : whatever stands in the place of the object
    place : str
        Which one it is, for messages: ``annotation 7 (a.jpg)``.
    error : function
        From what is wrong to the error to raise.
    """

    values: Any
    place: str
    error: Callable[[str], WadError]

    def wrong(self, name: str, expected: str) -> WadError:
        """Make the error about a field."""
        found = repr(self.values[name])
        return self.error(f"{self.place}: expected {name} to be {expected}, got {found[:60]}")

    def get(self, name: str) -> Any:
        """Return a field as it is; an error if it is not there, or if the record is no object."""
        if not isinstance(self.values, dict):
            raise self.error(f"{self.place}: expected an object with fields, got {repr(self.values)[:60]}")
        if name not in self.values:
            raise self.error(f"{self.place}: an entry has no {name!r}")
        return self.values[name]

    def whole(self, name: str, low: int = 0, high: int = 2**53) -> int:
        """Return a whole number from `low` to `high`."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(name, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, limit: float = 1e30) -> float:
        """Return a finite number of at most `limit`, as float32 can hold it."""
        value = self.get(name)
        if not is_number(value, -limit, limit):
            raise self.wrong(name, "a finite number")
        return float(value)

    def text(self, name: str) -> str:
        """Return text that is not empty and holds no control character."""
        value = self.get(name)
        if not isinstance(value, str) or not value.strip() or any(ord(letter) < 32 for letter in value):
            raise self.wrong(name, "text of one line")
        return value

    def key(self, name: str) -> int | str:
        """Return an id: a whole number or a text."""
        return self.text(name) if isinstance(self.get(name), str) else self.whole(name, -(2**53))

    def flag(self, name: str) -> bool:
        """Return 0 or 1, true or false, or that as text (``"0"``); false if it is not there."""
        value = self.values.get(name, 0)
        if isinstance(value, str) and value in ("0", "1"):
            return value == "1"
        if not isinstance(value, int) or value not in (0, 1):
            raise self.wrong(name, "0 or 1")
        return bool(value)


def is_number(value: object, low: float, high: float) -> bool:
    """Say whether it is an int or a float (no bool, no nan) from `low` to `high`."""
    return (
        not isinstance(value, bool)
        and isinstance(value, int | float)
        and low <= value <= high
        and not math.isnan(value)
    )
