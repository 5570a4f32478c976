"""The facts of the report, each with its kind and place: ``report/report_facts.json``.

>>> cite("crop")
crop: left 28, right 28, top 75, bottom 75 px
  text, section 4.2: "cropped 28 pixels from left and right whereas cropped 75 pixels from top and bottom"
>>> cite("min_confidence").value, cite("min_confidence").kind
(0.9, 'code')
"""

import difflib
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wadlib.course.classroom import project_root
from wadlib.errors import WadError

KINDS = {
    "text": "the report says it",
    "code": "only the authors' published repository shows it",
    "digitised": "read off a printed figure",
    "inferred": "computed from other facts, or known from elsewhere",
}
"""How a fact is known. Only a fact of kind "text" may be called the report's word."""


@dataclass(frozen=True, repr=False)
class Fact:
    """One fact, shown with its kind and place wherever it is printed.

    Attributes
    ----------
    key : str
    value : number, text, list or dict
    kind : str
        One of `KINDS`.
    where : str
        A section, figure or table of the report, or a file of the authors' repository.
    unit : str
    quote : str
        The report's own words, short and exact, for kind "text".
    note : str
        What else has to be known, such as a disagreement of text and code.
    topics : tuple of str
        Patterns of sentences that speak of the fact; the tests compare the section that such a sentence names.
    """

    key: str
    value: Any
    kind: str
    where: str
    unit: str = ""
    quote: str = ""
    note: str = ""
    topics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not self.where or (self.kind == "text") != bool(self.quote):
            raise WadError(
                f"Fact {self.key}: got kind {self.kind!r}, where {self.where!r}, quote {self.quote!r}",
                cause="an entry of report/report_facts.json without its source",
                fix=f"give a kind among {', '.join(KINDS)}, a place, and a quote where the kind is text (there only)",
            )

    def __repr__(self) -> str:
        place = f"  {self.kind}, {self.where}" + (f': "{self.quote}"' if self.quote else "")
        return "\n".join([f"{self.key}: {self._shown}", place] + ([f"  {self.note}"] if self.note else []))

    def _repr_markdown_(self) -> str:
        quote = f": “{self.quote}”" if self.quote else ""
        return f"**{self.key}**: {self._shown} ({self.kind}, {self.where}{quote})" + f" {self.note}".rstrip()

    @property
    def _shown(self) -> str:
        return f"{_words(self.value)} {self.unit}".rstrip()


def cite(key: str) -> Fact:
    """Return one fact of the report; a notebook that ends a cell with it shows value, kind and place.

    Raises
    ------
    WadError
        There is no such fact; the message names those with a similar name.
    """
    facts = report_facts()
    if key not in facts:
        close = difflib.get_close_matches(key, facts, n=4, cutoff=0.5)
        raise WadError(
            f"cite: there is no fact {key!r}" + (f"; close to it: {', '.join(close)}" if close else ""),
            cause="a typing slip, or a fact that nobody has looked up yet",
            fix="list(report_facts()) names all; a new one needs an entry with its source in report/report_facts.json",
        )
    return facts[key]


def report_facts() -> Mapping[str, Fact]:
    """Return all facts by their key, in the order of the report."""
    return _read(project_root() / "report" / "report_facts.json")


@functools.cache
def _read(path: Path) -> dict[str, Fact]:
    entries = json.loads(path.read_text(encoding="utf-8"))["facts"]
    return {key: Fact(key, **entry | {"topics": tuple(entry.get("topics", ()))}) for key, entry in entries.items()}


def _words(value: Any) -> str:
    """A value as it is read aloud: no braces, no quotation marks."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
