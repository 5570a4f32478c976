// Frames on their way from Python: asked for when they are needed, three ahead, kept within bounds.

import { IGNORE } from "./codes.js";

export const AHEAD = 3;
const ENCODED_BYTES = 32e6; // as they came, so that going back asks for nothing again
const DECODED = 12; // ready to be drawn: 4 bytes a pixel and more
const FULL = 2; // at full resolution, tens of megabytes each
const PATIENCE_MS = 20_000;

/** The least recently used goes first; `size` of an entry counts towards `limit`. */
export class Lru {
  constructor(limit, dropped = () => {}) {
    this.limit = limit;
    this.dropped = dropped;
    this.total = 0;
    this.entries = new Map();
  }

  get(key) {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  has(key) {
    return this.entries.has(key);
  }

  set(key, value, size = 1) {
    this.delete(key);
    this.entries.set(key, { value, size });
    this.total += size;
    for (const oldest of this.entries.keys()) {
      if (this.total <= this.limit || oldest === key) break;
      this.delete(oldest);
    }
  }

  delete(key) {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.total -= entry.size;
    this.dropped(entry.value);
  }

  clear() {
    for (const key of [...this.entries.keys()]) this.delete(key);
  }
}

/** All frames of one viewer; shared by its views. */
export class Feed {
  constructor(model) {
    this.model = model;
    this.count = model.get("_config").count;
    this.listeners = new Set();
    this.encoded = new Lru(ENCODED_BYTES);
    this.decoded = new Lru(DECODED, close);
    this.full = new Lru(FULL, close);
    this.decoding = new Set();
    this.asked = new Map(); // key -> time in ms
    this.askers = new Map(); // frame -> what to call when its facts arrive
    this.target = -1;
    this.step = 1;
    this.received = 0; // bytes, for measurements
    this.onMessage = (content, buffers) => this.receive(content, buffers);
    model.on("msg:custom", this.onMessage);
    const first = model.get("_first");
    // A host that loses the bytes in a widget's state (Colab has an open issue): then the frame is asked for as all others.
    const whole = first?.meta && (first.meta.error || first.buffers?.length) && first.buffers.every(Boolean);
    if (whole) this.receive({ kind: "frame", meta: first.meta }, first.buffers);
  }

  /** Tell `listener(frame)` of every frame that becomes ready; returns how to stop. */
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The frame if it can be drawn at once. */
  ready(index) {
    return this.decoded.get(index);
  }

  /** The frame at full resolution if it is here; asks for it otherwise. */
  whole(index) {
    const frame = this.full.get(index);
    const key = `full ${index}`;
    if (!frame && !this.waiting(key)) {
      this.asked.set(key, performance.now());
      this.send({ kind: "full", frame: index });
    }
    return frame;
  }

  /** The frame that is wanted now; those behind it in the direction of `step` come along. */
  want(index, step = 1) {
    this.target = index;
    this.step = step < 0 ? -1 : 1;
    this.pump();
  }

  /** What is known about some frames, without their pictures: a promise of their metas, in this order. */
  facts(frames) {
    const missing = frames.filter((index) => !this.encoded.has(index));
    const arrived = missing.map(
      (index) => new Promise((resolve) => this.askers.set(index, [...(this.askers.get(index) ?? []), resolve])),
    );
    if (missing.length) this.send({ kind: "facts", frames: missing });
    const late = new Map(missing.map((index, n) => [index, arrived[n]]));
    return Promise.all(frames.map((index) => late.get(index) ?? this.encoded.get(index).meta));
  }

  pump() {
    const wanted = [];
    for (let k = 0; k <= AHEAD; k++) {
      const index = this.target + k * this.step;
      if (index >= 0 && index < this.count) wanted.push(index);
    }
    for (const index of wanted) this.decode(index);
    const missing = wanted.filter((index) => !this.encoded.has(index) && !this.waiting(index));
    const first = missing[0] === this.target;
    if (missing.length && (first || this.pending() <= 1)) {
      const frames = first && this.pending() > 1 ? [this.target] : missing;
      for (const index of frames) this.asked.set(index, performance.now());
      this.send({ kind: "want", frames });
    }
  }

  send(message) {
    try {
      this.model.send(message);
    } catch (error) {
      console.warn("mask viewer: Python cannot be reached", error); // frames that are here can still be seen
    }
  }

  waiting(key) {
    return performance.now() - (this.asked.get(key) ?? -Infinity) < PATIENCE_MS;
  }

  pending() {
    return [...this.asked.keys()].filter((key) => this.waiting(key)).length;
  }

  async receive(content, buffers) {
    if (content.kind === "frame") {
      const bytes = buffers.map(asBytes);
      const size = bytes.reduce((sum, one) => sum + one.byteLength, 0);
      this.received += size;
      const { index } = content.meta;
      this.asked.delete(index);
      this.encoded.set(index, { meta: content.meta, bytes }, size + 1000);
      if (Math.abs(index - this.target) <= AHEAD || this.target < 0) await this.decode(index);
      this.pump();
    } else if (content.kind === "full") {
      const bytes = buffers.map(asBytes);
      this.received += bytes.reduce((sum, one) => sum + one.byteLength, 0);
      const frame = await decodeFrame(content.meta, bytes);
      this.asked.delete(`full ${content.meta.index}`);
      this.full.set(frame.index, frame);
      this.tell(frame);
    } else if (content.kind === "facts") {
      for (const meta of content.metas) {
        for (const resolve of this.askers.get(meta.index) ?? []) resolve(meta);
        this.askers.delete(meta.index);
      }
    }
  }

  async decode(index) {
    const entry = this.encoded.get(index);
    if (!entry || this.decoding.has(index) || this.decoded.get(index)) return;
    this.decoding.add(index);
    const frame = await decodeFrame(entry.meta, entry.bytes);
    this.decoding.delete(index);
    this.decoded.set(index, frame);
    this.tell(frame);
  }

  tell(frame) {
    for (const listener of [...this.listeners]) listener(frame);
  }

  close() {
    this.model.off("msg:custom", this.onMessage);
    this.listeners.clear();
    for (const cache of [this.encoded, this.decoded, this.full]) cache.clear();
  }
}

/** Message of a frame -> { index, name, error, bitmap, width, height, truth, prediction, boxes, meta }. */
async function decodeFrame(meta, bytes) {
  const { index, name } = meta;
  if (meta.error) return { index, name, meta, error: meta.error };
  try {
    const [height, width] = meta.view;
    const rest = bytes.slice(1);
    const label = async (there) => (there ? { codes: await inflate(rest.shift(), width * height), width, height } : null);
    const [bitmap, truth, prediction] = await Promise.all([
      createImageBitmap(new Blob([bytes[0]], { type: "image/jpeg" }), { imageOrientation: "none" }),
      label(meta.truth !== null),
      label(meta.prediction !== null),
    ]);
    const boxes = { truth: boxesOf(truth), prediction: boxesOf(prediction) };
    for (const source of ["truth", "prediction"]) {
      for (const one of meta[source] ?? []) if (one.box) boxes[source].set(one.code, one.box); // too small for this view
    }
    return { index, name, meta, error: null, bitmap, width, height, truth, prediction, boxes };
  } catch (error) {
    return { index, name, meta, error: `The browser cannot decode this frame: ${error.message}` };
  }
}

/** A deflated label -> Uint16Array of its codes. (A 16-bit PNG would lose its lower half in a canvas.) */
async function inflate(bytes, length) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  if (buffer.byteLength !== 2 * length) throw new Error(`a label of ${buffer.byteLength} bytes`);
  return new Uint16Array(buffer);
}

/** Map code -> [top, left, bottom, right] (half-open, in pixels of this label) of every instance. */
export function boxesOf(label) {
  const boxes = new Map();
  if (!label) return boxes;
  const { codes, width, height } = label;
  for (let y = 0, i = 0; y < height; y++) {
    let box = null;
    let last = -1;
    for (let x = 0; x < width; x++, i++) {
      const code = codes[i];
      if (code !== last) {
        last = code;
        box = null;
        if (code >= 1000 && code !== IGNORE) {
          box = boxes.get(code);
          if (!box) boxes.set(code, (box = [y, x, y + 1, x + 1]));
          if (x < box[1]) box[1] = x;
          box[2] = y + 1;
        }
      }
      if (box && x >= box[3]) box[3] = x + 1;
    }
  }
  return boxes;
}

function asBytes(buffer) {
  if (buffer instanceof Uint8Array) return buffer;
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength); // DataView
}

function close(frame) {
  frame.bitmap?.close();
}
