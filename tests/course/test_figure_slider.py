"""The slider beside a figure: alive in a notebook, drawn beforehand in the book; and pages on their way there."""

import json
import re
import subprocess
import sys

import nbformat
import pytest

from wadlib.course import book, figure_slider
from wadlib.course.notebooks import with_pages, without_pages
from wadlib.errors import WadError
from wadlib.viewer import page

PROGRAM = """
import matplotlib; matplotlib.use("agg")
import json
from unittest import mock
from matplotlib import pyplot as plt
from wadlib.course import figure_slider
drawn = []

def draw(value):
    drawn.append(value)
    figure, axes = plt.subplots(figsize=(1, 1))
    axes.set_title(str(value))
    return figure, f'a figure of "{value}" <b>'

shown = []
with mock.patch("IPython.display.display", lambda thing, **kwargs: shown.append(thing)):
    figure_slider("strength", range(101), draw, start=50, form="{} %")
(thing,) = shown
assert not plt.get_fignums(), "the figures are closed"
"""


def program(more, **environment):
    import os

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + more],
        env={k: v for k, v in os.environ.items() if k != page.STATIC} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_in_a_notebook_a_figure_is_drawn_when_the_slider_gets_there():
    said = program("""
slider, picture, below = thing.children
first = picture.value
slider.value = 77
slider.value = 50
print(json.dumps([drawn, slider.description, slider.label, picture.value == first, first[:80], below.value]))
""")
    assert said[:4] == [[50, 77], "strength", "50 %", True]
    assert 'alt="a figure of &quot;50&quot; &lt;b&gt;"' in said[4]
    assert "<b>Figure 1.</b> Move the slider: strength.</p>" in said[5]


GRID = """
from wadlib.course.sliders import BOOK_SLIDES

def place(row, column):
    figure, axes = plt.subplots(figsize=(1, 1))
    return figure, f"row {row}, column {column}"

shown = []
with mock.patch("IPython.display.display", lambda thing, **kwargs: shown.append(thing)):
    options = {"start": (1, 0), "form": ("1/{}", str), "caption": "A <grid>."}
    figure_slider(("row", "column"), ([2, 4], range(9)), place, **options)
    figure_slider("strength", [1], draw)
(thing, other) = shown
"""


def test_two_sliders_choose_one_figure():
    alts, below, again = program(
        GRID
        + """
row, column, picture, below = thing.children
seen = [picture.value]
row.value = 0
seen.append(picture.value)
column.value = 8
seen.append(picture.value)
print(json.dumps([[value[:60] for value in seen], below.value, other.children[-1].value]))
"""
    )
    places = [(4, 0), (2, 0), (2, 8)]
    assert all(f'alt="row {r}, column {c}"' in text for text, (r, c) in zip(alts, places, strict=True))
    assert "<b>Figure 2.</b> A &lt;grid&gt;.</p>" in below
    assert "Figure 1.</b> Move the slider" in again, "the slider of that name has its number already"


def test_two_sliders_in_the_book():
    thing = program(GRID + "print(json.dumps(thing))", WADLIB_BOOK="1")
    assert (
        thing["text/plain"]
        == "Run this notebook to move the sliders (row: 2 values, column: 9 values); this is 1/4, 0."
    )
    data = slides_in(thing)
    assert [(s["name"], s["labels"], s["start"]) for s in data["sliders"]] == [
        ("row", ["1/2", "1/4"], 1),
        ("column", ["0", "2", "4", "6", "8"], 0),
    ]
    assert [p["alt"] for p in data["pictures"]] == [f"row {r}, column {c}" for r in (2, 4) for c in (0, 2, 4, 6, 8)]
    assert thing["text/html"].count("Figure 2.") == thing[page.MIME].count("Figure 2.") == 1


def slides_in(thing):
    (data,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', thing[page.MIME], re.S)
    return json.loads(data)


def test_in_the_book_a_few_are_drawn_beforehand():
    drawn, thing = program("print(json.dumps([drawn, thing]))", WADLIB_BOOK="1")
    assert sorted(drawn) == [0, 12, 25, 38, 50, 62, 75, 88, 100]
    assert thing["text/plain"] == "Run this notebook to move the slider (strength: 101 values); this is 50 %."
    assert "<script" not in thing["text/html"]
    assert 'alt="a figure of &quot;50&quot; &lt;b&gt;"' in thing["text/html"]
    (slider,) = slides_in(thing)["sliders"]
    assert slider == {"name": "strength", "labels": [f"{v} %" for v in sorted(drawn)], "start": 4}


def test_no_values_is_an_error():
    with pytest.raises(WadError, match="strength: 0 values, start 0"):
        figure_slider("strength", [], lambda value: None)
    with pytest.raises(WadError, match="b: 2 values, start 2"):
        figure_slider(("a", "b"), ([1], [2, 3]), lambda a, b: None, start=(0, 2))


def test_a_list_of_values_for_each_name():
    with pytest.raises(WadError, match="2 names, 1 lists of values, 2 starts, 2 forms"):
        figure_slider(("a", "b"), ([1],), lambda a, b: None)


def notebook(**data):
    output = nbformat.v4.new_output("display_data", data)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("viewer", outputs=[output])])
    made.cells[0]["id"] = "00-000"
    return nbformat.writes(made) + "\n"


def outputs(text):
    (cell,) = nbformat.reads(text, as_version=4).cells
    return cell.outputs[0].data


def test_pages_go_into_the_book_and_not_into_the_repository(tmp_path):
    text = notebook(**{"text/plain": "p", "text/html": "<img>", page.MIME: "<div>\n</div>"})
    assert outputs(without_pages(text)) == {"text/plain": "p", "text/html": "<img>"}
    assert outputs(with_pages(text)) == {"text/plain": "p", "text/html": "<div>\n</div>"}
    plain = notebook(**{"text/plain": "p"})
    assert without_pages(plain) == with_pages(plain) == plain
    assert without_pages(text).endswith("}\n")
    source, pages = tmp_path / "book", tmp_path / "pages"
    (source / "_static").mkdir(parents=True)
    (tmp_path / "00_a.ipynb").write_text(text)
    book._gather(source, [tmp_path / "00_a.ipynb"], pages)
    assert outputs((pages / "00_a.ipynb").read_text())["text/html"] == "<div>\n</div>"
    before = (pages / "00_a.ipynb").stat().st_mtime_ns
    book._gather(source, [tmp_path / "00_a.ipynb"], pages)
    assert (pages / "00_a.ipynb").stat().st_mtime_ns == before, "an unchanged page keeps its time"


def test_prepared_is_small_thin_and_says_so(tiny_wad, capsys):
    from wadlib.course import prepared
    from wadlib.dataset import open_wad

    small = prepared(open_wad(tiny_wad(videos=2, frames=4)), frames=4)
    assert [len(video.frames) for video in small.train_videos] == [2, 2]
    assert small.frames[0].read_image().shape == (640, 832, 3)
    assert "one frame in 2 is used" in capsys.readouterr().out
