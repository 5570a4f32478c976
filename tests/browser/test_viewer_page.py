"""The viewer in a page by itself: from disk, no Python, no network."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from wadlib.labels import BACKGROUND
from wadlib.metrics.clear import clear
from wadlib.metrics.tracks import TrackedOverlap
from wadlib.viewer import MaskViewer, page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HELPERS = """
window.viewers = () => [...document.querySelectorAll('.wv-static')].map((e) => e.wadViewer);
window.rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
window.paintedAt = (x, y, viewer = viewers()[0], k = 0) => {
    const pane = viewer.stage.panes[k];
    const { scale, left, top } = pane.place;
    const at = [Math.round((x + 0.5 - left) * scale), Math.round((y + 0.5 - top) * scale)];
    return [...pane.overlay.getContext('2d').getImageData(...at, 1, 1).data];
};
"""


@pytest.fixture(scope="module")
def street():
    spec = importlib.util.spec_from_file_location("moving_street", Path(__file__).parent / "moving_street.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def opened(context):
    """Open a file; afterwards no error may have occurred and nothing but files may have been asked for."""
    pages, errors, asked = [], [], []

    def opener(path):
        page = context.new_page()
        page.add_init_script(HELPERS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield opener
    for one in pages:
        one.close()
    assert not errors
    assert not [url for url in asked if not url.startswith(("file:", "data:", "about:", "blob:"))]


def test_a_page_by_itself_does_all_that_needs_no_python(opened, street, tmp_path):
    viewer = MaskViewer(**street.arguments(count=8))
    viewer.threshold = 0.5
    shown = opened(viewer.to_html(tmp_path / "page.html"))
    shown.wait_for_selector(".wv[data-frame='0']")
    stage = shown.locator(".wv-stage")
    assert shown.evaluate("paintedAt(35, 207)[3]") == 0, "the threshold came along"
    shown.locator("input[aria-label='Score from']").fill("0")
    assert shown.evaluate("paintedAt(35, 207)[3]") == 128
    stage.press("ArrowRight")
    shown.wait_for_selector(".wv[data-frame='1']")
    shown.locator(".wv-chip[data-class='36']").click()
    assert shown.evaluate("paintedAt(205, 165)[3]") == 0
    shown.locator(".wv-grid tbody tr").first.click()
    shown.wait_for_selector("tr.wv-selected")
    stage.press("z")
    assert shown.evaluate("viewers()[0].state.view.zoom") > 1
    stage.press("0")
    stage.press("End")
    shown.wait_for_selector(".wv[data-frame='7']")
    shown.evaluate("viewers()[0].goto(5)")
    shown.wait_for_selector(".wv[data-frame='5']")
    assert "disk <b>error</b>" in shown.locator(".wv-message").inner_text()
    stage.press("Home")
    stage.press("Space")
    shown.wait_for_function("viewers()[0].state.frame === 7 && !viewers()[0].state.playing")
    with shown.expect_download() as waiting:
        stage.press("s")
    assert waiting.value.suggested_filename == "frame_8_both.png"


def test_full_resolution_can_come_along(opened, tmp_path):
    label = np.full((1100, 1400), BACKGROUND, np.uint16)
    label[500:502, 700:702] = 36000
    image = np.full((1100, 1400, 3), 120, np.uint8)
    viewer = MaskViewer(image, truth=label, zoom="objects")
    shown = opened(viewer.to_html(tmp_path / "full.html", full=True))
    shown.wait_for_selector(".wv[data-resolution='full']")
    assert shown.evaluate("viewers()[0].state.view.zoom") == 16
    assert shown.evaluate("[viewers()[0].stage.scenes[0].frame.width, paintedAt(701, 501)[3]]")[0] == 1400
    without = opened(viewer.to_html(tmp_path / "view.html"))
    without.wait_for_selector(".wv[data-resolution='view']")
    assert without.evaluate("viewers()[0].state.view.zoom") == 16


def test_two_viewers_and_a_slider_in_one_page_follow_its_theme(opened, street, tmp_path):
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    sliders = [{"name": "strength", "labels": ["10 %", "20 %", "30 %"], "start": 1}]
    pictures = [{"src": pixel, "alt": f"at {k} percent"} for k in (10, 20, 30)]
    body = (
        MaskViewer(**street.arguments(count=3, broken=False))._fragment(None)
        + MaskViewer(street.picture(0), truth=street.truth(0))._fragment(None)
        + page.slides(sliders, pictures)
    )
    colours = {"light": ("#ffffff", "#101010"), "dark": ("#14181e", "#e8e8e8")}
    style = "".join(
        f"html[data-theme={name}] {{ --pst-color-background: {paper}; --pst-color-text-base: {ink}; }}"
        for name, (paper, ink) in colours.items()
    )
    path = tmp_path / "book.html"
    path.write_text(f"<!doctype html><html data-theme='light'><style>{style}</style><body>{body}</body></html>")
    shown = opened(path)
    shown.wait_for_function("viewers().length === 2 && viewers().every((one) => one?.shown)")
    first, second = (shown.locator(".wv").nth(k) for k in (0, 1))
    first.locator(".wv-stage").press("ArrowRight")
    shown.wait_for_selector(".wv[data-frame='1']")
    assert second.get_attribute("data-frame") == "0"
    assert second.locator(".wv-film input[type=range]").count() == 0, "one frame needs no slider"
    assert second.get_by_text("Swipe", exact=True).count() == 0
    slider = shown.get_by_label("strength")
    for theme, paper, ink in (("light", (255, 255, 255), (16, 16, 16)), ("dark", (20, 24, 30), (232, 232, 232))):
        shown.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert first.evaluate("(e) => getComputedStyle(e).backgroundColor") == f"rgb{paper}"
        assert slider.evaluate("(e) => getComputedStyle(e.parentElement).color") == f"rgb{ink}"
    assert shown.get_by_alt_text("at 20 percent").count() == 1
    slider.press("ArrowRight")
    assert shown.get_by_alt_text("at 30 percent").count() == 1
    assert slider.get_attribute("aria-valuetext") == "30 %"


def test_a_track_keeps_its_colour_whatever_its_code(opened, street, tmp_path):
    one, other = street.truth(0), street.truth(0)
    other[one == 33001] = 33002  # the same car under another number, as in the dataset
    viewer = MaskViewer([street.picture(0)] * 2, truth=[one, other], tracks=[{33001: 4, 36000: 5}, {33002: 4}])
    shown = opened(viewer.to_html(tmp_path / "tracks.html"))
    shown.wait_for_selector(".wv[data-frame='0']")
    by_class = shown.evaluate("paintedAt(60, 110).slice(0, 3)")
    shown.get_by_text("Track", exact=True).click()
    car, person = (shown.evaluate(f"paintedAt({x}, {y}).slice(0, 3)") for x, y in ((60, 110), (205, 165)))
    assert len({tuple(colour) for colour in (by_class, car, person)}) == 3
    shown.locator(".wv-stage").press("ArrowRight")
    shown.wait_for_selector(".wv[data-frame='1']")
    assert shown.evaluate("paintedAt(60, 110).slice(0, 3)") == car
    grey = shown.evaluate("paintedAt(205, 165).slice(0, 3)")
    assert max(grey) - min(grey) <= 2, "a person without a track is grey"


def test_what_is_selected_stays_so_through_the_video(opened, street, tmp_path):
    one, other = street.truth(0), street.truth(0)
    other[one == 33001] = 33002  # the same car under another number
    truths, tracks = [one, other, one, other], [{33001: 4, 36000: 5}, {33002: 4}, {}, {33002: 4, 36000: 5}]
    viewer = MaskViewer([street.picture(0)] * 4, truth=truths, tracks=tracks)
    shown = opened(viewer.to_html(tmp_path / "life.html"))
    shown.wait_for_selector(".wv[data-frame='0']")
    life = shown.locator(".wv-life")
    assert not life.is_visible(), "nothing is selected"
    shown.locator("tr[data-row]").filter(has_text="car").first.click()
    assert life.get_attribute("aria-label") == "car, track 4: in 3 of 4 frames, in this one"
    stage = shown.locator(".wv-stage")
    stage.press("ArrowRight")
    shown.wait_for_selector(".wv[data-frame='1']")
    shown.locator("tr.wv-selected", has_text="car 2").wait_for()  # until then the row of the frame before is there
    assert shown.evaluate("document.querySelector('.wv').parentElement.wadViewer.path.length") == 2
    stage.press("i")
    shown.wait_for_selector(".wv[data-frame='2']")
    assert life.get_attribute("aria-label") == "car, track 4: in 3 of 4 frames, not in this one"
    # The message stays for two seconds, which a busy machine may take to answer: what was said is kept.
    shown.evaluate(
        """() => { const message = document.querySelector(".wv-message"); window.said = [];
        new MutationObserver(() => said.push(message.textContent)).observe(message, { childList: true }); }"""
    )
    stage.press("i")
    shown.wait_for_function("said.some((text) => text.includes('No further gap of this track'))")
    box = life.bounding_box()
    life.click(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
    shown.wait_for_selector(".wv[data-frame='3']")
    shown.wait_for_selector("tr.wv-selected")
    stage.press("Escape")
    assert not life.is_visible()
    stage.press("Home")
    shown.wait_for_selector(".wv[data-frame='0']")
    stage.press("i")  # of any track: the person's, of two frames
    shown.wait_for_selector(".wv[data-frame='1']")
    assert life.get_attribute("aria-label") == "person, track 5: in 2 of 4 frames, not in this one"


def test_from_id_switch_to_id_switch(opened, street, tmp_path):
    count = 12
    arguments = street.arguments(count, broken=False)
    # The car is track 10, from frame 3 on 11, from frame 9 on 10 again; the person is 20, from frame 3 on 21.
    cars, persons = [10] * 3 + [11] * 6 + [10] * 3, [20] * 3 + [21] * 9
    tracks = [{33007: car, 36000: person, 33008: 5} for car, person in zip(cars, persons, strict=True)]
    identities = [{33001: 1, 36000: 2, 39000: 3}] * count
    viewer = MaskViewer(**arguments, tracks=tracks, truth_tracks=identities)
    frames = []
    for n, one in enumerate(tracks):
        overlap = TrackedOverlap.from_labels(street.truth(n), street.prediction(n), identities[n], one)
        frames.append([overlap.of_class(class_id) for class_id in (33, 36)])
    assert sum(clear(of_class).idsw for of_class in zip(*frames, strict=True)) == 3  # what TrackEval counts

    shown = opened(viewer.to_html(tmp_path / "switches.html"))
    shown.wait_for_selector(".wv[data-frame='0']")
    stage = shown.locator(".wv-stage")
    # A message stays for two seconds, which a busy machine may take to answer: what was said is kept.
    shown.evaluate(
        """() => { const message = document.querySelector(".wv-message"); window.said = [];
        new MutationObserver(() => said.push(message.textContent)).observe(message, { childList: true }); }"""
    )

    def arrive(frame, text):
        shown.wait_for_function("(text) => said.some((one) => one.includes(text))", arg=text)
        shown.evaluate("said.length = 0")
        shown.wait_for_selector(f".wv[data-frame='{frame}']")

    shown.get_by_role("button", name="next id switch").click()
    arrive(3, "car: id switch in frame 4, track 10 before, 11 now (true object 1)")
    stage.press("x")
    arrive(3, "person: id switch in frame 4, track 20 before, 21 now (true object 2)")
    stage.press("x")
    arrive(9, "car: id switch in frame 10, track 11 before, 10 now (true object 1)")
    shown.locator("tr.wv-selected", has_text="car").wait_for()
    stage.press("x")
    arrive(9, "No further id switch")
    assert shown.evaluate("viewers()[0].switching.found.length") == 3
    stage.press("X")
    arrive(3, "person: id switch")
    stage.press("Escape")
    stage.press("End")
    shown.wait_for_selector(f".wv[data-frame='{count - 1}']")
    stage.press("X")
    arrive(9, "car: id switch")
    # The person scores 0.6: with a higher threshold it is not shown, and its switch is none.
    shown.get_by_label("Score from").fill("0.7")
    stage.press("Home")
    for frame in (3, 9):
        stage.press("x")
        arrive(frame, "car: id switch")
    stage.press("x")
    arrive(9, "No further id switch")


def test_names_and_titles_are_text_and_never_markup(opened, street, tmp_path):
    class Named:
        name = '<b onmouseover="alert(1)">&amp;'

        def read_image(self):
            return street.picture(0)

    viewer = MaskViewer([Named(), Named()], truth=[street.truth(0)] * 2, title="<i>a & b</i>")
    shown = opened(viewer.to_html(tmp_path / "names.html"))
    shown.wait_for_selector(".wv[data-frame='0']")
    assert shown.locator(".wv-where").inner_text() == f"1 / 2  {Named.name}"
    assert Named.name in shown.locator(".wv-stage").get_attribute("aria-label")
    assert shown.locator(".wv").get_attribute("aria-label") == "<i>a & b</i>"
    assert shown.title() == "<i>a & b</i>"
    assert shown.locator("b, i").count() == 0


def test_a_narrow_window_is_no_wider_than_itself(opened, street, tmp_path):
    shown = opened(MaskViewer(**street.arguments(count=3)).to_html(tmp_path / "narrow.html"))
    shown.set_viewport_size({"width": 420, "height": 900})
    shown.wait_for_selector(".wv[data-frame='0']")
    shown.wait_for_function("viewers()[0].stage.size.width < 420")
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
