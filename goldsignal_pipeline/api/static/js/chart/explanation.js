// Why a signal was given: its plan, every condition with value and threshold, every rule of the gate, what became of it.
import { byId, make, put, table } from "../dom.js";
import { inR, money, plain, price, statusWords, time, tone, words } from "../format.js";

const LEVELS = [["entry reference", "reference"], ["stop", "stop"], ["first target", "take_profit_1"], ["second target", "take_profit_2"],
  ["invalid beyond", "invalidation_price"]];
let opener = null;

export function startExplanation() {
  const dialog = byId("explanation");
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => opener?.focus());
}

/** Open the sheet with a first word, and give the function that fills it. */
export function openExplanation(title) {
  const dialog = byId("explanation");
  opener = document.activeElement;
  put(dialog, frame(title, make("p", { class: "soft" }, "Asking for the explanation …")));
  if (!dialog.open) dialog.showModal();
  return (...content) => put(dialog, frame(title, ...content));
}

function frame(title, ...content) {
  return make("article", { class: "explanation" },
    make("header", {}, make("h2", { id: "explanation-title" }, title),
      make("button", { type: "button", onclick: () => byId("explanation").close(), autofocus: true }, "Close")),
    ...content);
}

/** The sections of an explanation. `own` is the user's account, `simulated` whether the market is. */
export function explained(found, own, simulated) {
  const { signal } = found;
  return [
    make("section", {},
      make("p", {},
        make("span", { class: `pill ${tone(signal)}` }, statusWords(signal.status)), " ",
        make("span", { class: "pill bare" }, `evidence: ${signal.evidence}`), " ",
        simulated && make("span", { class: "pill bare simulated" }, "simulated market"), " ",
        signal.net_r !== null && make("strong", { class: `number ${tone(signal)}` }, inR(signal.net_r))),
      make("p", { class: "soft" }, evidenceWords(signal.evidence)),
      make("ul", {}, signal.reasons.map((reason) => make("li", {}, reason)))),
    make("section", {}, make("h3", {}, "Plan"), plan(signal, own), size(signal, own)),
    make("section", {}, make("h3", {}, "Conditions"), conditions(found.conditions)),
    found.readings.length > 0 && make("section", {}, make("h3", {}, "Verdict of the gate"), readings(found)),
    make("section", {}, make("h3", {}, "What became of it"), story(found)),
    make("p", { class: "small soft id" }, `Id ${signal.id}. ${signal.origin === "live" ? `Published live, known at ${time(signal.known_at, "full")}.`
      : "Found by a backfill: nobody was told of it at the time."}`),
  ];
}

export function evidenceWords(evidence) {
  if (evidence === "proven") return "Proven here means only that the last 365 days were better than chance alone explains. No edge is demonstrated.";
  return "Unproven: the last 365 days do not tell its results from chance. No edge is demonstrated.";
}

function plan(signal, own) {
  const shifted = Number(own.level_offset) !== 0;
  const columns = [["Level", false], ["Published", true], ...(shifted ? [["At your broker", true]] : [])];
  const rows = LEVELS.map(([name, key]) => [name, price(signal[key]), ...(shifted ? [price(Number(signal[key]) + Number(own.level_offset))] : [])]);
  return table("Levels in US dollars per ounce", columns, rows);
}

function size(signal, own) {
  const usd = Number(signal.risk_usd);
  const converted = own.currency === "USD" ? "" : ` (${money(usd / Number(own.usd_per_unit), own.currency)})`;
  return make("p", { class: "small" },
    `Size ${plain(signal.size_lots)} lots (${plain(signal.size_ounces, 0)} oz), at risk ${money(usd, "USD")}${converted}. `
    + `Reward to first target ${plain(signal.risk_reward)} R. Confidence ${signal.confidence}, a score and no probability. `
    + `Rank ${signal.rank}. Session ${words(signal.session)}, volatility ${words(signal.regime)}. Expires ${time(signal.deadline, "full")}.`);
}

const FLAGS = { 0: "no", 1: "yes" };
function measured(condition, key) {
  const value = condition[key];
  if (value === null || value === undefined) return "not available";
  if (condition.unit === "flag") return FLAGS[value] ?? plain(value);
  if (condition.unit === "ticks") return `${plain(value / 100)} USD`;
  return `${plain(value, Number.isInteger(value) ? 0 : 3)}${condition.unit === "atr" ? " ATR" : ""}`;
}

function optional(row) {
  if (row.required) return "";
  return row.passed && row.points ? ` (+${row.points})` : " (optional)";
}

function conditions(rows) {
  const columns = [["Condition", false], ["Measured", true], ["", false], ["Threshold", true], ["", false]];
  return table("Conditions of the strategy", columns, rows.map((row) => [
    words(row.name), measured(row, "measured"), row.comparison, measured(row, "threshold"),
    make("span", { class: row.passed ? "good" : row.required ? "bad" : "soft" }, `${row.passed ? "✓ met" : "✗ not met"}${optional(row)}`),
  ]));
}

function readings({ readings: rows }) {
  return table("Rules of the gate", [["Rule", false], ["Measured", false], ["Needed", false], ["", false]], rows.map((row) => [
    words(row.reason), row.measured, row.needed, make("span", { class: row.passed ? "good" : "bad" }, row.passed ? "✓ passed" : "✗ failed")]));
}

const STEPS = { published: "given", filled: "entered", tp1_reached: "first target reached, half closed, stop at entry", closed: "ended", corrected: "corrected" };
function story({ events, outcome, revisions }) {
  const lines = events.map((event) => make("li", {}, `${time(event.at, "full")}: ${STEPS[event.kind] ?? words(event.kind)}`
    + `${event.detail?.fill ? ` at ${price(event.detail.fill)}` : ""}${event.detail?.result ? `: ${statusWords(event.detail.result)}` : ""}`));
  const revised = revisions.length
    ? `${revisions.length} bars that it rested on were corrected afterwards.` : "No bar that it rested on was corrected afterwards.";
  return [make("ul", {}, lines), outcome && outcome.net_r !== null && make("p", { class: "small" },
    `Net ${inR(outcome.net_r)} after costs of ${inR(outcome.cost_r)}; best moment ${inR(outcome.favourable_r)}, worst ${inR(outcome.adverse_r)}. `
    + `Decided on ${outcome.resolution} bars${outcome.ambiguous ? `, which do not tell the order of events: between ${inR(outcome.worst_r)} and ${inR(outcome.best_r)}` : ""}.`),
  make("p", { class: "small soft" }, revised)];
}

