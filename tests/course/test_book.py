"""`make report` as a user runs it: the whole course on rendered data, then the pages in a browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from wadlib.course.book import build_book
from wadlib.course.notebooks import execute_all, fingerprint_of, sources

ROOT = Path(__file__).resolve().parents[2]
# Drawing the videos, the course (ten minutes are what it may take) and Sphinx: more than the limit of other tests.
pytestmark = [pytest.mark.notebook, pytest.mark.slow, pytest.mark.timeout(1500)]


def build(out, **environment):
    """Build the book in `out`; return what was printed."""
    done = subprocess.run(
        [sys.executable, "-m", "wadlib.cli", "report", "--out", str(out)],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "WAD_ROOT"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    said = build(out)
    page = out / "book" / "index.html"
    assert f"The book is ready: {page}" in said
    (out / "said").write_text(said, encoding="utf-8")
    return out / "book"


def test_each_notebook_needs_less_than_2_gb(book):
    said = (book.parent / "said").read_text(encoding="utf-8")
    needed = {stem: float(gb) for stem, gb in re.findall(r"^  (\d\d_\w+): ran in \d+ s, ([\d.]+) GB", said, re.M)}
    assert len(needed) == len(sources(ROOT))
    assert not {stem: gb for stem, gb in needed.items() if gb >= 2}


def test_every_notebook_is_a_page_and_linked_from_the_front(book):
    stems = [path.stem for path in sorted((ROOT / "notebooks" / "src").glob("[0-9]*.py"))]
    front = (book / "index.html").read_text(encoding="utf-8")
    for stem in stems:
        assert f'href="{stem}.html"' in front
        page = (book / f"{stem}.html").read_text(encoding="utf-8")
        # The extension that links code to the reference writes each page anew, with attributes in another order.
        assert len(re.findall(r'<img\b[^>]*\bclass="figure"', page)) >= 2, f"{stem} has too few figures"


def test_executed_notebooks_say_what_those_in_the_repository_say(book):
    """What people read on the web is what the code prints (numbers may differ in a last digit elsewhere)."""
    for path in sorted((book.parent / "notebooks" / "rendered-quick").glob("*.ipynb")):
        made = json.loads(path.read_text(encoding="utf-8"))
        kept = json.loads((ROOT / "notebooks" / path.name).read_text(encoding="utf-8"))
        for number, (a, b) in enumerate(zip(made["cells"], kept["cells"], strict=True)):
            assert text_of(a) == text_of(b), f"{path.name}, cell {number}"


def text_of(cell):
    """Source and printed words of a cell; numbers and pictures depend a little on the processor."""
    texts = []
    for output in cell.get("outputs", []):
        shown = "".join(output.get("text") or output.get("data", {}).get("text/html") or "")
        shown = re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,…", shown)
        shown = re.sub(r"; predicted in it: [^\"]*", "; predicted", shown)  # classes, by a network trained on the way
        texts.append(re.sub(r"[-+]?\d[\d,.e+-]*|\s+", " # ", shown))
    return "".join(cell["source"]), [re.sub(r"( # )+", " # ", text) for text in texts]


def test_a_repeat_runs_nothing_again(book, monkeypatch):
    """All of it but Sphinx, which writes every page anew: see `test_sphinx_writes_over_its_own_pages`."""
    monkeypatch.delenv("WAD_ROOT", raising=False)
    monkeypatch.setattr("wadlib.course.book._run_sphinx", lambda pages, site, doctrees: None)
    said = []
    assert build_book(book.parent, say=said.append) == book / "index.html"
    lines = [line for line in said if re.match(r"  \d\d_", line)]
    assert len(lines) == len(sources(ROOT))
    assert all("unchanged" in line for line in lines)


def test_sphinx_writes_over_its_own_pages(tmp_path):
    """The settings of the book, and a page in place of it."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "book" / "_static", source / "_static")
    shutil.copy(ROOT / "book" / "conf.py", source)
    code = """
import sys
from pathlib import Path
from wadlib.course import book
book._run_sphinx(*map(Path, sys.argv[1:]))
"""
    for text in ("first", "second"):
        (source / "index.md").write_text(f"# A book\n\nThe {text} text.\n", encoding="utf-8")
        command = [sys.executable, "-c", code, str(source), str(tmp_path / "site"), str(tmp_path / "doctrees")]
        subprocess.run(command, cwd=ROOT, check=True)
        assert f"The {text} text." in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_real_frames(wad_sample, tmp_path, monkeypatch):
    """The notebooks that describe the data, and the evaluation; the others are run on drawn frames above."""
    monkeypatch.setenv("WAD_ROOT", str(wad_sample))
    paths = [path for path in sources(ROOT) if path.stem[:2] in {"00", "01", "02", "03", "09"}]
    assert len(paths) == 5
    executed = execute_all(paths, tmp_path, fingerprint=fingerprint_of(ROOT))
    for path in executed:
        assert "the folder in WAD_ROOT" in path.read_text(encoding="utf-8"), path.name


def brightness(css):
    return sum(float(v) for v in re.findall(r"[\d.]+", css)[:3]) / 3


CLIPPED = """() => {
    const article = document.querySelector('article') || document.body;
    const window_ = document.documentElement.clientWidth;
    const name = (e) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 40)}`;
    const wrong = [];
    if (document.documentElement.scrollWidth > window.innerWidth) wrong.push('the page is wider than the window');
    const parts = 'pre, table, img.figure, p, li, h1, h2, h3, div.math, .wv-slides label, .cell_output > div';
    for (const part of article.querySelectorAll(parts)) {
        const box = part.getBoundingClientRect();
        if (!box.width || !box.height) continue;
        let scrolls = false;
        for (let e = part; e && e !== article.parentElement; e = e.parentElement) {
            const style = getComputedStyle(e);
            if (['auto', 'scroll'].includes(style.overflowX)) { scrolls = true; break; }
            const cut = style.overflowX === 'hidden' || style.overflowX === 'clip';
            if (cut && e.scrollWidth > e.clientWidth + 2 && !e.closest('.wv')) wrong.push(`cut: ${name(e)}`);
        }
        if (!scrolls && !part.closest('.wv') && box.right > window_ + 1) wrong.push(`beyond: ${name(part)}`);
    }
    for (const pre of article.querySelectorAll('div.cell_input pre'))
        if (getComputedStyle(pre).whiteSpace !== 'pre') wrong.push(`wraps: ${name(pre)}`);
    return [...new Set(wrong)];
}"""


# Between two equations nothing is marked as being processed, and those that wait are shown as quick previews.
NO_PREVIEW = "![...document.querySelectorAll('.MJXp-math')].some(each => each.getClientRects().length)"


@contextmanager
def opened(book, width):
    """The book's pages one after the other in a browser without network: (page, path), and what else was asked for.

    A page is handed out when its equations are drawn.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    switches = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    asked, errors = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=switches.split())
        page = browser.new_context(viewport={"width": width, "height": 900}, offline=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))

        def each():
            for path in sorted(book.glob("*.html")):
                page.goto(path.as_uri())
                if re.match(r"\d", path.name) or page.locator("span.math, div.math").count():
                    page.wait_for_function("document.querySelectorAll('.MathJax').length > 0", timeout=30_000)
                    page.wait_for_function("!document.querySelector('.MathJax_Processing')", timeout=60_000)
                    page.wait_for_function(NO_PREVIEW, timeout=60_000)
                yield page, path

        yield each()
        browser.close()
    assert not errors
    assert not [url for url in asked if not url.startswith(("file:", "data:", "about:"))]


@pytest.mark.browser
def test_on_a_laptop_the_pages_open_from_disk_and_nothing_is_clipped(book):
    wrong = {}
    with opened(book, 1300) as pages:
        for page, path in pages:
            wrong[path.name] = page.evaluate(CLIPPED)
            if re.match(r"\d", path.name):
                assert_complete(page, path)
    assert not any(wrong.values()), wrong


def assert_complete(page, path):
    """Pictures, equations, viewers and colours of a notebook."""
    broken = page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth < 50).map(i => i.alt)")
    assert not broken, path.name
    assert page.locator("text=Math Processing Error").count() == 0
    for viewer in page.locator(".wv-static").all():
        viewer.locator(".wv[data-frame]").wait_for()
        stage = viewer.locator(".wv-stage")
        for key in ("Home", "End", "e", "o", "m", "0"):
            stage.press(key)
        assert viewer.locator(".wv-message").is_hidden(), path.name
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        ink = page.evaluate("getComputedStyle(document.querySelector('article p')).color")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert abs(brightness(ink) - brightness(paper)) > 110, f"{path.name} is hard to read in {theme}"


@pytest.mark.browser
def test_on_a_telephone_nothing_is_clipped(book):
    """What is too wide scrolls inside its own frame."""
    with opened(book, 390) as pages:
        wrong = {path.name: page.evaluate(CLIPPED) for page, path in pages}
    assert not any(wrong.values()), wrong
