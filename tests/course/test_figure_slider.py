"""The slider beside a figure: alive in a notebook, drawn beforehand in the book; and pages on their way there."""

import json
import re
import subprocess
import sys

import nbformat
import pytest

from wadlib.course import book, classroom
from wadlib.course.notebooks import with_pages, without_pages
from wadlib.errors import WadError
from wadlib.viewer import page

PROGRAM = """
import matplotlib; matplotlib.use("agg")
import json
from unittest import mock
from matplotlib import pyplot as plt
from wadlib.course.classroom import figure_slider
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
slider, picture = thing.children
first = picture.value
slider.value = 77
slider.value = 50
print(json.dumps([drawn, slider.description, slider.label, picture.value == first, first[:80]]))
""")
    assert said[:4] == [[50, 77], "strength", "50 %", True]
    assert 'alt="a figure of &quot;50&quot; &lt;b&gt;"' in said[4]


def test_in_the_book_a_few_are_drawn_beforehand():
    drawn, thing = program("print(json.dumps([drawn, thing]))", WADLIB_BOOK="1")
    assert sorted(drawn) == [0, 12, 25, 38, 50, 62, 75, 88, 100]
    assert thing["text/plain"] == "Run this notebook to move the slider (strength: 101 values); this is 50 %."
    assert "<script" not in thing["text/html"]
    assert 'alt="a figure of &quot;50&quot; &lt;b&gt;"' in thing["text/html"]
    (data,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', thing[page.MIME], re.S)
    assert [slide["label"] for slide in json.loads(data)] == [f"{v} %" for v in sorted(drawn)]
    assert re.search(r'"strength", data, 4\);', thing[page.MIME])


def test_no_values_is_an_error():
    with pytest.raises(WadError, match="0 values, start 0"):
        classroom.figure_slider("strength", [], lambda value: None)


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
