"""The viewer in a page without Python: the same script, with the frames in the page itself."""

import base64
import hashlib
import io
import json
import os
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from wadlib._shared import jpeg
from wadlib._shared.files import write_text
from wadlib.viewer import bundle
from wadlib.viewer.payload import Payload

STATIC = "WADLIB_BOOK"
"""Environment variable of a run that makes a book: widgets then show themselves as pages without Python."""

MIME = "application/vnd.wadlib.page+html"
"""Key under which an executed notebook carries the interactive page until the book takes it."""

BOOK_FRAMES = 8
"""Frames of a viewer in the book: some 190 kB each."""

IMAGE_STYLE = "max-width:100%;height:auto;background:#fff;border-radius:6px"

_POSTER_WIDTH_PX = 640

_PAGE = """<!doctype html>
<html lang="en" class="wv-page">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html.wv-page {{ color-scheme: light dark; --wv-own-paper: #ffffff; --wv-own-raised: #f0f2f5; --wv-own-ink: #16191f; }}
@media (prefers-color-scheme: dark) {{
  html.wv-page {{ --wv-own-paper: #14171c; --wv-own-raised: #242a32; --wv-own-ink: #eceff3; }}
}}
html.wv-page body {{ margin: 0 auto; padding: 12px; max-width: 1500px; background: var(--wv-own-paper); }}
</style>
</head>
<body>
{fragment}
</body>
</html>
"""


def is_static() -> bool:
    """Say whether notebooks are run for the book: no widget can be alive there."""
    return bool(os.environ.get(STATIC))


def entry(place: int, payload: Payload, full: Payload | None) -> dict[str, Any]:
    """Make one frame as the page holds it; `place` is its number in the page."""
    return {**_as_page(payload, place), "full": None if full is None else _as_page(full, place)}


def _as_page(payload: Payload, place: int) -> dict[str, Any]:
    return {"meta": {**payload.meta, "index": place}, "buffers": [_base64(buffer) for buffer in payload.buffers]}


def fragment(config: dict[str, Any], state: dict[str, Any], frames: list[dict[str, Any]], still: str) -> str:
    """Write the HTML of one viewer: `still` for a browser without scripts, then data and script.

    The same content gives the same text.
    """
    data = _json({"config": config, "state": state, "frames": frames})
    key = f"wv-{hashlib.sha256(data.encode()).hexdigest()[:12]}"
    return f"""<div id="{key}" class="wv-static">{still}</div>
<style>
{bundle.style()}</style>
<script type="application/json" id="{key}-data">{data}</script>
<script type="module">
{bundle.script(page=True)}
mount(document.getElementById("{key}"), JSON.parse(document.getElementById("{key}-data").textContent));
</script>"""


def slides(sliders: list[dict[str, Any]], pictures: list[dict[str, str]]) -> str:
    """Write the HTML of one or more sliders over pictures.

    Parameters
    ----------
    sliders : list of dict
        For each its ``name``, the ``labels`` of its values and the position of its ``start``.
    pictures : list of dict
        ``src`` and ``alt`` for each combination of values; those of the last slider follow each other.
    """
    data = _json({"sliders": sliders, "pictures": pictures})
    key = f"wv-{hashlib.sha256(data.encode()).hexdigest()[:12]}"
    at = 0
    for slider in sliders:
        at = at * len(slider["labels"]) + slider["start"]
    first = pictures[at]
    program = (bundle.FOLDER / "slides.js").read_text(encoding="utf-8")
    return f"""<div id="{key}" class="wv-slides">
<img class="figure" alt="{escape(first["alt"])}" src="{first["src"]}" style="{IMAGE_STYLE}"></div>
<script type="application/json" id="{key}-data">{data}</script>
<script type="module">
{program}
slides(document.getElementById("{key}"), JSON.parse(document.getElementById("{key}-data").textContent));
</script>"""


def write(path: Path, body: str, title: str) -> Path:
    """Write a whole page around a viewer."""
    write_text(path, _PAGE.format(title=escape(title), fragment=body))
    return path


def poster(payload: Payload, config: dict[str, Any], threshold: float, hidden: set[int]) -> str:
    """Draw a still picture of a frame with its instances, as an ``<img>`` with a description."""
    if "error" in payload.meta:
        return f"<p>{escape(str(payload.meta['error']))}</p>"
    source = "prediction" if payload.meta["prediction"] is not None else "truth"
    rows = [
        row
        for row in payload.meta[source] or ()
        if row["code"] // 1000 not in hidden and row.get("score", 1.0) >= threshold
    ]
    counts = Counter(config["names"].get(str(row["code"] // 1000), f"class {row['code'] // 1000}") for row in rows)
    listed = ", ".join(f"{number} {name}" for name, number in counts.most_common()) or "nothing"
    what = {"prediction": "predicted", "truth": "labelled"}[source] if rows or config[source] else "shown"
    name = payload.meta["name"] or payload.meta["index"] + 1
    alt = f"Frame {name} in the mask viewer; {what} in it: {listed}."
    data = _still(payload, source, {row["code"] for row in rows})
    return f'<img class="figure" alt="{escape(alt)}" src="data:image/jpeg;base64,{data}" style="{IMAGE_STYLE}">'


def _still(payload: Payload, source: str, codes: set[int]) -> str:
    import zlib

    import numpy as np
    from PIL import Image

    from wadlib.figures.frames import colourise

    image = jpeg.decode(payload.buffers[0]).astype(np.float32)
    if payload.meta[source] is not None:
        label = np.frombuffer(zlib.decompress(payload.buffers[-1 if source == "prediction" else 1]), "<u2")
        label = label.reshape(payload.meta["view"])
        inside = np.isin(label, list(codes))
        image[inside] = 0.5 * image[inside] + 0.5 * colourise(label)[inside]
        edge = np.zeros(label.shape, bool)
        edge[:, 1:] |= label[:, 1:] != label[:, :-1]
        edge[1:] |= label[1:] != label[:-1]
        near = inside.copy()
        near[:, 1:] |= inside[:, :-1]
        near[1:] |= inside[:-1]
        image[edge & near] = 255
    picture = Image.fromarray(image.round().astype(np.uint8))
    height = round(picture.height * _POSTER_WIDTH_PX / picture.width)
    if picture.width > _POSTER_WIDTH_PX:
        picture = picture.resize((_POSTER_WIDTH_PX, height), Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=72, optimize=True, progressive=True)
    return _base64(file.getvalue())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(value: Any) -> str:
    """JSON that may stand inside a ``<script>``: no tag can begin or end in it."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
