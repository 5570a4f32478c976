"""What tests send to workers: functions that end the process that calls them."""

import os
import signal
import time
from pathlib import Path


def die_at(item):
    """Kill this process if the item says so."""
    number, kills = item
    if kills:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(item):
    """Kill this process when the item's file is there, which is taken away first."""
    number, file = item
    time.sleep(0.01)
    if file is not None and Path(file).exists():
        Path(file).unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def kill_on(name):
    """Let this process die whenever it reads the picture of that frame."""
    from wadlib import frames
    from wadlib._shared import files

    read = files.read_bytes

    def read_bytes(path):
        if Path(path).name.startswith(name) and not Path(path).name.endswith("txt"):
            os.kill(os.getpid(), signal.SIGKILL)
        return read(path)

    frames.read_bytes = read_bytes
