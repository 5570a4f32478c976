"""Claims about the mask viewer, measured in a headless browser: in JupyterLab with a kernel.

Run: ``python -m benchmarks.bench_viewer``. Times are from the event (a key, a slider, a button) until the pixels are
painted: a pixel of each canvas is read back, so that nothing is left for later. What the screen adds (up to one
of its refreshes) is the same for every program.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.browser import browser, chromium, jupyter_lab, run
from benchmarks.frames import full_size_frames

__all__ = ["Limit", "main", "measure"]

FRAMES = 1000

# A video of 1,000 different frames of 832x640, from four: each is shifted a little further. Read as it is looked at.
CELL = """
import numpy as np
from wadlib.viewer import MaskViewer
store = np.load({path!r})
images, labels = store["images"], store["labels"]

class Video:
    def __len__(self):
        return {count}
    def __getitem__(self, i):
        return np.roll(images[i % 4], 3 * i, axis=1)

class Labels(Video):
    def __init__(self, shift):
        self.shift = shift
    def __getitem__(self, i):
        return np.roll(labels[i % 4], 3 * i + self.shift, axis=1)

viewer = MaskViewer(Video(), truth=Labels(0), prediction=Labels(2))
viewer
"""

COUNT_BYTES = """
window.sentBytes = 0;
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
    window.sentBytes += typeof data === 'string' ? data.length : data.byteLength ?? data.size;
    return send.call(this, data);
};
window.firstPicture = null;
new MutationObserver((_, observer) => {
    if (document.querySelector('.wv[data-frame]')) { window.firstPicture = performance.now(); observer.disconnect(); }
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-frame'] });
window.viewerOf = () => [...document.querySelectorAll('*')].find((e) => e.wadViewer).wadViewer;
window.rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
window.painted = (viewer) => {
    for (const pane of viewer.stage.panes.slice(0, viewer.stage.count))
        for (const canvas of [pane.picture, pane.overlay]) canvas.getContext('2d').getImageData(0, 0, 1, 1);
};
window.timed = async (viewer, times, act, ready = () => true) => {
    const took = [];
    for (let k = 0; k < times; k++) {
        while (!ready(k)) await rest(5);
        await rest(30);
        const start = performance.now();
        act(k);
        painted(viewer);
        took.push(performance.now() - start);
    }
    return took;
};
"""

NEXT = """async () => {
    const viewer = viewerOf();
    const key = { key: 'ArrowRight', bubbles: true, cancelable: true };
    const press = () => viewer.stage.el.dispatchEvent(new KeyboardEvent('keydown', key));
    const ready = () => viewer.shown.index === viewer.state.frame && viewer.feed.ready(viewer.state.frame + 1);
    return timed(viewer, 60, press, ready);
}"""

OPACITY = """async () => {
    const viewer = viewerOf();
    const input = viewer.root.querySelector('input[aria-label="Opacity"]');
    return timed(viewer, 40, (k) => {
        input.value = String(0.2 + 0.05 * (k % 10));
        input.dispatchEvent(new Event('input', { bubbles: true }));
    });
}"""

TOGGLE = """async () => {
    const viewer = viewerOf();
    const chip = viewer.root.querySelector('[data-class="33"]');
    return timed(viewer, 40, () => chip.click());
}"""

VIEWS = {
    "opacity": "viewer.set({ opacity: 0.3 })",
    "fill or line": "viewer.set({ style: 'contour' })",
    "colour by instance": "viewer.set({ colour: 'instance' })",
    "swipe": "viewer.set({ mode: 'swipe', swipe: 0.3 })",
    "right and wrong": "viewer.set({ mode: 'errors' })",
    "side by side": "viewer.set({ mode: 'side' })",
    "zoom": "viewer.zoom(4)",
    "pan": "viewer.stage.act.pan(40, 10, viewer.stage.panes[0])",
    "hover": "viewer.picking.hover({ source: 'truth', code: viewer.shown.meta.truth[0].code })",
    "names": "viewer.set({ names: true })",
}

# What Python can observe has to be told to it: one message when the hand rests, however far it went.
SHARED = {
    "threshold, dragged over 30 values": "for (let k = 0; k < 30; k++) viewer.set({ threshold: k / 100 })",
    "a class hidden": "viewer.toggleClass(36)",
    "a click on an instance": "viewer.picking.select({ source: 'truth', code: viewer.shown.meta.truth[0].code })",
}

THROUGH = """async ([from, to]) => {
    const viewer = viewerOf();
    for (let k = from; k < to; k++) {
        viewer.goto(k, 1);
        while (viewer.shown.index !== k) await rest(2);
    }
    return viewer.feed.received;
}"""


@dataclass(frozen=True)
class Limit:
    """A number that must not be above a limit."""

    what: str
    value: float
    limit: float
    unit: str
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.value <= self.limit

    def __str__(self) -> str:
        line = f"{self.what:<48}{self.value:>10.1f} {self.unit:<6} at most {self.limit:g} {self.unit}"
        return line + ("" if self.holds else "  <- TOO MUCH") + (f"\n    {self.note}" if self.note else "")


def measure(count: int = FRAMES) -> list[Limit]:
    """Open a long video in JupyterLab and measure what the viewer claims."""
    import numpy as np

    from wadlib.preprocess import crop_and_downscale

    with tempfile.TemporaryDirectory() as folder, full_size_frames() as (what, frames):
        base = Path(folder)
        pairs = [crop_and_downscale(*frame.read_pair()) for frame in frames]
        path = base / "frames.npz"
        np.savez(path, images=np.stack([image for image, _ in pairs]), labels=np.stack([label for _, label in pairs]))
        print(f"{what}, 832x640; a video of {count} frames", flush=True)
        (base / "lab").mkdir()
        with jupyter_lab(base / "lab") as lab, browser(base / "profile") as context:
            page = lab.open(context, "bench", [CELL.format(path=str(path), count=count)], COUNT_BYTES)
            return list(_measure(page, count))


def _measure(page: Any, count: int) -> Any:
    page.wait_for_selector(".wv[data-frame]")
    first = page.evaluate("window.firstPicture - window.cellsEnded")
    yield Limit("first picture after the end of the cell", max(first, 0), 1000, "ms")
    yield _times("next frame, already sent", page.evaluate(NEXT))
    yield _times("opacity", page.evaluate(OPACITY))
    yield _times("hide or show a class", page.evaluate(TOGGLE))
    page.evaluate("async () => { await rest(1500); }")
    for name, action in [*VIEWS.items(), *SHARED.items()]:
        sent = page.evaluate(
            f"async () => {{ const viewer = viewerOf(); await rest(50); const before = window.sentBytes; {action}; "
            "await rest(500); return window.sentBytes - before; }"
        )
        yield Limit(f"bytes to Python: {name}", sent, 0 if name in VIEWS else 2000, "B")
    page.evaluate("viewerOf().set({ mode: 'both', style: 'both', names: false, threshold: 0, hidden: new Set() })")
    page.evaluate("viewerOf().zoom(0)")
    start = page.evaluate("[viewerOf().feed.received, viewerOf().state.frame]")
    marks = []
    for to in range(start[1] + 1, count, 100):
        received = page.evaluate(THROUGH, [to - 100 if to > 100 else 0, to])
        marks.append((to, received, *_memory(page)))
    received = page.evaluate(THROUGH, [marks[-1][0], count])
    marks.append((count, received, *_memory(page)))
    yield Limit("bytes of a frame, sent once", received / count / 1000, 200, "kB", f"{received / 1e6:.0f} MB for all")
    half = [mark for mark in marks if mark[0] > count // 2]
    for place, name in ((2, "browser"), (3, "kernel")):
        growth = half[-1][place] - half[0][place]
        note = ", ".join(f"{mark[0]}: {mark[place]:.0f} MB" for mark in marks[:: max(1, len(marks) // 6)])
        yield Limit(f"memory of the {name}, growth from {half[0][0]} to {count}", growth, 40, "MB", note)


def _times(what: str, took: list[float]) -> Limit:
    took = sorted(took)
    note = f"p95 {took[int(0.95 * len(took))]:.1f} ms, most {took[-1]:.1f} ms, {len(took)} times"
    return Limit(f"{what}, median", statistics.median(took), 16, "ms", note)


def _memory(page: Any) -> tuple[float, float]:
    """Resident memory in MB of the page's process in the browser and of the kernel."""
    page.evaluate("async () => { window.gc?.(); await rest(300); }")
    kernel = run(
        page, "import json, os; print(json.dumps(int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6))"
    )
    return _renderer_mb(), kernel


def _renderer_mb() -> float:
    """Memory of the largest renderer process below this one (Linux)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(after[1]), []).append(int(entry.parent.name))
    import os

    found, queue = [0.0], [os.getpid()]
    while queue:
        for pid in children.get(queue.pop(), []):
            queue.append(pid)
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
            if b"--type=renderer" in command:
                found.append(pages * 4096 / 1e6)
    return max(found)


def main() -> int:
    if chromium() is None:
        print("chromium is not installed")
        return 2
    limits = measure()
    for limit in limits:
        print(limit)
    failed = sum(not limit.holds for limit in limits)
    print("\nEvery claim holds." if not failed else f"\n{failed} of {len(limits)} claims do not hold.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
