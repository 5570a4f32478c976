"""The browser's side as one script: the ``*.js`` files beside this module, joined.

A widget is loaded as a single module, which cannot import its neighbours by a relative path. The files
are ordinary ES modules all the same (node tests them one by one); joining them means to drop their
``import`` lines and the word ``export``.
"""

import functools
import re
from pathlib import Path

FOLDER = Path(__file__).parent

FILES = (
    "codes", "matching", "view", "colour", "paint", "dom", "feed", "pane", "stage", "controls", "table", "keys",
    "tracks", "scene", "save", "share", "picking", "switching", "viewer",
)  # fmt: skip
"""In the order in which they need each other."""

_IMPORT = re.compile(r'^import [^;]+ from "\./[a-z]+\.js";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.M)


@functools.cache
def script(page: bool = False) -> str:
    """Return the joined script; with `page` for a page without Python, which ends in a function ``mount``."""
    names = (*FILES, "static") if page else FILES
    text = "\n".join((FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)
    text = _EXPORT.sub("", _IMPORT.sub("", text))
    return text.replace("export default { render };\n", "") if page else text


@functools.cache
def style() -> str:
    """Return the style sheet."""
    return (FOLDER / "viewer.css").read_text(encoding="utf-8")
