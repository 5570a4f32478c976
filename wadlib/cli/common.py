"""The command ``wadlib`` itself, and what its commands share."""

import math
from concurrent.futures import Executor
from pathlib import Path
from typing import Annotated, Any

import typer

from wadlib import __version__
from wadlib._shared.cluster import connected

app = typer.Typer(
    name="wadlib",
    help="The methods of the report on WAD driving videos, real or rendered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Root = Annotated[
    Path,
    typer.Argument(
        metavar="ROOT", help="WAD in the Kaggle layout (train_color, train_label…), or Cityscapes, BDD100K, CARLA…"
    ),
]


def _until_the_end(context: typer.Context, value: Any) -> Any:
    """Enter what `connected` gives; it is left when the command ends."""
    return None if value is None else context.with_resource(value)


Dask = Annotated[
    Executor | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        parser=connected,
        callback=_until_the_end,
        help="Work on a Dask cluster: its scheduler, such as tcp://10.0.0.1:8786.",
    ),
]
Workers = Annotated[int | None, typer.Option(help="Frames at once; by default one for each core.", min=1, max=1024)]


def number(help: str, **limits: float) -> Any:
    """Declare an option from `min` to `max` that refuses nan and inf, which pass every comparison with a limit."""
    return typer.Option(help=help, callback=_finite, **limits)  # type: ignore[arg-type]


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no finite number")
    return value


def file_to_write(flag: str, help: str) -> Any:
    """Declare an option for a file; a name that cannot be written is refused before the work begins, not after it."""
    return typer.Option(flag, metavar="FILE", help=help, callback=_writable)


def _writable(value: Path | None) -> Path | None:
    if value is not None:
        from wadlib._shared.files import check_writable

        check_writable(value)
    return value


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wadlib {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass
