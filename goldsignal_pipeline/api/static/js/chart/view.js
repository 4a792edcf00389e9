// The chart itself: candles, their bands and signals, the crosshair's legend, and what was clicked.
import { CandlestickSeries, createChart } from "../../vendor/lightweight-charts.standalone.production.mjs";
import { price, time } from "../format.js";
import { colours, faint } from "../theme.js";
import { Bands } from "./bands.js";
import { Trades } from "./trades.js";

const TICK_FORMS = ["year", "month", "day", "clock", "clock"];
const OPENING_BARS = 160;

export class View {
  constructor(element, bars) {
    this.element = element;
    this.bars = bars;
    this.length = 3600;
    this.read = new Map();
    this.chart = createChart(element, {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: "system-ui, sans-serif", background: { color: "transparent" } },
      localization: { timeFormatter: (second) => time(second, "full"), priceFormatter: (value) => value.toFixed(2) },
      timeScale: { timeVisible: true, rightOffset: 6, minBarSpacing: 0.004, tickMarkFormatter: (second, kind) => time(second, TICK_FORMS[kind]) },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.08 } },
      crosshair: { mode: 0 },
      kineticScroll: { touch: true, mouse: false },
    });
    this.series = this.chart.addSeries(CandlestickSeries, { priceLineVisible: true, priceFormat: { type: "price", precision: 2, minMove: 0.01 } });
    const place = (second) => this.x(second);
    this.bands = new Bands(place);
    this.trades = new Trades(place, (second) => this.bars.position(second, this.length), (value) => this.series.priceToCoordinate(value), (second, side) => this._extreme(second, side));
    this.series.attachPrimitive(this.bands);
    this.series.attachPrimitive(this.trades);
    this.recolour();
  }

  recolour() {
    const named = colours("sheet", "ink", "soft", "rule", "gold", "good", "bad", "half", "calm", "up", "down", "asia", "london", "new-york");
    this.bands.colours = named;
    this.trades.colours = named;
    this.chart.applyOptions({
      layout: { textColor: named.soft },
      grid: { vertLines: { color: faint(named.rule, 0.5) }, horzLines: { color: faint(named.rule, 0.5) } },
      rightPriceScale: { borderColor: named.rule },
      timeScale: { borderColor: named.rule },
    });
    this.series.applyOptions({ upColor: named.up, downColor: named.down, wickUpColor: named.up, wickDownColor: named.down, borderVisible: false });
  }

  /** Draw the first `count` bars held; `count` is what was known at the instant shown. */
  draw(count = this.bars.length) {
    this.count = count;
    this.series.setData(this.bars.drawn(count, this.read));
    this.element.dataset.bars = count;
  }

  /** Show the newest bars, as many as the width takes. */
  showNewest() {
    const wanted = Math.min(OPENING_BARS, Math.floor(this.chart.timeScale().width() / 5) || OPENING_BARS);
    this.chart.timeScale().setVisibleLogicalRange({ from: this.count - wanted, to: this.count + 6 });
  }

  /** Bring an instant into the middle unless it is shown already. */
  reveal(from, until) {
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    const [left, right] = [this.bars.position(from, this.length), this.bars.position(until, this.length)];
    if (!range || (left > range.from + 2 && right < range.to - 2)) return;
    const width = Math.max(range.to - range.from, (right - left) * 1.6);
    scale.setVisibleLogicalRange({ from: (left + right - width) / 2, to: (left + right + width) / 2 });
  }

  x(second) {
    const position = this.bars.position(second, this.length);
    if (position === null) return null;
    // The library knows whole positions only.
    const whole = Math.floor(position);
    const x = this.chart.timeScale().logicalToCoordinate(whole);
    return x === null ? null : x + (position - whole) * this.chart.timeScale().options().barSpacing;
  }

  pan(bars) {
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (range) scale.setVisibleLogicalRange({ from: range.from + bars, to: range.to + bars });
  }

  zoom(factor) {
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (range) scale.setVisibleLogicalRange({ from: range.to - (range.to - range.from) * factor, to: range.to });
  }

  /** Tell what is under the crosshair, or the newest bar, in words. */
  whenPointed(tell) {
    const told = (bar) => (bar ? `${time(bar.time, "full")}  O ${price(bar.open)}  H ${price(bar.high)}  L ${price(bar.low)}  C ${price(bar.close)}` : "");
    this.tellNewest = () => tell(told(this.series.dataByIndex(this.count - 1)));
    this.chart.subscribeCrosshairMove((event) => {
      const bar = event.seriesData.get(this.series);
      if (bar) tell(told({ ...bar, time: event.time }));
      else this.tellNewest();
    });
  }

  whenClicked(act) {
    this.chart.subscribeClick((event) => {
      const signal = event.point ? this.trades.at(event.point.x, event.point.y) : null;
      if (signal) act(signal);
    });
  }

  /** `act(range)` in positions of bars after each pan and zoom. */
  whenMoved(act) {
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => range && act(range));
  }

  _extreme(second, side) {
    if (!this.count) return null;
    const index = Math.min(this.bars.indexAtOrAfter(second), this.count - 1);
    return this.series.priceToCoordinate(this.bars[side][index]);
  }
}
