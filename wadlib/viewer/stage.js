// The panes side by side, and what a hand does on them: hover, click, drag, wheel, swipe.

import { Pane } from "./pane.js";

const CLICK = 4; // CSS pixels that a hand may tremble
const GAP = 6;

export class Stage {
  /**
   * act: { hover(pane, hit, x, y), leave(), pick(hit), pan(dx, dy, pane), zoom(factor, x, y, pane),
   *        swipe(share), hint() }, all in CSS pixels of the pane
   */
  constructor(h, act) {
    this.act = act;
    this.panes = [new Pane(h), new Pane(h)];
    this.handle = h("div", {
      class: "wv-swipe", role: "slider", tabindex: "0", "aria-label": "border between truth and prediction",
      "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal", "data-lm-suppress-shortcuts": "true",
    });
    this.tip = h("div", { class: "wv-tip", "aria-hidden": "true", hidden: true });
    this.message = h("div", { class: "wv-message", role: "alert", hidden: true });
    this.hintBox = h("div", { class: "wv-hint", "aria-hidden": "true" }, "Move the pointer over the picture, then turn the wheel to zoom");
    this.el = h(
      "div",
      { class: "wv-stage", tabindex: "0", role: "group", "data-lm-suppress-shortcuts": "true" },
      ...this.panes.map((pane) => pane.el), this.handle, this.tip, this.message, this.hintBox,
    );
    this.scenes = [];
    this.panes.forEach((pane, number) => this.listen(pane, number));
    this.listenToHandle();
    // A page that is being scrolled past the viewer must not turn into zooming: the wheel zooms only
    // after the pointer itself was moved over the picture (or with Ctrl, as a pinch on a touch pad sends).
    this.engaged = false;
    this.onWheelElsewhere = (event) => {
      if (!this.el.contains(event.target)) this.engaged = false;
    };
    globalThis.addEventListener("wheel", this.onWheelElsewhere, { passive: true, capture: true });
  }

  close() {
    globalThis.removeEventListener("wheel", this.onWheelElsewhere, { capture: true });
  }

  /** Lay out one or two panes of pictures of an aspect (width / height) in a width and a largest height. */
  layout(count, aspect, width, most) {
    const each = Math.max(40, Math.floor((width - (count - 1) * GAP) / count));
    const height = Math.max(40, Math.round(Math.min(each / aspect, most)));
    this.panes.forEach((pane, number) => {
      pane.el.hidden = number >= count;
      if (number < count) pane.resize(each, height);
    });
    this.count = count;
    this.size = { width: each, height };
  }

  draw(scenes) {
    this.scenes = scenes;
    scenes.forEach((scene, number) => {
      this.panes[number].draw(scene);
      this.panes[number].caption.textContent = scene.caption;
    });
    const scene = scenes[0]; // none for a frame that cannot be shown
    const swiping = scene?.layer === "swipe";
    this.handle.hidden = !swiping;
    if (swiping) {
      this.handle.style.left = `${scene.swipe * this.size.width}px`;
      this.handle.setAttribute("aria-valuenow", String(Math.round(100 * scene.swipe)));
    }
  }

  /** A message over the picture, or "" for none. */
  say(text) {
    if (this.message.textContent !== text) this.message.textContent = text;
    this.message.hidden = text === "";
  }

  showTip(pane, x, y, lines) {
    this.tip.replaceChildren(...lines.map((line) => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    }));
    this.tip.hidden = false;
    const left = pane.el.offsetLeft + x + 14;
    const fits = left + this.tip.offsetWidth < this.el.clientWidth;
    this.tip.style.left = `${Math.max(0, fits ? left : left - this.tip.offsetWidth - 28)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(y + 14, this.size.height - this.tip.offsetHeight - 4))}px`;
  }

  hideTip() {
    this.tip.hidden = true;
  }

  listen(pane, number) {
    const at = (event) => {
      const box = pane.el.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let down = null;
    pane.el.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      down = { x: event.clientX, y: event.clientY, lastX: event.clientX, lastY: event.clientY, moved: false };
      pane.el.setPointerCapture(event.pointerId);
    });
    pane.el.addEventListener("pointermove", (event) => {
      if (event.movementX || event.movementY) this.engaged = true;
      if (down) {
        down.moved ||= Math.hypot(event.clientX - down.x, event.clientY - down.y) > CLICK;
        if (!down.moved) return;
        pane.el.classList.add("wv-dragging");
        this.hideTip();
        this.act.pan(event.clientX - down.lastX, event.clientY - down.lastY, pane);
        Object.assign(down, { lastX: event.clientX, lastY: event.clientY });
        return;
      }
      const scene = this.scenes[number];
      if (!scene) return;
      const [x, y] = at(event);
      this.act.hover(pane, pane.hit(scene, x, y), x, y);
    });
    const up = (event, cancelled) => {
      const clicked = down && !down.moved && !cancelled;
      down = null;
      pane.el.classList.remove("wv-dragging");
      const scene = this.scenes[number];
      if (clicked && scene) this.act.pick(pane.hit(scene, ...at(event)));
    };
    pane.el.addEventListener("pointerup", (event) => up(event, false));
    pane.el.addEventListener("pointercancel", (event) => up(event, true));
    pane.el.addEventListener("pointerleave", () => !down && this.act.leave());
    pane.el.addEventListener("dblclick", (event) => {
      event.preventDefault();
      this.act.zoom(event.shiftKey ? 0.5 : 2, ...at(event), pane);
    });
    pane.el.addEventListener("wheel", (event) => {
      if (!this.engaged && !event.ctrlKey && !event.metaKey) {
        this.hint();
        return;
      }
      const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      const amount = Math.max(-240, Math.min(240, event.deltaY * lines));
      const factor = Math.exp(-amount * (event.ctrlKey ? 0.01 : 0.002));
      if (this.act.zoom(factor, ...at(event), pane)) event.preventDefault(); // at its end the page scrolls on
    }, { passive: false });
  }

  listenToHandle() {
    const { handle } = this;
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = this.panes[0].el.getBoundingClientRect();
      this.act.swipe((event.clientX - box.left) / box.width);
    });
    handle.addEventListener("keydown", (event) => {
      const now = Number(handle.getAttribute("aria-valuenow")) / 100;
      const to = { ArrowLeft: now - 0.05, ArrowRight: now + 0.05, Home: 0, End: 1 }[event.key];
      if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.act.swipe(to);
    });
  }

  hint() {
    this.hintBox.classList.add("wv-shown");
    clearTimeout(this.hinting);
    this.hinting = setTimeout(() => this.hintBox.classList.remove("wv-shown"), 1500);
  }
}
