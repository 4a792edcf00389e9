// The as-of slider: one step per bar held; the right end is now.
import { byId } from "../dom.js";
import { time } from "../format.js";

const SETTLED_MS = 180;

export class AsOf {
  constructor(bars, { whenMoved, whenSettled }) {
    this.bars = bars;
    this.instant = null;
    this.slider = byId("as-of");
    this.whenMoved = whenMoved;
    this.whenSettled = whenSettled;
    this.slider.addEventListener("input", () => this._moved());
    byId("as-of-back").addEventListener("click", () => this._step(-1));
    byId("as-of-on").addEventListener("click", () => this._step(1));
    byId("as-of-now").addEventListener("click", () => {
      this.slider.value = this.slider.max;
      this._moved();
    });
  }

  /** Back to now, without telling anyone. */
  reset() {
    this.instant = null;
    this.slider.max = Math.max(0, this.bars.length - 1);
    this.slider.value = this.slider.max;
    this.slider.disabled = !this.bars.length;
    this._tell();
  }

  /** `added` more bars are held in front: the same instant lies as many steps further on. */
  grow(added) {
    this.slider.max = this.bars.length - 1;
    this.slider.value = Number(this.slider.value) + added;
  }

  /** How many of the bars held were known at the instant. */
  get count() {
    return this.bars.length ? Number(this.slider.value) + 1 : 0;
  }

  _step(by) {
    this.slider.value = Number(this.slider.value) + by;
    this._moved();
  }

  _moved() {
    const at = Number(this.slider.value);
    // A bar is known when it has closed, which is when the next one opens at the latest.
    this.instant = at >= this.bars.length - 1 ? null : this.bars.time[at + 1];
    this._tell();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.whenMoved(at + 1));
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.whenSettled(), SETTLED_MS);
  }

  _tell() {
    const told = this.instant ? time(this.instant, "full") : "now";
    byId("as-of-told").textContent = told;
    this.slider.setAttribute("aria-valuetext", told);
    byId("as-of-now").hidden = !this.instant;
  }
}
