// Instances under the hand: hover, select, go from error to error, bring one into sight.

import { className } from "./codes.js";
import { describe } from "./controls.js";
import { codeIn, flickers, nextFlicker, trackOf } from "./tracks.js";
import { FIT, around, place, zoomTo } from "./view.js";

const JUDGED = ["both", "side", "errors", "swipe"]; // modes that show truth and prediction

export class Picking {
  /** viewer: the Viewer, whose state and facts this works on. */
  constructor(viewer) {
    this.viewer = viewer;
    this.token = 0; // a search that is overtaken by another one, or cancelled, stops
  }

  /** { source, code } of a row of the table: of its prediction where that is shown, else of its truth. */
  ofRow(row) {
    const wanted = this.viewer.state.mode === "truth" ? "truth" : "prediction";
    const other = wanted === "truth" ? "prediction" : "truth";
    const source = row[wanted] === null ? other : wanted;
    return { source, code: row[source] };
  }

  hover(one, pane, x, y) {
    const { viewer } = this;
    const before = viewer.state.hover;
    if (one?.code !== before?.code || one?.source !== before?.source) viewer.show({ hover: one });
    const row = one && viewer.facts.rowOf(one);
    if (row && pane) viewer.stage.showTip(pane, x, y, describe(viewer.config, row, one.source, one.code));
    else viewer.stage.hideTip();
  }

  select(one, fromTable = false) {
    const { viewer } = this;
    const { lives } = viewer.config;
    if (lives) viewer.following = one && one.source === this.tracked ? trackOf(lives, viewer.state.frame, one.code) : null;
    const row = one && viewer.facts.rowOf(one);
    let selected = null;
    if (row) {
      selected = {
        frame: viewer.state.frame,
        source: one.source,
        code: one.code,
        class_id: row.classId,
        class: className(viewer.config, row.classId),
        instance: one.code % 1000,
        score: row.score,
        area_px: row.areaOf[one.source],
        iou: row.verdict ? row.iou : null,
        match: one.source === "truth" ? row.prediction : row.truth,
        verdict: row.verdict || null,
      };
      viewer.say(describe(viewer.config, row, one.source, one.code).join(", "));
    }
    if (!selected && !viewer.state.selected) return;
    viewer.share.put("selected", selected, true);
    viewer.show({ selected });
    if (!fromTable) viewer.table.reveal();
  }

  /** Which side the tracks belong to. */
  get tracked() {
    return this.viewer.config.prediction ? "prediction" : "truth";
  }

  /** In a frame that has just come: select what the selected track is called in it. */
  follow() {
    const { following, config, shown, picked } = this.viewer;
    if (!following || picked || shown.error) return;
    const code = codeIn(config.lives, shown.index, following);
    if (code !== null) this.select({ source: this.tracked, code });
  }

  /** Go to the next (or previous) frame in which a track is missing that comes back; of the selected track, or of any. */
  flicker(step) {
    const { viewer } = this;
    const { lives } = viewer.config;
    if (!lives) return;
    const one = viewer.following;
    const gap = nextFlicker(flickers(lives, one), viewer.state.frame, step);
    if (gap) {
      viewer.following = { track: gap.track, classId: gap.classId };
      viewer.goto(gap.frame);
      viewer.say(`${className(viewer.config, gap.classId)}, track ${gap.track}: missing in frame ${gap.frame + 1}`);
      return;
    }
    this.tell(`No ${step > 0 ? "further" : "earlier"} gap ${one ? "of this track" : "of any track"}.`);
  }

  /** Say something over the picture for a moment. */
  tell(text) {
    const { viewer } = this;
    viewer.say(text);
    viewer.stage.say(text);
    setTimeout(() => viewer.draw(), 1800);
  }

  cancel() {
    this.token += 1;
  }

  /** Go to the next (or previous) instance that is missed, a false positive or of a wrong class. */
  async seek(step) {
    const { viewer } = this;
    if (!viewer.allowed("errors")) return;
    const token = ++this.token;
    if (!JUDGED.includes(viewer.state.mode)) viewer.set({ mode: "errors" });
    let selected = viewer.picked;
    for (let index = viewer.state.frame; index >= 0 && index < viewer.config.count; index += step) {
      if (!(await this.arrive(index, step, token))) return;
      const errors = viewer.shown.error ? [] : viewer.facts.errors(viewer.shown);
      const at = errors.findIndex((one) => one.source === selected?.source && one.code === selected?.code);
      const next = at >= 0 ? errors[at + step] : errors.at(step > 0 ? 0 : -1);
      selected = null;
      if (next) {
        this.select(next);
        this.reveal(next.box);
        return;
      }
    }
    this.tell(`No ${step > 0 ? "further" : "earlier"} error with this threshold and these classes.`);
  }

  /** Show a frame, and wait until it is there; false if the search was overtaken meanwhile. */
  async arrive(index, step, token) {
    const { viewer } = this;
    if (index !== viewer.state.frame) viewer.goto(index, step);
    if (viewer.shown?.index !== index) await new Promise((resolve) => (viewer.waiting = resolve));
    return token === this.token && !viewer.closed && viewer.state.frame === index;
  }

  /** Zoom to a box that is out of sight or too small to be seen; with `always`, to any. */
  reveal(box, always = false) {
    if (!box) return;
    const { viewer } = this;
    const [pane] = viewer.stage.panes;
    const { scale, left, top } = place(viewer.state.view, pane, viewer.shown);
    const large = Math.max(box[2] - box[0], box[3] - box[1]) * scale > 56 * pane.ratio;
    const inside =
      (box[0] - top) * scale > 0 && (box[1] - left) * scale > 0 &&
      (box[2] - top) * scale < pane.height && (box[3] - left) * scale < pane.width;
    if (always || !large || !inside) viewer.set({ view: zoomTo(box, pane, viewer.shown) });
  }

  zoomToSelected() {
    const { shown, picked } = this.viewer;
    if (picked && shown?.bitmap) this.reveal(shown.boxes[picked.source].get(picked.code), true);
  }

  zoomToAll() {
    const { viewer } = this;
    if (!viewer.shown?.bitmap) return;
    const { truth, prediction } = viewer.shown.boxes;
    const box = around([...truth.values(), ...prediction.values()]);
    viewer.set({ view: box ? zoomTo(box, viewer.stage.panes[0], viewer.shown, 0.92) : FIT });
  }
}
