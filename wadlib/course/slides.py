"""Slides for a lecture: every figure of the notebooks, with the text around it as speaker notes, in one file."""

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from wadlib._shared.files import make_folder, write_text
from wadlib.course.classroom import project_root
from wadlib.course.notebooks import SOLUTION, NotebookError, sources

_IMAGE = re.compile(r'<img class="figure"[^>]*>')
_CAPTION = re.compile(r'<p class="caption"[^>]*>(.*?)</p>', re.DOTALL)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Slides</title><style>
body {{ margin: 0; font: 20px/1.4 system-ui, sans-serif; color: #111; background: #fff; }}
section {{ display: none; height: 100vh; box-sizing: border-box; padding: 1.5vh 3vw; flex-direction: column; }}
section.on {{ display: flex; }}
h1 {{ font-size: 1.1em; margin: 0 0 .3em; }} h1 small {{ color: #555; font-weight: normal; }}
img {{ flex: 1; min-height: 0; max-width: 100%; object-fit: contain; }}
.title {{ margin: auto; font-size: 2em; }}
.caption {{ text-align: center; }}
aside {{ display: none; max-height: 32vh; overflow: auto; border-top: 1px solid #999; font-size: .8em;
  white-space: pre-wrap; }}
body.notes aside {{ display: block; }}
nav {{ position: fixed; right: 1em; bottom: .5em; color: #555; font-size: .7em; }}
</style></head><body>
{sections}
<nav><span id="at"></span> · ← → · N: notes</nav>
<script>
const all = [...document.querySelectorAll("section")];
let at = Math.min(all.length - 1, Math.max(0, Number(location.hash.slice(1)) - 1 || 0));
function go(to) {{
  at = Math.min(all.length - 1, Math.max(0, to));
  all.forEach((each, k) => each.classList.toggle("on", k === at));
  document.getElementById("at").textContent = `${{at + 1}} / ${{all.length}}`;
  history.replaceState(null, "", `#${{at + 1}}`);
}}
const chapters = all.map((each, k) => each.dataset.chapter ? k : -1).filter(k => k >= 0);
const keys = {{
  ArrowRight: () => go(at + 1), PageDown: () => go(at + 1), " ": () => go(at + 1),
  ArrowLeft: () => go(at - 1), PageUp: () => go(at - 1), Home: () => go(0), End: () => go(all.length - 1),
  ArrowDown: () => go(chapters.find(k => k > at) ?? at), ArrowUp: () => go(chapters.findLast(k => k < at) ?? 0),
  n: () => document.body.classList.toggle("notes"),
}};
addEventListener("keydown", event => {{
  const act = keys[event.key] || keys[event.key.toLowerCase()];
  if (act && !event.ctrlKey && !event.metaKey) {{ event.preventDefault(); act(); }}
}});
addEventListener("click", event => go(at + (event.clientX < innerWidth / 4 ? -1 : 1)));
go(at);
</script></body></html>
"""


@dataclass(frozen=True)
class Slide:
    """One figure of a notebook.

    Attributes
    ----------
    heading : str
        Of the part of the notebook that it stands in.
    image : str
        Its ``<img>``, with the picture inside and an alt text.
    caption : str
        HTML of number and caption; empty where the notebook was run by an earlier version.
    notes : str
        The text before and after it, as plain text.
    """

    heading: str
    image: str
    caption: str
    notes: str


def slides_of(notebook: dict[str, Any]) -> list[Slide]:
    """Find the figures of an executed notebook (parsed JSON), without those of solutions, and the text around each."""
    heading, slides = "", []
    cells = [cell for cell in notebook["cells"] if SOLUTION not in cell["metadata"].get("tags", [])]
    texts = ["".join(cell["source"]) if cell["cell_type"] == "markdown" else "" for cell in cells]
    for number, cell in enumerate(cells):
        found = re.findall(r"^#+ (.+)$", texts[number], re.MULTILINE)
        heading = found[-1] if found else heading
        before = next((text for text in reversed(texts[:number]) if text), "")
        after = next((text for text in texts[number + 1 :] if text), "")
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", []))
            image, caption = _IMAGE.search(html), _CAPTION.search(html)
            if image:
                notes = f"{_plain(before)}\n\nThen: {_plain(after)}"
                slides.append(Slide(heading, image[0], caption[1] if caption else "", notes))
    return slides


def _plain(text: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"^#+ .*\n*|\*\*|(?<!\w)\*|\*(?!\w)", "", text, flags=re.MULTILINE).strip()


def write_slides(out: Path, root: Path | None = None) -> Path:
    """Write ``index.html`` with a title slide for each notebook and a slide for each figure; return its path.

    The arrow keys lead through the slides, up and down from notebook to notebook, and N shows the speaker notes. It
    asks for nothing from a network.

    Parameters
    ----------
    out : Path
        Folder, made if it is not there.
    root : Path, optional
        The companion's folder, by default the one around.

    Raises
    ------
    NotebookError
        A notebook was not run yet.
    """
    root = root or project_root()
    sections = []
    for source in sources(root):
        path = root / "notebooks" / f"{source.stem}.ipynb"
        if not path.is_file():
            raise NotebookError(
                f"write_slides: {path.name} is missing",
                cause="the notebooks were not run yet",
                fix="run `make render-notebooks` first",
            )
        notebook = json.loads(path.read_text(encoding="utf-8"))
        text = "".join(notebook["cells"][0]["source"])
        found = re.search(r"^# (.+)$", text, re.MULTILINE)
        title = found[1] if found else path.stem
        notes = _plain(text)
        sections.append(f'<section data-chapter="1"><div class="title">{escape(title)}</div>{_aside(notes)}</section>')
        for slide in slides_of(notebook):
            head = f"<h1>{escape(slide.heading)} <small>{escape(title)}</small></h1>"
            caption = f'<p class="caption">{slide.caption}</p>'
            sections.append(f"<section>{head}{slide.image}{caption}{_aside(slide.notes)}</section>")
    make_folder(out)
    page = out / "index.html"
    write_text(page, _PAGE.format(sections="\n".join(sections)))
    return page


def _aside(notes: str) -> str:
    return f"<aside>{escape(notes)}</aside>"
