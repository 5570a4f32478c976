"""Make standard input and output fit for whatever the command is started from, and print to them."""

import os
import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

import typer

from wadlib._shared.text import printable

_mute: list[TextIO] = []  # a standard error that was not there


def mend() -> None:
    """Open what is closed, and let no character end a command after its work is done.

    A pipe on Windows takes 200 characters, a terminal with ``LC_ALL=C`` 95, and a file's name may hold bytes that are
    no text at all: what cannot be written is written as an escape. A closed descriptor is opened on nothing, or the
    next file would get its number, and with it what libraries print.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
            if name == "stderr":
                _mute.append(stream)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _warn


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning without the line of code that it comes from, which says nothing to who typed a command."""
    complain(f"{category.__name__}: {message}")


def say(text: Any) -> None:
    """Print a line; what a terminal would obey, such as an escape in the name of a file, is shown and not sent."""
    typer.echo(printable(str(text)))


def complain(text: str) -> None:
    """Print to standard error, or to standard output where there is none."""
    typer.echo(printable(text), err=sys.stderr not in _mute)
