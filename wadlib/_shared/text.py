r"""Show text that comes from outside: no name of a file may steer a terminal."""

import re

# Control characters, those that change the direction of writing, and bytes of a name that were no UTF-8.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Write what a terminal would obey, or could not show, as an escape; line ends and tabs stay.

    Examples
    --------
    >>> print(printable("a\x1b[31m.jpg"))
    a\x1b[31m.jpg
    """
    return _HIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def is_plain(name: str) -> bool:
    r"""Say whether a name is UTF-8 text of one line that a terminal shows as it is.

    Examples
    --------
    >>> is_plain("größe.jpg"), is_plain("a\n.jpg"), is_plain("stra\udcdfe.jpg")
    (True, False, False)
    """
    return not _HIDDEN.search(name) and "\n" not in name and "\t" not in name
