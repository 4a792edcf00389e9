// The performance page: asks once per choice of market, strategy and kind of trades, and fills its cards.
import { byId, make, put } from "./dom.js";
import { seconds, useZone, words } from "./format.js";
import { notice, tellFailure } from "./notices.js";
import * as cards from "./performance/cards.js";
import { remember, remembered } from "./preferences.js";
import * as record from "./record.js";
import { startTheme } from "./theme.js";

const KINDS = [["signals", "Signals"], ["backtest", "All setups, simulated"]];
const chosen = { symbol: null, strategy: "", kind: "backtest" };
let turn = 0;

const fill = (id, ...content) => put(byId(id).querySelector(".body"), content.flat());

async function start() {
  startTheme();
  const own = await record.page();
  useZone(own.display_timezone);
  const markets = byId("symbol");
  put(markets, own.symbols.map((one) => make("option", { value: one.symbol }, one.simulated ? `${one.symbol} (simulated)` : one.symbol)));
  const known = own.symbols.map((one) => one.symbol);
  chosen.symbol = known.includes(remembered("symbol", "")) ? remembered("symbol", "") : own.symbol;
  markets.value = chosen.symbol;
  markets.addEventListener("change", () => { chosen.symbol = markets.value; remember("symbol", chosen.symbol); show(own); });
  const strategies = byId("strategy");
  put(strategies, make("option", { value: "" }, "all strategies"), own.strategies.map((name) => make("option", { value: name }, words(name))));
  strategies.addEventListener("change", () => { chosen.strategy = strategies.value; showBreakdown(); });
  put(byId("kind"), KINDS.map(([kind, name]) => make("button", { type: "button", "aria-pressed": String(kind === chosen.kind), onclick: (event) => {
    chosen.kind = kind;
    for (const button of byId("kind").children) button.setAttribute("aria-pressed", String(button === event.currentTarget));
    showBreakdown();
  } }, name)));
  await show(own);
}

async function show(own) {
  const simulated = own.symbols.find((one) => one.symbol === chosen.symbol)?.simulated ?? chosen.symbol.endsWith("-SIM");
  notice("simulated", simulated ? `${chosen.symbol} is a simulated market: made-up prices to try the system with.` : "", "good");
  document.title = `GoldSignal performance ${chosen.symbol}`;
  turn += 1;
  const mine = turn;
  try {
    const [found, silence] = await Promise.all([record.performance(chosen.symbol), record.silence(chosen.symbol, { end: lastHeld(own) })]);
    if (mine !== turn) return;
    fill("equity", cards.equity(found.signals, found.backtests));
    fill("compare", cards.compare(found.side_by_side));
    fill("rolling", cards.rolling(found.rolling));
    fill("silence", cards.silence(silence));
    await showBreakdown();
    notice("performance", "");
  } catch (error) {
    tellFailure("performance", error);
    for (const card of document.querySelectorAll(".card .body")) put(card, make("p", { class: "empty" }, error.message));
  }
  byId("cards").dataset.loaded = chosen.symbol;
}

/** Just after the newest bar held, in seconds: what follows is no silence but a record that ends. */
function lastHeld(own) {
  const newest = own.symbols.find((one) => one.symbol === chosen.symbol)?.newest;
  return newest ? Math.min(Date.now() / 1000, seconds(newest) + 86_400) : undefined;
}

async function showBreakdown() {
  const mine = turn;
  const found = await record.breakdown(chosen);
  if (mine !== turn) return;
  fill("heat", cards.heat(found));
  fill("held", cards.held(found));
  fill("fan", cards.fan(found.fan));
}

start().catch((error) => {
  tellFailure("start", error);
  setTimeout(() => error.status !== 401 && location.reload(), 15_000);
});
