// The view as a PNG: what the panes show, side by side, with the name of the frame below.

/** Compose the panes that are shown into a canvas. */
export function compose(panes, caption) {
  const gap = 8;
  const bar = 30;
  const width = panes.reduce((sum, pane) => sum + pane.width, gap * (panes.length - 1));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = panes[0].height + bar;
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  let x = 0;
  for (const pane of panes) {
    context.drawImage(pane.picture, x, 0);
    context.drawImage(pane.overlay, x, 0);
    x += pane.width + gap;
  }
  context.fillStyle = "#16191f";
  context.font = '14px system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
  context.textBaseline = "middle";
  context.fillText(caption, 8, panes[0].height + bar / 2);
  return canvas;
}

/** Hand a canvas to the user as a file. */
export function download(canvas, name) {
  return new Promise((resolve) => {
    canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = name;
      document.body.append(link); // VS Code hears of downloads by clicks inside the page
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      resolve(blob.size);
    }, "image/png");
  });
}

/** A frame's name as part of a file's name. */
export function fileName(frame, mode) {
  const safe = (frame.name || `frame_${frame.index + 1}`).replace(/[^\w.-]+/g, "_").slice(0, 80);
  return `${safe}_${mode}.png`;
}
