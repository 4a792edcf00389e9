// The cards of the performance page, each from one answer of the API.
import { draw, make, table } from "../dom.js";
import { inR, many, percent, plain, signed, time, words } from "../format.js";
import { keys, most, plot } from "./plot.js";

const named = (track) => `${words(track.strategy)} ${track.timeframe}`;
const nothing = (text) => make("p", { class: "empty" }, text);
const FEW = 10;

export function equity(signals, backtests) {
  const tracks = [...new Set([...signals, ...backtests].map(named))].sort();
  if (!tracks.length) return nothing("No trade has ended yet, neither of a signal nor in simulation. Backfill a few months first.");
  const lines = (found, style) => found.map((one) => ({ x: one.time, y: one.gained, class: `c${tracks.indexOf(named(one)) % 8}${style}` }));
  const sum = (found) => found.map((one) => `${named(one)} ${inR(one.net_r)} in ${many(one.trades, "trade")}`).join(", ");
  return [
    make("h3", {}, "Signals that passed the gate"),
    signals.length ? plot({ series: lines(signals, ""), xText: (at) => time(at, "date"), yText: (r) => signed(r, 0), label: `Equity of signals: ${sum(signals)}` })
      : nothing("No signal has ended yet."),
    make("h3", {}, "All setups in simulation, ungated"),
    backtests.length ? plot({ series: lines(backtests, ""), xText: (at) => time(at, "date"), yText: (r) => signed(r, 0), label: `Equity in simulation: ${sum(backtests)}` })
      : nothing("Nothing has been simulated yet."),
    keys(tracks.map((name, index) => [name, `c${index % 8}`])),
  ];
}

export function compare(rows) {
  if (!rows.length) return nothing("No result is stored yet. Results are computed by night and by `goldsignal backfill`.");
  const columns = [["Strategy", false], ["Trades of", false], ["Window", true], ["Trades", true], ["Win rate", true], ["Expectancy", true], ["± error", true],
    ["Profit factor", true], ["Sharpe", true], ["Drawdown", true], ["State", false]];
  return [table("Backtest against signals", columns, rows.map((row) => [named(row), row.kind, `${row.window_days} d`, row.trades, percent(row.win_rate),
    inR(row.expectancy), plain(row.expectancy_error), plain(row.profit_factor), signed(row.sharpe), row.max_drawdown_r === null ? "–" : `${plain(row.max_drawdown_r, 1)} R`,
    row.state ? make("span", { class: `pill ${STATE_TONE[row.state]}` }, row.state) : "–"])),
  make("p", { class: "small soft" }, "Backtest rows hold every setup, the gate's choice not applied. A dash is undefined, never zero.")];
}

const STATE_TONE = { healthy: "good", watch: "half", degraded: "bad", probation: "half" };

export function rolling(tracks) {
  if (!tracks.length) return nothing("No day of signal results is stored yet.");
  const seconds = (days) => days.map((day) => Date.parse(day) / 1000);
  return [
    plot({ series: tracks.map((one, index) => ({ x: seconds(one.day), y: one.expectancy, class: `c${index % 8}` })), xText: (at) => time(at, "date"),
      yText: (r) => signed(r, 1), label: "Mean R of the last 90 days of signals, by day", low: true }),
    keys(tracks.map((one, index) => [named(one), `c${index % 8}`])),
    make("h3", {}, "State by day"),
    make("div", { class: "track-state" }, tracks.map((one) => [make("span", {}, `${named(one)}: ${one.state.at(-1)}`), states(one)]).flat()),
    make("p", { class: "small soft" }, "Healthy, watch, degraded, probation. Only degraded keeps signals back; a degraded strategy goes on in shadow and can recover."),
  ];
}

function states({ state }) {
  const runs = [];
  state.forEach((name, at) => {
    const last = runs.at(-1);
    if (last?.name === name) last.end = at + 1;
    else runs.push({ name, start: at, end: at + 1 });
  });
  return draw("svg", { viewBox: `0 0 ${state.length} 10`, preserveAspectRatio: "none", width: "100%", height: 12, role: "img",
    "aria-label": runs.map((run) => `${many(run.end - run.start, "day")} ${run.name}`).join(", ") },
  runs.map((run) => draw("rect", { class: `state-${run.name}`, x: run.start, y: 0, width: run.end - run.start, height: 10 })));
}

export function heat({ weekdays, sessions, cells }) {
  if (!cells.some((cell) => cell.trades)) return nothing("No trade of this choice has ended yet.");
  const means = cells.filter((cell) => cell.trades).map((cell) => Math.abs(cell.net_r / cell.trades));
  const largest = Math.min(1, most(means)) || 1;
  const shown = (cell) => {
    if (!cell.trades) return make("td", { class: "soft" }, "–");
    const mean = cell.net_r / cell.trades;
    const strength = Math.min(1, Math.abs(mean) / largest) * (cell.trades < FEW ? 25 : 60);
    return make("td", { class: "number", vars: { "--tone": mean > 0 ? "var(--good)" : "var(--bad)", "--strength": `${strength.toFixed(0)}%` } },
      signed(mean), make("small", {}, many(cell.trades, "trade")));
  };
  return [make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Mean R by weekday and session" },
    make("table", { class: "heat" },
      make("thead", {}, make("tr", {}, make("th", {}), sessions.map((name) => make("th", { scope: "col" }, name === "none" ? "quiet hours" : words(name))))),
      make("tbody", {}, weekdays.map((day) => make("tr", {}, make("th", { scope: "row" }, day),
        cells.filter((cell) => cell.weekday === day).map(shown)))))),
  make("p", { class: "small soft" }, `Mean R of the trades entered then, by trading day. Cells with fewer than ${FEW} trades are pale: they say nothing.`)];
}

export function held({ hold_hours: hours, time_in_trade: found }) {
  const total = [...found.winners, ...found.losers].reduce((sum, count) => sum + count, 0);
  if (!total) return nothing("No trade of this choice has ended yet.");
  const names = [...hours.map((hour, index) => `${index ? hours[index - 1] : 0}–${hour} h`), `over ${hours.at(-1)} h`];
  const highest = most([...found.winners, ...found.losers]);
  const bar = (count, index, side) => draw("rect", { class: side, x: index * 40 + (side === "winners" ? 4 : 20), width: 16, rx: 2,
    y: 150 - (count / highest) * 140, height: (count / highest) * 140 });
  return [
    draw("svg", { class: "counts", viewBox: "0 0 360 170", role: "img", "aria-label": names.map((name, i) => `${name}: ${found.winners[i]} winners, ${found.losers[i]} losers`).join("; ") },
      names.map((name, index) => [bar(found.winners[index], index, "winners"), bar(found.losers[index], index, "losers"),
        draw("text", { x: index * 40 + 20, y: 165, "text-anchor": "middle" }, index < hours.length ? `≤${hours[index]}` : `>${hours.at(-1)}`)]).flat()),
    make("p", {}, make("span", { class: "good" }, "■ winners"), ` held ${plain(found.middle_winner_hours, 1)} h in the middle, `,
      make("span", { class: "bad" }, "■ losers"), ` ${plain(found.middle_loser_hours, 1)} h.`),
    make("p", { class: "small soft" }, "Hours the market was open between entry and end."),
  ];
}

export function fan(found) {
  if (!found) return nothing("Fewer than eight weeks of trades: too little to draw from.");
  const [outerLow, innerLow, middle, innerHigh, outerHigh] = found.curves;
  const x = found.weeks;
  return [
    plot({ series: [{ x, y: middle, class: "middle dashed" }, { x, y: found.happened, class: "happened" }],
      areas: [{ x, low: outerLow, high: outerHigh, class: "fan-outer" }, { x, low: innerLow, high: innerHigh, class: "fan-inner" }],
      xText: (week) => `week ${Math.round(week)}`, yText: (r) => signed(r, 0), label: "Fan of equity curves drawn from the weeks of these trades" }),
    keys([["what happened", "happened"], ["middle of the draws", "middle dashed"]]),
    make("p", {}, `Of ${found.draws.toLocaleString("en-GB")} redraws of the same weeks, `, make("strong", {}, percent(found.below_zero)),
      ` end below zero. A drawdown of ${plain(found.middle_drawdown, 1)} R is usual, one of ${plain(found.worst_drawdown, 1)} R comes once in twenty.`),
    make("p", { class: "small soft" }, "Shaded: half of the draws, and nine in ten. It shows luck, not a market unlike the one recorded."),
  ];
}

export function silence(found) {
  const turned = found.turned_away.map((row) => [words(row.strategy), words(row.reason), row.setups, row.by_this_alone]);
  const near = found.near_misses.map((row) => [words(row.strategy), words(row.condition), row.count, time(row.nearest_at)]);
  return [
    make("p", {}, `In the last ${many(found.days, "day")} held: ${many(found.accepted, "signal")} given, `
      + `${many(found.turned_away.reduce((sum, row) => sum + row.setups, 0), "setup")} turned away, ${many(found.near_misses.reduce((sum, row) => sum + row.count, 0), "near miss", "near misses")}.`),
    turned.length > 0 && table("Turned away by the gate", [["Strategy", false], ["First rule that failed", false], ["Setups", true], ["by it alone", true]], turned),
    near.length > 0 && [make("h3", {}, "Nearly a setup"), table("Near misses", [["Strategy", false], ["Trigger that failed", false], ["Count", true], ["Nearest", false]], near)],
  ].flat();
}
