// The panel: open signals with their live state, the last ten outcomes, and whether the feed is alive; all without a click.
import { byId, make, put } from "../dom.js";
import { inR, many, price, seconds, statusWords, time, tone, words } from "../format.js";

const body = (id) => byId(id).querySelector(".body");

/** Where an open signal stands at a price: R so far, and what is left to stop and targets. */
export function standing(signal, close) {
  const way = signal.direction === "BUY" ? 1 : -1;
  const risk = Number(signal.planned_risk);
  const entry = Number(signal.reference);
  const first = Number(signal.take_profit_1);
  const stop = signal.tp1_reached_at ? entry : Number(signal.stop);
  const running = (way * (close - entry)) / risk;
  const banked = (way * (first - entry)) / risk;
  return {
    r: signal.tp1_reached_at ? (banked + running) / 2 : running,
    stop,
    toStop: way * (close - stop),
    toFirst: way * (first - close),
    toSecond: way * (Number(signal.take_profit_2) - close),
    share: (value) => (way * (value - Number(signal.stop))) / (way * (Number(signal.take_profit_2) - Number(signal.stop))),
  };
}

export function showOpen(signals, close, own, { explain, now, why }) {
  byId("open-pill").textContent = signals.length ? `${signals.length} open` : "none open";
  if (!signals.length) {
    put(body("open-signals"), make("p", { class: "empty" }, "No signal is open."), why && make("p", { class: "small soft" }, why));
    return;
  }
  put(body("open-signals"), make("ul", { class: "items" }, signals.map((signal) => make("li", {},
    make("button", { type: "button", class: "item open-signal", "data-id": signal.id, onclick: () => explain(signal) }, openSignal(signal, close, own, now))))));
}

function openSignal(signal, close, own, now) {
  const at = standing(signal, close);
  const left = seconds(signal.deadline) - now;
  const shift = Number(own.level_offset);
  const level = (name, value, distance) => make("div", {}, make("dt", {}, name), make("dd", { class: "number" }, price(value),
    shift ? make("div", { class: "soft" }, `yours ${price(Number(value) + shift)}`) : null,
    distance === null ? null : make("div", { class: "soft" }, distance >= 0 ? `${distance.toFixed(2)} away` : `${(-distance).toFixed(2)} beyond`)));
  const share = (value) => `${Math.min(100, Math.max(0, at.share(value) * 100)).toFixed(1)}%`;
  return [
    make("span", { class: "row" }, make("strong", {}, `${signal.direction} ${words(signal.strategy)}`),
      make("strong", { class: `number ${at.r >= 0 ? "good" : "bad"}` }, signal.filled_at ? `${inR(at.r)} now` : "not entered yet")),
    make("span", { class: "row soft small" }, make("span", {}, `${signal.timeframe}, ${time(signal.confirmed_at)}, evidence ${signal.evidence}`),
      make("span", {}, left > 0 ? `expires ${time(signal.deadline)}` : "past its deadline")),
    make("div", { class: "track", vars: { "--entry": share(Number(signal.reference)) }, "aria-hidden": "true" }, make("i", { vars: { left: share(close) } })),
    make("dl", { class: "levels" },
      level("entry", signal.reference, null),
      level(signal.tp1_reached_at ? "stop (at entry)" : "stop", at.stop, at.toStop),
      level(signal.tp1_reached_at ? "TP1, reached" : "TP1", signal.take_profit_1, signal.tp1_reached_at ? null : at.toFirst),
      level("TP2", signal.take_profit_2, at.toSecond)),
  ];
}

export function showOutcomes(outcomes, { explain, why }) {
  if (!outcomes.length) {
    put(body("last-outcomes"), make("p", { class: "empty" }, "No signal has ended yet."), why && make("p", { class: "small soft" }, why));
    return;
  }
  const scored = outcomes.filter((one) => one.net_r !== null);
  const total = scored.reduce((sum, one) => sum + Number(one.net_r), 0);
  put(body("last-outcomes"),
    make("p", { class: "small soft" }, `${many(scored.length, "scored trade")}, together `, make("strong", { class: "number" }, inR(total)),
      ". Ten trades say nothing about an edge."),
    make("ul", { class: "items" }, outcomes.map((one) => make("li", {},
      make("button", { type: "button", class: "item", "data-id": one.id, onclick: () => explain(one) },
        make("span", { class: "row" }, make("span", {}, `${one.direction} ${words(one.strategy)}`),
          make("strong", { class: `number ${tone(one)}` }, one.net_r === null ? "–" : inR(one.net_r))),
        make("span", { class: "row soft small" }, make("span", {}, statusWords(one.result)), time(one.resolved_at)))))));
}

export function showFeed(health) {
  const pill = byId("feed-pill");
  pill.className = `pill ${health.ok ? "good" : health.fed ? "gold" : "bad"}`;
  pill.textContent = health.short;
  put(body("feed"), make("p", { class: health.fed ? "good" : "bad" }, health.told), make("dl", { class: "levels" },
    health.facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
  health.reasons.map((reason) => make("p", { class: "small bad" }, reason)));
}

