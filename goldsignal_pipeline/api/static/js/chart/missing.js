// Missing bars of the part of the chart that is seen, counted by reason, in words.
import { byId } from "../dom.js";
import { many, words } from "../format.js";

export function showMissing(gaps, bars, range) {
  if (!bars.length) {
    byId("missing").textContent = "";
    return;
  }
  const at = (position) => bars.time[Math.min(bars.length - 1, Math.max(0, Math.floor(position)))];
  const [from, to] = [at(range.from), range.to >= bars.length - 1 ? Infinity : at(range.to)];
  const counts = new Map();
  for (const gap of gaps) {
    if (gap.to > from && gap.from <= to) counts.set(gap.reason, (counts.get(gap.reason) ?? 0) + gap.missing);
  }
  const told = [...counts].map(([reason, count]) => `${words(reason)} ${count.toLocaleString("en-GB")}`).join(", ");
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const older = bars.hadOlder && range.from < 0 ? " Older bars of this length were deleted by retention." : "";
  byId("missing").textContent = (total ? `Missing here: ${many(total, "bar")} (${told}).` : "No bar is missing here.") + older;
}
