// The bars held of one market and length, ascending; older and newer ones are joined without a bar twice.
const PRICES = ["open", "high", "low", "close"];

export class Bars {
  constructor() {
    this.clear();
  }

  clear() {
    this.time = [];
    for (const name of PRICES) this[name] = [];
    this.hasOlder = false;
    this.hadOlder = false;
  }

  get length() {
    return this.time.length;
  }

  get first() {
    return this.time[0];
  }

  get last() {
    return this.time[this.time.length - 1];
  }

  /** Put older bars in front. */
  prepend(page) {
    const keep = this.length ? page.time.findIndex((time) => time >= this.first) : -1;
    const end = keep === -1 ? page.time.length : keep;
    for (const name of ["time", ...PRICES]) this[name] = page[name].slice(0, end).concat(this[name]);
    this.hasOlder = page.older;
    this.hadOlder = !page.older && page.wasOlder;
  }

  /** Put newer bars behind; a bar that is there already is replaced, for it may have been corrected. */
  append(page) {
    if (!page.time.length) return false;
    const from = this.indexAtOrAfter(page.time[0]);
    const before = JSON.stringify([this.length, this.close.slice(from), this.high.slice(from), this.low.slice(from)]);
    for (const name of ["time", ...PRICES]) this[name] = this[name].slice(0, from).concat(page[name]);
    return before !== JSON.stringify([this.length, this.close.slice(from), this.high.slice(from), this.low.slice(from)]);
  }

  /** The position of the first bar that opens at or after `second`; the count when there is none. */
  indexAtOrAfter(second) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] < second) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where an instant lies in positions of bars, fractions included; beyond the last bar one position per `length` seconds. */
  position(second, length) {
    if (!this.length) return null;
    if (second >= this.last) return this.length - 1 + (second - this.last) / length;
    if (second < this.first) return -(this.first - second) / length;
    const after = this.indexAtOrAfter(second);
    if (this.time[after] === second) return after;
    const before = this.time[after - 1];
    return after - 1 + Math.min(0.999, (second - before) / length);
  }

  /** Bars as the chart takes them, up to `count`; `read` tells by opening time how a bar read that was corrected since. */
  drawn(count, read) {
    const made = new Array(count);
    for (let i = 0; i < count; i += 1) {
      const [open, high, low, close] = read.get(this.time[i]) ?? [this.open[i], this.high[i], this.low[i], this.close[i]];
      made[i] = { time: this.time[i], open, high, low, close };
    }
    return made;
  }
}
