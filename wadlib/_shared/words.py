"""Words of messages."""

from __future__ import annotations

__all__ = ["plural"]


def plural(number: int, noun: str) -> str:
    """``1 frame``, ``2 frames``.

    Examples
    --------
    >>> plural(1, "video")
    '1 video'
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")
