// The chart page: starts its parts, loads what they show, and keeps them fresh.
//
// 1. `start` learns of markets, zone and account, and builds the controls.
// 2. `loadMarket` draws the newest bars and signals; panning left loads older ones.
// 3. `refresh` asks again every half minute while the page is looked at and shows now.
import { AsOf } from "./chart/as-of.js";
import { Bars } from "./chart/bars.js";
import { explained, openExplanation, startExplanation } from "./chart/explanation.js";
import { startKeys } from "./chart/keys.js";
import { showMissing } from "./chart/missing.js";
import { showFeed, showOpen, showOutcomes } from "./chart/panel.js";
import { View } from "./chart/view.js";
import { byId, make, put } from "./dom.js";
import { many, time, useZone } from "./format.js";
import { notice, tellFailure } from "./notices.js";
import { remember, remembered } from "./preferences.js";
import * as record from "./record.js";
import { startTheme, whenThemeChanges } from "./theme.js";

const REFRESH_SECONDS = 30;
const PAGE_BARS = 1500;
const OLDER_BARS = 3000;
const MOST_BARS = 50_000;
const NEAR_LEFT_EDGE = 80;

const page = { own: null, symbol: null, timeframe: null, signals: [], gaps: [], news: [], loadingOlder: false, turn: 0 };
const bars = new Bars();
let view;
let asOf;

async function start() {
  startTheme();
  startExplanation();
  page.own = await record.page();
  useZone(page.own.display_timezone);
  view = new View(byId("chart"), bars);
  byId("chart").view = view; // for tests, and for whoever is curious
  view.whenPointed((told) => { byId("bar-legend").textContent = told; });
  view.whenClicked(explain);
  view.whenMoved((range) => { loadOlder(range); showMissing(page.gaps, bars, range); });
  asOf = new AsOf(bars, { whenMoved: drawKnown, whenSettled: loadKnown });
  startKeys(byId("chart"), view, () => page.signals, explain);
  whenThemeChanges(() => view.recolour());
  buildControls();
  await loadMarket();
  setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_SECONDS * 1000);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
}

function buildControls() {
  const markets = byId("symbol");
  put(markets, page.own.symbols.map((one) => make("option", { value: one.symbol }, one.simulated ? `${one.symbol} (simulated)` : one.symbol)));
  const known = page.own.symbols.map((one) => one.symbol);
  page.symbol = known.includes(remembered("symbol", "")) ? remembered("symbol", "") : page.own.symbol;
  markets.value = page.symbol;
  markets.addEventListener("change", () => { page.symbol = markets.value; remember("symbol", page.symbol); buildTimeframes(); loadMarket(); });
  buildTimeframes();
}

function buildTimeframes() {
  const held = page.own.symbols.find((one) => one.symbol === page.symbol)?.timeframes ?? [];
  const wanted = remembered("timeframe", "H1");
  page.timeframe = held.includes(wanted) || !held.length ? wanted : held.includes("H1") ? "H1" : held[0];
  put(byId("timeframes"), held.map((name) => make("button", { type: "button", "aria-pressed": String(name === page.timeframe), onclick: (event) => {
    page.timeframe = name;
    remember("timeframe", name);
    for (const button of byId("timeframes").children) button.setAttribute("aria-pressed", String(button === event.currentTarget));
    loadMarket();
  } }, name)));
}

const isSimulated = () => page.own.symbols.find((one) => one.symbol === page.symbol)?.simulated ?? page.symbol.endsWith("-SIM");

async function loadMarket() {
  page.turn += 1;
  const turn = page.turn;
  bars.clear();
  Object.assign(page, { signals: [], gaps: [], news: [], loadingOlder: false, chosen: null });
  view.length = page.own.timeframe_seconds[page.timeframe];
  view.bands.sessions = {};
  view.bands.shadesSessions = view.length <= 3600;
  document.title = `GoldSignal ${page.symbol} ${page.timeframe}`;
  notice("simulated", isSimulated() ? `${page.symbol} is a simulated market: made-up prices. Nothing here happened at a real market.` : "", "good");
  asOf.reset();
  view.read = new Map();
  notice("as-of", "");
  try {
    const loaded = await record.candles({ symbol: page.symbol, timeframe: page.timeframe, limit: PAGE_BARS });
    if (turn !== page.turn) return;
    bars.prepend(loaded);
    view.draw();
    if (bars.length) view.showNewest();
    view.tellNewest();
    asOf.reset();
    tellState(bars.length ? "" : `No candles of ${page.symbol} are held yet. \`goldsignal up\` fills them; importing files is the other way.`);
    await Promise.all([around(bars.first, null), refreshPanel()]);
    notice("candles", "");
  } catch (error) {
    if (!bars.length) tellState(error.message);
    tellFailure("candles", error);
    await refreshPanel();
  }
  byId("chart").dataset.loaded = `${page.symbol} ${page.timeframe}`;
}

function tellState(text) {
  byId("chart-state").hidden = !text;
  put(byId("chart-state"), text && make("p", {}, text));
}

/** Load what belongs to bars that open from `from` up to `until` (seconds; null: now): signals, and unless they are held sessions and missing bars. */
async function around(from, until, { held = false } = {}) {
  if (from === undefined) return;
  const turn = page.turn;
  const where = { symbol: page.symbol, from, until };
  const [signals, sessions, gaps, news] = await Promise.all([
    record.signals({ ...where, asOf: asOf.instant }),
    view.bands.shadesSessions && !held ? record.sessions(where) : {}, held ? [] : record.gaps(where),
    view.bands.shadesSessions ? record.news({ ...where, asOf: asOf.instant }) : []]);
  if (turn !== page.turn) return;
  const known = new Map([...page.signals, ...signals].map((signal) => [signal.id, signal]));
  page.signals = [...known.values()].sort((one, other) => one.confirmed_at.localeCompare(other.confirmed_at));
  for (const [name, spans] of Object.entries(sessions)) {
    view.bands.sessions[name] = [...new Map([...(view.bands.sessions[name] ?? []), ...spans].map((span) => [span[0], span])).values()];
  }
  page.news = [...new Map([...page.news, ...news].map((event) => [`${event.at} ${event.label}`, event])).values()].sort((one, other) => one.at - other.at);
  page.gaps = [...new Map([...gaps, ...page.gaps].map((gap) => [gap.from, gap])).values()];
  showRecord();
}

function showRecord() {
  view.trades.signals = page.signals;
  view.bands.gaps = page.gaps.filter((gap) => !asOf.instant || gap.from < asOf.instant);
  view.bands.news = page.news;
  view.trades.refresh();
  view.bands.refresh();
  const range = view.chart.timeScale().getVisibleLogicalRange();
  if (range) showMissing(page.gaps, bars, range);
}

async function loadOlder(range) {
  if (range.from > NEAR_LEFT_EDGE || !bars.hasOlder || page.loadingOlder) return;
  page.loadingOlder = true;
  const turn = page.turn;
  const before = bars.first;
  try {
    const limit = Math.min(MOST_BARS, Math.max(OLDER_BARS, 2 * bars.length));
    const loaded = await record.candles({ symbol: page.symbol, timeframe: page.timeframe, end: before, limit });
    if (turn !== page.turn) return;
    bars.prepend(loaded);
    asOf.grow(loaded.time.length);
    view.draw(asOf.count);
    page.loadingOlder = false;
    // Whoever has zoomed far out sees bars first; what belongs to them follows.
    loadOlder(view.chart.timeScale().getVisibleLogicalRange());
    await around(bars.first, before);
    notice("candles", "");
  } catch (error) {
    if (turn !== page.turn) return;
    page.loadingOlder = false;
    tellFailure("candles", error);
  }
}

function drawKnown(count) {
  view.draw(count);
  view.tellNewest();
}

async function loadKnown() {
  Object.assign(page, { signals: [], news: [] });
  const instant = asOf.instant;
  try {
    const then = instant ? await record.readThen({ symbol: page.symbol, timeframe: page.timeframe, from: bars.first, instant }) : { read: new Map(), exactFrom: null };
    if (asOf.instant !== instant) return;
    view.read = then.read;
    view.draw(asOf.count);
    notice("as-of", instant ? knownWords(instant, then) : "", "good");
    await around(bars.first, null, { held: true });
    await refreshPanel();
  } catch (error) {
    tellFailure("candles", error);
  }
}

function knownWords(instant, { read, exactFrom }) {
  const corrected = read.size;
  const inexact = exactFrom ? ` Bars before ${time(exactFrom, "full")} read as today: too many were corrected since to read them all again.` : "";
  const changed = corrected ? ` ${many(corrected, "bar")} corrected since ${corrected === 1 ? "reads" : "read"} as then.` : "";
  return `Shown as known at ${time(instant, "full")}: bars closed by then, signals and their fate as they stood.${changed}${inexact}`;
}

async function refreshPanel() {
  const turn = page.turn;
  const [health, standing] = await Promise.allSettled([record.health(), record.standing({ symbol: page.symbol, asOf: asOf.instant, newest: bars.length ? bars.last + view.length : null })]);
  if (turn !== page.turn) return;
  if (health.status === "fulfilled") showFeed(health.value);
  else showFeed(record.noHealth(health.reason));
  if (standing.status === "rejected") {
    tellFailure("panel", standing.reason);
    return;
  }
  notice("panel", "");
  const { open, last, why } = standing.value;
  const close = bars.close[(view.count ?? bars.length) - 1];
  showOpen(open, close, page.own, { explain, now: asOf.instant ?? Date.now() / 1000, why });
  showOutcomes(last, { explain, why: last.length ? null : why });
}

async function refresh() {
  if (asOf.instant || !page.symbol) return;
  try {
    const newest = await record.candles({ symbol: page.symbol, timeframe: page.timeframe, limit: 50 });
    const wasEmpty = !bars.length;
    if (wasEmpty && newest.time.length) return void loadMarket();
    if (bars.append(newest)) {
      view.draw();
      asOf.reset();
    }
    if (bars.length) await around(bars.time[Math.max(0, bars.length - 200)], null);
    notice("candles", "");
  } catch (error) {
    tellFailure("candles", error);
  }
  await refreshPanel();
}

async function explain(signal) {
  view.trades.chosen = signal.id;
  view.trades.refresh();
  const fill = openExplanation(`${signal.direction} ${signal.strategy.replaceAll("_", " ")}, ${signal.timeframe}, ${time(signal.confirmed_at, "full")}`);
  try {
    const found = await record.explanation(signal.id, asOf.instant);
    fill(...explained(found, page.own, isSimulated()));
    if (bars.length && found.signal) view.reveal(record.opened(found.signal), record.ended(found.signal));
  } catch (error) {
    fill(make("p", { class: "bad" }, error.message));
  }
}

start().catch((error) => {
  tellFailure("start", error);
  showFeed(record.noHealth(error));
  tellState(error.message);
  setTimeout(() => error.status !== 401 && location.reload(), 15_000);
});
