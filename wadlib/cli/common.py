"""The command ``wadlib`` itself, and what its commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wadlib import __version__

__all__ = ["Root", "Workers", "app"]

app = typer.Typer(
    name="wadlib",
    help="The methods of the report on WAD driving videos, real or rendered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Root = Annotated[
    Path, typer.Argument(metavar="ROOT", help="A folder in the Kaggle layout (train_color, train_label…).")
]
Workers = Annotated[int | None, typer.Option(help="Frames at once; by default one for each core.", min=1)]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wadlib {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass
