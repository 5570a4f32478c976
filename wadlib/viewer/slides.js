// A slider over pictures that were drawn beforehand: what a small companion is in a page without Python.

/** element: an <img> in it; slides: [{ label, src, alt }, …]; start: number of the first one. */
function slides(element, name, pictures, start) {
  const image = element.querySelector("img");
  const input = document.createElement("input");
  const value = document.createElement("output");
  const label = document.createElement("label");
  Object.assign(input, { type: "range", min: 0, max: pictures.length - 1, step: 1, value: start });
  input.setAttribute("aria-label", name);
  const show = () => {
    const picture = pictures[Number(input.value)];
    image.src = picture.src;
    image.alt = picture.alt;
    value.textContent = picture.label;
    input.setAttribute("aria-valuetext", picture.label);
  };
  input.addEventListener("input", show);
  label.append(`${name} `, input, " ", value);
  label.style.cssText = "display: flex; gap: 10px; align-items: center; margin-bottom: 6px";
  label.style.color = "var(--pst-color-text-base, inherit)"; // the book's theme takes outputs for black on white
  input.style.cssText = "flex: 1 1 200px; max-width: 420px; accent-color: #1f6fc4";
  value.style.cssText = "font-variant-numeric: tabular-nums; font-weight: 600";
  element.prepend(label);
  show();
}
