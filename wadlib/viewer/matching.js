// Which predicted instance found which true one, at the threshold of this moment.

import { classOf } from "./codes.js";

export const FOUND = "found";
export const MISSED = "missed";
export const ALARM = "false alarm";
export const CONFUSED = "wrong class";
export const UNCOUNTED = "not counted";

const ENOUGH = 0.5; // IoU of a match, as in COCO's AP50 and in panoptic quality

/**
 * Match the instances of one frame.
 *
 * frame: { truth: [{code, area}] or null,
 *          prediction: [{code, area, score, ignored}] or null,   ignored: its pixels on IGNORE
 *          pairs: [[row of truth, row of prediction, common pixels], …] }
 * options: { threshold, counts: (class id) => boolean }
 *
 * Predictions choose in the order of their scores (of their areas, without scores); each takes the true
 * instance of its own class with the largest IoU that is at least one half and still free. Returns rows
 * { truth, prediction, classId, area, score, iou, verdict }, one for each matched pair and one for each
 * instance alone, whose iou is then the best that it has with any instance of its class.
 */
export function match(frame, { threshold, counts }) {
  const truth = frame.truth ?? [];
  const kept = (frame.prediction ?? []).map((p) => p.score == null || p.score >= threshold);
  const overlaps = ious(frame, truth, kept);
  const judged = frame.truth !== null && frame.prediction !== null;
  const freeTruth = new Set(truth.keys());
  const rows = [];

  const order = [...kept.keys()].filter((p) => kept[p]).sort(
    (a, b) => rank(frame.prediction[b]) - rank(frame.prediction[a]) || a - b,
  );
  const left = [];
  for (const p of order) {
    const found = best(overlaps.ofPrediction[p], freeTruth, (o) => o.same && counts(classOf(truth[o.t].code)));
    if (found) {
      freeTruth.delete(found.t);
      rows.push(row(truth[found.t], frame.prediction[p], found.iou, FOUND));
    } else {
      left.push(p);
    }
  }
  for (const p of left) {
    const one = frame.prediction[p];
    const known = overlaps.ofPrediction[p];
    const other = best(known, freeTruth, (o) => !o.same && counts(classOf(truth[o.t].code)));
    const counted = counts(classOf(one.code));
    if (judged && counted && other) {
      freeTruth.delete(other.t);
      rows.push(row(truth[other.t], one, other.iou, CONFUSED));
    } else {
      const excused = !counted || one.ignored > one.area / 2;
      rows.push(row(null, one, largest(known), judged ? (excused ? UNCOUNTED : ALARM) : ""));
    }
  }
  for (const t of freeTruth) {
    const counted = counts(classOf(truth[t].code));
    rows.push(row(truth[t], null, largest(overlaps.ofTruth[t]), judged ? (counted ? MISSED : UNCOUNTED) : ""));
  }
  return rows;
}

/** A row that somebody should look at. */
export function isError(verdict) {
  return verdict === MISSED || verdict === ALARM || verdict === CONFUSED;
}

/** How many instances of each class: Map class id -> [true, predicted]. */
export function countClasses(frame, threshold) {
  const counts = new Map();
  const add = (list, at) => {
    for (const one of list ?? []) {
      if (one.score != null && one.score < threshold) continue;
      const id = classOf(one.code);
      if (!counts.has(id)) counts.set(id, [0, 0]);
      counts.get(id)[at] += 1;
    }
  };
  add(frame.truth, 0);
  add(frame.prediction, 1);
  return counts;
}

function ious(frame, truth, kept) {
  const ofTruth = truth.map(() => []);
  const ofPrediction = kept.map(() => []);
  for (const [t, p, pixels] of frame.pairs ?? []) {
    if (!kept[p]) continue;
    const iou = pixels / (truth[t].area + frame.prediction[p].area - pixels);
    const same = classOf(truth[t].code) === classOf(frame.prediction[p].code);
    ofTruth[t].push({ t, p, iou, same });
    ofPrediction[p].push({ t, p, iou, same });
  }
  return { ofTruth, ofPrediction };
}

function rank(prediction) {
  return prediction.score ?? prediction.area;
}

function best(overlaps, free, wanted) {
  let winner = null;
  for (const o of overlaps) {
    if (o.iou >= ENOUGH && free.has(o.t) && wanted(o) && (!winner || o.iou > winner.iou)) winner = o;
  }
  return winner;
}

function largest(overlaps) {
  return overlaps.reduce((most, o) => (o.same ? Math.max(most, o.iou) : most), 0);
}

function row(truth, prediction, iou, verdict) {
  const shown = truth ?? prediction;
  return {
    truth: truth?.code ?? null,
    prediction: prediction?.code ?? null,
    classId: classOf(shown.code),
    area: shown.area,
    areaOf: { truth: truth?.area, prediction: prediction?.area },
    score: prediction?.score ?? null,
    iou,
    verdict,
  };
}
