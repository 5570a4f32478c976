// What the keys do. Letters work anywhere in the viewer; arrows and space leave sliders and buttons alone.

export const KEYS = [
  ["← →", "frame before, next frame (Shift: by ten)"],
  ["Home End", "first, last frame"],
  ["space", "play, pause"],
  ["e E", "next error, error before"],
  ["i I", "next gap of a track, gap before (of the selected track, if there is one)"],
  ["x X", "next id switch, id switch before (where the identities of the truth are known)"],
  ["m", "what to show: truth, prediction, …"],
  ["d", "fill, line, or both"],
  ["c", "what colour means"],
  ["n", "names"],
  ["[ ]", "opacity"],
  [", .", "score threshold"],
  ["1 … 7", "hide or show a class"],
  ["+ − 0", "zoom in, out, whole picture"],
  ["Alt + arrows", "move the picture"],
  ["o z", "zoom to all objects, to the selected one"],
  ["t", "table (↑ ↓ choose an instance)"],
  ["s f", "save as PNG, full screen"],
  ["Esc", "let go of the selection, close this list"],
];

/** The action of a key event, or null. A range, radio or select keeps its own arrows. */
export function actionOf(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey) return null;
  const tag = target.tagName;
  const own = tag === "INPUT" || tag === "SELECT";
  if (event.altKey) {
    const pan = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    return pan ? ["pan", ...pan] : null;
  }
  if (!own) {
    const step = event.shiftKey ? 10 : 1;
    const move = { ArrowLeft: ["move", -step], ArrowRight: ["move", step], Home: ["first"], End: ["last"], PageUp: ["move", -10], PageDown: ["move", 10] };
    if (move[key]) return move[key];
    if (key === " " && tag !== "BUTTON") return ["play"];
  }
  if (tag === "SELECT") return null; // letters choose an entry
  if (key >= "1" && key <= "9") return ["class", Number(key) - 1];
  const plain = {
    e: ["seek", 1], E: ["seek", -1], i: ["flicker", 1], I: ["flicker", -1], x: ["swap", 1], X: ["swap", -1], m: ["cycle", "mode"], d: ["cycle", "style"], c: ["cycle", "colour"],
    n: ["toggle", "names"], "[": ["opacity", -0.1], "]": ["opacity", 0.1], ",": ["threshold", -0.05], ".": ["threshold", 0.05],
    "+": ["zoom", 2], "=": ["zoom", 2], "-": ["zoom", 0.5], 0: ["zoom", 0], z: ["closer"], o: ["objects"], t: ["toggle", "table"],
    s: ["save"], f: ["full"], "?": ["toggle", "help"], Escape: ["escape"],
  };
  return plain[key] ?? null;
}
