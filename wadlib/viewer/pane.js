// One picture with its masks: a canvas for the picture, a canvas on top for everything painted over it.

import { DRAWN, markSmall } from "./colour.js";
import { Samples, paintGlow, paintKinds, paintLabel } from "./paint.js";
import { place } from "./view.js";

const MOST_PIXELS = 1.6e6; // of a canvas: beyond that a dense screen costs time and shows nothing more

export class Pane {
  constructor(h) {
    this.picture = h("canvas", { class: "wv-canvas", "aria-hidden": "true" });
    this.overlay = h("canvas", { class: "wv-canvas", "aria-hidden": "true" });
    this.caption = h("div", { class: "wv-caption", "aria-hidden": "true" });
    this.el = h("div", { class: "wv-pane" }, this.picture, this.overlay, this.caption);
    this.width = this.height = 0;
    this.samples = {};
    this.drawn = "";
  }

  /** Size in CSS pixels. */
  resize(cssWidth, cssHeight) {
    const dense = globalThis.devicePixelRatio || 1;
    this.ratio = Math.min(dense, Math.max(0.5, Math.sqrt(MOST_PIXELS / (cssWidth * cssHeight))));
    const width = Math.max(1, Math.round(cssWidth * this.ratio));
    const height = Math.max(1, Math.round(cssHeight * this.ratio));
    this.letter = 0.86 * (parseFloat(getComputedStyle(this.el).fontSize) || 14); // larger in full screen
    this.el.style.width = `${cssWidth}px`;
    this.el.style.height = `${cssHeight}px`;
    if (width === this.width && height === this.height) return;
    Object.assign(this, { width, height, drawn: "", samples: {} });
    this.thick = Math.max(1, Math.round(this.ratio));
    for (const canvas of [this.picture, this.overlay]) Object.assign(canvas, { width, height });
    this.pixels = new ImageData(width, height);
    this.out = new Uint32Array(this.pixels.data.buffer);
  }

  /** Draw a scene (see viewer.js): the picture only if it changed, the masks always. */
  draw(scene) {
    const { frame } = scene;
    this.place = place(scene.view, this, frame);
    const key = `${frame.index} ${frame.width} ${JSON.stringify(scene.view)}`;
    if (key !== this.drawn) {
      this.drawn = key;
      this.drawPicture(frame, scene.view.zoom > 1);
      this.samples = {};
    }
    for (const source of ["truth", "prediction"]) {
      const scale = this.place.scale * scene.enlarged; // boxes are in pixels of the view, whatever is drawn
      markSmall(scene.luts[source], scene.boxes[source], scale, 9 * this.thick);
    }
    const context = this.overlay.getContext("2d");
    this.paint(scene);
    context.putImageData(this.pixels, 0, 0);
    if (scene.path.length > 1) this.drawPath(context, scene);
    if (scene.names) this.drawNames(context, scene);
  }

  /** The way of the followed track: a dark line under a bright one, a dot for each frame. */
  drawPath(context, { path, enlarged }) {
    const { scale, left, top } = this.place;
    const points = path.map(([y, x]) => [(x * enlarged - left) * scale, (y * enlarged - top) * scale]);
    context.lineJoin = "round";
    for (const [colour, width] of [["rgb(22, 26, 32)", 4], ["rgb(255, 224, 0)", 2]]) {
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = width * this.thick;
      context.beginPath();
      points.forEach(([x, y], n) => (n ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.stroke();
      for (const [x, y] of points) context.fillRect(x - width * this.thick, y - width * this.thick, 2 * width * this.thick, 2 * width * this.thick);
    }
  }

  drawPicture(frame, zoomed) {
    this.el.style.touchAction = zoomed ? "none" : "pan-y"; // a finger pans the picture, or scrolls the page
    const context = this.picture.getContext("2d", { alpha: false });
    const { scale, left, top } = this.place;
    context.fillStyle = "#15181c";
    context.fillRect(0, 0, this.width, this.height);
    context.imageSmoothingEnabled = scale < 3 * this.ratio; // beyond that one wants to see the pixels
    context.drawImage(frame.bitmap, -left * scale, -top * scale, frame.width * scale, frame.height * scale);
  }

  /** The codes under the pixels of this pane, sampled once per frame and view. */
  sampled(frame, source) {
    if (!this.samples[source]) {
      const kept = (this.room ??= {});
      const fits = kept[source]?.width === this.width && kept[source]?.height === this.height;
      if (!fits) kept[source] = new Samples(this.width, this.height, 2 * this.thick);
      kept[source].take(frame[source], this.place);
      this.samples[source] = kept[source];
    }
    return this.samples[source];
  }

  paint(scene) {
    const { frame, layer, luts, style } = scene;
    const { out, thick, width } = this;
    const one = (source, more = {}, from = 0, to = width) => {
      if (!frame[source]) return out.fill(0);
      const dashed = source === "prediction";
      return paintLabel(out, this.sampled(frame, source), luts[source], { ...style, thick, dashed, ...more }, from, to);
    };
    if (layer === "errors" && frame.truth && frame.prediction) {
      const [truth, prediction] = [this.sampled(frame, "truth"), this.sampled(frame, "prediction")];
      paintKinds(out, truth, prediction, luts.truth, luts.prediction, { thick }, scene.tiles);
    } else if (layer === "swipe") {
      const split = Math.round(scene.swipe * width);
      out.fill(0);
      if (frame.truth) one("truth", {}, 0, split);
      if (frame.prediction) one("prediction", {}, split, width);
    } else if (layer === "both") {
      one("prediction");
      if (frame.truth) one("truth", { fill: false, contour: true, over: true });
    } else one(layer);
    for (const { source, code } of scene.glow) {
      const split = Math.round(scene.swipe * width);
      const [from, to] = layer !== "swipe" ? [0, width] : source === "truth" ? [0, split] : [split, width];
      if (frame[source]) paintGlow(out, this.sampled(frame, source), code, thick, from, to);
    }
  }

  drawNames(context, scene) {
    const { scale, left, top } = this.place;
    const size = Math.round(this.letter * this.ratio);
    context.font = `600 ${size}px system-ui, "Segoe UI", "DejaVu Sans", sans-serif`;
    context.textBaseline = "middle";
    const taken = [];
    const border = scene.swipe * this.width;
    for (const { text, box, strong, source } of scene.names) {
      const wide = (box[3] - box[1]) * scale;
      if (!strong && wide < 22 * this.ratio) continue; // the word would hide it; it appears on zooming in
      const middle = ((box[1] + box[3]) / 2 - left) * scale;
      if (scene.layer === "swipe" && middle < border !== (source === "truth")) continue;
      const width = context.measureText(text).width + 8 * this.ratio;
      const height = size + 5 * this.ratio;
      const x = middle - width / 2;
      const above = (box[0] - top) * scale - height - 2 * this.ratio;
      const y = above < 0 ? (box[2] - top) * scale + 2 * this.ratio : above;
      const hit = (b) => x < b[2] && x + width > b[0] && y < b[3] && y + height > b[1];
      if (x + width < 0 || x > this.width || y + height < 0 || y > this.height) continue;
      if (!strong && taken.some(hit)) continue;
      taken.push([x, y, x + width, y + height]);
      context.fillStyle = strong ? "#ffe000" : "rgba(255, 255, 255, 0.88)";
      context.beginPath();
      context.roundRect(x, y, width, height, 3 * this.ratio);
      context.fill();
      context.fillStyle = "#16191f";
      context.fillText(text, x + 4 * this.ratio, y + height / 2 + this.ratio / 2);
    }
  }

  /** { source, code } under a point in CSS pixels of this pane, or null; small things are easy to hit. */
  hit(scene, cssX, cssY) {
    const x = Math.round(cssX * this.ratio);
    const y = Math.round(cssY * this.ratio);
    const sources = {
      truth: ["truth"],
      prediction: ["prediction"],
      both: ["prediction", "truth"],
      errors: ["prediction", "truth"],
      swipe: [x < scene.swipe * this.width ? "truth" : "prediction"],
    }[scene.layer];
    for (const reach of [0, Math.round(4 * this.ratio)]) {
      for (const source of sources) {
        if (!scene.frame[source]) continue;
        const { mark } = scene.luts[source];
        const code = this.sampled(scene.frame, source).at(x, y, (c) => (mark[c] & DRAWN) !== 0, reach);
        if (code) return { source, code };
      }
    }
    return null;
  }
}
