// Tracks through the video: where one is, where it is missing, and what it is called in another frame.
// `lives` holds for each frame an object code -> track, as Python sends it.

import { classOf } from "./codes.js";
import { FOUND, match } from "./matching.js";

export const FLICKER = 5; // frames: a track that is away no longer than this flickers

/** { track, classId } of an instance, or null. */
export function trackOf(lives, frame, code) {
  const track = lives[frame]?.[code];
  return track == null ? null : { track, classId: classOf(code) };
}

/** The code of a track in a frame, or null where it is not. */
export function codeIn(lives, frame, one) {
  for (const [code, track] of Object.entries(lives[frame] ?? {})) {
    if (track === one.track && classOf(Number(code)) === one.classId) return Number(code);
  }
  return null;
}

/** Whether a track is there, for each frame. */
export function lifeOf(lives, one) {
  return lives.map((_, frame) => codeIn(lives, frame, one) !== null);
}

const PATH = 60; // frames that a path goes back

/**
 * The way of a track up to a frame: the middles [y, x] of its boxes in the frames that were seen.
 * trail: Map frame -> Map code -> box [y1, x1, y2, x2]
 */
export function pathOf(lives, trail, frame, one) {
  const path = [];
  for (let at = Math.max(0, frame - PATH); at <= frame; at++) {
    const code = codeIn(lives, at, one);
    const box = code === null ? null : trail.get(at)?.get(code);
    if (box) path.push([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]);
  }
  return path;
}

/**
 * Where tracks flicker: { frame, last, code, track, classId } for each gap; `frame` is the first one without the
 * track, `last` the frame before, in which it was called `code`. In order of frames; of one track, or of all.
 */
export function flickers(lives, one = null) {
  const seen = new Map(); // class and track -> its last frame and code
  const gaps = [];
  lives.forEach((codes, frame) => {
    for (const [name, track] of Object.entries(codes ?? {})) {
      const code = Number(name);
      const classId = classOf(code);
      if (one && (one.track !== track || one.classId !== classId)) continue;
      const key = `${classId} ${track}`;
      const before = seen.get(key);
      if (before && frame - before.frame > 1 && frame - before.frame - 1 <= FLICKER) {
        gaps.push({ frame: before.frame + 1, last: before.frame, code: before.code, track, classId });
      }
      seen.set(key, { frame, code });
    }
  });
  return gaps.sort((a, b) => a.frame - b.frame || a.classId - b.classId || a.track - b.track);
}

/** The gap after (step 1) or before (step -1) a frame, or null. */
export function nextFlicker(gaps, frame, step) {
  const found = gaps.filter((gap) => (step > 0 ? gap.frame > frame : gap.frame < frame));
  return (step > 0 ? found[0] : found.at(-1)) ?? null;
}

/**
 * The id switches of one frame: objects that are matched with another track than when they were matched last, the
 * IDSW of CLEAR. { code, classId, object, was, now } each, in order of codes.
 * last: Map "class object" -> track, of the frames before; brought up to date.
 */
export function switchesIn(meta, last, options) {
  if (!meta.truth_tracks || !meta.tracks) return []; // also a frame that could not be read
  const found = [];
  for (const row of match(meta, options)) {
    const object = meta.truth_tracks[row.truth];
    const now = meta.tracks[row.prediction];
    if (row.verdict !== FOUND || object == null || now == null) continue;
    const key = `${row.classId} ${object}`;
    const was = last.get(key);
    if (was !== undefined && was !== now) found.push({ code: row.prediction, classId: row.classId, object, was, now });
    last.set(key, now);
  }
  return found.sort((a, b) => a.code - b.code);
}

/**
 * The switch after (step 1) or before (step -1) the one that is selected, or null.
 * switches: [{ frame, code, … }] in order; selected: its code, or null; then those of the shown frame come first.
 */
export function nextSwitch(switches, frame, selected, step) {
  const at = switches.findIndex((one) => one.frame === frame && one.code === selected);
  if (at >= 0) return switches[at + step] ?? null;
  return (step > 0 ? switches.find((one) => one.frame >= frame) : switches.findLast((one) => one.frame <= frame)) ?? null;
}
