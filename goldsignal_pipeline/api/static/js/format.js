// How values read: times in the display zone, prices with two places, R with a sign, words instead of codes.
let zone = "UTC";
let formats = {};

export function useZone(name) {
  zone = name;
  const of = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  formats = {
    full: of({ weekday: "short", year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    short: of({ month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    clock: of({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    day: of({ month: "short", day: "numeric" }),
    month: of({ month: "short" }),
    year: of({ year: "numeric" }),
    date: of({ year: "numeric", month: "short", day: "2-digit" }),
  };
}
useZone(zone);

export const zoneName = () => zone;
export const seconds = (instant) => Math.floor(new Date(instant).getTime() / 1000);
export const iso = (second) => new Date(second * 1000).toISOString().replace(".000Z", "Z");

/** An instant (seconds or ISO text) as `full`, `short`, `clock`, `day`, `month`, `year` or `date`. */
export function time(instant, form = "short") {
  if (instant === null || instant === undefined) return "–";
  const moment = typeof instant === "number" ? new Date(instant * 1000) : new Date(instant);
  return formats[form].format(moment);
}

export const price = (value) => (value === null || value === undefined ? "–" : Number(value).toFixed(2));

export function signed(value, places = 2) {
  if (value === null || value === undefined) return "–";
  const number = Number(value);
  const text = Math.abs(number).toFixed(places);
  return Number(text) === 0 ? text : `${number < 0 ? "−" : "+"}${text}`;
}

export const inR = (value) => (value === null || value === undefined ? "–" : `${signed(value)} R`);
export const percent = (value) => (value === null || value === undefined ? "–" : `${(Number(value) * 100).toFixed(0)} %`);
export const plain = (value, places = 2) => (value === null || value === undefined ? "–" : Number(value).toFixed(places));
export const money = (value, currency) =>
  `${Number(value).toLocaleString("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 })} ${currency}`;
export const words = (code) => (code ?? "none").replaceAll("_", " ");
export const many = (count, one, more = `${one}s`) => `${count.toLocaleString("en-GB")} ${count === 1 ? one : more}`;

const STATUS = {
  active: ["open", "gold"], tp2_hit: ["both targets hit", "good"], tp1_hit: ["first target hit", "good"],
  sl_hit: ["stopped out", "bad"], expired: ["expired", "half"], missed: ["missed, never entered", "calm"],
};
export const statusWords = (status) => STATUS[status]?.[0] ?? words(status);

/** The colour name of a signal: how it ended, and for an expiry or a first target whether it paid. */
export function tone(signal) {
  const status = signal.status ?? signal.result;
  if (status === "expired" || status === "tp1_hit") return Number(signal.net_r) > 0 ? "good" : Number(signal.net_r) < 0 ? "bad" : "half";
  return STATUS[status]?.[1] ?? "calm";
}

export function duration(minutes) {
  const whole = Math.max(0, Math.round(minutes));
  if (whole < 60) return `${whole} min`;
  if (whole < 48 * 60) return `${Math.floor(whole / 60)} h ${whole % 60} min`;
  return `${Math.floor(whole / 1440)} d ${Math.floor((whole % 1440) / 60)} h`;
}
