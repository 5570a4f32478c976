// Sliders over pictures that were drawn beforehand: what a figure with sliders is in a page without Python.

/** element: an <img> in it; data: { sliders: [{ name, labels, start }, …], pictures: [{ src, alt }, …] }. */
function slides(element, { sliders, pictures }) {
  const image = element.querySelector("img");
  const inputs = sliders.map(({ name, labels, start }) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: 0, max: labels.length - 1, step: 1, value: start });
    input.setAttribute("aria-label", name);
    input.style.cssText = "flex: 1 1 200px; max-width: 420px; accent-color: #1f6fc4";
    return input;
  });
  const values = sliders.map(() => document.createElement("output"));
  const show = () => {
    let at = 0;
    sliders.forEach(({ labels }, k) => {
      const position = Number(inputs[k].value);
      at = at * labels.length + position;
      values[k].textContent = labels[position];
      inputs[k].setAttribute("aria-valuetext", labels[position]);
    });
    image.src = pictures[at].src;
    image.alt = pictures[at].alt;
  };
  const rows = sliders.map(({ name }, k) => {
    const row = document.createElement("label");
    row.style.cssText = "display: flex; gap: 10px; align-items: center; margin-bottom: 6px";
    row.style.color = "var(--pst-color-text-base, inherit)"; // the book's theme takes outputs for black on white
    values[k].style.cssText = "font-variant-numeric: tabular-nums; font-weight: 600; min-width: 4em";
    row.append(`${name} `, inputs[k], " ", values[k]);
    inputs[k].addEventListener("input", show);
    return row;
  });
  element.prepend(...rows);
  show();
}
