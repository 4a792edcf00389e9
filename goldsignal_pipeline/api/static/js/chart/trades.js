// Signals on the chart: an arrow at each confirming bar, and the plan as zones and lines, coloured by how it ended.
import { seconds, tone } from "../format.js";
import { faint } from "../theme.js";

const REACH = 22;

/** Name, height, price and colour of each level of a plan. */
const levels = (signal, zone) => [["entry", zone.entry, signal.reference, "ink"], ["stop", zone.stop, signal.stop, "bad"],
  ["TP1", zone.first, signal.take_profit_1, "good"], ["TP2", zone.second, signal.take_profit_2, "good"]];

export class Trades {
  constructor(place, positionOf, level, extreme) {
    this._place = place; // (second) => x
    this._positionOf = positionOf; // (second) => position among the bars
    this._level = level; // (price) => y
    this._extreme = extreme; // (second, "high" | "low") => y of the bar that opens then, or of its neighbour
    this.signals = [];
    this.chosen = null;
    this.named = []; // where names of levels stand
    this.colours = {};
    const below = { draw() {}, drawBackground: (target) => target.useMediaCoordinateSpace((scope) => this._zones(scope)) };
    const above = { draw: (target) => target.useMediaCoordinateSpace((scope) => this._lines(scope)) };
    this._views = [{ zOrder: () => "bottom", renderer: () => below }, { zOrder: () => "top", renderer: () => above }];
  }

  attached({ requestUpdate }) {
    this.refresh = requestUpdate;
  }

  refresh() {}

  paneViews() {
    return this._views;
  }

  /** The plans that stand out belong into the picture whole, not only as far as the bars reach. */
  autoscaleInfo(first, last) {
    const prices = this.signals.filter((signal) => this._isStrong(signal))
      .filter((signal) => this._positionOf(this._until(signal)) >= first && this._positionOf(this._from(signal)) <= last)
      .flatMap((signal) => [Number(signal.stop), Number(signal.take_profit_2)]);
    return prices.length ? { priceRange: { minValue: Math.min(...prices), maxValue: Math.max(...prices) } } : null;
  }

  _isStrong(signal) {
    return signal.id === this.chosen || signal.status === "active";
  }

  _from(signal) {
    return seconds(signal.filled_at ?? signal.confirmed_at);
  }

  _until(signal) {
    return Math.max(this._from(signal), seconds(signal.ended_at ?? signal.deadline));
  }

  /** The signal whose arrow or zone is nearest to a point; null when none is near. */
  at(x, y) {
    let best = null;
    for (const signal of this.signals) {
      const arrow = this._arrow(signal);
      if (!arrow) continue;
      let distance = Math.hypot(arrow.x - x, arrow.y - y);
      const zone = this._zone(signal);
      const inside = zone && x >= zone.x && x <= zone.end && y >= Math.min(zone.stop, zone.second) && y <= Math.max(zone.stop, zone.second);
      if (distance > REACH && !inside) continue;
      if (distance > REACH) distance += 1000;
      if (!best || distance < best.distance) best = { signal, distance };
    }
    return best?.signal ?? null;
  }

  _arrow(signal) {
    const at = seconds(signal.timestamp);
    const x = this._place(at);
    if (x === null) return null;
    const buys = signal.direction === "BUY";
    const edge = this._extreme(at, buys ? "low" : "high");
    return edge === null ? null : { x, y: edge + (buys ? 13 : -13), buys };
  }

  _zone(signal) {
    const x = this._place(this._from(signal));
    const end = this._place(this._until(signal));
    if (x === null || end === null) return null;
    const [entry, stop, first, second] = [signal.reference, signal.stop, signal.take_profit_1, signal.take_profit_2]
      .map((price) => this._level(Number(price)));
    return [entry, stop, first, second].includes(null) ? null : { x, end: Math.max(end, x + 3), entry, stop, first, second };
  }

  _zones({ context, mediaSize }) {
    for (const signal of this.signals) {
      const zone = this._zone(signal);
      if (!zone || zone.end < 0 || zone.x > mediaSize.width) continue;
      const strong = this._isStrong(signal);
      const width = zone.end - zone.x;
      const outcome = this.colours[tone(signal)];
      context.fillStyle = faint(this.colours.good, strong ? 0.2 : 0.08);
      context.fillRect(zone.x, Math.min(zone.entry, zone.second), width, Math.abs(zone.second - zone.entry));
      context.fillStyle = faint(this.colours.bad, strong ? 0.2 : 0.08);
      context.fillRect(zone.x, Math.min(zone.entry, zone.stop), width, Math.abs(zone.stop - zone.entry));
      context.strokeStyle = faint(outcome, strong ? 1 : 0.55);
      context.lineWidth = strong ? 2 : 1;
      const top = Math.min(zone.stop, zone.second);
      context.strokeRect(zone.x, top, width, Math.abs(zone.second - zone.stop));
    }
  }

  _lines({ context, mediaSize }) {
    for (const signal of this.signals) {
      const arrow = this._arrow(signal);
      if (arrow && arrow.x > -20 && arrow.x < mediaSize.width + 20) this._drawArrow(context, arrow, signal);
    }
    // Every line first, then the names of levels: those of the chosen plan, and of others what does not lie over them.
    const strong = this.signals.filter((signal) => this._isStrong(signal)).map((signal) => ({ signal, zone: this._zone(signal) }))
      .filter(({ zone }) => zone && zone.end >= 0 && zone.x <= mediaSize.width)
      .sort((one, other) => (other.signal.id === this.chosen) - (one.signal.id === this.chosen));
    for (const { signal, zone } of strong) this._plan(context, mediaSize, signal, zone);
    this.named = [];
    for (const { signal, zone } of strong) {
      for (const [name, y, price, colour] of levels(signal, zone)) {
        this._label(context, `${name} ${Number(price).toFixed(2)}`, zone, y, mediaSize.width, this.colours[colour]);
      }
    }
  }

  _drawArrow(context, { x, y, buys }, signal) {
    const size = signal.id === this.chosen ? 9 : 7;
    const way = buys ? 1 : -1;
    context.beginPath();
    context.moveTo(x, y - way * size);
    context.lineTo(x + size, y + way * size * 0.7);
    context.lineTo(x - size, y + way * size * 0.7);
    context.closePath();
    context.fillStyle = this.colours[tone(signal)];
    context.fill();
    context.lineWidth = signal.id === this.chosen ? 2.5 : 1;
    context.strokeStyle = signal.id === this.chosen ? this.colours.ink : this.colours.sheet;
    context.stroke();
  }

  _plan(context, { width, height }, signal, zone) {
    context.font = "600 11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (const [name, y, , colour] of levels(signal, zone)) {
      context.strokeStyle = this.colours[colour];
      context.lineWidth = 1.5;
      context.setLineDash(name === "entry" ? [] : [5, 3]);
      context.beginPath();
      context.moveTo(zone.x, y);
      context.lineTo(zone.end, y);
      context.stroke();
      context.setLineDash([]);
    }
    const deadline = this._place(seconds(signal.deadline));
    if (deadline !== null && deadline < width) {
      context.strokeStyle = this.colours.soft;
      context.setLineDash([2, 4]);
      context.beginPath();
      context.moveTo(deadline, 0);
      context.lineTo(deadline, height);
      context.stroke();
      context.setLineDash([]);
      context.fillStyle = this.colours.soft;
      context.fillText("expires", Math.min(deadline + 4, width - 44), height - 10);
    }
  }

  _label(context, text, zone, y, width, colour) {
    const wide = context.measureText(text).width + 8;
    const x = Math.max(2, Math.min(zone.end + 4, width - wide - 2));
    if (this.named.some((other) => Math.abs(other.y - y) < 16 && x < other.x + other.wide && other.x < x + wide)) return;
    this.named.push({ text, x, y, wide });
    context.fillStyle = faint(this.colours.sheet, 0.88);
    context.fillRect(x, y - 8, wide, 16);
    context.fillStyle = colour;
    context.fillText(text, x + 4, y);
  }
}
