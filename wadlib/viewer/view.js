// Zoom and pan. A view is { zoom, x, y }: zoom 1 shows the whole picture, (x, y) in 0..1 is the point of
// the picture in the middle of the pane. It knows neither pixels nor sizes, so it fits every frame and pane.

export const FIT = Object.freeze({ zoom: 1, x: 0.5, y: 0.5 });
const MOST = 64;

/** Where the picture lies: pixel i of the picture starts at (i - left) * scale of the pane. */
export function place(view, pane, picture) {
  const scale = Math.min(pane.width / picture.width, pane.height / picture.height) * view.zoom;
  return {
    scale,
    left: view.x * picture.width - pane.width / 2 / scale,
    top: view.y * picture.height - pane.height / 2 / scale,
  };
}

/** Keep zoom within bounds and the picture within the pane; a picture smaller than the pane is centred. */
export function clamp(view, pane, picture) {
  const zoom = Math.min(Math.max(view.zoom, 1), MOST);
  const fit = Math.min(pane.width / picture.width, pane.height / picture.height) * zoom;
  const axis = (centre, room, size) => {
    const half = room / fit / size / 2; // half of what is visible, as a share of the picture
    return half >= 0.5 ? 0.5 : Math.min(Math.max(centre, half), 1 - half);
  };
  return {
    zoom,
    x: axis(view.x, pane.width, picture.width),
    y: axis(view.y, pane.height, picture.height),
  };
}

/** Zoom by a factor so that the picture's point under (paneX, paneY) stays where it is. */
export function zoomAt(view, factor, paneX, paneY, pane, picture) {
  const before = place(view, pane, picture);
  const zoom = Math.min(Math.max(view.zoom * factor, 1), MOST);
  const scale = (before.scale * zoom) / view.zoom;
  const x = before.left + paneX / before.scale; // in pixels of the picture
  const y = before.top + paneY / before.scale;
  const moved = {
    zoom,
    x: (x + (pane.width / 2 - paneX) / scale) / picture.width,
    y: (y + (pane.height / 2 - paneY) / scale) / picture.height,
  };
  return clamp(moved, pane, picture);
}

/** Move the picture by so many pixels of the pane. */
export function panBy(view, dx, dy, pane, picture) {
  const { scale } = place(view, pane, picture);
  const moved = { ...view, x: view.x - dx / scale / picture.width, y: view.y - dy / scale / picture.height };
  return clamp(moved, pane, picture);
}

/** Show a box [top, left, bottom, right] of the picture so that it takes a `share` of the pane. */
export function zoomTo(box, pane, picture, share = 1 / 3) {
  const [top, left, bottom, right] = box;
  const fit = Math.min(pane.width / picture.width, pane.height / picture.height);
  const wanted = Math.min((share * pane.width) / (right - left), (share * pane.height) / (bottom - top));
  const view = {
    zoom: Math.min(wanted / fit, 16),
    x: (left + right) / 2 / picture.width,
    y: (top + bottom) / 2 / picture.height,
  };
  return clamp(view, pane, picture);
}

/** The box around boxes, or null if there are none. */
export function around(boxes) {
  let all = null;
  for (const [top, left, bottom, right] of boxes) {
    all ??= [top, left, bottom, right];
    all = [Math.min(all[0], top), Math.min(all[1], left), Math.max(all[2], bottom), Math.max(all[3], right)];
  }
  return all;
}
