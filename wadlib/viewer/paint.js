// From label codes to pixels of the screen. Everything is painted at the resolution of the screen, so that
// contours are as wide at any zoom and the cost does not depend on the size of the frame.

import { BACKGROUND } from "./codes.js";
import { DRAWN, FAINT, GLOW, INK, KINDS, SMALL, WHITE, rgba } from "./colour.js";

/** Codes under the pixels of a pane, with a margin so that contours can look beyond the edge. */
export class Samples {
  constructor(width, height, margin) {
    this.width = width;
    this.height = height;
    this.margin = margin;
    this.stride = width + 2 * margin;
    this.codes = new Uint16Array(this.stride * (height + 2 * margin));
    this.columns = new Int32Array(this.stride);
  }

  /** Fill from a label {codes, width, height}, laid as view.js's `place` says ({scale, left, top}). */
  take(label, { scale, left, top }) {
    const { codes, columns, stride, margin } = this;
    const rows = this.height + 2 * margin;
    for (let x = 0; x < stride; x++) {
      const column = Math.floor(left + (x - margin + 0.5) / scale);
      columns[x] = column >= 0 && column < label.width ? column : -1;
    }
    let before = -2;
    for (let y = 0; y < rows; y++) {
      const found = Math.floor(top + (y - margin + 0.5) / scale);
      const row = found >= 0 && found < label.height ? found : -1;
      const start = y * stride;
      if (row === before) {
        codes.copyWithin(start, start - stride, start);
        continue;
      }
      before = row;
      if (row < 0) {
        codes.fill(BACKGROUND, start, start + stride);
        continue;
      }
      const source = row * label.width;
      for (let x = 0; x < stride; x++) {
        const column = columns[x];
        codes[start + x] = column < 0 ? BACKGROUND : label.codes[source + column];
      }
    }
  }

  /** The code at a pixel of the pane, or the nearest one within `reach` that `wanted` accepts; 0 if none. */
  at(x, y, wanted, reach = 0) {
    let nearest = 0;
    let least = Infinity;
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const column = x + dx;
        const row = y + dy;
        if (column < 0 || row < 0 || column >= this.width || row >= this.height) continue;
        const code = this.codes[(row + this.margin) * this.stride + column + this.margin];
        const distance = dx * dx + dy * dy;
        if (distance < least && distance <= reach * reach && wanted(code)) {
          least = distance;
          nearest = code;
        }
      }
    }
    return nearest;
  }
}

/**
 * Paint a label map into out (one Uint32 per pixel), columns from..to.
 *
 * style: { fill, contour: booleans, dashed: boolean, thick: pixels, over: keep what is there }
 * An instance with a fill has a white line inside its border and a dark one outside: visible on any
 * picture. Without a fill the line takes its colour. Predictions are dashed.
 */
export function paintLabel(out, samples, lut, style, from = 0, to = samples.width) {
  const { codes, stride, margin, width, height } = samples;
  const { fill, line, mark } = lut;
  const { thick, contour, dashed, over } = style;
  const down = thick * stride;
  for (let y = 0; y < height; y++) {
    let i = (y + margin) * stride + margin + from;
    let o = y * width + from;
    for (let x = from; x < to; x++, i++, o++) {
      const c = codes[i];
      if (contour) {
        const a = codes[i - thick];
        const b = codes[i + thick];
        const d = codes[i - down];
        const e = codes[i + down];
        if (a !== c || b !== c || d !== c || e !== c) {
          if (mark[c] & DRAWN) {
            const gap = dashed && ((x + y) >> 2) & 1;
            out[o] = gap ? INK : style.fill && !(mark[c] & SMALL) ? WHITE : line[c];
            continue;
          }
          if ((mark[a] | mark[b] | mark[d] | mark[e]) & DRAWN) {
            out[o] = INK;
            continue;
          }
        }
      }
      if (mark[c] & DRAWN && style.fill) out[o] = fill[c];
      else if (mark[c] === FAINT && ((x + y) & 7) < 2) out[o] = fill[c];
      else if (!over) out[o] = 0;
    }
  }
}

// Patterns of the kinds, so that they can be told apart without colour: (x, y) -> 0 fill, 1 white, 2 ink.
const PATTERNS = [
  () => 0,
  (x, y) => (((x + y) & 7) === 0 || ((x - y) & 7) === 0 ? 2 : 0), // crosses
  (x, y) => (((x + y) & 7) < 2 ? 1 : 0), // stripes
  (x, y) => ((x & 7) < 3 && (y & 7) < 3 ? 2 : 0), // dots
  (x, y) => (((x - y) & 15) === 0 ? 1 : 0), // thin stripes
];

/** 8x8 tiles of 16x16 pixels, one per kind, at an opacity: what legend and map are painted from. */
export function kindTiles(opacity) {
  return KINDS.map((kind, k) => {
    const tile = new Uint32Array(256);
    const strength = k === 4 ? 0.35 * opacity : opacity;
    for (let y = 0; y < 16; y++) {
      for (let x = 0; x < 16; x++) {
        const mark = PATTERNS[k](x, y);
        const colour = mark === 0 ? kind.colour : mark === 1 ? [255, 255, 255] : [22, 26, 32];
        tile[16 * y + x] = rgba(colour, mark === 0 ? strength : Math.min(1, strength + 0.25));
      }
    }
    return tile;
  });
}

/** 0 nothing, 1 found, 2 false alarm, 3 missed, 4 wrong class, 5 ignored: of true and predicted class. */
export function kindOf(truth, prediction) {
  if (truth === 255) return 5;
  if (truth === prediction) return truth === 0 ? 0 : 1;
  if (truth === 0) return 2;
  return prediction === 0 ? 3 : 4;
}

/** Paint the map of right and wrong, pixel by pixel and by class, with the contours of the truth. */
export function paintKinds(out, truth, prediction, truthLut, predictionLut, style, tiles) {
  const { stride, margin, width, height } = truth;
  const { thick } = style;
  const shift = thick > 1 ? 1 : 0; // coarser patterns on dense screens
  const down = thick * stride;
  const codes = truth.codes;
  const mark = truthLut.mark;
  for (let y = 0; y < height; y++) {
    let i = (y + margin) * stride + margin;
    let o = y * width;
    const row = ((y >> shift) & 15) << 4;
    for (let x = 0; x < width; x++, i++, o++) {
      const c = codes[i];
      if (mark[c] === DRAWN) {
        if (codes[i - thick] !== c || codes[i + thick] !== c || codes[i - down] !== c || codes[i + down] !== c) {
          out[o] = WHITE;
          continue;
        }
      }
      const predicted = predictionLut.classes[prediction.codes[i]];
      const kind = kindOf(truthLut.classes[c], predicted === 255 ? 0 : predicted);
      out[o] = kind === 0 ? 0 : tiles[kind - 1][row | ((x >> shift) & 15)];
    }
  }
}

/** Outline one instance so that it stands out from all others: yellow on dark, three lines wide. */
export function paintGlow(out, samples, code, thick, from = 0, to = samples.width) {
  const { codes, stride, margin, width, height } = samples;
  const wide = 2 * thick;
  for (let y = 0; y < height; y++) {
    let i = (y + margin) * stride + margin + from;
    let o = y * width + from;
    for (let x = from; x < to; x++, i++, o++) {
      const inside = codes[i] === code;
      const near =
        (codes[i - thick] === code) !== inside || (codes[i + thick] === code) !== inside ||
        (codes[i - thick * stride] === code) !== inside || (codes[i + thick * stride] === code) !== inside;
      if (near) out[o] = inside ? INK : GLOW;
      else if (
        !inside &&
        (codes[i - wide] === code || codes[i + wide] === code ||
          codes[i - wide * stride] === code || codes[i + wide * stride] === code)
      ) {
        out[o] = GLOW;
      }
    }
  }
}
