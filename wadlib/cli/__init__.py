"""``wadlib …`` on the command line. Bad input ends with exit code 2 and says what to do.

Each module holds a group of commands. To add one: write a function with ``@app.command(epilog="Example: …")``
in a module that takes ``app`` from `wadlib.cli.common`, import everything heavy inside of it, and name
the module in the import below (its place there is its place in ``wadlib --help``).
"""

import platform
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path

# Importing a module is what registers its commands.
from wadlib.cli import data, train, train_maskrcnn, predict, track, evaluate, video, export, book  # noqa: F401  # isort: skip
from wadlib import __version__
from wadlib._shared.files import storage_error, working_folder
from wadlib.cli.common import app
from wadlib.cli.streams import complain, mend
from wadlib.errors import WadError

__all__ = ["app", "main"]

_STOPPED = "\nStopped. What is finished is kept; the same command goes on from here."


def main() -> None:
    """Run the command, as the entry point; turn what the user can mend into a message and exit code 2.

    Anything else is a fault of wadlib: the message says how to report it (exit code 1), and there is no traceback.
    """
    mend()
    terminated: list[int] = []

    def terminate(number: int, _: object) -> None:
        terminated.append(number)
        raise KeyboardInterrupt

    # What docker, slurm and systemd send: stop in good order, as after Ctrl-C.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)
    try:
        app()
    except WadError as error:
        complain(f"{type(error).__name__}: {error}")
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stopped:
        if isinstance(stopped, SystemExit) and stopped.code != 130:  # typer makes exit code 130 of Ctrl-C
            raise
        complain(_STOPPED)
        # A Ctrl-C inside of an `exec`, as of a dataclass that is being imported, is noted by Python, which would end
        # itself with the signal in place of this exit code; the next `exec` forgets it.
        exec("pass")
        sys.exit(128 + terminated[0] if terminated else 130)
    except Exception as error:
        said, code = _unforeseen(error)
        complain(said)
        sys.exit(code)


def _unforeseen(error: Exception) -> tuple[str, int]:
    """Say what was not foreseen, and where the details are that a report of it needs; and the exit code."""
    if isinstance(error, FileNotFoundError) and not working_folder():
        return f"StorageError: {storage_error(error, Path(error.filename or '.'))}", 2
    if isinstance(error, MemoryError):
        said = (
            f"MemoryError: {error or 'the memory is used up'}.\nLikely cause: more frames at once than fit.\n"
            "Fix: fewer --workers, or a smaller --batch-size."
        )
        return said, 2
    details = "".join(traceback.format_exception(error))
    place = "the lines below"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="wadlib-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"wadlib {__version__}, Python {platform.python_version()}, {platform.platform()}\n{sys.argv}\n")
            file.write(details)
            place = file.name
    except OSError:
        details = details.replace("Traceback (most recent call last)", "Where")
        place = f"these lines:\n{details}"
    said = (
        f"Something that wadlib did not foresee: {type(error).__name__}: {error}.\n"
        "Likely cause: a fault of wadlib, or an input that nobody thought of.\n"
        f"Fix: report it, please, with the command and {place}"
    )
    return said, 1
