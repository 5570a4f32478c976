"""Commands for the notebooks and the book."""

from pathlib import Path
from typing import Annotated

import typer

from wadlib.cli.common import app
from wadlib.cli.streams import say


@app.command(epilog="Example: WAD_ROOT=../wad wadlib report")
def report(
    out: Annotated[Path | None, typer.Option(help="Folder for everything that is built; by default build/.")] = None,
) -> None:
    """Run the notebooks and build the HTML book (WAD_ROOT=… uses your data)."""
    from wadlib.course.book import build_book

    page = build_book(out, say=say)
    say(f"The book is ready: {page}")


@app.command(epilog="Example: wadlib notebooks --check")
def notebooks(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the notebooks match their sources.")] = False,
    handout: Annotated[Path | None, typer.Option(metavar="OUT", help="Write notebooks without solutions here.")] = None,
    solutions: Annotated[Path | None, typer.Option(metavar="OUT", help="Write notebooks with solutions here.")] = None,
    slides: Annotated[Path | None, typer.Option(metavar="OUT", help="Write all figures as slides here.")] = None,
    nbgrader: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a course for nbgrader here.")] = None,
) -> None:
    """Execute notebooks/src/*.py into notebooks/*.ipynb."""
    from wadlib.course import notebooks as tools

    if check:
        tools.check()
        say("The notebooks match their sources.")
    elif slides is not None:
        from wadlib.course.slides import write_slides

        say(f"The slides are ready: {write_slides(slides)}")
    elif handout or solutions or nbgrader:
        from wadlib.course import handing_out

        writers = (handing_out.hand_out, handing_out.write_solutions, handing_out.write_nbgrader)
        for writer, folder in zip(writers, (handout, solutions, nbgrader), strict=True):
            if folder is not None:
                say(f"{folder}: notebooks: {len(writer(folder))}")
    else:
        for path in tools.render(say=say):
            say(f"  {path}")
