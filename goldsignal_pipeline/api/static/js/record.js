// What the pages ask of the API, in the form they use: the only place that knows its paths and the names of its fields.
import { everyRow, get } from "./api.js";
import { duration, iso, many, seconds, time, words } from "./format.js";

const SILENCE_DAYS = 30;
const PAGE_ROWS = 1000;
const LONGEST_SESSION_DAYS = 1000;
const LAST_OUTCOMES = 10;
const RECORD_START = "2003-05-01T00:00:00Z";
const DAY = 86_400;
const FUTURE = () => Date.now() / 1000 + DAY;

/** Markets held, zone, account and strategies. */
export const page = () => get("/page");

/** Columns of the newest bars that open before `end` (seconds; now when absent), ascending. */
export async function candles({ symbol, timeframe, end = null, limit }) {
  const found = await get("/candles", { symbol, timeframe, end: end === null ? null : iso(end), limit, form: "columns" });
  return { time: found.time, open: found.open, high: found.high, low: found.low, close: found.close, older: found.older, wasOlder: found.pruned_until !== null };
}

/** How bars read at an instant that were corrected since: by opening time, open, high, low, close; before `exactFrom` (seconds or null) it is not known. */
export async function readThen({ symbol, timeframe, from, instant }) {
  const found = await get("/page/corrections", { symbol, timeframe, start: iso(from), end: iso(instant), as_of: iso(instant) });
  return { read: new Map(found.bars.map(([at, ...prices]) => [at, prices])), exactFrom: found.exact_from && seconds(found.exact_from) };
}

/** Signals that confirmed in the span, as known at `asOf` (seconds) when given. */
export function signals({ symbol, from, until, asOf = null }) {
  const end = Math.min(until ?? FUTURE(), asOf === null ? Infinity : asOf + 1);
  if (end <= from) return [];
  return everyRow("/signals", { symbol, start: iso(from), end: iso(end), as_of: asOf === null ? null : iso(asOf), limit: PAGE_ROWS }, "signals");
}

/** Open signals and the last ten that ended, as known at `asOf` when given; `why` tells why there is nothing. */
export async function standing({ symbol, asOf = null, newest = null }) {
  const end = asOf ?? FUTURE();
  const known = asOf === null ? {} : { as_of: iso(asOf) };
  const reach = { symbol, start: RECORD_START, end: iso(end + 1), limit: PAGE_ROWS };
  const [open, last] = await Promise.all([
    get("/signals", { ...reach, ...known, status: "active" }),
    get("/outcomes", { symbol, start: RECORD_START, end: iso(end), limit: LAST_OUTCOMES }),
  ]);
  if (newest === null) return { open: open.signals, last: last.outcomes, why: "No candle is held yet, so no strategy can speak." };
  const why = open.signals.length ? null : await quiet(symbol, Math.min(end, newest ?? end));
  return { open: open.signals, last: last.outcomes, why };
}

async function quiet(symbol, end) {
  const found = await silence(symbol, { end, days: 7 });
  if (found.accepted) return `${many(found.accepted, "signal")} of the last 7 days held, none of them open any more.`;
  const counts = new Map();
  for (const row of found.turned_away) counts.set(row.reason, (counts.get(row.reason) ?? 0) + row.setups);
  const told = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 3).map(([reason, count]) => `${words(reason)} (${count})`).join(", ");
  return told ? `In the last 7 days held the gate turned away every setup: ${told}.` : "In the last 7 days held no strategy found a setup at all.";
}

export const explanation = (id) => get(`/signals/${id}`);
export const opened = (signal) => seconds(signal.timestamp);
export const ended = (signal) => seconds(signal.ended_at ?? signal.deadline);

/** Spans of each session in the span shown. */
export async function sessions({ from, until }) {
  const end = until ?? FUTURE();
  return (await get("/page/sessions", { start: iso(Math.max(from, end - LONGEST_SESSION_DAYS * DAY)), end: iso(end) })).sessions;
}

/** Runs of missing bars in the span shown. */
export async function gaps({ symbol, from, until }) {
  const found = await everyRow("/gaps", { symbol, start: iso(from), end: iso(until ?? FUTURE()), limit: PAGE_ROWS }, "gaps");
  return found.map((gap) => ({ from: seconds(gap.start), to: seconds(gap.end), missing: gap.missing_bars, reason: gap.reason,
    label: `${gap.missing_bars.toLocaleString("en-GB")} missing: ${words(gap.reason)}` }));
}

/** Events of the economic calendar that keep signals back, in the span shown and two weeks ahead, as known at `asOf` when given. */
export async function news({ from, until, asOf = null }) {
  const end = until ?? FUTURE() + 14 * DAY;
  const found = await get("/news", { start: iso(from), end: iso(end), impact: "high", limit: PAGE_ROWS, as_of: asOf === null ? null : iso(asOf) });
  return found.events.filter((event) => event.stops_signals).map((event) => ({ at: seconds(event.at), label: `${event.currency} ${event.title}` }));
}

/** The state of the feed in words; a service that is not well answers 503 with its reasons. */
export async function health() {
  const { status, database, symbol, feed, daemon, reasons } = await get("/health", {}, { accept: [200, 503] });
  const fed = feed !== null && feed.age_minutes <= feed.tolerated_minutes;
  const facts = [["Database", database]];
  if (feed) {
    facts.push(["Newest bar closed", time(feed.newest_close)], ["Age, trading time", duration(feed.age_minutes)], ["Market", feed.market_open ? "open" : "closed"]);
  }
  if (daemon) facts.push(["Daemon seen", `${duration(daemon.age_seconds / 60)} ago`]);
  const short = fed ? (feed.market_open ? "feed alive" : "feed alive, market closed") : feed ? "feed late" : database === "connected" ? "no feed yet" : "database down";
  const told = fed ? `The feed of ${symbol} is alive.` : `The feed of ${symbol} is not alive.`;
  return { ok: status === "ok", fed, short, told, facts, reasons };
}

/** What stands in the place of health when nothing answers. */
export const noHealth = (error) => ({ ok: false, fed: false, short: "no answer", told: error.message, facts: [["Asked", time(Date.now() / 1000, "clock")]], reasons: [] });

export const performance = (symbol) => get("/page/performance", { symbol });
export const breakdown = ({ symbol, strategy, kind }) => get("/page/breakdown", { symbol, strategy: strategy || null, kind });

/** What kept signals back in the last days. */
export async function silence(symbol, { end = FUTURE(), days = SILENCE_DAYS } = {}) {
  return { days, ...(await get("/silence", { symbol, start: iso(end - days * DAY), end: iso(end) })) };
}
