// The viewer: its state, and how buttons, keys, pointer and Python change it.

import { className, codeName } from "./codes.js";
import { Controls, MODES } from "./controls.js";
import { h } from "./dom.js";
import { Feed } from "./feed.js";
import { KEYS, actionOf } from "./keys.js";
import { countClasses } from "./matching.js";
import { Picking } from "./picking.js";
import { spread } from "./colour.js";
import { compose, download, fileName } from "./save.js";
import { Facts, layersOf, scenesOf } from "./scene.js";
import { Share } from "./share.js";
import { Stage } from "./stage.js";
import { Switching } from "./switching.js";
import { Table } from "./table.js";
import { lifeOf, pathOf } from "./tracks.js";
import { FIT, panBy, place, zoomAt } from "./view.js";

const clip = (value, low, high) => Math.min(Math.max(value, low), high);

class Viewer {
  constructor(model, feed, parent) {
    const config = model.get("_config");
    Object.assign(this, { model, feed, config, facts: new Facts(config), shown: null, picking: new Picking(this), switching: new Switching(this), trail: new Map() });
    this.share = new Share(model, (key, value) => this.fromPython(key, value));
    this.state = {
      ...config.start, // mode, style, colour, opacity, names
      table: true, help: false, view: FIT, swipe: 0.5, playing: false, hover: null, scored: config.scored,
      frame: model.get("frame"), threshold: model.get("threshold"),
      hidden: new Set(model.get("hidden_classes")), selected: model.get("selected"),
    };
    this.build(parent);
    this.stopListening = feed.listen((frame) => this.arrived(frame));
    this.resizer = new ResizeObserver(() => this.layout());
    this.resizer.observe(this.root);
    this.goto(this.state.frame);
  }

  build(parent) {
    const { config } = this;
    this.controls = new Controls(config, {
      allowed: (mode) => this.allowed(mode), set: (changes) => this.set(changes), play: () => this.play(),
      goto: (to) => this.goto(to === "back" ? this.state.frame - 1 : to === "forward" ? this.state.frame + 1 : to),
      seek: (step) => this.picking.seek(step), flicker: (step) => this.picking.flicker(step),
      swap: (step) => this.switching.seek(step), toggle: (key) => this.set({ [key]: !this.state[key] }),
      toggleClass: (id) => this.toggleClass(id), zoom: (factor) => this.zoom(factor), save: () => this.save(),
      fullScreen: () => this.fullScreen(), objects: () => this.picking.zoomToAll(),
    });
    this.stage = new Stage(h, {
      hover: (pane, hit, x, y) => this.picking.hover(hit, pane, x, y), leave: () => this.picking.hover(null),
      pick: (hit) => this.picking.select(hit),
      pan: (dx, dy, pane) => this.set({ view: panBy(this.state.view, dx * pane.ratio, dy * pane.ratio, pane, this.shown) }),
      zoom: (factor, x, y, pane) => this.zoom(factor, x * pane.ratio, y * pane.ratio),
      swipe: (share) => this.set({ swipe: clip(share, 0, 1) }),
    });
    this.table = new Table(config, {
      hover: (row) => this.picking.hover(row && this.picking.ofRow(row)),
      pick: (row) => row && this.picking.select(this.picking.ofRow(row), true),
    });
    this.live = h("div", { class: "wv-sr", role: "status", "aria-live": "polite" });
    this.help = h("dl", { class: "wv-help" }, ...KEYS.flatMap(([key, what]) => [h("dt", {}, key), h("dd", {}, what)]));
    const { top, bottom } = this.controls;
    this.root = h(
      "div",
      { class: "wv", role: "region", "aria-label": config.title || "mask viewer", "data-lm-suppress-shortcuts": "true" },
      top, this.help, this.stage.el, bottom, this.table.el, this.live,
    );
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("fullscreenchange", () => this.layout());
    parent.append(this.root);
  }

  allowed(mode) {
    const { truth, prediction } = this.config;
    return mode === "truth" ? truth : mode === "prediction" ? prediction : truth && prediction;
  }

  // --- changes ---------------------------------------------------------------------------------

  set(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    if ("hidden" in changes) this.share.put("hidden_classes", [...this.state.hidden].sort((a, b) => a - b));
    if ("threshold" in changes) this.share.put("threshold", Math.round(this.state.threshold * 1000) / 1000);
    const layout = ["mode", "table", "help"].some((key) => before[key] !== this.state[key]);
    if (layout) this.layout();
    else this.draw();
  }

  goto(index, step = index - this.state.frame, tell = true) {
    const frame = clip(index, 0, this.config.count - 1);
    if (frame !== this.state.frame) {
      this.state = { ...this.state, frame, hover: null };
      if (tell) this.share.put("frame", frame);
    }
    this.feed.want(frame, step || 1);
    this.arrived(this.feed.ready(frame));
    this.controls.position.value = frame;
    clearTimeout(this.slow);
    if (this.shown?.index !== frame) this.slow = setTimeout(() => this.late(), 250);
  }

  arrived(frame) {
    const ready = frame && this.feed.ready(frame.index); // not `frame`, which may be the one at full resolution
    if (ready?.boxes && this.config.lives) this.trail.set(ready.index, ready.boxes[this.picking.tracked]);
    if (ready && frame.index === this.state.frame) {
      const shape = (one) => one && `${one.width} ${one.height}`;
      const same = shape(this.shown) === shape(ready);
      this.shown = ready;
      clearTimeout(this.slow);
      this.state.scored ||= (ready.meta.prediction ?? []).some((one) => one.score != null);
      this.waiting?.();
      if (same) this.draw();
      else this.layout();
      this.picking.follow();
    }
  }

  late() {
    if (this.shown?.index === this.state.frame) return;
    this.stage.say(`Waiting for frame ${this.state.frame + 1} …`);
    this.slow = setTimeout(() => {
      this.stage.say(`Python does not answer (is it busy, or was it restarted?). Frame ${this.state.frame + 1} comes when it does.`);
      this.feed.want(this.state.frame, 1);
    }, 20_000);
  }

  /** What is selected in the frame that is shown. */
  get picked() {
    const { selected } = this.state;
    return selected && (selected.frame ?? this.shown?.index) === this.shown?.index ? selected : null;
  }

  fromPython(key, value) {
    if (key === "frame") this.goto(value, undefined, false);
    else if (key === "threshold") this.show({ threshold: value });
    else if (key === "hidden_classes") this.show({ hidden: new Set(value) });
    else this.show({ selected: value });
  }

  show(changes) {
    this.state = { ...this.state, ...changes };
    this.draw();
  }

  toggleClass(id) {
    const hidden = new Set(this.state.hidden);
    if (!hidden.delete(id)) hidden.add(id);
    this.set({ hidden });
    this.say(`${className(this.config, id)} ${hidden.has(id) ? "hidden" : "shown"}`);
  }

  zoom(factor, x = this.stage.panes[0].width / 2, y = this.stage.panes[0].height / 2) {
    if (!this.shown?.bitmap) return false;
    const view = factor === 0 ? FIT : zoomAt(this.state.view, factor, x, y, this.stage.panes[0], this.shown);
    const moved = view.zoom !== this.state.view.zoom;
    this.set({ view });
    return moved;
  }

  play() {
    const playing = !this.state.playing;
    if (playing && this.state.frame === this.config.count - 1) this.goto(0, 1);
    this.set({ playing });
    if (!playing) return;
    let last = performance.now();
    const tick = (now) => {
      const { frame, fps } = this.state;
      if (!this.state.playing || this.closed) return;
      if (frame === this.config.count - 1) return this.set({ playing: false });
      if (now - last >= 1000 / fps - 4 && this.shown?.index === frame) {
        if (this.feed.ready(frame + 1)) {
          last = now;
          this.goto(frame + 1, 1);
        } else this.feed.want(frame, 1);
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  // --- drawing ---------------------------------------------------------------------------------

  layout() {
    if (this.closed || !this.root.clientWidth) return;
    const filled = document.fullscreenElement === this.root || this.root.classList.contains("wv-fills");
    this.table.el.hidden = !this.state.table || !this.allowed("truth") && !this.allowed("prediction");
    this.help.hidden = !this.state.help;
    const aspect = this.shown?.bitmap ? this.shown.width / this.shown.height : 1.3;
    const width = this.stage.el.clientWidth;
    const rest = this.controls.top.offsetHeight + this.controls.bottom.offsetHeight + (this.state.table ? 130 : 20);
    const most = filled ? Math.max(200, globalThis.innerHeight - rest) : Math.max(240, 0.64 * globalThis.innerHeight);
    this.stage.layout(layersOf(this.state.mode).length, aspect, width, most);
    if (this.config.start.zoom === "objects" && !this.looked && this.shown?.bitmap) {
      this.looked = true; // only the first time: after that the view stays where the hand puts it
      this.picking.zoomToAll();
    }
    this.draw();
  }

  draw() {
    const { state, shown } = this;
    if (this.closed || !this.stage.size || !shown) return;
    this.root.dataset.frame = shown.index;
    if (shown.error) {
      this.drawFailure(shown);
      return;
    }
    this.feed.ready(shown.index); // the frame on the screen is not the one to be dropped
    this.facts.refresh(shown, state);
    const dense = place(state.view, this.stage.panes[0], shown).scale > 1.2;
    const whole = shown.meta.factor > 1 && dense && this.config.full ? this.feed.whole(shown.index) : null;
    const scenes = scenesOf({ ...state, selected: this.picked, path: this.path }, shown, whole?.error ? null : whole, this.facts, this.config);
    this.stage.draw(scenes);
    this.root.dataset.resolution = whole ? "full" : "view";
    this.stage.say(shown.index === state.frame ? "" : this.stage.message.textContent);
    const counts = countClasses(shown.meta, state.threshold);
    this.controls.show(state, shown, counts, this.facts.tally());
    this.showLife();
    this.showTable();
    this.announce(shown, counts);
  }

  drawFailure(shown) {
    this.stage.draw([]);
    for (const pane of this.stage.panes) {
      Object.assign(pane, { drawn: "", samples: {} });
      for (const canvas of [pane.picture, pane.overlay]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
    this.stage.say(`Frame ${shown.index + 1} cannot be shown. ${shown.error}`);
    this.controls.show(this.state, shown, new Map(), new Map());
    this.table.show([], this.state.scored);
  }

  /** The way of the followed track so far. */
  get path() {
    const { following, config, trail } = this;
    return following ? pathOf(config.lives, trail, this.shown.index, following) : [];
  }

  showLife() {
    const { following, config } = this;
    if (!following) return this.controls.showLife(null);
    const name = `${className(config, following.classId)}, track ${following.track}`;
    const colour = spread(following.track * 7 + following.classId);
    return this.controls.showLife(lifeOf(config.lives, following), name, this.shown.index, colour);
  }

  /** The table costs more than the picture: while frames fly by it waits. */
  showTable() {
    const { state, facts } = this;
    if (!state.table) return;
    const marked = { hover: state.hover, selected: this.picked };
    const content = JSON.stringify([facts.index, state.threshold, [...state.hidden], facts.rows.length]);
    clearTimeout(this.tabling);
    if (content === this.tabled) {
      this.table.mark(marked);
      return;
    }
    this.tabling = setTimeout(() => {
      this.tabled = content;
      this.table.marked = { hover: this.state.hover, selected: this.picked };
      this.table.show(facts.rows, this.state.scored);
      this.table.reveal();
    }, 60);
  }

  announce(frame, counts) {
    const parts = [...counts].map(([id, [t, p]]) => {
      const both = this.config.truth && this.config.prediction;
      return `${className(this.config, id)} ${both ? `${t} true ${p} predicted` : t + p}`;
    });
    const text = `Frame ${frame.index + 1} of ${this.config.count}${frame.name ? `, ${frame.name}` : ""}: ${parts.join(", ") || "no instances"}`;
    this.stage.el.setAttribute("aria-label", text);
    if (this.spoken !== frame.index && !this.state.playing) {
      this.spoken = frame.index;
      clearTimeout(this.speaking);
      this.speaking = setTimeout(() => this.say(text), 500);
    }
  }

  say(text) {
    this.live.textContent = text;
  }

  // --- the rest --------------------------------------------------------------------------------

  key(event) {
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    const { state, config } = this;
    const [name, a, b] = action;
    const cycles = {
      mode: MODES.map(([mode]) => mode).filter((mode) => this.allowed(mode)),
      style: ["both", "fill", "contour"],
      colour: config.tracks ? ["class", "instance", "track"] : ["class", "instance"],
    };
    const does = {
      move: () => this.goto(state.frame + a), first: () => this.goto(0, 1), last: () => this.goto(config.count - 1),
      play: () => this.play(), seek: () => this.picking.seek(a), flicker: () => this.picking.flicker(a),
      swap: () => this.switching.seek(a), toggle: () => this.set({ [a]: !state[a] }),
      cycle: () => {
        const list = cycles[a];
        if (list.length > 1) this.set({ [a]: list[(list.indexOf(state[a]) + 1) % list.length] });
      },
      opacity: () => this.set({ opacity: clip(Math.round(20 * (state.opacity + a)) / 20, 0, 1) }),
      threshold: () => state.scored && this.set({ threshold: clip(Math.round(100 * (state.threshold + a)) / 100, 0, 1) }),
      class: () => config.classes[a] && this.toggleClass(config.classes[a].id),
      zoom: () => this.zoom(a), save: () => this.save(), full: () => this.fullScreen(),
      pan: () => this.shown?.bitmap && this.set({ view: panBy(state.view, 60 * a, 60 * b, this.stage.panes[0], this.shown) }),
      objects: () => this.picking.zoomToAll(), closer: () => this.picking.zoomToSelected(),
      escape: () => {
        this.picking.cancel();
        if (state.help) this.set({ help: false });
        else if (this.root.classList.contains("wv-fills")) this.fullScreen();
        else this.picking.select(null);
      },
    };
    does[name]();
  }

  save() {
    if (!this.shown?.bitmap) return;
    const { mode } = this.state;
    const selected = this.picked;
    const what = MODES.find(([name]) => name === mode)?.[1] ?? "";
    const about = selected ? ` · ${codeName(this.config, selected.code)}` : "";
    const canvas = compose(this.stage.panes.slice(0, this.stage.count), `${this.shown.name || `frame ${this.shown.index + 1}`} · ${what}${about}`);
    const name = fileName(this.shown, mode);
    this.saved = download(canvas, name);
    this.say(`Saved as ${name}`);
  }

  /** The whole screen; where a page may not do that (some frames in frames), the whole window. */
  async fullScreen() {
    if (document.fullscreenElement === this.root) await document.exitFullscreen();
    else if (this.root.classList.contains("wv-fills")) this.root.classList.remove("wv-fills");
    else {
      try {
        await this.root.requestFullscreen();
      } catch {
        this.root.classList.add("wv-fills");
      }
    }
    this.layout();
  }

  close() {
    this.closed = true;
    this.resizer.disconnect();
    this.stopListening();
    this.stage.close();
    this.share.close();
    for (const timer of [this.slow, this.tabling, this.speaking]) clearTimeout(timer);
    this.root.remove();
  }
}

const feeds = new WeakMap(); // model -> { feed, views }: the views of one model share its frames

function render({ model, el }) {
  const shared = feeds.get(model) ?? { feed: new Feed(model), views: 0 };
  feeds.set(model, shared);
  shared.views += 1;
  const viewer = new Viewer(model, shared.feed, el);
  el.wadViewer = viewer; // for tests and measurements
  return () => {
    viewer.close();
    shared.views -= 1;
    if (shared.views === 0) {
      shared.feed.close();
      feeds.delete(model);
    }
  };
}

export default { render };
