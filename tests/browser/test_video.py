"""The result video plays in a page from disk, in both codecs and without network, and in JupyterLab."""

import numpy as np
import pytest

from wadlib.figures.video_file import write_video

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAY = """
async () => {
    const video = document.querySelector('video');
    Object.assign(video, { muted: true, loop: false });
    await video.play();
    await new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }));
    return [video.videoWidth, video.videoHeight, video.duration, video.currentSrc.split('/').pop()];
}
"""


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_plays_from_disk(context, tmp_path, codec):
    pictures = [np.full((64, 96, 3), 20 * n, np.uint8) for n in range(10)]
    write_video(pictures, tmp_path / f"{codec}.mp4", rate=10, codec=codec)
    (tmp_path / "page.html").write_text(f'<!doctype html><video controls preload="metadata" src="{codec}.mp4"></video>')
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    width, height, duration, source = page.evaluate(PLAY)
    page.close()
    assert (width, height, source) == (96, 64, f"{codec}.mp4")
    assert duration == pytest.approx(1.0, abs=0.11)


CELL = """
import numpy as np
from wadlib.course import show_video
from wadlib.figures.video_file import write_video
pictures = [np.full((64, 96, 3), 20 * n, np.uint8) for n in range(10)]
for codec in ("av1", "h264"):
    write_video(pictures, f"{codec}.mp4", rate=10, codec=codec)
show_video(["av1.mp4", "h264.mp4"], alt="A grey square becomes brighter.")
"""


def test_plays_in_jupyterlab_the_smaller_codec_first(lab, context):
    page = lab.open(context, "video", [CELL])
    page.wait_for_selector("video")
    width, height, duration, _ = page.evaluate(PLAY)
    first = page.evaluate("document.querySelector('video').currentSrc === document.querySelector('video source').src")
    page.close()
    assert (width, height, first) == (96, 64, True)
    assert duration == pytest.approx(1.0, abs=0.11)
