// The four values that Python can see and set. What changes in the browser is sent when the hand rests.

const REST_MS = 200;

export class Share {
  /** changed(key, value): Python set something. */
  constructor(model, changed) {
    this.model = model;
    this.outbox = new Map();
    this.handlers = ["frame", "selected", "hidden_classes", "threshold"].map((key) => {
      const handler = () => {
        if (!this.outbox.has(key)) changed(key, model.get(key));
      };
      model.on(`change:${key}`, handler);
      return [key, handler];
    });
  }

  put(key, value, now = false) {
    this.outbox.set(key, value);
    if (now) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), REST_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.outbox.size) return;
    try {
      for (const [key, value] of this.outbox) this.model.set(key, value);
      this.outbox.clear();
      this.model.save_changes();
    } catch (error) {
      console.warn("mask viewer: Python cannot be reached", error);
    }
  }

  close() {
    this.flush();
    for (const [key, handler] of this.handlers) this.model.off(`change:${key}`, handler);
  }
}
