"""The notebook on video: its player and the results that it reads."""

from __future__ import annotations

import base64
import re

import pytest

from wadlib.course import show_video, tracking_results
from wadlib.errors import DatasetError, WadError


def shown(monkeypatch, **given):
    """The HTML that is displayed."""
    from IPython import display

    seen = []
    monkeypatch.setattr(display, "display", seen.append)
    show_video(**given)
    return seen[0].data


def test_videos_are_inside_the_page_the_smallest_first(monkeypatch, tmp_path):
    for name in ("a.mp4", "b.mp4", "p.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    html = shown(
        monkeypatch,
        paths=[tmp_path / "a.mp4", tmp_path / "b.mp4"],
        alt='one "car"',
        poster=tmp_path / "p.jpg",
        caption="A <car>",
    )
    a, b, poster = (html.index(base64.b64encode(name).decode()) for name in (b"a.mp4", b"b.mp4", b"p.jpg"))
    assert poster < a < b
    assert html.startswith("<video")
    assert "controls" in html
    assert 'aria-label="one &quot;car&quot;"' in html
    assert "one &quot;car&quot;</video><p " in html
    assert re.search(r'<p class="caption"[^>]*><b>Figure (\d+\.)?\d+\.</b> A &lt;car&gt;</p>$', html)


@pytest.mark.parametrize("given", [{"paths": [], "alt": "a car"}, {"paths": ["a.mp4"], "alt": " "}])
def test_a_video_without_words_is_refused(given):
    with pytest.raises(WadError, match="expected videos and a description"):
        show_video(**given)


def test_results_are_there_or_named(tmp_path):
    folder = tmp_path / "results" / "tracking"
    folder.mkdir(parents=True)
    (folder / "time.json").write_text('{"rows": {}}')
    assert tracking_results("time", tmp_path) == {"rows": {}}
    with pytest.raises(DatasetError, match="use one of time"):
        tracking_results("tmie", tmp_path)
