// A page without Python: the frames lie in the page itself, and a small model hands them out.

/** Stands in for the widget's model; answers as Python would. */
class PageModel {
  constructor(data) {
    this.state = { ...data.state, _config: data.config, _first: null };
    this.frames = data.frames; // [{ meta, buffers: [base64, …], full: the same or null }, …]
    this.handlers = new Map();
  }

  get(key) {
    return this.state[key];
  }

  set(key, value) {
    this.state[key] = value;
  }

  save_changes() {}

  on(event, handler) {
    if (!this.handlers.has(event)) this.handlers.set(event, new Set());
    this.handlers.get(event).add(handler);
  }

  off(event, handler) {
    this.handlers.get(event)?.delete(handler);
  }

  send({ kind, frames, frame }) {
    if (kind === "facts") {
      const content = { kind, metas: frames.map((index) => this.frames[index].meta) };
      setTimeout(() => this.handlers.get("msg:custom")?.forEach((handler) => handler(content, [])));
      return;
    }
    for (const index of frames ?? [frame]) {
      const found = kind === "full" ? this.frames[index].full : this.frames[index];
      setTimeout(() => {
        const buffers = found.buffers.map(fromBase64);
        const content = { kind: kind === "full" ? "full" : "frame", meta: found.meta };
        for (const handler of this.handlers.get("msg:custom") ?? []) handler(content, buffers);
      });
    }
  }
}

function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Put a viewer with the frames of `data` into an element, in place of the still picture. */
export function mount(element, data) {
  element.replaceChildren();
  return render({ model: new PageModel(data), el: element });
}
