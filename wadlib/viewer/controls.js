// The rows of buttons and sliders around the picture. They show the state and tell `act` what is wanted.

import { codeName, className, isEvaluated } from "./codes.js";
import { KINDS } from "./colour.js";
import { button, choice, h, icon, slider } from "./dom.js";
import { kindTiles } from "./paint.js";

const SPEEDS = [1, 2, 5, 10, 25]; // frames per second

export const MODES = [
  ["truth", "Truth", "what people drew"],
  ["prediction", "Prediction", "what a method found"],
  ["both", "Both", "prediction filled and dashed, truth as a line"],
  ["side", "Side by side", "truth left, prediction right"],
  ["swipe", "Swipe", "drag the border between truth and prediction"],
  ["errors", "Right and wrong", "found, missed, false alarms, wrong class"],
];

export class Controls {
  constructor(config, act) {
    this.config = config;
    this.act = act;
    this.chips = new Map();
    const modes = MODES.filter(([mode]) => act.allowed(mode));
    this.modes = choice("What to show", modes, (mode) => act.set({ mode }));
    this.styles = choice(
      "How to draw masks",
      [["both", "Fill + line"], ["fill", "Fill"], ["contour", "Line"]],
      (style) => act.set({ style }),
    );
    const colours = [["class", "Class"], ["instance", "Instance"]];
    if (config.tracks) colours.push(["track", "Track"]);
    this.colours = choice("What colour means", colours, (colour) => act.set({ colour }));
    this.opacity = slider("Opacity", { min: 0, max: 1, step: 0.05 }, "[ ]", (opacity) => act.set({ opacity }));
    this.threshold = slider("Score from", { min: 0, max: 1, step: 0.01 }, ", .", (threshold) => act.set({ threshold }));
    this.makeFilm();
    this.makeTools();
    this.chipBox = h("div", { class: "wv-chips", role: "group", "aria-label": "Classes: press to hide or show" });
    for (const row of config.classes) this.addChip(row.id, row.colour);
    this.legend = h("div", { class: "wv-legend", role: "list", "aria-label": "What the map of right and wrong means" });
    this.tally = this.makeLegend();
    this.top = h("div", { class: "wv-row wv-top" }, modes.length > 1 ? this.modes.el : h("div", { class: "wv-title" }, config.title), this.tools);
    this.bottom = h(
      "div", { class: "wv-bottom" }, this.film, this.life, this.legend, this.chipBox,
      h(
        "div", { class: "wv-row wv-options" },
        h("div", { class: "wv-option" }, h("span", {}, "Masks"), this.styles.el),
        h("div", { class: "wv-option" }, h("span", {}, "Colour"), this.colours.el),
        this.opacity.el, this.threshold.el,
      ),
    );
  }

  makeFilm() {
    const { act, config } = this;
    this.play = button("play", "play", "space", () => act.play());
    this.position = h("input", {
      type: "range", min: 0, max: config.count - 1, step: 1, "aria-label": "frame", title: "frame (left and right arrow)",
      "data-lm-suppress-shortcuts": "true", oninput: () => act.goto(Number(this.position.value)),
    });
    this.where = h("span", { class: "wv-where" });
    this.speed = h(
      "select", { class: "wv-speed", "aria-label": "frames per second", title: "frames per second",
        "data-lm-suppress-shortcuts": "true", onchange: () => act.set({ fps: Number(this.speed.value) }) },
      ...SPEEDS.map((fps) => h("option", { value: fps }, `${fps}/s`)),
    );
    this.nextError = button("error", "next error", "e", () => act.seek(1), "Next error");
    this.nextError.hidden = !act.allowed("errors");
    const many = [
      button("back", "frame before", "left arrow", () => act.goto("back")), this.play,
      button("forward", "next frame", "right arrow", () => act.goto("forward")), this.position, this.where, this.speed,
    ];
    this.nextGap = button("gap", "next gap of a track", "i", () => act.flicker(1), "Next gap");
    this.nextGap.hidden = !config.lives;
    this.nextSwap = button("swap", "next id switch", "x", () => act.swap(1), "Next id switch");
    this.nextSwap.hidden = !config.switches;
    this.film = h("div", { class: "wv-row wv-film" }, ...(config.count > 1 ? many : [this.where]), this.nextError, this.nextGap, this.nextSwap);
    this.life = h("canvas", { class: "wv-life", role: "img", width: config.count, height: 1, hidden: true });
    this.life.addEventListener("click", (event) => {
      const box = this.life.getBoundingClientRect();
      act.goto(Math.floor((config.count * (event.clientX - box.left)) / box.width));
    });
  }

  /** The life of the followed track: one cell a frame, the shown frame marked. `name` is what it is called. */
  showLife(life, name, frame, colour) {
    this.life.hidden = life === null;
    if (life === null) return;
    const there = life.filter(Boolean).length;
    const drawn = JSON.stringify([name, frame, there, colour]);
    if (drawn === this.lived) return;
    this.lived = drawn;
    const text = `${name}: in ${there} of ${life.length} frames, ${life[frame] ? "" : "not "}in this one`;
    this.life.setAttribute("aria-label", text);
    this.life.title = `${text} (click to go there)`;
    const context = this.life.getContext("2d");
    context.clearRect(0, 0, life.length, 1);
    life.forEach((alive, n) => {
      context.fillStyle = n === frame ? (alive ? "#ffe000" : "#e76300") : alive ? `rgb(${colour.join(", ")})` : "rgba(128, 128, 128, 0.25)";
      context.fillRect(n, 0, 1, 1);
    });
  }

  makeTools() {
    const { act } = this;
    this.namesButton = button("names", "names", "n", () => act.toggle("names"));
    this.tableButton = button("table", "table of instances", "t", () => act.toggle("table"));
    this.fullButton = button("full", "full screen", "f", () => act.fullScreen());
    this.helpButton = button("help", "keys", "?", () => act.toggle("help"));
    this.tools = h(
      "div", { class: "wv-tools", role: "group", "aria-label": "View" },
      button("minus", "zoom out", "-", () => act.zoom(0.5)), button("plus", "zoom in", "+", () => act.zoom(2)),
      button("fit", "whole picture", "0", () => act.zoom(0)), button("objects", "zoom to all objects", "o", () => act.objects()),
      this.namesButton, this.tableButton,
      button("save", "save as PNG", "s", () => act.save()), this.fullButton, this.helpButton,
    );
  }

  makeLegend() {
    const tiles = kindTiles(1);
    return KINDS.map((kind, k) => {
      const swatch = h("canvas", { width: 24, height: 16, class: "wv-swatch", "aria-hidden": "true" });
      const pixels = new ImageData(24, 16);
      const out = new Uint32Array(pixels.data.buffer);
      for (let y = 0; y < 16; y++) for (let x = 0; x < 24; x++) out[24 * y + x] = tiles[k][16 * y + (x & 15)];
      swatch.getContext("2d").putImageData(pixels, 0, 0);
      const number = h("span", { class: "wv-number" });
      this.legend.append(h("span", { class: "wv-kind", role: "listitem" }, swatch, kind.name, number));
      return number;
    });
  }

  addChip(id, colour = [110, 110, 110]) {
    const name = className(this.config, id);
    const swatch = h("span", { class: "wv-swatch", style: `background: rgb(${colour.join(", ")})`, "aria-hidden": "true" });
    const count = h("span", { class: "wv-number" });
    const el = h(
      "button",
      { type: "button", class: "wv-chip", "data-class": id, "aria-pressed": "true", "data-lm-suppress-shortcuts": "true",
        onclick: () => this.act.toggleClass(id) },
      swatch, name, count,
    );
    this.chips.set(id, { el, count, name });
    this.chipBox.append(el);
  }

  /** Show a state; `counts` is Map class id -> [true, predicted] and `tally` counts verdicts. */
  show(state, frame, counts, tally) {
    const { config } = this;
    this.modes.inputs.get(state.mode) && this.modes.set(state.mode);
    this.styles.set(state.style);
    this.colours.set(state.colour);
    put(this.opacity, state.opacity, `${Math.round(100 * state.opacity)} %`);
    put(this.threshold, state.threshold, state.threshold.toFixed(2));
    this.threshold.el.hidden = !state.scored;
    this.namesButton.setAttribute("aria-pressed", String(state.names));
    this.tableButton.setAttribute("aria-pressed", String(state.table));
    this.helpButton.setAttribute("aria-expanded", String(state.help));
    this.legend.hidden = state.mode !== "errors";
    KINDS.forEach((kind, k) => (this.tally[k].textContent = tally.has(kind.name) ? ` ${tally.get(kind.name)}` : ""));
    this.showClasses(state, counts);
    if (Number(this.position.value) !== state.frame) this.position.value = state.frame;
    const name = frame?.name ?? "";
    this.position.setAttribute("aria-valuetext", `frame ${state.frame + 1} of ${config.count}${name ? `, ${name}` : ""}`);
    this.where.textContent = (config.count > 1 ? `${state.frame + 1} / ${config.count}  ` : "") + name;
    this.where.title = name;
    this.speed.value = String(state.fps);
    if (this.playing !== state.playing) {
      this.playing = state.playing;
      this.play.replaceChildren(icon(state.playing ? "pause" : "play"));
      this.play.setAttribute("aria-label", state.playing ? "pause" : "play");
      this.play.title = `${state.playing ? "pause" : "play"} (space)`;
    }
  }

  showClasses(state, counts) {
    for (const id of counts.keys()) if (!this.chips.has(id)) this.addChip(id);
    for (const [id, { el, count, name }] of this.chips) {
      const [truth, prediction] = counts.get(id) ?? [0, 0];
      const hidden = state.hidden.has(id);
      const both = this.config.truth && this.config.prediction;
      count.textContent = both ? `${truth} · ${prediction}` : String(truth + prediction);
      const words = both ? `${truth} true, ${prediction} predicted` : `${truth + prediction}`;
      const spoken = `${name}: ${words}`;
      if (el.getAttribute("aria-label") !== spoken) el.setAttribute("aria-label", spoken);
      el.title = `${spoken}${isEvaluated(this.config, id) ? "" : ", not evaluated"} (press to ${hidden ? "show" : "hide"})`;
      el.setAttribute("aria-pressed", String(!hidden));
      el.classList.toggle("wv-absent", truth + prediction === 0);
    }
  }
}

function put({ input, value }, number, text) {
  if (Number(input.value) !== number) input.value = String(number);
  input.setAttribute("aria-valuetext", text);
  value.textContent = text;
}

/** One line per fact about an instance: for the tip beside the pointer and for screen readers. */
export function describe(config, row, source, code) {
  const lines = [`${codeName(config, code)} (${source === "truth" ? "truth" : "prediction"})`];
  if (row.score != null) lines.push(`score ${row.score.toFixed(2)}`);
  lines.push(`${row.areaOf[source].toLocaleString("en")} px`);
  if (row.verdict) {
    const other = source === "truth" ? row.prediction : row.truth;
    const match = other === null ? "" : ` · IoU ${row.iou.toFixed(2)} with ${codeName(config, other)}`;
    const nearly = other === null && row.iou > 0 ? ` · best IoU ${row.iou.toFixed(2)}` : "";
    lines.push(`${row.verdict}${match}${nearly}`);
  }
  return lines;
}
