"""The mask viewer in a real JupyterLab: what a hand does, what is painted, what Python hears of it."""

import struct

import pytest

from benchmarks.browser import run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import json\nimport moving_street\nfrom wadlib.viewer import MaskViewer\n"
    "viewer = MaskViewer(**moving_street.arguments())\nviewer",
    "heard = []\n"
    "for name in ('frame', 'selected', 'hidden_classes', 'threshold'):\n"
    "    viewer.observe(lambda change: heard.append([change.name, change.new]), name)",
]

HELPERS = """
window.sentBytes = 0;
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
    window.sentBytes += typeof data === 'string' ? data.length : data.byteLength ?? data.size;
    return send.call(this, data);
};
window.v = () => [...document.querySelectorAll('*')].find((e) => e.wadViewer).wadViewer;
window.rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// Red, green, blue, alpha painted over the picture at its pixel (x, y), in pane number k.
window.paintedAt = (x, y, k = 0) => {
    const pane = v().stage.panes[k];
    const { scale, left, top } = pane.place;
    const at = [Math.round((x + 0.5 - left) * scale), Math.round((y + 0.5 - top) * scale)];
    return [...pane.overlay.getContext('2d').getImageData(...at, 1, 1).data];
};
// Where the picture's pixel (x, y) lies in the window.
window.inWindow = (x, y, k = 0) => {
    v().stage.el.scrollIntoView({ block: 'nearest' });
    const pane = v().stage.panes[k];
    const { scale, left, top } = pane.place;
    const box = pane.el.getBoundingClientRect();
    return [box.left + ((x + 0.5 - left) * scale) / pane.ratio, box.top + ((y + 0.5 - top) * scale) / pane.ratio];
};
window.reset = async () => {
    const one = v();
    one.picking.cancel();
    one.set({ mode: 'both', style: 'both', colour: 'class', opacity: 0.5, names: false, table: true, help: false,
        swipe: 0.5, playing: false, fps: 5, threshold: 0, hidden: new Set(), view: { zoom: 1, x: 0.5, y: 0.5 } });
    one.picking.select(null);
    one.goto(0, 1);
    while (one.shown?.index !== 0) await rest(10);
    one.picking.hover(null);
    one.root.scrollIntoView();
    await rest(250);
};
"""
# In frame 0: the middle of the true car (33001), of the person, of the bus, of the car that is not there.
CAR, PERSON, BUS, GHOST = (60, 110), (205, 165), (270, 80), (35, 207)
CAR_COLOUR = [63, 144, 218]


@pytest.fixture(scope="module")
def page(lab, context):
    page = lab.open(context, "viewer", CELLS, HELPERS)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.wait_for_selector(".wv[data-frame='0']")
    yield page
    assert not page.errors
    page.close()


@pytest.fixture(autouse=True)
def fresh(page):
    page.evaluate("reset()")
    page.mouse.move(5, 5)
    run(page, "heard.clear(); print(0)")
    yield
    assert not page.errors


def painted(page, place, pane=0):
    return page.evaluate("([x, y, k]) => paintedAt(x, y, k)", [*place, pane])


def point(page, place, pane=0):
    return page.evaluate("([x, y, k]) => inWindow(x, y, k)", [*place, pane])


def wait_for_frame(page, number):
    page.wait_for_selector(f".wv[data-frame='{number}']")


def python(page, expression):
    page.wait_for_timeout(350)  # values are sent when the hand rests
    return run(page, f"print(json.dumps({expression}))")


def press(page, *keys):
    for key in keys:
        page.locator(".wv-stage").press(key)


def test_it_opens_with_picture_masks_counts_and_table(page):
    assert painted(page, BUS)[3] == 0, "nobody predicted the bus, so only its line is drawn"
    red, green, blue, alpha = painted(page, CAR)
    assert alpha == 128
    assert all(abs(a - b) <= 2 for a, b in zip((red, green, blue), CAR_COLOUR, strict=True))
    chip = page.locator(".wv-chip[data-class='33']")
    assert chip.get_attribute("aria-label") == "car: 1 true, 2 predicted"
    rows = page.locator(".wv-grid tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        ["○ missed", "bus 0", "–", "–", "–", "2,400"],
        ["✓ found", "car 1", "car 7", "0.90", "0.82", "800"],  # 36 of 44 columns
        ["✕ false alarm", "–", "car 8", "0.30", "–", "450"],
        ["✓ found", "person 0", "person 0", "0.60", "1.00", "300"],
    ]


def test_keys_move_through_the_video_and_jupyterlab_keeps_out(page):
    cells = page.evaluate("panel.content.model.cells.length")
    press(page, "ArrowRight", "ArrowRight", "ArrowLeft")
    wait_for_frame(page, 1)
    press(page, "Shift+ArrowRight")
    wait_for_frame(page, 11)
    press(page, "End")
    wait_for_frame(page, 39)
    press(page, "Home")
    wait_for_frame(page, 0)
    assert python(page, "viewer.frame") == 0
    press(page, "d", "d", "m", "a", "b", "x")  # in JupyterLab's command mode: delete, insert, cut
    assert page.evaluate("panel.content.model.cells.length") == cells
    assert page.evaluate("[v().state.style, v().state.mode]") == ["contour", "side"]


def test_the_slider_keeps_its_own_arrows_in_jupyterlab(page):
    slider = page.locator(".wv-film input[type=range]")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    wait_for_frame(page, 3)
    assert slider.get_attribute("aria-valuetext") == "frame 4 of 40"
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    page.wait_for_function("Math.abs(v().state.frame - 20) <= 2 && v().shown.index === v().state.frame")
    assert python(page, "viewer.frame") == page.evaluate("v().state.frame")


def test_play_and_pause(page):
    page.evaluate("v().goto(10)")  # beyond the frame that fails
    page.get_by_label("frames per second").select_option("10")
    page.get_by_role("button", name="play").click()
    page.wait_for_function("v().shown.index >= 15")
    page.get_by_role("button", name="pause").click()
    stopped = page.evaluate("v().state.frame")
    page.wait_for_timeout(400)
    assert page.evaluate("v().state.frame") == stopped
    press(page, "End", "Space")  # from the last frame it starts again
    page.wait_for_function("v().state.frame < 5")
    press(page, "Space")


def test_classes_can_be_hidden_and_python_hears_of_it(page):
    page.locator(".wv-chip[data-class='33']").click()
    assert painted(page, CAR)[3] == 0
    assert painted(page, PERSON)[3] == 128
    assert page.locator(".wv-chip[data-class='33']").get_attribute("aria-pressed") == "false"
    assert python(page, "[viewer.hidden_classes, heard]") == [[33], [["hidden_classes", [33]]]]
    press(page, "1")
    assert painted(page, CAR)[3] == 128
    assert python(page, "viewer.hidden_classes") == []


def test_opacity_fill_line_and_colour(page):
    page.locator("input[aria-label=Opacity]").fill("0.8")
    assert painted(page, CAR)[3] == 204
    page.get_by_text("Line", exact=True).click()
    assert painted(page, CAR)[3] == 0
    page.get_by_text("Fill", exact=True).click()
    page.get_by_text("Instance", exact=True).click()
    assert painted(page, CAR)[:3] != painted(page, GHOST)[:3], "two cars, two colours"
    press(page, "c")
    assert painted(page, CAR)[:3] == painted(page, GHOST)[:3]


def test_hover_lights_up_mask_and_row(page):
    page.mouse.move(*point(page, CAR))
    page.wait_for_selector(".wv-tip:not([hidden])")
    lines = page.locator(".wv-tip div").all_inner_texts()
    assert lines == ["car 7 (prediction)", "score 0.90", "800 px", "found · IoU 0.82 with car 1"]
    assert page.locator("tr.wv-hovered").inner_text().startswith("✓ found")
    page.mouse.move(*point(page, (160, 30)))
    page.wait_for_selector(".wv-tip", state="hidden")
    assert page.locator("tr.wv-hovered").count() == 0
    page.locator(".wv-grid tbody tr").first.hover()
    page.wait_for_function("paintedAt(240, 59).slice(0, 3).join() === '255,224,0'")  # just above the bus


def test_click_reaches_python_and_the_table(page):
    page.mouse.click(*point(page, CAR))
    selected = python(page, "viewer.selected")
    assert selected.pop("iou") == pytest.approx(36 / 44)
    assert selected == {
        "frame": 0, "source": "prediction", "code": 33007, "class_id": 33, "class": "car", "instance": 7,
        "score": 0.9, "area_px": 800, "match": 33001, "verdict": "found",
    }  # fmt: skip
    assert page.locator("tr.wv-selected").inner_text().startswith("✓ found\tcar 1")
    assert page.locator(".wv [role=status]").inner_text().startswith("car 7 (prediction), score 0.90")
    page.locator(".wv-grid tbody tr").first.click()
    assert python(page, "viewer.selected['code']") == 39000
    page.keyboard.press("ArrowDown")
    assert python(page, "viewer.selected['code']") == 33007
    page.mouse.click(*point(page, (160, 30)))
    assert python(page, "[viewer.selected, [name for name, _ in heard]]") == [None, ["selected"] * 4]


def test_wheel_zooms_at_the_pointer_and_drag_pans(page):
    x, y = point(page, PERSON)
    page.mouse.move(x - 9, y - 9)
    page.mouse.move(x, y)
    for _ in range(6):
        page.mouse.wheel(0, -240)
    page.wait_for_function("v().state.view.zoom > 8")
    moved = point(page, PERSON)
    assert moved == [pytest.approx(x, abs=10), pytest.approx(y, abs=10)]  # the picture was narrower than its pane
    x, y = moved
    assert painted(page, PERSON)[3] == 128
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 40, steps=4)
    page.mouse.up()
    moved = point(page, PERSON)
    assert moved == [pytest.approx(x - 60, abs=1), pytest.approx(y - 40, abs=1)]
    assert python(page, "viewer.selected") is None, "a drag is no click"
    press(page, "0")
    assert page.evaluate("v().state.view.zoom") == 1
    press(page, "+", "+", "Alt+ArrowLeft", "-")
    assert page.evaluate("v().state.view.zoom") == 2
    page.get_by_role("button", name="zoom to all objects").click()
    assert page.evaluate("v().state.view.zoom") > 1


def test_a_page_that_is_scrolled_past_the_viewer_does_not_zoom(page):
    page.evaluate("v().stage.engaged = false")  # as after turning the wheel outside
    page.evaluate(
        "const turn = new WheelEvent('wheel', { deltaY: -240, bubbles: true, cancelable: true });"
        "v().stage.panes[0].el.dispatchEvent(turn)"
    )
    assert page.evaluate("v().state.view.zoom") == 1
    assert page.locator(".wv-hint.wv-shown").count() == 1


def test_swipe_and_side_by_side(page):
    page.get_by_text("Swipe", exact=True).click()
    x, y = point(page, (160, 60))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(*point(page, (300, 60)), steps=5)
    page.mouse.up()
    assert page.evaluate("v().state.swipe") > 0.8
    assert painted(page, BUS)[3] == 128, "left of the border is the truth"
    assert painted(page, GHOST)[3] == 0
    page.locator("[role=slider]").focus()
    page.keyboard.press("Home")
    assert painted(page, BUS)[3] == 0
    assert painted(page, GHOST)[3] == 128
    page.get_by_text("Side by side", exact=True).click()
    assert (painted(page, BUS, 0)[3], painted(page, BUS, 1)[3]) == (128, 0)
    assert (painted(page, GHOST, 0)[3], painted(page, GHOST, 1)[3]) == (0, 128)


def test_the_threshold_filters_what_is_seen_and_counted(page):
    page.get_by_text("Right and wrong", exact=True).click()

    def legend():
        return [" ".join(text.split()) for text in page.locator(".wv-kind").all_inner_texts()]

    assert legend() == ["found 2", "false alarm 1", "missed 1", "wrong class", "ignored"]
    page.locator("input[aria-label='Score from']").fill("0.5")
    assert legend() == ["found 2", "false alarm", "missed 1", "wrong class", "ignored"]
    assert painted(page, GHOST)[3] == 0
    press(page, *["."] * 3)
    assert page.evaluate("v().state.threshold") == 0.65
    assert legend()[:3] == ["found 1", "false alarm", "missed 2"]
    assert python(page, "viewer.threshold") == 0.65


def test_from_error_to_error_through_the_video(page):
    found = []
    for _ in range(5):
        page.get_by_role("button", name="next error").click()
        found.append(python(page, "[viewer.selected['frame'], viewer.selected['code']]"))
    assert found == [[0, 39000], [0, 33008], [1, 39000], [1, 33008], [2, 39000]]
    press(page, "Shift+E")
    assert python(page, "viewer.selected['code']") == 33008
    page.locator("input[aria-label='Score from']").fill("0.5")
    page.evaluate("v().goto(4)")
    press(page, "e", "e")
    wait_for_frame(page, 6)  # frame 5 cannot be read
    assert python(page, "[viewer.selected['frame'], viewer.selected['code']]") == [6, 39000]


def test_a_frame_that_fails_says_so_and_the_others_live_on(page):
    page.evaluate("v().goto(5)")
    wait_for_frame(page, 5)
    said = page.locator(".wv-message")
    assert said.inner_text() == "Frame 6 cannot be shown. OSError: disk <b>error</b>"
    assert said.locator("b").count() == 0
    press(page, "z", "s", "+", "o", "m", "Escape")  # nothing of this may stumble
    press(page, "ArrowRight")
    wait_for_frame(page, 6)
    assert said.is_hidden()
    page.get_by_text("Prediction", exact=True).click()
    assert painted(page, (72, 110))[3] == 128


def test_python_sets_and_the_browser_follows(page):
    run(page, "viewer.frame = 7; viewer.threshold = 0.5; viewer.hidden_classes = ['person']; print(0)")
    wait_for_frame(page, 7)
    assert painted(page, PERSON)[3] == 0
    assert painted(page, GHOST)[3] == 0
    run(page, "viewer.selected = {'source': 'truth', 'code': 39000}; print(0)")
    page.wait_for_selector("tr.wv-selected")
    assert page.locator("tr.wv-selected").inner_text().startswith("○ missed\tbus 0")
    assert python(page, "[name for name, _ in heard]") == ["frame", "threshold", "hidden_classes", "selected"]


def test_changes_of_the_view_send_nothing_and_a_drag_sends_one_message(page):
    def sent(action):
        return page.evaluate(
            f"async () => {{ const before = window.sentBytes; {action}; await rest(500);"
            "return window.sentBytes - before; }"
        )

    quiet = (
        "v().set({ opacity: 0.3 }); v().set({ style: 'fill' }); v().set({ colour: 'instance' });"
        "v().zoom(3); v().zoom(0);"
        "for (const mode of ['truth', 'side', 'swipe', 'errors', 'both']) v().set({ mode });"
        "v().set({ names: true }); v().picking.hover({ source: 'truth', code: 39000 }); v().picking.hover(null)"
    )
    assert sent(quiet) == 0
    assert 0 < sent("for (let k = 0; k < 40; k++) v().set({ threshold: k / 100 })") < 2000


def test_dark_and_light_theme(page):
    def change(theme):
        page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{ theme: 'JupyterLab {theme}' }})")
        page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
        page.wait_for_timeout(300)

    def brightness(selector, name):
        numbers = page.evaluate(
            f"getComputedStyle(document.querySelector('{selector}')).{name}.match(/[\\d.]+/g).slice(0, 3).map(Number)"
        )
        return sum(numbers) / 3

    try:
        for theme, paper in (("Dark", 60), ("Light", 255)):
            change(theme)
            assert abs(brightness(".wv", "backgroundColor") - paper) < 60
            for selector in (".wv", ".wv-chip", ".wv-grid td", ".wv-where", ".wv-slider"):
                assert abs(brightness(selector, "color") - brightness(".wv", "backgroundColor")) > 130, (
                    theme,
                    selector,
                )
            checked = ".wv-choice input:checked + span"
            assert abs(brightness(checked, "color") - brightness(checked, "backgroundColor")) > 110
    finally:
        change("Light")


def test_save_writes_what_is_seen(page, tmp_path):
    press(page, "n")
    with page.expect_download() as waiting:
        press(page, "s")
    download = waiting.value
    assert download.suggested_filename == "frame_1_both.png"
    download.save_as(tmp_path / "view.png")
    data = (tmp_path / "view.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    pane = page.evaluate("[v().stage.panes[0].width, v().stage.panes[0].height]")
    assert struct.unpack(">II", data[16:24]) == (pane[0], pane[1] + 30)
    assert len(data) > 10_000


def test_full_screen_and_help(page):
    press(page, "?")
    assert page.locator(".wv-help").is_visible()
    press(page, "Escape")
    assert page.locator(".wv-help").is_hidden()
    before = page.evaluate("v().stage.size.width")
    press(page, "f")
    page.wait_for_function("document.fullscreenElement || document.querySelector('.wv-fills')")
    page.wait_for_function(f"v().stage.size.width > {before}")
    press(page, "f")
    page.wait_for_function(f"!document.fullscreenElement && v().stage.size.width === {before}")


def test_everything_has_a_name_and_can_be_reached_by_keyboard(page):
    unnamed = page.evaluate(
        """() => [...v().root.querySelectorAll('button, input, select, [role=slider], [role=group], [role=radiogroup]')]
            .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')))
            .map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    page.locator(".wv-stage").focus()
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent.trim()"))
    wanted = {"frame before", "play", "frame", "frames per second", "next error", "Opacity", "Score from"}
    assert wanted <= seen
    assert any(name.startswith("car: ") for name in seen)
    assert "Frame 1 of 40" in page.locator(".wv-stage").get_attribute("aria-label")


def test_what_is_left_in_the_notebook_is_small_and_readable(page):
    page.evaluate("panel.context.save()")
    outputs = page.evaluate("panel.content.model.sharedModel.cells[0].outputs.map((o) => o.data)")
    assert outputs[0]["text/plain"] == "MaskViewer(40 frames with truth and prediction)"
    assert set(outputs[0]) == {"text/plain", "application/vnd.jupyter.widget-view+json"}


LARGE = """
import numpy as np
from wadlib.labels import encode
from wadlib.viewer import MaskViewer
image = np.full((2710, 3384, 3), 90, np.uint8)
label = np.full((2710, 3384), 255, np.uint16)
for k in range(300):
    y, x = 1000 + 40 * (k // 25), 100 + 120 * (k % 25)
    label[y : y + 20, x : x + 60] = encode(33, k)
    image[y : y + 20, x : x + 60] = 200
label[2001, 3003] = encode(36, 5)
viewer = MaskViewer(image, truth=label)
viewer
"""


def test_full_size_frames_are_full_on_zoom_and_300_instances_are_no_burden(lab, context):
    page = lab.open(context, "large", [LARGE], HELPERS)
    page.wait_for_selector(".wv[data-frame='0'][data-resolution='view']")
    page.wait_for_function("document.querySelectorAll('.wv-grid tbody tr').length === 301")
    assert page.evaluate("[v().shown.width, v().shown.height]") == [1128, 904]
    # A person of one pixel, which the view of a third of the size does not hold.
    page.locator(".wv-grid tbody tr").last.click()
    page.locator(".wv-stage").press("z")
    page.wait_for_selector(".wv[data-resolution='full']")
    box = page.evaluate("v().stage.panes[0].place")
    assert box["scale"] > 3
    assert page.evaluate("paintedAt(3003, 2001)[3]") > 0
    assert page.evaluate("[v().feed.whole(0).width, v().feed.whole(0).height]") == [3384, 2710]
    took = page.evaluate(
        "() => { const start = performance.now(); for (let k = 0; k < 10; k++) v().toggleClass(33);"
        "return (performance.now() - start) / 10; }"
    )
    assert took < 250  # a bench measures; this only notices a disaster
    page.close()


LINKED = """
import ipywidgets
import moving_street
from wadlib.viewer import MaskViewer
one, other = (MaskViewer(**moving_street.arguments(6, broken=False)) for _ in range(2))
ipywidgets.link((one, "frame"), (other, "frame"))
ipywidgets.jslink((one, "threshold"), (other, "threshold"))
ipywidgets.VBox([one, other])
"""


def test_linked_viewers_move_together(lab, context):
    page = lab.open(context, "linked", [LINKED], HELPERS)
    one, other = (page.locator(".wv").nth(k) for k in (0, 1))
    page.wait_for_function("document.querySelectorAll('.wv[data-frame=\"0\"]').length === 2")
    one.locator(".wv-stage").press("ArrowRight")
    page.wait_for_function("document.querySelectorAll('.wv[data-frame=\"1\"]').length === 2")
    other.locator(".wv-stage").press("End")
    page.wait_for_function("document.querySelectorAll('.wv[data-frame=\"5\"]').length === 2")
    slider = "input[aria-label='Score from']"
    one.locator(slider).fill("0.5")
    page.wait_for_function(f"[...document.querySelectorAll(\"{slider}\")].every((e) => e.value === '0.5')")
    # Widgets hold a message back while the kernel answers the one before: what a cell asks now may overtake it.
    told = "import json; print(json.dumps([one.threshold, other.threshold, one.frame, other.frame]))"
    for _ in range(50):
        heard = run(page, told)
        if heard == [0.5, 0.5, 5, 5]:
            break
        page.wait_for_timeout(100)
    assert heard == [0.5, 0.5, 5, 5]
    page.wait_for_timeout(500)
    assert run(page, told) == heard, "and stays so"
    page.close()


COMPANION = """
from matplotlib import pyplot as plt
from wadlib.course import figure_slider

def draw(value):
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.set_title(f"{value} %")
    return figure, f"at {value} percent"

figure_slider("strength", [10, 20, 30], draw, start=1, form="{} %")
"""


def test_the_slider_beside_a_figure_draws_when_it_gets_there(lab, context):
    page = lab.open(context, "companion", [COMPANION], HELPERS)
    page.get_by_alt_text("at 20 percent").wait_for()
    page.locator(".noUi-handle").press("ArrowRight")
    page.get_by_alt_text("at 30 percent").wait_for()
    assert page.locator(".widget-readout").inner_text() == "30 %"
    assert page.locator("img.figure").count() == 1
    page.close()


def test_without_a_kernel_what_was_sent_can_still_be_seen(page):
    page.evaluate("panel.sessionContext.session.kernel.restart()")
    page.wait_for_timeout(500)
    press(page, "ArrowRight")
    wait_for_frame(page, 1)
    page.locator(".wv-chip[data-class='33']").click()
    assert painted(page, PERSON)[3] == 128
    page.mouse.click(*point(page, PERSON))
    page.wait_for_selector("tr.wv-selected")
    page.evaluate("v().feed.encoded.delete(30); v().feed.decoded.delete(30); v().goto(30)")
    page.wait_for_selector(".wv-message:not([hidden])")
    assert page.locator(".wv-message").inner_text() == "Waiting for frame 31 …"
    press(page, "Home")
    wait_for_frame(page, 0)
    page.wait_for_selector(".wv-message", state="hidden")
