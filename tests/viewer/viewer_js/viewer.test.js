// Unit tests of the viewer's script, run by node where there is one (see tests/test_viewer.py).

import assert from "node:assert/strict";
import { test } from "node:test";

import { classOf } from "./codes.js";
import { INK, Lut, WHITE, coloursOf, markSmall, rgba } from "./colour.js";
import { Feed, Lru, boxesOf } from "./feed.js";
import { actionOf } from "./keys.js";
import { countClasses, match } from "./matching.js";
import { Samples, kindOf, kindTiles, paintGlow, paintKinds, paintLabel } from "./paint.js";
import { fileName } from "./save.js";
import { codeIn, flickers, lifeOf, nextFlicker, nextSwitch, pathOf, switchesIn, trackOf } from "./tracks.js";
import { FIT, around, clamp, panBy, place, zoomAt, zoomTo } from "./view.js";

const config = { classes: [{ id: 33, name: "car", colour: [1, 2, 3] }, { id: 36, name: "person", colour: [4, 5, 6] }], names: { 33: "car", 36: "person" } };
const counts = (id) => id === 33 || id === 36;
const verdicts = (rows) => Object.fromEntries(rows.map((row) => [`${row.truth} ${row.prediction}`, row.verdict]));

test("codes: background, ignore and codes below 1000 are no class", () => {
  assert.deepEqual([0, 255, 999, 1000, 33007, 65535].map(classOf), [0, 0, 0, 1, 33, 0]);
});

test("matching: one truth goes to the surest prediction, the other is a false alarm", () => {
  const frame = {
    truth: [{ code: 33001, area: 100 }],
    prediction: [
      { code: 33002, area: 100, score: 0.6, ignored: 0 },
      { code: 33003, area: 80, score: 0.9, ignored: 0 },
    ],
    pairs: [[0, 0, 100], [0, 1, 80]],
  };
  const rows = match(frame, { threshold: 0, counts });
  assert.deepEqual(verdicts(rows), { "33001 33003": "found", "null 33002": "false alarm" });
  assert.equal(rows.find((row) => row.prediction === 33003).iou, 80 / 100);
  assert.equal(rows.find((row) => row.prediction === 33002).iou, 1); // it would have been perfect
  // With a threshold above 0.9 nothing is left but the miss.
  assert.deepEqual(verdicts(match(frame, { threshold: 0.95, counts })), { "33001 null": "missed" });
});

test("matching: half is enough, less is not", () => {
  const frame = (common) => ({ truth: [{ code: 33001, area: 90 }], prediction: [{ code: 33001, area: 90, ignored: 0 }], pairs: [[0, 0, common]] });
  assert.equal(match(frame(60), { threshold: 0, counts })[0].verdict, "found"); // 60 / 120
  assert.deepEqual(verdicts(match(frame(59), { threshold: 0, counts })), { "null 33001": "false alarm", "33001 null": "missed" });
});

test("matching: another class, ignored places, classes that do not count", () => {
  const frame = {
    truth: [{ code: 33001, area: 10 }, { code: 37000, area: 10 }],
    prediction: [{ code: 36000, area: 10, ignored: 0 }, { code: 33000, area: 10, ignored: 6 }, { code: 33005, area: 10, ignored: 5 }, { code: 37001, area: 10, ignored: 0 }],
    pairs: [[0, 0, 9]],
  };
  assert.deepEqual(verdicts(match(frame, { threshold: 0, counts })), {
    "33001 36000": "wrong class", "null 33000": "not counted", "null 33005": "false alarm", "null 37001": "not counted", "37000 null": "not counted",
  });
});

test("matching: nobody is right or wrong without a truth or without a prediction", () => {
  const truth = { truth: [{ code: 33001, area: 4 }], prediction: null, pairs: [] };
  const prediction = { truth: null, prediction: [{ code: 33001, area: 4, score: 0.5, ignored: 0 }], pairs: [] };
  assert.deepEqual(match(truth, { threshold: 0, counts }).map((row) => row.verdict), [""]);
  assert.deepEqual(match(prediction, { threshold: 0, counts }).map((row) => row.verdict), [""]);
  assert.deepEqual(match({ truth: [], prediction: [], pairs: [] }, { threshold: 0, counts }), []);
  assert.deepEqual([...countClasses(prediction, 0.6)], []);
  assert.deepEqual([...countClasses(prediction, 0.5)], [[33, [0, 1]]]);
});

test("view: the point under the pointer stays, the picture never leaves the pane", () => {
  const pane = { width: 400, height: 300 };
  const picture = { width: 800, height: 600 };
  assert.deepEqual(place(FIT, pane, picture), { scale: 0.5, left: 0, top: 0 });
  const under = (view, x, y) => {
    const { scale, left, top } = place(view, pane, picture);
    return [left + x / scale, top + y / scale];
  };
  const before = under(FIT, 100, 80);
  const zoomed = zoomAt(FIT, 4, 100, 80, pane, picture);
  under(zoomed, 100, 80).forEach((v, k) => assert.ok(Math.abs(v - before[k]) < 1e-9));
  assert.deepEqual(zoomAt(zoomed, 0.01, 5, 5, pane, picture), FIT);
  const far = panBy(zoomed, -1e6, 1e6, pane, picture);
  const { scale, left, top } = place(far, pane, picture);
  assert.ok(Math.abs(left + pane.width / scale - 800) < 1e-9 && Math.abs(top) < 1e-9);
  assert.equal(clamp({ zoom: 1000, x: 0.5, y: 0.5 }, pane, picture).zoom, 64);
});

test("view: zoom to a box, around all boxes", () => {
  const pane = { width: 300, height: 300 };
  const picture = { width: 300, height: 300 };
  const view = zoomTo([100, 100, 150, 150], pane, picture, 0.5); // 50 pixels become 150
  assert.deepEqual([view.zoom, view.x, view.y], [3, 125 / 300, 125 / 300]);
  assert.deepEqual(around([[3, 4, 5, 6], [1, 9, 2, 10]]), [1, 4, 5, 10]);
  assert.equal(around([]), null);
});

test("samples: codes under the pixels of the pane, background outside", () => {
  const label = { codes: Uint16Array.from([33001, 255, 255, 36000]), width: 2, height: 2 };
  const samples = new Samples(4, 4, 1);
  samples.take(label, { scale: 2, left: 0, top: 0 });
  const row = (y) => [...samples.codes.subarray((y + 1) * 6, (y + 2) * 6)];
  assert.deepEqual(row(0), [255, 33001, 33001, 255, 255, 255]);
  assert.deepEqual(row(3), [255, 255, 255, 36000, 36000, 255]);
  assert.deepEqual(row(-1), [255, 255, 255, 255, 255, 255]);
  assert.equal(samples.at(0, 0, (code) => code > 1000), 33001);
  assert.equal(samples.at(2, 1, (code) => code > 1000), 0);
  assert.equal(samples.at(2, 1, (code) => code > 1000, 1), 33001); // within reach
});

function scene(rows) {
  const height = rows.length;
  const width = rows[0].length;
  const codes = Uint16Array.from(rows.flat());
  const samples = new Samples(width, height, 2);
  samples.take({ codes, width, height }, { scale: 1, left: 0, top: 0 });
  const lut = new Lut();
  const instances = [...new Set(rows.flat())].filter((code) => classOf(code)).map((code) => ({ code }));
  lut.set(instances, coloursOf(instances, "class", config), 0.5, () => true, counts);
  return { samples, lut, out: new Uint32Array(width * height), width };
}

const B = 255;

test("paint: white inside the border, ink outside, the class colour within", () => {
  const c = 33001;
  const rows = [[B, B, B, B, B, B], [B, c, c, c, c, B], [B, c, c, c, c, B], [B, c, c, c, c, B], [B, c, c, c, c, B], [B, B, B, B, B, B]];
  const { samples, lut, out, width } = scene(rows);
  paintLabel(out, samples, lut, { fill: true, contour: true, thick: 1, dashed: false, over: false });
  assert.equal(out[width + 1], WHITE);
  assert.equal(out[1], INK);
  assert.equal(out[2 * width + 2], rgba([1, 2, 3], 0.5));
  assert.equal(out[0], 0);
  paintLabel(out, samples, lut, { fill: false, contour: true, thick: 1, dashed: false, over: false });
  assert.equal(out[width + 1], rgba([1, 2, 3], 1)); // without a fill the line has the colour
  assert.equal(out[2 * width + 2], 0);
  markSmall(lut, new Map([[c, [1, 1, 5, 5]]]), 1, 9);
  paintLabel(out, samples, lut, { fill: true, contour: true, thick: 1, dashed: false, over: false });
  assert.equal(out[width + 1], rgba([1, 2, 3], 1)); // a small one keeps its colour
  paintGlow(out, samples, c, 1);
  assert.equal(out[width + 1], INK);
});

test("paint: two touching instances keep a line between them", () => {
  const rows = Array.from({ length: 4 }, () => [33001, 33001, 33002, 33002]);
  const { samples, lut, out } = scene(rows);
  paintLabel(out, samples, lut, { fill: true, contour: true, thick: 1, dashed: false, over: false });
  assert.equal(out[4 + 1], WHITE);
  assert.equal(out[4 + 2], WHITE);
});

test("paint: found, false alarm, missed, wrong class, ignored", () => {
  assert.deepEqual([[33, 33], [0, 33], [33, 0], [33, 36], [255, 33], [255, 0], [0, 0]].map(([t, p]) => kindOf(t, p)), [1, 2, 3, 4, 5, 5, 0]);
  const truth = scene([[33001, B, 33001, 65535]]);
  const prediction = scene([[33009, 33009, B, 33009]]);
  const tiles = kindTiles(1);
  markSmall(truth.lut, new Map([[33001, [0, 0, 1, 3]]]), 1, 9); // so that no contour hides the kinds
  paintKinds(truth.out, truth.samples, prediction.samples, truth.lut, prediction.lut, { thick: 1 }, tiles);
  assert.deepEqual([...truth.out], [tiles[0][0], tiles[1][1], tiles[2][2], tiles[4][3]]);
});

test("a table of colours forgets what the last frame had", () => {
  const lut = new Lut();
  lut.set([{ code: 33001 }], new Map([[33001, [1, 1, 1]]]), 1, () => true, counts);
  lut.set([{ code: 36001 }], new Map([[36001, [1, 1, 1]]]), 1, () => true, counts);
  assert.deepEqual([lut.mark[33001], lut.classes[33001], lut.mark[36001], lut.classes[36001]], [0, 0, 1, 36]);
});

test("boxes of the instances of a label", () => {
  const codes = Uint16Array.from([255, 33001, 33001, 36000, 255, 33001, 65535, 33001, 255]);
  assert.deepEqual([...boxesOf({ codes, width: 3, height: 3 })], [[33001, [0, 1, 3, 3]], [36000, [1, 0, 2, 1]]]);
});

test("the least recently used goes first, and is let go of", () => {
  const gone = [];
  const cache = new Lru(3, (value) => gone.push(value));
  for (const key of ["a", "b", "c"]) cache.set(key, key);
  cache.get("a");
  cache.set("d", "d");
  assert.deepEqual(gone, ["b"]);
  cache.set("e", "e", 3); // alone as large as the limit
  assert.deepEqual([...cache.entries.keys()], ["e"]);
  cache.clear();
  assert.equal(cache.total, 0);
});

test("a track keeps its colour through the frames, whatever its code; without a track it is grey", () => {
  const of = (codes, tracks) => coloursOf(codes.map((code) => ({ code })), "track", config, tracks);
  const first = of([33001, 33002, 36000], { 33001: 4, 33002: 5 });
  const second = of([33007, 33009], { 33007: 5, 33009: 4 });
  assert.deepEqual(second.get(33009), first.get(33001));
  assert.deepEqual(second.get(33007), first.get(33002));
  assert.notDeepEqual(first.get(33001), first.get(33002));
  assert.deepEqual(first.get(36000), [110, 110, 110]);
  assert.deepEqual(of([33001], null).get(33001), [1, 2, 3]); // a frame without tracks: by class
});

/** A host: a model as anywidget hands it over, and what was sent to it. */
function host(first) {
  const sent = [];
  const state = { _config: { count: 9 }, _first: first };
  return { sent, get: (key) => state[key], on: () => {}, off: () => {}, send: (message) => sent.push(message) };
}

const meta = { index: 0, name: "", view: [1, 1], truth: null, prediction: null };

test("feed: bytes may be a DataView, a Uint8Array or an ArrayBuffer", () => {
  const bytes = Uint8Array.from([9, 9, 1, 2, 3]);
  for (const buffer of [new DataView(bytes.buffer, 2, 3), bytes.subarray(2), bytes.slice(2).buffer]) {
    const feed = new Feed(host({ meta, buffers: [buffer] }));
    assert.deepEqual([...feed.encoded.get(0).bytes[0]], [1, 2, 3]);
    assert.equal(feed.received, 3);
  }
});

test("feed: a first frame without its bytes is asked for like the others, three ahead", () => {
  for (const first of [{}, null, { meta, buffers: [null] }, { meta, buffers: [] }, { meta }]) {
    const model = host(first);
    const feed = new Feed(model);
    feed.want(0, 1);
    assert.deepEqual(model.sent, [{ kind: "want", frames: [0, 1, 2, 3] }]);
  }
  const model = host({ meta: { ...meta, error: "no such file" }, buffers: [] });
  new Feed(model).want(0, 1); // a frame that failed is no frame to wait for
  assert.deepEqual(model.sent, [{ kind: "want", frames: [1, 2, 3] }]);
});

test("keys: sliders keep their arrows, letters work everywhere, Ctrl belongs to others", () => {
  const key = (key, tagName = "DIV", more = {}) => actionOf({ key, target: { tagName }, ...more });
  assert.deepEqual(key("ArrowRight"), ["move", 1]);
  assert.deepEqual(key("ArrowRight", "DIV", { shiftKey: true }), ["move", 10]);
  assert.equal(key("ArrowRight", "INPUT"), null);
  assert.deepEqual(key("ArrowLeft", "DIV", { altKey: true }), ["pan", 1, 0]);
  assert.deepEqual(key(" "), ["play"]);
  assert.equal(key(" ", "BUTTON"), null);
  assert.deepEqual(key("e", "INPUT"), ["seek", 1]);
  assert.equal(key("s", "DIV", { ctrlKey: true }), null);
  assert.equal(key("e", "SELECT"), null);
  assert.deepEqual(key("7"), ["class", 6]);
  assert.deepEqual([key("i"), key("I"), key("x"), key("X")], [["flicker", 1], ["flicker", -1], ["swap", 1], ["swap", -1]]);
});

test("file names hold no separators", () => {
  assert.equal(fileName({ name: "../a b<c>", index: 3 }, "both"), ".._a_b_c__both.png");
  assert.equal(fileName({ name: "", index: 3 }, "both"), "frame_4_both.png");
});

const LIVES = [
  { 33001: 4, 36000: 4 }, // track 4 of the cars is not track 4 of the persons
  { 33002: 4 },
  {},
  { 33000: 4, 36000: 4 },
  {}, {}, {}, {}, {}, {},
  { 33009: 4 },
];

test("tracks: a track has another code in another frame, and classes are kept apart", () => {
  assert.deepEqual(trackOf(LIVES, 1, 33002), { track: 4, classId: 33 });
  assert.equal(trackOf(LIVES, 1, 36000), null);
  const car = { track: 4, classId: 33 };
  assert.deepEqual([0, 1, 2, 3, 10, 99].map((frame) => codeIn(LIVES, frame, car)), [33001, 33002, null, 33000, 33009, null]);
  assert.deepEqual(lifeOf(LIVES, car).map(Number), [1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
});

test("tracks: a short gap is a flicker, a long one is not", () => {
  const all = flickers(LIVES);
  assert.deepEqual(all.map((gap) => [gap.frame, gap.last, gap.code]), [[1, 0, 36000], [2, 1, 33002]]);
  const car = flickers(LIVES, { track: 4, classId: 33 });
  assert.deepEqual(car.map((gap) => gap.frame), [2]);
  assert.equal(nextFlicker(all, 1, 1).frame, 2);
  assert.equal(nextFlicker(all, 1, -1), null);
  assert.equal(nextFlicker(all, 5, -1).frame, 2);
  assert.equal(nextFlicker(all, 2, 1), null);
  assert.deepEqual(flickers([]), []);
});

test("tracks: a path goes through the frames that were seen, up to this one", () => {
  const trail = new Map([[0, new Map([[33001, [0, 0, 10, 20]]])], [1, new Map([[33002, [10, 0, 20, 20]]])], [3, new Map([[33000, [20, 0, 30, 20]]])]]);
  const car = { track: 4, classId: 33 };
  assert.deepEqual(pathOf(LIVES, trail, 2, car), [[5, 10], [15, 10]]);
  assert.deepEqual(pathOf(LIVES, trail, 3, car).at(-1), [25, 10]);
  assert.deepEqual(pathOf(LIVES, new Map(), 3, car), []);
});

/** A frame in which true car 33000 + n is found exactly as predicted 33100 + n; tracks: code -> [object, track]. */
function matchedFrame(tracks, more = {}) {
  const codes = Object.keys(tracks).map(Number);
  return {
    truth: codes.map((code) => ({ code, area: 10 })),
    prediction: codes.map((code) => ({ code: code + 100, area: 10, score: 0.6, ignored: 0 })),
    pairs: codes.map((_, n) => [n, n, 10]),
    truth_tracks: Object.fromEntries(codes.map((code) => [code, tracks[code][0]])),
    tracks: Object.fromEntries(codes.map((code) => [code + 100, tracks[code][1]])),
    ...more,
  };
}

test("id switches: an object under another track than when it was matched last, gaps do not count", () => {
  const options = { threshold: 0.5, counts };
  const frames = [
    matchedFrame({ 33000: [1, 7], 33001: [2, 8] }),
    matchedFrame({ 33001: [1, 7], 33000: [2, 8] }), // WAD's numbers change; the objects and tracks do not
    matchedFrame({ 33000: [2, 8] }),
    matchedFrame({ 33000: [2, 8] }, { prediction: null, pairs: [] }),
    matchedFrame({ 33000: [1, 9], 33001: [2, 8] }), // object 1 was matched last two frames ago
    matchedFrame({ 33000: [1, 8], 33001: [2, 9] }),
    { error: "damaged" },
    matchedFrame({ 36000: [1, 9], 33001: [2, 9] }), // person 1 is not car 1
  ];
  const last = new Map();
  const found = frames.map((meta) => switchesIn(meta, last, options).map((one) => [one.code, one.object, one.was, one.now]));
  assert.deepEqual(found, [[], [], [], [], [[33100, 1, 7, 9]], [[33100, 1, 9, 8], [33101, 2, 8, 9]], [], []]);
  const unsure = frames.flatMap((meta) => switchesIn(meta, new Map(), { threshold: 0.7, counts }));
  assert.deepEqual(unsure, []); // what is not shown is not matched
  const unknown = matchedFrame({ 33000: [1, 3] }, { tracks: { 33100: null } });
  assert.deepEqual(switchesIn(unknown, new Map([["33 1", 7]]), options), []);
});

test("id switches: next and previous, those of one frame one after the other", () => {
  const all = [{ frame: 4, code: 33100 }, { frame: 5, code: 33100 }, { frame: 5, code: 33101 }];
  const place = (frame, selected, step) => all.indexOf(nextSwitch(all, frame, selected, step));
  assert.deepEqual([place(0, null, 1), place(4, 33100, 1), place(5, 33100, 1), place(5, 33101, 1)], [0, 1, 2, -1]);
  assert.deepEqual([place(9, null, -1), place(5, 33101, -1), place(5, 33100, -1), place(4, 33100, -1)], [2, 1, 0, -1]);
  assert.equal(place(5, 33222, 1), 1); // something else is selected: first those of the shown frame
  assert.equal(nextSwitch([], 0, null, 1), null);
});

test("feed: facts of frames without their pictures, those that are here are not asked for", async () => {
  const sent = [];
  let answer;
  const model = { get: (key) => ({ _config: { count: 9 }, _first: null })[key], on: (_, handler) => (answer = handler), off() {}, send: (m) => sent.push(m) };
  const feed = new Feed(model);
  feed.encoded.set(1, { meta: { index: 1, here: true }, bytes: [] });
  const asked = Promise.all([feed.facts([0, 1, 2]), feed.facts([2])]);
  assert.deepEqual(sent, [{ kind: "facts", frames: [0, 2] }, { kind: "facts", frames: [2] }]);
  await answer({ kind: "facts", metas: [{ index: 2 }, { index: 0 }] }, []);
  assert.deepEqual(await asked, [[{ index: 0 }, { index: 1, here: true }, { index: 2 }], [{ index: 2 }]]);
});
