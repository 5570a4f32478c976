// Small helpers for the page: elements, icons. Text always goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** h("div", {class: "a", onclick: f}, "text", child): an element. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

// Paths on a grid of 16x16, stroked; the first letter of "f:" means filled.
const ICONS = {
  play: "f:M4 2.5v11l9.5-5.5z",
  pause: "f:M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z",
  back: "M10.5 3 5.5 8l5 5",
  forward: "M5.5 3l5 5-5 5",
  error: "M8 2 14.5 13.5H1.5zM8 6.4v3.4M8 11.4v.6",
  gap: "M1.5 8h4M10.5 8h4M8 5v.6M8 10.4v.6",
  swap: "M2 5h3l6 6h3M2 11h3l6-6h3M12 3l2 2-2 2M12 9l2 2-2 2",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  objects: "M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11M5 8.2l1.4-2.4h3.2L11 8.2v2H5z",
  save: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  full: "M9.5 2.5h4v4M13.5 2.5 9 7M6.5 13.5h-4v-4M2.5 13.5 7 9",
  table: "M2.5 3.5h11M2.5 8h11M2.5 12.5h11",
  names: "M2.5 5.5v-3h11v3M8 2.5v11M5.5 13.5h5",
  help: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.7 8 9.2 8 10M8 12.4v.6",
};

/** An icon that screen readers pass over. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", "aria-hidden": "true", class: "wv-icon" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  const filled = ICONS[name].startsWith("f:");
  path.setAttribute("d", filled ? ICONS[name].slice(2) : ICONS[name]);
  path.setAttribute("class", filled ? "wv-filled" : "wv-stroked");
  svg.append(path);
  return svg;
}

/** A button with an icon, a name for everybody and its key in the tool tip. */
export function button(picture, label, key, onclick, text = "") {
  const title = key ? `${label} (${key})` : label;
  return h(
    "button",
    { type: "button", class: "wv-button", "aria-label": label, title, onclick, "data-lm-suppress-shortcuts": "true" },
    icon(picture), text || null,
  );
}

/** A slider with its name beside it and its value behind it. */
export function slider(label, { min, max, step }, key, oninput) {
  const value = h("output", { class: "wv-value" });
  const input = h("input", {
    type: "range", min, max, step, "aria-label": label, title: key ? `${label} (${key})` : label,
    "data-lm-suppress-shortcuts": "true", oninput: () => oninput(Number(input.value)),
  });
  const el = h("label", { class: "wv-slider" }, h("span", {}, label), input, value);
  return { el, input, value };
}

let groups = 0;

/** One of several: a row of radio buttons. choices: [[value, text, title], …] */
export function choice(label, choices, onchoose) {
  const name = `wv-${++groups}-${Math.random().toString(36).slice(2, 8)}`;
  const inputs = new Map();
  const items = choices.map(([value, text, title]) => {
    const input = h("input", {
      type: "radio", name, value, "data-lm-suppress-shortcuts": "true", onchange: () => onchoose(value),
    });
    inputs.set(value, input);
    return h("label", { class: "wv-choice", title: title ?? text }, input, h("span", {}, text));
  });
  const el = h("div", { class: "wv-choices", role: "radiogroup", "aria-label": label }, ...items);
  return { el, inputs, set: (value) => (inputs.get(value).checked = true) };
}
