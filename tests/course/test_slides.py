"""Slides from the figures of executed notebooks."""

import json
import re
import shutil
from pathlib import Path

import pytest

from wadlib.course.notebooks import NotebookError, sources
from wadlib.course.slides import slides_of, write_slides

ROOT = Path(__file__).resolve().parents[2]


def cell(kind, source, *outputs, tags=()):
    metadata = {"tags": list(tags)} if tags else {}
    out = [{"data": {"text/html": [html]}} for html in outputs]
    return {"cell_type": kind, "source": [source], "metadata": metadata} | ({"outputs": out} if kind == "code" else {})


FIGURE = '<img class="figure" alt="a" src="data:,"><p class="caption" style="x"><b>Figure 1.1.</b> A dot.</p>'


def test_a_figure_takes_heading_caption_and_the_text_around_it():
    notebook = {
        "cells": [
            cell("markdown", "# Title"),
            cell("markdown", "## Part\n\nBefore **it**, [link](x.md)."),
            cell("code", "draw()", FIGURE, "<p>no figure</p>"),
            cell("markdown", "After it."),
            cell("code", "solution()", FIGURE, tags=["solution"]),
        ]
    }
    (slide,) = slides_of(notebook)
    assert slide.heading == "Part"
    assert slide.caption == "<b>Figure 1.1.</b> A dot."
    assert slide.notes == "Before it, link.\n\nThen: After it."


def test_all_figures_of_the_course_are_in_one_file_that_asks_for_nothing(tmp_path):
    page = write_slides(tmp_path, ROOT).read_text(encoding="utf-8")
    expected = len(sources(ROOT))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        expected += len(slides_of(json.loads(path.read_text(encoding="utf-8"))))
    assert page.count("<section") == page.count("<aside>") == expected > 80
    assert not re.findall(r'(?:src|href)="(?!data:)[^"]*"', page)
    assert not re.search(r"<link|@import|https?://[^<\s]*\.js", page)


def test_notebooks_that_were_not_run_are_named(tmp_path):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "notebooks" / "src" / "00_tiny.py").write_text("# %%\n1\n")
    with pytest.raises(NotebookError, match=r"00_tiny\.ipynb is missing"):
        write_slides(tmp_path / "out", tmp_path)


@pytest.mark.browser
def test_keys_lead_through_the_slides(tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    path = write_slides(tmp_path, ROOT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(offline=True).new_page()
        page.goto(path.as_uri())
        shown = page.locator("section.on")
        assert "Start here" in shown.inner_text()
        page.keyboard.press("ArrowRight")
        assert shown.locator("img").is_visible()
        assert not shown.locator("aside").is_visible()
        page.keyboard.press("n")
        assert shown.locator("aside").is_visible()
        page.keyboard.press("ArrowDown")
        assert "16-bit PNG" in shown.inner_text()
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        assert page.locator("#at").inner_text().split(" / ")[0] == page.locator("#at").inner_text().split(" / ")[1]
        browser.close()
