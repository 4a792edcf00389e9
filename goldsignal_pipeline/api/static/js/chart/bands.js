// What lies behind the candles: shaded sessions, events that keep signals back, and where bars are missing, with the reason.
export class Bands {
  constructor(place) {
    this._place = place; // (second) => x in pixels, or null
    this.sessions = {};
    this.gaps = [];
    this.news = [];
    this.colours = {};
    this.shadesSessions = true;
    const renderer = { draw() {}, drawBackground: (target) => target.useMediaCoordinateSpace((scope) => this._draw(scope)) };
    this._views = [{ zOrder: () => "bottom", renderer: () => renderer }];
  }

  attached({ requestUpdate }) {
    this.refresh = requestUpdate;
  }

  refresh() {}

  paneViews() {
    return this._views;
  }

  _draw({ context, mediaSize }) {
    const { width, height } = mediaSize;
    if (this.shadesSessions) {
      // London and New York lie over one another in their overlap.
      for (const [name, spans] of Object.entries(this.sessions).filter(([name]) => name !== "overlap")) {
        context.fillStyle = this.colours[name.replace("_", "-")];
        for (const [from, to] of spans) this._shade(context, this._place(from), this._place(to), width, height);
      }
    }
    this._news(context, width, height);
    const seen = this.gaps.map((gap) => ({ gap, x: this._place(gap.from), end: this._place(gap.to) }))
      .filter(({ x, end }) => x !== null && end >= 0 && x <= width);
    for (const { x, end } of seen) this._hatch(context, x - 1, Math.max(3, end - x), height);
    this._label(context, seen.sort((one, other) => other.gap.missing - one.gap.missing), width);
  }

  /** A line at each event and its name along the bottom, wherever there is room. */
  _news(context, width, height) {
    context.save();
    context.strokeStyle = this.colours.half;
    context.fillStyle = this.colours.half;
    context.font = "11px system-ui, sans-serif";
    context.setLineDash([1, 4]);
    let free = -Infinity;
    for (const event of this.news) {
      const x = this._place(event.at);
      if (x === null || x < 0 || x > width) continue;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, height);
      context.stroke();
      if (x < free) continue;
      context.fillText(event.label, x + 3, height - 24);
      free = x + context.measureText(event.label).width + 10;
    }
    context.restore();
  }

  /** Name the gaps, the largest first, wherever there is room. */
  _label(context, seen, width) {
    context.fillStyle = this.colours.soft;
    context.font = "11px system-ui, sans-serif";
    const taken = [];
    for (const { gap, x } of seen) {
      const wide = context.measureText(gap.label).width;
      const at = Math.max(2, Math.min(x + 5, width - wide - 4));
      if (taken.some(([from, to]) => at < to + 6 && at + wide > from - 6)) continue;
      context.fillText(gap.label, at, 14);
      taken.push([at, at + wide]);
    }
  }

  _shade(context, x, end, width, height) {
    if (x === null || end < 0 || x > width || end - x < 1) return;
    context.fillRect(Math.max(0, x), 0, Math.min(width, end) - Math.max(0, x), height);
  }

  _hatch(context, x, width, height) {
    context.save();
    context.beginPath();
    context.rect(x, 0, width, height);
    context.clip();
    context.strokeStyle = this.colours.soft;
    context.globalAlpha = 0.55;
    for (let y = -width; y < height; y += 7) {
      context.beginPath();
      context.moveTo(x, y + width);
      context.lineTo(x + width, y);
      context.stroke();
    }
    context.restore();
  }
}
