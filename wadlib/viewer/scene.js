// From the state of the viewer to what each pane shows.

import { classOf, codeName, className, isEvaluated } from "./codes.js";
import { Lut, coloursOf } from "./colour.js";
import { isError, match } from "./matching.js";
import { kindTiles } from "./paint.js";

const LAYERS = {
  truth: ["truth"], prediction: ["prediction"], both: ["both"], side: ["truth", "prediction"], swipe: ["swipe"],
  errors: ["errors"], none: ["none"],
};
const SOURCES = {
  truth: ["truth"], prediction: ["prediction"], both: ["truth", "prediction"], swipe: ["truth", "prediction"],
  errors: ["truth", "prediction"], none: [],
};
const CAPTIONS = { truth: "truth", prediction: "prediction", swipe: "truth | prediction", errors: "right and wrong" };

export function layersOf(mode) {
  return LAYERS[mode];
}

/** What is known about one frame at one threshold; kept while only the view changes. */
export class Facts {
  constructor(config) {
    this.config = config;
    this.luts = { truth: new Lut(), prediction: new Lut() };
    this.counts = (id) => isEvaluated(config, id);
  }

  /** Rows of the table and tables of colours for a frame and a state. */
  refresh(frame, state) {
    if (frame.index !== this.index || state.threshold !== this.threshold || frame.meta !== this.meta) {
      Object.assign(this, { index: frame.index, threshold: state.threshold, meta: frame.meta });
      this.all = match(frame.meta, { threshold: state.threshold, counts: this.counts });
      this.byTruth = new Map(this.all.filter((row) => row.truth !== null).map((row) => [row.truth, row]));
      this.byPrediction = new Map(this.all.filter((row) => row.prediction !== null).map((row) => [row.prediction, row]));
    }
    this.rows = this.all.filter((row) => !state.hidden.has(row.classId));
    const visible = (one) => !state.hidden.has(classOf(one.code)) && (one.score == null || one.score >= state.threshold);
    for (const source of ["truth", "prediction"]) {
      const instances = frame.meta[source] ?? [];
      const tracked = source === "prediction" || !this.config.prediction;
      const colours = coloursOf(instances, state.colour, this.config, tracked ? frame.meta.tracks : null);
      this.luts[source].set(instances, colours, state.opacity, visible, this.counts);
    }
    if (this.opacity !== state.opacity) {
      this.opacity = state.opacity;
      this.tiles = kindTiles(Math.max(0.15, state.opacity));
    }
  }

  rowOf({ source, code }) {
    return (source === "truth" ? this.byTruth : this.byPrediction).get(code);
  }

  /** How often each verdict occurs among the rows. */
  tally() {
    const tally = new Map();
    for (const row of this.rows) tally.set(row.verdict, (tally.get(row.verdict) ?? 0) + 1);
    return tally;
  }

  /** The errors of the frame from top to bottom: [{ source, code, box }]. */
  errors(frame) {
    const found = this.rows.filter((row) => isError(row.verdict)).map((row) => {
      const source = row.prediction === null ? "truth" : "prediction";
      const code = row[source];
      return { source, code, box: frame.boxes[source].get(code) ?? null };
    });
    return found.sort((a, b) => (a.box?.[0] ?? 0) - (b.box?.[0] ?? 0) || (a.box?.[1] ?? 0) - (b.box?.[1] ?? 0));
  }
}

/** The scenes of the panes: see Pane.draw. */
export function scenesOf(state, frame, whole, facts, config) {
  const style = { fill: state.style !== "contour", contour: state.style !== "fill", over: false };
  const layers = LAYERS[state.mode];
  return layers.map((layer) => {
    const glow = glowing(state, facts, SOURCES[layer]);
    return {
      layer,
      frame: whole ?? frame,
      view: state.view,
      luts: facts.luts,
      boxes: frame.boxes,
      enlarged: whole ? frame.meta.factor : 1,
      tiles: facts.tiles,
      style,
      swipe: state.swipe,
      path: state.path ?? [],
      glow,
      names: namesOf(state, frame, whole, facts, config, layer, glow),
      caption: layers.length > 1 || layer === "swipe" || layer === "errors" ? CAPTIONS[layer] ?? "" : "",
    };
  });
}

/** What is hovered or selected, with its match, as far as a pane shows it. */
function glowing(state, facts, sources) {
  const glow = [];
  for (const one of [state.selected, state.hover]) {
    const row = one && facts.rowOf(one);
    if (!row || state.hidden.has(row.classId)) continue;
    for (const source of sources) {
      const code = row[source];
      if (code !== null && !glow.some((g) => g.source === source && g.code === code)) glow.push({ source, code });
    }
  }
  return glow;
}

function namesOf(state, frame, whole, facts, config, layer, glow) {
  if (!state.names) return [];
  const factor = whole ? frame.meta.factor : 1;
  const names = [];
  const add = (source, code, text, area) => {
    const box = frame.boxes[source].get(code);
    if (!box) return;
    const strong = glow.some((g) => g.source === source && g.code === code);
    names.push({ text, box: box.map((v) => v * factor), area, strong, source });
  };
  if (layer === "errors") {
    for (const row of facts.rows.filter((r) => isError(r.verdict))) {
      const source = row.prediction === null ? "truth" : "prediction";
      add(source, row[source], `${row.verdict}: ${className(config, classOf(row[source]))}`, row.area);
    }
  } else {
    for (const source of layer === "both" ? ["prediction"] : SOURCES[layer]) {
      for (const row of facts.rows) {
        const code = row[source];
        if (code === null) continue;
        const score = source === "prediction" && row.score !== null;
        const text = score ? `${className(config, row.classId)} ${row.score.toFixed(2)}` : codeName(config, code);
        add(source, code, text, row.areaOf[source]);
      }
    }
  }
  return names.sort((a, b) => b.strong - a.strong || b.area - a.area);
}
