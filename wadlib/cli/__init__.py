"""``wadlib …`` on the command line. Bad input ends with exit code 2 and says what to do.

Each module holds a group of commands. To add one: write a function with ``@app.command(epilog="Example: …")``
in a module that takes ``app`` from `wadlib.cli.common`, import everything heavy inside of it, and name
the module in the import below (its place there is its place in ``wadlib --help``).
"""

from __future__ import annotations

import sys

import typer

# Importing a module is what registers its commands.
from wadlib.cli import data, train, train_maskrcnn, predict, track, evaluate, video, export, book  # noqa: F401  # isort: skip
from wadlib.cli.common import app
from wadlib.errors import WadError

__all__ = ["app", "main"]


def main() -> None:
    """Entry point: run the command; turn what the user can mend into a message and exit code 2."""
    try:
        app()
    except WadError as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stopped:
        if isinstance(stopped, SystemExit) and stopped.code != 130:  # typer makes exit code 130 of Ctrl-C
            raise
        typer.echo("\nStopped. What is finished is kept; the same command goes on from here.", err=True)
        sys.exit(130)
