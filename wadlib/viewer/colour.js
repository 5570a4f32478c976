// Colours by label code, as tables of 65,536 entries that the painter looks up pixel by pixel.

import { CODES, IGNORE, classOf } from "./codes.js";

// petroff10: stays apart for colour-blind eyes (the class colours of the config are taken from it too).
export const PALETTE = [
  [63, 144, 218], [255, 169, 14], [189, 31, 1], [131, 45, 182], [148, 164, 162],
  [231, 99, 0], [169, 107, 89], [185, 172, 112], [113, 117, 129], [146, 218, 221],
];
export const WHITE = rgba([255, 255, 255], 1);
export const INK = rgba([22, 26, 32], 1);
export const GLOW = rgba([255, 224, 0], 1); // what is hovered or selected

export const DRAWN = 1;
export const FAINT = 2;
export const SMALL = 4; // so small on the screen that two lines would hide its colour

// The pixels of the map of right and wrong; each kind has a pattern as well (see paint.js).
export const KINDS = [
  { name: "found", colour: [63, 144, 218] },
  { name: "false alarm", colour: [231, 99, 0] },
  { name: "missed", colour: [131, 45, 182] },
  { name: "wrong class", colour: [255, 169, 14] },
  { name: "ignored", colour: [148, 164, 162] },
];

/** Colour as the bytes R, G, B, A in memory (all browsers run on little-endian machines). */
export function rgba([red, green, blue], opacity) {
  return ((Math.round(255 * opacity) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Colour tables of one label map; `set` refills them without a new allocation. */
export class Lut {
  constructor() {
    this.fill = new Uint32Array(CODES); // with opacity
    this.line = new Uint32Array(CODES); // opaque
    this.mark = new Uint8Array(CODES); // DRAWN, FAINT (IGNORE), SMALL
    this.classes = new Uint8Array(CODES); // class of what is drawn; 255 for IGNORE, 0 for nothing
    this.used = [];
  }

  /**
   * instances: [{code, score}], colours: Map code -> [r, g, b], opacity: 0..1,
   * visible: (instance) => boolean, counts: (class id) => boolean
   */
  set(instances, colours, opacity, visible, counts) {
    for (const code of this.used) {
      this.fill[code] = this.line[code] = this.mark[code] = this.classes[code] = 0;
    }
    this.used = [IGNORE];
    this.fill[IGNORE] = rgba([200, 200, 200], 0.5 * opacity);
    this.mark[IGNORE] = FAINT;
    this.classes[IGNORE] = 255;
    for (const one of instances) {
      if (!visible(one)) continue;
      const colour = colours.get(one.code);
      this.used.push(one.code);
      this.fill[one.code] = rgba(colour, opacity);
      this.line[one.code] = rgba(colour, 1);
      this.mark[one.code] = DRAWN;
      const id = classOf(one.code);
      this.classes[one.code] = counts(id) ? id : 0;
    }
  }
}

/** Note which instances are less than `least` pixels of the screen wide or high. */
export function markSmall(lut, boxes, scale, least) {
  for (const code of lut.used) {
    if (!(lut.mark[code] & DRAWN)) continue;
    const box = boxes.get(code);
    const small = box && Math.min(box[2] - box[0], box[3] - box[1]) * scale < least;
    lut.mark[code] = small ? DRAWN | SMALL : DRAWN;
  }
}

/** Map code -> [r, g, b] for the instances of a frame, coloured by "class", "instance" or "track". */
export function coloursOf(instances, by, config, tracks) {
  const ofClass = new Map(config.classes.map((row) => [row.id, row.colour]));
  const colours = new Map();
  instances.forEach((one, number) => {
    const id = classOf(one.code);
    if (by === "instance") colours.set(one.code, spread(number));
    else if (by === "track" && tracks) {
      const track = tracks[one.code];
      colours.set(one.code, track == null ? [110, 110, 110] : spread(track * 7 + id));
    } else colours.set(one.code, ofClass.get(id) ?? [110, 110, 110]);
  });
  return colours;
}

/** The n-th of many colours: the palette, then the palette lighter and darker. */
export function spread(n) {
  const colour = PALETTE[n % PALETTE.length];
  const round = Math.floor(n / PALETTE.length) % 3;
  if (round === 0) return colour;
  return colour.map((v) => Math.round(round === 1 ? v + (255 - v) * 0.45 : v * 0.6));
}
