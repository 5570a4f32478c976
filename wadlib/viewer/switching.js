// Go from id switch to id switch: where an object goes on under another track.

import { className } from "./codes.js";
import { nextSwitch, switchesIn } from "./tracks.js";

const AT_ONCE = 8; // frames in one request

export class Switching {
  /** viewer: the Viewer, whose picking shows what is found. */
  constructor(viewer) {
    this.viewer = viewer;
    this.forget(null);
  }

  /** Forget what was found at another threshold. */
  forget(threshold) {
    Object.assign(this, { threshold, looked: 0, last: new Map(), found: [] });
  }

  /**
   * Go to the next (or previous) id switch. All frames before it count, since an object may have been matched long
   * ago; they are looked at once, without their pictures.
   */
  async seek(step) {
    const { viewer } = this;
    const { picking, config } = viewer;
    if (!config.switches) return;
    const token = ++picking.token;
    const { frame, threshold } = viewer.state;
    const selected = viewer.picked?.source === "prediction" ? viewer.picked.code : null;
    if (this.threshold !== threshold) this.forget(threshold);
    // What comes before is known once the shown frame is; what comes after, once there is one.
    const enough = () => (step > 0 ? nextSwitch(this.found, frame, selected, 1) : this.looked > frame);
    while (!enough() && this.looked < config.count) {
      viewer.stage.say(`Looking for id switches: frame ${this.looked + 1} of ${config.count} …`);
      const first = this.looked;
      const frames = Array.from({ length: Math.min(AT_ONCE, config.count - first) }, (_, k) => first + k);
      const metas = await viewer.feed.facts(frames);
      if (token !== picking.token || viewer.closed) return;
      this.look(metas, threshold);
    }
    viewer.draw();
    const next = nextSwitch(this.found, frame, selected, step);
    if (!next) return picking.tell(`No ${step > 0 ? "further" : "earlier"} id switch with this threshold.`);
    if (!(await picking.arrive(next.frame, step, token))) return;
    picking.select({ source: "prediction", code: next.code });
    if (!viewer.shown.error) picking.reveal(viewer.shown.boxes.prediction.get(next.code));
    const name = className(config, next.classId);
    const text = `${name}: id switch in frame ${next.frame + 1}, track ${next.was} before, ${next.now} now (true object ${next.object})`;
    picking.tell(text);
  }

  look(metas, threshold) {
    const counts = this.viewer.facts.counts;
    for (const meta of metas) {
      const here = switchesIn(meta, this.last, { threshold, counts });
      this.found.push(...here.map((one) => ({ ...one, frame: this.looked })));
      this.looked += 1;
    }
  }
}
